//! Tests that read like a packet exchange, in virtual time.
//!
//! A segment is written `FLAGS SEQ[:END] [ack N] [win N] [<options>]`, numbers relative to
//! each side's initial sequence number: `S 0 win 65535 <mss 1460>`, `P. 1:6 ack 1`. Flags
//! are S, F, R, P, U, E, W (CWR) and `.` for ACK, in this order; a packet's ECN bits are
//! `ect` for ECT(0) and `ce`, before the options. Ticks of ours count from the first one
//! that goes out, in `<nop,nop,TS val N ecr N>`. The text at number n is always
//! `octet(n)`, so what is sent and what is read checks itself.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use zerotcp::stack::{
    Config, ConnectionId, Event, Listen, ListenerId, Meta, Quad, SocketError, Stack,
};
use zerotcp::tcp::State;
use zerotcp::time::Instant;
use zerotcp::wire::{SackBlock, SeqNumber, TcpBuilder, TcpFlags, TcpOption, TcpPacket};

pub const US: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 2), 7);
pub const PEER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 1), 49152);

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

/// The octet at a relative sequence number.
pub fn octet(n: u32) -> u8 {
    (n ^ (n >> 8) ^ (n >> 16)) as u8
}

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
    /// Our first timestamp, learned from what goes out.
    pub first_tick: Option<u32>,
    pub us: SocketAddrV4,
    pub peer: SocketAddrV4,
    /// How much the user has sent and read, as the number of the next octet.
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
            first_tick: None,
            us: US,
            peer: PEER,
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

    /// The peer's segment arrives.
    pub fn inject(&mut self, text: &str) {
        let packet = self.segment(text);
        self.stack.receive(self.now, &packet, Meta::default());
    }

    /// The peer's segment as a packet.
    pub fn segment(&self, text: &str) -> Vec<u8> {
        let mut words = text.split_ascii_whitespace();
        let mut flags = TcpFlags::NONE;
        for letter in words.next().expect("flags").chars() {
            let known = FLAGS.iter().find(|(name, _)| *name == letter);
            flags |= known.unwrap_or_else(|| panic!("no flag {letter}")).1;
        }
        let span = words.next().expect("a sequence number");
        let (start, end) = span.split_once(':').unwrap_or((span, span));
        let (start, end): (i64, i64) = (start.parse().unwrap(), end.parse().unwrap());
        let mut builder = TcpBuilder::new(self.peer, self.us)
            .seq(self.irs + start as u32)
            .flags(flags)
            .window(65_535);
        let mut options = Vec::new();
        while let Some(word) = words.next() {
            match word {
                "ack" => {
                    let ack: i64 = words.next().unwrap().parse().unwrap();
                    builder = builder.ack(self.iss.unwrap_or_default() + ack as u32);
                }
                "win" => builder = builder.window(words.next().unwrap().parse().unwrap()),
                "ect" => builder = builder.ip(|ip| ip.ecn(0b10)),
                "ce" => builder = builder.ip(|ip| ip.ecn(0b11)),
                "urg" => builder = builder.urgent(words.next().unwrap().parse().unwrap()),
                _ => {
                    let rest: Vec<_> = std::iter::once(word).chain(words.by_ref()).collect();
                    options = parse_options(&rest.join(" "), self.first_tick.unwrap_or_default());
                }
            }
        }
        let payload = octets(start as u32, (end - start) as usize);
        let mut buffer = vec![0; 70_000];
        let len = builder
            .options(&options)
            .write(&mut buffer, &payload)
            .unwrap();
        buffer.truncate(len);
        buffer
    }

    /// What the stack sends next, as text, if anything.
    pub fn next(&mut self) -> Option<String> {
        let mut buffer = vec![0; 2000];
        let transmit = self.stack.poll_transmit(self.now, &mut buffer)?;
        let packet = TcpPacket::parse(&buffer[..transmit.len]).expect("what we send is sound");
        assert_eq!(Quad::of(&packet).reversed(), self.quad(), "to whom it goes");
        assert!(packet.ip.dont_fragment() && packet.ip.ttl() == 64);
        let (tcp, flags) = (packet.tcp, packet.tcp.flags());
        if flags.syn() {
            if self.iss.is_none() {
                // Another connection, another clock.
                self.first_tick = None;
            }
            assert!(self.iss.is_none_or(|iss| iss == tcp.seq()), "one ISS");
            self.iss = Some(tcp.seq());
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
        write!(text, " {seq}").unwrap();
        if !tcp.payload().is_empty() {
            write!(text, ":{}", seq as usize + tcp.payload().len()).unwrap();
        }
        if flags.ack() {
            write!(text, " ack {}", tcp.ack() - self.irs).unwrap();
        }
        write!(text, " win {}", tcp.window()).unwrap();
        match packet.ip.ecn() {
            0b00 => {}
            0b10 => text.push_str(" ect"),
            other => panic!("ECN bits {other:#b}"),
        }
        let resets = flags.rst();
        if let Some((value, _)) = tcp.option_summary().unwrap().timestamps
            && !resets
        {
            self.first_tick.get_or_insert(value);
        }
        let first_tick = self.first_tick.unwrap_or_default();
        // A reset's is always zero.
        let base = if resets { 0 } else { first_tick };
        let options: Vec<_> = tcp
            .options()
            .map(|option| show(option.unwrap(), self.irs, base))
            .collect();
        if !options.is_empty() {
            write!(text, " <{}>", options.join(",")).unwrap();
        }
        Some(text)
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
        assert_eq!(comparable.as_deref(), Some(expected), "sent: {actual:?}");
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

/// The options in `<>`; TSecr relative to our first tick.
fn parse_options(text: &str, first_tick: u32) -> Vec<TcpOption<'static>> {
    let inner = text
        .strip_prefix('<')
        .and_then(|text| text.strip_suffix('>'));
    let inner = inner.unwrap_or_else(|| panic!("options in <>: {text}"));
    let option = |text: &str| match text.split_once(' ') {
        Some(("mss", size)) => TcpOption::MaximumSegmentSize(size.parse().unwrap()),
        Some(("wscale", shift)) => TcpOption::WindowScale(shift.parse().unwrap()),
        Some(("TS", times)) => {
            let words: Vec<_> = times.split(' ').collect();
            let ["val", value, "ecr", echo] = words[..] else {
                panic!("no timestamps {times}");
            };
            TcpOption::Timestamps {
                value: value.parse().unwrap(),
                echo: first_tick.wrapping_add(echo.parse().unwrap()),
            }
        }
        None if text == "nop" => TcpOption::NoOperation,
        None if text == "sackOK" => TcpOption::SackPermitted,
        _ => panic!("no option {text}"),
    };
    inner.split(',').map(option).collect()
}

/// An option as text; the numbers of SACK blocks relative to `irs`, TSval to `first_tick`.
fn show(option: TcpOption<'_>, irs: SeqNumber, first_tick: u32) -> String {
    match option {
        TcpOption::NoOperation => "nop".into(),
        TcpOption::MaximumSegmentSize(size) => format!("mss {size}"),
        TcpOption::WindowScale(shift) => format!("wscale {shift}"),
        TcpOption::SackPermitted => "sackOK".into(),
        TcpOption::Sack(blocks) => {
            let block = |block: SackBlock| format!(" {}:{}", block.left - irs, block.right - irs);
            format!("sack{}", blocks.iter().map(block).collect::<String>())
        }
        TcpOption::Timestamps { value, echo } => {
            format!("TS val {} ecr {echo}", value.wrapping_sub(first_tick))
        }
        other => format!("{other:?}"),
    }
}
