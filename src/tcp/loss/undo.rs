//! Which episodes of recovery were mistakes, since nothing was lost: by timestamps (the Eifel
//! detection, RFC 3522), by D-SACK (RFC 3708), and after a timeout by what is acknowledged
//! next (F-RTO, RFC 5682). The response is that of RFC 9438 section 4.9: the congestion window is
//! what it was.

use crate::time::Instant;
use crate::wire::{SackBlock, SeqNumber};

/// What would show that an episode was a mistake.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Undo {
    /// SND.UNA when the episode began.
    #[cfg(feature = "simulation")]
    from: SeqNumber,
    /// Once the episode is over: its last reports come before more than this is acknowledged.
    until: Option<SeqNumber>,
    /// Whether there is anything to undo: the window was reduced because of a loss.
    restores: bool,
    /// When octets were first sent again from SND.UNA on: an acknowledgment of what was sent before
    /// that shows that they had not been lost. Of others it does not: a peer that has kept back the
    /// acknowledgment of what comes before them echoes the timestamp of that (RFC 7323 section 4.3).
    first_again: Option<Instant>,
    /// Which octets were sent again.
    again: Stretches,
    /// How many of them the peer has not reported as duplicates.
    unreported: u32,
}

impl Undo {
    pub(super) fn new(_from: SeqNumber, restores: bool) -> Undo {
        Undo {
            #[cfg(feature = "simulation")]
            from: _from,
            until: None,
            restores,
            first_again: None,
            again: Stretches::default(),
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

    /// The episode is over, with SND.NXT `nxt`.
    pub(super) fn wait_until(&mut self, nxt: SeqNumber) {
        self.until = Some(nxt);
    }

    /// Whether the episode is over, and with SND.UNA `una` all that can be reported of it is.
    pub(super) fn is_settled(&self, una: SeqNumber) -> bool {
        self.until.is_some_and(|until| until < una)
    }

    /// `start..end` is sent again, with SND.UNA `una`.
    pub(super) fn note_sent_again(
        &mut self,
        now: Instant,
        (start, end): (SeqNumber, SeqNumber),
        una: SeqNumber,
    ) {
        if start == una {
            self.first_again.get_or_insert(now);
        }
        self.again.add(start, end);
        self.unreported = self.unreported.saturating_add(end - start);
    }

    /// Whether nothing was sent again yet.
    pub(super) fn is_unsent(&self) -> bool {
        self.again.len == 0
    }

    /// A D-SACK: the peer got `block` twice. Whether that was all that was sent again. What was not
    /// sent again was doubled by the network, and says nothing (RFC 3708 section 3).
    pub(super) fn note_duplicate(&mut self, block: SackBlock) -> bool {
        let reported = self.again.overlap(block);
        self.unreported = self.unreported.saturating_sub(reported);
        reported > 0 && self.unreported == 0
    }

    /// Whether an acknowledgment that moved SND.UNA was caused by the first transmission:
    /// `is_older` says of a time whether it was sent before that.
    pub(super) fn is_refuted(&self, is_older: impl Fn(Instant) -> bool) -> bool {
        self.first_again.is_some_and(is_older)
    }
}

/// A few stretches of numbers. What does not fit is not known, and makes all of it count for
/// nothing: so much is hardly sent again by mistake.
#[derive(Clone, Copy, Debug, Default)]
struct Stretches {
    /// Apart from each other, in no order; the first `len` of them are.
    all: [(SeqNumber, SeqNumber); 4],
    len: u8,
    is_overfull: bool,
}

impl Stretches {
    /// Melts `start..end` into those that it touches.
    fn add(&mut self, mut start: SeqNumber, mut end: SeqNumber) {
        let mut kept = 0;
        for n in 0..usize::from(self.len) {
            let (left, right) = self.all[n];
            if start <= right && left <= end {
                (start, end) = (start.min(left), end.max(right));
            } else {
                self.all[kept] = (left, right);
                kept += 1;
            }
        }
        match self.all.get_mut(kept) {
            Some(free) => {
                *free = (start, end);
                kept += 1;
            }
            None => self.is_overfull = true,
        }
        self.len = kept as u8;
    }

    /// How many numbers of `block` are among them.
    fn overlap(&self, block: SackBlock) -> u32 {
        if self.is_overfull {
            return 0;
        }
        let common = |(left, right): &(SeqNumber, SeqNumber)| {
            let (from, to) = (block.left.max(*left), block.right.min(*right));
            if from < to { to - from } else { 0 }
        };
        self.all.iter().take(self.len.into()).map(common).sum()
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

    fn block(left: u32, right: u32) -> SackBlock {
        SackBlock {
            left: SeqNumber(left),
            right: SeqNumber(right),
        }
    }

    #[test]
    fn a_refuted_retransmission() {
        let mut undo = Undo::new(SeqNumber(500), true);
        let at = Instant::from_millis;
        assert!(!undo.is_refuted(|_| true), "nothing was sent again");
        let una = SeqNumber(500);
        undo.note_sent_again(at(90), (SeqNumber(1500), SeqNumber(2000)), una);
        assert!(!undo.is_refuted(|_| true), "of those nothing shows it");
        let mut undo = Undo::new(una, true);
        undo.note_sent_again(at(100), (una, SeqNumber(1500)), una);
        undo.note_sent_again(at(120), (SeqNumber(1500), SeqNumber(2000)), una);
        assert!(undo.is_refuted(|sent| sent == at(100)));
        // What was sent again before the episode is not of it.
        assert!(!undo.note_duplicate(block(0, 500)));
        assert!(!undo.note_duplicate(block(500, 1500)));
        // Nor is what was doubled on the way.
        assert!(!undo.note_duplicate(block(2000, 3000)));
        assert!(undo.note_duplicate(block(1500, 2000)));
        assert!(!undo.note_duplicate(block(2000, 3000)));
    }

    #[test]
    fn stretches_melt_and_too_many_say_nothing() {
        let mut all = Stretches::default();
        let base = SeqNumber(u32::MAX - 250);
        let add = |all: &mut Stretches, from, to| all.add(base + from, base + to);
        for from in [600, 0, 400, 200] {
            add(&mut all, from, from + 100);
        }
        let block = |from, to| SackBlock {
            left: base + from,
            right: base + to,
        };
        assert_eq!(all.overlap(block(0, 1000)), 400);
        assert_eq!(all.overlap(block(50, 250)), 100);
        assert_eq!(all.overlap(block(100, 200)), 0);
        // It fills two gaps and reaches into a third.
        add(&mut all, 100, 550);
        assert_eq!(all.overlap(block(0, 1000)), 650);
        for from in [800, 1000] {
            add(&mut all, from, from + 100);
        }
        assert_eq!(all.overlap(block(0, 2000)), 850);
        add(&mut all, 1200, 1300);
        assert_eq!(all.overlap(block(0, 2000)), 0);
    }
}
