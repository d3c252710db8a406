use super::hystart::{HyStart, Limit, Verdict};
use super::{Acked, Cause, CongestionEvent, Controller, MAX_WINDOW, Start, rescale};
use crate::time::Instant;

/// Slow start and congestion avoidance as RFC 5681 has them, with its byte counting; what
/// NewReno adds to it (RFC 6582) is in loss recovery.
#[derive(Debug)]
pub(in crate::tcp) struct NewReno {
    cwnd: u32,
    ssthresh: u32,
    /// Octets acknowledged since the window last grew in congestion avoidance.
    acked: u32,
    /// What the window and the threshold were before the last recovery, zero where there is
    /// nothing to undo.
    before: (u32, u32),
    /// In the first slow start, unless switched off.
    hystart: Option<HyStart>,
    limit: Limit,
    /// Slow start is that after a timeout: an acknowledgment may cover much that arrived
    /// long ago, and no more than one segment has left the network (RFC 3465 section 2.3).
    after_timeout: bool,
}

impl NewReno {
    pub(super) fn new(start: &Start) -> NewReno {
        let limit = Limit::new(start);
        NewReno {
            cwnd: start.initial_window,
            ssthresh: MAX_WINDOW,
            acked: 0,
            before: (0, 0),
            hystart: (limit != Limit::One).then(HyStart::new),
            limit,
            after_timeout: false,
        }
    }

    fn slow_start(&mut self, ack: &Acked) {
        let verdict = self
            .hystart
            .as_mut()
            .map_or(Verdict::Grow, |hystart| hystart.on_ack(ack));
        if verdict == Verdict::Leave {
            self.ssthresh = self.cwnd;
            self.hystart = None;
            return;
        }
        let limit = if self.after_timeout {
            Limit::One
        } else {
            self.limit
        };
        let cwnd = self.cwnd.saturating_add(limit.growth(ack, verdict));
        self.cwnd = cwnd.min(self.ssthresh);
    }

    /// Section 3.1: one segment more for each window that was acknowledged. One ACK never
    /// brings more, so neither does a round trip.
    fn avoid(&mut self, ack: &Acked) {
        if !ack.cwnd_limited {
            return;
        }
        self.acked = self.acked.saturating_add(ack.acked);
        if self.acked >= self.cwnd {
            self.acked = (self.acked - self.cwnd).min(self.cwnd - 1);
            self.cwnd = self.cwnd.saturating_add(ack.mss).min(MAX_WINDOW);
        }
    }
}

impl Controller for NewReno {
    fn name(&self) -> &'static str {
        "newreno"
    }

    fn window(&self) -> u32 {
        self.cwnd
    }

    fn slow_start_threshold(&self) -> u32 {
        self.ssthresh
    }

    fn on_ack(&mut self, ack: &Acked) {
        if self.cwnd < self.ssthresh {
            self.slow_start(ack);
        } else {
            self.avoid(ack);
        }
    }

    fn on_congestion(&mut self, event: &CongestionEvent) {
        let again = event.cause == Cause::Timeout { again: true };
        if !event.in_recovery && !again {
            self.before = (self.cwnd, self.ssthresh);
        }
        // Beyond the window are only segments of limited transmit, which must not count
        // (section 3.2, step 2).
        let half = event.in_flight.min(self.cwnd) / 2;
        let smss = event.mss.clamp(1, MAX_WINDOW / 2);
        // Equation 4; held for a segment that timed out before.
        if !again {
            self.ssthresh = half.max(2 * smss);
        }
        self.cwnd = match event.cause {
            Cause::Loss => self.ssthresh,
            // It goes on down to one segment (RFC 3168 section 6.1.2).
            Cause::Ecn => half.max(smss),
            Cause::Timeout { .. } => smss,
        };
        self.acked = 0;
        self.hystart = None;
        self.after_timeout = matches!(event.cause, Cause::Timeout { .. });
    }

    fn undo(&mut self, _: Instant) {
        let (cwnd, ssthresh) = core::mem::take(&mut self.before);
        if cwnd == 0 {
            return;
        }
        self.cwnd = self.cwnd.max(cwnd);
        self.ssthresh = self.ssthresh.max(ssthresh);
        self.after_timeout = false;
        if self.ssthresh == MAX_WINDOW && self.limit != Limit::One {
            self.hystart = Some(HyStart::new());
        }
    }

    fn on_restart(&mut self, _: Instant, window: u32) {
        self.cwnd = self.cwnd.min(window.max(1));
        self.acked = 0;
        self.after_timeout = false;
        self.hystart = self.hystart.map(|_| HyStart::new());
    }

    fn on_mss(&mut self, old: u32, new: u32) {
        self.cwnd = rescale(self.cwnd, old, new);
    }
}
