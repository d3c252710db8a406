//! What a router does to packets and says of them.

use std::net::Ipv4Addr;

use crate::wire::{BuildError, Icmpv4Builder, Icmpv4Type, Ipv4Builder, Ipv4Packet};

/// Who sends ICMP errors.
pub(super) const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 9);

/// Writes an ICMP error of this type and code to host `to`, about the packet that begins with
/// `quote`; `mtu` is what fits, where it says that something did not (RFC 1191 section 4). Its length.
pub(super) fn report(
    buffer: &mut [u8],
    to: Ipv4Addr,
    (kind, code): (Icmpv4Type, u8),
    mtu: u16,
    quote: &[u8],
) -> Result<usize, BuildError> {
    let [high, low] = mtu.to_be_bytes();
    let error = Icmpv4Builder::new(ROUTER, to, kind, code).rest([0, 0, high, low]);
    error.write(buffer, quote)
}

/// Writes the fragment of `ip` that begins at `from` octets of its payload and has `size` of them,
/// or as many as are left (RFC 791 section 3.2, the fragmentation procedure, for headers without
/// options). Its length.
pub(super) fn fragment(
    buffer: &mut [u8],
    ip: &Ipv4Packet<'_>,
    identification: u16,
    from: usize,
    size: usize,
) -> Result<usize, BuildError> {
    let payload = ip.payload();
    let end = payload.len().min(from + size);
    let more = end < payload.len() || ip.more_fragments();
    // A datagram is shorter than 65,536 bytes.
    let offset = (usize::from(ip.fragment_offset()) + from) as u16;
    Ipv4Builder::new(ip.src(), ip.dst(), ip.protocol())
        .ecn(ip.ecn())
        .ttl(ip.ttl())
        .identification(identification)
        .dont_fragment(false)
        .fragment(offset, more)
        .write(buffer, &payload[from..end])
}
