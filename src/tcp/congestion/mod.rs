//! Congestion control: how much a connection may have in flight, and how it is spread
//! over time.
//!
//! A [`Controller`] owns the congestion window. The connection tells it of
//! acknowledgments and of congestion, and asks it for nothing but
//! [`window`](Controller::window): which segments are lost, and what is sent while a loss is
//! being repaired, is the affair of loss recovery. Two controllers are built in, and
//! [`Algorithm`] in [`Config`](super::Config) chooses one or brings another:
//!
//! ```
//! use zerotcp::tcp::Config;
//! use zerotcp::tcp::congestion::{Acked, Algorithm, CongestionEvent, Controller, Start};
//! use zerotcp::time::Instant;
//!
//! /// For a link of one's own: a window that never changes.
//! #[derive(Debug)]
//! struct Fixed(u32);
//!
//! impl Controller for Fixed {
//!     fn name(&self) -> &'static str {
//!         "fixed"
//!     }
//!     fn window(&self) -> u32 {
//!         self.0
//!     }
//!     fn slow_start_threshold(&self) -> u32 {
//!         self.0
//!     }
//!     fn on_ack(&mut self, _: &Acked) {}
//!     fn on_congestion(&mut self, _: &CongestionEvent) {}
//!     fn undo(&mut self, _: Instant) {}
//!     fn on_restart(&mut self, _: Instant, _: u32) {}
//!     fn on_mss(&mut self, _: u32, _: u32) {}
//! }
//!
//! fn start(start: &Start) -> Box<dyn Controller> {
//!     Box::new(Fixed(100 * start.mss))
//! }
//!
//! let mut config = Config::default();
//! config.congestion = Algorithm::Custom(start);
//! ```
//!
//! | file | what it holds |
//! | --- | --- |
//! | `newreno` | slow start and congestion avoidance of RFC 5681 |
//! | `cubic` | CUBIC, RFC 9438 |
//! | `hystart` | slow start that ends before it loses, RFC 9406; both use it |
//! | `pacing` | when the next segment may leave |

use core::fmt;
use core::time::Duration;

use crate::time::Instant;
use crate::wire::SeqNumber;

mod cubic;
mod hystart;
mod newreno;
mod pacing;

use cubic::Cubic;
use newreno::NewReno;
pub(super) use pacing::{Pace, Pacer};

/// No window is larger: the largest that TCP can offer (RFC 7323 section 2.3). It is also
/// the slow start threshold before there is one (RFC 5681 section 3.1: arbitrarily high).
const MAX_WINDOW: u32 = 1 << 30;

/// Which controller a connection has.
#[derive(Clone, Copy, Debug, Default)]
pub enum Algorithm {
    /// RFC 5681: half the window on a loss, one segment more a round trip.
    NewReno,
    /// RFC 9438: quicker to find what a fast or long path holds. What Linux, Windows and
    /// Apple's systems use, and the default.
    #[default]
    Cubic,
    /// One of the user's own. The function is called when a connection begins, and again
    /// when the peer's SYN has told its MSS.
    Custom(fn(&Start) -> Box<dyn Controller>),
}

/// Functions are equal when their addresses are, which can differ for the same function
/// in different units of compilation.
impl PartialEq for Algorithm {
    fn eq(&self, other: &Algorithm) -> bool {
        match (self, other) {
            (Algorithm::NewReno, Algorithm::NewReno) | (Algorithm::Cubic, Algorithm::Cubic) => true,
            (Algorithm::Custom(a), Algorithm::Custom(b)) => core::ptr::fn_addr_eq(*a, *b),
            _ => false,
        }
    }
}

impl Eq for Algorithm {}

/// What a controller is told when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// SMSS: the most text that fits one segment, in octets.
    pub mss: u32,
    /// The initial window, in octets (RFC 6928 section 2).
    pub initial_window: u32,
    /// [`Config::hystart`](super::Config::hystart).
    pub hystart: bool,
    /// [`Config::pacing`](super::Config::pacing): what the window admits leaves spread over
    /// time.
    pub paced: bool,
}

/// What an acknowledgment of new data tells a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acked {
    /// When it arrived.
    pub now: Instant,
    /// By how many octets SND.UNA moved.
    pub acked: u32,
    /// The round-trip time that it measured, if it did, by what was sent once (RFC 6298 section 3).
    pub rtt: Option<Duration>,
    /// The smallest round-trip time seen lately; zero before the first.
    pub min_rtt: Duration,
    /// SRTT, with this measurement in it; zero before the first.
    pub srtt: Duration,
    /// SND.UNA after it.
    pub una: SeqNumber,
    /// SND.NXT.
    pub nxt: SeqNumber,
    /// SMSS, in octets.
    pub mss: u32,
    /// Whether it was the congestion window that ended the last sending, or the pacing that
    /// comes with it. Else the application or the peer's window did: what was not used
    /// says nothing about the network, and the window is not to grow (RFC 9438 section 5.8).
    /// Several acknowledgments that arrive before anything can be sent all say the same.
    pub cwnd_limited: bool,
}

/// Why the network is taken to be congested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Acknowledgments showed that a segment was lost.
    Loss,
    /// The peer echoed a congestion mark (RFC 3168).
    Ecn,
    /// The retransmission timer expired.
    Timeout {
        /// For a segment that the timer has sent again before.
        again: bool,
    },
}

/// The network is congested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CongestionEvent {
    /// When this was noticed.
    pub now: Instant,
    /// FlightSize: octets sent and not acknowledged, before anything is sent again
    /// (RFC 5681 section 2).
    pub in_flight: u32,
    /// SMSS, in octets.
    pub mss: u32,
    /// How it was noticed.
    pub cause: Cause,
    /// Whether an earlier event is still being recovered from. Then an
    /// [`undo`](Controller::undo) goes back to before that one.
    pub in_recovery: bool,
}

/// A congestion control algorithm: it owns the congestion window of one connection.
///
/// All windows are in octets. Time never runs backward from call to call.
pub trait Controller: fmt::Debug + Send + Sync {
    /// The algorithm's name, in lower case.
    fn name(&self) -> &'static str;

    /// cwnd: how much may be in flight. No less than one SMSS.
    fn window(&self) -> u32;

    /// ssthresh, in octets: below it slow start, from it on congestion avoidance. Before there
    /// was congestion, more than any window: 2^30 or above (RFC 5681 section 3.1).
    fn slow_start_threshold(&self) -> u32;

    /// New data was acknowledged. Not called in fast recovery, where the window stands
    /// still; called in the slow start that follows a timeout.
    fn on_ack(&mut self, ack: &Acked);

    /// The network is congested: ssthresh and cwnd fall. Called once a window of data, when
    /// recovery begins, and again for a retransmission that was lost (RFC 5681 section 4.3).
    fn on_congestion(&mut self, event: &CongestionEvent);

    /// There was no congestion: all since recovery began was a false alarm. cwnd and
    /// ssthresh are again no less than they were (RFC 9438 section 4.9).
    fn undo(&mut self, now: Instant);

    /// Nothing was in flight for longer than an RTO: what is known of the path has aged, and
    /// cwnd is `window` at most, which is a segment at least (RFC 5681 section 4.1).
    /// ssthresh stays.
    fn on_restart(&mut self, now: Instant, window: u32);

    /// SMSS has changed with the path MTU. A smaller one takes cwnd down with it, so that
    /// it holds no more segments than before (RFC 5681 section 3.1); a larger one leaves it,
    /// unless it were below one segment.
    fn on_mss(&mut self, old: u32, new: u32);
}

/// The controller of a connection: the built-in ones in place, another one boxed.
#[derive(Debug)]
pub(super) enum Congestion {
    NewReno(NewReno),
    Cubic(Cubic),
    Custom(Box<dyn Controller>),
}

impl Congestion {
    /// For a connection that begins.
    pub(super) fn new(algorithm: Algorithm, start: &Start) -> Congestion {
        match algorithm {
            Algorithm::NewReno => Congestion::NewReno(NewReno::new(start)),
            Algorithm::Cubic => Congestion::Cubic(Cubic::new(start)),
            Algorithm::Custom(new) => Congestion::Custom(new(start)),
        }
    }
}

/// Calls the controller that there is, without a table of functions for the built-in ones.
macro_rules! dispatch {
    ($congestion:expr, $controller:ident => $call:expr) => {
        match $congestion {
            Congestion::NewReno($controller) => $call,
            Congestion::Cubic($controller) => $call,
            Congestion::Custom($controller) => $call,
        }
    };
}

impl Controller for Congestion {
    fn name(&self) -> &'static str {
        dispatch!(self, controller => controller.name())
    }

    fn window(&self) -> u32 {
        dispatch!(self, controller => controller.window())
    }

    fn slow_start_threshold(&self) -> u32 {
        dispatch!(self, controller => controller.slow_start_threshold())
    }

    fn on_ack(&mut self, ack: &Acked) {
        dispatch!(self, controller => controller.on_ack(ack));
    }

    fn on_congestion(&mut self, event: &CongestionEvent) {
        dispatch!(self, controller => controller.on_congestion(event));
    }

    fn undo(&mut self, now: Instant) {
        dispatch!(self, controller => controller.undo(now));
    }

    fn on_restart(&mut self, now: Instant, window: u32) {
        dispatch!(self, controller => controller.on_restart(now, window));
    }

    fn on_mss(&mut self, old: u32, new: u32) {
        dispatch!(self, controller => controller.on_mss(old, new));
    }
}

/// The initial window, in octets: `segments` of them, or what those would be at 1460 octets
/// each, if that is less and two segments at least. With ten, min(10*MSS, max(2*MSS,
/// 14600)): RFC 6928 section 2.
pub(super) fn initial_window(segments: u32, mss: u32) -> u32 {
    let segments = segments.max(1);
    let usual = segments.saturating_mul(1460);
    segments
        .saturating_mul(mss)
        .min(usual.max(mss.saturating_mul(2)))
        .clamp(mss.clamp(1, MAX_WINDOW), MAX_WINDOW)
}

/// `cwnd` where the largest segment is of `new` octets, no longer of `old`.
fn rescale(cwnd: u32, old: u32, new: u32) -> u32 {
    let smaller = u64::from(cwnd) * u64::from(new.min(old)) / u64::from(old.max(1));
    // No more than `cwnd`, so it fits.
    (smaller as u32).clamp(new.clamp(1, MAX_WINDOW), MAX_WINDOW)
}

/// A duration in microseconds, 71 minutes at most: four octets instead of sixteen.
fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
