use core::fmt;

use super::path::{PathEstimate, SoftError};
use super::state::State;
use crate::wire::{OptionSummary, SeqNumber, TcpSegment};

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// Both sides closed and all was acknowledged.
    Finished,
    /// The peer reset the connection.
    Reset,
    /// The peer answered our SYN with a reset.
    Refused,
    /// The peer did not answer any more (RFC 9293 section 3.8.3, R2).
    TimedOut,
    /// ICMP said that the peer is not there, before it had answered or when it did not any
    /// more (SHLD-26).
    Unreachable,
    /// We aborted it.
    Aborted,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CloseReason::Finished => "closed by both sides",
            CloseReason::Reset => "reset by the peer",
            CloseReason::Refused => "refused by the peer",
            CloseReason::TimedOut => "timed out",
            CloseReason::Unreachable => "unreachable",
            CloseReason::Aborted => "aborted",
        })
    }
}

/// A reset to be sent: `<SEQ=seq><ACK=ack><CTL=RST,ACK><TSval=0,TSecr=echo>`, without what is
/// not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetReply {
    /// SEG.SEQ.
    pub seq: SeqNumber,
    /// SEG.ACK, with the ACK bit.
    pub ack: Option<SeqNumber>,
    /// TSecr, with a timestamps option whose TSval is zero (RFC 7323 section 5.2).
    pub echo: Option<u32>,
}

impl ResetReply {
    /// The answer to a segment that belongs to no connection (RFC 9293 section
    /// 3.10.7.1); none to a reset.
    pub fn to_stray(segment: &TcpSegment<'_>, options: &OptionSummary) -> Option<ResetReply> {
        let flags = segment.flags();
        let echo = options.timestamps.map(|(value, _)| value);
        if flags.rst() {
            None
        } else if flags.ack() {
            Some(ResetReply {
                seq: segment.ack(),
                ack: None,
                echo,
            })
        } else {
            Some(ResetReply {
                seq: SeqNumber(0),
                ack: Some(segment.seq() + segment.sequence_len()),
                echo,
            })
        }
    }
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SegmentFate {
    /// It was processed.
    #[default]
    Processed,
    /// Without timestamps, which both sides have agreed on (RFC 7323 section 3.2).
    NoTimestamp,
    /// An old duplicate by its timestamp (PAWS, RFC 7323 section 5).
    OldTimestamp,
    /// Outside the receive window.
    OutOfWindow,
    /// A SYN or an inexact reset on a synchronized connection (RFC 5961 sections 3 and 4).
    Challenged,
    /// A reset in TIME-WAIT (RFC 1337).
    IgnoredReset,
    /// Without ACK bit where one is required, or acknowledging what was never sent.
    BadAck,
    /// Text that found no room among the runs that wait for their turn.
    NoRoom,
    /// Text for a user who is gone.
    AfterClose,
}

/// What a call to a [`Tcb`](super::Tcb) brought about, beside what it will send.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effects {
    /// What became of the segment, if there was one.
    pub fate: SegmentFate,
    /// A reset that is to be sent, also when the connection is gone.
    pub reset: Option<ResetReply>,
    /// The handshake is complete.
    pub connected: bool,
    /// There is new text to read, or the end of it.
    pub readable: bool,
    /// There is room again to send, where there was too little before.
    pub writable: bool,
    /// Urgent data begins, or reaches further than it did (MUST-32).
    pub urgent: bool,
    /// The peer's FIN was reached.
    pub peer_closed: bool,
    /// Delivery is in trouble: R1 was reached (RFC 9293 section 3.8.3). Told once until
    /// something is acknowledged; also the sign to look for another path or a smaller MTU.
    pub trouble: bool,
    /// The network reports what may pass.
    pub soft_error: Option<SoftError>,
    /// The path takes only smaller packets than was known.
    pub path: Option<PathEstimate>,
    /// The connection is over.
    pub closed: Option<CloseReason>,
    pub(super) transitions: [Option<(State, State)>; 3],
}

impl Effects {
    /// The changes of state, in their order.
    pub fn transitions(&self) -> impl Iterator<Item = (State, State)> + use<> {
        self.transitions.into_iter().flatten()
    }
}
