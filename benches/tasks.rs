//! Five tasks side by side, as users of zerotcp, etherparse, smoltcp and pnet_packet would
//! write them: how quick each is (`RATIO`) and how much there is to write (`LINES`).
//!
//! Everyone makes the same checks; where a library lacks one, it is written out and counts.
//! [`agree`] holds the four against each other on thousands of broken packets first.

mod common;

/// One file a library, with the same functions in each.
mod tasks {
    pub mod etherparse;
    pub mod pnet;
    pub mod smoltcp;
    pub mod zerotcp;
}

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddrV4};

use ::zerotcp::wire::{
    Checksum, Icmpv4Builder, Icmpv4Type, OptionSummary, TcpBuilder, TcpFlags, TcpOption, TcpPacket,
};
use criterion::Throughput;

use common::{Bench, Contest, Pages, SEGMENT, noise, packet};
use tasks::{etherparse, pnet, smoltcp, zerotcp};

fn main() {
    agree();
    let mut bench = Bench::new("tasks");
    parse(&mut bench);
    flags(&mut bench);
    nat(&mut bench);
    syn(&mut bench);
    ping(&mut bench);
    bench.finish();
    print_lines();
}

/// What is read from a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fields<'a> {
    pub src: SocketAddrV4,
    pub dst: SocketAddrV4,
    pub seq: u32,
    pub ack: u32,
    pub window: u16,
    pub payload: &'a [u8],
}

/// What a SYN says.
#[derive(Clone, Copy, Debug)]
pub struct Syn {
    pub client: SocketAddrV4,
    pub server: SocketAddrV4,
    pub iss: u32,
    pub window: u16,
    pub mss: u16,
    /// The value of the timestamps option.
    pub clock: u32,
    pub scale: u8,
}

const SYN: Syn = Syn {
    client: SEGMENT.src,
    server: SEGMENT.dst,
    iss: SEGMENT.seq,
    window: SEGMENT.window,
    mss: 1460,
    clock: 0x0102_0304,
    scale: 7,
};

/// Where a NAT's packets seem to come from.
const OUTSIDE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 5), 1024);

/// The fields of one packet of 1500 bytes, both checksums verified.
fn parse(bench: &mut Bench) {
    let bytes = packet(1500, &[]);
    let bytes = bytes.as_slice();
    let throughput = Throughput::ElementsAndBytes {
        elements: 1,
        bytes: 1500,
    };
    let contest = Contest::new("parse", throughput)
        .enter("zerotcp", None, |out| {
            *out = zerotcp::parse(black_box(bytes));
        })
        .enter("etherparse", None, |out| {
            *out = etherparse::parse(black_box(bytes));
        })
        .enter("smoltcp", None, |out| {
            *out = smoltcp::parse(black_box(bytes));
        })
        .enter("pnet", None, |out| *out = pnet::parse(black_box(bytes)));
    bench.run(contest);
}

/// How often each flag is set in 256 packets that lie in memory, in caches mostly: reading
/// the file is not timed. No checksum is looked at, as a capture's seldom can be.
fn flags(bench: &mut Bench) {
    let packets = capture();
    let packets = packets.as_slice();
    let contest = Contest::new("flags", Throughput::Elements(packets.len() as u64))
        .enter("zerotcp", [0; 6], |out| {
            *out = zerotcp::flags(black_box(packets));
        })
        .enter("etherparse", [0; 6], |out| {
            *out = etherparse::flags(black_box(packets));
        })
        .enter("smoltcp", [0; 6], |out| {
            *out = smoltcp::flags(black_box(packets));
        })
        .enter("pnet", [0; 6], |out| *out = pnet::flags(black_box(packets)));
    bench.run(contest);
}

/// Sixteen downloads of 16 packets each: one in eight is no whole TCP segment.
fn capture() -> Vec<Vec<u8>> {
    let (client, server) = (SEGMENT.src, SEGMENT.dst);
    let one_way = |from, to, flags, payload: &[u8]| {
        let mut packet = vec![0; 40 + payload.len()];
        let segment = TcpBuilder::new(from, to).flags(flags);
        let written = segment.write(&mut packet, payload);
        assert_eq!(written, Ok(packet.len()));
        packet
    };
    let (syn, ack, fin) = (TcpFlags::SYN, TcpFlags::ACK, TcpFlags::FIN);
    let text = noise(1460);
    let mut fragment = one_way(server, client, ack, &text);
    fragment[6] = 0x20; // more follow
    let mut download = vec![
        one_way(client, server, syn, b""),
        one_way(server, client, syn | ack, b""),
        one_way(client, server, ack, b""),
        one_way(
            client,
            server,
            ack | TcpFlags::PSH,
            b"GET / HTTP/1.0\r\n\r\n",
        ),
        fragment,
        echo_request(),
    ];
    for _ in 0..4 {
        download.push(one_way(server, client, ack, &text));
        download.push(one_way(client, server, ack, b""));
    }
    download.push(one_way(server, client, ack | fin, b""));
    download.push(one_way(client, server, ack | TcpFlags::RST, b""));
    vec![download; 16].concat()
}

/// Another source for a full packet and a bare acknowledgment in turn, in place, with both
/// checksums right. The packets are many, so that none waits for its own last rewrite.
fn nat(bench: &mut Bench) {
    let pair = [packet(1500, &[]), packet(40, &[])];
    let blank = || Ring {
        packets: vec![pair.clone(); 32].concat(),
        at: 0,
    };
    let contest = Contest::new("nat", Throughput::Elements(1))
        .enter("zerotcp", blank(), |out: &mut Ring| {
            zerotcp::nat(out.next(), black_box(OUTSIDE));
        })
        .enter("etherparse", blank(), |out| {
            etherparse::nat(out.next(), black_box(OUTSIDE));
        })
        .enter("smoltcp", blank(), |out| {
            smoltcp::nat(out.next(), black_box(OUTSIDE));
        })
        .enter("pnet", blank(), |out| {
            pnet::nat(out.next(), black_box(OUTSIDE));
        });
    bench.run(contest);
}

#[derive(Debug, PartialEq)]
struct Ring {
    packets: Vec<Vec<u8>>,
    at: usize,
}

impl Ring {
    fn next(&mut self) -> &mut [u8] {
        self.at = (self.at + 1) % self.packets.len();
        &mut self.packets[self.at]
    }
}

/// A SYN of 60 bytes with the options that Linux sends.
fn syn(bench: &mut Bench) {
    let contest = Contest::new("syn", Throughput::Elements(1))
        .enter("zerotcp", SynPacket(Built::blank()), |out| {
            out.0.len = zerotcp::syn(black_box(&SYN), &mut out.0.buffer.0);
        })
        .enter("etherparse", SynPacket(Built::blank()), |out| {
            out.0.len = etherparse::syn(black_box(&SYN), &mut out.0.buffer.0);
        })
        .enter("etherparse-builder", SynPacket(Built::blank()), |out| {
            out.0.len = etherparse::syn_builder(black_box(&SYN), &mut out.0.buffer.0);
        })
        .enter("smoltcp", SynPacket(Built::blank()), |out| {
            out.0.len = smoltcp::syn(black_box(&SYN), &mut out.0.buffer.0);
        })
        .enter("pnet", SynPacket(Built::blank()), |out| {
            out.0.len = pnet::syn(black_box(&SYN), &mut out.0.buffer.0);
        });
    bench.run(contest);
}

/// The answer to what `ping` sends: 84 bytes.
fn ping(bench: &mut Bench) {
    let request = echo_request();
    let request = request.as_slice();
    let contest = Contest::new("ping", Throughput::Elements(1))
        .enter("zerotcp", Built::blank(), |out: &mut Built| {
            out.len = zerotcp::ping(black_box(request), &mut out.buffer.0);
        })
        .enter("etherparse", Built::blank(), |out| {
            out.len = etherparse::ping(black_box(request), &mut out.buffer.0);
        })
        .enter("etherparse-builder", Built::blank(), |out| {
            out.len = etherparse::ping_builder(black_box(request), &mut out.buffer.0);
        })
        .enter("smoltcp", Built::blank(), |out| {
            out.len = smoltcp::ping(black_box(request), &mut out.buffer.0);
        })
        .enter("pnet", Built::blank(), |out| {
            out.len = pnet::ping(black_box(request), &mut out.buffer.0);
        });
    bench.run(contest);
}

fn echo_request() -> Vec<u8> {
    let mut packet = vec![0; 84];
    let (src, dst) = (*SEGMENT.src.ip(), *SEGMENT.dst.ip());
    let written = Icmpv4Builder::new(src, dst, Icmpv4Type::ECHO_REQUEST, 0)
        .rest([0x12, 0x34, 0, 7])
        .write(&mut packet, &noise(56));
    assert_eq!(written, Ok(84));
    packet
}

/// A packet that has been written, equal to another byte by byte.
#[derive(Debug, PartialEq)]
struct Built {
    buffer: Box<Pages<4096>>,
    len: Option<usize>,
}

impl Built {
    fn blank() -> Built {
        Built {
            buffer: Pages::blank(),
            len: None,
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        self.buffer.0.get(..self.len?)
    }
}

/// A SYN, equal to another that says the same in whatever order of its options.
#[derive(Debug)]
struct SynPacket(Built);

impl PartialEq for SynPacket {
    fn eq(&self, other: &SynPacket) -> bool {
        let meaning = self.meaning();
        meaning.is_some() && meaning == other.meaning()
    }
}

impl SynPacket {
    /// All of the IPv4 header, TCP's but the checksum, which has been found right, and what the
    /// options say.
    fn meaning(&self) -> Option<([u8; 20], [u8; 18], OptionSummary)> {
        let bytes = self.0.bytes()?;
        let packet = TcpPacket::parse(bytes).ok()?;
        let (ip, tcp) = (bytes.first_chunk()?, bytes.get(20..40)?);
        let mut fields = [0; 18];
        fields[..16].copy_from_slice(&tcp[..16]);
        fields[16..].copy_from_slice(&tcp[18..]);
        Some((*ip, fields, packet.tcp.option_summary().ok()?))
    }
}

/// The four give the same answers to packets in which anything may be wrong, and build the
/// same bytes where they can.
fn agree() {
    let timestamps = [
        TcpOption::NoOperation,
        TcpOption::NoOperation,
        TcpOption::Timestamps { value: 1, echo: 2 },
    ];
    let mut packets = vec![Vec::new()];
    for sound in [packet(40, &[]), packet(91, &timestamps), echo_request()] {
        packets.extend((1..=sound.len()).map(|len| sound[..len].to_vec()));
        packets.push([sound.as_slice(), &[0xa5; 6]].concat()); // Ethernet's padding
        for at in 0..sound.len().min(64) {
            for bits in [0x01, 0x02, 0x10, 0x20, 0x40, 0x80, 0xff] {
                let mut broken = sound.clone();
                broken[at] ^= bits;
                packets.push(broken.clone());
                mend(&mut broken);
                packets.push(broken);
            }
        }
    }
    let mut accepted = [0; 4];
    for packet in packets {
        let parsed = zerotcp::parse(&packet);
        assert_eq!(parsed, etherparse::parse(&packet), "{packet:02x?}");
        assert_eq!(parsed, smoltcp::parse(&packet), "{packet:02x?}");
        assert_eq!(parsed, pnet::parse(&packet), "{packet:02x?}");

        let one = std::slice::from_ref(&packet);
        let counted = zerotcp::flags(one);
        assert_eq!(counted, etherparse::flags(one), "{packet:02x?}");
        assert_eq!(counted, smoltcp::flags(one), "{packet:02x?}");
        assert_eq!(counted, pnet::flags(one), "{packet:02x?}");

        let translated = translate(zerotcp::nat, &packet);
        assert_eq!(translated, translate(etherparse::nat, &packet));
        assert_eq!(translated, translate(smoltcp::nat, &packet));
        assert_eq!(translated, translate(pnet::nat, &packet));

        let answered = answer(zerotcp::ping, &packet);
        assert_eq!(answered, answer(etherparse::ping, &packet));
        assert_eq!(answered, answer(etherparse::ping_builder, &packet));
        assert_eq!(answered, answer(smoltcp::ping, &packet));
        assert_eq!(answered, answer(pnet::ping, &packet));

        accepted[0] += u32::from(parsed.is_some());
        accepted[1] += u32::from(counted != [0; 6]);
        accepted[2] += u32::from(translated.is_some());
        accepted[3] += u32::from(answered.is_some());
    }
    // Neither all nor none: both sides of each check have been seen.
    assert!(
        accepted.iter().all(|count| (50..1500).contains(count)),
        "{accepted:?}"
    );

    let built = |build: fn(&Syn, &mut [u8]) -> Option<usize>| {
        let mut buffer = [0; 64];
        build(&SYN, &mut buffer).map(|len| buffer[..len].to_vec())
    };
    let ours = built(zerotcp::syn);
    assert_eq!(ours, built(etherparse::syn));
    assert_eq!(ours, built(etherparse::syn_builder));
    assert_eq!(ours, built(pnet::syn));
}

type Nat = fn(&mut [u8], SocketAddrV4) -> Option<()>;
type Ping = fn(&[u8], &mut [u8]) -> Option<usize>;

fn translate(nat: Nat, packet: &[u8]) -> Option<Vec<u8>> {
    let mut packet = packet.to_vec();
    nat(&mut packet, OUTSIDE).map(|()| packet)
}

fn answer(ping: Ping, request: &[u8]) -> Option<Vec<u8>> {
    let mut reply = [0; 256];
    ping(request, &mut reply).map(|len| reply[..len].to_vec())
}

/// Makes the checksums right again, where its lengths let one say what they cover.
fn mend(packet: &mut [u8]) {
    let header_len = usize::from(packet[0] & 0x0f).max(5) * 4;
    let total_len = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let end = total_len.clamp(header_len, packet.len().max(header_len));
    let Some((header, rest)) = packet
        .get_mut(..end)
        .and_then(|packet| packet.split_at_mut_checked(header_len))
    else {
        return;
    };
    fill(header, 10, Checksum::new());
    match header[9] {
        1 => fill(rest, 2, Checksum::new()),
        6 => {
            let addresses = Checksum::of(&header[12..20]);
            fill(rest, 16, addresses.word(6).word(rest.len() as u16));
        }
        _ => {}
    }
}

/// Writes the checksum of `bytes`, which continues `before`, to where it belongs.
fn fill(bytes: &mut [u8], at: usize, before: Checksum) {
    if let Some(field) = bytes.get_mut(at..at + 2) {
        field.fill(0);
        let sum = before.combine(Checksum::of(bytes)).finish();
        bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

const SOURCES: [(&str, &str); 4] = [
    ("zerotcp", include_str!("tasks/zerotcp.rs")),
    ("etherparse", include_str!("tasks/etherparse.rs")),
    ("smoltcp", include_str!("tasks/smoltcp.rs")),
    ("pnet", include_str!("tasks/pnet.rs")),
];

/// For each task and library the lines of code it takes.
fn print_lines() {
    for task in ["parse", "flags", "nat", "syn", "ping"] {
        for (who, source) in SOURCES {
            let functions = functions(source);
            println!("LINES tasks/{task} {who} {}", lines(&functions, task));
            let builder = format!("{task}_builder");
            if functions.contains_key(builder.as_str()) {
                println!(
                    "LINES tasks/{task} {who}-builder {}",
                    lines(&functions, &builder)
                );
            }
        }
    }
}

/// The lines of code of each function, signature and braces among them; no blank ones, no
/// comments. rustfmt puts the first and the last line of a function where lines begin.
fn functions(source: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut functions = BTreeMap::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let signature = line.strip_prefix("pub ").unwrap_or(line);
        if let Some((name, _)) = signature
            .strip_prefix("fn ")
            .and_then(|rest| rest.split_once('('))
        {
            let mut body = vec![line];
            body.extend(lines.by_ref().take_while(|line| *line != "}"));
            body.push("}");
            body.retain(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"));
            functions.insert(name, body);
        }
    }
    functions
}

/// How many lines `function` takes with the helpers that it calls.
fn lines(functions: &BTreeMap<&str, Vec<&str>>, function: &str) -> usize {
    let calls = |body: &[&str], name: &str| {
        let call = format!("{name}(");
        body[1..].iter().any(|line| {
            line.match_indices(&call).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                before.is_none_or(|c| !c.is_alphanumeric() && !"_.:".contains(c))
            })
        })
    };
    let mut needed = vec![function];
    let mut at = 0;
    while let Some(name) = needed.get(at) {
        let body = &functions[name];
        let helpers = functions.keys().filter(|name| calls(body, name));
        let new: Vec<_> = helpers
            .copied()
            .filter(|name| !needed.contains(name))
            .collect();
        needed.extend(new);
        at += 1;
    }
    needed.iter().map(|name| functions[name].len()).sum()
}
