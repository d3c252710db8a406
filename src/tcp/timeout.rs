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
                Timer::Retransmit => {
                    self.doubt_path(now, config, &mut effects);
                    if self.state != State::Closed {
                        self.on_retransmission_timeout(config, &mut effects);
                    }
                }
                Timer::Persist => self.on_persist_timeout(now, config, &mut effects),
                Timer::DelayedAck => self.ack_due = AckDue::Now,
                Timer::TimeWait => self.finish(CloseReason::Finished, &mut effects),
            }
        }
        effects
    }

    /// RFC 6298 sections 5.4 to 5.7.
    pub(super) fn on_retransmission_timeout(&mut self, config: &Config, effects: &mut Effects) {
        let limit = match self.state {
            State::SynSent => config.max_syn_retransmissions,
            State::SynReceived if self.passive => config.max_syn_ack_retransmissions,
            State::SynReceived => config.max_syn_retransmissions,
            _ => self.settings(config).max_retransmissions,
        };
        if self.retries >= limit {
            // R2 (RFC 9293 section 3.8.3).
            self.finish(CloseReason::TimedOut, effects);
            return;
        }
        if matches!(self.state, State::SynSent | State::SynReceived) {
            self.rtt.note_syn_lost();
        } else {
            let (mss, flight) = (u32::from(self.snd.mss), self.flight());
            self.congestion.on_timeout(flight, mss, self.retries > 0);
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
    pub(super) fn on_persist_timeout(
        &mut self,
        now: Instant,
        config: &Config,
        effects: &mut Effects,
    ) {
        let limit = self.settings(config).max_retransmissions;
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
    pub(super) fn set_persist_timer(&mut self, now: Instant, config: &Config) {
        let gap = self.rto(config).saturating_mul(1 << self.probes.min(16));
        self.timers
            .set(Timer::Persist, now + gap.min(config.max_rto));
    }
}
