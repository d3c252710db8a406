use core::net::SocketAddrV4;

use zerocopy::network_endian::{U16, U32};
use zerocopy::{FromBytes, IntoBytes};

use super::build::{BuildError, emit_options, no_room, options_len, room, too_many};
use super::checksum::Checksum;
use super::ipv4::{IpProtocol, Ipv4Header};
use super::options::TcpOption;
use super::seq::SeqNumber;
use super::tcp::{TcpFlags, TcpHeader};

/// The fields in which the segments of one connection differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentFields {
    /// The IPv4 identification.
    pub identification: u16,
    /// SEG.SEQ.
    pub seq: SeqNumber,
    /// The acknowledgment field.
    pub ack: SeqNumber,
    /// The control bits.
    pub flags: TcpFlags,
    /// The window field, already scaled.
    pub window: u16,
    /// The urgent pointer.
    pub urgent: u16,
}

/// The 40 bytes of header that the segments of one connection share, with the
/// sums of what never changes: a segment costs a copy, a few stores and a few
/// additions (RFC 1624's arithmetic, with the constant part as the old sum).
///
/// ```
/// use std::net::{Ipv4Addr, SocketAddrV4};
/// use zerotcp::wire::{SegmentFields, SegmentTemplate, SeqNumber, TcpFlags, TcpPacket};
///
/// let src = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 2), 7);
/// let dst = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 1), 49152);
/// let template = SegmentTemplate::new(src, dst, 64, 0);
/// let fields = SegmentFields {
///     seq: SeqNumber(1),
///     flags: TcpFlags::ACK | TcpFlags::PSH,
///     ..SegmentFields::default()
/// };
/// let mut buffer = [0; 1500];
/// let len = template.write(&mut buffer, &fields, &[], [b"hel", b"lo"])?;
/// assert_eq!(TcpPacket::parse(&buffer[..len]).unwrap().tcp.payload(), b"hello");
/// # Ok::<(), zerotcp::wire::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SegmentTemplate {
    ip: Ipv4Header,
    tcp: TcpHeader,
    /// Of `ip`, its variable fields zero.
    ip_sum: u16,
    /// Of the pseudo-header without its length, and of `tcp`, its variable fields zero.
    tcp_sum: u16,
}

impl SegmentTemplate {
    /// A template for segments from `src` to `dst` with DF set, time to live `ttl`
    /// in hops and the TOS byte `dscp_ecn`.
    pub fn new(src: SocketAddrV4, dst: SocketAddrV4, ttl: u8, dscp_ecn: u8) -> SegmentTemplate {
        let ip = Ipv4Header {
            version_ihl: 0x45,
            dscp_ecn,
            total_length: U16::ZERO,
            identification: U16::ZERO,
            flags_offset: U16::new(Ipv4Header::DONT_FRAGMENT),
            ttl,
            protocol: IpProtocol::TCP.0,
            checksum: U16::ZERO,
            src: src.ip().octets(),
            dst: dst.ip().octets(),
        };
        let tcp = TcpHeader {
            src_port: U16::new(src.port()),
            dst_port: U16::new(dst.port()),
            seq: U32::ZERO,
            ack: U32::ZERO,
            offset_flags: U16::ZERO,
            window: U16::ZERO,
            checksum: U16::ZERO,
            urgent: U16::ZERO,
        };
        SegmentTemplate {
            ip,
            tcp,
            ip_sum: Checksum::of(ip.as_bytes()).sum(),
            tcp_sum: Checksum::pseudo_header(*src.ip(), *dst.ip(), IpProtocol::TCP.0, 0)
                .combine(Checksum::of(tcp.as_bytes()))
                .sum(),
        }
    }

    /// Writes headers, options and the payload, given in two pieces as a ring buffer
    /// holds it, to the start of `buffer` and returns the packet's length in bytes.
    ///
    /// # Errors
    /// [`BuildError::Buffer`], [`BuildError::Options`], [`BuildError::TooLong`].
    #[inline]
    pub fn write(
        &self,
        buffer: &mut [u8],
        fields: &SegmentFields,
        options: &[TcpOption<'_>],
        payload: [&[u8]; 2],
    ) -> Result<usize, BuildError> {
        let found = buffer.len();
        self.emit(buffer, fields, options, payload)
            .ok_or_else(|| fault(found, options, payload))
    }

    /// The packet's length; nothing, and nothing written, where it does not fit.
    #[inline(always)]
    fn emit(
        &self,
        buffer: &mut [u8],
        fields: &SegmentFields,
        options: &[TcpOption<'_>],
        payload: [&[u8]; 2],
    ) -> Option<usize> {
        let options_len = options_len(options);
        if options_len > TcpHeader::MAX_OPTIONS {
            return None;
        }
        let payload_len = payload[0].len().saturating_add(payload[1].len());
        let packet = room(buffer, HEADERS + options_len, payload_len)?;

        // `room` has bounded the packet to 65,535 bytes, and 60 / 4 = 15 words.
        let len = packet.len();
        let total_length = len as u16;
        let tcp_length = total_length - Ipv4Header::LEN as u16;
        let offset_flags = ((TcpHeader::LEN + options_len) as u16 / 4) << 12 | fields.flags.bits();

        let (ip, segment) = Ipv4Header::mut_from_prefix(packet).ok()?;
        let (tcp, rest) = TcpHeader::mut_from_prefix(segment).ok()?;
        let (options_room, text) = rest.split_at_mut_checked(options_len)?;
        let mut tcp_sum = Checksum::of_fields([
            self.tcp_sum.into(),
            tcp_length.into(),
            offset_flags.into(),
            fields.window.into(),
            fields.urgent.into(),
            fields.seq.0,
            fields.ack.0,
        ]);
        if options_len > 0 {
            emit_options(options, options_room);
            tcp_sum = tcp_sum.combine(Checksum::of(options_room));
        }
        if payload_len > 0 {
            let (first, second) = text.split_at_mut_checked(payload[0].len())?;
            tcp_sum = tcp_sum
                .combine(Checksum::copy(first, payload[0]))
                .combine(Checksum::copy(second, payload[1]));
        }
        let ip_sum = Checksum::of_fields([
            self.ip_sum.into(),
            total_length.into(),
            fields.identification.into(),
        ]);

        *ip = Ipv4Header {
            total_length: U16::new(total_length),
            identification: U16::new(fields.identification),
            checksum: U16::new(ip_sum.finish()),
            ..self.ip
        };
        *tcp = TcpHeader {
            seq: U32::new(fields.seq.0),
            ack: U32::new(fields.ack.0),
            offset_flags: U16::new(offset_flags),
            window: U16::new(fields.window),
            checksum: U16::new(tcp_sum.finish()),
            urgent: U16::new(fields.urgent),
            ..self.tcp
        };
        Some(len)
    }
}

const HEADERS: usize = Ipv4Header::LEN + TcpHeader::LEN;

/// Why a segment did not get into a buffer of `found` bytes.
#[cold]
#[inline(never)]
fn fault(found: usize, options: &[TcpOption<'_>], payload: [&[u8]; 2]) -> BuildError {
    let options_len = options_len(options);
    if options_len > TcpHeader::MAX_OPTIONS {
        return too_many(options);
    }
    let payload_len = payload[0].len().saturating_add(payload[1].len());
    no_room(found, (HEADERS + options_len).saturating_add(payload_len))
}
