//! Urgent data (RFC 9293 section 3.8.5, RFC 6093), segment by segment.

mod common;

use common::script::{PEER, Script, octets};
use zerotcp::stack::{ConnectionId, Event, SocketError};
use zerotcp::tcp::State;
use zerotcp::wire::SeqNumber;

/// Sequence numbers from which a connection soon crosses 2^31 and 2^32, and plain ones.
const STARTS: [u32; 4] = [1_000_000, 0x7fff_fff0, 0xffff_fff0, 0xffff_ffff];

fn established_at(start: u32) -> (Script, ConnectionId) {
    let mut s = Script::new();
    s.irs = SeqNumber(start);
    let (mut s, id) = s.establish(65535);
    s.events();
    (s, id)
}

/// The user reads so many octets and leaves the rest.
fn read_some(s: &mut Script, id: ConnectionId, len: usize) {
    let mut data = vec![0; len];
    assert_eq!(s.stack.recv(id, &mut data), Ok(len));
}

#[test]
fn must_62_the_pointer_names_the_octet_after_urgent_data() {
    let (mut s, id) = Script::established(65535);
    s.send(id, 3);
    s.expect("P. 1:4 ack 1");
    // It does not wait for company, as plain text does (Nagle).
    s.send_urgent(id, 5);
    s.expect("PU. 4:9 ack 1 urg 5");
    // Text after it is not marked, and does not wait as long as urgent data is under way.
    s.send(id, 2);
    s.expect("P. 9:11 ack 1");
    s.inject(". 1 ack 9");
    s.send(id, 2);
    s.expect_nothing();
    s.inject(". 1 ack 11");
    s.expect("P. 11:13 ack 1");
}

#[test]
fn what_is_sent_again_is_marked_again() {
    let (mut s, id) = Script::established(65535);
    s.send_urgent(id, 5);
    s.expect("PU. 1:6 ack 1 urg 5");
    s.pass(201);
    s.expect("PU. 1:6 ack 1 urg 5");
    // Urgent data that grows moves the pointer.
    s.send_urgent(id, 5);
    s.expect("PU. 6:11 ack 1 urg 5");
    s.inject(". 1 ack 6");
    s.pass(1000);
    s.expect("PU. 6:11 ack 1 urg 5");
}

#[test]
fn must_31_urgent_data_of_any_length_goes_out() {
    // More than the field can say: it says as much as it can until the end is near.
    let mut s = Script::new();
    s.inject("S 0 win 65535 <mss 1000,nop,wscale 4>");
    s.expect("S. 0 ack 1 <mss 1460,nop,wscale 5>");
    s.inject(". 1 ack 1");
    let id = s.accept();
    s.send_urgent(id, 100_000);
    let (mut next, mut segments) = (1, 0);
    while next < 100_001 {
        let last = next + 1000 > 100_000;
        let flags = if last { "PU." } else { "U." };
        let pointer = (100_001 - next).min(65_535);
        s.expect(&format!(
            "{flags} {next}:{} ack 1 urg {pointer}",
            next + 1000
        ));
        next += 1000;
        segments += 1;
        s.inject(&format!(". 1 ack {next}"));
    }
    assert_eq!(segments, 100);
}

#[test]
fn a_closed_window_does_not_keep_the_pointer_back() {
    let (mut s, id) = Script::established(1000);
    s.send(id, 1000);
    s.expect("P. 1:1001 ack 1");
    s.inject(". 1 ack 1001 win 0");
    s.send_urgent(id, 10);
    s.expect("U. 1001 ack 1 urg 10");
    s.expect_nothing();
    s.pass(201);
    s.expect("U. 1001:1002 ack 1 urg 10");
    s.inject(". 1 ack 1001 win 1000");
    s.expect("PU. 1001:1011 ack 1 urg 10");
}

#[test]
fn it_may_be_sent_before_the_handshake_is_complete() {
    let mut s = Script::new();
    let id = s.stack.connect(s.now, PEER).unwrap();
    s.us = s.stack.quad(id).unwrap().local();
    s.send_urgent(id, 5);
    assert!(s.next().unwrap().starts_with("S 0 win"));
    s.inject("S. 0 ack 1 <mss 1000>");
    s.expect("PU. 1:6 ack 1 urg 5");
}

#[test]
fn must_32_and_33_the_user_is_told_when_it_begins_and_advances_and_how_much_there_is() {
    for start in STARTS {
        let (mut s, id) = established_at(start);
        s.inject("P. 1:4 ack 1");
        assert_eq!(s.events(), [Event::Readable(id)]);
        assert_eq!(s.stack.urgent(id), None);
        s.inject("U. 4:9 ack 1 urg 5");
        assert_eq!(s.events(), [Event::Urgent(id), Event::Readable(id)]);
        assert_eq!(s.stack.urgent(id), Some(8));
        // The same again, or one that lies before: nothing new.
        s.inject("U. 9:11 ack 1 urg 0");
        s.inject("U. 4:9 ack 1 urg 5");
        s.inject("U. 4:9 ack 1 urg 2");
        assert_eq!(s.events(), [Event::Readable(id)]);
        // It advances, once for two until it is polled.
        s.inject("U. 11 ack 1 urg 3");
        s.inject("U. 11 ack 1 urg 9");
        assert_eq!(s.events(), [Event::Urgent(id)]);
        assert_eq!(s.stack.urgent(id), Some(19));
        // In line with the rest (RFC 6093 section 3.4).
        s.read(id, 10);
        assert_eq!(s.stack.urgent(id), Some(9));
        s.inject(". 11:21 ack 1");
        read_some(&mut s, id, 8);
        assert_eq!(s.stack.urgent(id), Some(1));
        s.stack.consume(id, 1);
        assert_eq!(s.stack.urgent(id), None);
        read_some(&mut s, id, 1);
        assert_eq!(s.stack.urgent(id), None);
        // Then it may begin anew.
        s.events();
        s.inject("U. 21:23 ack 1 urg 2");
        assert_eq!(s.events(), [Event::Urgent(id), Event::Readable(id)]);
        assert_eq!(s.stack.urgent(id), Some(2));
    }
}

#[test]
fn must_31_urgent_data_of_any_length_is_received() {
    let (mut s, id) = established_at(0xffff_0000);
    let mut next = 1;
    for _ in 0..100 {
        // The mark is always ahead of what has come.
        s.inject(&format!("U. {next}:{} ack 1 urg 65535", next + 1000));
        next += 1000;
        while s.next().is_some() {}
    }
    assert_eq!(s.stack.urgent(id), Some(99_000 + 65_535));
    let events = s.events();
    let told = |event| events.iter().filter(|other| **other == event).count();
    assert_eq!(told(Event::Urgent(id)), 1);
    s.read(id, 100_000);
    assert_eq!(s.stack.urgent(id), Some(64_535));
}

#[test]
fn a_mark_ahead_of_its_turn_counts_and_one_that_has_been_read_does_not() {
    for start in STARTS {
        let (mut s, id) = established_at(start);
        s.inject("U. 21:26 ack 1 urg 5");
        assert_eq!(s.events(), [Event::Urgent(id)]);
        assert_eq!(s.stack.urgent(id), Some(25));
        s.inject(". 1:21 ack 1");
        s.read(id, 25);
        s.events();
        s.inject("U. 21:26 ack 1 urg 5");
        s.inject("U. 26 ack 1 urg 0");
        assert_eq!(s.events(), []);
        assert_eq!(s.stack.urgent(id), None);
    }
}

#[test]
fn must_66_a_closed_window_takes_the_pointer() {
    let mut s = Script::with(|config| config.tcp.receive_buffer = 1000);
    let id;
    (s, id) = s.establish(65535);
    s.inject(". 1:1001 ack 1");
    s.pass(41);
    s.expect(". 1 ack 1001 win 0");
    s.events();
    for segment in ["U. 1001 ack 1 urg 7", "U. 1001:1011 ack 1 urg 10"] {
        s.inject(segment);
        assert_eq!(s.events(), [Event::Urgent(id)]);
    }
    assert_eq!(s.stack.urgent(id), Some(1010));
    s.read(id, 1000);
    assert_eq!(s.stack.urgent(id), Some(10));
}

#[test]
fn a_mark_past_the_end_is_one_at_the_end() {
    for end in ["F. 6 ack 1", "R. 6 ack 1"] {
        let (mut s, id) = established_at(0xffff_fffe);
        s.inject("U. 1:6 ack 1 urg 60000");
        assert_eq!(s.stack.urgent(id), Some(60_000));
        s.inject(end);
        assert_eq!(s.stack.urgent(id), Some(5), "{end}");
        s.read(id, 5);
        assert_eq!(s.stack.urgent(id), None);
    }
}

#[test]
fn a_user_who_accepts_late_is_told() {
    let mut s = Script::new();
    s.inject("S 0 <mss 1000>");
    assert!(s.next().is_some());
    s.inject("U. 1:6 ack 1 urg 5");
    s.events();
    let id = s.accept();
    assert_eq!(s.events(), [Event::Urgent(id), Event::Readable(id)]);
    assert_eq!(s.stack.urgent(id), Some(5));
}

#[test]
fn before_established_and_after_the_peers_fin_it_means_nothing() {
    // LISTEN and SYN-RECEIVED.
    let mut s = Script::new();
    s.inject("SU 0 urg 9 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject("SU 0 urg 9 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    let id = s.accept();
    assert_eq!(s.stack.urgent(id), None);
    // CLOSE-WAIT.
    s.inject("F. 1 ack 1");
    s.expect(". 1 ack 2");
    s.events();
    s.inject("U. 2 ack 1 urg 9");
    assert_eq!((s.events(), s.stack.urgent(id)), (vec![], None));

    // SYN-SENT.
    let mut s = Script::new();
    let id = s.stack.connect(s.now, PEER).unwrap();
    s.us = s.stack.quad(id).unwrap().local();
    assert!(s.next().unwrap().starts_with("S 0 win"));
    s.inject("U 0 urg 9");
    s.inject("SU. 0 ack 1 urg 9 <mss 1000>");
    s.expect(". 1 ack 1");
    assert_eq!(s.events(), [Event::Connected(id)]);
    assert_eq!(s.stack.urgent(id), None);
}

/// Rows 9 to 11 of the attacks: pointer 0, past the segment, far ahead, with and without
/// text, in every state; the text must come out as it went in.
#[test]
fn no_pointer_does_harm_in_any_state() {
    for start in STARTS {
        for pointer in [0, 1, 4, 5, 6, 1000, 32_768, 65_535] {
            let (mut s, id) = established_at(start);
            let segments = |s: &mut Script, seq: i64| {
                s.inject(&format!("U. {seq} ack 1 urg {pointer}"));
                s.inject(&format!("U. {}:{} ack 1 urg {pointer}", seq + 5, seq + 9));
                s.inject(&format!("U. {seq}:{} ack 1 urg {pointer}", seq + 5));
                s.inject(&format!("U. {} ack 1 urg {pointer}", seq - 70_000));
                s.inject(&format!("UR {} urg {pointer}", seq + 100));
                while s.next().is_some() {}
            };
            segments(&mut s, 1);
            s.read(id, 9);
            // FIN-WAIT-1.
            s.stack.shutdown(id).unwrap();
            segments(&mut s, 10);
            assert_eq!(s.state(), State::FinWait1);
            s.read(id, 9);
            // FIN-WAIT-2 and TIME-WAIT.
            s.inject(". 19 ack 2");
            s.inject(&format!("FU. 19:24 ack 2 urg {pointer}"));
            while s.next().is_some() {}
            assert_eq!(s.state(), State::TimeWait);
            s.read(id, 5);
            segments(&mut s, 25);
            assert_eq!(s.stack.recv(id, &mut [0]), Ok(0));
            assert_eq!(s.stack.urgent(id), None);
            assert_eq!(s.state(), State::TimeWait);
        }
    }
}

#[test]
fn who_cannot_send_cannot_send_urgently() {
    let mut s = Script::with(|config| config.tcp.send_buffer = 10);
    let id;
    (s, id) = s.establish(65535);
    // What found no room is not urgent yet.
    assert_eq!(s.stack.send_urgent(id, &octets(1, 15)), Ok(10));
    assert_eq!(s.stack.send_urgent(id, &[0]), Err(SocketError::WouldBlock));
    s.expect("PU. 1:11 ack 1 urg 10");
    s.stack.shutdown(id).unwrap();
    assert_eq!(
        s.stack.send_urgent(id, &[0]),
        Err(SocketError::NotConnected)
    );
}
