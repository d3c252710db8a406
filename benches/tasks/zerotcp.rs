use std::net::SocketAddrV4;

use zerotcp::wire::{
    Icmpv4Builder, Icmpv4Type, Ipv4Packet, Ipv4PacketMut, SeqNumber, TcpBuilder, TcpFlags,
    TcpOption, TcpPacket,
};

use crate::{Fields, Syn};

pub fn parse(packet: &[u8]) -> Option<Fields<'_>> {
    let TcpPacket { ip, tcp } = TcpPacket::parse(packet).ok()?;
    Some(Fields {
        src: SocketAddrV4::new(ip.src(), tcp.src_port()),
        dst: SocketAddrV4::new(ip.dst(), tcp.dst_port()),
        seq: tcp.seq().0,
        ack: tcp.ack().0,
        window: tcp.window(),
        payload: tcp.payload(),
    })
}

pub fn flags(packets: &[Vec<u8>]) -> [u32; 6] {
    let mut counts = [0; 6];
    for packet in packets {
        if let Ok(packet) = TcpPacket::parse_unverified(packet) {
            let flags = packet.tcp.flags().bits();
            for (bit, count) in counts.iter_mut().enumerate() {
                *count += u32::from(flags >> bit & 1);
            }
        }
    }
    counts
}

pub fn nat(packet: &mut [u8], source: SocketAddrV4) -> Option<()> {
    let mut ip = Ipv4PacketMut::parse(packet).ok()?;
    ip.tcp_mut().ok()?.set_src_port(source.port());
    ip.set_src(*source.ip());
    Some(())
}

pub fn syn(syn: &Syn, buffer: &mut [u8]) -> Option<usize> {
    TcpBuilder::new(syn.client, syn.server)
        .seq(SeqNumber(syn.iss))
        .flags(TcpFlags::SYN)
        .window(syn.window)
        .options(&[
            TcpOption::MaximumSegmentSize(syn.mss),
            TcpOption::SackPermitted,
            TcpOption::Timestamps {
                value: syn.clock,
                echo: 0,
            },
            TcpOption::NoOperation,
            TcpOption::WindowScale(syn.scale),
        ])
        .write(buffer, &[])
        .ok()
}

pub fn ping(request: &[u8], reply: &mut [u8]) -> Option<usize> {
    let ip = Ipv4Packet::parse(request).ok()?;
    let echo = ip.icmpv4().ok()?;
    if echo.kind() != Icmpv4Type::ECHO_REQUEST || echo.code() != 0 {
        return None;
    }
    Icmpv4Builder::echo_reply(ip.dst(), ip.src(), &echo)
        .write(reply, echo.body())
        .ok()
}
