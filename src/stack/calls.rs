//! What the user says.

use core::fmt;
use std::net::SocketAddrV4;

use super::Stack;
use super::handle::{ConnectionId, ListenerId};
use super::listener::{Listen, ListenError};
use super::output::template;
use super::quad::Quad;
use super::table::{Entry, Owner};
use crate::tcp::{CloseReason, Info, State, Tcb};
use crate::time::Instant;

/// Why a call on a connection did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketError {
    /// Nothing can be read or written now; an event will say when.
    WouldBlock,
    /// The peer reset the connection, or refused it.
    Reset,
    /// The peer does not answer any more.
    TimedOut,
    /// The peer is not there, as ICMP says.
    Unreachable,
    /// This side has closed already, or the connection is over.
    NotConnected,
    /// The handle is dead: its user has closed it.
    NoSuchConnection,
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SocketError::WouldBlock => "nothing can be read or written now",
            SocketError::Reset => "connection reset by the peer",
            SocketError::TimedOut => "connection timed out",
            SocketError::Unreachable => "the peer is unreachable",
            SocketError::NotConnected => "this side of the connection is closed",
            SocketError::NoSuchConnection => "no such connection",
        })
    }
}

impl std::error::Error for SocketError {}

/// Why there can be no such connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The remote address cannot be one host's (MUST-46) or is this host's own, to which
    /// there is no way, or the port is 0.
    InvalidRemote(SocketAddrV4),
    /// The host has no address.
    NoAddress,
    /// All ports to this remote are taken.
    NoPort,
    /// The stack holds as many connections as it may.
    TableFull,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::InvalidRemote(remote) => write!(f, "{remote} is no other host's port"),
            ConnectError::NoAddress => f.write_str("the host has no address"),
            ConnectError::NoPort => f.write_str("all ports to this remote are taken"),
            ConnectError::TableFull => f.write_str("too many connections"),
        }
    }
}

impl std::error::Error for ConnectError {}

impl Stack {
    /// Listens: a passive OPEN (RFC 9293 section 3.10.1).
    ///
    /// # Errors
    /// [`ListenError`] where another listener has the port, it is 0, or the address is not
    /// the host's.
    pub fn listen(&mut self, listen: Listen) -> Result<ListenerId, ListenError> {
        match listen.address {
            Some(address) if !self.config.addresses.contains(&address) => {
                Err(ListenError::NotOurs(address))
            }
            _ => self.listeners.listen(listen),
        }
    }

    /// Ends a listener. Its connections that nobody has accepted, half-open ones included,
    /// are reset.
    pub fn unlisten(&mut self, listener: ListenerId) {
        self.listeners.remove(listener);
        for index in self.table.of_listener(listener) {
            if let Some(entry) = self.table.at(index) {
                entry.owner = Owner::Nobody;
                let effects = entry.tcb.abort();
                self.absorb(index, effects);
            }
        }
    }

    /// The longest-waiting connection of a listener, which from now on is the caller's.
    pub fn accept(&mut self, listener: ListenerId) -> Option<ConnectionId> {
        loop {
            let id = self.listeners.accept(listener)?;
            if let Some(entry) = self.table.unaccepted_mut(id) {
                entry.owner = Owner::User;
                self.tell_what_waits(id.index);
                return Some(id);
            }
        }
    }

    /// Opens a connection to `remote`: an active OPEN (RFC 9293 section 3.10.1). The
    /// handle can be sent to at once; [`Event::Connected`](super::Event::Connected) or
    /// [`Event::Closed`](super::Event::Closed) follows.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing has been sent then.
    pub fn connect(
        &mut self,
        now: Instant,
        remote: SocketAddrV4,
    ) -> Result<ConnectionId, ConnectError> {
        let now = self.advance(now);
        if !self.config.is_peer(*remote.ip()) || remote.port() == 0 {
            return Err(ConnectError::InvalidRemote(remote));
        }
        if self.table.len() >= self.config.max_connections {
            return Err(ConnectError::TableFull);
        }
        let local = *self
            .config
            .addresses
            .first()
            .ok_or(ConnectError::NoAddress)?;
        let quad = |port| Quad {
            src: (*remote.ip(), remote.port()),
            dst: (local, port),
        };
        // Dynamic ports (RFC 6335 section 6) from a place that an outsider cannot
        // guess (RFC 6056 section 3.3.3).
        const FIRST: u16 = 49_152;
        const COUNT: u32 = 16_384;
        let start = self.isn.generate(now, quad(0)).0 % COUNT;
        let quad = (0..COUNT)
            // Below 2^14 + 49,152 = 2^16.
            .map(|n| quad(FIRST + ((start + n) % COUNT) as u16))
            .find(|quad| self.table.find(*quad).is_none())
            .ok_or(ConnectError::NoPort)?;
        let tcb = Tcb::connect(&self.config.tcp, self.opening(now, quad));
        let template = template(quad, self.config.ttl);
        let id = self.table.insert(quad, template, tcb, Owner::User);
        self.counters.connections_opened += 1;
        if self.config.report_states {
            self.events.push_state(quad, State::Closed, State::SynSent);
        }
        self.settle(id.index);
        Ok(id)
    }

    /// Queues as much of `data` as there is room for and returns how many octets that is.
    ///
    /// # Errors
    /// [`WouldBlock`](SocketError::WouldBlock) where there is no room at all; else why
    /// nothing can be sent any more.
    pub fn send(&mut self, id: ConnectionId, data: &[u8]) -> Result<usize, SocketError> {
        let config = &self.config.tcp;
        let entry = find(self.table.entry_mut(id))?;
        let Some(count) = entry.tcb.send(config, data) else {
            return Err(over(entry).unwrap_or(SocketError::NotConnected));
        };
        if count == 0 && !data.is_empty() {
            return Err(SocketError::WouldBlock);
        }
        self.settle(id.index);
        Ok(count)
    }

    /// How many octets [`send`](Stack::send) would take now.
    pub fn send_room(&self, id: ConnectionId) -> usize {
        let entry = self.table.entry(id);
        entry.map_or(0, |entry| entry.tcb.send_room(&self.config.tcp))
    }

    /// Moves octets that arrived in order into `buffer` and returns how many; 0 for a
    /// buffer that is not empty says that the peer has closed and all is read.
    ///
    /// # Errors
    /// [`WouldBlock`](SocketError::WouldBlock) where nothing waits; else why nothing
    /// will come any more.
    pub fn recv(&mut self, id: ConnectionId, buffer: &mut [u8]) -> Result<usize, SocketError> {
        let config = &self.config.tcp;
        let entry = find(self.table.entry_mut(id))?;
        let count = entry.tcb.recv(config, buffer);
        if count > 0 || buffer.is_empty() {
            self.settle(id.index);
            return Ok(count);
        }
        match over(entry) {
            Some(error) => Err(error),
            None if entry.tcb.is_at_end() => Ok(0),
            None => Err(SocketError::WouldBlock),
        }
    }

    /// The octets that arrived in order and have not been read, in place.
    pub fn recv_slices(&self, id: ConnectionId) -> [&[u8]; 2] {
        let entry = self.table.entry(id);
        entry.map_or([&[], &[]], |entry| entry.tcb.recv_slices())
    }

    /// Drops `count` octets from the front of the unread ones, or as many as there are.
    pub fn consume(&mut self, id: ConnectionId, count: usize) {
        let config = &self.config.tcp;
        if let Some(entry) = self.table.entry_mut(id) {
            entry.tcb.consume(config, count);
            self.settle(id.index);
        }
    }

    /// Whether the peer has closed and all that it sent has been read.
    pub fn is_at_end(&self, id: ConnectionId) -> bool {
        let entry = self.table.entry(id);
        entry.is_some_and(|entry| entry.tcb.is_at_end())
    }

    /// Closes this side: a FIN follows what is queued; the peer may go on sending.
    ///
    /// In SYN-SENT, before the peer has answered, this gives the connection up and all that
    /// is queued (RFC 9293 section 3.10.4), and so does [`close`](Stack::close).
    ///
    /// # Errors
    /// [`NoSuchConnection`](SocketError::NoSuchConnection).
    pub fn shutdown(&mut self, id: ConnectionId) -> Result<(), SocketError> {
        let entry = find(self.table.entry_mut(id))?;
        let effects = entry.tcb.shutdown();
        self.absorb(id.index, effects);
        Ok(())
    }

    /// Lets go of the connection, which ends by itself: a FIN follows what is queued, or
    /// a reset goes out where something was not read (RFC 9293 section 3.6.1, SHLD-3).
    /// The handle is dead from now on.
    pub fn close(&mut self, id: ConnectionId) {
        let (now, config) = (self.now, &self.config.tcp);
        if let Some(entry) = self.table.entry_mut(id) {
            entry.owner = Owner::Nobody;
            let effects = entry.tcb.close(now, config);
            self.absorb(id.index, effects);
            self.events.prune(|id| self.table.entry(id).is_some());
        }
    }

    /// Ends the connection with a reset. The handle is dead from now on.
    pub fn abort(&mut self, id: ConnectionId) {
        if let Some(entry) = self.table.entry_mut(id) {
            entry.owner = Owner::Nobody;
            let effects = entry.tcb.abort();
            self.absorb(id.index, effects);
            self.events.prune(|id| self.table.entry(id).is_some());
        }
    }

    /// How a connection is doing.
    pub fn info(&self, id: ConnectionId) -> Option<Info> {
        let entry = self.table.entry(id)?;
        Some(entry.tcb.info(&self.config.tcp))
    }

    /// The addresses and ports of a connection.
    pub fn quad(&self, id: ConnectionId) -> Option<Quad> {
        self.table.entry(id).map(|entry| entry.quad)
    }

    /// The state of a connection.
    pub fn state(&self, id: ConnectionId) -> Option<State> {
        self.table.entry(id).map(|entry| entry.tcb.state())
    }

    /// The state of whatever connection has this quad.
    pub fn state_of(&self, quad: Quad) -> Option<State> {
        self.table.by_quad(quad).map(|entry| entry.tcb.state())
    }
}

fn find(entry: Option<&mut Entry>) -> Result<&mut Entry, SocketError> {
    entry.ok_or(SocketError::NoSuchConnection)
}

/// Why a connection that is over is, if not because both sides closed it.
fn over(entry: &Entry) -> Option<SocketError> {
    match entry.close_reason? {
        CloseReason::Finished => None,
        CloseReason::Reset | CloseReason::Refused => Some(SocketError::Reset),
        CloseReason::TimedOut => Some(SocketError::TimedOut),
        CloseReason::Unreachable => Some(SocketError::Unreachable),
        CloseReason::Aborted => Some(SocketError::NotConnected),
    }
}
