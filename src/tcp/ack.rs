//! What the ACK field of a segment does (RFC 9293 section 3.10.7.4, fifth).

use super::config::Config;
use super::congestion::Controller;
use super::effects::{CloseReason, Effects, ResetReply};
use super::loss::{Flight, Report};
use super::state::State;
use super::tcb::Tcb;
use super::timers::Timer;
use super::timestamps::Echo;
use crate::time::Instant;
use crate::wire::{OptionSummary, SeqNumber, TcpFlags, TcpSegment};

impl Tcb {
    /// `false` where the acknowledgment is not to be believed, and the segment goes no further.
    pub(super) fn receive_ack(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        options: &OptionSummary,
        effects: &mut Effects,
    ) -> bool {
        let ack = segment.ack();
        if self.state == State::SynReceived {
            if !self.acknowledges_syn(segment) {
                effects.reset = ResetReply::to_stray(segment, options);
                return false;
            }
            self.acknowledge_syn(now, config, options);
            let window = u32::from(segment.window()) << self.snd.shift;
            self.set_send_window(window, segment.seq(), ack);
            self.enter_established(effects);
        }

        // RFC 5961 section 5.2. An old acknowledgment was right once, so none is below ISS + 1:
        // at the start of a connection there is next to nothing to hit for who guesses.
        let young = self.tally.octets_acked < self.snd.max_wnd.into();
        let oldest = match young {
            true => self.snd.iss + 1,
            false => self.snd.una - self.snd.max_wnd,
        };
        // What is neither above nor below is none of them either.
        let is_known = oldest <= ack && ack <= self.snd.nxt;
        if !is_known {
            self.challenge(now, config, segment);
            return false;
        }
        if ack < self.snd.una {
            // An old one, overtaken by another: it says nothing new.
            return true;
        }
        let before = self.snd.wnd;
        let advances = self.snd.una < ack;
        let probed = self.timers.is_set(Timer::Persist);
        // RFC 5681 section 2: what counts as a duplicate. Of a probe for a lost tail there may
        // be news when all is acknowledged (RFC 8985 section 7.4.2).
        let waits = self.flight() > 0 || self.flight.tail.is_out();
        let may_be_duplicate = waits && !advances && segment.sequence_len() == 0 && !probed;
        let echo = self.timestamps.echoed(options);
        let mut report = Report::of(self.flight());
        let has_news = advances || !options.sack().is_empty();
        if has_news {
            self.mark_arrivals(now, ack, options.sack(), echo, &mut report);
        }
        if advances {
            self.advance(now, config, ack, effects);
        }
        self.update_window(segment);
        report.is_duplicate = may_be_duplicate && self.snd.wnd == before;
        if has_news || report.is_duplicate {
            report.marked = self.ecn.enabled() && segment.flags().contains(TcpFlags::ECE);
            self.measure(now, config, &mut report, echo);
            self.recover(now, config, &report, echo);
        }
        if self.snd.una == ack {
            self.receive_ece(now, config, segment.flags());
        }
        self.follow_acknowledged_fin(now, config, effects);
        true
    }

    /// Our SYN is acknowledged, which says nothing of the network's room (RFC 5681 section 3.1).
    pub(super) fn acknowledge_syn(
        &mut self,
        now: Instant,
        config: &Config,
        options: &OptionSummary,
    ) {
        let measured = match self.syn_sent_at {
            Some(sent_at) => Some(now - sent_at),
            None => self.timestamps.echoed(options).round_trip(now),
        };
        if let Some(rtt) = measured {
            self.rtt.sample(now, config, rtt, 1);
        }
        self.rtt.begin_data();
        if self.retries > 1 {
            // One lost SYN does not make the initial window smaller, more do (RFC 6928
            // section 2).
            self.congestion.on_restart(now, self.snd.mss.into());
        }
        let ack = self.snd.iss + 1;
        self.flight = Flight::new(ack);
        self.advance(now, config, ack, &mut Effects::default());
        self.timers.stop(Timer::Retransmit);
    }

    /// SND.UNA moves to `ack`, which is above it and not above SND.NXT.
    fn advance(&mut self, now: Instant, config: &Config, ack: SeqNumber, effects: &mut Effects) {
        let syn = matches!(self.state, State::SynSent | State::SynReceived);
        let text = (ack - self.snd.una - u32::from(syn)) as usize;
        // A FIN counts one more than there are octets; `consume` stops at the end.
        self.tally.octets_acked += text.min(self.send_buffer.len()) as u64;
        self.send_buffer.consume(text);
        self.release_send_buffer();
        self.snd.una = ack;
        self.forget_urgent(ack);
        self.liveness.waiting = now;
        self.retries = 0;
        self.probes = 0;
        self.probe = false;
        self.trust_path(now, config, ack, effects);
        if self.send_buffer.len() == 0 {
            self.timers.stop(Timer::Persist);
        }
        // Half the buffer free: worth waking a writer for.
        if self.send_was_short && self.send_buffer.len() <= config.send_capacity() / 2 {
            self.send_was_short = false;
            effects.writable = true;
        }
    }

    /// Measures the round-trip time: by what was sent once and has arrived, or else by the
    /// echoed timestamp, which tells the first transmission from the second (RFC 6298
    /// section 3, RFC 7323 section 4.1).
    fn measure(&mut self, now: Instant, config: &Config, report: &mut Report, echo: Echo) {
        let arrived = &report.arrived;
        // What was received long ago is acknowledged late, with what was sent again.
        let sent_at = arrived.measurable.filter(|_| !arrived.again);
        let sent_once = sent_at.map(|sent_at| now - sent_at);
        let measured = match sent_once {
            None if report.acked > 0 => echo.round_trip(now),
            _ => sent_once,
        };
        if let Some(rtt) = measured {
            // RFC 7323 appendix G: with many measurements a round trip each counts less.
            let expected = report.flight.div_ceil(2 * u32::from(self.snd.mss));
            if self.rtt.sample(now, config, rtt, expected) {
                self.flight.tail.note_measurement();
                report.rtt = sent_once;
            }
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
                // What was sent as a probe may not have been taken, and goes out again. The
                // timer runs on until something worth sending has.
                self.flight.board.mark_lost(|_, _| true);
            }
        }
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
                self.limit_wait_for_fin(now, config);
            }
            State::Closing => self.wait_out(now, config, effects),
            State::LastAck => self.finish(CloseReason::Finished, effects),
            _ => {}
        }
    }
}
