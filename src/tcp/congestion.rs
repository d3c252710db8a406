/// How much may be in flight: slow start and congestion avoidance (RFC 5681).
#[derive(Debug)]
pub(super) struct Congestion {
    /// The congestion window, in octets.
    cwnd: u32,
    /// Below it slow start, above it congestion avoidance, in octets.
    ssthresh: u32,
    /// Octets acknowledged since the window last grew in congestion avoidance.
    acked: u32,
}

impl Congestion {
    /// No window larger than the largest that TCP can offer.
    const MAX_WINDOW: u32 = 1 << 30;

    /// The initial window of RFC 6928 section 2.
    pub(super) fn new(mss: u32) -> Congestion {
        Congestion {
            cwnd: (10 * mss).min((2 * mss).max(14_600)),
            ssthresh: Self::MAX_WINDOW,
            acked: 0,
        }
    }

    pub(super) fn window(&self) -> u32 {
        self.cwnd
    }

    /// New data was acknowledged, outside of recovery.
    pub(super) fn on_ack(&mut self, acked: u32, mss: u32) {
        if self.cwnd < self.ssthresh {
            // Section 3.1, equation 2.
            self.cwnd += acked.min(mss);
        } else {
            // Section 3.1, byte counting: one MSS a window of acknowledged octets.
            self.acked = self.acked.saturating_add(acked);
            if self.acked >= self.cwnd {
                self.acked -= self.cwnd;
                self.cwnd += mss;
            }
        }
        self.cwnd = self.cwnd.min(Self::MAX_WINDOW);
    }

    /// A loss was noticed by duplicate acknowledgments (section 3.2, steps 2 and 3).
    pub(super) fn on_fast_retransmit(&mut self, flight: u32, mss: u32) {
        self.ssthresh = (flight / 2).max(2 * mss);
        self.cwnd = self.ssthresh + 3 * mss;
        self.acked = 0;
    }

    /// One more duplicate acknowledgment: a segment has left the network (step 4).
    pub(super) fn inflate(&mut self, mss: u32) {
        self.cwnd = (self.cwnd + mss).min(Self::MAX_WINDOW);
    }

    /// A partial acknowledgment (RFC 6582 section 3.2, step 3).
    pub(super) fn deflate(&mut self, acked: u32, mss: u32) {
        self.cwnd = self.cwnd.saturating_sub(acked).max(mss);
        if acked >= mss {
            self.cwnd += mss;
        }
    }

    /// Recovery is over (RFC 6582 section 3.2, step 3, full acknowledgment, option 1).
    pub(super) fn on_recovered(&mut self, flight: u32, mss: u32) {
        self.cwnd = self.ssthresh.min(flight.max(mss) + mss);
    }

    /// The retransmission timer expired (RFC 5681 section 3.1, equation 4); `again`
    /// where the segment had been retransmitted before.
    pub(super) fn on_timeout(&mut self, flight: u32, mss: u32, again: bool) {
        if !again {
            self.ssthresh = (flight / 2).max(2 * mss);
        }
        self.cwnd = mss;
        self.acked = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_shrinks_by_rfc_5681() {
        let mss = 1000;
        let mut congestion = Congestion::new(mss);
        assert_eq!(congestion.window(), 10_000);
        congestion.on_ack(5000, mss); // by one MSS an ACK at most
        assert_eq!(congestion.window(), 11_000);
        congestion.on_fast_retransmit(11_000, mss);
        assert_eq!(congestion.window(), 5500 + 3000);
        congestion.on_recovered(8000, mss);
        assert_eq!(congestion.window(), 5500);
        congestion.on_ack(5400, mss); // avoidance: not yet a window's worth
        assert_eq!(congestion.window(), 5500);
        congestion.on_ack(100, mss);
        assert_eq!(congestion.window(), 6500);
        congestion.on_timeout(6500, mss, false);
        assert_eq!((congestion.window(), congestion.ssthresh), (1000, 3250));
        congestion.on_timeout(1000, mss, true);
        assert_eq!(congestion.ssthresh, 3250);
    }
}
