use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use slab::Slab;

use super::handle::{ConnectionId, ListenerId};

/// What to listen to: a passive OPEN (RFC 9293 section 3.9.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Listen {
    port: Option<u16>,
    pub(super) address: Option<Ipv4Addr>,
    backlog: usize,
}

impl Listen {
    /// How many connections may wait to be accepted by default.
    pub const DEFAULT_BACKLOG: usize = 1024;

    /// One port, on all of the host's addresses.
    pub const fn port(port: u16) -> Listen {
        Listen {
            port: Some(port),
            address: None,
            backlog: Self::DEFAULT_BACKLOG,
        }
    }

    /// Every port that no other listener has.
    pub const fn any_port() -> Listen {
        Listen {
            port: None,
            address: None,
            backlog: Self::DEFAULT_BACKLOG,
        }
    }

    /// Only this address of the host's (MUST-43).
    pub const fn address(mut self, address: Ipv4Addr) -> Listen {
        self.address = Some(address);
        self
    }

    /// How many connections may wait to be accepted; at least one. While so many do, SYNs are
    /// dropped, and so are the last acknowledgments of handshakes: their senders try again.
    ///
    /// Half-open connections don't count, or a flood of SYNs would shut the listener: they
    /// are bounded by [`Config::max_half_open`](super::Config::max_half_open), and beyond
    /// that by nothing, since they cost nothing
    /// ([`Config::syn_cookies`](super::Config::syn_cookies)).
    pub const fn backlog(mut self, backlog: usize) -> Listen {
        self.backlog = if backlog == 0 { 1 } else { backlog };
        self
    }
}

/// Why there can be no such listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListenError {
    /// Another listener has this port, or all that are left.
    InUse {
        /// The port; `None` for any.
        port: Option<u16>,
    },
    /// Port 0 is nobody's.
    PortZero,
    /// The address is not one of the host's.
    NotOurs(Ipv4Addr),
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::InUse { port: Some(port) } => {
                write!(f, "port {port} has a listener already: choose another")
            }
            ListenError::InUse { port: None } => {
                f.write_str("there is a listener for all other ports already")
            }
            ListenError::NotOurs(address) => {
                write!(f, "{address} is not an address of this host")
            }
            ListenError::PortZero => f.write_str("port 0: a port is between 1 and 65535"),
        }
    }
}

impl std::error::Error for ListenError {}

#[derive(Debug)]
struct Listener {
    listen: Listen,
    generation: u32,
    /// Connections that wait to be accepted, in the order of their beginning. One that ends is
    /// found at once: a long queue of which peers reset one after the other would cost its
    /// length each time else.
    established: BTreeSet<ConnectionId>,
    /// Whether an event that has not been polled says so.
    told: bool,
}

/// All listeners, by what they listen to.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    listeners: Slab<Listener>,
    /// By port and address; an address wins over none, a port over none.
    by_port: BTreeMap<(Option<u16>, Option<Ipv4Addr>), u32>,
    generation: u32,
}

impl Listeners {
    pub(super) fn listen(&mut self, listen: Listen) -> Result<ListenerId, ListenError> {
        if listen.port == Some(0) {
            return Err(ListenError::PortZero);
        }
        let key = (listen.port, listen.address);
        if self.by_port.contains_key(&key) {
            return Err(ListenError::InUse { port: listen.port });
        }
        self.generation = self.generation.wrapping_add(1);
        // No more than ports times addresses.
        let index = self.listeners.insert(Listener {
            listen,
            generation: self.generation,
            established: BTreeSet::new(),
            told: false,
        }) as u32;
        self.by_port.insert(key, index);
        Ok(ListenerId {
            index,
            generation: self.generation,
        })
    }

    /// Ends a listener.
    pub(super) fn remove(&mut self, id: ListenerId) {
        if self.find(id).is_some() {
            let Listen { port, address, .. } = self.listeners.remove(id.index as usize).listen;
            self.by_port.remove(&(port, address));
        }
    }

    /// Who listens to a port of an address.
    pub(super) fn lookup(&self, address: Ipv4Addr, port: u16) -> Option<ListenerId> {
        let keys = [
            (Some(port), Some(address)),
            (Some(port), None),
            (None, Some(address)),
            (None, None),
        ];
        let index = *keys.iter().find_map(|key| self.by_port.get(key))?;
        let generation = self.listeners.get(index as usize)?.generation;
        Some(ListenerId { index, generation })
    }

    /// Whether one more connection may wait to be accepted.
    pub(super) fn has_room(&self, id: ListenerId) -> bool {
        let listener = self.listeners.get(id.index as usize);
        listener.is_some_and(|listener| {
            listener.generation == id.generation
                && listener.established.len() < listener.listen.backlog
        })
    }

    /// A connection is established; `true` where the user is to be told.
    pub(super) fn note_established(&mut self, id: ListenerId, connection: ConnectionId) -> bool {
        self.find(id).is_some_and(|listener| {
            listener.established.insert(connection);
            !std::mem::replace(&mut listener.told, true)
        })
    }

    /// A connection ended before it was accepted.
    pub(super) fn note_gone(&mut self, id: ListenerId, connection: ConnectionId) {
        if let Some(listener) = self.find(id) {
            listener.established.remove(&connection);
        }
    }

    /// The user has polled the event that connections wait.
    pub(super) fn note_told(&mut self, id: ListenerId) {
        if let Some(listener) = self.find(id) {
            listener.told = false;
        }
    }

    pub(super) fn accept(&mut self, id: ListenerId) -> Option<ConnectionId> {
        self.find(id)?.established.pop_first()
    }

    /// All connections that wait to be accepted, and by whom.
    #[cfg(feature = "simulation")]
    pub(super) fn waiting(&self) -> impl Iterator<Item = (ListenerId, ConnectionId)> {
        self.listeners.iter().flat_map(|(index, listener)| {
            let id = ListenerId {
                // No more than ports times addresses.
                index: index as u32,
                generation: listener.generation,
            };
            listener.established.iter().map(move |each| (id, *each))
        })
    }

    fn find(&mut self, id: ListenerId) -> Option<&mut Listener> {
        self.listeners
            .get_mut(id.index as usize)
            .filter(|listener| listener.generation == id.generation)
    }
}
