//! A TCP/IP stack in user space: zero-copy packet views, an internet checksum of its
//! own, TCP by RFC 9293 without I/O, and a server that real kernels talk to over TUN.
//!
//! # Three ways in
//!
//! **Parse and write packets** with [`wire`]: views over byte slices that are valid by
//! construction, setters that keep checksums right, builders. No allocation, no `std`,
//! no `unsafe` of yours. With `default-features = false` this is all there is.
//!
//! ```
//! use zerotcp::wire::{TcpBuilder, TcpFlags, TcpPacket};
//!
//! let (client, server) = ("192.168.0.1:49152".parse().unwrap(), "192.168.0.2:80".parse().unwrap());
//! let mut buffer = [0; 1500];
//! let len = TcpBuilder::new(client, server).flags(TcpFlags::SYN).write(&mut buffer, b"")?;
//! match TcpPacket::parse(&buffer[..len]) {
//!     Ok(packet) => println!("{} to port {}", packet.tcp.flags(), packet.tcp.dst_port()),
//!     Err(error) => println!("dropped: {error}"),
//! }
//! # Ok::<(), zerotcp::wire::BuildError>(())
//! ```
//!
//! The [`cookbook`] has more, task by task.
//!
//! **Drive TCP yourself** with [`stack`]: packets in, packets out, time as an argument, no
//! sockets, threads or clocks. The page of [`stack`] has two hosts that talk. Feature `std`.
//!
//! **Serve** with [`socket::Driver`], which turns the crank of a stack over a TUN interface or
//! a [`device`] of your own, feature `tun`; or with the `zerotcp` command, feature `cli`.
//!
//! Beside these, [`capture`] reads capture files, feature `pcap`, and [`simulation`] runs worlds in virtual
//! time that check themselves, feature `simulation`.
//!
//! # Rooms
//!
//! ```text
//! commands   the zerotcp command: serve, validate, demo, simulate
//!    |
//! socket     the driver that owns a stack and a device          (simulation stands beside it)
//!    |    \
//! stack    |    many connections: table, listeners, SYN cache, cookies, timers, fragments, ICMP
//!    |     |
//! tcp    device   one connection: the TCB, loss, congestion    |    TUN, memory, impairment, recording
//!    \     /
//!     wire       bytes to views and back, checksums
//! ```
//!
//! Arrows run down only. [`tcp`] knows no address, clock or device; [`stack`] does no I/O;
//! [`wire`] depends on nothing above it.
//!
//! # Features
//!
//! | feature | brings | default |
//! | --- | --- | --- |
//! | none | [`wire`], without `std` and `alloc` | |
//! | `detect` | the checksum [kernels](wire::checksum::Kernel) that the machine runs, found out by `std` at run time | yes |
//! | `std` | [`stack`], [`tcp`], [`device`], [`time`] | yes |
//! | `tun` | the TUN device and the driver, [`socket`] (Linux) | yes |
//! | `pcap` | reading capture files, [`capture`], and writing them, [`device::Captured`] | yes |
//! | `simulation` | worlds in virtual time that check themselves, [`simulation`] | yes |
//! | `cli` | the `zerotcp` command and all of the above | yes |

#![cfg_attr(not(any(feature = "detect", test)), no_std)]
#![deny(missing_docs, unsafe_code)]
// This page tells of all features: with fewer, some of its links lead nowhere.
#![cfg_attr(not(feature = "cli"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(feature = "pcap")]
pub mod capture;
#[cfg(any(doc, doctest))]
pub mod cookbook;
#[cfg(feature = "std")]
pub mod device;
#[cfg(feature = "simulation")]
pub mod simulation;
#[cfg(all(feature = "tun", target_os = "linux"))]
pub mod socket;
#[cfg(feature = "std")]
pub mod stack;
#[cfg(feature = "std")]
pub mod tcp;
#[cfg(feature = "std")]
pub mod time;
pub mod wire;

/// The README's code is tested with that of the documentation.
#[cfg(all(doctest, feature = "tun"))]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
