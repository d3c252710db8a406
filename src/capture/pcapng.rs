use byteorder::{BigEndian, ByteOrder, LittleEndian};
use pcap_file::Endianness;
use pcap_file::pcapng::RawBlock;
use pcap_file::pcapng::blocks::{
    ENHANCED_PACKET_BLOCK, INTERFACE_DESCRIPTION_BLOCK, PACKET_BLOCK, SECTION_HEADER_BLOCK,
    SIMPLE_PACKET_BLOCK,
};

use crate::time::Instant;
use crate::wire::LinkType;

use super::error::CaptureErrorKind;
use super::{FrameHeader, record_len};

/// The same in both byte orders.
pub(super) const SECTION_HEADER: u32 = SECTION_HEADER_BLOCK;
/// Type, length and length again.
pub(super) const MIN_BLOCK: usize = 12;
/// Type and length.
const BLOCK_HEADER: usize = 8;

/// What is to be remembered from block to block
/// (draft-ietf-opsawg-pcapng section 4).
#[derive(Debug)]
pub(super) struct PcapNg {
    endianness: Endianness,
    /// Those of the current section.
    interfaces: Vec<Interface>,
}

/// What a block was.
pub(super) enum Block {
    Packet(FrameHeader),
    /// Digested or of no interest.
    Other,
}

#[derive(Debug)]
struct Interface {
    link_type: LinkType,
    /// The most bytes of a packet that are kept; 0 for no limit.
    snap_len: u32,
    clock: Clock,
}

/// How timestamps of an interface count.
#[derive(Debug)]
struct Clock {
    unit: Unit,
    /// Seconds to be added.
    offset: i64,
}

/// What a timestamp's unit is in nanoseconds.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Times(u64),
    Over(u64),
    /// 10^9 over 2 to the power of this.
    Binary(u8),
}

impl PcapNg {
    /// A file may describe as many interfaces as it has room for; memory has less.
    const MAX_INTERFACES: usize = 1 << 16;

    pub(super) fn new() -> PcapNg {
        PcapNg {
            endianness: Endianness::Little,
            interfaces: Vec::new(),
        }
    }

    /// The length of the block at the start of `bytes`, of which at least
    /// [`MIN_BLOCK`] are there. A section header sets the byte order.
    pub(super) fn block_len(&mut self, bytes: &[u8]) -> Result<usize, CaptureErrorKind> {
        if BigEndian::read_u32(bytes) == SECTION_HEADER {
            self.endianness = match BigEndian::read_u32(&bytes[8..]) {
                0x1a2b_3c4d => Endianness::Big,
                0x4d3c_2b1a => Endianness::Little,
                _ => return Err(malformed("section header without its byte-order magic")),
            };
        }
        let field = &bytes[4..];
        let len = match self.endianness {
            Endianness::Big => BigEndian::read_u32(field),
            Endianness::Little => LittleEndian::read_u32(field),
        };
        record_len(len, MIN_BLOCK)
    }

    /// Digests one whole block.
    #[inline]
    pub(super) fn block(&mut self, bytes: &[u8]) -> Result<Block, CaptureErrorKind> {
        match self.endianness {
            Endianness::Big => self.block_in::<BigEndian>(bytes),
            Endianness::Little => self.block_in::<LittleEndian>(bytes),
        }
    }

    #[inline]
    fn block_in<B: ByteOrder>(&mut self, bytes: &[u8]) -> Result<Block, CaptureErrorKind> {
        let (_, block) = RawBlock::from_slice::<B>(bytes)?;
        let body: &[u8] = &block.body;
        match block.type_ {
            ENHANCED_PACKET_BLOCK => {
                let interface = body.get(..4).map(B::read_u32);
                self.packet::<B>(body, interface)
            }
            // Obsolete: the number of dropped packets took half of the interface's field.
            PACKET_BLOCK => {
                let interface = body.get(..2).map(B::read_u16).map(u32::from);
                self.packet::<B>(body, interface)
            }
            SIMPLE_PACKET_BLOCK => self.simple_packet::<B>(body),
            INTERFACE_DESCRIPTION_BLOCK => self.describe::<B>(body),
            SECTION_HEADER_BLOCK => self.section::<B>(body),
            _ => Ok(Block::Other),
        }
    }

    /// Enhanced and obsolete packet blocks differ in their first four bytes only.
    #[inline]
    fn packet<B: ByteOrder>(
        &self,
        body: &[u8],
        interface: Option<u32>,
    ) -> Result<Block, CaptureErrorKind> {
        const FIXED: usize = 20;
        let (Some(id), Some((fixed, rest))) = (interface, body.split_at_checked(FIXED)) else {
            return Err(malformed("packet block shorter than its 20 fixed bytes"));
        };
        let interface = self.interface(id)?;
        let high = u64::from(B::read_u32(&fixed[4..]));
        let low = u64::from(B::read_u32(&fixed[8..]));
        let captured = B::read_u32(&fixed[12..]);
        let Some(captured) = usize::try_from(captured)
            .ok()
            .filter(|len| *len <= rest.len())
        else {
            return Err(malformed("packet block shorter than its captured length"));
        };
        let start = BLOCK_HEADER + FIXED;
        Ok(Block::Packet(FrameHeader {
            link_type: interface.link_type,
            timestamp: Some(interface.clock.instant(high << 32 | low)),
            original_len: B::read_u32(&fixed[16..]),
            start,
            end: start + captured,
        }))
    }

    /// A simple packet block names neither interface (it is the first) nor captured
    /// length: that is the least of snap length, original length and room.
    fn simple_packet<B: ByteOrder>(&self, body: &[u8]) -> Result<Block, CaptureErrorKind> {
        const FIXED: usize = 4;
        let Some((fixed, rest)) = body.split_at_checked(FIXED) else {
            return Err(malformed("simple packet block without an original length"));
        };
        let interface = self.interface(0)?;
        let original_len = B::read_u32(fixed);
        let limit = match interface.snap_len {
            0 => original_len,
            snap_len => original_len.min(snap_len),
        };
        let captured = usize::try_from(limit).map_or(rest.len(), |limit| limit.min(rest.len()));
        let start = BLOCK_HEADER + FIXED;
        Ok(Block::Packet(FrameHeader {
            link_type: interface.link_type,
            timestamp: None,
            original_len,
            start,
            end: start + captured,
        }))
    }

    #[inline]
    fn interface(&self, id: u32) -> Result<&Interface, CaptureErrorKind> {
        usize::try_from(id)
            .ok()
            .and_then(|id| self.interfaces.get(id))
            .ok_or(CaptureErrorKind::Interface {
                id,
                known: self.interfaces.len(),
            })
    }

    fn describe<B: ByteOrder>(&mut self, body: &[u8]) -> Result<Block, CaptureErrorKind> {
        let Some((fixed, options)) = body.split_at_checked(8) else {
            return Err(malformed("interface description without its 8 fixed bytes"));
        };
        if self.interfaces.len() == Self::MAX_INTERFACES {
            return Err(malformed("a 65,537th interface, at most 65,536 are read"));
        }
        self.interfaces.push(Interface {
            link_type: LinkType(B::read_u16(fixed)),
            snap_len: B::read_u32(&fixed[4..]),
            clock: Clock::from_options::<B>(options),
        });
        Ok(Block::Other)
    }

    fn section<B: ByteOrder>(&mut self, body: &[u8]) -> Result<Block, CaptureErrorKind> {
        // Byte-order magic, then the major version.
        match body.get(4..6).map(B::read_u16) {
            Some(1) => {
                self.interfaces.clear();
                Ok(Block::Other)
            }
            Some(_) => Err(malformed("section of a version other than 1")),
            None => Err(malformed("section header without its 16 fixed bytes")),
        }
    }
}

impl Clock {
    /// What `if_tsresol` and `if_tsoffset` say. An option list may end without a
    /// mark; where it makes no sense, it ends.
    fn from_options<B: ByteOrder>(mut options: &[u8]) -> Clock {
        let mut clock = Clock {
            unit: Unit::decimal(6),
            offset: 0,
        };
        while let Some((head, rest)) = options.split_at_checked(4) {
            let (code, len) = (B::read_u16(head), usize::from(B::read_u16(&head[2..])));
            let Some(value) = rest.get(..len) else { break };
            match (code, value) {
                (0, _) => break,
                (9, &[unit]) if unit & 0x80 == 0 => clock.unit = Unit::decimal(unit),
                (9, &[unit]) => clock.unit = Unit::Binary(unit & 0x7f),
                (14, value) if len == 8 => clock.offset = B::read_i64(value),
                _ => {}
            }
            options = rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        }
        clock
    }

    /// The instant of a timestamp; one out of the range of [`Instant`] is its nearest end.
    #[inline]
    fn instant(&self, units: u64) -> Instant {
        let nanos = match self.unit {
            Unit::Times(factor) => u128::from(units) * u128::from(factor),
            Unit::Over(divisor) => u128::from(units / divisor),
            // 2^64 times 10^9 is below 2^94, and the exponent below 128.
            Unit::Binary(exponent) => (u128::from(units) * 1_000_000_000) >> exponent,
        };
        let offset = u128::from(self.offset.unsigned_abs()) * 1_000_000_000;
        let nanos = if self.offset < 0 {
            nanos.saturating_sub(offset)
        } else {
            nanos + offset
        };
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Unit {
    /// 10 to the minus `exponent` seconds.
    const fn decimal(exponent: u8) -> Unit {
        match exponent {
            0..=9 => Unit::Times(10u64.pow(9 - exponent as u32)),
            10..=28 => Unit::Over(10u64.pow(exponent as u32 - 9)),
            // No 64 bits of these make a nanosecond.
            29.. => Unit::Over(u64::MAX),
        }
    }
}

#[cold]
fn malformed(what: &'static str) -> CaptureErrorKind {
    CaptureErrorKind::Malformed(what)
}
