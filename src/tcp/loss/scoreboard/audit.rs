//! What holds of a scoreboard.

use super::{Fate, Run, Scoreboard};
use crate::tcp::audit::hold;
use crate::time::Instant;
use crate::wire::SeqNumber;

impl Scoreboard {
    /// What was sent, in order, from one number up to another, and its fate.
    pub(in crate::tcp) fn sent_runs(
        &self,
    ) -> impl Iterator<Item = (SeqNumber, SeqNumber, Fate)> + Clone {
        let mut start = self.base;
        self.runs.iter().map(move |run| {
            let from = start;
            start = run.end;
            (from, run.end, run.fate)
        })
    }

    /// What holds between any two calls with SND.UNA `una` and SND.NXT `nxt`.
    pub(in crate::tcp) fn audit(
        &self,
        now: Instant,
        una: SeqNumber,
        nxt: SeqNumber,
    ) -> Result<(), String> {
        hold!(
            self.base == una && self.end() == nxt,
            "a scoreboard from {} to {}, SND.UNA is {una} and SND.NXT {nxt}",
            self.base,
            self.end()
        );
        // CVE-2019-11477. A run that was joined when there were too many may fall apart once.
        let (runs, most) = (self.runs.len(), 2 * Self::MAX_RUNS);
        hold!(runs <= most, "{runs} runs, at most {most} allowed");
        let mut counted = Scoreboard::new(una);
        let mut before: Option<&Run> = None;
        for run in &self.runs {
            let start = before.map_or(una, |run| run.end);
            hold!(start < run.end, "a run from {start} to {}", run.end);
            hold!(run.sent_at <= now, "{start} was sent at {}", run.sent_at);
            // They melt into one, or a peer could make as many as it likes.
            hold!(
                run.fate != Fate::Sacked || before.is_none_or(|run| run.fate != Fate::Sacked),
                "two sacked runs beside each other at {start}"
            );
            counted.count(run.fate, run.end - start, true);
            before = Some(run);
        }
        let sums =
            |board: &Scoreboard| (board.in_flight, board.sacked, board.lost, board.sacked_runs);
        let (found, right) = (sums(self), sums(&counted));
        hold!(
            found == right,
            "octets in flight, sacked and lost, and runs sacked: {found:?}, counted {right:?}"
        );
        Ok(())
    }
}
