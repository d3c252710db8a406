//! Five tasks that [`wire`](crate::wire) is for, each as code that can be copied into a `main`.
//!
//! - [Parse and check a packet](#parse-and-check-a-packet), [many at once](#many-at-once)
//! - [Count the flags in a capture](#count-the-flags-in-a-capture)
//! - [Rewrite addresses as a NAT does](#rewrite-addresses-as-a-nat-does)
//! - [Build a SYN](#build-a-syn), [segments of one connection](#segments-of-one-connection)
//! - [Answer a ping](#answer-a-ping)
//! - [Do it without `std`](#do-it-without-std)
//!
//! Each recipe is also a program in `examples/` that needs no root and sends nothing:
//! `cargo run --example parse`, and `flags`, `nat`, `syn`, `ping` likewise.
//!
//! # Parse and check a packet
//!
//! You have bytes that begin with an IPv4 header, from a TUN interface, a raw socket or a
//! capture, and want the fields of the TCP segment in them, if it is intact.
//!
//! ```
//! use core::net::SocketAddrV4;
//! use zerotcp::wire::{ErrorKind, ParseError, TcpBuilder, TcpPacket};
//!
//! /// Whose data it is, where it belongs in the stream, and the data.
//! fn data(bytes: &[u8]) -> Result<(SocketAddrV4, u32, &[u8]), ParseError> {
//!     let TcpPacket { ip, tcp } = TcpPacket::parse(bytes)?; // all lengths and both checksums
//!     Ok((SocketAddrV4::new(ip.src(), tcp.src_port()), tcp.seq().0, tcp.payload()))
//! }
//!
//! let (client, server) = ("10.0.0.9:49152".parse().unwrap(), "192.0.2.1:80".parse().unwrap());
//! let mut packet = [0; 45];
//! TcpBuilder::new(client, server).write(&mut packet, b"hello").unwrap();
//!
//! assert_eq!(data(&packet), Ok((client, 0, b"hello".as_slice())));
//!
//! packet[44] ^= 1; // one bit of the data falls over
//! let error = data(&packet).unwrap_err();
//! assert_eq!((error.kind, error.offset), (ErrorKind::Checksum, 36));
//! ```
//!
//! That error prints as `tcp: checksum 0xdfb2 at byte 36, 0xe0b2 would be right`.
//!
//! *What can go wrong*: [`parse`](crate::wire::TcpPacket::parse) says in a
//! [`ParseError`](crate::wire::ParseError) at which byte, what was found there and what would
//! have been right. Its `kind` tells what to do: after
//! [`Cut`](crate::wire::ErrorKind::Cut) get more bytes, after
//! [`Protocol`](crate::wire::ErrorKind::Protocol) or
//! [`Fragment`](crate::wire::ErrorKind::Fragment) the packet may be sound, but it isn't one TCP
//! segment; the rest are a packet's own faults, to be dropped and counted. Bytes past the total
//! length (Ethernet's padding) are left out. Options are checked when they are read:
//! [`option_summary`](crate::wire::TcpSegment::option_summary).
//!
//! *By*: RFC 791 section 3.1, RFC 9293 section 3.1, RFC 1071.
//!
//! ## Many at once
//!
//! Packets of a batch, such as the slots of a receive ring, mostly lie in memory and not in a
//! cache. [`parse_batch`](crate::wire::TcpPacket::parse_batch) fetches those to come while it
//! parses.
//!
//! ```
//! use zerotcp::wire::{TcpBuilder, TcpPacket};
//!
//! /// Bytes of data in the packets that are intact.
//! fn bytes_of_data(packets: &[&[u8]]) -> usize {
//!     TcpPacket::parse_batch(packets).flatten().map(|packet| packet.tcp.payload().len()).sum()
//! }
//!
//! let host = "192.0.2.1:80".parse().unwrap();
//! let mut slots = [[0; 45]; 3];
//! for slot in &mut slots {
//!     TcpBuilder::new(host, host).write(slot, b"hello").unwrap();
//! }
//! slots[1][44] ^= 1;
//!
//! assert_eq!(bytes_of_data(&slots.each_ref().map(|slot| slot.as_slice())), 10);
//! ```
//!
//! # Count the flags in a capture
//!
//! You have a pcap or pcapng file and want to know how many SYNs, resets and so on are in it.
//! This recipe takes the feature `pcap`.
//!
#![cfg_attr(feature = "pcap", doc = "```")]
#![cfg_attr(not(feature = "pcap"), doc = "```ignore")]
//! use std::collections::HashMap;
//! use std::io::Read;
//! use zerotcp::capture::{CaptureError, CaptureReader};
//! use zerotcp::wire::{EtherType, TcpBuilder, TcpFlags, TcpPacket};
//!
//! fn count(
//!     capture: &mut CaptureReader<impl Read>,
//! ) -> Result<HashMap<TcpFlags, u64>, CaptureError> {
//!     let mut counts = HashMap::new();
//!     while let Some(frame) = capture.next_frame()? {
//!         if let Ok(link) = frame.link_type.strip(frame.data)
//!             && link.ethertype == Some(EtherType::IPV4)
//!             && let Ok(packet) = TcpPacket::parse_unverified(&frame.data[link.offset..])
//!         {
//!             *counts.entry(packet.tcp.flags()).or_default() += 1;
//!         }
//!     }
//!     Ok(counts)
//! }
//!
//! // A file to try it on: a pcap header and four packets. For yours: CaptureReader::open(path)
//! let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
//! file.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0]);
//! for flags in [TcpFlags::SYN, TcpFlags::SYN | TcpFlags::ACK, TcpFlags::ACK, TcpFlags::ACK] {
//!     let (mut packet, host) = ([0; 40], "192.0.2.1:80".parse().unwrap());
//!     TcpBuilder::new(host, host).flags(flags).write(&mut packet, b"").unwrap();
//!     file.extend([0, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 40, 0, 0, 0]);
//!     file.extend(packet);
//! }
//!
//! let counts = count(&mut CaptureReader::new(file.as_slice()).unwrap()).unwrap();
//! assert_eq!(counts[&TcpFlags::SYN], 1);
//! assert_eq!(counts[&(TcpFlags::SYN | TcpFlags::ACK)], 1);
//! assert_eq!(counts[&TcpFlags::ACK], 2);
//! ```
//!
//! *What can go wrong*: a file that is no capture or ends early is an error that names the byte;
//! what was counted before it stands. Frames of other protocols are passed over. Checksums are
//! left alone on purpose: a capture made on the sending machine shows packets before the network
//! card has filled them in. Of packets cut by a snap length `TcpPacket` gives none; to count those
//! too, take [`RawIpv4::tcp`](crate::wire::RawIpv4::tcp), which checks nothing.
//!
//! *By*: RFC 9293 section 3.1 for the flags.
//!
//! # Rewrite addresses as a NAT does
//!
//! A packet goes out of a private network: its source becomes the router's address and a port of
//! the router's.
//!
//! ```
//! use core::net::SocketAddrV4;
//! use zerotcp::wire::{Ipv4PacketMut, ParseError, TcpBuilder, TcpPacket};
//!
//! fn translate(bytes: &mut [u8], source: SocketAddrV4) -> Result<(), ParseError> {
//!     let mut packet = Ipv4PacketMut::parse(bytes)?;
//!     packet.tcp_mut()?.set_src_port(source.port());
//!     packet.set_src(*source.ip());
//!     Ok(())
//! }
//!
//! let (inside, server) = ("10.0.0.9:49152".parse().unwrap(), "192.0.2.1:80".parse().unwrap());
//! let mut packet = [0; 45];
//! TcpBuilder::new(inside, server).write(&mut packet, b"hello").unwrap();
//!
//! let outside: SocketAddrV4 = "203.0.113.5:1024".parse().unwrap();
//! translate(&mut packet, outside).unwrap();
//! let TcpPacket { ip, tcp } = TcpPacket::parse(&packet).unwrap(); // both checksums are right
//! assert_eq!(SocketAddrV4::new(ip.src(), tcp.src_port()), outside);
//! ```
//!
//! Setters patch every checksum that covers the field, in time that does not depend on the
//! packet's length. A segment that came damaged leaves as damaged as it was, and its receiver
//! notices: computing the checksum anew would hide it.
//!
//! *What can go wrong*: [`Ipv4PacketMut::parse`](crate::wire::Ipv4PacketMut::parse) refuses a
//! header that is broken, [`tcp_mut`](crate::wire::Ipv4PacketMut::tcp_mut) a packet that holds no
//! whole segment. The port is written first: on an error nothing has been changed.
//!
//! *By*: RFC 3022 section 4.1, RFC 1624 for the checksums.
//!
//! # Build a SYN
//!
//! You want to open a connection, or to test how somebody answers one: a SYN with the options
//! that Linux sends, in their order.
//!
//! ```
//! use core::net::SocketAddrV4;
//! use zerotcp::wire::{BuildError, SeqNumber, TcpBuilder, TcpFlags, TcpOption, TcpPacket};
//!
//! fn syn(
//!     client: SocketAddrV4,
//!     server: SocketAddrV4,
//!     iss: SeqNumber,
//!     buffer: &mut [u8],
//! ) -> Result<usize, BuildError> {
//!     TcpBuilder::new(client, server)
//!         .seq(iss)
//!         .flags(TcpFlags::SYN)
//!         .window(64240)
//!         .options(&[
//!             TcpOption::MaximumSegmentSize(1460),
//!             TcpOption::SackPermitted,
//!             TcpOption::Timestamps { value: 1, echo: 0 },
//!             TcpOption::NoOperation,
//!             TcpOption::WindowScale(7),
//!         ])
//!         .write(buffer, b"")
//! }
//!
//! let (client, server) = ("10.0.0.9:49152".parse().unwrap(), "192.0.2.1:443".parse().unwrap());
//! let mut buffer = [0; 1500];
//! let len = syn(client, server, SeqNumber(0x1357_9bdf), &mut buffer).unwrap();
//! assert_eq!(len, 60);
//! let options = TcpPacket::parse(&buffer[..len]).unwrap().tcp.option_summary().unwrap();
//! assert_eq!((options.mss, options.window_scale), (Some(1460), Some(7)));
//!
//! let error = syn(client, server, SeqNumber(0), &mut [0; 40]).unwrap_err();
//! assert_eq!(error, BuildError::Buffer { needed: 60, found: 40 });
//! ```
//!
//! *What can go wrong*: a [`BuildError`](crate::wire::BuildError) where the buffer is too small
//! or options take more than 40 bytes; nothing has been written then. An initial sequence number
//! must not be one that others can guess: [`SeqNumber`](crate::wire::SeqNumber) takes any, RFC 9293
//! section 3.4.1 says how to choose it.
//!
//! *By*: RFC 9293 sections 3.1 and 3.2, RFC 7323 for window scale and timestamps, RFC 2018 for SACK.
//!
//! ## Segments of one connection
//!
//! What all segments of a connection share, addresses, ports and their sums, is computed once, in a
//! [`SegmentTemplate`](crate::wire::SegmentTemplate); the payload is summed while it is copied.
//!
//! ```
//! use zerotcp::wire::{BuildError, SegmentFields, SegmentTemplate, SeqNumber, TcpFlags, TcpPacket};
//!
//! fn send(
//!     connection: &SegmentTemplate,
//!     seq: SeqNumber,
//!     data: &[u8],
//!     buffer: &mut [u8],
//! ) -> Result<usize, BuildError> {
//!     let flags = TcpFlags::ACK | TcpFlags::PSH;
//!     let fields = SegmentFields { seq, flags, window: 64240, ..Default::default() };
//!     connection.write(buffer, &fields, &[], [data, b""]) // two pieces, as of a ring buffer
//! }
//!
//! let (us, them) = ("192.0.2.1:7".parse().unwrap(), "10.0.0.9:49152".parse().unwrap());
//! let connection = SegmentTemplate::new(us, them);
//! let mut buffer = [0; 1500];
//! for (seq, data) in [(1, b"hello"), (6, b"again")] {
//!     let len = send(&connection, SeqNumber(seq), data, &mut buffer).unwrap();
//!     let packet = TcpPacket::parse(&buffer[..len]).unwrap();
//!     assert_eq!((packet.tcp.seq().0, packet.tcp.payload()), (seq, data.as_slice()));
//! }
//! ```
//!
//! # Answer a ping
//!
//! An echo request has come; its answer goes into another buffer.
//!
//! ```
//! use zerotcp::wire::{Icmpv4Builder, Icmpv4Type, Ipv4Packet};
//!
//! /// The length of the answer, if `request` is to be answered.
//! fn answer(request: &[u8], reply: &mut [u8]) -> Option<usize> {
//!     let ip = Ipv4Packet::parse(request).ok()?;
//!     let echo = ip.icmpv4().ok()?;
//!     if echo.kind() != Icmpv4Type::ECHO_REQUEST || echo.code() != 0 {
//!         return None;
//!     }
//!     Icmpv4Builder::echo_reply(ip.dst(), ip.src(), &echo).write(reply, echo.body()).ok()
//! }
//!
//! let (us, them) = ("192.0.2.1".parse().unwrap(), "192.0.2.9".parse().unwrap());
//! let mut request = [0; 36];
//! let ping = Icmpv4Builder::new(them, us, Icmpv4Type::ECHO_REQUEST, 0).rest([0x12, 0x34, 0, 1]);
//! ping.write(&mut request, b"abcdefgh").unwrap();
//!
//! let mut reply = [0; 1500];
//! let len = answer(&request, &mut reply).unwrap();
//! let packet = Ipv4Packet::parse(&reply[..len]).unwrap();
//! let echo = packet.icmpv4().unwrap();
//! assert_eq!((packet.src(), packet.dst()), (us, them));
//! assert_eq!((echo.identifier(), echo.sequence()), (0x1234, 1));
//! assert_eq!(echo.body(), b"abcdefgh");
//! assert_eq!(answer(&reply[..len], &mut [0; 1500]), None); // an answer is not answered
//! ```
//!
//! *What can go wrong*: [`icmpv4`](crate::wire::Ipv4Packet::icmpv4) refuses a bad checksum and a
//! fragment, `write` a buffer that is too small. Answer only what was sent to an address of yours:
//! who pings a broadcast address in somebody else's name makes a whole network flood them, and
//! RFC 1122 allows to keep silent there.
//!
//! *By*: RFC 792, RFC 1122 section 3.2.2.6.
//!
//! # Do it without `std`
//!
//! ```toml
//! [dependencies]
//! zerotcp = { path = "../zerotcp", default-features = false }
//! ```
//!
//! This is [`wire`](crate::wire) and nothing else: all of it, so every recipe here but the one with
//! the capture file. It needs neither `std` nor an allocator, depends on `zerocopy` and `byteorder`
//! alone, and takes Rust 1.93. Views borrow your buffer, builders fill it, errors are small `Copy`
//! values that implement `core::error::Error`. That it links so, and compiles where there is no
//! operating system, is tested in `tests/no_std/`.
//!
//! *Speed*: without `std` nobody asks the machine what it can do, so an ordinary x86-64 build sums
//! with the portable kernel, at less than half the speed for 1480 bytes. Turn on the feature
//! `detect`, which needs `std` and brings no dependency, or build with `-C target-cpu=native`.

// No recipe hides a line: what the tests compile is what a reader sees. All but the capture's
// use `core` alone.
