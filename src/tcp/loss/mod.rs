//! What is in flight, what of it is lost, and how the connection recovers.
//!
//! Each octet sent and not acknowledged stands on the [`Scoreboard`] with its fate and the
//! time it was sent. With selective acknowledgments (RFC 2018) [`Rack`] tells by those times
//! what is lost (RFC 8985); without, three duplicate acknowledgments do (RFC 6582). A loss
//! starts an episode of recovery, in which [`Prr`] says how much goes out (RFC 6937), and so
//! does a retransmission timeout. A probe asks for news where the tail of a transfer may be
//! lost and nothing else would tell (TLP). An episode that turns out to be a mistake is
//! undone.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `scoreboard` | the fate of each octet in flight: RFC 6675's scoreboard and pipe |
//! | `duplicates` | what duplicate acknowledgments tell without SACK: RFC 6582, RFC 6937 section 3 |
//! | `rack` | loss by time: RACK, RFC 8985 section 6 |
//! | `tail` | probes for a lost tail: TLP, RFC 8985 section 7 |
//! | `episode` | what goes on: an episode of recovery, a probe for the tail |
//! | `recovery` | episodes of recovery: RFC 6582, RFC 6675 section 5, RFC 6298 section 5 |
//! | `resend` | what goes out again, in which order: RFC 6675 section 4 |
//! | `prr` | how much goes out in one: RFC 6937 |
//! | `undo` | which of them were mistakes: RFC 3522 (Eifel), RFC 5682 (F-RTO), D-SACK |

#[cfg(feature = "simulation")]
mod audit;
mod duplicates;
mod episode;
mod prr;
mod rack;
mod recovery;
mod resend;
mod scoreboard;
mod tail;
mod undo;

#[cfg(feature = "simulation")]
pub(crate) use self::audit::MAX_RUNS;
use self::duplicates::Duplicates;
pub(super) use self::episode::Report;
use self::episode::{Episode, TailProbe};
use self::prr::Prr;
use self::rack::Evidence;
use self::rack::{Arrived, Rack};
pub(crate) use self::scoreboard::Fate;
use self::scoreboard::Scoreboard;
use self::undo::{Frto, Undo};
use crate::time::Instant;
use crate::wire::SeqNumber;

/// What is in flight and how it fares.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) board: Scoreboard,
    pub(super) rack: Rack,
    pub(super) tail: TailProbe,
    /// The episode of recovery that goes on, if one does.
    pub(super) episode: Option<Episode>,
    /// What would show that it is a mistake, or that the last one was, as long as the peer may yet
    /// report that all of it was needless.
    pub(super) undo: Option<Undo>,
    /// When the congestion window was last reduced.
    pub(super) reduced_at: Instant,
    /// No fast recovery begins before this is acknowledged (RFC 6582 section 3.2 step 2 and
    /// section 4, RFC 6675 section 5.1).
    pub(super) not_before: Option<SeqNumber>,
    /// Duplicate acknowledgments in a row from a peer without SACK, and what they have told.
    pub(super) duplicate_acks: u8,
    duplicates: Duplicates,
    /// Something was lost of the initial window (RFC 6928 section 2).
    pub(super) lost_at_start: bool,
    /// The next retransmission goes out whatever the congestion window; only where octets
    /// are lost.
    pub(super) at_once: bool,
}

impl Flight {
    pub(super) fn new(iss: SeqNumber) -> Flight {
        Flight {
            board: Scoreboard::new(iss),
            rack: Rack::new(iss),
            tail: TailProbe::default(),
            episode: None,
            undo: None,
            reduced_at: Instant::ZERO,
            not_before: None,
            duplicate_acks: 0,
            duplicates: Duplicates::default(),
            lost_at_start: false,
            at_once: false,
        }
    }

    /// Whether a loss noticed now begins an episode: not within one, nor by what the last one
    /// still causes.
    fn may_begin_fast_recovery(&self, una: SeqNumber) -> bool {
        self.episode.is_none() && self.not_before.is_none_or(|point| point < una)
    }

    fn is_in_fast_recovery(&self) -> bool {
        self.episode.as_ref().is_some_and(Episode::is_fast)
    }

    /// What duplicate acknowledgments have told is over.
    fn forget_duplicates(&mut self) {
        (self.duplicate_acks, self.duplicates) = (0, Duplicates::default());
    }

    /// Octets in the network, as far as we know (RFC 6675's pipe).
    pub(super) fn pipe(&self) -> u32 {
        self.board
            .in_flight()
            .saturating_sub(self.duplicates.gone())
    }

    /// An episode begins with SND.UNA `una`. What a probe has repeated was sent again, too: its
    /// arrival shows nothing.
    fn begin_undo(&mut self, una: SeqNumber, restores: bool) {
        let mut undo = Undo::new(una, restores);
        if let Some(end) = self.tail.repeated()
            && let Some((start, at)) = self.board.sent_up_to(end)
        {
            undo.note_sent_again(at, (start, end), una);
        }
        self.undo = Some(undo);
    }

    /// What would show that the episode that goes on is a mistake.
    fn undo_of_episode(&mut self) -> Option<&mut Undo> {
        self.undo.as_mut().filter(|_| self.episode.is_some())
    }

    /// As [`Scoreboard::mark_larger_lost`]: what duplicate acknowledgments have told to be gone
    /// may be among it.
    pub(in crate::tcp) fn mark_larger_lost(&mut self, len: u32) {
        self.board.mark_larger_lost(len);
        self.duplicates.limit(self.board.in_flight());
    }
}
