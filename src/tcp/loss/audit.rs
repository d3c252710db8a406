//! What holds of what is in flight.

use super::Flight;
use super::scoreboard::Scoreboard;
use crate::tcp::audit::{Recovery, hold};
use crate::time::Instant;
use crate::wire::SeqNumber;

/// No more runs than this are kept apart.
pub(crate) const MAX_RUNS: usize = Scoreboard::MAX_RUNS;

impl Flight {
    /// The episode of recovery that goes on.
    pub(in crate::tcp) fn recovery(&self) -> Option<Recovery> {
        let (episode, undo) = (self.episode.as_ref()?, self.undo.as_ref()?);
        Some(Recovery {
            is_fast: episode.is_fast(),
            from: undo.start(),
        })
    }

    /// What holds between any two calls with SND.UNA `una` and SND.NXT `nxt`; `sack` is
    /// whether the peer has SACK.
    pub(in crate::tcp) fn audit(
        &self,
        now: Instant,
        una: SeqNumber,
        nxt: SeqNumber,
        sack: bool,
    ) -> Result<(), String> {
        self.board.audit(now, una, nxt)?;
        // RFC 2018 section 5.
        hold!(
            sack || self.board.sacked() == 0,
            "{} octets sacked by a peer without SACK",
            self.board.sacked()
        );
        // By duplicate acknowledgments, of what is in flight (RFC 6582).
        hold!(
            self.duplicates.gone() <= self.board.in_flight()
                && (self.duplicates.gone() == 0 || !sack),
            "{} octets gone of {} in flight",
            self.duplicates.gone(),
            self.board.in_flight()
        );
        hold!(
            !self.at_once || self.board.lost() > 0,
            "a retransmission goes out at once, and nothing is lost"
        );
        if let Some(episode) = &self.episode {
            hold!(
                self.undo.is_some(),
                "nothing would show that it is a mistake"
            );
            // RFC 6582 section 3.2 step 3, RFC 6675 section 5: an acknowledgment of it all ends it.
            let point = episode.point;
            hold!(
                una < point && point <= nxt,
                "recovery up to {point}, with SND.UNA {una} and SND.NXT {nxt}"
            );
        }
        if let Some((end, _)) = self.tail.out {
            hold!(end <= nxt, "a tail probe up to {end}, SND.NXT is {nxt}");
        }
        Ok(())
    }
}
