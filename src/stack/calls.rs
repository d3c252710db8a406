//! What the user says.

use core::fmt;

use super::Stack;
use super::handle::{ConnectionId, ListenerId};
use super::listener::{Listen, ListenError};
use super::output::template;
use super::quad::Quad;
use super::table::{Entry, Owner};
use crate::tcp::{self, CloseReason, Info, Settings, SoftError, State, Tcb};

/// Why a call on a connection did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketError {
    /// Nothing can be read or written now; an event will say when.
    WouldBlock,
    /// The peer refused the connection: it answered our SYN with a reset.
    Refused,
    /// The peer reset the connection.
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
            SocketError::Refused => "connection refused by the peer",
            SocketError::Reset => "connection reset by the peer",
            SocketError::TimedOut => "connection timed out",
            SocketError::Unreachable => "the peer is unreachable",
            SocketError::NotConnected => "this side of the connection is closed",
            SocketError::NoSuchConnection => "no such connection",
        })
    }
}

impl std::error::Error for SocketError {}

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
        self.abort_half_open(listener);
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

    /// Queues as much of `data` as there is room for and returns how many octets that is.
    ///
    /// # Errors
    /// [`WouldBlock`](SocketError::WouldBlock) where there is no room at all; else why
    /// nothing can be sent any more.
    pub fn send(&mut self, id: ConnectionId, data: &[u8]) -> Result<usize, SocketError> {
        self.send_by(id, data, Tcb::send)
    }

    fn send_by(
        &mut self,
        id: ConnectionId,
        data: &[u8],
        send: impl FnOnce(&mut Tcb, &tcp::Config, &[u8]) -> Option<usize>,
    ) -> Result<usize, SocketError> {
        let config = &self.config.tcp;
        let entry = find(self.table.entry_mut(id))?;
        let Some(count) = send(&mut entry.tcb, config, data) else {
            return Err(over(entry).unwrap_or(SocketError::NotConnected));
        };
        if count == 0 && !data.is_empty() {
            return Err(SocketError::WouldBlock);
        }
        self.settle(id.index);
        Ok(count)
    }

    /// As [`send`](Stack::send), and what is taken is urgent: the peer is told at once how far
    /// urgent data reaches, whatever its window. The octets go in line with the others, and
    /// the peer may read them as such (RFC 6093 section 3.4). For old applications only
    /// (SHLD-13).
    ///
    /// # Errors
    /// As those of [`send`](Stack::send).
    pub fn send_urgent(&mut self, id: ConnectionId, data: &[u8]) -> Result<usize, SocketError> {
        self.send_by(id, data, Tcb::send_urgent)
    }

    /// How many octets lie between the first unread one and the end of the urgent data that
    /// the peer has announced, whether they have arrived or not; `None` where it has
    /// announced none, or all has been read (MUST-33).
    pub fn urgent(&self, id: ConnectionId) -> Option<usize> {
        self.table.entry(id)?.tcb.urgent()
    }

    /// How many octets [`send`](Stack::send) would take now. 0 asks for no
    /// [`Event::Writable`](super::Event::Writable): a `send` does.
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
    /// Before the handshake is complete, the FIN waits for that, behind what is queued. In
    /// SYN-SENT, where nothing is queued, the connection is given up instead (RFC 9293
    /// section 3.10.4). [`close`](Stack::close) has it the same way.
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
    ///
    /// Its time to end in is limited, counted from the next
    /// [`poll_transmit`](Stack::poll_transmit):
    /// [`orphan_timeout`](crate::tcp::Config::orphan_timeout),
    /// [`fin_wait_2_timeout`](crate::tcp::Config::fin_wait_2_timeout).
    pub fn close(&mut self, id: ConnectionId) {
        if let Some(entry) = self.table.entry_mut(id) {
            entry.owner = Owner::Nobody;
            let effects = entry.tcb.close();
            let state = entry.tcb.state();
            self.absorb(id.index, effects);
            self.events.prune(|id| self.table.entry(id).is_some());
            if !state.is_at_rest() {
                self.adopt(id);
            }
        }
    }

    /// Counts a connection among those without user, and aborts the oldest if there are
    /// too many.
    fn adopt(&mut self, id: ConnectionId) {
        self.orphans.insert(id);
        if self.orphans.len() > self.config.max_orphans
            && let Some(oldest) = self.orphans.pop_first()
            && let Some(entry) = self.table.at(oldest.index)
        {
            let effects = entry.tcb.abort();
            self.absorb(oldest.index, effects);
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

    /// How a connection is doing; `None` for a dead handle. After
    /// [`Event::Closed`](super::Event::Closed) it tells how the connection was doing, until
    /// [`close`](Stack::close).
    ///
    /// ```
    /// use zerotcp::stack::{Config, Stack};
    /// use zerotcp::time::Instant;
    ///
    /// let mut stack = Stack::new(Config::new("10.0.0.1".parse().unwrap()));
    /// let id = stack.connect(Instant::ZERO, "10.0.0.2:7".parse::<std::net::SocketAddrV4>()?)?;
    /// let info = stack.info(id).unwrap();
    /// println!("{info}"); // SYN-SENT cubic slow-start sack ts wscale:0,5 rto:1000.0ms ...
    /// assert_eq!(info.tally.timeout_retransmissions, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn info(&self, id: ConnectionId) -> Option<Info> {
        let entry = self.table.entry(id)?;
        Some(entry.tcb.info(&self.config.tcp))
    }

    /// What the network last reported of the connection, if anything (SHLD-25), by
    /// [`Event::SoftError`](super::Event::SoftError). When the connection has timed out this
    /// may be why.
    pub fn soft_error(&self, id: ConnectionId) -> Option<SoftError> {
        self.table.entry(id)?.soft_error
    }

    /// What the user has set on a connection, or [what it
    /// started with](crate::tcp::Config::settings).
    pub fn settings(&self, id: ConnectionId) -> Option<Settings> {
        let entry = self.table.entry(id)?;
        Some(*entry.tcb.settings(&self.config.tcp))
    }

    /// Sets what can be set on one connection, from the next segment on: take what it
    /// [has](Stack::settings), change that, give it back. A connection of a listener is set when
    /// it is accepted; with what all begin says
    /// [`tcp::Config::settings`](crate::tcp::Config::settings).
    ///
    /// ```
    /// use std::time::Duration;
    /// use zerotcp::stack::{ListenerId, SocketError, Stack};
    /// use zerotcp::tcp::Keepalive;
    ///
    /// /// Accepts connections that answer at once and notice soon that the peer is gone.
    /// fn accept(stack: &mut Stack, listener: ListenerId) -> Result<(), SocketError> {
    ///     while let Some(id) = stack.accept(listener) {
    ///         let mut settings = stack.settings(id).ok_or(SocketError::NoSuchConnection)?;
    ///         settings.nagle = false; // TCP_NODELAY
    ///         settings.user_timeout = Some(Duration::from_secs(30)); // TCP_USER_TIMEOUT
    ///         settings.keepalive = Some(Keepalive {
    ///             idle: Duration::from_secs(60),
    ///             ..Keepalive::default()
    ///         });
    ///         stack.set(id, settings)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`NoSuchConnection`](SocketError::NoSuchConnection).
    pub fn set(&mut self, id: ConnectionId, settings: Settings) -> Result<(), SocketError> {
        let entry = find(self.table.entry_mut(id))?;
        entry.tcb.set(&self.config.tcp, settings);
        entry.template = template(entry.quad, self.config.ttl, settings.dscp);
        self.settle(id.index);
        Ok(())
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
        if self.syn_cache.find(quad).is_some() {
            return Some(State::SynReceived);
        }
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
        CloseReason::Refused => Some(SocketError::Refused),
        CloseReason::Reset => Some(SocketError::Reset),
        CloseReason::TimedOut => Some(SocketError::TimedOut),
        CloseReason::Unreachable => Some(SocketError::Unreachable),
        CloseReason::Aborted => Some(SocketError::NotConnected),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use super::*;
    use crate::stack::{Config, Event};
    use crate::tcp::Effects;
    use crate::time::Instant;

    #[test]
    fn soft_errors_are_told_one_at_a_time_and_the_last_is_kept() {
        let mut stack = Stack::new(Config::seeded(Ipv4Addr::new(10, 0, 0, 1), 1));
        let remote = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 7);
        let id = stack.connect(Instant::ZERO, remote).unwrap();
        let report = |stack: &mut Stack, error| {
            let mut effects = Effects::default();
            effects.soft_error = Some(error);
            stack.absorb(id.index, effects);
        };
        let [first, second] = [SoftError::HostUnreachable, SoftError::TimeExceeded];
        report(&mut stack, first);
        report(&mut stack, second);
        assert_eq!(stack.poll_event(), Some(Event::SoftError(id, first)));
        assert_eq!(stack.poll_event(), None);
        assert_eq!(stack.soft_error(id), Some(second));
        report(&mut stack, first);
        assert_eq!(stack.poll_event(), Some(Event::SoftError(id, first)));

        // SHLD-20: the user does not want to know.
        let mut settings = stack.settings(id).unwrap();
        settings.soft_errors = false;
        stack.set(id, settings).unwrap();
        report(&mut stack, second);
        assert_eq!(stack.poll_event(), None);
        assert_eq!(stack.soft_error(id), Some(first));
    }
}
