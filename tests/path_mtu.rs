//! Paths that take less than the link: what ICMP says of them, and what it does not.

mod common;

use std::net::SocketAddrV4;
use std::time::Duration;

use common::script::{PEER, Script, US};
use zerotcp::stack::{Config, ConnectionId, DropReason};
use zerotcp::wire::{Icmpv4Builder, Icmpv4Type, Ipv4Packet, TcpFlags, TcpPacket};

/// What a router does with a packet that is too large.
#[derive(Clone, Copy)]
enum Router {
    /// It says which MTU the next hop has.
    Says,
    /// It is older than RFC 1191 and says that it was too large.
    Complains,
    /// It says nothing: a black hole.
    Silent,
}

/// A path and the peer at its end, which acknowledges what comes in order.
struct Path {
    mtu: usize,
    router: Router,
    /// The next octet that the peer waits for, and what it has beyond.
    next: u32,
    ahead: Vec<(u32, u32)>,
    /// Packets that came through: their length, DF, identification.
    passed: Vec<(usize, bool, u16)>,
    too_big: usize,
}

impl Path {
    fn new(mtu: usize, router: Router) -> Path {
        Path {
            mtu,
            router,
            next: 1,
            ahead: Vec::new(),
            passed: Vec::new(),
            too_big: 0,
        }
    }

    /// Packets go out and answers come back until nobody has anything to say.
    fn run(&mut self, s: &mut Script) {
        loop {
            let packets: Vec<_> = std::iter::from_fn(|| s.next_packet()).collect();
            if packets.is_empty() {
                return;
            }
            let mut arrived = false;
            for packet in packets {
                let parsed = TcpPacket::parse(&packet).unwrap();
                if packet.len() > self.mtu && parsed.ip.dont_fragment() {
                    self.too_big += 1;
                    self.complain(s, &packet);
                    continue;
                }
                let ip = parsed.ip;
                let form = (packet.len(), ip.dont_fragment(), ip.identification());
                self.passed.push(form);
                let start = parsed.tcp.seq() - s.iss.unwrap();
                let fin = u32::from(parsed.tcp.flags().contains(TcpFlags::FIN));
                let end = start + parsed.tcp.payload().len() as u32 + fin;
                self.ahead.push((start, end));
                arrived |= end > start;
            }
            self.ahead.sort();
            for (start, end) in &self.ahead {
                if *start <= self.next {
                    self.next = self.next.max(*end);
                }
            }
            self.ahead.retain(|(_, end)| *end > self.next);
            if arrived {
                s.inject(&format!(". 1 ack {} win 65535", self.next));
            }
        }
    }

    fn complain(&self, s: &mut Script, packet: &[u8]) {
        match self.router {
            Router::Says => s.raw(&too_big(self.mtu as u16, packet)),
            Router::Complains => s.raw(&too_big(0, packet)),
            Router::Silent => {}
        }
    }

    /// The same while time passes, timer by timer, for so many milliseconds.
    fn run_for(&mut self, s: &mut Script, millis: u64) {
        let end = s.now + Duration::from_millis(millis);
        self.run(s);
        while let Some(due) = s.stack.poll_timeout().filter(|due| *due <= end) {
            s.now = s.now.max(due);
            s.stack.handle_timeout(s.now);
            self.run(s);
        }
        s.now = end;
        s.stack.handle_timeout(end);
        self.run(s);
    }
}

/// Fragmentation needed and DF set, as a router on the way says it of `packet`.
fn too_big(mtu: u16, packet: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; 56];
    let [high, low] = mtu.to_be_bytes();
    let kind = Icmpv4Type::DESTINATION_UNREACHABLE;
    Icmpv4Builder::new([192, 0, 2, 1].into(), *US.ip(), kind, 4)
        .rest([0, 0, high, low])
        .write(&mut buffer, &packet[..28])
        .unwrap();
    buffer
}

/// A connection whose peer takes 1460 octets in a segment.
fn open(change: impl FnOnce(&mut Config)) -> (Script, ConnectionId) {
    open_on(Script::with(change))
}

fn open_on(mut s: Script) -> (Script, ConnectionId) {
    s.iss = None;
    s.inject("S 0 win 65535 <mss 1460>");
    // What we take does not depend on what the path takes (RFC 1191 section 3.1).
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1 win 65535");
    let id = s.accept();
    s.expect_nothing();
    (s, id)
}

fn mtu(s: &Script, id: ConnectionId) -> u16 {
    s.stack.info(id).unwrap().path_mtu
}

#[test]
fn a_narrow_path_is_found_in_a_round_trip() {
    let (mut s, id) = open(|_| {});
    let cwnd = s.stack.info(id).unwrap().cwnd;
    s.send(id, 100_000);
    let mut path = Path::new(1000, Router::Says);
    let start = s.now;
    path.run(&mut s);
    assert_eq!(path.next, 100_001, "all of it arrived");
    assert_eq!(s.now, start, "and no timer was needed");
    assert_eq!(mtu(&s, id), 1000);
    let info = s.stack.info(id).unwrap();
    assert_eq!(info.send_mss, 960);
    // It was no congestion (RFC 1191 section 6.4): the window holds as many segments as
    // before (RFC 5681 section 3.1).
    assert!(info.cwnd / 960 >= cwnd / 1460);
    // The first window, and nothing after.
    assert_eq!(path.too_big, 10);
    assert!(
        path.passed
            .iter()
            .all(|(len, dont_fragment, _)| *len <= 1000 && *dont_fragment)
    );
}

#[test]
fn an_old_router_does_not_say_how_much_is_too_much() {
    // RFC 1191 section 5. In steps down the table: 1006, 508; the latter is less than we
    // send, so 552 without DF.
    let (mut s, id) = open(|_| {});
    s.send(id, 20_000);
    let mut path = Path::new(1000, Router::Complains);
    path.run(&mut s);
    assert_eq!(path.next, 20_001);
    assert_eq!(mtu(&s, id), 508);

    let (mut s, id) = open(|config| config.tcp.min_path_mtu = 68);
    s.send(id, 20_000);
    let mut path = Path::new(300, Router::Complains);
    path.run(&mut s);
    assert_eq!(path.next, 20_001);
    assert_eq!(mtu(&s, id), 296);
    assert!(
        path.passed
            .iter()
            .all(|(len, dont_fragment, _)| *len <= 296 && *dont_fragment)
    );
}

#[test]
fn what_takes_less_than_we_send_may_fragment() {
    let (mut s, id) = open(|_| {});
    s.send(id, 20_000);
    let mut path = Path::new(300, Router::Says);
    path.run(&mut s);
    assert_eq!(path.next, 20_001);
    assert_eq!(mtu(&s, id), 300);
    let ids: std::collections::BTreeSet<_> = path.passed.iter().map(|(.., id)| *id).collect();
    assert!(
        path.passed
            .iter()
            .all(|(len, dont_fragment, _)| *len <= 552 && !dont_fragment)
    );
    // RFC 6864: each has its own.
    assert_eq!(ids.len(), path.passed.len());
    assert!(!ids.contains(&0));
}

#[test]
fn a_forged_claim_does_nothing_to_a_connection_that_works() {
    // RFC 5927 section 7.
    let (mut s, id) = open(|_| {});
    let mut path = Path::new(1500, Router::Says);
    s.send(id, 10_000);
    path.run(&mut s);
    for round in 0..20 {
        s.send(id, 3_000);
        let packet = s.next_packet().unwrap();
        assert_eq!(packet.len(), 1500, "round {round}");
        s.raw(&too_big(68 + 70 * round, &packet));
        // The quoted segment, which arrived of course.
        let mut lost = Some(packet);
        while let Some(packet) = lost.take().or_else(|| s.next_packet()) {
            let parsed = TcpPacket::parse(&packet).unwrap();
            path.next += parsed.tcp.payload().len() as u32;
        }
        s.inject(&format!(". 1 ack {} win 65535", path.next));
        s.pass(10);
    }
    // Nor does a timeout later on bring it back.
    s.send(id, 1_460);
    assert_eq!(s.next_packet().unwrap().len(), 1500);
    s.pass(1_000);
    assert_eq!(s.next_packet().unwrap().len(), 1500);
    assert_eq!(mtu(&s, id), 1500);
    assert_eq!(s.stack.counters().dropped(DropReason::StrayIcmp), 0);
}

#[test]
fn a_path_that_becomes_narrow_is_believed_when_nothing_gets_through() {
    let (mut s, id) = open(|_| {});
    let mut path = Path::new(1500, Router::Says);
    s.send(id, 50_000);
    path.run(&mut s);
    assert_eq!((path.next, path.too_big), (50_001, 0));
    path.mtu = 1000;
    s.send(id, 50_000);
    path.run(&mut s);
    assert_eq!(mtu(&s, id), 1500, "not yet");
    path.run_for(&mut s, 1_000);
    assert_eq!(path.next, 100_001, "one timeout is enough");
    assert_eq!(mtu(&s, id), 1000);
}

#[test]
fn claims_that_cannot_be_true_are_dropped() {
    let (mut s, id) = open(|_| {});
    s.send(id, 1_000);
    let packet = s.next_packet().unwrap();
    assert_eq!(packet.len(), 1040);
    // Less than any network takes; not less than what is sent; more than was sent.
    let claims = [1, 67, 1041, 1499, 1500, u16::MAX];
    for claim in claims {
        s.raw(&too_big(claim, &packet));
    }
    // About what is not in flight.
    for by in [1, 2, 255] {
        let mut other = packet.clone();
        other[26] = other[26].wrapping_add(by << 3);
        s.raw(&too_big(600, &other));
    }
    assert_eq!(mtu(&s, id), 1500);
    assert_eq!(s.stack.counters().dropped(DropReason::StrayIcmp), 9);
    s.expect_nothing();
    // Nor does one about a handshake count.
    let remote = SocketAddrV4::new(*PEER.ip(), 81);
    let opening = s.stack.connect(s.now, remote).unwrap();
    let syn = s.next_packet().unwrap();
    s.raw(&too_big(68, &syn));
    assert_eq!(mtu(&s, opening), 536 + 40);
    // The true one is heard, once.
    s.raw(&too_big(700, &packet));
    s.raw(&too_big(700, &packet));
    assert_eq!(s.stack.counters().dropped(DropReason::StrayIcmp), 11);
    assert_eq!(mtu(&s, id), 700);
    s.expect(". 1:661 ack 1");
    s.expect("P. 661:1001 ack 1");
}

#[test]
fn a_black_hole_is_left_by_smaller_segments() {
    // RFC 4821 section 7.7.
    for (narrow, text) in [(1100, 1024), (700, 536)] {
        let (mut s, id) = open(|_| {});
        s.send(id, 20_000);
        let mut path = Path::new(narrow, Router::Silent);
        // 200, 400 and 800 ms.
        path.run_for(&mut s, 1_350);
        assert_eq!(path.next, 1);
        path.run_for(&mut s, 100_000);
        assert_eq!(path.next, 20_001);
        assert_eq!(s.stack.info(id).unwrap().send_mss, text);
        // Those that follow know.
        s.peer.set_port(50_000);
        let (mut s, id) = open_on(s);
        assert_eq!(s.stack.info(id).unwrap().send_mss, text);
        // Later, when it is forgotten, this one keeps to what works.
        let mut path = Path::new(narrow, Router::Silent);
        path.run_for(&mut s, 3_600_000);
        assert_eq!(s.stack.info(id).unwrap().send_mss, 1460.min(text));
    }
    let (mut s, id) = open(|config| config.tcp.black_hole_timeouts = 0);
    s.send(id, 20_000);
    Path::new(1100, Router::Silent).run_for(&mut s, 100_000);
    assert_eq!(s.stack.info(id).unwrap().send_mss, 1460);
}

#[test]
fn options_count_in_a_black_hole() {
    // 533 octets and 12 of timestamps: more than the 536 that fit everywhere.
    let mut s = Script::new();
    s.inject("S 0 win 65535 <mss 1460,nop,nop,ts 1 0>");
    s.expect("S. 0 ack 1 <mss 1460,nop,nop,ts 0 1>");
    s.inject(". 1 ack 1 win 65535 <nop,nop,ts 1 0>");
    let id = s.accept();
    s.expect_nothing();
    s.send(id, 533);
    // At once, and after two timeouts; the third is one too many.
    for _ in 0..3 {
        let (_, sent) = s.wait();
        assert!(sent.starts_with("P. 1:534 "), "{sent}");
    }
    let (_, sent) = s.wait();
    assert!(sent.starts_with(". 1:525 "), "{sent}");
}

/// What was sent is a little too large by its options alone.
#[test]
fn options_count_where_the_path_shrinks() {
    let mut s = Script::new();
    s.inject("S 0 win 65535 <mss 1460,nop,nop,ts 1 0>");
    s.expect("S. 0 ack 1 <mss 1460,nop,nop,ts 0 1>");
    s.inject(". 1 ack 1 win 65535 <nop,nop,ts 1 0>");
    let id = s.accept();
    s.send(id, 1448);
    let packet = s.next_packet().unwrap();
    assert_eq!(packet.len(), 1500);
    s.raw(&too_big(1490, &packet));
    // 1438 octets and the rest, at once.
    let sizes = [s.next_packet(), s.next_packet()].map(|packet| packet.map(|packet| packet.len()));
    assert_eq!(sizes, [Some(1490), Some(62)]);
}

/// Duplicate acknowledgments of a peer without SACK have told that something has left the network;
/// of what is too large for the path nothing is in it.
#[test]
fn what_duplicates_told_of_is_not_in_flight_when_all_was_too_large() {
    let (mut s, id) = open(|_| {});
    s.send(id, 14_600);
    let first = s.next_packet().unwrap();
    while s.next_packet().is_some() {}
    for _ in 0..2 {
        s.inject(". 1 ack 1 win 65535");
    }
    s.raw(&too_big(1000, &first));
    // Which audits the connection, too.
    let (_, sent) = s.wait();
    assert!(sent.starts_with(". 1:961 "), "{sent}");
    let info = s.stack.info(id).unwrap();
    assert_eq!(info.in_flight, 960);
}

#[test]
fn an_acknowledgment_larger_than_any_path_takes_may_be_cut() {
    let mut s = Script::new();
    s.inject("S 0 win 65535 <mss 1460,nop,nop,ts 1 0,nop,nop,sackOK>");
    s.expect("S. 0 ack 1 <mss 1460,sackOK,ts 0 1>");
    s.inject(". 1 ack 1 win 65535 <nop,nop,ts 1 0>");
    s.accept();
    // One report fits 68 bytes, two don't.
    for (text, dont_fragment) in [(". 101:201", true), (". 301:401", false)] {
        s.inject(&format!("{text} ack 1 win 65535 <nop,nop,ts 1 0>"));
        let packet = s.next_packet().unwrap();
        let ip = TcpPacket::parse(&packet).unwrap().ip;
        assert_eq!(ip.dont_fragment(), dont_fragment, "{} bytes", packet.len());
        assert_eq!(packet.len() <= 68, dont_fragment);
    }
}

#[test]
fn who_is_gone_makes_no_path_narrow() {
    let (mut s, id) = open(|_| {});
    s.send(id, 20_000);
    let mut path = Path::new(0, Router::Silent);
    path.run_for(&mut s, 30_000);
    assert_eq!(s.stack.info(id).unwrap().send_mss, 536);
    // Smaller ones do not arrive either, so nobody else learns of it.
    s.peer.set_port(50_000);
    let (s, id) = open_on(s);
    assert_eq!(mtu(&s, id), 1500);
}

#[test]
fn an_outage_is_no_black_hole_for_long() {
    let (mut s, id) = open(|_| {});
    let mut path = Path::new(1500, Router::Silent);
    s.send(id, 20_000);
    path.run(&mut s);
    path.mtu = 0;
    s.send(id, 20_000);
    path.run_for(&mut s, 4_000);
    assert!(s.stack.info(id).unwrap().send_mss <= 1024);
    path.mtu = 1500;
    path.run_for(&mut s, 60_000);
    assert_eq!(path.next, 40_001);
    // What got through before was tried again, and nobody else heard of it.
    assert_eq!(s.stack.info(id).unwrap().send_mss, 1460);
    s.peer.set_port(50_000);
    let (s, id) = open_on(s);
    assert_eq!(mtu(&s, id), 1500);
}

#[test]
fn a_path_that_becomes_narrow_and_does_not_say_so_is_tried_twice() {
    let (mut s, id) = open(|_| {});
    let mut path = Path::new(1500, Router::Silent);
    s.send(id, 20_000);
    path.run(&mut s);
    path.mtu = 1100;
    s.send(id, 20_000);
    // 200, 400 and 800 ms; what is smaller gets through, what is large again does not.
    path.run_for(&mut s, 1_500);
    assert!(path.next > 20_001);
    assert!(path.next < 40_001);
    path.run_for(&mut s, 60_000);
    assert_eq!(path.next, 40_001);
    for _ in 0..10 {
        s.send(id, 20_000);
        path.run_for(&mut s, 600_000);
        assert_eq!(s.stack.info(id).unwrap().send_mss, 1024);
    }
}

#[test]
fn an_outage_does_not_undo_what_a_router_has_said() {
    // RFC 1191 section 6.3.
    let (mut s, id) = open(|_| {});
    let mut path = Path::new(1400, Router::Says);
    s.send(id, 20_000);
    path.run(&mut s);
    assert_eq!((mtu(&s, id), path.next), (1400, 20_001));
    path.mtu = 0;
    path.router = Router::Silent;
    s.send(id, 20_000);
    path.run_for(&mut s, 5_000);
    assert!(mtu(&s, id) < 1400, "three timeouts");
    path.mtu = 1400;
    path.router = Router::Says;
    let count = path.too_big;
    path.run_for(&mut s, 20_000);
    assert_eq!((mtu(&s, id), path.next), (1400, 40_001));
    s.send(id, 20_000);
    path.run_for(&mut s, 300_000);
    assert_eq!((mtu(&s, id), path.too_big), (1400, count));
}

#[test]
fn larger_packets_are_tried_again_after_ten_minutes() {
    let (mut s, id) = open(|_| {});
    let mut path = Path::new(1000, Router::Says);
    s.send(id, 20_000);
    path.run(&mut s);
    let count = path.too_big;
    path.run_for(&mut s, 599_000);
    s.send(id, 20_000);
    path.run(&mut s);
    assert_eq!((mtu(&s, id), path.too_big), (1000, count), "not yet");
    path.run_for(&mut s, 1_000);
    // The first acknowledgment after that makes for larger segments.
    s.send(id, 1_000);
    path.run(&mut s);
    assert_eq!((mtu(&s, id), path.too_big), (1500, count));
    // Still narrow, which costs a round trip.
    s.send(id, 19_000);
    path.run(&mut s);
    assert_eq!((mtu(&s, id), path.next), (1000, 60_001));
    assert!(path.too_big > count);
    path.run_for(&mut s, 600_000);
    path.mtu = 1500;
    for _ in 0..2 {
        s.send(id, 10_000);
        path.run(&mut s);
    }
    assert_eq!((mtu(&s, id), path.next), (1500, 80_001));
    assert_eq!(path.passed.last().unwrap().0, 40 + 10_000 % 1460);
}

#[test]
fn less_than_five_minutes_is_taken_as_five() {
    // RFC 1191 section 3.
    let (mut s, id) = open(|config| config.tcp.path_mtu_expiry = Duration::ZERO);
    let mut path = Path::new(1000, Router::Says);
    s.send(id, 20_000);
    path.run_for(&mut s, 299_000);
    s.send(id, 5_000);
    path.run(&mut s);
    assert_eq!(mtu(&s, id), 1000);
    path.mtu = 1500;
    path.run_for(&mut s, 1_000);
    s.send(id, 5_000);
    path.run(&mut s);
    assert_eq!(mtu(&s, id), 1500);
}

#[test]
fn connections_to_the_same_host_begin_with_what_is_known() {
    let (mut s, id) = open(|_| {});
    s.send(id, 20_000);
    Path::new(1000, Router::Says).run(&mut s);
    let open_from = |mut s: Script, port| {
        s.peer.set_port(port);
        open_on(s)
    };
    let (mut s, id) = open_from(s, 50_000);
    assert_eq!(mtu(&s, id), 1000);
    // So do their initial windows: ten of these segments (RFC 6928 section 2).
    assert_eq!(s.stack.info(id).unwrap().cwnd, 9600);
    // Pings too: these can be fragmented.
    let mut ping = vec![0; 1428];
    Icmpv4Builder::new(*PEER.ip(), *US.ip(), Icmpv4Type::ECHO_REQUEST, 0)
        .write(&mut ping, &[0; 1400])
        .unwrap();
    s.raw(&ping);
    let mut sizes = Vec::new();
    while let Some(packet) = s.next_packet() {
        sizes.push(Ipv4Packet::parse(&packet).unwrap().total_length());
    }
    assert_eq!(sizes, [996, 452]);
    // Another host's path is another.
    s.peer.set_ip([192, 168, 0, 9].into());
    let (s, id) = open_on(s);
    assert_eq!(mtu(&s, id), 1500);
    let mut s = s;
    s.peer.set_ip(*PEER.ip());
    s.pass(600_000);
    let (s, id) = open_from(s, 50_001);
    assert_eq!(mtu(&s, id), 1500, "forgotten");
}

#[test]
fn a_tiny_path_does_not_make_a_flood_of_a_ping() {
    let (mut s, id) = open(|_| {});
    s.send(id, 20_000);
    Path::new(68, Router::Says).run(&mut s);
    let mut ping = vec![0; 1428];
    Icmpv4Builder::new(*PEER.ip(), *US.ip(), Icmpv4Type::ECHO_REQUEST, 0)
        .write(&mut ping, &[0; 1400])
        .unwrap();
    s.raw(&ping);
    let mut sizes = Vec::new();
    while let Some(packet) = s.next_packet() {
        let packet = Ipv4Packet::parse(&packet).unwrap();
        // Routers make them smaller.
        assert!(!packet.dont_fragment() && packet.identification() != 0);
        sizes.push(packet.total_length());
    }
    assert_eq!(sizes, [548, 548, 372]);
}
