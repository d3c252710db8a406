use core::time::Duration;

use super::config::Config;

/// Round-trip time and retransmission timeout (RFC 6298).
#[derive(Debug)]
pub(super) struct Rtt {
    /// SRTT and RTTVAR, once there has been a sample.
    smoothed: Option<(Duration, Duration)>,
    /// The smallest sample.
    min: Option<Duration>,
    /// How often the timeout has been doubled.
    backoff: u8,
    /// Section 5.7: the SYN was lost, so the first timeout for data is 3 s at least.
    syn_was_lost: bool,
}

impl Rtt {
    pub(super) const fn new() -> Rtt {
        Rtt {
            smoothed: None,
            min: None,
            backoff: 0,
            syn_was_lost: false,
        }
    }

    /// Takes in a measurement of a segment that was not retransmitted (section 3,
    /// Karn's rule), and ends the backing off.
    pub(super) fn sample(&mut self, rtt: Duration) {
        self.smoothed = Some(match self.smoothed {
            // Section 2.2.
            None => (rtt, rtt / 2),
            // Section 2.3: alpha 1/8, beta 1/4, RTTVAR first.
            Some((srtt, rttvar)) => ((srtt * 7 + rtt) / 8, (rttvar * 3 + srtt.abs_diff(rtt)) / 4),
        });
        self.min = Some(self.min.map_or(rtt, |min| min.min(rtt)));
        self.backoff = 0;
        self.syn_was_lost = false;
    }

    /// SRTT, zero before the first sample.
    pub(super) fn srtt(&self) -> Duration {
        self.smoothed.map_or(Duration::ZERO, |(srtt, _)| srtt)
    }

    /// The smallest sample, zero before the first.
    pub(super) fn min(&self) -> Duration {
        self.min.unwrap_or(Duration::ZERO)
    }

    /// The retransmission timeout as it stands.
    pub(super) fn rto(&self, config: &Config) -> Duration {
        let base = match self.smoothed {
            None if self.syn_was_lost => config.initial_rto.max(Duration::from_secs(3)),
            None => config.initial_rto,
            // The clock is in nanoseconds: its granularity G does not count.
            Some((srtt, rttvar)) => srtt + rttvar * 4,
        };
        let base = base.max(config.min_rto);
        base.saturating_mul(1 << self.backoff.min(16))
            .min(config.max_rto)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_rfc_6298() {
        let config = Config::default();
        let ms = Duration::from_millis;
        let mut rtt = Rtt::new();
        assert_eq!(rtt.rto(&config), ms(1000)); // 2.1
        rtt.sample(ms(400)); // 2.2: SRTT 400, RTTVAR 200
        assert_eq!(rtt.rto(&config), ms(1200));
        rtt.sample(ms(800)); // 2.3: RTTVAR 3/4 * 200 + 1/4 * 400 = 250, SRTT 450
        assert_eq!(rtt.rto(&config), ms(1450));
        rtt.back_off(); // 5.5
        assert_eq!(rtt.rto(&config), ms(2900));
        for _ in 0..100 {
            rtt.back_off();
        }
        assert_eq!(rtt.rto(&config), config.max_rto); // 2.5
        for _ in 0..100 {
            rtt.sample(Duration::ZERO);
        }
        assert_eq!(rtt.rto(&config), config.min_rto); // 2.4

        let mut rtt = Rtt::new();
        rtt.note_syn_lost(); // 5.7
        assert_eq!(rtt.rto(&config), ms(3000));
    }
}
