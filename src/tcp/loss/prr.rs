//! How much may be sent in recovery: proportional rate reduction (RFC 6937).

/// The window shrinks to ssthresh over the course of a recovery, in step with what arrives,
/// instead of pausing for half a round trip. Everything in octets.
#[derive(Debug)]
pub(in crate::tcp) struct Prr {
    /// RecoverFS: FlightSize at the start.
    flight: u32,
    /// prr_delivered: what has arrived since then.
    delivered: u64,
    /// prr_out: what was sent since then.
    sent: u64,
    /// The window for now: what is in the network and what may be added to it.
    window: u32,
}

impl Prr {
    /// Recovery begins with `flight` octets sent and not acknowledged, `in_flight` of them
    /// in the network.
    pub(in crate::tcp) fn new(flight: u32, in_flight: u32, mss: u32) -> Prr {
        Prr {
            flight: flight.max(1),
            delivered: 0,
            sent: 0,
            // Room for the first retransmission.
            window: in_flight.saturating_add(mss),
        }
    }

    pub(in crate::tcp) fn window(&self) -> u32 {
        self.window
    }

    /// Whether anything was sent since the start.
    pub(in crate::tcp) fn has_sent(&self) -> bool {
        self.sent > 0
    }

    pub(in crate::tcp) fn on_sent(&mut self, octets: u32) {
        self.sent += u64::from(octets);
    }

    /// Takes from the room of the window, without there being more in the network.
    pub(in crate::tcp) fn spend(&mut self, octets: u32) {
        self.window = self.window.saturating_sub(octets);
    }

    /// The window has shrunk once more, and nothing has arrived: no more than that has room.
    pub(in crate::tcp) fn on_reduction(&mut self, ssthresh: u32) {
        self.window = self.window.min(ssthresh);
    }

    /// Section 3: `delivered` octets have arrived. With `advances` the acknowledgment moved
    /// SND.UNA and told of no further loss: then the window may grow as in slow start
    /// (PRR-SSRB), else it conserves packets (PRR-CRB).
    pub(in crate::tcp) fn on_ack(
        &mut self,
        delivered: u32,
        in_flight: u32,
        ssthresh: u32,
        mss: u32,
        advances: bool,
    ) {
        self.delivered += u64::from(delivered);
        let room = if in_flight > ssthresh {
            // In proportion: rounded up, less what is out already. Both factors are below
            // 2^32 as long as no more is delivered than was in flight; beyond that it saturates.
            let share = self.delivered.saturating_mul(ssthresh.into());
            share.div_ceil(self.flight.into()).saturating_sub(self.sent)
        } else {
            let conserve = self.delivered.saturating_sub(self.sent);
            let limit = match advances {
                true => conserve.max(delivered.into()) + u64::from(mss),
                false => conserve,
            };
            limit.min((ssthresh - in_flight).into())
        };
        // The first retransmission must get out even if nothing was delivered.
        let room = match self.sent {
            0 => room.max(mss.into()),
            _ => room,
        };
        self.window = in_flight.saturating_add(room.min(1 << 30) as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6937 section 3.2's figure: twenty segments, one lost, ssthresh of
    /// ten: every second acknowledgment lets one go, and at the end ssthresh is in flight.
    #[test]
    fn halves_by_every_second_acknowledgment() {
        let mss = 1000;
        let (mut in_flight, ssthresh) = (19 * mss, 10 * mss);
        let mut prr = Prr::new(20 * mss, in_flight, mss);
        let mut sent = 0;
        for n in 1..=19 {
            in_flight -= mss;
            prr.on_ack(mss, in_flight, ssthresh, mss, false);
            while in_flight + mss <= prr.window() {
                in_flight += mss;
                sent += 1;
                prr.on_sent(mss);
            }
            assert!(sent <= n / 2 + 1, "{sent} after {n}");
        }
        assert_eq!((sent, in_flight), (10, 10 * mss));
    }

    /// Section 3: what is in flight falls below ssthresh by losses, and grows back as in
    /// slow start, no faster than two segments for one.
    #[test]
    fn grows_back_to_the_threshold() {
        let mss = 1000;
        let mut prr = Prr::new(20 * mss, 4 * mss, mss);
        let mut in_flight = 4 * mss;
        for _ in 0..20 {
            in_flight -= mss;
            prr.on_ack(mss, in_flight, 10 * mss, mss, true);
            let room = prr.window() - in_flight;
            assert!(room <= 2 * mss, "{room}");
            prr.on_sent(room);
            in_flight += room;
            assert!(in_flight <= 10 * mss);
        }
        assert_eq!(in_flight, 10 * mss);
        // Without news of progress only what has left is replaced.
        prr.on_ack(mss, in_flight - mss, 12 * mss, mss, false);
        assert!(prr.window() <= in_flight);
    }
}
