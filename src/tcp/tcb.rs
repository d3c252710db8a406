use core::fmt;
use core::time::Duration;

use super::buffer::RingBuffer;
use super::config::Config;
use super::congestion::Congestion;
use super::reassembly::Reassembly;
use super::recovery::Recovery;
use super::rtt::Rtt;
use super::state::State;
use super::timers::{Timer, TimerTable};
use crate::time::Instant;
use crate::wire::{OptionSummary, SeqNumber, TcpSegment};

/// The send sequence space (RFC 9293 section 3.3.1), all windows in octets.
#[derive(Debug)]
pub(super) struct SendSpace {
    /// SND.UNA: the oldest number not acknowledged.
    pub(super) una: SeqNumber,
    /// SND.NXT: the number after the highest one ever sent.
    pub(super) nxt: SeqNumber,
    /// The next number to send: SND.NXT, or behind it while what follows is sent again.
    pub(super) cursor: SeqNumber,
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
    /// The number of a FIN that arrived ahead of its turn.
    pub(super) fin: Option<SeqNumber>,
}

/// How urgently an acknowledgment is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AckDue {
    No,
    /// The delayed-ACK timer runs.
    Later,
    Now,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// Both sides closed and all was acknowledged.
    Finished,
    /// The peer reset the connection.
    Reset,
    /// The peer answered our SYN with a reset.
    Refused,
    /// The peer did not answer any more (RFC 9293 section 3.8.3, R2).
    TimedOut,
    /// We aborted it.
    Aborted,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CloseReason::Finished => "closed by both sides",
            CloseReason::Reset => "reset by the peer",
            CloseReason::Refused => "refused by the peer",
            CloseReason::TimedOut => "timed out",
            CloseReason::Aborted => "aborted",
        })
    }
}

/// A reset to be sent: `<SEQ=seq>[<ACK=ack>]<CTL=RST[,ACK]>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetReply {
    /// SEG.SEQ.
    pub seq: SeqNumber,
    /// SEG.ACK, with the ACK bit.
    pub ack: Option<SeqNumber>,
}

impl ResetReply {
    /// The answer to a segment that belongs to no connection (RFC 9293 section
    /// 3.10.7.1); none to a reset.
    pub fn to_stray(segment: &TcpSegment<'_>) -> Option<ResetReply> {
        let flags = segment.flags();
        if flags.rst() {
            None
        } else if flags.ack() {
            Some(ResetReply {
                seq: segment.ack(),
                ack: None,
            })
        } else {
            Some(ResetReply {
                seq: SeqNumber(0),
                ack: Some(segment.seq() + segment.sequence_len()),
            })
        }
    }
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SegmentFate {
    /// It was processed.
    #[default]
    Processed,
    /// Outside the receive window.
    OutOfWindow,
    /// A SYN or an inexact reset on a synchronized connection (RFC 5961 sections 3 and 4).
    Challenged,
    /// Without ACK bit where one is required, or acknowledging what was never sent.
    BadAck,
    /// Text that found no room among the runs that wait for their turn.
    NoRoom,
    /// Text for a user who is gone.
    AfterClose,
}

/// What a call to a [`Tcb`] brought about, beside what it will send.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effects {
    /// What became of the segment, if there was one.
    pub fate: SegmentFate,
    /// A reset that is to be sent, also when the connection is gone.
    pub reset: Option<ResetReply>,
    /// The handshake is complete.
    pub connected: bool,
    /// There is new text to read, or the end of it.
    pub readable: bool,
    /// There is room again to send, where there was too little before.
    pub writable: bool,
    /// The peer's FIN was reached.
    pub peer_closed: bool,
    /// The connection is over.
    pub closed: Option<CloseReason>,
    transitions: [Option<(State, State)>; 3],
}

impl Effects {
    /// The changes of state, in their order.
    pub fn transitions(&self) -> impl Iterator<Item = (State, State)> + use<> {
        self.transitions.into_iter().flatten()
    }
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
    pub(super) rtt: Rtt,
    /// The number whose acknowledgment ends the running measurement, and its start.
    pub(super) timing: Option<(SeqNumber, Instant)>,
    pub(super) congestion: Congestion,
    /// At the last occasion to send, the congestion window did not admit all there was.
    pub(super) cwnd_limited: bool,
    pub(super) recovery: Recovery,
    pub(super) timers: TimerTable,
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
    pub(super) challenges: (Instant, u8),
    /// The user has closed: a FIN follows the last octet of the send buffer.
    pub(super) fin_queued: bool,
    /// That FIN was sent.
    pub(super) fin_sent: bool,
    /// The segment at SND.UNA is lost and goes out next.
    pub(super) retransmit_first: bool,
    /// The window is closed and a probe goes out next.
    pub(super) probe: bool,
    /// A call to send took less than it was given.
    pub(super) send_was_short: bool,
    /// There is no user any more.
    pub(super) released: bool,
}

impl Tcb {
    /// The smallest segment size that is believed: less invites a flood of tiny
    /// segments (CVE-2019-11479). Linux has 48 too.
    const MIN_MSS: u16 = 48;
    /// What a peer without MSS option takes (MUST-15).
    const DEFAULT_MSS: u16 = 536;

    /// An active open (RFC 9293 section 3.10.1): the SYN goes out with the next
    /// [`poll_transmit`](Tcb::poll_transmit). `mss` is what this end can receive,
    /// in octets of text.
    pub fn connect(config: &Config, iss: SeqNumber, mss: u16) -> Tcb {
        Tcb::new(State::SynSent, config, iss, mss)
    }

    /// A passive open: `syn` arrived for a listener (RFC 9293 section 3.10.7.2).
    pub fn accept(
        config: &Config,
        syn: &TcpSegment<'_>,
        options: &OptionSummary,
        iss: SeqNumber,
        mss: u16,
    ) -> Tcb {
        let mut tcb = Tcb::new(State::SynReceived, config, iss, mss);
        tcb.passive = true;
        tcb.synchronize(config, syn, options);
        tcb
    }

    fn new(state: State, config: &Config, iss: SeqNumber, mss: u16) -> Tcb {
        Tcb {
            state,
            passive: false,
            snd: SendSpace {
                una: iss,
                nxt: iss,
                cursor: iss,
                wnd: 0,
                wl1: SeqNumber(0),
                wl2: SeqNumber(0),
                iss,
                max_wnd: 0,
                shift: 0,
                mss: Tcb::DEFAULT_MSS.min(mss),
            },
            rcv: ReceiveSpace {
                nxt: SeqNumber(0),
                // A SYN's window field is not scaled (RFC 7323 section 2.2).
                edge: SeqNumber(0) + config.receive_window().min(u16::MAX.into()),
                irs: SeqNumber(0),
                shift: config.window_shift(),
                mss,
                sack_permitted: true,
                largest: Tcb::DEFAULT_MSS,
                unacknowledged: 0,
                fin: None,
            },
            send_buffer: RingBuffer::default(),
            receive_buffer: RingBuffer::default(),
            reassembly: Reassembly::default(),
            rtt: Rtt::new(),
            timing: None,
            congestion: Congestion::new(config, mss.into()),
            cwnd_limited: false,
            recovery: Recovery::default(),
            timers: TimerTable::new(),
            retries: 0,
            probes: 0,
            ack_due: AckDue::No,
            duplicate_acks_due: 0,
            challenges: (Instant::ZERO, 0),
            fin_queued: false,
            fin_sent: false,
            retransmit_first: false,
            probe: false,
            send_was_short: false,
            released: false,
        }
    }

    /// Takes in what the peer's SYN says: number, window and options.
    pub(super) fn synchronize(
        &mut self,
        config: &Config,
        syn: &TcpSegment<'_>,
        options: &OptionSummary,
    ) {
        let window = self.rcv.edge - self.rcv.nxt;
        self.rcv.irs = syn.seq();
        self.rcv.nxt = syn.seq() + 1;
        self.rcv.edge = self.rcv.nxt + window;
        self.snd.mss = options
            .mss
            .unwrap_or(Tcb::DEFAULT_MSS)
            .min(self.rcv.mss)
            .max(Tcb::MIN_MSS);
        match options.window_scale {
            // Above 14 it is taken as 14 (RFC 7323 section 2.3).
            Some(shift) => self.snd.shift = shift.min(14),
            // Only if both sent it (RFC 7323 section 2.2).
            None => (self.snd.shift, self.rcv.shift) = (0, 0),
        }
        self.rcv.sack_permitted = options.sack_permitted;
        self.congestion = Congestion::new(config, self.snd.mss.into());
        self.set_send_window(syn.window().into(), syn);
    }

    pub(super) fn set_send_window(&mut self, window: u32, segment: &TcpSegment<'_>) {
        self.snd.wnd = window;
        self.snd.max_wnd = self.snd.max_wnd.max(window);
        self.snd.wl1 = segment.seq();
        self.snd.wl2 = segment.ack();
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// When [`handle_timeout`](Tcb::handle_timeout) is due; the end of time where no timer runs.
    pub fn deadline(&self) -> Instant {
        self.timers.next()
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
        self.send_was_short = count < data.len();
        Some(count)
    }

    /// Moves octets that arrived in order into `out` and returns how many.
    pub fn recv(&mut self, config: &Config, out: &mut [u8]) -> usize {
        let count = self.receive_buffer.read(out);
        if count > 0 {
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
            self.note_read(config);
        }
    }

    /// Whether all that the peer sent before its FIN has been read.
    pub fn is_at_end(&self) -> bool {
        self.receive_buffer.len() == 0
            && !self.state.receives_text()
            && !matches!(self.state, State::SynSent | State::SynReceived)
    }

    /// There is more room to receive: the peer is told at once if it may be waiting for
    /// that (RFC 9293 section 3.8.6.2.2).
    fn note_read(&mut self, config: &Config) {
        let offered = self.rcv.edge - self.rcv.nxt;
        let low = offered < self.largest_window(config) / 2;
        if low && self.state.receives_text() && self.window_gain(config) > 0 {
            self.ack_due = AckDue::Now;
        }
    }

    /// No more will be sent: a FIN follows what is queued (RFC 9293 section 3.10.4).
    pub fn shutdown(&mut self) -> Effects {
        let mut effects = Effects::default();
        if self.fin_queued {
            return effects;
        }
        match self.state {
            State::SynSent => self.finish(CloseReason::Aborted, &mut effects),
            // In SYN-RECEIVED the FIN waits for ESTABLISHED.
            State::SynReceived => self.fin_queued = true,
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
    pub fn close(&mut self, now: Instant, config: &Config) -> Effects {
        let unread = self.receive_buffer.len() > 0 || !self.reassembly.is_empty();
        let open = self.state.receives_text() || self.state == State::CloseWait;
        if unread && open {
            return self.abort();
        }
        self.released = true;
        let effects = self.shutdown();
        if self.state == State::FinWait2 {
            let due = now + config.fin_wait_2_timeout;
            self.timers.set(Timer::TimeWait, due);
        }
        effects
    }

    /// Ends the connection at once with a reset (RFC 9293 section 3.10.5).
    pub fn abort(&mut self) -> Effects {
        let mut effects = Effects::default();
        self.released = true;
        match self.state {
            State::Closed | State::Listen => return effects,
            State::SynSent | State::Closing | State::LastAck | State::TimeWait => {}
            _ => {
                effects.reset = Some(self.reset());
            }
        }
        self.finish(CloseReason::Aborted, &mut effects);
        effects
    }

    /// A reset that the peer believes.
    pub(super) fn reset(&self) -> ResetReply {
        ResetReply {
            seq: self.bare_seq(),
            ack: Some(self.rcv.nxt),
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
        self.ack_due = AckDue::No;
        effects.closed = Some(reason);
    }

    /// Goes over to TIME-WAIT, or stays there for another twice the MSL.
    pub(super) fn wait_out(&mut self, now: Instant, config: &Config, effects: &mut Effects) {
        if self.state != State::TimeWait {
            self.enter(State::TimeWait, effects);
        }
        self.timers.stop(Timer::Retransmit);
        self.timers.stop(Timer::Persist);
        let due = now + config.msl.saturating_mul(2);
        self.timers.set(Timer::TimeWait, due);
    }

    /// The number of the first octet in the send buffer, where the peer's window begins
    /// too: SND.UNA, or that after our SYN, for which the window has no say.
    fn window_start(&self) -> SeqNumber {
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
        self.snd.nxt.min(self.window_start() + self.snd.wnd)
    }

    /// Octets sent and not acknowledged.
    pub(super) fn flight(&self) -> u32 {
        self.snd.nxt - self.snd.una
    }

    pub(super) fn rto(&self, config: &Config) -> Duration {
        self.rtt.rto(config)
    }
}
