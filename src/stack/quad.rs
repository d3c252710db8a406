use core::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::wire::TcpPacket;

/// What names a connection: both addresses and both ports, as they stand in a packet
/// from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Quad {
    /// The peer.
    pub src: (Ipv4Addr, u16),
    /// This host.
    pub dst: (Ipv4Addr, u16),
}

impl Quad {
    /// The quad of a packet from a peer.
    #[inline]
    pub fn of(packet: &TcpPacket<'_>) -> Quad {
        Quad {
            src: (packet.ip.src(), packet.tcp.src_port()),
            dst: (packet.ip.dst(), packet.tcp.dst_port()),
        }
    }

    /// The peer's address and port.
    pub const fn peer(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.src.0, self.src.1)
    }

    /// This host's address and port.
    pub const fn local(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.dst.0, self.dst.1)
    }

    /// The same connection as its peer sees it.
    #[must_use]
    pub const fn reversed(&self) -> Quad {
        Quad {
            src: self.dst,
            dst: self.src,
        }
    }

    /// The quad in twelve bytes, for hashing with a key.
    pub(super) fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&self.src.0.octets());
        bytes[4..8].copy_from_slice(&self.dst.0.octets());
        bytes[8..10].copy_from_slice(&self.src.1.to_be_bytes());
        bytes[10..].copy_from_slice(&self.dst.1.to_be_bytes());
        bytes
    }
}

impl fmt::Display for Quad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {}", self.peer(), self.local())
    }
}
