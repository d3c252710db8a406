use zerocopy::transmute;

use super::checksum::{Checksum, add32, fold32};
use super::ipv4::Ipv4Header;
use super::options::TcpOption;
use super::seq::SeqNumber;
use super::tcp::{TcpFlags, TcpHeader};

/// The fields in which the segments of one connection differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentFields {
    /// The IPv4 identification.
    pub identification: u16,
    /// The sequence number of the first octet (SEG.SEQ).
    pub seq: SeqNumber,
    /// The acknowledgment number. Other than [`TcpBuilder::ack`](super::TcpBuilder::ack) this sets
    /// no bit: [`TcpFlags::ACK`] goes into `flags`.
    pub ack: SeqNumber,
    /// The control bits.
    pub flags: TcpFlags,
    /// The window field as it is sent: the window in bytes shifted right by the window scale.
    pub window: u16,
    /// The urgent pointer; [`TcpFlags::URG`] goes into `flags`.
    pub urgent: u16,
}

/// The headers of a TCP segment in an IPv4 packet, up to the ports, and what they add to
/// the sums: 32 bytes.
///
/// Headers are made in registers, as little-endian words: a field is in its place after
/// one shift, and the words that are stored are those that are summed, since a sum does
/// not depend on the order of bytes (RFC 1071 section 2 (B)). Nothing is read back.
///
/// ```text
/// 0  version, IHL, TOS, total length, identification, flags, fragment offset
/// 1  TTL, protocol, checksum, source address
/// 2  destination address, ports
/// 3  SEG.SEQ, SEG.ACK
/// 4  data offset, flags, window, checksum, urgent pointer
/// ```
#[derive(Clone, Copy, Debug)]
pub(super) struct Headers {
    /// The first three, total length and identification zero.
    words: [u64; 3],
    /// Of the IPv4 header.
    ip_sum: u32,
    /// Of the ports, and of the pseudo-header but its length.
    tcp_sum: u32,
}

/// Length of both headers without options, in bytes.
pub(super) const HEADERS_LEN: usize = Ipv4Header::LEN + TcpHeader::LEN;

/// What a checksum field holds until the sum is known: it adds nothing to a sum, and the
/// sum gets there by XOR, which inverts it.
const NO_CHECKSUM: u64 = 0xffff;

impl Headers {
    /// `ip` has no total length, identification or checksum yet.
    #[inline(always)]
    pub(super) fn new(ip: Ipv4Header, src_port: u16, dst_port: u16) -> Headers {
        let [src, dst] = [ip.src, ip.dst].map(|ip| u64::from(u32::from_le_bytes(ip)));
        let ports = (u32::from(src_port) << 16 | u32::from(dst_port)).swap_bytes();
        let ports = u64::from(ports);
        let version_tos = u64::from(ip.version_ihl) | u64::from(ip.dscp_ecn) << 8;
        let flags_offset = u64::from(ip.flags_offset.get().swap_bytes());
        let protocol = u64::from(ip.protocol) << 8;
        let ttl_protocol = u64::from(ip.ttl) | protocol;

        // Of 32 bits at most, and too few to overflow 64.
        let addresses = src + dst;
        let ip_sum = version_tos + flags_offset + ttl_protocol + addresses;
        let tcp_sum = addresses + protocol + ports;
        Headers {
            words: [
                version_tos | flags_offset << 48,
                ttl_protocol | NO_CHECKSUM << 16 | src << 32,
                dst | ports << 32,
            ],
            ip_sum: Checksum::of_words([ip_sum]).halve(),
            tcp_sum: Checksum::of_words([tcp_sum]).halve(),
        }
    }

    /// The lower two bits of the TOS.
    #[inline]
    pub(super) fn set_ecn(&mut self, ecn: u8) {
        let (old, new) = ((self.words[0] >> 8) & 0b11, u64::from(ecn & 0b11));
        self.words[0] ^= (old ^ new) << 8;
        // RFC 1624 section 3: the old value's complement and the new one are added.
        let change = (0xffff ^ (old << 8)) + (new << 8);
        self.ip_sum = add32(self.ip_sum, change as u32);
    }

    /// Writes a packet to the start of `buffer` and gives its length in bytes; writes
    /// nothing where it does not fit. The IHL is that of the IPv4 options, which are
    /// padded with zeros.
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
        let headers_len = HEADERS_LEN + ip_options_len;
        let packet = room(buffer, headers_len + options_len, payload_len)?;
        // `room` has bounded it to 65,535.
        let total_length = packet.len() as u16;
        let (headers, rest) = packet.split_at_mut_checked(headers_len)?;
        let (options_room, text) = rest.split_at_mut_checked(options_len)?;

        // 60 / 4 = 15 at most.
        let data_offset = (TcpHeader::LEN + options_len) as u64 / 4;
        let numbers = u64::from(fields.seq.0) << 32 | u64::from(fields.ack.0);
        let numbers = numbers.swap_bytes();
        let control = (data_offset << 60 | NO_CHECKSUM << 16)
            | u64::from(fields.flags.bits()) << 48
            | u64::from(fields.window) << 32
            | u64::from(fields.urgent);
        let control = control.swap_bytes();
        let tcp_length = total_length - (Ipv4Header::LEN + ip_options_len) as u16;
        let tcp_sum = u64::from(self.tcp_sum) + u64::from(tcp_length.swap_bytes());
        let mut tcp_sum = Checksum::of_words([tcp_sum, numbers, control]);
        if options_len > 0 {
            tcp_sum = tcp_sum.combine(emit_options(options, options_room));
        }
        if payload_len > 0 {
            tcp_sum = tcp_sum.combine(copy(text, payload[0], payload[1]));
        }

        let length_id = u32::from(total_length) << 16 | u32::from(fields.identification);
        let length_id = length_id.swap_bytes();
        let mut ip_sum = add32(self.ip_sum, length_id);
        if ip_options_len > 0 {
            ip_sum = add32(ip_sum, Checksum::of(ip_options).halve());
        }

        let [version, ttl, dst] = self.words;
        let words = [
            version | u64::from(length_id) << 16,
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
            _ => store_around(headers, words, ip_options),
        }
        Some(total_length.into())
    }
}

/// Stores headers with IPv4 options between them.
#[cold]
#[inline(never)]
fn store_around(room: &mut [u8], words: [u64; 5], ip_options: &[u8]) {
    let bytes: [u8; HEADERS_LEN] = transmute!(words.map(u64::to_le_bytes));
    let (ip, tcp) = bytes.split_at(Ipv4Header::LEN);
    let padding = &[0; 3][..ip_options.len().wrapping_neg() % 4];
    let bytes = [ip, ip_options, padding, tcp].into_iter().flatten();
    for (to, from) in room.iter_mut().zip(bytes) {
        *to = *from;
    }
}

/// Fills `text` with the payload and gives its sum. Out of line: with a payload, what is
/// before it hardly counts.
#[inline(never)]
fn copy(text: &mut [u8], first: &[u8], second: &[u8]) -> Checksum {
    // It is as long as both together.
    let Some((start, end)) = text.split_at_mut_checked(first.len()) else {
        return Checksum::new();
    };
    let sum = Checksum::copy(start, first);
    // Mostly there is none: only where a ring buffer wraps around.
    if second.is_empty() {
        return sum;
    }
    sum.combine(Checksum::copy(end, second))
}

/// The first bytes of `buffer` that a packet takes, 65,535 at most.
#[inline(always)]
pub(super) fn room(buffer: &mut [u8], header_len: usize, payload_len: usize) -> Option<&mut [u8]> {
    let needed = header_len.saturating_add(payload_len);
    if needed > usize::from(u16::MAX) {
        return None;
    }
    buffer.get_mut(..needed)
}

/// Bytes that options take, in whole words.
#[inline(always)]
pub(super) fn options_len(options: &[TcpOption<'_>]) -> usize {
    let len = options
        .iter()
        .fold(0usize, |len, option| len.saturating_add(option.len()));
    // What overflows is too long in any case.
    len.checked_next_multiple_of(4).unwrap_or(len)
}

/// Writes options one after the other and gives their sum. What they leave of the last
/// word of `out` is zero (RFC 9293, MUST-69); `out` has room for them all.
#[inline(always)]
pub(super) fn emit_options(options: &[TcpOption<'_>], mut out: &mut [u8]) -> Checksum {
    use TcpOption::{NoOperation, Timestamps};

    // The layout that RFC 7323 appendix A recommends: what nearly every segment of
    // an established connection carries.
    if let [
        first @ NoOperation,
        second @ NoOperation,
        times @ Timestamps { .. },
    ] = options
    {
        let padding = first.emit(&mut out).combine(second.emit(&mut out));
        return padding.combine(times.emit(&mut out));
    }
    emit_any(options, out)
}

#[inline(never)]
fn emit_any(options: &[TcpOption<'_>], mut out: &mut [u8]) -> Checksum {
    if let Some(last) = out.last_chunk_mut::<4>() {
        *last = [0; 4];
    }
    let mut sum = Checksum::new();
    for option in options {
        sum = sum.combine(option.emit(&mut out));
    }
    sum.padded()
}
