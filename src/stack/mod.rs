//! Many connections: a TCP/IP host without I/O.
//!
//! A [`Stack`] is driven by four calls, the shape that sans-I/O protocol libraries
//! share: [`receive`](Stack::receive) takes a packet in, [`poll_transmit`](Stack::poll_transmit)
//! gives one out, [`poll_timeout`](Stack::poll_timeout) and
//! [`handle_timeout`](Stack::handle_timeout) are for the time. What happened is told by
//! [`poll_event`](Stack::poll_event); what is wanted is said by handle: listen, accept,
//! connect, send, recv, shutdown, close, abort. The same calls at the same times give
//! the same bytes: all randomness comes from [`Config::secret`].
//!
//! ```
//! use std::net::{Ipv4Addr, SocketAddrV4};
//! use zerotcp::stack::{Config, Event, Listen, Meta, Stack};
//! use zerotcp::time::Instant;
//!
//! let (left, right) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
//! let mut client = Stack::new(Config::seeded(left, 1));
//! let mut server = Stack::new(Config::seeded(right, 2));
//! let listener = server.listen(Listen::port(7))?;
//!
//! let now = Instant::ZERO;
//! let connection = client.connect(now, SocketAddrV4::new(right, 7)).unwrap();
//! client.send(connection, b"hello").unwrap();
//! let mut buffer = [0; 1500];
//! // The network: what one gives out, the other takes in.
//! for _ in 0..3 {
//!     while let Some(transmit) = client.poll_transmit(now, &mut buffer) {
//!         server.receive(now, &buffer[..transmit.len], Meta::default());
//!     }
//!     while let Some(transmit) = server.poll_transmit(now, &mut buffer) {
//!         client.receive(now, &buffer[..transmit.len], Meta::default());
//!     }
//! }
//! assert!(matches!(server.poll_event(), Some(Event::Incoming(l)) if l == listener));
//! let accepted = server.accept(listener).unwrap();
//! let len = server.recv(accepted, &mut buffer).unwrap();
//! assert_eq!(&buffer[..len], b"hello");
//! # Ok::<(), zerotcp::stack::ListenError>(())
//! ```
//!
//! | file | what it holds |
//! | --- | --- |
//! | `calls` | what the user says: listen, accept, send, recv, set, close |
//! | `connect` | active opens |
//! | `input` | what an arriving packet does |
//! | `output` | which packet goes out next |
//! | `network` | which addresses can be a host's |
//! | `fragments` | fragments that wait for the rest of their datagram, RFC 791, RFC 815 |
//! | `icmp` | ICMP both ways: echo, errors, RFC 792, RFC 1122, RFC 5927 |
//! | `path` | MTUs of paths, RFC 1191 |
//! | `identification` | numbers for packets that may be fragmented, RFC 6864 |
//! | `table` | connections by [`Quad`] and by handle |
//! | `handle` | what names a connection and a listener to the user |
//! | `listener` | who waits for connections, and the queue of each |
//! | `handshake` | how a connection with a listener begins |
//! | `syn_cache` | connections whose handshake is not done, RFC 4987 |
//! | `cookie` | answers to SYNs of which nothing is kept, RFC 4987 |
//! | `time_waits` | how many connections are in TIME-WAIT, the oldest first |
//! | `isn` | initial sequence numbers, RFC 6528 |
//! | `wheel` | when each connection next wants a look |
//! | `event` | what the stack tells its user |
//! | `counters` | what it counts, and why it drops |
//! | `audit` | whether all holds that should, for simulations |

#[cfg(feature = "simulation")]
mod audit;
mod calls;
mod config;
mod connect;
mod cookie;
mod counters;
mod event;
mod fragments;
mod handle;
mod handshake;
mod icmp;
mod identification;
mod input;
mod isn;
mod listener;
mod network;
mod output;
mod path;
mod quad;
mod reply;
mod syn_cache;
mod table;
mod time_waits;
mod wheel;

use std::collections::{BTreeSet, VecDeque};

pub use self::calls::SocketError;
pub use self::config::Config;
pub use self::connect::{Connect, ConnectError};
use self::cookie::CookieJar;
pub use self::counters::{Counters, DropReason};
pub use self::event::Event;
use self::event::EventQueue;
use self::fragments::Fragments;
pub use self::handle::{ConnectionId, ListenerId};
use self::icmp::RateLimit;
use self::identification::Identification;
pub use self::input::Meta;
use self::isn::IsnGenerator;
use self::listener::Listeners;
pub use self::listener::{Listen, ListenError};
pub use self::network::Network;
pub use self::output::Transmit;
use self::path::Paths;
pub use self::quad::Quad;
use self::reply::Reply;
use self::syn_cache::SynCache;
use self::table::{Owner, Table};
use self::time_waits::TimeWaits;
use self::wheel::TimerWheel;
use crate::tcp::{CloseReason, Effects, Opening, State};
use crate::time::Instant;

/// A TCP/IP host: addresses, connections, listeners. See the [module](self).
#[derive(Debug)]
pub struct Stack {
    config: Config,
    /// The time of the latest call that was told it.
    now: Instant,
    table: Table,
    time_waits: TimeWaits,
    listeners: Listeners,
    syn_cache: SynCache,
    cookies: CookieJar,
    isn: IsnGenerator,
    wheel: TimerWheel,
    /// Connections that may have something to send, each once.
    ready: VecDeque<u32>,
    /// How many segments the one in front has sent in a row.
    burst: u32,
    /// Packets of no connection: resets, ICMP.
    replies: VecDeque<Reply>,
    fragments: Fragments,
    paths: Paths,
    identification: Identification,
    /// For ICMP errors.
    icmp_limit: RateLimit,
    events: EventQueue,
    /// Connections without user that are busy with their end, the oldest first.
    orphans: BTreeSet<ConnectionId>,
    counters: Counters,
}

impl Stack {
    /// A host without connections or listeners.
    pub fn new(config: Config) -> Stack {
        Stack {
            now: Instant::ZERO,
            table: Table::new(config.derive_key(b"table")),
            time_waits: TimeWaits::default(),
            listeners: Listeners::default(),
            syn_cache: SynCache::new(config.derive_key(b"half-open")),
            cookies: CookieJar::new(config.derive_key(b"cookie")),
            isn: IsnGenerator::new(config.derive_key(b"isn")),
            wheel: TimerWheel::default(),
            ready: VecDeque::new(),
            burst: 0,
            replies: VecDeque::new(),
            fragments: Fragments::default(),
            paths: Paths::default(),
            identification: Identification::new(config.derive_key(b"identification")),
            icmp_limit: RateLimit::default(),
            events: EventQueue::default(),
            orphans: BTreeSet::new(),
            counters: Counters::default(),
            config,
        }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the stack has counted since it began.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many connections there are, those in TIME-WAIT included and those that
    /// [`half_open_count`](Stack::half_open_count) counts not.
    pub fn connection_count(&self) -> usize {
        self.table.open_count()
    }

    /// How many connections of listeners there are whose handshake is not done, at most
    /// [`Config::max_half_open`].
    pub fn half_open_count(&self) -> usize {
        self.syn_cache.len()
    }

    /// How many connections are in TIME-WAIT, at most [`Config::max_time_wait`].
    pub fn time_wait_count(&self) -> usize {
        self.time_waits.count()
    }

    /// What happened next, if anything did. Events of connections that their user has
    /// closed in the meantime are left out.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            let event = self.events.pop()?;
            if let Event::Incoming(listener) = event {
                self.listeners.note_told(listener);
            }
            let Some(connection) = event.connection() else {
                return Some(event);
            };
            if let Some(entry) = self.table.entry_mut(connection) {
                entry.pending.remove(&event);
                return Some(event);
            }
        }
    }

    /// When [`handle_timeout`](Stack::handle_timeout) is due; `None` where no timer runs. What is far
    /// off is looked at before it is due, so this may have passed already; after a
    /// `handle_timeout` at that time or later it has not.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = [
            self.wheel.next(),
            self.syn_cache.next_timeout(),
            self.fragments.deadline(),
        ];
        due.into_iter().flatten().min()
    }

    /// Does what has fallen due by `now`: retransmissions, delayed acknowledgments,
    /// ends of TIME-WAIT, fragments whose rest did not come. Packets that follow come from
    /// [`poll_transmit`](Stack::poll_transmit). To be called too early does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        self.handle_half_open_timeouts(now);
        self.expire_fragments(now);
        while let Some(index) = self.wheel.expire(now) {
            let Some(entry) = self.table.at(index) else {
                continue;
            };
            if entry.tcb.deadline() <= now {
                let effects = entry.tcb.handle_timeout(now, &self.config.tcp);
                self.absorb(index, effects);
            } else {
                // The deadline has moved since it was entered: the wheel learns it now.
                self.settle(index);
            }
        }
    }

    /// With what a connection of `quad` begins.
    fn opening(&self, now: Instant, quad: Quad) -> Opening {
        Opening {
            iss: self.isn.generate(now, quad),
            mss: self.config.mss(),
            timestamp_offset: self.isn.timestamp_offset(quad),
        }
    }

    /// The time of a call: a clock that goes back is taken to stand still.
    fn advance(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    /// Follows up what a call to a TCB brought about.
    fn absorb(&mut self, index: u32, effects: Effects) {
        let Some(entry) = self.table.at(index) else {
            return;
        };
        let (quad, id, owner) = (entry.quad, entry.id(index), entry.owner);
        let dscp = entry.tcb.settings(&self.config.tcp).dscp;
        let at_rest = entry.tcb.state().is_at_rest();
        let soft_errors = || entry.tcb.settings(&self.config.tcp).soft_errors;
        let soft_error = effects.soft_error.filter(|_| soft_errors());
        entry.soft_error = soft_error.or(entry.soft_error);
        self.report_states(quad, &effects);
        if effects.connected {
            self.counters.connections_established += 1;
            match owner {
                Owner::Listener(listener) => {
                    if self.listeners.note_established(listener, id) {
                        self.events.push(Event::Incoming(listener));
                    }
                }
                Owner::User => self.events.push(Event::Connected(id)),
                Owner::Nobody => {}
            }
            tracing::debug!(%quad, "established");
        }
        if owner == Owner::User
            && let Some(entry) = self.table.at(index)
        {
            let mut tell = |happened: bool, event: Event| {
                if happened && entry.pending.insert(&event) {
                    self.events.push(event);
                }
            };
            // Before the reader reads past it.
            tell(effects.urgent, Event::Urgent(id));
            tell(effects.readable, Event::Readable(id));
            tell(effects.writable, Event::Writable(id));
            tell(effects.peer_closed, Event::PeerClosed(id));
            tell(effects.trouble, Event::Trouble(id));
            if let Some(error) = soft_error {
                tell(true, Event::SoftError(id, error));
            }
        }
        if owner == Owner::Nobody && at_rest {
            self.orphans.remove(&id);
        }
        if let Some(estimate) = effects.path {
            let (now, max) = (self.now, self.config.max_path_mtus);
            self.paths.learn(now, max, quad.src.0, estimate);
            tracing::debug!(%quad, mtu = estimate.mtu, "path MTU");
        }
        self.send_reset(quad, Some(dscp), &effects);
        if let Some(reason) = effects.closed {
            self.note_closed(index, reason);
        }
        self.settle(index);
        for (from, to) in effects.transitions() {
            if to == State::TimeWait {
                self.note_time_wait(id);
            } else if from == State::TimeWait {
                self.time_waits.note_left();
            }
        }
    }

    fn report_states(&mut self, quad: Quad, effects: &Effects) {
        if self.config.report_states {
            for (from, to) in effects.transitions() {
                self.events.push_state(quad, from, to);
            }
        }
    }

    /// The connection has entered TIME-WAIT: if that makes too many, the oldest leaves.
    fn note_time_wait(&mut self, id: ConnectionId) {
        let table = &mut self.table;
        self.time_waits
            .note_entered(id, |id| table.is_in_time_wait(id));
        while self.time_waits.count() > self.config.max_time_wait && self.cut_time_wait() {}
    }

    /// Ends the TIME-WAIT that has lasted longest; `false` where there is none.
    fn cut_time_wait(&mut self) -> bool {
        while let Some(oldest) = self.time_waits.pop() {
            if let Some(tcb) = self.table.tcb_mut(oldest)
                && tcb.state() == State::TimeWait
            {
                let effects = tcb.end_time_wait();
                self.counters.time_waits_cut += 1;
                self.absorb(oldest.index, effects);
                return true;
            }
        }
        false
    }

    /// Sees to it that there is room for one more connection, if need be at the cost of one
    /// in TIME-WAIT.
    fn make_room(&mut self) -> bool {
        let max = self.config.max_connections;
        self.table.len() < max || (self.cut_time_wait() && self.table.len() < max)
    }

    /// The connection is in CLOSED: its quad is free again.
    fn note_closed(&mut self, index: u32, reason: CloseReason) {
        let Some(entry) = self.table.at(index) else {
            return;
        };
        let (quad, id) = (entry.quad, entry.id(index));
        entry.close_reason = Some(reason);
        tracing::debug!(%quad, ?reason, "closed");
        match entry.owner {
            Owner::User => self.events.push(Event::Closed(id, reason)),
            Owner::Listener(listener) => {
                self.listeners.note_gone(listener, id);
                entry.owner = Owner::Nobody;
            }
            Owner::Nobody => {}
        }
        self.counters.count_close(reason);
        self.table.free_quad(index);
    }

    /// Enters the connection where it belongs after its TCB changed: among those that
    /// may have something to send and in the timer wheel, or nowhere if it is over.
    fn settle(&mut self, index: u32) {
        let Some(entry) = self.table.at(index) else {
            return;
        };
        let over = entry.close_reason.is_some();
        if over && entry.owner == Owner::Nobody {
            // Its number may linger in `ready`, where it is passed over.
            self.wheel.cancel(index);
            self.table.remove(index);
            return;
        }
        if !entry.queued && !over {
            entry.queued = true;
            self.ready.push_back(index);
        }
        // Lazily: an entry that comes too early finds out when it is due.
        self.wheel.schedule_by(index, entry.tcb.deadline());
    }

    /// Queues the reset that a connection wants to be sent.
    fn send_reset(&mut self, quad: Quad, dscp: Option<u8>, effects: &Effects) {
        let Some(reset) = effects.reset else {
            return;
        };
        let reply = Reply::Reset { quad, dscp, reset };
        match effects.closed {
            // Its last word: a flood of strays does not drown it, nor do many that end at once.
            // There are no more of these than connections.
            Some(_) => self.replies.push_back(reply),
            None => self.reply(reply),
        }
    }

    /// Queues a packet of no connection, if there is room: who asked will ask again.
    fn reply(&mut self, reply: Reply) {
        if self.replies.len() < reply::MAX_WAITING {
            self.replies.push_back(reply);
        } else {
            self.counters.count_drop(DropReason::RepliesFull);
        }
    }
}
