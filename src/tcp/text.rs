//! What text and FIN of a segment do (RFC 9293 section 3.10.7.4, seventh and eighth).

use super::config::Config;
use super::effects::{CloseReason, Effects, SegmentFate};
use super::state::State;
use super::tcb::{AckDue, Tcb};
use super::timers::Timer;
use crate::time::Instant;
use crate::wire::{SackBlock, SeqNumber, TcpFlags, TcpSegment};

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
        self.receive_again(config, segment);
        let Some(text) = text.get(old..).filter(|text| !text.is_empty()) else {
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
        if room < text.len() && (room == 0 || left == self.rcv.nxt) {
            // The peer learns at once what was not taken; of a closed window it is the probe.
            self.ack_due = AckDue::Now;
        }
        let ends_here = segment.flags().fin() && text.len() <= room;
        let text = &text[..text.len().min(room)];
        if text.is_empty() {
            return SegmentFate::OutOfWindow;
        }
        // A segment's text is below 64 KiB.
        let right = left + text.len() as u32;
        // Of several parts the first is reported (RFC 2883 section 4.2.2).
        if old == 0
            && let Some(duplicate) = self.reassembly.overlap(left, right)
        {
            // Acknowledged at once in any case: it lies behind a gap or fills one.
            self.note_duplicate(duplicate, duplicate == SackBlock { left, right });
        }
        self.keep_buffers(now, config);
        if left == self.rcv.nxt {
            if ends_here {
                // What lies beyond its FIN is none of the peer's.
                self.reassembly.clear();
            }
            self.take_in_order(now, config, text, segment.flags().contains(TcpFlags::PSH));
            effects.readable = true;
            SegmentFate::Processed
        } else {
            self.keep_for_later(config, left, text)
        }
    }

    /// Text ahead of its turn. What is kept is kept until it is read: this end never reneges
    /// (RFC 2018 section 8), and what is not kept is not reported.
    fn keep_for_later(&mut self, config: &Config, left: SeqNumber, text: &[u8]) -> SegmentFate {
        // The peer learns at once what is missing (MAY-13), and is heard closely until it
        // has recovered.
        self.rcv.quick_acks = config.quick_acks;
        if self.rcv.sack_permitted {
            // One tells all (RFC 2018).
            self.ack_due = AckDue::Now;
        } else {
            self.duplicate_acks_due = self.duplicate_acks_due.saturating_add(1);
        }
        let limit = config.out_of_order_runs(self.rcv.mss);
        let right = left + text.len() as u32;
        if !self.reassembly.insert(left, right, limit) {
            return SegmentFate::NoRoom;
        }
        let offset = self.receive_buffer.len() + (left - self.rcv.nxt) as usize;
        self.receive_buffer.write_at(offset, text);
        SegmentFate::Processed
    }

    /// Text that starts at RCV.NXT.
    fn take_in_order(&mut self, now: Instant, config: &Config, text: &[u8], pushed: bool) {
        let len = text.len() as u32;
        let (left, right) = (self.rcv.nxt, self.rcv.nxt + len);
        self.receive_buffer
            .write_at(self.receive_buffer.len(), text);
        let fills_gap = !self.reassembly.is_empty();
        let next = self.reassembly.advance(right);
        self.receive_buffer.extend((next - left) as usize);
        self.tally.octets_received += u64::from(next - left);
        self.rcv.nxt = next;
        // What is owed from before would acknowledge the new text, and duplicate nothing.
        self.duplicate_acks_due = 0;
        self.rcv.unanswered = true;
        self.rcv.unacknowledged = self.rcv.unacknowledged.saturating_add(next - left);

        // More than the MSS is several segments that a device has put together.
        let mss = u32::from(self.rcv.mss);
        if len <= mss {
            self.rcv.largest = self.rcv.largest.max(len as u16);
        }
        if fills_gap {
            self.rcv.quick_acks = config.quick_acks;
        }
        // Whatever fills a gap at once (RFC 5681 section 4.2), every second full-sized
        // segment at the latest (SHLD-19).
        let full = len > mss || self.rcv.unacknowledged >= 2 * u32::from(self.rcv.largest);
        if fills_gap || full || self.rcv.quick_acks > 0 {
            self.ack_due = AckDue::Now;
        } else if self.ack_due != AckDue::Now {
            self.ack_due = AckDue::Later;
            let due = now + config.ack_delay(pushed);
            self.timers.set_by(Timer::DelayedAck, due);
        }
        self.rcv.quick_acks = self.rcv.quick_acks.saturating_sub(1);
    }

    /// Text of a segment below RCV.NXT came before: the peer learns that at once, for it may
    /// have sent again what was not lost, or not have heard us.
    pub(super) fn receive_again(&mut self, config: &Config, segment: &TcpSegment<'_>) {
        let (left, len) = (segment.seq(), segment.payload().len());
        if len == 0 || segment.flags().syn() || self.rcv.nxt <= left {
            return;
        }
        // Nothing older can be under way: so much is not to be had for a guess.
        if self.rcv.nxt - left <= self.largest_window(config) {
            let end = left + len as u32;
            let right = end.min(self.rcv.nxt);
            self.note_duplicate(SackBlock { left, right }, right == end);
        }
        self.rcv.quick_acks = config.quick_acks;
        self.ack_due = AckDue::Now;
    }

    /// To be reported (RFC 2883); `whole` where there was nothing new in the segment.
    fn note_duplicate(&mut self, duplicate: SackBlock, whole: bool) {
        self.reassembly.note_duplicate(duplicate);
        let count = &mut self.tally.duplicates_received;
        *count = count.wrapping_add(u32::from(whole));
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
        if self.rcv.fin.is_some_and(|fin| fin < self.rcv.nxt) {
            // Text has passed it, so it was none: it must not count a lap later.
            self.rcv.fin = None;
        }
        if segment.flags().fin() {
            let fin = segment.seq() + segment.payload().len() as u32;
            if fin == self.rcv.nxt || fin.in_window(self.rcv.nxt, self.rcv.edge - self.rcv.nxt) {
                // Of two the first to have its turn.
                self.rcv.fin = Some(self.rcv.fin.map_or(fin, |other| other.min(fin)));
                self.ack_due = AckDue::Now;
            }
        }
        if self.rcv.fin != Some(self.rcv.nxt) {
            return;
        }
        // There is nothing after the end, and no need for the storage that it took.
        self.reassembly.clear();
        self.release_receive_buffer();
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
