//! What one end should know of what it was sent: which text has come, what of it came ahead of its
//! turn, and what came twice. By that it must acknowledge and report (RFC 2018, RFC 2883).

use super::runs::Runs;
use crate::simulation::broken::{Broken, ensure};
use crate::tcp::State;
use crate::tcp::audit::View;
use crate::wire::{OptionSummary, SackBlock, SeqNumber, TcpSegment};

/// Timestamps, one block and the NOPs that align them take half of such a segment: with a smaller
/// one nothing need be reported.
const LEAST_MSS: u16 = 48;

/// A model of the other direction. Numbers are counted from IRS on.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    irs: SeqNumber,
    /// The first number that has not come.
    nxt: i64,
    /// The right edge of all that was offered.
    edge: i64,
    /// What has come ahead of its turn, and a number of that which did last.
    ahead: Runs,
    newest: Option<i64>,
    /// The number of a FIN ahead of its turn.
    fin: Option<i64>,
    /// What came twice since a segment could last say so.
    twice: Runs,
    /// Of that, what came last, if all of its segment had come before.
    duplicate: Option<(i64, i64)>,
}

impl Receiver {
    /// The peer's SYN has come, and nothing else.
    pub(super) fn new(irs: SeqNumber) -> Receiver {
        Receiver {
            irs,
            nxt: 1,
            edge: 1,
            ahead: Runs::default(),
            newest: None,
            fin: None,
            twice: Runs::default(),
            duplicate: None,
        }
    }

    /// A segment has come, which is acceptable or not.
    pub(super) fn heard(&mut self, segment: &TcpSegment<'_>, is_old: bool, before: &View) {
        let flags = segment.flags();
        let (left, len) = (self.number(segment.seq()), segment.payload().len() as i64);
        if segment.sequence_len() > 0 {
            self.duplicate = None;
        }
        if len == 0 || flags.syn() || flags.rst() || is_old || !before.sack_permitted {
            return;
        }
        let right = left + len;
        let known: Vec<_> = self.ahead.overlaps(left, right).collect();
        for (left, right) in known {
            self.twice.add(left, right);
        }
        if left < self.nxt {
            self.twice.add(left, right.min(self.nxt));
        }
        // What lies further back than a window is not reported.
        let is_before =
            right <= self.nxt && self.nxt - left <= self.number(before.rcv_edge) - self.nxt;
        self.duplicate = (is_before && !flags.fin()).then_some((left, right));
    }

    /// An acceptable segment has come to who offers no more than `edge`, and keeps at most `most`
    /// runs ahead of their turn (RFC 9293 section 3.10.7.4, seventh and eighth).
    pub(super) fn take(&mut self, segment: &TcpSegment<'_>, edge: SeqNumber, most: usize) {
        let start = self.number(segment.seq());
        let (end, edge) = (start + segment.payload().len() as i64, self.number(edge));
        let (left, right) = (start.max(self.nxt), end.min(edge));
        let ends_here = segment.flags().fin() && end <= edge;
        if left < right && left == self.nxt {
            if ends_here {
                // What lies beyond its FIN is none of the peer's.
                self.ahead.clear();
            }
            self.advance(right);
        } else if left < right && (!self.ahead.is_apart(left, right) || self.count() < most) {
            // What is kept is kept: nothing may be taken back (RFC 2018 section 8).
            self.ahead.add(left, right);
            self.newest = Some(left);
        }
        // A FIN that text has passed was none.
        self.fin = self.fin.filter(|fin| self.nxt <= *fin);
        if segment.flags().fin() && (end == self.nxt || (self.nxt <= end && end < edge)) {
            self.fin = Some(self.fin.map_or(end, |fin| fin.min(end)));
        }
        if self.fin == Some(self.nxt) {
            self.ahead.clear();
            self.advance(self.nxt + 1);
        }
    }

    fn advance(&mut self, to: i64) {
        self.nxt = to;
        for (left, right) in self.ahead.as_slice() {
            if *left <= self.nxt {
                self.nxt = self.nxt.max(*right);
            }
        }
        self.ahead.drop_before(self.nxt);
        self.newest = self.newest.filter(|newest| self.nxt <= *newest);
    }

    fn count(&self) -> usize {
        self.ahead.as_slice().len()
    }

    /// What the end says of itself agrees.
    pub(super) fn check(&mut self, view: &View) -> Result<(), Broken> {
        let (nxt, edge) = (self.number(view.rcv_nxt), self.number(view.rcv_edge));
        ensure!(
            view.irs == self.irs && nxt == self.nxt,
            "RCV.NXT is {nxt}, by what has come {}",
            self.nxt
        );
        // What was offered is taken (RFC 9293 section 3.8.6, SHLD-14).
        ensure!(
            self.edge <= edge,
            "the right edge of the window goes back from {} to {edge}",
            self.edge
        );
        self.edge = edge;
        Ok(())
    }

    /// What is kept for later is what has come ahead of its turn.
    pub(super) fn check_kept(&self, kept: &[(SeqNumber, SeqNumber)]) -> Result<(), Broken> {
        let numbers = |run: &(SeqNumber, SeqNumber)| (self.number(run.0), self.number(run.1));
        let known = self.ahead.as_slice();
        ensure!(
            kept.iter().map(numbers).eq(known.iter().copied()),
            "{:?} is kept for later, {known:?} has come beyond {}",
            kept.iter().map(numbers).collect::<Vec<_>>(),
            self.nxt
        );
        Ok(())
    }

    /// A segment goes out: what it acknowledges, offers and reports.
    pub(super) fn check_sent(
        &mut self,
        segment: &TcpSegment<'_>,
        view: &View,
    ) -> Result<(), Broken> {
        let ack = self.number(segment.ack());
        ensure!(
            segment.flags().ack() && ack == self.nxt,
            "{ack} is acknowledged, {} comes next",
            self.nxt
        );
        let offer = ack + (i64::from(segment.window()) << view.rcv_shift);
        let edge = self.number(view.rcv_edge);
        ensure!(offer <= edge, "offered up to {offer}, taken up to {edge}");
        let (options, _) = OptionSummary::tolerant(segment.option_bytes());
        let blocks: Vec<_> = options.sack().iter().map(|block| self.run(block)).collect();
        ensure!(
            view.sack_permitted || blocks.is_empty(),
            "{blocks:?} is reported to who has no SACK"
        );
        let told = self.check_blocks(&blocks, view);
        // In TIME-WAIT nothing more is to come, and nothing is kept of what came.
        let is_told = view.mss >= LEAST_MSS && view.state != State::TimeWait;
        let duplicate = self.duplicate.take().filter(|_| is_told);
        // In the next segment, with what came again before it (RFC 2883 section 4).
        let first = blocks.first();
        if let Some((left, right)) = duplicate {
            ensure!(
                first.is_some_and(|first| first.0 <= left && right <= first.1),
                "{left}..{right} came twice, and what is reported first is {first:?}"
            );
        }
        self.twice.clear();
        told
    }

    /// The first block may be of what came twice (RFC 2883 section 4). The others report what has
    /// come ahead of its turn.
    fn check_blocks(&self, blocks: &[(i64, i64)], view: &View) -> Result<(), Broken> {
        let plain = self.check_ahead(blocks, view);
        match blocks.split_first() {
            Some((first, others)) if self.twice.covers(first.0, first.1) => {
                plain.or_else(|_| match others {
                    [] => Ok(()),
                    _ => self.check_ahead(others, view),
                })
            }
            _ => plain,
        }
    }

    /// Each block is a run of its own, with nothing that has come beside it, and in the first is
    /// what came last (RFC 2018 sections 3 and 4).
    fn check_ahead(&self, blocks: &[(i64, i64)], view: &View) -> Result<(), Broken> {
        let runs = self.ahead.as_slice();
        for (place, block) in blocks.iter().enumerate() {
            ensure!(
                runs.contains(block) && !blocks[..place].contains(block),
                "{block:?} is reported in {blocks:?}, and beyond {} have come {runs:?}",
                self.nxt
            );
        }
        let Some(first) = blocks.first() else {
            ensure!(
                runs.is_empty() || !view.sack_permitted || view.mss < LEAST_MSS,
                "nothing is reported, and beyond {} have come {runs:?}",
                self.nxt
            );
            return Ok(());
        };
        ensure!(
            self.newest
                .is_none_or(|newest| first.0 <= newest && newest < first.1),
            "{first:?} is reported first, and {:?} came last",
            self.newest
        );
        Ok(())
    }

    fn run(&self, block: &SackBlock) -> (i64, i64) {
        (self.number(block.left), self.number(block.right))
    }

    /// A sequence number of the peer's, counted from IRS on.
    fn number(&self, number: SeqNumber) -> i64 {
        let nxt = self.irs.0.wrapping_add(self.nxt as u32);
        self.nxt + i64::from(number.0.wrapping_sub(nxt) as i32)
    }
}
