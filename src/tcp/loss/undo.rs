//! Which episodes of recovery were mistakes, since nothing was lost: by timestamps (the Eifel
//! detection, RFC 3522), by D-SACK (RFC 3708), and after a timeout by what is acknowledged
//! next (F-RTO, RFC 5682). The response is that of RFC 4015: the congestion window is what
//! it would have been.

use crate::time::Instant;
use crate::wire::{SackBlock, SeqNumber};

/// What would show that an episode was a mistake.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Undo {
    /// SND.UNA when the episode began: what the peer says of octets before it is not about
    /// the episode.
    from: SeqNumber,
    /// Whether there is anything to undo: the window was reduced because of a loss.
    restores: bool,
    /// When the first octets were sent again: an acknowledgment of what was sent before that
    /// shows that they had not been lost.
    first_again: Option<Instant>,
    /// How many octets were sent again that the peer has not reported as duplicates.
    unreported: u32,
}

impl Undo {
    pub(super) fn new(from: SeqNumber, restores: bool) -> Undo {
        Undo {
            from,
            restores,
            first_again: None,
            unreported: 0,
        }
    }

    /// SND.UNA when the episode began.
    #[cfg(feature = "simulation")]
    pub(super) fn start(&self) -> SeqNumber {
        self.from
    }

    pub(super) fn restores(&self) -> bool {
        self.restores
    }

    /// The window was reduced for a good reason.
    pub(super) fn forbid(&mut self) {
        self.restores = false;
    }

    pub(super) fn note_sent_again(&mut self, now: Instant, octets: u32) {
        self.first_again.get_or_insert(now);
        self.unreported = self.unreported.saturating_add(octets);
    }

    /// Whether nothing was sent again yet.
    pub(super) fn is_unsent(&self) -> bool {
        self.first_again.is_none()
    }

    /// A D-SACK: the peer got `block` twice. Whether that was all that was sent again.
    pub(super) fn note_duplicate(&mut self, block: SackBlock) -> bool {
        if block.right <= self.from {
            return false;
        }
        self.unreported = self.unreported.saturating_sub(block.right - block.left);
        self.first_again.is_some() && self.unreported == 0
    }

    /// Whether an acknowledgment that moved SND.UNA was caused by the first transmission:
    /// `is_older` says of a time whether it was sent before that.
    pub(super) fn is_refuted(&self, is_older: impl Fn(Instant) -> bool) -> bool {
        self.first_again.is_some_and(is_older)
    }
}

/// Where F-RTO stands (RFC 5682 sections 2.1 and 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tcp) enum Frto {
    /// It does not apply, or could not tell.
    Off,
    /// Step 1: the octets before this number were sent again; SND.UNA where none were yet.
    Waiting(SeqNumber),
    /// Step 2: they were acknowledged. So many more new segments go out instead of more of
    /// the old, and what is acknowledged next will tell.
    Asking(u8),
}

/// What an acknowledgment after a timeout says.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    /// SND.UNA after it.
    pub(super) una: SeqNumber,
    /// Whether that has moved.
    pub(super) advances: bool,
    /// Whether it is a duplicate, or reports something that was not known before.
    pub(super) duplicate: bool,
    /// Whether something has arrived that was sent before the timeout, and only then.
    pub(super) original: bool,
    /// Whether something has arrived that was sent after the timeout.
    pub(super) beyond: bool,
    /// Whether the peer reports what it has.
    pub(super) sack: bool,
}

impl Frto {
    /// Whether an acknowledgment shows that the timeout was a mistake. Everything before
    /// `point` was sent before it.
    pub(super) fn digest(&mut self, point: SeqNumber, news: News) -> bool {
        match *self {
            Frto::Off => return false,
            Frto::Waiting(end) if news.advances => {
                let asks = end <= news.una && news.una < point;
                *self = if asks { Frto::Asking(2) } else { Frto::Off };
            }
            // With SACK a duplicate is no news of the octets sent again (section 3.1 step 2).
            Frto::Waiting(_) if news.duplicate && !news.sack => *self = Frto::Off,
            Frto::Waiting(_) => {}
            Frto::Asking(_) if news.advances || news.duplicate => {
                *self = Frto::Off;
                return match news.sack {
                    true => news.original && !news.beyond,
                    false => news.advances,
                };
            }
            Frto::Asking(_) => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEWS: News = News {
        una: SeqNumber(2000),
        advances: true,
        duplicate: false,
        original: false,
        beyond: false,
        sack: false,
    };
    const POINT: SeqNumber = SeqNumber(9000);

    #[test]
    fn two_acknowledgments_that_advance_refute_a_timeout() {
        let mut frto = Frto::Waiting(SeqNumber(2000));
        assert!(!frto.digest(POINT, NEWS));
        assert_eq!(frto, Frto::Asking(2));
        assert!(frto.digest(POINT, NEWS));
        assert_eq!(frto, Frto::Off);
    }

    #[test]
    fn a_duplicate_confirms_it() {
        let duplicate = News {
            advances: false,
            duplicate: true,
            ..NEWS
        };
        let mut frto = Frto::Waiting(SeqNumber(2000));
        assert!(!frto.digest(POINT, duplicate));
        assert_eq!(frto, Frto::Off);
        let mut frto = Frto::Asking(0);
        assert!(!frto.digest(POINT, duplicate));
        assert_eq!(frto, Frto::Off);
        // Not with SACK while the octets sent again are under way (section 3.1 step 2).
        let mut frto = Frto::Waiting(SeqNumber(2000));
        let with_sack = News {
            sack: true,
            ..duplicate
        };
        assert!(!frto.digest(POINT, with_sack));
        assert_eq!(frto, Frto::Waiting(SeqNumber(2000)));
    }

    #[test]
    fn with_sack_what_was_sent_only_once_tells() {
        let news = News { sack: true, ..NEWS };
        for (original, beyond, spurious) in [
            (true, false, true),
            (true, true, false),
            (false, false, false),
        ] {
            let mut frto = Frto::Asking(0);
            let news = News {
                original,
                beyond,
                ..news
            };
            assert_eq!(frto.digest(POINT, news), spurious);
        }
    }

    #[test]
    fn all_acknowledged_at_once_tells_nothing() {
        let mut frto = Frto::Waiting(SeqNumber(2000));
        let all = News { una: POINT, ..NEWS };
        assert!(!frto.digest(POINT, all));
        assert_eq!(frto, Frto::Off);
        // Nor does a part of what was sent again.
        let mut frto = Frto::Waiting(SeqNumber(2001));
        assert!(!frto.digest(POINT, NEWS));
        assert_eq!(frto, Frto::Off);
    }

    #[test]
    fn a_refuted_retransmission() {
        let mut undo = Undo::new(SeqNumber(500), true);
        let block = |left, right| SackBlock {
            left: SeqNumber(left),
            right: SeqNumber(right),
        };
        let at = Instant::from_millis;
        assert!(!undo.is_refuted(|_| true), "nothing was sent again");
        undo.note_sent_again(at(100), 1000);
        undo.note_sent_again(at(120), 500);
        assert!(undo.is_refuted(|sent| sent == at(100)));
        // What was sent again before the episode is not of it.
        assert!(!undo.note_duplicate(block(0, 500)));
        assert!(!undo.note_duplicate(block(500, 1500)));
        assert!(undo.note_duplicate(block(1500, 2000)));
    }
}
