use core::time::Duration;

use super::config::Config;
use crate::time::{Instant, nanos};

/// Round-trip time and retransmission timeout (RFC 6298).
#[derive(Debug)]
pub(super) struct Rtt {
    /// SRTT and RTTVAR in nanoseconds, once there has been a sample.
    smoothed: Option<(u64, u64)>,
    /// The smallest round-trip time of late in nanoseconds, and when it was measured.
    min: (u64, Instant),
    /// How often the timeout has been doubled.
    backoff: u8,
    /// Our SYN was sent again.
    syn_was_lost: bool,
    /// Section 5.7: the first timeout for data is 3 s at least.
    careful: bool,
}

impl Rtt {
    /// For so long a smallest time counts; then the path may have changed (RFC 8985 section
    /// 6.2 step 1). Five minutes, as Linux has it.
    const MIN_LIFETIME: Duration = Duration::from_secs(300);
    /// The least that the largest timeout may be (section 2.5), in nanoseconds.
    const LONGEST: u64 = 60_000_000_000;

    pub(super) const fn new() -> Rtt {
        Rtt {
            smoothed: None,
            min: (0, Instant::ZERO),
            backoff: 0,
            syn_was_lost: false,
            careful: false,
        }
    }

    /// SRTT and RTTVAR, once there has been a sample.
    pub(super) fn smoothed(&self) -> Option<(Duration, Duration)> {
        let of_nanos = Duration::from_nanos;
        self.smoothed
            .map(|(srtt, rttvar)| (of_nanos(srtt), of_nanos(rttvar)))
    }

    /// SRTT in nanoseconds, once there has been a sample.
    pub(super) fn srtt_nanos(&self) -> Option<u64> {
        self.smoothed.map(|(srtt, _)| srtt)
    }

    /// SRTT; zero before the first sample.
    pub(super) fn srtt(&self) -> Duration {
        Duration::from_nanos(self.smoothed.map_or(0, |(srtt, _)| srtt))
    }

    /// The smallest round-trip time of late; zero before the first sample.
    pub(super) fn min(&self) -> Duration {
        Duration::from_nanos(self.min.0)
    }

    /// Takes in a measurement of a segment that was not retransmitted (section 3,
    /// Karn's rule), ends the backing off, and is true. Of such measurements `expected` are made in
    /// a round trip: each counts for less then (RFC 7323 appendix G).
    ///
    /// What is longer than any timeout measures no path: the clock has jumped, or the host was
    /// asleep. By the mean that it would make, segments would be paced for hours.
    pub(super) fn sample(
        &mut self,
        now: Instant,
        config: &Config,
        rtt: Duration,
        expected: u32,
    ) -> bool {
        let (rtt, expected) = (nanos(rtt), u64::from(expected.max(1)));
        if rtt > Self::LONGEST && rtt > nanos(config.max_rto) {
            return false;
        }
        self.smoothed = Some(match self.smoothed {
            // Section 2.2.
            None => (rtt, rtt / 2),
            // Section 2.3: alpha 1/8, beta 1/4, RTTVAR first.
            Some((srtt, rttvar)) => (
                mix(srtt, rtt, expected * 8),
                mix(rttvar, srtt.abs_diff(rtt), expected * 4),
            ),
        });
        let (min, measured_at) = self.min;
        if rtt <= min || min == 0 || now - measured_at > Self::MIN_LIFETIME {
            self.min = (rtt, now);
        }
        self.backoff = 0;
        self.careful = false;
        true
    }

    /// The handshake is done (section 5.7): what was backed off for the SYN ends.
    pub(super) fn begin_data(&mut self) {
        self.backoff = 0;
        self.careful = self.syn_was_lost && self.smoothed.is_none();
    }

    /// How often the timeout has been doubled.
    #[cfg(feature = "simulation")]
    pub(super) fn backoff(&self) -> u8 {
        self.backoff
    }

    /// The timeout was a mistake (RFC 4015 section 3).
    pub(super) fn end_backoff(&mut self) {
        self.backoff = 0;
    }

    /// The retransmission timeout as it stands.
    pub(super) fn rto(&self, config: &Config) -> Duration {
        let base = match self.smoothed {
            None if self.careful => config.initial_rto.max(Duration::from_secs(3)),
            None => config.initial_rto,
            // The clock is in nanoseconds: its granularity G does not count.
            // On a path that never varies RTTVAR goes towards zero, and the first
            // acknowledgment that the peer delays would come too late: the floor is under the
            // variation alone, as in Linux.
            Some((srtt, rttvar)) => {
                let variation = rttvar.saturating_mul(4).max(nanos(config.min_rto));
                Duration::from_nanos(srtt.saturating_add(variation))
            }
        };
        let mut rto = base.max(config.min_rto);
        if self.backoff > 0 {
            rto = rto.saturating_mul(1 << self.backoff.min(16));
        }
        rto.min(config.max_rto)
    }

    /// Section 5.5: the timer has expired.
    pub(super) fn back_off(&mut self) {
        self.backoff = self.backoff.saturating_add(1);
    }

    /// Section 5.7: our SYN had to be sent again.
    pub(super) fn note_syn_lost(&mut self) {
        self.syn_was_lost = true;
    }
}

/// `new` counts for one part in `parts`.
fn mix(old: u64, new: u64, parts: u64) -> u64 {
    if new < old {
        old - (old - new) / parts
    } else {
        old + (new - old) / parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_rfc_6298() {
        let config = Config::default();
        let ms = Duration::from_millis;
        let mut rtt = Rtt::new();
        assert_eq!(rtt.rto(&config), ms(1000)); // 2.1
        rtt.sample(Instant::ZERO, &config, ms(400), 1); // 2.2: SRTT 400, RTTVAR 200
        assert_eq!(rtt.rto(&config), ms(1200));
        rtt.sample(Instant::ZERO, &config, ms(800), 1); // 2.3: RTTVAR 3/4 * 200 + 1/4 * 400 = 250, SRTT 450
        assert_eq!(rtt.rto(&config), ms(1450));
        rtt.back_off(); // 5.5
        assert_eq!(rtt.rto(&config), ms(2900));
        for _ in 0..100 {
            rtt.back_off();
        }
        assert_eq!(rtt.rto(&config), config.max_rto); // 2.5
        for _ in 0..100 {
            rtt.sample(Instant::ZERO, &config, Duration::ZERO, 1);
        }
        assert_eq!(rtt.rto(&config).as_millis(), 200); // 2.4

        let mut rtt = Rtt::new();
        rtt.note_syn_lost();
        rtt.back_off();
        assert_eq!(rtt.rto(&config), ms(2000)); // 5.5
        rtt.begin_data();
        assert_eq!(rtt.rto(&config), ms(3000)); // 5.7
    }

    #[test]
    fn what_is_longer_than_any_timeout_measures_nothing() {
        let mut config = Config::default();
        let (s, mut rtt) = (Duration::from_secs, Rtt::new());
        rtt.back_off();
        assert!(!rtt.sample(Instant::ZERO, &config, s(61), 1));
        assert_eq!((rtt.smoothed(), rtt.backoff), (None, 1));
        config.max_rto = s(1);
        assert!(rtt.sample(Instant::ZERO, &config, s(60), 1));
        config.max_rto = s(240);
        assert!(rtt.sample(Instant::ZERO, &config, s(240), 1));
        assert!(!rtt.sample(Instant::ZERO, &config, s(241), 1));
    }
}
