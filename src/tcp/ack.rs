//! What the ACK field of a segment does (RFC 9293 section 3.10.7.4, fifth).

use super::config::Config;
use super::effects::{CloseReason, Effects, ResetReply};
use super::recovery::{DuplicateAck, NewAck};
use super::state::State;
use super::tcb::Tcb;
use super::timers::Timer;
use crate::time::Instant;
use crate::wire::{SeqNumber, TcpSegment};

impl Tcb {
    /// `false` where the acknowledgment is not to be believed, and the segment goes no further.
    pub(super) fn receive_ack(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        effects: &mut Effects,
    ) -> bool {
        let ack = segment.ack();
        if self.state == State::SynReceived {
            if !self.acknowledges_syn(segment) {
                effects.reset = ResetReply::to_stray(segment);
                return false;
            }
            self.acknowledge(now, config, ack, effects);
            let window = u32::from(segment.window()) << self.snd.shift;
            self.set_send_window(window, segment.seq(), ack);
            self.enter_established(effects);
        }

        // RFC 5961 section 5.2.
        let oldest = self.snd.una - self.snd.max_wnd;
        if self.snd.nxt < ack || ack < oldest {
            self.challenge(now, config, segment);
            return false;
        }
        if self.snd.una < ack {
            self.acknowledge(now, config, ack, effects);
            self.update_window(segment);
        } else if ack == self.snd.una {
            let before = self.snd.wnd;
            self.update_window(segment);
            self.note_duplicate_ack(segment, before);
        }
        self.follow_acknowledged_fin(now, config, effects);
        true
    }

    /// SND.UNA moves to `ack`, which is above it and not above SND.NXT.
    pub(super) fn acknowledge(
        &mut self,
        now: Instant,
        config: &Config,
        ack: SeqNumber,
        effects: &mut Effects,
    ) {
        let syn = matches!(self.state, State::SynSent | State::SynReceived);
        let acked = ack - self.snd.una;
        let text = (acked - u32::from(syn)) as usize;
        // A FIN counts one more than there are octets; `consume` stops at the end.
        self.tally.octets_acked += text.min(self.send_buffer.len()) as u64;
        self.send_buffer.consume(text);
        self.snd.una = ack;
        self.snd.cursor = self.snd.cursor.max(ack);
        self.retries = 0;
        self.probes = 0;
        self.probe = false;
        self.trust_path(now, config, ack, effects);
        if self.send_buffer.len() == 0 {
            self.timers.stop(Timer::Persist);
        }

        if let Some((end, start)) = self.timing
            && end <= ack
        {
            self.rtt.sample(now - start);
            self.timing = None;
        }
        let (mss, flight) = (u32::from(self.snd.mss), self.flight());
        if !syn {
            match self.recovery.on_new_ack(ack) {
                NewAck::Ordinary => self.congestion.on_ack(acked, mss),
                NewAck::Partial => {
                    self.congestion.deflate(acked, mss);
                    self.retransmit_first = true;
                }
                NewAck::Full => self.congestion.on_recovered(flight, mss),
            }
        }
        // RFC 6298 sections 5.2 and 5.3.
        self.timers.stop(Timer::Retransmit);
        if flight == 0 {
            self.retransmit_first = false;
        } else if !self.timers.is_set(Timer::Persist) {
            let due = now + self.rto(config);
            self.timers.set(Timer::Retransmit, due);
        }
        // Half the buffer free: worth waking a writer for.
        if self.send_was_short && self.send_buffer.len() <= config.send_capacity() / 2 {
            self.send_was_short = false;
            effects.writable = true;
        }
    }

    /// The window of a segment that is no older than the one that last set it: it
    /// acknowledges more, or as much and does not come before it. The RFC looks at the
    /// number first (section 3.10.7.4), but that of a retransmission is low and its
    /// window new: SND.UNA would move without it, and the right edge beyond all offers.
    pub(super) fn update_window(&mut self, segment: &TcpSegment<'_>) {
        let (seq, ack) = (segment.seq(), segment.ack());
        let newer = self.snd.wl2 < ack || (self.snd.wl2 == ack && self.snd.wl1 <= seq);
        if !newer {
            return;
        }
        let window = u32::from(segment.window()) << self.snd.shift;
        self.set_send_window(window, seq, ack);
        if self.timers.is_set(Timer::Persist) {
            // The peer answers, so it lives (MUST-37).
            self.retries = 0;
            if self.snd.wnd > 0 {
                // What was sent as a probe may not have been taken: begin there. The
                // timer runs on until something worth sending has gone out.
                self.snd.cursor = self.snd.una;
            }
        }
    }

    /// RFC 5681 section 2: what counts as a duplicate.
    pub(super) fn note_duplicate_ack(&mut self, segment: &TcpSegment<'_>, window_before: u32) {
        let is_duplicate = self.flight() > 0
            && segment.sequence_len() == 0
            && self.snd.wnd == window_before
            && !self.timers.is_set(Timer::Persist);
        if !is_duplicate {
            return;
        }
        let (mss, flight) = (u32::from(self.snd.mss), self.flight());
        match self.recovery.on_duplicate_ack(self.snd.una, self.snd.nxt) {
            DuplicateAck::Wait => {}
            DuplicateAck::Retransmit => {
                self.congestion.on_fast_retransmit(flight, mss);
                self.retransmit_first = true;
            }
            DuplicateAck::Inflate => self.congestion.inflate(mss),
        }
    }

    /// Segments are smaller from now on: of what is in flight, the larger ones are lost for
    /// sure. All of it goes out again, with the congestion window as it is (RFC 1191 section
    /// 6.4), since no congestion lost it.
    pub(super) fn on_smaller_mss(&mut self) {
        self.timing = None;
        self.timers.stop(Timer::Retransmit);
        self.retransmit_first = false;
        self.recovery.on_timeout(self.snd.nxt);
        self.snd.cursor = self.snd.una;
    }

    /// What the acknowledgment of our FIN does.
    pub(super) fn follow_acknowledged_fin(
        &mut self,
        now: Instant,
        config: &Config,
        effects: &mut Effects,
    ) {
        // The FIN is the last number there is, so it is acknowledged when nothing is
        // in flight any more, nothing queued, and it was sent.
        let acknowledged = self.fin_queued
            && self.fin_sent
            && self.send_buffer.len() == 0
            && self.snd.una == self.snd.nxt;
        if !acknowledged {
            return;
        }
        match self.state {
            State::FinWait1 => {
                self.enter(State::FinWait2, effects);
                if self.released {
                    let due = now + config.fin_wait_2_timeout;
                    self.timers.set(Timer::TimeWait, due);
                }
            }
            State::Closing => self.wait_out(now, config, effects),
            State::LastAck => self.finish(CloseReason::Finished, effects),
            _ => {}
        }
    }
}
