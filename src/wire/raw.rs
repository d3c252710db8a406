use core::net::Ipv4Addr;

use byteorder::{BigEndian, ByteOrder};

use super::checksum::Checksum;
use super::ipv4::{IpProtocol, Ipv4Header};
use super::options::TcpOptions;
use super::seq::SeqNumber;
use super::tcp::{TcpFlags, TcpHeader};

/// What can be said of a checksum in a packet that may be cut or a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumStatus {
    /// All bytes are there and the checksum fits them.
    Good,
    /// All bytes are there and the checksum does not fit them.
    Bad,
    /// Bytes that the checksum covers are missing.
    Unverifiable,
}

impl ChecksumStatus {
    const fn of(sum: Checksum) -> ChecksumStatus {
        if sum.is_valid() {
            ChecksumStatus::Good
        } else {
            ChecksumStatus::Bad
        }
    }
}

/// A tolerant view of what may be an IPv4 packet, cut anywhere: each accessor
/// gives its field if the bytes for it are there. Nothing is checked.
///
/// ```
/// use zerotcp::wire::RawIpv4;
///
/// let cut = RawIpv4::new(&[0x45, 0, 0x05, 0xdc]);
/// assert_eq!(cut.total_length(), Some(1500));
/// assert_eq!(cut.src(), None);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RawIpv4<'a> {
    bytes: &'a [u8],
}

impl<'a> RawIpv4<'a> {
    /// Lays the view over as many bytes as there are.
    pub const fn new(bytes: &'a [u8]) -> RawIpv4<'a> {
        RawIpv4 { bytes }
    }

    /// The bytes under the view.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The version.
    pub fn version(&self) -> Option<u8> {
        self.bytes.first().map(|byte| byte >> 4)
    }

    /// The header's length as its IHL says, in bytes: 0 to 60.
    pub fn header_len(&self) -> Option<usize> {
        self.bytes.first().map(|byte| usize::from(byte & 0x0f) * 4)
    }

    /// The TOS byte: DSCP and ECN.
    pub fn dscp_ecn(&self) -> Option<u8> {
        self.bytes.get(1).copied()
    }

    /// The total length, in bytes.
    pub fn total_length(&self) -> Option<u16> {
        self.bytes.get(2..4).map(BigEndian::read_u16)
    }

    /// The identification.
    pub fn identification(&self) -> Option<u16> {
        self.bytes.get(4..6).map(BigEndian::read_u16)
    }

    fn flags_offset(&self) -> Option<u16> {
        self.bytes.get(6..8).map(BigEndian::read_u16)
    }

    /// The MF bit.
    pub fn more_fragments(&self) -> Option<bool> {
        self.flags_offset()
            .map(|field| field & Ipv4Header::MORE_FRAGMENTS != 0)
    }

    /// The fragment offset, in bytes.
    pub fn fragment_offset(&self) -> Option<u16> {
        self.flags_offset()
            .map(|field| (field & Ipv4Header::OFFSET_MASK) * 8)
    }

    /// Whether the packet is one of several fragments.
    pub fn is_fragment(&self) -> Option<bool> {
        self.flags_offset()
            .map(|field| field & (Ipv4Header::MORE_FRAGMENTS | Ipv4Header::OFFSET_MASK) != 0)
    }

    /// The time to live.
    pub fn ttl(&self) -> Option<u8> {
        self.bytes.get(8).copied()
    }

    /// The protocol.
    pub fn protocol(&self) -> Option<IpProtocol> {
        self.bytes.get(9).copied().map(IpProtocol)
    }

    /// The source address.
    pub fn src(&self) -> Option<Ipv4Addr> {
        address(self.bytes.get(12..16)?)
    }

    /// The destination address.
    pub fn dst(&self) -> Option<Ipv4Addr> {
        address(self.bytes.get(16..20)?)
    }

    /// Whether the bytes end before the total length does.
    pub fn is_cut(&self) -> bool {
        self.total_length()
            .is_none_or(|total| self.bytes.len() < total.into())
    }

    /// What follows the header, as far as it is there and inside the total length.
    pub fn payload(&self) -> &'a [u8] {
        let end = match self.total_length() {
            Some(total) => self.bytes.len().min(total.into()),
            None => self.bytes.len(),
        };
        self.header_len()
            .and_then(|start| self.bytes.get(start..end))
            .unwrap_or(&[])
    }

    /// How many bytes follow the header by the total length, there or not; `None`
    /// where the header is cut or its lengths contradict each other.
    pub fn payload_len(&self) -> Option<usize> {
        let header_len = self.header_len().filter(|len| *len >= Ipv4Header::LEN)?;
        usize::from(self.total_length()?).checked_sub(header_len)
    }

    /// The header checksum, compared with the bytes.
    pub fn checksum_status(&self) -> ChecksumStatus {
        let header = self
            .header_len()
            .filter(|len| *len >= Ipv4Header::LEN)
            .and_then(|len| self.bytes.get(..len));
        match header {
            Some(header) => ChecksumStatus::of(Checksum::of(header)),
            None => ChecksumStatus::Unverifiable,
        }
    }

    /// The TCP segment in it, or the part of it that is there; `None` where the
    /// protocol is another or a fragment does not begin with the TCP header.
    pub fn tcp(&self) -> Option<RawTcp<'a>> {
        let is_tcp = self.protocol()? == IpProtocol::TCP && self.fragment_offset()? == 0;
        is_tcp.then(|| RawTcp::new(self.payload()))
    }

    /// The checksum of the TCP segment in it, compared with the bytes.
    pub fn tcp_checksum_status(&self) -> ChecksumStatus {
        let (Some(src), Some(dst), Some(len), Some(false)) = (
            self.src(),
            self.dst(),
            self.payload_len(),
            self.is_fragment(),
        ) else {
            return ChecksumStatus::Unverifiable;
        };
        let payload = self.payload();
        if payload.len() != len || len < TcpHeader::LEN {
            return ChecksumStatus::Unverifiable;
        }
        // The length came out of a 16-bit field.
        let pseudo = Checksum::pseudo_header(src, dst, IpProtocol::TCP.0, len as u16);
        ChecksumStatus::of(pseudo.combine(Checksum::of(payload)))
    }
}

/// A tolerant view of what may be a TCP segment, cut anywhere; as [`RawIpv4`].
#[derive(Clone, Copy, Debug)]
pub struct RawTcp<'a> {
    bytes: &'a [u8],
}

impl<'a> RawTcp<'a> {
    /// Lays the view over as many bytes as there are.
    pub const fn new(bytes: &'a [u8]) -> RawTcp<'a> {
        RawTcp { bytes }
    }

    /// The bytes under the view.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The source port.
    pub fn src_port(&self) -> Option<u16> {
        self.bytes.get(..2).map(BigEndian::read_u16)
    }

    /// The destination port.
    pub fn dst_port(&self) -> Option<u16> {
        self.bytes.get(2..4).map(BigEndian::read_u16)
    }

    /// The sequence number (SEG.SEQ).
    pub fn seq(&self) -> Option<SeqNumber> {
        self.bytes.get(4..8).map(BigEndian::read_u32).map(SeqNumber)
    }

    /// The acknowledgment field.
    pub fn ack(&self) -> Option<SeqNumber> {
        self.bytes
            .get(8..12)
            .map(BigEndian::read_u32)
            .map(SeqNumber)
    }

    /// The header's length as the data offset says, in bytes: 0 to 60.
    pub fn header_len(&self) -> Option<usize> {
        self.bytes.get(12).map(|byte| usize::from(byte >> 4) * 4)
    }

    /// The control bits.
    pub fn flags(&self) -> Option<TcpFlags> {
        self.bytes
            .get(12..14)
            .map(BigEndian::read_u16)
            .map(TcpFlags::from_bits)
    }

    /// The window field, not scaled.
    pub fn window(&self) -> Option<u16> {
        self.bytes.get(14..16).map(BigEndian::read_u16)
    }

    /// The checksum field.
    pub fn checksum(&self) -> Option<u16> {
        self.bytes.get(16..18).map(BigEndian::read_u16)
    }

    /// The urgent pointer.
    pub fn urgent(&self) -> Option<u16> {
        self.bytes.get(18..20).map(BigEndian::read_u16)
    }

    /// The options, as far as they are there.
    pub fn options(&self) -> TcpOptions<'a> {
        let end = self.header_len().unwrap_or(0).min(self.bytes.len());
        TcpOptions::new(self.bytes.get(TcpHeader::LEN..end).unwrap_or(&[]))
    }

    /// What follows the header, as far as it is there.
    pub fn payload(&self) -> &'a [u8] {
        self.header_len()
            .and_then(|start| self.bytes.get(start..))
            .unwrap_or(&[])
    }
}

fn address(bytes: &[u8]) -> Option<Ipv4Addr> {
    bytes
        .first_chunk::<4>()
        .map(|octets| Ipv4Addr::from(*octets))
}
