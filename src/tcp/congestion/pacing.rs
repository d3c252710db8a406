use core::time::Duration;

use crate::time::{Instant, nanos};

/// How fast a connection may send: the congestion window once a round trip, and some more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tcp) struct Pace {
    /// So many octets ..
    octets: u64,
    /// .. in so many nanoseconds.
    nanos: u64,
    /// SMSS, in octets.
    mss: u32,
}

impl Pace {
    /// In slow start twice the window a round trip, since it doubles in one; after it 1.25 of
    /// it, so that it is the window that limits a connection, and a round-trip time
    /// measured too long does not. The numbers are those of Linux and of RFC 9002 section 7.7.
    /// In quarters.
    const SLOW_START: u64 = 8;
    const AVOIDANCE: u64 = 5;
    /// How long one burst lasts: about as late as a busy host's timer fires, for what would
    /// have left meanwhile must not be lost. At 200 Mbit/s that is 50 kB.
    const BURST: Duration = Duration::from_millis(2);
    /// The smallest burst, in segments: the initial window is one too (RFC 6928).
    const BURST_SEGMENTS: u64 = 10;

    /// The pace of a connection; `None` where it needs none: before the first round-trip time
    /// (`srtt` is zero), and with one of less than a burst's time, in which the whole window
    /// may leave at once.
    pub(in crate::tcp) fn new(cwnd: u32, ssthresh: u32, srtt: Duration, mss: u32) -> Option<Pace> {
        if srtt <= Self::BURST {
            return None;
        }
        let quarters = if cwnd < ssthresh {
            Self::SLOW_START
        } else {
            Self::AVOIDANCE
        };
        Some(Pace {
            octets: (u64::from(cwnd) * quarters / 4).max(1),
            nanos: nanos(srtt),
            mss,
        })
    }

    /// What may leave at once, in nanoseconds of this pace.
    fn burst(&self) -> u64 {
        let segments = self.nanos_for(u64::from(self.mss) * Self::BURST_SEGMENTS);
        segments.max(nanos(Self::BURST))
    }

    /// How long `octets` take.
    fn nanos_for(&self, octets: u64) -> u64 {
        octets.saturating_mul(self.nanos) / self.octets
    }
}

/// Spreads segments over time: a token bucket, kept as the instant at which it is full again.
///
/// That instant moves on by the time that what is sent takes, and is never in the past. The
/// bucket is empty when it lies a burst ahead. Nothing has to run while nothing is sent,
/// and a changed window or round-trip time holds from the next segment on.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::tcp) struct Pacer {
    full: Instant,
}

impl Pacer {
    /// When the next segment may leave; `None`: now. An empty bucket is filled to the half
    /// before it is used again, so that the timer that waits for it does not fire for
    /// each segment.
    pub(in crate::tcp) fn until(&mut self, now: Instant, pace: &Pace) -> Option<Instant> {
        if self.full <= now {
            // Before anything is divided: the bucket is full.
            return None;
        }
        self.limit(now, pace);
        let (ahead, burst) = (nanos(self.full - now), pace.burst());
        (ahead > burst).then(|| now + Duration::from_nanos(ahead - burst / 2))
    }

    /// `len` octets have left.
    pub(in crate::tcp) fn on_sent(&mut self, now: Instant, pace: &Pace, len: u32) {
        self.full = self.full.max(now) + Duration::from_nanos(pace.nanos_for(len.into()));
        self.limit(now, pace);
    }

    /// Nothing waits for longer than a round trip and half a burst. Retransmissions and probes
    /// leave whatever the pace: a window of one segment and a long round trip would add up to
    /// minutes, in which nothing else could leave; and what left at a pace that was slower would
    /// hold back what comes after.
    fn limit(&mut self, now: Instant, pace: &Pace) {
        if nanos(self.full - now) > pace.nanos {
            let most = Duration::from_nanos(pace.burst().saturating_add(pace.nanos));
            self.full = self.full.min(now + most);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MSS: u32 = 1460;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Octets that leave within `time` when there is always more to send and whoever sends
    /// sleeps as told, and a little longer.
    fn sent_within(pace: &Pace, time: Duration, segment: u32, late: Duration) -> u64 {
        let (start, mut now) = (Instant::from_millis(5), Instant::from_millis(5));
        let (mut pacer, mut sent) = (Pacer::default(), 0);
        while now < start + time {
            match pacer.until(now, pace) {
                Some(at) => {
                    assert!(at > now);
                    now = at + late;
                }
                None => {
                    pacer.on_sent(now, pace, segment);
                    sent += u64::from(segment);
                }
            }
        }
        sent
    }

    #[test]
    fn what_leaves_whatever_the_pace_holds_the_rest_back_for_a_round_trip_at_most() {
        let pace = Pace::new(MSS, MSS, ms(7000), MSS).unwrap();
        let (now, mut pacer) = (Instant::from_millis(5), Pacer::default());
        for _ in 0..1000 {
            pacer.on_sent(now, &pace, MSS);
        }
        let wait = pacer.until(now, &pace).map(|at| at - now).unwrap();
        assert!(
            wait <= ms(7000) + Duration::from_nanos(pace.burst()),
            "{wait:?}"
        );
    }

    #[test]
    fn a_round_trip_that_becomes_shorter_holds_nothing_back_for_the_longer_one() {
        let slow = Pace::new(MSS, MSS, ms(7000), MSS).unwrap();
        let (now, mut pacer) = (Instant::from_millis(5), Pacer::default());
        for _ in 0..1000 {
            pacer.on_sent(now, &slow, MSS);
        }
        let pace = Pace::new(MSS, MSS, ms(70), MSS).unwrap();
        let at = pacer.until(now, &pace).unwrap();
        assert!(at - now <= ms(70) + Duration::from_nanos(pace.burst()));
        assert_eq!(pacer.until(at, &pace), None);
    }

    #[test]
    fn a_window_and_a_quarter_leave_in_a_round_trip_of_avoidance_and_two_in_slow_start() {
        let cwnd = 1_000_000;
        for (ssthresh, rate) in [(cwnd, 1_250_000), (cwnd + 1, 2_000_000)] {
            let pace = Pace::new(cwnd, ssthresh, ms(100), MSS).unwrap();
            for segment in [100, MSS, 64_000] {
                let sent = sent_within(&pace, ms(10_000), segment, Duration::ZERO);
                // In a hundred round trips, and at most a burst and a segment more.
                let burst = (rate / 50).max(10 * u64::from(MSS)) + u64::from(segment);
                assert!(
                    sent >= rate * 100 - burst && sent <= rate * 100 + burst,
                    "{sent} octets in segments of {segment}"
                );
            }
        }
    }

    #[test]
    fn a_timer_that_fires_late_loses_nothing() {
        let pace = Pace::new(1_000_000, 0, ms(100), MSS).unwrap();
        let sent = sent_within(&pace, ms(10_000), MSS, Duration::from_micros(900));
        assert!(sent >= 124_000_000, "{sent}");
    }

    #[test]
    fn ten_segments_leave_at_once_and_after_them_half_as_many() {
        let pace = Pace::new(20 * MSS, 0, ms(100), MSS).unwrap();
        let (now, mut pacer) = (Instant::from_millis(7), Pacer::default());
        let mut burst = |now| {
            let mut count = 0;
            while pacer.until(now, &pace).is_none() {
                pacer.on_sent(now, &pace, MSS);
                count += 1;
            }
            (count, pacer.until(now, &pace).unwrap())
        };
        let (count, next) = burst(now);
        assert_eq!(count, 11); // the last one starts within the burst
        // Each takes 4 ms: 100 ms for 25 of them.
        assert_eq!(next - now, ms(4 * 6));
        let (count, _) = burst(next);
        assert_eq!(count, 6);
        // A pause fills the bucket, and no more than that.
        assert_eq!(burst(next + ms(60_000)).0, 11);
    }

    #[test]
    fn a_short_path_and_one_without_a_sample_are_not_paced() {
        for micros in [0, 1, 50, 2000] {
            let srtt = Duration::from_micros(micros);
            assert_eq!(Pace::new(14_600, 1 << 30, srtt, MSS), None);
        }
    }

    proptest! {
        #[test]
        fn no_numbers_overflow_or_hold_a_segment_for_long(
            cwnd in any::<u32>(), ssthresh in any::<u32>(), srtt in any::<u64>(),
            mss in any::<u32>(), now in any::<u64>(), lens in prop::collection::vec(any::<u32>(), 1..20),
        ) {
            let now = Instant::from_nanos(now);
            if let Some(pace) = Pace::new(cwnd, ssthresh, Duration::from_nanos(srtt), mss) {
                let mut pacer = Pacer::default();
                for len in lens {
                    prop_assert!(pacer.until(now, &pace).is_none_or(|at| at >= now));
                    pacer.on_sent(now, &pace, len);
                }
            }
        }

        #[test]
        fn a_segment_waits_for_a_round_trip_at_most(
            segments in 1..10_000u32, srtt in 2_001..10_000_000u64, mss in 48..9000u32,
        ) {
            let pace = Pace::new(segments * mss, 0, Duration::from_micros(srtt), mss).unwrap();
            let (now, mut pacer) = (Instant::from_millis(1), Pacer::default());
            let sent = (0..2 * segments + 40).find(|_| {
                pacer.on_sent(now, &pace, mss);
                pacer.until(now, &pace).is_some()
            });
            prop_assert!(sent.is_some());
            let wait = pacer.until(now, &pace).unwrap() - now;
            // With a window of a few segments a burst takes several round trips.
            let round_trips = 1 + 10 / segments;
            prop_assert!(wait <= Duration::from_micros(srtt) * round_trips, "{wait:?}");
        }
    }
}
