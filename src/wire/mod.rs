//! Bytes to views and back: IPv4, TCP and ICMPv4 headers, options, checksums.
//!
//! Nothing here allocates, reads a clock or does I/O, and nothing needs `std`.
//! There are three ways to look at a packet, one for each kind of trust:
//!
//! - A **view** ([`Ipv4Packet`], [`TcpSegment`], [`TcpPacket`], [`Icmpv4Message`])
//!   is valid by construction. `parse` settles every length and the checksum
//!   once; each accessor after that is a plain load.
//! - A **mutable view** ([`Ipv4PacketMut`], [`TcpSegmentMut`]) changes fields in
//!   place and patches every checksum that a change touches.
//! - A **raw view** ([`RawIpv4`], [`RawTcp`]) refuses nothing: it gives what bytes
//!   there are, for captures that were cut and for quotes inside ICMP errors.
//!
//! Many packets at once are parsed by [`TcpPacket::parse_batch`], which has those to come on
//! their way into the cache.
//!
//! Packets are written by [`TcpBuilder`], [`Ipv4Builder`] and [`Icmpv4Builder`],
//! or, many alike, by a [`SegmentTemplate`]. The [`cookbook`](crate::cookbook) shows
//! five whole tasks.
//!
//! ```
//! use std::net::{Ipv4Addr, SocketAddrV4};
//! use zerotcp::wire::{SeqNumber, TcpBuilder, TcpFlags, TcpPacket};
//!
//! let client = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 1), 49152);
//! let server = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 2), 80);
//! let mut buffer = [0; 64];
//! let len = TcpBuilder::new(client, server)
//!     .seq(SeqNumber(1))
//!     .flags(TcpFlags::SYN)
//!     .write(&mut buffer, b"")?;
//!
//! let packet = TcpPacket::parse(&buffer[..len]).unwrap();
//! assert_eq!(packet.tcp.dst_port(), 80);
//! assert_eq!(packet.ip.src(), *client.ip());
//! # Ok::<(), zerotcp::wire::BuildError>(())
//! ```

mod batch;
mod build;
pub mod checksum;
mod error;
mod headers;
mod icmpv4;
mod ipv4;
mod ipv4_options;
mod link;
mod mutate;
mod options;
mod packet;
mod raw;
mod seq;
mod tcp;
mod template;

#[cfg(test)]
mod tests;

pub use batch::ParseBatch;
pub use build::{BuildError, Icmpv4Builder, Ipv4Builder, TcpBuilder};
pub use checksum::Checksum;
pub use error::{ErrorKind, Layer, ParseError};
pub use headers::SegmentFields;
pub use icmpv4::{Icmpv4Header, Icmpv4Message, Icmpv4Type};
pub use ipv4::{IpProtocol, Ipv4Header, Ipv4Packet};
pub use ipv4_options::{Ipv4Option, Ipv4Options};
pub use link::{EtherType, LinkPayload, LinkType};
pub use mutate::{Ipv4PacketMut, TcpSegmentMut};
pub use options::{OptionSummary, SackBlock, SackBlocks, TcpOption, TcpOptions};
pub use packet::TcpPacket;
pub use raw::{ChecksumStatus, RawIpv4, RawTcp};
pub use seq::SeqNumber;
pub use tcp::{TcpFlags, TcpHeader, TcpSegment};
pub use template::SegmentTemplate;
