use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, IntoBytes};

use super::checksum::Checksum;
use super::headers::{HEADERS_LEN, Headers, SegmentFields, options_len, room};
use super::icmpv4::{Icmpv4Header, Icmpv4Message, Icmpv4Type};
use super::ipv4::{IpProtocol, Ipv4Header};
use super::options::TcpOption;
use super::seq::SeqNumber;
use super::tcp::{TcpFlags, TcpHeader};

/// Why a packet could not be written. Nothing of the buffer has been changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The buffer is too small.
    Buffer {
        /// Bytes that the packet takes.
        needed: usize,
        /// Bytes that the buffer has.
        found: usize,
    },
    /// Options take more than the 40 bytes that a header has room for.
    Options {
        /// Bytes that the options take, at least.
        found: usize,
    },
    /// The packet would be longer than 65,535 bytes.
    TooLong {
        /// Bytes that the packet would take.
        found: usize,
    },
    /// A value is outside its field, or contradicts the rest of the packet.
    Field {
        /// The field's name.
        name: &'static str,
        /// The smallest value that fits.
        least: usize,
        /// The largest value that fits.
        limit: usize,
        /// The value.
        found: usize,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            BuildError::Buffer { needed, found } => {
                write!(f, "the packet takes {needed} bytes, the buffer has {found}")
            }
            BuildError::Options { found } => {
                write!(f, "options of {found} bytes, at most 40 fit a header")
            }
            BuildError::TooLong { found } => {
                write!(f, "a packet of {found} bytes, at most 65535 fit IPv4")
            }
            BuildError::Field {
                name,
                least,
                limit,
                found,
            } => write!(f, "{name} {found}, {least} to {limit} possible here"),
        }
    }
}

impl core::error::Error for BuildError {}

/// Writes IPv4 packets of any protocol.
///
/// ```
/// use std::net::Ipv4Addr;
/// use zerotcp::wire::{IpProtocol, Ipv4Builder, Ipv4Packet};
///
/// let (src, dst) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
/// let mut buffer = [0; 1500];
/// let len = Ipv4Builder::new(src, dst, IpProtocol(253)).ttl(1).write(&mut buffer, b"experiment")?;
/// let packet = Ipv4Packet::parse(&buffer[..len]).unwrap();
/// assert_eq!(packet.payload(), b"experiment");
/// # Ok::<(), zerotcp::wire::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Ipv4Builder<'a> {
    src: Ipv4Addr,
    dst: Ipv4Addr,
    protocol: IpProtocol,
    dscp_ecn: u8,
    identification: u16,
    flags_offset: u16,
    ttl: u8,
    options: &'a [u8],
}

impl<'a> Ipv4Builder<'a> {
    /// A packet without options, with DF set, identification 0 (RFC 6864 section
    /// 4.1: atomic datagrams may carry any) and TTL 64.
    #[inline]
    pub const fn new(src: Ipv4Addr, dst: Ipv4Addr, protocol: IpProtocol) -> Ipv4Builder<'a> {
        Ipv4Builder {
            src,
            dst,
            protocol,
            dscp_ecn: 0,
            identification: 0,
            flags_offset: Ipv4Header::DONT_FRAGMENT,
            ttl: 64,
            options: &[],
        }
    }

    /// Differentiated services code point; its lower six bits.
    #[inline]
    pub const fn dscp(mut self, dscp: u8) -> Ipv4Builder<'a> {
        self.dscp_ecn = dscp << 2 | self.dscp_ecn & 0b11;
        self
    }

    /// Explicit congestion notification; its lower two bits.
    #[inline]
    pub const fn ecn(mut self, ecn: u8) -> Ipv4Builder<'a> {
        self.dscp_ecn = self.dscp_ecn & !0b11 | ecn & 0b11;
        self
    }

    /// Identification.
    #[inline]
    pub const fn identification(mut self, identification: u16) -> Ipv4Builder<'a> {
        self.identification = identification;
        self
    }

    /// The DF bit.
    #[inline]
    pub const fn dont_fragment(mut self, set: bool) -> Ipv4Builder<'a> {
        self.flags_offset = with_bit(self.flags_offset, Ipv4Header::DONT_FRAGMENT, set);
        self
    }

    /// Makes the packet a fragment: its offset in bytes, rounded down to a
    /// multiple of 8, and whether more follow.
    #[inline]
    pub const fn fragment(mut self, offset: u16, more: bool) -> Ipv4Builder<'a> {
        let field = (self.flags_offset & !Ipv4Header::OFFSET_MASK) | (offset / 8);
        self.flags_offset = with_bit(field, Ipv4Header::MORE_FRAGMENTS, more);
        self
    }

    /// Time to live, in hops.
    #[inline]
    pub const fn ttl(mut self, ttl: u8) -> Ipv4Builder<'a> {
        self.ttl = ttl;
        self
    }

    /// Options: up to 40 bytes, padded with end-of-list to whole words.
    #[inline]
    pub const fn options(mut self, options: &'a [u8]) -> Ipv4Builder<'a> {
        self.options = options;
        self
    }

    /// Writes header and payload to the start of `buffer` and returns the packet's
    /// length in bytes.
    ///
    /// # Errors
    /// [`BuildError::Buffer`], [`BuildError::Options`], [`BuildError::TooLong`].
    pub fn write(&self, buffer: &mut [u8], payload: &[u8]) -> Result<usize, BuildError> {
        let found = buffer.len();
        match self.write_header(buffer, payload.len()) {
            Some(rest) => {
                rest.copy_from_slice(payload);
                Ok(self.header_len() + payload.len())
            }
            None => Err(self.fault(found, payload.len())),
        }
    }

    /// Writes the header and gives the room for its payload; writes nothing where
    /// there is no room, or too much payload or options.
    #[inline(always)]
    fn write_header<'b>(&self, buffer: &'b mut [u8], payload_len: usize) -> Option<&'b mut [u8]> {
        let header_len = self.header_len();
        if header_len > Ipv4Header::LEN + Ipv4Header::MAX_OPTIONS {
            return None;
        }
        let packet = room(buffer, header_len, payload_len)?;
        let total_length = packet.len() as u16; // `room` has bounded it
        let (header_room, payload) = packet.split_at_mut_checked(header_len)?;
        let (header, options) = Ipv4Header::mut_from_prefix(header_room).ok()?;

        let mut fixed = Ipv4Header {
            total_length: U16::new(total_length),
            identification: U16::new(self.identification),
            ..self.header()
        };
        let mut sum = Checksum::of(fixed.as_bytes());
        if !options.is_empty() {
            let (body, padding) = options.split_at_mut_checked(self.options.len())?;
            body.copy_from_slice(self.options);
            padding.fill(0);
            sum = sum.combine(Checksum::of(options));
        }
        fixed.checksum = U16::new(sum.finish());
        *header = fixed;
        Some(payload)
    }

    /// The header without what is of each packet: total length, identification, checksum.
    #[inline(always)]
    pub(super) fn header(&self) -> Ipv4Header {
        Ipv4Header {
            // Callers have bounded it to 60 / 4 = 15 words, or write nothing.
            version_ihl: 0x40 | (self.header_len() / 4) as u8,
            dscp_ecn: self.dscp_ecn,
            total_length: U16::ZERO,
            identification: U16::ZERO,
            flags_offset: U16::new(self.flags_offset),
            ttl: self.ttl,
            protocol: self.protocol.0,
            checksum: U16::ZERO,
            src: self.src.octets(),
            dst: self.dst.octets(),
        }
    }

    /// In bytes, options padded to whole words.
    #[inline]
    const fn header_len(&self) -> usize {
        Ipv4Header::LEN + self.options.len().next_multiple_of(4)
    }

    /// Why a payload of that many bytes did not get into a buffer of `found`.
    #[cold]
    #[inline(never)]
    fn fault(&self, found: usize, payload_len: usize) -> BuildError {
        if self.options.len() > Ipv4Header::MAX_OPTIONS {
            let found = self.options.len();
            return BuildError::Options { found };
        }
        no_room(found, self.header_len().saturating_add(payload_len))
    }
}

/// Writes IPv4 packets that carry a TCP segment.
///
/// ```
/// use std::net::{Ipv4Addr, SocketAddrV4};
/// use zerotcp::wire::{SeqNumber, TcpBuilder, TcpFlags, TcpOption, TcpPacket};
///
/// let src = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 1), 49152);
/// let dst = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 2), 7);
/// let options = [TcpOption::MaximumSegmentSize(1460), TcpOption::SackPermitted];
/// let mut buffer = [0; 1500];
/// let len = TcpBuilder::new(src, dst)
///     .seq(SeqNumber(1000))
///     .flags(TcpFlags::SYN)
///     .window(64240)
///     .options(&options)
///     .write(&mut buffer, b"")?;
/// assert_eq!(len, 48);
/// let packet = TcpPacket::parse(&buffer[..len]).unwrap();
/// assert_eq!(packet.tcp.option_summary().unwrap().mss, Some(1460));
/// # Ok::<(), zerotcp::wire::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct TcpBuilder<'a> {
    ip: Ipv4Builder<'a>,
    src_port: u16,
    dst_port: u16,
    seq: SeqNumber,
    ack: SeqNumber,
    flags: TcpFlags,
    window: u16,
    urgent: u16,
    options: &'a [TcpOption<'a>],
}

impl<'a> TcpBuilder<'a> {
    /// A segment from `src` to `dst` without flags or options, all numbers zero, in a
    /// packet as [`Ipv4Builder::new`] makes it.
    #[inline]
    pub const fn new(src: SocketAddrV4, dst: SocketAddrV4) -> TcpBuilder<'a> {
        TcpBuilder {
            ip: Ipv4Builder::new(*src.ip(), *dst.ip(), IpProtocol::TCP),
            src_port: src.port(),
            dst_port: dst.port(),
            seq: SeqNumber(0),
            ack: SeqNumber(0),
            flags: TcpFlags::NONE,
            window: 0,
            urgent: 0,
            options: &[],
        }
    }

    /// Changes the IPv4 header around the segment.
    ///
    /// ```
    /// # use std::net::{Ipv4Addr, SocketAddrV4};
    /// # use zerotcp::wire::TcpBuilder;
    /// # let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
    /// let builder = TcpBuilder::new(any, any).ip(|ip| ip.ttl(1).dscp(46));
    /// ```
    #[inline]
    pub fn ip(mut self, change: impl FnOnce(Ipv4Builder<'a>) -> Ipv4Builder<'a>) -> Self {
        let Ipv4Builder {
            src, dst, protocol, ..
        } = self.ip;
        self.ip = Ipv4Builder {
            src,
            dst,
            protocol,
            ..change(self.ip)
        };
        self
    }

    /// The sequence number of the first octet (SEG.SEQ).
    #[inline]
    pub const fn seq(mut self, seq: SeqNumber) -> TcpBuilder<'a> {
        self.seq = seq;
        self
    }

    /// The acknowledgment number (SEG.ACK), and the ACK bit.
    #[inline]
    pub const fn ack(mut self, ack: SeqNumber) -> TcpBuilder<'a> {
        self.ack = ack;
        self.flags = TcpFlags::from_bits(self.flags.bits() | TcpFlags::ACK.bits());
        self
    }

    /// Adds control bits; there is no taking back.
    #[inline]
    pub const fn flags(mut self, flags: TcpFlags) -> TcpBuilder<'a> {
        self.flags = TcpFlags::from_bits(self.flags.bits() | flags.bits());
        self
    }

    /// The window field as it is sent: the window in bytes shifted right by the window scale.
    #[inline]
    pub const fn window(mut self, window: u16) -> TcpBuilder<'a> {
        self.window = window;
        self
    }

    /// The urgent pointer, and the URG bit.
    #[inline]
    pub const fn urgent(mut self, urgent: u16) -> TcpBuilder<'a> {
        self.urgent = urgent;
        self.flags = TcpFlags::from_bits(self.flags.bits() | TcpFlags::URG.bits());
        self
    }

    /// The options in their order, padded with zeros to whole words (RFC 9293, MUST-69).
    #[inline]
    pub const fn options(mut self, options: &'a [TcpOption<'a>]) -> TcpBuilder<'a> {
        self.options = options;
        self
    }

    /// Writes both headers and the payload to the start of `buffer` and returns the
    /// packet's length in bytes.
    ///
    /// # Errors
    /// [`BuildError::Buffer`], [`BuildError::Options`], [`BuildError::TooLong`].
    #[inline(always)]
    pub fn write(&self, buffer: &mut [u8], payload: &[u8]) -> Result<usize, BuildError> {
        let found = buffer.len();
        let fields = SegmentFields {
            identification: self.ip.identification,
            seq: self.seq,
            ack: self.ack,
            flags: self.flags,
            window: self.window,
            urgent: self.urgent,
        };
        Headers::new(self.ip.header(), self.src_port, self.dst_port)
            .write(
                buffer,
                &fields,
                self.ip.options,
                self.options,
                [payload, &[]],
            )
            .ok_or_else(|| fault(found, self.ip.options.len(), self.options, payload.len()))
    }
}

/// Writes IPv4 packets that carry an ICMP message.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Icmpv4Builder<'a> {
    ip: Ipv4Builder<'a>,
    kind: Icmpv4Type,
    code: u8,
    rest: [u8; 4],
}

impl<'a> Icmpv4Builder<'a> {
    /// A message from `src` to `dst`, its second word zero.
    pub const fn new(src: Ipv4Addr, dst: Ipv4Addr, kind: Icmpv4Type, code: u8) -> Self {
        Icmpv4Builder {
            ip: Ipv4Builder::new(src, dst, IpProtocol::ICMP),
            kind,
            code,
            rest: [0; 4],
        }
    }

    /// The reply that `src` gives to an echo request from `dst`: same identifier and
    /// sequence number; the caller passes the same data to [`write`](Icmpv4Builder::write)
    /// (RFC 1122 section 3.2.2.6).
    pub fn echo_reply(src: Ipv4Addr, dst: Ipv4Addr, request: &Icmpv4Message<'_>) -> Self {
        Icmpv4Builder::new(src, dst, Icmpv4Type::ECHO_REPLY, 0).rest(request.rest())
    }

    /// Changes the IPv4 header around the message, as [`TcpBuilder::ip`] does.
    pub fn ip(mut self, change: impl FnOnce(Ipv4Builder<'a>) -> Ipv4Builder<'a>) -> Self {
        let Ipv4Builder { src, dst, .. } = self.ip;
        self.ip = Ipv4Builder {
            src,
            dst,
            protocol: IpProtocol::ICMP,
            ..change(self.ip)
        };
        self
    }

    /// The second word of the message, whose meaning depends on the type.
    pub const fn rest(mut self, rest: [u8; 4]) -> Self {
        self.rest = rest;
        self
    }

    /// Writes headers and body to the start of `buffer` and returns the packet's
    /// length in bytes.
    ///
    /// # Errors
    /// [`BuildError::Buffer`], [`BuildError::TooLong`].
    pub fn write(&self, buffer: &mut [u8], body: &[u8]) -> Result<usize, BuildError> {
        let message_len = Icmpv4Header::LEN.saturating_add(body.len());
        let found = buffer.len();
        let Some(message) = self.ip.write_header(buffer, message_len) else {
            return Err(self.ip.fault(found, message_len));
        };
        let (fixed, rest) = message.split_at_mut(Icmpv4Header::LEN);
        let mut header = Icmpv4Header {
            kind: self.kind.0,
            code: self.code,
            checksum: U16::ZERO,
            rest: self.rest,
        };
        let sum = Checksum::of(header.as_bytes()).combine(Checksum::copy(rest, body));
        header.checksum = U16::new(sum.finish());
        fixed.copy_from_slice(header.as_bytes());
        Ok(self.ip.header_len() + message_len)
    }
}

/// Why a packet with a segment did not get into a buffer of `found` bytes.
#[cold]
#[inline(never)]
pub(super) fn fault(
    found: usize,
    ip_options_len: usize,
    options: &[TcpOption<'_>],
    payload_len: usize,
) -> BuildError {
    if ip_options_len > Ipv4Header::MAX_OPTIONS {
        return BuildError::Options {
            found: ip_options_len,
        };
    }
    let options_len = options_len(options);
    if options_len > TcpHeader::MAX_OPTIONS {
        let found = options
            .iter()
            .fold(0usize, |len, option| len.saturating_add(option.len()));
        return BuildError::Options { found };
    }
    let headers_len = HEADERS_LEN + ip_options_len.next_multiple_of(4) + options_len;
    no_room(found, headers_len.saturating_add(payload_len))
}

/// Why [`room`] found none for `needed` bytes in a buffer of `found`.
#[cold]
fn no_room(found: usize, needed: usize) -> BuildError {
    if needed > usize::from(u16::MAX) {
        return BuildError::TooLong { found: needed };
    }
    BuildError::Buffer { needed, found }
}

const fn with_bit(field: u16, bit: u16, set: bool) -> u16 {
    if set { field | bit } else { field & !bit }
}
