//! Five tasks that [`wire`](crate::wire) is for, each as code that can be copied.
//!
//! - [Parse and check a packet](#parse-and-check-a-packet)
//! - [Count the flags in a capture](#count-the-flags-in-a-capture)
//! - [Rewrite addresses as a NAT does](#rewrite-addresses-as-a-nat-does)
//! - [Build a SYN](#build-a-syn)
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
//! use zerotcp::wire::{ParseError, TcpPacket};
//!
//! fn describe(bytes: &[u8]) -> Result<String, ParseError> {
//!     let TcpPacket { ip, tcp } = TcpPacket::parse(bytes)?;
//!     Ok(format!(
//!         "{}:{} > {}:{} {} seq {}, {} bytes of data",
//!         ip.src(), tcp.src_port(), ip.dst(), tcp.dst_port(),
//!         tcp.flags(), tcp.seq(), tcp.payload().len(),
//!     ))
//! }
//! # use zerotcp::wire::{SeqNumber, TcpBuilder, TcpFlags};
//! # let mut buffer = [0; 1500];
//! # let len = TcpBuilder::new("10.0.0.9:49152".parse().unwrap(), "192.0.2.1:80".parse().unwrap())
//! #     .seq(SeqNumber(7)).ack(SeqNumber(9)).flags(TcpFlags::PSH).write(&mut buffer, b"hello").unwrap();
//! # let packet = &mut buffer[..len];
//!
//! assert_eq!(
//!     describe(packet).unwrap(),
//!     "10.0.0.9:49152 > 192.0.2.1:80 PSH,ACK seq 7, 5 bytes of data",
//! );
//! packet[len - 1] ^= 1; // one bit of the data falls over
//! assert_eq!(
//!     describe(packet).unwrap_err().to_string(),
//!     "tcp: checksum 0xdf8a at byte 36, 0xe08a would be right",
//! );
//! ```
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
//! use zerotcp::wire::{EtherType, TcpFlags, TcpPacket};
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
//! # use zerotcp::wire::TcpBuilder;
//! # let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0];
//! # for flags in [TcpFlags::SYN, TcpFlags::SYN | TcpFlags::ACK, TcpFlags::ACK, TcpFlags::ACK] {
//! #     let mut packet = [0; 40];
//! #     let host = "192.0.2.1:80".parse().unwrap();
//! #     TcpBuilder::new(host, host).flags(flags).write(&mut packet, b"").unwrap();
//! #     file.extend([0, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 40, 0, 0, 0]);
//! #     file.extend(packet);
//! # }
//! // Of a file: CaptureReader::open("handshake.pcap")
//! let mut capture = CaptureReader::new(file.as_slice())?;
//! let counts = count(&mut capture)?;
//! assert_eq!(counts[&TcpFlags::SYN], 1);
//! assert_eq!(counts[&(TcpFlags::SYN | TcpFlags::ACK)], 1);
//! # assert_eq!(counts[&TcpFlags::ACK], 2);
//! # Ok::<(), CaptureError>(())
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
//! use std::net::SocketAddrV4;
//! use zerotcp::wire::{Ipv4PacketMut, ParseError};
//!
//! fn translate(bytes: &mut [u8], source: SocketAddrV4) -> Result<(), ParseError> {
//!     let mut packet = Ipv4PacketMut::parse(bytes)?;
//!     packet.tcp_mut()?.set_src_port(source.port());
//!     packet.set_src(*source.ip());
//!     Ok(())
//! }
//! # use zerotcp::wire::{TcpBuilder, TcpPacket};
//! # let mut buffer = [0; 1500];
//! # let len = TcpBuilder::new("10.0.0.9:49152".parse().unwrap(), "192.0.2.1:80".parse().unwrap())
//! #     .write(&mut buffer, b"hello").unwrap();
//! # let packet = &mut buffer[..len];
//!
//! translate(packet, "203.0.113.5:1024".parse().unwrap()).unwrap();
//!
//! let packet = TcpPacket::parse(packet).unwrap(); // verifies both checksums
//! assert_eq!(packet.ip.src().to_string(), "203.0.113.5");
//! assert_eq!(packet.tcp.src_port(), 1024);
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
//! use std::net::SocketAddrV4;
//! use zerotcp::wire::{BuildError, SeqNumber, TcpBuilder, TcpFlags, TcpOption};
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
//! # use zerotcp::wire::TcpPacket;
//! # let (client, server) = ("10.0.0.9:49152".parse().unwrap(), "192.0.2.1:443".parse().unwrap());
//!
//! let mut buffer = [0; 1500];
//! let len = syn(client, server, SeqNumber(0x1357_9bdf), &mut buffer).unwrap();
//! assert_eq!(len, 60);
//! let options = TcpPacket::parse(&buffer[..len]).unwrap().tcp.option_summary().unwrap();
//! assert_eq!((options.mss, options.window_scale), (Some(1460), Some(7)));
//!
//! let error = syn(client, server, SeqNumber(0), &mut [0; 40]).unwrap_err();
//! assert_eq!(error.to_string(), "the packet takes 60 bytes, the buffer has 40");
//! ```
//!
//! *What can go wrong*: a [`BuildError`](crate::wire::BuildError) where the buffer is too small
//! or options take more than 40 bytes; nothing has been written then. An initial sequence number
//! must not be one that others can guess: [`SeqNumber`](crate::wire::SeqNumber) takes any, RFC 9293
//! section 3.4.1 says how to choose it.
//!
//! *By*: RFC 9293 sections 3.1 and 3.2, RFC 7323 for window scale and timestamps, RFC 2018 for SACK.
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
//! # let (us, them) = ("192.0.2.1".parse().unwrap(), "192.0.2.9".parse().unwrap());
//! # let mut request = [0; 64];
//! # let len = Icmpv4Builder::new(them, us, Icmpv4Type::ECHO_REQUEST, 0)
//! #     .rest([0x12, 0x34, 0, 1]).write(&mut request, b"abcdefgh").unwrap();
//! # let request = &request[..len];
//!
//! let mut reply = [0; 1500];
//! let len = answer(request, &mut reply).unwrap();
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
