use core::net::SocketAddrV4;

use byteorder::{BigEndian, ByteOrder};
use proptest::collection::vec;
use proptest::prelude::*;
use zerocopy::IntoBytes;

use super::super::build::{Ipv4Builder, TcpBuilder};
use super::super::packet::TcpPacket;
use super::*;

/// What is to become of `packet` when the address at `at` is set to `new`: RFC 1624 word
/// by word, after a look at everything that says where a checksum is.
fn with_address(packet: &[u8], at: usize, new: [u8; 4]) -> Vec<u8> {
    let mut out = packet.to_vec();
    let header_len = usize::from(packet[0] & 0xf) * 4;
    let len = usize::from(BigEndian::read_u16(&packet[2..])) - header_len;
    let starts_here = BigEndian::read_u16(&packet[6..]) & 0x1fff == 0;
    let transport = match packet[9] {
        6 if starts_here && len >= 20 => Some(header_len + 16),
        17 if starts_here && len >= 8 => Some(header_len + 6),
        _ => None,
    };
    out[at..at + 4].copy_from_slice(&new);
    for field in [Some(10), transport].into_iter().flatten() {
        let checksum = BigEndian::read_u16(&packet[field..]);
        let is_udp = field != 10 && packet[9] == 17;
        if is_udp && checksum == 0 {
            continue;
        }
        let mut sum = u32::from(!checksum);
        for word in [at, at + 2] {
            sum += u32::from(!BigEndian::read_u16(&packet[word..]));
            sum += u32::from(BigEndian::read_u16(&out[word..]));
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        let patched = match !(sum as u16) {
            0 if is_udp => 0xffff,
            patched => patched,
        };
        BigEndian::write_u16(&mut out[field..], patched);
    }
    out
}

proptest! {
    #[test]
    fn an_address_patches_every_checksum_that_covers_it_and_nothing_else(
        protocol in prop_oneof![Just(6u8), Just(6), Just(17), Just(17), any::<u8>()],
        options in vec(any::<u8>(), 0..=12),
        payload in vec(prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 0..48),
        // Often where a sum comes out as zero or all ones.
        addresses in vec(prop_oneof![any::<u32>(), 0..2u32, (u32::MAX - 2)..], 2),
        steps in vec((0..9u8, any::<bool>(), any::<u32>()), 1..12),
    ) {
        let mut bytes = [0; 200];
        let len = Ipv4Builder::new(addresses[0].into(), addresses[1].into(), IpProtocol(protocol))
            .options(&options)
            .write(&mut bytes, &payload)
            .unwrap();
        let mut expected = bytes[..len].to_vec();
        // One view for all steps, so that what it has settled has to follow them.
        let mut packet = Ipv4PacketMut::parse_unverified(&mut bytes).unwrap();
        for (step, flag, value) in steps {
            // Near to what is there, or anything.
            let value = if flag { value } else { value % 3 };
            let at = match step {
                0 => { packet.set_more_fragments(flag); None }
                1 => { packet.set_fragment_offset(value as u16 % 16); None }
                2 => { packet.set_protocol(IpProtocol([6, 17, protocol][value as usize % 3])); None }
                3 => { let _ = packet.set_total_length(20 + value as u16 % 80); None }
                4 | 5 => { packet.set_src(value.into()); Some(12) }
                6 | 7 => { packet.set_dst(value.into()); Some(16) }
                _ => {
                    let segment = packet.tcp_mut().map(|tcp| *tcp);
                    let view = Ipv4Packet::parse_unverified(&expected).unwrap();
                    prop_assert_eq!(segment, view.tcp_unverified().map(|tcp| *tcp));
                    None
                }
            };
            let found = [packet.as_bytes(), packet.options(), packet.payload()].concat();
            expected = match at {
                Some(at) => with_address(&expected, at, value.to_be_bytes()),
                // The setters of these have a test of their own.
                None => found.clone(),
            };
            prop_assert_eq!(found, expected.clone(), "after step {}", step);
        }
    }
}

#[test]
fn addresses_of_a_udp_datagram_patch_its_checksum_too() {
    let mut datagram = *b"\x13\x88\x13\x89\x00\x0d\x00\x00hello";
    let (src, dst) = (Ipv4Addr::new(192, 168, 0, 1), Ipv4Addr::new(192, 168, 0, 2));
    let sum = Checksum::pseudo_header(src, dst, 17, 13).combine(Checksum::of(&datagram));
    BigEndian::write_u16(&mut datagram[6..8], sum.finish());
    for checksummed in [true, false] {
        if !checksummed {
            datagram[6..8].fill(0);
        }
        let mut buffer = [0; 64];
        let len = Ipv4Builder::new(src, dst, IpProtocol::UDP)
            .write(&mut buffer, &datagram)
            .unwrap();
        let mut packet = Ipv4PacketMut::parse(&mut buffer[..len]).unwrap();
        packet.set_src(Ipv4Addr::new(10, 1, 2, 3));
        packet.set_dst(Ipv4Addr::new(10, 255, 2, 3));
        let packet = Ipv4Packet::parse(&buffer[..len]).unwrap();
        let sum = packet
            .pseudo_header()
            .combine(Checksum::of(packet.payload()));
        assert_eq!(sum.is_valid(), checksummed);
        assert_eq!(packet.payload()[6..8] == [0, 0], !checksummed);
    }
}

#[test]
fn options_that_are_replaced_leave_zeros_behind() {
    let times = TcpOption::Timestamps {
        value: u32::MAX,
        echo: u32::MAX,
    };
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
    let mut buffer = [0; 100];
    let len = TcpBuilder::new(any, any)
        .options(&[times, TcpOption::MaximumSegmentSize(1460)])
        .write(&mut buffer, b"")
        .unwrap();
    let mut packet = Ipv4PacketMut::parse(&mut buffer[..len]).unwrap();
    let mut tcp = packet.tcp_mut().unwrap();
    tcp.set_options(&[TcpOption::WindowScale(7)]).unwrap();
    let tcp = TcpPacket::parse(&buffer[..len]).unwrap().tcp;
    assert_eq!(tcp.option_bytes()[..3], [3, 3, 7]);
    assert_eq!(tcp.option_bytes()[3..], [0; 13]);
}
