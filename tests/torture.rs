//! Anything that peers and users can do, in any order, from a seed: nothing panics, hangs,
//! leaks or harms another connection, and what is read and sent is right.
//!
//! Peers aim at the sequence numbers in use, so that most segments reach deep into the
//! state machine. The octet at sequence number n is `octet(n)` in both directions, so that
//! whatever is delivered checks itself, however mad its sender.

mod common;

use std::collections::{BTreeMap, HashSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use common::dice::Dice;
use common::script::octet;
use zerotcp::stack::{
    Config, ConnectionId, Event, Listen, ListenerId, Meta, Quad, SocketError, Stack,
};
use zerotcp::tcp::{Ecn, Keepalive, Settings, State};
use zerotcp::time::Instant;
use zerotcp::wire::{
    Icmpv4Builder, Icmpv4Type, IpProtocol, Ipv4Builder, Ipv4Packet, OptionSummary, SackBlock,
    SackBlocks, SeqNumber, TcpBuilder, TcpFlags, TcpOption, TcpPacket,
};

const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PORT: u16 = 7;
/// The largest.
const MTU: u16 = 1500;
const MAX_CONNECTIONS: usize = 12;
/// The peer of the connection that nobody attacks.
const BYSTANDER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 9, 9), 9999);

fn text(start: SeqNumber, len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| octet((start + n).0)).collect()
}

/// What a peer knows of one connection, current or past.
#[derive(Debug, Default)]
struct Peer {
    /// The host's initial number, the number after the last one it sent, what it
    /// acknowledged last, and its window field.
    iss: Option<SeqNumber>,
    nxt: SeqNumber,
    ack: SeqNumber,
    window: u16,
    /// The peer's own initial number, as the host believed it.
    irs: SeqNumber,
    /// What the SYN that the host believed said.
    syn_window: u16,
    shift: u8,
    /// The host's last timestamp, if it sends any.
    times: Option<u32>,
    /// The right edge of the largest window ever offered to the host.
    edge: SeqNumber,
}

/// What a user knows of a connection.
struct Handle {
    id: ConnectionId,
    quad: Quad,
    /// The number of the next octet to read; none before the peer's SYN.
    read: Option<SeqNumber>,
    sent: u32,
    /// What events have said: that there is something to read, since a call found nothing;
    /// that it is open, that it is over.
    readable: bool,
    connected: bool,
    closed: bool,
    /// A call to send took less than it was given, and no event has said that there is room.
    blocked: bool,
}

impl Handle {
    fn new(id: ConnectionId, quad: Quad, read: Option<SeqNumber>) -> Handle {
        Handle {
            id,
            quad,
            read,
            sent: 0,
            readable: false,
            // What was accepted is open.
            connected: read.is_some(),
            closed: false,
            blocked: false,
        }
    }
}

struct World {
    seed: u64,
    dice: Dice,
    /// How many of the peers' segments, in percent, are as they should be.
    tame: u64,
    stack: Stack,
    config: Config,
    now: Instant,
    listener: ListenerId,
    /// Who listens to all other ports, on some hosts.
    other: Option<ListenerId>,
    peers: BTreeMap<Quad, Peer>,
    handles: Vec<Handle>,
    bystander: ConnectionId,
    /// How many octets the bystander's peer has sent.
    bystander_sent: u32,
    /// The states that connections were in, and left.
    seen: HashSet<State>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut dice = Dice(seed);
        let tame = dice.pick(&[0, 50, 80, 95]);
        let mut config = Config::seeded(HOST, seed);
        config.mtu = dice.pick(&[68, 296, MTU, MTU, MTU]);
        config.max_connections = MAX_CONNECTIONS;
        config.max_orphans = 3;
        config.report_states = true;
        config.tcp.receive_buffer = dice.pick(&[1, 700, 4000, 70_000, 200_000]);
        config.tcp.send_buffer = dice.pick(&[1, 3000, 9000]);
        config.tcp.max_out_of_order_runs = dice.pick(&[0, 2, 64]);
        config.syn_cookies = dice.percent(50);
        config.max_half_open = match config.syn_cookies {
            true => dice.pick(&[0, 1, 4096]),
            false => dice.pick(&[2, 4096]),
        };
        config.max_time_wait = dice.pick(&[2, 4096]);
        config.max_fragments_bytes = dice.pick(&[2000, 10_000, 4 << 20]);
        config.tcp.ecn = dice.pick(&[Ecn::Off, Ecn::Accept, Ecn::Offer]);
        config.tcp.timestamps = dice.percent(80);
        config.tcp.sack = dice.percent(80);
        config.tcp.window_scaling = dice.percent(80);
        config.tcp.msl = dice.pick(&[Duration::ZERO, Duration::from_secs(30)]);
        config.tcp.time_wait_protection = dice.percent(80);
        config.tcp.settings.max_retransmissions = 5;
        config.tcp.settings.nagle = dice.percent(70);
        let mut stack = Stack::new(config.clone());
        let listener = stack.listen(Listen::port(PORT).backlog(4)).unwrap();
        let other = dice.percent(50).then(|| {
            let any = Listen::any_port().address(HOST).backlog(2);
            stack.listen(any).unwrap()
        });
        // Initial numbers depend on the time: some of these are about to wrap.
        let now = Instant::from_millis(dice.below(20_000_000));
        let mut world = World {
            seed,
            dice,
            tame,
            stack,
            config,
            now,
            listener,
            other,
            peers: BTreeMap::new(),
            handles: Vec::new(),
            bystander: connection_of_nobody(HOST),
            bystander_sent: 0,
            seen: HashSet::new(),
        };
        world.open_bystander();
        world
    }

    /// The connection that is to remain unharmed.
    fn open_bystander(&mut self) {
        let quad = Quad {
            src: (*BYSTANDER.ip(), BYSTANDER.port()),
            dst: (HOST, PORT),
        };
        self.peers.insert(quad, Peer::default());
        let syn = builder(quad).flags(TcpFlags::SYN).window(1000);
        self.inject(quad, syn, 0);
        self.drain();
        let iss = self.peers[&quad].iss.unwrap();
        let ack = builder(quad).seq(SeqNumber(1)).ack(iss + 1).window(1000);
        self.inject(quad, ack.flags(TcpFlags::ACK), 0);
        self.bystander = self.stack.accept(self.listener).unwrap();
    }

    fn check_bystander(&mut self) {
        let quad = self.stack.quad(self.bystander).unwrap();
        let iss = self.peers[&quad].iss.unwrap();
        let seq = SeqNumber(1 + self.bystander_sent);
        let segment = builder(quad).seq(seq).ack(iss + 1).window(1000);
        self.inject(quad, segment.flags(TcpFlags::ACK), 1);
        self.bystander_sent += 1;
        let mut buffer = [0; 2];
        assert_eq!(self.stack.recv(self.bystander, &mut buffer), Ok(1));
        assert_eq!(buffer[0], octet(seq.0));
        self.pass(Duration::from_millis(50));
        assert_eq!(self.peers[&quad].ack, seq + 1);
        assert_eq!(
            self.stack.state(self.bystander),
            Some(State::Established),
            "the bystander"
        );
    }

    /// A segment of `quad`'s peer arrives, with `len` octets of text.
    fn inject(&mut self, quad: Quad, segment: TcpBuilder<'_>, len: usize) {
        let mut buffer = vec![0; 2000];
        // Its text follows from its number, which the builder knows.
        let header = segment.write(&mut buffer, &[]).unwrap();
        let seq = TcpPacket::parse(&buffer[..header]).unwrap().tcp.seq();
        let len = segment.write(&mut buffer, &text(seq, len)).unwrap();
        let packet = &buffer[..len];
        let tcp = TcpPacket::parse(packet).unwrap().tcp;

        let before = self.stack.state_of(quad);
        if quad.src.1 != BYSTANDER.port() && self.dice.percent(5) {
            self.inject_in_pieces(packet);
        } else {
            self.stack.receive(self.now, packet, Meta::default());
        }
        let after = self.stack.state_of(quad);
        let peer = self.peers.entry(quad).or_default();
        if before.is_none() && after.is_some() && !tcp.flags().syn() {
            // A cookie has come back, maybe not the last one. What its SYN said of windows is
            // not known any more.
            *peer = Peer {
                iss: Some(tcp.ack() - 1),
                nxt: tcp.ack(),
                ack: tcp.seq(),
                window: u16::MAX,
                irs: tcp.seq() - 1,
                shift: 14,
                times: peer.times,
                edge: tcp.ack(),
                ..Peer::default()
            };
        }
        let is_new = match before {
            None | Some(State::SynSent) => true,
            Some(State::TimeWait) => after == Some(State::SynReceived),
            _ => false,
        };
        if tcp.flags().syn() && before != after && is_new {
            peer.irs = tcp.seq();
            peer.syn_window = tcp.window();
            let (options, _) = OptionSummary::tolerant(tcp.option_bytes());
            peer.shift = options.window_scale.unwrap_or(0).min(14);
            if before.is_none() {
                peer.iss = None;
            } else if before == Some(State::SynSent) {
                peer.edge = peer.iss.unwrap_or_default() + 1 + u32::from(tcp.window());
            }
            for handle in self.handles.iter_mut() {
                if handle.quad == quad && self.stack.state(handle.id) == after {
                    handle.read = handle.read.or(Some(tcp.seq() + 1));
                }
            }
        }
        if let Some(iss) = peer.iss
            && tcp.flags().ack()
            && (tcp.ack() - iss) <= (peer.nxt - iss)
        {
            let edge = tcp.ack() + (u32::from(tcp.window()) << peer.shift);
            peer.edge = peer.edge.max(edge);
        }
    }

    /// A packet arrives in fragments, in any order, one of them maybe twice or never.
    fn inject_in_pieces(&mut self, packet: &[u8]) {
        let whole = Ipv4Packet::parse(packet).unwrap();
        let id = self.dice.roll() as u16;
        let size = self.dice.pick(&[24, 48, 504]);
        let count = whole.payload().len().div_ceil(size);
        let mut pieces = Vec::new();
        for (n, data) in whole.payload().chunks(size).enumerate() {
            let mut piece = vec![0; 20 + data.len()];
            let builder = Ipv4Builder::new(whole.src(), whole.dst(), whole.protocol());
            builder
                .ecn(whole.ecn())
                .identification(id)
                .dont_fragment(false)
                .fragment((n * size) as u16, n + 1 < count)
                .write(&mut piece, data)
                .unwrap();
            pieces.push(piece);
        }
        if self.dice.percent(10) {
            let at = self.dice.below(pieces.len() as u64) as usize;
            pieces.remove(at);
        }
        // One at most comes twice: all of them would be the datagram once more.
        if count > 1 && !pieces.is_empty() && self.dice.percent(20) {
            pieces.push(self.dice.pick(&pieces.iter().collect::<Vec<_>>()).clone());
        }
        while !pieces.is_empty() {
            let at = self.dice.below(pieces.len() as u64) as usize;
            let piece = pieces.swap_remove(at);
            self.stack.receive(self.now, &piece, Meta::default());
        }
    }

    /// Everything there is to send goes out, and is looked at.
    fn drain(&mut self) {
        let mut buffer = [0; MTU as usize];
        let mut count = 0;
        while let Some(transmit) = self.stack.poll_transmit(self.now, &mut buffer) {
            count += 1;
            assert!(count < 5000, "seed {}: it sends for ever", self.seed);
            let packet = &buffer[..transmit.len];
            let ip = Ipv4Packet::parse(packet).expect("sound");
            assert_eq!(ip.src(), HOST);
            if ip.protocol() == IpProtocol::ICMP {
                match ip.is_fragment() {
                    true => assert!(!ip.dont_fragment()),
                    false => drop(ip.icmpv4().expect("sound")),
                }
                continue;
            }
            let packet = TcpPacket::parse(packet).expect("sound");
            let quad = Quad::of(&packet).reversed();
            let peer = self.peers.entry(quad).or_default();
            let (tcp, flags) = (packet.tcp, packet.tcp.flags());
            if flags.rst() {
                continue;
            }
            let opens = [None, Some(State::SynSent), Some(State::SynReceived)];
            if flags.syn() && !opens.contains(&self.stack.state_of(quad)) {
                // A cookie that was still to go out when another came back.
                continue;
            }
            if flags.syn() && peer.iss != Some(tcp.seq()) {
                peer.iss = Some(tcp.seq());
                peer.nxt = tcp.seq() + 1;
                peer.edge = tcp.seq() + 1 + u32::from(peer.syn_window);
            }
            let Some(iss) = peer.iss else {
                panic!("seed {}: no SYN before {quad}", self.seed);
            };
            let len = tcp.payload().len();
            let sent: Vec<u8> = (0..len as u32)
                .map(|n| octet(tcp.seq() - iss + n))
                .collect();
            assert_eq!(tcp.payload(), sent, "seed {}: its text", self.seed);
            let end = tcp.seq() + tcp.sequence_len();
            if peer.nxt < end {
                // But for a probe of one octet, or the FIN.
                let within = end <= peer.edge + 1;
                assert!(within, "seed {}: beyond the window of {quad}", self.seed);
                peer.nxt = end;
            }
            if flags.ack() {
                (peer.ack, peer.window) = (tcp.ack(), tcp.window());
            }
            let options = tcp.option_summary().expect("sound");
            peer.times = options.timestamps.map(|(value, _)| value);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.stack.handle_timeout(self.now);
        let next = self.stack.poll_timeout();
        let late = next.is_some_and(|next| next <= self.now);
        assert!(!late, "seed {}: a timer in the past", self.seed);
        self.drain();
    }

    fn step(&mut self) {
        match self.dice.below(100) {
            0..60 => self.send_segment(),
            60..61 => self.send_garbage(),
            61..62 => self.send_icmp_error(),
            62..80 => self.use_handle(),
            80..82 => self.connect(),
            _ => {
                let nanos = match self.dice.below(10) {
                    0..5 => self.dice.below(50_000_000),
                    5..9 => self.dice.below(2_000_000_000),
                    _ => self.dice.below(100_000_000_000),
                };
                self.pass(Duration::from_nanos(nanos));
            }
        }
        if self.dice.percent(80) {
            self.drain();
        }
        let listeners = [Some(self.listener), self.other];
        let accept = |stack: &mut Stack| {
            let mut listeners = listeners.into_iter().flatten();
            listeners.find_map(|listener| stack.accept(listener))
        };
        while let Some(id) = accept(&mut self.stack) {
            let quad = self.stack.quad(id).unwrap();
            let read = Some(self.peers[&quad].irs + 1);
            self.handles.push(Handle::new(id, quad, read));
        }
        if self.dice.percent(70) {
            self.poll_events();
        }
        assert!(self.stack.connection_count() <= MAX_CONNECTIONS);
        assert!(self.stack.half_open_count() <= self.config.max_half_open);
        assert!(self.stack.time_wait_count() <= self.config.max_time_wait);
        for handle in &self.handles {
            let slices = self.stack.recv_slices(handle.id);
            let waiting = slices[0].len() + slices[1].len();
            assert!(waiting <= self.config.tcp.receive_buffer);
        }
        if self.dice.percent(2) {
            self.check_bystander();
        }
    }

    /// Polls all events, and looks whether any is missing.
    fn poll_events(&mut self) {
        let seed = self.seed;
        while let Some(event) = self.stack.poll_event() {
            let mut handles = self.handles.iter_mut();
            let mut find = |id| handles.find(|handle| handle.id == id);
            match event {
                Event::State { from, .. } => drop(self.seen.insert(from)),
                Event::Readable(id) => {
                    if let Some(handle) = find(id) {
                        handle.readable = true;
                    }
                }
                Event::Writable(id) => {
                    if let Some(handle) = find(id) {
                        handle.blocked = false;
                    }
                }
                Event::Connected(id) => {
                    if let Some(handle) = find(id) {
                        assert!(!handle.connected, "seed {seed}: opened twice");
                        handle.connected = true;
                    }
                }
                Event::Closed(id, _) => {
                    if let Some(handle) = find(id) {
                        assert!(!handle.closed, "seed {seed}: closed twice");
                        handle.closed = true;
                    }
                }
                _ => {}
            }
        }
        for handle in &self.handles {
            let state = self.stack.state(handle.id).expect("a handle");
            let waits = !self.stack.recv_slices(handle.id)[0].is_empty();
            match state {
                State::Closed => assert!(handle.closed, "seed {seed}: not told of the end"),
                State::SynSent | State::SynReceived => {}
                _ => {
                    assert!(handle.connected, "seed {seed}: not told of the beginning");
                    let waits = waits || self.stack.is_at_end(handle.id);
                    assert!(!waits || handle.readable, "seed {seed}: not told of text");
                }
            }
            let room = self.stack.send_room(handle.id);
            let half = self.config.tcp.send_buffer.div_ceil(2);
            let has_room = room > 0 && room >= half;
            assert!(
                !handle.blocked || !has_room,
                "seed {seed}: not told of room"
            );
        }
    }

    /// Mostly one of the connections there are.
    fn any_quad(&mut self) -> Quad {
        let (stack, peers) = (&self.stack, &self.peers);
        let is_target =
            |quad: &&Quad| quad.src.1 != BYSTANDER.port() && stack.state_of(**quad).is_some();
        let live: Vec<Quad> = peers.keys().filter(is_target).copied().collect();
        if !live.is_empty() && self.dice.percent(88) {
            return self.dice.pick(&live);
        }
        Quad {
            src: (Ipv4Addr::new(10, 0, 1, 1), 1000 + self.dice.below(8) as u16),
            dst: (HOST, if self.dice.percent(95) { PORT } else { 1337 }),
        }
    }

    fn send_segment(&mut self) {
        let quad = self.any_quad();
        let is_live = self.stack.state_of(quad).is_some();
        let peer = self.peers.entry(quad).or_default();
        let (iss, nxt, ack, irs) = (peer.iss.unwrap_or_default(), peer.nxt, peer.ack, peer.irs);
        let times = peer.times;
        let edge = ack + (u32::from(peer.window) << 2);
        let dice = &mut self.dice;
        let tame = dice.percent(self.tame);
        let near = |dice: &mut Dice, base: SeqNumber| {
            let by = dice.pick(&[1, 2, 10, 1500, 65_536]);
            base + dice.below(by) as u32 - dice.below(by) as u32
        };
        let flags = match dice.below(100) {
            // Who has no connection mostly wants one.
            n if !is_live && n < 20 => TcpFlags::SYN | TcpFlags::ECE | TcpFlags::CWR,
            n if !is_live && n < 70 => TcpFlags::SYN,
            // What may bring a cookie back.
            n if !is_live && n < 90 => TcpFlags::ACK,
            n if tame && n < 97 => TcpFlags::ACK,
            0..55 => TcpFlags::ACK,
            55..65 => TcpFlags::ACK | TcpFlags::FIN,
            65..73 => TcpFlags::SYN,
            73..79 => TcpFlags::SYN | TcpFlags::ACK,
            79..82 => TcpFlags::RST,
            82..84 => TcpFlags::RST | TcpFlags::ACK,
            84..90 => TcpFlags::ACK | TcpFlags::PSH | TcpFlags::URG,
            _ => TcpFlags::from_bits(dice.roll() as u16 & 0x1ff),
        };
        let seq = match dice.below(100) {
            _ if tame => ack,
            0..60 => ack,
            60..80 => near(dice, ack),
            80..85 => near(dice, edge),
            85..90 => irs,
            90..93 => ack + 0x8000_0000,
            _ => SeqNumber(dice.roll() as u32),
        };
        let acks = match dice.below(100) {
            _ if tame => nxt,
            0..60 => nxt,
            60..80 => near(dice, nxt),
            80..88 => iss + 1,
            88..91 => nxt + 0x8000_0000,
            _ => SeqNumber(dice.roll() as u32),
        };
        let len = match dice.below(100) {
            0..40 => 0,
            40..60 => 1 + dice.below(20),
            60..80 => 1000,
            _ => dice.below(1400),
        };
        let window = dice.pick(&[0, 0, 1, 10, 500, 1000, 1000, 65_535]);
        let mut options = Vec::new();
        if flags.syn() || dice.percent(3) {
            for _ in 0..dice.below(4) {
                options.push(match dice.below(4) {
                    0 => TcpOption::MaximumSegmentSize(dice.pick(&[0, 1, 48, 536, 1460, 65_535])),
                    1 => TcpOption::WindowScale(dice.pick(&[0, 2, 14, 15, 255])),
                    2 => TcpOption::SackPermitted,
                    _ => TcpOption::Unknown {
                        kind: dice.pick(&[2, 3, 5, 99]),
                        data: &[],
                    },
                });
            }
        }
        // Whose connection has them must send them, or nothing of it is heard.
        let stamps = match times {
            Some(_) => tame || dice.percent(90),
            None => dice.percent(if flags.syn() { 40 } else { 5 }),
        };
        if stamps {
            let clock = self.now.as_millis() as u32;
            let (value, echo) = (SeqNumber(clock), SeqNumber(times.unwrap_or_default()));
            let (value, echo) = match dice.below(100) {
                0..80 => (value, echo),
                80..95 => (near(dice, value), near(dice, echo)),
                _ => (SeqNumber(dice.roll() as u32), SeqNumber(0)),
            };
            let (value, echo) = (value.0, echo.0);
            options.push(TcpOption::Timestamps { value, echo });
        }
        let mut blocks = Vec::new();
        for _ in 0..dice.pick(&[0, 0, 1, 2, 3]) {
            let base = dice.pick(&[iss + 1, acks, nxt, edge]);
            let left = near(dice, base);
            let right = match dice.below(10) {
                0..8 => left + dice.below(3000) as u32,
                _ => near(dice, left),
            };
            blocks.push(SackBlock { left, right });
        }
        let mut room = [0; SackBlocks::MAX * SackBlocks::BLOCK_LEN];
        if options.len() < 2 {
            options.extend(SackBlocks::write(&blocks, &mut room).map(TcpOption::Sack));
        }
        let mark = dice.pick(&[0, 0, 0, 2, 3]);
        let mut segment = builder(quad)
            .ip(|ip| ip.ecn(mark))
            .seq(seq)
            .window(window)
            .flags(flags);
        if flags.ack() {
            segment = segment.ack(acks);
        }
        if flags.urg() {
            segment = segment.urgent(dice.roll() as u16);
        }
        self.inject(quad, segment.options(&options), len as usize);
    }

    /// An ICMP error about a segment of the host's, or one that looks like it.
    fn send_icmp_error(&mut self) {
        let quad = self.any_quad();
        let peer = self.peers.entry(quad).or_default();
        let seq = peer.nxt - self.dice.below(3000) as u32;
        let mut quote = [0; 100];
        let quoted = TcpBuilder::new(quad.local(), quad.peer()).seq(seq);
        let len = quoted.write(&mut quote, &[]).unwrap();
        let len = self.dice.pick(&[len, 28, 20, 3]);
        let kind = self.dice.pick(&[3, 3, 3, 4, 5, 11, 12]);
        let code = self.dice.below(6) as u8;
        let mtu = self.dice.pick(&[0, 1, 68, 296, 552, 1000, 1499, 65_535u16]);
        let [high, low] = mtu.to_be_bytes();
        let mut buffer = [0; 200];
        let router = Ipv4Addr::new(10, 9, 9, 9);
        let error = Icmpv4Builder::new(router, HOST, Icmpv4Type(kind), code);
        let error = error.rest([0, 0, high, low]);
        let len = error.write(&mut buffer, &quote[..len]).unwrap();
        self.stack
            .receive(self.now, &buffer[..len], Meta::default());
    }

    fn send_garbage(&mut self) {
        let quad = self.any_quad();
        let mut buffer = [0; 200];
        let body = text(SeqNumber(9), self.dice.below(100) as usize);
        let len = if self.dice.percent(50) {
            let kind = Icmpv4Type::ECHO_REQUEST;
            let echo = Icmpv4Builder::new(quad.src.0, HOST, kind, 0);
            echo.write(&mut buffer, &body).unwrap()
        } else {
            builder(quad).write(&mut buffer, &body).unwrap()
        };
        for _ in 0..self.dice.below(3) {
            let at = self.dice.below(len as u64) as usize;
            buffer[at] ^= self.dice.roll() as u8;
        }
        let cut = self.dice.below(len as u64 + 1) as usize;
        let len = if self.dice.percent(50) { len } else { cut };
        self.stack
            .receive(self.now, &buffer[..len], Meta::default());
    }

    fn connect(&mut self) {
        let port = 1000 + self.dice.below(20) as u16;
        let remote = SocketAddrV4::new(Ipv4Addr::new(10, 0, 1, 1), port);
        if let Ok(id) = self.stack.connect(self.now, remote) {
            let quad = self.stack.quad(id).unwrap();
            self.peers.insert(quad, Peer::default());
            self.handles.push(Handle::new(id, quad, None));
            self.drain();
        }
    }

    fn use_handle(&mut self) {
        if self.handles.is_empty() {
            return;
        }
        let at = self.dice.below(self.handles.len() as u64) as usize;
        let handle = &mut self.handles[at];
        let id = handle.id;
        match self.dice.below(100) {
            0..45 => {
                let len = self.dice.pick(&[0, 1, 10, 1460, 5000]);
                let data: Vec<u8> = (0..len).map(|n| octet(1 + handle.sent + n)).collect();
                let sent = match self.dice.percent(10) {
                    true => self.stack.send_urgent(id, &data),
                    false => self.stack.send(id, &data),
                };
                match sent {
                    Ok(count) => {
                        handle.sent += count as u32;
                        handle.blocked |= count < data.len();
                    }
                    Err(SocketError::WouldBlock) => handle.blocked = true,
                    Err(_) => {}
                }
            }
            45..48 => {
                let mut settings = Settings::default();
                settings.nagle = self.dice.percent(50);
                settings.max_retransmissions = self.dice.pick(&[0, 3, 15, 255]);
                settings.dscp = self.dice.below(256) as u8;
                let times = [0, 1, 1_000, 100_000, u64::MAX].map(Duration::from_millis);
                if self.dice.percent(30) {
                    settings.user_timeout = Some(self.dice.pick(&times));
                }
                if self.dice.percent(50) {
                    settings.keepalive = Some(Keepalive {
                        idle: self.dice.pick(&times),
                        interval: self.dice.pick(&times),
                        probes: self.dice.pick(&[0, 1, 5, 255]),
                    });
                }
                self.stack.set(id, settings).unwrap();
            }
            48..85 => {
                let mut buffer = vec![0; self.dice.pick(&[1, 100, 5000, 100_000])];
                match self.stack.recv(id, &mut buffer) {
                    Ok(0) => {}
                    Err(SocketError::WouldBlock) => handle.readable = false,
                    Ok(count) => {
                        let start = handle.read.expect("nothing comes before a SYN");
                        assert_eq!(buffer[..count], text(start, count), "seed {}", self.seed);
                        handle.read = Some(start + count as u32);
                    }
                    Err(_) if self.dice.percent(50) => {}
                    Err(_) => {
                        self.stack.close(id);
                        self.handles.swap_remove(at);
                    }
                }
            }
            85..92 => self.stack.shutdown(id).unwrap(),
            92..97 => {
                self.stack.close(id);
                self.handles.swap_remove(at);
            }
            97..98 => {
                self.stack.abort(id);
                self.handles.swap_remove(at);
            }
            _ => {
                self.stack.unlisten(self.listener);
                let listen = Listen::port(PORT).backlog(4);
                self.listener = self.stack.listen(listen).unwrap();
            }
        }
    }

    /// The peers fall silent and the users leave: all ends by itself.
    fn end(&mut self) {
        self.check_bystander();
        for handle in core::mem::take(&mut self.handles) {
            self.stack.close(handle.id);
        }
        self.stack.unlisten(self.listener);
        if let Some(other) = self.other {
            self.stack.unlisten(other);
        }
        self.drain();
        let mut looks = 0;
        let limit = self.now + Duration::from_secs(3600);
        while let Some(next) = self.stack.poll_timeout() {
            assert!(next < limit, "seed {}: timers without end", self.seed);
            let wait = next - self.now;
            self.pass(wait);
            looks += 1;
            assert!(looks < 10_000, "seed {}: a storm of timers", self.seed);
        }
        let seed = self.seed;
        assert_eq!(self.stack.connection_count(), 1, "seed {seed}: a leak");
        self.check_bystander();
        self.stack.abort(self.bystander);
        assert_eq!(self.stack.connection_count(), 0);
        assert_eq!(self.stack.half_open_count(), 0);
        assert_eq!(self.stack.time_wait_count(), 0);
        while self.stack.poll_event().is_some() {}
    }
}

fn builder(quad: Quad) -> TcpBuilder<'static> {
    TcpBuilder::new(quad.peer(), quad.local())
}

/// A handle to begin with.
fn connection_of_nobody(address: Ipv4Addr) -> ConnectionId {
    let mut stack = Stack::new(Config::seeded(address, 0));
    stack.connect(Instant::ZERO, BYSTANDER).unwrap()
}

#[test]
fn whatever_happens() {
    // More with ZEROTCP_TORTURE=<first seed>:<last seed>.
    let seeds = std::env::var("ZEROTCP_TORTURE").ok().and_then(|range| {
        let (first, last) = range.split_once(':')?;
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    let mut seen = HashSet::new();
    let [mut cookies, mut datagrams] = [0; 2];
    for seed in seeds.unwrap_or(0u64..=100) {
        let mut world = World::new(seed);
        for _ in 0..1000 {
            world.step();
        }
        world.end();
        seen.extend(world.seen);
        cookies += world.stack.counters().syn_cookies_accepted;
        datagrams += world.stack.counters().datagrams_reassembled;
    }
    assert!(cookies > 0 && datagrams > 0);
    // It would prove little otherwise.
    for state in [
        State::SynSent,
        State::SynReceived,
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::CloseWait,
        State::Closing,
        State::LastAck,
        State::TimeWait,
    ] {
        assert!(seen.contains(&state), "{state} was never left");
    }
}
