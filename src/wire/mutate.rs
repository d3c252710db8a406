use core::mem;
use core::net::Ipv4Addr;
use core::ops::Deref;

use zerocopy::FromBytes;
use zerocopy::network_endian::{U16, U32};

use super::build::BuildError;
use super::checksum::{Checksum, update, update_sum, update32};
use super::error::ParseError;
use super::headers::emit_options;
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
    /// Where the payload lies in `rest`: `start <= end <= rest.len()`, by `parse` and
    /// `set_total_length`.
    start: usize,
    end: usize,
    transport: Transport,
}

/// What the payload is to those who set a field of the header: found out once by
/// `parse`, and again by each setter that may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    /// A whole segment, its lengths sound.
    Segment,
    /// A TCP header, but cut by fragmentation or with a wrong data offset.
    TcpHeader,
    /// A UDP header.
    UdpHeader,
    /// Nothing that has a pseudo-header, or a fragment without the start.
    Other,
}

impl Transport {
    #[inline(always)]
    fn of(header: &Ipv4Header, payload: &[u8]) -> Transport {
        if header.carries(IpProtocol::TCP) && TcpSegment::sound(payload).is_some() {
            return Transport::Segment;
        }
        Transport::unless_segment(header, payload.len())
    }

    #[cold]
    #[inline(never)]
    fn unless_segment(header: &Ipv4Header, payload_len: usize) -> Transport {
        if header.fragment_offset() != 0 {
            return Transport::Other;
        }
        match header.protocol() {
            IpProtocol::TCP if payload_len >= TcpHeader::LEN => Transport::TcpHeader,
            IpProtocol::UDP if payload_len >= UDP_HEADER_LEN => Transport::UdpHeader,
            _ => Transport::Other,
        }
    }

    /// Patches the checksum in a payload for an address of the pseudo-header.
    #[cold]
    #[inline(never)]
    fn patch(self, payload: &mut [u8], old: [u8; 4], new: [u8; 4]) {
        match self {
            Transport::Segment | Transport::TcpHeader => patch_tcp(payload, old, new),
            Transport::UdpHeader => patch_udp(payload, old, new),
            Transport::Other => {}
        }
    }
}

#[inline(always)]
fn patch_tcp(payload: &mut [u8], old: [u8; 4], new: [u8; 4]) {
    if let Ok((tcp, _)) = TcpHeader::mut_from_prefix(payload) {
        patch32(&mut tcp.checksum, old, new);
    }
}

fn patch_udp(payload: &mut [u8], old: [u8; 4], new: [u8; 4]) {
    // Ports, length, checksum.
    if let Ok(([.., checksum], _)) = <[U16; UDP_HEADER_LEN / 2]>::mut_from_prefix(payload)
        // Zero says that there is none; a sum of zero is sent as all ones (RFC 768).
        && *checksum != U16::ZERO
    {
        patch32(checksum, old, new);
        if *checksum == U16::ZERO {
            *checksum = U16::new(0xffff);
        }
    }
}

impl<'a> Ipv4PacketMut<'a> {
    /// The packet at the start of `bytes`, its header checksum verified. That of the segment
    /// inside is not looked at: to refuse damaged packets call
    /// [`TcpPacket::parse`](super::TcpPacket::parse) before.
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
        let packet = Ipv4Packet::parse_unverified(bytes)?;
        let start = packet.options().len();
        let end = start + packet.payload().len();
        let transport = Transport::of(packet.header(), packet.payload());
        match Ipv4Header::mut_from_prefix(bytes) {
            Ok((header, rest)) => Ok(Ipv4PacketMut {
                header,
                rest,
                start,
                end,
                transport,
            }),
            // The parse above has found a whole header, so this is its error again.
            Err(_) => Err(super::ipv4::truncated(0)),
        }
    }

    /// The options: none or 4 to 40 bytes.
    #[inline]
    pub fn options(&self) -> &[u8] {
        &self.rest[..self.start]
    }

    /// What the packet carries, up to its total length.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        &self.rest[self.start..self.end]
    }

    /// Sets the differentiated services code point: the lower six bits of `dscp`.
    #[inline]
    pub fn set_dscp(&mut self, dscp: u8) {
        self.set_dscp_ecn(dscp << 2 | self.ecn());
    }

    /// Sets explicit congestion notification: the lower two bits of `ecn`.
    #[inline]
    pub fn set_ecn(&mut self, ecn: u8) {
        self.set_dscp_ecn(self.header.dscp_ecn & !0b11 | ecn & 0b11);
    }

    #[inline]
    fn set_dscp_ecn(&mut self, value: u8) {
        let old = mem::replace(&mut self.header.dscp_ecn, value);
        patch(&mut self.header.checksum, [0, old], [0, value]);
    }

    /// Sets the total length, in bytes; the payload grows into, or leaves to, what
    /// follows the packet in the buffer. The checksum of a TCP segment inside is patched
    /// for the length and for the bytes that came or went; a fragment's cannot be, and
    /// a UDP datagram has a length of its own, which this does not touch.
    ///
    /// # Errors
    /// [`BuildError::Field`] where the buffer or the headers inside do not allow the length.
    pub fn set_total_length(&mut self, length: u16) -> Result<(), BuildError> {
        let new = usize::from(length);
        let limit = (self.rest.len() + Ipv4Header::LEN).min(u16::MAX.into());
        let tcp_header = self.tcp_header().map(|tcp| tcp.header_len());
        let least = self.header_len() + tcp_header.unwrap_or(0);
        if new > limit || new < least {
            return Err(BuildError::Field {
                name: "total length",
                least,
                limit,
                found: new,
            });
        }
        let new_end = self.start + (new - self.header_len());
        if tcp_header.is_some() {
            self.patch_tcp_length(new_end);
        }
        self.end = new_end;
        put(
            &mut self.header.total_length,
            &mut self.header.checksum,
            length,
        );
        self.settle();
        Ok(())
    }

    /// Patches the checksum of the segment inside for an end elsewhere.
    fn patch_tcp_length(&mut self, new_end: usize) {
        let (low, high) = (self.end.min(new_end), self.end.max(new_end));
        // Sums at the parity that the bytes have in the segment: the part that
        // stays is the prefix, the part that comes or goes follows it.
        let part = Checksum::of(&self.rest[self.start..low]);
        let whole = part.combine(Checksum::of(&self.rest[low..high]));
        let (before, after) = match new_end > self.end {
            true => (part, whole),
            false => (whole, part),
        };
        // Both came out of 16-bit total lengths.
        let [old_len, new_len] = [self.end, new_end].map(|end| (end - self.start) as u16);
        if let Some(tcp) = self.tcp_header_mut() {
            let checksum = update(tcp.checksum.get(), old_len, new_len);
            tcp.checksum = U16::new(update_sum(checksum, before, after));
        }
    }

    /// Sets the identification.
    #[inline]
    pub fn set_identification(&mut self, identification: u16) {
        put(
            &mut self.header.identification,
            &mut self.header.checksum,
            identification,
        );
    }

    /// Sets the DF bit.
    #[inline]
    pub fn set_dont_fragment(&mut self, set: bool) {
        self.set_flags_offset(Ipv4Header::DONT_FRAGMENT, set, self.offset_words());
    }

    /// Sets the MF bit.
    #[inline]
    pub fn set_more_fragments(&mut self, set: bool) {
        self.set_flags_offset(Ipv4Header::MORE_FRAGMENTS, set, self.offset_words());
    }

    /// Sets the fragment offset, in bytes, rounded down to a multiple of 8.
    #[inline]
    pub fn set_fragment_offset(&mut self, offset: u16) {
        self.set_flags_offset(0, false, offset / 8);
    }

    #[inline]
    fn offset_words(&self) -> u16 {
        self.header.flags_offset.get() & Ipv4Header::OFFSET_MASK
    }

    #[inline]
    fn set_flags_offset(&mut self, bit: u16, set: bool, offset: u16) {
        let flags = self.header.flags_offset.get() & !Ipv4Header::OFFSET_MASK & !bit;
        let new = flags | offset | if set { bit } else { 0 };
        put(
            &mut self.header.flags_offset,
            &mut self.header.checksum,
            new,
        );
        self.settle();
    }

    /// Sets the time to live, in hops.
    #[inline]
    pub fn set_ttl(&mut self, ttl: u8) {
        let old = mem::replace(&mut self.header.ttl, ttl);
        patch(&mut self.header.checksum, [old, 0], [ttl, 0]);
    }

    /// Sets the protocol. Nothing inside is patched: what is inside is now to be
    /// read as something else.
    #[inline]
    pub fn set_protocol(&mut self, protocol: IpProtocol) {
        let old = mem::replace(&mut self.header.protocol, protocol.0);
        patch(&mut self.header.checksum, [0, old], [0, protocol.0]);
        self.settle();
    }

    /// Sets the header checksum as it is, right or wrong: for making broken packets.
    #[inline]
    pub fn set_checksum(&mut self, checksum: u16) {
        self.header.checksum = U16::new(checksum);
    }

    /// Sets the source address.
    #[inline]
    pub fn set_src(&mut self, src: Ipv4Addr) {
        let old = mem::replace(&mut self.header.src, src.octets());
        self.patch_address(old, src.octets());
    }

    /// Sets the destination address.
    #[inline]
    pub fn set_dst(&mut self, dst: Ipv4Addr) {
        let old = mem::replace(&mut self.header.dst, dst.octets());
        self.patch_address(old, dst.octets());
    }

    /// Replaces the options' bytes. The header keeps its length: `options` is padded with
    /// end-of-list to the room that there is.
    ///
    /// # Errors
    /// [`BuildError::Field`] where there is less room than `options` takes.
    pub fn set_options(&mut self, options: &[u8]) -> Result<(), BuildError> {
        let limit = self.start;
        if options.len() > limit {
            return Err(BuildError::Field {
                name: "options length",
                least: 0,
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
        match self.transport {
            Transport::Segment => (),
            _ => return Err(no_segment(self.header, self.payload())),
        }
        match TcpHeader::mut_from_prefix(&mut self.rest[self.start..self.end]) {
            Ok((header, rest)) => Ok(TcpSegmentMut { header, rest }),
            // The segment was found sound, so it has a header.
            Err(_) => Err(super::tcp::truncated(0)),
        }
    }

    #[inline]
    fn settle(&mut self) {
        self.transport = Transport::of(self.header, self.payload());
    }

    #[inline]
    fn patch_address(&mut self, old: [u8; 4], new: [u8; 4]) {
        patch32(&mut self.header.checksum, old, new);
        let payload = &mut self.rest[self.start..self.end];
        match self.transport {
            Transport::Segment => patch_tcp(payload, old, new),
            other => other.patch(payload, old, new),
        }
    }

    /// The TCP header, if there is one, of a first fragment too.
    #[inline]
    fn tcp_header_mut(&mut self) -> Option<&mut TcpHeader> {
        let transport = &mut self.rest[self.start..self.end];
        TcpHeader::mut_from_prefix(transport)
            .ok()
            .map(|(tcp, _)| tcp)
    }

    /// The header of a segment that is whole.
    fn tcp_header(&self) -> Option<&TcpHeader> {
        if !self.header.carries(IpProtocol::TCP) {
            return None;
        }
        TcpHeader::ref_from_prefix(self.payload())
            .ok()
            .map(|(tcp, _)| tcp)
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
    /// a right one right. To refuse damaged packets call [`TcpPacket::parse`](super::TcpPacket::parse) before.
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

    /// The payload of the segment.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        &self.rest[self.options_len()..]
    }

    /// Sets the source port.
    #[inline]
    pub fn set_src_port(&mut self, port: u16) {
        put(&mut self.header.src_port, &mut self.header.checksum, port);
    }

    /// Sets the destination port.
    #[inline]
    pub fn set_dst_port(&mut self, port: u16) {
        put(&mut self.header.dst_port, &mut self.header.checksum, port);
    }

    /// Sets the sequence number (SEG.SEQ).
    #[inline]
    pub fn set_seq(&mut self, seq: SeqNumber) {
        put32(&mut self.header.seq, &mut self.header.checksum, seq.0);
    }

    /// Sets the acknowledgment field.
    #[inline]
    pub fn set_ack(&mut self, ack: SeqNumber) {
        put32(&mut self.header.ack, &mut self.header.checksum, ack.0);
    }

    /// Sets the data offset, in 32-bit words: what was payload becomes options or the
    /// other way round.
    ///
    /// # Errors
    /// [`BuildError::Field`] for less than 5 words or more than the segment has.
    pub fn set_data_offset(&mut self, words: u8) -> Result<(), BuildError> {
        let limit = ((TcpHeader::LEN + self.rest.len()) / 4).min(15);
        if usize::from(words) > limit || words < 5 {
            return Err(BuildError::Field {
                name: "data offset",
                least: 5,
                limit,
                found: words.into(),
            });
        }
        self.set_offset_flags(u16::from(words) << 12 | self.flags().bits());
        Ok(())
    }

    /// Sets all twelve control bits.
    #[inline]
    pub fn set_flags(&mut self, flags: TcpFlags) {
        self.set_offset_flags(self.header.offset_flags.get() & 0xf000 | flags.bits());
    }

    #[inline]
    fn set_offset_flags(&mut self, new: u16) {
        put(
            &mut self.header.offset_flags,
            &mut self.header.checksum,
            new,
        );
    }

    /// Sets the window field.
    #[inline]
    pub fn set_window(&mut self, window: u16) {
        put(&mut self.header.window, &mut self.header.checksum, window);
    }

    /// Sets the checksum as it is, right or wrong: for making broken segments.
    #[inline]
    pub fn set_checksum(&mut self, checksum: u16) {
        self.header.checksum = U16::new(checksum);
    }

    /// Sets the urgent pointer.
    #[inline]
    pub fn set_urgent(&mut self, urgent: u16) {
        put(&mut self.header.urgent, &mut self.header.checksum, urgent);
    }

    /// Replaces the options. The header keeps its length: they are padded with zeros
    /// to the room that there is (RFC 9293, MUST-69).
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
                least: 0,
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

    /// Overwrites the payload from `offset` on, in bytes.
    ///
    /// # Errors
    /// [`BuildError::Field`] where `data` reaches past the segment's end.
    pub fn set_payload(&mut self, offset: usize, data: &[u8]) -> Result<(), BuildError> {
        let limit = self.payload().len();
        let found = offset.saturating_add(data.len());
        if found > limit {
            return Err(BuildError::Field {
                name: "end of payload",
                least: 0,
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
}

impl Deref for TcpSegmentMut<'_> {
    type Target = TcpHeader;

    #[inline]
    fn deref(&self) -> &TcpHeader {
        self.header
    }
}

const UDP_HEADER_LEN: usize = 8;

/// Why a packet holds no whole and sound segment.
#[cold]
#[inline(never)]
fn no_segment(header: &Ipv4Header, payload: &[u8]) -> ParseError {
    match TcpSegment::parse_unverified(payload) {
        Err(error) if header.carries(IpProtocol::TCP) => error.at(header.header_len()),
        _ => super::ipv4::carries_other(header, IpProtocol::TCP),
    }
}

/// Sets a field that `checksum` covers.
#[inline(always)]
fn put(field: &mut U16, checksum: &mut U16, value: u16) {
    let value = U16::new(value);
    patch(checksum, field.to_bytes(), value.to_bytes());
    *field = value;
}

/// [`put`] for a 32-bit field.
#[inline(always)]
fn put32(field: &mut U32, checksum: &mut U16, value: u32) {
    let value = U32::new(value);
    patch32(checksum, field.to_bytes(), value.to_bytes());
    *field = value;
}

/// Patches a checksum for a word that has changed; a byte of it that has not may be left
/// zero in both, since it cancels out. Everything is taken as it lies in memory: the order
/// of bytes does not matter to a sum (RFC 1071 section 2 (B)).
#[inline(always)]
fn patch(checksum: &mut U16, old: [u8; 2], new: [u8; 2]) {
    let [sum, old, new] = [checksum.to_bytes(), old, new].map(u16::from_ne_bytes);
    *checksum = U16::from_bytes(update(sum, old, new).to_ne_bytes());
}

/// [`patch`] for a 32-bit field that sits on a 16-bit boundary.
#[inline(always)]
fn patch32(checksum: &mut U16, old: [u8; 4], new: [u8; 4]) {
    let sum = u16::from_ne_bytes(checksum.to_bytes());
    let [old, new] = [old, new].map(u32::from_ne_bytes);
    *checksum = U16::from_bytes(update32(sum, old, new).to_ne_bytes());
}

#[cfg(test)]
mod tests;
