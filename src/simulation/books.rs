//! What a host has taken in and given out, by its network's count.

use super::Broken;
use super::broken::ensure;
use crate::stack::Counters;
use crate::wire::TcpSegment;

/// What a host has taken in and given out, to compare with what it says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Books {
    received: u64,
    /// Of those, sound segments that came whole.
    segments_received: u64,
    sent: u64,
    segments_sent: u64,
    resets_sent: u64,
}

impl Books {
    /// The host takes in a packet, which is a sound segment or not.
    pub(super) fn note_received(&mut self, is_segment: bool) {
        self.received += 1;
        self.segments_received += u64::from(is_segment);
    }

    /// The host gives out a packet, and the segment in it, if it is one.
    pub(super) fn note_sent(&mut self, segment: Option<&TcpSegment<'_>>) {
        self.sent += 1;
        if let Some(tcp) = segment {
            self.segments_sent += 1;
            self.resets_sent += u64::from(tcp.flags().rst());
        }
    }

    /// Whether the host has counted the same.
    pub(super) fn check(&self, counters: &Counters) -> Result<(), Broken> {
        let counts = [
            ("packets received", counters.packets_received, self.received),
            ("packets sent", counters.packets_sent, self.sent),
            ("segments sent", counters.segments_sent, self.segments_sent),
            ("resets sent", counters.resets_sent, self.resets_sent),
        ];
        for (what, counted, right) in counts {
            ensure!(counted == right, "{counted} {what} are counted of {right}");
        }
        let (counted, whole) = (counters.segments_received, self.segments_received);
        let most = whole + counters.datagrams_reassembled;
        ensure!(
            (whole..=most).contains(&counted),
            "{counted} segments received are counted of {whole} to {most}"
        );
        Ok(())
    }
}
