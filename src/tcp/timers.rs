use crate::time::Instant;

/// The timers of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// What was sent last may be lost, and nothing would tell (RFC 8985 section 7.2). Before
    /// the retransmission timer, which it puts off.
    TailProbe,
    /// What was overtaken is lost by now (RFC 8985 section 6.2).
    Reorder,
    /// The oldest segment in flight is lost (RFC 6298).
    Retransmit,
    /// The next segment may leave.
    Pace,
    /// A closed window wants a probe (RFC 9293 section 3.8.6.1).
    Persist,
    /// An acknowledgment has waited long enough (RFC 9293 section 3.8.6.3).
    DelayedAck,
    /// No text has come or gone for a while: buffers that are empty are given back.
    Release,
    /// The user timeout, or a keepalive probe, may be due (RFC 9293 sections 3.8.3, 3.8.4).
    Liveness,
    /// TIME-WAIT is over, or the time of a connection that has no user.
    End,
}

impl Timer {
    pub(super) const ALL: [Timer; 9] = [
        Timer::TailProbe,
        Timer::Reorder,
        Timer::Retransmit,
        Timer::Pace,
        Timer::Persist,
        Timer::DelayedAck,
        Timer::Release,
        Timer::Liveness,
        Timer::End,
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
        self.due(timer) != Instant::FAR_FUTURE
    }

    /// When it is due; the end of time where it is not set.
    pub(super) fn due(&self, timer: Timer) -> Instant {
        self.due[timer as usize]
    }

    /// The earliest time at which one is due; the end of time where none is set.
    pub(super) fn next(&self) -> Instant {
        self.due.into_iter().fold(Instant::FAR_FUTURE, Instant::min)
    }

    /// A timer that is due at `now`, which is stopped.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Timer> {
        let timer = Timer::ALL
            .into_iter()
            .find(|timer| self.is_set(*timer) && self.due(*timer) <= now)?;
        self.stop(timer);
        Some(timer)
    }
}
