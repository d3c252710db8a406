//! Tests that read like a packet exchange, in virtual time.
//!
//! A segment is written `FLAGS SEQ[:END] [ack N] [win N] [urg N] [ce] [dscp N] [ttl N]
//! [<options>]`, numbers relative to each side's initial sequence number:
//! `S 0 win 65535 <mss 1460>`, `P. 1:6 ack 1`. Flags are S, F, R, P, U, E (ECE), W (CWR) and
//! `.` for ACK, in this order. The text at number n is always `octet(n)`, so what is sent and
//! what is read checks itself.
//!
//! Options are `mss N`, `wscale N`, `sackOK`, `sack A:B C:D`, `ts VALUE ECHO` (ours relative
//! to the first one seen), `nop`, `eol`, and `hex 0f03aa` for any other bytes. In what is
//! expected, `*` stands for anything.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use zerotcp::simulation::octet;
use zerotcp::stack::{
    Config, Connect, ConnectionId, Event, Listen, ListenerId, Meta, Quad, SocketError, Stack,
};
use zerotcp::tcp::{Settings, State};
use zerotcp::time::Instant;
use zerotcp::wire::{Icmpv4Type, SackBlock, SeqNumber, TcpBuilder, TcpFlags, TcpOption, TcpPacket};

use super::packets;

pub const US: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 2), 7);
pub const PEER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 1), 49152);
/// Who sends ICMP errors.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 254);

const FLAGS: [(char, TcpFlags); 8] = [
    ('S', TcpFlags::SYN),
    ('F', TcpFlags::FIN),
    ('R', TcpFlags::RST),
    ('P', TcpFlags::PSH),
    ('U', TcpFlags::URG),
    ('E', TcpFlags::ECE),
    ('W', TcpFlags::CWR),
    ('.', TcpFlags::ACK),
];

pub fn octets(start: u32, len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|n| octet(start.wrapping_add(n)))
        .collect()
}

/// One stack and a peer made of hand-written segments.
pub struct Script {
    pub stack: Stack,
    pub now: Instant,
    pub listener: ListenerId,
    /// The peer's initial sequence number.
    pub irs: SeqNumber,
    /// Ours, learned from the first SYN that goes out.
    pub iss: Option<SeqNumber>,
    /// Our first TSval, learned likewise.
    pub first_ts: Option<u32>,
    pub us: SocketAddrV4,
    pub peer: SocketAddrV4,
    /// The last packet that went out.
    pub last: Vec<u8>,
    /// How much the user has sent and read, as the number of the next octet.
    next_send: u32,
    next_read: u32,
}

/// One of several connections of a script.
#[derive(Clone, Copy, Debug)]
pub struct Talk {
    irs: SeqNumber,
    iss: Option<SeqNumber>,
    first_ts: Option<u32>,
    us: SocketAddrV4,
    peer: SocketAddrV4,
    next_send: u32,
    next_read: u32,
}

impl Script {
    pub fn new() -> Script {
        Script::with(|_| {})
    }

    /// A host that listens on port 7, its configuration changed by `change`.
    pub fn with(change: impl FnOnce(&mut Config)) -> Script {
        let mut config = Config::seeded(*US.ip(), 1);
        // Acknowledgments wait from the first one on, unless a test is about those.
        config.tcp.quick_acks = 0;
        change(&mut config);
        let mut stack = Stack::new(config);
        let listener = stack.listen(Listen::port(US.port())).unwrap();
        Script {
            stack,
            now: Instant::from_millis(1_000),
            listener,
            irs: SeqNumber(1_000_000),
            iss: None,
            first_ts: None,
            us: US,
            peer: PEER,
            last: Vec::new(),
            next_send: 1,
            next_read: 1,
        }
    }

    /// After the handshake, with the peer's window as given (not scaled) and MSS 1000.
    pub fn established(window: u16) -> (Script, ConnectionId) {
        Script::new().establish(window)
    }

    pub fn establish(mut self, window: u16) -> (Script, ConnectionId) {
        self.inject(&format!("S 0 win {window} <mss 1000>"));
        self.expect("S. 0 ack 1 <mss 1460>");
        self.inject(&format!(". 1 ack 1 win {window}"));
        let id = self.accept();
        self.expect_nothing();
        (self, id)
    }

    /// After a handshake that took `rtt` milliseconds, in which the peer's SYN had these
    /// flags, this window and these options.
    pub fn open(mut self, syn: &str, rtt: u64) -> (Script, ConnectionId) {
        let (flags, rest) = syn.split_once(' ').unwrap_or((syn, ""));
        self.inject(&format!("{flags} 0 {rest}"));
        self.next().expect("a SYN,ACK");
        self.pass(rtt);
        let window = rest.split_once("win ").map_or("65535", |(_, rest)| {
            rest.split_once(' ').map_or(rest, |(window, _)| window)
        });
        // With timestamps where both sides have them: the peer's stands still.
        let stamp = rest
            .split_once("ts ")
            .and_then(|(_, rest)| rest.split(' ').next());
        let stamps = match (self.first_ts, stamp) {
            (Some(_), Some(stamp)) => format!("<nop,nop,ts {stamp} 0>"),
            _ => String::new(),
        };
        self.inject(&format!(". 1 ack 1 win {window} {stamps}"));
        let id = self.accept();
        self.expect_nothing();
        (self, id)
    }

    /// An active open to a port of the peer's; its SYN has not gone out yet.
    pub fn connect(&mut self, port: u16) -> ConnectionId {
        let remote = SocketAddrV4::new(*self.peer.ip(), port);
        let id = self.stack.connect(self.now, remote).unwrap();
        self.peer = remote;
        self.us = self.stack.quad(id).unwrap().local();
        self.forget();
        id
    }

    /// The same from a port of our own choice.
    pub fn connect_from(&mut self, local: u16, port: u16) -> ConnectionId {
        let remote = SocketAddrV4::new(*self.peer.ip(), port);
        let connect = Connect::to(remote).local_port(local);
        let id = self.stack.connect(self.now, connect).unwrap();
        (self.us, self.peer) = (SocketAddrV4::new(*self.us.ip(), local), remote);
        self.forget();
        id
    }

    /// The user changes what can be set on a connection.
    #[track_caller]
    pub fn change(&mut self, id: ConnectionId, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.stack.settings(id).unwrap();
        change(&mut settings);
        self.stack.set(id, settings).unwrap();
        assert_eq!(self.stack.settings(id), Some(settings));
    }

    /// The peer goes on from another port, of which nothing has been heard yet.
    pub fn turn_to(&mut self, port: u16) {
        self.peer.set_port(port);
        self.forget();
    }

    /// What the script knows of its connection, to come back to it.
    pub fn talk(&self) -> Talk {
        Talk {
            irs: self.irs,
            iss: self.iss,
            first_ts: self.first_ts,
            us: self.us,
            peer: self.peer,
            next_send: self.next_send,
            next_read: self.next_read,
        }
    }

    /// Goes on with another connection, and gives back the one it leaves.
    pub fn switch_to(&mut self, other: Talk) -> Talk {
        let left = self.talk();
        (self.irs, self.iss, self.first_ts) = (other.irs, other.iss, other.first_ts);
        (self.us, self.peer) = (other.us, other.peer);
        (self.next_send, self.next_read) = (other.next_send, other.next_read);
        left
    }

    /// What is known of a connection is forgotten: another follows.
    fn forget(&mut self) {
        (self.iss, self.first_ts) = (None, None);
        (self.next_send, self.next_read) = (1, 1);
    }

    pub fn accept(&mut self) -> ConnectionId {
        self.stack
            .accept(self.listener)
            .expect("a connection waits")
    }

    pub fn quad(&self) -> Quad {
        Quad {
            src: (*self.peer.ip(), self.peer.port()),
            dst: (*self.us.ip(), self.us.port()),
        }
    }

    /// The state of the peer's connection; CLOSED where there is none.
    pub fn state(&self) -> State {
        self.stack.state_of(self.quad()).unwrap_or(State::Closed)
    }

    /// Lets `millis` pass, timers firing when they are due.
    pub fn pass(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(due) = self.stack.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.stack.handle_timeout(self.now);
        }
        self.now = end;
        self.stack.handle_timeout(self.now);
    }

    /// Lets time pass until a packet goes out, by timers alone: how many milliseconds, and the
    /// packet as text.
    #[track_caller]
    pub fn wait(&mut self) -> (u64, String) {
        let start = self.now;
        loop {
            if let Some(sent) = self.next() {
                return ((self.now - start).as_millis() as u64, sent);
            }
            let due = self.stack.poll_timeout().expect("a timer runs");
            self.now = self.now.max(due);
            assert!(
                self.now - start < Duration::from_secs(3600),
                "nothing comes"
            );
            self.stack.handle_timeout(self.now);
        }
    }

    /// The peer's segment arrives.
    #[track_caller]
    pub fn inject(&mut self, text: &str) {
        let packet = self.segment(text);
        self.raw(&packet);
    }

    /// The peer's segment arrives with a change for which there is no word, and checksums
    /// that are right.
    #[track_caller]
    pub fn tweak(&mut self, text: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut packet = self.segment(text);
        change(&mut packet);
        packets::seal(&mut packet);
        self.raw(&packet);
    }

    /// Any bytes arrive.
    pub fn raw(&mut self, packet: &[u8]) {
        self.stack.receive(self.now, packet, Meta::default());
    }

    /// A router's ICMP error arrives about the last packet that went out.
    pub fn icmp(&mut self, kind: Icmpv4Type, code: u8, rest: [u8; 4]) {
        let quote = self.last[..self.last.len().min(28)].to_vec();
        self.icmp_about(kind, code, rest, &quote);
    }

    /// A router's ICMP error arrives about this packet.
    pub fn icmp_about(&mut self, kind: Icmpv4Type, code: u8, rest: [u8; 4], quote: &[u8]) {
        let packet = packets::icmp(ROUTER, *self.us.ip(), kind, code, rest, quote);
        self.raw(&packet);
    }

    /// The peer's segment as a packet.
    #[track_caller]
    pub fn segment(&self, text: &str) -> Vec<u8> {
        let (head, options) = match text.split_once('<') {
            Some((head, options)) => (head, options.trim_end().strip_suffix('>')),
            None => (text, Some("")),
        };
        let options = self.option_bytes(options.expect("options end with >"));
        let mut words = head.split_ascii_whitespace();
        let mut flags = TcpFlags::NONE;
        for letter in words.next().expect("flags").chars() {
            // A minus stands for no flag at all.
            let known = FLAGS.iter().find(|(name, _)| *name == letter);
            match known {
                Some((_, flag)) => flags |= *flag,
                None => assert_eq!(letter, '-', "a flag"),
            }
        }
        let span = words.next().expect("a sequence number");
        let (start, end) = span.split_once(':').unwrap_or((span, span));
        let (start, end): (i64, i64) = (start.parse().unwrap(), end.parse().unwrap());
        let nops = vec![TcpOption::NoOperation; options.len()];
        let mut builder = TcpBuilder::new(self.peer, self.us)
            .seq(self.irs + start as u32)
            .flags(flags)
            .window(65_535)
            .options(&nops);
        while let Some(word) = words.next() {
            let mut number = || -> i64 { words.next().unwrap().parse().unwrap() };
            builder = match word {
                "ack" => builder.ack(self.iss.unwrap_or_default() + number() as u32),
                "win" => builder.window(number() as u16),
                "urg" => builder.urgent(number() as u16),
                "ect0" => builder.ip(|ip| ip.ecn(2)),
                "ce" => builder.ip(|ip| ip.ecn(3)),
                "dscp" => builder.ip(|ip| ip.dscp(number() as u8)),
                "ttl" => builder.ip(|ip| ip.ttl(number() as u8)),
                _ => panic!("no word {word}"),
            };
        }
        let payload = octets(start as u32, (end - start) as usize);
        let mut packet = vec![0; 40 + options.len() + payload.len()];
        let len = builder.write(&mut packet, &payload).unwrap();
        assert_eq!(len, packet.len());
        packet[40..40 + options.len()].copy_from_slice(&options);
        packets::seal(&mut packet);
        packet
    }

    /// Options as they stand in a header, with what fills it up.
    fn option_bytes(&self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for option in text.split(',').filter(|text| !text.is_empty()) {
            let (name, values) = option.split_once(' ').unwrap_or((option, ""));
            let ours = self.iss.unwrap_or_default();
            match name {
                "eol" => bytes.push(0),
                "nop" => bytes.push(1),
                "mss" => {
                    bytes.extend([2, 4]);
                    bytes.extend(values.parse::<u16>().unwrap().to_be_bytes());
                }
                "wscale" => bytes.extend([3, 3, values.parse().unwrap()]),
                "sackOK" => bytes.extend([4, 2]),
                "sack" => {
                    let edges = values.split([' ', ':']);
                    let edges = edges.map(|edge| ours + edge.parse::<i64>().unwrap() as u32);
                    let edges: Vec<u8> = edges.flat_map(|edge| edge.0.to_be_bytes()).collect();
                    bytes.extend([5, 2 + edges.len() as u8]);
                    bytes.extend(edges);
                }
                "ts" => {
                    let (value, echo) = values.split_once(' ').expect("TSval and TSecr");
                    let value = value.parse::<i64>().unwrap() as u32;
                    let echo = echo.parse::<i64>().unwrap() as u32;
                    let echo = self.first_ts.unwrap_or_default().wrapping_add(echo);
                    bytes.extend([8, 10]);
                    bytes.extend(value.to_be_bytes());
                    bytes.extend(echo.to_be_bytes());
                }
                "hex" => {
                    for at in (0..values.len()).step_by(2) {
                        bytes.push(u8::from_str_radix(&values[at..at + 2], 16).unwrap());
                    }
                }
                _ => panic!("no option {option}"),
            }
        }
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// The next packet to go out, if any, whatever it is.
    pub fn next_packet(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; usize::from(self.stack.config().mtu).max(2000)];
        let transmit = self.stack.poll_transmit(self.now, &mut buffer);
        // It looks at all there is.
        if self.stack.connection_count() < 100 {
            self.stack.audit(self.now).expect("what should always hold");
        }
        let transmit = transmit?;
        buffer.truncate(transmit.len);
        self.last.clone_from(&buffer);
        Some(buffer)
    }

    /// The number after the text of the last segment that went out.
    pub fn last_end(&self) -> u32 {
        let tcp = TcpPacket::parse(&self.last)
            .expect("what we send is sound")
            .tcp;
        let end = tcp.seq() + tcp.payload().len() as u32;
        end - self.iss.expect("a SYN has gone out")
    }

    /// The TSval of the last segment that went out, relative to the first one.
    pub fn stamp(&self) -> Option<u32> {
        let tcp = TcpPacket::parse(&self.last)
            .expect("what we send is sound")
            .tcp;
        let options = tcp.option_summary().expect("what we send is sound");
        let first = self.first_ts?;
        options
            .timestamps
            .map(|(value, _)| value.wrapping_sub(first))
    }

    /// All packets that are to go out now, thrown away; how many.
    pub fn drain(&mut self) -> usize {
        std::iter::from_fn(|| self.next_packet()).count()
    }

    /// What the stack sends next, as text, if anything.
    pub fn next(&mut self) -> Option<String> {
        let buffer = self.next_packet()?;
        let packet = TcpPacket::parse(&buffer).expect("what we send is sound");
        assert_eq!(Quad::of(&packet).reversed(), self.quad(), "to whom it goes");
        assert_eq!(packet.ip.ttl(), self.stack.config().ttl);
        // What has no text and is larger than any path must take may be cut.
        let may_be_cut = packet.tcp.payload().is_empty() && buffer.len() > 68;
        assert!(packet.ip.dont_fragment() || may_be_cut);
        let (tcp, flags) = (packet.tcp, packet.tcp.flags());
        if flags.syn() {
            if self.iss.is_none() {
                // Another connection, another clock.
                self.first_ts = None;
            }
            assert!(self.iss.is_none_or(|iss| iss == tcp.seq()), "one ISS");
            self.iss = Some(tcp.seq());
            let stamp = tcp.option_summary().unwrap().timestamps;
            self.first_ts = self.first_ts.or(stamp.map(|(value, _)| value));
        }
        // A reset may come before we know any number of ours.
        let seq = tcp.seq() - self.iss.unwrap_or_default();
        assert_eq!(
            tcp.payload(),
            octets(seq, tcp.payload().len()),
            "the text of {seq}"
        );
        let mut text = String::new();
        for (letter, flag) in FLAGS {
            if flags.contains(flag) {
                text.push(letter);
            }
        }
        // What lies before the initial number is negative.
        write!(text, " {}", seq.cast_signed()).unwrap();
        if !tcp.payload().is_empty() {
            write!(text, ":{}", seq as usize + tcp.payload().len()).unwrap();
        }
        if flags.ack() {
            write!(text, " ack {}", (tcp.ack() - self.irs).cast_signed()).unwrap();
        }
        write!(text, " win {}", tcp.window()).unwrap();
        if flags.urg() {
            write!(text, " urg {}", tcp.urgent()).unwrap();
        }
        text.push_str(["", " ect1", " ect0", " ce"][usize::from(packet.ip.ecn())]);
        if packet.ip.dscp() != 0 {
            write!(text, " dscp {}", packet.ip.dscp()).unwrap();
        }
        let options: Vec<_> = tcp
            .options()
            .map(|option| self.show(option.unwrap(), flags.rst()))
            .collect();
        if !options.is_empty() {
            write!(text, " <{}>", options.join(",")).unwrap();
        }
        Some(text)
    }

    /// An option as text; the numbers of SACK blocks relative to the peer's, the value of a
    /// timestamp to our first.
    fn show(&self, option: TcpOption<'_>, resets: bool) -> String {
        match option {
            TcpOption::NoOperation => "nop".into(),
            TcpOption::MaximumSegmentSize(size) => format!("mss {size}"),
            TcpOption::WindowScale(shift) => format!("wscale {shift}"),
            TcpOption::SackPermitted => "sackOK".into(),
            TcpOption::Sack(blocks) => {
                let number = |number: SeqNumber| (number - self.irs).cast_signed();
                let block =
                    |block: SackBlock| format!(" {}:{}", number(block.left), number(block.right));
                format!("sack{}", blocks.iter().map(block).collect::<String>())
            }
            TcpOption::Timestamps { value, echo } => {
                // A reset's is always zero.
                let first = self.first_ts.filter(|_| !resets).unwrap_or_default();
                format!("ts {} {echo}", value.wrapping_sub(first))
            }
            other => format!("{other:?}"),
        }
    }

    /// The stack sends this next; the window counts only if it is given.
    #[track_caller]
    pub fn expect(&mut self, expected: &str) {
        let actual = self.next();
        let comparable = actual
            .as_deref()
            .map(|actual| match expected.contains(" win ") {
                true => actual.to_owned(),
                false => without_window(actual),
            });
        if comparable
            .as_deref()
            .is_none_or(|actual| !matches(expected, actual))
        {
            assert_eq!(comparable.as_deref(), Some(expected), "sent: {actual:?}");
        }
    }

    /// The stack sends these next, in this order, and then nothing.
    #[track_caller]
    pub fn expect_all(&mut self, expected: &[&str]) {
        for expected in expected {
            self.expect(expected);
        }
        self.expect_nothing();
    }

    /// The stack has nothing to send.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        let actual = self.next();
        assert_eq!(actual, None);
    }

    /// The user sends the next `len` octets, all of which find room.
    #[track_caller]
    pub fn send(&mut self, id: ConnectionId, len: usize) {
        let data = octets(self.next_send, len);
        assert_eq!(self.stack.send(id, &data), Ok(len));
        self.next_send += len as u32;
    }

    /// As [`send`](Script::send), and they are urgent.
    #[track_caller]
    pub fn send_urgent(&mut self, id: ConnectionId, len: usize) {
        let data = octets(self.next_send, len);
        assert_eq!(self.stack.send_urgent(id, &data), Ok(len));
        self.next_send += len as u32;
    }

    /// The user reads until nothing is left: so many octets, and they are right.
    #[track_caller]
    pub fn read(&mut self, id: ConnectionId, len: usize) {
        let mut data = vec![0; len + 1];
        let count = match self.stack.recv(id, &mut data) {
            Err(SocketError::WouldBlock) => 0,
            result => result.unwrap(),
        };
        assert_eq!(count, len, "octets to read");
        assert_eq!(data[..count], octets(self.next_read, count));
        self.next_read += len as u32;
    }

    /// There is nothing to read: no text has come, whether or not there is an end.
    #[track_caller]
    pub fn read_nothing(&mut self, id: ConnectionId) {
        assert!(!matches!(self.stack.recv(id, &mut [0]), Ok(1..)));
    }

    /// Everything that has happened since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.stack.poll_event()).collect()
    }
}

fn without_window(text: &str) -> String {
    let mut words = text.split(' ').collect::<Vec<_>>();
    if let Some(at) = words.iter().position(|word| *word == "win") {
        words.drain(at..at + 2);
    }
    words.join(" ")
}

/// Whether they are the same, where `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == text;
    };
    text.strip_prefix(before)
        .is_some_and(|rest| (0..=rest.len()).any(|at| matches(after, &rest[at..])))
}
