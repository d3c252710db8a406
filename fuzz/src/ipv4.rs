//! IPv4 packets: what is sound, what its views say, and that a builder writes it again.

use std::net::Ipv4Addr;

use zerotcp::wire::{ChecksumStatus, ErrorKind, Ipv4Builder, Ipv4Packet, RawIpv4};

use crate::input::Input;
use crate::naive;

/// A byte whose lowest bit makes the header's checksum right, then the packet.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let seal = input.bit();
    let mut bytes = input.rest().to_vec();
    if seal {
        naive::seal_ipv4(&mut bytes);
    }
    raw(&bytes);
    parse(&bytes);
}

fn parse(bytes: &[u8]) {
    let unverified = Ipv4Packet::parse_unverified(bytes);
    let parsed = Ipv4Packet::parse(bytes);
    let packet = match unverified {
        Ok(packet) => packet,
        Err(error) => {
            assert!(naive::payload_range(bytes).is_none(), "{error}");
            assert_ne!(error.kind, ErrorKind::Checksum);
            assert_eq!(parsed.err(), Some(error));
            naive::check_error(bytes, error);
            return;
        }
    };
    let range = naive::payload_range(bytes).expect("it was parsed");
    assert_eq!(packet.options(), &bytes[20..range.start]);
    assert_eq!(packet.payload(), &bytes[range.clone()]);
    fields(bytes, &packet);

    let is_intact = naive::sum(&bytes[..range.start]) == 0xffff;
    assert_eq!(packet.verify_checksum(), is_intact);
    match parsed {
        Ok(same) => {
            assert!(is_intact);
            assert_eq!(same.header(), packet.header());
            assert_eq!(same.options(), packet.options());
            assert_eq!(same.payload(), packet.payload());
            assert_eq!(rebuilt(&packet), canonical(&bytes[..range.end]));
        }
        Err(error) => {
            assert!(!is_intact);
            assert_eq!(error.kind, ErrorKind::Checksum);
            naive::check_error(bytes, error);
            let mut mended = bytes.to_vec();
            naive::set_word(&mut mended, error.offset, error.needed as u16);
            assert!(Ipv4Packet::parse(&mended).is_ok(), "{error}");
        }
    }
    // What follows the packet is none of its business.
    let alone = Ipv4Packet::parse_unverified(&bytes[..range.end]).expect("it is whole");
    assert_eq!(alone.payload(), packet.payload());
}

fn fields(bytes: &[u8], packet: &Ipv4Packet<'_>) {
    let flags = naive::word(bytes, 6);
    assert_eq!(packet.version(), 4);
    assert_eq!(usize::from(packet.ihl()) * 4, packet.header_len());
    assert_eq!(packet.header_len(), naive::header_len(bytes));
    assert_eq!(packet.dscp() << 2 | packet.ecn(), bytes[1]);
    assert_eq!(packet.total_length(), naive::word(bytes, 2));
    assert_eq!(packet.identification(), naive::word(bytes, 4));
    assert_eq!(packet.dont_fragment(), flags & 0x4000 != 0);
    assert_eq!(packet.more_fragments(), flags & 0x2000 != 0);
    assert_eq!(packet.fragment_offset(), flags << 3);
    assert_eq!(packet.is_fragment(), flags & 0x3fff != 0);
    assert_eq!((packet.ttl(), packet.protocol().0), (bytes[8], bytes[9]));
    assert_eq!(packet.checksum(), naive::word(bytes, 10));
    assert_eq!(u32::from(packet.src()), naive::long(bytes, 12));
    assert_eq!(u32::from(packet.dst()), naive::long(bytes, 16));
    let pseudo = naive::segment_sum(&bytes[12..20], bytes[9], packet.payload());
    let with_payload = packet
        .pseudo_header()
        .combine(zerotcp::wire::Checksum::of(packet.payload()));
    assert_eq!(with_payload.sum(), pseudo);
}

fn rebuilt(packet: &Ipv4Packet<'_>) -> Vec<u8> {
    let mut buffer = vec![0xa5; packet.header_len() + packet.payload().len() + 1];
    let len = Ipv4Builder::new(packet.src(), packet.dst(), packet.protocol())
        .dscp(packet.dscp())
        .ecn(packet.ecn())
        .identification(packet.identification())
        .dont_fragment(packet.dont_fragment())
        .fragment(packet.fragment_offset(), packet.more_fragments())
        .ttl(packet.ttl())
        .options(packet.options())
        .write(&mut buffer, packet.payload())
        .expect("it has been a packet");
    assert_eq!(buffer.split_off(len), [0xa5]);
    buffer
}

/// The packet as a builder writes it: without the reserved bit.
fn canonical(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if packet[6] & 0x80 != 0 {
        packet[6] &= 0x7f;
        naive::seal_ipv4(&mut packet);
    }
    naive::with_positive_zero(&mut packet, 10);
    packet
}

/// A tolerant view gives each field if its bytes are there.
fn raw(bytes: &[u8]) {
    let raw = RawIpv4::new(bytes);
    let len = bytes.len();
    let byte = |at: usize| bytes.get(at).copied();
    let word = |at: usize| (len >= at + 2).then(|| naive::word(bytes, at));
    let address = |at: usize| (len >= at + 4).then(|| Ipv4Addr::from(naive::long(bytes, at)));
    let header_len = byte(0).map(|first| usize::from(first & 0x0f) * 4);
    let total = word(2).map(usize::from);
    let flags = word(6);
    assert_eq!(raw.bytes(), bytes);
    assert_eq!(raw.version(), byte(0).map(|first| first >> 4));
    assert_eq!(raw.header_len(), header_len);
    assert_eq!(raw.dscp_ecn(), byte(1));
    assert_eq!(raw.total_length(), word(2));
    assert_eq!(raw.identification(), word(4));
    assert_eq!(raw.more_fragments(), flags.map(|flags| flags & 0x2000 != 0));
    assert_eq!(raw.fragment_offset(), flags.map(|flags| flags << 3));
    assert_eq!(raw.is_fragment(), flags.map(|flags| flags & 0x3fff != 0));
    assert_eq!(raw.ttl(), byte(8));
    assert_eq!(raw.protocol().map(|protocol| protocol.0), byte(9));
    assert_eq!((raw.src(), raw.dst()), (address(12), address(16)));
    assert_eq!(raw.is_cut(), total.is_none_or(|total| total > len));

    // The payload is what lies after the header, before the total length and before the end.
    let start = header_len.unwrap_or(usize::MAX);
    let end = total.unwrap_or(usize::MAX).min(len);
    let payload = bytes.get(start..end).unwrap_or(&[]);
    assert_eq!(raw.payload(), payload);
    let payload_len = match (header_len, total) {
        (Some(start @ 20..), Some(total)) => total.checked_sub(start),
        _ => None,
    };
    assert_eq!(raw.payload_len(), payload_len);

    let status = |covered: Option<u16>| match covered {
        Some(0xffff) => ChecksumStatus::Good,
        Some(_) => ChecksumStatus::Bad,
        None => ChecksumStatus::Unverifiable,
    };
    let header = bytes.get(..start).filter(|header| header.len() >= 20);
    assert_eq!(raw.checksum_status(), status(header.map(naive::sum)));
    let is_whole = payload_len == Some(payload.len()) && payload.len() >= 20;
    let whole = (is_whole && raw.is_fragment() == Some(false) && len >= 20)
        .then(|| naive::segment_sum(&bytes[12..20], 6, payload));
    assert_eq!(raw.tcp_checksum_status(), status(whole));

    let is_start = byte(9) == Some(6) && flags.is_some_and(|flags| flags & 0x1fff == 0);
    let tcp = raw.tcp().map(|tcp| tcp.bytes());
    assert_eq!(tcp, is_start.then_some(payload));
}
