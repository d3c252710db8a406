use core::time::Duration;

use super::state::State;

/// How one connection is doing, in the manner of Linux's `TCP_INFO`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The state.
    pub state: State,
    /// What congestion control is at.
    pub phase: Phase,
    /// The name of the congestion controller: `cubic`, `newreno`.
    pub controller: &'static str,
    /// The smoothed round-trip time, SRTT; none before the first measurement.
    pub srtt: Option<Duration>,
    /// Its variation, RTTVAR.
    pub rttvar: Option<Duration>,
    /// The smallest round-trip time of late.
    pub min_rtt: Option<Duration>,
    /// The retransmission timeout, backed off.
    pub rto: Duration,
    /// The congestion window, in octets.
    pub cwnd: u32,
    /// The slow start threshold, in octets.
    pub ssthresh: u32,
    /// Octets sent and neither acknowledged, nor reported received, nor deemed lost (the
    /// pipe of RFC 6675).
    pub in_flight: u32,
    /// Octets sent and not acknowledged (FlightSize of RFC 5681).
    pub unacknowledged: u32,
    /// Octets queued that were not sent yet.
    pub unsent: u32,
    /// Octets received in order that the user has not read.
    pub unread: u32,
    /// The most text in a segment to the peer, in octets, options not counted.
    pub send_mss: u16,
    /// The largest packet that the path is believed to take, in bytes.
    pub path_mtu: u16,
    /// What we announced to it.
    pub receive_mss: u16,
    /// The window that the peer offers (SND.WND), in octets.
    pub send_window: u32,
    /// The window that we offer (RCV.WND), in octets.
    pub receive_window: u32,
    /// The shift of the peer's windows, and of ours.
    pub window_scale: (u8, u8),
    /// Whether both sides understand SACK.
    pub sack: bool,
    /// Whether segments carry timestamps.
    pub timestamps: bool,
    /// Whether ECN was negotiated.
    pub ecn: bool,
    /// What was counted since the connection began.
    pub tally: Tally,
}

/// What congestion control is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Slow start: the window grows with each acknowledgment.
    SlowStart,
    /// Congestion avoidance.
    Avoidance,
    /// Something is missing or out of order, and not deemed lost yet.
    Disorder,
    /// Fast recovery from a loss, or from a congestion mark.
    Recovery,
    /// What follows a retransmission timeout.
    Loss,
}

/// What one connection has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Octets of text sent, again and again included.
    pub octets_sent: u64,
    /// Octets of text that the peer acknowledged.
    pub octets_acked: u64,
    /// Octets of text received in order.
    pub octets_received: u64,
    /// Segments sent.
    pub segments_sent: u32,
    /// Segments received.
    pub segments_received: u32,
    /// Segments sent again because later ones arrived (RFC 6675, 8985).
    pub fast_retransmissions: u32,
    /// Segments sent again because the retransmission timer expired (RFC 6298).
    pub timeout_retransmissions: u32,
    /// Probes for a lost tail (RFC 8985 section 7).
    pub tail_probes: u32,
    /// Episodes of recovery that turned out to be needless.
    pub spurious: u32,
    /// Segments that arrived earlier or later than their turn, by what the peer reports.
    pub reordered: u32,
    /// Segments received whose text had all been received before.
    pub duplicates_received: u32,
}
