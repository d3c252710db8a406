//! Reading capture files, pcap and pcapng, as a stream of frames.
//!
//! A [`CaptureReader`] holds one buffer, whatever the size of the file, and hands
//! out frames that borrow from it. Frames cut by a snap length are frames like any
//! other; [`LinkType::strip`] says where their packets begin.
//!
//! Counting flags:
//!
//! ```
//! use zerotcp::capture::CaptureReader;
//! use zerotcp::wire::{EtherType, TcpFlags, TcpPacket};
//!
//! # use std::net::{Ipv4Addr, SocketAddrV4};
//! # let host = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 80);
//! # let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0];
//! # for flags in [TcpFlags::SYN, TcpFlags::ACK] {
//! #     let mut packet = [0; 40];
//! #     zerotcp::wire::TcpBuilder::new(host, host).flags(flags).write(&mut packet, b"")?;
//! #     file.extend([0, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 40, 0, 0, 0]);
//! #     file.extend(packet);
//! # }
//! // `CaptureReader::open(path)` reads a file
//! let mut capture = CaptureReader::new(file.as_slice())?;
//! let mut syns = 0;
//! while let Some(frame) = capture.next_frame()? {
//!     let Ok(link) = frame.link_type.strip(frame.data) else { continue };
//!     if link.ethertype == Some(EtherType::IPV4)
//!         && let Ok(packet) = TcpPacket::parse(&frame.data[link.offset..])
//!         && packet.tcp.flags().contains(TcpFlags::SYN)
//!     {
//!         syns += 1;
//!     }
//! }
//! assert_eq!(syns, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Feature `pcap`. Capture files are written by [`Captured`](crate::device::Captured).

// The records are taken apart by `pcap-file`: a pcap's by its slice parser, a
// pcapng's as raw blocks, whose bodies are read here. Its own block parsers refuse
// a file for an option that is malformed, not UTF-8 or lacks an end mark, take
// every timestamp for nanoseconds and keep all interfaces' texts in memory; and
// its readers do not say where a file went wrong.

mod error;
mod pcapng;
mod source;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use byteorder::{BigEndian, ByteOrder, LittleEndian};
use pcap_file::pcap::PcapParser;
use pcap_file::{Endianness, TsResolution};

use crate::time::Instant;
use crate::wire::LinkType;

pub use error::{CaptureError, CaptureErrorKind};

use pcapng::{Block, PcapNg};
use source::Source;

/// The longest record of a file that is believed, in bytes: Wireshark's limit.
pub const MAX_RECORD: usize = 16 << 20;

/// Which of the two formats a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Classic pcap, of either byte order, in micro- or nanoseconds.
    Pcap,
    /// pcapng.
    PcapNg,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Pcap => "pcap",
            Format::PcapNg => "pcapng",
        })
    }
}

/// One frame of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its number in the file, from 1.
    pub number: u64,
    /// What it begins with.
    pub link_type: LinkType,
    /// When it was captured, since 1970; a pcapng Simple Packet does not say.
    pub timestamp: Option<Instant>,
    /// Its length on the wire, in bytes. A frame longer than its `data` was cut by
    /// a snap length.
    pub original_len: u32,
    /// Its bytes, link header first, as far as they were captured.
    pub data: &'a [u8],
}

/// Reads the frames of a capture one after the other.
///
/// Memory stays bounded: 256 KiB of buffer, more only for a longer record, up to
/// [`MAX_RECORD`].
#[derive(Debug)]
pub struct CaptureReader<R> {
    source: Source<R>,
    format: Parser,
    /// Frames read so far.
    frames: u64,
}

#[derive(Debug)]
enum Parser {
    Pcap(PcapParser, LinkType),
    PcapNg(PcapNg),
}

/// What is known of a frame before its bytes are lent out.
#[derive(Debug)]
struct FrameHeader {
    link_type: LinkType,
    timestamp: Option<Instant>,
    original_len: u32,
    /// Where the frame's bytes lie in its record.
    start: usize,
    end: usize,
}

impl CaptureReader<File> {
    /// Opens the capture file at `path`.
    ///
    /// # Errors
    /// As [`new`](CaptureReader::new), and if the file can't be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<CaptureReader<File>, CaptureError> {
        let file = File::open(path).map_err(|error| CaptureError {
            kind: CaptureErrorKind::Io(error),
            offset: 0,
            frame: 0,
        })?;
        CaptureReader::new(file)
    }
}

impl<R: Read> CaptureReader<R> {
    /// Reads the start of a capture. The reader needs no buffer of its own.
    ///
    /// # Errors
    /// If it can't be read, is empty, cut or begins with neither format's number.
    pub fn new(reader: R) -> Result<CaptureReader<R>, CaptureError> {
        let mut source = Source::new(reader);
        let format = match Parser::detect(&mut source) {
            Ok(format) => format,
            Err(kind) => {
                let offset = source.offset();
                return Err(CaptureError {
                    kind,
                    offset,
                    frame: 0,
                });
            }
        };
        Ok(CaptureReader {
            source,
            format,
            frames: 0,
        })
    }

    /// The next frame, or `None` at the end of the capture.
    ///
    /// # Errors
    /// If the file can't be read, ends within a record or has a record that can't
    /// be right. There is no way to go on after that: the next call meets the same.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let header = match &mut self.format {
            Parser::Pcap(parser, link_type) => pcap_record(&mut self.source, parser, *link_type),
            Parser::PcapNg(parser) => next_packet(&mut self.source, parser),
        };
        match header {
            Ok(Some((header, record_len))) => {
                self.frames += 1;
                let record = self.source.take(record_len);
                Ok(Some(Frame {
                    number: self.frames,
                    link_type: header.link_type,
                    timestamp: header.timestamp,
                    original_len: header.original_len,
                    data: &record[header.start..header.end],
                }))
            }
            Ok(None) => Ok(None),
            Err(kind) => Err(CaptureError {
                kind,
                offset: self.source.offset(),
                frame: self.frames + 1,
            }),
        }
    }

    /// How many bytes of the file have been digested.
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// Which format the file has.
    pub fn format(&self) -> Format {
        match self.format {
            Parser::Pcap(..) => Format::Pcap,
            Parser::PcapNg(_) => Format::PcapNg,
        }
    }
}

impl Parser {
    fn detect<R: Read>(source: &mut Source<R>) -> Result<Parser, CaptureErrorKind> {
        const PCAP_HEADER: usize = 24;
        if !source.want(4)? {
            let found = source.bytes().len();
            return Err(match found {
                0 => CaptureErrorKind::Empty,
                _ => CaptureErrorKind::Truncated {
                    needed: PCAP_HEADER,
                    found,
                },
            });
        }
        let magic = BigEndian::read_u32(source.bytes());
        match magic {
            pcapng::SECTION_HEADER => Ok(Parser::PcapNg(PcapNg::new())),
            // Microseconds and nanoseconds, in either byte order.
            0xa1b2_c3d4 | 0xa1b2_3c4d | 0xd4c3_b2a1 | 0x4d3c_b2a1 => {
                source.need(PCAP_HEADER)?;
                let (_, parser) = PcapParser::new(source.bytes())?;
                source.take(PCAP_HEADER);
                // The upper half tells of frame check sequences.
                let link_type = u32::from(parser.header().datalink) as u16;
                Ok(Parser::Pcap(parser, LinkType(link_type)))
            }
            _ => Err(CaptureErrorKind::NotACapture(magic.to_be_bytes())),
        }
    }
}

/// The header of the next pcap record, whose bytes it brings into the buffer, and
/// the record's length.
#[inline]
fn pcap_record<R: Read>(
    source: &mut Source<R>,
    parser: &PcapParser,
    link_type: LinkType,
) -> Result<Option<(FrameHeader, usize)>, CaptureErrorKind> {
    const RECORD_HEADER: usize = 16;
    if !source.want(1)? {
        return Ok(None);
    }
    source.need(RECORD_HEADER)?;
    let field = &source.bytes()[8..12];
    let file = parser.header();
    let captured = match file.endianness {
        Endianness::Big => BigEndian::read_u32(field),
        Endianness::Little => LittleEndian::read_u32(field),
    };
    let end = RECORD_HEADER + record_len(captured, 0)?;
    source.need(end)?;

    let (_, record) = parser.next_raw_packet(source.bytes())?;
    let fraction = match file.ts_resolution {
        TsResolution::MicroSecond => u64::from(record.ts_frac) * 1_000,
        TsResolution::NanoSecond => u64::from(record.ts_frac),
    };
    let header = FrameHeader {
        link_type,
        // 2^32 seconds and 2^32 milliseconds are well below 2^64 nanoseconds.
        timestamp: Some(Instant::from_nanos(
            u64::from(record.ts_sec) * 1_000_000_000 + fraction,
        )),
        original_len: record.orig_len,
        start: RECORD_HEADER,
        end,
    };
    Ok(Some((header, end)))
}

/// Passes over the blocks up to the next one that holds a packet.
fn next_packet<R: Read>(
    source: &mut Source<R>,
    parser: &mut PcapNg,
) -> Result<Option<(FrameHeader, usize)>, CaptureErrorKind> {
    loop {
        if !source.want(1)? {
            return Ok(None);
        }
        source.need(pcapng::MIN_BLOCK)?;
        let len = parser.block_len(source.bytes())?;
        source.need(len)?;
        match parser.block(&source.bytes()[..len])? {
            Block::Packet(header) => return Ok(Some((header, len))),
            Block::Other => {
                source.take(len);
            }
        }
    }
}

/// A length that a file claims for a record, if it can be right.
#[inline]
fn record_len(claimed: u32, least: usize) -> Result<usize, CaptureErrorKind> {
    match usize::try_from(claimed) {
        Ok(len) if (least..=MAX_RECORD).contains(&len) => Ok(len),
        _ => Err(CaptureErrorKind::RecordLength { claimed, least }),
    }
}
