//! What duplicate acknowledgments of a peer without SACK tell: that something has arrived, and not
//! what (RFC 5681 section 3.2, RFC 6582).

/// What has arrived by duplicate acknowledgments, in octets.
#[derive(Debug, Default)]
pub(in crate::tcp) struct Duplicates {
    /// How much of what is in flight has left the network.
    gone: u32,
    /// What counts as having arrived (RFC 6937 section 3): also what is taken for lost since then.
    /// Once it is acknowledged it does not count again.
    counted: u32,
}

impl Duplicates {
    /// How many octets of what is in flight have left the network.
    pub(super) fn gone(&self) -> u32 {
        self.gone
    }

    /// One more, with so many octets in flight and unacknowledged. Gives how many octets have
    /// arrived: a segment, but no more than were sent, since the network doubles acknowledgments, too.
    pub(super) fn note(&mut self, mss: u32, in_flight: u32, unacknowledged: u32) -> u32 {
        // All but the segment that is missing.
        let most = in_flight.saturating_sub(mss);
        self.gone = self.gone.saturating_add(mss).min(most);
        let most = unacknowledged.saturating_sub(mss);
        let arrived = most.saturating_sub(self.counted).min(mss);
        self.counted += arrived;
        arrived
    }

    /// `acked` octets are acknowledged, in the midst of fast recovery or not. Gives how many of them
    /// have arrived that did not count before.
    pub(super) fn acknowledge(&mut self, acked: u32, mss: u32, in_recovery: bool) -> u32 {
        // All but the segment that was missing.
        let told = acked.saturating_sub(mss);
        let counted = self.counted.min(told);
        if in_recovery {
            self.gone -= self.gone.min(told);
            self.counted -= counted;
        } else {
            *self = Duplicates::default();
        }
        acked - counted
    }

    /// Something was taken for lost, and `in_flight` octets are left: what is gone is among them.
    pub(super) fn limit(&mut self, in_flight: u32) {
        self.gone = self.gone.min(in_flight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 100;

    /// The network doubles acknowledgments, and what they tell of is taken for lost, as all of it is
    /// where it was too large for the path.
    #[test]
    fn what_has_arrived_counts_once() {
        let mut duplicates = Duplicates::default();
        let arrived: u32 = (0..20).map(|_| duplicates.note(MSS, 1000, 1000)).sum();
        assert_eq!((arrived, duplicates.gone()), (900, 900));
        duplicates.limit(200);
        assert_eq!(duplicates.gone(), 200);
        assert_eq!(duplicates.note(MSS, 200, 1000), 0);
        assert_eq!(duplicates.gone(), 100);
        let arrived: u32 = [400, 300, 300]
            .map(|acked| duplicates.acknowledge(acked, MSS, true))
            .iter()
            .sum();
        // Each time the missing segment may have been taken for one that had arrived.
        assert_eq!(arrived, 300);
    }

    #[test]
    fn outside_of_recovery_an_acknowledgment_ends_it() {
        let mut duplicates = Duplicates::default();
        for _ in 0..2 {
            assert_eq!(duplicates.note(MSS, 1000, 1000), MSS);
        }
        assert_eq!(duplicates.acknowledge(300, MSS, false), 100);
        assert_eq!(duplicates.gone(), 0);
        assert_eq!(duplicates.acknowledge(300, MSS, false), 300);
    }
}
