//! A dumbbell in virtual time: senders on one side, receivers on the other, one bottleneck
//! between them.
//!
//! ```text
//! sender 0 ─┐                                            ┌─ receiver 0
//! sender 1 ─┼─> bottleneck: loss, queue, line, delay ────┼─ receiver 1
//!           │                                            │
//!           └─<──────── way back of each: delay ─────────┘
//! ```
//!
//! All flows share the bottleneck's delay, half the shortest round trip; a way back takes the
//! rest of its flow's. Time goes from one thing that is due to the next.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU64;
use std::ops::Range;
use std::time::Duration;

use zerotcp::device::{Impairment, Lane};
use zerotcp::stack::{Config, ConnectionId, Event, Listen, Meta, Stack};
use zerotcp::tcp::Info;
use zerotcp::tcp::congestion::Algorithm;
use zerotcp::time::Instant;

/// Bytes of a full packet, and of it those of text: 20 of IP, 20 of TCP and 12 of timestamps go.
pub const PACKET: u32 = 1500;
pub const MSS: u32 = 1448;

const PORT: u16 = 7;
/// What a sender is given to send at a time.
static TEXT: [u8; 1 << 18] = [0; 1 << 18];

/// What a network is like.
#[derive(Clone, Debug)]
pub struct Path {
    /// Bits a second.
    pub rate: u64,
    /// Packets that the bottleneck holds besides the one on the line.
    pub queue: usize,
    /// What else happens to data: loss, reordering. Acknowledgments are never lost.
    pub impairment: Impairment,
    pub algorithm: Algorithm,
    /// By how much an acknowledgment is late at most, by chance.
    pub jitter: Duration,
    /// Octets that each end holds: more than path and queue do.
    pub buffer: usize,
    pub seed: u64,
}

/// One connection to be made.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The round-trip time without queues.
    pub rtt: Duration,
    pub start: Instant,
    /// Octets to send; all there is room for where there is no such number.
    pub octets: Option<u64>,
}

pub struct Network {
    now: Instant,
    pub bottleneck: Lane,
    pub flows: Vec<Flow>,
    buffer: Box<[u8]>,
}

pub struct Flow {
    sender: Host,
    receiver: Host,
    way_back: Lane,
    start: Instant,
    /// Octets still to be given to the sender.
    unsent: u64,
    /// How many packets with text were sent, and which of them do not get far.
    texts: u64,
    pub lose: Range<u64>,
    /// Octets that the receiver's user has read.
    pub read: u64,
}

struct Host {
    stack: Stack,
    connection: Option<ConnectionId>,
    due: Option<Instant>,
}

impl Network {
    pub fn new(path: &Path, plans: &[Plan]) -> Network {
        let shortest = plans.iter().map(|plan| plan.rtt).min().unwrap_or_default();
        let shared = shortest / 2;
        let bottleneck = Lane::new(Impairment {
            rate: NonZeroU64::new(path.rate),
            queue: path.queue,
            delay: shared,
            seed: path.seed,
            ..path.impairment
        });
        let flows = plans.iter().zip(0..);
        let flows = flows.map(|(plan, number)| {
            let config = |address, seed| {
                let mut config = Config::seeded(address, seed);
                config.tcp.congestion = path.algorithm;
                config.tcp.receive_buffer = path.buffer;
                config.tcp.send_buffer = path.buffer;
                config
            };
            let seed = path.seed.wrapping_add(u64::from(number) * 2);
            let sender = Stack::new(config(sender(number), seed));
            let mut receiver = Stack::new(config(receiver(number), seed + 1));
            let listening = receiver.listen(Listen::port(PORT));
            listening.expect("nothing else listens there");
            Flow {
                sender: Host::new(sender),
                receiver: Host::new(receiver),
                way_back: Lane::new(Impairment {
                    delay: plan.rtt - shared,
                    jitter: path.jitter,
                    seed,
                    ..Impairment::default()
                }),
                start: plan.start,
                unsent: plan.octets.unwrap_or(u64::MAX),
                texts: 0,
                lose: 0..0,
                read: 0,
            }
        });
        Network {
            now: Instant::ZERO,
            bottleneck,
            flows: flows.collect(),
            buffer: vec![0; PACKET as usize].into(),
        }
    }

    pub fn now(&self) -> Instant {
        self.now
    }

    /// The user of a flow has so many octets more to send, of which the packets with text
    /// numbered `lose`, from the first of them on, get lost.
    pub fn offer(&mut self, flow: usize, octets: u64, lose: Range<u64>) {
        let flow_at = &mut self.flows[flow];
        flow_at.unsent += octets;
        flow_at.lose = flow_at.texts + lose.start..flow_at.texts + lose.end;
        flow_at.send(self.now, &mut self.bottleneck, &mut self.buffer);
    }

    /// Goes on to the next time at which something is due, and does it. False once nothing
    /// will ever happen again.
    pub fn step(&mut self) -> bool {
        let flows = self.flows.iter().filter_map(Flow::due);
        let Some(due) = flows.chain(self.bottleneck.poll_timeout()).min() else {
            return false;
        };
        let now = self.now.max(due);
        self.now = now;
        while let Some(len) = self.bottleneck.receive(now, &mut self.buffer) {
            let packet = &self.buffer[..len];
            let flow = &mut self.flows[number(packet)];
            flow.receiver.stack.receive(now, packet, Meta::default());
            flow.receive(now, &mut self.buffer);
        }
        for (flow, number) in self.flows.iter_mut().zip(0..) {
            flow.turn(now, number, &mut self.bottleneck, &mut self.buffer);
        }
        true
    }

    /// Steps until `done` says so of the network, or `end` comes; whether it was `done`.
    pub fn run(&mut self, end: Instant, mut done: impl FnMut(&Network) -> bool) -> bool {
        while self.now < end {
            if done(self) {
                return true;
            }
            if !self.step() {
                return false;
            }
        }
        false
    }
}

impl Flow {
    /// How the sender is doing.
    pub fn info(&self) -> Option<Info> {
        self.sender.stack.info(self.sender.connection?)
    }

    fn due(&self) -> Option<Instant> {
        let start = Some(self.start).filter(|_| self.sender.connection.is_none());
        let dues = [
            start,
            self.sender.due,
            self.receiver.due,
            self.way_back.poll_timeout(),
        ];
        dues.into_iter().flatten().min()
    }

    /// Does what is due, and sends what that lets go.
    fn turn(&mut self, now: Instant, number: u8, bottleneck: &mut Lane, buffer: &mut [u8]) {
        let is_due = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        if is_due(self.receiver.due) {
            self.receiver.stack.handle_timeout(now);
            self.receive(now, buffer);
        }
        let mut moved = false;
        while let Some(len) = self.way_back.receive(now, buffer) {
            let packet = &buffer[..len];
            self.sender.stack.receive(now, packet, Meta::default());
            moved = true;
        }
        if is_due(self.sender.due) {
            self.sender.stack.handle_timeout(now);
            moved = true;
        }
        if self.sender.connection.is_none() && self.start <= now {
            let peer = SocketAddrV4::new(receiver(number), PORT);
            let connection = self.sender.stack.connect(now, peer);
            self.sender.connection = Some(connection.expect("there are ports left"));
            moved = true;
        }
        if moved {
            self.send(now, bottleneck, buffer);
        }
    }

    /// The sender's turn: what its user has to send, and what goes out.
    fn send(&mut self, now: Instant, bottleneck: &mut Lane, buffer: &mut [u8]) {
        let Host {
            stack, connection, ..
        } = &mut self.sender;
        while stack.poll_event().is_some() {}
        if let Some(connection) = *connection {
            // Large pieces while there is room for them.
            let piece = TEXT.len().min(stack.config().tcp.send_buffer / 4);
            while self.unsent > 0 && stack.send_room(connection) >= piece {
                let text = &TEXT[..piece.min(self.unsent.try_into().unwrap_or(usize::MAX))];
                let Ok(sent) = stack.send(connection, text) else {
                    break;
                };
                self.unsent -= sent as u64;
            }
        }
        while let Some(transmit) = stack.poll_transmit(now, buffer) {
            let has_text = transmit.len as u32 > PACKET - MSS;
            let lost = has_text && self.lose.contains(&self.texts);
            self.texts += u64::from(has_text);
            if !lost {
                bottleneck.send(now, &buffer[..transmit.len]);
            }
        }
        self.sender.due = stack.poll_timeout();
    }

    /// The receiver's turn: what its user reads, and what goes back.
    fn receive(&mut self, now: Instant, buffer: &mut [u8]) {
        let Host {
            stack, connection, ..
        } = &mut self.receiver;
        while let Some(event) = stack.poll_event() {
            if let Event::Incoming(listener) = event {
                *connection = stack.accept(listener);
            }
        }
        if let Some(connection) = *connection {
            let octets = stack.recv_slices(connection).map(<[u8]>::len).iter().sum();
            stack.consume(connection, octets);
            self.read += octets as u64;
        }
        while let Some(transmit) = stack.poll_transmit(now, buffer) {
            self.way_back.send(now, &buffer[..transmit.len]);
        }
        self.receiver.due = stack.poll_timeout();
    }
}

impl Host {
    fn new(stack: Stack) -> Host {
        Host {
            stack,
            connection: None,
            due: None,
        }
    }
}

fn sender(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, number)
}

fn receiver(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 1, number)
}

/// Of which flow a packet to a receiver is.
fn number(packet: &[u8]) -> usize {
    // The last byte of its destination (RFC 791 section 3.1).
    packet[19].into()
}
