//! It checks nothing but that there are bytes for the fixed part of a header, so the checks
//! that the others make stand here.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;

use pnet_packet::icmp::echo_reply::MutableEchoReplyPacket;
use pnet_packet::icmp::echo_request::{EchoRequestPacket, IcmpCodes};
use pnet_packet::icmp::{self, IcmpPacket, IcmpTypes};
use pnet_packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols};
use pnet_packet::ipv4::{self, Ipv4Flags, Ipv4Packet, MutableIpv4Packet};
use pnet_packet::tcp::{self, MutableTcpPacket, TcpFlags, TcpOption, TcpPacket};
use pnet_packet::{Packet, util};

use crate::{Fields, Syn};

pub fn parse(packet: &[u8]) -> Option<Fields<'_>> {
    let (ip, segment) = whole(packet, IpNextHeaderProtocols::Tcp)?;
    let segment = &packet[segment];
    let (tcp, payload) = split(segment)?;
    let (src, dst) = (ip.get_source(), ip.get_destination());
    if ipv4::checksum(&ip) != ip.get_checksum()
        || tcp::ipv4_checksum(&tcp, &src, &dst) != tcp.get_checksum()
    {
        return None;
    }
    Some(Fields {
        src: SocketAddrV4::new(src, tcp.get_source()),
        dst: SocketAddrV4::new(dst, tcp.get_destination()),
        seq: tcp.get_sequence(),
        ack: tcp.get_acknowledgement(),
        window: tcp.get_window(),
        payload: &segment[payload],
    })
}

/// A packet that is sound, no fragment and carries `protocol`, and where its payload lies.
fn whole(packet: &[u8], protocol: IpNextHeaderProtocol) -> Option<(Ipv4Packet<'_>, Range<usize>)> {
    let ip = Ipv4Packet::new(packet)?;
    let header_len = usize::from(ip.get_header_length()) * 4;
    let total_len = usize::from(ip.get_total_length());
    let sound = ip.get_version() == 4
        && ip.get_next_level_protocol() == protocol
        && ip.get_flags() & Ipv4Flags::MoreFragments == 0
        && ip.get_fragment_offset() == 0
        && header_len >= Ipv4Packet::minimum_packet_size()
        && header_len <= total_len
        && total_len <= packet.len();
    sound.then_some((ip, header_len..total_len))
}

/// A segment whose data offset is sound, and where its payload lies.
fn split(segment: &[u8]) -> Option<(TcpPacket<'_>, Range<usize>)> {
    let tcp = TcpPacket::new(segment)?;
    let header_len = usize::from(tcp.get_data_offset()) * 4;
    let sound = header_len >= TcpPacket::minimum_packet_size() && header_len <= segment.len();
    sound.then_some((tcp, header_len..segment.len()))
}

pub fn flags(packets: &[Vec<u8>]) -> [u32; 6] {
    let mut counts = [0; 6];
    for packet in packets {
        if let Some((_, segment)) = whole(packet, IpNextHeaderProtocols::Tcp)
            && let Some((tcp, _)) = split(&packet[segment])
        {
            let flags = tcp.get_flags();
            for (bit, count) in counts.iter_mut().enumerate() {
                *count += u32::from(flags >> bit & 1);
            }
        }
    }
    counts
}

/// RFC 1624, equation 3, by its sum of bytes: a new one would take the whole segment.
pub fn nat(packet: &mut [u8], source: SocketAddrV4) -> Option<()> {
    let (ip, segment) = whole(packet, IpNextHeaderProtocols::Tcp)?;
    if ipv4::checksum(&ip) != ip.get_checksum() {
        return None;
    }
    split(&packet[segment.clone()])?;
    let mut ip = MutableIpv4Packet::new(packet)?;
    let [a, b, c, d] = ip.get_source().octets().map(|byte| !byte);
    let [e, f, g, h] = source.ip().octets();
    let [x, y] = (!ip.get_checksum()).to_be_bytes();
    ip.set_checksum(util::checksum(&[x, y, a, b, c, d, e, f, g, h], usize::MAX));
    ip.set_source(*source.ip());
    let mut tcp = MutableTcpPacket::new(&mut packet[segment])?;
    let [x, y] = (!tcp.get_checksum()).to_be_bytes();
    let [i, j] = (!tcp.get_source()).to_be_bytes();
    let [k, l] = source.port().to_be_bytes();
    let changes = [x, y, a, b, c, d, e, f, g, h, i, j, k, l];
    tcp.set_checksum(util::checksum(&changes, usize::MAX));
    tcp.set_source(source.port());
    Some(())
}

pub fn syn(syn: &Syn, buffer: &mut [u8]) -> Option<usize> {
    let (src, dst) = (*syn.client.ip(), *syn.server.ip());
    let packet = buffer.get_mut(..60)?;
    header(packet, IpNextHeaderProtocols::Tcp, src, dst)?;
    let mut tcp = MutableTcpPacket::new(&mut packet[20..])?;
    tcp.set_source(syn.client.port());
    tcp.set_destination(syn.server.port());
    tcp.set_sequence(syn.iss);
    tcp.set_acknowledgement(0);
    tcp.set_data_offset(10);
    tcp.set_reserved(0);
    tcp.set_flags(TcpFlags::SYN);
    tcp.set_window(syn.window);
    tcp.set_urgent_ptr(0);
    tcp.set_options(&[
        TcpOption::mss(syn.mss),
        TcpOption::sack_perm(),
        TcpOption::timestamp(syn.clock, 0),
        TcpOption::nop(),
        TcpOption::wscale(syn.scale),
    ]);
    tcp.set_checksum(tcp::ipv4_checksum(&tcp.to_immutable(), &src, &dst));
    Some(60)
}

fn header(
    packet: &mut [u8],
    protocol: IpNextHeaderProtocol,
    src: Ipv4Addr,
    dst: Ipv4Addr,
) -> Option<()> {
    let total_len = u16::try_from(packet.len()).ok()?;
    let mut ip = MutableIpv4Packet::new(packet)?;
    ip.set_version(4);
    ip.set_header_length(5);
    ip.set_dscp(0);
    ip.set_ecn(0);
    ip.set_total_length(total_len);
    ip.set_identification(0);
    ip.set_flags(Ipv4Flags::DontFragment);
    ip.set_fragment_offset(0);
    ip.set_ttl(64);
    ip.set_next_level_protocol(protocol);
    ip.set_source(src);
    ip.set_destination(dst);
    ip.set_checksum(ipv4::checksum(&ip.to_immutable()));
    Some(())
}

pub fn ping(request: &[u8], reply: &mut [u8]) -> Option<usize> {
    let (ip, message) = whole(request, IpNextHeaderProtocols::Icmp)?;
    let message = &request[message];
    let echo = EchoRequestPacket::new(message)?;
    if ipv4::checksum(&ip) != ip.get_checksum()
        || icmp::checksum(&IcmpPacket::new(message)?) != echo.get_checksum()
        || echo.get_icmp_type() != IcmpTypes::EchoRequest
        || echo.get_icmp_code() != IcmpCodes::NoCode
    {
        return None;
    }
    let len = 20 + message.len();
    let packet = reply.get_mut(..len)?;
    let (src, dst) = (ip.get_destination(), ip.get_source());
    header(packet, IpNextHeaderProtocols::Icmp, src, dst)?;
    let mut answer = MutableEchoReplyPacket::new(&mut packet[20..])?;
    answer.set_icmp_type(IcmpTypes::EchoReply);
    answer.set_icmp_code(IcmpCodes::NoCode);
    answer.set_identifier(echo.get_identifier());
    answer.set_sequence_number(echo.get_sequence_number());
    answer.set_payload(echo.payload());
    let sum = icmp::checksum(&IcmpPacket::new(answer.packet())?);
    answer.set_checksum(sum);
    Some(len)
}
