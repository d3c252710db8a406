//! Where a world's decisions come from.

use crate::device::Rng;

/// Where a world's decisions come from: a seed, or the input of a fuzzer.
///
/// The same choices make the same world, to the last bit.
pub trait Choices {
    /// A number from 0 up to, not including, `bound`; 0 if `bound` is 0.
    fn below(&mut self, bound: u64) -> u64;

    /// Whether there is anything left to choose from. A seed never ends; a fuzzer's input does.
    fn is_exhausted(&self) -> bool {
        false
    }

    /// True in `chance` of 100 cases.
    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of `of`.
    ///
    /// # Panics
    /// If `of` is empty.
    fn pick<T: Copy>(&mut self, of: &[T]) -> T
    where
        Self: Sized,
    {
        of[self.below(of.len() as u64) as usize]
    }
}

/// Choices by chance, from a seed.
#[derive(Clone, Debug)]
pub struct Dice(Rng);

impl Dice {
    /// The choices that belong to `seed`.
    pub const fn new(seed: u64) -> Dice {
        Dice(Rng::new(seed))
    }
}

impl Choices for Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }
}

/// Choices by someone else: each takes a byte of `0` for each 256 that it chooses from,
/// so that a fuzzer that changes one byte changes one decision. When the bytes are used up,
/// all choices are 0.
///
/// ```
/// use zerotcp::simulation::{Bytes, Siege};
///
/// let mut siege = Siege::new(Bytes(b"any bytes"));
/// siege.run(&mut ())?;
/// # Ok::<(), zerotcp::simulation::Broken>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl Choices for Bytes<'_> {
    fn below(&mut self, bound: u64) -> u64 {
        let Some(largest) = bound.checked_sub(1) else {
            return 0;
        };
        let (mut number, mut rest) = (0u64, largest);
        while rest > 0
            && let Some((&byte, bytes)) = self.0.split_first()
        {
            self.0 = bytes;
            number = number << 8 | u64::from(byte);
            rest >>= 8;
        }
        number % bound
    }

    fn is_exhausted(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_choices() {
        let roll = |seed| {
            let mut dice = Dice::new(seed);
            [10, 1000, u64::MAX, 0, 1].map(|bound| dice.below(bound))
        };
        assert_eq!(roll(7), roll(7));
        assert_ne!(roll(7), roll(8));
        assert_eq!(roll(7)[3..], [0, 0]);
    }

    #[test]
    fn bytes_are_taken_one_for_each_256() {
        let mut bytes = Bytes(&[5, 1, 2, 9, 255]);
        assert_eq!(bytes.below(1), 0);
        assert_eq!(bytes.below(256), 5);
        assert_eq!(bytes.below(257), 0x0102 % 257);
        assert_eq!(bytes.below(4), 1);
        assert!(!bytes.is_exhausted());
        assert_eq!(bytes.below(u64::MAX), 255);
        assert!(bytes.is_exhausted());
        assert_eq!(bytes.below(100), 0);
        assert_eq!(bytes.below(0), 0);
    }

    #[test]
    fn choices_reach_all_there_is() {
        let mut dice = Dice::new(1);
        let mut seen = [0; 3];
        for _ in 0..300 {
            seen[dice.pick(&[0, 1, 2])] += 1;
        }
        assert!(seen.iter().all(|&count| count > 50), "{seen:?}");
        let yes = (0..1000).filter(|_| dice.percent(20)).count();
        assert!((100..300).contains(&yes), "{yes}");
        assert!((0..100).all(|_| !dice.percent(0) && dice.percent(100)));
    }
}
