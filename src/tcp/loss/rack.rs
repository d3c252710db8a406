//! Loss by time: what was sent before something that has arrived, and should have arrived
//! too by now, is lost (RACK, RFC 8985 section 6).

use core::time::Duration;

use super::scoreboard::{Delivered, Losses, Scoreboard, sent_after};
use crate::time::Instant;
use crate::wire::SeqNumber;

/// What is known of the segment that was sent last of those that have arrived.
#[derive(Debug)]
pub(in crate::tcp) struct Rack {
    /// RACK.xmit_ts: when it was sent; none has arrived yet in [`Instant::ZERO`].
    sent_at: Instant,
    /// RACK.rtt.
    rtt: Duration,
    /// RACK.end_seq: the number after it.
    end: SeqNumber,
    /// Whether it was sent more than once.
    again: bool,
    /// RACK.fack: the number after the highest octet that has arrived.
    highest: SeqNumber,
    /// RACK.reordering_seen.
    reordering_seen: bool,
    /// RACK.reo_wnd_mult.
    multiple: u8,
    /// RACK.reo_wnd_persist: for how many recoveries the multiple stays.
    persist: u8,
    /// RACK.dsack_round: no further growth before this is acknowledged.
    round: Option<SeqNumber>,
}

/// What the segments that one acknowledgment reports say together.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::tcp) struct Arrived {
    /// Octets whose receipt was not known before.
    pub(in crate::tcp) octets: u32,
    /// When the last-sent of those was sent that were sent only once: what can be measured
    /// by (Karn's rule, RFC 6298 section 3).
    pub(in crate::tcp) measurable: Option<Instant>,
    /// Whether some were sent more than once: then nothing is measured by others.
    pub(in crate::tcp) again: bool,
    /// Whether some were sent only once, and before the episode of recovery began.
    pub(in crate::tcp) original: bool,
    /// Segments that were overtaken.
    pub(in crate::tcp) overtaken: u32,
}

/// What may be believed of an acknowledgment.
pub(in crate::tcp) struct Evidence<F> {
    pub(in crate::tcp) now: Instant,
    /// The smallest round-trip time there is.
    pub(in crate::tcp) min_rtt: Duration,
    /// Whether it was caused by something sent before this time, as its echoed timestamp
    /// says: then it says nothing of what was sent again then.
    pub(in crate::tcp) is_older: F,
}

impl Rack {
    pub(in crate::tcp) fn new(base: SeqNumber) -> Rack {
        Rack {
            sent_at: Instant::ZERO,
            rtt: Duration::ZERO,
            end: base,
            again: false,
            highest: base,
            reordering_seen: false,
            multiple: 1,
            persist: 0,
            round: None,
        }
    }

    /// Steps 2 and 3: something has arrived; if there is an episode of recovery, everything
    /// before `point` was sent before it.
    pub(in crate::tcp) fn note_delivered<F: Fn(Instant) -> bool>(
        &mut self,
        delivered: &Delivered,
        point: Option<SeqNumber>,
        evidence: &Evidence<F>,
        arrived: &mut Arrived,
    ) {
        let Delivered {
            start,
            end,
            sent_at,
            again,
        } = *delivered;
        arrived.octets += end - start;
        if self.highest < end {
            self.highest = end;
        } else if end < self.highest && !again {
            self.reordering_seen = true;
            arrived.overtaken += 1;
        }
        let rtt = evidence.now - sent_at;
        arrived.again |= again;
        if again {
            // It may well have been the first transmission that arrived.
            if (evidence.is_older)(sent_at) || rtt < evidence.min_rtt {
                return;
            }
        } else {
            arrived.measurable = arrived.measurable.max(Some(sent_at));
            arrived.original |= point.is_some_and(|point| end <= point);
        }
        self.rtt = rtt;
        if sent_after((sent_at, end), (self.sent_at, self.end)) {
            (self.sent_at, self.end, self.again) = (sent_at, end, again);
        }
    }

    /// Whether anything was ever seen to overtake.
    pub(in crate::tcp) fn reordering_seen(&self) -> bool {
        self.reordering_seen
    }

    /// Step 4: something was taken for lost and was not, by a D-SACK or by what else shows that. The
    /// window in which segments may overtake each other grows once a round trip.
    pub(in crate::tcp) fn note_needless(&mut self, una: SeqNumber, nxt: SeqNumber) {
        if self.round.is_none_or(|round| round <= una) {
            self.round = Some(nxt);
            self.multiple = self.multiple.saturating_add(1);
            self.persist = 16;
        }
    }

    /// Step 4: an episode of recovery is over.
    pub(in crate::tcp) fn note_recovered(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.multiple = 1;
        }
    }

    /// Step 4: how long to wait for what was overtaken; `at_once` in recovery, and where so
    /// much has arrived beyond a hole that it would be taken for lost by number.
    fn window(&self, at_once: bool, min_rtt: Duration, srtt: Duration) -> Duration {
        if at_once && !self.reordering_seen {
            return Duration::ZERO;
        }
        (min_rtt * u32::from(self.multiple) / 4).min(srtt)
    }

    /// Step 5: takes for lost what should have arrived by now, and says when to look again for what
    /// it is too early for.
    pub(in crate::tcp) fn detect(
        &self,
        now: Instant,
        board: &mut Scoreboard,
        at_once: bool,
        (min_rtt, srtt): (Duration, Duration),
    ) -> (Losses, Option<Instant>) {
        // What was sent once leaves in the order of its numbers: with nothing received
        // ahead of its turn there is nothing that was sent before what has arrived.
        if board.in_flight() == 0 || (board.sacked() == 0 && !self.again) {
            return (Losses::default(), None);
        }
        let patience = self.rtt + self.window(at_once, min_rtt, srtt);
        let latest = (self.sent_at, self.end);
        let mut look_again = None;
        let losses = board.mark_overtaken(latest, |sent_at| {
            let due = sent_at + patience;
            if now < due {
                look_again = look_again.max(Some(due));
            }
            due <= now
        });
        (losses, look_again)
    }

    /// Section 6.3: the retransmission timer expired. The first octets are lost, and what
    /// else has been under way for so long.
    pub(in crate::tcp) fn detect_on_timeout(
        &self,
        now: Instant,
        board: &mut Scoreboard,
        first: u32,
        (min_rtt, srtt): (Duration, Duration),
    ) {
        board.mark_first_lost(first);
        let patience = self.rtt + self.window(true, min_rtt, srtt);
        board.mark_lost(|_, sent_at| sent_at + patience <= now);
    }
}
