//! Text that the host must not take: it is wrong, so that whoever reads it knows.

use super::Siege;
use crate::simulation::broken::Broken;
use crate::simulation::text::octet;
use crate::simulation::{Choices, Observer};
use crate::tcp::State;
use crate::wire::{SeqNumber, TcpFlags, TcpOption};

/// Which octets of a segment are as they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// Those that the host may take. What it has already, and what it has no room for, is wrong.
    Fresh,
    /// None: the host is to refuse the segment.
    Nothing,
}

impl<C: Choices> Siege<C> {
    /// Whether connection `at` takes text.
    fn takes_text(&self, at: usize) -> bool {
        let open = [State::Established, State::FinWait1, State::FinWait2];
        let state = self.stack.state_of(self.peers[at].quad);
        self.peers[at].acknowledged && state.is_some_and(|state| open.contains(&state))
    }

    /// The octets from number `seq` on that go to connection `at`.
    pub(super) fn tell(&self, at: usize, seq: SeqNumber, truth: Truth, octets: &mut [u8]) {
        let peer = &self.peers[at];
        let takes_text = self.takes_text(at);
        // Of the others it is not known what the host has offered.
        let offered = peer.offered.filter(|_| self.is_right());
        for (n, slot) in (0..).zip(octets) {
            let number = seq + n;
            let has = number < peer.ack;
            let no_room = offered.is_some_and(|offered| offered <= number);
            let wrong = truth == Truth::Nothing || (takes_text && (has || no_room));
            *slot = octet(number.0) ^ if wrong { 0xff } else { 0 };
        }
    }

    /// Text comes to connection `at` with something about it for which it is to be refused; whether
    /// the connection is one for that.
    pub(super) fn lie(&mut self, watch: &mut dyn Observer, at: usize) -> Result<bool, Broken> {
        if !self.takes_text(at) {
            return Ok(false);
        }
        let (is_right, now) = (self.is_right(), self.now);
        let (choices, peer) = (&mut self.choices, &self.peers[at]);
        let stamp = self.manners.stamp(now);
        let (nxt, ack) = (peer.nxt, peer.ack);
        let (mut acks, mut flags) = (Some(nxt), TcpFlags::PSH);
        let mut times = peer.times.map(|echo| (stamp, echo));
        match choices.below(5) {
            // Nothing is taken without an acknowledgment (RFC 9293 section 3.10.7.4).
            0 => acks = None,
            // Without timestamps, where both have agreed on them (RFC 7323 section 3.2).
            1 if times.is_some() => times = None,
            // Older than the connection, which is not yet old itself (RFC 7323 section 5).
            2 if is_right
                && let Some((_, echo)) = times
                && let Some(first) = peer.end.first_stamp(now) =>
            {
                let value = first.wrapping_sub(1 + choices.below(1 << 24) as u32);
                times = Some((value, echo));
            }
            // From beyond 2^30 before what was sent: no window is larger (RFC 5961 section 5.2).
            3 => acks = Some(nxt + (1 << 31) + choices.below(1 << 29) as u32),
            // Of what was not sent yet.
            _ => acks = Some(nxt + 1 + choices.below(1 << 30) as u32),
        }
        if choices.percent(10) {
            flags |= TcpFlags::FIN;
        }
        let base = choices.pick(&[ack, ack, peer.end.sent]);
        let seq = base + choices.pick(&[0, 0, 1, 500]);
        let option = times.map(|(value, echo)| TcpOption::Timestamps { value, echo });
        let mut segment = peer.builder().seq(seq).flags(flags);
        if let Some(acks) = acks {
            segment = segment.ack(acks);
        }
        let len = 1 + choices.below(1000) as usize;
        let segment = segment.options(option.as_slice());
        self.arrive(watch, at, segment, len, Truth::Nothing)?;
        Ok(true)
    }
}
