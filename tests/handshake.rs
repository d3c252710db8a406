//! How connections begin and how TIME-WAIT lets the next one begin, segment by segment.

mod common;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use common::script::{PEER, Script, US, octets};
use zerotcp::stack::{Config, DropReason, Event, Listen, Meta};
use zerotcp::tcp::{CloseReason, State};
use zerotcp::wire::{Ipv4PacketMut, SeqNumber, TcpBuilder, TcpFlags};

/// The changes of state since the last call.
fn changes(s: &mut Script) -> Vec<(State, State)> {
    let events = s.events().into_iter();
    let change = |event| match event {
        Event::State { from, to, .. } => Some((from, to)),
        _ => None,
    };
    events.filter_map(change).collect()
}

fn with_backlog(backlog: usize) -> Script {
    let mut s = Script::new();
    s.stack.unlisten(s.listener);
    let listen = Listen::port(US.port()).backlog(backlog);
    s.listener = s.stack.listen(listen).unwrap();
    s
}

/// Another peer opens a connection, up to `ack`.
fn open_from(s: &mut Script, port: u16, ack: bool) {
    s.peer.set_port(port);
    s.iss = None;
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    if ack {
        s.inject(". 1 ack 1");
    }
}

/// We closed first, and all is acknowledged.
fn in_time_wait(change: impl FnOnce(&mut Config)) -> Script {
    let (mut s, id) = Script::with(change).establish(65535);
    s.stack.close(id);
    s.expect("F. 1 ack 1");
    s.inject("F. 1 ack 2");
    s.expect(". 2 ack 2");
    assert_eq!(s.state(), State::TimeWait);
    s
}

#[test]
fn numbers_grow_for_one_quad_and_differ_between_stacks() {
    // RFC 6528: the same quad again and again.
    let mut s = Script::new();
    let mut last: Option<SeqNumber> = None;
    for _ in 0..20 {
        s.iss = None;
        s.inject("S 0");
        s.expect("S. 0 ack 1 <mss 1460>");
        let iss = s.iss.unwrap();
        if let Some(last) = last {
            // 250 a millisecond.
            assert_eq!(iss - last, 250 * 1500);
        }
        last = Some(iss);
        s.inject("R 1");
        s.pass(1500);
    }
    let iss = |secret| {
        let mut s = Script::with(|config| config.secret = [secret; 16]);
        s.inject("S 0");
        s.expect("S. 0 ack 1 <mss 1460>");
        s.iss.unwrap()
    };
    let mut all: Vec<u32> = (0..50).map(|secret| iss(secret).0 >> 16).collect();
    all.sort();
    all.dedup();
    assert!(all.len() >= 48, "unrelated");
}

#[test]
fn a_half_open_connection_has_every_rule_of_syn_received() {
    let half_open = || {
        let mut s = Script::with(|config| config.report_states = true);
        s.inject("S 0 <mss 1000>");
        s.expect("S. 0 ack 1 <mss 1460>");
        assert_eq!(s.stack.half_open_count(), 1);
        assert_eq!(s.stack.connection_count(), 0);
        assert_eq!(s.state(), State::SynReceived);
        assert_eq!(changes(&mut s), [(State::Listen, State::SynReceived)]);
        s
    };
    let gone = [(State::SynReceived, State::Closed)];

    // RFC 5961 section 3.2: only an exact reset is believed.
    let mut s = half_open();
    s.inject("R 100");
    s.expect(". 1 ack 1");
    s.inject("R 70000");
    s.inject("R 0");
    s.expect_nothing();
    assert_eq!(s.stack.half_open_count(), 1);
    s.inject("R 1");
    assert_eq!(changes(&mut s), gone);
    assert_eq!((s.stack.half_open_count(), s.state()), (0, State::Closed));
    assert_eq!(s.stack.counters().connections_reset, 1);

    // RFC 9293 section 3.10.7.4: a SYN in the window returns it to LISTEN.
    let mut s = half_open();
    s.inject("S 5");
    assert_eq!(changes(&mut s), gone);
    s.expect_nothing();

    // One beyond is an old duplicate, or a peer that has restarted: that one resets by the
    // answer to it (section 3.5.1), and its next SYN succeeds.
    let mut s = half_open();
    s.inject("S 500000");
    s.expect(". 1 ack 1");
    assert_eq!(s.state(), State::SynReceived);
    s.inject("R 1");
    assert_eq!(s.state(), State::Closed);
    s.irs += 500_000;
    s.iss = None;
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    assert_eq!(s.state(), State::Established);

    // Fifth, the ACK field.
    let mut s = half_open();
    s.inject(". 1 ack 0");
    s.expect("R 0 win 0");
    s.inject(". 1 ack 2");
    s.expect("R 2 win 0");
    s.inject(". 1 ack -7777");
    assert!(s.next().unwrap().starts_with("R "));
    s.inject("P 1:5");
    s.expect_nothing();
    assert_eq!(s.state(), State::SynReceived);
    // First, the sequence number.
    s.inject(". 90000 ack 1");
    s.expect(". 1 ack 1");
    s.inject(". 1 ack 1");
    assert_eq!(changes(&mut s), [(State::SynReceived, State::Established)]);
    assert_eq!(s.stack.half_open_count(), 0);
    assert_eq!(s.stack.connection_count(), 1);
}

/// Who was answered with a SYN,ACK acknowledges that, and sends no SYN again: only in a
/// simultaneous open that acknowledgment comes with a SYN (RFC 9293 figure 7).
#[test]
fn a_listener_is_not_told_by_a_syn_that_its_own_has_arrived() {
    let mut s = Script::new();
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject("S. 0 ack 1 <mss 1000>");
    s.expect(". 1 ack 1");
    assert_eq!(s.state(), State::SynReceived);
    s.inject(". 1 ack 1");
    assert_eq!(s.state(), State::Established);
}

/// RFC 7323 section 5.3, R1: an old SYN that comes once more is no sign of a lost answer.
#[test]
fn a_syn_with_an_older_timestamp_is_challenged() {
    let mut s = Script::new();
    s.inject("S 0 <mss 1000,sackOK,ts 1000 0>");
    s.expect("S. 0 ack 1 <mss 1460,sackOK,ts 0 1000>");
    s.inject("S 0 <mss 1000,sackOK,ts 900 0>");
    s.expect(". 1 ack 1 <nop,nop,ts 0 1000>");
    s.inject("S 0 <mss 1000,sackOK,ts 1100 0>");
    s.expect("S. 0 ack 1 <mss 1460,sackOK,ts 0 1100>");
    assert_eq!(s.state(), State::SynReceived);
}

#[test]
fn challenges_of_a_half_open_connection_are_few() {
    // RFC 5961 section 7.
    let mut s = Script::new();
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    for _ in 0..2 {
        let mut answers = 0;
        for _ in 0..100 {
            s.inject("R 100");
            answers += usize::from(s.next().is_some());
        }
        assert_eq!(answers, 10);
        s.pass(5000);
        while s.next().is_some() {}
    }
}

#[test]
fn text_and_fin_may_come_with_the_last_acknowledgment() {
    for start in [1_000_000, 0x7fff_fffe, 0xffff_fffe] {
        let mut s = Script::new();
        s.irs = SeqNumber(start);
        s.inject("S 0");
        s.expect("S. 0 ack 1 <mss 1460>");
        s.inject("FP. 1:101 ack 1");
        assert_eq!(s.state(), State::CloseWait);
        let id = s.accept();
        s.read(id, 100);
        s.expect(". 1 ack 102");
        s.inject("FP. 1:101 ack 1");
        s.read(id, 0);
    }
}

#[test]
fn text_on_a_syn_is_neither_lost_nor_delivered_twice() {
    let mut s = Script::new();
    s.inject("S 0:50 <mss 1000>");
    // Not acknowledged, so it will come again.
    s.expect("S. 0 ack 1 <mss 1460>");
    assert_eq!(s.stack.accept(s.listener), None);
    s.inject(". 1:50 ack 1");
    let id = s.accept();
    s.read(id, 49);
    s.inject(". 1:60 ack 1");
    s.read(id, 10);
}

#[test]
fn the_round_trip_is_that_of_the_handshake() {
    let info = |wait: u64, pass: &[u64]| {
        let mut s = Script::new();
        s.inject("S 0 <mss 1000>");
        s.expect("S. 0 ack 1 <mss 1460>");
        for pass in pass {
            s.pass(*pass);
            s.expect("S. 0 ack 1 <mss 1460>");
        }
        s.pass(wait);
        s.expect_nothing();
        s.inject(". 1 ack 1");
        let id = s.accept();
        s.stack.info(id).unwrap()
    };
    let once = info(300, &[]);
    assert_eq!(once.srtt, Some(Duration::from_millis(300)));
    assert_eq!(once.cwnd, 10_000);
    // Karn's rule; 3 s by RFC 6298 section 5.7; RFC 6928: one loss is none.
    let twice = info(300, &[1001]);
    assert_eq!(twice.srtt, None);
    assert!(twice.rto >= Duration::from_secs(3));
    assert_eq!(twice.cwnd, 10_000);
    assert_eq!(info(300, &[1001, 10_000]).cwnd, 1000);
}

#[test]
fn a_full_queue_leaves_the_last_acknowledgment_untaken() {
    let mut s = with_backlog(1);
    let other = s.stack.listen(Listen::port(8)).unwrap();
    open_from(&mut s, 1, false);
    let first = s.iss;
    open_from(&mut s, 2, true);
    // The queue is full. The first one's acknowledgment comes with text.
    (s.iss, s.peer) = (first, SocketAddrV4::new(*PEER.ip(), 1));
    s.inject("P. 1:11 ack 1");
    assert_eq!(s.state(), State::SynReceived);
    assert_eq!(s.stack.counters().dropped(DropReason::BacklogFull), 1);
    // Nor is there an answer for new ones.
    s.peer.set_port(3);
    s.inject("S 0");
    s.expect_nothing();
    assert_eq!(s.stack.counters().dropped(DropReason::BacklogFull), 2);
    // Another listener is not concerned.
    s.us.set_port(8);
    s.iss = None;
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    assert!(s.stack.accept(other).is_some());

    // Our SYN,ACK goes out again; there is room, and nothing is lost.
    (s.us, s.iss, s.peer) = (US, first, SocketAddrV4::new(*PEER.ip(), 1));
    s.accept();
    s.pass(1001);
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 11 ack 1");
    let id = s.accept();
    s.inject("P. 1:11 ack 1");
    s.read(id, 10);
}

#[test]
fn a_full_table_takes_no_more() {
    let mut s = Script::with(|config| config.max_connections = 1);
    open_from(&mut s, 1, false);
    let first = s.iss;
    open_from(&mut s, 2, true);
    (s.iss, s.peer) = (first, SocketAddrV4::new(*PEER.ip(), 1));
    s.inject(". 1 ack 1");
    s.peer.set_port(3);
    s.inject("S 0");
    s.expect_nothing();
    assert_eq!(s.stack.counters().dropped(DropReason::TableFull), 2);
    assert_eq!(s.stack.connection_count(), 1);
}

#[test]
fn the_oldest_half_open_connection_makes_room_where_cookies_are_off() {
    let mut s = Script::with(|config| {
        config.max_half_open = 2;
        config.syn_cookies = false;
    });
    for port in [1, 2, 3] {
        open_from(&mut s, port, false);
        assert!(s.stack.half_open_count() <= 2);
    }
    assert_eq!(s.stack.counters().half_open_recycled, 1);
    for (port, state) in [
        (1, State::Closed),
        (2, State::SynReceived),
        (3, State::SynReceived),
    ] {
        s.peer.set_port(port);
        assert_eq!(s.state(), state, "{port}");
    }
}

#[test]
fn nothing_is_kept_of_a_syn_that_is_answered_with_a_cookie() {
    for start in [1_000_000, 0x7fff_ffff, 0xffff_ffff] {
        let mut s = Script::with(|config| {
            config.max_half_open = 0;
            config.report_states = true;
        });
        s.irs = SeqNumber(start);
        // Without timestamps there is no place for window scale and SACK.
        s.inject("S 0 <mss 1400,nop,wscale 7,sackOK>");
        s.expect("S. 0 ack 1 win 65535 <mss 1460>");
        assert_eq!(s.state(), State::Closed);
        assert_eq!(s.stack.poll_timeout(), None);
        assert_eq!(changes(&mut s), []);
        // Lost, and asked again.
        s.iss = None;
        s.pass(1000);
        s.inject("S 0 <mss 1400,nop,wscale 7,sackOK>");
        s.expect("S. 0 ack 1 win 65535 <mss 1460>");
        s.pass(63_000);
        s.inject("P. 1:11 ack 1 win 5000");
        let id = s.accept();
        s.read(id, 10);
        let opened = [
            (State::Listen, State::SynReceived),
            (State::SynReceived, State::Established),
        ];
        assert_eq!(changes(&mut s), opened);
        let info = s.stack.info(id).unwrap();
        assert_eq!((info.send_mss, info.send_window), (1400, 5000));
        assert_eq!((info.window_scale, info.sack), ((0, 0), false));
        assert_eq!(s.stack.counters().syn_cookies_sent, 2);
        assert_eq!(s.stack.counters().syn_cookies_accepted, 1);
        s.send(id, 1400);
        s.expect("P. 1:1401 ack 11");
    }
}

#[test]
fn a_forged_or_stale_cookie_is_a_stray() {
    let mut s = Script::with(|config| config.max_half_open = 0);
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    for n in 2..200 {
        s.inject(&format!(". 1 ack {n}"));
        s.expect(&format!("R {n}"));
    }
    s.inject(". 2 ack 1");
    s.expect("R 1");
    s.inject("S. 0 ack 1");
    s.expect("R 1");
    s.peer.set_port(9);
    s.inject(". 1 ack 1");
    s.expect("R 1");
    s.peer = PEER;
    s.pass(129_000);
    s.inject(". 1 ack 1");
    s.expect("R 1");
    assert_eq!(s.stack.connection_count(), 0);
    assert_eq!(s.stack.counters().syn_cookies_accepted, 0);
}

#[test]
fn without_pressure_a_cookie_is_not_believed() {
    // One that another stack of the same secret has baked.
    let baker = |max_half_open| {
        Script::with(|config| {
            config.max_half_open = max_half_open;
        })
    };
    let mut other = baker(0);
    other.inject("S 0");
    other.expect("S. 0 ack 1 <mss 1460>");
    let mut s = baker(4096);
    s.iss = other.iss;
    s.inject(". 1 ack 1");
    s.expect("R 1");
    other.inject(". 1 ack 1");
    assert_eq!(other.state(), State::Established);
}

#[test]
fn a_full_queue_leaves_a_cookie_untaken() {
    let mut s = Script::with(|config| config.max_half_open = 0);
    s.stack.unlisten(s.listener);
    s.listener = s.stack.listen(Listen::port(7).backlog(1)).unwrap();
    open_from(&mut s, 1, false);
    let first = s.iss;
    open_from(&mut s, 2, true);
    (s.iss, s.peer) = (first, SocketAddrV4::new(*PEER.ip(), 1));
    s.inject(". 1 ack 1");
    s.expect_nothing();
    assert_eq!(s.state(), State::Closed);
    s.accept();
    s.inject("P. 1:6 ack 1");
    let id = s.accept();
    s.read(id, 5);
}

#[test]
fn no_place_at_all() {
    let mut s = Script::with(|config| {
        config.max_half_open = 0;
        config.syn_cookies = false;
    });
    s.inject("S 0");
    s.expect_nothing();
    assert_eq!(s.stack.counters().dropped(DropReason::BacklogFull), 1);
}

#[test]
fn whose_address_cannot_be_a_peers_gets_no_answer() {
    // LAND, and RFC 9293 section 3.9.2.3 (MUST-57, MUST-63).
    let mut s = Script::new();
    let sources = [
        *US.ip(),
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::BROADCAST,
        Ipv4Addr::new(127, 0, 0, 1),
        Ipv4Addr::new(224, 0, 0, 1),
        Ipv4Addr::new(239, 1, 2, 3),
        Ipv4Addr::new(240, 0, 0, 1),
        Ipv4Addr::new(0, 1, 2, 3),
    ];
    let destinations = [
        Ipv4Addr::BROADCAST,
        Ipv4Addr::new(224, 0, 0, 1),
        Ipv4Addr::new(192, 168, 0, 255),
        Ipv4Addr::UNSPECIFIED,
        *PEER.ip(),
    ];
    for flags in ["S 0", ". 0 ack 1", "F 0", "R 0"] {
        for source in sources {
            let mut packet = s.segment(flags);
            let mut ip = Ipv4PacketMut::parse(&mut packet).unwrap();
            ip.set_src(source);
            if source == *US.ip() {
                ip.tcp_mut().unwrap().set_src_port(US.port());
            }
            s.stack.receive(s.now, &packet, Meta::default());
            let dropped = s.stack.counters().dropped(DropReason::BadSource);
            assert!(dropped > 0, "{source}");
        }
        for destination in destinations {
            let mut packet = s.segment(flags);
            let mut ip = Ipv4PacketMut::parse(&mut packet).unwrap();
            ip.set_dst(destination);
            s.stack.receive(s.now, &packet, Meta::default());
        }
    }
    let counters = s.stack.counters();
    assert_eq!(counters.dropped(DropReason::BadSource), 4 * 8);
    assert_eq!(counters.dropped(DropReason::NotForUs), 4 * 5);
    assert_eq!(s.stack.half_open_count(), 0);
    assert_eq!(s.stack.poll_timeout(), None);
    s.expect_nothing();
}

#[test]
fn odd_flags_open_nothing() {
    let mut s = Script::new();
    let packet = |s: &Script, flags| {
        let mut buffer = [0; 40];
        let segment = TcpBuilder::new(s.peer, s.us).seq(s.irs).flags(flags);
        segment.write(&mut buffer, &[]).unwrap();
        buffer
    };
    for bits in 0..64u16 {
        // Without ACK, but for a SYN alone or with what it may carry.
        let flags = TcpFlags::from_bits(bits);
        let opens = flags.syn() && !flags.fin() && !flags.rst();
        if flags.ack() || opens {
            continue;
        }
        let packet = packet(&s, flags);
        s.stack.receive(s.now, &packet, Meta::default());
        s.expect_nothing();
        assert_eq!(s.stack.half_open_count(), 0, "{flags}");
    }
    let urgent = packet(&s, TcpFlags::SYN | TcpFlags::PSH | TcpFlags::URG);
    s.stack.receive(s.now, &urgent, Meta::default());
    s.expect("S. 0 ack 1 <mss 1460>");
}

#[test]
fn a_fresh_syn_ends_time_wait_and_an_old_one_does_not() {
    for start in [1_000_000, 0x7fff_fffe, 0xffff_fffe] {
        let mut s = Script::with(|config| config.report_states = true);
        s.irs = SeqNumber(start);
        let (mut s, id) = s.establish(65535);
        s.send(id, 1000);
        s.expect("P. 1:1001 ack 1");
        s.stack.close(id);
        s.expect("F. 1001 ack 1");
        s.inject("F. 1 ack 1002");
        s.expect(". 1002 ack 2");
        assert_eq!(s.stack.time_wait_count(), 1);
        // RFC 9293 section 3.10.7.4: not beyond what the old connection has used.
        for seq in [-100_000, 0, 1] {
            s.inject(&format!("S {seq}"));
            s.expect(". 1002 ack 2");
            assert_eq!(s.state(), State::TimeWait);
        }
        changes(&mut s);
        let (old, before) = (s.iss.unwrap(), s.irs);
        s.inject("S 2");
        (s.irs, s.iss) = (before + 2, None);
        s.expect("S. 0 ack 1 <mss 1460>");
        // RFC 9293 section 3.6.1: above all that was used.
        assert!(old + 1002 < s.iss.unwrap());
        assert_eq!(s.state(), State::SynReceived);
        assert_eq!(changes(&mut s), [(State::TimeWait, State::SynReceived)]);
        s.inject("P. 1:21 ack 1");
        assert_eq!(s.state(), State::Established);
        assert_eq!(s.stack.time_wait_count(), 0);
        assert_eq!(s.stack.connection_count(), 1);
        let id = s.accept();
        s.read(id, 20);
        // The timer of the old one does not end the new one.
        s.pass(61_000);
        while s.next().is_some() {}
        assert_eq!(s.state(), State::Established);
    }
}

#[test]
fn a_number_never_lies_below_those_of_the_connection_before() {
    // Two gigabytes a second, so that the clock of RFC 6528 lags behind.
    let mut s = Script::new();
    let id;
    (s, id) = s.establish(65535);
    let mut sent = 1;
    for _ in 0..60 {
        s.send(id, 60_000);
        while let Some(text) = s.next() {
            let span = text.split(' ').nth(1).unwrap();
            sent = span.split(':').nth(1).unwrap().parse().unwrap();
            s.inject(&format!(". 1 ack {sent}"));
        }
    }
    assert!(sent > 3_000_000);
    s.stack.close(id);
    s.next();
    let end = sent + 1;
    s.inject(&format!("F. 1 ack {end}"));
    s.next();
    assert_eq!(s.state(), State::TimeWait);
    s.pass(100);
    let (old, before) = (s.iss.unwrap(), s.irs);
    s.inject("S 77");
    (s.irs, s.iss) = (before + 77, None);
    s.expect("S. 0 ack 1 <mss 1460>");
    assert!(old + end < s.iss.unwrap());
}

#[test]
fn an_old_duplicate_that_passed_for_a_fresh_syn_leads_back_to_time_wait() {
    // RFC 9293 section 3.6.1 (2).
    let mut s = in_time_wait(|config| config.report_states = true);
    let (before, old) = (s.irs, s.iss);
    s.inject("S 500");
    (s.irs, s.iss) = (before + 500, None);
    s.expect("S. 0 ack 1 <mss 1460>");
    changes(&mut s);
    s.inject("R 1");
    assert_eq!(s.state(), State::TimeWait);
    assert_eq!(changes(&mut s), [(State::SynReceived, State::TimeWait)]);
    assert_eq!(s.stack.half_open_count(), 0);
    (s.irs, s.iss) = (before, old);
    s.inject("F. 1 ack 2");
    s.expect(". 2 ack 2");
}

#[test]
fn a_handle_outlives_the_quad() {
    // The user has shut down, not closed: it learns that its connection is over.
    let (mut s, id) = Script::established(65535);
    s.inject("P. 1:6 ack 1");
    s.stack.shutdown(id).unwrap();
    s.expect("F. 1 ack 6");
    s.inject("F. 6 ack 2");
    s.expect(". 2 ack 7");
    s.events();
    let before = s.irs;
    s.inject("S 1000");
    (s.irs, s.iss) = (before + 1000, None);
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    let closed = Event::Closed(id, CloseReason::Finished);
    assert!(s.events().contains(&closed));
    s.read(id, 5);
    let next = s.accept();
    assert_ne!(next, id);
    s.stack.close(id);
    assert_eq!(s.stack.state(next), Some(State::Established));
}

#[test]
fn a_syn_without_a_listener_does_not_end_time_wait() {
    let mut s = in_time_wait(|_| {});
    s.stack.unlisten(s.listener);
    s.inject("S 5000");
    s.expect(". 2 ack 2");
    assert_eq!(s.state(), State::TimeWait);
}

#[test]
fn a_quad_in_time_wait_gets_no_cookie() {
    let mut s = in_time_wait(|config| config.max_half_open = 1);
    open_from(&mut s, 1, false);
    let old = s.iss.unwrap();
    s.peer = PEER;
    let before = s.irs;
    s.inject("S 5000");
    (s.irs, s.iss) = (before + 5000, None);
    s.expect("S. 0 ack 1 <mss 1460>");
    assert_ne!(s.iss, Some(old));
    assert_eq!(s.state(), State::SynReceived);
    assert_eq!(s.stack.counters().half_open_recycled, 1);
    assert_eq!(s.stack.counters().syn_cookies_sent, 0);
}

#[test]
fn a_reset_does_not_assassinate_time_wait() {
    // RFC 1337.
    let mut s = in_time_wait(|_| {});
    for reset in ["R 2", "R. 2 ack 2", "R 100", "R 70000"] {
        s.inject(reset);
        s.expect_nothing();
        assert_eq!(s.state(), State::TimeWait);
    }
    let ignored = s.stack.counters().dropped(DropReason::IgnoredReset);
    assert_eq!(ignored, 3);
    // Old text is answered and prolongs nothing.
    s.pass(59_000);
    s.inject(". 0:1 ack 2");
    s.expect(". 2 ack 2");
    s.pass(1_100);
    assert_eq!(s.state(), State::Closed);

    let mut s = in_time_wait(|config| config.tcp.time_wait_protection = false);
    s.inject("R 2");
    assert_eq!(s.state(), State::Closed);
}

#[test]
fn time_wait_has_a_bound() {
    let mut s = Script::with(|config| config.max_time_wait = 3);
    for port in 1..=10 {
        open_from(&mut s, port, true);
        let id = s.accept();
        s.stack.close(id);
        s.expect("F. 1 ack 1");
        s.inject("F. 1 ack 2");
        s.expect(". 2 ack 2");
        s.pass(1000);
        let count = s.stack.time_wait_count();
        assert_eq!(count, usize::from(port.min(3)));
        assert_eq!(s.stack.connection_count(), count);
    }
    assert_eq!(s.stack.counters().time_waits_cut, 7);
    for (port, state) in [(7, State::Closed), (8, State::TimeWait)] {
        s.peer.set_port(port);
        assert_eq!(s.state(), state);
    }
    s.pass(60_000);
    assert_eq!(s.stack.time_wait_count(), 0);
    assert_eq!(s.stack.connection_count(), 0);
}

#[test]
fn time_wait_makes_room_in_a_full_table() {
    let mut s = in_time_wait(|config| config.max_connections = 1);
    // For a SYN alone it does not.
    open_from(&mut s, 1, false);
    s.peer = PEER;
    assert_eq!(s.state(), State::TimeWait);
    s.peer.set_port(1);
    s.inject(". 1 ack 1");
    assert_eq!(s.state(), State::Established);
    s.peer = PEER;
    assert_eq!(s.state(), State::Closed);
    assert_eq!(s.stack.connection_count(), 1);
    let remote = SocketAddrV4::new(*PEER.ip(), 80);
    assert!(s.stack.connect(s.now, remote).is_err());

    let mut s = in_time_wait(|config| config.max_connections = 1);
    assert!(s.stack.connect(s.now, remote).is_ok());
    assert_eq!(s.state(), State::Closed);
}

#[test]
fn an_active_open_keeps_off_a_quad_that_is_half_open() {
    let mut s = Script::new();
    let any = s.stack.listen(Listen::any_port()).unwrap();
    let remote = SocketAddrV4::new(*PEER.ip(), 80);
    // Where the next one would go.
    let probe = s.stack.connect(s.now, remote).unwrap();
    let port = s.stack.quad(probe).unwrap().dst.1;
    s.stack.abort(probe);
    while s.stack.poll_transmit(s.now, &mut [0; 2000]).is_some() {}
    s.peer = remote;
    s.us.set_port(port);
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    let id = s.stack.connect(s.now, remote).unwrap();
    assert_ne!(s.stack.quad(id).unwrap().dst.1, port);
    s.stack.abort(id);
    s.inject("P. 1:6 ack 1");
    let id = s.stack.accept(any).unwrap();
    assert_eq!(s.stack.recv_slices(id)[0], octets(1, 5));
}
