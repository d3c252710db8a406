//! Urgent data (RFC 9293 section 3.8.5, RFC 6093).
//!
//! The pointer is a mark in the stream and nothing more: it names the octet after the urgent
//! data (MUST-62), which stays in line and is read as any other. New applications should not
//! use it (SHLD-13), and middleboxes may clear it (RFC 6093 section 3.2).

use super::config::Config;
use super::effects::Effects;
use super::tcb::{AckDue, Tcb};
use crate::wire::{SegmentFields, SeqNumber, TcpFlags, TcpSegment};

impl Tcb {
    /// As [`send`](Tcb::send), and what is taken is urgent.
    pub fn send_urgent(&mut self, config: &Config, data: &[u8]) -> Option<usize> {
        let count = self.send(config, data)?;
        if count > 0 {
            self.snd.up = Some(self.text_end());
            if self.state.is_synchronized() {
                // A closed window or a lack of credit does not keep the pointer back.
                self.ack_due = AckDue::Now;
            }
        }
        Some(count)
    }

    /// How many octets lie between the first that has not been read and the end of the
    /// urgent data, which may not have arrived yet (MUST-33); `None` where all is read.
    pub fn urgent(&self) -> Option<usize> {
        let unread = self.receive_buffer.len();
        let ahead = self.rcv.urgent as usize;
        // A mark beyond the end of the text is one at its end.
        let ahead = match self.state.receives_text() {
            true => ahead,
            false => ahead.min(unread),
        };
        (ahead > 0).then_some(ahead)
    }

    /// RFC 9293 section 3.10.7.4, sixth: the URG bit.
    pub(super) fn receive_urgent(&mut self, segment: &TcpSegment<'_>, effects: &mut Effects) {
        if !segment.flags().urg() || !self.state.receives_text() {
            return;
        }
        // The buffer is bounded by the window.
        let unread = self.receive_buffer.len() as u32;
        let first_unread = self.rcv.nxt - unread;
        let end = segment.seq() + u32::from(segment.urgent());
        // RCV.UP <- max(RCV.UP, SEG.UP); told when it moves on (MUST-32).
        if first_unread + self.rcv.urgent < end {
            self.rcv.urgent = end - first_unread;
            effects.urgent = true;
        }
    }

    /// The user has read `count` octets.
    pub(super) fn pass_urgent(&mut self, count: usize) {
        // Bounded by the receive buffer.
        self.rcv.urgent = self.rcv.urgent.saturating_sub(count as u32);
    }

    /// Marks a segment that starts before the end of the urgent data. Is that further ahead
    /// than the field can say, it says as much as it can, and later segments the rest.
    pub(super) fn mark_urgent(&self, fields: &mut SegmentFields) {
        if let Some(end) = self.snd.up
            && fields.seq < end
        {
            fields.flags |= TcpFlags::URG;
            fields.urgent = (end - fields.seq).min(u16::MAX.into()) as u16;
        }
    }

    /// Everything before `ack` has arrived.
    pub(super) fn forget_urgent(&mut self, ack: SeqNumber) {
        if self.snd.up.is_some_and(|end| end <= ack) {
            self.snd.up = None;
        }
    }
}
