//! What went wrong in a world.

use std::error::Error;
use std::fmt;

/// What should always hold, and did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub(super) String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Broken {}

/// Returns [`Broken`] with the text that follows, unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($text:tt)+) => {
        match $holds {
            true => {}
            false => return Err($crate::simulation::broken::Broken(format!($($text)+))),
        }
    };
}

pub(super) use ensure;
