use siphasher::sip::SipHasher24;

use super::quad::Quad;
use crate::time::Instant;
use crate::wire::SeqNumber;

/// Initial sequence numbers by RFC 6528: ISN = M + F(quad, secret); and what timestamps
/// begin with.
pub(super) struct IsnGenerator {
    secret: [u8; 16],
}

impl IsnGenerator {
    pub(super) const fn new(secret: [u8; 16]) -> IsnGenerator {
        IsnGenerator { secret }
    }

    /// The number with which a connection that is opened at `now` starts. The clock M
    /// ticks every 4 microseconds (MUST-8); F is SipHash-2-4 (MUST-9, SHLD-1).
    pub(super) fn generate(&self, now: Instant, quad: Quad) -> SeqNumber {
        let clock = now.as_nanos() / 4_000;
        // Both modulo 2^32.
        SeqNumber((clock as u32).wrapping_add(self.hash(quad) as u32))
    }

    /// The offset of a quad's timestamp clock (RFC 7323 section 5.4). The same for each
    /// connection of the quad, so that its timestamps grow from one to the next, by which
    /// TIME-WAIT is cut short (RFC 6191); of other quads' it tells nothing.
    pub(super) fn timestamp_offset(&self, quad: Quad) -> u32 {
        // The half that no sequence number shows.
        (self.hash(quad) >> 32) as u32
    }

    fn hash(&self, quad: Quad) -> u64 {
        SipHasher24::new_with_key(&self.secret).hash(&quad.to_bytes())
    }
}

/// The secret stays out of logs (RFC 6528 section 3).
impl core::fmt::Debug for IsnGenerator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("IsnGenerator")
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn grows_for_one_quad_and_tells_nothing_of_others() {
        let quad = |port| Quad {
            src: (Ipv4Addr::new(10, 0, 0, 1), port),
            dst: (Ipv4Addr::new(10, 0, 0, 2), 80),
        };
        let generator = IsnGenerator::new([7; 16]);
        let first = generator.generate(Instant::from_millis(1000), quad(1));
        let second = generator.generate(Instant::from_millis(1001), quad(1));
        assert_eq!(second - first, 250);
        assert_ne!(
            generator.generate(Instant::from_millis(1000), quad(2)),
            first
        );
        let other = IsnGenerator::new([8; 16]);
        assert_ne!(other.generate(Instant::from_millis(1000), quad(1)), first);
        assert!(!format!("{generator:?}").contains('7'));
    }
}
