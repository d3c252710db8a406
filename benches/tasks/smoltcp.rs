//! Its `Repr` of IPv4 checks version, lengths, checksum and that the packet is whole. Its
//! `Repr` of TCP would be one step too: but it keeps only some flags and refuses what has
//! unusual ones, so segments are read through its view.

use std::net::SocketAddrV4;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr,
    TcpSeqNumber, TcpTimestampRepr, checksum,
};

use crate::{Fields, Syn};

pub fn parse(packet: &[u8]) -> Option<Fields<'_>> {
    let packet = Ipv4Packet::new_unchecked(packet);
    let ip = Ipv4Repr::parse(&packet, &ChecksumCapabilities::default()).ok()?;
    if ip.next_header != IpProtocol::Tcp {
        return None;
    }
    let tcp = TcpPacket::new_checked(packet.payload()).ok()?;
    if !tcp.verify_checksum(&ip.src_addr.into(), &ip.dst_addr.into()) {
        return None;
    }
    Some(Fields {
        src: SocketAddrV4::new(ip.src_addr, tcp.src_port()),
        dst: SocketAddrV4::new(ip.dst_addr, tcp.dst_port()),
        seq: tcp.seq_number().0 as u32,
        ack: tcp.ack_number().0 as u32,
        window: tcp.window_len(),
        payload: tcp.payload(),
    })
}

pub fn flags(packets: &[Vec<u8>]) -> [u32; 6] {
    let mut counts = [0; 6];
    for packet in packets {
        let packet = Ipv4Packet::new_unchecked(packet.as_slice());
        if let Ok(ip) = Ipv4Repr::parse(&packet, &ChecksumCapabilities::ignored())
            && ip.next_header == IpProtocol::Tcp
            && let Ok(tcp) = TcpPacket::new_checked(packet.payload())
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

/// RFC 1624, equation 3, by its sums: `fill_checksum` would read the whole segment.
pub fn nat(packet: &mut [u8], source: SocketAddrV4) -> Option<()> {
    let view = Ipv4Packet::new_unchecked(&*packet);
    let ip = Ipv4Repr::parse(&view, &ChecksumCapabilities::default()).ok()?;
    if ip.next_header != IpProtocol::Tcp {
        return None;
    }
    let old = !checksum::data(&ip.src_addr.octets());
    let new = checksum::data(&source.ip().octets());
    let mut packet = Ipv4Packet::new_unchecked(packet);
    let mut tcp = TcpPacket::new_checked(packet.payload_mut()).ok()?;
    let (old_port, new_port) = (!tcp.src_port(), source.port());
    let sum = checksum::combine(&[!tcp.checksum(), old, new, old_port, new_port]);
    tcp.set_checksum(!sum);
    tcp.set_src_port(new_port);
    packet.set_checksum(!checksum::combine(&[!packet.checksum(), old, new]));
    packet.set_src_addr(*source.ip());
    Some(())
}

/// The options come in an order of its own.
pub fn syn(syn: &Syn, buffer: &mut [u8]) -> Option<usize> {
    let (src, dst) = (*syn.client.ip(), *syn.server.ip());
    let tcp = TcpRepr {
        src_port: syn.client.port(),
        dst_port: syn.server.port(),
        control: TcpControl::Syn,
        seq_number: TcpSeqNumber(syn.iss as i32),
        ack_number: None,
        window_len: syn.window,
        window_scale: Some(syn.scale),
        max_seg_size: Some(syn.mss),
        sack_permitted: true,
        sack_ranges: [None; 3],
        timestamp: Some(TcpTimestampRepr::new(syn.clock, 0)),
        payload: &[],
    };
    let ip = Ipv4Repr {
        src_addr: src,
        dst_addr: dst,
        next_header: IpProtocol::Tcp,
        payload_len: tcp.buffer_len(),
        hop_limit: 64,
    };
    let checksums = ChecksumCapabilities::default();
    let len = ip.buffer_len() + tcp.buffer_len();
    let mut packet = Ipv4Packet::new_unchecked(buffer.get_mut(..len)?);
    ip.emit(&mut packet, &checksums);
    let mut segment = TcpPacket::new_unchecked(packet.payload_mut());
    tcp.emit(&mut segment, &src.into(), &dst.into(), &checksums);
    Some(len)
}

pub fn ping(request: &[u8], reply: &mut [u8]) -> Option<usize> {
    let checksums = ChecksumCapabilities::default();
    let packet = Ipv4Packet::new_unchecked(request);
    let ip = Ipv4Repr::parse(&packet, &checksums).ok()?;
    if ip.next_header != IpProtocol::Icmp {
        return None;
    }
    let message = Icmpv4Packet::new_unchecked(packet.payload());
    let Ok(Icmpv4Repr::EchoRequest {
        ident,
        seq_no,
        data,
    }) = Icmpv4Repr::parse(&message, &checksums)
    else {
        return None;
    };
    let echo = Icmpv4Repr::EchoReply {
        ident,
        seq_no,
        data,
    };
    let ip = Ipv4Repr {
        src_addr: ip.dst_addr,
        dst_addr: ip.src_addr,
        hop_limit: 64,
        ..ip
    };
    let len = ip.buffer_len() + echo.buffer_len();
    let mut packet = Ipv4Packet::new_unchecked(reply.get_mut(..len)?);
    ip.emit(&mut packet, &checksums);
    let mut message = Icmpv4Packet::new_unchecked(packet.payload_mut());
    echo.emit(&mut message, &checksums);
    Some(len)
}
