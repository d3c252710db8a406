//! How long a peer is waited for: retransmission limits, user timeout, keepalive, and what
//! becomes of a connection without user (RFC 9293 sections 3.8.3, 3.8.4 and 3.8.6.1).
//!
//! | limit | of what | by |
//! | --- | --- | --- |
//! | R1 | retransmissions in a row: the user is told | [`Config::trouble_retransmissions`] |
//! | R2 | retransmissions in a row, or window probes without an answer | [`Settings::max_retransmissions`] |
//! | user timeout | time without progress, in place of R2 | [`Settings::user_timeout`] |
//! | keepalive | probes of an idle connection | [`Settings::keepalive`] |
//! | orphan | time since the user let go | [`Config::orphan_timeout`], [`Config::fin_wait_2_timeout`] |
//!
//! One timer watches over user timeout and keepalive. It is not touched when a segment
//! arrives: it comes early, finds out, and is set again.
//!
//! [`Settings::max_retransmissions`]: super::Settings::max_retransmissions
//! [`Settings::user_timeout`]: super::Settings::user_timeout
//! [`Settings::keepalive`]: super::Settings::keepalive

use core::time::Duration;

use super::config::Config;
use super::effects::{CloseReason, Effects};
use super::output::Span;
use super::settings::Keepalive;
use super::state::State;
use super::tcb::Tcb;
use super::timers::Timer;
use crate::time::Instant;

impl Tcb {
    /// One more retransmission or window probe is due: whether it is not one too many (R2).
    /// The user is told of trouble on the way there (R1).
    pub(super) fn may_retry(&mut self, config: &Config, effects: &mut Effects) -> bool {
        let limit = match self.state {
            State::SynReceived if self.passive => Some(config.max_syn_ack_retransmissions),
            // Time counts instead.
            _ if self.user_timeout(config).is_some() => None,
            State::SynSent | State::SynReceived => Some(config.max_syn_retransmissions),
            _ => Some(self.settings(config).max_retransmissions),
        };
        if limit.is_some_and(|limit| self.retries >= limit) {
            return false;
        }
        self.retries = self.retries.saturating_add(1);
        effects.trouble |= self.retries == config.trouble_retransmissions;
        true
    }

    /// Something is outstanding from now on, and nothing was before; or the window was
    /// closed and is not any more.
    pub(super) fn begin_to_wait(&mut self, now: Instant, config: &Config) {
        self.liveness.waiting = now;
        if self.user_timeout(config).is_some() {
            self.watch(now, config);
        }
    }

    /// Sets the timer that watches over user timeout and keepalive.
    pub(super) fn watch(&mut self, now: Instant, config: &Config) {
        let mut due = self.user_timeout_due(config);
        if let Some(keepalive) = self.keepalive(config) {
            // Whatever the peer does meanwhile, no probe falls due before it has been silent
            // for so long: time enough to look again.
            let look = now + keepalive.idle;
            due = due.min(look).min(self.keepalive_due(&keepalive));
        }
        self.timers.set(Timer::Liveness, due);
    }

    pub(super) fn on_liveness_timeout(
        &mut self,
        now: Instant,
        config: &Config,
        effects: &mut Effects,
    ) {
        if self.user_timeout_due(config) <= now {
            if self.timers.is_set(Timer::Persist) {
                self.break_off(effects);
            } else {
                self.finish(CloseReason::TimedOut, effects);
            }
            return;
        }
        if let Some(keepalive) = self.keepalive(config)
            && self.keepalive_due(&keepalive) <= now
        {
            let silence = now - self.liveness.heard;
            let patient = self
                .user_timeout(config)
                .is_some_and(|limit| silence < limit);
            if self.silent_probes() >= keepalive.probes && !patient {
                self.break_off(effects);
                return;
            }
            self.liveness.probes = self.silent_probes().saturating_add(1);
            self.liveness.probed = now;
            self.liveness.probe = true;
        }
        self.watch(now, config);
    }

    /// The keepalive probe that is due: without text (SHLD-12), and with a number that the
    /// peer has acknowledged, which it answers (RFC 9293 section 3.8.4).
    pub(super) fn next_keepalive(&mut self) -> Option<Span> {
        // What has become outstanding since brings an answer itself (MUST-26).
        let due = core::mem::take(&mut self.liveness.probe) && !self.is_waiting();
        due.then(|| Span {
            seq: self.snd.nxt - 1,
            len: 0,
            fin: false,
            probe: false,
        })
    }

    /// There is no user: from now on the connection has a bounded time to end in, however
    /// lively its peer (CVE-2008-4609).
    pub(super) fn limit_orphan(&mut self, now: Instant, config: &Config) {
        self.timers.set(Timer::End, now + config.orphan_timeout);
        self.limit_wait_for_fin(now, config);
    }

    /// In FIN-WAIT-2 the peer may be silent for good: without user it has less time.
    pub(super) fn limit_wait_for_fin(&mut self, now: Instant, config: &Config) {
        if self.released && self.state == State::FinWait2 {
            let due = now + config.fin_wait_2_timeout;
            let due = due.min(self.timers.due(Timer::End));
            self.timers.set(Timer::End, due);
        }
    }

    /// The time of a connection in TIME-WAIT, or without user, is over.
    pub(super) fn on_end(&mut self, effects: &mut Effects) {
        match self.state {
            State::FinWait2 | State::TimeWait => self.finish(CloseReason::Finished, effects),
            _ => self.break_off(effects),
        }
    }

    /// Gives up a peer that may well be there: it learns that the connection is over. One
    /// that retransmissions did not reach gets nothing more (RFC 9293 section 3.10.8).
    pub(super) fn break_off(&mut self, effects: &mut Effects) {
        if self.state != State::SynSent {
            effects.reset = Some(self.reset());
        }
        self.finish(CloseReason::TimedOut, effects);
    }

    /// Whether an answer of the peer's is outstanding, which retransmissions or window probes
    /// are to bring.
    fn is_waiting(&self) -> bool {
        self.flight() > 0 || self.timers.is_set(Timer::Persist)
    }

    /// The user timeout, where it counts: how long a SYN of the peer's keeps us half-open is
    /// not for the user to say, who does not know of it.
    fn user_timeout(&self, config: &Config) -> Option<Duration> {
        let half_open = self.state == State::SynReceived && self.passive;
        self.settings(config).user_timeout.filter(|_| !half_open)
    }

    fn user_timeout_due(&self, config: &Config) -> Instant {
        match self.user_timeout(config) {
            Some(limit) if self.is_waiting() => self.liveness.waiting + limit,
            _ => Instant::FAR_FUTURE,
        }
    }

    /// How the connection is probed while it is idle, if it is, within sane bounds.
    fn keepalive(&self, config: &Config) -> Option<Keepalive> {
        if !self.state.receives_text() && self.state != State::CloseWait {
            return None;
        }
        self.settings(config).keepalive.map(|keepalive| Keepalive {
            idle: keepalive.idle.max(Keepalive::LEAST),
            interval: keepalive.interval.max(Keepalive::LEAST),
            // One is no proof of death (MUST-29).
            probes: keepalive.probes.max(2),
        })
    }

    /// When the next probe is due, if nothing is outstanding (MUST-26).
    fn keepalive_due(&self, keepalive: &Keepalive) -> Instant {
        if self.is_waiting() {
            Instant::FAR_FUTURE
        } else if self.silent_probes() > 0 {
            self.liveness.probed + keepalive.interval
        } else {
            self.liveness.heard + keepalive.idle
        }
    }

    /// When user timeout or keepalive have something to do, if nothing happens before.
    #[cfg(feature = "simulation")]
    pub(super) fn watch_due(&self, config: &Config) -> Instant {
        let keepalive = self.keepalive(config);
        let probe = keepalive.map_or(Instant::FAR_FUTURE, |keepalive| {
            self.keepalive_due(&keepalive)
        });
        probe.min(self.user_timeout_due(config))
    }

    /// Probes since the peer was last heard.
    fn silent_probes(&self) -> u8 {
        match self.liveness.heard < self.liveness.probed {
            true => self.liveness.probes,
            false => 0,
        }
    }
}
