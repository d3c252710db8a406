//! Old segments that the way has kept, and brings once more when their numbers are in use again.

use std::time::Duration;

use crate::simulation::Choices;
use crate::stack::{Quad, Stack};
use crate::time::Instant;
use crate::wire::TcpPacket;

/// Text of earlier rounds, which nothing but its timestamp tells from that of the present one
/// (PAWS, RFC 7323 section 5).
#[derive(Debug, Default)]
pub(super) struct Relics(Vec<Relic>);

#[derive(Debug)]
struct Relic {
    /// To which host it goes.
    to: usize,
    /// When it was sent, by its sender's clock.
    sent_at: Instant,
    packet: Vec<u8>,
}

/// So many are kept at most.
const MOST: usize = 100;

/// So old they may be: after 24 days their timestamps look new (section 5.5).
const LIFETIME: Duration = Duration::from_secs(20 * 24 * 60 * 60);

impl Relics {
    /// Host `from` sends a packet, which may be one to keep; `now` by its clock.
    pub(super) fn consider(&mut self, now: Instant, from: usize, packet: &[u8]) {
        let Ok(segment) = TcpPacket::parse(packet) else {
            return;
        };
        let stamped = |packet: &TcpPacket<'_>| {
            let options = packet.tcp.option_summary();
            options.is_ok_and(|options| options.timestamps.is_some())
        };
        // What has no timestamp may do harm and be right: a reset, too.
        let is_text = !segment.tcp.payload().is_empty() && !segment.tcp.flags().rst();
        if self.0.len() < MOST && is_text && stamped(&segment) {
            self.0.push(Relic {
                to: 1 - from,
                sent_at: now,
                packet: packet.to_vec(),
            });
        }
    }

    /// One that reaches host `to` once more, of a connection that it has; `now` by the clock of
    /// the other.
    pub(super) fn pick(
        &self,
        now: Instant,
        to: usize,
        stack: &Stack,
        dice: &mut impl Choices,
    ) -> Option<Vec<u8>> {
        let relic = self.0.get(dice.below(self.0.len() as u64) as usize)?;
        let quad = Quad::of(&TcpPacket::parse(&relic.packet).ok()?);
        let fits = relic.to == to
            && now.saturating_duration_since(relic.sent_at) < LIFETIME
            && stack.state_of(quad)?.is_synchronized();
        fits.then(|| relic.packet.clone())
    }
}
