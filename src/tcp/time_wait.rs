//! TIME-WAIT: who may end it early, and what it keeps.

use super::config::Config;
use super::effects::{CloseReason, Effects};
use super::state::State;
use super::syn::PeerSyn;
use super::tcb::Tcb;
use super::timers::Timer;
use crate::time::Instant;
use crate::wire::SeqNumber;

impl Tcb {
    /// Goes over to TIME-WAIT, or stays there for another twice the MSL.
    pub(super) fn wait_out(&mut self, now: Instant, config: &Config, effects: &mut Effects) {
        if self.state != State::TimeWait {
            self.enter(State::TimeWait, effects);
            // All that was sent is acknowledged and nothing more will come: what is kept
            // is what the user has not read.
            self.send_buffer.clear();
            self.flight.board.release();
            self.reassembly.clear();
            if self.receive_buffer.len() == 0 {
                self.receive_buffer.clear();
            }
        }
        self.timers.stop(Timer::Retransmit);
        self.timers.stop(Timer::Persist);
        let due = now + config.msl.saturating_mul(2);
        self.timers.stop(Timer::Liveness);
        self.timers.set(Timer::End, due);
    }

    /// Whether a connection in TIME-WAIT makes way for the one that `syn` wants to open
    /// (RFC 6191 section 2, RFC 9293 section 3.6.1, MAY-2): by its timestamp, or else by its
    /// number, it is no old duplicate.
    pub fn time_wait_accepts(&self, config: &Config, syn: &PeerSyn) -> bool {
        let recent = self.timestamps.echo();
        let fresh = syn.timestamp.filter(|_| config.timestamps);
        self.state == State::TimeWait && is_fresh(recent, fresh, self.rcv.nxt, syn.irs)
    }

    /// A number above all that this connection has sent, by as much as no window was wide that
    /// is not scaled: where the one that follows it may start (RFC 9293 section 3.6.1).
    pub fn following_iss(&self) -> SeqNumber {
        self.snd.nxt + 0x1_0000
    }

    /// Ends TIME-WAIT ahead of its time.
    pub fn end_time_wait(&mut self) -> Effects {
        let mut effects = Effects::default();
        if self.state == State::TimeWait {
            self.finish(CloseReason::Finished, &mut effects);
        }
        effects
    }
}

/// RFC 6191 section 2: `recent` is the last timestamp of the connection that was, `timestamp`
/// that of the SYN, if the connection to be will carry them; `nxt` the number after the
/// peer's FIN, `irs` that of the SYN.
fn is_fresh(recent: Option<u32>, timestamp: Option<u32>, nxt: SeqNumber, irs: SeqNumber) -> bool {
    match (recent, timestamp) {
        // Timestamps are compared as sequence numbers are (RFC 7323 section 5.2).
        (Some(recent), Some(timestamp)) if recent != timestamp => {
            SeqNumber(recent) < SeqNumber(timestamp)
        }
        // The old one's segments carried none: PAWS will tell them apart.
        (None, Some(_)) => true,
        _ => nxt <= irs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_counts_more_than_a_number() {
        for base in [5, 0x7fff_ffff, u32::MAX] {
            let (nxt, old, new) = (
                SeqNumber(base),
                SeqNumber(base) - 1,
                SeqNumber(base.wrapping_add(1)),
            );
            let ts = |n: i32| Some(base.wrapping_add_signed(n));
            let cases = [
                (ts(0), ts(1), old, true),
                (ts(0), ts(-1), new, false),
                (ts(0), ts(0), old, false),
                (ts(0), ts(0), nxt, true),
                (ts(0), None, old, false),
                (ts(0), None, new, true),
                (None, ts(0), old, true),
                (None, None, old, false),
                (None, None, nxt, true),
                (None, None, nxt + 0x8000_0000, false),
            ];
            for (recent, timestamp, irs, expected) in cases {
                let fresh = is_fresh(recent, timestamp, nxt, irs);
                assert_eq!(fresh, expected, "{recent:?} {timestamp:?} {irs}");
            }
        }
    }
}
