//! Options of TCP and IPv4: the iterators and the summaries against a second reading, and
//! there and back through the builders.

use std::net::{Ipv4Addr, SocketAddrV4};

use zerotcp::wire::{
    ErrorKind, IpProtocol, Ipv4Builder, Ipv4Options, Ipv4Packet, Layer, OptionSummary, RawTcp,
    SackBlock, SackBlocks, SeqNumber, TcpBuilder, TcpOption, TcpOptions, TcpPacket, TcpSegmentMut,
};

use crate::naive;

const ANY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 7);

/// Bytes that are taken for options of either header.
pub fn run(data: &[u8]) {
    tcp(data);
    // As many as there is room for, in whole words: a header would hold them.
    let fitting = &data[..data.len().min(40) & !3];
    tcp_there_and_back(fitting);
    ipv4(fitting);
}

/// Where options are wrong: the kind of error, and the byte in a header.
type Fault = Option<(ErrorKind, usize)>;

/// Kind and body of each option with a length, and what ended the walk. RFC 9293 section 3.2
/// and RFC 791 section 3.1 have the same shape.
fn walk(bytes: &[u8], wrong: impl Fn(u8, usize) -> bool) -> (Vec<(u8, &[u8])>, Fault) {
    let (mut options, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        match bytes[at] {
            0 => break,
            1 => at += 1,
            kind => {
                let Some(&len) = bytes.get(at + 1) else {
                    return (options, Some((ErrorKind::OptionOverrun, 20 + at)));
                };
                let len = usize::from(len);
                // Of SACK's lengths it is looked at only when all of it is there.
                let is_late = kind == 5 && len >= 2;
                if (len < 2 || wrong(kind, len)) && !(is_late && at + len > bytes.len()) {
                    return (options, Some((ErrorKind::OptionLength, 21 + at)));
                }
                let Some(option) = bytes.get(at..at + len) else {
                    return (options, Some((ErrorKind::OptionOverrun, 20 + at)));
                };
                options.push((kind, &option[2..]));
                at += len;
            }
        }
    }
    (options, None)
}

fn is_wrong_for_tcp(kind: u8, len: usize) -> bool {
    match kind {
        2 => len != 4,
        3 => len != 3,
        4 => len != 2,
        5 => ![10, 18, 26, 34].contains(&len),
        8 => len != 10,
        _ => false,
    }
}

fn tcp(bytes: &[u8]) {
    let (expected, fault) = walk(bytes, is_wrong_for_tcp);
    let mut summary = OptionSummary::default();
    let mut blocks = Vec::new();
    let mut expected = expected.into_iter();
    let mut error = None;
    for option in TcpOptions::new(bytes) {
        assert!(error.is_none(), "it ends with the first error");
        let option = match option {
            Ok(TcpOption::NoOperation) => continue,
            Ok(option) => option,
            Err(found) => {
                error = Some(found);
                continue;
            }
        };
        let (kind, body) = expected.next().expect("one more");
        assert_eq!(option.len(), body.len() + 2);
        match option {
            TcpOption::MaximumSegmentSize(size) => {
                assert_eq!((kind, naive::word(body, 0)), (2, size));
                summary.mss = Some(size);
            }
            TcpOption::WindowScale(shift) => {
                assert_eq!((kind, body), (3, &[shift][..]));
                summary.window_scale = Some(shift);
            }
            TcpOption::SackPermitted => {
                assert_eq!(kind, 4);
                summary.sack_permitted = true;
            }
            TcpOption::Sack(sack) => {
                let edge = |at: usize| SeqNumber(naive::long(body, at));
                blocks = (0..body.len())
                    .step_by(8)
                    .map(|at| SackBlock {
                        left: edge(at),
                        right: edge(at + 4),
                    })
                    .collect();
                assert_eq!(kind, 5);
                assert!(sack.iter().eq(blocks.iter().copied()));
                let mut room = [0; 40];
                let same = SackBlocks::write(&blocks, &mut room);
                assert_eq!(same, SackBlocks::new(body));
            }
            TcpOption::Timestamps { value, echo } => {
                assert_eq!(
                    (kind, naive::long(body, 0), naive::long(body, 4)),
                    (8, value, echo)
                );
                summary.timestamps = Some((value, echo));
            }
            TcpOption::Unknown { kind: found, data } => assert_eq!((found, data), (kind, body)),
            other => panic!("what is {other:?}?"),
        }
    }
    assert_eq!(expected.next(), None);
    assert_eq!(error.map(|error| (error.kind, error.offset)), fault);

    let (tolerant, found) = OptionSummary::tolerant(bytes);
    assert_eq!(found, error);
    assert_eq!(tolerant.mss, summary.mss);
    assert_eq!(tolerant.window_scale, summary.window_scale);
    assert_eq!(tolerant.sack_permitted, summary.sack_permitted);
    assert_eq!(tolerant.timestamps, summary.timestamps);
    assert_eq!(tolerant.sack(), blocks);
    assert_eq!(OptionSummary::of(bytes), error.map_or(Ok(tolerant), Err));
    if let Some(error) = error {
        assert_eq!(error.layer, Layer::Tcp);
        naive::check_error(&[&[0; 20], bytes].concat(), error);
    }
}

/// What the iterator finds and a builder writes is what the iterator finds again, and the
/// same bytes where the list is in one piece.
fn tcp_there_and_back(bytes: &[u8]) {
    let mut header = [&[0; 20], bytes].concat();
    header[12] = ((5 + bytes.len() / 4) << 4) as u8;
    let raw: Vec<_> = RawTcp::new(&header).options().collect();
    assert!(raw.iter().copied().eq(TcpOptions::new(bytes)));

    let options: Vec<TcpOption<'_>> = raw.into_iter().map_while(Result::ok).collect();
    let len: usize = options.iter().map(TcpOption::len).sum();
    let mut buffer = [0x99; 80];
    let written = TcpBuilder::new(ANY, ANY)
        .options(&options)
        .write(&mut buffer, b"");
    assert_eq!(written, Ok(40 + len.next_multiple_of(4)));
    let packet = TcpPacket::parse(&buffer[..40 + len.next_multiple_of(4)]).expect("it was built");
    let again = packet.tcp.option_bytes();
    assert_eq!(again[..len], bytes[..len]);
    assert!(again[len..].iter().all(|&byte| byte == 0));
    let mut found = TcpOptions::new(again);
    assert!(
        options
            .iter()
            .all(|&option| found.next() == Some(Ok(option)))
    );
    assert_eq!(found.next(), None);

    // And in place, into the room that they had.
    let mut other = header.clone();
    other[20..].fill(1);
    let mut segment = TcpSegmentMut::parse_unverified(&mut other).expect("its lengths are sound");
    segment.set_options(&options).expect("there is room");
    assert_eq!(other[20..20 + len], bytes[..len]);
    assert!(other[20 + len..].iter().all(|&byte| byte == 0));
}

fn ipv4(bytes: &[u8]) {
    let is_wrong = |kind: u8, len: usize| [7, 131, 137].contains(&kind) && len < 3;
    let (expected, fault) = walk(bytes, is_wrong);
    let (mut found, mut error) = (Vec::new(), None);
    for option in Ipv4Options::new(bytes) {
        match option {
            Ok(option) => {
                assert_eq!(option.is_source_route(), [131, 137].contains(&option.kind));
                let pointer = option.data.first().copied().map(usize::from);
                let is_complete = pointer.is_some_and(|pointer| pointer > option.data.len() + 2);
                assert_eq!(option.is_route_complete(), is_complete);
                found.push((option.kind, option.data));
            }
            Err(wrong) => error = Some(wrong),
        }
    }
    assert_eq!(found, expected);
    assert_eq!(error.map(|error| (error.kind, error.offset)), fault);
    if let Some(error) = error {
        assert_eq!(error.layer, Layer::Ipv4);
        naive::check_error(&[&[0; 20], bytes].concat(), error);
    }

    let mut buffer = [0x99; 60];
    let len = Ipv4Builder::new(*ANY.ip(), *ANY.ip(), IpProtocol(253))
        .options(bytes)
        .write(&mut buffer, b"")
        .expect("whole words, 40 bytes at most");
    let packet = Ipv4Packet::parse(&buffer[..len]).expect("it was built");
    assert_eq!(packet.options(), bytes);
    assert!(packet.option_list().eq(Ipv4Options::new(bytes)));
}
