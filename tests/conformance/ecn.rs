//! Explicit congestion notification (RFC 3168).

use zerotcp::stack::ConnectionId;
use zerotcp::tcp::Ecn;

use crate::common::packets::fragment;
use crate::common::script::Script;
use crate::{Start, tests};

tests! {
    "3168-1 SHLD-8" => a_passive_open_agrees_to_what_was_asked,
    "3168-1 SHLD-8" => an_active_open_asks_where_it_is_to,
    "3168-1" => an_answer_that_reflects_is_a_no,
    "3168-2" => only_new_text_is_ecn_capable,
    "3168-3" => a_mark_is_echoed_until_it_was_heard,
    "3168-4" => an_echo_cuts_the_window_once_a_round_trip,
    "3168-4" => at_a_window_of_one_segment_new_text_waits_for_the_timer,
    "3168-4" => new_text_that_waits_for_the_timer_does_not_lose_it,
    "3168-4" => a_mark_at_the_least_window_is_not_undone,
    "3168-4" => a_probe_does_not_take_along_what_waits_for_the_timer,
    "3168-5" => a_mark_outside_the_window_is_ignored,
    "3168-6" => a_mark_on_a_fragment_is_the_datagrams,
}

/// Both sides have agreed; MSS 1000, a round trip of 100 ms.
fn agreed(start: Start) -> (Script, ConnectionId) {
    opened(start.script(), "")
}

/// The peer asks for ECN in a SYN with MSS 1000 and more options.
fn opened(mut s: Script, options: &str) -> (Script, ConnectionId) {
    s.inject(&format!("SEW 0 <mss 1000{options}>"));
    s.expect(&format!("SE. 0 ack 1 <mss 1460{options}>"));
    s.pass(100);
    s.inject(". 1 ack 1");
    let id = s.accept();
    (s, id)
}

fn a_passive_open_agrees_to_what_was_asked(start: Start) {
    let (mut s, id) = agreed(start);
    assert!(s.stack.info(id).unwrap().ecn);
    s.send(id, 10);
    s.expect("P. 1:11 ack 1 ect0");
    for (ecn, syn) in [
        (Ecn::Accept, "S 0 <mss 1000>"),
        (Ecn::Accept, "SE 0 <mss 1000>"),
        (Ecn::Accept, "SW 0 <mss 1000>"),
        (Ecn::Off, "SEW 0 <mss 1000>"),
    ] {
        let mut s = start.script_with(|config| config.tcp.ecn = ecn);
        s.inject(syn);
        s.expect("S. 0 ack 1 <mss 1460>");
        s.inject(". 1 ack 1");
        let id = s.accept();
        assert!(!s.stack.info(id).unwrap().ecn, "{syn}");
        s.send(id, 10);
        s.expect("P. 1:11 ack 1");
    }
}

fn an_active_open_asks_where_it_is_to(start: Start) {
    for (ecn, syn) in [
        (Ecn::Offer, "SEW 0 *"),
        (Ecn::Accept, "S 0 *"),
        (Ecn::Off, "S 0 *"),
    ] {
        let (mut s, id) = start.connecting_with(|config| config.tcp.ecn = ecn);
        s.expect(syn);
        s.inject("SE. 0 ack 1 <mss 1000>");
        s.expect(". 1 ack 1");
        assert_eq!(s.stack.info(id).unwrap().ecn, ecn == Ecn::Offer);
    }
}

fn an_answer_that_reflects_is_a_no(start: Start) {
    for answer in ["SEW. 0 ack 1", "SW. 0 ack 1", "S. 0 ack 1"] {
        let (mut s, id) = start.connecting_with(|config| config.tcp.ecn = Ecn::Offer);
        s.expect("SEW 0 *");
        s.inject(&format!("{answer} <mss 1000>"));
        s.expect(". 1 ack 1");
        assert!(!s.stack.info(id).unwrap().ecn, "{answer}");
        s.send(id, 10);
        s.expect("P. 1:11 ack 1");
    }
}

fn only_new_text_is_ecn_capable(start: Start) {
    let (mut s, id) = agreed(start);
    // A bare acknowledgment.
    s.inject("P. 1:6 ack 1");
    s.pass(100);
    s.expect(". 1 ack 6");
    // Text; and the same again.
    s.send(id, 10);
    s.expect("P. 1:11 ack 6 ect0");
    s.pass(2000);
    s.expect("P. 1:11 ack 6");
    s.drain();
    // A probe of a closed window.
    s.inject(". 6 ack 11 win 0");
    s.send(id, 10);
    s.expect_nothing();
    s.pass(2000);
    s.expect(". 11:12 ack 6");
    s.drain();
    s.inject(". 6 ack 12 win 1000");
    // After a timeout, CWR tells that the window was cut (section 6.1.2).
    s.expect("P*. 12:21 ack 6 ect0");
    // A FIN without text.
    s.inject(". 6 ack 21");
    s.stack.shutdown(id).unwrap();
    let sent = s.next().unwrap();
    assert!(sent.starts_with("F. 21 ack 6"), "{sent}");
}

fn a_mark_is_echoed_until_it_was_heard(start: Start) {
    let (mut s, id) = agreed(start);
    s.inject(". 1:1001 ack 1 ce");
    s.pass(100);
    s.expect("E. 1 ack 1001");
    s.inject(". 1001:2001 ack 1 ect0");
    s.pass(100);
    s.expect("E. 1 ack 2001");
    // On text, too.
    s.send(id, 5);
    s.expect("PE. 1:6 ack 2001 ect0");
    s.inject("W. 2001:3001 ack 6 ect0");
    s.pass(100);
    s.expect(". 6 ack 3001");
    // A mark on what says that it was heard begins it again.
    s.inject("W. 3001:4001 ack 6 ce");
    s.pass(100);
    s.expect("E. 6 ack 4001");
}

fn an_echo_cuts_the_window_once_a_round_trip(start: Start) {
    let (mut s, id) = agreed(start);
    s.send(id, 100_000);
    assert_eq!(s.drain(), 10);
    s.pass(100);
    let before = s.stack.info(id).unwrap().cwnd;
    s.inject("E. 1 ack 1001");
    let after = s.stack.info(id).unwrap().cwnd;
    assert!(after < before, "{after} after {before}");
    // The others of the same round trip tell the same.
    for n in 2..=10 {
        s.inject(&format!("E. 1 ack {}", 1000 * n + 1));
        assert!(s.stack.info(id).unwrap().cwnd <= before);
        assert!(s.stack.info(id).unwrap().ssthresh >= after.min(before / 2));
    }
    // The next new text says so, and only that.
    let sent = s.next().expect("new text");
    assert!(sent.contains("W") && sent.contains("10001:11001"), "{sent}");
    while let Some(sent) = s.next() {
        assert!(!sent.contains('W'), "{sent}");
    }
    // A retransmission would not: it is another reason to cut.
    let halved = s.stack.info(id).unwrap().ssthresh;
    s.pass(100);
    s.inject("E. 1 ack 11001");
    assert!(
        s.stack.info(id).unwrap().ssthresh < halved,
        "another round trip"
    );
}

/// Section 6.1.2: there is nothing to cut any more.
fn at_a_window_of_one_segment_new_text_waits_for_the_timer(start: Start) {
    let s = start.script_with(|config| config.tcp.initial_window = 1);
    let (mut s, id) = opened(s, "");
    s.send(id, 3000);
    s.expect_all(&[". 1:1001 ack 1 ect0"]);
    s.pass(100);
    s.inject("E. 1 ack 1001");
    // But for slow start, which ends as after any cut.
    assert_eq!(s.stack.info(id).unwrap().ssthresh, 2000);
    let rto = s.stack.info(id).unwrap().rto.as_millis() as u64;
    s.pass(rto - 1);
    s.expect_nothing();
    let (millis, sent) = s.wait();
    assert!(millis <= 2, "{millis}");
    assert!(sent.starts_with("W. 1001:2001 ack 1 "), "{sent}");
    s.expect_nothing();
    // Without a mark it goes on at once.
    s.inject(". 1 ack 2001");
    let sent = s.next().expect("the next one");
    assert!(sent.starts_with("P. 2001:3001 ack 1 "), "{sent}");
}

/// Nor does a probe for a lost tail take it along (RFC 8985 section 7.3).
fn a_probe_does_not_take_along_what_waits_for_the_timer(start: Start) {
    let s = start.script_with(|config| {
        config.tcp.initial_window = 1;
        config.tcp.settings.nagle = false;
    });
    let (mut s, id) = opened(s, ",nop,nop,sackOK");
    for n in 0..10 {
        s.send(id, 100);
        s.expect(&format!("P. {}:{} ack 1 ect0", n * 100 + 1, n * 100 + 101));
    }
    s.pass(100);
    s.inject("E. 1 ack 101");
    s.send(id, 1000);
    s.expect_nothing();
    let (_, sent) = s.wait();
    assert!(sent.starts_with(". 901:1001 ack 1 "), "{sent}");
    s.inject(". 1 ack 1001");
    s.expect_nothing();
}

/// What was in flight beside it may be acknowledged before the timer fires.
fn new_text_that_waits_for_the_timer_does_not_lose_it(start: Start) {
    let s = start.script_with(|config| config.tcp.initial_window = 1);
    let (mut s, id) = opened(s, ",nop,nop,sackOK");
    s.send(id, 3000);
    s.expect_all(&[". 1:1001 ack 1 ect0"]);
    // Beyond the window, to learn what became of the first one.
    let (_, sent) = s.wait();
    assert!(sent.starts_with(". 1001:2001 ack 1 "), "{sent}");
    s.inject("E. 1 ack 1001");
    s.inject(". 1 ack 2001");
    s.expect_nothing();
    let (_, sent) = s.wait();
    assert!(sent.starts_with("PW. 2001:3001 ack 1 "), "{sent}");
}

/// A timeout may turn out to be a mistake, the mark that came since does not: what it asked for stays.
fn a_mark_at_the_least_window_is_not_undone(start: Start) {
    for mark in ["E. 1 ack 21", "E. 1:3 ack 21"] {
        let s = start.script_with(|config| config.tcp.settings.nagle = false);
        let (mut s, id) = opened(s, ",nop,nop,sackOK");
        s.send(id, 10);
        s.expect("P. 1:11 ack 1 ect0");
        // A probe for a lost tail, then the timeout: both needless.
        s.wait();
        s.wait();
        s.send(id, 10);
        s.expect("PW. 11:21 ack 1 ect0");
        s.inject(". 1 ack 21");
        s.inject(mark);
        for _ in 0..2 {
            s.inject(". 3 ack 21 <nop,nop,sack 1:11>");
        }
        let info = s.stack.info(id).unwrap();
        assert_eq!((info.cwnd, info.ssthresh), (1000, 2000), "{mark}");
        s.pass(50);
        while s.next().is_some() {}
        // New text waits for the timer.
        s.send(id, 10);
        s.expect_nothing();
        let (_, sent) = s.wait();
        assert!(sent.starts_with("PW. 21:31 "), "{mark}: {sent}");
    }
}

fn a_mark_outside_the_window_is_ignored(start: Start) {
    let (mut s, _) = agreed(start);
    for text in [". 900000:900010 ack 1 ce", ". -10:0 ack 1 ce"] {
        s.inject(text);
        s.expect(". 1 ack 1");
    }
    s.inject("P. 1:6 ack 1");
    s.pass(100);
    s.expect(". 1 ack 6");
}

fn a_mark_on_a_fragment_is_the_datagrams(start: Start) {
    for marked in [None, Some(0), Some(1), Some(2)] {
        let (mut s, id) = agreed(start);
        let whole = s.segment("P. 1:101 ack 1 ect0");
        for (n, offset) in [0, 40, 80].into_iter().enumerate() {
            let mut piece = fragment(&whole, offset, 40);
            if marked == Some(n) {
                piece[1] |= 3;
                crate::common::packets::seal_ip(&mut piece);
            }
            s.raw(&piece);
        }
        s.pass(100);
        match marked {
            // Dropping it would do as well; that it does not happen without a mark counts.
            Some(_) => match s.next() {
                Some(sent) => assert!(sent.starts_with("E. 1 ack 101"), "{sent}"),
                None => s.read(id, 0),
            },
            None => s.expect(". 1 ack 101"),
        }
    }
}
