//! The bulk sum for any machine: chains of add-with-carry over 64-bit words.
//!
//! 2^64 = 1 modulo 2^16 - 1, so the ones' complement sum of 64-bit words, carries
//! added back in at the bottom, folds to that of their 16-bit words (RFC 1071
//! section 2 (C)). One addition then takes eight bytes and needs no widening.

/// Words that are taken as a block, with a chain of carries of their own.
const BLOCK: usize = 32;

/// Bytes from which on there is a block. Of fewer words than a block each bit of their count
/// is one branch, and for a length known at compile time a word is one addition.
pub(super) const SHORT: usize = 8 * BLOCK;

/// The sum of 16-bit little-endian words, a last odd byte padded with zero, as a
/// ones' complement sum modulo 2^64 - 1. It is zero only where all bytes are.
pub(super) fn sum(data: &[u8]) -> u64 {
    if data.len() < SHORT {
        return sum_short(data);
    }
    let (words, tail) = data.as_chunks::<8>();
    let (blocks, rest) = words.as_chunks::<BLOCK>();
    // Each block's chain of carries starts anew, so that neighbours overlap in the
    // machine.
    let sum = blocks.iter().fold(0, |sum, block| {
        add(sum, chain(0, block.map(u64::from_le_bytes)))
    });
    add(few(sum, rest), below_8(tail))
}

/// [`sum`] of fewer than [`SHORT`] bytes.
#[inline(always)]
pub(super) fn sum_short(data: &[u8]) -> u64 {
    let Some(last) = data.last_chunk::<8>() else {
        return below_8(data);
    };
    let (words, _) = data.as_chunks::<8>();
    add(few(0, words), tail(last, data.len()))
}

/// [`sum`] of `src`, which is copied to `dst`; their lengths are equal.
pub(super) fn copy(dst: &mut [u8], src: &[u8]) -> u64 {
    // Summed first: the sum then waits for no store, and the copy for no cache.
    let sum = sum(src);
    dst.copy_from_slice(src);
    sum
}

/// `a + b` with the carry added back in. All ones and zero are both zero here; only
/// zero and zero give the latter.
#[inline(always)]
pub(super) const fn add(a: u64, b: u64) -> u64 {
    // With a carry the wrapped sum is 2^64 - 2 at most.
    let (sum, carry) = a.overflowing_add(b);
    sum + carry as u64
}

/// Adds fewer words than a [`BLOCK`].
#[inline(always)]
fn few(mut sum: u64, mut words: &[[u8; 8]]) -> u64 {
    // A header alone has fewer than four.
    if words.len() >= 4 {
        sum = take::<16>(sum, &mut words);
        sum = take::<8>(sum, &mut words);
        sum = take::<4>(sum, &mut words);
    }
    sum = take::<2>(sum, &mut words);
    take::<1>(sum, &mut words)
}

/// Adds the first `N` of `words`, if there are so many, and leaves the rest.
#[inline(always)]
fn take<const N: usize>(sum: u64, words: &mut &[[u8; 8]]) -> u64 {
    let Some((first, rest)) = words.split_first_chunk::<N>() else {
        return sum;
    };
    *words = rest;
    chain(sum, first.map(u64::from_le_bytes))
}

/// Adds `N` words, one addition with carry each.
#[inline(always)]
pub(super) fn chain<const N: usize>(mut sum: u64, words: [u64; N]) -> u64 {
    let mut carry = false;
    for word in words {
        (sum, carry) = sum.carrying_add(word, carry);
    }
    // As in `add`: where a carry comes out, the sum is not all ones.
    sum + u64::from(carry)
}

/// What `last`, the last 8 of `len` bytes, has beyond whole words, 0 to 7 bytes, as the
/// start of a word: whole words come before them, so their parity is right.
#[inline(always)]
const fn tail(last: &[u8; 8], len: usize) -> u64 {
    // Shifts away 8 - len % 8 bytes, one apart since a shift by all 64 bits is none;
    // 8 * !len is 8 * (7 - len % 8) modulo 64.
    (u64::from_le_bytes(*last) >> 8).wrapping_shr(!(len as u32) << 3)
}

#[inline(always)]
fn below_8(mut data: &[u8]) -> u64 {
    let mut sum = 0;
    if let Some((word, rest)) = data.split_first_chunk::<4>() {
        sum += u64::from(u32::from_le_bytes(*word));
        data = rest;
    }
    if let Some((word, rest)) = data.split_first_chunk::<2>() {
        sum += u64::from(u16::from_le_bytes(*word));
        data = rest;
    }
    if let Some(last) = data.first() {
        sum += u64::from(*last);
    }
    sum
}
