use std::fmt;
use std::io;

use pcap_file::PcapError;

use super::MAX_RECORD;

/// Why a capture can't be read, or not further, and where.
#[derive(Debug)]
pub struct CaptureError {
    /// What is wrong.
    pub kind: CaptureErrorKind,
    /// Where the record (or block, or file header) at fault begins, in bytes from
    /// the start of the file.
    pub offset: u64,
    /// The number of the frame that would have come next, from 1; 0 in the header
    /// of the file.
    pub frame: u64,
}

/// What is wrong with a capture.
#[derive(Debug)]
#[non_exhaustive]
pub enum CaptureErrorKind {
    /// Opening or reading failed.
    Io(io::Error),
    /// There is not one byte.
    Empty,
    /// The first four bytes, these, are neither format's.
    NotACapture([u8; 4]),
    /// The file ends within a header or a record.
    Truncated {
        /// How many bytes the record has, as far as it says.
        needed: usize,
        /// How many of them are there.
        found: usize,
    },
    /// A record says it has a length that can't be right.
    RecordLength {
        /// What it says, in bytes.
        claimed: u32,
        /// The least that could be right; the most is [`MAX_RECORD`].
        least: usize,
    },
    /// A packet of pcapng names an interface that was not described.
    Interface {
        /// The interface named.
        id: u32,
        /// How many were described, numbered from 0.
        known: usize,
    },
    /// A record contradicts itself.
    Malformed(&'static str),
}

impl fmt::Display for CaptureErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CaptureErrorKind::Io(error) => error.fmt(f),
            CaptureErrorKind::Empty => {
                f.write_str("the file is empty, a capture begins with a header")
            }
            CaptureErrorKind::NotACapture([0x1f, 0x8b, ..]) => {
                f.write_str("compressed by gzip: unpack it with gunzip")
            }
            CaptureErrorKind::NotACapture([a, b, c, d]) => write!(
                f,
                "begins with {a:02x} {b:02x} {c:02x} {d:02x}, a pcap begins with \
                 d4 c3 b2 a1 or a1 b2 c3 d4, a pcapng with 0a 0d 0d 0a"
            ),
            CaptureErrorKind::Truncated { needed, found } => {
                write!(f, "the file ends after {found} bytes of at least {needed}")
            }
            CaptureErrorKind::RecordLength { claimed, least } => {
                write!(
                    f,
                    "record length {claimed}, {least} to {MAX_RECORD} can be right"
                )
            }
            CaptureErrorKind::Interface { id, known: 0 } => {
                write!(f, "interface {id}, but none has been described")
            }
            CaptureErrorKind::Interface { id, known } => {
                write!(f, "interface {id}, only 0 to {} are described", known - 1)
            }
            CaptureErrorKind::Malformed(what) => f.write_str(what),
        }
    }
}

/// What, then where: `the file ends after 12 bytes of at least 60 (record at byte 24, frame 1)`.
impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CaptureError {
            kind,
            offset,
            frame,
        } = self;
        kind.fmt(f)?;
        match (kind, frame) {
            (CaptureErrorKind::Io(_), 0) | (CaptureErrorKind::Empty, _) => Ok(()),
            (_, 0) => write!(f, " (file header at byte {offset})"),
            (_, frame) => write!(f, " (record at byte {offset}, frame {frame})"),
        }
    }
}

impl std::error::Error for CaptureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            CaptureErrorKind::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for CaptureErrorKind {
    fn from(error: io::Error) -> CaptureErrorKind {
        CaptureErrorKind::Io(error)
    }
}

impl From<PcapError> for CaptureErrorKind {
    #[cold]
    fn from(error: PcapError) -> CaptureErrorKind {
        match error {
            PcapError::InvalidField(what) => CaptureErrorKind::Malformed(what),
            PcapError::IoError(error) => CaptureErrorKind::Io(error),
            // The parsers in use read no texts and are given whole records only.
            _ => CaptureErrorKind::Malformed("a record contradicts its length"),
        }
    }
}
