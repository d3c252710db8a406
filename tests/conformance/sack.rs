//! Selective acknowledgment, both ways (RFC 2018, 2883 and 6675).

use zerotcp::stack::{Config, ConnectionId};

use crate::common::script::Script;
use crate::{Start, tests};

tests! {
    "2018-1" => blocks_only_for_a_peer_that_permits_them,
    "2018-1" => the_latest_first_and_as_many_as_fit,
    "2018-2" => a_peer_that_takes_back_what_it_said_gets_it_again,
    "2883-1" => what_comes_twice_is_reported_first,
    "2883-1" => what_comes_twice_within_a_block_is_reported_before_it,
    "6675-1" => three_segments_sacked_above_make_it_lost,
    "6675-1" => two_segments_above_are_not_enough,
    "6675-2" => the_third_duplicate_with_news_retransmits_the_first_hole,
    "6675-3" => holes_go_before_new_text,
    "6675-4" => no_more_is_in_flight_than_the_window,
    "6675-5" => after_a_timeout_there_is_no_second_recovery,
    "6675-6" => a_duplicate_without_news_is_none,
}

/// With SACK, a round trip of 100 ms, MSS 1000, and text that fills every window.
pub fn busy(start: Start) -> (Script, ConnectionId) {
    busy_with(start, |_| {})
}

/// The same with the host's configuration changed.
pub fn busy_with(start: Start, change: impl Fn(&mut Config)) -> (Script, ConnectionId) {
    let syn = "S win 65535 <mss 1000,nop,nop,sackOK,nop,wscale 4>";
    // Time stands still while acknowledgments come in: what they let go is not to wait for it.
    let s = start.script_with(|config| {
        config.tcp.pacing = false;
        change(config);
    });
    let (mut s, id) = s.open(syn, 100);
    s.inject(". 1 ack 1 win 65535");
    s.send(id, 500_000);
    (s, id)
}

/// What goes out until nothing more does: the numbers at which segments begin.
pub fn flight(s: &mut Script) -> Vec<u32> {
    let mut starts = Vec::new();
    while let Some(sent) = s.next() {
        let range = sent.split(' ').nth(1).unwrap();
        starts.push(range.split(':').next().unwrap().parse().unwrap());
    }
    starts
}

fn blocks_only_for_a_peer_that_permits_them(start: Start) {
    for (syn, answer, block) in [
        ("S 0 <mss 1000>", "S. 0 ack 1 <mss 1460>", ""),
        (
            "S 0 <mss 1000,nop,nop,sackOK>",
            "S. 0 ack 1 <mss 1460,nop,nop,sackOK>",
            " <nop,nop,sack 11:21>",
        ),
    ] {
        let mut s = start.script();
        s.inject(syn);
        s.expect(answer);
        s.inject(". 1 ack 1");
        s.inject(". 11:21 ack 1");
        s.expect(&format!(". 1 ack 1{block}"));
    }
    let s = start.script_with(|config| config.tcp.sack = false);
    let (mut s, _) = s.open("S <mss 1000,nop,nop,sackOK>", 0);
    s.inject(". 11:21 ack 1");
    s.expect(". 1 ack 1");
}

fn the_latest_first_and_as_many_as_fit(start: Start) {
    let (mut s, _) = start.script().open("S <mss 1000,nop,nop,sackOK>", 0);
    let mut blocks: Vec<String> = Vec::new();
    for n in [1, 5, 3, 9, 7, 11] {
        let block = format!("{}:{}", 10 * n + 1, 10 * n + 11);
        s.inject(&format!(". {block} ack 1"));
        blocks.insert(0, block);
        blocks.truncate(4);
        s.expect(&format!(". 1 ack 1 <nop,nop,sack {}>", blocks.join(" ")));
    }
    // With timestamps there is room for three.
    let (mut s, _) = start.script().open("S <mss 1000,sackOK,ts 1 0>", 0);
    for n in [1, 5, 3, 9] {
        s.inject(&format!(
            ". {}:{} ack 1 <nop,nop,ts 1 0>",
            10 * n + 1,
            10 * n + 11
        ));
    }
    s.expect(". 1 ack 1 <nop,nop,ts * 1,nop,nop,sack 91:101 31:41 51:61>");
}

/// Section 8: what was reported may be dropped by its receiver, so it is kept until it is
/// acknowledged, and after a timeout no longer taken for received.
fn a_peer_that_takes_back_what_it_said_gets_it_again(start: Start) {
    let (mut s, id) = start.script().open("S <mss 1000,nop,nop,sackOK>", 100);
    s.send(id, 4000);
    assert_eq!(flight(&mut s).len(), 4);
    s.pass(100);
    s.inject(". 1 ack 1 <nop,nop,sack 1001:4001>");
    // Then it forgets: only what it gets from now on it acknowledges, in order.
    let mut acked = 1;
    for _ in 0..60_000 {
        s.pass(1);
        while s.next().is_some() {
            let end = s.last_end();
            if end - acked <= 1000 {
                acked = end;
            }
            s.inject(&format!(". 1 ack {acked}"));
        }
    }
    assert_eq!(acked, 4001);
    assert_eq!(s.stack.info(id).unwrap().unacknowledged, 0);
}

fn what_comes_twice_is_reported_first(start: Start) {
    let (mut s, id) = start.script().open("S <mss 1000,nop,nop,sackOK>", 0);
    s.inject(". 1:101 ack 1");
    s.pass(100);
    s.drain();
    s.inject(". 1:101 ack 1");
    s.expect_all(&[". 1 ack 101 <nop,nop,sack 1:101>"]);
    s.inject(". 51:151 ack 1");
    s.expect(". 1 ack 151 <nop,nop,sack 51:101>");
    // Once.
    s.inject(". 201:211 ack 1");
    s.expect(". 1 ack 151 <nop,nop,sack 201:211>");
    s.read(id, 150);
}

fn what_comes_twice_within_a_block_is_reported_before_it(start: Start) {
    let (mut s, _) = start.script().open("S <mss 1000,nop,nop,sackOK>", 0);
    s.inject(". 101:201 ack 1");
    s.expect(". 1 ack 1 <nop,nop,sack 101:201>");
    s.inject(". 141:161 ack 1");
    s.expect(". 1 ack 1 <nop,nop,sack 141:161 101:201>");
}

/// RFC 6675 section 4, IsLost: more than two segments' octets.
fn three_segments_sacked_above_make_it_lost(start: Start) {
    let (mut s, _) = busy(start);
    assert_eq!(flight(&mut s).len(), 10);
    s.pass(100);
    // One acknowledgment tells all of it.
    s.inject(". 1 ack 1 win 65535 <nop,nop,sack 1001:4001>");
    assert_eq!(flight(&mut s)[0], 1);
}

fn two_segments_above_are_not_enough(start: Start) {
    let (mut s, _) = busy(start);
    s.drain();
    s.pass(100);
    s.inject(". 1 ack 1 win 65535 <nop,nop,sack 1001:3001>");
    assert!(!flight(&mut s).contains(&1));
}

fn the_third_duplicate_with_news_retransmits_the_first_hole(start: Start) {
    let (mut s, id) = busy(start);
    s.drain();
    s.pass(100);
    s.inject(". 1 ack 1 win 65535 <nop,nop,sack 2001:3001>");
    assert!(!flight(&mut s).contains(&1));
    s.inject(". 1 ack 1 win 65535 <nop,nop,sack 4001:5001 2001:3001>");
    assert!(!flight(&mut s).contains(&1));
    let before = s.stack.info(id).unwrap().cwnd;
    s.inject(". 1 ack 1 win 65535 <nop,nop,sack 6001:7001 4001:5001 2001:3001>");
    assert_eq!(flight(&mut s)[0], 1);
    assert!(s.stack.info(id).unwrap().ssthresh < before);
}

fn holes_go_before_new_text(start: Start) {
    let (mut s, _) = busy(start);
    assert_eq!(flight(&mut s).len(), 10);
    s.pass(100);
    // The first two and the fifth are missing.
    let mut sent = Vec::new();
    for sack in [
        "2001:3001",
        "2001:4001",
        "5001:6001 2001:4001",
        "5001:8001 2001:4001",
        "5001:10001 2001:4001",
    ] {
        s.inject(&format!(". 1 ack 1 win 65535 <nop,nop,sack {sack}>"));
        sent.extend(flight(&mut s));
    }
    let holes: Vec<_> = sent.iter().copied().filter(|seq| *seq < 10_001).collect();
    assert_eq!(holes, [1, 1001, 4001], "{sent:?}");
    // New text comes before the first of them by limited transmit, or after the last.
    let first = sent.iter().position(|seq| *seq == 1).unwrap();
    assert_eq!(sent[first..first + 3], [1, 1001, 4001], "{sent:?}");
}

fn no_more_is_in_flight_than_the_window(start: Start) {
    let (mut s, id) = busy(start);
    s.drain();
    s.pass(100);
    for n in 2..=10 {
        s.inject(&format!(
            ". 1 ack 1 win 65535 <nop,nop,sack 1001:{}>",
            1000 * n + 1
        ));
        while s.next().is_some() {
            let info = s.stack.info(id).unwrap();
            assert!(info.in_flight <= info.cwnd + 1000, "{info:?}");
        }
    }
}

fn after_a_timeout_there_is_no_second_recovery(start: Start) {
    let (mut s, id) = busy(start);
    s.drain();
    s.pass(100);
    s.inject(". 1 ack 1 win 65535 <nop,nop,sack 1001:4001>");
    assert_eq!(flight(&mut s)[0], 1);
    // The retransmission is lost: a timeout.
    while !flight(&mut s).contains(&1) {
        s.pass(1);
    }
    let before = s.stack.info(id).unwrap().ssthresh;
    for n in 5..=9 {
        s.inject(&format!(
            ". 1 ack 1 win 65535 <nop,nop,sack 1001:{}>",
            1000 * n + 1
        ));
        s.drain();
    }
    assert_eq!(
        s.stack.info(id).unwrap().ssthresh,
        before,
        "not reduced once more"
    );
}

/// Forged ones say nothing new.
fn a_duplicate_without_news_is_none(start: Start) {
    let (mut s, id) = busy(start);
    s.drain();
    s.pass(100);
    let before = s.stack.info(id).unwrap();
    for _ in 0..10 {
        s.inject(". 1 ack 1 win 65535");
        assert!(!flight(&mut s).contains(&1));
    }
    assert_eq!(s.stack.info(id).unwrap().ssthresh, before.ssthresh);
    // With news it is one even if the window has moved.
    for (n, window) in [(2, 65_534), (3, 65_533), (4, 65_532)] {
        s.inject(&format!(
            ". 1 ack 1 win {window} <nop,nop,sack 1001:{}>",
            1000 * n + 1
        ));
    }
    assert!(flight(&mut s).contains(&1));
}
