//! How a connection opens (RFC 9293 section 3.5).

use super::config::Config;
use super::effects::{CloseReason, Effects, ResetReply, SegmentFate};
use super::output::Outgoing;
use super::reassembly::SackList;
use super::state::State;
use super::syn::{DEFAULT_MSS, Opening, PeerSyn};
use super::tcb::{AckDue, Tcb};
use super::timers::Timer;
use crate::time::Instant;
use crate::wire::{OptionSummary, SegmentFields, SeqNumber, TcpFlags, TcpSegment};

impl Tcb {
    /// An active open (RFC 9293 section 3.10.1): the SYN goes out with the next
    /// [`poll_transmit`](Tcb::poll_transmit).
    pub fn connect(config: &Config, opening: Opening) -> Tcb {
        Tcb::new(State::SynSent, config, opening)
    }

    /// A passive open: `syn` arrived for a listener (RFC 9293 section 3.10.7.2). The
    /// SYN,ACK goes out with the next [`poll_transmit`](Tcb::poll_transmit).
    pub fn accept(config: &Config, opening: Opening, syn: &PeerSyn) -> Tcb {
        let mut tcb = Tcb::new(State::SynReceived, config, opening);
        tcb.passive = true;
        tcb.synchronize(config, syn);
        tcb
    }

    /// Takes in what the peer's SYN says: number, window and options.
    pub(super) fn synchronize(&mut self, config: &Config, syn: &PeerSyn) {
        let window = self.rcv.edge - self.rcv.nxt;
        self.rcv.irs = syn.irs;
        self.rcv.nxt = syn.irs + 1;
        self.rcv.edge = self.rcv.nxt + window;
        let mss = syn
            .mss
            .unwrap_or(DEFAULT_MSS)
            .max(config.min_mss)
            .min(self.rcv.mss);
        self.limit_mss(config, mss);
        match syn.window_scale {
            // Above 14 it is taken as 14 (RFC 7323 section 2.3).
            Some(shift) if config.window_scaling => self.snd.shift = shift.min(14),
            // Only if both sent it (RFC 7323 section 2.2).
            _ => (self.snd.shift, self.rcv.shift) = (0, 0),
        }
        self.rcv.sack_permitted &= syn.sack_permitted;
        self.timestamps.synchronize(syn.timestamp, self.rcv.nxt);
        self.ecn.synchronize(syn.ecn);
        self.congestion = config.congestion(self.snd.mss.into());
        self.set_send_window(syn.window.into(), syn.irs, SeqNumber(0));
    }

    /// Section 3.10.7.3.
    pub(super) fn receive_in_syn_sent(
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
            effects.reset = ResetReply::to_stray(segment, options);
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
        self.synchronize(config, &PeerSyn::of(segment, options));
        self.timestamps.confirm(now);
        self.snd.wl2 = ack;
        if flags.ack() {
            self.acknowledge_syn(now, config, options);
            self.enter_established(effects);
            self.ack_due = AckDue::Now;
        } else {
            // A simultaneous open: our SYN goes out again, with an acknowledgment.
            self.enter(State::SynReceived, effects);
            self.syn_due = true;
        }
    }

    /// The SYN that brought us to SYN-RECEIVED, as before or with an acknowledgment of ours.
    /// It lies before the window, so by the letter its acknowledgment would go unheard,
    /// and a simultaneous open would not end as figure 7 has it (appendix A.2).
    pub(super) fn receive_syn_again(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        options: &OptionSummary,
        effects: &mut Effects,
    ) -> SegmentFate {
        if let Some((value, _)) = options.timestamps {
            self.timestamps.note(now, segment.seq(), value);
        }
        if !segment.flags().ack() {
            // Our answer was lost.
            self.syn_due = true;
            self.ecn.synchronize(PeerSyn::of(segment, options).ecn);
            return SegmentFate::OutOfWindow;
        }
        if !self.acknowledges_syn(segment) {
            self.challenge(now, config, segment);
            return SegmentFate::BadAck;
        }
        self.acknowledge_syn(now, config, options);
        // Not scaled on a SYN (RFC 7323 section 2.2).
        self.set_send_window(segment.window().into(), segment.seq(), segment.ack());
        self.enter_established(effects);
        self.ack_due = AckDue::Now;
        SegmentFate::Processed
    }

    /// Whether the segment acknowledges our SYN, and no more than that.
    pub(super) fn acknowledges_syn(&self, segment: &TcpSegment<'_>) -> bool {
        self.snd.iss < segment.ack() && segment.ack() <= self.snd.nxt
    }

    pub(super) fn enter_established(&mut self, effects: &mut Effects) {
        self.enter(State::Established, effects);
        effects.connected = true;
        if self.fin_queued {
            self.enter(State::FinWait1, effects);
        }
    }

    pub(super) fn send_syn(&mut self, now: Instant, config: &Config) -> Option<Outgoing<'_>> {
        let answers = self.state == State::SynReceived;
        if !core::mem::take(&mut self.syn_due) {
            if self.ack_due != AckDue::Now {
                return None;
            }
            let bare_ack = self.bare_ack();
            return Some(self.send_span(now, config, bare_ack));
        }
        let is_retransmission = self.snd.nxt != self.snd.iss;
        self.snd.nxt = self.snd.iss + 1;
        self.syn_sent_at = (!is_retransmission).then_some(now);
        self.tally.segments_sent = self.tally.segments_sent.wrapping_add(1);
        if !is_retransmission {
            self.begin_to_wait(now, config);
        }
        // A SYN that is sent because the peer's came again leaves the timer alone, which
        // ends what is half open.
        if !self.timers.is_set(Timer::Retransmit) {
            let due = now + self.rto(config);
            self.timers.set(Timer::Retransmit, due);
        }
        self.ack_due = AckDue::No;
        let ack = answers.then_some(self.rcv.nxt);
        let mut flags = TcpFlags::SYN | self.ecn.syn_flags(answers, is_retransmission);
        if answers {
            flags |= TcpFlags::ACK;
            if !is_retransmission {
                // The peer's SYN came just now.
                self.timestamps.confirm(now);
            }
        }
        // In an answer only if the peer's SYN had it; `synchronize` has seen to that.
        // A shift of zero is worth sending: it lets the peer scale its own.
        let scaled = match answers {
            true => self.rcv.shift > 0 || self.snd.shift > 0,
            false => config.window_scaling,
        };
        Some(Outgoing {
            fields: SegmentFields {
                seq: self.snd.iss,
                ack: ack.unwrap_or_default(),
                flags,
                // Not scaled on a SYN (RFC 7323 section 2.2).
                window: config.receive_window().min(u16::MAX.into()) as u16,
                ..SegmentFields::default()
            },
            mss: Some(self.rcv.mss),
            window_scale: scaled.then_some(self.rcv.shift),
            sack_permitted: self.rcv.sack_permitted,
            timestamps: self.timestamps.stamp(now, ack),
            sack: SackList::default(),
            payload: [&[], &[]],
            ect: false,
            is_retransmission,
            dont_fragment: true,
        })
    }
}
