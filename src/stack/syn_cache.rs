use std::collections::{BTreeMap, HashMap, VecDeque};

use slab::Slab;

use super::handle::ListenerId;
use super::quad::Quad;
use super::table::KeyedHash;
use super::wheel::TimerWheel;
use crate::tcp::HalfOpen;
use crate::time::Instant;

/// Connections whose handshake with a listener is not done: a SYN cache (RFC 4987
/// section 3.3). How many it may hold is its owner's affair.
#[derive(Debug)]
pub(super) struct SynCache {
    entries: Slab<HalfOpenEntry>,
    by_quad: HashMap<Quad, u32, KeyedHash>,
    /// By [`HalfOpenEntry::born`].
    by_age: BTreeMap<u64, u32>,
    /// How many there have been.
    born: u64,
    wheel: TimerWheel,
    /// Those that may have something to send.
    ready: VecDeque<u32>,
    /// For each place in `entries`, whether it stands in `ready`: it may stand there still when
    /// another moves in.
    queued: Vec<bool>,
}

/// What half a connection costs: 96 bytes, and some 80 in the indices and the wheel.
#[derive(Debug)]
pub(super) struct HalfOpenEntry {
    pub(super) quad: Quad,
    pub(super) listener: ListenerId,
    pub(super) half_open: HalfOpen,
    born: u64,
}

impl SynCache {
    pub(super) fn new(key: [u8; 16]) -> SynCache {
        SynCache {
            entries: Slab::new(),
            by_quad: HashMap::with_hasher(KeyedHash::new(key)),
            by_age: BTreeMap::new(),
            born: 0,
            wheel: TimerWheel::default(),
            ready: VecDeque::new(),
            queued: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn find(&self, quad: Quad) -> Option<u32> {
        self.by_quad.get(&quad).copied()
    }

    pub(super) fn at(&mut self, index: u32) -> Option<&mut HalfOpenEntry> {
        self.entries.get_mut(index as usize)
    }

    /// The entry that has waited longest.
    pub(super) fn oldest(&self) -> Option<u32> {
        self.by_age.values().next().copied()
    }

    /// The entries of a listener: it looks at all there are.
    pub(super) fn of_listener(&self, listener: ListenerId) -> Vec<u32> {
        let owned = |(index, entry): (usize, &HalfOpenEntry)| {
            // Bounded where it was inserted.
            (entry.listener == listener).then_some(index as u32)
        };
        self.entries.iter().filter_map(owned).collect()
    }

    /// Enters a connection whose quad is free.
    pub(super) fn insert(&mut self, quad: Quad, listener: ListenerId, half_open: HalfOpen) {
        self.born += 1;
        let born = self.born;
        // Their number is bounded by `Config::max_half_open`, and by memory well below 2^32.
        let index = self.entries.insert(HalfOpenEntry {
            quad,
            listener,
            half_open,
            born,
        }) as u32;
        self.by_quad.insert(quad, index);
        self.by_age.insert(born, index);
        if self.queued.len() <= index as usize {
            self.queued.resize(index as usize + 1, false);
        }
        self.settle(index);
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<HalfOpenEntry> {
        let entry = self.entries.try_remove(index as usize)?;
        self.by_quad.remove(&entry.quad);
        self.by_age.remove(&entry.born);
        self.wheel.cancel(index);
        Some(entry)
    }

    /// After something happened to an entry: it may have something to send, and wants a look
    /// when its timer is due.
    pub(super) fn settle(&mut self, index: u32) {
        let Some(entry) = self.entries.get(index as usize) else {
            return;
        };
        self.wheel.schedule_by(index, entry.half_open.deadline());
        if !std::mem::replace(&mut self.queued[index as usize], true) {
            self.ready.push_back(index);
        }
    }

    /// One that may have something to send.
    pub(super) fn next_ready(&mut self) -> Option<u32> {
        let index = self.ready.pop_front()?;
        self.queued[index as usize] = false;
        Some(index)
    }

    /// When something may be due next.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.wheel.next()
    }

    /// One that wants a look at `now`.
    pub(super) fn expire(&mut self, now: Instant) -> Option<u32> {
        self.wheel.expire(now)
    }
}

#[cfg(feature = "simulation")]
mod audit {
    use super::SynCache;
    use crate::tcp::audit::hold;

    impl SynCache {
        /// What holds of it between any two calls.
        pub(in crate::stack) fn audit(&self, limit: usize) -> Result<(), String> {
            let count = self.entries.len();
            hold!(
                count <= limit && self.by_quad.len() == count && self.by_age.len() == count,
                "{count} half-open connections of {limit}, {} by quad and {} by age",
                self.by_quad.len(),
                self.by_age.len()
            );
            for (index, entry) in &self.entries {
                // Bounded where it was inserted.
                let (index, quad) = (index as u32, entry.quad);
                hold!(
                    self.find(quad) == Some(index) && self.by_age.get(&entry.born) == Some(&index),
                    "{quad}, half-open: found at {:?}, not at {index}",
                    self.find(quad)
                );
                let due = entry.half_open.deadline();
                hold!(
                    self.wheel.covers(index, due),
                    "{quad}, half-open: due at {due}, of which the wheel knows nothing"
                );
            }
            let queued = self.queued.iter().filter(|queued| **queued).count();
            hold!(
                queued == self.ready.len(),
                "{queued} half-open connections have something to send, {} are in the queue",
                self.ready.len()
            );
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::tcp::{Opening, PeerSyn};
    use crate::wire::SeqNumber;

    fn quad(port: u16) -> Quad {
        Quad {
            src: (Ipv4Addr::new(10, 0, 0, 1), port),
            dst: (Ipv4Addr::new(10, 0, 0, 2), 80),
        }
    }

    fn insert(cache: &mut SynCache, port: u16) {
        let opening = Opening {
            iss: SeqNumber(1),
            mss: 1460,
            timestamp_offset: 0,
        };
        let syn = PeerSyn {
            irs: SeqNumber(1),
            window: 0,
            mss: None,
            window_scale: None,
            sack_permitted: false,
            timestamp: None,
            ecn: false,
        };
        let listener = ListenerId {
            index: 0,
            generation: 0,
        };
        cache.insert(quad(port), listener, HalfOpen::new(opening, syn));
    }

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<HalfOpenEntry>(), 96);
    }

    #[test]
    fn the_oldest_goes_first_and_a_place_waits_only_once_in_the_queue() {
        let mut cache = SynCache::new([1; 16]);
        for port in 0..4 {
            insert(&mut cache, port);
        }
        for port in 4..1000 {
            let oldest = cache.oldest().unwrap();
            assert_eq!(cache.at(oldest).unwrap().quad, quad(port - 4));
            cache.remove(oldest);
            assert_eq!(cache.find(quad(port - 4)), None);
            insert(&mut cache, port);
            assert_eq!(cache.len(), 4);
            assert_eq!(cache.ready.len(), 4);
        }
        let mut ports = Vec::new();
        while let Some(index) = cache.next_ready() {
            ports.push(cache.entries[index as usize].quad.src.1);
        }
        ports.sort();
        assert_eq!(ports, [996, 997, 998, 999]);
    }
}
