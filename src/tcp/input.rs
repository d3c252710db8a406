//! What an arriving segment does (RFC 9293 section 3.10.7).

use super::config::Config;
use super::effects::{CloseReason, Effects, ResetReply, SegmentFate};
use super::state::State;
use super::tcb::{AckDue, Tcb};
use crate::time::Instant;
use crate::wire::{OptionSummary, TcpSegment};

impl Tcb {
    /// Processes a segment that belongs to this connection. Its checksum has been verified.
    /// `options` are those that it has, before the first malformed one (MUST-7); `ce` is
    /// whether its packet was marked on its way (RFC 3168 section 5).
    pub fn receive(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        options: &OptionSummary,
        ce: bool,
    ) -> Effects {
        let mut effects = Effects::default();
        self.tally.segments_received = self.tally.segments_received.wrapping_add(1);
        match self.state {
            State::Closed | State::Listen => {
                effects.reset = ResetReply::to_stray(segment, options);
                effects.fate = SegmentFate::AfterClose;
            }
            State::SynSent => {
                self.receive_in_syn_sent(now, config, segment, options, &mut effects);
            }
            _ => {
                effects.fate =
                    self.receive_synchronized(now, config, segment, options, ce, &mut effects);
            }
        }
        if effects.connected {
            self.liveness.heard = now;
            self.watch(now, config);
        }
        effects
    }

    /// Section 3.10.7.4, in its order.
    pub(super) fn receive_synchronized(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        options: &OptionSummary,
        ce: bool,
        effects: &mut Effects,
    ) -> SegmentFate {
        let flags = segment.flags();

        // Before all, its age (RFC 7323 section 5.3).
        let value = options.timestamps.map(|(value, _)| value);
        if let Some(fate) = self.check_timestamp(now, config, segment, value) {
            return fate;
        }

        // The peer's SYN once more is not for the check that follows. With an acknowledgment it
        // comes only from who has opened actively, as we have.
        let again = flags.syn() && !flags.rst() && segment.seq() == self.rcv.irs;
        let again = again && !(self.passive && flags.ack());
        if self.state == State::SynReceived && again {
            return self.receive_syn_again(now, config, segment, options, effects);
        }

        // First, the sequence number.
        if !self.is_acceptable(segment) {
            return self.refuse(now, config, segment, effects);
        }

        // Second, the RST bit (RFC 5961 section 3.2).
        if flags.rst() {
            if self.state == State::TimeWait && config.time_wait_protection {
                return SegmentFate::IgnoredReset;
            }
            if segment.seq() != self.rcv.nxt {
                self.challenge(now, config, segment);
                return SegmentFate::Challenged;
            }
            let reason = match self.state {
                State::SynReceived if !self.passive => CloseReason::Refused,
                State::TimeWait => CloseReason::Finished,
                // Only our FIN was on its way, unless text is lost with it.
                State::Closing | State::LastAck if self.send_buffer.len() == 0 => {
                    CloseReason::Finished
                }
                _ => CloseReason::Reset,
            };
            self.finish(reason, effects);
            return SegmentFate::Processed;
        }

        // Fourth, the SYN bit (RFC 5961 section 4.2).
        if flags.syn() {
            if self.state == State::SynReceived && self.passive {
                self.finish(CloseReason::Reset, effects);
                return SegmentFate::Processed;
            }
            self.challenge(now, config, segment);
            return SegmentFate::Challenged;
        }

        // Fifth, the ACK field.
        if !flags.ack() {
            return SegmentFate::BadAck;
        }
        if !self.receive_ack(now, config, segment, options, effects) {
            return SegmentFate::BadAck;
        }
        // After it, so that who guesses a number in the window cannot set the peer's clock, nor
        // make a peer that is gone look alive.
        self.liveness.heard = now;
        if let Some(value) = value {
            self.timestamps.note(now, segment.seq(), value);
        }
        if self.state == State::Closed {
            // It was the last acknowledgment there was to wait for.
            return SegmentFate::Processed;
        }

        // Sixth, the URG bit.
        self.receive_urgent(segment, effects);

        // Seventh, the text.
        self.receive_mark(config, segment, ce);
        let fate = self.receive_text(now, config, segment, effects);
        if fate == SegmentFate::AfterClose {
            return fate;
        }

        // Eighth, the FIN bit.
        self.receive_fin(now, config, segment, effects);
        fate
    }

    /// Whether a segment is to be dropped by its timestamp, or for want of one. Never a reset
    /// (RFC 7323 section 5.2). A SYN without is not dropped in silence: whoever has
    /// restarted learns of this connection by the challenge alone (RFC 5961 section 4.2).
    fn check_timestamp(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        value: Option<u32>,
    ) -> Option<SegmentFate> {
        let flags = segment.flags();
        if !self.timestamps.enabled() || flags.rst() {
            return None;
        }
        match value {
            None if !flags.syn() => Some(SegmentFate::NoTimestamp),
            Some(value) if self.timestamps.is_old(now, value) => {
                self.challenge(now, config, segment);
                Some(SegmentFate::OldTimestamp)
            }
            _ => None,
        }
    }

    /// Whether the segment overlaps the receive window. With a closed window the one
    /// at RCV.NXT is taken for its ACK and RST (MUST-66).
    pub(super) fn is_acceptable(&self, segment: &TcpSegment<'_>) -> bool {
        let (seq, len) = (segment.seq(), segment.sequence_len());
        let window = self.rcv.edge - self.rcv.nxt;
        if seq == self.rcv.nxt || seq.in_window(self.rcv.nxt, window) {
            return true;
        }
        if len == 0 && !segment.flags().rst() {
            // A bare acknowledgment comes from beyond the window when its sender has
            // filled it or, by one, probed it closed. By the letter it would go
            // unheard, and be answered by one that does too (RFC 9293 appendix A.2).
            return seq.in_window(self.rcv.nxt, window + 2);
        }
        // Starts before the window and reaches into it.
        window > 0 && len > 0 && seq < self.rcv.nxt && self.rcv.nxt < seq + len
    }

    pub(super) fn refuse(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        effects: &mut Effects,
    ) -> SegmentFate {
        let flags = segment.flags();
        if flags.rst() {
            return SegmentFate::OutOfWindow;
        }
        self.challenge(now, config, segment);
        self.receive_again(config, segment);
        // Only the FIN that brought us there: a blind one would keep us there for ever.
        let end = segment.seq() + segment.sequence_len();
        if self.state == State::TimeWait && flags.fin() && end == self.rcv.nxt {
            self.wait_out(now, config, effects);
        }
        SegmentFate::OutOfWindow
    }

    /// Answers a segment that should not have come: the peer learns where we are.
    ///
    /// Only so often, unless it carries text or a FIN, which no acknowledgment does: two
    /// ends of which one was fed a forged segment answer each other for ever else
    /// (RFC 5961 section 7). A SYN or a reset does not get around that by text: no honest one
    /// has any. Each connection counts for itself, so that nobody learns
    /// from one of another (CVE-2016-5696).
    pub(super) fn challenge(&mut self, now: Instant, config: &Config, segment: &TcpSegment<'_>) {
        let flags = segment.flags();
        let brings = !segment.payload().is_empty() || flags.fin();
        if !brings || flags.syn() || flags.rst() {
            if now - self.challenged_since >= config.challenge_interval {
                (self.challenged_since, self.challenges) = (now, 0);
            }
            if self.challenges >= config.max_challenges {
                return;
            }
            self.challenges += 1;
        }
        self.ack_due = AckDue::Now;
    }
}
