//! Segments of peers that are not as they should be, aimed at the numbers in use.

use super::Siege;
use super::host::{PORT, attack, fresh};
use super::lies::Truth;
use super::peer::Peer;
use super::rarely;
use crate::simulation::broken::Broken;
use crate::simulation::{Choices, Observer};
use crate::stack::Quad;
use crate::wire::{SackBlock, SackBlocks, SeqNumber, TcpFlags, TcpOption};

/// A number about where `base` is.
fn near(choices: &mut impl Choices, base: SeqNumber) -> SeqNumber {
    let by = choices.pick(&[1, 2, 10, 1500, 65_536]);
    base + choices.below(by) as u32 - choices.below(by) as u32
}

/// Any number.
fn any(choices: &mut impl Choices) -> SeqNumber {
    SeqNumber(choices.below(1 << 32) as u32)
}

/// The options of a segment.
struct Options<'a> {
    list: [TcpOption<'a>; 5],
    count: usize,
}

impl<'a> Options<'a> {
    /// Of three on a SYN, timestamps and SACK all find room.
    fn push(&mut self, option: TcpOption<'a>) {
        self.list[self.count] = option;
        self.count += 1;
    }
}

impl<C: Choices> Siege<C> {
    /// Who talks next: mostly one that has a connection.
    pub(super) fn any_peer(&mut self) -> usize {
        // The first one is left alone.
        let attackers = self.peers.len() as u64 - 1;
        if attackers > 0 && self.choices.percent(88) {
            let first = self.choices.below(attackers);
            let order = (0..attackers).map(|n| 1 + ((first + n) % attackers) as usize);
            for at in order {
                if self.stack.state_of(self.peers[at].quad).is_some() {
                    return at;
                }
            }
        }
        let port = if self.choices.percent(95) { PORT } else { 1337 };
        let who = self.choices.below(self.manners.crowd) as u16;
        self.peer_of(attack(who, port))
    }

    /// The peer of a connection, new or old.
    pub(super) fn peer_of(&mut self, quad: Quad) -> usize {
        let known = self.peers.iter().position(|peer| peer.quad == quad);
        known.unwrap_or_else(|| {
            self.peers.push(Peer::new(quad));
            self.peers.len() - 1
        })
    }

    /// A peer sends something, right or wrong.
    pub(super) fn send_segment(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        let at = self.any_peer();
        if rarely(&mut self.choices, 5) && self.lie(watch, at)? {
            return Ok(());
        }
        match self.choices.percent(self.manners.tame) {
            true => self.speak(watch, at, false),
            false => self.send_wrong(watch, at),
        }
    }

    fn send_wrong(&mut self, watch: &mut dyn Observer, at: usize) -> Result<(), Broken> {
        let choices = &mut self.choices;
        let peer = &self.peers[at];
        let is_live = self.stack.state_of(peer.quad).is_some();
        let (iss, nxt, ack) = (peer.iss.unwrap_or_default(), peer.nxt, peer.ack);
        let edge = ack + (u32::from(peer.window) << peer.host_shift());
        let flags = match choices.below(100) {
            // Who has no connection mostly wants one.
            n if !is_live && n < 20 => Peer::flags_of_syn(true),
            n if !is_live && n < 70 => TcpFlags::SYN,
            // What may bring a cookie back.
            n if !is_live && n < 90 => TcpFlags::ACK,
            0..60 => TcpFlags::ACK,
            60..67 => TcpFlags::ACK | TcpFlags::FIN,
            67..74 => TcpFlags::SYN,
            74..80 => TcpFlags::SYN | TcpFlags::ACK,
            80..82 => TcpFlags::RST,
            82..84 => TcpFlags::RST | TcpFlags::ACK,
            84..90 => TcpFlags::ACK | TcpFlags::PSH | TcpFlags::URG,
            _ => TcpFlags::from_bits(choices.below(0x200) as u16),
        };
        let seq = match choices.below(100) {
            _ if !is_live && flags.syn() && choices.percent(50) => fresh(choices),
            0..60 => ack,
            60..75 => near(choices, ack),
            75..80 => near(choices, peer.end.sent),
            80..85 => near(choices, edge),
            85..90 => peer.irs,
            90..93 => ack + 0x8000_0000,
            _ => any(choices),
        };
        let acks = match choices.below(100) {
            0..60 => nxt,
            60..75 => near(choices, nxt),
            75..80 => peer.end.rcv,
            80..88 => iss + 1,
            88..91 => nxt + 0x8000_0000,
            _ => any(choices),
        };
        let len = match choices.below(100) {
            0..40 => 0,
            40..60 => 1 + choices.below(20),
            60..80 => 1000,
            _ => choices.below(1400),
        };
        let window = choices.pick(&[0, 0, 1, 10, 500, 1000, 1000, 65_535]);
        let mut options = Options {
            list: [TcpOption::NoOperation; 5],
            count: 0,
        };
        if flags.syn() || choices.percent(3) {
            for _ in 0..choices.below(4) {
                options.push(match choices.below(4) {
                    0 => {
                        TcpOption::MaximumSegmentSize(choices.pick(&[0, 1, 48, 536, 1460, 65_535]))
                    }
                    1 => TcpOption::WindowScale(choices.pick(&[0, 2, 14, 15, 255])),
                    2 => TcpOption::SackPermitted,
                    _ => TcpOption::Unknown {
                        kind: choices.pick(&[2, 3, 4, 5, 8, 99]),
                        data: choices.pick(&[&[], &[0], &[7; 6]]),
                    },
                });
            }
        }
        // Whose connection has them must send them, or nothing of it is heard.
        let stamps = match peer.times {
            Some(_) => choices.percent(90),
            None => choices.percent(if flags.syn() { 40 } else { 5 }),
        };
        if stamps {
            let value = SeqNumber(self.manners.stamp(self.now));
            let echo = SeqNumber(peer.times.unwrap_or_default());
            let (value, echo) = match choices.below(100) {
                0..80 => (value, echo),
                80..95 => (near(choices, value), near(choices, echo)),
                _ => (any(choices), SeqNumber(0)),
            };
            options.push(TcpOption::Timestamps {
                value: value.0,
                echo: echo.0,
            });
        }
        let mut blocks = [SackBlock::default(); 3];
        let several = choices.pick(&[0, 0, 1, 2, 3]);
        for block in &mut blocks[..several] {
            let base = choices.pick(&[iss + 1, acks, nxt, edge]);
            block.left = near(choices, base);
            block.right = match choices.below(10) {
                0..8 => block.left + choices.below(3000) as u32,
                _ => near(choices, block.left),
            };
        }
        let mut room = [0; SackBlocks::MAX * SackBlocks::BLOCK_LEN];
        if options.count < 2
            && let Some(blocks) = SackBlocks::write(&blocks[..several], &mut room)
        {
            options.push(TcpOption::Sack(blocks));
        }
        let mark = choices.pick(&[0, 0, 0, 2, 3]);
        let segment = peer.builder().ip(|ip| ip.ecn(mark)).seq(seq).window(window);
        let mut segment = segment.flags(flags);
        if flags.ack() {
            segment = segment.ack(acks);
        }
        if flags.urg() {
            segment = segment.urgent(choices.below(1 << 16) as u16);
        }
        self.arrive(
            watch,
            at,
            segment.options(&options.list[..options.count]),
            len as usize,
            Truth::Fresh,
        )
    }
}
