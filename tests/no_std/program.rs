//! A program with neither `std` nor `alloc` that uses all of `wire`: `main.rs` beside it
//! compiles, links and runs it. Exit code 0 if every answer was right.
#![no_std]
#![no_main]

use core::net::{Ipv4Addr, SocketAddrV4};
use core::panic::PanicInfo;

use zerotcp::wire::{
    Checksum, EtherType, Icmpv4Builder, Icmpv4Message, Icmpv4Type, IpProtocol, Ipv4Builder,
    Ipv4Packet, Ipv4PacketMut, LinkType, RawIpv4, SegmentFields, SegmentTemplate, SeqNumber,
    TcpBuilder, TcpFlags, TcpOption, TcpPacket,
};

// What the check must notice, were it in the library: asked for by `main.rs`.
#[cfg(with_alloc)]
extern crate alloc;
#[cfg(with_std)]
extern crate std;

unsafe extern "C" {
    safe fn abort() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    abort()
}

/// Where a panic unwinds, this steers it, and `std` has it. `core` names it all the same.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    let steps = [build_and_parse, rewrite, stamp, ping, other];
    for (number, step) in (1..).zip(steps) {
        if step() != Some(true) {
            return number;
        }
    }
    0
}

const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 49152);
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 443);

fn build_and_parse() -> Option<bool> {
    let mut buffer = [0; 64];
    let options = [TcpOption::MaximumSegmentSize(1460)];
    let syn = TcpBuilder::new(CLIENT, SERVER)
        .seq(SeqNumber(u32::MAX))
        .flags(TcpFlags::SYN)
        .options(&options);
    let len = syn.write(&mut buffer, b"").ok()?;
    let packet = TcpPacket::parse(&buffer[..len]).ok()?;
    let cut = TcpPacket::parse(&buffer[..len - 1]).is_err();
    Some(cut && packet.tcp.flags().syn() && packet.tcp.option_summary().ok()?.mss == Some(1460))
}

fn rewrite() -> Option<bool> {
    let mut buffer = [0; 64];
    let segment = TcpBuilder::new(CLIENT, SERVER).ack(SeqNumber(1));
    let len = segment.write(&mut buffer, b"hello").ok()?;
    let mut packet = Ipv4PacketMut::parse(&mut buffer[..len]).ok()?;
    packet.set_src(Ipv4Addr::new(203, 0, 113, 5));
    packet.tcp_mut().ok()?.set_src_port(1024);
    let packet = TcpPacket::parse(&buffer[..len]).ok()?;
    Some(packet.tcp.src_port() == 1024 && packet.tcp.payload() == b"hello")
}

fn stamp() -> Option<bool> {
    let mut buffer = [0; 64];
    let template = SegmentTemplate::new(CLIENT, SERVER);
    let fields = SegmentFields::default();
    let len = template
        .write(&mut buffer, &fields, &[], [b"hel", b"lo"])
        .ok()?;
    let packet = TcpPacket::parse(&buffer[..len]).ok()?;
    Some(packet.tcp.payload() == b"hello")
}

fn ping() -> Option<bool> {
    let (mut request, mut reply) = ([0; 64], [0; 64]);
    let (us, them) = (*SERVER.ip(), *CLIENT.ip());
    let ping = Icmpv4Builder::new(them, us, Icmpv4Type::ECHO_REQUEST, 0).rest([0, 7, 0, 1]);
    let len = ping.write(&mut request, b"data").ok()?;
    let echo: Icmpv4Message<'_> = Ipv4Packet::parse(&request[..len]).ok()?.icmpv4().ok()?;
    let pong = Icmpv4Builder::echo_reply(us, them, &echo);
    let len = pong.write(&mut reply, echo.body()).ok()?;
    let echo = Ipv4Packet::parse(&reply[..len]).ok()?.icmpv4().ok()?;
    Some(echo.kind() == Icmpv4Type::ECHO_REPLY && echo.identifier() == 7 && echo.body() == b"data")
}

fn other() -> Option<bool> {
    let mut buffer = [0; 1500];
    let payload = [0xa5; 1480];
    let packet = Ipv4Builder::new(*CLIENT.ip(), *SERVER.ip(), IpProtocol(253));
    let len = packet.write(&mut buffer, &payload).ok()?;
    let link = LinkType::RAW.strip(&buffer).ok()?;
    let sums = Checksum::of(&buffer[20..len]).sum() == Checksum::of(&payload).sum();
    let raw = RawIpv4::new(&buffer[..30]);
    Some(sums && raw.is_cut() && link.ethertype == Some(EtherType::IPV4))
}
