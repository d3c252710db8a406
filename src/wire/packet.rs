use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, transmute_ref};

use super::checksum::Checksum;
use super::error::ParseError;
use super::icmpv4::Icmpv4Message;
use super::ipv4::{IpProtocol, Ipv4Header, Ipv4Packet, carries_other};
use super::tcp::{TcpHeader, TcpSegment};

/// What an IPv4 packet carries.
impl<'a> Ipv4Packet<'a> {
    /// The TCP segment that the packet carries, its checksum verified.
    ///
    /// # Errors
    /// [`Protocol`](super::ErrorKind::Protocol) and [`Fragment`](super::ErrorKind::Fragment) where
    /// the packet holds no whole segment, else as [`TcpSegment::parse`]. Offsets
    /// count from the start of the IPv4 packet.
    #[inline]
    pub fn tcp(&self) -> Result<TcpSegment<'a>, ParseError> {
        if self.carries(IpProtocol::TCP)
            && let Some(segment) = TcpSegment::sound(self.payload())
            && TcpSegment::sum(self.payload(), self.pseudo_header()).is_valid()
        {
            return Ok(segment);
        }
        Err(self.bad_tcp())
    }

    /// The TCP segment that the packet carries, its checksum not looked at.
    ///
    /// # Errors
    /// As [`tcp`](Ipv4Packet::tcp), but the checksum.
    #[inline]
    pub fn tcp_unverified(&self) -> Result<TcpSegment<'a>, ParseError> {
        if self.carries(IpProtocol::TCP)
            && let Some(segment) = TcpSegment::sound(self.payload())
        {
            return Ok(segment);
        }
        Err(self.bad_tcp())
    }

    /// The ICMP message that the packet carries, its checksum verified.
    ///
    /// # Errors
    /// [`Protocol`](super::ErrorKind::Protocol) and [`Fragment`](super::ErrorKind::Fragment) where
    /// the packet holds no whole message, else as [`Icmpv4Message::parse`]. Offsets
    /// count from the start of the IPv4 packet.
    pub fn icmpv4(&self) -> Result<Icmpv4Message<'a>, ParseError> {
        if !self.carries(IpProtocol::ICMP) {
            return Err(carries_other(self.header(), IpProtocol::ICMP));
        }
        Icmpv4Message::parse(self.payload()).map_err(|error| error.at(self.header_len()))
    }

    /// Why the packet gave no segment.
    #[cold]
    #[inline(never)]
    fn bad_tcp(&self) -> ParseError {
        if !self.carries(IpProtocol::TCP) {
            return carries_other(self.header(), IpProtocol::TCP);
        }
        TcpSegment::fault(self.payload(), self.pseudo_header()).at(self.header_len())
    }
}

/// An IPv4 packet and the TCP segment in it.
#[derive(Clone, Copy, Debug)]
pub struct TcpPacket<'a> {
    /// The packet.
    pub ip: Ipv4Packet<'a>,
    /// The segment that it carries.
    pub tcp: TcpSegment<'a>,
}

impl<'a> TcpPacket<'a> {
    /// The packet at the start of `bytes` and its segment, both checksums verified.
    ///
    /// # Errors
    /// As [`Ipv4Packet::parse`] and [`Ipv4Packet::tcp`].
    #[inline(always)]
    pub fn parse(bytes: &'a [u8]) -> Result<TcpPacket<'a>, ParseError> {
        match TcpPacket::common(bytes) {
            Some(packet) => Ok(packet),
            None => TcpPacket::parse_any(bytes),
        }
    }

    /// The packet at the start of `bytes` and its segment, neither checksum looked at.
    ///
    /// # Errors
    /// As [`parse`](TcpPacket::parse), but the checksums.
    #[inline(always)]
    pub fn parse_unverified(bytes: &'a [u8]) -> Result<TcpPacket<'a>, ParseError> {
        match TcpPacket::common_parts::<false>(bytes) {
            Some(packet) => Ok(packet),
            None => TcpPacket::parse_any_unverified(bytes),
        }
    }

    /// The packet, if it is what nearly every one is: sound, whole, without IPv4 options, both
    /// checksums right.
    #[inline(always)]
    pub(crate) fn common(bytes: &'a [u8]) -> Option<TcpPacket<'a>> {
        TcpPacket::common_parts::<true>(bytes)
    }

    /// [`common`](TcpPacket::common), the checksums looked at or not. The five words of both
    /// headers are loaded once, for the checks and for the sums.
    #[inline(always)]
    fn common_parts<const VERIFY: bool>(bytes: &'a [u8]) -> Option<TcpPacket<'a>> {
        /// The version, the IHL and the fragment field but for DF and the reserved bit, in the
        /// first word; the protocol, in the second. The first byte is the lowest.
        const MASKS: [u64; 2] = [0xff3f_0000_0000_00ff, 0xff00];
        const USUAL: [u64; 2] = [0x45, (IpProtocol::TCP.0 as u64) << 8];

        let (headers, rest) = FixedHeaders::ref_from_prefix(bytes).ok()?;
        let [a, b, ..] = headers.words();
        let unusual = (a & MASKS[0] ^ USUAL[0]) | (b & MASKS[1] ^ USUAL[1]);
        // What lies beyond the fixed headers; lengths below theirs wrap around. All conditions are
        // one, of which the compiler makes comparisons that always turn out the same: to merge
        // them into one flag takes ten instructions more.
        let rest_len =
            usize::from(headers.ip.total_length()).wrapping_sub(size_of::<FixedHeaders>());
        let options_len = headers.tcp.header_len().wrapping_sub(TcpHeader::LEN);
        let fits = (options_len <= rest_len) & (rest_len <= rest.len());
        if !(fits & (unusual == 0)) {
            return None;
        }
        let segment = bytes.get(Ipv4Header::LEN..size_of::<FixedHeaders>() + rest_len)?;
        let rest = rest.get(..rest_len)?;
        let (options, payload) = rest.split_at_checked(options_len)?;
        if VERIFY {
            let intact = match rest.len() {
                0 => headers.are_intact(Checksum::new(), 0),
                // Timestamps with their padding, and no payload.
                12 => headers.are_intact(Checksum::of(&rest[..12]), 12),
                _ => headers.are_intact_with(rest),
            };
            if !intact {
                return None;
            }
        }
        Some(TcpPacket {
            ip: Ipv4Packet::from_parts(&headers.ip, &[], segment),
            tcp: TcpSegment::from_parts(&headers.tcp, options, payload),
        })
    }

    /// [`parse`](TcpPacket::parse) of what is not common.
    #[cold]
    #[inline(never)]
    fn parse_any(bytes: &'a [u8]) -> Result<TcpPacket<'a>, ParseError> {
        let ip = Ipv4Packet::parse(bytes)?;
        if ip.options().is_empty() && ip.tcp_unverified().is_ok() {
            // It has the shape of the common packet, and nothing else is wrong: the sum of the
            // segment is, and need not be taken again to know.
            return Err(ip.bad_tcp());
        }
        let tcp = ip.tcp()?;
        Ok(TcpPacket { ip, tcp })
    }

    /// [`parse_unverified`](TcpPacket::parse_unverified) of what is not common.
    #[cold]
    #[inline(never)]
    fn parse_any_unverified(bytes: &'a [u8]) -> Result<TcpPacket<'a>, ParseError> {
        let ip = Ipv4Packet::parse_unverified(bytes)?;
        let tcp = ip.tcp_unverified()?;
        Ok(TcpPacket { ip, tcp })
    }
}

/// The headers of a packet without IPv4 options.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct FixedHeaders {
    ip: Ipv4Header,
    tcp: TcpHeader,
}

impl FixedHeaders {
    #[inline(always)]
    fn words(&self) -> [u64; 5] {
        let words: &[[u8; 8]; 5] = transmute_ref!(self);
        words.map(u64::from_le_bytes)
    }

    /// Whether both checksums are right, with the sum of so many bytes that follow.
    #[inline(always)]
    fn are_intact(&self, rest: Checksum, rest_len: usize) -> bool {
        let [a, b, c, d, e] = self.words();
        let ip = Checksum::of_words([a, b, u64::from(c as u32)]);
        // The addresses of the pseudo-header lie before the TCP header, half a word in `b` and
        // half a word in `c`.
        let length = (TcpHeader::LEN + rest_len) as u16;
        let pseudo_header =
            (b >> 32) + (u64::from(IpProtocol::TCP.0) << 8) + u64::from(length.swap_bytes());
        let tcp = Checksum::of_words([pseudo_header, c, d, e]).combine(rest);
        ip.is_valid() & tcp.is_valid()
    }

    /// [`are_intact`](FixedHeaders::are_intact), out of line, so that headers without a
    /// payload pay nothing for it.
    #[inline(never)]
    fn are_intact_with(&self, rest: &[u8]) -> bool {
        self.are_intact(Checksum::of_out_of_line(rest), rest.len())
    }
}
