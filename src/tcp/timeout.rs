//! What falls due.

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
                Timer::Retransmit => self.on_retransmission_timeout(config, &mut effects),
                Timer::Persist => self.on_persist_timeout(now, config, &mut effects),
                Timer::DelayedAck => self.ack_due = AckDue::Now,
                Timer::Liveness => self.on_liveness_timeout(now, config, &mut effects),
                Timer::End => self.on_end(&mut effects),
            }
        }
        effects
    }

    /// RFC 6298 sections 5.4 to 5.7.
    pub(super) fn on_retransmission_timeout(&mut self, config: &Config, effects: &mut Effects) {
        if !self.may_retry(config, effects) {
            self.finish(CloseReason::TimedOut, effects);
            return;
        }
        if matches!(self.state, State::SynSent | State::SynReceived) {
            self.rtt.note_syn_lost();
        } else {
            let (mss, flight) = (u32::from(self.snd.mss), self.flight());
            self.congestion.on_timeout(flight, mss, self.retries > 1);
            self.recovery.on_timeout(self.snd.nxt);
        }
        self.rtt.back_off();
        self.timing = None;
        self.retransmit_first = false;
        self.snd.cursor = self.snd.una;
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
        self.snd.cursor = self.snd.una;
        self.probe = true;
        self.set_persist_timer(now, config);
    }

    /// The first probe after one RTO (SHLD-29), further ones at growing gaps (SHLD-30).
    pub(super) fn set_persist_timer(&mut self, now: Instant, config: &Config) {
        let gap = self.rto(config).saturating_mul(1 << self.probes.min(16));
        self.timers
            .set(Timer::Persist, now + gap.min(config.max_rto));
    }
}
