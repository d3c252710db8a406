//! A probe for a tail that may be lost: nothing follows it that could tell (TLP, RFC 8985
//! section 7).

use core::time::Duration;

use crate::tcp::config::Config;
use crate::tcp::output::Span;
use crate::tcp::tcb::Tcb;
use crate::tcp::timers::Timer;
use crate::time::{Instant, nanos};

impl Tcb {
    /// Section 7.2: new octets went out or were acknowledged. If nothing comes back for two
    /// round trips, a probe asks why.
    pub(in crate::tcp) fn schedule_tail_probe(&mut self, now: Instant, config: &Config) {
        let flight = &self.flight;
        let applies = self.rcv.sack_permitted
            && flight.board.in_flight() > 0
            && flight.board.sacked() == 0
            && flight.episode.is_none()
            && flight.tail.out.is_none()
            && !flight.tail.stale;
        if !applies {
            self.timers.stop(Timer::TailProbe);
            return;
        }
        // In nanoseconds: this is done for each acknowledgment.
        let one_segment = flight.board.in_flight() <= u32::from(self.snd.mss);
        let srtt = self.rtt.srtt_nanos();
        let timeout = match srtt {
            Some(srtt) if one_segment => {
                let delay = nanos(self.ack_delay_of_peer(config));
                srtt.saturating_mul(2).saturating_add(delay)
            }
            Some(srtt) => srtt.saturating_mul(2),
            None => 1_000_000_000,
        };
        // By the RFC it comes with the retransmission timeout at the latest. But it is there to spare us
        // that, and on a long path two round trips are no less: so three quarters of what that waits
        // beyond a round trip, which is more than an acknowledgment takes, unless the peer is known to
        // take its time.
        let due = self.timers.due(Timer::Retransmit).as_nanos();
        let latest = due.saturating_sub(now.as_nanos());
        let beyond = match srtt {
            Some(srtt) if !flight.tail.patient => latest.saturating_sub(srtt),
            _ => 0,
        };
        let wait = timeout.max(nanos(config.min_tail_probe));
        let wait = wait.min(latest - beyond / 4);
        let due = now.as_nanos().saturating_add(wait);
        self.timers.set(Timer::TailProbe, Instant::from_nanos(due));
    }

    /// How long the peer may keep the acknowledgment of a lone segment: longer once a probe for one
    /// was needless.
    fn ack_delay_of_peer(&self, config: &Config) -> Duration {
        /// What most hosts stay within.
        const LONG: Duration = Duration::from_millis(200);

        match self.flight.tail.patient {
            true => config.max_ack_delay.max(LONG),
            false => config.max_ack_delay,
        }
    }

    /// Section 7.3: sends it, if it may, and either way the retransmission timer starts anew.
    pub(in crate::tcp) fn on_tail_probe_timeout(&mut self, now: Instant, config: &Config) {
        let flight = &mut self.flight;
        if flight.board.in_flight() == 0 || flight.episode.is_some() {
            return;
        }
        flight.tail.due = flight.tail.out.is_none() && !flight.tail.stale;
        let due = now + self.rto(config);
        self.timers.set(Timer::Retransmit, due);
    }

    /// The probe, if it is due: new text where there is some and the peer's window allows, or
    /// else the last that was sent.
    pub(in crate::tcp) fn next_tail_probe(&mut self, mss: u32) -> Option<Span> {
        if !core::mem::take(&mut self.flight.tail.due) {
            return None;
        }
        let new = match self.ecn.holds() {
            false => self.unsent().min(mss).min(self.usable_window()),
            // That waits for the other timer (RFC 3168 section 6.1.2).
            true => 0,
        };
        let again = new == 0;
        let (start, end) = match again {
            false => (self.snd.nxt, self.snd.nxt + new),
            true => self.flight.board.last_in_flight(mss)?,
        };
        // The window may have shrunk (SHLD-16).
        if self.send_edge() < end {
            return None;
        }
        self.flight.tail.lone = self.flight.board.in_flight() <= mss;
        self.flight.tail.out = Some((end.max(self.snd.nxt), again));
        self.flight.tail.stale = true;
        self.tally.tail_probes += 1;
        Some(self.span(start, end))
    }
}
