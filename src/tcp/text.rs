//! What text and FIN of a segment do (RFC 9293 section 3.10.7.4, seventh and eighth).

use super::config::Config;
use super::effects::{CloseReason, Effects, SegmentFate};
use super::state::State;
use super::tcb::{AckDue, Tcb};
use super::timers::Timer;
use crate::time::Instant;
use crate::wire::TcpSegment;

impl Tcb {
    pub(super) fn receive_text(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        effects: &mut Effects,
    ) -> SegmentFate {
        let text = segment.payload();
        if text.is_empty() || !self.state.receives_text() {
            return SegmentFate::Processed;
        }
        // Trim what was received before, and what lies past the window.
        let seq = segment.seq();
        let old = if seq < self.rcv.nxt {
            (self.rcv.nxt - seq) as usize
        } else {
            0
        };
        let Some(text) = text.get(old..).filter(|text| !text.is_empty()) else {
            self.ack_due = AckDue::Now;
            return SegmentFate::Processed;
        };
        if self.released {
            // Nobody will read it (RFC 9293 section 3.6.1, SHLD-3).
            effects.reset = Some(self.reset());
            self.finish(CloseReason::Aborted, effects);
            return SegmentFate::AfterClose;
        }
        let left = seq.max(self.rcv.nxt);
        let room = (self.rcv.edge - left) as usize;
        if text.len() > room {
            // The peer learns at once what was not taken; of a closed window it is the probe.
            self.ack_due = AckDue::Now;
        }
        let text = &text[..text.len().min(room)];
        if text.is_empty() {
            return SegmentFate::OutOfWindow;
        }
        // A segment's text is below 64 KiB.
        let right = left + text.len() as u32;
        let offset = self.receive_buffer.len() + (left - self.rcv.nxt) as usize;
        if left != self.rcv.nxt {
            // Ahead of its turn: the peer learns at once what is missing (MAY-13).
            if self.rcv.sack_permitted {
                // One tells all (RFC 2018).
                self.ack_due = AckDue::Now;
            } else {
                self.duplicate_acks_due = self.duplicate_acks_due.saturating_add(1);
            }
            let limit = config.max_out_of_order_runs;
            if !self.reassembly.insert(left, right, limit) {
                return SegmentFate::NoRoom;
            }
            self.receive_buffer.write_at(offset, text);
            return SegmentFate::Processed;
        }
        self.receive_buffer.write_at(offset, text);
        let fills_gap = !self.reassembly.is_empty();
        let next = self.reassembly.advance(right);
        self.receive_buffer.extend((next - left) as usize);
        self.tally.octets_received += u64::from(next - left);
        self.rcv.nxt = next;
        // What is owed from before would acknowledge the new text, and duplicate nothing.
        self.duplicate_acks_due = 0;
        effects.readable = true;

        // At least every second full-sized segment at once (SHLD-19), and whatever
        // fills a gap (RFC 5681 section 4.2).
        self.rcv.largest = self.rcv.largest.max(text.len() as u16).min(self.rcv.mss);
        self.rcv.unacknowledged = self.rcv.unacknowledged.saturating_add(next - left);
        if fills_gap || self.rcv.unacknowledged >= 2 * u32::from(self.rcv.largest) {
            self.ack_due = AckDue::Now;
        } else if self.ack_due == AckDue::No {
            self.ack_due = AckDue::Later;
            self.timers.set(Timer::DelayedAck, now + config.delayed_ack);
        }
        SegmentFate::Processed
    }

    pub(super) fn receive_fin(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &TcpSegment<'_>,
        effects: &mut Effects,
    ) {
        if !self.state.receives_text() {
            return;
        }
        if segment.flags().fin() {
            let fin = segment.seq() + segment.payload().len() as u32;
            if fin == self.rcv.nxt || fin.in_window(self.rcv.nxt, self.rcv.edge - self.rcv.nxt) {
                self.rcv.fin = Some(fin);
                self.ack_due = AckDue::Now;
            }
        }
        if self.rcv.fin.is_some_and(|fin| fin < self.rcv.nxt) {
            // Text has passed it, so it was none: it must not count a lap later.
            self.rcv.fin = None;
        }
        if self.rcv.fin != Some(self.rcv.nxt) {
            return;
        }
        // There is nothing after the end.
        self.reassembly.clear();
        self.rcv.nxt += 1;
        self.rcv.edge = self.rcv.edge.max(self.rcv.nxt);
        self.ack_due = AckDue::Now;
        effects.readable = true;
        effects.peer_closed = true;
        match self.state {
            State::Established => self.enter(State::CloseWait, effects),
            // Had this segment acknowledged our FIN, the state were FIN-WAIT-2 by now.
            State::FinWait1 => self.enter(State::Closing, effects),
            State::FinWait2 => self.wait_out(now, config, effects),
            _ => {}
        }
    }
}
