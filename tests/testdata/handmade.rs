//! The captures of `testdata/` that no machine here would send or record: made byte by
//! byte, always the same.

use std::net::{Ipv4Addr, SocketAddrV4};

use zerotcp::wire::{
    Checksum, EtherType, IpProtocol, Ipv4Header, LinkType, SackBlock, SackBlocks, SeqNumber,
    TcpBuilder, TcpFlags, TcpOption,
};

const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 49152);
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 2), 7);

/// Where a TCP header begins after an IPv4 header without options.
const TCP: usize = Ipv4Header::LEN;

const LITTLE: Order = Order {
    u16: u16::to_le_bytes,
    u32: u32::to_le_bytes,
};
const BIG: Order = Order {
    u16: u16::to_be_bytes,
    u32: u32::to_be_bytes,
};

/// Names and contents of the files.
pub fn files() -> Vec<(&'static str, Vec<u8>)> {
    let talk = || conversation(1000, 5000);
    let micro = 1_000_000;
    let nano = 1_000_000_000;
    vec![
        ("big-endian.pcap", pcap(BIG, micro, LinkType::RAW, &talk())),
        (
            "big-endian-nanoseconds.pcap",
            pcap(BIG, nano, LinkType::RAW, &talk()),
        ),
        (
            "little-endian-nanoseconds.pcap",
            pcap(LITTLE, nano, LinkType::RAW, &talk()),
        ),
        ("big-endian.pcapng", pcapng(BIG, &talk())),
        (
            "raw-ipv4.pcap",
            pcap(LITTLE, micro, LinkType::IPV4, &talk()),
        ),
        (
            "bsd-null.pcap",
            pcap(LITTLE, micro, LinkType::NULL, &behind(&[2, 0, 0, 0])),
        ),
        (
            "bsd-null-big-endian.pcap",
            pcap(BIG, micro, LinkType::NULL, &behind(&[0, 0, 0, 2])),
        ),
        (
            "bsd-loop.pcap",
            pcap(LITTLE, micro, LinkType::LOOP, &behind(&[0, 0, 0, 2])),
        ),
        ("vlan.pcap", ethernet_capture(&vlan())),
        ("padding.pcap", ethernet_capture(&padding())),
        ("sequence-wrap.pcap", sequence_wrap()),
        (
            "options.pcap",
            pcap(LITTLE, micro, LinkType::RAW, &options()),
        ),
        (
            "options-malformed.pcap",
            pcap(LITTLE, micro, LinkType::RAW, &malformed_options()),
        ),
        ("corrupted.pcap", ethernet_capture(&corrupted())),
        ("cut.pcap", cut()),
    ]
}

/// A whole connection: handshake, a question, its answer, a close from either side.
fn conversation(client_isn: u32, server_isn: u32) -> Vec<Vec<u8>> {
    let (client, server) = (SeqNumber(client_isn), SeqNumber(server_isn));
    let question: &[u8] = b"How far across the wrap?";
    let answer: &[u8] = &[b'.'; 301];
    let (asked, answered) = (
        client + 1 + question.len() as u32,
        server + 1 + answer.len() as u32,
    );
    let syn_options = [TcpOption::MaximumSegmentSize(1460)];
    let from_client = |seq| TcpBuilder::new(CLIENT, SERVER).seq(seq).window(64240);
    let from_server = |seq| TcpBuilder::new(SERVER, CLIENT).seq(seq).window(65535);
    let (syn, fin, psh) = (TcpFlags::SYN, TcpFlags::FIN, TcpFlags::PSH);
    vec![
        packet(from_client(client).flags(syn).options(&syn_options), b""),
        packet(
            from_server(server)
                .ack(client + 1)
                .flags(syn)
                .options(&syn_options),
            b"",
        ),
        packet(from_client(client + 1).ack(server + 1), b""),
        packet(from_client(client + 1).ack(server + 1).flags(psh), question),
        packet(from_server(server + 1).ack(asked).flags(psh), answer),
        packet(from_client(asked).ack(answered).flags(fin), b""),
        packet(from_server(answered).ack(asked + 1).flags(fin), b""),
        packet(from_client(asked + 1).ack(answered + 1), b""),
    ]
}

/// The conversation with the same link header before each packet.
fn behind(header: &[u8]) -> Vec<Vec<u8>> {
    let packets = conversation(1000, 5000);
    packets
        .iter()
        .map(|packet| [header, packet].concat())
        .collect()
}

/// Tags as switches write them: 802.1Q alone, as inner tag of 802.1ad and of the
/// QinQ before it, one for priority only (VLAN 0), and three.
fn vlan() -> Vec<Vec<u8>> {
    let (c, s, q) = (EtherType::VLAN, EtherType::SERVICE_VLAN, EtherType::QINQ);
    let stacks: [&[(EtherType, u16)]; 8] = [
        &[],
        &[(c, 5)],
        &[(c, 0xe000)],
        &[(s, 100), (c, 5)],
        &[(q, 100), (c, 5)],
        &[(c, 100), (c, 5)],
        &[(s, 300), (s, 200), (c, 5)],
        &[(s, 100)],
    ];
    let packets = conversation(1000, 5000);
    packets
        .iter()
        .zip(stacks)
        .map(|(packet, tags)| ethernet(tags, packet))
        .collect()
}

/// Frames filled up to Ethernet's 60 bytes, with zeros and with what was in the
/// sender's memory; one with a frame check sequence left on.
fn padding() -> Vec<Vec<u8>> {
    let packets = conversation(1000, 5000);
    let mut frames: Vec<_> = packets.iter().map(|packet| ethernet(&[], packet)).collect();
    for (number, frame) in frames.iter_mut().enumerate() {
        let filling = if number % 2 == 0 { 0 } else { 0xa5 };
        frame.resize(frame.len().max(60), filling);
    }
    let [.., last] = &mut frames[..] else {
        unreachable!("a conversation is eight packets")
    };
    last.extend([0xde, 0xad, 0xbe, 0xef]);
    frames
}

/// Both sides' numbers pass 2^32: the client's within its question, the server's with
/// its SYN. Then blocks of SACK and an acknowledgment that lie across it.
fn sequence_wrap() -> Vec<u8> {
    let mut packets = conversation(u32::MAX - 10, u32::MAX);
    let blocks = [
        SackBlock {
            left: SeqNumber(u32::MAX - 99),
            right: SeqNumber(100),
        },
        SackBlock {
            left: SeqNumber(u32::MAX),
            right: SeqNumber(0),
        },
    ];
    let mut room = [0; 16];
    let sack = SackBlocks::write(&blocks, &mut room).map(TcpOption::Sack);
    let builder = TcpBuilder::new(SERVER, CLIENT)
        .seq(SeqNumber(u32::MAX))
        .ack(SeqNumber(u32::MAX - 999))
        .window(65535);
    packets.push(packet(builder.options(sack.as_slice()), b"xyz"));
    pcap(LITTLE, 1_000_000, LinkType::RAW, &packets)
}

/// Every kind of option in every place, none of them wrong.
fn options() -> Vec<Vec<u8>> {
    let mut packets: Vec<_> = (1..=SackBlocks::MAX as u32).map(sack).collect();
    let lists: [&[u8]; 14] = [
        &[],
        &[1, 1, 1, 1],
        &[0, 0, 0, 0],
        &[2, 4, 0x05, 0xb4],
        &[2, 4, 0, 0],
        // A shift of 14, the most that counts, and one above it (RFC 7323 section 2.3).
        &[1, 3, 3, 14],
        &[1, 3, 3, 15],
        &[4, 2, 0, 0],
        &[1, 1, 8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        // Not aligned, and the list ends in the middle; what follows is no option.
        &[
            8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 2, 4, 0x02, 0x18, 0, 2, 0, 0xff, 8, 0xff,
        ],
        // The same option twice.
        &[2, 4, 0x02, 0x18, 2, 4, 0x05, 0xb4],
        // User timeout (RFC 5482), which has no meaning here.
        &[28, 4, 0x80, 0x05],
        // Fast open: a request, and below a cookie (RFC 7413 section 4.1.1).
        &[34, 2, 1, 1],
        &[34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1],
    ];
    packets.extend(lists.map(with_options));
    // The longest that fits: 40 bytes, one option of a kind for experiments (RFC 4727).
    let mut longest = [0x5a; 40];
    longest[..2].copy_from_slice(&[253, 40]);
    packets.push(with_options(&longest));
    // A kind that nobody has defined, without a body.
    packets.push(with_options(&[0xee, 2, 0xef, 2]));
    packets
}

/// An acknowledgment with timestamps where there is room and `count` blocks.
fn sack(count: u32) -> Vec<u8> {
    let blocks: Vec<_> = (0..count)
        .map(|n| SackBlock {
            left: SeqNumber(3000 + 2000 * n),
            right: SeqNumber(4000 + 2000 * n),
        })
        .collect();
    let mut room = [0; SackBlocks::MAX * SackBlocks::BLOCK_LEN];
    let mut options = vec![TcpOption::NoOperation; 2];
    if count < SackBlocks::MAX as u32 {
        let (value, echo) = (77, 76);
        options.push(TcpOption::Timestamps { value, echo });
        options.extend([TcpOption::NoOperation; 2]);
    }
    options.extend(SackBlocks::write(&blocks, &mut room).map(TcpOption::Sack));
    let builder = TcpBuilder::new(CLIENT, SERVER).ack(SeqNumber(2000));
    packet(builder.options(&options), b"")
}

/// Options that contradict themselves or the header.
fn malformed_options() -> Vec<Vec<u8>> {
    let lists: [&[u8]; 16] = [
        // Length 0 and 1: a parser that believes them stays where it is.
        &[2, 0, 0, 0],
        &[253, 0, 0, 0],
        &[253, 1, 0, 0],
        // Past the end of the header, by one byte and by far.
        &[1, 253, 4, 0],
        &[253, 255, 0, 0],
        // A kind as the last byte: no room for its length.
        &[1, 1, 1, 253],
        &[1, 1, 1, 8],
        // Known kinds with a length that is not theirs.
        &[2, 3, 5, 1],
        &[3, 4, 7, 0],
        &[4, 3, 0, 1],
        &[8, 9, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1],
        // Blocks: none, a half and one and a half.
        &[5, 2, 1, 1],
        &[5, 6, 0, 0, 0, 1, 1, 1],
        &[5, 14, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 1],
        // Sound ones before the wrong one.
        &[2, 4, 0x05, 0xb4, 1, 3, 3, 7, 4, 2, 8, 20],
        // SACK of four blocks that begins too late to fit.
        &[1, 1, 1, 1, 5, 34, 0, 0],
    ];
    lists.map(with_options).to_vec()
}

/// A segment with exactly these bytes as options: whole words, at most 40.
fn with_options(bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len().is_multiple_of(4) && bytes.len() <= 40);
    // As padding of the right length first, so that the lengths are right.
    let placeholder = vec![TcpOption::NoOperation; bytes.len()];
    let builder = TcpBuilder::new(CLIENT, SERVER)
        .seq(SeqNumber(1000))
        .ack(SeqNumber(2000))
        .window(1024)
        .options(&placeholder);
    let mut packet = packet(builder, b"payload");
    packet[TCP + 20..][..bytes.len()].copy_from_slice(bytes);
    mend_tcp(&mut packet);
    packet
}

/// One thing wrong with each frame, but with the first and two near the end nothing.
fn corrupted() -> Vec<Vec<u8>> {
    let sound = conversation(1000, 5000).swap_remove(3);
    let len = sound.len() as u16;
    // Lays `bytes` over the packet, and mends the IPv4 checksum if that is not at issue.
    let with = |at: usize, bytes: &[u8]| {
        let mut packet = sound.clone();
        packet[at..][..bytes.len()].copy_from_slice(bytes);
        if at != 10 {
            mend_ipv4(&mut packet);
        }
        packet
    };
    let total_length = |len: u16| with(2, &len.to_be_bytes());
    let mut flipped = sound.clone();
    flipped[50] ^= 0x10;
    // What a network card is given to complete: the sum of the pseudo-header.
    let pseudo_header =
        Checksum::pseudo_header(*CLIENT.ip(), *SERVER.ip(), IpProtocol::TCP.0, len - 20);
    let mut packets = vec![
        sound.clone(),
        with(10, &[0xba, 0xad]),
        with(TCP + 16, &[0xba, 0xad]),
        flipped,
        with(TCP + 16, &pseudo_header.sum().to_be_bytes()),
        with(0, &[0x44]),
        with(0, &[0x65]),
        with(0, &[0x4f, 0, 0, 59]),
        total_length(19),
        total_length(0),
        total_length(len + 1),
        total_length(u16::MAX),
        total_length(30),
        total_length(20),
        with(TCP + 12, &[4 << 4]),
        with(TCP + 12, &[0]),
        with(TCP + 12, &[15 << 4]),
    ];
    for packet in &mut packets[14..] {
        mend_tcp(packet);
    }
    // A header that its own length takes past the frame's end, then halves of headers.
    packets.push(with(0, &[0x4f])[..40].to_vec());
    packets.push(sound[..19].to_vec());
    packets.push(Vec::new());
    // Sound: a router alert (RFC 2113) before the segment, and bytes after it.
    let alert = TcpBuilder::new(CLIENT, SERVER)
        .seq(SeqNumber(1001))
        .ack(SeqNumber(5001))
        .ip(|ip| ip.options(&[0x94, 4, 0, 0]));
    packets.push(packet(alert, b"alert"));
    packets.push([&sound[..], b"trailing"].concat());
    let frames = packets.iter().map(|packet| ethernet(&[], packet));
    let cut_link = ethernet(&[], &[])[..13].to_vec();
    frames.chain([cut_link]).collect()
}

/// One frame with a VLAN tag, options and payload, cut at every boundary of its headers
/// and beside it.
fn cut() -> Vec<u8> {
    let options = [
        TcpOption::NoOperation,
        TcpOption::NoOperation,
        TcpOption::Timestamps { value: 7, echo: 6 },
    ];
    let builder = TcpBuilder::new(CLIENT, SERVER)
        .seq(SeqNumber(1001))
        .ack(SeqNumber(5001))
        .options(&options);
    let frame = ethernet(&[(EtherType::VLAN, 5)], &packet(builder, b"payload"));
    // Ethernet, tag, IPv4, ports, window, checksum, fixed TCP header, options, payload.
    let ends = [14, 18, 38, 42, 54, 56, 58, 70, frame.len()];
    let mut records = Vec::new();
    for end in ends {
        records.extend([end - 1, end].map(|captured| (frame[..captured].to_vec(), frame.len())));
    }
    pcap_of_cut(LITTLE, 1_000_000, LinkType::ETHERNET, &records)
}

fn packet(builder: TcpBuilder<'_>, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 1500];
    let len = builder
        .write(&mut packet, payload)
        .expect("all packets here are short");
    packet.truncate(len);
    packet
}

fn ethernet(tags: &[(EtherType, u16)], packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    for (ethertype, tag) in tags {
        frame.extend(ethertype.0.to_be_bytes());
        frame.extend(tag.to_be_bytes());
    }
    frame.extend(EtherType::IPV4.0.to_be_bytes());
    frame.extend(packet);
    frame
}

fn mend_ipv4(packet: &mut [u8]) {
    packet[10..12].fill(0);
    let checksum = Checksum::of(&packet[..Ipv4Header::LEN]).finish();
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
}

fn mend_tcp(packet: &mut [u8]) {
    let len = (packet.len() - TCP) as u16;
    let pseudo_header = Checksum::pseudo_header(*CLIENT.ip(), *SERVER.ip(), IpProtocol::TCP.0, len);
    packet[TCP + 16..][..2].fill(0);
    let checksum = pseudo_header.combine(Checksum::of(&packet[TCP..])).finish();
    packet[TCP + 16..][..2].copy_from_slice(&checksum.to_be_bytes());
}

/// How a file writes its numbers.
#[derive(Clone, Copy)]
struct Order {
    u16: fn(u16) -> [u8; 2],
    u32: fn(u32) -> [u8; 4],
}

/// Frames are a bit more than a millisecond apart.
const INTERVAL: u64 = 1_000_001;
/// When the first was "captured", in seconds.
const START: u64 = 1_700_000_000;

fn ethernet_capture(frames: &[Vec<u8>]) -> Vec<u8> {
    pcap(LITTLE, 1_000_000, LinkType::ETHERNET, frames)
}

fn pcap(order: Order, units: u32, link_type: LinkType, frames: &[Vec<u8>]) -> Vec<u8> {
    let whole: Vec<_> = frames
        .iter()
        .map(|frame| (frame.clone(), frame.len()))
        .collect();
    pcap_of_cut(order, units, link_type, &whole)
}

/// A pcap file of frames and their original lengths, with time in `units` a second.
fn pcap_of_cut(
    order: Order,
    units: u32,
    link_type: LinkType,
    frames: &[(Vec<u8>, usize)],
) -> Vec<u8> {
    let magic = match units {
        1_000_000 => 0xa1b2_c3d4,
        _ => 0xa1b2_3c4d,
    };
    let mut file = Vec::new();
    file.extend((order.u32)(magic));
    file.extend([2, 4].map(order.u16).concat());
    let header = [0, 0, 65535, link_type.0.into()];
    file.extend(header.map(order.u32).concat());
    for (number, (frame, original_len)) in (0..).zip(frames) {
        let fraction = number * INTERVAL * u64::from(units) / 1_000_000_000;
        let header = [
            START as u32,
            fraction as u32,
            frame.len() as u32,
            *original_len as u32,
        ];
        file.extend(header.map(order.u32).concat());
        file.extend(frame);
    }
    file
}

/// A pcapng file with the blocks that capturing programs seldom write: an interface in
/// nanoseconds with a comment, one of another link type that no frame uses, enhanced
/// packets on the first, a block that tells nothing, and simple packets at the end.
fn pcapng(order: Order, packets: &[Vec<u8>]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let padded = body.len().next_multiple_of(4);
        let len = (order.u32)(padded as u32 + 12);
        let mut block = (order.u32)(kind).to_vec();
        block.extend(len);
        block.extend(body);
        block.resize(padded + 8, 0);
        block.extend(len);
        block
    };
    let interface = |link_type: LinkType, options: &[u8]| {
        let head = [link_type.0, 0].map(order.u16).concat();
        block(1, &[&head[..], &(order.u32)(0), options].concat())
    };
    let option = |code: u16, value: &[u8]| {
        let mut option = [code, value.len() as u16].map(order.u16).concat();
        option.extend(value);
        option.resize(option.len().next_multiple_of(4), 0);
        option
    };

    let mut section = (order.u32)(0x1a2b_3c4d).to_vec();
    section.extend([1, 0].map(order.u16).concat());
    section.extend([0xff; 8]);
    let mut file = block(0x0a0d_0d0a, &section);
    let options = [
        option(1, b"made by hand"),
        option(9, &[9]), // if_tsresol: 10^-9 seconds
        option(0, b""),
    ];
    file.extend(interface(LinkType::RAW, &options.concat()));
    file.extend(interface(LinkType::ETHERNET, &[]));
    let (enhanced, simple) = packets.split_at(packets.len() / 2);
    for (number, packet) in (0..).zip(enhanced) {
        let time = START * 1_000_000_000 + number * INTERVAL;
        let len = packet.len() as u32;
        let head = [0, (time >> 32) as u32, time as u32, len, len];
        let mut body = head.map(order.u32).concat();
        body.extend(packet);
        file.extend(block(6, &body));
    }
    // Name resolution, without a name.
    file.extend(block(4, &[0; 4]));
    for packet in simple {
        let mut body = (order.u32)(packet.len() as u32).to_vec();
        body.extend(packet);
        file.extend(block(3, &body));
    }
    file
}
