//! Two stacks over a network that loses, delays, reorders, doubles and marks packets and has a
//! narrow place, with a model beside each: the model agrees with the connection, and with
//! none that was told something else.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::Model;
use crate::simulation::{Broken, Choices, Dice};
use crate::stack::{Config, ConnectionId, Event, Listen, Meta, Quad, Stack};
use crate::tcp::congestion::Algorithm;
use crate::tcp::{Ecn, State};
use crate::time::Instant;
use crate::wire::{Icmpv4Builder, Icmpv4Type, Ipv4PacketMut, OptionSummary, TcpPacket, TcpSegment};

const HOSTS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];

/// What the model is not told, or is told wrongly, of one segment in so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    None,
    /// A segment that came, with SACK blocks.
    ForgottenSack,
    /// A segment that came, without.
    ForgottenAck,
    /// A segment with SACK blocks that did not come.
    InventedSack,
    /// A segment that went out with text.
    ForgottenText,
}

struct End {
    stack: Stack,
    quad: Option<Quad>,
    id: Option<ConnectionId>,
    to_send: usize,
    sent: usize,
    read: usize,
    shut: bool,
    is_over: bool,
    model: Model,
}

struct Packet {
    due: Instant,
    to: usize,
    bytes: Vec<u8>,
}

struct World {
    dice: Dice,
    now: Instant,
    ends: [End; 2],
    way: Vec<Packet>,
    loss: u64,
    delay: u64,
    jitter: u64,
    marks: u64,
    /// How often an end reads, of 100 times that it could.
    reads: u64,
    /// The largest packet that gets through, if that is not always so.
    narrow: Option<usize>,
    fault: Fault,
    faults: u32,
    /// Segments sent and received, and how many of those with SACK blocks.
    seen: [u32; 3],
}

impl World {
    fn new(seed: u64, fault: Fault) -> World {
        let mut dice = Dice::new(seed);
        let mut config = Config::seeded(HOSTS[0], seed);
        config.mtu = dice.pick(&[140, 576, 1500]);
        let tcp = &mut config.tcp;
        tcp.sack = fault != Fault::None || dice.percent(70);
        tcp.timestamps = dice.percent(50);
        tcp.pacing = dice.percent(50);
        tcp.window_scaling = dice.percent(50);
        tcp.ecn = dice.pick(&[Ecn::Off, Ecn::Offer]);
        tcp.congestion = dice.pick(&[Algorithm::NewReno, Algorithm::Cubic]);
        tcp.receive_buffer = dice.pick(&[50, 700, 3000, 20_000, 200_000]);
        tcp.send_buffer = dice.pick(&[60, 2000, 9000, 100_000]);
        tcp.max_out_of_order_runs = dice.pick(&[0, 2, 64, 64]);
        tcp.initial_window = dice.pick(&[1, 2, 10]);
        tcp.min_path_mtu = 68;
        tcp.settings.nagle = dice.percent(70);
        tcp.settings.max_retransmissions = 200;
        (tcp.max_syn_retransmissions, tcp.max_syn_ack_retransmissions) = (200, 200);
        if fault != Fault::None {
            (tcp.receive_buffer, tcp.send_buffer) = (200_000, 100_000);
            tcp.max_out_of_order_runs = 64;
        }
        let most = (tcp.receive_buffer.min(tcp.send_buffer) * 60).min(60_000) as u64;
        let sizes = [dice.below(most) + 1, dice.below(most) * dice.below(2)];
        let narrow = dice.percent(30).then(|| usize::from(config.mtu) * 2 / 3);
        // The clock decides the numbers that the connection starts with.
        let now = Instant::from_millis(1000 + dice.below(20_000_000));
        let mut ends = [0, 1].map(|side| {
            config.addresses = vec![HOSTS[side]];
            End {
                stack: Stack::new(config.clone()),
                quad: None,
                id: None,
                to_send: sizes[side] as usize,
                sent: 0,
                read: 0,
                shut: false,
                is_over: false,
                model: Model::new(),
            }
        });
        let remote = SocketAddrV4::new(HOSTS[1], 7);
        let id = ends[0].stack.connect(now, remote).unwrap();
        let quad = ends[0].stack.quad(id).unwrap();
        (ends[0].id, ends[0].quad) = (Some(id), Some(quad));
        ends[1].stack.listen(Listen::port(7)).unwrap();
        ends[1].quad = Some(Quad {
            src: quad.dst,
            dst: quad.src,
        });
        World {
            now,
            ends,
            way: Vec::new(),
            loss: match fault {
                Fault::None => dice.pick(&[0, 2, 10, 30]),
                _ => 5,
            },
            delay: dice.pick(&[0, 1, 30, 300]),
            jitter: dice.pick(&[0, 0, 5, 100]),
            marks: dice.pick(&[0, 0, 5, 50]),
            reads: dice.pick(&[1, 60, 60, 60]),
            narrow,
            dice,
            fault,
            faults: 0,
            seen: [0; 3],
        }
    }

    /// Whether a fault is made of this segment, which is of the kind for it.
    fn errs(&mut self, fault: Fault) -> bool {
        let errs = self.fault == fault && self.dice.percent(10);
        self.faults += u32::from(errs);
        errs
    }

    fn check(&mut self, side: usize) -> Result<(), Broken> {
        let End {
            stack, quad, model, ..
        } = &mut self.ends[side];
        stack.audit(self.now).map_err(Broken)?;
        match quad.and_then(|quad| stack.tcb_of(quad)) {
            Some(tcb) => model.check(self.now, tcb),
            None => Ok(()),
        }
    }

    /// One end does what it can.
    fn turn(&mut self, side: usize) -> Result<(), Broken> {
        let end = &mut self.ends[side];
        end.stack.handle_timeout(self.now);
        assert!(end.stack.poll_timeout().is_none_or(|due| self.now < due));
        while let Some(event) = end.stack.poll_event() {
            match event {
                Event::Incoming(listener) => end.id = end.stack.accept(listener),
                Event::Closed(id, _) => {
                    end.is_over = true;
                    end.stack.close(id);
                }
                _ => {}
            }
        }
        if let Some(id) = end.id.filter(|_| !end.is_over) {
            let most = self.dice.pick(&[1, 40, 1000, 100_000]);
            let piece = vec![7; (end.to_send - end.sent).min(most)];
            if !piece.is_empty() && self.dice.percent(70) {
                end.sent += end.stack.send(id, &piece).unwrap_or(0);
            }
            if end.sent == end.to_send && !end.shut && self.dice.percent(50) {
                end.shut = true;
                end.stack.shutdown(id).unwrap();
            }
            if self.dice.percent(self.reads) {
                let mut out = vec![0; self.dice.pick(&[1, 30, 5000, 100_000])];
                end.read += end.stack.recv(id, &mut out).unwrap_or(0);
            }
        }
        self.check(side)?;
        let mut buffer = [0; 1500];
        while let Some(transmit) = self.ends[side].stack.poll_transmit(self.now, &mut buffer) {
            let bytes = &buffer[..transmit.len];
            if let Ok(TcpPacket { tcp, .. }) = TcpPacket::parse(bytes) {
                self.seen[0] += 1;
                if tcp.payload().is_empty() || !self.errs(Fault::ForgottenText) {
                    let end = &mut self.ends[side];
                    let tcb = end.quad.and_then(|quad| end.stack.tcb_of(quad));
                    end.model.sent(self.now, &tcp, tcb)?;
                }
            }
            self.put_on_way(side, bytes)?;
            self.check(side)?;
        }
        Ok(())
    }

    fn put_on_way(&mut self, side: usize, bytes: &[u8]) -> Result<(), Broken> {
        if self.narrow.is_some_and(|narrow| narrow < bytes.len()) {
            return self.refuse(side, bytes);
        }
        if self.dice.percent(self.loss) {
            return self.pretend(1 - side, bytes);
        }
        let copies = 1 + u32::from(self.dice.percent(self.loss / 4));
        for _ in 0..copies {
            let mut bytes = bytes.to_vec();
            if self.dice.percent(self.marks) {
                let mut packet = Ipv4PacketMut::parse(&mut bytes).unwrap();
                if packet.ecn() != 0 {
                    packet.set_ecn(0b11);
                }
            }
            let late = self.delay + self.dice.below(self.jitter + 1);
            self.way.push(Packet {
                due: self.now + Duration::from_millis(late),
                to: 1 - side,
                bytes,
            });
        }
        Ok(())
    }

    /// A router says that a packet is too large, most of the time.
    fn refuse(&mut self, side: usize, bytes: &[u8]) -> Result<(), Broken> {
        let narrow = self.narrow.unwrap_or_default() as u32;
        if self.dice.percent(80) {
            let kind = Icmpv4Type::DESTINATION_UNREACHABLE;
            let router = Ipv4Addr::new(10, 9, 9, 9);
            let mut packet = vec![0; 600];
            let quote = &bytes[..bytes.len().min(100)];
            let len = Icmpv4Builder::new(router, HOSTS[side], kind, 4)
                .rest(narrow.to_be_bytes())
                .write(&mut packet, quote)
                .unwrap();
            let now = self.now;
            self.ends[side]
                .stack
                .receive(now, &packet[..len], Meta::default());
        }
        // For a while, or fragments would never get through.
        if self.dice.percent(5) {
            self.narrow = None;
        }
        self.check(side)
    }

    /// The model is told of a segment that was lost.
    fn pretend(&mut self, side: usize, bytes: &[u8]) -> Result<(), Broken> {
        let tcp = TcpPacket::parse(bytes)
            .map_err(|e| Broken(e.to_string()))?
            .tcp;
        if !has_blocks(&tcp) || !self.errs(Fault::InventedSack) {
            return Ok(());
        }
        let (now, end) = (self.now, &mut self.ends[side]);
        let tcb = end.quad.and_then(|quad| end.stack.tcb_of(quad));
        let view = tcb.map(|tcb| tcb.view(now));
        end.model.told(now, &tcp, view.as_ref(), view.as_ref())
    }

    fn arrive(&mut self, packet: &Packet) -> Result<(), Broken> {
        let tcp = TcpPacket::parse(&packet.bytes)
            .map_err(|error| Broken(error.to_string()))?
            .tcp;
        let (side, now) = (packet.to, self.now);
        let view = |end: &End| Some(end.stack.tcb_of(end.quad?)?.view(now));
        let before = view(&self.ends[side]);
        self.ends[side]
            .stack
            .receive(now, &packet.bytes, Meta::default());
        let after = view(&self.ends[side]);
        self.seen[1] += 1;
        self.seen[2] += u32::from(has_blocks(&tcp));
        let fault = match has_blocks(&tcp) {
            true => Fault::ForgottenSack,
            false => Fault::ForgottenAck,
        };
        if !self.errs(fault) {
            let model = &mut self.ends[side].model;
            model.told(now, &tcp, before.as_ref(), after.as_ref())?;
        }
        self.check(side)
    }

    fn run(&mut self) -> Result<(), Broken> {
        let limit = self.now + Duration::from_secs(400_000);
        while !self.ends.iter().all(End::is_done) {
            self.turn(0)?;
            self.turn(1)?;
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
                self.arrive(&packet)?;
                continue;
            }
            let timers = self.ends.iter().filter_map(|end| end.stack.poll_timeout());
            let next = timers.chain(self.way.iter().map(|packet| packet.due)).min();
            let is_busy = self.ends.iter().any(End::is_busy);
            let step = Duration::from_millis(1 + self.dice.below(30));
            self.now = match next {
                Some(next) if !is_busy => self.now.max(next) + Duration::from_nanos(1),
                Some(next) => self.now.max(next.min(self.now + step)),
                None => self.now + step,
            };
            if limit < self.now {
                return Err(Broken("it does not end".to_string()));
            }
        }
        Ok(())
    }
}

impl End {
    fn state(&self) -> Option<State> {
        self.stack.state_of(self.quad?)
    }

    fn is_busy(&self) -> bool {
        let unread = |id| !self.stack.recv_slices(id)[0].is_empty();
        !self.is_over && (self.sent < self.to_send || !self.shut || self.id.is_some_and(unread))
    }

    fn is_done(&self) -> bool {
        let is_gone = self.state().is_none_or(|state| state == State::TimeWait);
        self.is_over || (self.shut && is_gone && !self.is_busy())
    }
}

fn has_blocks(tcp: &TcpSegment<'_>) -> bool {
    !OptionSummary::tolerant(tcp.option_bytes())
        .0
        .sack()
        .is_empty()
}

/// More with `ZEROTCP_MODEL_SEEDS=<first>:<count>`.
fn seeds(count: u64) -> std::ops::Range<u64> {
    let given = std::env::var("ZEROTCP_MODEL_SEEDS").unwrap_or_default();
    let given = given.split_once(':').and_then(|(first, count)| {
        let first: u64 = first.parse().ok()?;
        Some(first..first + count.parse::<u64>().ok()?)
    });
    given.unwrap_or(1..1 + count)
}

#[test]
fn connections_agree_with_it() {
    let mut seen = [0; 3];
    for seed in seeds(100) {
        let mut world = World::new(seed, Fault::None);
        if let Err(what) = world.run() {
            panic!("seed {seed}: {what}");
        }
        seen.iter_mut()
            .zip(world.seen)
            .for_each(|(sum, count)| *sum += count);
    }
    println!("{seen:?} segments sent, received, with SACK blocks");
    assert!(seen.iter().all(|count| *count > 1000), "{seen:?}");
}

/// A model that was told something else than the connection does not agree with it.
#[test]
fn what_is_forgotten_or_invented_is_noticed() {
    for fault in [
        Fault::ForgottenSack,
        Fault::ForgottenAck,
        Fault::InventedSack,
        Fault::ForgottenText,
    ] {
        let (mut noticed, mut made) = (0, 0);
        for seed in 1..=60 {
            let mut world = World::new(seed, fault);
            let outcome = world.run();
            made += u32::from(world.faults > 0);
            noticed += u32::from(outcome.is_err());
        }
        println!("{fault:?}: noticed in {noticed} worlds of {made}");
        // What another report says too is not missed.
        assert!(
            made >= 10 && noticed * 4 >= made * 3,
            "{fault:?}: {noticed} of {made}"
        );
    }
}
