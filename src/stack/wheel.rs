use crate::time::Instant;

/// When each connection next wants a look: a hierarchical timing wheel.
///
/// Each connection stands in it once, by its number. A deadline that moves later is
/// not entered anew: the old entry comes too early, and who is called finds out
/// (one store for the owner, nothing here). Entries live in lists through an array,
/// so nothing is allocated but for a number never seen before.
pub(super) struct TimerWheel {
    /// The first entry of each list: those of the levels' slots, then that of what is due.
    heads: Box<[u32; LISTS]>,
    /// For each level, which slots have entries.
    occupied: [u64; LEVELS],
    entries: Vec<WheelEntry>,
    /// The tick up to which everything has been taken out.
    now: u64,
}

#[derive(Clone, Copy, Debug)]
struct WheelEntry {
    /// In ticks.
    due: u64,
    next: u32,
    previous: u32,
    /// The list it stands in, or [`NOWHERE`].
    list: u16,
}

/// A tick is 2^16 ns, about 66 microseconds.
const TICK_BITS: u32 = 16;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// Eight levels of 64 slots hold every tick there is, so nothing ever wraps.
const LEVELS: usize = 8;
/// No tick is later.
const LAST_TICK: u64 = u64::MAX >> TICK_BITS;
const DUE: u16 = (LEVELS * SLOTS) as u16;
const LISTS: usize = LEVELS * SLOTS + 1;
const NOWHERE: u16 = u16::MAX;
/// The end of a list.
const NIL: u32 = u32::MAX;

impl Default for TimerWheel {
    fn default() -> TimerWheel {
        TimerWheel {
            heads: Box::new([NIL; LISTS]),
            occupied: [0; LEVELS],
            entries: Vec::new(),
            now: 0,
        }
    }
}

impl core::fmt::Debug for TimerWheel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let next = self.next();
        f.debug_struct("TimerWheel")
            .field("next", &next)
            .finish_non_exhaustive()
    }
}

impl TimerWheel {
    /// Sees to it that `index` comes up by `due` at the latest: it is moved only if it
    /// would come up later.
    pub(super) fn schedule_by(&mut self, index: u32, due: Instant) {
        if due == Instant::FAR_FUTURE {
            return;
        }
        // Rounded up: never early. Beyond the last tick it never comes.
        let due = due.as_nanos().div_ceil(1 << TICK_BITS);
        if due > LAST_TICK {
            return;
        }
        if self.entries.len() <= index as usize {
            let vacant = WheelEntry {
                due: u64::MAX,
                next: NIL,
                previous: NIL,
                list: NOWHERE,
            };
            self.entries.resize(index as usize + 1, vacant);
        }
        let entry = &self.entries[index as usize];
        if entry.list != NOWHERE && entry.due <= due {
            return;
        }
        self.cancel(index);
        self.enter(index, due);
    }

    /// Takes `index` out, if it stands in the wheel.
    pub(super) fn cancel(&mut self, index: u32) {
        let Some(entry) = self.entries.get_mut(index as usize) else {
            return;
        };
        if entry.list == NOWHERE {
            return;
        }
        let WheelEntry {
            next,
            previous,
            list,
            ..
        } = *entry;
        entry.list = NOWHERE;
        if let Some(entry) = self.entries.get_mut(next as usize) {
            entry.previous = previous;
        }
        match self.entries.get_mut(previous as usize) {
            Some(entry) => entry.next = next,
            None => self.set_head(list, next),
        }
    }

    /// Whether `index` comes up by `due`, in whole ticks, or need not.
    #[cfg(feature = "simulation")]
    pub(super) fn covers(&self, index: u32, due: Instant) -> bool {
        let tick = due.as_nanos().div_ceil(1 << TICK_BITS);
        if due == Instant::FAR_FUTURE || tick > LAST_TICK {
            return true;
        }
        let entry = self.entries.get(index as usize);
        let is_in_time = |entry: &WheelEntry| entry.list != NOWHERE && entry.due <= tick;
        // And the list in which it stands is looked at by then.
        let latest = Instant::from_nanos(tick.max(self.now) << TICK_BITS);
        entry.is_some_and(is_in_time) && self.next().is_some_and(|next| next <= latest)
    }

    /// When something may be due next: for what is far off, a time at which to look again.
    pub(super) fn next(&self) -> Option<Instant> {
        let tick = if self.heads[usize::from(DUE)] != NIL {
            self.now
        } else {
            self.next_slot()?.2
        };
        Some(Instant::from_nanos(tick << TICK_BITS))
    }

    /// Takes out one that is due at `now`.
    pub(super) fn expire(&mut self, now: Instant) -> Option<u32> {
        let now = now.as_nanos() >> TICK_BITS;
        loop {
            let first = self.heads[usize::from(DUE)];
            if first != NIL {
                self.cancel(first);
                return Some(first);
            }
            let Some((level, slot, tick)) = self.next_slot().filter(|slot| slot.2 <= now) else {
                self.now = self.now.max(now);
                return None;
            };
            // Empty the slot: what is due goes to the list of that, the rest further down.
            self.now = self.now.max(tick);
            let list = (level * SLOTS + slot) as u16;
            let mut index = self.heads[usize::from(list)];
            self.set_head(list, NIL);
            while let Some(entry) = self.entries.get_mut(index as usize) {
                let (next, due) = (entry.next, entry.due);
                entry.list = NOWHERE;
                self.enter(index, due);
                index = next;
            }
        }
    }

    /// The level, slot and start of the first slot that has entries. Those of a lower
    /// level all come before those of a higher one.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|slots| *slots != 0)?;
        // Entries stand in slots after that of `now`: the lowest is the next one.
        let slot = self.occupied[level].trailing_zeros() as usize;
        let shift = SLOT_BITS * level as u32;
        let base = (self.now >> shift >> SLOT_BITS) << SLOT_BITS << shift;
        Some((level, slot, base | (slot as u64) << shift))
    }

    fn enter(&mut self, index: u32, due: u64) {
        let list = if due <= self.now {
            DUE
        } else {
            // The highest bit in which it differs from now says which level.
            let level = (due ^ self.now).ilog2() / SLOT_BITS;
            let slot = (due >> (level * SLOT_BITS)) as usize % SLOTS;
            (level as usize * SLOTS + slot) as u16
        };
        let next = self.heads[usize::from(list)];
        self.entries[index as usize] = WheelEntry {
            due,
            next,
            previous: NIL,
            list,
        };
        if let Some(entry) = self.entries.get_mut(next as usize) {
            entry.previous = index;
        }
        self.set_head(list, index);
    }

    fn set_head(&mut self, list: u16, index: u32) {
        let list = usize::from(list);
        self.heads[list] = index;
        if let Some(slots) = self.occupied.get_mut(list / SLOTS) {
            let bit = 1 << (list % SLOTS);
            if index == NIL {
                *slots &= !bit;
            } else {
                *slots |= bit;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a map from number to deadline, at all distances.
        #[test]
        fn each_comes_up_when_it_is_due(
            steps in proptest::collection::vec(
                (0..24u32, 0..45u32, any::<u64>(), any::<bool>(), 0..45u32),
                1..200,
            ),
        ) {
            let mut wheel = TimerWheel::default();
            let mut model: BTreeMap<u32, u64> = BTreeMap::new();
            let mut now = 0u64;
            let tick = 1u64 << TICK_BITS;
            for (index, magnitude, random, cancel, pace) in steps {
                if cancel {
                    wheel.cancel(index);
                    model.remove(&index);
                } else {
                    let due = now + (random & ((1 << magnitude) - 1));
                    wheel.schedule_by(index, Instant::from_nanos(due));
                    let entry = model.entry(index).or_insert(u64::MAX);
                    *entry = (*entry).min(due);
                }
                // What wants a look is looked at no later than it says.
                if let Some(earliest) = model.values().min() {
                    let next = wheel.next().unwrap().as_nanos();
                    prop_assert!(next <= earliest.next_multiple_of(tick).max(now + tick));
                }
                now += random.rotate_left(17) & ((1 << pace) - 1);
                while let Some(index) = wheel.expire(Instant::from_nanos(now)) {
                    let due = model.remove(&index).expect("comes up once");
                    prop_assert!(due <= now, "early");
                }
                for due in model.values() {
                    prop_assert!(due.next_multiple_of(tick) > now, "late");
                }
            }
        }
    }

    #[test]
    fn it_reaches_to_the_end_of_time() {
        let last = u64::MAX >> TICK_BITS << TICK_BITS;
        let mut wheel = TimerWheel::default();
        wheel.schedule_by(3, Instant::from_nanos(last));
        wheel.schedule_by(4, Instant::from_nanos(last + 1));
        let mut looks = 0;
        while let Some(next) = wheel.next() {
            looks += 1;
            assert!(looks <= LEVELS);
            while let Some(index) = wheel.expire(next) {
                assert_eq!((index, next.as_nanos()), (3, last));
            }
        }
        assert!(looks > 0);
    }
}
