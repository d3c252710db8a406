use std::collections::VecDeque;

use super::handle::ConnectionId;

/// Connections in TIME-WAIT, the oldest first, so that their number can be bounded.
#[derive(Debug, Default)]
pub(super) struct TimeWaits {
    /// Those that entered it; some have left since.
    queue: VecDeque<ConnectionId>,
    /// How many are in it.
    count: usize,
}

impl TimeWaits {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// A connection has entered TIME-WAIT.
    pub(super) fn note_entered(
        &mut self,
        id: ConnectionId,
        mut is_waiting: impl FnMut(ConnectionId) -> bool,
    ) {
        /// At this length it is worth looking for those that have left.
        const SOME: usize = 64;

        self.count += 1;
        if self.queue.len() >= SOME.max(2 * self.count) {
            self.queue.retain(|id| is_waiting(*id));
        }
        self.queue.push_back(id);
    }

    /// One has left it.
    pub(super) fn note_left(&mut self) {
        self.count = self.count.saturating_sub(1);
    }

    /// How many of those that entered it `is_waiting` says are in it, and how many it holds.
    #[cfg(feature = "simulation")]
    pub(super) fn recount(&self, is_waiting: impl Fn(ConnectionId) -> bool) -> (usize, usize) {
        let waiting = self.queue.iter().filter(|id| is_waiting(**id));
        (waiting.count(), self.queue.len())
    }

    /// The one that entered first, if it has not left, which is for the caller to see.
    pub(super) fn pop(&mut self) -> Option<ConnectionId> {
        self.queue.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_have_left_do_not_pile_up() {
        let mut time_waits = TimeWaits::default();
        for index in 0..100_000 {
            let id = ConnectionId {
                index,
                generation: 0,
            };
            // Each thousandth stays for good.
            time_waits.note_entered(id, |id| id.index % 1000 == 0);
            if index % 1000 != 0 {
                time_waits.note_left();
            }
            assert!(time_waits.queue.len() <= 64.max(2 * (time_waits.count() + 1) + 1));
        }
        assert_eq!(time_waits.count(), 100);
    }
}
