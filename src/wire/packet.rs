use super::error::ParseError;
use super::icmpv4::Icmpv4Message;
use super::ipv4::{IpProtocol, Ipv4Packet, carries_other};
use super::tcp::TcpSegment;

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
        if let Some(packet) = TcpPacket::sound(bytes)
            && packet.ip.verify_checksum()
            && TcpSegment::sum(packet.ip.payload(), packet.ip.pseudo_header()).is_valid()
        {
            return Ok(packet);
        }
        Err(TcpPacket::fault(bytes, Ipv4Packet::parse))
    }

    /// The packet at the start of `bytes` and its segment, neither checksum looked at.
    ///
    /// # Errors
    /// As [`parse`](TcpPacket::parse), but the checksums.
    #[inline(always)]
    pub fn parse_unverified(bytes: &'a [u8]) -> Result<TcpPacket<'a>, ParseError> {
        TcpPacket::sound(bytes).ok_or_else(|| TcpPacket::fault(bytes, Ipv4Packet::parse_unverified))
    }

    /// The packet, its version, protocol and lengths sound.
    #[inline(always)]
    fn sound(bytes: &'a [u8]) -> Option<TcpPacket<'a>> {
        let ip = Ipv4Packet::sound(bytes)?;
        if !ip.carries(IpProtocol::TCP) {
            return None;
        }
        let tcp = TcpSegment::sound(ip.payload())?;
        Some(TcpPacket { ip, tcp })
    }

    /// Why `bytes` are no packet with a segment, or no intact one; `parse` is what
    /// the packet has to pass.
    #[cold]
    #[inline(never)]
    fn fault(
        bytes: &'a [u8],
        parse: fn(&'a [u8]) -> Result<Ipv4Packet<'a>, ParseError>,
    ) -> ParseError {
        match parse(bytes) {
            Ok(ip) => ip.bad_tcp(),
            Err(error) => error,
        }
    }
}
