//! From bytes to fields: one IPv4 packet with a TCP segment.

mod common;

use std::hint::black_box;

use criterion::Throughput;
use etherparse::checksum::Sum16BitWords;
use etherparse::{Ipv4Slice, TcpOptionElement, TcpSlice};
use smoltcp::wire as smol;

use common::limit::load_and_add;
use common::{Bench, Contest, packet};
use zerotcp::wire::checksum::Kernel;
use zerotcp::wire::{TcpOption, TcpPacket};

fn main() {
    let mut bench = Bench::new("parse");
    let timestamps = [
        TcpOption::NoOperation,
        TcpOption::NoOperation,
        TcpOption::Timestamps {
            value: 0x0102_0304,
            echo: 0xfedc_ba98,
        },
    ];
    let small = packet(40, &[]);
    let timed = packet(52, &timestamps);
    verify(&mut bench, &small);
    verify(&mut bench, &timed);
    verify(&mut bench, &packet(564, &[]));
    verify(&mut bench, &packet(1500, &[]));
    only(&mut bench, &small);
    options(&mut bench, &timed);
    batch_cold(&mut bench, &small);
    bench.finish();
}

/// What everyone reads from a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fields<'a> {
    src: [u8; 4],
    dst: [u8; 4],
    src_port: u16,
    dst_port: u16,
    seq: u32,
    ack: u32,
    window: u16,
    syn: bool,
    acks: bool,
    fin: bool,
    rst: bool,
    payload: &'a [u8],
}

/// Both checksums are verified.
fn verify(bench: &mut Bench, bytes: &[u8]) {
    let text = load_and_add(Kernel::bound());
    let contest = Contest::new(format!("verify-{}", bytes.len()), throughput(bytes))
        .enter("zerotcp", None, |out| *out = ours::<true>(black_box(bytes)))
        .enter("smoltcp", None, |out| {
            *out = smoltcp::<true>(black_box(bytes))
        })
        .enter("etherparse", None, |out| {
            *out = etherparse::<true>(black_box(bytes))
        })
        .enter("pnet", None, |out| *out = pnet::<true>(black_box(bytes)))
        .limit(None, |out| *out = loads(black_box(bytes), Some(text)));
    bench.run(contest);
}

/// No checksum is looked at.
fn only(bench: &mut Bench, bytes: &[u8]) {
    let contest = Contest::new(format!("only-{}", bytes.len()), throughput(bytes))
        .enter("zerotcp", None, |out| {
            *out = ours::<false>(black_box(bytes))
        })
        .enter("smoltcp", None, |out| {
            *out = smoltcp::<false>(black_box(bytes))
        })
        .enter("etherparse", None, |out| {
            *out = etherparse::<false>(black_box(bytes))
        })
        .enter("pnet", None, |out| *out = pnet::<false>(black_box(bytes)))
        .limit(None, |out| *out = loads(black_box(bytes), None));
    bench.run(contest);
}

fn throughput(bytes: &[u8]) -> Throughput {
    Throughput::ElementsAndBytes {
        elements: 1,
        bytes: bytes.len() as u64,
    }
}

#[inline(always)]
fn ours<const VERIFY: bool>(bytes: &[u8]) -> Option<Fields<'_>> {
    let TcpPacket { ip, tcp } = match VERIFY {
        true => TcpPacket::parse(bytes).ok()?,
        false => TcpPacket::parse_unverified(bytes).ok()?,
    };
    let flags = tcp.flags();
    Some(Fields {
        src: ip.src().octets(),
        dst: ip.dst().octets(),
        src_port: tcp.src_port(),
        dst_port: tcp.dst_port(),
        seq: tcp.seq().0,
        ack: tcp.ack().0,
        window: tcp.window(),
        syn: flags.syn(),
        acks: flags.ack(),
        fin: flags.fin(),
        rst: flags.rst(),
        payload: tcp.payload(),
    })
}

#[inline(always)]
fn smoltcp<const VERIFY: bool>(bytes: &[u8]) -> Option<Fields<'_>> {
    let ip = smol::Ipv4Packet::new_checked(bytes).ok()?;
    if VERIFY && !ip.verify_checksum() || ip.next_header() != smol::IpProtocol::Tcp {
        return None;
    }
    let tcp = smol::TcpPacket::new_checked(ip.payload()).ok()?;
    let (src, dst) = (ip.src_addr(), ip.dst_addr());
    if VERIFY && !tcp.verify_checksum(&src.into(), &dst.into()) {
        return None;
    }
    Some(Fields {
        src: src.octets(),
        dst: dst.octets(),
        src_port: tcp.src_port(),
        dst_port: tcp.dst_port(),
        seq: tcp.seq_number().0 as u32,
        ack: tcp.ack_number().0 as u32,
        window: tcp.window_len(),
        syn: tcp.syn(),
        acks: tcp.ack(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        payload: tcp.payload(),
    })
}

#[inline(always)]
fn etherparse<const VERIFY: bool>(bytes: &[u8]) -> Option<Fields<'_>> {
    let packet = Ipv4Slice::from_slice(bytes).ok()?;
    let ip = packet.header();
    // Its slices do not verify a header; this is its quickest way to.
    if VERIFY && Sum16BitWords::new().add_slice(ip.slice()).ones_complement() != 0
        || packet.payload_ip_number() != etherparse::IpNumber::TCP
        || packet.is_payload_fragmented()
    {
        return None;
    }
    let tcp = TcpSlice::from_slice(packet.payload().payload).ok()?;
    let (src, dst) = (ip.source(), ip.destination());
    if VERIFY && tcp.calc_checksum_ipv4(src, dst).ok()? != tcp.checksum() {
        return None;
    }
    Some(Fields {
        src,
        dst,
        src_port: tcp.source_port(),
        dst_port: tcp.destination_port(),
        seq: tcp.sequence_number(),
        ack: tcp.acknowledgment_number(),
        window: tcp.window_size(),
        syn: tcp.syn(),
        acks: tcp.ack(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        payload: tcp.payload(),
    })
}

/// It looks at no version, no header length and no total length: less work than the others'.
#[inline(always)]
fn pnet<const VERIFY: bool>(bytes: &[u8]) -> Option<Fields<'_>> {
    use pnet_packet::ip::IpNextHeaderProtocols;
    use pnet_packet::{ipv4, tcp};

    let ip = ipv4::Ipv4Packet::new(bytes)?;
    if VERIFY && ipv4::checksum(&ip) != ip.get_checksum()
        || ip.get_next_level_protocol() != IpNextHeaderProtocols::Tcp
    {
        return None;
    }
    let header_len = usize::from(ip.get_header_length()) * 4;
    let segment = bytes.get(header_len..ip.get_total_length().into())?;
    let packet = tcp::TcpPacket::new(segment)?;
    let (src, dst) = (ip.get_source(), ip.get_destination());
    if VERIFY && tcp::ipv4_checksum(&packet, &src, &dst) != packet.get_checksum() {
        return None;
    }
    let flags = packet.get_flags();
    Some(Fields {
        src: src.octets(),
        dst: dst.octets(),
        src_port: packet.get_source(),
        dst_port: packet.get_destination(),
        seq: packet.get_sequence(),
        ack: packet.get_acknowledgement(),
        window: packet.get_window(),
        syn: flags & tcp::TcpFlags::SYN != 0,
        acks: flags & tcp::TcpFlags::ACK != 0,
        fin: flags & tcp::TcpFlags::FIN != 0,
        rst: flags & tcp::TcpFlags::RST != 0,
        payload: segment.get(usize::from(packet.get_data_offset()) * 4..)?,
    })
}

/// Loads the headers, and with `rest` what follows them, checks nothing, and stores as much
/// as the others.
#[inline(always)]
fn loads(bytes: &[u8], rest: Option<fn(&[u8]) -> u64>) -> Option<Fields<'_>> {
    let (headers, text) = bytes.split_at_checked(40)?;
    let (words, _) = headers.as_chunks::<8>();
    let mut sum = words.iter().fold(0u64, |sum, word| {
        sum.wrapping_add(u64::from_le_bytes(*word))
    });
    if let Some(load_and_add) = rest
        && !text.is_empty()
    {
        sum = sum.wrapping_add(load_and_add(text));
    }
    Some(Fields {
        src: (sum as u32).to_le_bytes(),
        dst: (sum as u32).to_le_bytes(),
        src_port: sum as u16,
        dst_port: sum as u16,
        seq: sum as u32,
        ack: sum as u32,
        window: sum as u16,
        syn: false,
        acks: false,
        fin: false,
        rst: false,
        payload: bytes,
    })
}

/// The options as typed values, the timestamps among them kept; no checksum.
fn options(bench: &mut Bench, bytes: &[u8]) {
    let contest = Contest::new(format!("options-{}", bytes.len()), throughput(bytes))
        .enter("zerotcp", None, |out: &mut Option<(u32, u32)>| {
            let packet = TcpPacket::parse_unverified(black_box(bytes)).ok();
            *out = packet.and_then(|packet| packet.tcp.option_summary().ok()?.timestamps);
        })
        .enter("smoltcp", None, |out| {
            *out = smoltcp_timestamps(black_box(bytes))
        })
        .enter("etherparse", None, |out| {
            *out = etherparse_timestamps(black_box(bytes))
        })
        .enter("zerotcp-iterator", None, |out| {
            *out = our_iterator(black_box(bytes))
        });
    bench.run(contest);
}

fn our_iterator(bytes: &[u8]) -> Option<(u32, u32)> {
    let packet = TcpPacket::parse_unverified(bytes).ok()?;
    let mut found = None;
    for option in packet.tcp.options() {
        if let TcpOption::Timestamps { value, echo } = option.ok()? {
            found = Some((value, echo));
        }
    }
    found
}

fn smoltcp_timestamps(bytes: &[u8]) -> Option<(u32, u32)> {
    let ip = smol::Ipv4Packet::new_checked(bytes).ok()?;
    if ip.next_header() != smol::IpProtocol::Tcp {
        return None;
    }
    let tcp = smol::TcpPacket::new_checked(ip.payload()).ok()?;
    let mut options = tcp.options();
    let mut found = None;
    while !options.is_empty() {
        let (rest, option) = smol::TcpOption::parse(options).ok()?;
        match option {
            smol::TcpOption::EndOfList => break,
            smol::TcpOption::TimeStamp { tsval, tsecr } => found = Some((tsval, tsecr)),
            _ => {}
        }
        options = rest;
    }
    found
}

fn etherparse_timestamps(bytes: &[u8]) -> Option<(u32, u32)> {
    let packet = Ipv4Slice::from_slice(bytes).ok()?;
    if packet.payload_ip_number() != etherparse::IpNumber::TCP || packet.is_payload_fragmented() {
        return None;
    }
    let tcp = TcpSlice::from_slice(packet.payload().payload).ok()?;
    let mut found = None;
    for option in tcp.options_iterator() {
        if let TcpOptionElement::Timestamp(value, echo) = option.ok()? {
            found = Some((value, echo));
        }
    }
    found
}

const BATCH: usize = 64;
/// A power of two, and 128 MiB: more than caches hold.
const SLOTS: usize = 1 << 21;

/// One packet in a cache line of its own.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([u8; 40]);

/// Packets that come from memory, in an order that no prefetcher guesses.
fn batch_cold(bench: &mut Bench, bytes: &[u8]) {
    let Some(packet) = bytes.first_chunk::<40>() else {
        return;
    };
    let lines = vec![Line(*packet); SLOTS];
    let batch = |slot: &mut usize| {
        [(); BATCH].map(|()| {
            *slot = next(*slot);
            lines[*slot].0.as_slice()
        })
    };
    let (mut our_slot, mut single_slot, mut limit_slot) = (0, 0, 0);
    let contest = Contest::new("batch64-cold", Throughput::Elements(BATCH as u64))
        .enter("zerotcp", 0, |out: &mut u32| {
            for packet in TcpPacket::parse_batch(&batch(&mut our_slot)) {
                *out = out.wrapping_add(packet.map_or(0, |packet| packet.tcp.seq().0));
            }
        })
        .enter("zerotcp-single", 0, |out| {
            for packet in batch(&mut single_slot) {
                let packet = TcpPacket::parse(packet);
                *out = out.wrapping_add(packet.map_or(0, |packet| packet.tcp.seq().0));
            }
        })
        .limit(0, |out| {
            for packet in batch(&mut limit_slot) {
                let (words, _) = packet.as_chunks::<8>();
                *out = words.iter().fold(*out, |sum, word| {
                    sum.wrapping_add(u64::from_le_bytes(*word) as u32)
                });
            }
        });
    bench.run(contest);
}

/// A generator whose period is the number of slots (Hull and Dobell).
#[inline(always)]
fn next(slot: usize) -> usize {
    slot.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) % SLOTS
}
