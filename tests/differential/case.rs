//! A difference, and what is asked about it to explain it.

use zerotcp::tcp::State;
use zerotcp::wire::TcpFlags;

use crate::compare::{Aspect, Difference};
use crate::host::Call;
use crate::segment::{Segment, Stamp};
use crate::steps::Step;

/// A difference after a segment or a call.
pub struct Case<'a> {
    pub difference: &'a Difference,
    /// What arrived; an ACK without text where it was a call.
    pub segment: Segment,
}

impl Case<'_> {
    pub fn of(difference: &Difference) -> Case<'_> {
        let segment = match &difference.step {
            Step::Segment(segment) => *segment,
            Step::Call(_) => Segment::new(TcpFlags::ACK),
        };
        Case {
            difference,
            segment,
        }
    }

    /// A connection of a listener's in SYN-RECEIVED, which in Linux is none yet.
    pub fn is_half_open(&self) -> bool {
        self.difference.history.passive && self.difference.before == State::SynReceived
    }

    /// A whole connection, in Linux, whose handshake is done or which opened itself.
    pub fn is_synchronized(&self) -> bool {
        !self.is_half_open()
            && !matches!(
                self.difference.before,
                State::Closed | State::SynSent | State::TimeWait
            )
    }

    /// Below ISS + 1, and not older than any window.
    pub fn acknowledges_what_was_before(&self) -> bool {
        (-500_000..=0).contains(&self.difference.acknowledges)
    }

    /// Both sides have agreed on timestamps, and it has none.
    pub fn lacks_timestamp(&self) -> bool {
        self.segment.stamp == Stamp::Missing && self.difference.base.character.timestamps
    }

    pub fn is_call(&self, call: &Call) -> bool {
        matches!(&self.difference.step, Step::Call(this) if this == call)
    }

    /// How far SEG.SEQ is above RCV.NXT.
    pub fn above_next(&self) -> i32 {
        self.segment.above_next(&self.difference.base)
    }

    /// RFC 9293 section 3.10.7.4, first.
    pub fn is_acceptable(&self) -> bool {
        self.segment.is_acceptable(&self.difference.base)
    }

    /// What Linux takes, though it is all old.
    pub fn ends_at_next(&self) -> bool {
        self.segment.ends_at_next(&self.difference.base) && self.segment.flags.ack()
    }

    /// By its timestamp.
    pub fn is_old(&self) -> bool {
        matches!(self.segment.stamp, Stamp::Old(_)) && self.difference.base.character.timestamps
    }

    /// They differ in just this.
    pub fn only(&self, aspects: &[Aspect]) -> bool {
        self.difference.aspects == aspects
    }

    pub fn only_ours_answers(&self) -> bool {
        self.only(&[Aspect::Acknowledges]) && self.difference.ours.answer.ack.is_some()
    }

    pub fn ours_is_silent(&self) -> bool {
        let answer = &self.difference.ours.answer;
        answer.ack.is_none() && answer.reset.is_none()
    }

    pub fn both_reset(&self) -> bool {
        let [kernel, ours] = [&self.difference.kernel, &self.difference.ours];
        kernel.answer.reset.is_some() && ours.answer.reset.is_some()
    }

    pub fn both_in(&self, state: State) -> bool {
        self.ends(state, state)
    }

    /// In which states the kernel and ours are now.
    pub fn ends(&self, kernel: State, ours: State) -> bool {
        self.difference.kernel.state == kernel && self.difference.ours.state == ours
    }
}
