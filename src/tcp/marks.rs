//! What marks of congestion do, of segments that come and of those that went (RFC 3168
//! sections 6.1.2 and 6.1.3).

use super::config::Config;
use super::congestion::Controller;
use super::tcb::{AckDue, Tcb};
use super::timers::Timer;
use crate::time::Instant;
use crate::wire::{SeqNumber, TcpFlags, TcpSegment};

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
        let is_least = self.congestion.window() <= self.snd.mss.into();
        self.reduce_for_ecn(now);
        if is_least && !self.timers.is_set(Timer::Persist) {
            // The window stays as it is: nothing new goes out before the timer expires, which
            // starts anew.
            self.ecn.holds = true;
            let due = now + self.rto(config);
            self.timers.set(Timer::Retransmit, due);
        }
    }

    /// Whether the window was reduced since what ends with `end` was sent for the first time.
    pub(super) fn is_reduced_for(&self, end: SeqNumber) -> bool {
        self.ecn.reduced.is_some_and(|point| end <= point)
    }

    /// That was a mistake.
    pub(super) fn note_window_restored(&mut self) {
        (self.ecn.tell, self.ecn.reduced) = (false, None);
    }

    /// The congestion window was reduced, for whatever reason: the peer is told (section
    /// 6.1.2), and marks from before ask for no more.
    pub(super) fn note_window_reduced(&mut self) {
        self.ecn.tell = self.ecn.enabled;
        self.ecn.reduced = Some(self.snd.nxt);
    }
}
