//! What of two hosts' doings must be the same.

use zerotcp::tcp::State;

use crate::host::{Outcome, Rest};
use crate::segment::Base;
use crate::steps::Step;
use crate::view::Answer;

/// What one host did.
#[derive(Clone, Debug)]
pub struct Observation {
    pub state: State,
    pub answer: Answer,
    /// Its last acknowledgment, relative to the peer's initial number.
    pub acked: u32,
    /// How much it has sent in all, its SYN and FIN counted.
    pub sent: u32,
    /// There is a connection for its user.
    pub accepted: bool,
    pub outcome: Option<Outcome>,
    /// What it said when it was asked afterwards.
    pub asked: Option<Answer>,
}

/// What a host said to a step, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Nothing,
    /// An acknowledgment, and no more than that or text.
    Acknowledgment,
    Syn,
    Reset,
}

impl Observation {
    pub fn said(&self) -> Said {
        let Answer {
            reset, syn, ack, ..
        } = self.answer;
        match (reset, syn, ack) {
            (Some(_), _, _) => Said::Reset,
            (_, Some(_), _) => Said::Syn,
            (_, _, Some(_)) => Said::Acknowledgment,
            _ => Said::Nothing,
        }
    }

    /// What a call to receive has brought.
    pub fn received(&self) -> Option<(&[u8], Rest)> {
        match self.outcome.as_ref()? {
            Outcome::Received(octets, rest) => Some((octets, *rest)),
            _ => None,
        }
    }
}

/// In what they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    State,
    Reset,
    /// A SYN, its numbers or which options it has.
    Syn,
    /// Only one answers with an acknowledgment.
    Acknowledges,
    /// RCV.NXT.
    AckNumber,
    /// SND.NXT, as the acknowledgment has it.
    BareSeq,
    /// TS.Recent.
    Echo,
    Sent,
    Accepted,
    Outcome,
}

/// What has gone before, as far as it may show later.
#[derive(Clone, Copy, Debug)]
pub struct History {
    /// The connection is one of a listener's.
    pub passive: bool,
    /// The smallest window that the peer has offered since both had sent the same.
    pub window: u16,
    /// Something is in flight.
    pub sending: bool,
    /// A timestamp came that only one takes as TS.Recent, and none since that both do.
    pub disputed: bool,
    /// A FIN came ahead of its turn.
    pub fin_ahead: bool,
}

/// The hosts differ after a step.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The state of both before it.
    pub before: State,
    pub step: Step,
    pub base: Base,
    /// SEG.ACK above the host's initial number; 1 where there is none.
    pub acknowledges: i32,
    pub history: History,
    pub aspects: Vec<Aspect>,
    pub kernel: Observation,
    pub ours: Observation,
}

impl Aspect {
    /// Whether it may be the work of an earlier step, that only shows when the host says something.
    pub fn is_late(self) -> bool {
        matches!(self, Aspect::BareSeq | Aspect::Echo)
    }
}

/// In what the two observations differ.
///
/// Not compared are windows, the limits of segments, retransmissions, which SACK blocks there are
/// how many acknowledgments come together, and which timestamp is echoed in TIME-WAIT, where nobody
/// measures any more: the RFCs leave them open, or it is of no consequence.
pub fn aspects(step: &Step, kernel: &Observation, ours: &Observation) -> Vec<Aspect> {
    let (k, o) = (&kernel.answer, &ours.answer);
    let acknowledges = match step {
        // When a window is opened, and when text goes, is a choice.
        Step::Call(_) => false,
        Step::Segment(_) if k.text || o.text => false,
        Step::Segment(_) => k.ack.is_some() != o.ack.is_some(),
    };
    let numbers = k.ack.zip(o.ack).is_some_and(|(k, o)| k != o);
    let same_sent = kernel.sent == ours.sent;
    let bare = k.bare.zip(o.bare);
    let bare = bare.is_some_and(|(k, o)| k.seq != o.seq) && same_sent;
    let echo = k.echo.zip(o.echo).is_some_and(|(k, o)| k != o) && ours.state != State::TimeWait;
    let table = [
        (Aspect::State, kernel.state != ours.state),
        (Aspect::Reset, k.reset != o.reset),
        (Aspect::Syn, (k.syn, k.options) != (o.syn, o.options)),
        (Aspect::Acknowledges, acknowledges),
        (Aspect::AckNumber, numbers),
        (Aspect::BareSeq, bare),
        (Aspect::Echo, echo),
        (Aspect::Sent, !same_sent),
        (Aspect::Accepted, kernel.accepted != ours.accepted),
        (Aspect::Outcome, kernel.outcome != ours.outcome),
    ];
    let differing = table.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(aspect, _)| aspect).collect()
}
