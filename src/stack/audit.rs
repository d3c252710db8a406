//! What a simulator asks of a stack: whether all holds that should, of its connections and of its
//! own books.

use super::Stack;
use super::quad::Quad;
use super::reply;
use super::table::{Entry, Owner};
use crate::tcp::audit::hold;
use crate::tcp::{State, Tcb};
use crate::time::Instant;

impl Stack {
    /// The latest time that it was told.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// The connection of a quad, whoever owns it; none that is half-open.
    pub(crate) fn tcb_of(&self, quad: Quad) -> Option<&Tcb> {
        self.table.by_quad(quad).map(|entry| &entry.tcb)
    }

    /// Whether all holds that should between any two calls, of the stack's own books and of each
    /// connection. It looks at all there is, which takes its time; `now` as for the other calls.
    ///
    /// That a timer is due and has not fired is no fault before
    /// [`handle_timeout`](Stack::handle_timeout); right after it
    /// [`poll_timeout`](Stack::poll_timeout) is later than the time that it was told.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn audit(&self, now: Instant) -> Result<(), String> {
        let now = self.now.max(now);
        for (index, entry) in self.table.iter() {
            let config = &self.config.tcp;
            let told = entry.tcb.audit(now, config).and_then(|()| {
                // Until the queue has come to it, there may be something to send.
                match entry.queued {
                    true => Ok(()),
                    false => entry.tcb.audit_at_rest(config),
                }
            });
            told.and_then(|()| self.audit_entry(index, entry))
                .map_err(|what| format!("{}: {what}", entry.quad))?;
        }
        self.audit_counts()?;
        self.audit_listeners()?;
        self.syn_cache.audit(self.config.max_half_open)?;
        self.fragments.audit(&self.config)?;
        self.paths.audit(self.config.max_path_mtus)
    }

    /// Nothing is left of what was: connections, what was to be sent or told, fragments.
    pub(crate) fn audit_empty(&self) -> Result<(), String> {
        let left = [
            ("connections", self.table.len()),
            ("half-open connections", self.syn_cache.len()),
            ("connections in TIME-WAIT", self.time_waits.count()),
            ("orphans", self.orphans.len()),
            ("replies", self.replies.len()),
            ("events", self.events.len()),
            ("octets of fragments", self.fragments.bytes()),
        ];
        for (what, count) in left {
            hold!(count == 0, "{count} {what} are left");
        }
        Ok(())
    }

    /// Where a connection stands in the stack's books.
    fn audit_entry(&self, index: u32, entry: &Entry) -> Result<(), String> {
        let (state, owner) = (entry.tcb.state(), entry.owner);
        let closed = state == State::Closed;
        hold!(
            closed == entry.close_reason.is_some(),
            "{state}, closed because of {:?}",
            entry.close_reason
        );
        // What nobody holds and nothing needs is gone.
        hold!(
            !closed || owner == Owner::User,
            "CLOSED, and owned by {owner:?}"
        );
        let found = self.table.find(entry.quad);
        hold!(
            closed || found == Some(index),
            "{state} at {index}, and by its quad at {found:?}"
        );
        // Beside one in TIME-WAIT, another may begin (RFC 6191).
        hold!(
            closed || state == State::TimeWait || self.syn_cache.find(entry.quad).is_none(),
            "{state}, and half-open too"
        );
        let due = entry.tcb.deadline();
        hold!(
            self.wheel.covers(index, due),
            "{state}: due at {due}, of which the wheel knows nothing"
        );
        hold!(
            !entry.queued || self.ready.contains(&index),
            "{state}: has something to send, and is not in the queue"
        );
        let is_orphan = owner == Owner::Nobody && !state.is_at_rest();
        hold!(
            is_orphan == self.orphans.contains(&entry.id(index)),
            "{state}, owned by {owner:?}: an orphan to one of connection and stack"
        );
        Ok(())
    }

    /// Books that only count.
    fn audit_counts(&self) -> Result<(), String> {
        let count = |of: fn(&Entry) -> bool| self.table.iter().filter(|(_, e)| of(e)).count();
        let (kept, most) = (self.table.len(), self.config.max_connections);
        hold!(kept <= most, "{kept} connections, at most {most} allowed");
        let (open, by_quad) = (
            count(|entry| entry.close_reason.is_none()),
            self.table.open_count(),
        );
        hold!(
            open == by_quad,
            "{open} connections are open, {by_quad} quads taken"
        );
        let waiting = count(|entry| entry.tcb.state() == State::TimeWait);
        let (counted, most) = (self.time_waits.count(), self.config.max_time_wait);
        let (queued, queue) = self.time_waits.recount(|id| self.table.is_in_time_wait(id));
        hold!(
            waiting == counted && waiting == queued && waiting <= most,
            "{waiting} in TIME-WAIT, {counted} counted, {queued} in the queue, at most {most} allowed"
        );
        hold!(
            queue <= 64.max(2 * most) + 1,
            "{queue} in the queue of TIME-WAIT, at most {most} allowed"
        );
        let orphans =
            count(|entry| entry.owner == Owner::Nobody && !entry.tcb.state().is_at_rest());
        let (counted, most) = (self.orphans.len(), self.config.max_orphans);
        hold!(
            orphans == counted && orphans <= most,
            "{orphans} orphans, {counted} counted, at most {most} allowed"
        );
        // What has begun has ended, or is there.
        let sum = &self.counters;
        let begun = sum.connections_opened + sum.connections_accepted;
        let ended = sum.connections_finished
            + sum.connections_reset
            + sum.connections_aborted
            + sum.connections_timed_out
            + sum.connections_unreachable
            + sum.half_open_recycled;
        let there = (open + self.syn_cache.len()) as u64;
        hold!(
            begun == ended + there,
            "{begun} connections have begun, {ended} have ended, {there} are there"
        );
        // Beside those that strays ask for, one for each connection that ended.
        let (replies, most) = (self.replies.len(), reply::MAX_WAITING);
        let ends = self.config.max_connections + self.config.max_half_open;
        hold!(
            replies <= most.saturating_add(ends),
            "{replies} replies wait"
        );
        Ok(())
    }

    /// Who waits to be accepted belongs to a listener, which knows of it.
    fn audit_listeners(&self) -> Result<(), String> {
        let mut waiting = 0;
        for (listener, id) in self.listeners.waiting() {
            waiting += 1;
            let owner = self.table.owner(id);
            hold!(
                owner == Some(Owner::Listener(listener)),
                "{id:?} waits for {listener:?}, and belongs to {owner:?}"
            );
        }
        let is_owned = |entry: &Entry| matches!(entry.owner, Owner::Listener(_));
        let owned = self.table.iter().filter(|(_, e)| is_owned(e)).count();
        hold!(
            owned == waiting,
            "{owned} connections belong to listeners, {waiting} wait to be accepted"
        );
        Ok(())
    }
}
