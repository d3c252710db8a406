//! One direction of an impaired device.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use crate::device::Rng;
use crate::device::impair::Impairment;
use crate::device::pool::Pool;
use crate::time::Instant;

/// A reordered packet is overtaken by one to this many others: on both sides of
/// the three duplicate acknowledgements that TCP takes for a loss (RFC 5681,
/// section 3.2).
const OVERTAKEN_MAX: u64 = 4;

/// How long a reordered packet waits for others to overtake it.
const PATIENCE: Duration = Duration::from_millis(10);

/// Packets held at one time, so that a long delay can't take all memory.
const HELD_MAX: usize = 1 << 16;

/// What has happened to the packets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImpairmentCounters {
    /// Packets lost by chance.
    pub lost: u64,
    /// Packets held back for others to overtake.
    pub reordered: u64,
    /// Packets sent twice.
    pub duplicated: u64,
    /// Packets with a bit flipped.
    pub corrupted: u64,
    /// Packets (and second copies) that found the queue full.
    pub overflowed: u64,
}

/// What chance has in store for one packet that is not lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    duplicated: bool,
    /// A random number that picks the bit to flip.
    flipped: Option<u64>,
    /// By how many packets it is to be overtaken.
    overtaken_by: Option<u64>,
}

impl Fate {
    pub(super) fn is_corrupted(self) -> bool {
        self.flipped.is_some()
    }
}

#[derive(Debug)]
pub(super) struct Lane {
    impairment: Impairment,
    rng: Rng,
    /// When the last bit of the last packet leaves the line.
    line_free: Instant,
    /// When the packets that wait for the line, or are on it, leave it.
    departures: VecDeque<Instant>,
    /// Packets on the way.
    held: BinaryHeap<Held>,
    /// Packets that wait to be overtaken. A packet stays for `OVERTAKEN_MAX` others
    /// at most, so there are never more than that, twice over for duplicates.
    aside: Vec<Aside>,
    /// Packets ever held: who comes first of those that fall due at one time.
    arrivals: u64,
    pool: Pool,
    counters: ImpairmentCounters,
}

impl Lane {
    pub(super) fn new(impairment: Impairment, rng: Rng) -> Lane {
        Lane {
            impairment,
            rng,
            line_free: Instant::ZERO,
            departures: VecDeque::new(),
            held: BinaryHeap::new(),
            aside: Vec::new(),
            arrivals: 0,
            pool: Pool::default(),
            counters: ImpairmentCounters::default(),
        }
    }

    pub(super) fn counters(&self) -> ImpairmentCounters {
        self.counters
    }

    /// Draws what happens to the next packet: `None` if it is lost. Takes as many
    /// numbers whatever comes out, so that no packet's fate hangs on another's.
    pub(super) fn draw_fate(&mut self) -> Option<Fate> {
        let lost = self.rng.chance(self.impairment.loss);
        let corrupted = self.rng.chance(self.impairment.corrupt);
        let bit = self.rng.next_u64();
        let duplicated = self.rng.chance(self.impairment.duplicate);
        let reordered = self.rng.chance(self.impairment.reorder);
        let overtaken_by = 1 + self.rng.below(OVERTAKEN_MAX);
        if lost {
            self.counters.lost += 1;
            return None;
        }
        Some(Fate {
            duplicated,
            flipped: corrupted.then_some(bit),
            overtaken_by: reordered.then_some(overtaken_by),
        })
    }

    /// Flips a bit of `packet` if that is its fate.
    pub(super) fn corrupt(&mut self, fate: Fate, packet: &mut [u8]) {
        if let Some(random) = fate.flipped
            && !packet.is_empty()
        {
            let byte = random / 8 % packet.len() as u64;
            packet[byte as usize] ^= 1 << (random % 8);
            self.counters.corrupted += 1;
        }
    }

    /// Sends `packet` on its way. True if nothing holds it up: then the
    /// caller passes it on at once, and takes what has fallen due after it.
    #[must_use]
    pub(super) fn admit(&mut self, now: Instant, fate: Fate, packet: &[u8]) -> bool {
        let Some(due) = self.schedule(now, packet.len()) else {
            self.counters.overflowed += 1;
            return false;
        };
        for waiting in &mut self.aside {
            waiting.overtakers = waiting.overtakers.saturating_sub(1);
        }

        let mut straight = false;
        if let Some(overtakers) = fate.overtaken_by {
            self.counters.reordered += 1;
            self.set_aside(due, overtakers, packet);
        } else if due <= now && self.next_due().is_none_or(|next| next > now) {
            straight = true;
        } else {
            self.hold(due, packet);
        }
        if fate.duplicated {
            self.admit_copy(now, fate, packet);
        }

        self.release_overtaken(due);
        straight
    }

    /// Takes out the next packet that has arrived by `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Vec<u8>> {
        while let Some(index) = self
            .aside
            .iter()
            .position(|waiting| waiting.patience <= now)
        {
            let waiting = self.aside.remove(index);
            self.hold_buffer(waiting.patience, waiting.packet);
        }
        if self.held.peek()?.due > now {
            return None;
        }
        self.held.pop().map(|held| held.packet)
    }

    /// When [`pop_due`](Lane::pop_due) next has something.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let patience = self.aside.iter().map(|waiting| waiting.patience);
        self.held
            .peek()
            .map(|held| held.due)
            .into_iter()
            .chain(patience)
            .min()
    }

    pub(super) fn recycle(&mut self, packet: Vec<u8>) {
        self.pool.recycle(packet);
    }

    pub(super) fn copy_out(&mut self, packet: Vec<u8>, into: &mut [u8]) -> usize {
        self.pool.copy_out(packet, into)
    }

    /// When a packet that comes now arrives; `None` if there is no room for it.
    fn schedule(&mut self, now: Instant, len: usize) -> Option<Instant> {
        if self.held.len() + self.aside.len() >= HELD_MAX {
            return None;
        }
        let Some(time_on_line) = self.time_on_line(len) else {
            return Some(now + self.impairment.delay);
        };
        while self
            .departures
            .front()
            .is_some_and(|&departure| departure <= now)
        {
            self.departures.pop_front();
        }
        // The packet whose bits are on the line is in the queue no more.
        if self.departures.len() > self.impairment.queue {
            return None;
        }
        self.line_free = self.line_free.max(now) + time_on_line;
        self.departures.push_back(self.line_free);
        Some(self.line_free + self.impairment.delay)
    }

    /// How long the line takes for a packet, to the nanosecond above.
    fn time_on_line(&self, len: usize) -> Option<Duration> {
        let rate = u128::from(self.impairment.rate?.get());
        let nanos = (len as u128 * 8 * 1_000_000_000).div_ceil(rate);
        Some(Duration::from_nanos(
            u64::try_from(nanos).unwrap_or(u64::MAX),
        ))
    }

    /// Sends the second copy of a packet after the first, and like it.
    fn admit_copy(&mut self, now: Instant, fate: Fate, packet: &[u8]) {
        let Some(due) = self.schedule(now, packet.len()) else {
            self.counters.overflowed += 1;
            return;
        };
        self.counters.duplicated += 1;
        match fate.overtaken_by {
            Some(overtakers) => self.set_aside(due, overtakers, packet),
            None => self.hold(due, packet),
        }
    }

    fn set_aside(&mut self, due: Instant, overtakers: u64, packet: &[u8]) {
        let line = self.time_on_line(packet.len()).unwrap_or_default();
        let patience = due + PATIENCE + line.saturating_mul(OVERTAKEN_MAX as u32);
        let packet = self.pool.copy(packet);
        self.aside.push(Aside {
            due,
            patience,
            overtakers,
            packet,
        });
    }

    /// Sends on the packets that enough others have overtaken, the last of which
    /// arrives at `overtaker_due`.
    fn release_overtaken(&mut self, overtaker_due: Instant) {
        while let Some(index) = self
            .aside
            .iter()
            .position(|waiting| waiting.overtakers == 0)
        {
            let waiting = self.aside.remove(index);
            self.hold_buffer(waiting.due.max(overtaker_due), waiting.packet);
        }
    }

    fn hold(&mut self, due: Instant, packet: &[u8]) {
        let packet = self.pool.copy(packet);
        self.hold_buffer(due, packet);
    }

    fn hold_buffer(&mut self, due: Instant, packet: Vec<u8>) {
        let arrival = self.arrivals;
        self.arrivals += 1;
        self.held.push(Held {
            due,
            arrival,
            packet,
        });
    }
}

/// A packet that waits for others to go past.
#[derive(Debug)]
struct Aside {
    /// When it would arrive if it were not held back.
    due: Instant,
    /// When it stops waiting.
    patience: Instant,
    /// How many packets are still to come before it.
    overtakers: u64,
    packet: Vec<u8>,
}

/// A packet on the way, ordered so that the first to arrive is the greatest:
/// `BinaryHeap` gives out the greatest.
#[derive(Debug)]
struct Held {
    due: Instant,
    arrival: u64,
    packet: Vec<u8>,
}

impl Ord for Held {
    fn cmp(&self, other: &Held) -> Ordering {
        (other.due, other.arrival).cmp(&(self.due, self.arrival))
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Held) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Held) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Held {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_lane_allocates_no_buffers() {
        let impairment = Impairment {
            delay: Duration::from_millis(1),
            ..Impairment::default()
        };
        let mut lane = Lane::new(impairment, Rng::new(0));
        let mut now = Instant::ZERO;
        let mut addresses = Vec::new();
        for _ in 0..100 {
            let fate = lane.draw_fate().expect("nothing is lost at 0%");
            assert!(!lane.admit(now, fate, &[0; 1500]));
            now += Duration::from_millis(1);
            let packet = lane.pop_due(now).expect("the delay is over");
            addresses.push(packet.as_ptr());
            lane.recycle(packet);
        }
        addresses.dedup();
        assert_eq!(addresses.len(), 1);
    }
}
