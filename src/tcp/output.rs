//! What is to be sent next, and what a timer does.

use super::config::Config;
use super::congestion::{Cause, CongestionEvent, Controller};
use super::reassembly::SackList;
use super::state::State;
use super::tcb::{AckDue, CloseReason, Effects, Tcb};
use super::timers::Timer;
use crate::time::Instant;
use crate::wire::{SegmentFields, SeqNumber, TcpFlags};

/// A segment to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The fields of its header.
    pub fields: SegmentFields,
    /// On a SYN, the MSS option's value: what this end can receive, in octets of text.
    pub mss: Option<u16>,
    /// On a SYN, the window scale option's value, if there is to be one.
    pub window_scale: Option<u8>,
    /// On a SYN, whether there is to be a SACK-permitted option.
    pub sack_permitted: bool,
    /// The blocks of a SACK option, if there are any.
    pub sack: SackList,
    /// Its text, in two pieces.
    pub payload: [&'a [u8]; 2],
    /// Whether it was sent before.
    pub is_retransmission: bool,
}

/// Which numbers a segment takes.
struct Span {
    seq: SeqNumber,
    /// Octets of text.
    len: u32,
    fin: bool,
    /// Whether it probes the peer's window, for which the persist timer runs.
    probe: bool,
}

impl Tcb {
    /// The next segment to send at `now`, if there is one; it counts as sent.
    pub fn poll_transmit(&mut self, now: Instant, config: &Config) -> Option<Outgoing<'_>> {
        match self.state {
            State::Closed | State::Listen => None,
            State::SynSent | State::SynReceived => self.send_syn(now, config),
            _ => {
                let span = self.next_span(now, config)?;
                Some(self.send_span(now, config, span))
            }
        }
    }

    fn send_syn(&mut self, now: Instant, config: &Config) -> Option<Outgoing<'_>> {
        let answers = self.state == State::SynReceived;
        if self.snd.cursor != self.snd.iss {
            if self.ack_due != AckDue::Now {
                return None;
            }
            let bare_ack = self.bare_ack();
            return Some(self.send_span(now, config, bare_ack));
        }
        let is_retransmission = self.snd.nxt != self.snd.iss;
        self.snd.cursor = self.snd.iss + 1;
        self.snd.nxt = self.snd.cursor;
        self.timing = (!is_retransmission).then_some((self.snd.nxt, now));
        // A SYN that is sent because the peer's came again leaves the timer alone, which
        // ends what is half open.
        if !self.timers.is_set(Timer::Retransmit) {
            let due = now + self.rto(config);
            self.timers.set(Timer::Retransmit, due);
        }
        self.ack_due = AckDue::No;
        let (flags, ack) = if answers {
            (TcpFlags::SYN | TcpFlags::ACK, self.rcv.nxt)
        } else {
            (TcpFlags::SYN, SeqNumber(0))
        };
        // In an answer only if the peer's SYN had it; `synchronize` has seen to that.
        // A shift of zero is worth sending: it lets the peer scale its own.
        let scaled = !answers || self.rcv.shift > 0 || self.snd.shift > 0;
        Some(Outgoing {
            fields: SegmentFields {
                seq: self.snd.iss,
                ack,
                flags,
                // Not scaled on a SYN (RFC 7323 section 2.2).
                window: config.receive_window().min(u16::MAX.into()) as u16,
                ..SegmentFields::default()
            },
            mss: Some(self.rcv.mss),
            window_scale: scaled.then_some(self.rcv.shift),
            sack_permitted: self.rcv.sack_permitted,
            sack: SackList::default(),
            payload: [&[], &[]],
            is_retransmission,
        })
    }

    /// What may go out now.
    fn next_span(&mut self, now: Instant, config: &Config) -> Option<Span> {
        // Before any text: what carries text is no duplicate (RFC 5681 section 2), and
        // neither is the first one that acknowledges new text.
        if self.duplicate_acks_due > 0 {
            if self.ack_due == AckDue::No {
                self.duplicate_acks_due -= 1;
            }
            return Some(self.bare_ack());
        }
        self.next_text(now, config)
            .or((self.ack_due == AckDue::Now).then(|| self.bare_ack()))
    }

    fn bare_ack(&self) -> Span {
        Span {
            seq: self.bare_seq(),
            len: 0,
            fin: false,
            probe: false,
        }
    }

    /// Which text or FIN may go out now.
    fn next_text(&mut self, now: Instant, config: &Config) -> Option<Span> {
        if matches!(self.state, State::FinWait2 | State::TimeWait) {
            // Our FIN is acknowledged: there is no more.
            return None;
        }
        let text_end = self.text_end();
        // Options take from the room for text.
        let options = self.sack_list().option_len();
        let mss = u32::from(self.snd.mss).saturating_sub(options).max(1);
        if core::mem::take(&mut self.retransmit_first) && self.flight() > 0 {
            let seq = self.snd.una;
            let len = self.send_buffer.len().min(mss as usize) as u32;
            let len = len.min(self.snd.nxt - seq);
            let fin = self.fin_sent && seq + len == text_end;
            return Some(Span {
                seq,
                len,
                fin,
                probe: false,
            });
        }

        let seq = self.snd.cursor;
        // The FIN's number is that of the text's end.
        let fin_goes = self.fin_queued && seq <= text_end;
        let unsent = if seq < text_end { text_end - seq } else { 0 };
        if unsent == 0 && !fin_goes {
            self.cwnd_limited = false;
            return None;
        }
        // How much the peer's window and the network's hold.
        let cwnd = self.recovery.window(self.congestion.window());
        let window = self.snd.wnd.min(cwnd);
        let in_flight = seq - self.snd.una;
        self.cwnd_limited = cwnd <= self.snd.wnd && cwnd.saturating_sub(in_flight) < unsent;
        let usable = window.saturating_sub(in_flight);
        let len = unsent.min(mss).min(usable);
        let fin = fin_goes && len == unsent && usable > len;
        // Silly-window avoidance and Nagle (RFC 9293 sections 3.8.6.2.1 and 3.7.4).
        let worth_sending = fin
            || len == mss
            || (len > 0 && seq < self.snd.nxt)
            || (len > 0 && len == unsent && (self.flight() == 0 || !config.nagle))
            || (len > 0 && len >= self.snd.max_wnd / 2);
        let probe = core::mem::take(&mut self.probe);
        if worth_sending {
            return Some(Span {
                seq,
                len,
                fin,
                probe: false,
            });
        }
        if probe {
            // At least one octet, or the FIN (RFC 9293 section 3.8.6.1).
            return Some(Span {
                seq,
                len: unsent.min(mss).min(usable.max(1)),
                fin: unsent == 0,
                probe,
            });
        }
        // Nothing in flight will bring an acknowledgment: only a probe can.
        if in_flight == 0 && !self.timers.is_set(Timer::Persist) {
            self.timers.stop(Timer::Retransmit);
            self.set_persist_timer(now, config);
        }
        None
    }

    fn send_span(&mut self, now: Instant, config: &Config, span: Span) -> Outgoing<'_> {
        let Span {
            seq,
            len,
            fin,
            probe,
        } = span;
        let takes = len + u32::from(fin);
        let end = seq + takes;
        let is_retransmission = takes > 0 && seq < self.snd.nxt;
        if takes > 0 {
            if is_retransmission {
                // Karn's rule (RFC 6298 section 3).
                self.timing = None;
            } else if self.timing.is_none() && !probe {
                self.timing = Some((end, now));
            }
            self.snd.nxt = self.snd.nxt.max(end);
            self.snd.cursor = self.snd.cursor.max(end);
            self.fin_sent |= fin;
            if !probe {
                self.timers.stop(Timer::Persist);
                // RFC 6298 section 5.1.
                if !self.timers.is_set(Timer::Retransmit) {
                    let due = now + self.rto(config);
                    self.timers.set(Timer::Retransmit, due);
                }
            }
        }

        let mut flags = TcpFlags::ACK;
        if fin {
            flags |= TcpFlags::FIN;
        }
        // The last of what the user has queued (MUST-61).
        if len > 0 && seq + len == self.text_end() {
            flags |= TcpFlags::PSH;
        }
        let window = self.window_field(config);
        self.ack_due = AckDue::No;
        self.rcv.unacknowledged = 0;
        self.timers.stop(Timer::DelayedAck);
        let sack = self.sack_list();
        Outgoing {
            fields: SegmentFields {
                seq,
                ack: self.rcv.nxt,
                flags,
                window,
                ..SegmentFields::default()
            },
            mss: None,
            window_scale: None,
            sack_permitted: false,
            sack,
            payload: match len {
                0 => [&[], &[]],
                // What has text starts at SND.UNA or after.
                _ => self
                    .send_buffer
                    .slices((seq - self.snd.una) as usize, len as usize),
            },
            is_retransmission,
        }
    }

    /// What an acknowledgment reports of the octets that came ahead of their turn, if the
    /// peer understands it (RFC 2018).
    fn sack_list(&self) -> SackList {
        if self.rcv.sack_permitted && !self.reassembly.is_empty() {
            self.reassembly.blocks()
        } else {
            SackList::default()
        }
    }

    /// The largest window that can be offered: by the buffer, and by what its field holds.
    pub(super) fn largest_window(&self, config: &Config) -> u32 {
        let field = u32::from(u16::MAX) << self.rcv.shift;
        config.receive_window().min(field)
    }

    /// The window for which there is room.
    fn window_room(&self, config: &Config) -> u32 {
        // The buffer is bounded by the window.
        let unread = self.receive_buffer.len() as u32;
        let free = config.receive_window().saturating_sub(unread);
        free.min(self.largest_window(config))
    }

    /// By how many octets the right edge of the window may move; zero where that is
    /// too little to be worth it (RFC 9293 section 3.8.6.2.2).
    pub(super) fn window_gain(&self, config: &Config) -> u32 {
        let offered = self.rcv.edge - self.rcv.nxt;
        let gain = self.window_room(config).saturating_sub(offered);
        if gain >= (self.largest_window(config) / 2).min(self.rcv.mss.into()) {
            gain
        } else {
            0
        }
    }

    /// The window field to send, and the right edge moves to what it says.
    fn window_field(&mut self, config: &Config) -> u16 {
        let offered = self.rcv.edge - self.rcv.nxt;
        let shift = self.rcv.shift;
        let mut field = (offered + self.window_gain(config)) >> shift;
        // Rounding takes back what was offered, or offers more. The latter where there
        // is room: else, again and again, it would offer without end. What is taken
        // back stays acceptable (RFC 7323 section 2.4).
        if field << shift < offered && (field + 1) << shift <= self.window_room(config) {
            field += 1;
        }
        let field = field.min(u16::MAX.into());
        self.rcv.edge = self.rcv.edge.max(self.rcv.nxt + (field << shift));
        // Bounded to 16 bits two lines above.
        field as u16
    }

    /// Does what has fallen due.
    pub fn handle_timeout(&mut self, now: Instant, config: &Config) -> Effects {
        let mut effects = Effects::default();
        while let Some(timer) = self.timers.expired(now) {
            match timer {
                Timer::Retransmit => self.on_retransmission_timeout(now, config, &mut effects),
                Timer::Persist => self.on_persist_timeout(now, config, &mut effects),
                Timer::DelayedAck => self.ack_due = AckDue::Now,
                Timer::TimeWait => self.finish(CloseReason::Finished, &mut effects),
            }
        }
        effects
    }

    /// RFC 6298 sections 5.4 to 5.7.
    fn on_retransmission_timeout(&mut self, now: Instant, config: &Config, effects: &mut Effects) {
        let limit = match self.state {
            State::SynSent => config.max_syn_retransmissions,
            State::SynReceived if self.passive => config.max_syn_ack_retransmissions,
            State::SynReceived => config.max_syn_retransmissions,
            _ => config.max_retransmissions,
        };
        if self.retries >= limit {
            // R2 (RFC 9293 section 3.8.3).
            self.finish(CloseReason::TimedOut, effects);
            return;
        }
        if matches!(self.state, State::SynSent | State::SynReceived) {
            self.rtt.note_syn_lost();
        } else {
            let again = self.retries > 0;
            self.congestion.on_congestion(&CongestionEvent {
                now,
                in_flight: self.flight(),
                mss: self.snd.mss.into(),
                cause: Cause::Timeout { again },
                in_recovery: self.recovery.is_active(),
            });
            self.recovery.on_timeout(self.snd.nxt);
        }
        self.retries += 1;
        self.rtt.back_off();
        self.timing = None;
        self.retransmit_first = false;
        self.snd.cursor = self.snd.una;
    }

    /// RFC 9293 section 3.8.6.1: the connection stays open as long as probes are answered
    /// (MUST-37) and it has a user. Without one, nobody else would end what a peer that
    /// takes nothing holds for ever (CVE-2008-4609).
    fn on_persist_timeout(&mut self, now: Instant, config: &Config, effects: &mut Effects) {
        let limit = config.max_retransmissions;
        if self.retries >= limit || (self.released && self.probes >= limit) {
            effects.reset = Some(self.reset());
            self.finish(CloseReason::TimedOut, effects);
            return;
        }
        self.retries += 1;
        self.probes = self.probes.saturating_add(1);
        self.snd.cursor = self.snd.una;
        self.probe = true;
        self.set_persist_timer(now, config);
    }

    /// The first probe after one RTO (SHLD-29), further ones at growing gaps (SHLD-30).
    fn set_persist_timer(&mut self, now: Instant, config: &Config) {
        let gap = self.rto(config).saturating_mul(1 << self.probes.min(16));
        self.timers
            .set(Timer::Persist, now + gap.min(config.max_rto));
    }
}
