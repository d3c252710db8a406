//! Random numbers that can be replayed.

/// A stream of random numbers that is the same for the same seed, everywhere.
///
/// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators", OOPSLA 2014): one addition and a mix a number, all 64 bits good.
/// For simulations and impairments; anyone who sees a few numbers can tell
/// the rest, so never for sequence numbers or keys.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The stream that belongs to `seed`. Every seed is a good one.
    pub const fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next 64 random bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A stream of its own, so that what one part draws does not move another's numbers.
    pub const fn fork(&mut self) -> Rng {
        Rng(self.next_u64())
    }

    /// True with the given probability: never at 0 or less (or NaN), always at 1
    /// or more. Takes one number from the stream whatever the probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        // The upper 53 bits, as many as an f64 holds, scaled to 0 <= x < 1.
        let unit = (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        unit < probability
    }

    /// A number from 0 up to, not including, `bound`; 0 if `bound` is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        // The upper half of the product. Its bias is at most bound / 2^64.
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that the authors' reference program prints for this seed.
    #[test]
    fn agrees_with_the_reference() {
        let mut rng = Rng::new(1234567);
        let drawn: Vec<u64> = (0..5).map(|_| rng.next_u64()).collect();
        assert_eq!(
            drawn,
            [
                6457827717110365317,
                3203168211198807973,
                9817491932198370423,
                4593380528125082431,
                16408922859458223821,
            ]
        );
    }

    #[test]
    fn forks_go_their_own_way() {
        let mut root = Rng::new(7);
        let (mut a, mut b) = (root.fork(), root.fork());
        assert!((0..100).all(|_| a.next_u64() != b.next_u64()));
    }

    #[test]
    fn chance_is_never_at_zero_and_always_at_one() {
        let mut rng = Rng::new(1);
        for _ in 0..10_000 {
            assert!(!rng.chance(0.0));
            assert!(!rng.chance(-1.0));
            assert!(!rng.chance(f64::NAN));
            assert!(rng.chance(1.0));
            assert!(rng.chance(2.0));
        }
    }

    #[test]
    fn below_reaches_every_number_and_no_other() {
        let mut rng = Rng::new(3);
        let mut seen = [0u32; 8];
        for _ in 0..8_000 {
            seen[rng.below(8) as usize] += 1;
        }
        assert!(
            seen.iter().all(|&count| (800..1200).contains(&count)),
            "{seen:?}"
        );
        assert_eq!(rng.below(1), 0);
        assert_eq!(rng.below(0), 0);
        assert!(rng.below(u64::MAX) < u64::MAX);
    }
}
