//! Who uses one end of a connection: writers and readers of all kinds.

use core::fmt;
use std::time::Duration;

use crate::simulation::broken::ensure;
use crate::simulation::text;
use crate::simulation::{Broken, Choices};
use crate::stack::{ConnectionId, SocketError, Stack};
use crate::tcp::{CloseReason, Settings};
use crate::time::Instant;

/// How a user parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// Says that there is no more, and reads to the end.
    Gentle,
    /// The same, and stays until told that the connection is over.
    Patient,
    /// Closes as soon as all is sent, whatever may still come.
    Hasty,
    /// Aborts once so many octets were sent or read.
    Abort(usize),
}

/// What a user is going to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// How many octets to send.
    pub(super) to_send: usize,
    /// How many in one call, at most.
    pub(super) write: usize,
    /// How long it thinks between calls to send.
    pub(super) write_pause: Duration,
    /// How many octets it wants to have read before it sends any.
    pub(super) listens_first: usize,
    /// How many octets it reads in one call, at most.
    pub(super) read: usize,
    /// How long it does other things between calls to read.
    pub(super) read_pause: Duration,
    /// After how many octets it reads nothing for a long time, and for how long.
    pub(super) rest: (usize, Duration),
    /// How many of its calls to send are of urgent text, in percent.
    pub(super) urgent: u64,
    pub(super) parting: Parting,
    /// What it sets on its connection.
    pub(super) settings: Option<Settings>,
}

/// A user in the middle of it.
#[derive(Debug)]
pub(super) struct User {
    pub(super) plan: Plan,
    /// Makes its text another than that of other users.
    pub(super) salt: u32,
    pub(super) id: Option<ConnectionId>,
    pub(super) sent: usize,
    pub(super) read: usize,
    /// Whether a call may do something: until one has found nothing to do, and again when an
    /// event has said so. A user that is not told waits for ever.
    may_write: bool,
    may_read: bool,
    /// Its connection is open: to close it before that is to give it up.
    connected: bool,
    /// Until when it does other things.
    writes_at: Instant,
    reads_at: Instant,
    shut: bool,
    pub(super) at_end: bool,
    /// Why its connection is over, if it was told.
    pub(super) closed: Option<CloseReason>,
    /// It has given its handle back, or will never have one.
    pub(super) left: bool,
}

/// What a user does, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Send(usize, Result<usize, SocketError>),
    Recv(usize, Result<usize, SocketError>),
    Shutdown,
    Close,
    Abort,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = |f: &mut fmt::Formatter<'_>, outcome: &Result<usize, _>| match outcome {
            Ok(count) => write!(f, " -> {count}"),
            Err(error) => write!(f, " -> {error}"),
        };
        match self {
            Call::Send(len, result) => write!(f, "send {len}").and_then(|()| outcome(f, result)),
            Call::Recv(len, result) => write!(f, "recv {len}").and_then(|()| outcome(f, result)),
            Call::Shutdown => f.write_str("shutdown"),
            Call::Close => f.write_str("close"),
            Call::Abort => f.write_str("abort"),
        }
    }
}

impl User {
    pub(super) fn new(plan: Plan, salt: u32) -> User {
        User {
            plan,
            salt,
            id: None,
            sent: 0,
            read: 0,
            may_write: true,
            may_read: true,
            connected: false,
            writes_at: Instant::ZERO,
            reads_at: Instant::ZERO,
            shut: false,
            at_end: false,
            closed: None,
            left: false,
        }
    }

    /// It has a connection now, open or to be opened.
    pub(super) fn begin(&mut self, stack: &mut Stack, id: ConnectionId, connected: bool) {
        self.id = Some(id);
        self.connected = connected;
        if let Some(settings) = self.plan.settings {
            // Cannot fail: the handle is new.
            let _ = stack.set(id, settings);
        }
    }

    pub(super) fn note_connected(&mut self) {
        self.connected = true;
    }

    pub(super) fn note_readable(&mut self) {
        self.may_read = true;
    }

    pub(super) fn note_writable(&mut self) {
        self.may_write = true;
    }

    pub(super) fn note_closed(&mut self, reason: CloseReason) {
        self.closed = Some(reason);
        // There may be text left to read.
        self.may_read = true;
    }

    /// Whether these are the octets of its text from place `n` on.
    pub(super) fn is_text(&self, n: usize, octets: &[u8]) -> bool {
        text::is_text(self.number(n), octets)
    }

    /// The number of place `n` in the text that all have in common. Wraps by intent.
    fn number(&self, n: usize) -> u32 {
        (n as u32).wrapping_add(self.salt)
    }

    /// When it wants to do something next.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.id.filter(|_| !self.left)?;
        let writes = self.wants_to_write().then_some(self.writes_at);
        let reads = self.wants_to_read().then_some(self.reads_at);
        writes.into_iter().chain(reads).min()
    }

    fn wants_to_write(&self) -> bool {
        let heard = self.read >= self.plan.listens_first || self.at_end;
        let may = self.may_write && (self.connected || self.sent < self.plan.to_send);
        !self.shut && may && heard && self.closed.is_none()
    }

    fn wants_to_read(&self) -> bool {
        self.may_read && !self.at_end
    }

    /// Does the one thing that it wants to do next, if it is time. `peer` is who writes what
    /// it reads.
    pub(super) fn act(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        peer: &User,
        dice: &mut impl Choices,
    ) -> Result<Option<Call>, Broken> {
        let Some(id) = self.id.filter(|_| !self.left) else {
            return Ok(None);
        };
        if let Parting::Abort(after) = self.plan.parting
            && self.sent + self.read >= after
        {
            stack.abort(id);
            self.left = true;
            return Ok(Some(Call::Abort));
        }
        if self.wants_to_read() && self.reads_at <= now {
            return self.read_some(now, stack, id, peer).map(Some);
        }
        if self.wants_to_write() && self.writes_at <= now {
            return self.write_some(now, stack, id, dice).map(Some);
        }
        if self.is_finished() {
            stack.close(id);
            self.left = true;
            return Ok(Some(Call::Close));
        }
        Ok(None)
    }

    /// Whether nothing is left to it but to part.
    fn is_finished(&self) -> bool {
        let heard_out = self.at_end || self.closed.is_some() && !self.may_read;
        match self.plan.parting {
            Parting::Hasty => self.closed.is_some(),
            Parting::Patient => heard_out && self.closed.is_some(),
            Parting::Gentle | Parting::Abort(_) => {
                heard_out && (self.shut || self.closed.is_some())
            }
        }
    }

    fn write_some(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        id: ConnectionId,
        dice: &mut impl Choices,
    ) -> Result<Call, Broken> {
        let left = self.plan.to_send - self.sent;
        if left == 0 && self.plan.parting == Parting::Hasty {
            stack.close(id);
            self.left = true;
            return Ok(Call::Close);
        }
        if left == 0 {
            self.shut = true;
            return match stack.shutdown(id) {
                Ok(()) | Err(SocketError::NotConnected) => Ok(Call::Shutdown),
                Err(error) => Err(Broken(format!("shutdown: {error}"))),
            };
        }
        let len = left.min(self.plan.write);
        let mut text = vec![0; len];
        text::fill(self.number(self.sent), &mut text);
        let result = match dice.percent(self.plan.urgent) {
            true => stack.send_urgent(id, &text),
            false => stack.send(id, &text),
        };
        match result {
            Ok(count) => {
                ensure!(count <= len, "{count} octets were taken of {len}");
                self.sent += count;
                self.may_write = count == len;
                self.writes_at = now + self.plan.write_pause;
            }
            Err(SocketError::WouldBlock) => self.may_write = false,
            // The connection is over: the event says why, if it has not yet.
            Err(_) => self.may_write = false,
        }
        Ok(Call::Send(len, result))
    }

    fn read_some(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        id: ConnectionId,
        peer: &User,
    ) -> Result<Call, Broken> {
        let mut buffer = [0; 4096];
        let len = self.plan.read.min(buffer.len());
        let result = stack.recv(id, &mut buffer[..len]);
        match result {
            Ok(0) => self.at_end = true,
            Ok(count) => {
                ensure!(
                    peer.is_text(self.read, &buffer[..count]),
                    "what arrives from octet {} on is not what was sent",
                    self.read
                );
                self.read += count;
                ensure!(
                    self.read <= peer.sent,
                    "{} octets arrive, {} were sent",
                    self.read,
                    peer.sent
                );
                self.reads_at = now + self.plan.read_pause;
                let (after, rest) = self.plan.rest;
                if (self.read - count..self.read).contains(&after) {
                    self.reads_at += rest;
                }
            }
            Err(_) => self.may_read = false,
        }
        Ok(Call::Recv(len, result))
    }
}
