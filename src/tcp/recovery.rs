use crate::wire::SeqNumber;

/// Fast retransmit and fast recovery without SACK (RFC 6582).
#[derive(Debug, Default)]
pub(super) struct Recovery {
    duplicate_acks: u8,
    /// The end of the loss episode, while there is one: an acknowledgment up to it is full.
    recover: Option<SeqNumber>,
    /// No new episode before this is acknowledged (section 3.2 step 1, section 4 after a timeout).
    not_before: Option<SeqNumber>,
    /// By how many octets the window is larger than the controller's in an episode, or
    /// smaller (section 3.2).
    inflation: i32,
}

/// What a duplicate acknowledgment asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DuplicateAck {
    /// Nothing yet.
    Wait,
    /// The third: the first segment is lost.
    Retransmit,
    /// A further one in recovery.
    Inflate,
}

/// What an acknowledgment of new data means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NewAck {
    /// There is no loss episode.
    Ordinary,
    /// The next segment is lost too.
    Partial,
    /// The loss episode is over.
    Full,
}

impl Recovery {
    const THRESHOLD: u8 = 3;

    /// The window that stands for `cwnd` in an episode.
    pub(super) fn window(&self, cwnd: u32) -> u32 {
        cwnd.saturating_add_signed(self.inflation)
    }

    /// `segments` have left the network (RFC 5681 section 3.2, steps 3 and 4).
    pub(super) fn inflate(&mut self, segments: i32, mss: u16) {
        self.inflation = self.inflation.saturating_add(segments * i32::from(mss));
    }

    /// A partial acknowledgment (section 3.2, step 3).
    pub(super) fn deflate(&mut self, acked: u32, mss: u16, cwnd: u32) {
        let mss = u32::from(mss);
        let mut window = self.window(cwnd).saturating_sub(acked).max(mss);
        if acked >= mss {
            window += mss;
        }
        // Both are bounded by 2^30 and what duplicates add.
        self.inflation = window.wrapping_sub(cwnd) as i32;
    }

    pub(super) fn is_active(&self) -> bool {
        self.recover.is_some()
    }

    pub(super) fn on_duplicate_ack(&mut self, una: SeqNumber, nxt: SeqNumber) -> DuplicateAck {
        self.duplicate_acks = self.duplicate_acks.saturating_add(1);
        if self.recover.is_some() {
            return DuplicateAck::Inflate;
        }
        let held = self.not_before.is_some_and(|point| una < point);
        if self.duplicate_acks != Self::THRESHOLD || held {
            return DuplicateAck::Wait;
        }
        self.recover = Some(nxt);
        DuplicateAck::Retransmit
    }

    pub(super) fn on_new_ack(&mut self, ack: SeqNumber) -> NewAck {
        self.duplicate_acks = 0;
        if self.not_before.is_some_and(|point| point <= ack) {
            self.not_before = None;
        }
        match self.recover {
            None => NewAck::Ordinary,
            Some(recover) if ack < recover => NewAck::Partial,
            Some(_) => {
                self.recover = None;
                self.inflation = 0;
                NewAck::Full
            }
        }
    }

    /// The retransmission timer expired: the episode ends, and duplicates that what is
    /// in flight still causes start no new one (section 4).
    pub(super) fn on_timeout(&mut self, nxt: SeqNumber) {
        self.duplicate_acks = 0;
        self.recover = None;
        self.inflation = 0;
        self.not_before = Some(nxt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_runs_from_the_third_duplicate_to_the_full_acknowledgment() {
        let mut recovery = Recovery::default();
        let (una, nxt) = (SeqNumber(u32::MAX - 10), SeqNumber(90));
        assert_eq!(recovery.on_duplicate_ack(una, nxt), DuplicateAck::Wait);
        assert_eq!(recovery.on_duplicate_ack(una, nxt), DuplicateAck::Wait);
        assert_eq!(
            recovery.on_duplicate_ack(una, nxt),
            DuplicateAck::Retransmit
        );
        assert_eq!(recovery.on_duplicate_ack(una, nxt), DuplicateAck::Inflate);
        assert_eq!(recovery.on_new_ack(una + 20), NewAck::Partial);
        assert_eq!(recovery.on_new_ack(nxt), NewAck::Full);
        assert_eq!(recovery.on_new_ack(nxt + 10), NewAck::Ordinary);
        // After a timeout the same octets cause no fast retransmit.
        recovery.on_timeout(nxt + 50);
        for _ in 0..5 {
            assert_eq!(
                recovery.on_duplicate_ack(nxt + 10, nxt + 50),
                DuplicateAck::Wait
            );
        }
        assert_eq!(recovery.on_new_ack(nxt + 50), NewAck::Ordinary);
        for _ in 0..2 {
            recovery.on_duplicate_ack(nxt + 50, nxt + 99);
        }
        assert_eq!(
            recovery.on_duplicate_ack(nxt + 50, nxt + 99),
            DuplicateAck::Retransmit
        );
    }
}
