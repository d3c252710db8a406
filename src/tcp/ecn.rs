//! Explicit congestion notification: the network marks instead of dropping (RFC 3168).
//!
//! Both directions are apart. As a receiver this end echoes a mark with ECE until the
//! sender says with CWR that it has heard; as a sender it slows down once a window on ECE,
//! and says so. New text alone is sent as ECN-capable: what is sent again, a probe and what
//! has no text is not (sections 6.1.1, 6.1.4 to 6.1.6).

use super::config::{self, Config};
use super::state::State;
use crate::wire::{SeqNumber, TcpFlags};

/// What a connection remembers of it.
#[derive(Debug)]
pub(super) struct Ecn {
    /// Whether both agree; before the peer's SYN has come, whether this end does.
    pub(super) enabled: bool,
    /// A mark was seen, and no CWR since.
    pub(super) echo: bool,
    /// The congestion window was reduced, which the next new text tells.
    pub(super) tell: bool,
    /// The window cannot be reduced: new text waits for the retransmission timer instead.
    pub(super) holds: bool,
    /// SND.NXT when it last was: what was sent before tells nothing new.
    pub(super) reduced: Option<SeqNumber>,
}

impl Ecn {
    /// `state` is SYN-SENT or SYN-RECEIVED.
    pub(super) fn new(state: State, config: &Config) -> Ecn {
        Ecn {
            enabled: match config.ecn {
                config::Ecn::Off => false,
                config::Ecn::Accept => state == State::SynReceived,
                config::Ecn::Offer => true,
            },
            echo: false,
            tell: false,
            holds: false,
            reduced: None,
        }
    }

    /// Whether both agree.
    pub(super) fn enabled(&self) -> bool {
        self.enabled
    }

    /// Whether new text has to wait for the retransmission timer.
    pub(super) fn holds(&self) -> bool {
        self.holds
    }

    /// The retransmission timer has expired: whether new text has waited for that.
    pub(super) fn release(&mut self) -> bool {
        core::mem::take(&mut self.holds)
    }

    /// What the peer's SYN says of it. A SYN without it is the last word: neither
    /// end sends ECN-capable text then (section 6.1.1).
    pub(super) fn synchronize(&mut self, peer: bool) {
        self.enabled &= peer;
    }

    /// The bits of a SYN, or with `answers` of a SYN,ACK (section 6.1.1). A SYN that is
    /// sent `again` is without them: some routers drop it else (section 6.1.1.1).
    pub(super) fn syn_flags(&mut self, answers: bool, again: bool) -> TcpFlags {
        if again && !answers {
            self.enabled = false;
        }
        match (self.enabled, answers) {
            (false, _) => TcpFlags::NONE,
            (true, true) => TcpFlags::ECE,
            (true, false) => TcpFlags::ECE | TcpFlags::CWR,
        }
    }

    /// The bits of another segment; `new_text` where it has text that was never sent.
    pub(super) fn flags(&mut self, new_text: bool) -> TcpFlags {
        let mut flags = TcpFlags::NONE;
        if self.echo {
            flags |= TcpFlags::ECE;
        }
        if new_text && core::mem::take(&mut self.tell) {
            flags |= TcpFlags::CWR;
        }
        flags
    }
}
