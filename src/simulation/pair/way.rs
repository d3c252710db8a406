//! The way between two hosts.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use crate::device::{Impairment, ImpairmentCounters, Lane};
use crate::simulation::{Choices, router};
use crate::time::Instant;
use crate::wire::{Icmpv4Type, Ipv4Packet, Ipv4PacketMut};

/// The largest packet there is: all hosts have links of this size or less.
pub(super) const LINK_MTU: usize = 1500;

/// How a way treats what goes in one direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Direction {
    pub(super) impairment: Impairment,
    /// The largest packet that gets through, in bytes.
    pub(super) mtu: usize,
    /// How many packets of those that may be are marked instead of dropped, in percent (RFC
    /// 3168).
    pub(super) marks: u64,
}

impl Direction {
    /// A direction by chance. All of them let a patient host through.
    pub(super) fn draw(dice: &mut impl Choices) -> Direction {
        let millis = |n| Duration::from_millis(n);
        let permille = |n| n as f64 / 1000.0;
        Direction {
            impairment: Impairment {
                loss: permille(dice.pick(&[0, 0, 0, 5, 20, 100, 300])),
                burst: dice.pick(&[0.0, 0.0, 0.0, 2.0, 6.0]),
                reorder: permille(dice.pick(&[0, 0, 0, 10, 100, 500])),
                reorder_delay: millis(dice.pick(&[0, 0, 1, 30, 400])),
                duplicate: permille(dice.pick(&[0, 0, 10, 200])),
                corrupt: permille(dice.pick(&[0, 0, 10, 50])),
                delay: millis(dice.pick(&[0, 0, 1, 10, 50, 300])),
                jitter: millis(dice.pick(&[0, 0, 0, 1, 20, 200])),
                rate: NonZeroU64::new(dice.pick(&[0, 0, 0, 1, 10, 100, 1000]) * 1_000_000),
                queue: dice.pick(&[1, 5, 20, 100, 1000]),
                seed: dice.below(u64::MAX),
            },
            mtu: dice.pick(&[LINK_MTU, LINK_MTU, LINK_MTU, 1499, 1280, 576, 296, 68]),
            marks: dice.pick(&[0, 0, 1, 10]),
        }
    }
}

/// For who reads it.
impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Direction {
            impairment,
            mtu,
            marks,
        } = self;
        write!(f, "{impairment}, MTU {mtu}, marks {marks}%")
    }
}

/// What stands in a packet's way before any chance does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    Dark,
    /// It is cut into fragments.
    Pieces(usize),
    /// It may not be, and is dropped.
    TooLarge(usize),
    Marked,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    obstacle: Option<Obstacle>,
    /// Whether the lane makes copies.
    doubles: bool,
    /// What the lane had counted before it, and after.
    before: ImpairmentCounters,
    after: ImpairmentCounters,
}

impl Fate {
    /// Whether it goes its way as all should.
    pub(super) fn is_common(&self) -> bool {
        self.obstacle.is_none() && self.before == self.after
    }

    /// Whether it, or a part of it, does not arrive as it was sent.
    pub(super) fn is_lost(&self) -> bool {
        let count = |of: &ImpairmentCounters| of.lost + of.overflowed + of.corrupted;
        let blocked = matches!(self.obstacle, Some(Obstacle::Dark | Obstacle::TooLarge(_)));
        blocked || count(&self.before) != count(&self.after)
    }

    /// Whether it, or a copy, may arrive as it was sent.
    pub(super) fn may_arrive(&self) -> bool {
        let (before, after) = (&self.before, &self.after);
        // Of two copies one may find the queue full.
        let copies = self.doubles && before.overflowed != after.overflowed;
        !self.is_lost()
            || (copies && before.lost == after.lost && before.corrupted == after.corrupted)
    }

    /// Whether it, or a part of it, arrives twice.
    pub(super) fn is_doubled(&self) -> bool {
        self.before.duplicated != self.after.duplicated
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.obstacle {
            None => {}
            Some(Obstacle::Dark) => f.write_str("lost: nothing gets through")?,
            Some(Obstacle::Pieces(mtu)) => write!(f, "cut into pieces for an MTU of {mtu}; ")?,
            Some(Obstacle::TooLarge(mtu)) => write!(f, "lost: larger than the MTU of {mtu}")?,
            Some(Obstacle::Marked) => f.write_str("marked; ")?,
        }
        let (before, after) = (self.before, self.after);
        let mut separator = "";
        for (what, before, after) in [
            ("lost on its way", before.lost, after.lost),
            (
                "lost: the queue is full",
                before.overflowed,
                after.overflowed,
            ),
            ("a bit of it flips", before.corrupted, after.corrupted),
            ("held back", before.reordered, after.reordered),
            ("doubled", before.duplicated, after.duplicated),
        ] {
            if before < after {
                write!(f, "{separator}{what}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

/// Two directions, and a router in the middle that knows how much fits.
#[derive(Debug)]
pub(super) struct Way {
    /// `lanes[n]` leads away from host `n`.
    lanes: [Lane; 2],
    directions: [Direction; 2],
    /// Whether the router answers what is too large (RFC 1191), or swallows it.
    pub(super) tells: bool,
    /// Whether nothing gets through at all of what host `n` sends.
    pub(super) dark: [bool; 2],
}

impl Way {
    pub(super) fn new(directions: [Direction; 2], tells: bool) -> Way {
        Way {
            lanes: directions.map(|direction| Lane::new(direction.impairment)),
            directions,
            tells,
            dark: [false; 2],
        }
    }

    /// From now on, what host `from` sends fares so.
    pub(super) fn set_direction(&mut self, from: usize, direction: Direction) {
        self.lanes[from].set_impairment(direction.impairment);
        self.directions[from] = direction;
    }

    /// From now on, packets of up to `mtu` bytes get through that host `from` sends.
    pub(super) fn set_mtu(&mut self, from: usize, mtu: usize) {
        self.directions[from].mtu = mtu;
    }

    /// How large a packet of host `from` may be.
    fn mtu(&self, from: usize) -> usize {
        let Direction {
            mtu, impairment, ..
        } = self.directions[from];
        let Impairment {
            loss,
            corrupt,
            queue,
            ..
        } = impairment;
        // A dozen fragments of one datagram must have a chance to arrive together. And who is
        // not told that packets are too large tries smaller ones, but not below what everyone
        // may send (RFC 1122 section 3.3.3).
        let takes_fragments = self.tells && loss + corrupt < 0.03 && queue >= 20;
        if takes_fragments { mtu } else { mtu.max(576) }
    }

    /// Takes a packet of host `from`, and says what becomes of it.
    pub(super) fn send(
        &mut self,
        now: Instant,
        from: usize,
        packet: &[u8],
        dice: &mut impl Choices,
    ) -> Fate {
        let before = self.lanes[from].counters();
        let obstacle = self.pass(now, from, packet, dice);
        Fate {
            obstacle,
            doubles: self.directions[from].impairment.duplicate > 0.0,
            before,
            after: self.lanes[from].counters(),
        }
    }

    fn pass(
        &mut self,
        now: Instant,
        from: usize,
        packet: &[u8],
        dice: &mut impl Choices,
    ) -> Option<Obstacle> {
        let (mtu, marks) = (self.mtu(from), self.directions[from].marks);
        if self.dark[from] {
            return Some(Obstacle::Dark);
        }
        // What comes here is a sound packet of a host.
        let ip = Ipv4Packet::parse(packet).ok()?;
        if packet.len() > mtu {
            if !ip.dont_fragment() {
                self.send_in_pieces(now, from, &ip);
                return Some(Obstacle::Pieces(mtu));
            }
            if self.tells {
                self.answer(now, from, packet);
            }
            return Some(Obstacle::TooLarge(mtu));
        }
        if ip.ecn() == 0 || !dice.percent(marks) {
            self.lanes[from].send(now, packet);
            return None;
        }
        let mut marked = [0; LINK_MTU];
        let marked = &mut marked[..packet.len()];
        marked.copy_from_slice(packet);
        if let Ok(mut ip) = Ipv4PacketMut::parse(marked) {
            ip.set_ecn(3);
        }
        self.lanes[from].send(now, marked);
        Some(Obstacle::Marked)
    }

    fn send_in_pieces(&mut self, now: Instant, from: usize, ip: &Ipv4Packet<'_>) {
        let size = (self.directions[from].mtu - 20) / 8 * 8;
        for start in (0..ip.payload().len()).step_by(size) {
            let mut piece = [0; LINK_MTU];
            let written = router::fragment(&mut piece, ip, ip.identification(), start, size);
            if let Ok(len) = written {
                self.lanes[from].send(now, &piece[..len]);
            }
        }
    }

    /// "Fragmentation needed and DF set", with the MTU (RFC 1191 section 4).
    fn answer(&mut self, now: Instant, from: usize, packet: &[u8]) {
        let Ok(ip) = Ipv4Packet::parse(packet) else {
            return;
        };
        let (mtu, quote) = (self.directions[from].mtu, &packet[..packet.len().min(28)]);
        let mut buffer = [0; 100];
        let what = (Icmpv4Type::DESTINATION_UNREACHABLE, 4);
        // No link has more than 1500 bytes.
        if let Ok(len) = router::report(&mut buffer, ip.src(), what, mtu as u16, quote) {
            self.lanes[1 - from].send(now, &buffer[..len]);
        }
    }

    /// The next packet that has reached host `to`.
    pub(super) fn receive(&mut self, now: Instant, to: usize, buffer: &mut [u8]) -> Option<usize> {
        self.lanes[1 - to].receive(now, buffer)
    }

    /// When the next packet reaches a host.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let [a, b] = &self.lanes;
        a.poll_timeout().into_iter().chain(b.poll_timeout()).min()
    }
}
