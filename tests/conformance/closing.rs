//! How a connection ends (RFC 9293 section 3.6).

use std::time::Duration;

use zerotcp::stack::{Event, SocketError};
use zerotcp::tcp::{CloseReason, State};

use crate::states::Reached;
use crate::{Start, tests};

tests! {
    "MUST-12" => a_close_and_a_reset_are_told_apart,
    "MUST-13" => the_active_closer_waits_for_two_segment_lifetimes,
    "MUST-13" => the_wait_follows_the_configured_lifetime,
    "MUST-13" => a_simultaneous_close_ends_in_time_wait_too,
    "SHLD-2" => a_reset_may_carry_text,
    "SHLD-3 MAY-1" => closing_with_text_unread_resets,
    "SHLD-3 MAY-1" => text_after_the_close_is_answered_with_a_reset,
    "SHLD-4" => a_newer_timestamp_opens_out_of_time_wait,
    "1337-1" => a_reset_ends_no_time_wait,
    "1337-1" => old_duplicates_end_no_time_wait,
    "MAY-2" => a_larger_number_opens_out_of_time_wait,
}

fn a_close_and_a_reset_are_told_apart(start: Start) {
    let (mut s, id) = start.established(65535);
    s.inject("F. 1 ack 1");
    assert!(s.events().contains(&Event::PeerClosed(id)));
    assert_eq!(s.stack.recv(id, &mut [0]), Ok(0));
    s.expect(". 1 ack 2");
    s.stack.shutdown(id).unwrap();
    s.expect("F. 1 ack 2");
    s.inject(". 2 ack 2");
    assert_eq!(s.events(), [Event::Closed(id, CloseReason::Finished)]);

    let (mut s, id) = start.established(65535);
    s.inject("R 1");
    assert!(s.events().contains(&Event::Closed(id, CloseReason::Reset)));
    assert_eq!(s.stack.recv(id, &mut [0]), Err(SocketError::Reset));
}

fn the_active_closer_waits_for_two_segment_lifetimes(start: Start) {
    let (mut s, id) = start.established(65535);
    s.stack.close(id);
    s.expect("F. 1 ack 1");
    s.inject(". 1 ack 2");
    s.inject("F. 1 ack 2");
    s.expect(". 2 ack 2");
    assert_eq!(s.state(), State::TimeWait);
    s.pass(59_900);
    assert_eq!(s.state(), State::TimeWait);
    s.pass(200);
    assert_eq!(s.state(), State::Closed);
    assert_eq!(s.stack.connection_count(), 0);
}

fn the_wait_follows_the_configured_lifetime(start: Start) {
    let (mut s, id) =
        start.established_with(65535, |config| config.tcp.msl = Duration::from_secs(120));
    s.stack.close(id);
    s.expect("F. 1 ack 1");
    s.inject("F. 1 ack 2");
    s.expect(". 2 ack 2");
    s.pass(200_000);
    // The peer's FIN once more: its acknowledgment was lost, and the wait begins anew.
    s.inject("F. 1 ack 2");
    s.expect(". 2 ack 2");
    s.pass(239_900);
    assert_eq!(s.state(), State::TimeWait);
    s.pass(200);
    assert_eq!(s.state(), State::Closed);
}

fn a_simultaneous_close_ends_in_time_wait_too(start: Start) {
    let (mut s, id) = start.established(65535);
    s.stack.close(id);
    s.expect("F. 1 ack 1");
    s.inject("F. 1 ack 1");
    assert_eq!(s.state(), State::Closing);
    s.expect(". 2 ack 2");
    s.inject(". 2 ack 2");
    assert_eq!(s.state(), State::TimeWait);
    s.pass(60_100);
    assert_eq!(s.state(), State::Closed);
}

fn a_reset_may_carry_text(start: Start) {
    let (mut s, id) = start.established(65535);
    s.inject("R. 1:40 ack 1");
    assert!(s.events().contains(&Event::Closed(id, CloseReason::Reset)));
    // It is not the connection's.
    assert_eq!(s.stack.recv(id, &mut [0]), Err(SocketError::Reset));
}

fn closing_with_text_unread_resets(start: Start) {
    let (mut s, id) = start.established(65535);
    s.inject("P. 1:6 ack 1");
    s.drain();
    s.stack.close(id);
    s.expect_all(&["R. 1 ack 6"]);
    assert_eq!(s.stack.connection_count(), 0);
    // A half-close does not.
    let (mut s, id) = start.established(65535);
    s.inject("P. 1:6 ack 1");
    s.drain();
    s.stack.shutdown(id).unwrap();
    s.expect("F. 1 ack 6");
    s.read(id, 5);
}

fn text_after_the_close_is_answered_with_a_reset(start: Start) {
    for acknowledged in [1, 2] {
        let (mut s, id) = start.established(65535);
        s.stack.close(id);
        s.expect("F. 1 ack 1");
        s.inject(&format!(". 1 ack {acknowledged}"));
        s.inject(&format!("P. 1:6 ack {acknowledged}"));
        s.expect_all(&["R. 2 ack 1"]);
        assert_eq!(s.stack.connection_count(), 0);
    }
}

/// RFC 6191 section 2, the first case.
fn a_newer_timestamp_opens_out_of_time_wait(start: Start) {
    let (mut s, id) = start.script().open("S <mss 1000,nop,nop,ts 1 0>", 0);
    s.stack.close(id);
    s.expect("F. 1 ack 1 <nop,nop,ts * 1>");
    s.inject("F. 1 ack 2 <nop,nop,ts 2 0>");
    s.expect(". 2 ack 2 <nop,nop,ts * 2>");
    assert_eq!(s.state(), State::TimeWait);
    s.pass(10);
    // Not newer: it is a duplicate of the first SYN.
    s.inject("S -1000 <mss 1000,nop,nop,ts 2 0>");
    assert_eq!(s.state(), State::TimeWait);
    s.drain();
    // Newer, whatever its number.
    let old = s.iss.take().unwrap();
    s.inject("S -1000 <mss 1000,nop,nop,ts 3 0>");
    s.expect("S. 0 ack -999 *");
    assert_eq!(s.state(), State::SynReceived);
    assert!(s.iss.unwrap() > old + 2, "ours is larger, too");
    s.inject(". -999 ack 1 <nop,nop,ts 4 0>");
    s.accept();
}

fn a_larger_number_opens_out_of_time_wait(start: Start) {
    // Faster than the clock of our numbers ticks.
    let (mut s, id) = start.established_with(65535, |config| config.tcp.pacing = false);
    s.send(id, 20_000);
    for n in 0..20 {
        s.drain();
        s.inject(&format!(". 1 ack {}", 1001 + 1000 * n));
    }
    s.stack.close(id);
    s.expect("F. 20001 ack 1");
    s.inject("F. 1 ack 20002");
    s.expect(". 20002 ack 2");
    s.pass(1);
    // What the old connection has used up does not open one.
    s.inject("S 0 <mss 1000>");
    assert_eq!(s.state(), State::TimeWait);
    s.drain();
    let old = s.iss.take().unwrap();
    s.inject("S 2 <mss 1000>");
    s.expect("S. 0 ack 3 <mss 1460>");
    assert!(s.iss.unwrap() > old + 20_002, "ours is larger, too");
    s.inject(". 3 ack 1");
    assert_eq!(s.state(), State::Established);
    s.accept();
}

fn a_reset_ends_no_time_wait(start: Start) {
    for protection in [true, false] {
        let mut r = Reached::with(start, State::TimeWait, |config| {
            config.tcp.time_wait_protection = protection;
        });
        // In the window, beside it, and to the octet.
        r.inject("R", 1, 0, 0);
        r.inject("R", -1, 0, 0);
        r.s.drain();
        assert_eq!(r.s.state(), State::TimeWait);
        r.inject("R", 0, 0, 0);
        r.s.expect_nothing();
        let open = r.s.state() == State::TimeWait;
        assert_eq!(open, protection);
        if protection {
            // Nor does it lengthen the wait.
            r.s.pass(60_001);
            assert_eq!(r.s.state(), State::Closed);
        }
    }
}

/// Their answer may bring a reset from a peer that knows nothing any more.
fn old_duplicates_end_no_time_wait(start: Start) {
    let mut r = Reached::of(start, State::TimeWait);
    for (flags, offset, len) in [(".", -2, 0), ("P.", -2, 1), ("P.", 0, 5), ("S", -900, 0)] {
        r.inject(flags, offset, len, r.nxt);
        r.s.drain();
        r.inject("R", 0, 0, 0);
        r.s.expect_nothing();
        assert_eq!(r.s.state(), State::TimeWait, "{flags} {offset}");
    }
}
