use core::fmt;

use byteorder::{BigEndian, ByteOrder, LittleEndian};

use super::error::{ErrorKind, Layer, ParseError};

/// The protocol that a link header announces, by its EtherType (IEEE 802 numbers).
///
/// Numbers below 0x0600 are no EtherTypes but lengths of 802.3 frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4, RFC 894.
    pub const IPV4: EtherType = EtherType(0x0800);
    /// IPv6, RFC 2464.
    pub const IPV6: EtherType = EtherType(0x86dd);
    /// A VLAN tag, IEEE 802.1Q.
    pub const VLAN: EtherType = EtherType(0x8100);
    /// A service VLAN tag, IEEE 802.1ad.
    pub const SERVICE_VLAN: EtherType = EtherType(0x88a8);
    /// The outer tag of QinQ before 802.1ad settled its number.
    pub const QINQ: EtherType = EtherType(0x9100);

    const fn is_vlan(self) -> bool {
        matches!(
            self,
            EtherType::VLAN | EtherType::SERVICE_VLAN | EtherType::QINQ
        )
    }
}

impl fmt::Display for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EtherType::IPV4 => f.write_str("ipv4"),
            EtherType::IPV6 => f.write_str("ipv6"),
            EtherType(number) => write!(f, "{number:#06x}"),
        }
    }
}

/// What the frames of a capture begin with, by the number that the tcpdump group
/// assigns (`LINKTYPE_` of <https://www.tcpdump.org/linktypes.html>), as it stands
/// in the lower 16 bits of a pcap file's header or in a pcapng interface.
///
/// ```
/// use zerotcp::wire::{EtherType, LinkType};
///
/// let mut frame = [0; 60];
/// frame[12..14].copy_from_slice(&[0x81, 0x00]); // a VLAN tag
/// frame[16..18].copy_from_slice(&[0x08, 0x00]); // and IPv4 behind it
/// let payload = LinkType::ETHERNET.strip(&frame)?;
/// assert_eq!(payload.ethertype, Some(EtherType::IPV4));
/// assert_eq!(payload.offset, 18);
/// # Ok::<(), zerotcp::wire::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: four bytes of address family in the byte order of the
    /// machine that captured.
    pub const NULL: LinkType = LinkType(0);
    /// Ethernet (IEEE 802.3) with any number of VLAN tags.
    pub const ETHERNET: LinkType = LinkType(1);
    /// An IP packet: what most systems call `DLT_RAW`, found in old files.
    pub const DLT_RAW: LinkType = LinkType(12);
    /// An IP packet: what OpenBSD calls `DLT_RAW`.
    pub const DLT_RAW_OPENBSD: LinkType = LinkType(14);
    /// An IP packet, version 4 or 6.
    pub const RAW: LinkType = LinkType(101);
    /// OpenBSD loopback: as [`NULL`](LinkType::NULL), in network byte order.
    pub const LOOP: LinkType = LinkType(108);
    /// Linux "cooked" capture, version 1.
    pub const LINUX_SLL: LinkType = LinkType(113);
    /// An IPv4 packet.
    pub const IPV4: LinkType = LinkType(228);
    /// An IPv6 packet.
    pub const IPV6: LinkType = LinkType(229);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: LinkType = LinkType(276);

    /// Whether [`strip`](LinkType::strip) knows the link header.
    pub const fn is_known(self) -> bool {
        self.name().is_some()
    }

    /// What follows the link header, VLAN tags included, and where.
    ///
    /// Only what the link layer itself announces counts: a tunnel (MPLS, PPPoE,
    /// LLC/SNAP and the like) is a protocol like any other.
    ///
    /// # Errors
    /// [`Truncated`](ErrorKind::Truncated) if the frame ends inside its link header.
    #[inline]
    pub fn strip(self, frame: &[u8]) -> Result<LinkPayload, ParseError> {
        match self {
            LinkType::ETHERNET => ethertype_at(frame, 12, 14),
            LinkType::LINUX_SLL => cooked(frame),
            LinkType::LINUX_SLL2 => cooked_v2(frame),
            LinkType::NULL | LinkType::LOOP => loopback(frame),
            LinkType::RAW | LinkType::DLT_RAW | LinkType::DLT_RAW_OPENBSD => raw(frame),
            LinkType::IPV4 => Ok(LinkPayload::new(EtherType::IPV4, 0)),
            LinkType::IPV6 => Ok(LinkPayload::new(EtherType::IPV6, 0)),
            LinkType(_) => Ok(LinkPayload::unknown(0)),
        }
    }

    const fn name(self) -> Option<&'static str> {
        Some(match self {
            LinkType::NULL => "bsd-null",
            LinkType::ETHERNET => "ethernet",
            LinkType::RAW | LinkType::DLT_RAW | LinkType::DLT_RAW_OPENBSD => "raw-ip",
            LinkType::LOOP => "bsd-loop",
            LinkType::LINUX_SLL => "linux-cooked",
            LinkType::IPV4 => "raw-ipv4",
            LinkType::IPV6 => "raw-ipv6",
            LinkType::LINUX_SLL2 => "linux-cooked-v2",
            LinkType(_) => return None,
        })
    }
}

/// A name for the link types that are known, else the number: `ethernet`, `link-type-127`.
impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "link-type-{}", self.0),
        }
    }
}

/// What a frame carries, see [`LinkType::strip`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkPayload {
    /// The protocol; `None` where the link layer does not name one by an
    /// EtherType: an unknown link type or address family.
    pub ethertype: Option<EtherType>,
    /// Where the payload starts, in bytes from the start of the frame: never past
    /// its end. For a link type that is not known, 0.
    pub offset: usize,
}

impl LinkPayload {
    #[inline]
    const fn new(ethertype: EtherType, offset: usize) -> LinkPayload {
        LinkPayload {
            ethertype: Some(ethertype),
            offset,
        }
    }

    const fn unknown(offset: usize) -> LinkPayload {
        LinkPayload {
            ethertype: None,
            offset,
        }
    }
}

/// The EtherType at byte `at` of a header of `header_len` bytes (that lie after
/// it), and any VLAN tags after the header.
#[inline]
fn ethertype_at(frame: &[u8], at: usize, header_len: usize) -> Result<LinkPayload, ParseError> {
    let mut ethertype = EtherType(header_u16(frame, at, header_len)?);
    let mut offset = header_len;
    while ethertype.is_vlan() {
        // A tag: two bytes of control information, then the next EtherType.
        ethertype = EtherType(header_u16(frame, offset + 2, offset + 4)?);
        offset += 4;
    }
    Ok(LinkPayload::new(ethertype, offset))
}

/// <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>
fn cooked(frame: &[u8]) -> Result<LinkPayload, ParseError> {
    let hardware = header_u16(frame, 2, 16)?;
    cooked_payload(frame, hardware, 14, 16)
}

/// <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>
fn cooked_v2(frame: &[u8]) -> Result<LinkPayload, ParseError> {
    let hardware = header_u16(frame, 8, 20)?;
    cooked_payload(frame, hardware, 0, 20)
}

fn cooked_payload(
    frame: &[u8],
    hardware: u16,
    at: usize,
    header_len: usize,
) -> Result<LinkPayload, ParseError> {
    /// The `ARPHRD_` types whose protocol field is no EtherType: Frame Relay,
    /// 802.11 with radiotap, netlink.
    const NOT_ETHERTYPED: [u16; 3] = [770, 803, 824];
    if NOT_ETHERTYPED.contains(&hardware) {
        Ok(LinkPayload::unknown(header_len))
    } else {
        ethertype_at(frame, at, header_len)
    }
}

/// <https://www.tcpdump.org/linktypes/LINKTYPE_NULL.html>: the address family in
/// either byte order. Families are small numbers, so one order gives itself away.
fn loopback(frame: &[u8]) -> Result<LinkPayload, ParseError> {
    let Some(field) = frame.get(..4) else {
        return Err(truncated(frame, 4));
    };
    let family = BigEndian::read_u32(field).min(LittleEndian::read_u32(field));
    Ok(match family {
        2 => LinkPayload::new(EtherType::IPV4, 4),
        // NetBSD and OpenBSD, FreeBSD, macOS.
        24 | 28 | 30 => LinkPayload::new(EtherType::IPV6, 4),
        _ => LinkPayload::unknown(4),
    })
}

fn raw(frame: &[u8]) -> Result<LinkPayload, ParseError> {
    let Some(first) = frame.first() else {
        return Err(truncated(frame, 1));
    };
    Ok(match first >> 4 {
        4 => LinkPayload::new(EtherType::IPV4, 0),
        6 => LinkPayload::new(EtherType::IPV6, 0),
        _ => LinkPayload::unknown(0),
    })
}

/// Two bytes of a header that must be there up to `header_len`.
#[inline]
fn header_u16(frame: &[u8], at: usize, header_len: usize) -> Result<u16, ParseError> {
    match frame.get(..header_len) {
        Some(header) => Ok(BigEndian::read_u16(&header[at..])),
        None => Err(truncated(frame, header_len)),
    }
}

#[cold]
fn truncated(frame: &[u8], needed: usize) -> ParseError {
    ParseError::new(Layer::Link, ErrorKind::Truncated, 0, needed, frame.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IPV4: Option<EtherType> = Some(EtherType::IPV4);

    fn strip(link_type: LinkType, frame: &[u8]) -> (Option<EtherType>, usize) {
        let payload = link_type.strip(frame).unwrap();
        (payload.ethertype, payload.offset)
    }

    #[test]
    fn vlan_tags_nest_in_any_number() {
        let mut frame = vec![0; 12];
        for (tag, offset) in [(0x88a8u16, 18), (0x8100, 22), (0x9100, 26)] {
            frame.extend(tag.to_be_bytes());
            frame.extend([0, 7]);
            let mut whole = frame.clone();
            whole.extend([0x08, 0x00]);
            assert_eq!(strip(LinkType::ETHERNET, &whole), (IPV4, offset));
            whole.pop();
            assert!(LinkType::ETHERNET.strip(&whole).is_err());
        }
    }

    #[test]
    fn a_frame_of_nothing_but_tags_ends() {
        let frame = [0x81, 0x00].repeat(1 << 17);
        let error = LinkType::ETHERNET.strip(&frame).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Truncated);
    }

    #[test]
    fn an_802_3_length_is_no_ipv4() {
        let mut frame = [0; 60];
        frame[13] = 46;
        assert_eq!(strip(LinkType::ETHERNET, &frame), (Some(EtherType(46)), 14));
    }

    #[test]
    fn cooked_captures() {
        let mut v1 = [0; 24];
        v1[3] = 1;
        v1[14] = 0x08;
        assert_eq!(strip(LinkType::LINUX_SLL, &v1), (IPV4, 16));
        v1[14] = 0x81;
        v1[18] = 0x08;
        assert_eq!(strip(LinkType::LINUX_SLL, &v1), (IPV4, 20));
        v1[2..4].copy_from_slice(&824u16.to_be_bytes());
        assert_eq!(strip(LinkType::LINUX_SLL, &v1), (None, 16));

        let mut v2 = [0; 20];
        v2[0] = 0x08;
        assert_eq!(strip(LinkType::LINUX_SLL2, &v2), (IPV4, 20));
        v2[8..10].copy_from_slice(&803u16.to_be_bytes());
        assert_eq!(strip(LinkType::LINUX_SLL2, &v2), (None, 20));
    }

    #[test]
    fn loopback_in_both_byte_orders() {
        for link_type in [LinkType::NULL, LinkType::LOOP] {
            assert_eq!(strip(link_type, &[0, 0, 0, 2]), (IPV4, 4));
            assert_eq!(strip(link_type, &[2, 0, 0, 0]), (IPV4, 4));
            assert_eq!(strip(link_type, &[30, 0, 0, 0]).0, Some(EtherType::IPV6));
            assert_eq!(strip(link_type, &[0, 0, 0, 7]), (None, 4));
        }
    }

    #[test]
    fn bare_packets() {
        for number in [12, 14, 101] {
            assert_eq!(strip(LinkType(number), &[0x45]), (IPV4, 0));
            assert_eq!(strip(LinkType(number), &[0x60]).0, Some(EtherType::IPV6));
            assert_eq!(strip(LinkType(number), &[0x50]), (None, 0));
        }
        assert_eq!(strip(LinkType(228), &[]), (IPV4, 0));
        assert_eq!(strip(LinkType(229), &[]), (Some(EtherType::IPV6), 0));
        assert_eq!(strip(LinkType(127), &[1, 2, 3]), (None, 0));
        assert!(!LinkType(127).is_known());
    }

    #[test]
    fn a_cut_header_says_what_it_needs() {
        for (link_type, needed) in [(0, 4), (1, 14), (101, 1), (108, 4), (113, 16), (276, 20)] {
            let frame = vec![0; needed - 1];
            let error = LinkType(link_type).strip(&frame).unwrap_err();
            assert_eq!((error.layer, error.needed), (Layer::Link, needed));
            assert_eq!(error.found, needed - 1);
        }
        let error = LinkType::ETHERNET.strip(&[0; 9]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "link: 9 bytes at byte 0, at least 14 needed"
        );
    }
}
