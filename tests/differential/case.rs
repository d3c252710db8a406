//! A difference, and what is asked about it to explain it.

use zerotcp::tcp::State;
use zerotcp::wire::TcpFlags;

use crate::compare::{Aspect, Difference, Said};
use crate::host::Call;
use crate::segment::{Segment, Stamp};
use crate::steps::Step;
use crate::view::Numbers;

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

    /// It does not only come to light with the next thing that both say.
    pub fn shows_at_once(&self) -> bool {
        !self
            .difference
            .aspects
            .iter()
            .all(|aspect| aspect.is_late())
    }

    pub fn kernel_did(&self, said: Said, state: State) -> bool {
        let kernel = &self.difference.kernel;
        kernel.said() == said && kernel.state == state
    }

    pub fn ours_did(&self, said: Said, state: State) -> bool {
        let ours = &self.difference.ours;
        ours.said() == said && ours.state == state
    }

    /// The kernel has taken the segment for one that it has to act on.
    pub fn kernel_has_moved(&self) -> bool {
        let kernel = &self.difference.kernel;
        kernel.state != self.difference.before
            || kernel.said() != Said::Nothing
            || kernel.acked != self.difference.ours.acked
    }

    /// Its acknowledgments have a number below ours: of a smaller window that it has believed.
    pub fn kernel_has_less_room(&self) -> bool {
        let numbers = self.differing_numbers();
        self.only(&[Aspect::BareSeq])
            && !numbers.is_empty()
            && numbers.iter().all(|(kernel, ours)| kernel.seq < ours.seq)
    }

    /// The kernel believes it, and its user has closed (RFC 9293 section 3.6.1, SHLD-3).
    pub fn kernel_resets_for_text(&self) -> bool {
        let kernel = &self.difference.kernel;
        let closed = [State::FinWait1, State::FinWait2];
        self.segment.len > 0
            && closed.contains(&self.difference.before)
            && kernel.said() == Said::Reset
            && kernel.state == State::Closed
    }

    /// The kernel does with the segment what it does with one that is in order: no reset.
    pub fn kernel_takes(&self) -> bool {
        self.difference.kernel.answer.reset.is_none()
    }

    /// A half-open connection of ours looks at number, timestamp, RST, SYN and then ACK
    /// (RFC 9293 section 3.10.7.4, RFC 7323 section 5.3, RFC 5961 section 3.2).
    pub fn ours_goes_in_turn(&self) -> bool {
        let (flags, exact) = (self.segment.flags, self.above_next() == 0);
        let stays = |said| self.ours_did(said, State::SynReceived);
        let gone = [State::Closed, State::TimeWait]
            .into_iter()
            .any(|state| self.ours_did(Said::Nothing, state));
        match (self.is_acceptable(), flags.rst()) {
            (true, true) if exact => gone,
            (true, true) => stays(Said::Acknowledgment),
            (false, true) => stays(Said::Nothing),
            _ if self.lacks_timestamp() && !flags.syn() => stays(Said::Nothing),
            (acceptable, false) if !acceptable || self.is_old() => stays(Said::Acknowledgment),
            _ if flags.syn() => gone,
            _ => stays(Said::Reset),
        }
    }

    /// The numbers of both hosts' resets.
    pub fn resets(&self) -> Option<(Numbers, Numbers)> {
        let [kernel, ours] = [&self.difference.kernel, &self.difference.ours];
        kernel.answer.reset.zip(ours.answer.reset)
    }

    /// The numbers of their acknowledgments to the step and to the question after it, where SND.NXT
    /// is not the same.
    pub fn differing_numbers(&self) -> Vec<(Numbers, Numbers)> {
        let [kernel, ours] = [&self.difference.kernel, &self.difference.ours];
        let asked = kernel.asked.zip(ours.asked);
        let answers = [Some((kernel.answer, ours.answer)), asked];
        let pairs = answers.into_iter().flatten();
        let pairs = pairs.filter_map(|(kernel, ours)| kernel.bare.zip(ours.bare));
        pairs
            .filter(|(kernel, ours)| kernel.seq != ours.seq)
            .collect()
    }

    pub fn both_in(&self, state: State) -> bool {
        self.ends(state, state)
    }

    /// In which states the kernel and ours are now.
    pub fn ends(&self, kernel: State, ours: State) -> bool {
        self.difference.kernel.state == kernel && self.difference.ours.state == ours
    }
}
