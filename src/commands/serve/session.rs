//! What the services have in common.

use zerotcp::stack::{ConnectionId, Stack};

/// How a session stands after it has done what it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It goes on when an event says so.
    Open,
    /// All is said: close.
    Done,
}

/// Throws away what has come. At the end of it the session is done.
pub fn discard(stack: &mut Stack, id: ConnectionId) -> Progress {
    stack.consume(id, usize::MAX);
    match stack.is_at_end(id) {
        true => Progress::Done,
        false => Progress::Open,
    }
}
