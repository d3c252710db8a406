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
        let before = self.cwnd;
        self.cwnd = match event.cause {
            // After a timeout it may hold less than the two segments of ssthresh: a loss adds none.
            Cause::Loss if event.in_recovery => self.ssthresh.min(before),
            Cause::Loss => self.ssthresh,
            // It goes on down to one segment (RFC 3168 section 6.1.2).
            Cause::Ecn => half.max(smss),
            Cause::Timeout { .. } => smss,
        };
        // The part of a segment by which the window would have grown by now is halved with it.
        let part = u64::from(self.acked) * u64::from(self.cwnd) / u64::from(before.max(1)) / 2;
        self.acked = part.min(u64::from(self.cwnd) - 1) as u32;
        self.hystart = None;
        self.after_timeout &= event.in_recovery;
        self.after_timeout |= matches!(event.cause, Cause::Timeout { .. });
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
        self.before = (0, 0);
    }

    fn on_mss(&mut self, old: u32, new: u32) {
        self.cwnd = rescale(self.cwnd, old, new);
        if self.before.0 > 0 {
            self.before.0 = rescale(self.before.0, old, new);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{MSS, ack, event, start};
    use super::*;

    /// In avoidance with a window of `segments`.
    fn avoiding(segments: u32) -> NewReno {
        let mut reno = NewReno::new(&start(2 * segments));
        reno.on_congestion(&event(Cause::Loss, 2 * segments * MSS));
        assert_eq!((reno.cwnd, reno.ssthresh), (segments * MSS, segments * MSS));
        reno
    }

    #[test]
    fn rfc_5681_section_3_1_slow_start_grows_by_what_an_ack_covers_and_a_segment_at_most() {
        let mut reno = NewReno::new(&start(10));
        reno.on_ack(&ack(0, 5000));
        assert_eq!(reno.window(), 11_000);
        // A segment acknowledged in a thousand pieces counts once (ACK division).
        for _ in 0..1000 {
            reno.on_ack(&ack(0, 1));
        }
        assert_eq!(reno.window(), 12_000);
    }

    #[test]
    fn rfc_5681_section_3_1_avoidance_grows_by_a_segment_for_each_window_acknowledged() {
        let mut reno = avoiding(5);
        reno.on_ack(&ack(0, 4900));
        assert_eq!(reno.window(), 5000);
        reno.on_ack(&ack(0, 100));
        assert_eq!(reno.window(), 6000);
        for _ in 0..5999 {
            reno.on_ack(&ack(0, 1));
        }
        assert_eq!(reno.window(), 6000);
        reno.on_ack(&ack(0, 1));
        assert_eq!(reno.window(), 7000);
        // One that covers more than a window is still one.
        reno.on_ack(&ack(0, 1_000_000));
        reno.on_ack(&ack(0, 1000));
        assert_eq!(reno.window(), 8000);
    }

    #[test]
    fn what_the_window_had_nearly_grown_by_is_not_lost_with_a_segment() {
        // Half of what takes the window from 20 to 21: a quarter of 10 to 11 is left of it.
        let mut reno = avoiding(20);
        reno.on_ack(&ack(0, 10_000));
        reno.on_congestion(&event(Cause::Loss, 20_000));
        reno.on_ack(&ack(0, 7499));
        assert_eq!(reno.window(), 10_000);
        reno.on_ack(&ack(0, 1));
        assert_eq!(reno.window(), 11_000);
        // Slow start begins with nothing.
        reno.on_ack(&ack(0, 10_999));
        reno.on_congestion(&event(Cause::Timeout { again: false }, 11_000));
        assert!(reno.acked < 1000);
    }

    #[test]
    fn rfc_5681_section_3_1_a_window_that_is_not_used_does_not_grow() {
        for mut reno in [NewReno::new(&start(10)), avoiding(5)] {
            let before = reno.window();
            let mut idle = ack(0, 1000);
            idle.cwnd_limited = false;
            for _ in 0..100 {
                reno.on_ack(&idle);
            }
            assert_eq!(reno.window(), before);
        }
    }

    #[test]
    fn rfc_5681_section_3_1_a_timeout_halves_the_threshold_once_and_leaves_one_segment() {
        let mut reno = NewReno::new(&start(10));
        reno.on_congestion(&event(Cause::Timeout { again: false }, 7000));
        assert_eq!((reno.cwnd, reno.ssthresh), (1000, 3500));
        reno.on_congestion(&event(Cause::Timeout { again: true }, 7000));
        assert_eq!((reno.cwnd, reno.ssthresh), (1000, 3500));
        // Slow start up to the threshold; of a cumulative jump one segment counts, even
        // where pacing would let it all.
        reno.limit = Limit::None;
        reno.on_ack(&ack(0, 5000));
        assert_eq!(reno.window(), 2000);
        reno.on_ack(&ack(0, 1000));
        reno.on_ack(&ack(0, 1000));
        assert_eq!(reno.window(), 3500);
        reno.on_ack(&ack(0, 1000));
        assert_eq!(reno.window(), 3500);

        let mut reno = NewReno::new(&start(2));
        reno.on_congestion(&event(Cause::Timeout { again: false }, 100));
        assert_eq!(reno.ssthresh, 2000); // 2 * SMSS at least
    }

    #[test]
    fn rfc_5681_section_3_2_a_loss_halves_what_is_in_flight_without_limited_transmit() {
        let mut reno = NewReno::new(&start(20));
        reno.on_congestion(&event(Cause::Loss, 12_000));
        assert_eq!((reno.cwnd, reno.ssthresh), (6000, 6000));
        let mut reno = NewReno::new(&start(20));
        reno.on_congestion(&event(Cause::Loss, 22_000));
        assert_eq!((reno.cwnd, reno.ssthresh), (10_000, 10_000));
        let mut reno = NewReno::new(&start(2));
        reno.on_congestion(&event(Cause::Loss, 1000));
        assert_eq!((reno.cwnd, reno.ssthresh), (2000, 2000));
    }

    #[test]
    fn rfc_5681_section_4_1_after_idling_the_window_restarts_and_the_threshold_stays() {
        let mut reno = avoiding(50);
        reno.on_restart(Instant::ZERO, 10_000);
        assert_eq!((reno.cwnd, reno.ssthresh), (10_000, 50_000));
        reno.on_restart(Instant::ZERO, 20_000);
        assert_eq!(reno.window(), 10_000);
        reno.on_ack(&ack(0, 1000));
        assert_eq!(reno.window(), 11_000);
    }

    #[test]
    fn rfc_5681_section_4_3_a_lost_retransmission_reduces_again() {
        let mut reno = NewReno::new(&start(40));
        reno.on_congestion(&event(Cause::Loss, 40_000));
        let second = CongestionEvent {
            in_recovery: true,
            ..event(Cause::Loss, 40_000)
        };
        reno.on_congestion(&second);
        assert_eq!((reno.cwnd, reno.ssthresh), (10_000, 10_000));
        // And a timeout in recovery.
        let third = CongestionEvent {
            cause: Cause::Timeout { again: false },
            ..second
        };
        reno.on_congestion(&third);
        assert_eq!((reno.cwnd, reno.ssthresh), (1000, 5000));
        // What is lost after that makes the window no larger, nor slow start any faster.
        reno.on_congestion(&second);
        assert_eq!((reno.cwnd, reno.ssthresh), (1000, 2000));
        assert!(reno.after_timeout);
        reno.undo(Instant::ZERO);
        assert_eq!((reno.cwnd, reno.ssthresh), (40_000, MAX_WINDOW));
        reno.on_congestion(&event(Cause::Loss, 40_000));
        reno.undo(Instant::ZERO);
        // Once: what comes later is not undone with it.
        reno.on_restart(Instant::ZERO, 1000);
        reno.undo(Instant::ZERO);
        assert_eq!(reno.window(), 1000);
    }

    #[test]
    fn rfc_3168_section_6_1_2_marks_take_the_window_down_to_one_segment() {
        let mut reno = NewReno::new(&start(10));
        for window in [5000, 2500, 1250, 1000, 1000] {
            reno.on_congestion(&event(Cause::Ecn, reno.window()));
            assert_eq!(reno.window(), window);
            assert!(reno.ssthresh >= 2000);
        }
    }

    #[test]
    fn rfc_5681_section_3_1_a_smaller_segment_takes_the_window_down_with_it() {
        let mut reno = NewReno::new(&start(10));
        reno.on_mss(1000, 500);
        assert_eq!(reno.window(), 5000);
        reno.on_mss(500, 9000);
        assert_eq!(reno.window(), 9000);
    }

    proptest! {
        #[test]
        fn rfc_5681_section_3_1_a_round_trip_of_avoidance_brings_one_segment_at_most(
            segments in 2..1000u32, shares in prop::collection::vec(1..100u32, 1..50), rounds in 1..10,
        ) {
            let mut reno = avoiding(segments);
            // Whatever was left over from before.
            reno.on_ack(&ack(0, segments * MSS - 1));
            let total: u32 = shares.iter().sum();
            for _ in 0..rounds {
                let before = reno.window();
                let mut left = before;
                for share in &shares {
                    let acked = (before / total * share).max(1).min(left);
                    reno.on_ack(&ack(0, acked));
                    left -= acked;
                }
                reno.on_ack(&ack(0, left));
                prop_assert!(reno.window() <= before + MSS);
            }
            prop_assert!(reno.window() > segments * MSS);
        }
    }
}
