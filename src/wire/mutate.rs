use core::net::Ipv4Addr;
use core::ops::Deref;

use zerocopy::FromBytes;
use zerocopy::network_endian::{U16, U32};

use super::build::{BuildError, emit_options};
use super::checksum::{Checksum, update, update_sum, update32};
use super::error::ParseError;
use super::ipv4::{IpProtocol, Ipv4Header, Ipv4Packet};
use super::options::{TcpOption, TcpOptions};
use super::seq::SeqNumber;
use super::tcp::{TcpFlags, TcpHeader, TcpSegment};

/// An IPv4 packet whose fields are changed in place.
///
/// Each setter patches every checksum that covers the field (RFC 1624): that of
/// the IPv4 header, and for what the pseudo-header holds (addresses, length) that
/// of the TCP segment or UDP datagram inside. A checksum that was right stays
/// right; one that was wrong stays wrong by the same amount. In a fragment, the
/// transport checksum is in the first one, and is patched there.
///
/// ```
/// use std::net::{Ipv4Addr, SocketAddrV4};
/// use zerotcp::wire::{Ipv4PacketMut, TcpBuilder, TcpPacket};
///
/// let inside = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 49152);
/// let server = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 443);
/// let mut buffer = [0; 64];
/// let len = TcpBuilder::new(inside, server).write(&mut buffer, b"hello")?;
///
/// // What a NAT does:
/// let mut packet = Ipv4PacketMut::parse(&mut buffer[..len]).unwrap();
/// packet.set_src(Ipv4Addr::new(203, 0, 113, 5));
/// packet.tcp_mut().unwrap().set_src_port(1024);
///
/// let packet = TcpPacket::parse(&buffer[..len]).unwrap(); // verifies both checksums
/// assert_eq!(packet.ip.src(), Ipv4Addr::new(203, 0, 113, 5));
/// # Ok::<(), zerotcp::wire::BuildError>(())
/// ```
#[derive(Debug)]
pub struct Ipv4PacketMut<'a> {
    header: &'a mut Ipv4Header,
    /// Options and what follows them, past the total length to the buffer's end.
    rest: &'a mut [u8],
}

impl<'a> Ipv4PacketMut<'a> {
    /// The packet at the start of `bytes`, its header checksum verified.
    ///
    /// # Errors
    /// As [`Ipv4Packet::parse`].
    #[inline]
    pub fn parse(bytes: &'a mut [u8]) -> Result<Ipv4PacketMut<'a>, ParseError> {
        Ipv4Packet::parse(bytes)?;
        Ipv4PacketMut::parse_unverified(bytes)
    }

    /// The packet at the start of `bytes`, its checksum not looked at.
    ///
    /// # Errors
    /// As [`Ipv4Packet::parse_unverified`].
    #[inline]
    pub fn parse_unverified(bytes: &'a mut [u8]) -> Result<Ipv4PacketMut<'a>, ParseError> {
        Ipv4Packet::parse_unverified(bytes)?;
        match Ipv4Header::mut_from_prefix(bytes) {
            Ok((header, rest)) => Ok(Ipv4PacketMut { header, rest }),
            // The parse above has found a whole header, so this is its error again.
            Err(_) => Err(super::ipv4::truncated(0)),
        }
    }

    /// The options: none or 4 to 40 bytes.
    #[inline]
    pub fn options(&self) -> &[u8] {
        &self.rest[..self.options_len()]
    }

    /// What the packet carries, up to its total length.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        let start = self.options_len();
        &self.rest[start..start + self.payload_len()]
    }

    /// Sets the differentiated services code point: the lower six bits of `dscp`.
    pub fn set_dscp(&mut self, dscp: u8) {
        self.set_dscp_ecn(dscp << 2 | self.ecn());
    }

    /// Sets explicit congestion notification: the lower two bits of `ecn`.
    pub fn set_ecn(&mut self, ecn: u8) {
        self.set_dscp_ecn(self.header.dscp_ecn & !0b11 | ecn & 0b11);
    }

    fn set_dscp_ecn(&mut self, value: u8) {
        let high = self.header.version_ihl;
        let old = u16::from_be_bytes([high, self.header.dscp_ecn]);
        self.header.dscp_ecn = value;
        self.patch(old, u16::from_be_bytes([high, value]));
    }

    /// Sets the total length, in bytes; the payload grows into, or leaves to, what
    /// follows the packet in the buffer. The checksum of a TCP segment inside is patched
    /// for the length and for the bytes that came or went; a fragment's cannot be, and
    /// a UDP datagram has a length of its own, which this does not touch.
    ///
    /// # Errors
    /// [`BuildError::Field`] where the buffer or the headers inside do not allow the length.
    pub fn set_total_length(&mut self, length: u16) -> Result<(), BuildError> {
        let (new, start) = (usize::from(length), self.options_len());
        let limit = (self.rest.len() + Ipv4Header::LEN).min(u16::MAX.into());
        let tcp_header = self.tcp_header().map(|tcp| tcp.header_len());
        let least = self.header_len() + tcp_header.unwrap_or(0);
        if new > limit || new < least {
            return Err(BuildError::Field {
                name: "total length",
                limit,
                found: new,
            });
        }
        let old_end = start + self.payload_len();
        let new_end = start + (new - self.header_len());
        let (low, high) = (old_end.min(new_end), old_end.max(new_end));
        // Sums at the parity that the bytes have in the segment: the part that
        // stays is the prefix, the part that comes or goes follows it.
        let part = Checksum::of(&self.rest[start..low]);
        let whole = part.combine(Checksum::of(&self.rest[low..high]));
        let (before, after) = match new_end > old_end {
            true => (part, whole),
            false => (whole, part),
        };
        let old_length = self.total_length();
        let header_len = self.header_len() as u16;
        if tcp_header.is_some()
            && let Some(tcp) = self.tcp_header_mut()
        {
            let checksum = tcp.checksum.get();
            let checksum = update(checksum, old_length - header_len, length - header_len);
            tcp.checksum = U16::new(update_sum(checksum, before, after));
        }
        self.header.total_length = U16::new(length);
        self.patch(old_length, length);
        Ok(())
    }

    /// Sets the identification.
    pub fn set_identification(&mut self, identification: u16) {
        let old = self.identification();
        self.header.identification = U16::new(identification);
        self.patch(old, identification);
    }

    /// Sets the DF bit.
    pub fn set_dont_fragment(&mut self, set: bool) {
        self.set_flags_offset(Ipv4Header::DONT_FRAGMENT, set, self.offset_words());
    }

    /// Sets the MF bit.
    pub fn set_more_fragments(&mut self, set: bool) {
        self.set_flags_offset(Ipv4Header::MORE_FRAGMENTS, set, self.offset_words());
    }

    /// Sets the fragment offset, in bytes, rounded down to a multiple of 8.
    pub fn set_fragment_offset(&mut self, offset: u16) {
        self.set_flags_offset(0, false, offset / 8);
    }

    fn offset_words(&self) -> u16 {
        self.header.flags_offset.get() & Ipv4Header::OFFSET_MASK
    }

    fn set_flags_offset(&mut self, bit: u16, set: bool, offset: u16) {
        let old = self.header.flags_offset.get();
        let flags = old & !Ipv4Header::OFFSET_MASK & !bit;
        let new = flags | offset | if set { bit } else { 0 };
        self.header.flags_offset = U16::new(new);
        self.patch(old, new);
    }

    /// Sets the time to live, in hops.
    pub fn set_ttl(&mut self, ttl: u8) {
        let old = u16::from_be_bytes([self.header.ttl, self.header.protocol]);
        self.header.ttl = ttl;
        self.patch(old, u16::from_be_bytes([ttl, self.header.protocol]));
    }

    /// Sets the protocol. Nothing inside is patched: what is inside is now to be
    /// read as something else.
    pub fn set_protocol(&mut self, protocol: IpProtocol) {
        let old = u16::from_be_bytes([self.header.ttl, self.header.protocol]);
        self.header.protocol = protocol.0;
        self.patch(old, u16::from_be_bytes([self.header.ttl, protocol.0]));
    }

    /// Sets the header checksum as it is, right or wrong: for making broken packets.
    pub fn set_checksum(&mut self, checksum: u16) {
        self.header.checksum = U16::new(checksum);
    }

    /// Sets the source address.
    #[inline]
    pub fn set_src(&mut self, src: Ipv4Addr) {
        let (old, new) = (self.header.src, src.octets());
        self.header.src = new;
        self.patch_address(old, new);
    }

    /// Sets the destination address.
    #[inline]
    pub fn set_dst(&mut self, dst: Ipv4Addr) {
        let (old, new) = (self.header.dst, dst.octets());
        self.header.dst = new;
        self.patch_address(old, new);
    }

    /// Replaces the options' bytes. The header keeps its length: `options` is padded with
    /// end-of-list to the room that there is.
    ///
    /// # Errors
    /// [`BuildError::Field`] where there is less room than `options` takes.
    pub fn set_options(&mut self, options: &[u8]) -> Result<(), BuildError> {
        let limit = self.options_len();
        if options.len() > limit {
            return Err(BuildError::Field {
                name: "options length",
                limit,
                found: options.len(),
            });
        }
        let room = &mut self.rest[..limit];
        let old = Checksum::of(room);
        let (body, padding) = room.split_at_mut(options.len());
        body.copy_from_slice(options);
        padding.fill(0);
        let new = Checksum::of(room);
        self.header.checksum = U16::new(update_sum(self.checksum(), old, new));
        Ok(())
    }

    /// The TCP segment inside, to be changed in place; its checksum is not looked at.
    ///
    /// # Errors
    /// As [`Ipv4Packet::tcp_unverified`].
    #[inline]
    pub fn tcp_mut(&mut self) -> Result<TcpSegmentMut<'_>, ParseError> {
        let header_len = self.header_len();
        if self.header.protocol != IpProtocol::TCP.0 || self.header.is_fragment() {
            return Err(super::ipv4::carries_other(self.header, IpProtocol::TCP));
        }
        let (start, len) = (self.options_len(), self.payload_len());
        TcpSegmentMut::parse_unverified(&mut self.rest[start..start + len])
            .map_err(|error| error.at(header_len))
    }

    #[inline]
    fn options_len(&self) -> usize {
        // `parse` found the IHL to be 5 at least, and no setter changes it.
        self.header.header_len() - Ipv4Header::LEN
    }

    #[inline]
    fn payload_len(&self) -> usize {
        // `parse` and `set_total_length` keep it at or above the header's length.
        usize::from(self.header.total_length()) - self.header.header_len()
    }

    #[inline]
    fn patch(&mut self, old: u16, new: u16) {
        self.header.checksum = U16::new(update(self.checksum(), old, new));
    }

    #[inline]
    fn patch_address(&mut self, old: [u8; 4], new: [u8; 4]) {
        let (old, new) = (u32::from_be_bytes(old), u32::from_be_bytes(new));
        self.header.checksum = U16::new(update32(self.checksum(), old, new));
        if let Some(tcp) = self.tcp_header_mut() {
            tcp.checksum = U16::new(update32(tcp.checksum.get(), old, new));
        } else if self.header.protocol == IpProtocol::UDP.0 {
            self.patch_udp(old, new);
        }
    }

    fn patch_udp(&mut self, old: u32, new: u32) {
        if let Some(field) = self.udp_checksum_mut() {
            // Zero says that there is none; a sum of zero is sent as all ones (RFC 768).
            let checksum = u16::from_be_bytes(*field);
            if checksum != 0 {
                let patched = match update32(checksum, old, new) {
                    0 => 0xffff,
                    patched => patched,
                };
                *field = patched.to_be_bytes();
            }
        }
    }

    /// The bytes of the transport's header, where this packet has its start.
    #[inline]
    fn transport_mut(&mut self, protocol: IpProtocol) -> Option<&mut [u8]> {
        let starts_here = self.offset_words() == 0;
        if self.header.protocol != protocol.0 || !starts_here {
            return None;
        }
        let (start, len) = (self.options_len(), self.payload_len());
        self.rest.get_mut(start..start + len)
    }

    /// The TCP header, of a first fragment too.
    #[inline]
    fn tcp_header_mut(&mut self) -> Option<&mut TcpHeader> {
        let transport = self.transport_mut(IpProtocol::TCP)?;
        TcpHeader::mut_from_prefix(transport)
            .ok()
            .map(|(tcp, _)| tcp)
    }

    /// The header of a segment that is whole.
    fn tcp_header(&self) -> Option<&TcpHeader> {
        if self.header.protocol != IpProtocol::TCP.0 || self.is_fragment() {
            return None;
        }
        TcpHeader::ref_from_prefix(self.payload())
            .ok()
            .map(|(tcp, _)| tcp)
    }

    fn udp_checksum_mut(&mut self) -> Option<&mut [u8; 2]> {
        let transport = self.transport_mut(IpProtocol::UDP)?;
        transport.get_mut(6..)?.first_chunk_mut::<2>()
    }
}

impl Deref for Ipv4PacketMut<'_> {
    type Target = Ipv4Header;

    #[inline]
    fn deref(&self) -> &Ipv4Header {
        self.header
    }
}

/// A TCP segment whose fields are changed in place. Each setter patches the
/// checksum (RFC 1624); see [`Ipv4PacketMut`].
#[derive(Debug)]
pub struct TcpSegmentMut<'a> {
    header: &'a mut TcpHeader,
    /// Options and payload.
    rest: &'a mut [u8],
}

impl<'a> TcpSegmentMut<'a> {
    /// The segment that fills `bytes`, its checksum not looked at: patching keeps
    /// a right one right.
    ///
    /// # Errors
    /// As [`TcpSegment::parse_unverified`].
    #[inline]
    pub fn parse_unverified(bytes: &'a mut [u8]) -> Result<TcpSegmentMut<'a>, ParseError> {
        TcpSegment::parse_unverified(bytes)?;
        match TcpHeader::mut_from_prefix(bytes) {
            Ok((header, rest)) => Ok(TcpSegmentMut { header, rest }),
            // The parse above has found a whole header, so this is its error again.
            Err(_) => Err(super::tcp::truncated(0)),
        }
    }

    /// The options one by one.
    #[inline]
    pub fn options(&self) -> TcpOptions<'_> {
        TcpOptions::new(&self.rest[..self.options_len()])
    }

    /// The text of the segment.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        &self.rest[self.options_len()..]
    }

    /// Sets the source port.
    #[inline]
    pub fn set_src_port(&mut self, port: u16) {
        let old = self.src_port();
        self.header.src_port = U16::new(port);
        self.patch(old, port);
    }

    /// Sets the destination port.
    #[inline]
    pub fn set_dst_port(&mut self, port: u16) {
        let old = self.dst_port();
        self.header.dst_port = U16::new(port);
        self.patch(old, port);
    }

    /// Sets SEG.SEQ.
    pub fn set_seq(&mut self, seq: SeqNumber) {
        let old = self.header.seq.get();
        self.header.seq = U32::new(seq.0);
        self.header.checksum = U16::new(update32(self.checksum(), old, seq.0));
    }

    /// Sets the acknowledgment field.
    pub fn set_ack(&mut self, ack: SeqNumber) {
        let old = self.header.ack.get();
        self.header.ack = U32::new(ack.0);
        self.header.checksum = U16::new(update32(self.checksum(), old, ack.0));
    }

    /// Sets the data offset, in 32-bit words: what was text becomes options or the
    /// other way round.
    ///
    /// # Errors
    /// [`BuildError::Field`] for less than 5 words or more than the segment has.
    pub fn set_data_offset(&mut self, words: u8) -> Result<(), BuildError> {
        let limit = ((TcpHeader::LEN + self.rest.len()) / 4).min(15);
        if usize::from(words) > limit || words < 5 {
            return Err(BuildError::Field {
                name: "data offset",
                limit,
                found: words.into(),
            });
        }
        self.set_offset_flags(u16::from(words) << 12 | self.flags().bits());
        Ok(())
    }

    /// Sets all twelve control bits.
    pub fn set_flags(&mut self, flags: TcpFlags) {
        self.set_offset_flags(self.header.offset_flags.get() & 0xf000 | flags.bits());
    }

    fn set_offset_flags(&mut self, new: u16) {
        let old = self.header.offset_flags.get();
        self.header.offset_flags = U16::new(new);
        self.patch(old, new);
    }

    /// Sets the window field.
    pub fn set_window(&mut self, window: u16) {
        let old = self.window();
        self.header.window = U16::new(window);
        self.patch(old, window);
    }

    /// Sets the checksum as it is, right or wrong: for making broken segments.
    pub fn set_checksum(&mut self, checksum: u16) {
        self.header.checksum = U16::new(checksum);
    }

    /// Sets the urgent pointer.
    pub fn set_urgent(&mut self, urgent: u16) {
        let old = self.urgent();
        self.header.urgent = U16::new(urgent);
        self.patch(old, urgent);
    }

    /// Replaces the options. The header keeps its length: they are padded with zeros
    /// to the room that there is (MUST-69).
    ///
    /// # Errors
    /// [`BuildError::Field`] where there is less room than `options` takes.
    pub fn set_options(&mut self, options: &[TcpOption<'_>]) -> Result<(), BuildError> {
        let limit = self.options_len();
        let mut found = 0usize;
        for option in options {
            found = found.saturating_add(option.len());
        }
        if found > limit {
            return Err(BuildError::Field {
                name: "options length",
                limit,
                found,
            });
        }
        self.replace(0, limit, |room| {
            room.fill(0);
            emit_options(options, room);
        });
        Ok(())
    }

    /// Overwrites the text from `offset` on, in bytes.
    ///
    /// # Errors
    /// [`BuildError::Field`] where `data` reaches past the segment's end.
    pub fn set_payload(&mut self, offset: usize, data: &[u8]) -> Result<(), BuildError> {
        let limit = self.payload().len();
        let found = offset.saturating_add(data.len());
        if found > limit {
            return Err(BuildError::Field {
                name: "end of payload",
                limit,
                found,
            });
        }
        let start = self.options_len() + offset;
        self.replace(start, data.len(), |room| room.copy_from_slice(data));
        Ok(())
    }

    /// Lets `write` change `len` bytes of the rest from `start` on and patches the
    /// checksum for them.
    fn replace(&mut self, start: usize, len: usize, write: impl FnOnce(&mut [u8])) {
        // The header is of even length, so bytes have in `rest` the parity that they
        // have in the segment; a run that starts odd takes the byte before it along.
        let even = start & !1;
        let old = Checksum::of(&self.rest[even..start + len]);
        write(&mut self.rest[start..start + len]);
        let new = Checksum::of(&self.rest[even..start + len]);
        self.header.checksum = U16::new(update_sum(self.checksum(), old, new));
    }

    #[inline]
    fn options_len(&self) -> usize {
        // `parse` and `set_data_offset` keep the data offset at 5 words at least.
        self.header.header_len() - TcpHeader::LEN
    }

    #[inline]
    fn patch(&mut self, old: u16, new: u16) {
        self.header.checksum = U16::new(update(self.checksum(), old, new));
    }
}

impl Deref for TcpSegmentMut<'_> {
    type Target = TcpHeader;

    #[inline]
    fn deref(&self) -> &TcpHeader {
        self.header
    }
}
