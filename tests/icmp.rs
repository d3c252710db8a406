//! ICMP both ways, and packets that are not to be answered.

mod common;

use std::net::{Ipv4Addr, SocketAddrV4};

use proptest::prelude::*;

use common::script::{PEER, Script, US, octets};
use zerotcp::stack::{ConnectionId, DropReason, Event, Network, SocketError};
use zerotcp::tcp::{CloseReason, State};
use zerotcp::wire::{
    Icmpv4Builder, Icmpv4Type, IpProtocol, Ipv4Builder, Ipv4Packet, Ipv4PacketMut,
};

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// An ICMP message to us.
fn message(src: Ipv4Addr, kind: Icmpv4Type, code: u8, rest: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; 28 + body.len()];
    Icmpv4Builder::new(src, *US.ip(), kind, code)
        .rest(rest)
        .write(&mut buffer, body)
        .unwrap();
    buffer
}

fn error(kind: Icmpv4Type, code: u8, quote: &[u8]) -> Vec<u8> {
    message(ROUTER, kind, code, [0; 4], quote)
}

fn unreachable(code: u8, quote: &[u8]) -> Vec<u8> {
    error(Icmpv4Type::DESTINATION_UNREACHABLE, code, quote)
}

fn ping(len: usize) -> Vec<u8> {
    let kind = Icmpv4Type::ECHO_REQUEST;
    message(*PEER.ip(), kind, 0, [1, 2, 3, 4], &octets(0, len))
}

/// A packet of another protocol than TCP and ICMP.
fn foreign(protocol: IpProtocol, len: usize) -> Vec<u8> {
    let mut buffer = vec![0; 20 + len];
    Ipv4Builder::new(*PEER.ip(), *US.ip(), protocol)
        .dscp(46)
        .write(&mut buffer, &octets(0, len))
        .unwrap();
    buffer
}

/// A host that has sent a SYN, and the start of that as a router quotes it.
fn opening() -> (Script, ConnectionId, Vec<u8>) {
    let mut s = Script::new();
    s.peer = SocketAddrV4::new(*PEER.ip(), 80);
    let id = s.stack.connect(s.now, s.peer).unwrap();
    let syn = s.next_packet().unwrap();
    (s, id, syn[..28].to_vec())
}

/// An established connection with one segment in flight, and the start of that.
fn in_flight() -> (Script, ConnectionId, Vec<u8>) {
    let (mut s, id) = Script::established(65535);
    s.send(id, 100);
    let quote = s.next_packet().unwrap()[..28].to_vec();
    (s, id, quote)
}

#[test]
fn a_ping_larger_than_a_packet_is_answered_in_fragments() {
    let mut s = Script::new();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let request = ping(3000);
        let whole = Ipv4Packet::parse(&request).unwrap();
        for (n, data) in whole.payload().chunks(1480).enumerate() {
            let mut fragment = vec![0; 20 + data.len()];
            Ipv4Builder::new(whole.src(), whole.dst(), IpProtocol::ICMP)
                .identification(9 + ids.len() as u16)
                .dont_fragment(false)
                .fragment(n as u16 * 1480, n < 2)
                .write(&mut fragment, data)
                .unwrap();
            s.raw(&fragment);
        }
        let mut reply = Vec::new();
        let mut sizes = Vec::new();
        while let Some(packet) = s.next_packet() {
            let packet = Ipv4Packet::parse(&packet).unwrap();
            assert!(!packet.dont_fragment() && packet.identification() != 0);
            assert_eq!(usize::from(packet.fragment_offset()), reply.len());
            reply.extend_from_slice(packet.payload());
            assert_eq!(packet.more_fragments(), reply.len() < 3008);
            sizes.push(packet.total_length());
            ids.push(packet.identification());
        }
        assert_eq!(sizes, [1500, 1500, 68]);
        assert_eq!((reply[0], &reply[4..8]), (0, &[1, 2, 3, 4][..]));
        assert_eq!(reply[8..], octets(0, 3000));
        assert!(zerotcp::wire::Checksum::of(&reply).is_valid());
    }
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[0] != ids[3]);
    assert_eq!(s.stack.counters().echo_replies, 2);
}

#[test]
fn what_may_be_fragmented_on_its_way_has_a_number() {
    let mut s = Script::with(|config| config.ttl = 17);
    let mut reply = |len: usize| {
        let mut request = ping(len);
        Ipv4PacketMut::parse(&mut request).unwrap().set_dscp(10);
        s.raw(&request);
        let packet = s.next_packet().unwrap();
        let packet = Ipv4Packet::parse(&packet).unwrap();
        assert_eq!((packet.ttl(), packet.dscp(), packet.ecn()), (17, 10, 0));
        (packet.dont_fragment(), packet.identification())
    };
    // RFC 6864: nobody makes it smaller, so it needs none.
    assert_eq!(reply(500), (true, 0));
    let (dont_fragment, first) = reply(1000);
    let (_, second) = reply(1000);
    assert!(!dont_fragment && first != 0 && second != 0 && first != second);
    // Nor does what we make smaller ourselves stay in one piece (found by simulation).
    let mut s = Script::with(|config| config.mtu = 200);
    s.raw(&ping(300));
    let mut fragments = 0;
    while let Some(packet) = s.next_packet() {
        let packet = Ipv4Packet::parse(&packet).unwrap();
        assert!(packet.is_fragment() && !packet.dont_fragment() && packet.identification() != 0);
        fragments += 1;
    }
    assert_eq!(fragments, 2);
}

#[test]
fn other_protocols_are_told_that_they_are_not_known() {
    let mut s = Script::new();
    for (protocol, code) in [
        (IpProtocol(132), 2),
        (IpProtocol(4), 2),
        (IpProtocol::UDP, 3),
    ] {
        for len in [8, 100, 1000] {
            let packet = foreign(protocol, len);
            s.raw(&packet);
            let reply = s.next_packet().expect("an error");
            let reply = Ipv4Packet::parse(&reply).unwrap();
            let message = reply.icmpv4().unwrap();
            assert_eq!(message.kind(), Icmpv4Type::DESTINATION_UNREACHABLE);
            assert_eq!((message.code(), message.rest()), (code, [0; 4]));
            assert_eq!((reply.src(), reply.dst()), (*US.ip(), *PEER.ip()));
            assert_eq!((reply.dscp(), reply.ecn()), (0, 0));
            // As much as fits 576 bytes, as it came.
            assert_eq!(message.body(), &packet[..packet.len().min(548)]);
        }
    }
    assert_eq!(s.stack.counters().dropped(DropReason::UnknownProtocol), 9);
    assert_eq!(s.stack.counters().icmp_errors_sent, 9);
}

#[test]
fn errors_are_not_sent_about_everything() {
    let mut s = Script::with(|config| config.networks.push(Network::new(*US.ip(), 24)));
    let sound = foreign(IpProtocol::UDP, 100);
    let changed = |change: &dyn Fn(&mut Ipv4PacketMut<'_>)| {
        let mut packet = sound.clone();
        change(&mut Ipv4PacketMut::parse(&mut packet).unwrap());
        packet
    };
    let silent = [
        // Not the first fragment.
        changed(&|p| p.set_fragment_offset(8)),
        // To many hosts.
        changed(&|p| p.set_dst(Ipv4Addr::BROADCAST)),
        changed(&|p| p.set_dst(Ipv4Addr::new(192, 168, 0, 255))),
        changed(&|p| p.set_dst(Ipv4Addr::new(224, 0, 0, 1))),
        // From no single host.
        changed(&|p| p.set_src(Ipv4Addr::UNSPECIFIED)),
        changed(&|p| p.set_src(Ipv4Addr::LOCALHOST)),
        changed(&|p| p.set_src(Ipv4Addr::BROADCAST)),
        changed(&|p| p.set_src(Ipv4Addr::new(192, 168, 0, 255))),
        changed(&|p| p.set_src(Ipv4Addr::new(192, 168, 0, 0))),
        changed(&|p| p.set_src(Ipv4Addr::new(239, 1, 2, 3))),
        changed(&|p| p.set_src(Ipv4Addr::new(240, 0, 0, 1))),
        changed(&|p| p.set_src(*US.ip())),
    ];
    for packet in silent {
        s.raw(&packet);
        assert!(s.next_packet().is_none());
    }
    s.raw(&sound);
    assert!(s.next_packet().is_some());
    // Nor does anybody connect there (MUST-46).
    let remote = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 255), 80);
    assert!(s.stack.connect(s.now, remote).is_err());
}

#[test]
fn errors_are_sent_at_a_bounded_rate() {
    let mut s = Script::new();
    let sent = |s: &mut Script| {
        for _ in 0..200 {
            s.raw(&foreign(IpProtocol::UDP, 8));
        }
        std::iter::from_fn(|| s.next_packet()).count()
    };
    assert_eq!(sent(&mut s), 50);
    s.pass(100);
    assert_eq!(sent(&mut s), 10);
    s.pass(10_000);
    assert_eq!(sent(&mut s), 50);
    assert_eq!(s.stack.counters().icmp_errors_withheld, 600 - 110);
}

#[test]
fn what_asks_nothing_gets_no_answer() {
    let (mut s, id, quote) = in_flight();
    let before = s.stack.info(id).unwrap();
    // Source quench (MUST-55), redirect, echo reply, timestamp, and what nobody knows.
    for kind in [4, 5, 0, 13, 17, 40, 255] {
        s.raw(&error(Icmpv4Type(kind), 0, &quote));
    }
    s.raw(&unreachable(99, &quote));
    assert!(s.next_packet().is_none());
    assert_eq!(s.stack.info(id).unwrap(), before);
    assert_eq!(s.stack.counters().dropped(DropReason::UnhandledIcmp), 8);
}

#[test]
fn a_hard_error_ends_an_active_open() {
    for code in [2, 3] {
        let (mut s, id, quote) = opening();
        s.raw(&unreachable(code, &quote));
        assert_eq!(s.events(), [Event::Closed(id, CloseReason::Unreachable)]);
        assert_eq!(s.stack.recv(id, &mut [0; 8]), Err(SocketError::Unreachable));
        s.pass(10_000);
        s.expect_nothing();
    }
}

#[test]
fn a_soft_error_ends_nothing() {
    // MUST-56.
    let errors = [0, 1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
        .map(|code| (Icmpv4Type::DESTINATION_UNREACHABLE, code))
        .into_iter()
        .chain([0, 1].map(|code| (Icmpv4Type::TIME_EXCEEDED, code)))
        .chain([0, 1].map(|code| (Icmpv4Type::PARAMETER_PROBLEM, code)));
    let (mut opened, id, syn) = opening();
    let (mut s, open, quote) = in_flight();
    for (n, (kind, code)) in errors.enumerate() {
        opened.raw(&error(kind, code, &syn));
        assert_eq!(opened.stack.state(id), Some(State::SynSent));
        s.raw(&error(kind, code, &quote));
        assert_eq!(s.stack.state(open), Some(State::Established));
        assert_eq!(s.stack.counters().icmp_errors_received, n as u64 + 1);
    }
    // The timer does not take them for more than they are.
    s.pass(1000);
    s.expect("P. 1:101 ack 1");
    s.inject(". 1 ack 101");
    opened.iss = None;
    opened.pass(1100);
    opened.next_packet().expect("the SYN again");
    assert_eq!(opened.stack.state(id), Some(State::SynSent));
}

#[test]
fn a_hard_error_ends_a_connection_only_if_nothing_gets_through() {
    // RFC 5927 section 5.2, SHLD-26.
    for code in [2, 3] {
        let (mut s, _, quote) = in_flight();
        s.raw(&unreachable(code, &quote));
        assert_eq!(s.state(), State::Established);
        // The peer is there, so it was forged.
        s.inject(". 1 ack 101");
        s.pass(60_000);
        assert_eq!(s.state(), State::Established);

        // Nor does one timeout, which any lost segment may bring.
        let (mut s, id, quote) = in_flight();
        s.raw(&unreachable(code, &quote));
        s.pass(300);
        s.expect("P. 1:101 ack 1");
        assert_eq!(s.state(), State::Established);
        for _ in 0..3 {
            s.pass(2_000);
            s.drain();
        }
        assert_eq!(s.state(), State::Closed);
        let closed = Event::Closed(id, CloseReason::Unreachable);
        assert_eq!(s.events().last(), Some(&closed));
        assert_eq!(s.stack.counters().connections_unreachable, 1);
    }
}

#[test]
fn an_error_is_about_what_is_in_flight_or_about_nothing() {
    let (mut s, id, quote) = opening();
    let mut changed = |place: usize, by: u8| {
        let mut other = quote.clone();
        other[place] = other[place].wrapping_add(by);
        s.raw(&unreachable(3, &other));
        assert_eq!(s.stack.state(id), Some(State::SynSent), "byte {place}");
    };
    // Addresses, ports, number.
    for place in (12..28).filter(|place| *place != 27) {
        changed(place, 1);
    }
    // SND.NXT, and before SND.UNA.
    changed(27, 1);
    changed(27, 255);
    assert_eq!(s.stack.counters().dropped(DropReason::StrayIcmp), 17);
    // To another address of ours than the segment came from.
    let (mut s, id, quote) = opening();
    let elsewhere = Ipv4Addr::new(192, 168, 0, 3);
    let mut two = Script::with(|config| config.addresses.push(elsewhere));
    two.peer = s.peer;
    let other = two.stack.connect(two.now, two.peer).unwrap();
    let syn = two.next_packet().unwrap();
    let mut packet = unreachable(3, &syn[..28]);
    Ipv4PacketMut::parse(&mut packet)
        .unwrap()
        .set_dst(elsewhere);
    two.raw(&packet);
    assert_eq!(two.stack.state(other), Some(State::SynSent));
    // And the right one does.
    s.raw(&unreachable(3, &quote));
    assert_eq!(s.stack.state(id), Some(State::Closed));
}

#[test]
fn a_quote_that_is_cut_or_damaged_is_about_nothing() {
    let (mut s, id, quote) = opening();
    for len in 0..28 {
        s.raw(&unreachable(3, &quote[..len]));
    }
    for first in [0x44, 0x4f, 0x40, 0x65, 0x05, 0x00] {
        let mut damaged = quote.clone();
        damaged[0] = first;
        s.raw(&unreachable(3, &damaged));
    }
    // A later fragment has no ports.
    let mut fragment = quote.clone();
    fragment[7] = 1;
    s.raw(&unreachable(3, &fragment));
    assert_eq!(s.stack.state(id), Some(State::SynSent));
    assert_eq!(s.stack.counters().dropped(DropReason::MalformedIcmp), 35);
    // Of a message too short for its own header (CVE-2020-11910).
    for len in 0..8 {
        let mut buffer = vec![0; 20 + len];
        Ipv4Builder::new(ROUTER, *US.ip(), IpProtocol::ICMP)
            .write(&mut buffer, &vec![8; len])
            .unwrap();
        s.raw(&buffer);
    }
    assert!(s.next_packet().is_none());
}

proptest! {
    /// Whatever a message says, nobody panics, and a connection lives as long as its peer
    /// answers.
    #[test]
    fn no_message_harms_a_connection_that_works(
        messages in proptest::collection::vec(
            (0..20u8, 0..17u8, any::<[u8; 4]>(), 0..40usize, any::<[u8; 3]>(), 0..41usize),
            1..30,
        ),
    ) {
        let (mut s, id) = Script::established(65535);
        let mut next = 1;
        for (kind, code, rest, place, noise, len) in messages {
            s.send(id, 100);
            let segment = s.next_packet().unwrap();
            let mut quote = segment[..40].to_vec();
            for (byte, noise) in quote[place..].iter_mut().zip(noise) {
                *byte ^= noise & noise.rotate_left(4);
            }
            quote.truncate(len);
            s.raw(&message(ROUTER, Icmpv4Type(kind), code, rest, &quote));
            next += 100;
            s.inject(&format!(". 1 ack {next}"));
            s.pass(10);
            while s.next_packet().is_some() {}
        }
        s.pass(100_000);
        assert_eq!(s.state(), State::Established);
        assert!(s.stack.info(id).unwrap().send_mss >= 512);
    }
}

#[test]
fn options_are_ignored_unless_they_are_malformed() {
    let mut s = Script::new();
    let mut ping_with = |options: &[u8]| {
        let request = ping(40);
        let whole = Ipv4Packet::parse(&request).unwrap();
        let mut buffer = vec![0; 200];
        let len = Ipv4Builder::new(*PEER.ip(), *US.ip(), IpProtocol::ICMP)
            .options(options)
            .write(&mut buffer, whole.payload())
            .unwrap();
        let before = s.stack.counters().clone();
        s.raw(&buffer[..len]);
        if let Some(reply) = s.next_packet() {
            let reply = Ipv4Packet::parse(&reply).unwrap();
            assert_eq!((reply.dst(), reply.options()), (*PEER.ip(), &[][..]));
            return None;
        }
        let after = s.stack.counters();
        after
            .drops()
            .find(|(reason, count)| *count > before.dropped(*reason))
            .map(|(reason, _)| reason)
    };
    let malformed = Some(DropReason::MalformedIpv4);
    // MUST-50: none of these means anything to us.
    assert_eq!(ping_with(&[1, 1, 1, 0]), None);
    assert_eq!(ping_with(&[7, 7, 4, 0, 0, 0, 0, 0]), None, "record route");
    assert_eq!(ping_with(&[68, 8, 5, 0, 0, 0, 0, 0]), None, "timestamp");
    assert_eq!(ping_with(&[136, 4, 1, 2]), None, "stream identifier");
    assert_eq!(ping_with(&[148, 4, 0, 0]), None, "router alert");
    assert_eq!(ping_with(&[222, 6, 1, 2, 3, 4]), None, "unknown");
    assert_eq!(ping_with(&[0, 222, 0, 0]), None, "after the end");
    // Lengths of 0 and 1, past the end, without length.
    assert_eq!(ping_with(&[7, 0, 0, 0]), malformed);
    assert_eq!(ping_with(&[222, 1, 0, 0]), malformed);
    assert_eq!(ping_with(&[222, 5, 0, 0]), malformed);
    assert_eq!(ping_with(&[1, 1, 1, 222]), malformed);
    assert_eq!(ping_with(&[222; 40]), malformed);
    // A source route that ends here is answered straight to the source.
    let route = |kind, pointer| [kind, 7, pointer, 203, 0, 113, 9];
    for kind in [131, 137] {
        assert_eq!(ping_with(&route(kind, 8)), None);
        assert_eq!(ping_with(&route(kind, 4)), Some(DropReason::SourceRoute));
        assert_eq!(ping_with(&route(kind, 0)), Some(DropReason::SourceRoute));
        assert_eq!(ping_with(&[kind, 2, 0, 0]), malformed);
    }
    assert_eq!(
        ping_with(&[route(131, 8), route(137, 8)].concat()),
        malformed
    );
}

#[test]
fn bad_lengths_of_a_packet_are_refused() {
    // Rows 4 to 6 of what brought other stacks down.
    let (mut s, id) = Script::established(65535);
    let sound = s.segment("P. 1:6 ack 1");
    let with = |place: usize, value: &[u8]| {
        let mut packet = sound.clone();
        packet[place..place + value.len()].copy_from_slice(value);
        // The header checksum is right, so that the lengths are what is wrong.
        packet[10..12].fill(0);
        let header_len = usize::from(packet[0] & 15) * 4;
        let header = packet.get(..header_len).unwrap_or(&packet[..20]);
        let checksum = zerotcp::wire::Checksum::of(header).finish();
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        packet
    };
    let total = |len: u16| with(2, &len.to_be_bytes());
    let mut packets = vec![with(0, &[0x44]), with(0, &[0x40]), with(0, &[0x4f])];
    // Shorter than the header, than both headers; longer than what came.
    packets.extend([0, 19, 20, 30, 39, 46, 1500, u16::MAX].map(total));
    for data_offset in [0, 4, 7, 15] {
        packets.push(with(32, &[data_offset << 4]));
    }
    for packet in packets {
        s.raw(&packet);
        let mut cut = packet;
        cut.truncate(30);
        s.raw(&cut);
    }
    let counters = s.stack.counters();
    let dropped = [
        DropReason::MalformedIpv4,
        DropReason::MalformedTcp,
        DropReason::BadTcpChecksum,
    ]
    .map(|reason| counters.dropped(reason));
    assert_eq!(dropped.iter().sum::<u64>(), 30);
    s.read(id, 0);
    s.raw(&sound);
    s.read(id, 5);
}

#[test]
fn the_time_to_live_does_not_matter_at_its_end() {
    // RFC 1122 section 3.2.1.7.
    for ttl in [0, 1] {
        let mut s = Script::new();
        let mut request = ping(8);
        Ipv4PacketMut::parse(&mut request).unwrap().set_ttl(ttl);
        s.raw(&request);
        assert!(s.next_packet().is_some());
        let mut syn = s.segment("S 0");
        Ipv4PacketMut::parse(&mut syn).unwrap().set_ttl(ttl);
        s.raw(&syn);
        assert!(
            s.next()
                .is_some_and(|answer| answer.starts_with("S. 0 ack 1"))
        );
    }
}
