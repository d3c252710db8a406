//! Which window is offered (RFC 9293 section 3.8.6).

use super::config::Config;
use super::tcb::{AckDue, Tcb};

impl Tcb {
    /// The largest window that can be offered: by the buffer, and by what its field holds.
    pub(super) fn largest_window(&self, config: &Config) -> u32 {
        let field = u32::from(u16::MAX) << self.rcv.shift;
        config.receive_window().min(field)
    }

    /// The window for which there is room.
    pub(super) fn window_room(&self, config: &Config) -> u32 {
        // The buffer is bounded by the window.
        let unread = self.receive_buffer.len() as u32;
        let free = config.receive_window().saturating_sub(unread);
        free.min(self.largest_window(config))
    }

    /// By how many octets the right edge of the window may move; zero where that is
    /// too little to be worth it (RFC 9293 section 3.8.6.2.2).
    pub(super) fn window_gain(&self, config: &Config) -> u32 {
        let offered = self.rcv.edge - self.rcv.nxt;
        let gain = self.window_room(config).saturating_sub(offered);
        if gain >= (self.largest_window(config) / 2).min(self.rcv.mss.into()) {
            gain
        } else {
            0
        }
    }

    /// The window field to send, and the right edge moves to what it says.
    pub(super) fn window_field(&mut self, config: &Config) -> u16 {
        let offered = self.rcv.edge - self.rcv.nxt;
        let shift = self.rcv.shift;
        let mut field = (offered + self.window_gain(config)) >> shift;
        // Rounding takes back what was offered, or offers more. The latter where there
        // is room: else, again and again, it would offer without end. What is taken
        // back stays acceptable (RFC 7323 section 2.4).
        if field << shift < offered && (field + 1) << shift <= self.window_room(config) {
            field += 1;
        }
        let field = field.min(u16::MAX.into());
        self.rcv.edge = self.rcv.edge.max(self.rcv.nxt + (field << shift));
        // Bounded to 16 bits two lines above.
        field as u16
    }

    /// There is more room to receive: the peer is told at once if it may be waiting for
    /// that (RFC 9293 section 3.8.6.2.2).
    pub(super) fn note_read(&mut self, config: &Config) {
        let offered = self.rcv.edge - self.rcv.nxt;
        let low = offered < self.largest_window(config).div_ceil(2);
        if low && self.state.receives_text() && self.window_gain(config) > 0 {
            self.ack_due = AckDue::Now;
        }
    }
}
