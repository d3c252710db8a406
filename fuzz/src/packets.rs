//! A host that takes in any packets at any times: what it sends is sound, its timers and its
//! memory stay in bounds, and when all is over nothing is left.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use zerotcp::simulation::check_sent;
use zerotcp::stack::{Config, ConnectionId, Event, Listen, ListenerId, Meta, SocketError, Stack};
use zerotcp::tcp::Ecn;
use zerotcp::time::Instant;
use zerotcp::wire::TcpPacket;

use crate::input::Input;
use crate::naive;

pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const PORT: u16 = 7;
const PEER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 7777);
const MAX_CONNECTIONS: usize = 20;

/// Two bytes say how the host is set up; then come the steps, each a byte and what it needs: a
/// packet with its length before it, a time to pass, a call. See [`World::step`].
pub fn run(data: &[u8]) {
    let sent = play(data);
    // The same calls at the same times give the same bytes.
    if data.first().is_some_and(|first| first & 0x80 != 0) {
        assert_eq!(play(data), sent);
    }
}

fn play(data: &[u8]) -> u64 {
    let mut input = Input::new(data);
    let mut world = World::new(&mut input);
    while !input.is_empty() {
        world.step(&mut input);
        world.drain();
        world.check();
    }
    world.end();
    world.sent
}

struct World {
    stack: Stack,
    now: Instant,
    listener: ListenerId,
    connections: Vec<ConnectionId>,
    /// The last segment that the host has sent.
    last: Option<Segment>,
    /// Packets taken in.
    count: u64,
    /// A hash of all that was sent.
    sent: u64,
}

/// What an answer to a segment needs to know of it.
struct Segment {
    /// Source and destination, addresses and ports.
    from: SocketAddrV4,
    to: SocketAddrV4,
    /// The number after it, and what it acknowledges.
    nxt: u32,
    ack: u32,
}

impl World {
    fn new(input: &mut Input<'_>) -> World {
        let (bits, more) = (input.u8(), input.u8());
        let bit = |n: u8| bits >> n & 1 != 0;
        let mut config = Config::seeded(HOST, 1);
        config.max_connections = MAX_CONNECTIONS;
        config.max_half_open = if bit(0) { 0 } else { 2 };
        config.syn_cookies = bit(0) || bit(1);
        config.tcp.sack = !bit(2);
        config.tcp.timestamps = !bit(3);
        config.tcp.ecn = if bit(4) { Ecn::Offer } else { Ecn::Accept };
        config.report_states = bit(5);
        config.mtu = if bit(6) { 68 } else { 1500 };
        config.max_orphans = 1 + usize::from(more & 3);
        config.max_time_wait = usize::from(more >> 2 & 3);
        config.tcp.receive_buffer = [64_000, 1, 2000, 200_000][usize::from(more >> 4 & 3)];
        config.tcp.send_buffer = [64_000, 1, 2000, 200_000][usize::from(more >> 6)];
        config.max_fragments_bytes = 20_000;
        let mut stack = Stack::new(config);
        let listen = Listen::port(PORT).backlog(4);
        let listener = stack.listen(listen).expect("nobody else listens");
        World {
            stack,
            now: Instant::from_millis(1_000),
            listener,
            connections: Vec::new(),
            last: None,
            count: 0,
            sent: 0,
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let step = input.u8();
        let bit = |n: u8| step >> n & 1 != 0;
        match step & 7 {
            0..4 => {
                let len = usize::from(input.u16() & 0x0fff);
                let mut packet = input.take(len).to_vec();
                if bit(3) {
                    self.aim(&mut packet);
                }
                if bit(4) {
                    naive::seal_payload(&mut packet);
                    naive::seal_ipv4(&mut packet);
                }
                let mut meta = Meta::default();
                meta.tcp_checksum_verified = bit(5);
                for _ in 0..if bit(6) { 2 } else { 1 } {
                    self.stack.receive(self.now, &packet, meta);
                    self.count += 1;
                }
            }
            4 | 5 => {
                // From milliseconds up to hours.
                let millis = u64::from(input.u8()) << (step >> 3 & 15);
                self.now += Duration::from_millis(millis);
                self.stack.handle_timeout(self.now);
                let next = self.stack.poll_timeout();
                assert!(
                    next.is_none_or(|next| next > self.now),
                    "a timer in the past"
                );
            }
            6 => self.call(step >> 3, input.u16()),
            _ => {
                let to = SocketAddrV4::new(*PEER.ip(), PEER.port() + u16::from(step >> 3));
                // There may be too many already.
                if let Ok(connection) = self.stack.connect(self.now, to) {
                    self.connections.push(connection);
                }
            }
        }
    }

    /// Makes a packet one to the host; a segment an answer to the last one of the host, its
    /// numbers counted from those.
    fn aim(&self, packet: &mut [u8]) {
        let Some(range) = naive::payload_range(packet) else {
            return;
        };
        let (header, payload) = packet.split_at_mut(range.start);
        header[12..16].copy_from_slice(&PEER.ip().octets());
        header[16..20].copy_from_slice(&HOST.octets());
        if header[9] != 6 || payload.len() < 20 {
            return;
        }
        let Some(last) = &self.last else {
            naive::set_word(payload, 2, PORT);
            return;
        };
        header[12..16].copy_from_slice(&last.to.ip().octets());
        naive::set_word(payload, 0, last.to.port());
        naive::set_word(payload, 2, last.from.port());
        for (at, base) in [(4, last.ack), (8, last.nxt)] {
            let number = naive::long(payload, at).wrapping_add(base);
            payload[at..at + 4].copy_from_slice(&number.to_be_bytes());
        }
    }

    fn call(&mut self, what: u8, value: u16) {
        let count = self.connections.len();
        let Some(&connection) = self.connections.get(usize::from(value) % count.max(1)) else {
            return;
        };
        let mut buffer = vec![0; usize::from(value & 0x1fff)];
        match what & 7 {
            0 | 1 => drop(self.stack.send(connection, &buffer)),
            2 => drop(self.stack.recv(connection, &mut buffer)),
            3 => self.stack.consume(connection, value.into()),
            4 => drop(self.stack.shutdown(connection)),
            5 => drop(
                self.stack
                    .send_urgent(connection, &buffer[..usize::from(value & 3)]),
            ),
            6 => {
                self.stack.close(connection);
                self.connections.retain(|one| *one != connection);
            }
            _ => {
                self.stack.abort(connection);
                self.connections.retain(|one| *one != connection);
            }
        }
    }

    /// All that is to be sent goes out and is looked at.
    fn drain(&mut self) {
        let mtu = usize::from(self.stack.config().mtu);
        let mut buffer = [0; 1500];
        let mut count = 0;
        while let Some(transmit) = self.stack.poll_transmit(self.now, &mut buffer[..mtu]) {
            count += 1;
            assert!(count < 10_000, "it sends for ever");
            let packet = &buffer[..transmit.len];
            let (ip, tcp) = check_sent(packet, HOST, mtu).expect("sound");
            for &byte in packet {
                self.sent = (self.sent ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            if let Some(tcp) = tcp {
                self.note(&TcpPacket { ip, tcp });
            }
        }
    }

    fn note(&mut self, packet: &TcpPacket<'_>) {
        let TcpPacket { ip, tcp } = packet;
        // Nobody has port 0, but whoever uses it is told so.
        assert!(tcp.flags().rst() || (tcp.src_port() != 0 && tcp.dst_port() != 0));
        self.last = Some(Segment {
            from: SocketAddrV4::new(ip.src(), tcp.src_port()),
            to: SocketAddrV4::new(ip.dst(), tcp.dst_port()),
            nxt: (tcp.seq() + tcp.sequence_len()).0,
            ack: tcp.ack().0,
        });
    }

    fn check(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            if let Event::Incoming(listener) = event {
                assert_eq!(listener, self.listener);
            }
        }
        while let Some(connection) = self.stack.accept(self.listener) {
            self.connections.push(connection);
        }
        self.stack.audit(self.now).expect("what should always hold");
        let counters = self.stack.counters();
        assert_eq!(counters.packets_received, self.count);
    }

    /// Nobody says anything any more and the users leave: all ends by itself.
    fn end(&mut self) {
        self.stack.unlisten(self.listener);
        for connection in std::mem::take(&mut self.connections) {
            let info = self.stack.info(connection).expect("its handle is alive");
            assert!(info.to_string().starts_with(&info.state.to_string()));
            self.stack.close(connection);
            let dead = self.stack.recv(connection, &mut [0]);
            assert_eq!(dead, Err(SocketError::NoSuchConnection));
        }
        self.drain();
        // A time to look again may have passed since something last fell due.
        self.stack.handle_timeout(self.now);
        self.drain();
        let limit = self.now + Duration::from_secs(3 * 3600);
        let mut looks = 0;
        while let Some(next) = self.stack.poll_timeout() {
            assert!(
                next > self.now && next < limit,
                "timers without end: at {} the next is due at {next}",
                self.now
            );
            self.now = next;
            self.stack.handle_timeout(self.now);
            self.drain();
            looks += 1;
            assert!(looks < 10_000, "a storm of timers");
        }
        assert_eq!(self.stack.connection_count(), 0, "a leak");
        assert_eq!(self.stack.half_open_count(), 0);
        assert_eq!(self.stack.time_wait_count(), 0);
        while self.stack.poll_event().is_some() {}
    }
}
