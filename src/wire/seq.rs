use core::cmp::Ordering;
use core::fmt;
use core::ops::{Add, AddAssign, Sub};

/// A TCP sequence number: arithmetic modulo 2^32, comparison by serial
/// arithmetic (RFC 9293 section 3.4, RFC 1982).
///
/// Nothing about it can panic. `a < b` holds when `b` is at most 2^31 - 1 ahead
/// of `a`; of two numbers exactly 2^31 apart neither is the smaller one, so the
/// order is partial and holds among the numbers of one window only.
///
/// ```
/// use zerotcp::wire::SeqNumber;
///
/// let before = SeqNumber(0xffff_fff0);
/// let after = before + 0x20;
/// assert_eq!(after, SeqNumber(0x10));
/// assert!(before < after);
/// assert_eq!(after - before, 0x20);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeqNumber(pub u32);

impl SeqNumber {
    /// Whether the number lies in the window of `length` numbers that starts at `start`.
    #[inline]
    pub const fn in_window(self, start: SeqNumber, length: u32) -> bool {
        self.0.wrapping_sub(start.0) < length
    }

    /// The later of two numbers of one window.
    #[inline]
    #[must_use]
    pub fn max(self, other: SeqNumber) -> SeqNumber {
        if self < other { other } else { self }
    }

    /// The earlier of two numbers of one window.
    #[inline]
    #[must_use]
    pub fn min(self, other: SeqNumber) -> SeqNumber {
        if other < self { other } else { self }
    }
}

impl PartialOrd for SeqNumber {
    #[inline]
    fn partial_cmp(&self, other: &SeqNumber) -> Option<Ordering> {
        match self.0.wrapping_sub(other.0) {
            0 => Some(Ordering::Equal),
            0x8000_0000 => None,
            ahead if ahead < 0x8000_0000 => Some(Ordering::Greater),
            _ => Some(Ordering::Less),
        }
    }

    #[inline]
    fn lt(&self, other: &SeqNumber) -> bool {
        // One subtraction instead of the match: other - self in 1..2^31.
        other.0.wrapping_sub(self.0).wrapping_sub(1) < 0x7fff_ffff
    }

    #[inline]
    fn le(&self, other: &SeqNumber) -> bool {
        other.0.wrapping_sub(self.0) < 0x8000_0000
    }

    #[inline]
    fn gt(&self, other: &SeqNumber) -> bool {
        other < self
    }

    #[inline]
    fn ge(&self, other: &SeqNumber) -> bool {
        other <= self
    }
}

impl Add<u32> for SeqNumber {
    type Output = SeqNumber;

    #[inline]
    fn add(self, count: u32) -> SeqNumber {
        SeqNumber(self.0.wrapping_add(count))
    }
}

impl AddAssign<u32> for SeqNumber {
    #[inline]
    fn add_assign(&mut self, count: u32) {
        *self = *self + count;
    }
}

impl Sub<u32> for SeqNumber {
    type Output = SeqNumber;

    #[inline]
    fn sub(self, count: u32) -> SeqNumber {
        SeqNumber(self.0.wrapping_sub(count))
    }
}

/// How far `self` lies ahead of the other number, modulo 2^32.
impl Sub<SeqNumber> for SeqNumber {
    type Output = u32;

    #[inline]
    fn sub(self, other: SeqNumber) -> u32 {
        self.0.wrapping_sub(other.0)
    }
}

impl fmt::Display for SeqNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
// Whether `!(a < b)` is `a >= b` is what these tests are about.
#[allow(clippy::nonminimal_bool, clippy::neg_cmp_op_on_partial_ord)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Starts around every place where arithmetic could break, and anywhere.
    fn starts() -> impl Strategy<Value = SeqNumber> {
        prop_oneof![
            any::<u32>(),
            (0x7fff_fff0..=0x8000_0010u32),
            (0..=16u32).prop_map(|n| n.wrapping_sub(8)),
        ]
        .prop_map(SeqNumber)
    }

    proptest! {
        #[test]
        fn order_and_distance_hold_across_the_wrap(start in starts(), ahead in 1..0x8000_0000u32) {
            let later = start + ahead;
            prop_assert!(start < later && later > start && start <= later && later >= start);
            prop_assert!(!(later < start) && !(later <= start));
            prop_assert_eq!(later - start, ahead);
            prop_assert_eq!(later - ahead, start);
            prop_assert_eq!(start.max(later), later);
            prop_assert_eq!(later.min(start), start);
            prop_assert_eq!(start.partial_cmp(&later), Some(Ordering::Less));
            prop_assert_eq!(later.partial_cmp(&start), Some(Ordering::Greater));
        }

        #[test]
        fn a_window_holds_its_numbers_and_no_others(start in starts(), length in any::<u32>(), at in any::<u32>()) {
            prop_assert_eq!((start + at).in_window(start, length), at < length);
        }
    }

    #[test]
    fn half_way_round_neither_is_smaller() {
        for start in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff].map(SeqNumber) {
            let opposite = start + 0x8000_0000;
            assert_eq!(start.partial_cmp(&opposite), None);
            assert!(!(start < opposite) && !(opposite < start));
            assert!(!(start <= opposite) && !(opposite <= start));
        }
    }
}
