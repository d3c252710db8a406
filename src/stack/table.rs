use std::collections::HashMap;
use std::hash::BuildHasher;

use siphasher::sip::SipHasher13;
use slab::Slab;

use super::event::Pending;
use super::handle::{ConnectionId, ListenerId};
use super::quad::Quad;
use crate::tcp::{CloseReason, SoftError, State, Tcb};
use crate::wire::SegmentTemplate;

/// Who will read what a connection receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A listener, from the end of the handshake until the connection is accepted.
    Listener(ListenerId),
    /// The user, until it closes.
    User,
    /// Nobody any more: the connection ends by itself.
    Nobody,
}

/// One connection as the stack keeps it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) quad: Quad,
    /// The headers of what goes to the peer.
    pub(super) template: SegmentTemplate,
    pub(super) tcb: Tcb,
    pub(super) owner: Owner,
    generation: u32,
    /// Whether it stands in the queue of those that may have something to send.
    pub(super) queued: bool,
    pub(super) pending: Pending,
    /// The last one that the network reported.
    pub(super) soft_error: Option<SoftError>,
    /// Set in CLOSED.
    pub(super) close_reason: Option<CloseReason>,
}

impl Entry {
    pub(super) fn id(&self, index: u32) -> ConnectionId {
        ConnectionId {
            index,
            generation: self.generation,
        }
    }
}

/// Connections by quad and by handle.
#[derive(Debug)]
pub(super) struct Table {
    entries: Slab<Entry>,
    by_quad: HashMap<Quad, u32, KeyedHash>,
    generation: u32,
}

impl Table {
    pub(super) fn new(key: [u8; 16]) -> Table {
        Table {
            entries: Slab::new(),
            by_quad: HashMap::with_hasher(KeyedHash::new(key)),
            generation: 0,
        }
    }

    /// How many quads are taken.
    pub(super) fn open_count(&self) -> usize {
        self.by_quad.len()
    }

    /// How many connections are kept, closed ones that their user holds included.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn find(&self, quad: Quad) -> Option<u32> {
        self.by_quad.get(&quad).copied()
    }

    /// Enters a connection whose quad is free.
    pub(super) fn insert(
        &mut self,
        quad: Quad,
        template: SegmentTemplate,
        tcb: Tcb,
        owner: Owner,
    ) -> ConnectionId {
        self.generation = self.generation.wrapping_add(1);
        let entry = Entry {
            quad,
            template,
            tcb,
            owner,
            generation: self.generation,
            queued: false,
            pending: Pending::default(),
            soft_error: None,
            close_reason: None,
        };
        // Their number is bounded by `Config::max_connections`, and by memory well
        // below 2^32.
        let index = self.entries.insert(entry) as u32;
        self.by_quad.insert(quad, index);
        ConnectionId {
            index,
            generation: self.generation,
        }
    }

    pub(super) fn at(&mut self, index: u32) -> Option<&mut Entry> {
        self.entries.get_mut(index as usize)
    }

    /// All there are, by index.
    #[cfg(feature = "simulation")]
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        // Bounded where they were inserted.
        self.entries
            .iter()
            .map(|(index, entry)| (index as u32, entry))
    }

    pub(super) fn entry(&self, id: ConnectionId) -> Option<&Entry> {
        let entry = self.entries.get(id.index as usize)?;
        (entry.generation == id.generation && entry.owner == Owner::User).then_some(entry)
    }

    pub(super) fn entry_mut(&mut self, id: ConnectionId) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(id.index as usize)?;
        (entry.generation == id.generation && entry.owner == Owner::User).then_some(entry)
    }

    /// The entry of a connection that still belongs to a listener.
    pub(super) fn unaccepted_mut(&mut self, id: ConnectionId) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(id.index as usize)?;
        let waiting = matches!(entry.owner, Owner::Listener(_));
        (entry.generation == id.generation && waiting).then_some(entry)
    }

    /// The connections that wait to be accepted from a listener. It looks at all there are:
    /// listeners end too rarely for more.
    pub(super) fn of_listener(&self, listener: ListenerId) -> Vec<u32> {
        let owned = |(index, entry): (usize, &Entry)| {
            // Bounded where it was inserted.
            (entry.owner == Owner::Listener(listener)).then_some(index as u32)
        };
        self.entries.iter().filter_map(owned).collect()
    }

    /// Who owns a connection.
    #[cfg(feature = "simulation")]
    pub(super) fn owner(&self, id: ConnectionId) -> Option<Owner> {
        let entry = self.entries.get(id.index as usize);
        entry
            .filter(|entry| entry.generation == id.generation)
            .map(|entry| entry.owner)
    }

    pub(super) fn is_in_time_wait(&self, id: ConnectionId) -> bool {
        let entry = self.entries.get(id.index as usize);
        entry.is_some_and(|entry| {
            entry.generation == id.generation && entry.tcb.state() == State::TimeWait
        })
    }

    /// The TCB of a connection, whoever owns it.
    pub(super) fn tcb_mut(&mut self, id: ConnectionId) -> Option<&mut Tcb> {
        let entry = self.entries.get_mut(id.index as usize)?;
        (entry.generation == id.generation).then_some(&mut entry.tcb)
    }

    /// The entry at `index` by its quad: only if it still owns it.
    pub(super) fn by_quad(&self, quad: Quad) -> Option<&Entry> {
        self.entries.get(self.find(quad)? as usize)
    }

    /// Lets go of the quad of a connection that is closed.
    pub(super) fn free_quad(&mut self, index: u32) {
        if let Some(entry) = self.entries.get(index as usize)
            && self.find(entry.quad) == Some(index)
        {
            let quad = entry.quad;
            self.by_quad.remove(&quad);
        }
    }

    pub(super) fn remove(&mut self, index: u32) {
        self.free_quad(index);
        self.entries.try_remove(index as usize);
    }
}

/// SipHash-1-3 with a secret key: who does not know it cannot choose quads that collide.
#[derive(Clone)]
pub(super) struct KeyedHash {
    key: [u8; 16],
}

impl KeyedHash {
    pub(super) const fn new(key: [u8; 16]) -> KeyedHash {
        KeyedHash { key }
    }
}

impl BuildHasher for KeyedHash {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.key)
    }
}

/// The key stays out of logs.
impl core::fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KeyedHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the stack adds to a TCB, whose own budget is with it.
    #[test]
    fn an_entry_takes_little_more_than_its_tcb() {
        let more = size_of::<Entry>() - size_of::<Tcb>();
        println!("{more} bytes more");
        assert!(more <= 64, "{more} bytes more");
    }
}
