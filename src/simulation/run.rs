//! From a seed to a verdict.

use std::error::Error;
use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use super::pair::Pair;
use super::{Broken, Observer};
use crate::time::Instant;

/// What a world saw that came to its end without a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How long it lasted, in its own time.
    pub time: Duration,
    /// Packets that its hosts sent.
    pub packets: u64,
    /// Octets that its users read.
    pub octets: u64,
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Summary) {
        self.time += other.time;
        self.packets += other.packets;
        self.octets += other.octets;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary {
            time,
            packets,
            octets,
        } = self;
        let hours = time.as_secs_f64() / 3600.0;
        write!(
            f,
            "{hours:.1} virtual hours, {packets} packets, {octets} octets"
        )
    }
}

/// What went wrong in a world, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The seed that makes it happen again.
    pub seed: u64,
    /// When it happened, since the world began.
    pub at: Instant,
    /// What should hold and did not.
    pub what: Broken,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { seed, at, what } = self;
        write!(f, "seed {seed}, after {at} s: {what}")
    }
}

impl Error for Failure {}

/// Builds the world that belongs to `seed` and runs it to its end.
///
/// # Errors
/// What broke first.
pub fn run(seed: u64, observer: &mut dyn Observer) -> Result<Summary, Failure> {
    let begun = Pair::new(seed).map_err(|what| Failure {
        seed,
        at: Instant::ZERO,
        what,
    });
    let mut pair = begun?;
    let outcome = pair.run(observer);
    outcome.map_err(|what| Failure {
        seed,
        at: pair.now(),
        what,
    })?;
    Ok(Summary {
        time: pair.now() - Instant::ZERO,
        packets: pair.packets(),
        octets: pair.octets(),
    })
}
