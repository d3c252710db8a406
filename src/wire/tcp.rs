use core::fmt;
use core::ops::{BitAnd, BitOr, BitOrAssign, Deref, Not};

use zerocopy::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::checksum::Checksum;
use super::error::{ErrorKind, Layer, ParseError};
use super::options::{OptionSummary, TcpOptions};
use super::seq::SeqNumber;

/// The control bits of a TCP header (RFC 9293 section 3.1), with the AE bit of
/// RFC 9768 and the three reserved ones: the lower twelve bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(u16);

impl TcpFlags {
    /// No flag.
    pub const NONE: TcpFlags = TcpFlags(0);
    /// No more data from the sender.
    pub const FIN: TcpFlags = TcpFlags(0x001);
    /// Synchronize sequence numbers.
    pub const SYN: TcpFlags = TcpFlags(0x002);
    /// Reset the connection.
    pub const RST: TcpFlags = TcpFlags(0x004);
    /// Push.
    pub const PSH: TcpFlags = TcpFlags(0x008);
    /// The acknowledgment field is significant.
    pub const ACK: TcpFlags = TcpFlags(0x010);
    /// The urgent pointer field is significant.
    pub const URG: TcpFlags = TcpFlags(0x020);
    /// ECN echo (RFC 3168 section 6.1).
    pub const ECE: TcpFlags = TcpFlags(0x040);
    /// Congestion window reduced (RFC 3168 section 6.1).
    pub const CWR: TcpFlags = TcpFlags(0x080);
    /// Accurate ECN (RFC 9768), formerly the nonce sum.
    pub const AE: TcpFlags = TcpFlags(0x100);

    const NAMES: [(TcpFlags, &'static str); 9] = [
        (TcpFlags::SYN, "SYN"),
        (TcpFlags::FIN, "FIN"),
        (TcpFlags::RST, "RST"),
        (TcpFlags::PSH, "PSH"),
        (TcpFlags::ACK, "ACK"),
        (TcpFlags::URG, "URG"),
        (TcpFlags::ECE, "ECE"),
        (TcpFlags::CWR, "CWR"),
        (TcpFlags::AE, "AE"),
    ];

    /// The flags whose bits are set in the lower twelve bits of `bits`.
    #[inline]
    pub const fn from_bits(bits: u16) -> TcpFlags {
        TcpFlags(bits & 0x0fff)
    }

    /// The twelve bits, reserved ones included.
    #[inline]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether all of `flags` are set.
    #[inline]
    pub const fn contains(self, flags: TcpFlags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Whether any of `flags` is set.
    #[inline]
    pub const fn intersects(self, flags: TcpFlags) -> bool {
        self.0 & flags.0 != 0
    }

    /// The FIN bit.
    #[inline]
    pub const fn fin(self) -> bool {
        self.contains(TcpFlags::FIN)
    }

    /// The SYN bit.
    #[inline]
    pub const fn syn(self) -> bool {
        self.contains(TcpFlags::SYN)
    }

    /// The RST bit.
    #[inline]
    pub const fn rst(self) -> bool {
        self.contains(TcpFlags::RST)
    }

    /// The PSH bit.
    #[inline]
    pub const fn psh(self) -> bool {
        self.contains(TcpFlags::PSH)
    }

    /// The ACK bit.
    #[inline]
    pub const fn ack(self) -> bool {
        self.contains(TcpFlags::ACK)
    }

    /// The URG bit.
    #[inline]
    pub const fn urg(self) -> bool {
        self.contains(TcpFlags::URG)
    }

    /// The ECE bit.
    #[inline]
    pub const fn ece(self) -> bool {
        self.contains(TcpFlags::ECE)
    }

    /// The CWR bit.
    #[inline]
    pub const fn cwr(self) -> bool {
        self.contains(TcpFlags::CWR)
    }
}

impl BitOr for TcpFlags {
    type Output = TcpFlags;

    #[inline]
    fn bitor(self, other: TcpFlags) -> TcpFlags {
        TcpFlags(self.0 | other.0)
    }
}

impl BitOrAssign for TcpFlags {
    #[inline]
    fn bitor_assign(&mut self, other: TcpFlags) {
        self.0 |= other.0;
    }
}

impl BitAnd for TcpFlags {
    type Output = TcpFlags;

    #[inline]
    fn bitand(self, other: TcpFlags) -> TcpFlags {
        TcpFlags(self.0 & other.0)
    }
}

impl Not for TcpFlags {
    type Output = TcpFlags;

    #[inline]
    fn not(self) -> TcpFlags {
        TcpFlags::from_bits(!self.0)
    }
}

/// The flags by name, `SYN,ACK`; `-` for none.
impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (flag, name) in TcpFlags::NAMES {
            if self.contains(flag) {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        if separator.is_empty() {
            f.write_str("-")?;
        }
        Ok(())
    }
}

/// The bits, then the flags by name: `TcpFlags(0x012 SYN,ACK)`.
impl fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpFlags({:#05x} {self})", self.0)
    }
}

/// The fixed 20 bytes of a TCP header as they lie in the segment (RFC 9293
/// section 3.1), to be laid over a buffer with `zerocopy`.
///
/// The accessors convert from network byte order. Of a header that was laid over
/// unchecked bytes nothing is promised; [`TcpSegment`] is the checked view.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct TcpHeader {
    pub(super) src_port: U16,
    pub(super) dst_port: U16,
    pub(super) seq: U32,
    pub(super) ack: U32,
    pub(super) offset_flags: U16,
    pub(super) window: U16,
    pub(super) checksum: U16,
    pub(super) urgent: U16,
}

impl TcpHeader {
    /// Length of the fixed part, in bytes.
    pub const LEN: usize = size_of::<TcpHeader>();
    /// The most bytes that options can take.
    pub const MAX_OPTIONS: usize = 40;

    /// Source port.
    #[inline]
    pub fn src_port(&self) -> u16 {
        self.src_port.get()
    }

    /// Destination port.
    #[inline]
    pub fn dst_port(&self) -> u16 {
        self.dst_port.get()
    }

    /// SEG.SEQ: the number of the first octet of data, or of the SYN.
    #[inline]
    pub fn seq(&self) -> SeqNumber {
        SeqNumber(self.seq.get())
    }

    /// SEG.ACK: the next number that the sender expects, if the ACK bit is set.
    #[inline]
    pub fn ack(&self) -> SeqNumber {
        SeqNumber(self.ack.get())
    }

    /// Data offset, in 32-bit words: 5 to 15.
    #[inline]
    pub fn data_offset(&self) -> u8 {
        // Four bits.
        (self.offset_flags.get() >> 12) as u8
    }

    /// Length of the header with its options, in bytes.
    #[inline]
    pub fn header_len(&self) -> usize {
        usize::from(self.data_offset()) * 4
    }

    /// The control bits.
    #[inline]
    pub fn flags(&self) -> TcpFlags {
        TcpFlags::from_bits(self.offset_flags.get())
    }

    /// The window field as it stands there: unsigned (RFC 9293, MUST-1) and not scaled.
    #[inline]
    pub fn window(&self) -> u16 {
        self.window.get()
    }

    /// The checksum field.
    #[inline]
    pub fn checksum(&self) -> u16 {
        self.checksum.get()
    }

    /// The urgent pointer, an offset from SEG.SEQ, if the URG bit is set.
    #[inline]
    pub fn urgent(&self) -> u16 {
        self.urgent.get()
    }
}

/// The fields as the accessors give them.
impl fmt::Debug for TcpHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpHeader")
            .field("src_port", &self.src_port())
            .field("dst_port", &self.dst_port())
            .field("seq", &self.seq())
            .field("ack", &self.ack())
            .field("data_offset", &self.data_offset())
            .field("flags", &self.flags())
            .field("window", &self.window())
            .field("checksum", &format_args!("{:#06x}", self.checksum()))
            .field("urgent", &self.urgent())
            .finish()
    }
}

/// A TCP segment that was found sound: length, data offset and, unless it was
/// left out on purpose, the checksum.
///
/// The fields of the header are read through [`TcpHeader`], to which this
/// dereferences.
#[derive(Clone, Copy, Debug)]
pub struct TcpSegment<'a> {
    header: &'a TcpHeader,
    options: &'a [u8],
    payload: &'a [u8],
}

impl<'a> TcpSegment<'a> {
    /// The segment that fills `bytes`, its checksum verified with the sum of the
    /// pseudo-header ([`Ipv4Packet::pseudo_header`](super::Ipv4Packet::pseudo_header), [`Checksum::pseudo_header`]).
    ///
    /// # Errors
    /// [`Truncated`](ErrorKind::Truncated), [`HeaderLength`](ErrorKind::HeaderLength),
    /// [`HeaderOverrun`](ErrorKind::HeaderOverrun) and [`Checksum`](ErrorKind::Checksum)
    /// (RFC 9293, MUST-3).
    #[inline]
    pub fn parse(bytes: &'a [u8], pseudo_header: Checksum) -> Result<TcpSegment<'a>, ParseError> {
        match TcpSegment::sound(bytes) {
            Some(segment) if TcpSegment::sum(bytes, pseudo_header).is_valid() => Ok(segment),
            _ => Err(TcpSegment::fault(bytes, pseudo_header)),
        }
    }

    /// The segment that fills `bytes`, its checksum not looked at: for a device
    /// that vouches for it.
    ///
    /// # Errors
    /// As [`parse`](TcpSegment::parse), but the checksum.
    #[inline]
    pub fn parse_unverified(bytes: &'a [u8]) -> Result<TcpSegment<'a>, ParseError> {
        TcpSegment::sound(bytes).ok_or_else(|| bad_lengths(bytes))
    }

    /// The segment, its lengths sound. It stays an `Option` of references, which
    /// travels in registers, as long as nothing is wrong.
    #[inline(always)]
    pub(super) fn sound(bytes: &'a [u8]) -> Option<TcpSegment<'a>> {
        let (header, rest) = TcpHeader::ref_from_prefix(bytes).ok()?;
        // Less than 5 words wrap around to more than there can be.
        let options_len = header.header_len().wrapping_sub(TcpHeader::LEN);
        let (options, payload) = rest.split_at_checked(options_len)?;
        Some(TcpSegment {
            header,
            options,
            payload,
        })
    }

    /// The segment whose parts were found sound elsewhere.
    #[inline(always)]
    pub(super) const fn from_parts(
        header: &'a TcpHeader,
        options: &'a [u8],
        payload: &'a [u8],
    ) -> TcpSegment<'a> {
        TcpSegment {
            header,
            options,
            payload,
        }
    }

    /// The sum that the checksum is to make valid. The fixed header's share costs a
    /// known number of additions.
    #[inline(always)]
    pub(super) fn sum(bytes: &[u8], pseudo_header: Checksum) -> Checksum {
        let Some((header, rest)) = bytes.split_first_chunk::<{ TcpHeader::LEN }>() else {
            return pseudo_header.combine(Checksum::of(bytes));
        };
        let sum = pseudo_header.combine(Checksum::of(header));
        if rest.is_empty() {
            return sum;
        }
        sum.combine(Checksum::of(rest))
    }

    /// The options one by one, malformed ones as an error that says where.
    #[inline]
    pub const fn options(&self) -> TcpOptions<'a> {
        TcpOptions::new(self.options)
    }

    /// What the options say, in one pass.
    ///
    /// # Errors
    /// [`OptionLength`](ErrorKind::OptionLength) and [`OptionOverrun`](ErrorKind::OptionOverrun),
    /// offset from the start of the segment.
    #[inline]
    pub fn option_summary(&self) -> Result<OptionSummary, ParseError> {
        OptionSummary::of(self.options)
    }

    /// The bytes of the options: none or 4 to 40.
    #[inline]
    pub const fn option_bytes(&self) -> &'a [u8] {
        self.options
    }

    /// The payload of the segment: the text, as RFC 9293 has it.
    #[inline]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The fixed part of the header, for as long as the buffer lives.
    #[inline]
    pub const fn header(&self) -> &'a TcpHeader {
        self.header
    }

    /// SEG.LEN: the octets of sequence space that the segment takes, SYN and FIN
    /// included (RFC 9293 section 3.4).
    #[inline]
    pub fn sequence_len(&self) -> u32 {
        let flags = self.flags();
        // A payload fits into a 16-bit total length wherever IPv4 carries it.
        self.payload.len() as u32 + u32::from(flags.syn()) + u32::from(flags.fin())
    }

    /// Why `bytes` are no segment, or not an intact one.
    #[cold]
    #[inline(never)]
    pub(super) fn fault(bytes: &[u8], pseudo_header: Checksum) -> ParseError {
        let Some(segment) = TcpSegment::sound(bytes) else {
            return bad_lengths(bytes);
        };
        let sum = TcpSegment::sum(bytes, pseudo_header);
        let found = segment.checksum();
        let right = Checksum::from_sum(sum.sum()).word(!found).finish();
        ParseError::new(
            Layer::Tcp,
            ErrorKind::Checksum,
            16,
            right.into(),
            found.into(),
        )
    }
}

impl Deref for TcpSegment<'_> {
    type Target = TcpHeader;

    #[inline]
    fn deref(&self) -> &TcpHeader {
        self.header
    }
}

#[cold]
pub(super) fn truncated(found: usize) -> ParseError {
    ParseError::new(Layer::Tcp, ErrorKind::Truncated, 0, TcpHeader::LEN, found)
}

/// Which length is wrong.
#[cold]
fn bad_lengths(bytes: &[u8]) -> ParseError {
    let received = bytes.len();
    let Ok((header, _)) = TcpHeader::ref_from_prefix(bytes) else {
        return truncated(received);
    };
    let words = header.data_offset();
    if words < 5 {
        ParseError::new(Layer::Tcp, ErrorKind::HeaderLength, 12, 5, words.into())
    } else {
        let needed = header.header_len();
        ParseError::new(Layer::Tcp, ErrorKind::HeaderOverrun, 12, needed, received)
    }
}
