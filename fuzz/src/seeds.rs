//! Inputs to begin with: what the library builds, and the smaller captures of `testdata/`.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use zerotcp::simulation::{Choices, Dice};
use zerotcp::wire::{
    Icmpv4Builder, Icmpv4Type, IpProtocol, Ipv4Builder, SackBlocks, SeqNumber, TcpBuilder,
    TcpFlags, TcpOption,
};

const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 7777);
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 7);

/// An input: for which target, by what name.
pub struct Seed {
    pub target: &'static str,
    pub name: String,
    pub data: Vec<u8>,
}

/// All of them, the same each time.
///
/// # Errors
/// `testdata/` can't be read.
pub fn all() -> io::Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    let mut add = |target, name: &str, data: Vec<u8>| {
        let name = name.to_owned();
        seeds.push(Seed { target, name, data });
    };
    for (name, packet) in packets() {
        add("ipv4", name, [&[1], &packet[..]].concat());
        add("tcp", name, [&[3], &packet[..]].concat());
        add("mutate", name, [&[3][..], &setters(), &packet].concat());
        if packet[9] == IpProtocol::ICMP.0 {
            add("icmpv4", name, [&[1], &packet[20..]].concat());
        }
    }
    let quote = packets().swap_remove(1).1;
    let fault = |kind: u8| [&[1, kind, 0, 0, 0, 0, 0, 0, 0], &quote[..28]].concat();
    add("icmpv4", "time-exceeded", fault(11));
    add("icmpv4", "parameter-problem", fault(12));
    add("icmpv4", "cut", vec![0, 8, 0, 0]);
    add("icmpv4", "zeros", vec![1, 0, 0, 0, 0, 0, 0, 0, 0]);
    add("icmpv4", "wrong", vec![0, 8, 0, 1, 2, 3, 4, 5, 6]);
    for (name, options) in options() {
        add("options", name, options);
    }
    for (name, frame) in frames() {
        add("link", name, frame);
    }
    for len in [0, 1, 2, 31, 64, 127, 200, 700, 1480, 4000] {
        let numbers = [1, 0, 7, 0, 90, 0, 3, 0xff, 0xff, 0x12, 0x34, 9, 0];
        let bytes = (0..len).map(|n: usize| ((n * 73) >> 3) as u8);
        let data = numbers.into_iter().chain(bytes).collect();
        add("checksum", &format!("{len}-bytes"), data);
    }
    for (name, sample) in samples() {
        add("builder", name, sample);
    }
    for (name, script) in scripts() {
        add("packets", name, script);
    }
    for (name, pieces) in pieces() {
        add("fragments", name, pieces.concat());
    }
    for (name, text) in TEXTS {
        add("impairment", name, text.into());
    }
    for seed in 0..8 {
        add("stack", &format!("seed-{seed}"), decisions(seed));
    }
    for (name, capture) in captures()? {
        add("captures", &name, [&[0, 63], &capture[..]].concat());
    }
    for (name, parts) in blocks() {
        add("captures", name, parts);
    }
    Ok(seeds)
}

/// A packet of each kind.
fn packets() -> Vec<(&'static str, Vec<u8>)> {
    let mut room = [0; 40];
    let blocks = SackBlocks::new(&[0x12; 24]);
    let [mss, scale, permitted] = [
        TcpOption::MaximumSegmentSize(1460),
        TcpOption::WindowScale(7),
        TcpOption::SackPermitted,
    ];
    let times = TcpOption::Timestamps {
        value: 1000,
        echo: 0,
    };
    let nop = TcpOption::NoOperation;
    let syn = TcpBuilder::new(CLIENT, SERVER)
        .flags(TcpFlags::SYN)
        .seq(SeqNumber(0xffff_fff0))
        .window(64_240);
    let text = TcpBuilder::new(CLIENT, SERVER)
        .ack(SeqNumber(1))
        .flags(TcpFlags::PSH)
        .window(500);
    let mut packets = vec![
        (
            "syn",
            tcp(syn.options(&[mss, permitted, times, nop, scale]), b""),
        ),
        ("bare", tcp(text, b"")),
        (
            "text",
            tcp(
                text.options(&[nop, nop, times]),
                b"some text of no even length",
            ),
        ),
        ("urgent", tcp(text.urgent(3).flags(TcpFlags::FIN), b"now")),
        (
            "ip-options",
            tcp(text.ip(|ip| ip.options(&[7, 7, 4, 0, 0, 0, 0])), b"routed"),
        ),
        ("reset", tcp(syn.flags(TcpFlags::RST), b"")),
    ];
    if let Some(blocks) = blocks {
        let options = [nop, nop, times, nop, nop, TcpOption::Sack(blocks)];
        packets.push(("sack", tcp(text.options(&options), b"")));
    }
    let (src, dst) = (*CLIENT.ip(), *SERVER.ip());
    let ip = |protocol| Ipv4Builder::new(src, dst, protocol).dont_fragment(false);
    let udp = [0, 53, 0, 53, 0, 12, 0x12, 0x34, 1, 2, 3, 4];
    let first = ip(IpProtocol::TCP).fragment(0, true);
    packets.extend([
        (
            "udp",
            written(|buffer| ip(IpProtocol::UDP).write(buffer, &udp)),
        ),
        ("fragment", written(|buffer| first.write(buffer, &[9; 24]))),
        (
            "echo",
            icmp(Icmpv4Type::ECHO_REQUEST, 0, [0, 1, 0, 2], b"ping"),
        ),
    ]);
    let quote = tcp(text, b"12345678");
    let unreachable = Icmpv4Type::DESTINATION_UNREACHABLE;
    packets.push(("too-big", icmp(unreachable, 4, [0, 0, 2, 40], &quote[..28])));
    room.fill(1);
    packets.push(("padded", [&tcp(text, b"")[..], &room].concat()));
    packets
}

fn tcp(builder: TcpBuilder<'_>, payload: &[u8]) -> Vec<u8> {
    written(|buffer| builder.write(buffer, payload))
}

fn icmp(kind: Icmpv4Type, code: u8, rest: [u8; 4], body: &[u8]) -> Vec<u8> {
    let builder = Icmpv4Builder::new(*CLIENT.ip(), *SERVER.ip(), kind, code).rest(rest);
    written(|buffer| builder.write(buffer, body))
}

fn written<E: std::fmt::Debug>(write: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Vec<u8> {
    let mut buffer = vec![0; 500];
    let len = write(&mut buffer).expect("small packets");
    buffer.truncate(len);
    buffer
}

/// Each setter once, as `mutate` reads them.
fn setters() -> Vec<u8> {
    let steps = (0..31u8).flat_map(|step| [step, 0, 0, 0x1d, step | 0x20]);
    [31].into_iter().chain(steps).collect()
}

fn options() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("none", vec![]),
        ("recommended", vec![1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]),
        (
            "syn",
            vec![
                2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7,
            ],
        ),
        (
            "sack",
            [&[1, 1, 5, 18][..], &[3; 16], &[253, 4, 1, 2]].concat(),
        ),
        (
            "twice",
            vec![2, 4, 1, 1, 2, 4, 2, 2, 3, 3, 1, 3, 3, 2, 0, 9],
        ),
        ("zero-length", vec![3, 3, 7, 2, 0, 1, 1, 1]),
        ("overrun", vec![1, 1, 1, 4, 2, 254, 9, 1]),
        (
            "source-route",
            vec![131, 7, 4, 10, 0, 0, 1, 1, 137, 7, 8, 10, 0, 0, 1, 0],
        ),
        ("record-route", [&[7, 39, 4][..], &[0; 37]].concat()),
    ]
}

/// The number of a link type in the table of `link`, and a frame.
fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let ethernet = [2; 12];
    let cooked = [0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0];
    vec![
        ("null", vec![0, 2, 0, 0, 0, 0x45]),
        ("ethernet", [&[1][..], &ethernet, &[8, 0, 0x45]].concat()),
        (
            "vlan",
            [
                &[1][..],
                &ethernet,
                &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 8, 0],
            ]
            .concat(),
        ),
        ("raw", vec![4, 0x60, 0]),
        ("loop", vec![5, 0, 0, 0, 30, 0x60]),
        ("cooked", [&[6][..], &cooked, &[8, 0, 0x45]].concat()),
        (
            "netlink",
            [&[6, 0, 0, 0x03, 0x38], &cooked[4..], &[8, 0, 0x45]].concat(),
        ),
        (
            "cooked-v2",
            [&[9, 8, 0, 0, 0, 0, 0, 0, 1, 0, 1][..], &[0; 12]].concat(),
        ),
        ("unknown", vec![0xff, 0, 127, 1, 2, 3]),
    ]
}

/// Fields of a packet as `builder` reads them.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let addresses = [10, 0, 0, 1, 0, 7, 10, 0, 0, 2, 0x1e, 0x61];
    // Flags, identification, SEG.SEQ, SEG.ACK, window, TOS, TTL, DF.
    let with_ack = [
        0, 0x10, 0, 9, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 1, 4, 0, 0xb8, 64, 1,
    ];
    let timestamps = [0, 3, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2];
    let sack = [2, 5, 1, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];
    let all = [5, 1, 5, 0xb4, 2, 7, 3, 0, 6, 0xfd, 4, 1, 2, 3, 4];
    let join =
        |options: &[u8], payload: &[u8]| [&addresses, &with_ack[..], options, payload].concat();
    vec![
        ("bare", join(&[0, 0], b"")),
        ("timestamps", join(&timestamps, b"text")),
        ("sack", join(&[&[0][..], &sack].concat(), b"odd")),
        (
            "all",
            join(&[&[5, 1, 2, 3, 4, 5][..], &all].concat(), &[7; 100]),
        ),
        (
            "too-many",
            join(&[&[0, 1, 6, 0xfd, 41][..], &[1; 41]].concat(), b""),
        ),
    ]
}

/// Steps as `packets` reads them.
fn scripts() -> Vec<(&'static str, Vec<u8>)> {
    /// A packet that is aimed and sealed, one that is only sealed.
    const AIMED: u8 = 0x18;
    const SEALED: u8 = 0x10;
    let step = |step: u8, packet: &[u8]| {
        let len = (packet.len() as u16).to_be_bytes();
        [&[step], &len[..], packet].concat()
    };
    let segment = |seq: u32, flags: TcpFlags, payload: &[u8]| {
        let segment = TcpBuilder::new(CLIENT, SERVER)
            .seq(SeqNumber(seq))
            .window(4000);
        tcp(segment.ack(SeqNumber(0)).flags(flags), payload)
    };
    let ack = |seq, payload: &[u8]| step(AIMED, &segment(seq, TcpFlags::NONE, payload));
    let syn = packets().swap_remove(0).1;
    let plain = TcpBuilder::new(CLIENT, SERVER)
        .flags(TcpFlags::SYN)
        .window(4000);
    let plain = step(SEALED, &tcp(plain, b""));
    let syn = step(SEALED, &syn);
    let fin = step(AIMED, &segment(0, TcpFlags::FIN, b"end"));
    let reset = step(AIMED, &segment(0, TcpFlags::RST, b""));
    let pass = |exponent: u8| vec![4 | exponent << 3, 0xff];
    let call = |what: u8, value: u8| vec![6 | what << 3, 0, value];
    // No timestamps, so that plain answers are taken.
    let (open, cookie) = (&[0x08, 0][..], &[0x8b, 0][..]);
    let connect = vec![7];
    let syn_ack = step(AIMED, &segment(77, TcpFlags::SYN, b""));
    let mut scripts = vec![
        (
            "handshake",
            [open, &plain, &ack(0, b"hello"), &call(2, 9)].concat(),
        ),
        (
            "cookie",
            [cookie, &plain, &ack(0, b"hello"), &fin, &call(6, 0)].concat(),
        ),
        (
            "ahead",
            [
                open,
                &plain,
                &ack(0, b""),
                &ack(9, b"late"),
                &ack(0, b"ninebytes"),
            ]
            .concat(),
        ),
        (
            "send",
            [
                open,
                &plain,
                &ack(0, b""),
                &call(0, 200),
                &ack(0, b""),
                &fin,
            ]
            .concat(),
        ),
        (
            "lost",
            [
                open,
                &plain,
                &ack(0, b""),
                &call(0, 9),
                &pass(8),
                &pass(8),
                &pass(12),
            ]
            .concat(),
        ),
        (
            "reset",
            [open, &syn, &pass(0), &reset, &pass(3), &syn].concat(),
        ),
        (
            "connect",
            [
                open,
                &connect,
                &syn_ack,
                &ack(0, b"x"),
                &call(4, 0),
                &fin,
                &pass(9),
            ]
            .concat(),
        ),
        (
            "refused",
            [open, &connect, &reset, &connect, &call(7, 0)].concat(),
        ),
        (
            "close",
            [
                open,
                &plain,
                &ack(0, b""),
                &call(6, 0),
                &ack(0, b""),
                &fin,
                &pass(9),
            ]
            .concat(),
        ),
    ];
    let all = packets()
        .into_iter()
        .map(|(_, packet)| step(AIMED, &packet));
    scripts.push(("all", [open, &all.collect::<Vec<_>>().concat()].concat()));
    let echo = icmp(Icmpv4Type::ECHO_REQUEST, 0, [0; 4], &[5; 100]);
    scripts.push((
        "echo",
        [&[0x48, 0][..], &step(SEALED, &echo), &pass(0)].concat(),
    ));
    scripts
}

/// Fragments as `fragments` reads them: what, where, how long, when.
fn pieces() -> Vec<(&'static str, Vec<[u8; 4]>)> {
    const LAST: u8 = 0x20;
    const OTHER: u8 = 0x04;
    vec![
        (
            "in-order",
            vec![[0, 0, 4, 0], [0, 4, 4, 0], [LAST, 8, 2, 0]],
        ),
        (
            "backwards",
            vec![[LAST, 8, 2, 0], [0, 4, 4, 4], [0, 0, 4, 4]],
        ),
        ("twice", vec![[0, 0, 4, 0], [0, 0, 4, 0], [LAST, 4, 1, 0]]),
        (
            "overlap",
            vec![[0, 0, 4, 0], [OTHER, 3, 4, 0], [LAST, 7, 1, 0]],
        ),
        (
            "two",
            vec![
                [0, 0, 4, 0],
                [1, 0, 4, 0],
                [LAST, 4, 1, 0],
                [LAST | 1, 4, 1, 0],
            ],
        ),
        ("late", vec![[0, 0, 4, 0], [LAST, 4, 1, 0xff], [0, 0, 4, 0]]),
        (
            "marked",
            vec![[0x08, 0, 4, 0], [0x18, 4, 4, 0], [LAST | 0x10, 8, 1, 0]],
        ),
        ("whole", vec![[LAST, 0, 5, 0]]),
    ]
}

const TEXTS: [(&str, &str); 5] = [
    (
        "all",
        "loss=1%,reorder=2.5%,duplicate=0%,corrupt=0.1%,delay=10ms,rate=100mbit,queue=50,seed=7",
    ),
    ("units", "delay=2.5ms,rate=56kbit"),
    (
        "large",
        "rate=99999gbit,seed=18446744073709551615,delay=3600s",
    ),
    ("small", "loss=0.000001%,delay=0.001us,rate=0.001kbit"),
    ("wrong", "loss=200%,delay=1"),
];

fn captures() -> io::Result<Vec<(String, Vec<u8>)>> {
    const SMALL: usize = 1500;
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    let mut captures = Vec::new();
    for entry in std::fs::read_dir(testdata)? {
        let path = entry?.path();
        let is_capture = path
            .extension()
            .is_some_and(|end| end == "pcap" || end == "pcapng");
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        if let (Some(name), true) = (name, is_capture) {
            let data = std::fs::read(&path)?;
            // Of the others the start, cut anywhere.
            let len = data.len().min(SMALL);
            captures.push((name, data[..len].to_vec()));
        }
    }
    captures.sort();
    Ok(captures)
}

/// What a capture file is made of, as `captures` reads it.
fn blocks() -> Vec<(&'static str, Vec<u8>)> {
    // Link type RAW, no snap length, a clock of nanoseconds that is an hour ahead.
    let big = [
        0, 7, 0, 101, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 9, 0, 0, 0, 0, 14, 0, 8,
    ];
    let big = [&big[..], &[0, 0, 0, 0, 0, 0, 0x0e, 0x10]].concat();
    // Link type Ethernet, 96 bytes are kept, a clock of the default.
    let little = [0, 2, 1, 0, 0, 0, 96, 0, 0, 0];
    let packet = |order: fn(u32) -> [u8; 4]| {
        let words = [0, 1, 2, 6, 60].map(order).concat();
        [&[5, 7], &words[..], b"packet.."].concat()
    };
    let simple = [2, 3, 0, 0, 0, 60, 1, 2, 3, 4, 5, 6, 7, 8];
    let record = [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 60, 0, 6];
    let record = [&record[..], b"packet"].concat();
    vec![
        (
            "big",
            [&[2, 255][..], &big, &packet(u32::to_be_bytes), &simple].concat(),
        ),
        (
            "little",
            [&[1, 3][..], &little, &packet(u32::to_le_bytes)].concat(),
        ),
        ("records", [&[3, 0, 101][..], &record, &record].concat()),
    ]
}

/// Decisions by chance.
fn decisions(seed: u64) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    (0..3000).map(|_| dice.below(256) as u8).collect()
}
