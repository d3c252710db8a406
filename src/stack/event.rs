use std::collections::VecDeque;

use super::handle::{ConnectionId, ListenerId};
use super::quad::Quad;
use crate::tcp::{CloseReason, SoftError, State};

/// What happened, as [`Stack::poll_event`](super::Stack::poll_event) tells it.
///
/// `Readable` and `Writable` mark a change and come once until they are polled: read
/// or write until [`WouldBlock`](super::SocketError::WouldBlock). Of the others, too, at
/// most one of a kind waits for each connection.
///
/// What a user does about each:
///
/// ```
/// use zerotcp::stack::{Event, Stack};
///
/// /// Reads all that comes and prints what happens.
/// fn handle(stack: &mut Stack, event: Event) {
///     match event {
///         // At once, with what has come already: `Readable` follows.
///         Event::Incoming(listener) => while stack.accept(listener).is_some() {},
///         Event::Connected(id) => println!("{} is there", stack.quad(id).unwrap().peer()),
///         Event::Readable(id) => {
///             let mut buffer = [0; 4096];
///             while let Ok(count @ 1..) = stack.recv(id, &mut buffer) {
///                 println!("{count} octets");
///             }
///         }
///         Event::Writable(_) => {} // here one goes on with what `send` did not take
///         Event::PeerClosed(id) => stack.close(id), // `Readable` came first: all is read
///         Event::Urgent(id) => println!("urgent: {:?} octets", stack.urgent(id)),
///         // Neither ends the connection: a human may want to know, or to give up.
///         Event::Trouble(id) => println!("no answer: {}", stack.info(id).unwrap()),
///         Event::SoftError(_, error) => println!("the network says: {error}"),
///         // The end, and why. Until it is closed the handle can be asked.
///         Event::Closed(id, reason) => {
///             println!("{reason}; last heard: {:?}", stack.soft_error(id));
///             stack.close(id);
///         }
///         Event::State { quad, from, to } => println!("{quad}: {from} -> {to}"),
///         _ => {} // more may come in later versions
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// [`accept`](super::Stack::accept) has at least one connection.
    Incoming(ListenerId),
    /// An active open succeeded.
    Connected(ConnectionId),
    /// There is new text, or the end of it.
    Readable(ConnectionId),
    /// There is room to send again, half a buffer or more, after a
    /// [`send`](super::Stack::send) that took less than it was given. Who asked
    /// [`send_room`](super::Stack::send_room) only is not told.
    Writable(ConnectionId),
    /// Urgent data begins, or reaches further than it did (MUST-32):
    /// [`Stack::urgent`](super::Stack::urgent) says how far. It is read in line with the
    /// rest (RFC 6093 section 3.4).
    Urgent(ConnectionId),
    /// What was sent has not been acknowledged for several retransmissions (R1 of RFC 9293
    /// section 3.8.3, SHLD-9;
    /// [`trouble_retransmissions`](crate::tcp::Config::trouble_retransmissions)): the connection
    /// goes on, and may be given up. It comes once until something is acknowledged.
    Trouble(ConnectionId),
    /// The network reports what may pass (MUST-47), unless
    /// [`Settings::soft_errors`](crate::tcp::Settings::soft_errors) is off. Of several,
    /// [`Stack::soft_error`](super::Stack::soft_error) has the last.
    SoftError(ConnectionId, SoftError),
    /// The peer's FIN was reached: what was sent before it can still be read.
    PeerClosed(ConnectionId),
    /// The connection is over; on the side that closed first, when TIME-WAIT is. Its
    /// handle stays valid until it is closed.
    Closed(ConnectionId, CloseReason),
    /// A connection changed its state; only with
    /// [`Config::report_states`](super::Config::report_states).
    State {
        /// Which connection.
        quad: Quad,
        /// The state that it left.
        from: State,
        /// The state that it entered.
        to: State,
    },
}

impl Event {
    /// The connection that its user knows by a handle, if the event is about one.
    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        match self {
            Event::Readable(id) | Event::Writable(id) | Event::PeerClosed(id) => Some(*id),
            Event::Urgent(id) | Event::Trouble(id) | Event::SoftError(id, _) => Some(*id),
            Event::Connected(id) | Event::Closed(id, _) => Some(*id),
            Event::Incoming(_) | Event::State { .. } => None,
        }
    }
}

/// Which of a connection's events wait to be polled, so that each waits only once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pending(u8);

impl Pending {
    const fn bit(event: &Event) -> u8 {
        match event {
            Event::Readable(_) => 1,
            Event::Writable(_) => 2,
            Event::PeerClosed(_) => 4,
            Event::Urgent(_) => 8,
            Event::Trouble(_) => 16,
            Event::SoftError(..) => 32,
            _ => 0,
        }
    }

    /// Notes that `event` waits; `false` where it did before.
    pub(super) fn insert(&mut self, event: &Event) -> bool {
        let bit = Pending::bit(event);
        let fresh = self.0 & bit == 0;
        self.0 |= bit;
        fresh
    }

    pub(super) fn remove(&mut self, event: &Event) {
        self.0 &= !Pending::bit(event);
    }
}

/// Events in their order. Bounded: of each kind a connection and a listener have one at
/// most, and changes of state are left out when nobody polls.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    queue: VecDeque<Event>,
    /// At this length it is worth looking for events of dead handles.
    prune_at: usize,
}

impl EventQueue {
    const MAX_WITH_STATES: usize = 1 << 16;

    pub(super) fn push(&mut self, event: Event) {
        self.queue.push_back(event);
    }

    pub(super) fn push_state(&mut self, quad: Quad, from: State, to: State) {
        if self.queue.len() < Self::MAX_WITH_STATES {
            self.push(Event::State { quad, from, to });
        }
    }

    /// A handle died: now and then the events of such are dropped, which nobody will poll
    /// where a user goes without events.
    pub(super) fn prune(&mut self, is_alive: impl Fn(ConnectionId) -> bool) {
        const SOME: usize = 64;

        if self.queue.len() >= self.prune_at.max(SOME) {
            self.queue
                .retain(|event| event.connection().is_none_or(&is_alive));
            self.prune_at = 2 * self.queue.len();
        }
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }

    #[cfg(feature = "simulation")]
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_dead_handles_do_not_pile_up() {
        let id = |index| ConnectionId {
            index,
            generation: 0,
        };
        let mut events = EventQueue::default();
        for index in 0..10_000 {
            events.push(Event::Connected(id(index)));
            events.push(Event::Readable(id(index)));
            // Each hundredth connection lives on.
            events.prune(|id| id.index % 100 == 0);
            assert!(events.queue.len() <= 64 + 2 * (index as usize / 50 + 2));
        }
        events.queue.retain(|event| {
            let index = event.connection().unwrap().index;
            index % 100 == 0
        });
        assert_eq!(events.queue.len(), 200);
    }
}
