//! What an arriving segment does (RFC 9293 section 3.10.7).

use core::time::Duration;

use super::config::Config;
use super::congestion::{Acked, Cause, CongestionEvent, Controller};
use super::recovery::{DuplicateAck, NewAck};
use super::state::State;
use super::tcb::{AckDue, CloseReason, Effects, ResetReply, SegmentFate, Tcb};
use super::timers::Timer;
use crate::time::Instant;
use crate::wire::{OptionSummary, SeqNumber, TcpSegment};

impl Tcb {
    /// Processes a segment that belongs to this connection. Its checksum has been verified.
    /// `options` are those that it has, before the first malformed one (MUST-7).
    pub fn receive(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        options: &OptionSummary,
    ) -> Effects {
        let mut effects = Effects::default();
        match self.state {
            State::Closed | State::Listen => {
                effects.reset = ResetReply::to_stray(segment);
                effects.fate = SegmentFate::AfterClose;
            }
            State::SynSent => {
                self.receive_in_syn_sent(now, config, segment, options, &mut effects);
            }
            _ => {
                effects.fate = self.receive_synchronized(now, config, segment, &mut effects);
            }
        }
        effects
    }

    /// Section 3.10.7.3.
    fn receive_in_syn_sent(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        options: &OptionSummary,
        effects: &mut Effects,
    ) {
        let flags = segment.flags();
        let ack = segment.ack();
        // First, the ACK bit.
        if flags.ack() && !self.acknowledges_syn(segment) {
            effects.reset = ResetReply::to_stray(segment);
            effects.fate = SegmentFate::BadAck;
            return;
        }
        // Second, the RST bit: believed only with an acknowledgment of our SYN.
        if flags.rst() {
            if flags.ack() {
                self.finish(CloseReason::Refused, effects);
            } else {
                effects.fate = SegmentFate::BadAck;
            }
            return;
        }
        // Fourth, the SYN bit.
        if !flags.syn() {
            effects.fate = SegmentFate::BadAck;
            return;
        }
        self.synchronize(config, segment, options);
        if flags.ack() {
            self.acknowledge(now, config, ack, effects);
            self.enter_established(effects);
            self.ack_due = AckDue::Now;
        } else {
            // A simultaneous open: our SYN goes out again, with an acknowledgment.
            self.enter(State::SynReceived, effects);
            self.snd.cursor = self.snd.iss;
        }
    }

    /// Section 3.10.7.4, in its order.
    fn receive_synchronized(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        effects: &mut Effects,
    ) -> SegmentFate {
        let flags = segment.flags();

        // The peer's SYN once more is not for the check that follows.
        let again = flags.syn() && !flags.rst() && segment.seq() == self.rcv.irs;
        if self.state == State::SynReceived && again {
            return self.receive_syn_again(now, config, segment, effects);
        }

        // First, the sequence number.
        if !self.is_acceptable(segment) {
            return self.refuse(now, config, segment, effects);
        }

        // Second, the RST bit (RFC 5961 section 3.2).
        if flags.rst() {
            if segment.seq() != self.rcv.nxt {
                self.challenge(now, config, segment);
                return SegmentFate::Challenged;
            }
            let reason = match self.state {
                State::SynReceived if !self.passive => CloseReason::Refused,
                State::Closing | State::LastAck | State::TimeWait => CloseReason::Finished,
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
        if !self.receive_ack(now, config, segment, effects) {
            return SegmentFate::BadAck;
        }
        if self.state == State::Closed {
            // It was the last acknowledgment there was to wait for.
            return SegmentFate::Processed;
        }

        // Seventh, the text.
        let fate = self.receive_text(now, config, segment, effects);
        if fate == SegmentFate::AfterClose {
            return fate;
        }

        // Eighth, the FIN bit.
        self.receive_fin(now, config, segment, effects);
        fate
    }

    /// The SYN that brought us to SYN-RECEIVED, as before or with an acknowledgment of ours.
    /// It lies before the window, so by the letter its acknowledgment would go unheard,
    /// and a simultaneous open would not end as figure 7 has it (appendix A.2).
    fn receive_syn_again(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        effects: &mut Effects,
    ) -> SegmentFate {
        if !segment.flags().ack() {
            // Our answer was lost.
            self.snd.cursor = self.snd.iss;
            return SegmentFate::OutOfWindow;
        }
        if !self.acknowledges_syn(segment) {
            self.challenge(now, config, segment);
            return SegmentFate::BadAck;
        }
        self.acknowledge(now, config, segment.ack(), effects);
        // Not scaled on a SYN (RFC 7323 section 2.2).
        self.set_send_window(segment.window().into(), segment);
        self.enter_established(effects);
        self.ack_due = AckDue::Now;
        SegmentFate::Processed
    }

    /// Whether the segment acknowledges our SYN, and no more than that.
    fn acknowledges_syn(&self, segment: &TcpSegment<'_>) -> bool {
        self.snd.iss < segment.ack() && segment.ack() <= self.snd.nxt
    }

    /// Whether the segment overlaps the receive window. With a closed window the one
    /// at RCV.NXT is taken for its ACK and RST (MUST-66).
    fn is_acceptable(&self, segment: &TcpSegment<'_>) -> bool {
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

    fn refuse(
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
    /// (RFC 5961 section 7). Each connection counts for itself, so that nobody learns
    /// from one of another (CVE-2016-5696).
    fn challenge(&mut self, now: Instant, config: &Config, segment: &TcpSegment<'_>) {
        const INTERVAL: Duration = Duration::from_secs(5);

        if segment.payload().is_empty() && !segment.flags().fin() {
            let (since, count) = &mut self.challenges;
            if now - *since >= INTERVAL {
                (*since, *count) = (now, 0);
            }
            if *count >= config.max_challenges {
                return;
            }
            *count += 1;
        }
        self.ack_due = AckDue::Now;
    }

    /// `false` where the acknowledgment is not to be believed, and the segment goes no further.
    fn receive_ack(
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
            self.set_send_window(window, segment);
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
            self.note_duplicate_ack(now, segment, before);
        }
        self.follow_acknowledged_fin(now, config, effects);
        true
    }

    /// SND.UNA moves to `ack`, which is above it and not above SND.NXT.
    fn acknowledge(
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
        self.send_buffer.consume(text);
        self.snd.una = ack;
        self.snd.cursor = self.snd.cursor.max(ack);
        self.retries = 0;
        self.probes = 0;
        self.probe = false;
        if self.send_buffer.len() == 0 {
            self.timers.stop(Timer::Persist);
        }

        let mut rtt = None;
        if let Some((end, start)) = self.timing
            && end <= ack
        {
            rtt = Some(now - start);
            self.rtt.sample(now - start);
            self.timing = None;
        }
        let (mss, flight) = (u32::from(self.snd.mss), self.flight());
        if !syn {
            match self.recovery.on_new_ack(ack) {
                NewAck::Ordinary => self.congestion.on_ack(&Acked {
                    now,
                    acked,
                    rtt,
                    min_rtt: self.rtt.min(),
                    srtt: self.rtt.srtt(),
                    una: ack,
                    nxt: self.snd.nxt,
                    mss,
                    cwnd_limited: self.cwnd_limited,
                }),
                NewAck::Partial => {
                    let cwnd = self.congestion.window();
                    self.recovery.deflate(acked, self.snd.mss, cwnd);
                    self.retransmit_first = true;
                }
                // RFC 6582 section 3.2, step 3, option 1.
                NewAck::Full => self.congestion.on_restart(now, flight.max(mss) + mss),
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

    fn enter_established(&mut self, effects: &mut Effects) {
        self.enter(State::Established, effects);
        effects.connected = true;
        if self.fin_queued {
            self.enter(State::FinWait1, effects);
        }
    }

    /// The window of a segment that is no older than the one that last set it: it
    /// acknowledges more, or as much and does not come before it. The RFC looks at the
    /// number first (section 3.10.7.4), but that of a retransmission is low and its
    /// window new: SND.UNA would move without it, and the right edge beyond all offers.
    fn update_window(&mut self, segment: &TcpSegment<'_>) {
        let (seq, ack) = (segment.seq(), segment.ack());
        let newer = self.snd.wl2 < ack || (self.snd.wl2 == ack && self.snd.wl1 <= seq);
        if !newer {
            return;
        }
        self.set_send_window(u32::from(segment.window()) << self.snd.shift, segment);
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
    fn note_duplicate_ack(&mut self, now: Instant, segment: &TcpSegment<'_>, window_before: u32) {
        let is_duplicate = self.flight() > 0
            && segment.sequence_len() == 0
            && self.snd.wnd == window_before
            && !self.timers.is_set(Timer::Persist);
        if !is_duplicate {
            return;
        }
        let mss = self.snd.mss;
        match self.recovery.on_duplicate_ack(self.snd.una, self.snd.nxt) {
            DuplicateAck::Wait => {}
            DuplicateAck::Retransmit => {
                self.congestion.on_congestion(&CongestionEvent {
                    now,
                    in_flight: self.flight(),
                    mss: mss.into(),
                    cause: Cause::Loss,
                    in_recovery: false,
                });
                self.recovery.inflate(3, mss);
                self.retransmit_first = true;
            }
            DuplicateAck::Inflate => self.recovery.inflate(1, mss),
        }
    }

    /// What the acknowledgment of our FIN does.
    fn follow_acknowledged_fin(&mut self, now: Instant, config: &Config, effects: &mut Effects) {
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

    fn receive_text(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        effects: &mut Effects,
    ) -> SegmentFate {
        let text = segment.payload();
        if text.is_empty() || !self.state.receives_text() {
            return SegmentFate::Processed;
        }
        // Trim what was received before, and what lies past the window.
        let seq = segment.seq();
        let old = if seq < self.rcv.nxt {
            (self.rcv.nxt - seq) as usize
        } else {
            0
        };
        let Some(text) = text.get(old..).filter(|text| !text.is_empty()) else {
            self.ack_due = AckDue::Now;
            return SegmentFate::Processed;
        };
        if self.released {
            // Nobody will read it (RFC 9293 section 3.6.1, SHLD-3).
            effects.reset = Some(self.reset());
            self.finish(CloseReason::Aborted, effects);
            return SegmentFate::AfterClose;
        }
        let left = seq.max(self.rcv.nxt);
        let room = (self.rcv.edge - left) as usize;
        if text.len() > room {
            // The peer learns at once what was not taken; of a closed window it is the probe.
            self.ack_due = AckDue::Now;
        }
        let text = &text[..text.len().min(room)];
        if text.is_empty() {
            return SegmentFate::OutOfWindow;
        }
        // A segment's text is below 64 KiB.
        let right = left + text.len() as u32;
        let offset = self.receive_buffer.len() + (left - self.rcv.nxt) as usize;
        if left != self.rcv.nxt {
            // Ahead of its turn: the peer learns at once what is missing (MAY-13).
            if self.rcv.sack_permitted {
                // One tells all (RFC 2018).
                self.ack_due = AckDue::Now;
            } else {
                self.duplicate_acks_due = self.duplicate_acks_due.saturating_add(1);
            }
            let limit = config.max_out_of_order_runs;
            if !self.reassembly.insert(left, right, limit) {
                return SegmentFate::NoRoom;
            }
            self.receive_buffer.write_at(offset, text);
            return SegmentFate::Processed;
        }
        self.receive_buffer.write_at(offset, text);
        let fills_gap = !self.reassembly.is_empty();
        let next = self.reassembly.advance(right);
        self.receive_buffer.extend((next - left) as usize);
        self.rcv.nxt = next;
        // What is owed from before would acknowledge the new text, and duplicate nothing.
        self.duplicate_acks_due = 0;
        effects.readable = true;

        // At least every second full-sized segment at once (SHLD-19), and whatever
        // fills a gap (RFC 5681 section 4.2).
        self.rcv.largest = self.rcv.largest.max(text.len() as u16).min(self.rcv.mss);
        self.rcv.unacknowledged = self.rcv.unacknowledged.saturating_add(next - left);
        if fills_gap || self.rcv.unacknowledged >= 2 * u32::from(self.rcv.largest) {
            self.ack_due = AckDue::Now;
        } else if self.ack_due == AckDue::No {
            self.ack_due = AckDue::Later;
            self.timers.set(Timer::DelayedAck, now + config.delayed_ack);
        }
        SegmentFate::Processed
    }

    fn receive_fin(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        effects: &mut Effects,
    ) {
        if !self.state.receives_text() {
            return;
        }
        if segment.flags().fin() {
            let fin = segment.seq() + segment.payload().len() as u32;
            if fin == self.rcv.nxt || fin.in_window(self.rcv.nxt, self.rcv.edge - self.rcv.nxt) {
                self.rcv.fin = Some(fin);
                self.ack_due = AckDue::Now;
            }
        }
        if self.rcv.fin.is_some_and(|fin| fin < self.rcv.nxt) {
            // Text has passed it, so it was none: it must not count a lap later.
            self.rcv.fin = None;
        }
        if self.rcv.fin != Some(self.rcv.nxt) {
            return;
        }
        // There is nothing after the end.
        self.reassembly.clear();
        self.rcv.nxt += 1;
        self.rcv.edge = self.rcv.edge.max(self.rcv.nxt);
        self.ack_due = AckDue::Now;
        effects.readable = true;
        effects.peer_closed = true;
        match self.state {
            State::Established => self.enter(State::CloseWait, effects),
            // Had this segment acknowledged our FIN, the state were FIN-WAIT-2 by now.
            State::FinWait1 => self.enter(State::Closing, effects),
            State::FinWait2 => self.wait_out(now, config, effects),
            _ => {}
        }
    }
}
