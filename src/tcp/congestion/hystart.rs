//! How slow start grows, and how it ends before the queue at the bottleneck is full.

use super::{Acked, Start, micros};
use crate::wire::SeqNumber;

/// By how many segments an acknowledgment lets the window grow in slow start at most, the L
/// of RFC 9406 section 4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// RFC 5681 section 3.1, without HyStart++.
    One,
    /// Unpaced, where what one acknowledgment admits leaves in one burst.
    Eight,
    /// Paced: as much as was acknowledged. A receiver that acknowledges 64 KiB at a time
    /// does not slow down slow start.
    None,
}

impl Limit {
    pub(super) fn new(start: &Start) -> Limit {
        match (start.hystart, start.paced) {
            (false, _) => Limit::One,
            (true, false) => Limit::Eight,
            (true, true) => Limit::None,
        }
    }

    /// By how many octets `ack` lets the window grow: RFC 5681 section 3.1, equation 2, and
    /// RFC 9406 section 4.2.
    pub(super) fn growth(self, ack: &Acked, verdict: Verdict) -> u32 {
        let limited = match self {
            Limit::One => ack.acked.min(ack.mss),
            Limit::Eight => ack.acked.min(ack.mss.saturating_mul(8)),
            Limit::None => ack.acked,
        };
        match verdict {
            _ if !ack.cwnd_limited => 0,
            Verdict::Grow => limited,
            Verdict::GrowSlowly => limited / HyStart::CSS_GROWTH_DIVISOR,
            Verdict::Leave => 0,
        }
    }
}

/// HyStart++ (RFC 9406), in the first slow start of a connection: later ones know a
/// threshold (section 4.3).
///
/// When the smallest round-trip time of a round has risen over that of the round before, a
/// queue builds up. Slow start goes on at a quarter of its pace for five rounds, unless
/// the time falls again, and then ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct HyStart {
    /// lastRoundMinRTT, in microseconds as all times here.
    last_min: u32,
    /// currentRoundMinRTT.
    current_min: u32,
    /// cssBaselineMinRtt, [`HyStart::NEVER`] outside of conservative slow start.
    baseline: u32,
    /// windowEnd: its acknowledgment ends the round.
    round_end: SeqNumber,
    /// rttSampleCount, as far as it matters.
    samples: u8,
    /// Rounds of conservative slow start that are over.
    css_rounds: u8,
    /// Whether the first round has begun.
    started: bool,
}

/// What slow start does about an acknowledgment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It grows.
    Grow,
    /// It grows, at a quarter of the pace.
    GrowSlowly,
    /// It is over.
    Leave,
}

impl HyStart {
    // RFC 9406 section 4.3.
    const MIN_RTT_THRESH: u32 = 4_000;
    const MAX_RTT_THRESH: u32 = 16_000;
    const MIN_RTT_DIVISOR: u32 = 8;
    const N_RTT_SAMPLE: u8 = 8;
    const CSS_GROWTH_DIVISOR: u32 = 4;
    const CSS_ROUNDS: u8 = 5;

    /// The RFC's infinity.
    const NEVER: u32 = u32::MAX;

    pub(super) const fn new() -> HyStart {
        HyStart {
            last_min: Self::NEVER,
            current_min: Self::NEVER,
            baseline: Self::NEVER,
            round_end: SeqNumber(0),
            samples: 0,
            css_rounds: 0,
            started: false,
        }
    }

    /// Section 4.2.
    pub(super) fn on_ack(&mut self, ack: &Acked) -> Verdict {
        if !self.started {
            self.started = true;
            self.round_end = ack.nxt;
        }
        if let Some(rtt) = ack.rtt {
            self.current_min = self.current_min.min(micros(rtt));
            self.samples = self.samples.saturating_add(1).min(Self::N_RTT_SAMPLE);
        }
        if self.samples == Self::N_RTT_SAMPLE {
            self.judge();
        }
        if self.round_end <= ack.una {
            self.css_rounds += u8::from(self.is_conservative());
            if self.css_rounds >= Self::CSS_ROUNDS {
                return Verdict::Leave;
            }
            self.round_end = ack.nxt;
            self.last_min = self.current_min;
            self.current_min = Self::NEVER;
            self.samples = 0;
        }
        if self.is_conservative() {
            Verdict::GrowSlowly
        } else {
            Verdict::Grow
        }
    }

    /// Compares this round, of which enough is known, with the one before or with the
    /// baseline.
    fn judge(&mut self) {
        if self.is_conservative() {
            if self.current_min < self.baseline {
                // A false alarm.
                self.baseline = Self::NEVER;
                self.css_rounds = 0;
            }
        } else if self.last_min != Self::NEVER {
            let threshold = (self.last_min / Self::MIN_RTT_DIVISOR)
                .clamp(Self::MIN_RTT_THRESH, Self::MAX_RTT_THRESH);
            if self.current_min >= self.last_min.saturating_add(threshold) {
                self.baseline = self.current_min;
            }
        }
    }

    fn is_conservative(&self) -> bool {
        self.baseline != Self::NEVER
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::super::tests::{MSS, ack, start};
    use super::*;

    /// Rounds of a window of `count` segments, acknowledged one by one.
    struct Rounds {
        hystart: HyStart,
        una: SeqNumber,
        count: u32,
    }

    impl Rounds {
        fn new(count: u32) -> Rounds {
            // The first round wraps.
            let una = SeqNumber(0) - 5 * MSS;
            let mut hystart = HyStart::new();
            (hystart.started, hystart.round_end) = (true, una + count * MSS);
            Rounds {
                hystart,
                una,
                count,
            }
        }

        /// What slow start does in a round in which each acknowledgment measures `micros`.
        fn round(&mut self, micros: u64) -> Vec<Verdict> {
            let verdicts = (0..self.count).map(|_| {
                self.una += MSS;
                self.hystart.on_ack(&Acked {
                    rtt: Some(Duration::from_micros(micros)),
                    una: self.una,
                    nxt: self.una + self.count * MSS,
                    ..ack(0, MSS)
                })
            });
            verdicts.collect()
        }
    }

    #[test]
    fn rfc_9406_section_4_2_the_eighth_late_sample_of_a_round_slows_down_and_five_rounds_end_it() {
        let mut rounds = Rounds::new(10);
        assert_eq!(rounds.round(100_000), [Verdict::Grow; 10]);
        // A rise of less than an eighth is noise.
        assert_eq!(rounds.round(112_000), [Verdict::Grow; 10]);
        let verdicts = rounds.round(112_000 + 14_000);
        assert_eq!(verdicts[..7], [Verdict::Grow; 7]);
        assert_eq!(verdicts[7..], [Verdict::GrowSlowly; 3]);
        // The one in which it began counts.
        for _ in 0..3 {
            assert_eq!(rounds.round(130_000), [Verdict::GrowSlowly; 10]);
        }
        let verdicts = rounds.round(130_000);
        assert_eq!(verdicts[..9], [Verdict::GrowSlowly; 9]);
        assert_eq!(verdicts[9], Verdict::Leave);
    }

    #[test]
    fn rfc_9406_section_4_2_a_time_that_falls_again_was_a_false_alarm() {
        let mut rounds = Rounds::new(8);
        rounds.round(50_000);
        assert_eq!(rounds.round(60_000)[7], Verdict::GrowSlowly);
        rounds.round(60_000);
        let verdicts = rounds.round(51_000);
        assert_eq!(verdicts[6..], [Verdict::GrowSlowly, Verdict::Grow]);
        // And slow start is as watchful as before, with five rounds once more.
        assert_eq!(rounds.round(60_000)[7], Verdict::GrowSlowly);
        for _ in 0..3 {
            assert_eq!(rounds.round(60_000), [Verdict::GrowSlowly; 8]);
        }
        assert_eq!(rounds.round(60_000)[7], Verdict::Leave);
    }

    #[test]
    fn rfc_9406_section_4_3_the_threshold_is_4_to_16_ms_and_an_eighth_between() {
        for (before, rise) in [(100, 4_000), (80_000, 10_000), (1_000_000, 16_000)] {
            for (more, verdict) in [(rise - 1, Verdict::Grow), (rise, Verdict::GrowSlowly)] {
                let mut rounds = Rounds::new(8);
                rounds.round(before);
                assert_eq!(rounds.round(before + more)[7], verdict, "{before} {more}");
            }
        }
    }

    #[test]
    fn rfc_9406_section_4_2_seven_samples_are_too_few() {
        let mut rounds = Rounds::new(7);
        rounds.round(10_000);
        for _ in 0..20 {
            assert_eq!(rounds.round(90_000), [Verdict::Grow; 7]);
        }
    }

    #[test]
    fn rfc_9406_section_4_2_an_ack_brings_eight_segments_unpaced_and_all_paced() {
        let with = |hystart, paced| {
            let limit = Limit::new(&super::Start {
                hystart,
                paced,
                ..start(10)
            });
            let all = limit.growth(&ack(0, 44 * MSS), Verdict::Grow);
            assert_eq!(
                limit.growth(&ack(0, 44 * MSS), Verdict::GrowSlowly),
                all / 4
            );
            all
        };
        assert_eq!(with(true, true), 44 * MSS);
        assert_eq!(with(true, false), 8 * MSS);
        assert_eq!(with(false, true), MSS);
        assert_eq!(with(false, false), MSS);
    }
}
