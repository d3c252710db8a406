//! From fields to bytes: building, stamping from a template, rewriting in place.

mod common;

use std::hint::black_box;
use std::net::Ipv4Addr;

use criterion::Throughput;
use smoltcp::wire as smol;

use common::{Bench, Contest, Pages, SEGMENT, Segment, noise, packet};
use zerotcp::wire::{
    Ipv4PacketMut, SegmentFields, SegmentTemplate, SeqNumber, TcpBuilder, TcpFlags, TcpOption,
};

fn main() {
    let mut bench = Bench::new("build");
    build(&mut bench, 0);
    build(&mut bench, 1460);
    syn(&mut bench);
    template(&mut bench);
    template_52(&mut bench);
    bench.finish();

    let mut bench = Bench::new("rewrite");
    nat(&mut bench);
    ttl(&mut bench);
    bench.finish();
}

/// Room for any packet here, as a device's buffer has it.
type Buffer = Box<Pages<4096>>;

/// Headers, payload and both checksums, into a buffer that is there already.
fn build(bench: &mut Bench, payload_len: usize) {
    let len = 40 + payload_len;
    let payload = Pages::<4096>::around(&noise(payload_len));
    let payload = payload.middle(payload_len);
    let throughput = Throughput::ElementsAndBytes {
        elements: 1,
        bytes: len as u64,
    };
    let ready = Pages::<4096>::around(&packet(len, &[]));
    let ready = ready.middle(len);
    let contest = Contest::new(len.to_string(), throughput)
        .enter("zerotcp", Pages::blank(), |out: &mut Buffer| {
            ours(black_box(&SEGMENT), &mut out.0, black_box(payload));
        })
        .enter("smoltcp", Pages::blank(), |out| {
            smoltcp(black_box(&SEGMENT), &mut out.0, black_box(payload));
        })
        .enter("etherparse", Pages::blank(), |out| {
            etherparse(black_box(&SEGMENT), &mut out.0, black_box(payload));
        })
        .enter("etherparse-builder", Pages::blank(), |out| {
            etherparse_builder(black_box(&SEGMENT), &mut out.0, black_box(payload));
        })
        .enter("pnet", Pages::blank(), |out| {
            pnet(black_box(&SEGMENT), &mut out.0, black_box(payload));
        })
        // What is written is the packet, so it can be held against the others'.
        .enter("limit", Pages::blank(), |out| {
            let ready = black_box(ready);
            match ready.first_chunk::<40>() {
                Some(headers) if ready.len() == 40 => out.0[..40].copy_from_slice(headers),
                _ => out.0[..ready.len()].copy_from_slice(ready),
            }
        });
    bench.run(contest);
}

#[inline(always)]
fn ours(segment: &Segment, out: &mut [u8], payload: &[u8]) -> usize {
    TcpBuilder::new(segment.src, segment.dst)
        .seq(SeqNumber(segment.seq))
        .ack(SeqNumber(segment.ack))
        .flags(TcpFlags::PSH)
        .window(segment.window)
        .write(out, payload)
        .unwrap_or(0)
}

#[inline(always)]
fn smoltcp(segment: &Segment, out: &mut [u8], payload: &[u8]) {
    let (src, dst) = (*segment.src.ip(), *segment.dst.ip());
    let tcp = smol::TcpRepr {
        src_port: segment.src.port(),
        dst_port: segment.dst.port(),
        control: smol::TcpControl::Psh,
        seq_number: smol::TcpSeqNumber(segment.seq as i32),
        ack_number: Some(smol::TcpSeqNumber(segment.ack as i32)),
        window_len: segment.window,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload,
    };
    let ip = smol::Ipv4Repr {
        src_addr: src,
        dst_addr: dst,
        next_header: smol::IpProtocol::Tcp,
        payload_len: tcp.buffer_len(),
        hop_limit: 64,
    };
    let checksums = smoltcp::phy::ChecksumCapabilities::default();
    let len = ip.buffer_len() + tcp.buffer_len();
    let mut packet = smol::Ipv4Packet::new_unchecked(&mut out[..len]);
    ip.emit(&mut packet, &checksums);
    let mut inner = smol::TcpPacket::new_unchecked(packet.payload_mut());
    tcp.emit(&mut inner, &src.into(), &dst.into(), &checksums);
}

/// Headers as values, made bytes of: quicker than its builder.
#[inline(always)]
fn etherparse(segment: &Segment, out: &mut [u8], payload: &[u8]) -> Option<()> {
    let mut tcp = etherparse::TcpHeader::new(
        segment.src.port(),
        segment.dst.port(),
        segment.seq,
        segment.window,
    );
    tcp.acknowledgment_number = segment.ack;
    tcp.ack = true;
    tcp.psh = true;
    let mut ip = etherparse::Ipv4Header::new(
        u16::try_from(tcp.header_len() + payload.len()).ok()?,
        64,
        etherparse::IpNumber::TCP,
        segment.src.ip().octets(),
        segment.dst.ip().octets(),
    )
    .ok()?;
    ip.header_checksum = ip.calc_header_checksum();
    tcp.checksum = tcp.calc_checksum_ipv4(&ip, payload).ok()?;
    let (headers, rest) = out.split_at_mut(40);
    headers[..20].copy_from_slice(&ip.to_bytes());
    headers[20..].copy_from_slice(&tcp.to_bytes());
    rest[..payload.len()].copy_from_slice(payload);
    Some(())
}

#[inline(always)]
fn etherparse_builder(segment: &Segment, out: &mut [u8], payload: &[u8]) -> Option<()> {
    let (src, dst) = (segment.src.ip().octets(), segment.dst.ip().octets());
    etherparse::PacketBuilder::ipv4(src, dst, 64)
        .tcp(
            segment.src.port(),
            segment.dst.port(),
            segment.seq,
            segment.window,
        )
        .ack(segment.ack)
        .psh()
        .write(&mut &mut out[..], payload)
        .ok()
}

#[inline(always)]
fn pnet(segment: &Segment, out: &mut [u8], payload: &[u8]) -> Option<()> {
    use pnet_packet::tcp;

    let len = 40 + payload.len();
    pnet_ip(segment, &mut out[..len])?;
    let mut packet = tcp::MutableTcpPacket::new(&mut out[20..len])?;
    packet.set_source(segment.src.port());
    packet.set_destination(segment.dst.port());
    packet.set_sequence(segment.seq);
    packet.set_acknowledgement(segment.ack);
    packet.set_data_offset(5);
    packet.set_reserved(0);
    packet.set_flags(tcp::TcpFlags::PSH | tcp::TcpFlags::ACK);
    packet.set_window(segment.window);
    packet.set_urgent_ptr(0);
    packet.set_payload(payload);
    let sum = tcp::ipv4_checksum(&packet.to_immutable(), segment.src.ip(), segment.dst.ip());
    packet.set_checksum(sum);
    Some(())
}

#[inline(always)]
fn pnet_ip(segment: &Segment, out: &mut [u8]) -> Option<()> {
    use pnet_packet::ip::IpNextHeaderProtocols;
    use pnet_packet::ipv4;

    let len = out.len();
    let mut ip = ipv4::MutableIpv4Packet::new(out)?;
    ip.set_version(4);
    ip.set_header_length(5);
    ip.set_dscp(0);
    ip.set_ecn(0);
    ip.set_total_length(u16::try_from(len).ok()?);
    ip.set_identification(0);
    ip.set_flags(ipv4::Ipv4Flags::DontFragment);
    ip.set_fragment_offset(0);
    ip.set_ttl(64);
    ip.set_next_level_protocol(IpNextHeaderProtocols::Tcp);
    ip.set_source(*segment.src.ip());
    ip.set_destination(*segment.dst.ip());
    ip.set_checksum(ipv4::checksum(&ip.to_immutable()));
    Some(())
}

/// The first segment of a connection, 60 bytes, with the options that everybody sends: in
/// the order in which smoltcp writes them, since it knows no other.
fn syn(bench: &mut Bench) {
    let mut ready = [0; 60];
    ours_syn(&SYN, &mut ready);
    let throughput = Throughput::ElementsAndBytes {
        elements: 1,
        bytes: 60,
    };
    let contest = Contest::new("syn", throughput)
        .enter("zerotcp", Pages::blank(), |out: &mut Buffer| {
            ours_syn(black_box(&SYN), &mut out.0);
        })
        .enter("smoltcp", Pages::blank(), |out| {
            smoltcp_syn(black_box(&SYN), &mut out.0);
        })
        .enter("etherparse", Pages::blank(), |out| {
            etherparse_syn(black_box(&SYN), &mut out.0);
        })
        .enter("pnet", Pages::blank(), |out| {
            pnet_syn(black_box(&SYN), &mut out.0);
        })
        .enter("limit", Pages::blank(), |out| {
            out.0[..60].copy_from_slice(black_box(&ready))
        });
    bench.run(contest);
}

struct Syn {
    segment: Segment,
    mss: u16,
    window_scale: u8,
    timestamp: u32,
}

const SYN: Syn = Syn {
    segment: SEGMENT,
    mss: 1460,
    window_scale: 7,
    timestamp: 0x1234_5678,
};

#[inline(always)]
fn ours_syn(syn: &Syn, out: &mut [u8]) -> usize {
    TcpBuilder::new(syn.segment.src, syn.segment.dst)
        .seq(SeqNumber(syn.segment.seq))
        .flags(TcpFlags::SYN)
        .window(syn.segment.window)
        .options(&[
            TcpOption::MaximumSegmentSize(syn.mss),
            TcpOption::WindowScale(syn.window_scale),
            TcpOption::SackPermitted,
            TcpOption::Timestamps {
                value: syn.timestamp,
                echo: 0,
            },
        ])
        .write(out, &[])
        .unwrap_or(0)
}

#[inline(always)]
fn smoltcp_syn(syn: &Syn, out: &mut [u8]) -> Option<()> {
    let segment = &syn.segment;
    let (src, dst) = (*segment.src.ip(), *segment.dst.ip());
    let tcp = smol::TcpRepr {
        src_port: segment.src.port(),
        dst_port: segment.dst.port(),
        control: smol::TcpControl::Syn,
        seq_number: smol::TcpSeqNumber(segment.seq as i32),
        ack_number: None,
        window_len: segment.window,
        window_scale: Some(syn.window_scale),
        max_seg_size: Some(syn.mss),
        sack_permitted: true,
        sack_ranges: [None; 3],
        timestamp: Some(smol::TcpTimestampRepr::new(syn.timestamp, 0)),
        payload: &[],
    };
    let ip = smol::Ipv4Repr {
        src_addr: src,
        dst_addr: dst,
        next_header: smol::IpProtocol::Tcp,
        payload_len: tcp.buffer_len(),
        hop_limit: 64,
    };
    let checksums = smoltcp::phy::ChecksumCapabilities::default();
    // Arrays, so that both `emit` are not the ones of the other cases: a function with one
    // caller is inlined sooner, here and there.
    let (head, rest) = out.split_first_chunk_mut::<20>()?;
    let mut packet = smol::Ipv4Packet::new_unchecked(head);
    ip.emit(&mut packet, &checksums);
    let mut inner = smol::TcpPacket::new_unchecked(rest.first_chunk_mut::<40>()?);
    tcp.emit(&mut inner, &src.into(), &dst.into(), &checksums);
    Some(())
}

/// Options by hand, for those two whose typed ones are slower: etherparse by more than
/// half, and pnet allocates for each.
#[inline(always)]
fn option_bytes(syn: &Syn) -> [u8; 20] {
    let [a, b] = syn.mss.to_be_bytes();
    let [c, d, e, f] = syn.timestamp.to_be_bytes();
    let shift = syn.window_scale;
    [
        2, 4, a, b, 3, 3, shift, 4, 2, 8, 10, c, d, e, f, 0, 0, 0, 0, 0,
    ]
}

#[inline(always)]
fn etherparse_syn(syn: &Syn, out: &mut [u8]) -> Option<()> {
    let segment = &syn.segment;
    let mut tcp = etherparse::TcpHeader::new(
        segment.src.port(),
        segment.dst.port(),
        segment.seq,
        segment.window,
    );
    tcp.syn = true;
    tcp.set_options_raw(&option_bytes(syn)).ok()?;
    let mut ip = etherparse::Ipv4Header::new(
        u16::try_from(tcp.header_len()).ok()?,
        64,
        etherparse::IpNumber::TCP,
        segment.src.ip().octets(),
        segment.dst.ip().octets(),
    )
    .ok()?;
    ip.header_checksum = ip.calc_header_checksum();
    tcp.checksum = tcp.calc_checksum_ipv4(&ip, &[]).ok()?;
    let (headers, rest) = out.split_at_mut(20);
    headers.copy_from_slice(&ip.to_bytes());
    rest[..tcp.header_len()].copy_from_slice(&tcp.to_bytes());
    Some(())
}

#[inline(always)]
fn pnet_syn(syn: &Syn, out: &mut [u8]) -> Option<()> {
    use pnet_packet::tcp;

    let len = 60;
    pnet_ip(&syn.segment, &mut out[..len])?;
    let mut packet = tcp::MutableTcpPacket::new(&mut out[20..len])?;
    packet.set_source(syn.segment.src.port());
    packet.set_destination(syn.segment.dst.port());
    packet.set_sequence(syn.segment.seq);
    packet.set_acknowledgement(0);
    packet.set_data_offset(10);
    packet.set_reserved(0);
    packet.set_flags(tcp::TcpFlags::SYN);
    packet.set_window(syn.segment.window);
    packet.set_urgent_ptr(0);
    packet
        .get_options_raw_mut()
        .copy_from_slice(&option_bytes(syn));
    let (src, dst) = (syn.segment.src.ip(), syn.segment.dst.ip());
    packet.set_checksum(tcp::ipv4_checksum(&packet.to_immutable(), src, dst));
    Some(())
}

/// A bare segment of a connection that has its template; the limit copies one that is ready.
fn template(bench: &mut Bench) {
    let input = (SegmentTemplate::new(SEGMENT.src, SEGMENT.dst), fields());
    let built = packet(40, &[]);
    let ready = built.first_chunk::<40>().expect("a packet of 40 bytes");
    let contest = Contest::new("template", Throughput::Elements(1))
        .enter("zerotcp", Pages::blank(), |out: &mut Buffer| {
            let (template, fields) = black_box(&input);
            let _ = template.write(&mut out.0, fields, &[], [&[], &[]]);
        })
        .enter("zerotcp-builder", Pages::blank(), |out| {
            ours(black_box(&SEGMENT), &mut out.0, &[]);
        })
        .enter("limit", Pages::blank(), |out| {
            out.0[..40].copy_from_slice(black_box(ready))
        });
    bench.run(contest);
}

/// The same with timestamps, as in most segments of the internet.
fn template_52(bench: &mut Bench) {
    let times = (0x1234_5678, 0x9abc_def0);
    let input = (
        SegmentTemplate::new(SEGMENT.src, SEGMENT.dst),
        fields(),
        times,
    );
    let (_, _, (value, echo)) = input;
    let built = packet(52, &with_times(value, echo));
    let ready = built.first_chunk::<52>().expect("a packet of 52 bytes");
    let contest = Contest::new("template-52", Throughput::Elements(1))
        .enter("zerotcp", Pages::blank(), |out: &mut Buffer| {
            let (template, fields, (value, echo)) = black_box(&input);
            let options = with_times(*value, *echo);
            let _ = template.write(&mut out.0, fields, &options, [&[], &[]]);
        })
        .enter("limit", Pages::blank(), |out| {
            out.0[..52].copy_from_slice(black_box(ready))
        });
    bench.run(contest);
}

fn fields() -> SegmentFields {
    SegmentFields {
        seq: SeqNumber(SEGMENT.seq),
        ack: SeqNumber(SEGMENT.ack),
        flags: TcpFlags::ACK | TcpFlags::PSH,
        window: SEGMENT.window,
        ..SegmentFields::default()
    }
}

/// The layout of RFC 7323 appendix A.
fn with_times(value: u32, echo: u32) -> [TcpOption<'static>; 3] {
    let times = TcpOption::Timestamps { value, echo };
    [TcpOption::NoOperation, TcpOption::NoOperation, times]
}

/// Source address and port of a 40-byte packet, as a NAT changes them, with both
/// checksums. The packets are many, so that none waits for its own last rewrite.
fn nat(bench: &mut Bench) {
    let (address, port) = (Ipv4Addr::new(203, 0, 113, 5), 1024);
    let target = || black_box((address, port));
    let contest = Contest::new("nat", Throughput::Elements(1))
        .enter("zerotcp", Ring::new(), |out: &mut Ring| {
            let (address, port) = target();
            if let Ok(mut ip) = Ipv4PacketMut::parse_unverified(out.next()) {
                ip.set_src(address);
                if let Ok(mut tcp) = ip.tcp_mut() {
                    tcp.set_src_port(port);
                }
            }
        })
        .enter("internet-checksum", Ring::new(), |out| {
            let (address, port) = target();
            by_update(out.next(), address, port);
        })
        .enter("smoltcp", Ring::new(), |out| {
            let (address, port) = target();
            smoltcp_nat(out.next(), address, port);
        })
        .enter("etherparse", Ring::new(), |out| {
            let (address, port) = target();
            etherparse_nat(out.next(), address, port);
        })
        .enter("pnet", Ring::new(), |out| {
            let (address, port) = target();
            pnet_nat(out.next(), address, port);
        })
        .limit(Ring::new(), |out| {
            let (address, port) = target();
            let packet = out.next();
            packet[10..12].copy_from_slice(&port.to_be_bytes());
            packet[12..16].copy_from_slice(&address.octets());
            packet[20..22].copy_from_slice(&port.to_be_bytes());
            packet[36..38].copy_from_slice(&port.to_be_bytes());
        });
    bench.run(contest);
}

/// One hop less, as a router does it. Packets here never die: the count wraps.
fn ttl(bench: &mut Bench) {
    let contest = Contest::new("ttl", Throughput::Elements(1))
        .enter("zerotcp", Ring::new(), |out: &mut Ring| {
            if let Ok(mut ip) = Ipv4PacketMut::parse_unverified(out.next()) {
                ip.set_ttl(ip.ttl().wrapping_sub(1));
            }
        })
        .enter("internet-checksum", Ring::new(), |out| {
            ttl_by_update(out.next());
        })
        .enter("smoltcp", Ring::new(), |out| {
            if let Ok(mut ip) = smol::Ipv4Packet::new_checked(out.next()) {
                ip.set_hop_limit(ip.hop_limit().wrapping_sub(1));
                ip.fill_checksum();
            }
        })
        .enter("etherparse", Ring::new(), |out| {
            etherparse_ttl(out.next());
        })
        .enter("pnet", Ring::new(), |out| {
            pnet_ttl(out.next());
        })
        .limit(Ring::new(), |out| {
            let sum = black_box(0x1234_u16);
            let packet = out.next();
            packet[8] = packet[8].wrapping_sub(1);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
        });
    bench.run(contest);
}

const RING: usize = 64;

#[derive(Debug, PartialEq)]
struct Ring {
    packets: Box<[[u8; 40]; RING]>,
    at: usize,
}

impl Ring {
    fn new() -> Ring {
        let built = packet(40, &[]);
        let ready = built.first_chunk::<40>().expect("a packet of 40 bytes");
        Ring {
            packets: Box::new([*ready; RING]),
            at: 0,
        }
    }

    #[inline(always)]
    fn next(&mut self) -> &mut [u8] {
        self.at = (self.at + 1) % RING;
        &mut self.packets[self.at]
    }
}

/// By hand, with the one crate that has the incremental checksum of RFC 1624: no
/// options, and the same checks as ours.
#[inline(always)]
fn by_update(packet: &mut [u8], address: Ipv4Addr, port: u16) -> Option<()> {
    use internet_checksum::update;

    let total = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
    let packet = packet.get_mut(..total)?.first_chunk_mut::<40>()?;
    let whole = u16::from_be_bytes([packet[6], packet[7]]) & 0x3fff == 0;
    if packet[0] != 0x45 || packet[9] != 6 || !whole || packet[32] >> 4 != 5 {
        return None;
    }
    let (address, port) = (address.octets(), port.to_be_bytes());
    let ip = update([packet[10], packet[11]], &packet[12..16], &address);
    let tcp = update([packet[36], packet[37]], &packet[12..16], &address);
    let tcp = update(tcp, &packet[20..22], &port);
    packet[10..12].copy_from_slice(&ip);
    packet[12..16].copy_from_slice(&address);
    packet[20..22].copy_from_slice(&port);
    packet[36..38].copy_from_slice(&tcp);
    Some(())
}

#[inline(always)]
fn smoltcp_nat(bytes: &mut [u8], address: Ipv4Addr, port: u16) -> Option<()> {
    let mut ip = smol::Ipv4Packet::new_checked(bytes).ok()?;
    if ip.next_header() != smol::IpProtocol::Tcp {
        return None;
    }
    ip.set_src_addr(address);
    ip.fill_checksum();
    let dst = ip.dst_addr();
    let mut tcp = smol::TcpPacket::new_checked(ip.payload_mut()).ok()?;
    tcp.set_src_port(port);
    tcp.fill_checksum(&address.into(), &dst.into());
    Some(())
}

#[inline(always)]
fn pnet_nat(bytes: &mut [u8], address: Ipv4Addr, port: u16) -> Option<()> {
    use pnet_packet::ip::IpNextHeaderProtocols;
    use pnet_packet::{ipv4, tcp};

    let mut ip = ipv4::MutableIpv4Packet::new(bytes)?;
    if ip.get_next_level_protocol() != IpNextHeaderProtocols::Tcp {
        return None;
    }
    ip.set_source(address);
    ip.set_checksum(ipv4::checksum(&ip.to_immutable()));
    let dst = ip.get_destination();
    let start = usize::from(ip.get_header_length()) * 4;
    let mut packet = tcp::MutableTcpPacket::new(bytes.get_mut(start..)?)?;
    packet.set_source(port);
    packet.set_checksum(tcp::ipv4_checksum(&packet.to_immutable(), &address, &dst));
    Some(())
}

/// It changes nothing in place: headers become values, and bytes again.
#[inline(always)]
fn etherparse_nat(bytes: &mut [u8], address: Ipv4Addr, port: u16) -> Option<()> {
    let (mut ip, rest) = etherparse::Ipv4Header::from_slice(bytes).ok()?;
    if ip.protocol != etherparse::IpNumber::TCP || ip.is_fragmenting_payload() {
        return None;
    }
    let (mut tcp, payload) = etherparse::TcpHeader::from_slice(rest).ok()?;
    ip.source = address.octets();
    ip.header_checksum = ip.calc_header_checksum();
    tcp.source_port = port;
    tcp.checksum = tcp.calc_checksum_ipv4(&ip, payload).ok()?;
    let (start, rest) = bytes.split_at_mut(ip.header_len());
    start.copy_from_slice(&ip.to_bytes());
    rest[..tcp.header_len()].copy_from_slice(&tcp.to_bytes());
    Some(())
}

#[inline(always)]
fn ttl_by_update(packet: &mut [u8]) -> Option<()> {
    let total = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
    let packet = packet.get_mut(..total)?.first_chunk_mut::<20>()?;
    if packet[0] != 0x45 {
        return None;
    }
    let new = [packet[8].wrapping_sub(1), packet[9]];
    let sum = internet_checksum::update([packet[10], packet[11]], &packet[8..10], &new);
    packet[8] = new[0];
    packet[10..12].copy_from_slice(&sum);
    Some(())
}

#[inline(always)]
fn etherparse_ttl(bytes: &mut [u8]) -> Option<()> {
    let (mut ip, _) = etherparse::Ipv4Header::from_slice(bytes).ok()?;
    ip.time_to_live = ip.time_to_live.wrapping_sub(1);
    ip.header_checksum = ip.calc_header_checksum();
    bytes[..ip.header_len()].copy_from_slice(&ip.to_bytes());
    Some(())
}

#[inline(always)]
fn pnet_ttl(bytes: &mut [u8]) -> Option<()> {
    use pnet_packet::ipv4;

    let mut ip = ipv4::MutableIpv4Packet::new(bytes)?;
    ip.set_ttl(ip.get_ttl().wrapping_sub(1));
    ip.set_checksum(ipv4::checksum(&ip.to_immutable()));
    Some(())
}
