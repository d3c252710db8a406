//! A probe for a tail that may be lost: nothing follows it that could tell (TLP, RFC 8985
//! section 7).

use core::time::Duration;

use crate::tcp::config::Config;
use crate::tcp::output::Span;
use crate::tcp::tcb::Tcb;
use crate::tcp::timers::Timer;
use crate::time::Instant;

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
        let one_segment = flight.board.in_flight() <= u32::from(self.snd.mss);
        let timeout = match self.rtt.smoothed() {
            Some((srtt, _)) if one_segment => srtt * 2 + self.ack_delay_of_peer(config),
            Some((srtt, _)) => srtt * 2,
            None => Duration::from_secs(1),
        };
        let due = now + timeout.max(config.min_tail_probe);
        self.timers
            .set(Timer::TailProbe, due.min(self.latest_probe(now)));
    }

    /// At the time of the retransmission timeout at the latest; and before, for it is there to spare us
    /// that: on a long path two round trips are no less. Three quarters of what that waits beyond a
    /// round trip is more than an acknowledgment takes, but of a peer that is known to take its time.
    fn latest_probe(&self, now: Instant) -> Instant {
        let timeout = self.timers.due(Timer::Retransmit);
        match self.rtt.smoothed() {
            Some((srtt, _)) if !self.flight.tail.patient => {
                let beyond = timeout.saturating_duration_since(now + srtt);
                timeout - beyond / 4
            }
            _ => timeout,
        }
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
