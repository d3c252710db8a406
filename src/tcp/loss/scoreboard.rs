//! What is in flight and how each octet of it fares (RFC 6675 section 4, RFC 8985 section 5).

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::time::Instant;
use crate::wire::SeqNumber;

/// How sent octets fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// In the network, as far as we know.
    InFlight,
    /// Reported received. They stay in the send buffer until they are acknowledged: the
    /// receiver may discard them yet (RFC 2018 section 8).
    Sacked,
    /// Deemed lost and not sent again yet.
    Lost,
}

/// Octets that were sent at once and fare alike: one segment, or many.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The number after the last octet; the run begins where the one before it ends.
    end: SeqNumber,
    fate: Fate,
    /// Whether any of it was sent more than once.
    again: bool,
    /// When it was last sent.
    sent_at: Instant,
}

/// Octets whose receipt has just become known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tcp) struct Delivered {
    /// The number of the first one.
    pub(in crate::tcp) start: SeqNumber,
    /// The number after the last one.
    pub(in crate::tcp) end: SeqNumber,
    /// When they were last sent.
    pub(in crate::tcp) sent_at: Instant,
    /// Whether they were sent more than once.
    pub(in crate::tcp) again: bool,
}

/// All octets from SND.UNA to SND.NXT, text and FIN, as runs in order.
///
/// Their number is bounded, whatever a peer reports and however small the segments are:
/// runs that were received melt into one, a run of one segment is never split by a report,
/// and when there are too many, what is sent next joins the last one (CVE-2019-11477,
/// CVE-2019-11478).
#[derive(Debug)]
pub(in crate::tcp) struct Scoreboard {
    /// SND.UNA.
    base: SeqNumber,
    runs: VecDeque<Run>,
    /// How many octets there are of each fate; the rest is in flight.
    in_flight: u32,
    sacked: u32,
    lost: u32,
    /// How many runs are known to be received.
    sacked_runs: u32,
}

/// What is taken for lost at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tcp) struct Losses {
    /// When the last of it was sent that was sent before.
    pub(super) again: Option<Instant>,
    /// The number after the last of it.
    pub(super) end: Option<SeqNumber>,
}

impl Scoreboard {
    /// No more runs than this: of segments of 1460 octets a window of 95 MB. An acknowledgment
    /// that makes us look at each takes 100 us; the send buffer of a
    /// [`Config`](crate::tcp::Config) by default is 700 such segments, or 22,000 of the smallest
    /// that a peer can ask for.
    pub(super) const MAX_RUNS: usize = 1 << 16;

    /// Nothing is in flight; the first octet to be sent is `base`.
    pub(in crate::tcp) fn new(base: SeqNumber) -> Scoreboard {
        Scoreboard {
            base,
            runs: VecDeque::new(),
            in_flight: 0,
            sacked: 0,
            lost: 0,
            sacked_runs: 0,
        }
    }

    /// Octets in the network: neither received nor lost (the pipe of RFC 6675).
    pub(in crate::tcp) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Octets known to be received ahead of their turn.
    pub(in crate::tcp) fn sacked(&self) -> u32 {
        self.sacked
    }

    /// Octets deemed lost that were not sent again.
    pub(in crate::tcp) fn lost(&self) -> u32 {
        self.lost
    }

    /// Whether so much was received beyond a hole that it is taken for lost, if nothing was
    /// seen to overtake: three runs, or more than two full segments (RFC 6675 section 4,
    /// IsLost, with DupThresh of 3).
    pub(in crate::tcp) fn is_threshold_met(&self, mss: u32) -> bool {
        self.sacked_runs >= 3 || self.sacked > 2 * mss
    }

    /// From which number on what ends with `end` was sent at once, and when.
    pub(in crate::tcp) fn sent_up_to(&self, end: SeqNumber) -> Option<(SeqNumber, Instant)> {
        let place = self.runs.partition_point(|run| run.end < end);
        let run = self.runs.get(place).filter(|run| run.end == end)?;
        Some((self.start_of(place), run.sent_at))
    }

    /// The number after the highest octet that is known to be received.
    pub(in crate::tcp) fn highest_sacked(&self) -> SeqNumber {
        let is_sacked = |run: &&Run| run.fate == Fate::Sacked;
        match self.sacked {
            0 => self.base,
            _ => self
                .runs
                .iter()
                .rev()
                .find(is_sacked)
                .map_or(self.base, |run| run.end),
        }
    }

    /// Whether the octet at SND.UNA is reported received, which is absurd: the receiver
    /// has gone back on its word (RFC 2018 section 8).
    pub(in crate::tcp) fn is_reneged(&self) -> bool {
        self.runs
            .front()
            .is_some_and(|run| run.fate == Fate::Sacked)
    }

    /// Octets up to `end` were sent for the first time.
    pub(in crate::tcp) fn push(&mut self, end: SeqNumber, now: Instant) {
        let start = self.end();
        let full = self.runs.len() >= Self::MAX_RUNS;
        match self.runs.back_mut() {
            Some(last) if full && last.fate == Fate::InFlight => {
                (last.end, last.sent_at) = (end, now);
            }
            _ => self.runs.push_back(Run {
                end,
                fate: Fate::InFlight,
                again: false,
                sent_at: now,
            }),
        }
        self.in_flight += end - start;
    }

    /// Octets from `start` to `end` were sent again.
    pub(in crate::tcp) fn push_again(&mut self, start: SeqNumber, end: SeqNumber, now: Instant) {
        let Some(first) = self.split_at(start) else {
            return;
        };
        let last = self.split_at(end).unwrap_or(self.runs.len());
        // Its parts become one run, which takes the place of the first.
        let mut from = start;
        for place in first..last {
            let run = self.runs[place];
            self.count(run.fate, run.end - from, false);
            from = run.end;
        }
        if first < last {
            self.runs.drain(first + 1..last);
            self.runs[first] = Run {
                end,
                fate: Fate::InFlight,
                again: true,
                sent_at: now,
            };
            self.count(Fate::InFlight, end - start, true);
            self.join_where_full(first);
        }
    }

    /// Where there are too many runs, what was just sent again joins what lies before it: of a
    /// run of many segments each would become one of its own else.
    fn join_where_full(&mut self, place: usize) {
        if self.runs.len() <= Self::MAX_RUNS || place == 0 {
            return;
        }
        let run = self.runs[place];
        let before = &mut self.runs[place - 1];
        if before.fate == run.fate {
            *before = run;
            self.runs.remove(place);
        }
    }

    /// Everything before `una` was acknowledged; `tell` hears what was not known before, in
    /// the order of sequence numbers.
    pub(in crate::tcp) fn acknowledge(&mut self, una: SeqNumber, mut tell: impl FnMut(Delivered)) {
        while self.base < una
            && let Some(run) = self.runs.front().copied()
        {
            let start = self.base;
            let end = run.end.min(una);
            self.base = end;
            let whole = end == run.end;
            if whole {
                self.runs.pop_front();
            }
            self.count_part(run.fate, end - start, whole);
            if run.fate != Fate::Sacked {
                tell(Delivered {
                    start,
                    end,
                    sent_at: run.sent_at,
                    again: run.again,
                });
            }
        }
        self.base = self.base.max(una);
    }

    /// The octets from `left` to `right` are reported received; `tell` hears what was not
    /// known before. Of a single segment all or nothing counts; one that was sent as
    /// several of `mss` octets is split where they were.
    pub(in crate::tcp) fn sack(
        &mut self,
        left: SeqNumber,
        right: SeqNumber,
        mss: u32,
        mut tell: impl FnMut(Delivered),
    ) {
        let (left, right) = (left.max(self.base), right.min(self.end()));
        let mut place = self.runs.partition_point(|run| run.end <= left);
        while place < self.runs.len() {
            let (start, run) = (self.start_of(place), self.runs[place]);
            if right <= start {
                break;
            }
            if run.fate == Fate::Sacked {
                place += 1;
                continue;
            }
            let part = self.whole_segments(start, run.end, left, right, mss);
            let Some((from, to)) = part else {
                place += 1;
                continue;
            };
            // Both lie in this run or at its ends.
            let first = self.split_at(from).unwrap_or(place);
            self.split_at(to);
            place = self.melt(first, right, &mut tell) + 1;
        }
    }

    /// Of `start..end`, sent as segments of `mss`, those that lie between `left` and `right`.
    fn whole_segments(
        &self,
        start: SeqNumber,
        end: SeqNumber,
        left: SeqNumber,
        right: SeqNumber,
        mss: u32,
    ) -> Option<(SeqNumber, SeqNumber)> {
        if left <= start && end <= right {
            return Some((start, end));
        }
        let mss = mss.max(1);
        if end - start <= mss || self.runs.len() >= Self::MAX_RUNS {
            return None;
        }
        let from = match left <= start {
            true => start,
            false => start + (left - start).next_multiple_of(mss),
        };
        let to = match end <= right {
            true => end,
            false => start + (right - start) / mss * mss,
        };
        (from < to).then_some((from, to))
    }

    /// The run at `first`, and those after it that end by `right`, are received, and become
    /// one with what was received beside them; gives its place. In one go, however many there
    /// are: a report of a whole window must not move the rest of it run by run.
    fn melt(&mut self, first: usize, right: SeqNumber, tell: &mut impl FnMut(Delivered)) -> usize {
        let is_sacked = |run: &Run| run.fate == Fate::Sacked;
        let start = self.start_of(first);
        let (mut from, mut after) = (start, first);
        while let Some(run) = self.runs.get(after).copied()
            && run.end <= right
        {
            self.count(run.fate, run.end - from, false);
            if !is_sacked(&run) {
                tell(Delivered {
                    start: from,
                    end: run.end,
                    sent_at: run.sent_at,
                    again: run.again,
                });
            }
            (from, after) = (run.end, after + 1);
        }
        self.count(Fate::Sacked, from - start, true);
        // Their octets are counted already.
        if self.runs.get(after).is_some_and(is_sacked) {
            after += 1;
            self.sacked_runs -= 1;
        }
        let mut place = first;
        if place > 0 && is_sacked(&self.runs[place - 1]) {
            place -= 1;
            self.sacked_runs -= 1;
        }
        let end = self.runs[after - 1].end;
        self.runs.drain(place + 1..after);
        let run = &mut self.runs[place];
        (run.end, run.fate) = (end, Fate::Sacked);
        place
    }

    /// Takes for lost what is in flight and of which `is_lost` says so, by the number after
    /// its end, and when it was last sent. Gives when the last of those was sent that had been
    /// sent before.
    pub(in crate::tcp) fn mark_lost(
        &mut self,
        mut is_lost: impl FnMut(SeqNumber, Instant) -> bool,
    ) -> Losses {
        self.mark(|run| {
            let in_flight = run.fate == Fate::InFlight;
            ControlFlow::Continue(in_flight && is_lost(run.end, run.sent_at))
        })
    }

    /// As [`mark_lost`](Scoreboard::mark_lost), of what was sent before `latest`: a time, and a
    /// number for what was sent at one time.
    ///
    /// What was sent only once was so in the order of its numbers, and what follows it for the
    /// first time after it: the first that was sent after `latest` ends the search, which else
    /// would go through all that is in flight for each acknowledgment.
    pub(in crate::tcp) fn mark_overtaken(
        &mut self,
        latest: (Instant, SeqNumber),
        mut is_lost: impl FnMut(Instant) -> bool,
    ) -> Losses {
        self.mark(|run| {
            if sent_after(latest, (run.sent_at, run.end)) {
                let in_flight = run.fate == Fate::InFlight;
                ControlFlow::Continue(in_flight && is_lost(run.sent_at))
            } else if run.again || run.fate == Fate::Sacked {
                // Runs that were received have melted together.
                ControlFlow::Continue(false)
            } else {
                ControlFlow::Break(())
            }
        })
    }

    /// Takes for lost the runs in flight of which `is_lost` says so.
    fn mark(&mut self, mut is_lost: impl FnMut(&Run) -> ControlFlow<(), bool>) -> Losses {
        let mut start = self.base;
        let mut losses = Losses::default();
        for run in &mut self.runs {
            let ControlFlow::Continue(lost) = is_lost(run) else {
                break;
            };
            if lost {
                run.fate = Fate::Lost;
                if run.again {
                    losses.again = losses.again.max(Some(run.sent_at));
                }
                losses.end = Some(run.end);
                self.in_flight -= run.end - start;
                self.lost += run.end - start;
            }
            start = run.end;
        }
        losses
    }

    /// Takes for lost what is in flight in runs of more than `len` octets: of segments, those
    /// that are too large for the path.
    pub(in crate::tcp) fn mark_larger_lost(&mut self, len: u32) {
        let mut start = self.base;
        for run in &mut self.runs {
            let octets = run.end - start;
            if run.fate == Fate::InFlight && octets > len {
                run.fate = Fate::Lost;
                self.in_flight -= octets;
                self.lost += octets;
            }
            start = run.end;
        }
    }

    /// Takes the segments in the first `len` octets for lost, or as much of the first one if
    /// it is larger: all that duplicate acknowledgments tell of a receiver without SACK
    /// (RFC 6582).
    pub(in crate::tcp) fn mark_first_lost(&mut self, len: u32) {
        let end = self.base + len;
        let is_larger = |run: &Run| run.fate == Fate::InFlight && end < run.end;
        if self.runs.front().is_some_and(is_larger) {
            self.split_at(end);
        }
        self.mark_lost(|run_end, _| run_end <= end);
    }

    /// Takes nothing for lost any more: it was a mistake.
    pub(in crate::tcp) fn forgive(&mut self) {
        for run in &mut self.runs {
            if run.fate == Fate::Lost {
                run.fate = Fate::InFlight;
            }
        }
        self.in_flight += self.lost;
        self.lost = 0;
    }

    /// Believes no report any more: what was received is lost again.
    pub(in crate::tcp) fn disbelieve(&mut self) {
        for run in &mut self.runs {
            if run.fate == Fate::Sacked {
                run.fate = Fate::Lost;
            }
        }
        self.lost += self.sacked;
        (self.sacked, self.sacked_runs) = (0, 0);
    }

    /// The first octets of the given fate that follow each other from `from` on, up to
    /// `limit` of them.
    pub(in crate::tcp) fn first(
        &self,
        fate: Fate,
        from: SeqNumber,
        limit: u32,
    ) -> Option<(SeqNumber, SeqNumber)> {
        let mut place = self.runs.partition_point(|run| run.end <= from);
        while self.runs.get(place)?.fate != fate {
            place += 1;
        }
        let start = self.start_of(place).max(from);
        let mut end = start;
        while let Some(run) = self.runs.get(place)
            && run.fate == fate
            && end - start < limit
        {
            end = run.end;
            place += 1;
        }
        Some((start, end.min(start + limit)))
    }

    /// The last run of octets in flight, or of it the last `limit`.
    pub(in crate::tcp) fn last_in_flight(&self, limit: u32) -> Option<(SeqNumber, SeqNumber)> {
        let in_flight = |run: &Run| run.fate == Fate::InFlight;
        let place = self.runs.iter().rposition(in_flight)?;
        let (start, end) = (self.start_of(place), self.runs[place].end);
        Some((end - (end - start).min(limit), end))
    }

    /// Gives storage back where nothing is in flight.
    pub(in crate::tcp) fn release(&mut self) {
        if self.runs.is_empty() {
            self.runs = VecDeque::new();
        }
    }

    /// SND.NXT.
    fn end(&self) -> SeqNumber {
        self.runs.back().map_or(self.base, |run| run.end)
    }

    fn start_of(&self, place: usize) -> SeqNumber {
        match place.checked_sub(1) {
            Some(before) => self.runs[before].end,
            None => self.base,
        }
    }

    /// Sees to it that a run begins at `number` and gives its place; none beyond the end.
    fn split_at(&mut self, number: SeqNumber) -> Option<usize> {
        let place = self.runs.partition_point(|run| run.end <= number);
        let run = *self.runs.get(place)?;
        if number <= self.start_of(place) {
            return Some(place);
        }
        self.runs.insert(place, Run { end: number, ..run });
        self.sacked_runs += u32::from(run.fate == Fate::Sacked);
        Some(place + 1)
    }

    /// Counts a whole run in or out.
    fn count(&mut self, fate: Fate, octets: u32, comes: bool) {
        if comes {
            *self.octets_mut(fate) += octets;
            self.sacked_runs += u32::from(fate == Fate::Sacked);
        } else {
            self.count_part(fate, octets, true);
        }
    }

    /// Counts a run out, or some octets of it.
    fn count_part(&mut self, fate: Fate, octets: u32, whole: bool) {
        *self.octets_mut(fate) -= octets;
        self.sacked_runs -= u32::from(fate == Fate::Sacked && whole);
    }

    fn octets_mut(&mut self, fate: Fate) -> &mut u32 {
        match fate {
            Fate::InFlight => &mut self.in_flight,
            Fate::Sacked => &mut self.sacked,
            Fate::Lost => &mut self.lost,
        }
    }
}

/// RACK_sent_after (RFC 8985 section 6.2): by time, and of what was sent at once by number.
pub(super) fn sent_after(one: (Instant, SeqNumber), other: (Instant, SeqNumber)) -> bool {
    one.0 > other.0 || (one.0 == other.0 && one.1 > other.1)
}

#[cfg(feature = "simulation")]
mod audit;
#[cfg(test)]
mod tests;
