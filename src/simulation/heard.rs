//! Events as one reads them.

use core::fmt;

use crate::stack::{Event, Stack};

/// What a stack tells its users, in words.
pub(super) struct Heard<'a>(pub(super) &'a Stack, pub(super) &'a Event);

impl fmt::Display for Heard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Heard(stack, event) = self;
        if let Some(quad) = event.connection().and_then(|id| stack.quad(id)) {
            write!(f, "{quad}  ")?;
        }
        match event {
            Event::Incoming(_) => f.write_str("someone waits to be accepted"),
            Event::Connected(_) => f.write_str("connected"),
            Event::Readable(_) => f.write_str("readable"),
            Event::Writable(_) => f.write_str("writable"),
            Event::Urgent(_) => f.write_str("urgent"),
            Event::Trouble(_) => f.write_str("trouble"),
            Event::SoftError(_, error) => write!(f, "{error}"),
            Event::PeerClosed(_) => f.write_str("the peer has closed"),
            Event::Closed(_, reason) => write!(f, "closed: {reason}"),
            Event::State { quad, from, to } => write!(f, "{quad}  {from} -> {to}"),
        }
    }
}
