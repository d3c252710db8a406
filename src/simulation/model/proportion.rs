//! How much goes out in fast recovery: by what has arrived since it began, and by nothing else (RFC
//! 6937).

/// What a recovery has let out, and what it may, in octets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proportion {
    /// RecoverFS: what was sent and not acknowledged when it began.
    flight: u64,
    /// What has arrived since, and what was sent.
    delivered: u64,
    sent: u64,
    /// What may be sent before more arrives, as in slow start (PRR-SSRB), and whatever arrives.
    limit: u64,
    least: u64,
    /// What may go out once more besides: it was too large to be under way.
    excused: u64,
}

impl Proportion {
    /// The first retransmission waits for nothing (section 3). Of `flight` octets `late` had arrived
    /// before by parts of segments: to whoever looks at whole segments they arrive from now on.
    pub(super) fn new(flight: u32, late: u64, mss: u32) -> Proportion {
        Proportion {
            flight: u64::from(flight.max(1)),
            delivered: late,
            sent: 0,
            limit: mss.into(),
            least: mss.into(),
            excused: 0,
        }
    }

    /// `octets` have arrived, and as many as `late` earlier are seen now.
    pub(super) fn deliver(&mut self, octets: u64, late: u64, mss: u32) {
        self.delivered += octets;
        let conserved = self.delivered.saturating_sub(self.sent);
        self.limit = self.sent + conserved.max(octets + late) + u64::from(mss);
    }

    /// So many of those that were sent were not under way, and go out again whatever arrives.
    pub(super) fn excuse(&mut self, octets: u32) {
        self.excused += u64::from(octets);
    }

    /// Sends `octets`, after which `pipe` are in the network, and says whether they may go: as many
    /// as have arrived in proportion to what the window shrinks by, or below ssthresh as in slow start.
    pub(super) fn send(&mut self, octets: u32, pipe: u32, ssthresh: u32) -> bool {
        let excused = self.excused.min(octets.into());
        self.excused -= excused;
        self.sent += u64::from(octets) - excused;
        let share = (self.delivered * u64::from(ssthresh)).div_ceil(self.flight);
        self.sent <= share.max(self.least) || (pipe <= ssthresh && self.sent <= self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was withdrawn goes out in pieces that are not as long as it was, and the last of them takes
    /// of what is excused what is left of it.
    #[test]
    fn what_is_excused_counts_by_the_octet() {
        let mut proportion = Proportion::new(20_000, 0, 1460);
        assert!(proportion.send(1436, 18_000, 10_000));
        proportion.excuse(1436);
        for _ in 0..2 {
            assert!(proportion.send(512, 18_000, 10_000));
        }
        let mut more = proportion;
        assert!(proportion.send(412 + 24, 18_000, 10_000));
        assert!(!more.send(412 + 25, 18_000, 10_000));
    }
}
