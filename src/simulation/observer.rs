//! Who watches a world.

use core::fmt;

use crate::time::Instant;

/// Where on its way a packet is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// The host hands it to the network.
    Sent,
    /// It reaches the host.
    Received,
}

/// Watches a world: each packet, and what else happens. All methods do nothing unless
/// they are written anew.
pub trait Observer {
    /// Host number `host` sends or receives the IP packet `packet` at `now`.
    fn packet(&mut self, now: Instant, host: usize, passage: Passage, packet: &[u8]) {
        let _ = (now, host, passage, packet);
    }

    /// Something else happens at host number `host`: a call, an event, a change of the network.
    fn note(&mut self, now: Instant, host: usize, what: fmt::Arguments<'_>) {
        let _ = (now, host, what);
    }
}

/// Looks away.
impl Observer for () {}
