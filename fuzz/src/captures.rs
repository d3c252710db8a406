//! Capture files: whatever they claim, reading ends, stays within the file and its bounds, and
//! does not depend on the pieces in which the file comes. What was read, written anew, reads
//! the same.

use std::io::{self, Read};
use std::time::Duration;

use zerotcp::capture::{CaptureError, CaptureErrorKind, CaptureReader, Format, MAX_RECORD};
use zerotcp::device::{Captured, Device};
use zerotcp::time::Instant;
use zerotcp::wire::{EtherType, Ipv4Packet, LinkType, RawIpv4};

/// A capture file. Its last byte says in what pieces it comes.
pub fn run(data: &[u8]) {
    let (whole, end) = read(data);
    check_end(data, &whole, &end);
    let pieces = Pieces {
        rest: data,
        len: usize::from(data.last().copied().unwrap_or(0)) + 1,
    };
    let (in_pieces, other_end) = read(pieces);
    assert_eq!(in_pieces, whole);
    assert_eq!(format!("{other_end:?}"), format!("{end:?}"));
    for frame in &whole {
        look_into(frame);
    }
    write_anew(&whole);
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
