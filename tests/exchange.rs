//! One connection, segment by segment, through the public API; how it ends is in `close.rs`.

mod common;

use std::net::{Ipv4Addr, SocketAddrV4};

use common::script::{PEER, Script, US, octets};
use zerotcp::stack::{DropReason, Event, Listen, ListenError, Meta, SocketError};
use zerotcp::tcp::{CloseReason, State};
use zerotcp::wire::{
    Icmpv4Builder, Icmpv4Type, Ipv4Packet, Ipv4PacketMut, SeqNumber, TcpBuilder, TcpFlags,
};

/// Sequence numbers from which a connection soon crosses 2^31 and 2^32, and plain ones.
const STARTS: [u32; 4] = [1_000_000, 0x7fff_fff0, 0xffff_fff0, 0xffff_ffff];

#[test]
fn a_handshake_answers_what_was_offered() {
    let mut s = Script::new();
    s.inject("S 0 win 65535 <mss 1460,nop,wscale 7>");
    assert_eq!(s.state(), State::SynReceived);
    s.expect("S. 0 ack 1 win 65535 <mss 1460,nop,wscale 5>");
    s.expect_nothing();
    s.inject(". 1 ack 1");
    assert_eq!(s.state(), State::Established);
    assert_eq!(s.events(), [Event::Incoming(s.listener)]);
    assert!(s.stack.accept(s.listener).is_some());

    // No scaling unless both ask for it (RFC 7323 section 2.2).
    let mut s = Script::new();
    s.inject("S 0 win 65535 <mss 1460>");
    s.expect("S. 0 ack 1 win 65535 <mss 1460>");
}

#[test]
fn nobody_listens_there() {
    let mut s = Script::new();
    s.us.set_port(1337);
    s.inject("S 5 win 100");
    s.expect("R. 0 ack 6 win 0");
    s.inject(". 5 ack 77");
    s.expect("R 77 win 0");
    s.inject("F 5:9");
    s.expect("R. 0 ack 10 win 0");
    s.inject("R 5");
    s.inject("R. 5 ack 9");
    s.expect_nothing();
    assert_eq!(s.stack.connection_count(), 0);
}

#[test]
fn a_listener_answers_only_a_plain_syn() {
    let mut s = Script::new();
    s.inject("R 0");
    s.inject("SF 0");
    s.inject("F 0");
    s.expect_nothing();
    s.inject("S. 0 ack 9");
    s.expect("R 9");
    s.inject(". 0 ack 9");
    s.expect("R 9");
    assert_eq!(s.stack.connection_count(), 0);
}

#[test]
fn a_listener_needs_a_port_and_an_address_of_ours() {
    let mut s = Script::new();
    let foreign = Listen::port(80).address(*PEER.ip());
    assert_eq!(
        s.stack.listen(foreign),
        Err(ListenError::NotOurs(*PEER.ip()))
    );
    assert_eq!(s.stack.listen(Listen::port(0)), Err(ListenError::PortZero));
    let taken = ListenError::InUse { port: Some(7) };
    assert_eq!(s.stack.listen(Listen::port(7)), Err(taken));
    assert!(s.stack.listen(Listen::port(7).address(*US.ip())).is_ok());
}

#[test]
fn the_secret_stays_out_of_logs() {
    let s = Script::with(|config| config.secret = [0xab; 16]);
    let text = format!("{:?}", s.stack);
    assert!(!text.contains("171") && !text.contains("secret"), "{text}");
}

#[test]
fn a_listener_on_a_port_wins_over_that_on_any() {
    let mut s = Script::new();
    let any = s.stack.listen(Listen::any_port()).unwrap();
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    assert!(s.stack.accept(any).is_none());
    assert!(s.stack.accept(s.listener).is_some());
    s.us.set_port(1337);
    s.iss = None;
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    assert!(s.stack.accept(any).is_some());
}

#[test]
fn text_is_acknowledged_at_every_second_segment_or_a_little_later() {
    for start in STARTS {
        let mut s = Script::new();
        s.irs = SeqNumber(start);
        let (mut s, id) = s.establish(65535);
        s.inject("P. 1:1001 ack 1");
        s.expect_nothing();
        s.inject("P. 1001:2001 ack 1");
        s.expect(". 1 ack 2001");
        s.inject("P. 2001:2011 ack 1");
        s.pass(39);
        s.expect_nothing();
        s.pass(2);
        s.expect(". 1 ack 2011");
        s.read(id, 2010);
        assert_eq!(
            s.events(),
            [Event::Incoming(s.listener), Event::Readable(id)]
        );
    }
}

#[test]
fn text_out_of_order_is_put_in_order() {
    for start in STARTS {
        let mut s = Script::new();
        s.irs = SeqNumber(start);
        let (mut s, id) = s.establish(65535);
        s.inject(". 21:41 ack 1");
        s.expect(". 1 ack 1");
        s.inject(". 61:81 ack 1");
        s.expect(". 1 ack 1");
        s.read(id, 0);
        // Overlaps what is there on both sides.
        s.inject(". 1:31 ack 1");
        s.expect(". 1 ack 41");
        s.read(id, 40);
        s.inject(". 36:66 ack 1");
        s.expect(". 1 ack 81");
        s.read(id, 40);
        // Old text again: acknowledged, not delivered.
        s.inject(". 1:81 ack 1");
        s.expect(". 1 ack 81");
        s.read(id, 0);
    }
}

#[test]
fn a_peer_that_understands_it_is_told_what_came_ahead_of_its_turn() {
    for start in STARTS {
        let mut s = Script::new();
        s.irs = SeqNumber(start);
        s.inject("S 0 <mss 1000,nop,nop,sackOK>");
        s.expect("S. 0 ack 1 <mss 1460,nop,nop,sackOK>");
        s.inject(". 1 ack 1");
        let id = s.accept();
        // The run that grew last comes first (RFC 2018 section 4).
        s.inject(". 21:31 ack 1");
        s.expect(". 1 ack 1 <nop,nop,sack 21:31>");
        s.inject(". 61:71 ack 1");
        s.expect(". 1 ack 1 <nop,nop,sack 61:71 21:31>");
        s.inject(". 41:51 ack 1");
        s.expect(". 1 ack 1 <nop,nop,sack 41:51 61:71 21:31>");
        s.inject(". 31:36 ack 1");
        s.expect(". 1 ack 1 <nop,nop,sack 21:36 41:51 61:71>");
        s.inject(". 81:91 ack 1");
        s.inject(". 101:111 ack 1");
        s.expect(". 1 ack 1 <nop,nop,sack 101:111 81:91 21:36 41:51>");
        // With text the option takes of the room for it.
        s.send(id, 1100);
        s.expect(". 1:965 ack 1 <nop,nop,sack 101:111 81:91 21:36 41:51>");
        s.inject(". 1:21 ack 965");
        s.expect("P. 965:1101 ack 36 <nop,nop,sack 101:111 81:91 41:51 61:71>");
        s.inject(". 36:101 ack 1101");
        // Of what fills the last gap, some came twice (RFC 2883).
        s.expect(". 1101 ack 111 <nop,nop,sack 41:51>");
        s.read(id, 110);
    }
}

#[test]
fn a_peer_without_sack_has_an_acknowledgment_for_each_segment_out_of_order() {
    let (mut s, id) = Script::established(65535);
    s.send(id, 1000);
    s.expect("P. 1:1001 ack 1");
    // Three arrive before anything is sent; the peer's fast retransmit waits for three.
    s.send(id, 1000);
    for segment in [". 21:41 ack 1", ". 41:61 ack 1", ". 81:91 ack 1"] {
        s.inject(segment);
    }
    for _ in 0..3 {
        s.expect(". 1001 ack 1");
    }
    s.inject(". 1 ack 1001");
    s.expect("P. 1001:2001 ack 1");
    s.expect_nothing();
    // With the gap filled there is nothing left to duplicate.
    s.inject(". 91:99 ack 1001");
    s.inject(". 1:21 ack 1001");
    s.expect(". 2001 ack 61");
    s.expect_nothing();
    // The first of these acknowledges new text, the second says the same again.
    s.inject(". 61:71 ack 1001");
    s.inject(". 99:101 ack 1001");
    s.expect(". 2001 ack 71");
    s.expect(". 2001 ack 71");
    s.expect_nothing();
}

#[test]
fn runs_out_of_order_are_bounded() {
    let mut s = Script::with(|config| config.tcp.max_out_of_order_runs = 3);
    s = s.establish(65535).0;
    for n in 0..10 {
        s.inject(&format!(". {}:{} ack 1", 101 + 20 * n, 111 + 20 * n));
    }
    assert_eq!(s.stack.counters().dropped(DropReason::NoRoom), 7);
    s.inject(". 1:101 ack 1");
    s.expect(". 1 ack 111");
}

#[test]
fn a_large_window_holds_as_many_runs_as_it_can_have_holes() {
    // In a buffer of 64 KiB and in one of 1 MiB.
    for (buffer, runs) in [(1 << 16, 64), (1 << 20, (1 << 20) / 2920)] {
        let mut s = Script::with(|config| config.tcp.receive_buffer = buffer);
        s = s.establish(65535).0;
        for n in 0..1000 {
            s.inject(&format!(". {}:{} ack 1", 101 + 20 * n, 111 + 20 * n));
        }
        let dropped = s.stack.counters().dropped(DropReason::NoRoom);
        assert_eq!(dropped, 1000 - runs);
    }
}

#[test]
fn only_an_exact_reset_is_believed() {
    let (mut s, id) = Script::established(65535);
    s.inject("R 2");
    s.expect(". 1 ack 1"); // RFC 5961 section 3.2: a challenge
    s.inject("R 0");
    s.inject("R 70000000");
    s.expect_nothing();
    assert_eq!(s.state(), State::Established);
    s.inject("R 1");
    s.expect_nothing();
    assert_eq!(s.state(), State::Closed);
    let closed = Event::Closed(id, CloseReason::Reset);
    assert!(s.events().contains(&closed));
    assert_eq!(s.stack.recv(id, &mut [0]), Err(SocketError::Reset));
    assert_eq!(s.stack.send(id, &[0]), Err(SocketError::Reset));
    s.stack.close(id);
    assert_eq!(
        s.stack.recv(id, &mut [0]),
        Err(SocketError::NoSuchConnection)
    );
}

#[test]
fn a_syn_on_an_open_connection_is_challenged() {
    let (mut s, _) = Script::established(65535);
    for segment in ["S 0", "S 1", "S 500", "S 99999999", "S. 0 ack 1"] {
        s.inject(segment);
        s.expect(". 1 ack 1");
    }
    assert_eq!(s.state(), State::Established);
}

#[test]
fn an_acknowledgment_of_what_was_never_sent_is_refused() {
    let (mut s, id) = Script::established(1000);
    s.inject(". 1 ack 2");
    s.expect(". 1 ack 1");
    s.inject("P. 1:5 ack 900000");
    s.expect(". 1 ack 1");
    s.read(id, 0);
    // Older than the largest window ever offered (RFC 5961 section 5.2).
    s.send(id, 1000);
    s.expect("P. 1:1001 ack 1");
    s.inject(". 1 ack 1001 win 900");
    s.inject("P. 1:5 ack 0");
    s.expect(". 1001 ack 1");
    s.read(id, 0);
    s.inject("P. 1:5 ack 1");
    s.read(id, 4);
    // In SYN-RECEIVED it is answered with a reset.
    let mut s = Script::new();
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 9");
    s.expect("R 9");
    assert_eq!(s.state(), State::SynReceived);
}

#[test]
fn lost_text_is_sent_again_at_growing_gaps() {
    let (mut s, id) = Script::established(65535);
    s.send(id, 10);
    s.expect("P. 1:11 ack 1");
    // The handshake took no time, so the timeout is at its floor.
    for gap in [200, 400, 800, 1600] {
        s.pass(gap - 1);
        s.expect_nothing();
        s.pass(2);
        s.expect("P. 1:11 ack 1");
    }
    s.inject(". 1 ack 11");
    s.pass(600_000);
    s.expect_nothing();
    assert_eq!(s.stack.counters().retransmissions, 4);
}

#[test]
fn a_peer_that_does_not_answer_is_given_up() {
    let (mut s, id) = Script::established(65535);
    s.send(id, 10);
    let mut sent = 0;
    for _ in 0..2000 {
        s.pass(1000);
        while s.next().is_some() {
            sent += 1;
        }
    }
    assert_eq!(sent, 1 + 15);
    assert!(
        s.events()
            .contains(&Event::Closed(id, CloseReason::TimedOut))
    );
    assert_eq!(s.stack.recv(id, &mut [0]), Err(SocketError::TimedOut));
    assert_eq!(s.stack.connection_count(), 0);
}

#[test]
fn a_half_open_connection_is_given_up() {
    let mut s = Script::new();
    s.inject("S 0");
    let mut sent = 0;
    for _ in 0..200 {
        s.pass(1000);
        while s.next().is_some() {
            sent += 1;
        }
    }
    assert_eq!(sent, 6);
    assert_eq!(s.stack.half_open_count(), 0);
    assert_eq!(s.stack.counters().connections_timed_out, 1);
}

#[test]
fn a_repeated_syn_is_answered_again() {
    let mut s = Script::new();
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.expect_nothing();
    s.inject(". 1 ack 1");
    assert_eq!(s.state(), State::Established);
}

#[test]
fn a_reset_of_a_half_open_connection_leaves_the_listener_as_it_was() {
    let mut s = Script::new();
    s.stack.unlisten(s.listener);
    s.listener = s.stack.listen(Listen::port(7).backlog(1)).unwrap();
    for _ in 0..3 {
        s.iss = None;
        s.inject("S 0");
        s.expect("S. 0 ack 1 <mss 1460>");
        s.inject("R 1");
        assert_eq!(s.stack.half_open_count(), 0);
    }
    s.iss = None;
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    s.accept();
}

#[test]
fn a_backlog_is_a_bound() {
    let mut s = Script::new();
    s.stack.unlisten(s.listener);
    s.listener = s.stack.listen(Listen::port(7).backlog(2)).unwrap();
    for port in [1, 2, 3] {
        s.iss = None;
        s.peer.set_port(port);
        s.inject("S 0");
        if port < 3 {
            s.expect("S. 0 ack 1 <mss 1460>");
            s.inject(". 1 ack 1");
        }
    }
    s.expect_nothing();
    assert_eq!(s.stack.counters().dropped(DropReason::BacklogFull), 1);
    s.accept();
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
}

#[test]
fn three_duplicate_acknowledgments_bring_the_lost_segment_at_once() {
    for start in STARTS {
        let mut s = Script::new();
        s.irs = SeqNumber(start);
        let (mut s, id) = s.establish(65535);
        s.send(id, 5000);
        s.expect(". 1:1001 ack 1");
        for n in 1..4 {
            s.expect(&format!(". {}:{} ack 1", 1000 * n + 1, 1000 * n + 1001));
        }
        s.expect("P. 4001:5001 ack 1");
        s.inject(". 1 ack 1");
        s.inject(". 1 ack 1");
        s.expect_nothing();
        s.inject(". 1 ack 1");
        s.expect(". 1:1001 ack 1");
        s.expect_nothing();
        // A partial acknowledgment: the next one is lost too (RFC 6582).
        s.inject(". 1 ack 3001");
        s.expect(". 3001:4001 ack 1");
        s.inject(". 1 ack 5001");
        s.expect_nothing();
    }
}

#[test]
fn the_peers_window_and_segment_size_are_respected() {
    let (mut s, id) = Script::established(2500);
    s.send(id, 5000);
    s.expect(". 1:1001 ack 1");
    s.expect(". 1001:2001 ack 1");
    // 500 octets are left of the window: too little for a segment worth sending.
    s.expect_nothing();
    s.inject(". 1 ack 1001 win 2500");
    s.expect(". 2001:3001 ack 1");
    s.expect_nothing();
}

#[test]
fn a_tiny_segment_size_is_not_believed() {
    for mss in [0, 1, 47] {
        let mut s = Script::new();
        s.inject(&format!("S 0 <mss {mss}>"));
        s.expect("S. 0 ack 1 <mss 1460>");
        s.inject(". 1 ack 1");
        let id = s.accept();
        s.send(id, 100);
        s.expect(". 1:49 ack 1");
    }
    // Without the option it is 536 (MUST-15).
    let mut s = Script::new();
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    let id = s.accept();
    s.send(id, 600);
    s.expect(". 1:537 ack 1");
}

#[test]
fn short_segments_wait_for_company_unless_told_otherwise() {
    let (mut s, id) = Script::established(65535);
    s.send(id, 10);
    s.expect("P. 1:11 ack 1");
    s.send(id, 10);
    s.send(id, 10);
    s.expect_nothing();
    s.inject(". 1 ack 11");
    s.expect("P. 11:31 ack 1");

    let mut s = Script::with(|config| config.tcp.settings.nagle = false);
    let id;
    (s, id) = s.establish(65535);
    s.send(id, 10);
    s.expect("P. 1:11 ack 1");
    s.send(id, 10);
    s.expect("P. 11:21 ack 1");
}

#[test]
fn a_closed_window_is_probed_until_it_opens() {
    let (mut s, id) = Script::established(1000);
    s.send(id, 3000);
    s.expect(". 1:1001 ack 1");
    s.inject(". 1 ack 1001 win 0");
    s.expect_nothing();
    // SHLD-29 and SHLD-30: after one timeout, then at growing gaps.
    for gap in [200, 400, 800, 1600, 3200] {
        s.pass(gap / 10 * 9);
        s.expect_nothing();
        s.pass(gap / 10 * 2);
        s.expect(". 1001:1002 ack 1");
        s.inject(". 1 ack 1001 win 0");
        s.expect_nothing();
    }
    s.inject(". 1 ack 1001 win 1000");
    s.expect(". 1001:2001 ack 1");
    // The round trip is known: the gaps of the probes are forgotten.
    s.pass(201);
    s.expect(". 1001:2001 ack 1");
}

#[test]
fn probes_without_an_answer_end_the_connection_and_with_one_they_do_not() {
    for answered in [true, false] {
        let (mut s, id) = Script::established(1000);
        s.send(id, 3000);
        s.expect(". 1:1001 ack 1");
        s.inject(". 1 ack 1001 win 0");
        s.expect_nothing();
        for _ in 0..3600 {
            s.pass(1000);
            while s.next().is_some() {
                if answered {
                    s.inject(". 1 ack 1001 win 0");
                }
            }
        }
        let state = if answered {
            State::Established
        } else {
            State::Closed
        };
        assert_eq!(s.state(), state);
    }
}

#[test]
fn a_window_that_shrinks_under_what_is_in_flight_is_probed() {
    let (mut s, id) = Script::established(4000);
    s.send(id, 4000);
    for n in 0..3 {
        s.expect(&format!(". {}:{} ack 1", 1000 * n + 1, 1000 * n + 1001));
    }
    s.expect("P. 3001:4001 ack 1");
    s.inject(". 1 ack 1001 win 0");
    s.pass(201);
    s.expect_nothing();
    s.pass(402);
    s.expect(". 1001:1002 ack 1");
    s.inject(". 1 ack 1001 win 4000");
    s.expect(". 1001:2001 ack 1");
}

#[test]
fn our_window_closes_when_the_user_does_not_read_and_opens_when_it_does() {
    let mut s = Script::with(|config| config.tcp.receive_buffer = 4000);
    let id;
    (s, id) = s.establish(65535);
    s.inject(". 1:1001 ack 1");
    s.inject(". 1001:2001 ack 1");
    s.expect(". 1 ack 2001 win 2000");
    s.inject(". 2001:3001 ack 1");
    s.inject(". 3001:4001 ack 1");
    s.expect(". 1 ack 4001 win 0");
    // A probe of the closed window is answered, its octet is not taken.
    s.inject(". 4001:4002 ack 1");
    s.expect(". 1 ack 4001 win 0");
    s.read(id, 4000);
    s.expect(". 1 ack 4001 win 4000");
    s.inject(". 4001:5001 ack 1");
    s.read(id, 1000);
}

#[test]
fn what_lies_past_the_window_is_not_taken() {
    let mut s = Script::with(|config| config.tcp.receive_buffer = 1000);
    let id;
    (s, id) = s.establish(65535);
    s.inject(". 1:1201 ack 1");
    s.expect(". 1 ack 1001 win 0");
    s.read(id, 1000);
    s.expect(". 1 ack 1001 win 1000");
    s.inject(". 2001:2101 ack 1");
    s.expect(". 1 ack 1001");
    assert_eq!(s.stack.counters().dropped(DropReason::OutOfWindow), 1);
}

#[test]
fn a_full_send_buffer_says_so_and_tells_when_there_is_room() {
    let mut s = Script::with(|config| config.tcp.send_buffer = 2000);
    let id;
    (s, id) = s.establish(65535);
    assert_eq!(s.stack.send(id, &octets(1, 3000)), Ok(2000));
    assert_eq!(s.stack.send(id, &[0]), Err(SocketError::WouldBlock));
    s.expect(". 1:1001 ack 1");
    s.expect("P. 1001:2001 ack 1");
    s.events();
    // A call that takes all it is given does not end the wait for room.
    assert_eq!(s.stack.send(id, &[]), Ok(0));
    s.inject(". 1 ack 1001");
    assert_eq!(s.events(), [Event::Writable(id)]);
    assert_eq!(s.stack.send_room(id), 1000);
}

#[test]
fn an_active_open_reaches_a_peer() {
    let mut s = Script::new();
    let remote = SocketAddrV4::new(*PEER.ip(), 80);
    let id = s.stack.connect(s.now, remote).unwrap();
    s.peer = remote;
    s.us = s.stack.quad(id).unwrap().local();
    s.expect("S 0 <mss 1460,sackOK,ts 0 0,nop,wscale 5>");
    s.pass(1001);
    s.expect("S 0 <mss 1460,sackOK,ts 1001 0,nop,wscale 5>");
    s.inject("S. 0 ack 9"); // not ours
    s.expect("R 9");
    s.inject("R. 0 ack 9");
    s.inject("S. 0 ack 1 <mss 1000,nop,wscale 2>");
    s.expect(". 1 ack 1");
    assert_eq!(s.events(), [Event::Connected(id)]);
    s.send(id, 5);
    s.expect("P. 1:6 ack 1");

    // Refused.
    let id = s.stack.connect(s.now, remote).unwrap();
    (s.iss, s.first_ts) = (None, None);
    s.us = s.stack.quad(id).unwrap().local();
    s.expect("S 0 <mss 1460,sackOK,ts 0 0,nop,wscale 5>");
    s.inject("R. 0 ack 1");
    assert_eq!(s.events(), [Event::Closed(id, CloseReason::Refused)]);
    assert_eq!(s.stack.recv(id, &mut [0]), Err(SocketError::Refused));
    assert_eq!(s.stack.send(id, &[0]), Err(SocketError::Refused));
}

#[test]
fn an_active_open_to_nobody_is_refused_on_the_spot() {
    let mut s = Script::new();
    for remote in [
        "192.168.0.2:1", // our own: there is no way there
        "0.0.0.0:1",
        "255.255.255.255:1",
        "224.0.0.1:1",
        "10.0.0.1:0",
    ] {
        assert!(
            s.stack
                .connect(s.now, remote.parse::<SocketAddrV4>().unwrap())
                .is_err(),
            "{remote}"
        );
    }
    s.expect_nothing();
}

#[test]
fn damaged_and_foreign_packets_are_counted_and_forgotten() {
    // Without ICMP errors, in which case there is nothing to say to any of them.
    let (mut s, _) = Script::with(|config| config.icmp_rate = 0).establish(65535);
    let sound = s.segment("P. 1:6 ack 1");
    let broken = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut packet = sound.clone();
        change(&mut packet);
        packet
    };
    let patched = |change: &dyn Fn(&mut Ipv4PacketMut<'_>)| {
        let mut packet = sound.clone();
        change(&mut Ipv4PacketMut::parse(&mut packet).unwrap());
        packet
    };
    let cases = [
        (broken(&|p| p.truncate(19)), DropReason::MalformedIpv4),
        (broken(&|p| p.truncate(44)), DropReason::MalformedIpv4),
        (broken(&|p| p[0] = 0x65), DropReason::NotIpv4),
        (broken(&|p| p[8] ^= 1), DropReason::BadIpv4Checksum),
        (broken(&|p| p[40] ^= 1), DropReason::BadTcpChecksum),
        (patched(&|p| p.set_dst(*PEER.ip())), DropReason::NotForUs),
        (
            patched(&|p| p.set_more_fragments(true)),
            DropReason::MalformedFragment,
        ),
        (
            patched(&|p| p.set_fragment_offset(8)),
            DropReason::MalformedFragment,
        ),
        (
            patched(&|p| p.set_protocol(zerotcp::wire::IpProtocol::UDP)),
            DropReason::UnknownProtocol,
        ),
        (patched(&|p| p.set_src(*US.ip())), DropReason::BadSource), // LAND
        (
            patched(&|p| p.set_src(Ipv4Addr::UNSPECIFIED)),
            DropReason::BadSource,
        ),
        (
            patched(&|p| p.set_src(Ipv4Addr::BROADCAST)),
            DropReason::BadSource,
        ),
        (
            patched(&|p| p.set_src(Ipv4Addr::new(224, 0, 0, 1))),
            DropReason::BadSource,
        ),
        (
            patched(&|p| p.set_src(Ipv4Addr::LOCALHOST)),
            DropReason::BadSource,
        ),
    ];
    for (packet, reason) in cases {
        let before = s.stack.counters().dropped(reason);
        s.stack.receive(s.now, &packet, Meta::default());
        assert_eq!(s.stack.counters().dropped(reason), before + 1, "{reason}");
    }
    s.expect_nothing();
    assert_eq!(s.state(), State::Established);
    s.stack.receive(s.now, &sound, Meta::default());
    s.pass(50);
    s.expect(". 1 ack 6");
}

#[test]
fn malformed_options_do_not_harm_a_connection() {
    let (mut s, id) = Script::established(65535);
    let options = [zerotcp::wire::TcpOption::Unknown { kind: 2, data: &[] }];
    let mut buffer = [0; 100];
    let len = TcpBuilder::new(PEER, US)
        .seq(s.irs + 1)
        .ack(s.iss.unwrap() + 1)
        .flags(TcpFlags::PSH)
        .options(&options)
        .write(&mut buffer, &octets(1, 5))
        .unwrap();
    s.stack.receive(s.now, &buffer[..len], Meta::default());
    s.read(id, 5);
    assert_eq!(s.stack.counters().malformed_options, 1);
}

#[test]
fn a_ping_is_answered() {
    let mut s = Script::new();
    let mut buffer = [0; 200];
    let len = Icmpv4Builder::new(*PEER.ip(), *US.ip(), Icmpv4Type::ECHO_REQUEST, 0)
        .rest([1, 2, 3, 4])
        .write(&mut buffer, b"odd data!")
        .unwrap();
    s.stack.receive(s.now, &buffer[..len], Meta::default());
    let transmit = s.stack.poll_transmit(s.now, &mut buffer).unwrap();
    let packet = Ipv4Packet::parse(&buffer[..transmit.len]).unwrap();
    let message = packet.icmpv4().unwrap();
    assert_eq!((packet.src(), packet.dst()), (*US.ip(), *PEER.ip()));
    assert_eq!(message.kind(), Icmpv4Type::ECHO_REPLY);
    assert_eq!(
        (message.rest(), message.body()),
        ([1, 2, 3, 4], &b"odd data!"[..])
    );
}

#[test]
fn a_flood_of_strays_is_answered_within_bounds() {
    let mut s = Script::new();
    s.us.set_port(1337);
    for n in 0..10_000 {
        s.inject(&format!("S {n}"));
    }
    let mut answers = 0;
    while s.next().is_some() {
        answers += 1;
    }
    assert!(answers <= 256);
    let dropped = s.stack.counters().dropped(DropReason::RepliesFull);
    assert_eq!(answers + dropped, 10_000);
}

#[test]
fn the_same_calls_give_the_same_bytes() {
    let run = || {
        let (mut s, id) = Script::established(65535);
        s.send(id, 5000);
        std::iter::from_fn(|| s.next()).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
    assert_eq!(run().len(), 5);
}
