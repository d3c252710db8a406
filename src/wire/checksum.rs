//! The internet checksum: in bulk, over the pseudo-header, combined and incremental.
//!
//! The sum is the 16-bit ones' complement sum of RFC 1071. It does not depend on
//! byte order (section 2 (B)), so it is taken over words as the machine loads
//! them and swapped once, at the end.

use core::net::Ipv4Addr;

/// Accumulates the ones' complement sum of any slices at any parity (RFC 1071).
///
/// A piece of odd length shifts the words of what follows by one byte; the
/// accumulator keeps track of it, so a message can be cut anywhere.
///
/// ```
/// use zerotcp::wire::Checksum;
///
/// // RFC 1071 section 3
/// let data = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
/// assert_eq!(Checksum::of(&data).sum(), 0xddf2);
///
/// let (head, tail) = data.split_at(3);
/// assert_eq!(Checksum::of(head).combine(Checksum::of(tail)), Checksum::of(&data));
/// assert_eq!(Checksum::of(&data).finish(), !0xddf2);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Checksum {
    /// Ones' complement sum of words in the machine's byte order, folded to below 2^33.
    sum: u64,
    /// Whether the bytes so far are odd in number.
    odd: bool,
}

impl Checksum {
    /// The sum of nothing.
    #[inline]
    pub const fn new() -> Checksum {
        Checksum { sum: 0, odd: false }
    }

    /// The sum of `data`.
    #[inline]
    pub fn of(data: &[u8]) -> Checksum {
        Checksum {
            sum: sum(data),
            odd: data.len() % 2 == 1,
        }
    }

    /// The sum of the pseudo-header that TCP and UDP put before their segment
    /// (RFC 9293 section 3.1): addresses, zero, protocol, and `length`, the
    /// segment's header and payload in bytes.
    #[inline]
    pub fn pseudo_header(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, length: u16) -> Checksum {
        let sum = u64::from(u32::from_ne_bytes(src.octets()))
            + u64::from(u32::from_ne_bytes(dst.octets()))
            + u64::from(u16::from(protocol).to_be())
            + u64::from(length.to_be());
        Checksum {
            sum: partial_fold(sum),
            odd: false,
        }
    }

    /// A sum taken earlier, as [`sum`](Checksum::sum) returned it.
    #[inline]
    pub const fn from_sum(sum: u16) -> Checksum {
        Checksum {
            sum: sum.to_be() as u64,
            odd: false,
        }
    }

    /// Adds the bytes that follow those added so far.
    #[inline]
    pub fn add(&mut self, data: &[u8]) {
        *self = self.combine(Checksum::of(data));
    }

    /// Adds one 16-bit word, which must not straddle: all bytes before it are even in number.
    #[inline]
    #[must_use]
    pub const fn word(self, word: u16) -> Checksum {
        debug_assert!(!self.odd);
        Checksum {
            sum: self.sum + word.to_be() as u64,
            odd: self.odd,
        }
    }

    /// Adds one 32-bit word; as [`word`](Checksum::word).
    #[inline]
    #[must_use]
    pub const fn word32(self, word: u32) -> Checksum {
        debug_assert!(!self.odd);
        Checksum {
            sum: partial_fold(self.sum + word.to_be() as u64),
            odd: self.odd,
        }
    }

    /// The sum of the bytes of `self` followed by those of `next`.
    #[inline]
    #[must_use]
    pub const fn combine(self, next: Checksum) -> Checksum {
        // Bytes that follow an odd number of bytes sit in the other half of
        // their words: swap the halves of their sum (RFC 1071 section 2 (B)).
        let sum = if self.odd {
            (fold(next.sum)).swap_bytes() as u64
        } else {
            next.sum
        };
        Checksum {
            sum: partial_fold(self.sum + sum),
            odd: self.odd != next.odd,
        }
    }

    /// The ones' complement sum, not inverted, as the number that the network's
    /// byte order reads. A message whose checksum field is right sums to `0xffff`.
    #[inline]
    pub const fn sum(self) -> u16 {
        u16::from_be(fold(self.sum))
    }

    /// The value of the checksum field: the complement of [`sum`](Checksum::sum).
    #[inline]
    pub const fn finish(self) -> u16 {
        !self.sum()
    }

    /// Whether a message that includes its checksum field is intact (RFC 1071 section 1).
    #[inline]
    pub const fn is_valid(self) -> bool {
        fold(self.sum) == 0xffff
    }

    /// Copies `src` to the start of `dst` and returns the sum of the bytes copied:
    /// as many as the shorter of the two holds.
    #[inline]
    pub fn copy(dst: &mut [u8], src: &[u8]) -> Checksum {
        let len = dst.len().min(src.len());
        let (dst, src) = (&mut dst[..len], &src[..len]);
        dst.copy_from_slice(src);
        Checksum::of(dst)
    }
}

/// Equality of the sums, whatever the way they were taken.
impl PartialEq for Checksum {
    fn eq(&self, other: &Checksum) -> bool {
        self.odd == other.odd && fold(self.sum) == fold(other.sum)
    }
}

impl Eq for Checksum {}

/// The checksum field after a 16-bit word of the message changed from `old` to
/// `new`: RFC 1624 equation 3, HC' = ~(~HC + ~m + m').
///
/// ```
/// // RFC 1624 section 4: where RFC 1141's form goes wrong
/// assert_eq!(zerotcp::wire::checksum::update(0xdd2f, 0x5555, 0x3285), 0x0000);
/// ```
#[inline]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    !fold(!checksum as u64 + !old as u64 + new as u64)
}

/// [`update`] for a 32-bit field that sits on a 16-bit boundary.
#[inline]
pub const fn update32(checksum: u16, old: u32, new: u32) -> u16 {
    !fold(!checksum as u64 + !old as u64 + new as u64)
}

/// [`update`] for a run of bytes that was replaced: `old` and `new` are the sums
/// of the run before and after, taken at the parity that the run has in the message.
#[inline]
pub const fn update_sum(checksum: u16, old: Checksum, new: Checksum) -> u16 {
    update(checksum, old.sum(), new.sum())
}

/// Brings a sum below 2^33 without changing its residue modulo 2^16 - 1.
#[inline]
const fn partial_fold(sum: u64) -> u64 {
    (sum & 0xffff_ffff) + (sum >> 32)
}

/// Brings a sum below 2^16; zero only for a sum of zero.
#[inline]
const fn fold(sum: u64) -> u16 {
    let sum = partial_fold(sum);
    let sum = (sum & 0xffff) + (sum >> 16); // below 2^17 + 2^16
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

/// The sum of 16-bit words in the machine's byte order, below 2^33. A last odd
/// byte is padded with zero.
#[inline]
fn sum(data: &[u8]) -> u64 {
    // Below this a loop over single words is faster than setting up lanes.
    if data.len() < 128 {
        sum_short(data)
    } else {
        sum_bulk(data)
    }
}

#[inline]
fn sum_short(data: &[u8]) -> u64 {
    let (words, rest) = data.as_chunks::<8>();
    let mut sum = 0u64;
    let mut carries = 0u64;
    for word in words {
        let (next, carry) = sum.overflowing_add(u64::from_ne_bytes(*word));
        sum = next;
        carries += u64::from(carry);
    }
    // 2^64 = 1 modulo 2^16 - 1, so a carry counts one.
    partial_fold(partial_fold(sum) + carries + sum_tail(rest))
}

/// Up to seven bytes, as a number below 2^34.
#[inline]
fn sum_tail(mut rest: &[u8]) -> u64 {
    let mut sum = 0;
    if let Some((word, tail)) = rest.split_first_chunk::<4>() {
        sum += u64::from(u32::from_ne_bytes(*word));
        rest = tail;
    }
    if let Some((word, tail)) = rest.split_first_chunk::<2>() {
        sum += u64::from(u16::from_ne_bytes(*word));
        rest = tail;
    }
    if let [last] = rest {
        sum += u64::from(u16::from_ne_bytes([*last, 0]));
    }
    sum
}

const LANES: usize = 8;

fn sum_bulk(data: &[u8]) -> u64 {
    let (blocks, rest) = data.as_chunks::<{ 8 * LANES }>();
    // Each lane adds up whole 64-bit words modulo 2^64, and their upper halves
    // apart. The lower halves follow from the two: three operations a word where
    // splitting both halves takes four, and the compiler turns lanes into vectors.
    // `upper` overflows after 2^32 blocks of 64 bytes: no slice in memory gets there.
    let mut whole = [0u64; LANES];
    let mut upper = [0u64; LANES];
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for lane in 0..LANES {
            let word = u64::from_ne_bytes(words[lane]);
            whole[lane] = whole[lane].wrapping_add(word);
            upper[lane] = upper[lane].wrapping_add(word >> 32);
        }
    }
    let mut sum = 0;
    for lane in 0..LANES {
        let lower = whole[lane].wrapping_sub(upper[lane] << 32);
        sum += partial_fold(lower) + partial_fold(upper[lane]);
    }
    partial_fold(sum + sum_short(rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 1071 section 4.1, word by word.
    fn reference(data: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in data.chunks(2) {
            let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
            sum += u32::from(word);
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        (0..len)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect()
    }

    #[test]
    fn every_length_and_alignment_agrees_with_the_reference() {
        for data in [noise(2112), vec![0xff; 2112], vec![0; 2112]] {
            for start in 0..64 {
                for len in (0..=260).chain([575, 576, 1459, 1460, 1480, 2047, 2048]) {
                    let piece = &data[start..start + len];
                    assert_eq!(Checksum::of(piece).sum(), reference(piece), "{start}+{len}");
                }
            }
        }
    }

    #[test]
    fn lanes_do_not_overflow_on_a_long_run_of_ones() {
        let data = vec![0xff; 16 << 20];
        assert_eq!(Checksum::of(&data).sum(), 0xffff);
    }

    #[test]
    fn the_pseudo_header_is_the_sum_of_its_bytes() {
        let bytes = [192, 168, 0, 1, 10, 255, 255, 254, 0, 6, 0x12, 0x34];
        let sum = Checksum::pseudo_header(
            [192, 168, 0, 1].into(),
            [10, 255, 255, 254].into(),
            6,
            0x1234,
        );
        assert_eq!(sum.sum(), reference(&bytes));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_sum(
            data in proptest::collection::vec(any::<u8>(), 0..700),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
            cuts.sort_unstable();
            let mut sum = Checksum::new();
            let mut start = 0;
            for cut in cuts.into_iter().chain([data.len()]) {
                sum.add(&data[start..cut]);
                start = cut;
            }
            prop_assert_eq!(sum.sum(), reference(&data));
        }

        #[test]
        fn an_update_is_a_recomputation(
            mut data in proptest::collection::vec(any::<u8>(), 2..80),
            at in any::<prop::sample::Index>(),
            new in any::<u16>(),
        ) {
            // A message that is all zeros has two representations of its sum.
            data[0] |= 1;
            let at = at.index(data.len() / 2) * 2;
            prop_assume!(at != 0 && at + 1 < data.len());
            let before = Checksum::of(&data).finish();
            let old = u16::from_be_bytes([data[at], data[at + 1]]);
            data[at..at + 2].copy_from_slice(&new.to_be_bytes());
            prop_assert_eq!(update(before, old, new), Checksum::of(&data).finish());
        }

        #[test]
        fn copying_sums_what_it_copies(data in proptest::collection::vec(any::<u8>(), 0..300), room in 0..300usize) {
            let mut to = vec![0; room];
            let sum = Checksum::copy(&mut to, &data);
            let len = room.min(data.len());
            prop_assert_eq!(&to[..len], &data[..len]);
            prop_assert_eq!(sum, Checksum::of(&data[..len]));
        }
    }
}
