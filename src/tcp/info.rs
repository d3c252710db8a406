use core::fmt;
use core::time::Duration;

use super::state::State;

/// How one connection is doing, in the manner of Linux's `TCP_INFO`: what
/// [`Stack::info`](crate::stack::Stack::info) gives.
///
/// It prints as one line with the words of `ss -ti`, of which those are left out that say
/// nothing yet. All sizes are in octets: the congestion window too, which `ss` has in segments.
/// `wscale` is the peer's shift and ours, `rtt` SRTT and RTTVAR, `retrans` what was sent again in
/// fast recovery, after a timeout and as a probe for a lost tail. Here in three lines:
///
/// ```text
/// ESTABLISHED cubic slow-start sack ts wscale:5,5 rto:240.7ms rtt:40.7ms/0.5ms minrtt:40.0ms
/// mss:1460 pmtu:1500 cwnd:14600 unacked:2896 inflight:2896 snd_wnd:65535 rcv_wnd:1048576
/// bytes_sent:2896 segs_out:4 segs_in:1
/// ```
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
    /// The slow start threshold, in octets; 2^30 or more where none was found yet.
    pub ssthresh: u32,
    /// Octets sent and neither acknowledged, nor reported received, nor deemed lost (the
    /// pipe of RFC 6675).
    pub in_flight: u32,
    /// Octets sent and not acknowledged (FlightSize of RFC 5681), SYN and FIN being one each.
    pub unacknowledged: u32,
    /// Octets queued that were not sent yet. Here, too, SYN and FIN are one octet each.
    pub unsent: u32,
    /// Octets received in order that the user has not read.
    pub unread: u32,
    /// The most text in a segment to the peer, in octets, what options take included: 536
    /// until the peer's SYN has said more (MUST-15).
    pub send_mss: u16,
    /// The same from the peer, as we announced it.
    pub receive_mss: u16,
    /// The largest packet that is sent, in bytes: what link, peer and path take.
    pub path_mtu: u16,
    /// The window that the peer offers (SND.WND), in octets.
    pub send_window: u32,
    /// The window that we offer (RCV.WND), in octets.
    pub receive_window: u32,
    /// The shift of the peer's windows, and of ours, in bits (RFC 7323 section 2).
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

/// What one connection has counted. Of a passive open it begins with the ACK of our SYN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Octets of text sent, retransmissions included.
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
    /// Episodes of recovery that turned out to be needless (RFC 3522, RFC 5682, RFC 2883).
    pub spurious: u32,
    /// Segments that arrived earlier or later than their turn, by what the peer reports.
    pub reordered: u32,
    /// Segments received whose text had all been received before.
    pub duplicates_received: u32,
}

/// In one word.
impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Phase::SlowStart => "slow-start",
            Phase::Avoidance => "avoidance",
            Phase::Disorder => "disorder",
            Phase::Recovery => "recovery",
            Phase::Loss => "loss",
        })
    }
}

/// One line, as `ss -ti` has it.
impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.state, self.controller, self.phase)?;
        let agreed = [
            ("sack", self.sack),
            ("ts", self.timestamps),
            ("ecn", self.ecn),
        ];
        for (name, _) in agreed.iter().filter(|(_, agreed)| *agreed) {
            write!(f, " {name}")?;
        }
        if self.window_scale != (0, 0) {
            write!(f, " wscale:{},{}", self.window_scale.0, self.window_scale.1)?;
        }
        write!(f, " rto:{}", Millis(self.rto))?;
        if let (Some(srtt), Some(rttvar)) = (self.srtt, self.rttvar) {
            write!(f, " rtt:{}/{}", Millis(srtt), Millis(rttvar))?;
        }
        if let Some(min) = self.min_rtt {
            write!(f, " minrtt:{}", Millis(min))?;
        }
        let Tally {
            fast_retransmissions: fast,
            timeout_retransmissions: timeout,
            tail_probes,
            ..
        } = self.tally;
        let ssthresh = Some(self.ssthresh).filter(|ssthresh| *ssthresh < 1 << 30);
        let numbers: [(&str, u64); 18] = [
            ("mss", self.send_mss.into()),
            ("pmtu", self.path_mtu.into()),
            ("cwnd", self.cwnd.into()),
            ("ssthresh", ssthresh.unwrap_or(0).into()),
            ("unacked", self.unacknowledged.into()),
            ("inflight", self.in_flight.into()),
            ("notsent", self.unsent.into()),
            ("unread", self.unread.into()),
            ("snd_wnd", self.send_window.into()),
            ("rcv_wnd", self.receive_window.into()),
            ("bytes_sent", self.tally.octets_sent),
            ("bytes_acked", self.tally.octets_acked),
            ("bytes_received", self.tally.octets_received),
            ("segs_out", self.tally.segments_sent.into()),
            ("segs_in", self.tally.segments_received.into()),
            ("spurious", self.tally.spurious.into()),
            ("reordered", self.tally.reordered.into()),
            ("duplicates", self.tally.duplicates_received.into()),
        ];
        for (name, number) in numbers.iter().filter(|(_, number)| *number > 0) {
            write!(f, " {name}:{number}")?;
        }
        if (fast, timeout, tail_probes) != (0, 0, 0) {
            write!(f, " retrans:{fast}/{timeout}/{tail_probes}")?;
        }
        Ok(())
    }
}

/// A time in milliseconds, however long: one unit, so that lines can be compared.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}ms", self.0.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::{Config, Opening, Tcb};
    use crate::wire::SeqNumber;

    #[test]
    fn a_line_holds_what_there_is_to_say() {
        let config = Config::default();
        let opening = Opening {
            iss: SeqNumber(0),
            mss: 1460,
            timestamp_offset: 0,
        };
        let mut info = Tcb::connect(&config, opening).info(&config);
        assert_eq!(
            info.to_string(),
            "SYN-SENT cubic slow-start sack ts wscale:0,5 rto:1000.0ms mss:536 pmtu:576 cwnd:5360 \
             rcv_wnd:65535"
        );

        let millis = |micros| Some(Duration::from_micros(micros));
        info.state = State::Established;
        info.phase = Phase::Recovery;
        (info.sack, info.timestamps, info.ecn) = (false, false, true);
        info.window_scale = (7, 5);
        (info.srtt, info.rttvar, info.min_rtt) = (millis(40_660), millis(500), millis(40_000));
        info.rto = Duration::from_micros(240_660);
        (info.send_mss, info.path_mtu) = (1460, 1500);
        (info.cwnd, info.ssthresh) = (14_600, 7300);
        (info.unacknowledged, info.in_flight, info.unsent) = (4380, 2920, 0);
        (info.send_window, info.receive_window, info.unread) = (64_000, 65_000, 12);
        info.tally = Tally {
            octets_sent: 5_000_000_000,
            octets_acked: 4_999_990_000,
            octets_received: 12,
            segments_sent: 9,
            segments_received: 8,
            fast_retransmissions: 3,
            timeout_retransmissions: 2,
            tail_probes: 1,
            spurious: 4,
            reordered: 5,
            duplicates_received: 6,
        };
        assert_eq!(
            info.to_string(),
            "ESTABLISHED cubic recovery ecn wscale:7,5 rto:240.7ms rtt:40.7ms/0.5ms minrtt:40.0ms \
             mss:1460 pmtu:1500 cwnd:14600 ssthresh:7300 unacked:4380 inflight:2920 unread:12 \
             snd_wnd:64000 rcv_wnd:65000 bytes_sent:5000000000 bytes_acked:4999990000 \
             bytes_received:12 segs_out:9 segs_in:8 spurious:4 reordered:5 duplicates:6 \
             retrans:3/2/1"
        );
    }
}
