//! Reno and NewReno, without SACK (RFC 5681, 6582 and 6928).

use zerotcp::stack::{Config, ConnectionId};
use zerotcp::tcp::congestion::Algorithm;

use crate::common::script::Script;
use crate::sack::flight;
use crate::{Start, tests};

tests! {
    "5681-1 6928-1" => the_initial_window_is_ten_segments_or_14600_octets,
    "5681-1" => the_handshake_does_not_grow_it,
    "6928-3" => after_a_loss_in_the_initial_window_idling_leaves_less,
    "6928-2" => one_lost_syn_does_not_shrink_the_initial_window,
    "5681-2" => an_ack_grows_slow_start_by_what_it_acknowledges,
    "5681-2" => a_stretch_ack_grows_it_by_one_segment,
    "5681-3" => avoidance_grows_by_one_segment_a_round,
    "5681-4" => a_timeout_leaves_one_segment_and_half_the_flight,
    "5681-5" => two_duplicates_let_new_text_out_and_the_third_retransmits,
    "5681-6" => after_idling_it_begins_with_the_initial_window,
    "5681-8" => a_lost_retransmission_reduces_again,
    "6582-1" => a_partial_ack_retransmits_the_next_hole,
    "6582-2" => a_full_ack_ends_recovery_at_ssthresh,
    "6582-3" => duplicates_from_before_a_timeout_retransmit_nothing,
}

/// NewReno, where the controller matters.
fn reno(config: &mut Config) {
    config.tcp.congestion = Algorithm::NewReno;
    config.tcp.hystart = false;
    config.tcp.pacing = false;
}

/// With a round trip of 100 ms, MSS 1000, and text queued that fills every window.
fn busy(start: Start) -> (Script, ConnectionId) {
    let (mut s, id) = start
        .script_with(reno)
        .open("S win 65535 <mss 1000,nop,wscale 4>", 100);
    s.inject(". 1 ack 1 win 65535");
    s.send(id, 500_000);
    (s, id)
}

fn cwnd(s: &Script, id: ConnectionId) -> u32 {
    s.stack.info(id).unwrap().cwnd
}

fn the_initial_window_is_ten_segments_or_14600_octets(start: Start) {
    for (mss, segments) in [(536, 10), (1000, 10), (1460, 10), (4000, 3), (8960, 2)] {
        let s = start.script_with(|config| config.mtu = 9000);
        let (mut s, id) = s.open(&format!("S <mss {mss}>"), 0);
        s.send(id, 65_000);
        assert_eq!(flight(&mut s).len(), segments, "MSS {mss}");
    }
}

fn the_handshake_does_not_grow_it(start: Start) {
    let (s, id) = start.script().open("S <mss 1000>", 100);
    assert_eq!(cwnd(&s, id), 10_000);
    let (mut s, id) = start.connecting();
    s.expect("S 0 *");
    s.inject("S. 0 ack 1 <mss 1000>");
    s.expect(". 1 ack 1");
    assert_eq!(cwnd(&s, id), 10_000);
}

fn one_lost_syn_does_not_shrink_the_initial_window(start: Start) {
    for (lost, segments) in [(1, 10), (2, 1)] {
        let (mut s, id) = start.connecting();
        s.expect("S 0 *");
        for _ in 0..lost {
            while s.next().is_none() {
                s.pass(10);
            }
        }
        s.inject("S. 0 ack 1 <mss 1000>");
        s.expect(". 1 ack 1");
        s.send(id, 50_000);
        assert_eq!(flight(&mut s).len(), segments, "{lost} lost");
        // Of a passive open likewise.
        let mut s = start.script();
        s.inject("S 0 <mss 1000>");
        s.expect("S. 0 ack 1 <mss 1460>");
        for _ in 0..lost {
            s.wait();
        }
        s.inject(". 1 ack 1");
        let id = s.accept();
        s.send(id, 50_000);
        assert_eq!(flight(&mut s).len(), segments, "{lost} answers lost");
    }
}

/// More than 4096 octets were under way: then it is min(4 MSS, max(2 MSS, 4380)) (RFC 3390).
fn after_a_loss_in_the_initial_window_idling_leaves_less(start: Start) {
    for lost in [false, true] {
        let (mut s, id) = start.script_with(reno).open("S <mss 1000>", 100);
        s.send(id, 10_000);
        assert_eq!(flight(&mut s).len(), 10);
        s.pass(100);
        if lost {
            for _ in 0..3 {
                s.inject(". 1 ack 1");
            }
            assert_eq!(flight(&mut s), [1]);
            s.pass(100);
        }
        // The window grows again, far beyond either.
        for n in 1..=10 {
            s.inject(&format!(". 1 ack {}001", n));
        }
        let mut acked = 10_001;
        for _ in 0..8 {
            s.send(id, 30_000);
            let end = acked + 30_000;
            while acked < end {
                let count = flight(&mut s).len() as u32;
                s.pass(100);
                for _ in 0..count {
                    acked += 1000;
                    s.inject(&format!(". 1 ack {acked}"));
                }
            }
        }
        assert!(cwnd(&s, id) > 10_000, "{}", cwnd(&s, id));
        s.pass(60_000);
        s.send(id, 60_000);
        let burst = flight(&mut s).len();
        match lost {
            false => assert_eq!(burst, 10),
            true => assert!((2..=4).contains(&burst), "{burst}"),
        }
    }
}

/// An octet at a time brings an octet at a time: dividing them gains nothing.
fn an_ack_grows_slow_start_by_what_it_acknowledges(start: Start) {
    let (mut s, id) = busy(start);
    s.drain();
    s.pass(100);
    for n in 1..=100 {
        s.inject(&format!(". 1 ack {} win 65535", 10 * n + 1));
    }
    assert!(cwnd(&s, id) <= 11_000, "{}", cwnd(&s, id));
    assert!(cwnd(&s, id) > 10_000);
    s.inject(". 1 ack 2001 win 65535");
    assert!(cwnd(&s, id) <= 12_000);
}

fn a_stretch_ack_grows_it_by_one_segment(start: Start) {
    let (mut s, id) = busy(start);
    s.drain();
    s.pass(100);
    s.inject(". 1 ack 10001 win 65535");
    assert!(cwnd(&s, id) <= 11_000, "{}", cwnd(&s, id));
}

/// Up to a window of twenty segments, then one loss and its repair: avoidance begins at ten.
fn in_avoidance(start: Start) -> (Script, ConnectionId, u32) {
    let (mut s, id) = busy(start);
    let first = flight(&mut s);
    s.pass(100);
    for n in &first {
        s.inject(&format!(". 1 ack {} win 65535", n + 1000));
    }
    let second = flight(&mut s);
    assert!(second.len() >= 15, "{}", second.len());
    s.pass(100);
    // The first of them is lost, the others arrive.
    for _ in 1..second.len() {
        s.inject(&format!(". 1 ack {} win 65535", second[0]));
        if flight(&mut s).contains(&second[0]) {
            break;
        }
    }
    s.pass(100);
    let end = s.stack.info(id).unwrap().unacknowledged + second[0];
    s.inject(&format!(". 1 ack {end} win 65535"));
    (s, id, end)
}

fn avoidance_grows_by_one_segment_a_round(start: Start) {
    let (mut s, id, mut acked) = in_avoidance(start);
    for _ in 0..10 {
        let before = cwnd(&s, id);
        let mut sent = 0;
        for _ in 0..10 {
            sent += flight(&mut s).len();
            s.pass(10);
        }
        assert!(sent > 3);
        for _ in 0..sent {
            acked += 1000;
            s.inject(&format!(". 1 ack {acked} win 65535"));
        }
        let grown = cwnd(&s, id) - before;
        assert!(
            (1..=1000).contains(&grown),
            "{grown} octets in a round of {sent}"
        );
    }
}

fn a_timeout_leaves_one_segment_and_half_the_flight(start: Start) {
    let (mut s, id) = busy(start);
    assert_eq!(s.drain(), 10);
    s.pass(310);
    let info = s.stack.info(id).unwrap();
    assert_eq!((info.cwnd, info.ssthresh), (1000, 5000));
    assert_eq!(flight(&mut s), [1]);
    // The same segment's second timeout halves nothing any more.
    s.pass(700);
    let info = s.stack.info(id).unwrap();
    assert_eq!((info.cwnd, info.ssthresh), (1000, 5000));
    assert_eq!(flight(&mut s), [1]);
    // Two segments at least.
    let (mut s, id) = start.script_with(reno).open("S <mss 1000>", 100);
    s.send(id, 1000);
    s.drain();
    s.pass(310);
    assert_eq!(s.stack.info(id).unwrap().ssthresh, 2000);
}

fn two_duplicates_let_new_text_out_and_the_third_retransmits(start: Start) {
    let (mut s, id) = busy(start);
    assert_eq!(flight(&mut s).len(), 10);
    s.pass(100);
    s.inject(". 1 ack 1 win 65535");
    assert_eq!(flight(&mut s), [10_001]);
    s.inject(". 1 ack 1 win 65535");
    assert_eq!(flight(&mut s), [11_001]);
    assert_eq!(cwnd(&s, id), 10_000);
    s.inject(". 1 ack 1 win 65535");
    assert_eq!(flight(&mut s), [1]);
    // FlightSize does not count what limited transmit has sent (RFC 5681 section 3.2).
    assert_eq!(s.stack.info(id).unwrap().ssthresh, 5000);
    // More duplicates let more out, but less than one each.
    let mut sent = 0;
    for _ in 0..9 {
        s.inject(". 1 ack 1 win 65535");
        sent += flight(&mut s).len();
    }
    assert!((1..=9).contains(&sent), "{sent}");
    s.pass(100);
    s.inject(". 1 ack 12001 win 65535");
    assert!(cwnd(&s, id) <= 6000, "{}", cwnd(&s, id));
}

fn after_idling_it_begins_with_the_initial_window(start: Start) {
    let (mut s, id) = busy(start);
    let mut acked = 1;
    // Slow start until all is sent.
    while acked < 500_001 {
        let sent = flight(&mut s).len();
        s.pass(100);
        for _ in 0..sent {
            acked = 500_001.min(acked + 1000);
            s.inject(&format!(". 1 ack {acked} win 65535"));
        }
    }
    assert!(cwnd(&s, id) > 50_000);
    s.pass(5000);
    s.send(id, 100_000);
    assert!(flight(&mut s).len() <= 10);
}

fn a_lost_retransmission_reduces_again(start: Start) {
    let (mut s, id) = busy(start);
    s.drain();
    s.pass(100);
    for _ in 0..3 {
        s.inject(". 1 ack 1 win 65535");
    }
    assert!(flight(&mut s).contains(&1));
    let first = s.stack.info(id).unwrap();
    // It is lost again, and the timer finds it out.
    for _ in 0..2000 {
        s.pass(1);
        if flight(&mut s).contains(&1) {
            let second = s.stack.info(id).unwrap();
            assert!(second.cwnd < first.ssthresh, "{second:?}");
            return;
        }
    }
    panic!("it is not sent again");
}

fn a_partial_ack_retransmits_the_next_hole(start: Start) {
    let (mut s, _) = busy(start);
    s.drain();
    s.pass(100);
    // The first, second and fifth are lost; each other one brings a duplicate.
    let mut sent = Vec::new();
    for _ in 0..7 {
        s.inject(". 1 ack 1 win 65535");
        sent.extend(flight(&mut s));
    }
    assert!(sent.contains(&1), "{sent:?}");
    s.pass(100);
    for hole in [1001, 4001] {
        s.inject(&format!(". 1 ack {hole} win 65535"));
        assert_eq!(flight(&mut s).first(), Some(&hole));
    }
}

fn a_full_ack_ends_recovery_at_ssthresh(start: Start) {
    let (s, id, _) = in_avoidance(start);
    let info = s.stack.info(id).unwrap();
    // The same ACK may have grown it by a segment again.
    assert!(info.cwnd <= info.ssthresh + 1000, "{info:?}");
    assert!(info.cwnd >= 1000);
}

/// RFC 6582 section 3.2, step 1: they are of the segments that the timeout has sent again.
fn duplicates_from_before_a_timeout_retransmit_nothing(start: Start) {
    let (mut s, id) = busy(start);
    s.drain();
    s.pass(310);
    assert_eq!(flight(&mut s), [1]);
    let before = s.stack.info(id).unwrap().ssthresh;
    for _ in 0..8 {
        s.inject(". 1 ack 1 win 65535");
        assert!(!flight(&mut s).contains(&1));
    }
    assert_eq!(s.stack.info(id).unwrap().ssthresh, before);
}
