//! How much a stack holds: for who looks whether its bounds hold.

use super::Stack;
use super::quad::Quad;
use crate::tcp::Tcb;

/// How much a stack holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    /// Packets of no connection that wait to be sent.
    pub(crate) replies: usize,
    /// What waits to be told.
    pub(crate) events: usize,
    /// Connections without user that are busy with their end.
    pub(crate) orphans: usize,
    /// Connections, closed ones that their user holds included.
    pub(crate) kept: usize,
    /// What incomplete datagrams take, in bytes.
    pub(crate) fragments: usize,
    /// Paths whose MTU is known.
    pub(crate) paths: usize,
}

impl Stack {
    pub(crate) fn load(&self) -> Load {
        Load {
            replies: self.replies.len(),
            events: self.events.len(),
            orphans: self.orphans.len(),
            kept: self.table.len(),
            fragments: self.fragments.bytes(),
            paths: self.paths.len(),
        }
    }

    /// All connections, those of no user included.
    pub(crate) fn tcbs(&self) -> impl Iterator<Item = (Quad, &Tcb)> {
        self.table.tcbs()
    }
}
