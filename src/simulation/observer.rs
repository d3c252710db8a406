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
///
/// Two stacks that talk are hosts 0, which opens, and 1; a host under siege is 0, and its peers
/// have no number. Times are the world's; a host's own clock may show another.
///
/// ```
/// use zerotcp::simulation::{self, Observer, Passage};
/// use zerotcp::time::Instant;
///
/// /// Counts what is sent.
/// #[derive(Default)]
/// struct Count(u64);
///
/// impl Observer for Count {
///     fn packet(&mut self, _: Instant, _: usize, passage: Passage, _: &[u8]) {
///         self.0 += u64::from(passage == Passage::Sent);
///     }
/// }
///
/// let mut count = Count::default();
/// let summary = simulation::run(7, &mut count)?;
/// assert_eq!(count.0, summary.packets);
/// # Ok::<(), simulation::Failure>(())
/// ```
pub trait Observer {
    /// Host number `host` sends or receives the IP packet `packet` at `now`.
    fn packet(&mut self, now: Instant, host: usize, passage: Passage, packet: &[u8]) {
        let _ = (now, host, passage, packet);
    }

    /// Something else happens at host number `host`: a call, an event, what becomes of the packet
    /// sent last, a change of the network. The words are for people and may change.
    fn note(&mut self, now: Instant, host: usize, what: fmt::Arguments<'_>) {
        let _ = (now, host, what);
    }
}

/// Looks away.
impl Observer for () {}
