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
