//! Episodes of recovery: how one begins, what is sent in it, and how it ends (RFC 6582,
//! RFC 6675 section 5, RFC 8985 section 6.3).

use super::episode::{Episode, Kind, Report};
use super::undo::News;
use super::{Evidence, Frto, Prr};
use crate::tcp::config::Config;
use crate::tcp::congestion::{Acked, Cause, CongestionEvent, Controller};
use crate::tcp::tcb::Tcb;
use crate::tcp::timers::Timer;
use crate::tcp::timestamps::Echo;
use crate::time::Instant;
use crate::wire::{SackBlock, SeqNumber};

impl Tcb {
    /// How many octets the network may hold.
    pub(in crate::tcp) fn network_window(&self) -> u32 {
        match &self.flight.episode {
            Some(Episode {
                kind: Kind::Fast { prr, .. },
                ..
            }) => prr.window(),
            _ => self.congestion.window(),
        }
    }

    /// Marks on the scoreboard what an acknowledgment up to `ack` with `blocks` tells, and
    /// reports it.
    pub(in crate::tcp) fn mark_arrivals(
        &mut self,
        now: Instant,
        ack: SeqNumber,
        blocks: &[SackBlock],
        echo: Echo,
        report: &mut Report,
    ) {
        report.acked = ack - self.snd.una;
        let evidence = Evidence {
            now,
            min_rtt: self.rtt.min(),
            is_older: |sent_at| echo.is_older_than(sent_at),
        };
        let point = self.flight.episode.as_ref().map(|episode| episode.point);
        let (board, rack) = (&mut self.flight.board, &mut self.flight.rack);
        let arrived = &mut report.arrived;
        if report.acked > 0 {
            board.acknowledge(ack, |delivered| {
                rack.note_delivered(&delivered, point, &evidence, arrived);
            });
        }
        if !self.rcv.sack_permitted || blocks.is_empty() {
            return;
        }
        // Of what arrives behind a hole the timestamp is not echoed, but that of what came
        // before the hole (RFC 7323 section 4.3): it tells nothing of when that was sent.
        let evidence = Evidence {
            now,
            min_rtt: self.rtt.min(),
            is_older: |_| false,
        };
        let segment = self.segment_text();
        let (board, rack) = (&mut self.flight.board, &mut self.flight.rack);
        let mut tell = |delivered| rack.note_delivered(&delivered, point, &evidence, arrived);
        report.sacks = true;
        report.duplicate = duplicate(blocks, ack, self.snd.max_wnd);
        let fresh = blocks.iter().skip(usize::from(report.duplicate.is_some()));
        for block in fresh {
            // Anything else is absurd, or old (CVE-2020-11912).
            if ack <= block.left && block.left < block.right && block.right <= self.snd.nxt {
                board.sack(block.left, block.right, segment, &mut tell);
            }
        }
    }

    /// Draws the conclusions: what is lost, whether an episode begins, ends or was a mistake,
    /// and how the congestion window goes on. SND.UNA and the scoreboard are up to date.
    pub(in crate::tcp) fn recover(
        &mut self,
        now: Instant,
        config: &Config,
        report: &Report,
        echo: Echo,
    ) {
        let una = self.snd.una;
        self.tally.reordered = self.tally.reordered.wrapping_add(report.arrived.overtaken);
        if report.duplicate.is_some() && !self.flight.tail.is_reported(report) {
            self.flight.rack.note_needless(una, self.snd.nxt);
        }
        if self.flight.tail.has_repaired(una, report) && self.flight.episode.is_none() {
            self.reduce(now, report.flight, Cause::Loss, false);
        }
        if report.marked {
            self.forbid_undo();
        }
        if self.was_mistake(report, echo) {
            self.undo(now);
        }
        self.review_past(now, report);
        let was_fast = self.flight.is_in_fast_recovery();
        let ended = self.end_episode();

        let lost_before = self.flight.board.lost();
        let (delivered, is_worse) = match self.rcv.sack_permitted {
            true => (report.arrived.octets, self.detect_losses(now)),
            false => {
                let delivered = self.count_duplicates(report);
                // The next hole is where SND.UNA is.
                let is_lost = lost_before < self.flight.board.lost();
                (delivered, is_lost && !self.is_reduced_for(una + 1))
            }
        };
        if is_worse {
            self.reduce_again(now);
        }
        let lost = self.flight.board.lost();
        // What goes out again for another reason, a smaller MTU or a window that was closed,
        // is no sign of congestion.
        let congested = lost_before < lost || (ended && lost > 0);
        if congested && self.flight.may_begin_fast_recovery(una) {
            self.begin_fast_recovery(now, report, is_worse);
        }
        self.flight.at_once &= lost > 0;
        let (pipe, mss) = (self.flight.pipe(), u32::from(self.snd.mss));
        match &mut self.flight.episode {
            Some(Episode {
                kind: Kind::Fast { prr, .. },
                ..
            }) => {
                // The first retransmission waits for no pace.
                self.flight.at_once |= lost > 0 && !prr.has_sent();
                let ssthresh = self.congestion.slow_start_threshold();
                prr.on_ack(
                    delivered,
                    pipe,
                    ssthresh,
                    mss,
                    report.acked > 0 && lost <= lost_before,
                );
            }
            // The window is ssthresh when fast recovery ends (RFC 6582 section 3.2 step 3).
            _ if ended && was_fast => {}
            _ if report.acked > 0 && !report.marked => self.grow(now, report),
            _ => {}
        }
        self.rearm(now, config, report.acked > 0);
    }

    /// RFC 8985 section 6.2 step 5, also when its timer fires. Whether something is lost that was sent
    /// since the window was last reduced, again or for the first time: the network is worse than it
    /// seemed (RFC 5681 section 4.3).
    pub(in crate::tcp) fn detect_losses(&mut self, now: Instant) -> bool {
        let times = (self.rtt.min(), self.srtt());
        let flight = &mut self.flight;
        let at_once =
            flight.episode.is_some() || flight.board.is_threshold_met(self.snd.mss.into());
        let (losses, look_again) = flight.rack.detect(now, &mut flight.board, at_once, times);
        match look_again {
            Some(due) => self.timers.set(Timer::Reorder, due),
            None => self.timers.stop(Timer::Reorder),
        }
        let again = |sent_at: Instant| self.flight.reduced_at <= sent_at;
        losses.again.is_some_and(again) || losses.end.is_some_and(|end| !self.is_reduced_for(end))
    }

    /// Something is lost that was sent since the window was last reduced: in recovery it shrinks again.
    fn reduce_again(&mut self, now: Instant) {
        let Some(episode) = &mut self.flight.episode else {
            return;
        };
        episode.point = self.snd.nxt;
        if let Kind::Timeout { frto } = &mut episode.kind {
            // It was asked about what was sent before the point.
            *frto = Frto::Off;
        }
        let flight = self.flight();
        self.reduce(now, flight, Cause::Loss, true);
    }

    /// The timer of what may only have been overtaken has expired.
    pub(in crate::tcp) fn on_reorder_timeout(&mut self, now: Instant) {
        let (lost_before, window) = (self.flight.board.lost(), self.network_window());
        let is_full = window < self.flight.pipe() + u32::from(self.snd.mss);
        let is_worse = self.detect_losses(now);
        if is_worse {
            self.reduce_again(now);
        }
        let lost = self.flight.board.lost().saturating_sub(lost_before);
        if let Some(Episode {
            kind: Kind::Fast { prr, .. },
            ..
        }) = &mut self.flight.episode
        {
            // Nothing has arrived, so that makes no room (RFC 6937 section 3).
            prr.spend(lost);
        }
        match &self.flight.episode {
            None if lost_before < self.flight.board.lost() => {
                let report = Report::of(self.flight());
                self.begin_fast_recovery(now, &report, is_worse);
                if is_full {
                    self.wait_for_clock(now);
                }
            }
            // The acknowledgment that was waited for did not come.
            Some(episode) if episode.is_unanswered() => {
                self.flight.at_once = self.flight.board.lost() > 0;
            }
            _ => {}
        }
    }

    /// Recovery begins without an acknowledgment, so nothing has left the network for what it
    /// sends: the window was full, as new text took the place of what arrived last (limited
    /// transmit, RFC 5681 section 3.2). A full queue would drop the first retransmission, which
    /// is congestion once more; the next acknowledgment lets it go (RFC 6937 section 3), or the
    /// time for which what is overtaken is waited for.
    fn wait_for_clock(&mut self, now: Instant) {
        if self.flight.pipe() == 0 {
            return;
        }
        if let Some(Episode {
            kind: Kind::Fast { prr, .. },
            ..
        }) = &mut self.flight.episode
        {
            prr.spend(self.snd.mss.into());
            self.flight.at_once = false;
            let due = now + self.rtt.min() / 4;
            self.timers.set_by(Timer::Reorder, due);
        }
    }

    /// Losses of a peer without SACK: the third duplicate in a row says that the first segment
    /// is lost, and a partial acknowledgment that the next one is (RFC 6582 section 3.2).
    /// Gives how many octets have arrived, by estimate (RFC 6937 section 3).
    fn count_duplicates(&mut self, report: &Report) -> u32 {
        const THRESHOLD: u8 = 3;

        let (mss, unacknowledged) = (u32::from(self.snd.mss), self.flight());
        let flight = &mut self.flight;
        let fast = flight.episode.as_ref().filter(|episode| episode.is_fast());
        let point = fast.map(|episode| episode.point);
        let arrived = if report.acked > 0 {
            flight.duplicate_acks = 0;
            let arrived = flight
                .duplicates
                .acknowledge(report.acked, mss, point.is_some());
            if let Some(point) = point {
                // It goes out now (RFC 6582 section 3.2 step 3). What was sent after recovery
                // began may be near where segments are small, and nothing is known of it.
                flight.board.mark_first_lost(mss.min(point - self.snd.una));
                flight.at_once = true;
            }
            arrived
        } else if report.is_duplicate {
            flight.duplicate_acks = flight.duplicate_acks.saturating_add(1);
            let in_flight = flight.board.in_flight();
            let arrived = flight.duplicates.note(mss, in_flight, unacknowledged);
            let is_third = flight.duplicate_acks == THRESHOLD;
            if is_third && flight.may_begin_fast_recovery(self.snd.una) {
                flight.board.mark_first_lost(mss);
            }
            arrived
        } else {
            return 0;
        };
        flight.duplicates.limit(flight.board.in_flight());
        arrived
    }

    fn begin_fast_recovery(&mut self, now: Instant, report: &Report, is_worse: bool) {
        let flight = report.flight;
        // One reduction a window is enough (RFC 3168 section 6.1.2). That one was no mistake,
        // and neither is this where the network says so itself.
        let reduces = is_worse || !self.is_reduced_for(self.snd.una + 1);
        if reduces {
            self.reduce(now, flight, Cause::Loss, false);
        }
        let mss = self.snd.mss.into();
        self.flight
            .begin_undo(self.snd.una, reduces && !report.marked);
        self.flight.episode = Some(Episode {
            point: self.snd.nxt,
            kind: Kind::Fast {
                prr: Prr::new(flight, self.flight.pipe(), mss),
                highest_again: self.snd.una,
                rescue: None,
                partial: false,
            },
        });
        self.flight.at_once = true;
        self.flight.tail.cancel();
        self.timers.stop(Timer::TailProbe);
    }

    /// The retransmission timer has expired (RFC 6298 section 5, RFC 8985 section 6.3).
    pub(in crate::tcp) fn begin_timeout_recovery(&mut self, now: Instant) {
        let (una, mss) = (self.snd.una, u32::from(self.snd.mss));
        let times = (self.rtt.min(), self.srtt());
        let unacknowledged = self.flight();
        let is_closed = self.send_edge() <= una;
        let flight = &mut self.flight;
        if flight.board.is_reneged() {
            flight.board.disbelieve();
        }
        flight
            .rack
            .detect_on_timeout(now, &mut flight.board, mss, times);
        if !self.rcv.sack_permitted || is_closed {
            // Nothing else would tell of what was sent of late (RFC 5681 section 3.1). A closed
            // window takes nothing again: only a probe gets an answer.
            flight.board.mark_lost(|_, _| true);
        }
        let before = flight.episode.take();
        // The same octets timed out before (RFC 5681 section 3.1, equation 4).
        let again = self.retries > 1 && before.as_ref().is_some_and(|before| !before.is_fast());
        let in_recovery = before.is_some();
        if !in_recovery {
            // Else what is undone is all of it, so all of it must have been a mistake.
            flight.begin_undo(una, true);
        }
        flight.episode = Some(Episode {
            point: self.snd.nxt,
            kind: Kind::Timeout {
                // Not in the midst of another recovery (RFC 5682 section 2.1 step 1).
                frto: match before {
                    None => Frto::Waiting(una),
                    Some(_) => Frto::Off,
                },
            },
        });
        flight.at_once = true;
        flight.forget_duplicates();
        flight.tail.cancel();
        self.timers.stop(Timer::TailProbe);
        self.timers.stop(Timer::Reorder);
        self.reduce(now, unacknowledged, Cause::Timeout { again }, in_recovery);
    }

    /// Congestion: the window shrinks; `in_recovery` from an earlier one.
    fn reduce(&mut self, now: Instant, flight: u32, cause: Cause, in_recovery: bool) {
        if self.flight.episode.is_none() {
            self.flight.undo = None;
        }
        // Of the first window, and more than four kilobytes of it.
        let first = self.tally.octets_acked < 10 * u64::from(self.snd.mss);
        self.flight.lost_at_start |= first && flight > 4096 && cause != Cause::Ecn;
        self.flight.reduced_at = now;
        self.congestion.on_congestion(&CongestionEvent {
            now,
            in_flight: flight,
            mss: self.snd.mss.into(),
            cause,
            in_recovery,
        });
        if let Some(Episode {
            kind: Kind::Fast { prr, .. },
            ..
        }) = &mut self.flight.episode
        {
            prr.on_reduction(self.congestion.slow_start_threshold());
        }
        self.note_window_reduced();
    }

    /// The peer reports a congestion mark of what was sent since the window last shrank (RFC 3168
    /// section 6.1.2): that it shrinks again. In recovery, too: this is one for which it did not,
    /// and which is no mistake.
    pub(in crate::tcp) fn reduce_for_ecn(&mut self, now: Instant) {
        self.forbid_undo();
        let flight = self.flight();
        let in_recovery = self.flight.episode.is_some();
        self.reduce(now, flight, Cause::Ecn, in_recovery);
    }

    /// New data was acknowledged outside of fast recovery.
    fn grow(&mut self, now: Instant, report: &Report) {
        self.congestion.on_ack(&Acked {
            now,
            acked: report.acked,
            rtt: report.rtt,
            min_rtt: self.rtt.min(),
            srtt: self.srtt(),
            una: self.snd.una,
            nxt: self.snd.nxt,
            mss: self.snd.mss.into(),
            cwnd_limited: self.cwnd_limited,
        });
    }

    /// Whether an acknowledgment shows that the episode was a mistake.
    fn was_mistake(&mut self, report: &Report, echo: Echo) -> bool {
        let una = self.snd.una;
        let flight = &mut self.flight;
        let (Some(episode), Some(undo)) = (&mut flight.episode, &mut flight.undo) else {
            return false;
        };
        let board = &flight.board;
        let reported = report
            .duplicate
            .is_some_and(|block| undo.note_duplicate(block));
        let advances = report.acked > 0;
        let refuted = advances && undo.is_refuted(|at| echo.is_older_than(at));
        let refuted_by_frto = match &mut episode.kind {
            Kind::Timeout { frto } => frto.digest(
                episode.point,
                News {
                    una,
                    advances,
                    duplicate: report.is_duplicate || report.arrived.octets > 0,
                    original: report.arrived.original,
                    beyond: episode.point < board.highest_sacked().max(una),
                    sack: self.rcv.sack_permitted,
                },
            ),
            Kind::Fast { .. } => false,
        };
        // What was taken for lost has arrived before any of it was sent again.
        let late = episode.is_fast() && undo.is_unsent() && board.lost() == 0;
        reported || refuted || refuted_by_frto || late
    }

    fn undo(&mut self, now: Instant) {
        if self.flight.is_in_fast_recovery() {
            // A D-SACK comes a round trip later, if it was sent again at all, and counts no more: with an
            // acknowledgment of what has been sent by now.
            self.flight
                .rack
                .note_needless(self.snd.una, self.snd.nxt + 1);
        }
        self.flight.episode = None;
        if self.flight.undo.take().is_some_and(|undo| undo.restores()) {
            self.restore_window(now);
        }
        self.flight.board.forgive();
        self.flight.at_once = false;
        self.flight.rack.note_recovered();
        self.rtt.end_backoff();
        self.tally.spurious = self.tally.spurious.wrapping_add(1);
    }

    fn restore_window(&mut self, now: Instant) {
        self.congestion.undo(now);
        self.note_window_restored();
    }

    /// The network itself says that it is congested.
    fn forbid_undo(&mut self) {
        match self.flight.undo_of_episode() {
            Some(undo) => undo.forbid(),
            None => self.flight.undo = None,
        }
    }

    /// An episode that is over was a mistake if all that was sent again in it is reported as
    /// a duplicate. Such a report comes after the end: what was sent again followed all that
    /// had been sent before.
    fn review_past(&mut self, now: Instant, report: &Report) {
        let Some(undo) = &mut self.flight.undo else {
            return;
        };
        if self.flight.episode.is_some() {
            return;
        }
        let mistake = report
            .duplicate
            .is_some_and(|block| undo.note_duplicate(block));
        let is_settled = undo.is_settled(self.snd.una);
        if mistake {
            self.restore_window(now);
            self.tally.spurious = self.tally.spurious.wrapping_add(1);
        }
        if mistake || is_settled {
            self.flight.undo = None;
        }
    }

    /// Ends the episode if everything before its point is acknowledged, and says whether.
    fn end_episode(&mut self) -> bool {
        let una = self.snd.una;
        if self.flight.not_before.is_some_and(|point| point < una) {
            self.flight.not_before = None;
        }
        let Some(episode) = self.flight.episode.take_if(|episode| episode.point <= una) else {
            return false;
        };
        match &mut self.flight.undo {
            Some(undo) if undo.restores() => undo.wait_until(self.snd.nxt),
            _ => self.flight.undo = None,
        }
        if !self.rcv.sack_permitted {
            // Duplicates that what was sent again needlessly still causes start no new one
            // (RFC 6582 section 3.2 step 2).
            self.flight.not_before = Some(episode.point);
        }
        self.flight.at_once = false;
        self.flight.rack.note_recovered();
        true
    }

    /// RFC 6298 sections 5.2 and 5.3, and the probe for a lost tail.
    fn rearm(&mut self, now: Instant, config: &Config, advances: bool) {
        if self.flight.board.sacked() > 0 {
            // What is missing is told by what has arrived (RFC 8985 section 7.2).
            self.timers.stop(Timer::TailProbe);
        }
        if !advances {
            return;
        }
        if self.flight() == 0 {
            self.flight.tail.forget_due();
            // What waits for it to expire would wait for ever (RFC 3168 section 6.1.2).
            if !self.ecn.holds() {
                self.timers.stop(Timer::Retransmit);
            }
            self.timers.stop(Timer::TailProbe);
            self.timers.stop(Timer::Reorder);
            return;
        }
        if self.timers.is_set(Timer::Persist) {
            return;
        }
        let sack = self.rcv.sack_permitted;
        if let Some(Episode {
            kind: Kind::Fast { partial, .. },
            ..
        }) = &mut self.flight.episode
            && core::mem::replace(partial, true)
            && !sack
        {
            // Only at the first partial acknowledgment (RFC 6582 section 3.2 step 3).
            return;
        }
        let due = now + self.rto(config);
        self.timers.set(Timer::Retransmit, due);
        self.schedule_tail_probe(now, config);
    }

    /// Octets from `start` to `end` went out, again or for the first time.
    pub(in crate::tcp) fn note_sent(&mut self, now: Instant, start: SeqNumber, end: SeqNumber) {
        let again = start < self.snd.nxt;
        let old = end.min(self.snd.nxt);
        if again {
            self.flight.board.push_again(start, old, now);
            self.flight.at_once = false;
        }
        if self.snd.nxt < end {
            self.flight.board.push(end, now);
        }
        let una = self.snd.una;
        if again && let Some(undo) = self.flight.undo_of_episode() {
            undo.note_sent_again(now, (start, old), una);
        }
        let Some(episode) = &mut self.flight.episode else {
            return;
        };
        if again {
            let count = match episode.kind {
                Kind::Fast { .. } => &mut self.tally.fast_retransmissions,
                Kind::Timeout { .. } => &mut self.tally.timeout_retransmissions,
            };
            *count = count.wrapping_add(1);
        }
        match &mut episode.kind {
            Kind::Fast {
                prr,
                highest_again,
                rescue,
                ..
            } => {
                prr.on_sent(end - start);
                // Not by the rescue retransmission (RFC 6675 section 4, NextSeg rule 4).
                if again && *rescue != Some(end) {
                    *highest_again = highest_again.max(end);
                }
            }
            Kind::Timeout {
                frto: Frto::Waiting(until),
            } if again => *until = end.max(*until),
            Kind::Timeout {
                frto: Frto::Asking(left),
            } if !again => *left = left.saturating_sub(1),
            Kind::Timeout { .. } => {}
        }
    }

    /// How many new segments F-RTO still sends; none where it does not ask.
    pub(in crate::tcp) fn questions_left(&self) -> Option<u8> {
        match &self.flight.episode {
            Some(Episode {
                kind:
                    Kind::Timeout {
                        frto: Frto::Asking(left),
                    },
                ..
            }) => Some(*left),
            _ => None,
        }
    }
}

/// The first block, if it reports what has arrived twice: octets that are acknowledged, or
/// that the second block reports too (RFC 2883 section 4).
fn duplicate(blocks: &[SackBlock], ack: SeqNumber, max_window: u32) -> Option<SackBlock> {
    let first = blocks.first()?;
    let old = first.right <= ack && ack - first.left <= max_window;
    let inside = blocks
        .get(1)
        .is_some_and(|next| next.left <= first.left && first.right <= next.right);
    (first.left < first.right && (old || inside)).then_some(*first)
}
