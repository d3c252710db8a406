use crate::wire::SeqNumber;

/// Fast retransmit and fast recovery without SACK (RFC 6582).
#[derive(Debug, Default)]
pub(super) struct Recovery {
    duplicate_acks: u8,
    /// The end of the loss episode, while there is one: an acknowledgment up to it is full.
    recover: Option<SeqNumber>,
    /// No new episode before this is acknowledged (section 3.2 step 1, section 4 after a timeout).
    not_before: Option<SeqNumber>,
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
                NewAck::Full
            }
        }
    }

    /// Whether what is in flight counts to an episode that has reduced the window.
    pub(super) fn holds(&self, una: SeqNumber) -> bool {
        self.recover.is_some() || self.not_before.is_some_and(|point| una < point)
    }

    /// The retransmission timer expired: the episode ends, and duplicates that what is
    /// in flight still causes start no new one (section 4).
    pub(super) fn on_timeout(&mut self, nxt: SeqNumber) {
        self.duplicate_acks = 0;
        self.recover = None;
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
