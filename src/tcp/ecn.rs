//! Explicit congestion notification: the network marks instead of dropping (RFC 3168).
//!
//! Both directions are apart. As a receiver this end echoes a mark with ECE until the
//! sender says with CWR that it has heard; as a sender it slows down once a window on ECE,
//! and says so. New text alone is sent as ECN-capable: what is sent again, a probe and what
//! has no text is not (sections 6.1.1, 6.1.4 to 6.1.6).

use super::config::{self, Config};
use super::congestion::Controller;
use super::state::State;
use super::tcb::{AckDue, Tcb};
use super::timers::Timer;
use crate::time::Instant;
use crate::wire::{SeqNumber, TcpFlags, TcpSegment};

/// What a connection remembers of it.
#[derive(Debug)]
pub(super) struct Ecn {
    /// Whether both agree; before the peer's SYN has come, whether this end does.
    enabled: bool,
    /// A mark was seen, and no CWR since.
    echo: bool,
    /// The congestion window was reduced, which the next new text tells.
    tell: bool,
    /// The window cannot be reduced: new text waits for the retransmission timer instead.
    holds: bool,
    /// SND.NXT when it last was: what was sent before tells nothing new.
    reduced: Option<SeqNumber>,
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

impl Tcb {
    /// What an acceptable segment says of the way from the peer (section 6.1.3); `ce` is
    /// whether its packet was marked. Of what is not acceptable nothing is believed
    /// (section 6.1.5), and marks are for text alone.
    pub(super) fn receive_mark(&mut self, config: &Config, segment: &TcpSegment<'_>, ce: bool) {
        if !self.ecn.enabled || segment.payload().is_empty() {
            return;
        }
        let cwr = segment.flags().contains(TcpFlags::CWR);
        if cwr {
            self.ecn.echo = false;
            // The peer may have a window of one segment now.
            self.ack_due = AckDue::Now;
        }
        // A mark on the segment with CWR is a new one.
        if ce && !self.ecn.echo {
            self.ecn.echo = true;
            self.rcv.quick_acks = self.rcv.quick_acks.max(config.quick_acks.min(2));
            self.ack_due = AckDue::Now;
        }
    }

    /// What an acknowledgment, no older than SND.UNA, says of the way to the peer.
    pub(super) fn receive_ece(&mut self, now: Instant, config: &Config, flags: TcpFlags) {
        if self.ecn.reduced.is_some_and(|point| point < self.snd.una) {
            // Passed: it must not count a lap later.
            self.ecn.reduced = None;
        }
        if flags.contains(TcpFlags::ECE) {
            self.on_ece(now, config);
        }
    }

    /// The peer tells of a mark (section 6.1.2).
    pub(super) fn on_ece(&mut self, now: Instant, config: &Config) {
        if !self.ecn.enabled {
            return;
        }
        // Once a window; an acknowledgment up to there says nothing of what came after.
        if self.ecn.reduced.is_some() {
            return;
        }
        if self.congestion.window() <= self.snd.mss.into() {
            // There is nothing to reduce: nothing new goes out before the timer expires, which
            // starts anew.
            if !self.timers.is_set(Timer::Persist) {
                self.ecn.holds = true;
                let due = now + self.rto(config);
                self.timers.set(Timer::Retransmit, due);
            }
        } else {
            self.reduce_for_ecn(now);
        }
        self.note_window_reduced();
    }

    /// Whether the window was reduced since what is acknowledged now was sent.
    pub(super) fn is_reduced(&self) -> bool {
        self.ecn.reduced.is_some_and(|point| self.snd.una < point)
    }

    /// That was a mistake.
    pub(super) fn note_window_restored(&mut self) {
        (self.ecn.tell, self.ecn.holds, self.ecn.reduced) = (false, false, None);
    }

    /// The congestion window was reduced, for whatever reason: the peer is told (section
    /// 6.1.2), and marks from before ask for no more.
    pub(super) fn note_window_reduced(&mut self) {
        self.ecn.tell = self.ecn.enabled;
        self.ecn.reduced = Some(self.snd.nxt);
    }
}
