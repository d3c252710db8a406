//! The services and their connections.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use zerotcp::stack::{ConnectionId, Event, Listen, ListenError, ListenerId, Stack};
use zerotcp::time::Instant;

use super::chargen::Chargen;
use super::echo;
use super::http::Http;
use super::session::{Progress, discard};

/// How often web clients are looked over: one that has made no request since the last time is
/// dropped, after once to twice this long.
const HTTP_IDLE: Duration = Duration::from_secs(30);

/// The most that is echoed in one go, in bytes.
const SCRATCH: usize = 64 * 1024;

/// What a port does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Sends back what it gets.
    Echo,
    /// Takes all and sends nothing.
    Discard,
    /// Sends characters without end.
    Chargen,
    /// Serves a page.
    Http,
}

/// As the command line calls it.
impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Service::Echo => "echo",
            Service::Discard => "discard",
            Service::Chargen => "chargen",
            Service::Http => "http",
        })
    }
}

/// The services and their connections, as sans-I/O as the stack: events and time come in.
#[derive(Debug)]
pub struct Server {
    services: HashMap<ListenerId, Service>,
    sessions: HashMap<ConnectionId, Session>,
    /// When web clients are next looked over.
    next_look: Instant,
    scratch: Box<[u8]>,
}

/// One connection of a service.
#[derive(Debug)]
enum Session {
    Echo,
    Discard,
    Chargen(Chargen),
    Http(Box<Http>),
}

impl Default for Server {
    fn default() -> Server {
        Server {
            services: HashMap::new(),
            sessions: HashMap::new(),
            next_look: Instant::ZERO,
            scratch: vec![0; SCRATCH].into(),
        }
    }
}

impl Server {
    /// Offers `service` where `listen` says.
    ///
    /// # Errors
    /// The stack's refusal.
    pub fn listen(
        &mut self,
        stack: &mut Stack,
        listen: Listen,
        service: Service,
    ) -> Result<(), ListenError> {
        let listener = stack.listen(listen)?;
        self.services.insert(listener, service);
        Ok(())
    }

    /// Does what an event calls for.
    pub fn handle(&mut self, stack: &mut Stack, event: Event) {
        match event {
            Event::Incoming(listener) => self.accept(stack, listener),
            Event::Readable(id) | Event::Writable(id) | Event::PeerClosed(id) => {
                self.advance(stack, id);
            }
            Event::Closed(id, _reason) => self.close(stack, id),
            // The server opens no connections, and states are the trace's affair.
            _ => {}
        }
    }

    /// When [`handle_timeout`](Server::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.sessions.is_empty()).then_some(self.next_look)
    }

    /// Drops web clients that ask for nothing.
    pub fn handle_timeout(&mut self, now: Instant, stack: &mut Stack) {
        if now < self.next_look {
            return;
        }
        self.next_look = now + HTTP_IDLE;
        let is_idle = |session: &mut Session| match session {
            Session::Http(http) => !http.was_active(),
            _ => false,
        };
        for (id, _) in self.sessions.extract_if(|_, session| is_idle(session)) {
            stack.close(id);
        }
    }

    /// Ends all connections in good order: what was sent is still delivered, and what comes is
    /// thrown away until the peer has closed too. New ones are refused.
    pub fn shut_down(&mut self, stack: &mut Stack) {
        for (listener, _) in self.services.drain() {
            stack.unlisten(listener);
        }
        let ids: Vec<ConnectionId> = self.sessions.keys().copied().collect();
        for id in ids {
            // An error says that the connection is over already; its event will come.
            let _ = stack.shutdown(id);
            self.sessions.insert(id, Session::Discard);
            self.advance(stack, id);
        }
    }

    /// Ends all connections at once.
    pub fn abort(&mut self, stack: &mut Stack) {
        for (id, _) in self.sessions.drain() {
            stack.abort(id);
        }
    }

    fn accept(&mut self, stack: &mut Stack, listener: ListenerId) {
        let Some(&service) = self.services.get(&listener) else {
            return;
        };
        while let Some(id) = stack.accept(listener) {
            let session = match service {
                Service::Echo => Session::Echo,
                Service::Discard => Session::Discard,
                Service::Chargen => Session::Chargen(Chargen::default()),
                Service::Http => Session::Http(Box::default()),
            };
            self.sessions.insert(id, session);
            // Its first data may have come with the handshake.
            self.advance(stack, id);
        }
    }

    fn advance(&mut self, stack: &mut Stack, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let progress = match session {
            Session::Echo => echo::advance(stack, id, &mut self.scratch),
            Session::Discard => Ok(discard(stack, id)),
            Session::Chargen(chargen) => chargen.advance(stack, id),
            Session::Http(http) => http.advance(stack, id),
        };
        match progress {
            Ok(Progress::Open) => {}
            // Reset or timed out: all that is left to do is let go.
            Ok(Progress::Done) | Err(_) => self.close(stack, id),
        }
    }

    fn close(&mut self, stack: &mut Stack, id: ConnectionId) {
        if self.sessions.remove(&id).is_some() {
            stack.close(id);
        }
    }
}
