//! Datagrams that come in pieces.

mod common;

use std::net::Ipv4Addr;

use common::script::{PEER, Script, US, octets};
use zerotcp::stack::DropReason;
use zerotcp::tcp::State;
use zerotcp::wire::{Icmpv4Builder, Icmpv4Type, IpProtocol, Ipv4Builder, Ipv4Packet};

/// The packet cut so that each fragment but the last has `len` octets.
fn cut(packet: &[u8], id: u16, len: usize) -> Vec<Vec<u8>> {
    let whole = Ipv4Packet::parse(packet).unwrap();
    let count = whole.payload().len().div_ceil(len);
    let piece = |(n, data): (usize, &[u8])| {
        let mut buffer = vec![0; 20 + data.len()];
        Ipv4Builder::new(whole.src(), whole.dst(), whole.protocol())
            .identification(id)
            .dont_fragment(false)
            .fragment((n * len) as u16, n + 1 < count)
            .write(&mut buffer, data)
            .unwrap();
        buffer
    };
    whole.payload().chunks(len).enumerate().map(piece).collect()
}

/// A fragment with octets of no meaning, of no protocol of ours.
fn piece(src: Ipv4Addr, id: u16, start: u16, len: usize, more: bool) -> Vec<u8> {
    let mut buffer = vec![0; 20 + len];
    Ipv4Builder::new(src, *US.ip(), IpProtocol(253))
        .identification(id)
        .dont_fragment(false)
        .fragment(start, more)
        .write(&mut buffer, &vec![0; len])
        .unwrap();
    buffer
}

fn ping(len: usize) -> Vec<u8> {
    let mut buffer = vec![0; 28 + len];
    Icmpv4Builder::new(*PEER.ip(), *US.ip(), Icmpv4Type::ECHO_REQUEST, 0)
        .rest([1, 2, 3, 4])
        .write(&mut buffer, &octets(0, len))
        .unwrap();
    buffer
}

#[test]
fn a_segment_in_pieces_is_put_together() {
    let (mut s, id) = Script::established(65535);
    let mut next = 1;
    for (n, order) in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]]
        .iter()
        .enumerate()
    {
        let packet = s.segment(&format!("P. {next}:{} ack 1", next + 1000));
        let pieces = cut(&packet, n as u16, 400);
        assert_eq!(pieces.len(), 3);
        for place in order {
            s.read(id, 0);
            s.raw(&pieces[*place]);
        }
        s.read(id, 1000);
        next += 1000;
    }
    assert_eq!(s.stack.counters().datagrams_reassembled, 4);
    assert_eq!(s.state(), State::Established);
}

#[test]
fn the_largest_datagram_is_put_together() {
    let mut s = Script::new();
    // 65,535 bytes with its header.
    for fragment in cut(&ping(65_507), 7, 1480) {
        s.raw(&fragment);
    }
    let mut sent = 0;
    while let Some(packet) = s.next_packet() {
        sent += Ipv4Packet::parse(&packet).unwrap().payload().len();
    }
    assert_eq!(sent, 65_515);
}

#[test]
fn a_checksum_is_verified_over_the_whole() {
    let (mut s, id) = Script::established(65535);
    let mut packet = s.segment("P. 1:1001 ack 1");
    packet[900] ^= 1;
    for fragment in cut(&packet, 1, 400) {
        s.raw(&fragment);
    }
    s.read(id, 0);
    assert_eq!(s.stack.counters().dropped(DropReason::BadTcpChecksum), 1);
}

#[test]
fn overlapping_fragments_spoil_their_datagram() {
    // Teardrop (CVE-1999-0015), and a rewrite of the flags (RFC 1858 section 4).
    let (mut s, id) = Script::established(65535);
    let packet = s.segment("P. 1:101 ack 1");
    let pieces = cut(&packet, 1, 40);
    let inner = piece(*PEER.ip(), 1, 48, 8, true);
    let mut inner = inner;
    let mut header = zerotcp::wire::Ipv4PacketMut::parse(&mut inner).unwrap();
    header.set_protocol(IpProtocol::TCP);
    s.raw(&pieces[0]);
    s.raw(&pieces[1]);
    s.raw(&inner);
    s.raw(&pieces[2]);
    assert_eq!(
        s.stack.counters().dropped(DropReason::ConflictingFragment),
        2
    );
    s.read(id, 0);
    // Nor does what remains make a datagram.
    for fragment in &pieces {
        s.raw(fragment);
    }
    s.read(id, 0);
    // Under another number it comes through, copies or not.
    for fragment in cut(&packet, 2, 40) {
        s.raw(&fragment);
        s.raw(&fragment);
    }
    s.read(id, 100);
    // The copy of the last one begins a datagram anew.
    assert_eq!(s.stack.counters().dropped(DropReason::DuplicateFragment), 2);
    s.pass(60_000);
    assert_eq!(s.state(), State::Established);
}

#[test]
fn what_is_missing_is_told_if_the_first_fragment_came() {
    let mut s = Script::new();
    let start = s.now;
    let first = piece(*PEER.ip(), 1, 0, 1000, true);
    s.raw(&first);
    s.pass(30_000);
    // Later ones put nothing off.
    s.raw(&piece(*PEER.ip(), 1, 1000, 8, true));
    s.raw(&piece(*PEER.ip(), 2, 8, 8, true));
    let due = s.stack.poll_timeout().unwrap();
    assert_eq!(due - start, std::time::Duration::from_secs(60));
    s.pass(29_999);
    assert!(s.next_packet().is_none());
    s.pass(1);
    let packet = s.next_packet().expect("time exceeded");
    let packet = Ipv4Packet::parse(&packet).unwrap();
    let message = packet.icmpv4().unwrap();
    assert_eq!((packet.src(), packet.dst()), (*US.ip(), *PEER.ip()));
    assert_eq!(
        (message.kind(), message.code()),
        (Icmpv4Type::TIME_EXCEEDED, 1)
    );
    assert_eq!(packet.total_length(), 576);
    assert_eq!(message.body(), &first[..548], "as it came");
    s.pass(60_000);
    assert!(s.next_packet().is_none(), "nobody sent its first fragment");
    assert_eq!(s.stack.counters().reassembly_timeouts, 2);
    assert_eq!(s.stack.poll_timeout(), None);
}

#[test]
fn nothing_is_told_about_icmp_errors() {
    let mut s = Script::new();
    for (kind, answered) in [(3, false), (11, false), (8, true)] {
        let mut request = vec![0; 128];
        Icmpv4Builder::new(*PEER.ip(), *US.ip(), Icmpv4Type(kind), 0)
            .write(&mut request, &[0; 100])
            .unwrap();
        s.raw(&cut(&request, kind.into(), 64)[0]);
        s.pass(60_000);
        assert_eq!(s.next_packet().is_some(), answered, "type {kind}");
    }
}

#[test]
fn a_flood_of_fragments_harms_nobody_else() {
    let (mut s, id) = Script::with(|config| config.max_fragments_bytes = 1 << 18).establish(65535);
    let packet = s.segment("P. 1:1001 ack 1");
    let pieces = cut(&packet, 1, 800);
    s.raw(&pieces[0]);
    let attacker = Ipv4Addr::new(192, 168, 0, 66);
    for n in 0..30_000u32 {
        s.raw(&piece(
            attacker,
            n as u16,
            8 + (n % 8000) as u16 * 8,
            8,
            true,
        ));
    }
    assert!(s.stack.counters().datagrams_evicted > 20_000);
    s.raw(&pieces[1]);
    s.read(id, 1000);
    s.pass(60_000);
    assert_eq!(s.state(), State::Established);
}
