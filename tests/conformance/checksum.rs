//! The internet checksum (RFC 1071, 1141 and 1624) and where it is put (RFC 9293 section 3.1).

use std::net::Ipv4Addr;

use zerotcp::tcp::State;
use zerotcp::wire::{Checksum, Ipv4PacketMut, SeqNumber, TcpPacket, checksum};

use crate::common::packets::{ones_complement_sum, seal_ip, tcp_sum};
use crate::common::script::{Script, octets};
use crate::{Start, tests};

tests! {
    "1071-1" => the_sum_does_not_depend_on_how_it_is_cut,
    "1071-1" => the_sum_does_not_depend_on_alignment_or_byte_order,
    "1071-2" => data_and_its_checksum_sum_to_all_ones,
    "1624-1" => an_update_knows_zero_from_minus_zero,
    "1624-2" => updates_agree_with_a_new_sum,
    "cksum-3" => the_pseudo_header_has_addresses_protocol_and_length,
    "cksum-3" => padding_after_the_datagram_does_not_count,
}

/// The sum as the library has it, not inverted.
fn sum(bytes: &[u8]) -> u16 {
    Checksum::of(bytes).sum()
}

fn data() -> Vec<u8> {
    octets(12_345, 3000)
        .iter()
        .map(|byte| byte.wrapping_mul(31))
        .collect()
}

fn the_sum_does_not_depend_on_how_it_is_cut() {
    let data = data();
    for len in [0, 1, 2, 3, 20, 63, 64, 65, 1000, 1001, 3000] {
        let whole = ones_complement_sum(&data[..len]);
        assert_eq!(sum(&data[..len]), whole, "{len}");
        for cut in [0, 1, 2, 7, 8, 31, 500]
            .into_iter()
            .filter(|cut| *cut <= len)
        {
            // At odd places too: the second part is shifted by an octet then.
            let mut parts = Checksum::of(&data[..cut]);
            parts.add(&data[cut..len]);
            assert_eq!(parts.sum(), whole, "{len} at {cut}");
        }
    }
}

fn the_sum_does_not_depend_on_alignment_or_byte_order() {
    let data = data();
    for offset in 0..64 {
        let piece = &data[offset..offset + 1001];
        assert_eq!(sum(piece), ones_complement_sum(piece));
        // Every pair swapped gives the sum swapped.
        let even = &piece[..1000];
        let swapped: Vec<u8> = even.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
        assert_eq!(sum(&swapped), sum(even).swap_bytes());
        // And in any order of words.
        let reversed: Vec<u8> = even.chunks(2).rev().flatten().copied().collect();
        assert_eq!(sum(&reversed), sum(even));
    }
}

fn data_and_its_checksum_sum_to_all_ones() {
    for len in (0..200).map(|n| 2 * n) {
        let mut data = data()[..len].to_vec();
        let checksum = Checksum::of(&data).finish();
        data.extend(checksum.to_be_bytes());
        assert_eq!(ones_complement_sum(&data), 0xffff);
    }
}

/// RFC 1624 section 4: RFC 1141's form makes 0xffff of what is 0x0000.
fn an_update_knows_zero_from_minus_zero() {
    assert_eq!(checksum::update(0xdd2f, 0x5555, 0x3285), 0x0000);
    // Whatever the identification becomes, the checksum of a header is not that of all zeros.
    let mut packet = Script::new().segment("S 0");
    for id in 0..=u16::MAX {
        let mut ip = Ipv4PacketMut::parse(&mut packet).expect("its checksums are right");
        ip.set_identification(id);
        assert_eq!(ones_complement_sum(&packet[..20]), 0xffff, "{id:04x}");
        assert_ne!(packet[10..12], [0xff; 2], "{id:04x}");
    }
}

fn updates_agree_with_a_new_sum() {
    let script = Script::new();
    let mut packet = script.segment("P. 1:101 ack 1 <nop,nop,ts 1 2>");
    let mut random = 1_u64;
    for n in 0..5000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let value = (random >> 32) as u32;
        let mut ip = Ipv4PacketMut::parse(&mut packet).expect("its checksums are right");
        match n % 8 {
            0 => ip.set_src(Ipv4Addr::from_bits(value)),
            1 => ip.set_dst(Ipv4Addr::from_bits(value)),
            2 => ip.set_ttl(value as u8),
            3 => ip.set_identification(value as u16),
            4 => ip.tcp_mut().unwrap().set_seq(SeqNumber(value)),
            5 => ip.tcp_mut().unwrap().set_window(value as u16),
            6 => ip.tcp_mut().unwrap().set_src_port(value as u16),
            _ => ip.set_dscp(value as u8),
        }
        assert_eq!(ones_complement_sum(&packet[..20]), 0xffff);
        assert_eq!(tcp_sum(&packet), 0xffff);
    }
}

fn the_pseudo_header_has_addresses_protocol_and_length(start: Start) {
    // The oracle of `tcp_sum` is one, that of what arrives another: a source that is not the one
    // the sum was made with.
    let (mut s, id) = start.established(65535);
    for at in [15, 19] {
        let mut packet = s.segment("P. 1:6 ack 1");
        packet[at] ^= 1;
        seal_ip(&mut packet);
        assert!(TcpPacket::parse(&packet).is_err());
        s.raw(&packet);
    }
    s.read(id, 0);
    for len in [1, 2, 3, 999, 1000] {
        s.send(id, len);
        let packet = s.next_packet().unwrap();
        assert_eq!(tcp_sum(&packet), 0xffff);
        s.inject(&format!(". 1 ack {}", s.last_end()));
    }
}

fn padding_after_the_datagram_does_not_count(start: Start) {
    let (mut s, id) = start.established(65535);
    for padding in [1, 2, 5, 6, 46] {
        let seq = s.stack.info(id).unwrap().tally.octets_received + 1;
        let mut packet = s.segment(&format!("P. {seq}:{} ack 1", seq + 3));
        packet.extend(vec![0xee; padding]);
        s.raw(&packet);
        s.read(id, 3);
    }
    // A bare FIN in the smallest Ethernet frame.
    let mut packet = s.segment("F. 16 ack 1");
    packet.resize(46, 0xee);
    s.raw(&packet);
    s.read(id, 0);
    assert_eq!(s.state(), State::CloseWait);
}
