//! How long one end has waited for the other, and whether that is long enough to give it up.

use std::time::Duration;

use crate::simulation::Broken;
use crate::simulation::broken::ensure;
use crate::tcp::audit::View;
use crate::tcp::{Config, Settings, State};
use crate::time::Instant;
use crate::wire::{SeqNumber, TcpSegment};

/// What one end has waited for, as far as its segments show. Times are those of its host's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    /// The number of its SYN.
    iss: Option<SeqNumber>,
    una: SeqNumber,
    /// The number after the highest one sent.
    nxt: SeqNumber,
    /// Since when what is outstanding waits for an acknowledgment, and by the world's clock.
    waits: (Instant, Instant),
    /// When its peer was last heard, and by the world's clock.
    heard: (Instant, Instant),
    /// How often what SND.UNA begins with, or its SYN, was sent since it waits.
    tries: u32,
    /// How many probes of an idle connection were sent since its peer was heard.
    probes: u32,
    /// The highest number of the peer's segments that were heard.
    newest: SeqNumber,
    /// Whether something of the connection, in whatever direction, was lost since all was
    /// acknowledged, and since its peer was heard.
    lost: (bool, bool),
    /// When its user let go.
    left: Option<Instant>,
}

/// By how much what falls due may be late: clocks are set back, and hosts are busy.
const SLACK: Duration = Duration::from_secs(600);

impl Patience {
    /// Its user has let go.
    pub(super) fn note_left(&mut self, now: Instant) {
        self.left = self.left.or(Some(now));
    }

    /// Something of the connection was lost.
    pub(super) fn note_lost(&mut self) {
        self.lost = (true, true);
    }

    /// A segment goes out at the times `now`, the host's and the world's; how the connection sees
    /// itself after that, unless it is half-open.
    pub(super) fn sent(
        &mut self,
        now: (Instant, Instant),
        segment: &TcpSegment<'_>,
        view: Option<&View>,
    ) {
        let (flags, seq) = (segment.flags(), segment.seq());
        if flags.rst() {
            return;
        }
        if flags.syn() && self.iss != Some(seq) {
            *self = Patience {
                iss: Some(seq),
                una: seq,
                nxt: seq + 1,
                waits: now,
                heard: now,
                ..Patience::default()
            };
        }
        if flags.syn() {
            self.tries += 1;
        }
        let Some(view) = view.filter(|view| Some(view.iss) == self.iss && !flags.syn()) else {
            return;
        };
        if segment.sequence_len() == 0 {
            let is_keepalive = seq + 1 == view.nxt && view.una == view.nxt;
            self.probes += u32::from(is_keepalive);
            return;
        }
        // Where all was acknowledged it begins to wait, but for a window that was closed before.
        if seq == self.una && seq == self.nxt && !view.probes_window {
            self.waits = now;
        }
        self.tries += u32::from(seq == self.una);
        self.nxt = self.nxt.max(seq + segment.sequence_len());
    }

    /// A packet was given to the end, whose segment is not known if it was put together of
    /// fragments; how its connection saw itself before and sees itself after it.
    pub(super) fn told(
        &mut self,
        now: (Instant, Instant),
        segment: Option<&TcpSegment<'_>>,
        before: Option<&View>,
        after: Option<&View>,
    ) {
        let Some(after) = after else {
            return;
        };
        let Some(before) = before.filter(|before| before.iss == after.iss) else {
            // A cookie has come back, or a handshake is done.
            *self = Patience {
                iss: Some(after.iss),
                una: after.una,
                nxt: after.nxt,
                waits: now,
                heard: now,
                newest: after.rcv_nxt,
                ..Patience::default()
            };
            return;
        };
        let is_heard = after.heard != before.heard || after.heard == now.0;
        if !is_heard {
            return;
        }
        (self.heard, self.probes, self.lost.1) = (now, 0, false);
        // A window probe was answered (MUST-37), by what is not old.
        let newest = segment.is_some_and(|segment| {
            segment.ack() == after.una && self.newest <= segment.seq() && segment.flags().ack()
        });
        if let Some(segment) = segment {
            self.newest = self.newest.max(segment.seq());
        }
        if before.una != after.una || !before.state.is_synchronized() {
            (self.una, self.waits) = (after.una, now);
            self.tries = 0;
            // What is outstanding may have been lost before what came before it was acknowledged.
            self.lost.0 &= after.una != after.nxt;
        } else if before.probes_window && newest {
            self.tries = 0;
        }
    }

    /// The connection has ended by a timer at `now`, on its own, when it saw itself like this and was
    /// in the state `state`: whether it had waited for as long as it has to. `is_excused`: whether
    /// something may still arrive, or nobody is there.
    pub(super) fn check_given_up(
        &self,
        now: Instant,
        (config, settings): (&Config, &Settings),
        state: State,
        view: Option<&View>,
        is_excused: bool,
    ) -> Result<(), Broken> {
        let waited = now.saturating_duration_since(self.waits.0);
        let silence = now.saturating_duration_since(self.heard.0);
        let orphaned = self.left.map(|left| now.saturating_duration_since(left));
        let allowed = match state {
            State::FinWait2 => config.fin_wait_2_timeout.min(config.orphan_timeout),
            _ => config.orphan_timeout,
        };
        if orphaned.is_some_and(|orphaned| orphaned >= allowed) {
            return Ok(());
        }
        let idle = view.is_some_and(|view| view.una == view.nxt && !view.probes_window);
        if let Some(keepalive) = settings.keepalive.filter(|_| idle) {
            let second = Duration::from_secs(1);
            let probes = u32::from(keepalive.probes.max(2));
            let least = keepalive.interval.max(second) * probes + keepalive.idle.max(second);
            let least = least.max(settings.user_timeout.unwrap_or_default());
            ensure!(
                probes <= self.probes && least <= silence && (self.lost.1 || is_excused),
                "{state}: gives up an idle peer after {} probes of {probes} and {silence:?} of \
                 {least:?}, something was lost: {}",
                self.probes,
                self.lost.1
            );
            return Ok(());
        }
        // What a user may set says nothing of how long someone else may keep it half-open.
        if let Some(least) = settings.user_timeout.filter(|_| view.is_some()) {
            ensure!(
                least <= waited && !idle,
                "{state}: gives up after {waited:?}, the user timeout is {least:?}, \
                 nothing is outstanding: {idle}"
            );
            return Ok(());
        }
        let limit = limit(config, settings, state, view.is_none());
        // The first timeout may come at once: without SACK the timer runs on after a partial
        // acknowledgment (RFC 6582 section 3.2 step 3).
        let handshake = matches!(state, State::SynSent | State::SynReceived);
        let (first, rto) = match handshake {
            true => (0, config.initial_rto),
            false => (1, config.min_rto),
        };
        let gap = |n: u32| rto.saturating_mul(1 << n.min(20)).min(config.max_rto);
        let least: Duration = (first..=limit).map(gap).sum();
        ensure!(
            limit + u32::from(handshake) <= self.tries
                && least <= waited
                && (self.lost.0 || is_excused)
                && !idle,
            "{state}: gives up after {} transmissions and {waited:?} of {limit} and {least:?}, \
             something was lost: {}, nothing is outstanding: {idle}",
            self.tries,
            self.lost.0
        );
        Ok(())
    }

    /// What is outstanding does not wait for ever: `now` is the world's time.
    pub(super) fn check_waits(
        &self,
        now: Instant,
        (config, settings): (&Config, &Settings),
        view: &View,
    ) -> Result<(), Broken> {
        if view.una == view.nxt {
            return Ok(());
        }
        let since = self.waits.1.max(self.heard.1);
        let waited = now.saturating_duration_since(since);
        let most = match settings.user_timeout {
            Some(limit) => limit,
            None => config.max_rto * (limit(config, settings, view.state, false) + 2),
        };
        ensure!(
            waited <= most + SLACK,
            "{}: has waited for {waited:?} and does not give up",
            view.state
        );
        Ok(())
    }
}

/// R2 of RFC 9293 section 3.8.3.
fn limit(config: &Config, settings: &Settings, state: State, half_open: bool) -> u32 {
    u32::from(match state {
        State::SynReceived if half_open => config.max_syn_ack_retransmissions,
        State::SynSent | State::SynReceived => config.max_syn_retransmissions,
        _ => settings.max_retransmissions,
    })
}
