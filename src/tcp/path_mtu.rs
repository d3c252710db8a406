//! What a connection does about its path: what ICMP says is believed or not (RFC 5927),
//! segments become smaller (RFC 1191) or are suspected to be too large (RFC 4821).

use super::config::Config;
use super::congestion::Controller;
use super::effects::{CloseReason, Effects, SegmentFate};
use super::path::{
    Claim, HEADERS, MIN_MTU, PathError, PathEstimate, SoftError, Suspicion, Told, is_hard,
    plateau_below,
};
use super::state::State;
use super::syn::DEFAULT_MSS;
use super::tcb::Tcb;
use super::timers::Timer;
use crate::time::Instant;
use crate::wire::SeqNumber;
impl Tcb {
    /// What other connections have found out about the path to the same peer: to be told
    /// before any text is sent.
    pub fn begin_path(&mut self, config: &Config, estimate: PathEstimate) {
        self.path.set(estimate.mtu.max(MIN_MTU), estimate.until);
        self.follow_path(config);
    }

    /// The path has changed, and with it the most text for a segment, which the congestion
    /// window is counted in.
    fn follow_path(&mut self, config: &Config) {
        let mss = self.path.mss(config);
        let old = core::mem::replace(&mut self.snd.mss, mss);
        if mss != old {
            self.congestion.on_mss(old.into(), mss.into());
        }
    }

    /// The most text for a segment by what peer and link allow, and by the path.
    pub(super) fn limit_mss(&mut self, config: &Config, ceiling: u16) {
        self.path.ceiling = ceiling;
        self.snd.mss = self.path.mss(config);
    }

    /// An ICMP error came that quotes a segment of this connection with number `seq`
    /// (MUST-54). Where it is not about anything in flight, or cannot be true, its fate is
    /// [`SegmentFate::OutOfWindow`].
    pub fn on_icmp(
        &mut self,
        now: Instant,
        config: &Config,
        error: PathError,
        seq: SeqNumber,
    ) -> Effects {
        let mut effects = Effects::default();
        // RFC 5927 section 4.1.
        let in_flight = self.snd.una <= seq && seq < self.snd.nxt;
        if self.state == State::Closed || !in_flight {
            effects.fate = SegmentFate::OutOfWindow;
            return effects;
        }
        match error {
            PathError::Undelivered(error) => self.hear_of_loss(error, seq, &mut effects),
            PathError::TooBig {
                next_hop_mtu,
                quoted_len,
            } => {
                let mtu = match next_hop_mtu {
                    0 => plateau_below(quoted_len, self.path.packet_limit()),
                    mtu => mtu,
                };
                self.hear_of_mtu(now, config, mtu, seq, &mut effects);
            }
        }
        effects
    }

    /// Hard errors end what has not been answered yet (SHLD-26). Once the peer has, they
    /// are soft (RFC 5927 section 5.2) until the connection itself has reason to believe
    /// them. Soft errors end nothing (MUST-56): they are told (SHLD-25).
    fn hear_of_loss(&mut self, error: SoftError, seq: SeqNumber, effects: &mut Effects) {
        let opens = match self.state {
            State::SynSent => true,
            State::SynReceived => !self.passive,
            _ => false,
        };
        if is_hard(error) {
            if opens {
                self.finish(CloseReason::Unreachable, effects);
                return;
            }
            let told = Told::Unreachable;
            self.path.claim = Some(Claim { seq, told });
        }
        effects.soft_error = Some(error);
    }

    /// The two stages of RFC 5927 section 7.2.
    fn hear_of_mtu(
        &mut self,
        now: Instant,
        config: &Config,
        mtu: u16,
        seq: SeqNumber,
        effects: &mut Effects,
    ) {
        let opens = matches!(self.state, State::SynSent | State::SynReceived);
        let path = &mut self.path;
        // Never below the least nor up (RFC 1191 section 3), and nothing got stuck that was
        // not sent. A handshake's segments fit everywhere.
        let impossible =
            mtu < MIN_MTU || mtu >= path.packet_limit() || mtu > path.largest_sent || opens;
        if impossible {
            effects.fate = SegmentFate::OutOfWindow;
        } else if mtu < path.largest_acked {
            let told = Told::Mtu(mtu);
            path.claim = Some(Claim { seq, told });
        } else {
            let until = now + config.path_mtu_age();
            let estimate = PathEstimate { mtu, until };
            self.shrink(config, estimate);
            effects.path = Some(estimate);
        }
    }

    /// From now on packets are smaller, and what is in flight goes out again in such.
    fn shrink(&mut self, config: &Config, estimate: PathEstimate) {
        self.path.set(estimate.mtu, estimate.until);
        let old = self.snd.mss;
        self.follow_path(config);
        let mss = self.snd.mss;
        if mss < old {
            // Of what is in flight the larger segments are lost for sure, and go out again
            // at once in smaller ones; it was no congestion (RFC 1191 section 6.4).
            let text = u32::from(mss).saturating_sub(self.option_len());
            self.flight.mark_larger_lost(text);
            self.flight.at_once = self.flight.board.lost() > 0;
            self.timers.stop(Timer::TailProbe);
        }
    }

    /// The retransmission timer has expired: nothing gets through. If ICMP has said why, this is
    /// the proof; if it has not and large segments keep getting lost, they may be too large for
    /// a path that does not say so (RFC 4821 section 7.7).
    pub(super) fn doubt_path(&mut self, now: Instant, config: &Config, effects: &mut Effects) {
        let timeouts = self.retries.saturating_add(1);
        match self.path.claim.map(|claim| claim.told) {
            // One timeout is no proof, which every loss of a tail may bring: R1 is.
            Some(Told::Unreachable) if timeouts >= config.trouble_retransmissions => {
                self.finish(CloseReason::Unreachable, effects);
            }
            Some(Told::Mtu(mtu)) => {
                self.path.largest_acked = mtu;
                let until = now + config.path_mtu_age();
                let estimate = PathEstimate { mtu, until };
                self.shrink(config, estimate);
                effects.path = Some(estimate);
            }
            _ => self.look_for_black_hole(config, timeouts),
        }
    }

    fn look_for_black_hole(&mut self, config: &Config, timeouts: u8) {
        /// Text that gets through nearly everywhere (RFC 4821 section 7.2), and that which
        /// everyone has to take (RFC 9293 section 3.7.1).
        const BASES: [u16; 2] = [1024, DEFAULT_MSS];

        let is_time = config.black_hole_timeouts > 0
            && timeouts.is_multiple_of(config.black_hole_timeouts)
            && !matches!(self.state, State::SynSent | State::SynReceived);
        // With what its options take.
        let len = self.flight().saturating_add(self.option_len());
        let len = len.min(self.snd.mss.into());
        let smaller = BASES.into_iter().find(|base| u32::from(*base) < len);
        let Some(base) = smaller.filter(|_| is_time) else {
            return;
        };
        let mtu = base + HEADERS;
        let path = &mut self.path;
        // If larger ones did get through, the path may be down or lose much rather than be
        // narrow, and they are tried again as soon as anything gets through. If they don't then,
        // each further try would stall the connection for as long as this one has.
        let known = path.largest_acked > mtu;
        let (until, suspicion) = match path.suspicion {
            Suspicion::None if known => (path.raise_at, Suspicion::Trial(path.mtu)),
            Suspicion::Trial(before) => (path.raise_at, Suspicion::Trial(before)),
            _ => (Instant::FAR_FUTURE, Suspicion::Fresh),
        };
        self.shrink(config, PathEstimate { mtu, until });
        self.path.suspicion = suspicion;
    }

    /// Text went out: how large was the packet? Of what a device will cut into segments, the
    /// first.
    pub(super) fn note_size(&mut self, seq: SeqNumber, len: u32) {
        let mss = u32::from(self.snd.mss);
        let options = self.option_len();
        // At most an MSS, of 16 bits.
        let size = ((len + options).min(mss) as u16).saturating_add(HEADERS);
        let path = &mut self.path;
        path.largest_sent = path.largest_sent.max(size);
        let arrived = match path.suspicion {
            Suspicion::Doubt(size) => size,
            _ => path.largest_acked,
        };
        let largest = path.sizing.map_or(arrived, |(_, size)| size);
        if size > largest {
            path.sizing = Some((seq + len.min(mss), size));
        }
    }

    /// Octets up to `ack` have arrived.
    pub(super) fn trust_path(
        &mut self,
        now: Instant,
        config: &Config,
        ack: SeqNumber,
        effects: &mut Effects,
    ) {
        let path = &mut self.path;
        if path.suspicion == Suspicion::Fresh {
            path.suspicion = Suspicion::None;
            // It was the size: other connections may know.
            let (mtu, until) = (path.mtu, now + config.path_mtu_age());
            effects.path = Some(PathEstimate { mtu, until });
        }
        if let Some((end, size)) = path.sizing
            && end <= ack
        {
            path.largest_acked = path.largest_acked.max(size);
            path.sizing = None;
            if matches!(path.suspicion, Suspicion::Doubt(_)) {
                path.suspicion = Suspicion::None;
            }
        }
        if path.claim.is_some_and(|claim| claim.seq < ack) {
            path.claim = None;
        }
        if let Suspicion::Trial(before) = path.suspicion {
            let small = path.mtu;
            path.set(before, path.raise_at);
            path.suspicion = Suspicion::Doubt(small);
            self.follow_path(config);
        }
        if self.path.raise_at <= now {
            self.path.set(u16::MAX, Instant::FAR_FUTURE);
            self.follow_path(config);
        }
    }

    /// The largest packet that the path is believed to take, in bytes.
    pub(super) fn path_mtu(&self) -> u16 {
        self.path.packet_limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::Opening;

    fn opening() -> (Config, Tcb) {
        let config = Config::default();
        let opening = Opening {
            iss: SeqNumber(u32::MAX),
            mss: 1460,
            timestamp_offset: 0,
        };
        let mut tcb = Tcb::connect(&config, opening);
        assert!(tcb.poll_transmit(Instant::ZERO, &config).is_some());
        (config, tcb)
    }

    #[test]
    fn soft_errors_are_told_and_hard_ones_end_an_active_open() {
        let iss = SeqNumber(u32::MAX);
        let now = Instant::ZERO;
        let errors = [
            (SoftError::NetUnreachable, None),
            (SoftError::Prohibited, None),
            (SoftError::TimeExceeded, None),
            (SoftError::PortUnreachable, Some(CloseReason::Unreachable)),
            (
                SoftError::ProtocolUnreachable,
                Some(CloseReason::Unreachable),
            ),
        ];
        for (error, closed) in errors {
            let (config, mut tcb) = opening();
            let stray = tcb.on_icmp(now, &config, PathError::Undelivered(error), iss + 1);
            assert_eq!(stray.fate, SegmentFate::OutOfWindow);
            assert_eq!((stray.soft_error, stray.closed), (None, None));
            let effects = tcb.on_icmp(now, &config, PathError::Undelivered(error), iss);
            let told = closed.is_none().then_some(error);
            assert_eq!((effects.soft_error, effects.closed), (told, closed));
            // Once more, when it may be over.
            let again = tcb.on_icmp(now, &config, PathError::Undelivered(error), iss);
            assert_eq!(again.closed, None);
        }
    }

    #[test]
    fn it_is_small() {
        assert!(
            size_of::<crate::tcp::path::Path>() <= 40,
            "{}",
            size_of::<crate::tcp::path::Path>()
        );
    }

    #[test]
    fn plateaus_lie_below_what_did_not_get_through() {
        assert_eq!(plateau_below(1500, 9000), 1492);
        // The length may be that of 4.2BSD.
        assert_eq!(plateau_below(1500, 1500), 1006);
        assert_eq!(plateau_below(1006, 1500), 508);
        assert_eq!(plateau_below(297, 1500), 296);
        for len in [0, 68, 80, 296] {
            assert_eq!(plateau_below(len, 296), MIN_MTU);
        }
        assert_eq!(plateau_below(u16::MAX, u16::MAX), 32_000);
    }
}
