//! Its slices check version, lengths and fragments, but no checksum, and cannot be written
//! to. It builds packets in two ways, by `PacketBuilder` and, quicker, by headers as values.

use std::net::SocketAddrV4;

use etherparse::checksum::Sum16BitWords;
use etherparse::{
    Icmpv4Header, Icmpv4Slice, Icmpv4Type, IpNumber, Ipv4Header, Ipv4Slice, PacketBuilder,
    TcpHeader, TcpOptionElement, TcpSlice,
};

use crate::{Fields, Syn};

pub fn parse(packet: &[u8]) -> Option<Fields<'_>> {
    let packet = whole(packet, IpNumber::TCP)?;
    let ip = packet.header();
    let tcp = TcpSlice::from_slice(packet.payload().payload).ok()?;
    let sum = tcp.calc_checksum_ipv4(ip.source(), ip.destination()).ok()?;
    if !is_valid(ip.slice()) || sum != tcp.checksum() {
        return None;
    }
    Some(Fields {
        src: SocketAddrV4::new(ip.source_addr(), tcp.source_port()),
        dst: SocketAddrV4::new(ip.destination_addr(), tcp.destination_port()),
        seq: tcp.sequence_number(),
        ack: tcp.acknowledgment_number(),
        window: tcp.window_size(),
        payload: tcp.payload(),
    })
}

/// A packet that is no fragment and carries `protocol`, not behind an extension header.
fn whole(packet: &[u8], protocol: IpNumber) -> Option<Ipv4Slice<'_>> {
    let packet = Ipv4Slice::from_slice(packet).ok()?;
    let carries = packet.header().protocol() == protocol && !packet.is_payload_fragmented();
    carries.then_some(packet)
}

fn is_valid(bytes: &[u8]) -> bool {
    Sum16BitWords::new().add_slice(bytes).ones_complement() == 0
}

pub fn flags(packets: &[Vec<u8>]) -> [u32; 6] {
    let mut counts = [0; 6];
    for packet in packets {
        if let Some(packet) = whole(packet, IpNumber::TCP)
            && let Ok(tcp) = TcpSlice::from_slice(packet.payload().payload)
        {
            let (fin, syn, rst) = (tcp.fin(), tcp.syn(), tcp.rst());
            let flags = [fin, syn, rst, tcp.psh(), tcp.ack(), tcp.urg()];
            for (flag, count) in flags.into_iter().zip(&mut counts) {
                *count += u32::from(flag);
            }
        }
    }
    counts
}

/// RFC 1624, equation 3, by its sums, written to the bytes.
pub fn nat(packet: &mut [u8], source: SocketAddrV4) -> Option<()> {
    let view = whole(packet, IpNumber::TCP)?;
    let ip = view.header();
    let tcp = TcpSlice::from_slice(view.payload().payload).ok()?;
    if !is_valid(ip.slice()) {
        return None;
    }
    let (address, port) = (source.ip().octets(), source.port().to_be_bytes());
    let sum = Sum16BitWords::new()
        .add_4bytes(ip.source().map(|byte| !byte))
        .add_4bytes(address);
    let ip_sum = sum
        .clone()
        .add_2bytes((!ip.header_checksum()).to_be_bytes());
    let tcp_sum = sum
        .add_2bytes((!tcp.checksum()).to_be_bytes())
        .add_2bytes((!tcp.source_port()).to_be_bytes())
        .add_2bytes(port);
    let start = ip.slice().len();
    packet[10..12].copy_from_slice(&ip_sum.ones_complement().to_ne_bytes());
    packet[12..16].copy_from_slice(&address);
    packet[start..start + 2].copy_from_slice(&port);
    packet[start + 16..start + 18].copy_from_slice(&tcp_sum.ones_complement().to_ne_bytes());
    Some(())
}

pub fn syn(syn: &Syn, buffer: &mut [u8]) -> Option<usize> {
    let (src, dst) = (syn.client.ip().octets(), syn.server.ip().octets());
    let (src_port, dst_port) = (syn.client.port(), syn.server.port());
    let mut tcp = TcpHeader::new(src_port, dst_port, syn.iss, syn.window);
    tcp.syn = true;
    tcp.set_options(&[
        TcpOptionElement::MaximumSegmentSize(syn.mss),
        TcpOptionElement::SelectiveAcknowledgementPermitted,
        TcpOptionElement::Timestamp(syn.clock, 0),
        TcpOptionElement::Noop,
        TcpOptionElement::WindowScale(syn.scale),
    ])
    .ok()?;
    let mut ip = Ipv4Header::new(tcp.header_len_u16(), 64, IpNumber::TCP, src, dst).ok()?;
    ip.header_checksum = ip.calc_header_checksum();
    tcp.checksum = tcp.calc_checksum_ipv4(&ip, &[]).ok()?;
    let len = ip.header_len() + tcp.header_len();
    let (ip_room, tcp_room) = buffer.get_mut(..len)?.split_at_mut(ip.header_len());
    ip_room.copy_from_slice(&ip.to_bytes());
    tcp_room.copy_from_slice(&tcp.to_bytes());
    Some(len)
}

pub fn syn_builder(syn: &Syn, buffer: &mut [u8]) -> Option<usize> {
    let (src, dst) = (syn.client.ip().octets(), syn.server.ip().octets());
    let (src_port, dst_port) = (syn.client.port(), syn.server.port());
    PacketBuilder::ipv4(src, dst, 64)
        .tcp(src_port, dst_port, syn.iss, syn.window)
        .syn()
        .options(&[
            TcpOptionElement::MaximumSegmentSize(syn.mss),
            TcpOptionElement::SelectiveAcknowledgementPermitted,
            TcpOptionElement::Timestamp(syn.clock, 0),
            TcpOptionElement::Noop,
            TcpOptionElement::WindowScale(syn.scale),
        ])
        .ok()?
        .write_to_slice(buffer, &[])
        .ok()
}

pub fn ping(request: &[u8], reply: &mut [u8]) -> Option<usize> {
    let packet = whole(request, IpNumber::ICMP)?;
    let ip = packet.header();
    let message = Icmpv4Slice::from_slice(packet.payload().payload).ok()?;
    let Icmpv4Type::EchoRequest(echo) = message.icmp_type() else {
        return None;
    };
    if !is_valid(ip.slice()) || !is_valid(message.slice()) {
        return None;
    }
    let data = message.payload();
    let icmp = Icmpv4Header::with_checksum(Icmpv4Type::EchoReply(echo), data);
    let (src, dst) = (ip.destination(), ip.source());
    let message_len = u16::try_from(message.slice().len()).ok()?;
    let mut ip = Ipv4Header::new(message_len, 64, IpNumber::ICMP, src, dst).ok()?;
    ip.header_checksum = ip.calc_header_checksum();
    let len = ip.header_len() + message.slice().len();
    let (ip_room, rest) = reply.get_mut(..len)?.split_at_mut(ip.header_len());
    let (icmp_room, data_room) = rest.split_at_mut(icmp.header_len());
    ip_room.copy_from_slice(&ip.to_bytes());
    icmp_room.copy_from_slice(&icmp.to_bytes());
    data_room.copy_from_slice(data);
    Some(len)
}

pub fn ping_builder(request: &[u8], reply: &mut [u8]) -> Option<usize> {
    let packet = whole(request, IpNumber::ICMP)?;
    let ip = packet.header();
    let message = Icmpv4Slice::from_slice(packet.payload().payload).ok()?;
    let Icmpv4Type::EchoRequest(echo) = message.icmp_type() else {
        return None;
    };
    if !is_valid(ip.slice()) || !is_valid(message.slice()) {
        return None;
    }
    PacketBuilder::ipv4(ip.destination(), ip.source(), 64)
        .icmpv4_echo_reply(echo.id, echo.seq)
        .write_to_slice(reply, message.payload())
        .ok()
}
