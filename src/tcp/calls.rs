//! What the user says (RFC 9293 section 3.10).

use super::config::Config;
use super::congestion::Controller;
use super::effects::{CloseReason, Effects};
use super::info::{Info, Phase};
use super::settings::Settings;
use super::state::State;
use super::tcb::Tcb;

impl Tcb {
    /// What the user has set, or what connections start with.
    pub fn settings<'a>(&'a self, config: &'a Config) -> &'a Settings {
        self.settings.as_deref().unwrap_or(&config.settings)
    }

    /// Sets what the user may set.
    pub fn set(&mut self, config: &Config, settings: Settings) {
        // Most connections stay as they began: they need no room for it.
        self.settings = (settings != config.settings).then(|| Box::new(settings));
        if self.state != State::Closed {
            // What has been due for a while falls due at once.
            self.watch(self.liveness.heard, config);
        }
    }

    /// How many octets [`send`](Tcb::send) would take.
    pub fn send_room(&self, config: &Config) -> usize {
        if self.fin_queued || !self.state.sends_text() {
            return 0;
        }
        config
            .send_capacity()
            .saturating_sub(self.send_buffer.len())
    }

    /// Queues as much of `data` as there is room for and returns how much that is;
    /// `None` where the user has closed or the connection is over.
    pub fn send(&mut self, config: &Config, data: &[u8]) -> Option<usize> {
        if self.fin_queued || !self.state.sends_text() {
            return None;
        }
        let count = data.len().min(self.send_room(config));
        self.send_buffer.push(&data[..count]);
        // Until there is room: what fits in the meantime does not end the wait.
        self.send_was_short |= count < data.len();
        Some(count)
    }

    /// Moves octets that arrived in order into `out` and returns how many.
    pub fn recv(&mut self, config: &Config, out: &mut [u8]) -> usize {
        let count = self.receive_buffer.read(out);
        if count > 0 {
            self.release_receive_buffer();
            self.pass_urgent(count);
            self.note_read(config);
        }
        count
    }

    /// The octets that arrived in order and are not read, in place.
    pub fn recv_slices(&self) -> [&[u8]; 2] {
        self.receive_buffer.slices(0, usize::MAX)
    }

    /// Drops `count` octets from the front of the unread ones, or as many as there are.
    pub fn consume(&mut self, config: &Config, count: usize) {
        self.receive_buffer.consume(count);
        if count > 0 {
            self.release_receive_buffer();
            self.pass_urgent(count);
            self.note_read(config);
        }
    }

    /// Whether all that the peer sent before its FIN has been read.
    pub fn is_at_end(&self) -> bool {
        self.receive_buffer.len() == 0
            && !self.state.receives_text()
            && !matches!(self.state, State::SynSent | State::SynReceived)
    }

    /// No more will be sent: a FIN follows what is queued (RFC 9293 section 3.10.4).
    pub fn shutdown(&mut self) -> Effects {
        let mut effects = Effects::default();
        if self.fin_queued {
            return effects;
        }
        match self.state {
            // Section 3.10.4 has the connection deleted. What the user has queued would be
            // lost with it: then the FIN waits behind it.
            State::SynSent if self.send_buffer.len() == 0 => {
                self.finish(CloseReason::Aborted, &mut effects);
            }
            // The FIN waits for ESTABLISHED, as the text does that section 3.10.4 looks at.
            State::SynSent | State::SynReceived => self.fin_queued = true,
            State::Established => {
                self.fin_queued = true;
                self.enter(State::FinWait1, &mut effects);
            }
            State::CloseWait => {
                self.fin_queued = true;
                self.enter(State::LastAck, &mut effects);
            }
            _ => {}
        }
        effects
    }

    /// The user lets go: as [`shutdown`](Tcb::shutdown), and text that arrives from now
    /// on is answered with a reset, as is text that was not read (SHLD-3).
    ///
    /// From the next [`poll_transmit`](Tcb::poll_transmit) on, its time is limited.
    pub fn close(&mut self) -> Effects {
        let unread = self.receive_buffer.len() > 0 || !self.reassembly.is_empty();
        let open = self.state.receives_text() || self.state == State::CloseWait;
        if unread && open {
            return self.abort();
        }
        self.released = true;
        self.shutdown()
    }

    /// Ends the connection at once with a reset (RFC 9293 section 3.10.5).
    pub fn abort(&mut self) -> Effects {
        let mut effects = Effects::default();
        self.released = true;
        match self.state {
            State::Closed | State::Listen => return effects,
            State::SynSent | State::TimeWait => {}
            // Once the FIN is out the peer learns from it that this was the end; before that, the
            // connection is still in the RFC's ESTABLISHED or CLOSE-WAIT (section 3.10.4).
            State::Closing | State::LastAck if self.fin_sent => {}
            _ => {
                effects.reset = Some(self.reset());
            }
        }
        self.finish(CloseReason::Aborted, &mut effects);
        effects
    }

    /// How the connection is doing.
    pub fn info(&self, config: &Config) -> Info {
        let (srtt, rttvar) = self.rtt.smoothed().unzip();
        Info {
            state: self.state,
            phase: self.phase(),
            controller: self.congestion.name(),
            srtt,
            rttvar,
            min_rtt: srtt.map(|_| self.rtt.min()),
            rto: self.rto(config),
            cwnd: self.network_window(),
            ssthresh: self.congestion.slow_start_threshold(),
            in_flight: self.flight.pipe(),
            unacknowledged: self.flight(),
            unsent: self.unsent(),
            // The buffer is bounded by the window.
            unread: self.receive_buffer.len() as u32,
            send_mss: self.snd.mss,
            path_mtu: self.path_mtu(),
            receive_mss: self.rcv.mss,
            send_window: self.snd.wnd,
            receive_window: self.rcv.edge - self.rcv.nxt,
            window_scale: (self.snd.shift, self.rcv.shift),
            sack: self.rcv.sack_permitted,
            timestamps: self.timestamps.enabled(),
            ecn: self.ecn.enabled(),
            tally: self.tally,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        let congestion = &self.congestion;
        match &self.flight.episode {
            Some(episode) if episode.is_fast() => Phase::Recovery,
            Some(_) => Phase::Loss,
            None if self.flight.board.sacked() > 0 || self.flight.duplicate_acks > 0 => {
                Phase::Disorder
            }
            None if congestion.window() < congestion.slow_start_threshold() => Phase::SlowStart,
            None => Phase::Avoidance,
        }
    }
}
