use core::fmt;
use core::net::Ipv4Addr;
use core::ops::Deref;

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::checksum::Checksum;
use super::error::{ErrorKind, Layer, ParseError};

/// The protocol that an IPv4 packet carries, by its assigned number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IpProtocol(pub u8);

impl IpProtocol {
    /// ICMP, RFC 792.
    pub const ICMP: IpProtocol = IpProtocol(1);
    /// TCP, RFC 9293.
    pub const TCP: IpProtocol = IpProtocol(6);
    /// UDP, RFC 768.
    pub const UDP: IpProtocol = IpProtocol(17);
}

impl fmt::Display for IpProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            IpProtocol::ICMP => f.write_str("icmp"),
            IpProtocol::TCP => f.write_str("tcp"),
            IpProtocol::UDP => f.write_str("udp"),
            IpProtocol(number) => number.fmt(f),
        }
    }
}

/// The fixed 20 bytes of an IPv4 header as they lie in the packet (RFC 791
/// section 3.1), to be laid over a buffer with `zerocopy`.
///
/// The accessors convert from network byte order. Of a header that was laid over
/// unchecked bytes nothing is promised; [`Ipv4Packet`] is the checked view.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Ipv4Header {
    pub(super) version_ihl: u8,
    pub(super) dscp_ecn: u8,
    pub(super) total_length: U16,
    pub(super) identification: U16,
    pub(super) flags_offset: U16,
    pub(super) ttl: u8,
    pub(super) protocol: u8,
    pub(super) checksum: U16,
    pub(super) src: [u8; 4],
    pub(super) dst: [u8; 4],
}

impl Ipv4Header {
    /// Length of the fixed part, in bytes.
    pub const LEN: usize = size_of::<Ipv4Header>();
    /// The most bytes that options can take.
    pub const MAX_OPTIONS: usize = 40;

    pub(super) const DONT_FRAGMENT: u16 = 0x4000;
    pub(super) const MORE_FRAGMENTS: u16 = 0x2000;
    pub(super) const OFFSET_MASK: u16 = 0x1fff;

    /// The version: 4.
    #[inline]
    pub const fn version(&self) -> u8 {
        self.version_ihl >> 4
    }

    /// Internet header length, in 32-bit words: 5 to 15.
    #[inline]
    pub const fn ihl(&self) -> u8 {
        self.version_ihl & 0x0f
    }

    /// Length of the header with its options, in bytes.
    #[inline]
    pub const fn header_len(&self) -> usize {
        self.ihl() as usize * 4
    }

    /// Differentiated services code point, 0 to 63 (RFC 2474).
    #[inline]
    pub const fn dscp(&self) -> u8 {
        self.dscp_ecn >> 2
    }

    /// Explicit congestion notification, 0 to 3 (RFC 3168 section 5).
    #[inline]
    pub const fn ecn(&self) -> u8 {
        self.dscp_ecn & 0b11
    }

    /// Length of the packet, header and payload, in bytes.
    #[inline]
    pub fn total_length(&self) -> u16 {
        self.total_length.get()
    }

    /// Identification, which the fragments of one datagram share.
    #[inline]
    pub fn identification(&self) -> u16 {
        self.identification.get()
    }

    /// The DF bit.
    #[inline]
    pub fn dont_fragment(&self) -> bool {
        self.flags_offset.get() & Self::DONT_FRAGMENT != 0
    }

    /// The MF bit.
    #[inline]
    pub fn more_fragments(&self) -> bool {
        self.flags_offset.get() & Self::MORE_FRAGMENTS != 0
    }

    /// Where this fragment belongs in its datagram, in bytes (a multiple of 8).
    #[inline]
    pub fn fragment_offset(&self) -> u16 {
        // 13 bits times 8 fit into 16.
        (self.flags_offset.get() & Self::OFFSET_MASK) * 8
    }

    /// Whether the packet is one of several fragments.
    #[inline]
    pub fn is_fragment(&self) -> bool {
        self.flags_offset.get() & (Self::MORE_FRAGMENTS | Self::OFFSET_MASK) != 0
    }

    /// Whether the packet carries a whole message of `protocol`.
    #[inline(always)]
    pub(super) fn carries(&self, protocol: IpProtocol) -> bool {
        self.protocol == protocol.0 && !self.is_fragment()
    }

    /// Time to live, in hops.
    #[inline]
    pub const fn ttl(&self) -> u8 {
        self.ttl
    }

    /// The protocol of the payload.
    #[inline]
    pub const fn protocol(&self) -> IpProtocol {
        IpProtocol(self.protocol)
    }

    /// The header checksum field.
    #[inline]
    pub fn checksum(&self) -> u16 {
        self.checksum.get()
    }

    /// Source address.
    #[inline]
    pub const fn src(&self) -> Ipv4Addr {
        let [a, b, c, d] = self.src;
        Ipv4Addr::new(a, b, c, d)
    }

    /// Destination address.
    #[inline]
    pub const fn dst(&self) -> Ipv4Addr {
        let [a, b, c, d] = self.dst;
        Ipv4Addr::new(a, b, c, d)
    }
}

/// The fields as the accessors give them.
impl fmt::Debug for Ipv4Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ipv4Header")
            .field("version", &self.version())
            .field("ihl", &self.ihl())
            .field("dscp", &self.dscp())
            .field("ecn", &self.ecn())
            .field("total_length", &self.total_length())
            .field("identification", &self.identification())
            // With the reserved bit, which has no accessor.
            .field("flags", &(self.flags_offset.get() >> 13))
            .field("fragment_offset", &self.fragment_offset())
            .field("ttl", &self.ttl())
            .field("protocol", &self.protocol())
            .field("checksum", &format_args!("{:#06x}", self.checksum()))
            .field("src", &self.src())
            .field("dst", &self.dst())
            .finish()
    }
}

/// An IPv4 packet that was found sound: version, header length, total length
/// and, unless it was left out on purpose, the header checksum.
///
/// The fields of the header are read through [`Ipv4Header`], to which this
/// dereferences. Bytes after the total length (link padding) are not part of it.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4Packet<'a> {
    header: &'a Ipv4Header,
    options: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Ipv4Packet<'a> {
    /// The packet at the start of `bytes`, its header checksum verified.
    ///
    /// # Errors
    /// [`Truncated`](ErrorKind::Truncated), [`Version`](ErrorKind::Version),
    /// [`HeaderLength`](ErrorKind::HeaderLength), [`HeaderOverrun`](ErrorKind::HeaderOverrun),
    /// [`TotalLength`](ErrorKind::TotalLength), [`Cut`](ErrorKind::Cut) and
    /// [`Checksum`](ErrorKind::Checksum) (RFC 1122 sections 3.2.1.1 and 3.2.1.2).
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Ipv4Packet<'a>, ParseError> {
        match Ipv4Packet::sound(bytes) {
            Some(packet) if packet.verify_checksum() => Ok(packet),
            _ => Err(Ipv4Packet::fault(bytes)),
        }
    }

    /// The packet at the start of `bytes`, its checksum not looked at: for a
    /// device that vouches for it.
    ///
    /// # Errors
    /// As [`parse`](Ipv4Packet::parse), but the checksum.
    #[inline]
    pub fn parse_unverified(bytes: &'a [u8]) -> Result<Ipv4Packet<'a>, ParseError> {
        Ipv4Packet::sound(bytes).ok_or_else(|| bad_lengths(bytes))
    }

    /// The packet, its version and lengths sound. It stays an `Option` of references,
    /// which travels in registers: what is wrong is worked out where something is.
    #[inline(always)]
    pub(super) fn sound(bytes: &'a [u8]) -> Option<Ipv4Packet<'a>> {
        let (header, _) = Ipv4Header::ref_from_prefix(bytes).ok()?;
        // Version 4 and an IHL of 5 to 15 words, in one comparison.
        let option_words = header.version_ihl.wrapping_sub(0x45);
        if option_words > 10 {
            return None;
        }
        let header_len = Ipv4Header::LEN + usize::from(option_words) * 4;
        let packet = bytes.get(..usize::from(header.total_length()))?;
        let (whole_header, payload) = packet.split_at_checked(header_len)?;
        Some(Ipv4Packet {
            header,
            options: whole_header.get(Ipv4Header::LEN..)?,
            payload,
        })
    }

    /// The packet whose parts were found sound elsewhere.
    #[inline(always)]
    pub(super) const fn from_parts(
        header: &'a Ipv4Header,
        options: &'a [u8],
        payload: &'a [u8],
    ) -> Ipv4Packet<'a> {
        Ipv4Packet {
            header,
            options,
            payload,
        }
    }

    /// Whether the header checksum fits the header.
    #[inline]
    pub fn verify_checksum(&self) -> bool {
        self.header_sum().is_valid()
    }

    /// The options, as many bytes as the header says: none or 4 to 40.
    #[inline]
    pub const fn options(&self) -> &'a [u8] {
        self.options
    }

    /// What the packet carries, up to its total length.
    #[inline]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The fixed part of the header, for as long as the buffer lives.
    #[inline]
    pub const fn header(&self) -> &'a Ipv4Header {
        self.header
    }

    /// The pseudo-header's share of a TCP or UDP checksum (RFC 9293 section 3.1):
    /// real addresses, and the length without link padding.
    #[inline]
    pub fn pseudo_header(&self) -> Checksum {
        // The payload's length came out of a 16-bit field.
        Checksum::pseudo_header(
            self.src(),
            self.dst(),
            self.protocol,
            self.payload.len() as u16,
        )
    }

    #[inline(always)]
    fn header_sum(&self) -> Checksum {
        let sum = Checksum::of(self.header.as_bytes());
        match self.options {
            [] => sum,
            options => sum.combine(options_sum(options)),
        }
    }

    /// Why `bytes` are no packet, or not an intact one.
    #[cold]
    #[inline(never)]
    fn fault(bytes: &[u8]) -> ParseError {
        let Some(packet) = Ipv4Packet::sound(bytes) else {
            return bad_lengths(bytes);
        };
        let found = packet.checksum();
        let right = packet
            .header_sum()
            .combine(Checksum::from_sum(!found))
            .finish();
        ParseError::new(
            Layer::Ipv4,
            ErrorKind::Checksum,
            10,
            right.into(),
            found.into(),
        )
    }
}

impl Deref for Ipv4Packet<'_> {
    type Target = Ipv4Header;

    #[inline]
    fn deref(&self) -> &Ipv4Header {
        self.header
    }
}

#[cold]
pub(super) fn truncated(found: usize) -> ParseError {
    ParseError::new(Layer::Ipv4, ErrorKind::Truncated, 0, Ipv4Header::LEN, found)
}

/// Why a packet does not hold a whole segment or message of `protocol`.
#[cold]
pub(super) fn carries_other(header: &Ipv4Header, protocol: IpProtocol) -> ParseError {
    if header.protocol != protocol.0 {
        let (needed, found) = (protocol.0.into(), header.protocol.into());
        ParseError::new(Layer::Ipv4, ErrorKind::Protocol, 9, needed, found)
    } else {
        let found = header.flags_offset.get().into();
        ParseError::new(Layer::Ipv4, ErrorKind::Fragment, 6, 0, found)
    }
}

/// Hardly any packet has options.
#[cold]
fn options_sum(options: &[u8]) -> Checksum {
    Checksum::of(options)
}

/// Which of version and lengths is wrong.
#[cold]
fn bad_lengths(bytes: &[u8]) -> ParseError {
    let error =
        |kind, offset, needed, found| ParseError::new(Layer::Ipv4, kind, offset, needed, found);
    let received = bytes.len();
    let Ok((header, _)) = Ipv4Header::ref_from_prefix(bytes) else {
        return truncated(received);
    };
    let (header_len, total) = (header.header_len(), usize::from(header.total_length()));
    if header.version() != 4 {
        error(ErrorKind::Version, 0, 4, header.version().into())
    } else if header_len < Ipv4Header::LEN {
        error(ErrorKind::HeaderLength, 0, 5, header.ihl().into())
    } else if header_len > received {
        error(ErrorKind::HeaderOverrun, 0, header_len, received)
    } else if total < header_len {
        error(ErrorKind::TotalLength, 2, header_len, total)
    } else {
        error(ErrorKind::Cut, 2, total, received)
    }
}
