//! What a simulator asks of a connection: whether all holds that should, and how it sees what it
//! has sent.

use core::time::Duration;

use super::buffer::RingBuffer;
use super::config::Config;
use super::congestion::{Congestion, Controller};
pub(crate) use super::loss::{Fate, MAX_RUNS};
use super::state::State;
use super::tcb::{AckDue, Tcb};
use super::timers::Timer;
use crate::time::Instant;
use crate::wire::SeqNumber;

/// Returns the text that follows as an error, unless the condition holds.
macro_rules! hold {
    ($holds:expr, $($text:tt)+) => {
        let holds: bool = $holds;
        if !holds {
            return Err(format!($($text)+));
        }
    };
}

pub(crate) use hold;

/// No window is larger (RFC 7323 section 2.3).
const MAX_WINDOW: u32 = 1 << 30;

/// How a connection sees itself, in the terms of RFC 9293 section 3.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) state: State,
    /// ISS, SND.UNA and SND.NXT.
    pub(crate) iss: SeqNumber,
    pub(crate) una: SeqNumber,
    pub(crate) nxt: SeqNumber,
    /// SND.WND, and the largest there ever was, in octets.
    pub(crate) wnd: u32,
    pub(crate) max_wnd: u32,
    /// Snd.Wind.Shift.
    pub(crate) shift: u8,
    /// The most text that fits one segment, in octets.
    pub(crate) mss: u16,
    /// The window of congestion control, or that of a recovery, in octets.
    pub(crate) cwnd: u32,
    /// cwnd and ssthresh of the controller, in octets, and its name.
    pub(crate) window: u32,
    pub(crate) ssthresh: u32,
    /// SND.NXT when the window was last cut, until that is acknowledged.
    pub(crate) cut: Option<SeqNumber>,
    pub(crate) controller: &'static str,
    /// The episode of recovery that goes on, if one does.
    pub(crate) recovery: Option<Recovery>,
    /// How often in a row the oldest octet in flight was sent again, or the window probed; and how
    /// often that may be at most, where the user has said so on this connection.
    pub(crate) retries: u8,
    pub(crate) most_retries: Option<u8>,
    /// How many probes for a lost tail there were, and how many mistaken episodes.
    pub(crate) tail_probes: u32,
    pub(crate) spurious: u32,
    /// SRTT, zero before the first measurement, and RTTVAR; and how often the RTO was doubled.
    pub(crate) srtt: Duration,
    pub(crate) rttvar: Option<Duration>,
    pub(crate) backoff: u8,
    /// When the retransmission timer is due, if it runs.
    pub(crate) retransmit: Option<Instant>,
    /// The pipe of RFC 6675, in octets.
    pub(crate) pipe: u32,
    /// Whether both ends agree on congestion marks.
    pub(crate) ecn: bool,
    /// IRS, RCV.NXT, and the right edge of the window offered.
    pub(crate) irs: SeqNumber,
    pub(crate) rcv_nxt: SeqNumber,
    pub(crate) rcv_edge: SeqNumber,
    /// Rcv.Wind.Shift.
    pub(crate) rcv_shift: u8,
    /// The most text in a segment that it takes.
    pub(crate) rcv_mss: u16,
    pub(crate) sack_permitted: bool,
    /// Whether segments carry timestamps.
    pub(crate) timestamps: bool,
    /// TS.Recent, as long as it says something (RFC 7323 section 5.5).
    pub(crate) ts_recent: Option<u32>,
    /// When the last segment came that was acceptable.
    pub(crate) heard: Instant,
    /// Whether the window is taken for closed, and probed.
    pub(crate) probes_window: bool,
}

/// An episode of recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// Whether it is fast recovery; else it follows a retransmission timeout.
    pub(crate) is_fast: bool,
    /// SND.UNA when it began, or when the one did that it has grown out of.
    pub(crate) from: SeqNumber,
}

impl View {
    /// Whether it recovers from a retransmission timeout.
    pub(crate) fn has_timed_out(&self) -> bool {
        self.recovery.is_some_and(|recovery| !recovery.is_fast)
    }

    /// Whether it is in fast recovery.
    pub(crate) fn is_in_fast_recovery(&self) -> bool {
        self.recovery.is_some_and(|recovery| recovery.is_fast)
    }
}

impl Tcb {
    /// How the connection sees itself at `now`.
    pub(crate) fn view(&self, now: Instant) -> View {
        View {
            state: self.state,
            iss: self.snd.iss,
            una: self.snd.una,
            nxt: self.snd.nxt,
            wnd: self.snd.wnd,
            max_wnd: self.snd.max_wnd,
            shift: self.snd.shift,
            mss: self.snd.mss,
            cwnd: self.network_window(),
            window: self.congestion.window(),
            ssthresh: self.congestion.slow_start_threshold(),
            cut: self.ecn.reduced,
            controller: self.congestion.name(),
            recovery: self.flight.recovery(),
            retries: self.retries,
            most_retries: self.own_limit(),
            tail_probes: self.tally.tail_probes,
            spurious: self.tally.spurious,
            srtt: self.srtt(),
            rttvar: self.rtt.smoothed().map(|(_, rttvar)| rttvar),
            backoff: self.rtt.backoff(),
            retransmit: Some(self.timers.due(Timer::Retransmit))
                .filter(|due| *due != Instant::FAR_FUTURE),
            pipe: self.flight.pipe(),
            ecn: self.ecn.enabled(),
            irs: self.rcv.irs,
            rcv_nxt: self.rcv.nxt,
            rcv_edge: self.rcv.edge,
            rcv_shift: self.rcv.shift,
            rcv_mss: self.rcv.mss,
            sack_permitted: self.rcv.sack_permitted,
            timestamps: self.timestamps.enabled(),
            ts_recent: self.timestamps.fresh(now),
            heard: self.liveness.heard,
            probes_window: self.timers.is_set(Timer::Persist),
        }
    }

    /// How many retransmissions in a row there may be by what the user has set on the connection.
    fn own_limit(&self) -> Option<u8> {
        let is_open = self.state.is_synchronized();
        let settings = self.settings.as_ref().filter(|_| is_open)?;
        settings
            .user_timeout
            .is_none()
            .then_some(settings.max_retransmissions)
    }

    /// What was sent and is not acknowledged, in order, from one number up to another, and how
    /// it fares.
    pub(crate) fn sent_runs(&self) -> impl Iterator<Item = (SeqNumber, SeqNumber, Fate)> + Clone {
        self.flight.board.sent_runs()
    }

    /// What has come ahead of its turn, in order, from one number up to another.
    pub(crate) fn runs_ahead(&self) -> &[(SeqNumber, SeqNumber)] {
        self.reassembly.runs()
    }

    /// What holds of a connection between any two calls, whatever its peer does.
    pub(crate) fn audit(&self, now: Instant, config: &Config) -> Result<(), String> {
        self.audit_numbers()?;
        self.audit_ends()?;
        self.audit_receiver(config)?;
        self.audit_limits(config)?;
        self.audit_timers(now, config)?;
        self.audit_memory(config)?;
        if self.state.is_synchronized() {
            let sack = self.rcv.sack_permitted;
            self.flight.audit(now, self.snd.una, self.snd.nxt, sack)?;
        }
        Ok(())
    }

    /// The numbers of what is sent.
    fn audit_numbers(&self) -> Result<(), String> {
        let snd = &self.snd;
        let (una, nxt, iss) = (snd.una, snd.nxt, snd.iss);
        hold!(una <= nxt, "SND.UNA {una} lies beyond SND.NXT {nxt}");
        // RFC 7323 section 2.2.
        let most = u32::from(u16::MAX) << snd.shift;
        hold!(
            snd.wnd <= snd.max_wnd && snd.max_wnd <= most && snd.shift <= 14,
            "SND.WND {}, at most {} so far, of a field that holds {most}",
            snd.wnd,
            snd.max_wnd
        );
        let (flight, queued) = (self.flight(), self.send_buffer.len());
        match self.state {
            State::Closed | State::Listen => return Ok(()),
            State::SynSent | State::SynReceived => {
                // The SYN takes a number, and goes alone (RFC 9293 section 3.4).
                hold!(
                    una == iss && flight <= 1,
                    "{}: SND.UNA {una} and SND.NXT {nxt} of ISS {iss}",
                    self.state
                );
                hold!(
                    flight == 1 || self.syn_due,
                    "{}: the SYN is not sent and not due",
                    self.state
                );
            }
            _ => {
                // RFC 9293 sections 3.8.6 and 3.8.6.1: a window's worth at most, since what was
                // offered ends no more than a window beyond SND.UNA, and the octet that probes it.
                hold!(
                    flight <= snd.max_wnd.saturating_add(1),
                    "{flight} octets from SND.UNA {una} on, of windows of {} at most",
                    snd.max_wnd
                );
                // What is in flight can be sent again: text from the buffer, and one FIN.
                let fin = usize::from(self.fin_sent && flight > 0);
                hold!(
                    flight as usize <= queued + fin,
                    "{flight} octets in flight from SND.UNA {una} on, {queued} in the buffer, FIN {fin}"
                );
                // It is the last number there is (RFC 9293 section 3.10.4).
                hold!(
                    !self.fin_sent || flight as usize == queued + fin,
                    "the FIN is sent, and {queued} octets are in the buffer with {flight} in flight"
                );
            }
        }
        if let Some(up) = snd.up {
            // RFC 9293 section 3.8.5.
            let end = self.text_end();
            hold!(
                una < up && up <= end,
                "SND.UP {up} not between SND.UNA {una} and {end}, the end of the text"
            );
        }
        Ok(())
    }

    /// Which FINs there are in which state (RFC 9293 section 3.3.2).
    fn audit_ends(&self) -> Result<(), String> {
        let (state, queued, sent) = (self.state, self.fin_queued, self.fin_sent);
        let acknowledged = sent && self.flight() == 0;
        hold!(!sent || queued, "{state}: a FIN is sent that nobody wanted");
        let ours = match state {
            State::Closed | State::Listen => return Ok(()),
            State::SynSent | State::SynReceived => !sent,
            State::Established | State::CloseWait => !queued,
            State::FinWait1 | State::Closing | State::LastAck => queued && !acknowledged,
            State::FinWait2 | State::TimeWait => acknowledged,
        };
        hold!(
            ours,
            "{state}: our FIN queued: {queued}, sent: {sent}, acknowledged: {acknowledged}"
        );
        let (fin, nxt) = (self.rcv.fin, self.rcv.nxt);
        let theirs = match state {
            State::SynSent | State::SynReceived => fin.is_none(),
            _ if state.receives_text() => fin.is_none_or(|fin| nxt < fin && fin <= self.rcv.edge),
            _ => fin == Some(nxt - 1),
        };
        hold!(
            theirs,
            "{state}: the peer's FIN at {fin:?} with RCV.NXT {nxt}"
        );
        Ok(())
    }

    /// What has come, and what may.
    fn audit_receiver(&self, config: &Config) -> Result<(), String> {
        let (nxt, edge) = (self.rcv.nxt, self.rcv.edge);
        let unread = self.receive_buffer.len();
        hold!(nxt <= edge, "RCV.NXT {nxt} beyond the window's edge {edge}");
        // What is offered can be kept (RFC 9293 section 3.8.6.2.2).
        let offered = edge - nxt;
        hold!(
            unread as u64 + u64::from(offered) <= u64::from(config.receive_window()),
            "{unread} octets unread and {offered} offered of a buffer of {}",
            config.receive_window()
        );
        let runs = self.reassembly.runs();
        // CVE-2018-5390.
        let most = config.out_of_order_runs(self.rcv.mss);
        hold!(
            runs.len() <= most,
            "{} runs out of order, at most {most} allowed",
            runs.len()
        );
        hold!(
            runs.is_empty() || self.state.receives_text(),
            "{}: text is kept that nobody waits for: {runs:?}",
            self.state
        );
        let mut before = nxt;
        for &(left, right) in runs {
            // With a gap before each: what follows on melts into one (RFC 2018 section 3).
            hold!(
                before < left && left < right && right <= edge,
                "{left}..{right} out of order, after {before} and before {edge}"
            );
            before = right;
        }
        // The octets that are kept are there.
        let needed = unread + (before - nxt) as usize;
        hold!(
            needed <= self.receive_buffer.capacity(),
            "{needed} octets in a receive buffer of {}",
            self.receive_buffer.capacity()
        );
        Ok(())
    }

    /// What is counted and measured stays within its bounds.
    fn audit_limits(&self, config: &Config) -> Result<(), String> {
        let settings = self.settings(config);
        // RFC 9293 section 3.8.3. Who has settings of its own may have lowered it meanwhile, which
        // counts from the next one on: whoever sees them come can tell. In CLOSED it is what
        // it was before, by another limit.
        let limit = match self.state {
            State::Closed => u8::MAX,
            State::SynReceived if self.passive => config.max_syn_ack_retransmissions,
            _ if settings.user_timeout.is_some() || self.settings.is_some() => u8::MAX,
            State::SynSent | State::SynReceived => config.max_syn_retransmissions,
            _ => settings.max_retransmissions,
        };
        hold!(
            self.retries <= limit,
            "{}: {} retransmissions in a row, at most {limit} allowed",
            self.state,
            self.retries
        );
        // RFC 5961 section 7.
        hold!(
            self.challenges <= config.max_challenges,
            "{} challenges in a row, at most {} allowed",
            self.challenges,
            config.max_challenges
        );
        // RFC 6298 sections 2.4 and 2.5.
        let rto = self.rto(config);
        let least = config.min_rto.min(config.max_rto);
        hold!(
            least <= rto && rto <= config.max_rto,
            "RTO {rto:?} not between {least:?} and {:?}",
            config.max_rto
        );
        if !self.state.is_synchronized() {
            return Ok(());
        }
        let (cwnd, mss) = (self.congestion.window(), u32::from(self.snd.mss));
        // RFC 9293 section 3.7.1, RFC 1191 section 6.4.
        let by_path = self.path.mss(config);
        hold!(
            self.snd.mss == by_path && mss > 0,
            "segments of {mss} octets, by what is known of the path {by_path}"
        );
        // RFC 5681 section 3.1: one segment can always be sent.
        let is_custom = matches!(self.congestion, Congestion::Custom(_));
        hold!(
            mss <= cwnd && (cwnd <= MAX_WINDOW || is_custom),
            "a congestion window of {cwnd} octets with segments of {mss}"
        );
        let ssthresh = self.congestion.slow_start_threshold();
        hold!(ssthresh > 0, "a slow start threshold of zero");
        Ok(())
    }

    /// Which timers run, and how long.
    fn audit_timers(&self, now: Instant, config: &Config) -> Result<(), String> {
        let state = self.state;
        for timer in Timer::ALL {
            let (due, latest) = (self.timers.due(timer), now + longest(timer, config));
            hold!(
                due <= latest || due == Instant::FAR_FUTURE,
                "{state}: {timer:?} is due at {due}, at {latest} at the latest"
            );
            // RFC 9293 section 3.10.8: there is nothing to time.
            hold!(
                due == Instant::FAR_FUTURE || state != State::Closed,
                "CLOSED: {timer:?} runs"
            );
        }
        let runs = |timer| self.timers.is_set(timer);
        let waits = self.flight() > 0 || self.unsent() > 0 || self.owes_fin();
        // RFC 6298 section 5.2; but where ECN holds back what is new.
        hold!(
            !runs(Timer::Retransmit) || self.flight() > 0 || self.ecn.holds(),
            "{state}: the retransmission timer runs with nothing in flight"
        );
        // RFC 6298 section 5.3; but after the first of several partial acknowledgments where there
        // is no SACK (RFC 6582 section 3.2 step 3).
        let restarts = self.rcv.sack_permitted || self.flight.episode.is_none();
        let earliest = self.liveness.waiting + config.min_rto.min(config.max_rto);
        hold!(
            !runs(Timer::Retransmit)
                || self.flight() == 0
                || !restarts
                || earliest <= self.timers.due(Timer::Retransmit),
            "{state}: the retransmission timer is due at {}, SND.UNA is {} since {}",
            self.timers.due(Timer::Retransmit),
            self.snd.una,
            self.liveness.waiting
        );
        hold!(
            !runs(Timer::Persist) || waits,
            "{state}: the window is probed with nothing to send"
        );
        // One waits for an acknowledgment, the other for a window (RFC 9293 section 3.8.6.1).
        hold!(
            !(runs(Timer::Persist) && runs(Timer::Retransmit)),
            "{state}: the retransmission timer runs, and the window is probed"
        );
        // RFC 8985 section 7.2.
        hold!(
            !runs(Timer::TailProbe) || (self.flight() > 0 && self.rcv.sack_permitted),
            "{state}: a probe for a lost tail of nothing"
        );
        // RFC 9293 section 3.8.6.3, MUST-40.
        hold!(
            self.ack_due != AckDue::Later || runs(Timer::DelayedAck),
            "{state}: an acknowledgment waits for no timer"
        );
        // RFC 9293 section 3.6.1.
        hold!(
            state != State::TimeWait || runs(Timer::End),
            "TIME-WAIT without end"
        );
        Ok(())
    }

    /// Buffers are as large as they may be, and go when they are empty.
    fn audit_memory(&self, config: &Config) -> Result<(), String> {
        let (sent, received) = (&self.send_buffer, &self.receive_buffer);
        let buffers = [
            ("send", sent, config.send_capacity(), true),
            (
                "receive",
                received,
                config.receive_window() as usize,
                self.reassembly.is_empty(),
            ),
        ];
        for (name, buffer, limit, unused) in buffers {
            let (len, storage) = (buffer.len(), buffer.capacity());
            hold!(
                len <= limit && storage <= limit.max(RingBuffer::MIN_CAPACITY).next_power_of_two(),
                "{len} octets in a {name} buffer of {storage}, at most {limit} allowed"
            );
            hold!(
                storage == 0 || len > 0 || !unused || self.timers.is_set(Timer::Release),
                "{}: an empty {name} buffer keeps {storage} octets of storage",
                self.state
            );
        }
        Ok(())
    }

    /// What holds besides when the connection has been asked for segments until it had none:
    /// nothing stands still in silence. Whatever is outstanding has a timer that moves it.
    pub(crate) fn audit_at_rest(&self, config: &Config) -> Result<(), String> {
        let (state, runs) = (self.state, |timer| self.timers.is_set(timer));
        if matches!(state, State::Closed | State::Listen) {
            return Ok(());
        }
        hold!(
            self.ack_due != AckDue::Now && self.duplicate_acks_due == 0,
            "{state}: an acknowledgment is due and does not go out"
        );
        // RFC 9293 section 3.8.6.2.2: who may wait for room is told of it, unless the field is
        // too coarse to say so; that of a SYN holds no more than 65535.
        let (gain, offered) = (self.window_gain(config), self.rcv.edge - self.rcv.nxt);
        let low = (self.largest_window(config) / 2).min(u16::MAX.into());
        hold!(
            self.ack_due != AckDue::No
                || !state.receives_text()
                || gain >> self.rcv.shift == 0
                || low <= offered,
            "{state}: {offered} octets offered, {gain} more could be, and the peer is not told"
        );
        // A connection without user ends in any case.
        hold!(
            !self.released || runs(Timer::End),
            "{state}: without user and without end"
        );
        if matches!(state, State::SynSent | State::SynReceived) {
            hold!(
                !self.syn_due && runs(Timer::Retransmit),
                "{state}: the SYN waits for nothing"
            );
            return Ok(());
        }
        let (flight, unsent) = (self.flight(), self.unsent());
        // RFC 6298 section 5.1, or RFC 9293 section 3.8.6.1: an acknowledgment may be lost, and
        // so may the segment that opens a window.
        let outstanding = flight > 0 || unsent > 0 || self.owes_fin();
        hold!(
            !outstanding || runs(Timer::Retransmit) || runs(Timer::Persist),
            "{state}: {flight} octets in flight, {unsent} to be sent, FIN to be sent: {}, and no \
             timer runs",
            self.owes_fin()
        );
        // RFC 9293 sections 3.8.3 and 3.8.4. It comes early, finds out, and is set again.
        let (due, latest) = (self.timers.due(Timer::Liveness), self.watch_due(config));
        hold!(
            due <= latest,
            "{state}: whether the peer is there is looked at {due}, not by {latest}"
        );
        Ok(())
    }

    /// Our FIN is still to be sent.
    fn owes_fin(&self) -> bool {
        self.fin_queued && !self.fin_sent
    }
}

/// How long a timer may run.
fn longest(timer: Timer, config: &Config) -> Duration {
    match timer {
        // RFC 6298 section 2.5, RFC 9293 section 3.8.6.1.
        Timer::Retransmit | Timer::TailProbe | Timer::Persist => {
            config.max_rto.max(Duration::from_millis(1))
        }
        // MUST-40.
        Timer::DelayedAck => Duration::from_millis(499),
        Timer::Release => config.buffer_retention,
        Timer::End => config.orphan_timeout.max(config.msl.saturating_mul(2)),
        // As long as a round trip, or as the user likes.
        Timer::Reorder | Timer::Pace | Timer::Liveness => Duration::MAX,
    }
}
