//! Capture files: whatever they claim, reading ends, stays within the file and its bounds, and
//! does not depend on the pieces in which the file comes. What was read, written anew, reads
//! the same.

use std::io::{self, Read};
use std::time::Duration;

use zerotcp::capture::{CaptureError, CaptureErrorKind, CaptureReader, Format, MAX_RECORD};
use zerotcp::device::{Captured, Device};
use zerotcp::time::Instant;
use zerotcp::wire::{EtherType, Ipv4Packet, LinkType, RawIpv4};

use crate::input::Input;

/// What the rest is, in what pieces the file comes, then a capture file or what one is made of.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (kind, piece) = (input.u8(), input.u8());
    let (file, expected) = match kind {
        1 => pcapng(&mut input, u32::to_le_bytes),
        2 => pcapng(&mut input, u32::to_be_bytes),
        3 => pcap(&mut input),
        _ => (input.rest().to_vec(), Vec::new()),
    };
    let (whole, end) = read(file.as_slice());
    if (1..=3).contains(&kind) {
        let found = whole
            .iter()
            .map(|frame| (frame.link_type, frame.original_len, &frame.data[..]));
        assert!(found.eq(expected.iter().map(|(a, b, data)| (*a, *b, &data[..]))));
    }
    check_end(&file, &whole, &end);
    let pieces = Pieces {
        rest: &file,
        len: usize::from(piece) + 1,
    };
    let (in_pieces, other_end) = read(pieces);
    assert_eq!(in_pieces, whole);
    assert_eq!(format!("{other_end:?}"), format!("{end:?}"));
    for frame in &whole {
        look_into(frame);
    }
    write_anew(&whole);
}

/// Link type, length on the wire, and what was captured.
type Packet = (LinkType, u32, Vec<u8>);

/// A pcapng file of blocks whose lengths are right, and the packets in it: a byte for the type of
/// each, one for its length in words, its body.
fn pcapng(input: &mut Input<'_>, bytes: fn(u32) -> [u8; 4]) -> (Vec<u8>, Vec<Packet>) {
    const SECTION: u32 = 0x0a0d_0d0a;
    // Interface, obsolete packet, simple packet, name resolution, statistics, enhanced packet.
    const KINDS: [u32; 8] = [1, 2, 3, 4, 5, 6, 6, SECTION];
    let magic = bytes(0x1a2b_3c4d);
    let mut file = Vec::new();
    let mut add = |kind: u32, body: &[u8]| {
        let len = bytes(12 + body.len() as u32);
        file.extend([&bytes(kind), &len, body, &len].concat());
    };
    let version = if magic[0] == 0x1a {
        [0, 1, 0, 0]
    } else {
        [1, 0, 0, 0]
    };
    add(SECTION, &[magic, version, [0xff; 4], [0xff; 4]].concat());
    let mut section = Section::default();
    let (mut packets, mut is_over) = (Vec::new(), false);
    while !input.is_empty() {
        let kind = KINDS[input.below(KINDS.len())];
        let len = 4 * input.below(64);
        let body = input.take(len);
        let mut body = body[..body.len() & !3].to_vec();
        if kind == SECTION {
            // Without its magic nothing could be read.
            body.splice(..0, magic);
        }
        add(kind, &body);
        // The first that cannot be right is the last that is read.
        if !is_over {
            match section.digest(kind, &body, magic[0] == 0x1a) {
                Some(found) => packets.extend(found),
                None => is_over = true,
            }
        }
    }
    (file, packets)
}

/// The interfaces of a section: link type, and how much of a packet is kept.
#[derive(Default)]
struct Section(Vec<(u16, usize)>);

impl Section {
    /// The packet in a block, if it holds one; `None` for a block that cannot be right.
    fn digest(&mut self, kind: u32, body: &[u8], is_big: bool) -> Option<Option<Packet>> {
        let word = |at: usize| {
            let field = *body.get(at..)?.first_chunk::<2>()?;
            Some(if is_big {
                u16::from_be_bytes(field)
            } else {
                u16::from_le_bytes(field)
            })
        };
        let long = |at: usize| {
            let field = *body.get(at..)?.first_chunk::<4>()?;
            Some(if is_big {
                u32::from_be_bytes(field)
            } else {
                u32::from_le_bytes(field)
            })
        };
        let packet = |interface: &(u16, usize), len: u32, data: &[u8]| {
            Some(Some((LinkType(interface.0), len, data.to_vec())))
        };
        match kind {
            1 => self.0.push((word(0)?, long(4)? as usize)),
            2 | 6 => {
                let id = if kind == 2 { word(0)?.into() } else { long(0)? };
                let interface = self.0.get(id as usize)?;
                let (len, captured) = (long(16)?, long(12)? as usize);
                return packet(interface, len, body[20..].get(..captured)?);
            }
            3 => {
                let (interface, len) = (self.0.first()?, long(0)?);
                let kept = match interface.1 {
                    0 => usize::MAX,
                    kept => kept,
                };
                let captured = (len as usize).min(kept).min(body.len() - 4);
                return packet(interface, len, &body[4..4 + captured]);
            }
            4 | 5 => {}
            // A section, of a version that is known.
            _ => match word(4)? {
                1 => self.0.clear(),
                _ => return None,
            },
        }
        Some(None)
    }
}

/// A pcap file of records whose lengths are right, and the packets in it: a link type, then for
/// each its times, its length on the wire, and how much of it there is.
fn pcap(input: &mut Input<'_>) -> (Vec<u8>, Vec<Packet>) {
    let mut file = vec![0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4];
    let link_type = input.u8();
    file.extend([[0; 4], [0; 4], [0, 4, 0, 0], [0, 0, 0, link_type]].concat());
    let mut packets = Vec::new();
    while !input.is_empty() {
        let (times, original_len, len) = (input.take(8), input.u32(), input.u16());
        let data = input.take(usize::from(len));
        let len = data.len() as u32;
        let mut header = [0; 8];
        header[..times.len()].copy_from_slice(times);
        for part in [
            &header[..],
            &len.to_be_bytes(),
            &original_len.to_be_bytes(),
            data,
        ] {
            file.extend(part);
        }
        packets.push((LinkType(link_type.into()), original_len, data.to_vec()));
    }
    (file, packets)
}

#[derive(Debug, PartialEq)]
struct Frame {
    number: u64,
    link_type: LinkType,
    timestamp: Option<Instant>,
    original_len: u32,
    data: Vec<u8>,
}

/// How a reading ended: where, and why.
#[derive(Debug)]
struct End {
    offset: u64,
    format: Option<Format>,
    error: Option<CaptureError>,
}

fn read(source: impl Read) -> (Vec<Frame>, End) {
    let mut frames = Vec::new();
    let mut reader = match CaptureReader::new(source) {
        Ok(reader) => reader,
        Err(error) => {
            let end = End {
                offset: 0,
                format: None,
                error: Some(error),
            };
            return (frames, end);
        }
    };
    let mut last = reader.offset();
    let error = loop {
        match reader.next_frame() {
            Ok(Some(frame)) => frames.push(Frame {
                number: frame.number,
                link_type: frame.link_type,
                timestamp: frame.timestamp,
                original_len: frame.original_len,
                data: frame.data.to_vec(),
            }),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
        // Each frame has a header in the file: so it ends.
        assert!(reader.offset() >= last + 12);
        last = reader.offset();
    };
    // The end is the end.
    match (reader.next_frame(), &error) {
        (Ok(None), None) => {}
        (Err(again), Some(error)) => assert_eq!(again.to_string(), error.to_string()),
        changed => panic!("{changed:?}"),
    }
    let end = End {
        offset: reader.offset(),
        format: Some(reader.format()),
        error,
    };
    (frames, end)
}

fn check_end(file: &[u8], frames: &[Frame], end: &End) {
    let len = file.len() as u64;
    assert!(end.offset <= len);
    let numbers = frames.iter().map(|frame| frame.number);
    assert!(numbers.eq(1..=frames.len() as u64));
    let bytes: usize = frames.iter().map(|frame| frame.data.len()).sum();
    assert!(bytes <= file.len());
    let Some(error) = &end.error else {
        // All of it was digested.
        assert_eq!(end.offset, len);
        return;
    };
    assert!(error.offset <= len);
    assert!(!error.to_string().is_empty());
    let left = (len - error.offset) as usize;
    match error.kind {
        CaptureErrorKind::Io(_) => panic!("{error}: nothing failed"),
        CaptureErrorKind::Empty => assert!(file.is_empty()),
        CaptureErrorKind::NotACapture(first) => assert!(file.starts_with(&first)),
        CaptureErrorKind::Truncated { needed, found } => {
            assert!(
                found < needed && found == left && needed <= MAX_RECORD + 16,
                "{error}"
            );
        }
        CaptureErrorKind::RecordLength { claimed, least } => {
            let claimed = claimed as usize;
            assert!(claimed < least || claimed > MAX_RECORD, "{error}");
        }
        CaptureErrorKind::Interface { id, known } => assert!(id as usize >= known, "{error}"),
        _ => {}
    }
    match end.format {
        None => assert_eq!(error.frame, 0),
        Some(_) => assert_eq!(error.frame, frames.len() as u64 + 1),
    }
}

/// What one does with frames.
fn look_into(frame: &Frame) {
    let Ok(payload) = frame.link_type.strip(&frame.data) else {
        return;
    };
    if payload.ethertype == Some(EtherType::IPV4) {
        let bytes = &frame.data[payload.offset..];
        let parsed = Ipv4Packet::parse_unverified(bytes);
        let raw = RawIpv4::new(bytes);
        assert!(parsed.is_err() || !raw.is_cut());
    }
}

/// The same frames in a file of ours.
fn write_anew(frames: &[Frame]) {
    let mut file = Vec::new();
    let mut device = Captured::new(Nowhere, &mut file, Duration::ZERO).expect("to memory");
    let mut expected = Vec::new();
    for frame in frames {
        let time = frame.timestamp.unwrap_or_default();
        // The end of 32-bit seconds is the end of pcap.
        if time.as_nanos() >> 32 < 1_000_000_000 {
            device
                .transmit(time, &frame.data)
                .expect("nowhere is always there");
            let kept = &frame.data[..frame.data.len().min(65_535)];
            expected.push((Some(time), frame.data.len() as u32, kept));
        }
    }
    device.finish().expect("to memory");
    let (again, end) = read(file.as_slice());
    assert!(end.error.is_none() && end.format == Some(Format::Pcap));
    let again = again.iter().map(|frame| {
        assert_eq!(frame.link_type, LinkType::RAW);
        (frame.timestamp, frame.original_len, frame.data.as_slice())
    });
    assert!(again.eq(expected));
}

/// A source that gives so many bytes at a time.
struct Pieces<'a> {
    rest: &'a [u8],
    len: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.rest.len().min(self.len).min(buffer.len());
        let (piece, rest) = self.rest.split_at(len);
        buffer[..len].copy_from_slice(piece);
        self.rest = rest;
        Ok(len)
    }
}

/// A device whose packets go nowhere.
struct Nowhere;

impl Device for Nowhere {
    fn receive(&mut self, _: Instant, _: &mut [u8]) -> io::Result<Option<usize>> {
        Ok(None)
    }

    fn transmit(&mut self, _: Instant, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn mtu(&self) -> usize {
        usize::MAX
    }
}
