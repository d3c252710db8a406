use core::time::Duration;

use super::buffer::RingBuffer;
use super::config::Config;
use super::congestion::{Congestion, Pacer};
use super::ecn::Ecn;
use super::effects::{CloseReason, Effects, ResetReply};
use super::info::Tally;
use super::loss::Flight;
use super::path::Path;
use super::reassembly::Reassembly;
use super::rtt::Rtt;
use super::settings::Settings;
use super::state::State;
use super::syn::{DEFAULT_MSS, Opening};
use super::timers::TimerTable;
use super::timestamps::Timestamps;
use crate::time::Instant;
use crate::wire::SeqNumber;

/// The send sequence space (RFC 9293 section 3.3.1), all windows in octets.
#[derive(Debug)]
pub(super) struct SendSpace {
    /// SND.UNA: the oldest number not acknowledged.
    pub(super) una: SeqNumber,
    /// SND.NXT: the number after the highest one ever sent.
    pub(super) nxt: SeqNumber,
    /// SND.UP: the number after the urgent data, until that is acknowledged.
    pub(super) up: Option<SeqNumber>,
    /// SND.WND: the window that the peer offers.
    pub(super) wnd: u32,
    /// SND.WL1: SEG.SEQ of the segment that last set the window.
    pub(super) wl1: SeqNumber,
    /// SND.WL2: SEG.ACK of that segment.
    pub(super) wl2: SeqNumber,
    /// ISS: our initial sequence number.
    pub(super) iss: SeqNumber,
    /// MAX.SND.WND: the largest window that the peer ever offered (RFC 5961 section 5.2).
    pub(super) max_wnd: u32,
    /// Snd.Wind.Shift (RFC 7323 section 2.3).
    pub(super) shift: u8,
    /// The most text that fits one segment to the peer (RFC 9293 section 3.7.1).
    pub(super) mss: u16,
}

/// The receive sequence space (RFC 9293 section 3.3.1).
#[derive(Debug)]
pub(super) struct ReceiveSpace {
    /// RCV.NXT: the next number expected.
    pub(super) nxt: SeqNumber,
    /// The right edge of the window, RCV.NXT + RCV.WND: it never moves left (SHLD-14).
    pub(super) edge: SeqNumber,
    /// RCV.UP, as octets after the first unread one; zero where there is no urgent data.
    pub(super) urgent: u32,
    /// IRS: the peer's initial sequence number.
    pub(super) irs: SeqNumber,
    /// Rcv.Wind.Shift (RFC 7323 section 2.3).
    pub(super) shift: u8,
    /// The MSS that we announce.
    pub(super) mss: u16,
    /// Whether the peer understands SACK; before its SYN has come, whether we offer it.
    pub(super) sack_permitted: bool,
    /// The largest text seen in a segment: what counts as full-sized.
    pub(super) largest: u16,
    /// Octets received since the last acknowledgment.
    pub(super) unacknowledged: u32,
    /// How many segments in order are still acknowledged at once.
    pub(super) quick_acks: u8,
    /// Text has come since we last sent some.
    pub(super) unanswered: bool,
    /// The number of a FIN that arrived ahead of its turn.
    pub(super) fin: Option<SeqNumber>,
}

/// What tells whether the peer is still there.
#[derive(Debug)]
pub(super) struct Liveness {
    /// When its last segment came that was acceptable.
    pub(super) heard: Instant,
    /// Since when what is outstanding has made no progress: when SND.UNA last moved, or when
    /// the oldest octet was first sent if nothing was outstanding before.
    pub(super) waiting: Instant,
    /// When the last keepalive probe fell due.
    pub(super) probed: Instant,
    /// How many have, while the peer was silent.
    pub(super) probes: u8,
    /// The next one waits to be sent.
    pub(super) probe: bool,
}

impl Liveness {
    pub(super) const fn new() -> Liveness {
        Liveness {
            heard: Instant::ZERO,
            waiting: Instant::ZERO,
            probed: Instant::ZERO,
            probes: 0,
            probe: false,
        }
    }
}

/// How urgently an acknowledgment is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AckDue {
    No,
    /// The delayed-ACK timer runs.
    Later,
    Now,
}

/// One connection: its transmission control block.
///
/// A `Tcb` is driven by its owner, which passes it segments, user calls and the time,
/// and asks it for segments to send. It starts with the SYN: LISTEN is the affair of
/// the stack.
#[derive(Debug)]
pub struct Tcb {
    pub(super) state: State,
    /// Whether it came from LISTEN (MUST-11).
    pub(super) passive: bool,
    pub(super) snd: SendSpace,
    pub(super) rcv: ReceiveSpace,
    /// Octets from SND.UNA on, acknowledged ones dropped.
    pub(super) send_buffer: RingBuffer,
    /// Octets up to RCV.NXT that the user has not read; after them those out of order.
    pub(super) receive_buffer: RingBuffer,
    pub(super) reassembly: Reassembly,
    pub(super) path: Path,
    pub(super) rtt: Rtt,
    pub(super) timestamps: Timestamps,
    pub(super) ecn: Ecn,
    pub(super) congestion: Congestion,
    pub(super) pacer: Pacer,
    pub(super) flight: Flight,
    /// When text was last sent.
    pub(super) sent_at: Instant,
    /// The congestion window was what ended the last sending.
    pub(super) cwnd_limited: bool,
    pub(super) timers: TimerTable,
    pub(super) liveness: Liveness,
    /// How often in a row the oldest octet in flight was sent again, or the window
    /// probed, without an answer.
    pub(super) retries: u8,
    /// How often the window was probed since anything was acknowledged.
    pub(super) probes: u8,
    pub(super) ack_due: AckDue,
    /// Segments ahead of their turn that a peer without SACK has not been answered. Each is
    /// owed an acknowledgment of its own, however many arrive before the next is sent:
    /// the peer counts them (RFC 5681 sections 3.2 and 4.2).
    pub(super) duplicate_acks_due: u8,
    /// When the count of challenges began, and how many there were since.
    pub(super) challenged_since: Instant,
    pub(super) challenges: u8,
    /// The user has closed: a FIN follows the last octet of the send buffer.
    pub(super) fin_queued: bool,
    /// That FIN was sent.
    pub(super) fin_sent: bool,
    /// Our SYN goes out next, for the first time or again.
    pub(super) syn_due: bool,
    /// When it was sent, if only once: then its acknowledgment measures a round trip.
    pub(super) syn_sent_at: Option<Instant>,
    /// The window is closed and a probe goes out next.
    pub(super) probe: bool,
    /// A call to send took less than it was given.
    pub(super) send_was_short: bool,
    /// There is no user any more.
    pub(super) released: bool,
    /// What the user has set; where nothing, [`Config::settings`] counts.
    pub(super) settings: Option<Box<Settings>>,
    pub(super) tally: Tally,
}

impl Tcb {
    pub(super) fn new(state: State, config: &Config, opening: Opening) -> Tcb {
        let Opening {
            iss,
            mss,
            timestamp_offset,
        } = opening;
        Tcb {
            state,
            passive: false,
            snd: SendSpace {
                una: iss,
                nxt: iss,
                up: None,
                wnd: 0,
                wl1: SeqNumber(0),
                wl2: SeqNumber(0),
                iss,
                max_wnd: 0,
                shift: 0,
                mss: DEFAULT_MSS.min(mss),
            },
            rcv: ReceiveSpace {
                nxt: SeqNumber(0),
                // A SYN's window field is not scaled (RFC 7323 section 2.2).
                edge: SeqNumber(0) + config.receive_window().min(u16::MAX.into()),
                urgent: 0,
                irs: SeqNumber(0),
                shift: config.window_shift(),
                mss,
                sack_permitted: config.sack,
                largest: DEFAULT_MSS,
                unacknowledged: 0,
                quick_acks: config.quick_acks,
                unanswered: false,
                fin: None,
            },
            send_buffer: RingBuffer::default(),
            receive_buffer: RingBuffer::default(),
            reassembly: Reassembly::default(),
            path: Path::new(),
            rtt: Rtt::new(),
            congestion: config.congestion(DEFAULT_MSS.min(mss).into()),
            pacer: Pacer::default(),
            flight: Flight::new(iss),
            sent_at: Instant::ZERO,
            cwnd_limited: false,
            timestamps: Timestamps::new(config, timestamp_offset),
            ecn: Ecn::new(state, config),
            timers: TimerTable::new(),
            liveness: Liveness::new(),
            retries: 0,
            probes: 0,
            ack_due: AckDue::No,
            duplicate_acks_due: 0,
            challenged_since: Instant::ZERO,
            challenges: 0,
            fin_queued: false,
            fin_sent: false,
            syn_due: true,
            syn_sent_at: None,
            probe: false,
            send_was_short: false,
            released: false,
            settings: None,
            tally: Tally::default(),
        }
    }

    /// SND.WND, and by which segment it was set.
    pub(super) fn set_send_window(&mut self, window: u32, seq: SeqNumber, ack: SeqNumber) {
        self.snd.wnd = window;
        self.snd.max_wnd = self.snd.max_wnd.max(window);
        self.snd.wl1 = seq;
        self.snd.wl2 = ack;
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// When [`handle_timeout`](Tcb::handle_timeout) is due; the end of time where no timer runs.
    pub fn deadline(&self) -> Instant {
        self.timers.next()
    }

    /// A reset that the peer believes.
    pub(super) fn reset(&self) -> ResetReply {
        ResetReply {
            seq: self.bare_seq(),
            ack: Some(self.rcv.nxt),
            echo: self.timestamps.echo(),
        }
    }

    /// Goes over to `next`.
    pub(super) fn enter(&mut self, next: State, effects: &mut Effects) {
        debug_assert!(self.state.leads_to(next), "{} to {next}", self.state);
        if let Some(slot) = effects.transitions.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some((self.state, next));
        }
        self.state = next;
    }

    /// Goes over to CLOSED. What was received stays readable.
    pub(super) fn finish(&mut self, reason: CloseReason, effects: &mut Effects) {
        if self.state == State::Closed {
            return;
        }
        self.enter(State::Closed, effects);
        self.timers.stop_all();
        self.send_buffer.clear();
        self.reassembly.clear();
        self.release_receive_buffer();
        self.ack_due = AckDue::No;
        effects.closed = Some(reason);
    }

    /// The number of the first octet in the send buffer, where the peer's window begins
    /// too: SND.UNA, or that after our SYN, for which the window has no say.
    pub(super) fn window_start(&self) -> SeqNumber {
        let syn = matches!(self.state, State::SynSent | State::SynReceived);
        self.snd.una + u32::from(syn)
    }

    /// The number after the last octet that the user has queued.
    pub(super) fn text_end(&self) -> SeqNumber {
        // Bounded by `Config::send_capacity`.
        self.window_start() + self.send_buffer.len() as u32
    }

    /// The number of a segment that takes none: SND.NXT, but not one beyond the peer's
    /// window, where it would go unheard (RFC 9293 appendix A.2). SND.NXT lies there
    /// after a probe that was not taken, or when the window has shrunk.
    pub(super) fn bare_seq(&self) -> SeqNumber {
        self.snd.nxt.min(self.send_edge())
    }

    /// The right edge of the peer's window: SND.UNA + SND.WND.
    pub(super) fn send_edge(&self) -> SeqNumber {
        self.window_start() + self.snd.wnd
    }

    /// How much of the peer's window nothing was sent into; none where it has shrunk below
    /// what was (SHLD-15).
    pub(super) fn usable_window(&self) -> u32 {
        let (edge, nxt) = (self.send_edge(), self.snd.nxt);
        if nxt < edge { edge - nxt } else { 0 }
    }

    /// SRTT; zero before the first measurement.
    pub(super) fn srtt(&self) -> Duration {
        self.rtt.srtt()
    }

    /// Octets queued that were never sent.
    pub(super) fn unsent(&self) -> u32 {
        // A SYN that is not out yet is no text.
        let (start, end) = (self.snd.nxt.max(self.window_start()), self.text_end());
        if start < end { end - start } else { 0 }
    }

    /// Octets sent and not acknowledged.
    pub(super) fn flight(&self) -> u32 {
        self.snd.nxt - self.snd.una
    }

    pub(super) fn rto(&self, config: &Config) -> Duration {
        self.rtt.rto(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The budget of an idle connection without its buffers, in bytes. These bounds are to
    /// sink, not to rise: 256 is the goal.
    #[test]
    fn sizes() {
        let flight = Flight::new(SeqNumber(0));
        let sizes = [
            ("Tcb", size_of::<Tcb>(), 872),
            ("SendSpace", size_of::<SendSpace>(), 40),
            ("ReceiveSpace", size_of::<ReceiveSpace>(), 36),
            ("RingBuffer", size_of::<RingBuffer>(), 32),
            ("Reassembly", size_of::<Reassembly>(), 56),
            ("Rtt", size_of::<Rtt>(), 48),
            ("Congestion", size_of::<Congestion>(), 64),
            ("Flight", size_of_val(&flight), 264),
            ("Scoreboard", size_of_val(&flight.board), 56),
            ("TimerTable", size_of::<TimerTable>(), 72),
            ("Liveness", size_of::<Liveness>(), 32),
            ("Tally", size_of::<Tally>(), 56),
        ];
        for (name, size, bound) in sizes {
            println!("{name}: {size} bytes");
            assert!(size <= bound, "{name} takes {size} bytes, not {bound}");
        }
    }
}
