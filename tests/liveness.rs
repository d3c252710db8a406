//! How long a peer is waited for, and what the user may set about it (RFC 9293 sections
//! 3.8.3 to 3.8.6 and 3.9.1), segment by segment in virtual time.

mod common;

use std::net::Ipv4Addr;
use std::time::Duration;

use common::script::{PEER, Script, US};
use zerotcp::stack::{Config, Connect, ConnectError, ConnectionId, Event, SocketError};
use zerotcp::tcp::{self, CloseReason, Keepalive, Settings, State};
use zerotcp::wire::{SeqNumber, TcpPacket};

/// Sequence numbers from which a connection soon crosses 2^31 and 2^32, and plain ones.
const STARTS: [u32; 4] = [1_000_000, 0x7fff_fff0, 0xffff_fff0, 0xffff_ffff];

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets time pass in steps of 100 ms until the connection is over or `limit` has passed, and
/// gives how long that took and what was sent.
fn until_closed(s: &mut Script, limit: u64) -> (Duration, Vec<String>) {
    let start = s.now;
    let mut sent = Vec::new();
    loop {
        sent.extend(std::iter::from_fn(|| s.next()));
        if s.stack.connection_count() + s.stack.half_open_count() == 0
            || s.now - start >= seconds(limit)
        {
            return (s.now - start, sent);
        }
        s.pass(100);
    }
}

/// As `until_closed`, and the peer answers all that is not a reset with `answer`.
fn until_closed_answering(s: &mut Script, limit: u64, answer: &str) -> (Duration, Vec<String>) {
    let start = s.now;
    let mut sent = Vec::new();
    loop {
        while let Some(segment) = s.next() {
            if !segment.starts_with('R') {
                s.inject(answer);
            }
            sent.push(segment);
        }
        if s.stack.connection_count() + s.stack.half_open_count() == 0
            || s.now - start >= seconds(limit)
        {
            return (s.now - start, sent);
        }
        s.pass(100);
    }
}

/// An active open whose SYN is not out yet.
fn connecting(change: impl FnOnce(&mut Config)) -> (Script, ConnectionId) {
    let mut s = Script::with(change);
    let id = s.stack.connect(s.now, PEER).unwrap();
    s.us = s.stack.quad(id).unwrap().local();
    (s, id)
}

fn keepalive(s: &mut Script, id: ConnectionId, idle: u64, interval: u64, probes: u8) {
    let keepalive = Keepalive {
        idle: seconds(idle),
        interval: seconds(interval),
        probes,
    };
    s.change(id, |settings| settings.keepalive = Some(keepalive));
}

// Retransmission limits (section 3.8.3).

/// In LAST-ACK and CLOSING the peer knows the end by our FIN (RFC 9293 section 3.10.5): as long as
/// that waits behind text, the reset has to tell it.
#[test]
fn an_abort_before_the_fin_is_out_resets() {
    for fin_first in [true, false] {
        let (mut s, id) = Script::established(0);
        s.send(id, 100);
        if fin_first {
            s.inject("F. 1 ack 1 win 0");
            s.stack.shutdown(id).unwrap();
            assert_eq!(s.state(), State::LastAck);
        } else {
            s.stack.shutdown(id).unwrap();
            s.inject("F. 1 ack 1 win 0");
            assert_eq!(s.state(), State::Closing);
        }
        s.expect(". 1 ack 2");
        s.stack.abort(id);
        s.expect("R. 1 ack 2 win 0");
        assert_eq!(s.stack.connection_count(), 0);
    }
    // Once it is out, there is nothing more to say.
    let (mut s, id) = Script::established(1000);
    s.inject("F. 1 ack 1");
    s.stack.shutdown(id).unwrap();
    s.expect("F. 1 ack 2");
    s.stack.abort(id);
    s.expect_nothing();
}

#[test]
fn must_20_shld_9_trouble_is_told_once_and_r2_ends_it() {
    let (mut s, id) = Script::established(65535);
    s.events();
    s.send(id, 10);
    // SHLD-10: with the third retransmission.
    let trouble = [Event::Trouble(id)];
    for told in [&[][..], &[], &[], &trouble, &[]] {
        while s.next().is_none() {
            s.pass(100);
        }
        assert_eq!(s.events(), told);
    }
    // Progress ends the episode.
    s.inject(". 1 ack 11");
    assert_eq!(s.events(), []);
    s.send(id, 10);
    let (took, sent) = until_closed(&mut s, 3600);
    assert_eq!(sent.len(), 1 + 15);
    assert!(took >= seconds(100), "SHLD-11: {took:?}");
    let timed_out = Event::Closed(id, CloseReason::TimedOut);
    assert_eq!(s.events(), [Event::Trouble(id), timed_out]);
}

#[test]
fn must_21_the_user_chooses_r2() {
    for limit in [0, 1, 5] {
        let (mut s, id) = Script::established(65535);
        s.change(id, |settings| settings.max_retransmissions = limit);
        s.send(id, 10);
        let (_, sent) = until_closed(&mut s, 600);
        assert_eq!(sent.len(), 1 + usize::from(limit));
        assert_eq!(s.stack.recv(id, &mut [0]), Err(SocketError::TimedOut));
    }
}

#[test]
fn must_22_and_23_a_syn_is_tried_for_three_minutes() {
    let (mut s, id) = connecting(|_| {});
    let (took, sent) = until_closed(&mut s, 3600);
    assert!(took >= seconds(180), "{took:?}");
    assert_eq!(sent.len(), 8);
    let timed_out = Event::Closed(id, CloseReason::TimedOut);
    assert_eq!(s.events(), [Event::Trouble(id), timed_out]);
}

#[test]
fn nobody_is_told_of_trouble_who_does_not_want_to_know() {
    let (mut s, id) = connecting(|config| config.tcp.trouble_retransmissions = 0);
    until_closed(&mut s, 3600);
    assert_eq!(s.events(), [Event::Closed(id, CloseReason::TimedOut)]);
}

// The user timeout (RFC 5482).

#[test]
fn a_user_timeout_counts_time_and_not_retransmissions() {
    for limit in [3, 30, 1800] {
        let (mut s, id) = Script::established(65535);
        s.change(id, |settings| {
            settings.user_timeout = Some(seconds(limit));
            settings.max_retransmissions = 1;
        });
        // Idle time does not count.
        s.pass(10_000_000);
        s.send(id, 10);
        let (took, sent) = until_closed(&mut s, 3600);
        assert_eq!(took, seconds(limit) + Duration::from_millis(100));
        assert!(sent.len() > 2 && !sent.last().unwrap().starts_with('R'));
        assert!(
            s.events()
                .contains(&Event::Closed(id, CloseReason::TimedOut))
        );
    }
}

#[test]
fn a_user_timeout_begins_anew_with_progress() {
    for start in STARTS {
        let mut s = Script::with(|config| config.tcp.settings.user_timeout = Some(seconds(5)));
        s.irs = SeqNumber(start);
        let (mut s, id) = s.establish(65535);
        s.send(id, 100);
        s.expect("P. 1:101 ack 1");
        for n in 1..50 {
            s.pass(4000);
            while s.next().is_some() {}
            s.inject(&format!(". 1 ack {}", 1 + n));
        }
        assert_eq!(s.state(), State::Established);
        let (took, _) = until_closed(&mut s, 100);
        assert_eq!(took, seconds(5) + Duration::from_millis(100));
    }
}

#[test]
fn a_user_timeout_may_be_set_at_any_time() {
    let (mut s, id) = Script::established(65535);
    s.send(id, 10);
    s.expect("P. 1:11 ack 1");
    s.pass(60_000);
    assert_eq!(s.state(), State::Established);
    s.change(id, |settings| settings.user_timeout = Some(seconds(60)));
    s.pass(100);
    assert_eq!(s.state(), State::Closed);
    // What waits to be sent does not wait for an answer yet.
    let (mut s, id) = Script::established(65535);
    s.change(id, |settings| settings.user_timeout = Some(seconds(60)));
    s.send(id, 10);
    s.pass(100_000);
    s.expect("P. 1:11 ack 1");
}

#[test]
fn a_user_timeout_is_for_our_syn_too_but_not_for_one_of_a_strangers() {
    for limit in [1, 500] {
        let (mut s, id) = connecting(|_| {});
        s.change(id, |settings| settings.user_timeout = Some(seconds(limit)));
        let (took, _) = until_closed(&mut s, 3600);
        assert_eq!(took, seconds(limit) + Duration::from_millis(100));
    }
    for limit in [1, 3600] {
        let limit = Some(seconds(limit));
        let mut s = Script::with(|config| config.tcp.settings.user_timeout = limit);
        s.inject("S 0");
        let (took, sent) = until_closed(&mut s, 3600);
        assert!(took < seconds(200) && sent.len() == 6, "{took:?}");
    }
}

// Keepalive (section 3.8.4).

#[test]
fn must_25_keepalive_is_off_unless_asked_for() {
    let (mut s, id) = Script::established(65535);
    s.pass(1_000_000_000);
    s.expect_nothing();
    assert_eq!(s.stack.settings(id).unwrap().keepalive, None);
    // MUST-28.
    assert!(Keepalive::default().idle >= seconds(7200));
}

#[test]
fn must_24_to_27_an_idle_connection_is_probed() {
    for start in STARTS {
        let mut s = Script::new();
        s.irs = SeqNumber(start);
        let (mut s, id) = s.establish(65535);
        keepalive(&mut s, id, 100, 10, 3);
        for _ in 0..5 {
            s.pass(99_900);
            s.expect_nothing();
            s.pass(200);
            // SHLD-12: no text, a number that was acknowledged.
            s.expect(". 0 ack 1");
            s.expect_nothing();
            s.inject(". 1 ack 1");
        }
        // MUST-24: off again.
        s.change(id, |settings| settings.keepalive = None);
        s.pass(10_000_000);
        s.expect_nothing();
        assert_eq!(s.state(), State::Established);
    }
}

#[test]
fn a_connection_may_start_with_it() {
    let keepalive = Some(Keepalive::default());
    let s = Script::with(|config| config.tcp.settings.keepalive = keepalive);
    let (mut s, _) = s.establish(65535);
    s.pass(7_200_100);
    s.expect(". 0 ack 1");
}

#[test]
fn must_29_only_several_probes_without_answer_end_it() {
    let (mut s, id) = Script::established(65535);
    keepalive(&mut s, id, 100, 10, 3);
    s.pass(100_100);
    for _ in 0..2 {
        s.expect(". 0 ack 1");
        s.pass(10_000);
    }
    s.expect(". 0 ack 1");
    // A word from the peer, whatever it is, begins the wait anew.
    s.inject("P. 1:3 ack 1");
    s.pass(99_900);
    s.expect(". 1 ack 3");
    s.expect_nothing();
    s.events();
    let (took, sent) = until_closed(&mut s, 3600);
    assert_eq!(
        sent,
        [". 0 ack 3", ". 0 ack 3", ". 0 ack 3", "R. 1 ack 3"].map(with_window)
    );
    assert!(seconds(30) <= took && took <= seconds(31), "{took:?}");
    assert_eq!(s.events(), [Event::Closed(id, CloseReason::TimedOut)]);

    // One is never enough, and no setting makes it spin.
    let (mut s, id) = Script::established(65535);
    keepalive(&mut s, id, 0, 0, 0);
    let (took, sent) = until_closed(&mut s, 3600);
    assert!(sent.len() == 3 && took >= seconds(3), "{took:?} {sent:?}");
}

/// Puts the window into what a segment is expected to be.
fn with_window(text: &str) -> String {
    match text.starts_with('R') {
        true => format!("{text} win 0"),
        false => format!("{text} win 65533"),
    }
}

#[test]
fn must_26_no_probe_while_something_is_outstanding() {
    let (mut s, id) = Script::established(65535);
    keepalive(&mut s, id, 2, 1, 3);
    s.send(id, 10);
    let (_, sent) = until_closed(&mut s, 3600);
    assert!(
        sent.iter().all(|sent| sent.starts_with("P. 1:11")),
        "{sent:?}"
    );
    assert_eq!(sent.len(), 16);
    // Nor while a closed window is probed.
    let (mut s, id) = Script::established(1000);
    keepalive(&mut s, id, 2, 1, 3);
    s.send(id, 2000);
    s.expect(". 1:1001 ack 1");
    s.inject(". 1 ack 1001 win 0");
    let (_, sent) = until_closed_answering(&mut s, 600, ". 1 ack 1001 win 0");
    assert!(sent.iter().all(|sent| sent.starts_with(". 1001:1002")));
    // Afterwards it is on again.
    s.inject(". 1 ack 1001 win 1000");
    s.expect("P. 1001:2001 ack 1");
    s.inject(". 1 ack 2001 win 1000");
    s.pass(2100);
    s.expect(". 2000 ack 1");
}

#[test]
fn an_interval_longer_than_the_idle_time_does_not_delay_the_next_probe() {
    let (mut s, id) = Script::established(65535);
    keepalive(&mut s, id, 10, 75, 2);
    s.pass(10_100);
    s.expect(". 0 ack 1");
    s.inject(". 1 ack 1");
    s.pass(10_100);
    s.expect(". 0 ack 1");
    // No answer.
    s.pass(74_800);
    s.expect_nothing();
    s.pass(200);
    s.expect(". 0 ack 1");
}

#[test]
fn keepalive_is_no_more_impatient_than_the_user_timeout() {
    let (mut s, id) = Script::established(65535);
    keepalive(&mut s, id, 10, 1, 2);
    s.change(id, |settings| settings.user_timeout = Some(seconds(60)));
    let (took, sent) = until_closed(&mut s, 3600);
    assert!(seconds(60) <= took && took <= seconds(61), "{took:?}");
    assert!(sent.last().unwrap().starts_with("R. 1 ack 1"));
}

// Closed windows (section 3.8.6.1).

#[test]
fn must_37_an_answered_probe_keeps_it_open_unless_the_user_timeout_says_otherwise() {
    for limit in [None, Some(seconds(60))] {
        let (mut s, id) = Script::established(1000);
        s.change(id, |settings| settings.user_timeout = limit);
        s.send(id, 2000);
        s.expect(". 1:1001 ack 1");
        let closed = ". 1 ack 1001 win 0";
        s.inject(closed);
        let (took, sent) = until_closed_answering(&mut s, 7200, closed);
        match limit {
            None => assert_eq!(s.state(), State::Established),
            Some(limit) => {
                assert!(limit <= took && took <= limit + seconds(1), "{took:?}");
                assert!(sent.last().unwrap().starts_with("R. 1001 ack 1"));
            }
        }
    }
}

#[test]
fn a_window_that_opens_in_time_gives_the_text_its_full_user_timeout() {
    let (mut s, id) = Script::established(1000);
    s.change(id, |settings| settings.user_timeout = Some(seconds(60)));
    s.send(id, 2000);
    s.expect(". 1:1001 ack 1");
    s.inject(". 1 ack 1001 win 0");
    for _ in 0..580 {
        s.pass(100);
        while s.next().is_some() {
            s.inject(". 1 ack 1001 win 0");
        }
    }
    s.inject(". 1 ack 1001 win 1000");
    s.expect("P. 1001:2001 ack 1");
    let (took, _) = until_closed(&mut s, 600);
    assert_eq!(took, seconds(60) + Duration::from_millis(100));
}

#[test]
fn the_time_in_a_closed_window_counts_only_while_something_waits_for_it() {
    let (mut s, id) = Script::established(1000);
    s.change(id, |settings| {
        settings.user_timeout = Some(seconds(60));
    });
    s.send(id, 1000);
    s.expect("P. 1:1001 ack 1");
    s.inject(". 1 ack 1001 win 0");
    s.pass(3_600_000);
    s.send(id, 10);
    let (took, _) = until_closed_answering(&mut s, 600, ". 1 ack 1001 win 0");
    assert_eq!(took, seconds(60) + Duration::from_millis(100));
}

#[test]
fn probes_without_answer_bring_trouble_too() {
    let (mut s, id) = Script::established(1000);
    s.send(id, 2000);
    s.expect(". 1:1001 ack 1");
    s.inject(". 1 ack 1001 win 0");
    s.events();
    let (_, sent) = until_closed(&mut s, 3600);
    assert_eq!(sent.len(), 15 + 1);
    let timed_out = Event::Closed(id, CloseReason::TimedOut);
    assert_eq!(s.events(), [Event::Trouble(id), timed_out]);
}

// Connections without user.

#[test]
fn no_peer_is_lively_enough_to_keep_an_orphan_for_ever() {
    // It acknowledges an octet a second.
    let (mut s, id) = Script::established(65535);
    s.send(id, 5000);
    s.stack.close(id);
    while s.next().is_some() {}
    let mut reset = None;
    for n in 0..4000 {
        s.pass(1000);
        while let Some(sent) = s.next() {
            if sent.starts_with('R') {
                reset.get_or_insert(n);
            }
        }
        s.inject(&format!(". 1 ack {}", 2 + n.min(4000)));
    }
    assert_eq!(reset, Some(600), "by orphan_timeout");
    assert_eq!(s.stack.connection_count(), 0);
}

#[test]
fn of_too_many_orphans_the_oldest_is_aborted() {
    let mut s = Script::with(|config| config.max_orphans = 2);
    let open_and_close = |s: &mut Script, port| {
        s.peer.set_port(port);
        s.iss = None;
        s.inject("S 0 <mss 1000>");
        s.expect("S. 0 ack 1 <mss 1460>");
        s.inject(". 1 ack 1");
        let id = s.accept();
        s.stack.close(id);
    };
    for port in 1..=3 {
        open_and_close(&mut s, port);
        s.expect("F. 1 ack 1");
        if port == 2 {
            // It has ended by itself, and counts no more.
            s.inject("F. 1 ack 2");
            s.expect(". 2 ack 2");
        }
    }
    assert_eq!(s.stack.connection_count(), 3);
    open_and_close(&mut s, 4);
    let states = [1, 2, 3, 4].map(|port| {
        s.peer.set_port(port);
        s.state()
    });
    let [closed, wait] = [State::Closed, State::TimeWait];
    assert_eq!(states, [closed, wait, State::FinWait1, State::FinWait1]);
    s.peer.set_port(1);
    assert!(s.next().unwrap().starts_with("R. "));
}

#[test]
fn the_time_of_an_orphan_begins_with_the_call_and_not_before() {
    // The stack has heard of no time for long when its user closes.
    for state in [State::FinWait1, State::FinWait2] {
        let (mut s, id) = Script::established(65535);
        if state == State::FinWait2 {
            s.stack.shutdown(id).unwrap();
            s.expect("F. 1 ack 1");
            s.inject(". 1 ack 2");
        }
        s.now += seconds(10_000);
        s.stack.close(id);
        s.next();
        if state == State::FinWait1 {
            s.inject(". 1 ack 2");
        }
        assert_eq!(s.state(), State::FinWait2);
        s.pass(59_000);
        assert_eq!(s.state(), State::FinWait2);
        s.pass(1_100);
        assert_eq!(s.stack.connection_count(), 0);
        s.expect_nothing();
    }
}

#[test]
fn waiting_for_the_peers_fin_does_not_lengthen_an_orphans_time() {
    let mut s = Script::with(|config| config.tcp.orphan_timeout = seconds(20));
    let id;
    (s, id) = s.establish(65535);
    s.stack.close(id);
    s.expect("F. 1 ack 1");
    s.inject(". 1 ack 2");
    assert_eq!(s.state(), State::FinWait2);
    s.pass(20_100);
    assert_eq!(s.stack.connection_count(), 0);
}

// Closing before the handshake is complete (section 3.10.4).

#[test]
fn what_was_queued_before_the_handshake_is_not_lost_by_closing() {
    for close in [true, false] {
        let (mut s, id) = connecting(|_| {});
        s.send(id, 5);
        match close {
            true => s.stack.close(id),
            false => s.stack.shutdown(id).unwrap(),
        }
        assert_eq!(s.state(), State::SynSent);
        assert!(s.next().unwrap().starts_with("S 0 win"));
        s.inject("S. 0 ack 1 <mss 1000>");
        assert_eq!(s.state(), State::FinWait1);
        s.expect("FP. 1:6 ack 1");
    }
    // With nothing queued there is nothing to wait for.
    let (mut s, id) = connecting(|_| {});
    assert!(s.next().unwrap().starts_with("S 0 win"));
    s.stack.shutdown(id).unwrap();
    assert_eq!(s.events(), [Event::Closed(id, CloseReason::Aborted)]);
    s.expect_nothing();
    // In SYN-RECEIVED, of a simultaneous open, the FIN waits for ESTABLISHED.
    let (mut s, id) = connecting(|_| {});
    assert!(s.next().unwrap().starts_with("S 0 win"));
    s.inject("S 0 <mss 1000>");
    assert_eq!(s.state(), State::SynReceived);
    s.stack.close(id);
    assert!(s.next().unwrap().starts_with("S. 0 ack 1"));
    s.inject(". 1 ack 1");
    s.expect("F. 1 ack 1");
    assert_eq!(s.state(), State::FinWait1);
}

#[test]
fn a_peer_that_never_answers_does_not_keep_what_was_queued() {
    let (mut s, id) = connecting(|config| config.tcp.orphan_timeout = seconds(20));
    s.send(id, 5);
    s.stack.close(id);
    let (took, sent) = until_closed(&mut s, 3600);
    assert!(seconds(20) <= took && took <= seconds(21), "{took:?}");
    assert!(sent.iter().all(|sent| sent.starts_with("S 0 win")));
}

// What else the user says (section 3.9.1).

#[test]
fn must_43_and_46_where_a_connection_comes_from_and_goes_to() {
    let second = Ipv4Addr::new(192, 168, 0, 3);
    let mut s = Script::with(|config| config.addresses.push(second));
    let now = s.now;
    let local = |s: &Script, id| s.stack.quad(id).unwrap().local();
    // MUST-44: one is chosen.
    let id = s.stack.connect(now, PEER).unwrap();
    assert_eq!(local(&s, id).ip(), US.ip());
    let from = Connect::to(PEER).local_address(second).local_port(7);
    let id = s.stack.connect(now, from).unwrap();
    assert_eq!(local(&s, id).to_string(), "192.168.0.3:7");
    let refused = [
        (from, ConnectError::InUse { port: 7 }),
        (
            from.local_address(*PEER.ip()),
            ConnectError::NotOurs(*PEER.ip()),
        ),
        (from.local_port(0), ConnectError::PortZero),
    ];
    for (connect, error) in refused {
        assert_eq!(s.stack.connect(now, connect), Err(error));
        assert!(!error.to_string().is_empty());
    }
    for address in [
        "255.255.255.255:1",
        "224.0.0.1:1",
        "0.0.0.0:1",
        "127.0.0.1:1",
        "192.168.0.3:7",
    ] {
        let to = address.parse().unwrap();
        let error = s.stack.connect(now, Connect::to(to).local_address(second));
        assert_eq!(error, Err(ConnectError::InvalidRemote(to)));
    }
    // A listener's port and ours are two things.
    assert!(
        s.stack
            .connect(now, Connect::to(PEER).local_port(US.port()))
            .is_ok()
    );
}

#[test]
fn must_48_the_user_chooses_the_code_point_while_the_connection_runs() {
    let dscp = |s: &mut Script| {
        let mut buffer = [0; 1500];
        let sent = s.stack.poll_transmit(s.now, &mut buffer).unwrap();
        TcpPacket::parse(&buffer[..sent.len]).unwrap().ip.dscp()
    };
    let (mut s, id) = connecting(|config| config.tcp.settings.dscp = 8);
    s.change(id, |settings| settings.dscp = 46);
    assert_eq!(dscp(&mut s), 46, "the SYN");
    let mut s = Script::with(|config| config.tcp.settings.dscp = 8);
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 dscp 8 <mss 1460>");
    s.inject(". 1 ack 1");
    let id = s.accept();
    s.send(id, 10);
    s.expect("P. 1:11 ack 1 dscp 8");
    // SHLD-21 and SHLD-22.
    s.change(id, |settings| settings.dscp = 63);
    s.pass(201);
    assert_eq!(dscp(&mut s), 63);
    // The reset that ends it too.
    s.stack.abort(id);
    assert_eq!(dscp(&mut s), 63);
}

#[test]
fn must_17_the_user_switches_nagle_off_on_one_connection() {
    let (mut s, id) = Script::established(65535);
    s.send(id, 10);
    s.expect("P. 1:11 ack 1");
    s.send(id, 10);
    s.expect_nothing();
    s.change(id, |settings| settings.nagle = false);
    s.expect("P. 11:21 ack 1");
    assert!(tcp::Config::default().settings.nagle);
    assert!(s.stack.config().tcp.settings.nagle);
}

#[test]
fn nothing_can_be_set_on_a_connection_that_is_gone() {
    let (mut s, id) = Script::established(65535);
    let mut settings = Settings::default();
    settings.user_timeout = Some(Duration::ZERO);
    settings.keepalive = Some(Keepalive::default());
    s.send(id, 10);
    s.expect("P. 1:11 ack 1");
    s.inject("R 1");
    s.pass(10_000_000);
    // Over, but not let go of: no timer starts.
    s.stack.set(id, settings).unwrap();
    assert_eq!(s.stack.poll_timeout(), None);
    s.expect_nothing();
    s.stack.close(id);
    assert_eq!(
        s.stack.set(id, settings),
        Err(SocketError::NoSuchConnection)
    );
    assert_eq!(s.stack.settings(id), None);
    assert_eq!(s.stack.soft_error(id), None);
}

#[test]
fn must_12_the_user_learns_how_the_peer_ended_it() {
    let (mut s, id) = Script::established(65535);
    s.events();
    s.inject("F. 1 ack 1");
    assert_eq!(s.events(), [Event::Readable(id), Event::PeerClosed(id)]);
    assert_eq!(s.stack.recv(id, &mut [0]), Ok(0));
    let (mut s, id) = Script::established(65535);
    s.events();
    s.inject("R 1");
    assert_eq!(s.events(), [Event::Closed(id, CloseReason::Reset)]);
    assert_eq!(s.stack.recv(id, &mut [0]), Err(SocketError::Reset));
}

#[test]
fn forged_segments_do_not_make_a_dead_peer_look_alive() {
    let forged = [
        // Outside the window; inside, with an acknowledgment of what was never sent.
        ". 1000000 ack 1",
        "R 1000000",
        ". 1 ack 1000000",
        "R 2",
        "S 2",
        "- 1",
    ];
    for forged in forged {
        let (mut s, id) = Script::established(65535);
        keepalive(&mut s, id, 100, 10, 3);
        let mut probes = 0;
        for _ in 0..13 {
            s.inject(forged);
            s.pass(10_000);
            while let Some(sent) = s.next() {
                probes += u32::from(sent.starts_with(". 0 ack 1"));
            }
        }
        s.pass(1_000);
        assert_eq!((probes, s.state()), (3, State::Closed), "{forged}");
    }
}
