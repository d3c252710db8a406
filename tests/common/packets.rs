//! Packets byte by byte, for what no builder would write.

use std::net::Ipv4Addr;

use zerotcp::wire::{Icmpv4Builder, Icmpv4Type};

/// The ones' complement sum of 16-bit words, not inverted: RFC 1071 as plainly as it can be
/// written, so that it can tell whether the library is right.
pub fn ones_complement_sum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    // Folded to 16 bits one line above.
    sum as u16
}

/// The sum of the pseudo-header and segment of a TCP packet (RFC 9293 section 3.1); all ones
/// where its checksum is right.
pub fn tcp_sum(packet: &[u8]) -> u16 {
    let segment = &packet[header_len(packet)..];
    let mut bytes = packet[12..20].to_vec();
    bytes.extend([0, 6]);
    bytes.extend((segment.len() as u16).to_be_bytes());
    bytes.extend(segment);
    ones_complement_sum(&bytes)
}

/// Where the payload of an IP packet begins, by its IHL.
pub fn header_len(packet: &[u8]) -> usize {
    usize::from(packet[0] & 15) * 4
}

/// Makes both checksums of a TCP packet right; where the lengths it claims leave no room for
/// one, that of the IP header alone.
pub fn seal(packet: &mut [u8]) {
    seal_ip(packet);
    let at = header_len(packet) + 16;
    if at + 2 <= packet.len() {
        packet[at..at + 2].fill(0);
        let sum = !tcp_sum(packet);
        packet[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Makes the checksum of an IP header right.
pub fn seal_ip(packet: &mut [u8]) {
    let len = header_len(packet).clamp(12, packet.len());
    packet[10..12].fill(0);
    let sum = !ones_complement_sum(&packet[..len]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

pub fn set_u16(packet: &mut [u8], at: usize, value: u16) {
    packet[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// The same packet with these bytes as IP options, filled up with zeros.
pub fn with_ip_options(packet: &[u8], options: &[u8]) -> Vec<u8> {
    let mut options = options.to_vec();
    options.resize(options.len().next_multiple_of(4), 0);
    let mut packet = [&packet[..20], &options, &packet[20..]].concat();
    packet[0] = 0x45 + (options.len() / 4) as u8;
    let total = packet.len() as u16;
    set_u16(&mut packet, 2, total);
    seal(&mut packet);
    packet
}

/// The piece of a packet's payload that begins at `offset`, as a fragment.
pub fn fragment(packet: &[u8], offset: usize, len: usize) -> Vec<u8> {
    let payload = &packet[header_len(packet)..];
    let end = payload.len().min(offset + len);
    raw_fragment(packet, offset, &payload[offset..end], end < payload.len())
}

/// A fragment with the header of `packet`, whatever sense it makes.
pub fn raw_fragment(packet: &[u8], offset: usize, data: &[u8], more: bool) -> Vec<u8> {
    let header = header_len(packet);
    let mut piece = packet[..header].to_vec();
    piece.extend(data);
    let total = piece.len() as u16;
    set_u16(&mut piece, 2, total);
    set_u16(
        &mut piece,
        6,
        (offset / 8) as u16 | if more { 0x2000 } else { 0 },
    );
    seal_ip(&mut piece);
    piece
}

/// An ICMP message as a packet.
pub fn icmp(
    from: Ipv4Addr,
    to: Ipv4Addr,
    kind: Icmpv4Type,
    code: u8,
    rest: [u8; 4],
    body: &[u8],
) -> Vec<u8> {
    let mut buffer = vec![0; 28 + body.len()];
    let len = Icmpv4Builder::new(from, to, kind, code)
        .rest(rest)
        .write(&mut buffer, body)
        .expect("as long as it says");
    assert_eq!(len, buffer.len());
    buffer
}
