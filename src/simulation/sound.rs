//! What holds of every packet that a host sends, whatever it is about.

use std::net::Ipv4Addr;

use super::Broken;
use super::broken::ensure;
use crate::wire::{IpProtocol, Ipv4Packet, TcpPacket, TcpSegment};

/// Looks at a packet that `host` sends, whose MTU is `mtu` bytes: both checksums, its options, its
/// addresses, its size, and that its flags go together. Gives the segment in it, if it is one and no
/// ICMP message.
///
/// # Errors
/// What is wrong with it.
pub fn check_sent(
    packet: &[u8],
    host: Ipv4Addr,
    mtu: usize,
) -> Result<(Ipv4Packet<'_>, Option<TcpSegment<'_>>), Broken> {
    let unsound = |error| Broken(format!("what is sent is unsound: {error}"));
    let ip = Ipv4Packet::parse(packet).map_err(unsound)?;
    let len = packet.len();
    ensure!(
        len <= mtu && len == usize::from(ip.total_length()),
        "{len} bytes leave, the MTU is {mtu}, the header says {}",
        ip.total_length()
    );
    ensure!(
        ip.src() == host && ip.dst() != host && ip.ttl() > 0,
        "a packet goes from {} to {} with a TTL of {}",
        ip.src(),
        ip.dst(),
        ip.ttl()
    );
    if ip.protocol() == IpProtocol::ICMP {
        // A datagram of which a fragment was lost is reported (RFC 792), and a ping may be large.
        match ip.is_fragment() {
            true => ensure!(!ip.dont_fragment(), "a fragment that may not be one"),
            false => drop(ip.icmpv4().map_err(unsound)?),
        }
        return Ok((ip, None));
    }
    let tcp = TcpPacket::parse(packet).map_err(unsound)?.tcp;
    tcp.option_summary()
        .map_err(|error| Broken(format!("its options are unsound: {error}")))?;
    let flags = tcp.flags();
    // RFC 9293 sections 3.5.3 and 3.10.7.4: what is neither SYN nor reset acknowledges.
    let fits = !(flags.syn() && (flags.fin() || flags.rst()))
        && (flags.ack() || flags.syn() || flags.rst());
    ensure!(fits, "a segment with the flags {flags}");
    Ok((ip, Some(tcp)))
}
