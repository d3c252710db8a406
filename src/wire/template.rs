use core::net::SocketAddrV4;

use zerocopy::transmute;

use super::build::{BuildError, Ipv4Builder, emit_options, no_room, options_len, room, too_many};
use super::checksum::{Checksum, add32, fold32};
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

/// What the headers of one connection's segments share, and its sums: a segment costs
/// a few additions (RFC 1624's arithmetic, with the constant part as the old sum) and
/// five stores.
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
    /// As in [`Start`].
    words: [u64; 3],
    ip_sum: u32,
    tcp_sum: u32,
}

impl SegmentTemplate {
    /// A template for segments from `src` to `dst` with DF set, time to live `ttl`
    /// in hops and the TOS byte `dscp_ecn`.
    pub fn new(src: SocketAddrV4, dst: SocketAddrV4, ttl: u8, dscp_ecn: u8) -> SegmentTemplate {
        let ip = Ipv4Builder::new(*src.ip(), *dst.ip(), IpProtocol::TCP)
            .ttl(ttl)
            .dscp(dscp_ecn >> 2)
            .ecn(dscp_ecn);
        let Start {
            words,
            ip_sum,
            tcp_sum,
        } = Start::new(&ip, src.port(), dst.port());
        SegmentTemplate {
            words,
            ip_sum,
            tcp_sum: Checksum::of_words([tcp_sum]).halve(),
        }
    }

    /// Writes headers, options and the payload, given in two pieces as a ring buffer
    /// holds it, to the start of `buffer` and returns the packet's length in bytes.
    ///
    /// # Errors
    /// [`BuildError::Buffer`], [`BuildError::Options`], [`BuildError::TooLong`].
    #[inline(always)]
    pub fn write(
        &self,
        buffer: &mut [u8],
        fields: &SegmentFields,
        options: &[TcpOption<'_>],
        payload: [&[u8]; 2],
    ) -> Result<usize, BuildError> {
        let found = buffer.len();
        let start = Start {
            words: self.words,
            ip_sum: self.ip_sum,
            tcp_sum: self.tcp_sum.into(),
        };
        start
            .write(buffer, fields, &[], options, payload)
            .ok_or_else(|| {
                fault(
                    found,
                    0,
                    options,
                    payload[0].len().saturating_add(payload[1].len()),
                )
            })
    }
}

/// What a checksum field holds until the sum is known. It adds nothing to a sum, and the
/// sum that is put there by XOR is inverted by it.
const NO_CHECKSUM: u64 = 0xffff;

/// Both headers without options.
const HEADERS: usize = Ipv4Header::LEN + TcpHeader::LEN;

/// Where a packet starts: its headers up to the ports, in registers, and their sums.
///
/// Headers are made as little-endian words, so that each field is in its place after one
/// shift, and so that the words that are stored are those that are summed: which bytes
/// are paired matters to a sum, their order does not (RFC 1071 section 2 (B)).
///
/// ```text
/// 0  version, IHL, TOS, total length, identification, flags, fragment offset
/// 1  TTL, protocol, checksum, source address
/// 2  destination address, ports
/// 3  SEG.SEQ, SEG.ACK
/// 4  data offset, flags, window, checksum, urgent pointer
/// ```
pub(super) struct Start {
    /// The first three, total length and identification zero.
    words: [u64; 3],
    /// Of the IPv4 header.
    ip_sum: u32,
    /// Of ports and pseudo-header but its length.
    tcp_sum: u64,
}

impl Start {
    #[inline(always)]
    pub(super) fn new(ip: &Ipv4Builder<'_>, src_port: u16, dst_port: u16) -> Start {
        let [src, dst] = [ip.src, ip.dst].map(|ip| u64::from(u32::from_le_bytes(ip.octets())));
        let ports = (u32::from(src_port) << 16 | u32::from(dst_port)).swap_bytes();
        let ports = u64::from(ports);
        let version_tos = 0x45 | u64::from(ip.dscp_ecn) << 8;
        let flags_offset = u64::from(ip.flags_offset.swap_bytes());
        let protocol = u64::from(ip.protocol.0) << 8;
        let ttl_protocol = u64::from(ip.ttl) | protocol;

        // Fields of 32 bits at most, too few to overflow 64.
        let addresses = src + dst;
        let ip_sum = version_tos + flags_offset + ttl_protocol + addresses;
        Start {
            words: [
                version_tos | flags_offset << 48,
                ttl_protocol | NO_CHECKSUM << 16 | src << 32,
                dst | ports << 32,
            ],
            ip_sum: Checksum::of_words([ip_sum]).halve(),
            tcp_sum: addresses + protocol + ports,
        }
    }

    /// Writes a whole packet and gives its length; nothing, and nothing written, where it
    /// does not fit.
    #[inline(always)]
    pub(super) fn write(
        self,
        buffer: &mut [u8],
        fields: &SegmentFields,
        ip_options: &[u8],
        options: &[TcpOption<'_>],
        payload: [&[u8]; 2],
    ) -> Option<usize> {
        let ip_options_len = ip_options.len().next_multiple_of(4);
        let options_len = options_len(options);
        if ip_options_len > Ipv4Header::MAX_OPTIONS || options_len > TcpHeader::MAX_OPTIONS {
            return None;
        }
        let payload_len = payload[0].len().saturating_add(payload[1].len());
        let headers_len = HEADERS + ip_options_len;
        let packet = room(buffer, headers_len + options_len, payload_len)?;
        // `room` has bounded it to 65,535.
        let len = packet.len() as u16;
        let (headers, rest) = packet.split_at_mut_checked(headers_len)?;
        let (options_room, text) = rest.split_at_mut_checked(options_len)?;

        // 60 / 4 = 15 words at most, as for IPv4.
        let data_offset = (TcpHeader::LEN + options_len) as u64 / 4;
        let numbers = u64::from(fields.seq.0) << 32 | u64::from(fields.ack.0);
        let control = (data_offset << 60 | NO_CHECKSUM << 16)
            | u64::from(fields.flags.bits()) << 48
            | u64::from(fields.window) << 32
            | u64::from(fields.urgent);
        let (numbers, control) = (numbers.swap_bytes(), control.swap_bytes());
        let tcp_len = len - (Ipv4Header::LEN + ip_options_len) as u16;
        let tcp_sum = self.tcp_sum + u64::from(tcp_len.swap_bytes());
        let mut tcp_sum = Checksum::of_words([tcp_sum, numbers, control]);
        if options_len > 0 {
            tcp_sum = tcp_sum.combine(emit_options(options, options_room));
        }
        if payload_len > 0 {
            tcp_sum = tcp_sum.combine(copy(text, payload[0], payload[1]));
        }

        let more_ihl = ip_options_len as u32 / 4;
        let id = u32::from(len) << 16 | u32::from(fields.identification);
        let id = id.swap_bytes();
        let mut ip_sum = add32(self.ip_sum, id);
        if ip_options_len > 0 {
            ip_sum = add32(add32(ip_sum, more_ihl), Checksum::of(ip_options).halve());
        }

        let [version, ttl, dst] = self.words;
        let words = [
            (version + u64::from(more_ihl)) | u64::from(id) << 16,
            ttl ^ u64::from(fold32(ip_sum)) << 16,
            dst,
            numbers,
            control ^ u64::from(tcp_sum.sum_le()) << 32,
        ];
        match headers.as_chunks_mut::<8>() {
            ([a, b, c, d, e], []) => {
                *a = words[0].to_le_bytes();
                *b = words[1].to_le_bytes();
                *c = words[2].to_le_bytes();
                *d = words[3].to_le_bytes();
                *e = words[4].to_le_bytes();
            }
            _ => with_options(headers, words, ip_options),
        }
        Some(len.into())
    }
}

/// Why a packet did not get into a buffer of `found` bytes.
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
        return too_many(options);
    }
    let headers_len = HEADERS + ip_options_len.next_multiple_of(4) + options_len;
    no_room(found, headers_len.saturating_add(payload_len))
}

/// Fills `text` with the payload and gives its sum. Out of line, where its length is
/// what it costs.
#[inline(never)]
fn copy(text: &mut [u8], first: &[u8], second: &[u8]) -> Checksum {
    match text.split_at_mut_checked(first.len()) {
        Some((start, end)) => Checksum::copy(start, first).combine(Checksum::copy(end, second)),
        // It is as long as both together.
        None => Checksum::new(),
    }
}

/// Stores headers that have IPv4 options between them.
#[cold]
#[inline(never)]
fn with_options(room: &mut [u8], words: [u64; 5], ip_options: &[u8]) {
    let bytes: [u8; HEADERS] = transmute!(words.map(u64::to_le_bytes));
    let (ip, tcp) = bytes.split_at(Ipv4Header::LEN);
    let padding = [0; 3];
    let pieces = [
        ip,
        ip_options,
        &padding[..ip_options.len().wrapping_neg() % 4],
        tcp,
    ];
    for (to, from) in room.iter_mut().zip(pieces.iter().copied().flatten()) {
        *to = *from;
    }
}
