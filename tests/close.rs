//! How a connection ends, by FINs of one side or both, or by a reset, through the public API.

mod common;

use common::script::Script;
use zerotcp::stack::{Event, SocketError};
use zerotcp::tcp::{CloseReason, State};
#[test]
fn the_peer_closes_first() {
    let (mut s, id) = Script::established(65535);
    s.inject("FP. 1:6 ack 1");
    assert_eq!(s.state(), State::CloseWait);
    s.expect(". 1 ack 7");
    s.read(id, 5);
    assert_eq!(s.stack.recv(id, &mut [0; 9]), Ok(0));
    // The other direction stays open.
    s.send(id, 3);
    s.expect("P. 1:4 ack 7");
    s.inject(". 7 ack 4");
    s.stack.close(id);
    assert_eq!(s.state(), State::LastAck);
    s.expect("F. 4 ack 7");
    s.inject(". 7 ack 5");
    assert_eq!(s.state(), State::Closed);
    assert_eq!(s.stack.connection_count(), 0);
    assert_eq!(s.stack.counters().drops().count(), 0);
    assert_eq!(s.stack.send(id, b"x"), Err(SocketError::NoSuchConnection));
}

#[test]
fn we_close_first_and_time_wait_ends() {
    let (mut s, id) = Script::established(65535);
    s.send(id, 3);
    s.stack.shutdown(id).unwrap();
    assert_eq!(s.stack.send(id, b"x"), Err(SocketError::NotConnected));
    s.expect("FP. 1:4 ack 1");
    s.inject(". 1 ack 5");
    assert_eq!(s.state(), State::FinWait2);
    // The other direction stays open.
    s.inject("P. 1:9 ack 5");
    s.read(id, 8);
    s.inject("F. 9 ack 5");
    s.expect(". 5 ack 10");
    assert_eq!(s.state(), State::TimeWait);
    assert_eq!(s.stack.recv(id, &mut [0; 9]), Ok(0));
    s.stack.close(id);
    s.pass(59_000);
    // Its acknowledgment was lost: answered again, and the wait begins anew.
    s.inject("F. 9 ack 5");
    s.expect(". 5 ack 10");
    s.pass(59_000);
    assert_eq!(s.state(), State::TimeWait);
    s.pass(1_100);
    assert_eq!(s.state(), State::Closed);
    assert_eq!(s.stack.connection_count(), 0);
    s.expect_nothing();
}

#[test]
fn both_close_at_once() {
    let (mut s, id) = Script::established(65535);
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

#[test]
fn a_fin_that_acknowledges_ours_leads_to_time_wait() {
    let (mut s, id) = Script::established(65535);
    s.stack.close(id);
    s.expect("F. 1 ack 1");
    s.inject("F. 1 ack 2");
    s.expect(". 2 ack 2");
    assert_eq!(s.state(), State::TimeWait);
}

#[test]
fn a_fin_ahead_of_its_turn_waits_for_the_text_before_it() {
    let (mut s, id) = Script::established(65535);
    s.inject("F. 11:21 ack 1");
    s.expect(". 1 ack 1");
    assert_eq!(s.state(), State::Established);
    s.inject(". 1:11 ack 1");
    s.expect(". 1 ack 22");
    assert_eq!(s.state(), State::CloseWait);
    s.read(id, 20);
    assert_eq!(s.stack.recv(id, &mut [0]), Ok(0));
}

#[test]
fn a_peer_that_never_closes_is_not_waited_for_by_nobody() {
    let (mut s, id) = Script::established(65535);
    s.stack.close(id);
    s.expect("F. 1 ack 1");
    s.inject(". 1 ack 2");
    assert_eq!(s.state(), State::FinWait2);
    s.pass(60_100);
    assert_eq!(s.stack.connection_count(), 0);
}

#[test]
fn closing_with_unread_text_resets() {
    let (mut s, id) = Script::established(65535);
    s.inject("P. 1:6 ack 1");
    s.stack.close(id);
    s.expect("R. 1 ack 6");
    assert_eq!(s.stack.connection_count(), 0);
}

#[test]
fn text_for_a_user_who_is_gone_is_answered_with_a_reset() {
    let (mut s, id) = Script::established(65535);
    s.stack.close(id);
    s.expect("F. 1 ack 1");
    s.inject("P. 1:6 ack 2");
    s.expect("R. 2 ack 1");
    assert_eq!(s.stack.connection_count(), 0);
    s.inject("P. 6:9 ack 2");
    s.expect("R 2");
}

#[test]
fn an_abort_resets_at_once() {
    let (mut s, id) = Script::established(65535);
    s.send(id, 100);
    s.stack.abort(id);
    s.expect("R. 1 ack 1");
    s.expect_nothing();
    assert_eq!(s.stack.connection_count(), 0);
}

#[test]
fn a_reset_that_takes_text_with_it_is_no_orderly_end() {
    for (acked, reason) in [(101, CloseReason::Finished), (51, CloseReason::Reset)] {
        // LAST-ACK.
        let (mut s, id) = Script::established(65535);
        s.send(id, 100);
        s.inject("F. 1 ack 1");
        s.stack.shutdown(id).unwrap();
        s.drain();
        s.inject(&format!(". 2 ack {acked}"));
        s.drain();
        s.inject("R 2");
        assert_eq!(s.events().last(), Some(&Event::Closed(id, reason)));
        // CLOSING.
        let (mut s, id) = Script::established(65535);
        s.send(id, 100);
        s.stack.shutdown(id).unwrap();
        s.drain();
        s.inject(&format!("F. 1 ack {acked}"));
        s.drain();
        assert_eq!(s.state(), State::Closing);
        s.inject("R 2");
        assert_eq!(s.events().last(), Some(&Event::Closed(id, reason)));
    }
}
