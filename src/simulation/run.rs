//! From a seed to a verdict.

use std::error::Error;
use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use super::pair::Pair;
use super::{Broken, Bytes, Choices, Dice, Observer, Passage, Siege};
use crate::stack::Counters;
use crate::time::Instant;

/// What a world saw that came to its end without a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How long it lasted, in its own time; of two hosts, until the last packet was sent.
    pub time: Duration,
    /// Packets that its hosts sent.
    pub packets: u64,
    /// Octets that its users read.
    pub octets: u64,
    /// Segments that its hosts sent again.
    pub retransmissions: u64,
    /// Ends of connections that were closed by FINs of both sides: of a connection between two
    /// hosts there are two.
    pub finished: u64,
    /// Ends of connections that were closed otherwise: reset, aborted, given up.
    pub broken_off: u64,
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Summary) {
        self.time += other.time;
        self.packets += other.packets;
        self.octets += other.octets;
        self.retransmissions += other.retransmissions;
        self.finished += other.finished;
        self.broken_off += other.broken_off;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.time.as_secs_f64();
        match seconds < 3600.0 {
            true => write!(f, "{seconds:.1} virtual seconds, ")?,
            false => write!(f, "{:.1} virtual hours, ", seconds / 3600.0)?,
        }
        let of = |count, one, many| if count == 1 { one } else { many };
        write!(
            f,
            "{} {} ({} sent again), {} {}, ends of connections: {} finished, {} broken off",
            self.packets,
            of(self.packets, "packet", "packets"),
            self.retransmissions,
            self.octets,
            of(self.octets, "octet", "octets"),
            self.finished,
            self.broken_off
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
    pub at: Duration,
    /// What should hold and did not.
    pub what: Broken,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { seed, at, what } = self;
        write!(f, "seed {seed}, after {:.6} s: {what}", at.as_secs_f64())
    }
}

impl Error for Failure {}

/// Builds the world that belongs to `seed` and runs it to its end.
///
/// Multiples of three have one host under [`Siege`], by [`Dice::new(seed)`](Dice::new), all others
/// two hosts that talk. Times that `observer` is told begin at zero.
///
/// # Errors
/// What broke first.
pub fn run(seed: u64, observer: &mut dyn Observer) -> Result<Summary, Failure> {
    let dice = Dice::new(seed);
    let (outcome, at, summary) = match seed % 3 {
        0 => besiege(dice, observer),
        _ => {
            let mut pair = Pair::new(seed, dice);
            let outcome = pair.run(observer);
            let at = pair.now() - Instant::ZERO;
            (outcome, at, Summary::of_pair(&pair))
        }
    };
    match outcome {
        Ok(()) => Ok(summary),
        Err(what) => Err(Failure { seed, at, what }),
    }
}

/// Runs the [`Siege`] of which `input` makes every decision, as [`Bytes`] says: what the fuzz target
/// `stack` has found, once more. Times that `observer` is told begin at zero.
///
/// # Errors
/// What broke first.
///
/// ```
/// let summary = zerotcp::simulation::replay(b"any bytes", &mut ())?;
/// println!("{summary}");
/// # Ok::<(), zerotcp::simulation::Broken>(())
/// ```
pub fn replay(input: &[u8], observer: &mut dyn Observer) -> Result<Summary, Broken> {
    let (outcome, _, summary) = besiege(Bytes(input), observer);
    outcome.map(|()| summary)
}

/// What came of a siege, how long that took, and what was seen.
fn besiege(
    choices: impl Choices,
    observer: &mut dyn Observer,
) -> (Result<(), Broken>, Duration, Summary) {
    let mut siege = Siege::new(choices);
    let start = siege.start();
    let outcome = siege.run(&mut Since(start, observer));
    (outcome, siege.now() - start, Summary::of_siege(&siege))
}

/// Tells another observer the time since this one.
struct Since<'a>(Instant, &'a mut dyn Observer);

impl Since<'_> {
    fn time(&self, now: Instant) -> Instant {
        Instant::ZERO + now.saturating_duration_since(self.0)
    }
}

impl Observer for Since<'_> {
    fn packet(&mut self, now: Instant, host: usize, passage: Passage, packet: &[u8]) {
        self.1.packet(self.time(now), host, passage, packet);
    }

    fn note(&mut self, now: Instant, host: usize, what: fmt::Arguments<'_>) {
        self.1.note(self.time(now), host, what);
    }
}

impl Summary {
    fn of_siege<C: Choices>(siege: &Siege<C>) -> Summary {
        Summary {
            time: siege.now() - siege.start(),
            octets: siege.depth().octets_received,
            ..Summary::of_hosts([siege.counters()])
        }
    }

    fn of_pair(pair: &Pair) -> Summary {
        Summary {
            time: pair.lasted(),
            octets: pair.octets(),
            ..Summary::of_hosts(pair.counters())
        }
    }

    fn of_hosts<'a>(hosts: impl IntoIterator<Item = &'a Counters>) -> Summary {
        let mut sum = Summary::default();
        for host in hosts {
            sum.packets += host.packets_sent;
            sum.retransmissions += host.retransmissions;
            sum.finished += host.connections_finished;
            sum.broken_off += host.connections_reset
                + host.connections_aborted
                + host.connections_timed_out
                + host.connections_unreachable;
        }
        sum
    }
}
