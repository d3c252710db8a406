//! Two stacks that talk over a link which loses, delays, reorders and doubles packets, with tiny
//! windows, buffers and segments: after each step, who has something to send or to be told has a
//! timer running, and keeps to the peer's window and to its own congestion window.
//!
//! `ZEROTCP_STALL_SEEDS` says from which seed on, and how many: `1000:500`.

mod common;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use common::dice::Dice;
use common::script::octets;
use zerotcp::stack::{Config, ConnectionId, Event, Listen, Meta, Stack};
use zerotcp::tcp::congestion::Algorithm;
use zerotcp::tcp::{Ecn, Info, Phase};
use zerotcp::time::Instant;
use zerotcp::wire::TcpPacket;

struct End {
    stack: Stack,
    id: Option<ConnectionId>,
    to_send: usize,
    sent: usize,
    read: usize,
    shut: bool,
    finished: bool,
    /// The right edge of the largest window that the other end has offered it, as a number of
    /// the octets that it sends.
    edge: Option<u32>,
    /// Tail probes when last looked.
    probes: u32,
}

/// A packet on its way to an end.
struct Packet {
    due: Instant,
    to: usize,
    bytes: Vec<u8>,
}

struct World {
    seed: u64,
    dice: Dice,
    now: Instant,
    ends: [End; 2],
    way: Vec<Packet>,
    loss: u64,
    delay: u64,
    jitter: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let mut dice = Dice(seed);
        let mut config = Config::seeded(Ipv4Addr::new(10, 0, 0, 1), seed);
        config.mtu = dice.pick(&[68, 140, 576, 1500]);
        let tcp = &mut config.tcp;
        tcp.sack = dice.percent(60);
        tcp.timestamps = dice.percent(50);
        tcp.pacing = dice.percent(50);
        tcp.window_scaling = dice.percent(50);
        tcp.min_mss = 8;
        tcp.ecn = dice.pick(&[Ecn::Off, Ecn::Offer]);
        tcp.congestion = dice.pick(&[Algorithm::NewReno, Algorithm::Cubic]);
        tcp.receive_buffer = dice.pick(&[1, 50, 700, 3000, 20_000, 200_000]);
        tcp.send_buffer = dice.pick(&[1, 60, 2000, 9000, 100_000]);
        tcp.max_out_of_order_runs = dice.pick(&[0, 2, 64]);
        tcp.initial_window = dice.pick(&[1, 2, 10]);
        tcp.settings.nagle = dice.percent(70);
        tcp.settings.max_retransmissions = 200;
        tcp.max_syn_retransmissions = 200;
        tcp.max_syn_ack_retransmissions = 200;
        tcp.orphan_timeout = Duration::from_secs(1 << 20);
        tcp.fin_wait_2_timeout = Duration::from_secs(1 << 20);
        let most = (tcp.receive_buffer.min(tcp.send_buffer) * 60).min(60_000) as u64;
        let (up, down) = (dice.below(most) + 1, dice.below(most) * dice.below(2));
        let end = |config: &Config, to_send: u64| End {
            stack: Stack::new(config.clone()),
            id: None,
            to_send: to_send as usize,
            sent: 0,
            read: 0,
            shut: false,
            finished: false,
            edge: None,
            probes: 0,
        };
        let mut client = end(&config, up);
        config.addresses = vec![Ipv4Addr::new(10, 0, 0, 2)];
        let mut server = end(&config, down);
        server.stack.listen(Listen::port(7)).unwrap();
        // The clock decides the numbers that the connection starts with.
        let now = Instant::from_millis(1000 + dice.below(20_000_000));
        let remote = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 7);
        client.id = Some(client.stack.connect(now, remote).unwrap());
        World {
            seed,
            now,
            ends: [client, server],
            way: Vec::new(),
            loss: dice.pick(&[0, 2, 10, 30]),
            delay: dice.pick(&[0, 1, 30, 300]),
            jitter: dice.pick(&[0, 0, 5, 100]),
            dice,
        }
    }

    /// One end does what it can.
    fn turn(&mut self, side: usize) {
        let end = &mut self.ends[side];
        end.stack.handle_timeout(self.now);
        while let Some(event) = end.stack.poll_event() {
            match event {
                Event::Incoming(listener) => end.id = end.stack.accept(listener),
                Event::Closed(id, reason) => {
                    let done = end.read > 0 || end.sent == end.to_send;
                    assert!(done, "seed {}: {id:?} {reason}", self.seed);
                    end.finished = true;
                }
                _ => {}
            }
        }
        if let Some(id) = end.id.filter(|_| !end.finished) {
            let piece = self.dice.pick(&[1, 40, 1000, 100_000]);
            let chunk = octets(end.sent as u32, (end.to_send - end.sent).min(piece));
            if !chunk.is_empty() && self.dice.percent(70) {
                end.sent += end.stack.send(id, &chunk).unwrap_or(0);
            }
            if end.sent == end.to_send && !end.shut && self.dice.percent(50) {
                end.shut = true;
                end.stack.shutdown(id).unwrap();
            }
            if self.dice.percent(60) {
                let mut out = vec![0; self.dice.pick(&[1, 30, 5000, 100_000])];
                if let Ok(count) = end.stack.recv(id, &mut out) {
                    assert_eq!(out[..count], octets(end.read as u32, count));
                    end.read += count;
                }
            }
        }
        let mut buffer = [0; 1500];
        loop {
            let before = self.ends[side].info();
            let end = &mut self.ends[side];
            let Some(transmit) = end.stack.poll_transmit(self.now, &mut buffer) else {
                break;
            };
            let bytes = buffer[..transmit.len].to_vec();
            self.check_sent(side, before, &bytes);
            self.put_on_way(side, bytes);
        }
    }

    /// The peer's window, and our own, hold what went out.
    fn check_sent(&mut self, side: usize, before: Option<Info>, bytes: &[u8]) {
        let packet = TcpPacket::parse(bytes).unwrap();
        let tcp = packet.tcp;
        let seed = self.seed;
        let end = &mut self.ends[side];
        let (Some(before), Some(after)) = (before, end.info()) else {
            return;
        };
        if tcp.flags().syn() || tcp.payload().is_empty() {
            return;
        }
        // One octet beyond a closed window is a probe.
        if let Some(edge) = end.edge {
            let beyond = (tcp.seq().0 + tcp.payload().len() as u32).wrapping_sub(edge) as i32;
            assert!(
                beyond <= 1,
                "seed {seed}: {beyond} octets beyond the window"
            );
        }
        // Alone in the network, a probe, F-RTO's two questions, or the first of a recovery.
        let probed = end.probes != after.tally.tail_probes;
        end.probes = after.tally.tail_probes;
        let exempt =
            before.in_flight == 0 || probed || matches!(after.phase, Phase::Loss | Phase::Recovery);
        assert!(
            exempt || after.in_flight <= before.cwnd,
            "seed {seed}: beyond cwnd: {before:?} {after:?}"
        );
        let most = before.cwnd + 4 * u32::from(after.send_mss);
        assert!(after.in_flight <= most, "seed {seed}: {before:?} {after:?}");
    }

    fn put_on_way(&mut self, side: usize, bytes: Vec<u8>) {
        let copies = if self.dice.percent(self.loss / 4) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            if self.dice.percent(self.loss) {
                continue;
            }
            let late = self.delay + self.dice.below(self.jitter + 1);
            self.way.push(Packet {
                due: self.now + Duration::from_millis(late),
                to: 1 - side,
                bytes: bytes.clone(),
            });
        }
    }

    /// Who has something to send, or has sent what is not acknowledged, waits for something.
    fn check_alive(&self) {
        for (side, end) in self.ends.iter().enumerate() {
            let Some(info) = end.info() else { continue };
            let open = info.unacknowledged > 0 || info.unsent > 0;
            if !open || info.state.to_string().starts_with("SYN") {
                continue;
            }
            let due = end.stack.poll_timeout();
            assert!(
                due.is_some_and(|due| due < self.now + Duration::from_secs(130)),
                "seed {}: side {side} has no timer but {due:?} at {}: {info:?}",
                self.seed,
                self.now
            );
        }
    }

    fn run(mut self) {
        let limit = self.now + Duration::from_secs(400_000);
        while !self.ends.iter().all(|end| end.is_done()) {
            self.turn(0);
            self.turn(1);
            self.check_alive();
            // What is due now arrives, in any order.
            let due: Vec<usize> = (0..self.way.len())
                .filter(|n| self.way[*n].due <= self.now)
                .collect();
            if !due.is_empty() {
                let n = match self.jitter {
                    0 => due[0],
                    _ => self.dice.pick(&due),
                };
                let packet = self.way.remove(n);
                self.arrive(&packet);
                continue;
            }
            let timers = self.ends.iter().filter_map(|end| end.stack.poll_timeout());
            let next = timers.chain(self.way.iter().map(|packet| packet.due)).min();
            let busy = self.ends.iter().any(|end| end.is_busy());
            let step = Duration::from_millis(1 + self.dice.below(30));
            self.now = match next {
                Some(next) if !busy => self.now.max(next) + Duration::from_nanos(1),
                Some(next) => self.now.max(next.min(self.now + step)),
                None if busy => self.now + step,
                None => panic!("seed {}: stuck", self.seed),
            };
            assert!(
                self.now < limit,
                "seed {}: {:?}",
                self.seed,
                self.ends[0].info()
            );
        }
        for (end, other) in [(0, 1), (1, 0)] {
            assert_eq!(self.ends[end].read, self.ends[other].to_send);
        }
    }

    fn arrive(&mut self, packet: &Packet) {
        let end = &mut self.ends[packet.to];
        let tcp = TcpPacket::parse(&packet.bytes).unwrap().tcp;
        end.stack.receive(self.now, &packet.bytes, Meta::default());
        let flags = tcp.flags();
        if flags.syn() || !flags.ack() {
            return;
        }
        // By what it believes itself, once it has heard the handshake out.
        if let Some(info) = end.info() {
            let shift = info.window_scale.0;
            let edge = tcp.ack().0.wrapping_add(u32::from(tcp.window()) << shift);
            let further = end.edge.is_none_or(|old| edge.wrapping_sub(old) as i32 > 0);
            if further {
                end.edge = Some(edge);
            }
        }
    }
}

impl End {
    fn info(&self) -> Option<Info> {
        self.stack.info(self.id?)
    }

    fn is_busy(&self) -> bool {
        !self.finished && (self.sent < self.to_send || !self.shut || self.unread())
    }

    fn unread(&self) -> bool {
        self.info().is_some_and(|info| info.unread > 0)
    }

    fn is_done(&self) -> bool {
        let gone = self
            .info()
            .is_none_or(|info| matches!(info.state.to_string().as_str(), "TIME-WAIT" | "CLOSED"));
        (self.finished || (self.shut && gone)) && !self.unread()
    }
}

#[test]
fn an_open_transfer_always_has_a_timer_and_stays_in_its_windows() {
    let seeds = std::env::var("ZEROTCP_STALL_SEEDS").unwrap_or_default();
    let (first, count) = seeds.split_once(':').unwrap_or(("1", "60"));
    let first: u64 = first.parse().expect("a number");
    let count: u64 = count.parse().expect("a number");
    for seed in first..first + count {
        println!("seed {seed}");
        World::new(seed).run();
    }
}
