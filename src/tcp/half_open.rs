//! Connections in SYN-RECEIVED that nobody pays for yet (RFC 4987 section 3.3).

use super::config::Config;
use super::syn::{Opening, PeerSyn};
use super::tcb::{AckDue, Tcb};
use super::timers::Timer;
use crate::time::Instant;

/// A passive open whose handshake is not done, in 64 bytes: what a [`Tcb`] in SYN-RECEIVED is
/// made of, and all that can change while it is there.
///
/// When something happens to it, it is thawed, fed and frozen again: every rule of RFC 9293
/// and 5961 for that state is the TCB's, and none is written twice.
///
/// ```
/// use zerotcp::tcp::{Config, HalfOpen, Opening, PeerSyn, State};
/// use zerotcp::time::Instant;
/// use zerotcp::wire::SeqNumber;
///
/// let config = Config::default();
/// let opening = Opening { iss: SeqNumber(100), mss: 1460, timestamp_offset: 0 };
/// let syn = PeerSyn {
///     irs: SeqNumber(300),
///     window: 1000,
///     mss: None,
///     window_scale: None,
///     sack_permitted: false,
///     timestamp: None,
///     ecn: false,
/// };
/// let mut half_open = HalfOpen::new(opening, syn);
/// let mut tcb = half_open.thaw(&config);
/// assert_eq!(tcb.state(), State::SynReceived);
/// assert!(tcb.poll_transmit(Instant::ZERO, &config).is_some());
/// half_open.freeze(&tcb);
/// // The SYN,ACK is out: there is no more to send until the timer says so.
/// assert!(half_open.thaw(&config).poll_transmit(Instant::ZERO, &config).is_none());
/// assert_eq!(half_open.deadline(), Instant::ZERO + config.initial_rto);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfOpen {
    opening: Opening,
    syn: PeerSyn,
    /// When the SYN,ACK first went out.
    sent: Instant,
    /// When it goes out again.
    due: Instant,
    /// When the count of challenges began.
    challenged_since: Instant,
    challenges: u8,
    retries: u8,
    answer: Answer,
    ack_due: bool,
}

/// How it stands with the SYN,ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// It was never sent.
    Unsent,
    /// It was sent once, so its acknowledgment measures a round trip (RFC 6298 section 3).
    Timed,
    /// It is to be sent again.
    Due,
    /// It was sent, more than once or nobody knows when.
    Sent,
}

impl HalfOpen {
    /// `syn` has arrived for a listener: the SYN,ACK is the first that is to be sent.
    pub const fn new(opening: Opening, syn: PeerSyn) -> HalfOpen {
        HalfOpen {
            opening,
            syn,
            sent: Instant::ZERO,
            due: Instant::FAR_FUTURE,
            challenged_since: Instant::ZERO,
            challenges: 0,
            retries: 0,
            answer: Answer::Unsent,
            ack_due: false,
        }
    }

    /// As [`new`](HalfOpen::new), where the SYN,ACK is out already: a SYN cookie that comes back.
    pub const fn answered(opening: Opening, syn: PeerSyn, now: Instant) -> HalfOpen {
        HalfOpen {
            answer: Answer::Sent,
            sent: now,
            ..HalfOpen::new(opening, syn)
        }
    }

    /// The TCB, in SYN-RECEIVED. Allocates nothing.
    pub fn thaw(&self, config: &Config) -> Tcb {
        let mut tcb = Tcb::accept(config, self.opening, &self.syn);
        if self.answer != Answer::Unsent {
            tcb.snd.nxt = self.opening.iss + 1;
            tcb.timestamps.confirm(self.sent);
        }
        tcb.syn_due = matches!(self.answer, Answer::Unsent | Answer::Due);
        if self.answer == Answer::Timed {
            tcb.syn_sent_at = Some(self.sent);
        }
        tcb.timers.set(Timer::Retransmit, self.due);
        (tcb.challenged_since, tcb.challenges) = (self.challenged_since, self.challenges);
        if self.ack_due {
            tcb.ack_due = AckDue::Now;
        }
        tcb.retries = self.retries;
        for _ in 0..self.retries {
            tcb.rtt.note_syn_lost();
            tcb.rtt.back_off();
        }
        tcb
    }

    /// Takes over what has changed in the TCB, which is in SYN-RECEIVED still.
    pub fn freeze(&mut self, tcb: &Tcb) {
        self.answer = match tcb.syn_sent_at {
            _ if tcb.snd.nxt == self.opening.iss => Answer::Unsent,
            _ if tcb.syn_due => Answer::Due,
            Some(sent) => {
                self.sent = sent;
                Answer::Timed
            }
            None => Answer::Sent,
        };
        // There is no other timer in this state.
        self.due = tcb.deadline();
        (self.challenged_since, self.challenges) = (tcb.challenged_since, tcb.challenges);
        self.ack_due = tcb.ack_due == AckDue::Now;
        self.retries = tcb.retries;
        // What a SYN that came again has changed.
        self.syn.timestamp = tcb.timestamps.echo().or(self.syn.timestamp);
        self.syn.ecn &= tcb.ecn.enabled();
    }

    /// When the TCB's [`handle_timeout`](Tcb::handle_timeout) is due; the end of time where no
    /// timer runs.
    pub fn deadline(&self) -> Instant {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::wire::{OptionSummary, SeqNumber};

    fn half_open() -> HalfOpen {
        let opening = Opening {
            iss: SeqNumber(u32::MAX),
            mss: 1460,
            timestamp_offset: 5,
        };
        let syn = PeerSyn {
            irs: SeqNumber(7),
            window: 2000,
            mss: Some(1000),
            window_scale: Some(3),
            sack_permitted: true,
            timestamp: Some(9),
            ecn: true,
        };
        HalfOpen::new(opening, syn)
    }

    #[test]
    fn it_is_small() {
        assert_eq!(size_of::<HalfOpen>(), 64);
    }

    #[test]
    fn nothing_is_lost_in_the_cold() {
        let config = Config::default();
        // One that is frozen between any two steps, and one that never is.
        let mut half_open = half_open();
        let mut warm = half_open.thaw(&config);
        let mut now = Instant::from_millis(1000);
        let mut sent = 0;
        loop {
            let mut cold = half_open.thaw(&config);
            assert_eq!(cold.deadline(), warm.deadline());
            let ends = [&mut cold, &mut warm].map(|tcb| {
                let effects = tcb.handle_timeout(now, &config);
                effects.closed
            });
            assert_eq!(ends[0], ends[1]);
            if ends[0].is_some() {
                break;
            }
            half_open.freeze(&cold);
            let mut cold = half_open.thaw(&config);
            let segments = [&mut cold, &mut warm].map(|tcb| {
                let outgoing = tcb.poll_transmit(now, &config);
                outgoing.map(|out| (out.fields.seq, out.fields.ack, out.is_retransmission))
            });
            assert_eq!(segments[0], segments[1]);
            sent += usize::from(segments[0].is_some());
            assert!(cold.poll_transmit(now, &config).is_none());
            assert_eq!(cold.syn_sent_at, warm.syn_sent_at);
            assert_eq!(cold.rto(&config), warm.rto(&config));
            half_open.freeze(&cold);
            now += Duration::from_millis(250);
        }
        assert_eq!(sent, 1 + usize::from(config.max_syn_ack_retransmissions));
    }

    #[test]
    fn the_initial_window_survives_one_loss_and_no_more() {
        let config = Config::default();
        let window = |retries| {
            let half_open = HalfOpen {
                retries,
                answer: Answer::Sent,
                ..half_open()
            };
            let mut tcb = half_open.thaw(&config);
            tcb.acknowledge_syn(Instant::ZERO, &config, &OptionSummary::default());
            tcb.info(&config).cwnd
        };
        assert_eq!(window(0), 10_000);
        assert_eq!(window(1), 10_000);
        assert_eq!(window(2), 1000);
    }
}
