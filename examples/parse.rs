//! Parses a packet and checks it: every length and both checksums.
//!
//! ```sh
//! cargo run --example parse               # a SYN that Linux sent
//! cargo run --example parse -- 4500003c...   # yours: hexadecimal, from the IPv4 header on
//! cargo run --example parse -- 4500 003c ... # in words, as others print it
//! ```

use std::env;
use std::ffi::OsStr;
use std::process::ExitCode;

use zerotcp::wire::{ParseError, TcpPacket};

/// Frame 3 of `testdata/handshake.pcap`, without its Ethernet header.
const SYN: &str = "4500003c4172400040067546c0000201c0000202c7f80007cec5353100000000\
                   a002faf04c670000020405b40402080a9c381472000000000103030a";

const USAGE: &str = "usage: parse [HEX...], the bytes of a packet: parse 4500003c...";

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().skip(1).collect();
    let packet = match args.as_slice() {
        [] => bytes(SYN),
        [arg] if arg == "-h" || arg == "--help" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        words => bytes(&words.join(OsStr::new(" ")).to_string_lossy()),
    };
    let packet = match packet {
        Ok(packet) => packet,
        Err(error) => {
            eprintln!("{error}; {USAGE}");
            return ExitCode::from(2);
        }
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

/// What hexadecimal digits say, two for each byte, in words of any length.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for word in text.split_whitespace() {
        let hex = word.strip_prefix("0x").unwrap_or(word);
        let digits = hex
            .chars()
            .map(|char| match char.to_digit(16) {
                Some(digit) => Ok(digit as u8), // below 16
                None => Err(format!("{char:?} is not a hexadecimal digit")),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let (pairs, rest) = digits.as_chunks();
        if !rest.is_empty() {
            return Err("an odd number of hexadecimal digits, each byte has two".to_owned());
        }
        bytes.extend(pairs.iter().map(|[high, low]| high << 4 | low));
    }
    Ok(bytes)
}
