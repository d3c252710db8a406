use core::fmt;

use super::path::PathEstimate;
use super::state::State;
use crate::wire::{SeqNumber, TcpSegment};

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

/// What the network reports of a connection that goes on nevertheless: of an ICMP error that
/// may pass (RFC 9293 section 3.9.2.2, MUST-47).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SoftError {
    /// A router knows no way to the peer's network.
    NetUnreachable,
    /// A router does not reach the peer.
    HostUnreachable,
    /// The peer does not speak TCP. On a connection that spoke already it is not believed.
    ProtocolUnreachable,
    /// The peer's port takes nothing. On a connection that spoke already it is not believed.
    PortUnreachable,
    /// Fragmentation was needed and not allowed, beyond what path MTU discovery has settled.
    FragmentationNeeded,
    /// A source route failed.
    SourceRouteFailed,
    /// Communication is prohibited on the way, or by the peer.
    Prohibited,
    /// The time to live ran out on the way, or that for reassembly at the peer.
    TimeExceeded,
    /// The IP header was not understood.
    ParameterProblem,
}

impl fmt::Display for SoftError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SoftError::NetUnreachable => "network unreachable",
            SoftError::HostUnreachable => "host unreachable",
            SoftError::ProtocolUnreachable => "protocol unreachable",
            SoftError::PortUnreachable => "port unreachable",
            SoftError::FragmentationNeeded => "fragmentation needed",
            SoftError::SourceRouteFailed => "source route failed",
            SoftError::Prohibited => "communication prohibited",
            SoftError::TimeExceeded => "time exceeded",
            SoftError::ParameterProblem => "parameter problem",
        })
    }
}

/// A reset to be sent: `<SEQ=seq>[<ACK=ack>]<CTL=RST[,ACK]>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetReply {
    /// SEG.SEQ.
    pub seq: SeqNumber,
    /// SEG.ACK, with the ACK bit.
    pub ack: Option<SeqNumber>,
}

impl ResetReply {
    /// The answer to a segment that belongs to no connection (RFC 9293 section
    /// 3.10.7.1); none to a reset.
    pub fn to_stray(segment: &TcpSegment<'_>) -> Option<ResetReply> {
        let flags = segment.flags();
        if flags.rst() {
            None
        } else if flags.ack() {
            Some(ResetReply {
                seq: segment.ack(),
                ack: None,
            })
        } else {
            Some(ResetReply {
                seq: SeqNumber(0),
                ack: Some(segment.seq() + segment.sequence_len()),
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
    /// Outside the receive window.
    OutOfWindow,
    /// A SYN or an inexact reset on a synchronized connection (RFC 5961 sections 3 and 4).
    Challenged,
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
    /// The peer's FIN was reached.
    pub peer_closed: bool,
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
