//! Rewrites the source of a packet as a NAT does, both checksums patched.
//!
//! ```sh
//! cargo run --example nat
//! cargo run --example nat -- 198.51.100.7:40000
//! ```

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::ExitCode;

use zerotcp::wire::{Ipv4PacketMut, ParseError, SeqNumber, TcpBuilder, TcpFlags, TcpPacket};

const INSIDE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 49152);
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 80);
const OUTSIDE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 5), 1024);

const USAGE: &str = "usage: nat [ADDRESS:PORT], the new source: nat 198.51.100.7:40000";

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().skip(1).collect();
    let outside = match args.as_slice() {
        [] => Ok(OUTSIDE),
        [arg] if arg == "-h" || arg == "--help" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        [source] => end(source),
        _ => Err(USAGE.to_owned()),
    };
    let outside = match outside {
        Ok(outside) => outside,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = run(outside) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn end(arg: &OsStr) -> Result<SocketAddrV4, String> {
    let end = arg.to_str().and_then(|arg| arg.parse().ok());
    end.ok_or_else(|| format!("{arg:?} is no ADDRESS:PORT as 198.51.100.7:40000 is"))
}

fn run(outside: SocketAddrV4) -> Result<(), Box<dyn Error>> {
    let mut buffer = [0; 1500];
    let len = TcpBuilder::new(INSIDE, SERVER)
        .seq(SeqNumber(1000))
        .ack(SeqNumber(2000))
        .flags(TcpFlags::PSH)
        .write(&mut buffer, b"GET / HTTP/1.0\r\n\r\n")?;
    let packet = &mut buffer[..len];
    print("inside", packet)?;
    translate(packet, outside)?;
    print("outside", packet)?;

    // What came damaged leaves as damaged: the receiver is to notice.
    packet[len - 1] ^= 1;
    translate(packet, INSIDE)?;
    match TcpPacket::parse(packet) {
        Ok(_) => println!("damaged  was made good"),
        Err(error) => println!("damaged  {error}"),
    }
    Ok(())
}

/// Gives the packet another source.
fn translate(packet: &mut [u8], source: SocketAddrV4) -> Result<(), ParseError> {
    let mut packet = Ipv4PacketMut::parse(packet)?;
    packet.tcp_mut()?.set_src_port(source.port());
    packet.set_src(*source.ip());
    Ok(())
}

fn print(side: &str, packet: &[u8]) -> Result<(), ParseError> {
    let TcpPacket { ip, tcp } = TcpPacket::parse(packet)?; // verifies both checksums
    println!(
        "{side:8} {}:{} > {}:{}  checksums {:#06x} and {:#06x}, right",
        ip.src(),
        tcp.src_port(),
        ip.dst(),
        tcp.dst_port(),
        ip.checksum(),
        tcp.checksum(),
    );
    Ok(())
}
