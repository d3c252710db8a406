//! Retransmissions that were needless, and what is made good then (RFC 3522, 3708, 4015 and
//! 5682).

use zerotcp::stack::ConnectionId;

use crate::common::script::Script;
use crate::sack::{busy, flight};
use crate::{Start, tests};

tests! {
    "3522-1 4015-1" => an_older_echo_shows_that_a_timeout_was_needless,
    "3522-1 4015-1" => an_older_echo_shows_that_a_fast_retransmit_was_needless,
    "3522-1" => the_echo_of_the_retransmission_shows_nothing,
    "3708-1 4015-1" => a_report_that_all_came_twice_shows_it,
    "3708-1" => a_report_that_only_some_came_twice_does_not,
    "5682-1 4015-1" => after_a_timeout_progress_without_help_shows_it,
    "5682-1" => after_a_timeout_a_duplicate_shows_a_loss,
    "5682-1 4015-1" => with_sack_what_was_sent_once_shows_it,
}

/// With timestamps and SACK, a round trip of 100 ms, and ten segments in flight: the time they
/// bear.
fn stamped(start: Start) -> (Script, ConnectionId, u32) {
    let s = start.script();
    let (mut s, id) = s.open("S win 65535 <mss 1012,sackOK,ts 1 0,nop,wscale 4>", 100);
    s.send(id, 500_000);
    assert_eq!(flight(&mut s).len(), 10);
    let stamp = s.stamp().unwrap();
    (s, id, stamp)
}

fn spurious(s: &Script, id: ConnectionId) -> u32 {
    s.stack.info(id).unwrap().tally.spurious
}

/// Lets time pass until the timer has sent again what `una` begins.
fn time_out(s: &mut Script, id: ConnectionId) {
    let count = |s: &Script| s.stack.info(id).unwrap().tally.timeout_retransmissions;
    while count(s) == 0 {
        s.pass(1);
        s.drain();
    }
}

fn an_older_echo_shows_that_a_timeout_was_needless(start: Start) {
    let (mut s, id, stamp) = stamped(start);
    let before = s.stack.info(id).unwrap();
    time_out(&mut s, id);
    let after = s.stack.info(id).unwrap();
    assert!(after.cwnd < before.cwnd && after.rto > before.rto);
    s.inject(&format!(". 1 ack 1001 <nop,nop,ts 2 {stamp}>"));
    let now = s.stack.info(id).unwrap();
    assert_eq!(now.tally.spurious, 1);
    assert!(now.cwnd >= before.cwnd, "{now:?}");
    assert_eq!(now.ssthresh, before.ssthresh);
    // Nothing more of the old goes out.
    s.pass(1);
    let sent = flight(&mut s);
    assert!(sent.iter().all(|seq| *seq > 10_000), "{sent:?}");
}

fn an_older_echo_shows_that_a_fast_retransmit_was_needless(start: Start) {
    let (mut s, id, stamp) = stamped(start);
    let before = s.stack.info(id).unwrap();
    s.pass(100);
    s.inject(&format!(
        ". 1 ack 1 <nop,nop,ts 2 {stamp},nop,nop,sack 1001:5001>"
    ));
    assert!(flight(&mut s).contains(&1));
    assert!(s.stack.info(id).unwrap().ssthresh < before.ssthresh);
    s.pass(1);
    s.inject(&format!(". 1 ack 5001 <nop,nop,ts 2 {stamp}>"));
    let now = s.stack.info(id).unwrap();
    assert_eq!(now.tally.spurious, 1);
    assert!(now.cwnd >= before.cwnd, "{now:?}");
    assert_eq!(now.ssthresh, before.ssthresh);
}

fn the_echo_of_the_retransmission_shows_nothing(start: Start) {
    let (mut s, id, _) = stamped(start);
    s.pass(100);
    s.inject(". 1 ack 1 <nop,nop,ts 2 0,nop,nop,sack 1001:5001>");
    assert_eq!(flight(&mut s)[0], 1);
    let stamp = s.stamp().unwrap();
    s.pass(100);
    s.inject(&format!(". 1 ack 5001 <nop,nop,ts 2 {stamp}>"));
    assert_eq!(spurious(&s, id), 0);
}

fn a_report_that_all_came_twice_shows_it(start: Start) {
    let (mut s, id) = busy(start);
    s.drain();
    let before = s.stack.info(id).unwrap();
    s.pass(100);
    s.inject(". 1 ack 1 win 65535 <nop,nop,sack 1001:5001>");
    assert!(flight(&mut s).contains(&1));
    s.inject(". 1 ack 5001 win 65535");
    assert_eq!(spurious(&s, id), 0);
    s.pass(100);
    s.inject(". 1 ack 5001 win 65535 <nop,nop,sack 1:1001>");
    let now = s.stack.info(id).unwrap();
    assert_eq!(now.tally.spurious, 1);
    assert!(now.cwnd >= before.cwnd, "{now:?}");
    assert_eq!(now.ssthresh, before.ssthresh);
}

fn a_report_that_only_some_came_twice_does_not(start: Start) {
    let (mut s, id) = busy(start);
    s.drain();
    s.pass(100);
    s.inject(". 1 ack 1 win 65535 <nop,nop,sack 2001:10001>");
    let mut sent = flight(&mut s);
    for _ in 0..20 {
        s.pass(1);
        sent.extend(flight(&mut s));
    }
    assert!(sent.contains(&1) && sent.contains(&1001), "{sent:?}");
    let reduced = s.stack.info(id).unwrap().ssthresh;
    s.inject(". 1 ack 1001 win 65535 <nop,nop,sack 1:1001 2001:10001>");
    let now = s.stack.info(id).unwrap();
    assert_eq!((now.tally.spurious, now.ssthresh), (0, reduced));
}

/// Without SACK and timestamps: RFC 5682 section 2.1.
fn after_a_timeout_progress_without_help_shows_it(start: Start) {
    let (mut s, id) = start.script().open("S win 65535 <mss 1000>", 100);
    s.send(id, 100_000);
    assert_eq!(s.drain(), 10);
    let before = s.stack.info(id).unwrap();
    time_out(&mut s, id);
    assert_eq!(s.stack.info(id).unwrap().cwnd, 1000);
    // Two new ones instead of the second of the old.
    s.inject(". 1 ack 1001");
    assert_eq!(flight(&mut s), [10_001, 11_001]);
    assert_eq!(spurious(&s, id), 0);
    s.inject(". 1 ack 2001");
    let now = s.stack.info(id).unwrap();
    assert_eq!(now.tally.spurious, 1);
    assert!(now.cwnd >= before.cwnd, "{now:?}");
    assert_eq!(now.ssthresh, before.ssthresh);
}

fn after_a_timeout_a_duplicate_shows_a_loss(start: Start) {
    let (mut s, id) = start.script().open("S win 65535 <mss 1000>", 100);
    s.send(id, 100_000);
    s.drain();
    time_out(&mut s, id);
    s.inject(". 1 ack 1001");
    assert_eq!(flight(&mut s), [10_001, 11_001]);
    s.inject(". 1 ack 1001");
    s.inject(". 1 ack 2001");
    let now = s.stack.info(id).unwrap();
    assert_eq!(now.tally.spurious, 0);
    assert!(now.cwnd < 10_000, "{now:?}");
}

/// RFC 5682 section 3.1.
fn with_sack_what_was_sent_once_shows_it(start: Start) {
    for lost in [false, true] {
        let (mut s, id) = busy(start);
        assert_eq!(s.drain(), 10);
        let before = s.stack.info(id).unwrap();
        time_out(&mut s, id);
        s.inject(". 1 ack 1001 win 65535");
        let mut sent = flight(&mut s);
        sent.retain(|seq| *seq < 10_001);
        assert_eq!(sent, [], "new text only");
        // What the timeout had not sent again, or what only its questions bring.
        match lost {
            false => s.inject(". 1 ack 3001 win 65535"),
            true => s.inject(". 1 ack 1001 win 65535 <nop,nop,sack 12001:13001>"),
        }
        let now = s.stack.info(id).unwrap();
        assert_eq!(now.tally.spurious, u32::from(!lost));
        assert_eq!(now.ssthresh == before.ssthresh, !lost);
    }
}
