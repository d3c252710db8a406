use crate::time::Instant;

/// The timers of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The oldest segment in flight is lost (RFC 6298).
    Retransmit,
    /// A closed window wants a probe (RFC 9293 section 3.8.6.1).
    Persist,
    /// An acknowledgment has waited long enough (RFC 9293 section 3.8.6.3).
    DelayedAck,
    /// No text has come or gone for a while: buffers that are empty are given back.
    Release,
    /// TIME-WAIT is over, or FIN-WAIT-2 of a connection that has no user.
    TimeWait,
}

impl Timer {
    const ALL: [Timer; 5] = [
        Timer::Retransmit,
        Timer::Persist,
        Timer::DelayedAck,
        Timer::Release,
        Timer::TimeWait,
    ];
}

/// When each timer is due.
#[derive(Debug)]
pub(super) struct TimerTable {
    /// [`Instant::FAR_FUTURE`] for a timer that is not set.
    due: [Instant; Timer::ALL.len()],
}

impl TimerTable {
    pub(super) const fn new() -> TimerTable {
        TimerTable {
            due: [Instant::FAR_FUTURE; Timer::ALL.len()],
        }
    }

    pub(super) fn set(&mut self, timer: Timer, due: Instant) {
        self.due[timer as usize] = due;
    }

    /// Due then, or earlier where it is due earlier.
    pub(super) fn set_by(&mut self, timer: Timer, due: Instant) {
        let slot = &mut self.due[timer as usize];
        *slot = due.min(*slot);
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.due[timer as usize] = Instant::FAR_FUTURE;
    }

    pub(super) fn stop_all(&mut self) {
        *self = TimerTable::new();
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.due[timer as usize] != Instant::FAR_FUTURE
    }

    /// The earliest time at which one is due; the end of time where none is set.
    pub(super) fn next(&self) -> Instant {
        let [a, b, c, d, e] = self.due;
        a.min(b).min(c.min(d)).min(e)
    }

    /// A timer that is due at `now`, which is stopped.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Timer> {
        let timer = Timer::ALL
            .into_iter()
            .find(|timer| self.is_set(*timer) && self.due[*timer as usize] <= now)?;
        self.stop(timer);
        Some(timer)
    }
}
