use core::time::Duration;

use super::congestion::Algorithm;

/// The numbers by which a connection is run. [`Default`] gives those named at each field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How many octets wait to be acknowledged or sent, at most. 1 MiB; more than 1 GiB
    /// is taken as 1 GiB, since no window is larger.
    pub send_buffer: usize,
    /// How many octets wait to be read, at most, and so the largest window offered.
    /// 1 MiB; more than 1 GiB is taken as 1 GiB (RFC 7323 section 2.3).
    pub receive_buffer: usize,
    /// The initial retransmission timeout. 1 s (RFC 6298 section 2.1).
    pub initial_rto: Duration,
    /// The smallest retransmission timeout. 200 ms: RFC 6298 section 2.4 has 1 s as
    /// a SHOULD, every system in use is below.
    pub min_rto: Duration,
    /// The largest retransmission timeout, and the longest gap between window
    /// probes. 60 s (RFC 6298 section 2.5).
    pub max_rto: Duration,
    /// How long an acknowledgment may wait for company. 40 ms; less than 500 ms by MUST-40.
    pub delayed_ack: Duration,
    /// Maximum segment lifetime: TIME-WAIT lasts twice that. 30 s, as everywhere
    /// today, where RFC 9293 section 3.4.2 has 2 minutes.
    pub msl: Duration,
    /// How often a segment is retransmitted before the connection is given up: R2 of
    /// RFC 9293 section 3.8.3. 15, which takes some ten minutes.
    pub max_retransmissions: u8,
    /// The same for our SYN in an active open. 7: more than three minutes (MUST-23).
    pub max_syn_retransmissions: u8,
    /// The same for our SYN,ACK in a passive open. 5.
    pub max_syn_ack_retransmissions: u8,
    /// How many separate runs of octets are kept that arrived ahead of their turn. 64.
    pub max_out_of_order_runs: usize,
    /// How many segments that should not have come are answered with an
    /// acknowledgment in five seconds, those with text not counted. 10 (RFC 5961
    /// section 7).
    pub max_challenges: u8,
    /// Whether short segments wait while others are in flight (Nagle, RFC 9293
    /// section 3.7.4). On.
    pub nagle: bool,
    /// How long a connection whose user is gone waits in FIN-WAIT-2 for the peer's
    /// FIN. 60 s.
    pub fin_wait_2_timeout: Duration,
    /// Which congestion control there is. [`Algorithm::Cubic`].
    pub congestion: Algorithm,
    /// The initial congestion window, in segments of 1460 octets at most; of larger ones two
    /// at least. 10 (RFC 6928 section 2); 0 is taken as 1.
    pub initial_window: u32,
    /// Whether what the congestion window admits leaves spread over the round-trip time. On.
    pub pacing: bool,
    /// Whether slow start ends when the round-trip time rises, and grows by all that an
    /// acknowledgment covers: HyStart++ (RFC 9406). Off, it ends with a loss and grows by one
    /// segment an acknowledgment (RFC 5681 section 3.1). On.
    pub hystart: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            send_buffer: 1 << 20,
            receive_buffer: 1 << 20,
            initial_rto: Duration::from_secs(1),
            min_rto: Duration::from_millis(200),
            max_rto: Duration::from_secs(60),
            delayed_ack: Duration::from_millis(40),
            msl: Duration::from_secs(30),
            max_retransmissions: 15,
            max_syn_retransmissions: 7,
            max_syn_ack_retransmissions: 5,
            max_out_of_order_runs: 64,
            max_challenges: 10,
            nagle: true,
            fin_wait_2_timeout: Duration::from_secs(60),
            congestion: Algorithm::Cubic,
            initial_window: 10,
            pacing: true,
            hystart: true,
        }
    }
}

impl Config {
    /// The largest window that can be offered, in octets.
    pub(super) fn receive_window(&self) -> u32 {
        // RFC 7323 section 2.3: windows stay below 2^30.
        self.receive_buffer.clamp(1, 1 << 30) as u32
    }

    /// How many octets the send buffer holds: well below 2^31, so that sequence numbers in
    /// it can be compared.
    pub(super) fn send_capacity(&self) -> usize {
        self.send_buffer.min(1 << 30)
    }

    /// The smallest shift by which a 16-bit field covers the receive buffer.
    pub(super) fn window_shift(&self) -> u8 {
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
