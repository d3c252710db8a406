//! Parses a packet and checks it: every length and both checksums.
//!
//! ```sh
//! cargo run --example parse               # a SYN that Linux sent
//! cargo run --example parse -- 4500003c...   # yours: hexadecimal, from the IPv4 header on
//! ```

use std::env;
use std::process::ExitCode;

use zerotcp::wire::{ParseError, TcpPacket};

/// Frame 3 of `testdata/handshake.pcap`, without its Ethernet header.
const SYN: &str = "4500003c4172400040067546c0000201c0000202c7f80007cec5353100000000\
                   a002faf04c670000020405b40402080a9c381472000000000103030a";

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().skip(1).collect();
    let packet = match args.as_slice() {
        [] => bytes(SYN),
        [hex] => bytes(&hex.to_string_lossy()),
        _ => None,
    };
    let Some(packet) = packet else {
        eprintln!("usage: parse [HEX], HEX being the bytes of a packet: parse 45000028...");
        return ExitCode::from(2);
    };
    if let Err(error) = show(&packet) {
        eprintln!("dropped: {error}");
        return ExitCode::FAILURE;
    }
    if args.is_empty() {
        println!("\nAnd if it were not sound:");
        broken(&packet);
    }
    ExitCode::SUCCESS
}

fn show(packet: &[u8]) -> Result<(), ParseError> {
    let TcpPacket { ip, tcp } = TcpPacket::parse(packet)?;
    let (src, dst) = (ip.src(), ip.dst());
    println!("{src}:{} > {dst}:{}", tcp.src_port(), tcp.dst_port());
    println!("  ipv4: {} bytes, ttl {}", ip.total_length(), ip.ttl());
    println!(
        "  tcp: {} seq {} ack {} window {}, {} bytes of data",
        tcp.flags(),
        tcp.seq(),
        tcp.ack(),
        tcp.window(),
        tcp.payload().len(),
    );
    for option in tcp.options() {
        println!("  option: {:?}", option?);
    }
    Ok(())
}

/// Breaks the packet in some ways and says what is said of them.
fn broken(packet: &[u8]) {
    let flip = |at: usize, bits: u8| {
        let mut packet = packet.to_vec();
        packet[at] ^= bits;
        packet
    };
    let cases = [
        ("one bit of its window flipped", flip(35, 1)),
        ("the same of its ttl", flip(8, 1)),
        ("ten bytes missing", packet[..packet.len() - 10].to_vec()),
        ("version 6", flip(0, 0x20)),
    ];
    for (what, packet) in cases {
        match TcpPacket::parse(&packet) {
            Ok(_) => println!("  {what}: sound"),
            Err(error) => println!("  {what}: {error}"),
        }
    }
}

/// What two hexadecimal digits a byte say.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16);
    pairs
        .iter()
        .map(|&[high, low]| u8::try_from(digit(high)? << 4 | digit(low)?).ok())
        .collect()
}
