//! One of the two hosts, with a clock of its own.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::scenario::Start;
use super::talk::{PORT, Talk};
use crate::simulation::broken::ensure;
use crate::simulation::scout::{first_number, knock};
use crate::simulation::{Broken, Choices};
use crate::stack::{Config, Connect, ConnectionId, Listen, ListenerId, Meta, Stack};
use crate::time::{Instant, nanos};
use crate::wire::SeqNumber;

/// What a host's clock shows when the world begins, at least: it may be set back.
const BEGINNING: Instant = Instant::from_millis(1_000_000);

/// In which time initial numbers advance by one, in nanoseconds (RFC 9293 section 3.4.1).
const TICK: u64 = 4000;

/// A stack, and a clock that goes as the world's does but shows another time.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) stack: Stack,
    /// Who listens to [`PORT`], unless both ends open.
    pub(super) listener: Option<ListenerId>,
    /// What the clock showed when the world began, leaps since then included.
    epoch: Duration,
    /// When the next timer falls due by the host's clock, and when it gets round to that.
    due: Option<(Instant, Instant)>,
}

impl Host {
    /// Host number `host`; its end of `talk` begins with the number that `start` says, if it
    /// opens at the beginning.
    pub(super) fn new(
        config: &Config,
        host: usize,
        start: Start,
        talk: &Talk,
        listens: bool,
    ) -> Host {
        let mut epoch = BEGINNING.as_nanos();
        if let Start::Before(number, by) = start {
            let first = first_number(config, BEGINNING, |stack| {
                if listens {
                    listen(stack);
                    knock(stack, BEGINNING, talk.quad(host));
                } else {
                    // Nobody else uses its port.
                    let _ = connect(stack, BEGINNING, talk.end(host), talk.end(1 - host));
                }
            });
            let first = first.unwrap_or_default();
            epoch += u64::from(SeqNumber(number) - by - first) * TICK;
        }
        let mut stack = Stack::new(config.clone());
        Host {
            listener: listens.then(|| listen(&mut stack)).flatten(),
            stack,
            epoch: Duration::from_nanos(epoch),
            due: None,
        }
    }

    /// What its clock shows.
    pub(super) fn time(&self, now: Instant) -> Instant {
        now + self.epoch
    }

    /// Its clock leaps ahead.
    pub(super) fn leap(&mut self, by: Duration) {
        self.epoch += by;
    }

    /// Its clock leaps ahead until initial numbers are again what they were when it showed
    /// `then` (RFC 9293 section 3.4.1).
    pub(super) fn go_round(&mut self, now: Instant, then: Instant) {
        const ROUND: u64 = TICK << 32;

        let passed = self.time(now).saturating_duration_since(then);
        let rest = ROUND - nanos(passed) % ROUND;
        self.leap(Duration::from_nanos(rest));
    }

    /// Its clock is set back.
    pub(super) fn set_back(&mut self, by: Duration) {
        self.epoch = self.epoch.saturating_sub(by).max(BEGINNING - Instant::ZERO);
    }

    /// Whether no time passes for its stack, since its clock was set back.
    pub(super) fn stands_still(&self, now: Instant) -> bool {
        self.time(now) < self.stack.now()
    }

    /// When it next handles a timer, in the world's time: when that falls due, or somewhat
    /// later.
    pub(super) fn poll_timeout(
        &mut self,
        lateness: Duration,
        dice: &mut impl Choices,
    ) -> Option<Instant> {
        let due = self.stack.poll_timeout()?;
        let late = match self.due {
            Some((known, late)) if known == due => late,
            _ => due + Duration::from_nanos(dice.below(lateness.as_nanos() as u64)),
        };
        self.due = Some((due, late));
        Some(Instant::ZERO + late.saturating_duration_since(Instant::ZERO + self.epoch))
    }

    /// What broke, at this host, as number `host`; times in it are those of its clock.
    pub(super) fn blame(&self, host: usize, what: &Broken) -> Broken {
        let now = self.stack.now();
        Broken(format!("host {host}, whose clock shows {now}: {what}"))
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), Broken> {
        let time = self.time(now);
        self.stack.handle_timeout(time);
        let next = self.stack.poll_timeout();
        ensure!(
            next.is_none_or(|next| time < next),
            "a timer is set to {next:?}, which is past at {time}"
        );
        Ok(())
    }

    pub(super) fn receive(&mut self, now: Instant, packet: &[u8]) {
        let time = self.time(now);
        self.stack.receive(time, packet, Meta::default());
    }
}

/// There is nobody else who listens, so it cannot fail.
fn listen(stack: &mut Stack) -> Option<ListenerId> {
    stack.listen(Listen::port(PORT)).ok()
}

pub(super) fn connect(
    stack: &mut Stack,
    now: Instant,
    local: SocketAddrV4,
    remote: SocketAddrV4,
) -> Result<ConnectionId, Broken> {
    let connect = Connect::to(remote).local_port(local.port());
    let id = stack.connect(now, connect);
    id.map_err(|error| Broken(format!("connect: {error}")))
}
