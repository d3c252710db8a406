//! RACK and tail loss probes (RFC 8985).

use std::time::Duration;

use zerotcp::stack::ConnectionId;

use crate::common::script::Script;
use crate::sack::{busy, flight};
use crate::{Start, tests};

tests! {
    "8985-1 8985-2" => what_was_sent_before_something_delivered_is_lost_after_a_while,
    "8985-3" => a_retransmission_that_is_acknowledged_too_soon_measures_nothing,
    "8985-4" => three_duplicates_end_the_wait,
    "8985-4" => reordering_once_seen_is_waited_for,
    "8985-4" => each_round_with_a_needless_one_makes_the_wait_longer,
    "8985-5" => the_tail_is_probed_after_two_round_trips,
    "8985-5" => one_segment_in_flight_is_given_more_time,
    "8985-5" => a_peer_that_takes_its_time_is_probed_in_vain_once,
    "8985-6" => a_probe_is_new_text_if_there_is_any,
    "8985-6" => one_probe_then_the_timeout,
    "8985-7" => a_probe_that_repaired_a_loss_cuts_the_window_once,
    "8985-7" => a_probe_that_came_twice_cuts_nothing,
    "8985-7" => a_loss_that_a_probe_repairs_after_recovery_began_cuts_too,
    "8985-8" => a_lost_retransmission_is_found_and_cuts_again,
}

/// With SACK, a round trip of 100 ms, MSS 1000, and nothing sent yet; the floor of the timeout
/// is a second, so that it does not come before a probe.
fn quiet(start: Start) -> (Script, ConnectionId) {
    let s = start.script_with(|config| config.tcp.min_rto = Duration::from_secs(1));
    s.open("S win 65535 <mss 1000,nop,nop,sackOK>", 100)
}

/// Milliseconds until something goes out; what starts where.
fn wait(s: &mut Script) -> (u64, Vec<u32>) {
    let (millis, sent) = s.wait();
    let range = sent.split(' ').nth(1).expect("a number");
    let first = range.split(':').next().unwrap().parse().unwrap();
    let mut starts = vec![first];
    starts.extend(flight(s));
    (millis, starts)
}

/// A quarter of the round trip later, though there was only one duplicate.
fn what_was_sent_before_something_delivered_is_lost_after_a_while(start: Start) {
    let (mut s, id) = quiet(start);
    s.send(id, 2000);
    assert_eq!(flight(&mut s), [1, 1001]);
    s.pass(100);
    s.inject(". 1 ack 1 <nop,nop,sack 1001:2001>");
    let (millis, sent) = wait(&mut s);
    assert_eq!(sent, [1]);
    assert!((20..=30).contains(&millis), "{millis}");
}

/// One millisecond after it went out the first copy is acknowledged. Were it the second, all that
/// was sent before it would have to be lost.
fn a_retransmission_that_is_acknowledged_too_soon_measures_nothing(start: Start) {
    let (mut s, id) = busy(start);
    s.drain();
    s.pass(100);
    s.inject(". 1 ack 1 win 65535 <nop,nop,sack 1001:4001>");
    assert_eq!(flight(&mut s)[0], 1);
    s.pass(1);
    s.inject(". 1 ack 4001 win 65535");
    for _ in 0..20 {
        s.pass(1);
        let sent = flight(&mut s);
        assert!(sent.iter().all(|seq| *seq > 10_000), "{sent:?}");
    }
    let info = s.stack.info(id).unwrap();
    assert!(
        info.min_rtt.unwrap() >= Duration::from_millis(90),
        "{info:?}"
    );
}

fn three_duplicates_end_the_wait(start: Start) {
    let (mut s, _) = busy(start);
    s.drain();
    s.pass(100);
    for end in [2001, 3001] {
        s.inject(&format!(". 1 ack 1 win 65535 <nop,nop,sack 1001:{end}>"));
        assert!(!flight(&mut s).contains(&1));
    }
    s.inject(". 1 ack 1 win 65535 <nop,nop,sack 1001:4001>");
    assert!(flight(&mut s).contains(&1));
}

fn reordering_once_seen_is_waited_for(start: Start) {
    let (mut s, id) = busy(start);
    s.drain();
    s.pass(100);
    // The first comes after the second, third and fourth, but was not sent again.
    for end in [2001, 3001] {
        s.inject(&format!(". 1 ack 1 win 65535 <nop,nop,sack 1001:{end}>"));
        s.drain();
    }
    s.inject(". 1 ack 3001 win 65535");
    s.drain();
    assert!(s.stack.info(id).unwrap().tally.reordered > 0);
    // From now on three are no proof: the time is.
    s.inject(". 1 ack 3001 win 65535 <nop,nop,sack 4001:7001>");
    assert!(!flight(&mut s).contains(&3001));
    let mut millis = 0;
    while !flight(&mut s).contains(&3001) {
        s.pass(1);
        millis += 1;
    }
    assert!((10..=101).contains(&millis), "{millis}");
}

/// By what the peer reports to have got twice.
fn each_round_with_a_needless_one_makes_the_wait_longer(start: Start) {
    for (rounds, quarters) in [(0, 1), (1, 2), (2, 3), (9, 4)] {
        let (mut s, id) = quiet(start);
        let mut next = 1;
        for _ in 0..rounds {
            s.send(id, 1000);
            s.drain();
            s.pass(100);
            next += 1000;
            s.inject(&format!(
                ". 1 ack {next} <nop,nop,sack {}:{next}>",
                next - 1000
            ));
        }
        s.send(id, 2000);
        assert_eq!(flight(&mut s), [next, next + 1000]);
        s.pass(100);
        let second = format!("{}:{}", next + 1000, next + 2000);
        s.inject(&format!(". 1 ack {next} <nop,nop,sack {second}>"));
        let (millis, sent) = wait(&mut s);
        assert_eq!(sent, [next]);
        // Never longer than the round trip.
        assert!(
            millis.abs_diff(25 * quarters) <= 3,
            "{millis} after {rounds}"
        );
    }
}

fn the_tail_is_probed_after_two_round_trips(start: Start) {
    let (mut s, id) = quiet(start);
    s.send(id, 3000);
    assert_eq!(flight(&mut s), [1, 1001, 2001]);
    let (millis, sent) = wait(&mut s);
    assert_eq!(sent, [2001]);
    assert!((199..=203).contains(&millis), "{millis}");
    assert_eq!(s.stack.info(id).unwrap().tally.tail_probes, 1);
    // The acknowledgment of the last tells what is missing.
    s.pass(100);
    s.inject(". 1 ack 1 <nop,nop,sack 2001:3001>");
    let (millis, sent) = wait(&mut s);
    assert_eq!(sent[0], 1);
    assert!(millis <= 30, "{millis}");
}

fn one_segment_in_flight_is_given_more_time(start: Start) {
    let (mut s, id) = quiet(start);
    s.send(id, 1000);
    assert_eq!(flight(&mut s), [1]);
    let (millis, sent) = wait(&mut s);
    assert_eq!(sent, [1]);
    // Two round trips, and the longest that an acknowledgment may be delayed.
    assert!((249..=253).contains(&millis), "{millis}");
    // Never later than the timeout.
    let (mut s, id) = start
        .script()
        .open("S win 65535 <mss 1000,nop,nop,sackOK>", 100);
    s.send(id, 1000);
    s.drain();
    let (millis, _) = wait(&mut s);
    assert!(millis <= 301, "{millis}");
}

/// It keeps acknowledgments back for 200 ms, and says of the probe that it came twice: by
/// D-SACK, or without one.
fn a_peer_that_takes_its_time_is_probed_in_vain_once(start: Start) {
    for report in ["", " <nop,nop,sack 1:1001>"] {
        let (mut s, id) = quiet(start);
        let before = s.stack.info(id).unwrap().cwnd;
        s.send(id, 1000);
        assert_eq!(flight(&mut s), [1]);
        assert_eq!(wait(&mut s).1, [1]);
        s.inject(". 1 ack 1001");
        s.inject(&format!(". 1 ack 1001{report}"));
        for next in [1001, 2001, 3001] {
            s.send(id, 1000);
            assert_eq!(flight(&mut s), [next]);
            s.pass(300);
            assert_eq!(flight(&mut s), [], "{report}");
            s.inject(&format!(". 1 ack {}", next + 1000));
        }
        let info = s.stack.info(id).unwrap();
        assert_eq!(info.tally.tail_probes, 1);
        assert!(info.cwnd >= before, "{} after {before}", info.cwnd);
    }
}

fn a_probe_is_new_text_if_there_is_any(start: Start) {
    let (mut s, id) = quiet(start);
    s.send(id, 2500);
    // Nagle holds the rest back.
    assert_eq!(flight(&mut s), [1, 1001]);
    let (_, sent) = wait(&mut s);
    assert_eq!(sent, [2001]);
}

fn one_probe_then_the_timeout(start: Start) {
    let (mut s, id) = quiet(start);
    s.send(id, 3000);
    s.drain();
    let (first, _) = wait(&mut s);
    let (second, sent) = wait(&mut s);
    // Not a probe again: the earliest, when the timeout is over.
    assert_eq!(sent[0], 1);
    assert!(second >= 900, "{first} {second}");
    let tally = s.stack.info(id).unwrap().tally;
    assert_eq!(
        (tally.tail_probes, tally.timeout_retransmissions.min(1)),
        (1, 1)
    );
}

fn a_probe_that_repaired_a_loss_cuts_the_window_once(start: Start) {
    let (mut s, id) = quiet(start);
    s.send(id, 3000);
    s.drain();
    let before = s.stack.info(id).unwrap().cwnd;
    assert_eq!(wait(&mut s).1, [2001]);
    s.pass(100);
    s.inject(". 1 ack 3001");
    // No D-SACK has come when more is acknowledged: the first copy was lost.
    s.send(id, 1000);
    assert_eq!(flight(&mut s), [3001]);
    s.pass(100);
    s.inject(". 1 ack 4001");
    let after = s.stack.info(id).unwrap().cwnd;
    assert!(after < before, "{after} after {before}");
}

fn a_probe_that_came_twice_cuts_nothing(start: Start) {
    let (mut s, id) = quiet(start);
    s.send(id, 3000);
    s.drain();
    let before = s.stack.info(id).unwrap().cwnd;
    wait(&mut s);
    // All had arrived, only late; the probe is reported as a duplicate.
    s.inject(". 1 ack 3001");
    s.pass(100);
    s.inject(". 1 ack 3001 <nop,nop,sack 2001:3001>");
    let after = s.stack.info(id).unwrap().cwnd;
    assert!(after >= before, "{after} after {before}");
}

/// What a probe has repeated is deemed lost, since what was sent after it has arrived, and is
/// acknowledged before it goes out once more. The first copy was lost all the same.
fn a_loss_that_a_probe_repairs_after_recovery_began_cuts_too(start: Start) {
    let (mut s, id) = quiet(start);
    s.send(id, 3000);
    s.drain();
    assert_eq!(wait(&mut s).1, [2001]);
    s.send(id, 30_000);
    let sent = flight(&mut s);
    assert_eq!(sent[0], 3001);
    s.pass(100);
    s.inject(". 1 ack 2001 <nop,nop,sack 3001:4001>");
    let before = s.stack.info(id).unwrap().cwnd;
    assert!(!flight(&mut s).is_empty());
    // New text took the place of what arrived, so the retransmission waits for the next.
    s.pass(30);
    assert_eq!(flight(&mut s), []);
    s.inject(". 1 ack 4001");
    let after = s.stack.info(id).unwrap().ssthresh;
    assert!(after < before, "{after} after {before}");
}

fn a_lost_retransmission_is_found_and_cuts_again(start: Start) {
    let (mut s, id) = busy(start);
    s.drain();
    s.pass(100);
    s.inject(". 1 ack 1 win 65535 <nop,nop,sack 1001:5001>");
    let sent = flight(&mut s);
    assert_eq!(sent[0], 1);
    let first = s.stack.info(id).unwrap().ssthresh;
    // More arrives, and with it what was sent after the retransmission, which has not.
    s.inject(". 1 ack 1 win 65535 <nop,nop,sack 1001:10001>");
    let later: Vec<_> = sent[1..].iter().copied().chain(flight(&mut s)).collect();
    let new = *later.iter().max().expect("new text went out after it");
    assert!(new > 10_000, "{later:?}");
    s.pass(100);
    s.inject(&format!(
        ". 1 ack 1 win 65535 <nop,nop,sack 1001:{}>",
        new + 1000
    ));
    let (millis, again) = wait(&mut s);
    assert!(again.contains(&1), "{again:?}");
    assert!(millis < 200, "long before the timeout: {millis}");
    assert!(s.stack.info(id).unwrap().ssthresh < first);
}
