//! What the SYNs of a connection say.

use crate::wire::{OptionSummary, SeqNumber, TcpFlags, TcpSegment};

/// What a peer without MSS option takes, in octets of text (RFC 9293 section 3.7.1, MUST-15).
pub(super) const DEFAULT_MSS: u16 = 536;

/// With what this end opens a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// ISS: the initial sequence number (RFC 6528).
    pub iss: SeqNumber,
    /// What this end can receive, in octets of text: the MSS option's value.
    pub mss: u16,
    /// What is added to the timestamp clock of this connection (RFC 7323 section 5.4).
    pub timestamp_offset: u32,
}

/// What the peer's SYN says: all that a passive open has to remember of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerSyn {
    /// IRS: its initial sequence number.
    pub irs: SeqNumber,
    /// The window, which is not scaled on a SYN (RFC 7323 section 2.2), in octets.
    pub window: u16,
    /// Maximum segment size, in octets, as received.
    pub mss: Option<u16>,
    /// Window scale, in bits, as received.
    pub window_scale: Option<u8>,
    /// Whether SACK is permitted.
    pub sack_permitted: bool,
    /// TSval.
    pub timestamp: Option<u32>,
    /// Whether it asks for ECN, with ECE and CWR; a SYN,ACK agrees to it with ECE alone: one
    /// that has both comes from a peer that reflects what it does not know (RFC 3168
    /// sections 6.1.1 and 6.1.1.2).
    pub ecn: bool,
}

impl PeerSyn {
    /// What `segment`, which has the SYN bit, says with its `options`.
    pub fn of(segment: &TcpSegment<'_>, options: &OptionSummary) -> PeerSyn {
        let flags = segment.flags();
        PeerSyn {
            irs: segment.seq(),
            window: segment.window(),
            mss: options.mss,
            window_scale: options.window_scale,
            sack_permitted: options.sack_permitted,
            timestamp: options.timestamps.map(|(value, _)| value),
            ecn: flags.contains(TcpFlags::ECE) && flags.contains(TcpFlags::CWR) != flags.ack(),
        }
    }
}
