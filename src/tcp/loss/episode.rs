//! What goes on with what is in flight: an episode of recovery, a probe for the tail, and what
//! an acknowledgment reports.

use core::time::Duration;

use super::{Arrived, Frto, Prr};
use crate::wire::{SackBlock, SeqNumber};
/// One episode of recovery.
#[derive(Debug)]
pub(in crate::tcp) struct Episode {
    /// RecoveryPoint: it ends when everything before this is acknowledged.
    pub(super) point: SeqNumber,
    pub(super) kind: Kind,
}

/// What an episode follows.
#[derive(Debug)]
pub(super) enum Kind {
    /// Fast recovery.
    Fast {
        prr: Prr,
        /// HighRxt: the number after the highest octet that was sent again.
        highest_again: SeqNumber,
        /// RescueRxt: the number after the one rescue retransmission.
        rescue: Option<SeqNumber>,
        /// Without SACK: a partial acknowledgment has been received.
        partial: bool,
    },
    /// What follows a retransmission timeout.
    Timeout { frto: Frto },
}

/// What an acknowledgment says of what is in flight.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::tcp) struct Report {
    /// By how many octets SND.UNA has moved.
    pub(in crate::tcp) acked: u32,
    /// Octets sent and not acknowledged before it (FlightSize).
    pub(in crate::tcp) flight: u32,
    pub(in crate::tcp) arrived: Arrived,
    /// The round-trip time that it measured, by what was sent once and has arrived.
    pub(in crate::tcp) rtt: Option<Duration>,
    /// Whether it has SACK blocks.
    pub(in crate::tcp) sacks: bool,
    /// A D-SACK: what arrived twice (RFC 2883).
    pub(in crate::tcp) duplicate: Option<SackBlock>,
    /// Whether it has the ECE bit: then the window does not grow (RFC 3168 section 6.1.2).
    pub(in crate::tcp) marked: bool,
    /// Whether it is a duplicate acknowledgment by RFC 5681 section 2.
    pub(in crate::tcp) is_duplicate: bool,
}

impl Report {
    /// Of an acknowledgment that reports nothing.
    pub(in crate::tcp) fn of(flight: u32) -> Report {
        Report {
            flight,
            ..Report::default()
        }
    }
}

impl Episode {
    pub(in crate::tcp) fn is_fast(&self) -> bool {
        matches!(self.kind, Kind::Fast { .. })
    }

    /// Whether fast recovery has sent nothing yet.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(&self.kind, Kind::Fast { prr, .. } if !prr.has_sent())
    }
}

/// The probe that is out, or may be sent.
#[derive(Debug, Default)]
pub(in crate::tcp) struct TailProbe {
    /// TLP.end_seq and TLP.is_retrans: the number after the probe in flight, and whether it
    /// carries what was sent before.
    pub(super) out: Option<(SeqNumber, bool)>,
    /// No round-trip time was measured since the last one (section 7.3, condition 2).
    pub(super) stale: bool,
    /// It goes out next.
    pub(super) due: bool,
    /// It was sent for the only segment in flight.
    pub(super) lone: bool,
    /// Such a one was needless: the peer takes longer to acknowledge than we thought.
    pub(super) patient: bool,
}

impl TailProbe {
    /// Section 7.1: recovery begins, which has means of its own.
    pub(super) fn cancel(&mut self) {
        (self.out, self.due) = (None, false);
    }

    /// Whether it is not known yet what became of it.
    pub(in crate::tcp) fn is_out(&self) -> bool {
        self.out.is_some()
    }

    /// The number after it, if it carries what was sent before.
    pub(super) fn repeated(&self) -> Option<SeqNumber> {
        self.out.filter(|(_, again)| *again).map(|(end, _)| end)
    }

    /// What it would have asked for is acknowledged.
    pub(super) fn forget_due(&mut self) {
        self.due = false;
    }

    /// Whether a D-SACK is about the probe: it says that the probe was needless, and nothing
    /// of segments that overtake each other.
    pub(super) fn is_reported(&self, report: &Report) -> bool {
        self.out.is_some_and(|(end, again)| {
            again && report.duplicate.is_some_and(|block| block.right == end)
        })
    }

    pub(in crate::tcp) fn note_measurement(&mut self) {
        self.stale = false;
    }

    /// Section 7.4.2: whether an acknowledgment shows that the probe has repaired a loss,
    /// which would else go unnoticed.
    pub(super) fn has_repaired(&mut self, una: SeqNumber, report: &Report) -> bool {
        let Some((end, again)) = self.out.filter(|(end, _)| *end <= una) else {
            return false;
        };
        let needless = report.duplicate.is_some_and(|block| block.right == end)
            || (report.is_duplicate && !report.sacks);
        self.patient |= again && needless && self.lone;
        let over = !again || needless || end < una;
        if over {
            self.out = None;
        }
        over && again && !needless
    }
}
