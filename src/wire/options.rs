use core::mem;

use byteorder::{BigEndian, ByteOrder};

use super::checksum::Checksum;
use super::error::{ErrorKind, Layer, ParseError};
use super::seq::SeqNumber;

/// Where options begin, in bytes from the start of the segment: after the fixed header.
const FIRST_OFFSET: usize = 20;

const END_OF_LIST: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// One TCP option (RFC 9293 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TcpOption<'a> {
    /// Kind 1: padding between options.
    NoOperation,
    /// Kind 2: the largest segment the sender of this option can receive, in bytes.
    MaximumSegmentSize(u16),
    /// Kind 3: how many bits to shift the sender's window field (RFC 7323 section
    /// 2), as received: above 14 it is to be taken as 14.
    WindowScale(u8),
    /// Kind 4: the sender understands SACK (RFC 2018 section 2).
    SackPermitted,
    /// Kind 5: what arrived beyond the cumulative acknowledgment (RFC 2018 section 3).
    Sack(SackBlocks<'a>),
    /// Kind 8 (RFC 7323 section 3).
    Timestamps {
        /// TSval: the sender's clock.
        value: u32,
        /// TSecr: the last TSval that the sender saw.
        echo: u32,
    },
    /// Any other kind, kept as it is. Kinds 0 and 1 have no length and no data: of those this
    /// makes something that no receiver understands.
    Unknown {
        /// The option's kind.
        kind: u8,
        /// Its body: what follows kind and length, at most 38 bytes.
        data: &'a [u8],
    },
}

impl TcpOption<'_> {
    /// The option's length with kind and length bytes, in bytes.
    #[inline]
    pub const fn len(&self) -> usize {
        match self {
            TcpOption::NoOperation => 1,
            TcpOption::MaximumSegmentSize(_) => 4,
            TcpOption::WindowScale(_) => 3,
            TcpOption::SackPermitted => 2,
            TcpOption::Sack(blocks) => 2 + blocks.bytes.len(),
            TcpOption::Timestamps { .. } => 10,
            TcpOption::Unknown { data, .. } => 2 + data.len(),
        }
    }

    /// Never: every option has a kind.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Writes the option to the start of `out`, which has room for it, and gives the sum
    /// of its bytes: from the values, since to read them back would wait for the stores.
    /// Its length fits a byte: callers have bounded it to 40.
    #[inline(always)]
    pub(super) fn emit(&self, out: &mut &mut [u8]) -> Checksum {
        let len = self.len() as u8;
        match *self {
            TcpOption::NoOperation => put(out, [NO_OPERATION]),
            TcpOption::MaximumSegmentSize(size) => {
                let [a, b] = size.to_be_bytes();
                put(out, [MAXIMUM_SEGMENT_SIZE, len, a, b])
            }
            TcpOption::WindowScale(shift) => put(out, [WINDOW_SCALE, len, shift]),
            TcpOption::SackPermitted => put(out, [SACK_PERMITTED, len]),
            TcpOption::Sack(blocks) => put(out, [SACK, len]).combine(copy(out, blocks.bytes)),
            TcpOption::Timestamps { value, echo } => {
                let times = u64::from(value) << 32 | u64::from(echo);
                put(out, [TIMESTAMPS, len]).combine(put(out, times.to_be_bytes()))
            }
            TcpOption::Unknown { kind, data } => put(out, [kind, len]).combine(copy(out, data)),
        }
    }
}

#[inline(always)]
fn put<const N: usize>(out: &mut &mut [u8], bytes: [u8; N]) -> Checksum {
    if let Some((slot, rest)) = mem::take(out).split_first_chunk_mut() {
        *slot = bytes;
        *out = rest;
    }
    Checksum::of(&bytes)
}

#[inline(always)]
fn copy(out: &mut &mut [u8], bytes: &[u8]) -> Checksum {
    match mem::take(out).split_at_mut_checked(bytes.len()) {
        Some((slot, rest)) => {
            *out = rest;
            Checksum::copy(slot, bytes)
        }
        None => Checksum::new(),
    }
}

/// A run of octets that a receiver holds: `left <= number < right` (RFC 2018 section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SackBlock {
    /// The first octet of the run.
    pub left: SeqNumber,
    /// The octet after the last one of the run.
    pub right: SeqNumber,
}

/// The blocks of a SACK option, in the order of the option: one to four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SackBlocks<'a> {
    /// A multiple of eight bytes.
    bytes: &'a [u8],
}

impl<'a> SackBlocks<'a> {
    /// Length of one block in the option, in bytes.
    pub const BLOCK_LEN: usize = 8;
    /// The most blocks that a TCP header has room for.
    pub const MAX: usize = 4;

    /// Lays blocks over the body of an option; `None` where it is not one to four
    /// whole blocks.
    pub const fn new(bytes: &'a [u8]) -> Option<SackBlocks<'a>> {
        if bytes.len().is_multiple_of(Self::BLOCK_LEN)
            && bytes.len() >= Self::BLOCK_LEN
            && bytes.len() <= Self::MAX * Self::BLOCK_LEN
        {
            Some(SackBlocks { bytes })
        } else {
            None
        }
    }

    /// Writes `blocks`, as many as fit, into the start of `out` and lays a view over them.
    pub fn write(blocks: &[SackBlock], out: &'a mut [u8]) -> Option<SackBlocks<'a>> {
        let (room, _) = out.as_chunks_mut::<8>();
        let count = blocks.len().min(room.len()).min(Self::MAX);
        for (slot, block) in room.iter_mut().zip(blocks).take(count) {
            BigEndian::write_u32(&mut slot[..4], block.left.0);
            BigEndian::write_u32(&mut slot[4..], block.right.0);
        }
        SackBlocks::new(&out[..count * Self::BLOCK_LEN])
    }

    /// The blocks one by one.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = SackBlock> + Clone + use<'a> {
        let (blocks, _) = self.bytes.as_chunks::<8>();
        blocks.iter().map(|block| SackBlock {
            left: SeqNumber(BigEndian::read_u32(&block[..4])),
            right: SeqNumber(BigEndian::read_u32(&block[4..])),
        })
    }
}

/// Walks the options of a TCP header, up to the end of the list.
///
/// After the first malformed option it ends: where that one's neighbour would
/// start is not known.
///
/// ```
/// use zerotcp::wire::{TcpOption, TcpOptions};
///
/// let bytes = [2, 4, 0x05, 0xb4, 1, 3, 3, 7];
/// let options: Result<Vec<_>, _> = TcpOptions::new(&bytes).collect();
/// assert_eq!(
///     options?,
///     [
///         TcpOption::MaximumSegmentSize(1460),
///         TcpOption::NoOperation,
///         TcpOption::WindowScale(7),
///     ]
/// );
///
/// let error = TcpOptions::new(&[1, 2, 0]).nth(1).unwrap().unwrap_err();
/// assert_eq!(error.to_string(), "tcp: option length 0 at byte 22, 4 needed");
/// # Ok::<(), zerotcp::wire::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TcpOptions<'a> {
    rest: &'a [u8],
    /// Of `rest`, from the start of the segment.
    offset: usize,
}

impl<'a> TcpOptions<'a> {
    /// The options in `bytes`, what follows the fixed part of a header: offsets of errors count
    /// from the start of that.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> TcpOptions<'a> {
        TcpOptions {
            rest: bytes,
            offset: FIRST_OFFSET,
        }
    }

    /// The option at the front, which has a kind above 1, and what follows it.
    fn split_option(&self, kind: u8) -> Result<(TcpOption<'a>, &'a [u8]), ParseError> {
        let error = |kind, offset, needed, found| {
            ParseError::new(Layer::Tcp, kind, self.offset + offset, needed, found)
        };
        let overrun = |needed| error(ErrorKind::OptionOverrun, 0, needed, self.rest.len());
        let Some(len) = self.rest.get(1).copied().map(usize::from) else {
            return Err(overrun(2));
        };
        let wrong = |needed| error(ErrorKind::OptionLength, 1, needed, len);
        let fixed = match kind {
            MAXIMUM_SEGMENT_SIZE => Some(4),
            WINDOW_SCALE => Some(3),
            SACK_PERMITTED => Some(2),
            TIMESTAMPS => Some(10),
            _ => None,
        };
        if let Some(needed) = fixed.filter(|needed| *needed != len) {
            return Err(wrong(needed));
        }
        let Some((option, rest)) = self.rest.split_at_checked(len) else {
            return Err(overrun(len));
        };
        let Some(body) = option.get(2..) else {
            return Err(wrong(2));
        };
        let option = match kind {
            MAXIMUM_SEGMENT_SIZE => TcpOption::MaximumSegmentSize(BigEndian::read_u16(body)),
            WINDOW_SCALE => TcpOption::WindowScale(body[0]),
            SACK_PERMITTED => TcpOption::SackPermitted,
            SACK => TcpOption::Sack(SackBlocks::new(body).ok_or_else(|| wrong(10))?),
            TIMESTAMPS => TcpOption::Timestamps {
                value: BigEndian::read_u32(&body[..4]),
                echo: BigEndian::read_u32(&body[4..]),
            },
            _ => TcpOption::Unknown { kind, data: body },
        };
        Ok((option, rest))
    }
}

impl<'a> Iterator for TcpOptions<'a> {
    type Item = Result<TcpOption<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let kind = *self.rest.first()?;
        let step = match kind {
            END_OF_LIST => {
                self.rest = &[];
                return None;
            }
            NO_OPERATION => Ok((TcpOption::NoOperation, &self.rest[1..])),
            _ => self.split_option(kind),
        };
        match step {
            Ok((option, rest)) => {
                self.offset += self.rest.len() - rest.len();
                self.rest = rest;
                Some(Ok(option))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

impl core::iter::FusedIterator for TcpOptions<'_> {}

/// What the options of one segment say, gathered in one pass. Of an option that
/// stands there twice the last one counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionSummary {
    /// Maximum segment size, in bytes.
    pub mss: Option<u16>,
    /// Window scale, in bits, as received.
    pub window_scale: Option<u8>,
    /// Whether SACK is permitted.
    pub sack_permitted: bool,
    /// TSval and TSecr.
    pub timestamps: Option<(u32, u32)>,
    sack: [SackBlock; SackBlocks::MAX],
    sack_count: u8,
}

impl OptionSummary {
    /// The summary of the options in `bytes`, what follows the fixed part of a header.
    ///
    /// # Errors
    /// [`OptionLength`](ErrorKind::OptionLength) and [`OptionOverrun`](ErrorKind::OptionOverrun),
    /// offset from the start of the segment.
    #[inline]
    pub fn of(bytes: &[u8]) -> Result<OptionSummary, ParseError> {
        let (summary, error) = OptionSummary::tolerant(bytes);
        error.map_or(Ok(summary), Err)
    }

    /// The summary of the options before the first malformed one, and what was
    /// wrong with that: a receiver that must survive (RFC 9293, MUST-7) goes on with what it has.
    #[inline]
    pub fn tolerant(bytes: &[u8]) -> (OptionSummary, Option<ParseError>) {
        if bytes.is_empty() {
            return (OptionSummary::default(), None);
        }
        // The layout that RFC 7323 appendix A recommends: what nearly every
        // segment of an established connection carries.
        if let [NO_OPERATION, NO_OPERATION, TIMESTAMPS, 10, body @ ..] = bytes
            && body.len() == 8
        {
            let times = (
                BigEndian::read_u32(&body[..4]),
                BigEndian::read_u32(&body[4..]),
            );
            let summary = OptionSummary {
                timestamps: Some(times),
                ..OptionSummary::default()
            };
            return (summary, None);
        }
        OptionSummary::walk(bytes)
    }

    /// One look at each byte; what [`TcpOptions`] finds, without making options of it.
    fn walk(bytes: &[u8]) -> (OptionSummary, Option<ParseError>) {
        let mut summary = OptionSummary::default();
        let mut rest = bytes;
        loop {
            rest = match *rest {
                [] | [END_OF_LIST, ..] => return (summary, None),
                [NO_OPERATION, ref rest @ ..] => rest,
                [MAXIMUM_SEGMENT_SIZE, 4, a, b, ref rest @ ..] => {
                    summary.mss = Some(u16::from_be_bytes([a, b]));
                    rest
                }
                [WINDOW_SCALE, 3, shift, ref rest @ ..] => {
                    summary.window_scale = Some(shift);
                    rest
                }
                [SACK_PERMITTED, 2, ref rest @ ..] => {
                    summary.sack_permitted = true;
                    rest
                }
                [TIMESTAMPS, 10, a, b, c, d, e, f, g, h, ref rest @ ..] => {
                    let value = u32::from_be_bytes([a, b, c, d]);
                    let echo = u32::from_be_bytes([e, f, g, h]);
                    summary.timestamps = Some((value, echo));
                    rest
                }
                _ => match summary.take_other(rest, bytes.len() - rest.len()) {
                    Ok(rest) => rest,
                    Err(error) => return (summary, Some(error)),
                },
            };
        }
    }

    /// Takes in the option at the front of `rest`, `offset` bytes into the options: SACK, an
    /// unknown one or a malformed one. Gives what follows it.
    fn take_other<'a>(&mut self, rest: &'a [u8], offset: usize) -> Result<&'a [u8], ParseError> {
        let mut options = TcpOptions {
            rest,
            offset: FIRST_OFFSET + offset,
        };
        if let Some(TcpOption::Sack(blocks)) = options.next().transpose()? {
            (self.sack, self.sack_count) = ([SackBlock::default(); SackBlocks::MAX], 0);
            for (slot, block) in self.sack.iter_mut().zip(blocks.iter()) {
                *slot = block;
                self.sack_count += 1;
            }
        }
        Ok(options.rest)
    }

    /// The SACK blocks, in the order of the option.
    #[inline]
    pub fn sack(&self) -> &[SackBlock] {
        &self.sack[..usize::from(self.sack_count)]
    }
}
