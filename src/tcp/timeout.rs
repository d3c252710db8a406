//! What falls due.

use core::time::Duration;

use super::config::Config;
use super::effects::{CloseReason, Effects};
use super::state::State;
use super::tcb::{AckDue, Tcb};
use super::timers::Timer;
use crate::time::Instant;

impl Tcb {
    /// Does what has fallen due.
    pub fn handle_timeout(&mut self, now: Instant, config: &Config) -> Effects {
        let mut effects = Effects::default();
        while let Some(timer) = self.timers.expired(now) {
            match timer {
                Timer::Retransmit => {
                    self.doubt_path(now, config, &mut effects);
                    if self.state != State::Closed {
                        self.on_retransmission_timeout(now, config, &mut effects);
                    }
                }
                Timer::TailProbe => self.on_tail_probe_timeout(now, config),
                Timer::Reorder => self.on_reorder_timeout(now),
                // Sending goes on, which is all that was waited for.
                Timer::Pace => {}
                Timer::Persist => self.on_persist_timeout(now, config, &mut effects),
                Timer::DelayedAck => self.ack_due = AckDue::Now,
                Timer::Release => {
                    self.release_send_buffer();
                    self.release_receive_buffer();
                    self.flight.board.release();
                }
                Timer::Liveness => self.on_liveness_timeout(now, config, &mut effects),
                Timer::End => self.on_end(&mut effects),
            }
        }
        effects
    }

    /// RFC 6298 sections 5.4 to 5.7.
    pub(super) fn on_retransmission_timeout(
        &mut self,
        now: Instant,
        config: &Config,
        effects: &mut Effects,
    ) {
        if self.ecn.release() && self.flight() == 0 {
            return;
        }
        if !self.may_retry(config, effects) {
            self.finish(CloseReason::TimedOut, effects);
            return;
        }
        if matches!(self.state, State::SynSent | State::SynReceived) {
            self.rtt.note_syn_lost();
            self.syn_due = true;
        } else {
            self.begin_timeout_recovery(now);
        }
        self.rtt.back_off();
    }

    /// RFC 9293 section 3.8.6.1: the connection stays open as long as probes are answered
    /// (MUST-37), unless the user timeout or the end of its user says otherwise.
    pub(super) fn on_persist_timeout(
        &mut self,
        now: Instant,
        config: &Config,
        effects: &mut Effects,
    ) {
        if !self.may_retry(config, effects) {
            self.break_off(effects);
            return;
        }
        self.probes = self.probes.saturating_add(1);
        self.probe = true;
        self.set_persist_timer(now, config);
    }

    /// The first probe after one RTO (SHLD-29), further ones at growing gaps (SHLD-30).
    pub(super) fn set_persist_timer(&mut self, now: Instant, config: &Config) {
        /// Where the configuration has no retransmission timeout, time has to pass all the same.
        const LEAST: Duration = Duration::from_millis(1);

        let gap = self.rto(config).saturating_mul(1 << self.probes.min(16));
        let due = now + gap.min(config.max_rto).max(LEAST);
        self.timers.set(Timer::Persist, due);
    }
}

/// Buffers exist while they hold text, and a while longer: a connection in use allocates
/// nothing for each segment, an idle one keeps nothing.
impl Tcb {
    /// Text comes or goes: from now on the buffers stay for a while, also when empty.
    pub(super) fn keep_buffers(&mut self, now: Instant, config: &Config) {
        let due = now + config.buffer_retention;
        self.timers.set(Timer::Release, due);
    }

    /// All was acknowledged, maybe.
    pub(super) fn release_send_buffer(&mut self) {
        if self.send_buffer.len() == 0 && !self.timers.is_set(Timer::Release) {
            self.send_buffer.clear();
        }
    }

    /// All was read, maybe. Octets ahead of their turn are in storage beyond its length.
    pub(super) fn release_receive_buffer(&mut self) {
        let empty = self.receive_buffer.len() == 0 && self.reassembly.is_empty();
        if empty && !self.timers.is_set(Timer::Release) {
            self.receive_buffer.clear();
            self.reassembly.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::{Opening, PeerSyn};
    use crate::wire::{SeqNumber, TcpSegment};

    #[test]
    fn idle_connections_keep_no_storage() {
        let config = Config::default();
        let opening = Opening {
            iss: SeqNumber(0),
            mss: 1460,
            timestamp_offset: 0,
        };
        let syn = PeerSyn {
            irs: SeqNumber(0),
            window: 1000,
            mss: None,
            window_scale: None,
            sack_permitted: true,
            timestamp: None,
            ecn: false,
        };
        let mut tcb = Tcb::accept(&config, opening, &syn);
        let mut now = Instant::from_millis(1);
        let capacity = |tcb: &Tcb| (tcb.receive_buffer.capacity(), tcb.send_buffer.capacity());
        let mut out = [0; 100];
        for _ in 0..3 {
            // Both buffers hold text, then none, and text again.
            tcb.keep_buffers(now, &config);
            tcb.receive_buffer.push(&[1; 100]);
            tcb.send_buffer.push(&[1; 100]);
            assert_eq!(tcb.recv(&config, &mut out), 100);
            tcb.send_buffer.consume(100);
            tcb.release_send_buffer();
            assert_eq!(capacity(&tcb), (4096, 4096), "in use");
            now += config.buffer_retention;
            tcb.handle_timeout(now - Duration::from_nanos(1), &config);
            assert_eq!(capacity(&tcb), (4096, 4096), "still in use");
            tcb.handle_timeout(now, &config);
            assert_eq!(capacity(&tcb), (0, 0), "idle");
        }
        // What is read or acknowledged later goes then; octets ahead of their turn stay.
        tcb.receive_buffer.push(&[1; 100]);
        tcb.receive_buffer.write_at(200, &[2]);
        let ahead = tcb.rcv.nxt + 200;
        tcb.reassembly.insert(ahead, ahead + 1, 9);
        tcb.recv(&config, &mut out);
        assert_eq!(tcb.receive_buffer.capacity(), 4096);
        tcb.reassembly.advance(ahead);
        tcb.receive_buffer.extend(101);
        tcb.consume(&config, 101);
        assert_eq!(capacity(&tcb), (0, 0));
    }

    #[test]
    fn text_beyond_the_end_keeps_no_storage() {
        let config = Config::default();
        let opening = Opening {
            iss: SeqNumber(0),
            mss: 1460,
            timestamp_offset: 0,
        };
        let mut tcb = Tcb::connect(&config, opening);
        (tcb.state, tcb.rcv.nxt, tcb.rcv.edge) =
            (State::Established, SeqNumber(1), SeqNumber(1) + 1000);
        let mut now = Instant::from_millis(1);
        tcb.keep_buffers(now, &config);
        tcb.receive_buffer.write_at(200, &[2]);
        tcb.reassembly.insert(SeqNumber(201), SeqNumber(202), 9);
        now += config.buffer_retention;
        tcb.handle_timeout(now, &config);
        assert_eq!(tcb.receive_buffer.capacity(), 4096, "it may be read yet");
        let mut header = [0; 20];
        // Number 1, FIN and ACK.
        (header[7], header[12], header[13]) = (1, 5 << 4, 0x11);
        let fin = TcpSegment::parse_unverified(&header).unwrap();
        tcb.receive_fin(now, &config, &fin, &mut Effects::default());
        assert_eq!(tcb.state, State::CloseWait);
        assert_eq!(tcb.receive_buffer.capacity(), 0);
    }
}
