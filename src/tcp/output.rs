//! What is to be sent next.

use super::config::Config;
use super::congestion::{Controller, Pace, initial_window};
use super::path::{HEADERS, MIN_MTU};
use super::reassembly::SackList;
use super::state::State;
use super::tcb::{AckDue, Tcb};
use super::timers::Timer;
use super::timestamps::Timestamps;
use crate::time::Instant;
use crate::wire::{SackBlocks, SegmentFields, SeqNumber, TcpFlags};

/// A segment to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The fields of its header.
    pub fields: SegmentFields,
    /// On a SYN, the MSS option's value: what this end can receive, in octets of text.
    pub mss: Option<u16>,
    /// On a SYN, the window scale option's value, if there is to be one.
    pub window_scale: Option<u8>,
    /// On a SYN, whether there is to be a SACK-permitted option.
    pub sack_permitted: bool,
    /// TSval and TSecr of the timestamps option, if there is to be one.
    pub timestamps: Option<(u32, u32)>,
    /// The blocks of a SACK option, if there are any.
    pub sack: SackList,
    /// Its text, in two pieces.
    pub payload: [&'a [u8]; 2],
    /// Whether its packet is to be marked as ECN-capable: ECT(0) (RFC 3168 section 5).
    pub ect: bool,
    /// Whether it was sent before.
    pub is_retransmission: bool,
    /// Whether routers must not fragment it (RFC 1191 section 3).
    pub dont_fragment: bool,
}

/// Which numbers a segment takes.
pub(super) struct Span {
    pub(super) seq: SeqNumber,
    /// Octets of text.
    pub(super) len: u32,
    pub(super) fin: bool,
    /// Whether it probes the peer's window, for which the persist timer runs.
    pub(super) probe: bool,
}

impl Tcb {
    /// The next segment to send at `now`, if there is one; it counts as sent.
    pub fn poll_transmit(&mut self, now: Instant, config: &Config) -> Option<Outgoing<'_>> {
        if matches!(self.state, State::Closed | State::Listen) {
            return None;
        }
        if self.released && !self.timers.is_set(Timer::End) {
            self.limit_orphan(now, config);
        }
        match self.state {
            State::SynSent | State::SynReceived => self.send_syn(now, config),
            _ => {
                let span = self.next_span(now, config)?;
                Some(self.send_span(now, config, span))
            }
        }
    }

    /// What may go out now.
    pub(super) fn next_span(&mut self, now: Instant, config: &Config) -> Option<Span> {
        // Before any text: what carries text is no duplicate (RFC 5681 section 2), and
        // neither is the first one that acknowledges new text.
        if self.duplicate_acks_due > 0 {
            if self.ack_due == AckDue::No {
                self.duplicate_acks_due -= 1;
            }
            return Some(self.bare_ack());
        }
        self.next_text(now, config)
            .or((self.ack_due == AckDue::Now).then(|| self.bare_ack()))
            .or_else(|| self.next_keepalive())
    }

    pub(super) fn bare_ack(&self) -> Span {
        Span {
            seq: self.bare_seq(),
            len: 0,
            fin: false,
            probe: false,
        }
    }

    /// Which text or FIN may go out now.
    pub(super) fn next_text(&mut self, now: Instant, config: &Config) -> Option<Span> {
        if matches!(self.state, State::FinWait2 | State::TimeWait) {
            // Our FIN is acknowledged: there is no more.
            return None;
        }
        let mss = self.segment_text();
        if let Some(probe) = self.next_tail_probe(mss) {
            return Some(probe);
        }
        if self.snd.una == self.snd.nxt && self.unsent() == 0 && !self.fin_queued {
            // As in any connection that only receives.
            (self.cwnd_limited, self.probe) = (false, false);
            return None;
        }
        let before = core::mem::take(&mut self.cwnd_limited);
        if self.is_paced(now, config) {
            // The window counts as used if what waits would fill it.
            let waits = self.unsent().saturating_add(self.flight.board.lost());
            let wants = self.flight.pipe().saturating_add(waits);
            self.cwnd_limited = wants >= self.network_window();
            return None;
        }
        let mut span = self
            .next_lost(mss)
            .or_else(|| self.next_new(now, config, mss));
        if span.is_none() && self.stop_asking() {
            span = self.next_lost(mss);
        }
        let span = span.or_else(|| self.next_in_doubt(mss));
        match span {
            None => self.watch_window(now, config),
            // Only when sending has ended is it known what has ended it.
            Some(_) => self.cwnd_limited = before,
        }
        span
    }

    /// Whether it is too early for the next segment; then a timer waits for it.
    fn is_paced(&mut self, now: Instant, config: &Config) -> bool {
        let waits = self.unsent() > 0 || self.flight.board.lost() > 0;
        // With nothing in the network there is nothing to keep a distance from: what was
        // sent at a slower pace than now is no reason to wait for longer than a round trip.
        let alone = self.flight.pipe() == 0;
        // A probe of the peer's window leaves whatever the pace: its timer is slow enough.
        let is_urgent = self.flight.at_once || self.probe;
        if !config.pacing || is_urgent || alone || !waits {
            return false;
        }
        let due = self.pace().and_then(|pace| self.pacer.until(now, &pace));
        if let Some(due) = due {
            self.timers.set(Timer::Pace, due);
        }
        due.is_some()
    }

    /// By the congestion window also in recovery: what PRR has left for now may be next to
    /// nothing, and at that pace a segment would take minutes.
    fn pace(&self) -> Option<Pace> {
        let (cwnd, ssthresh) = (
            self.congestion.window(),
            self.congestion.slow_start_threshold(),
        );
        let mss = self.snd.mss.into();
        Pace::new(cwnd, ssthresh, self.srtt(), mss)
    }

    /// What was never sent, or a probe of the peer's window.
    fn next_new(&mut self, now: Instant, config: &Config, mss: u32) -> Option<Span> {
        if self.ecn.holds() {
            return None;
        }
        let seq = self.snd.nxt;
        let unsent = self.unsent();
        let fin_goes = self.fin_queued && !self.fin_sent;
        let probe = core::mem::take(&mut self.probe);
        if unsent == 0 && !fin_goes {
            return probe.then(|| self.probe_span(mss));
        }
        let usable = self.usable_window();
        let len = unsent.min(mss).min(usable);
        let fin = fin_goes && len == unsent && usable > len;
        // Silly-window avoidance and Nagle (RFC 9293 sections 3.8.6.2.1 and 3.7.4). F-RTO's
        // questions may go before Nagle lets them (RFC 5682 section 2.1).
        let questions = self.questions_left();
        let holds_back = self.holds_back(config) && questions.is_none();
        let worth_sending = fin
            || len == mss
            || (len > 0 && len == unsent && (self.flight() == 0 || !holds_back))
            || (len > 0 && len >= self.snd.max_wnd / 2);
        if !worth_sending {
            return probe.then(|| self.probe_span(mss));
        }
        let pipe = self.flight.pipe();
        if pipe == 0 && self.rto(config) < now - self.sent_at {
            // What was known of the network has aged (RFC 5681 section 4.1).
            let segments = match self.flight.lost_at_start {
                // Ten were too many for this path (RFC 6928 section 2): those of RFC 3390.
                true => config.initial_window.min(3),
                false => config.initial_window,
            };
            let window = initial_window(segments, self.snd.mss.into());
            self.congestion.on_restart(now, window);
        }
        let takes = len + u32::from(fin);
        let fits = pipe == 0 || pipe.saturating_add(takes) <= self.network_window();
        match questions {
            Some(0) => return None,
            None if !fits => {
                self.cwnd_limited = true;
                return None;
            }
            _ => {}
        }
        Some(Span {
            seq,
            len,
            fin,
            probe: false,
        })
    }

    /// A probe of the peer's window: at least one octet, or the FIN (RFC 9293 section 3.8.6.1).
    fn probe_span(&self, mss: u32) -> Span {
        let una = self.snd.una;
        let end = if self.flight() > 0 {
            // What was sent before may not have been taken.
            una + self.flight().min(mss).min(self.snd.wnd.max(1))
        } else {
            let end = self.text_end() + u32::from(self.fin_queued);
            una + (end - una).min(mss).min(self.snd.wnd.max(1))
        };
        Span {
            probe: true,
            ..self.span(una, end)
        }
    }

    /// The octets from `start` to `end`, the last of which may be the FIN.
    pub(super) fn span(&self, start: SeqNumber, end: SeqNumber) -> Span {
        let text_end = self.text_end();
        let fin = text_end < end;
        Span {
            seq: start,
            len: end.min(text_end) - start,
            fin,
            probe: false,
        }
    }

    /// Where nothing in flight will bring an acknowledgment, and there is something that the
    /// peer's window is too small for, only a probe can.
    fn watch_window(&mut self, now: Instant, config: &Config) {
        if self.timers.is_set(Timer::Persist) || self.ecn.holds() {
            return;
        }
        let idle = self.flight.board.in_flight() == 0;
        if self.flight() > 0 && !self.timers.is_set(Timer::Retransmit) {
            // It has expired, and the window has no room for what is lost. Something may be
            // under way yet; if not, only time tells.
            let due = now + self.rto(config);
            self.timers.set(Timer::Retransmit, due);
        }
        let waits = self.unsent() > 0
            || self.flight.board.lost() > 0
            || (self.fin_queued && !self.fin_sent);
        if idle && waits {
            self.timers.stop(Timer::Retransmit);
            self.timers.stop(Timer::TailProbe);
            self.timers.stop(Timer::Reorder);
            self.set_persist_timer(now, config);
            if self.flight() == 0 {
                self.begin_to_wait(now, config);
            }
        }
    }

    /// Whether short segments wait for company: not while there is urgent data.
    fn holds_back(&self, config: &Config) -> bool {
        self.settings(config).nagle && self.snd.up.is_none()
    }

    pub(super) fn send_span(&mut self, now: Instant, config: &Config, span: Span) -> Outgoing<'_> {
        let Span {
            seq,
            len,
            fin,
            probe,
        } = span;
        let takes = len + u32::from(fin);
        let end = seq + takes;
        let is_retransmission = takes > 0 && seq < self.snd.nxt;
        if takes > 0 {
            let window_was_closed = self.timers.is_set(Timer::Persist);
            let starts = self.flight() == 0 || window_was_closed;
            self.note_sent(now, seq, end);
            self.snd.nxt = self.snd.nxt.max(end);
            self.sent_at = now;
            self.fin_sent |= fin;
            self.tally.octets_sent += u64::from(len);
            if let Some(pace) = self.pace() {
                self.pacer.on_sent(now, &pace, len);
            }
            self.note_size(seq, len);
            if !probe {
                self.timers.stop(Timer::Persist);
                self.probe = false;
                // RFC 6298 section 5.1; and no earlier than one timeout after the oldest
                // octet was last sent.
                if !self.timers.is_set(Timer::Retransmit) || seq == self.snd.una {
                    let due = now + self.rto(config);
                    self.timers.set(Timer::Retransmit, due);
                }
                if !is_retransmission {
                    self.schedule_tail_probe(now, config);
                }
                if starts {
                    self.begin_to_wait(now, config);
                }
            }
        }

        let new_text = len > 0 && !is_retransmission && !probe;
        if len > 0 {
            self.keep_buffers(now, config);
        }
        if new_text && core::mem::take(&mut self.rcv.unanswered) {
            // A dialogue: acknowledgments go with the answers.
            self.rcv.quick_acks = 0;
        }
        self.tally.segments_sent = self.tally.segments_sent.wrapping_add(1);
        let mut flags = TcpFlags::ACK | self.ecn.flags(new_text);
        if fin {
            flags |= TcpFlags::FIN;
        }
        // The last of what the user has queued (MUST-61).
        if len > 0 && seq + len == self.text_end() {
            flags |= TcpFlags::PSH;
        }
        let window = self.window_field(config);
        self.ack_due = AckDue::No;
        self.rcv.unacknowledged = 0;
        self.timers.stop(Timer::DelayedAck);
        // What has no text finds out no path MTU, and more than 68 bytes need not fit a path in
        // one piece (RFC 791 section 3.2).
        let bytes = u32::from(HEADERS) + self.option_len();
        let may_be_cut = len == 0 && bytes > u32::from(MIN_MTU);
        let sack = self.reassembly.report(self.sack_room());
        let mut fields = SegmentFields {
            seq,
            ack: self.rcv.nxt,
            flags,
            window,
            ..SegmentFields::default()
        };
        self.mark_urgent(&mut fields);
        Outgoing {
            fields,
            mss: None,
            window_scale: None,
            sack_permitted: false,
            timestamps: self.timestamps.stamp(now, Some(self.rcv.nxt)),
            sack,
            payload: match len {
                0 => [&[], &[]],
                // What has text starts at SND.UNA or after.
                _ => self
                    .send_buffer
                    .slices((seq - self.snd.una) as usize, len as usize),
            },
            ect: new_text && self.ecn.enabled(),
            is_retransmission,
            dont_fragment: self.path.forbids_fragments(config) && !may_be_cut,
        }
    }

    /// The most text in the next segment: options take from its room (RFC 9293 section 3.7.1).
    pub(super) fn segment_text(&self) -> u32 {
        let mss = u32::from(self.snd.mss);
        mss.saturating_sub(self.option_len()).max(1)
    }

    /// What timestamps and SACK blocks take of the next segment's header, in octets, padding
    /// counted: that much less text fits it (RFC 9293 section 3.7.1).
    pub(super) fn option_len(&self) -> u32 {
        let timestamps = match self.timestamps.enabled() {
            true => Timestamps::OPTION_LEN,
            false => 0,
        };
        timestamps + self.reassembly.report_len(self.sack_room())
    }

    /// How many SACK blocks a segment has room for: four, or three beside timestamps
    /// (RFC 2018 section 3); none for a peer that does not understand them. With tiny segments
    /// fewer: half of one is left for text, which would get through octet by octet else.
    fn sack_room(&self) -> usize {
        let (most, timestamps) = match (self.rcv.sack_permitted, self.timestamps.enabled()) {
            (false, _) => return 0,
            (true, true) => (SackBlocks::MAX - 1, Timestamps::OPTION_LEN as usize),
            (true, false) => (SackBlocks::MAX, 0),
        };
        // Kind and length with two NOPs, and eight octets each.
        let room = usize::from(self.snd.mss) / 2;
        most.min(room.saturating_sub(timestamps + 4) / 8)
    }
}
