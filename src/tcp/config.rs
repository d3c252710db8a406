use core::time::Duration;

use super::congestion::{Algorithm, Congestion, Start, initial_window};
use super::settings::Settings;

/// The numbers by which connections are run. [`Default`] gives those named at each field, which
/// suit hosts and paths of today: change what you know better.
///
/// They hold for all connections of a stack from their beginning; what
/// [`settings`](Config::settings) has can be changed for one of them later.
///
/// ```
/// use std::time::Duration;
/// use zerotcp::stack::Stack;
/// use zerotcp::tcp::congestion::Algorithm;
///
/// let mut config = zerotcp::stack::Config::new("10.0.0.1".parse().unwrap());
/// config.tcp.receive_buffer = 64 << 10; // many connections, little memory
/// config.tcp.delayed_ack = Duration::from_millis(10);
/// config.tcp.congestion = Algorithm::NewReno;
/// let stack = Stack::new(config);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// With what a connection starts that its user can change later.
    pub settings: Settings,
    /// How many octets wait to be acknowledged or sent, at most. 1 MiB; more than 1 GiB
    /// is taken as 1 GiB, since no window is larger.
    pub send_buffer: usize,
    /// How many octets wait to be read, at most, and so the largest window offered.
    /// 1 MiB; more than 1 GiB is taken as 1 GiB (RFC 7323 section 2.3).
    pub receive_buffer: usize,
    /// Whether windows may be scaled (RFC 7323 section 2). On.
    pub window_scaling: bool,
    /// Whether segments carry timestamps (RFC 7323 section 3), if the peer agrees. On.
    pub timestamps: bool,
    /// Whether selective acknowledgments are sent and understood (RFC 2018), if the peer
    /// agrees. On.
    pub sack: bool,
    /// Explicit congestion notification (RFC 3168). [`Ecn::Accept`].
    pub ecn: Ecn,
    /// The smallest segment size that is believed of a peer, in octets: less invites a flood
    /// of tiny segments (CVE-2019-11479). 48, as Linux has it.
    pub min_mss: u16,
    /// How the congestion window grows and shrinks. [`Algorithm::Cubic`].
    pub congestion: Algorithm,
    /// The initial congestion window, in segments of 1460 octets at most; of larger ones two
    /// at least. 10 (RFC 6928 section 2); 0 is taken as 1.
    pub initial_window: u32,
    /// Whether slow start ends when the round-trip time rises, and grows by all that an
    /// acknowledgment covers: HyStart++ (RFC 9406). Off, it ends with a loss and grows by one
    /// segment an acknowledgment (RFC 5681 section 3.1). On.
    pub hystart: bool,
    /// Whether what the congestion window admits leaves spread over the round-trip time, as RFC
    /// 9002 section 7.7 has it for QUIC. On.
    pub pacing: bool,
    /// The smallest packet to which a path's MTU makes us go down, in bytes, at least 68. Where
    /// a path takes less, packets go out without DF and routers fragment them: who forges
    /// such an MTU does not get a flood of tiny segments. 552, as Linux has it.
    pub min_path_mtu: u16,
    /// How long a path's MTU is believed before larger packets are tried again. 10 minutes;
    /// less than 5 is taken as 5 (RFC 1191 section 3).
    pub path_mtu_expiry: Duration,
    /// After how many retransmission timeouts in a row segments are made smaller, in case
    /// they are too large for a path that does not say so: text of 1024 octets at first, then
    /// of 536 (RFC 4821 section 7.7). Where larger ones got through before, they are tried
    /// again with the next acknowledgment. 3; 0 for never.
    pub black_hole_timeouts: u8,
    /// The initial retransmission timeout. 1 s (RFC 6298 section 2.1).
    pub initial_rto: Duration,
    /// The smallest retransmission timeout, and by how much it is longer than the smoothed
    /// round-trip time at least. 200 ms: RFC 6298 section 2.4 has 1 s as a SHOULD, every system
    /// in use is below.
    pub min_rto: Duration,
    /// The largest retransmission timeout, and the longest gap between window
    /// probes. 60 s (RFC 6298 section 2.5). What takes longer than this and a minute is not taken
    /// for a round trip: a host was asleep.
    pub max_rto: Duration,
    /// How long an acknowledgment may wait for company (RFC 9293 section 3.8.6.3). 40 ms; what
    /// is 500 ms or more is taken as 499 ms (MUST-40). An eighth of it where the peer has more to say, as a segment
    /// without PSH tells: it may hold that back until this one is acknowledged (Nagle).
    pub delayed_ack: Duration,
    /// How many segments are acknowledged one by one at the start of a connection and after
    /// a loss, so that a slow start is not slowed; as long as this end only listens: where it
    /// answers, acknowledgments go with the answers. 16.
    pub quick_acks: u8,
    /// How long a peer may delay its acknowledgments: what a probe for a lost tail waits on top
    /// where one segment is in flight (RFC 8985 section 7.2). 50 ms: Linux takes 40, or a round
    /// trip. A peer that takes longer gets one segment twice and says so, and from then on it
    /// is 200 ms for this peer, after which a probe would hardly be before the retransmission
    /// timeout.
    pub max_ack_delay: Duration,
    /// The shortest time after which a probe is sent for a tail that may be lost. 10 ms: a
    /// peer's host may be busy with other things for so long (RFC 8985 section 7.2).
    pub min_tail_probe: Duration,
    /// Maximum segment lifetime: TIME-WAIT lasts twice that. 30 s, as everywhere
    /// today, where RFC 9293 section 3.4.2 has 2 minutes.
    pub msl: Duration,
    /// Whether a reset in TIME-WAIT is ignored (RFC 1337 section 3, fix F1): an old duplicate
    /// could end it by an answer to us, too early for others of its kind. On; off is by
    /// the letter of RFC 9293 section 3.10.7.4.
    pub time_wait_protection: bool,
    /// After how many retransmissions in a row the user is told that delivery is in trouble:
    /// R1 of RFC 9293 section 3.8.3. 3 (SHLD-10); 0 for never. So many timeouts also prove an
    /// ICMP error that says that the peer is gone, one at least. R2 is
    /// [`Settings::max_retransmissions`].
    pub trouble_retransmissions: u8,
    /// R2 for our SYN in an active open. 7: more than three minutes (MUST-23).
    pub max_syn_retransmissions: u8,
    /// R2 for our SYN,ACK in a passive open. 5, as Linux has it.
    pub max_syn_ack_retransmissions: u8,
    /// How many separate runs of octets are kept that arrived ahead of their turn, at most; what
    /// would make one more is dropped, for the peer to send again (CVE-2018-5390). 65,536;
    /// in any case no more than there are when every second full segment of a window is
    /// missing, or 64 with a small [`receive_buffer`](Config::receive_buffer).
    pub max_out_of_order_runs: usize,
    /// How long after the last text a connection keeps the memory of empty buffers. 1 s.
    pub buffer_retention: Duration,
    /// How many segments that should not have come are answered with an
    /// acknowledgment in [`challenge_interval`](Config::challenge_interval), those with text
    /// not counted. 10 (RFC 5961 section 7).
    pub max_challenges: u8,
    /// In what time. 5 s (RFC 5961 section 7).
    pub challenge_interval: Duration,
    /// How long a connection whose user is gone waits in FIN-WAIT-2 for the peer's
    /// FIN, from when it is both. 60 s, as Linux has it.
    pub fin_wait_2_timeout: Duration,
    /// How long a connection whose user is gone may take to deliver what is queued and to
    /// end, however lively its peer; then it is reset. TIME-WAIT is not counted. 10 minutes.
    pub orphan_timeout: Duration,
}

/// How a host takes part in explicit congestion notification (RFC 3168).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// Not at all.
    Off,
    /// Where the peer asks for it: what Linux does too.
    #[default]
    Accept,
    /// Our SYNs ask for it as well.
    Offer,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            settings: Settings::default(),
            send_buffer: 1 << 20,
            receive_buffer: 1 << 20,
            window_scaling: true,
            timestamps: true,
            sack: true,
            ecn: Ecn::default(),
            min_mss: 48,
            congestion: Algorithm::default(),
            initial_window: 10,
            hystart: true,
            pacing: true,
            min_path_mtu: 552,
            path_mtu_expiry: Duration::from_secs(600),
            black_hole_timeouts: 3,
            initial_rto: Duration::from_secs(1),
            min_rto: Duration::from_millis(200),
            max_rto: Duration::from_secs(60),
            delayed_ack: Duration::from_millis(40),
            quick_acks: 16,
            max_ack_delay: Duration::from_millis(50),
            min_tail_probe: Duration::from_millis(10),
            msl: Duration::from_secs(30),
            time_wait_protection: true,
            trouble_retransmissions: 3,
            max_syn_retransmissions: 7,
            max_syn_ack_retransmissions: 5,
            max_out_of_order_runs: 1 << 16,
            buffer_retention: Duration::from_secs(1),
            max_challenges: 10,
            challenge_interval: Duration::from_secs(5),
            fin_wait_2_timeout: Duration::from_secs(60),
            orphan_timeout: Duration::from_secs(600),
        }
    }
}
impl Config {
    /// Congestion control for a connection that begins, with `mss` octets in a segment.
    pub(super) fn congestion(&self, mss: u32) -> Congestion {
        let start = Start {
            mss,
            initial_window: initial_window(self.initial_window, mss),
            hystart: self.hystart,
            paced: self.pacing,
        };
        Congestion::new(self.congestion, &start)
    }

    /// The largest window that can be offered, in octets.
    pub(super) fn receive_window(&self) -> u32 {
        // RFC 7323 section 2.3: windows stay below 2^30.
        self.receive_buffer.clamp(1, 1 << 30) as u32
    }

    /// How long a path's MTU is believed.
    pub(super) fn path_mtu_age(&self) -> Duration {
        self.path_mtu_expiry.max(Duration::from_secs(300))
    }

    /// How many runs ahead of their turn are kept, where segments are of `mss` octets: what a
    /// queue that overflows leaves of a large window is many more than of a small one.
    pub(crate) fn out_of_order_runs(&self, mss: u16) -> usize {
        const LEAST: u32 = 64;

        let every_second = self.receive_window() / (2 * u32::from(mss.max(1)));
        self.max_out_of_order_runs
            .min(every_second.max(LEAST) as usize)
    }

    /// How many octets the send buffer holds: well below 2^31, so that sequence numbers in
    /// it can be compared.
    pub(super) fn send_capacity(&self) -> usize {
        self.send_buffer.min(1 << 30)
    }

    /// How long the acknowledgment of a segment, with PSH or without, may wait.
    pub(super) fn ack_delay(&self, pushed: bool) -> Duration {
        let delay = self.delayed_ack.min(Duration::from_millis(499));
        if pushed { delay } else { delay / 8 }
    }

    /// The smallest shift by which a 16-bit field covers the receive buffer.
    pub(super) fn window_shift(&self) -> u8 {
        if !self.window_scaling {
            return 0;
        }
        let window = self.receive_window();
        let mut shift = 0;
        while shift < 14 && u32::from(u16::MAX) << shift < window {
            shift += 1;
        }
        shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shift_covers_the_buffer() {
        let shift = |receive_buffer| {
            let config = Config {
                receive_buffer,
                ..Config::default()
            };
            config.window_shift()
        };
        assert_eq!(shift(0), 0);
        assert_eq!(shift(65_535), 0);
        assert_eq!(shift(65_536), 1);
        assert_eq!(shift(1 << 20), 5);
        assert_eq!(shift(usize::MAX), 14);
    }
}
