//! One direction of a bad network.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use crate::device::Rng;
use crate::device::impair::Impairment;
use crate::device::pool::Pool;
use crate::time::{Instant, nanos};

/// A reordered packet is overtaken by one to this many others: on both sides of
/// the three duplicate acknowledgements that TCP takes for a loss (RFC 5681,
/// section 3.2).
const OVERTAKEN_MAX: u64 = 4;

/// How long a reordered packet waits for others to overtake it.
const PATIENCE: Duration = Duration::from_millis(10);

/// Packets held at one time, so that a long delay can't take all memory. A path of
/// 1 Gbit/s and 200 ms holds 17,000 packets of 1500 bytes, and its router's
/// queue can hold some times as many.
const HELD_MAX: usize = 1 << 17;

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

/// One direction of a bad network: packets go in at one end and come out at the other as
/// an [`Impairment`] says. [`Impaired`](super::Impaired) puts two of them around a device;
/// a simulation builds whole networks of them.
///
/// What happens depends on nothing but the seed and on the packets and their
/// times: the same run can be had again. Each packet draws the same numbers
/// whatever the settings, so that the packets lost at `loss=1%` are lost at `loss=2%` too.
/// Two lanes want two seeds of their own: with one seed the nth packet of each meets the same
/// fate, and the loss of a segment would go with that of an acknowledgment.
/// [`Impaired`](super::Impaired) sees to that.
///
/// A packet meets, in this order:
///
/// 1. *loss*: it is gone, and takes no time on the line. With
///    [`burst`](Impairment::burst) losses come in runs;
/// 2. *corruption*: one random bit of it is flipped;
/// 3. *duplication*: it goes through the rest twice;
/// 4. *the line*: with a rate, packets leave one after another, each when its last
///    bit is out. Those that wait are bounded by [`Impairment::queue`], and one that
///    finds the queue full is dropped;
/// 5. *the way*: `delay` later it arrives, and with `jitter` a random time after that, but
///    not before what went ahead of it;
/// 6. *reordering*: it is held back until one to four packets that came after it
///    have gone past, however short the delay. Should none come it arrives 10 ms
///    (and four times its own time on the line) late, which is all that happens to a
///    packet that nothing follows. With [`reorder_delay`](Impairment::reorder_delay)
///    it is late by a random time up to that instead.
///
/// Up to 131,072 packets are on the way; what goes beyond that is dropped, and counted
/// with those that found the queue full.
///
/// ```
/// use zerotcp::device::{Impairment, Lane};
/// use zerotcp::time::Instant;
///
/// // 1000 bytes are 1 ms on the line, and then 10 ms on their way.
/// let impairment: Impairment = "rate=8mbit,delay=10ms".parse()?;
/// let mut lane = Lane::new(impairment);
/// lane.send(Instant::ZERO, &[7; 1000]);
///
/// let mut buffer = [0; 1500];
/// assert_eq!(lane.receive(Instant::ZERO, &mut buffer), None);
/// let due = lane.poll_timeout().unwrap();
/// assert_eq!(due, Instant::from_millis(11));
/// assert_eq!(lane.receive(due, &mut buffer), Some(1000));
/// assert_eq!(lane.poll_timeout(), None);
/// # Ok::<(), zerotcp::device::ImpairmentError>(())
/// ```
#[derive(Debug)]
pub struct Lane {
    impairment: Impairment,
    rng: Rng,
    /// The packet before was lost: losses in bursts go on from here.
    losing: bool,
    /// When the last bit of the last packet leaves the line.
    line_free: Instant,
    /// When the packets that wait for the line, or are on it, leave it.
    departures: VecDeque<Instant>,
    /// The last packet, which jitter does not let later ones overtake.
    last: Arrival,
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
    /// A lane with nothing on it, which draws from the impairment's seed.
    pub fn new(impairment: Impairment) -> Lane {
        Lane::with_rng(impairment, Rng::new(impairment.seed))
    }

    pub(super) fn with_rng(impairment: Impairment, rng: Rng) -> Lane {
        Lane {
            impairment,
            rng,
            losing: false,
            line_free: Instant::ZERO,
            departures: VecDeque::new(),
            last: Arrival::default(),
            held: BinaryHeap::new(),
            aside: Vec::new(),
            arrivals: 0,
            pool: Pool::default(),
            counters: ImpairmentCounters::default(),
        }
    }

    /// Sends `packet` on its way, or loses it.
    pub fn send(&mut self, now: Instant, packet: &[u8]) {
        let Some(fate) = self.draw_fate() else {
            self.counters.lost += 1;
            return;
        };
        let mut packet = self.pool.copy(packet);
        self.corrupt(&fate, &mut packet);
        let copy = fate.duplicated.then(|| self.pool.copy(&packet));
        let Some(due) = self.schedule(now, &fate, packet.len()) else {
            self.counters.overflowed += 1;
            self.pool.recycle(packet);
            if let Some(copy) = copy {
                self.pool.recycle(copy);
            }
            return;
        };
        for waiting in &mut self.aside {
            waiting.overtakers = waiting.overtakers.saturating_sub(1);
        }
        self.counters.reordered += u64::from(fate.reordered);
        self.put_on_way(due, &fate, packet);
        if let Some(copy) = copy {
            self.send_copy(now, &fate, copy);
        }
        self.release_overtaken(due);
    }

    /// Takes out the next packet that has arrived by `now`, cut at the end of
    /// `buffer`, and returns how many bytes were copied.
    pub fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> Option<usize> {
        let packet = self.pop_due(now)?;
        Some(self.pool.copy_out(packet, buffer))
    }

    /// When [`receive`](Lane::receive) next has something; `None` if nothing is on its way.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let held = self.held.peek().map(|held| held.due);
        let patience = self.aside.iter().map(|waiting| waiting.patience);
        held.into_iter().chain(patience).min()
    }

    /// What happens to packets now.
    pub fn impairment(&self) -> &Impairment {
        &self.impairment
    }

    /// Changes what happens to packets, from the next one on: what is on the way arrives
    /// as it would have, and what waits for the line keeps its turn. The lane goes on
    /// drawing from the seed it was made with, whatever `impairment` says.
    ///
    /// A packet whose way has become shorter can overtake those sent before, as one
    /// does when a route changes.
    pub fn set_impairment(&mut self, impairment: Impairment) {
        self.impairment = Impairment {
            seed: self.impairment.seed,
            ..impairment
        };
    }

    /// What has happened to packets so far.
    pub fn counters(&self) -> ImpairmentCounters {
        self.counters
    }

    /// As [`receive`](Lane::receive), without copying. [`recycle`](Lane::recycle) takes
    /// the buffer back.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Vec<u8>> {
        while let Some(index) = self
            .aside
            .iter()
            .position(|waiting| waiting.patience <= now)
        {
            let waiting = self.aside.remove(index);
            self.hold(waiting.patience, waiting.packet);
        }
        if self.held.peek()?.due > now {
            return None;
        }
        self.held.pop().map(|held| held.packet)
    }

    pub(super) fn recycle(&mut self, packet: Vec<u8>) {
        self.pool.recycle(packet);
    }

    /// Draws what happens to the next packet: `None` if it is lost. Takes as many
    /// numbers whatever the settings and whatever comes out, so that no packet's fate
    /// hangs on another's.
    fn draw_fate(&mut self) -> Option<Fate> {
        let lost = self.rng.chance(self.loss());
        let corrupted = self.rng.chance(self.impairment.corrupt);
        let bit = self.rng.next_u64();
        let duplicated = self.rng.chance(self.impairment.duplicate);
        let reordered = self.rng.chance(self.impairment.reorder);
        let overtakers = 1 + self.rng.below(OVERTAKEN_MAX);
        let jitter = up_to(self.impairment.jitter, &mut self.rng);
        let reorder_delay = up_to(self.impairment.reorder_delay, &mut self.rng);
        self.losing = lost;
        if lost {
            return None;
        }
        Some(Fate {
            duplicated,
            flipped: corrupted.then_some(bit),
            jitter,
            reordered,
            overtakers,
            reorder_delay,
        })
    }

    /// The probability that the next packet is lost.
    ///
    /// Losses in bursts are a chain of two states (E. N. Gilbert, "Capacity of a Burst-Noise
    /// Channel", 1960; here all is lost in the bad state and nothing in the good
    /// one). At each packet the bad state ends with probability r, so that it lasts
    /// for 1/r packets on average, and the good one with g. The bad state's share of
    /// the packets is g / (g + r), which gives g from the loss that is asked for. Where g
    /// would be above 1, good runs are one packet long and bad ones longer than
    /// asked for.
    fn loss(&self) -> f64 {
        let Impairment { loss, burst, .. } = self.impairment;
        let in_bursts = burst >= 1.0 && loss > 0.0 && loss < 1.0;
        if !in_bursts {
            return loss;
        }
        let r_over_g = (1.0 - loss) / loss;
        if self.losing {
            1.0 - f64::min(1.0 / burst, r_over_g)
        } else {
            1.0 / (burst * r_over_g)
        }
    }

    /// Flips a bit of `packet` if that is its fate.
    fn corrupt(&mut self, fate: &Fate, packet: &mut [u8]) {
        if let Some(random) = fate.flipped
            && !packet.is_empty()
        {
            let byte = random / 8 % packet.len() as u64;
            packet[byte as usize] ^= 1 << (random % 8);
            self.counters.corrupted += 1;
        }
    }

    /// When a packet that comes now arrives, if it is not held back; `None` if there
    /// is no room for it.
    fn schedule(&mut self, now: Instant, fate: &Fate, len: usize) -> Option<Instant> {
        if self.held.len() + self.aside.len() >= HELD_MAX {
            return None;
        }
        let left_line = self.pass_line(now, len)?;
        let smooth = left_line + self.impairment.delay;
        // Whoever would have come first without jitter comes first with it.
        let mut due = smooth + fate.jitter;
        if smooth >= self.last.smooth {
            due = due.max(self.last.due);
        }
        self.last = Arrival { smooth, due };
        Some(due)
    }

    /// When a packet that comes now has left the line; `None` if the queue is full.
    fn pass_line(&mut self, now: Instant, len: usize) -> Option<Instant> {
        let Some(time_on_line) = self.time_on_line(len) else {
            return Some(now);
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
        Some(self.line_free)
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
    fn send_copy(&mut self, now: Instant, fate: &Fate, copy: Vec<u8>) {
        match self.schedule(now, fate, copy.len()) {
            Some(due) => {
                self.counters.duplicated += 1;
                self.put_on_way(due, fate, copy);
            }
            None => {
                self.counters.overflowed += 1;
                self.pool.recycle(copy);
            }
        }
    }

    /// Lets a packet arrive at `due`, or later if it is to be overtaken.
    fn put_on_way(&mut self, due: Instant, fate: &Fate, packet: Vec<u8>) {
        if !fate.reordered {
            self.hold(due, packet);
        } else if !self.impairment.reorder_delay.is_zero() {
            self.hold(due + fate.reorder_delay, packet);
        } else {
            let line = self.time_on_line(packet.len()).unwrap_or_default();
            self.aside.push(Aside {
                due,
                patience: due + PATIENCE + line.saturating_mul(OVERTAKEN_MAX as u32),
                overtakers: fate.overtakers,
                packet,
            });
        }
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
            self.hold(waiting.due.max(overtaker_due), waiting.packet);
        }
    }

    fn hold(&mut self, due: Instant, packet: Vec<u8>) {
        let arrival = self.arrivals;
        self.arrivals += 1;
        self.held.push(Held {
            due,
            arrival,
            packet,
        });
    }
}

/// A random time from 0 to `max`. Takes one number from the stream whatever `max` is.
fn up_to(max: Duration, rng: &mut Rng) -> Duration {
    Duration::from_nanos(rng.below(nanos(max).saturating_add(1)))
}

/// What chance has in store for one packet that is not lost.
#[derive(Debug)]
struct Fate {
    duplicated: bool,
    /// A random number that picks the bit to flip.
    flipped: Option<u64>,
    jitter: Duration,
    reordered: bool,
    /// By how many packets it is overtaken if it is reordered without a time for that.
    overtakers: u64,
    /// How late it is if it is reordered with one.
    reorder_delay: Duration,
}

/// When a packet arrives that nothing holds back.
#[derive(Debug, Default)]
struct Arrival {
    /// Without jitter.
    smooth: Instant,
    /// With it.
    due: Instant,
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
        let mut lane = Lane::new("delay=1ms".parse().unwrap());
        let mut now = Instant::ZERO;
        let mut addresses = Vec::new();
        for _ in 0..100 {
            lane.send(now, &[0; 1500]);
            now += Duration::from_millis(1);
            let packet = lane.pop_due(now).expect("the delay is over");
            addresses.push(packet.as_ptr());
            lane.recycle(packet);
        }
        addresses.dedup();
        assert_eq!(addresses.len(), 1);
    }
}
