//! The internet checksum: in bulk, over the pseudo-header, combined and incremental.
//!
//! The sum is the 16-bit ones' complement sum of RFC 1071. It does not depend on
//! byte order (section 2 (B)), so it is taken over little-endian words, which most
//! machines load as they are, and swapped once, at the end.

#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod avx2;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod avx512;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod blocks;
mod kernel;
mod portable;
#[cfg(test)]
mod tests;

use core::net::Ipv4Addr;

pub use kernel::Kernel;

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
    /// Ones' complement sum of little-endian words modulo 2^64 - 1, which 2^16 - 1
    /// divides: folded only where sixteen bits are asked for.
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
    #[must_use]
    pub fn of(data: &[u8]) -> Checksum {
        // As many bytes are summed before a kernel would have begun.
        let sum = if data.len() < portable::SHORT {
            portable::sum_short(data)
        } else {
            kernel::sum(data)
        };
        Checksum::of_bytes(sum, data.len())
    }

    /// [`of`](Checksum::of) with none of it inline: for code of which it is but a part.
    #[inline(always)]
    pub(super) fn of_out_of_line(data: &[u8]) -> Checksum {
        #[inline(never)]
        fn sum_short(data: &[u8]) -> u64 {
            portable::sum_short(data)
        }

        let sum = if data.len() < portable::SHORT {
            sum_short(data)
        } else {
            kernel::sum(data)
        };
        Checksum::of_bytes(sum, data.len())
    }

    /// The sum of so many bytes.
    #[inline]
    const fn of_bytes(sum: u64, len: usize) -> Checksum {
        Checksum {
            sum,
            odd: len % 2 == 1,
        }
    }

    /// The sum of the pseudo-header that TCP and UDP put before their segment
    /// (RFC 9293 section 3.1): addresses, zero, protocol, and `length`, the
    /// segment's header and payload in bytes.
    #[inline]
    #[must_use]
    pub fn pseudo_header(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, length: u16) -> Checksum {
        let [a, b, c, d] = src.octets();
        let [e, f, g, h] = dst.octets();
        let addresses = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let rest = u64::from(protocol) << 8 | u64::from(length.swap_bytes()) << 16;
        Checksum {
            sum: portable::add(addresses, rest),
            odd: false,
        }
    }

    /// The sum of little-endian words, each from an even offset: as they were loaded, or on their
    /// way into a header, since to read them back out of it would wait for the stores.
    #[inline(always)]
    pub(super) fn of_words<const N: usize>(words: [u64; N]) -> Checksum {
        Checksum {
            sum: portable::chain(0, words),
            odd: false,
        }
    }

    /// A sum taken earlier, as [`sum`](Checksum::sum) returned it.
    #[inline]
    pub const fn from_sum(sum: u16) -> Checksum {
        Checksum {
            sum: sum.swap_bytes() as u64,
            odd: false,
        }
    }

    /// Adds the bytes that follow those added so far.
    #[inline]
    pub fn add(&mut self, data: &[u8]) {
        *self = self.combine(Checksum::of(data));
    }

    /// Adds the two bytes of `word`, in network byte order.
    #[inline]
    #[must_use]
    pub const fn word(self, word: u16) -> Checksum {
        self.combine(Checksum::from_sum(word))
    }

    /// Adds the four bytes of `word`, in network byte order.
    #[inline]
    #[must_use]
    pub const fn word32(self, word: u32) -> Checksum {
        self.combine(Checksum {
            sum: word.swap_bytes() as u64,
            odd: false,
        })
    }

    /// The sum of the bytes of `self` followed by those of `next`.
    #[inline]
    #[must_use]
    pub const fn combine(self, next: Checksum) -> Checksum {
        // Bytes that follow an odd number of bytes sit in the other half of
        // their words: rotate their sum by one byte (RFC 1071 section 2 (B)).
        let turn = if self.odd { 8 } else { 0 };
        Checksum {
            sum: portable::add(self.sum, next.sum.rotate_left(turn)),
            odd: self.odd != next.odd,
        }
    }

    /// The sum with a zero after it, should the bytes so far be odd in number.
    #[inline(always)]
    pub(super) const fn padded(self) -> Checksum {
        Checksum { odd: false, ..self }
    }

    /// The ones' complement sum, not inverted, as the number that the network's
    /// byte order reads. A message whose checksum field is right sums to `0xffff`.
    #[inline]
    #[must_use]
    pub const fn sum(self) -> u16 {
        fold(self.sum).swap_bytes()
    }

    /// [`sum`](Checksum::sum) as a little-endian word of the message has it.
    #[inline(always)]
    pub(super) const fn sum_le(self) -> u16 {
        fold(self.sum)
    }

    /// Two little-endian words that have the same sum.
    #[inline(always)]
    pub(super) const fn halve(self) -> u32 {
        halve(self.sum)
    }

    /// The value of the checksum field: the complement of [`sum`](Checksum::sum).
    #[inline]
    #[must_use]
    pub const fn finish(self) -> u16 {
        !self.sum()
    }

    /// Whether a message that includes its checksum field is intact (RFC 1071 section 1).
    #[inline]
    #[must_use]
    pub const fn is_valid(self) -> bool {
        // The sum stands for 0xffff where it is a multiple of it, but zero: by the inverse
        // modulo 2^64 multiples, and they alone, become what they are multiples by.
        const INVERSE: u64 = 0xfffe_fffe_fffe_ffff;
        self.sum.wrapping_mul(INVERSE).wrapping_sub(1) < u64::MAX / 0xffff
    }

    /// Copies `src` to the start of `dst` and returns the sum of the bytes copied, in one
    /// pass. These are as many as the shorter of the two holds: who wants all of them
    /// compares the lengths first.
    ///
    /// ```
    /// use zerotcp::wire::Checksum;
    ///
    /// let mut buffer = [0; 1500];
    /// let sum = Checksum::copy(&mut buffer[40..], b"payload");
    /// assert_eq!(buffer[40..47], *b"payload");
    /// assert_eq!(sum, Checksum::of(b"payload"));
    /// ```
    #[inline]
    pub fn copy(dst: &mut [u8], src: &[u8]) -> Checksum {
        let len = dst.len().min(src.len());
        Checksum::of_bytes(kernel::copy(&mut dst[..len], &src[..len]), len)
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
#[must_use]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    less(checksum, add16(!old, new))
}

/// [`update`] for a 32-bit field that sits on a 16-bit boundary.
#[inline]
#[must_use]
pub const fn update32(checksum: u16, old: u32, new: u32) -> u16 {
    less(checksum, fold(!old as u64 + new as u64))
}

/// [`update`] for a run of bytes that was replaced: `old` and `new` are the sums
/// of the run before and after. Of a run that starts at an odd offset they include the
/// byte before it, or a zero in its place.
///
/// ```
/// use zerotcp::wire::checksum::{Checksum, update_sum};
///
/// let mut message = *b"three odd bytes";
/// let before = Checksum::of(&message).finish();
/// let old = Checksum::of(&message[4..7]); // of " odd", from an even offset
/// message[5..7].copy_from_slice(b"ol");
/// let new = Checksum::of(&message[4..7]);
/// assert_eq!(update_sum(before, old, new), Checksum::of(&message).finish());
/// ```
#[inline]
#[must_use]
pub const fn update_sum(checksum: u16, old: Checksum, new: Checksum) -> u16 {
    update(checksum, old.sum(), new.sum())
}

/// The 16-bit ones' complement sum that `sum` stands for; zero only for zero.
#[inline(always)]
const fn fold(sum: u64) -> u16 {
    if cfg!(not(target_pointer_width = "64")) {
        return fold32(halve(sum));
    }
    // The factor times 2^16 - 1 is 2^64 - 1. So modulo the latter the product is the
    // factor times (`sum` modulo the former), which stands in each of its four words.
    let product = sum as u128 * 0x0001_0001_0001_0001;
    portable::add(product as u64, (product >> 64) as u64) as u16
}

/// A 32-bit ones' complement sum.
#[inline(always)]
const fn halve(sum: u64) -> u32 {
    // In a number plus itself rotated by half its bits, both halves are the sum of
    // its halves. The upper one gets the lower one's carry, which is its own too.
    (sum.wrapping_add(sum.rotate_left(32)) >> 32) as u32
}

/// [`fold`] from 32 bits.
#[inline(always)]
pub(super) const fn fold32(sum: u32) -> u16 {
    (sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16
}

/// `checksum - change` in ones' complement: the equation once more, without its
/// complements (RFC 1624 section 3, equation 4). The borrow comes from where a carry of
/// equation 3 goes to, so zero stays zero and all ones stay all ones as there.
#[inline(always)]
const fn less(checksum: u16, change: u16) -> u16 {
    // With a borrow the wrapped difference is 1 at least.
    let (difference, borrow) = checksum.overflowing_sub(change);
    difference - borrow as u16
}

/// `a + b` with the carry added back in; zero only for zero and zero.
#[inline(always)]
const fn add16(a: u16, b: u16) -> u16 {
    // With a carry the wrapped sum is 2^16 - 2 at most.
    let (sum, carry) = a.overflowing_add(b);
    sum + carry as u16
}

/// [`add16`] for 32 bits.
#[inline(always)]
pub(super) const fn add32(a: u32, b: u32) -> u32 {
    // With a carry the wrapped sum is 2^32 - 2 at most.
    let (sum, carry) = a.overflowing_add(b);
    sum + carry as u32
}
