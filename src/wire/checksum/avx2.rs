//! The bulk sum in vectors of 256 bits, for nearly every x86-64 of the last ten years.
//!
//! `vpmaddwd` multiplies words, here by one, and adds each pair of products: the widening
//! that sums need. It takes words to be signed, so each has its upper bit flipped first,
//! which is to say 2^15 taken off, and what was taken off all of them is given back at the
//! end. Three operations for 32 bytes.

#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::blocks::{self, BLOCK};
use super::portable;

const LANES: usize = size_of::<__m256i>();

/// As [`portable::sum`], of [`SHORT`](portable::SHORT) bytes at least.
#[target_feature(enable = "avx2")]
pub(super) fn sum(data: &[u8]) -> u64 {
    if data.len() <= BLOCK {
        sum_block(data)
    } else {
        sum_blocks(data)
    }
}

/// The sum of [`SHORT`](portable::SHORT) to [`BLOCK`] bytes.
#[target_feature(enable = "avx2")]
#[inline]
fn sum_block(data: &[u8]) -> u64 {
    let (Some(first), Some(last)) = (data.first_chunk(), data.last_chunk()) else {
        return portable::sum_short(data);
    };
    let past = skew(data);
    let (vectors, tail) = data[LANES - past..].as_chunks::<LANES>();
    let mut sums = Sums::new();
    sums.add(0, first_of(first, LANES - past));
    sums.add(1, last_of(last, tail.len()));
    let (eights, mut rest) = vectors.as_chunks::<8>();
    for eight in eights {
        sums.add_all(eight);
    }
    if let Some((four, after)) = rest.split_first_chunk::<4>() {
        sums.add_all(four);
        rest = after;
    }
    if let Some((two, after)) = rest.split_first_chunk::<2>() {
        sums.add_all(two);
        rest = after;
    }
    if let Some(one) = rest.first() {
        sums.add(0, load(one));
    }
    sums.finish(vectors.len() + 2)
}

/// The sum of any number of bytes.
#[target_feature(enable = "avx2")]
#[inline(never)]
fn sum_blocks(data: &[u8]) -> u64 {
    blocks::sum(data, |block| sum_block(block))
}

/// As [`portable::copy`].
#[target_feature(enable = "avx2")]
pub(super) fn copy(dst: &mut [u8], src: &[u8]) -> u64 {
    blocks::copy(dst, src, |to, from| copy_block(to, from))
}

/// Copies at most [`BLOCK`] bytes between slices of one length and sums them.
#[target_feature(enable = "avx2")]
#[inline]
fn copy_block(dst: &mut [u8], src: &[u8]) -> u64 {
    let (to, dst_tail) = dst.as_chunks_mut::<LANES>();
    let (from, src_tail) = src.as_chunks::<LANES>();
    let vectors = from.len();
    let (to_eights, to) = to.as_chunks_mut::<8>();
    let (from_eights, from) = from.as_chunks::<8>();
    let mut sums = Sums::new();
    for (to, from) in to_eights.iter_mut().zip(from_eights) {
        sums.copy_all(to, from);
    }
    for (to, from) in to.iter_mut().zip(from) {
        sums.copy_all(core::array::from_mut(to), core::array::from_ref(from));
    }
    dst_tail.copy_from_slice(src_tail);
    portable::add(sums.finish(vectors), portable::sum_short(src_tail))
}

/// The sum of the vectors so far.
struct Sums {
    /// As many as additions that are under way at once.
    lanes: [__m256i; 2],
}

impl Sums {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn new() -> Sums {
        Sums {
            lanes: [_mm256_setzero_si256(); 2],
        }
    }

    /// Adds the words of a vector, each less 2^15, to one of the accumulators.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn add(&mut self, index: usize, words: __m256i) {
        let lanes = &mut self.lanes[index % 2];
        let signed = _mm256_xor_si256(words, _mm256_set1_epi16(i16::MIN));
        let pairs = _mm256_madd_epi16(signed, _mm256_set1_epi16(1));
        *lanes = _mm256_add_epi32(*lanes, pairs);
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn add_all<const N: usize>(&mut self, vectors: &[[u8; LANES]; N]) {
        for (index, vector) in vectors.iter().enumerate() {
            self.add(index, load(vector));
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn copy_all<const N: usize>(&mut self, to: &mut [[u8; LANES]; N], from: &[[u8; LANES]; N]) {
        // All loads, then all stores: taken in turn each load would be held against the
        // stores that are on their way.
        let mut vectors = [_mm256_setzero_si256(); N];
        for (vector, from) in vectors.iter_mut().zip(from) {
            *vector = load(from);
        }
        for (index, (to, vector)) in to.iter_mut().zip(vectors).enumerate() {
            self.add(index, vector);
            store(to, vector);
        }
    }

    /// The sum of all words, of which there were so many vectors.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn finish(self, vectors: usize) -> u64 {
        let eight = _mm256_add_epi32(self.lanes[0], self.lanes[1]);
        let four = _mm_add_epi32(
            _mm256_castsi256_si128(eight),
            _mm256_extracti128_si256::<1>(eight),
        );
        // The last two lanes are quicker to add outside of vectors.
        let two = _mm_cvtsi128_si64(_mm_add_epi32(four, _mm_unpackhi_epi64(four, four)));
        let signed = i64::from(two as i32) + (two >> 32);
        // 16 words a vector, 2^15 a word.
        let taken_off = (vectors as i64) << 19;
        (signed + taken_off).cast_unsigned()
    }
}

/// Bytes by which to start before the data, so as to start at a boundary, since a vector across
/// two cache lines costs two loads: none where they are odd in number, which would shift all
/// words.
#[inline]
fn skew(data: &[u8]) -> usize {
    let past = data.as_ptr().addr() % LANES;
    if past % 2 == 1 { 0 } else { past }
}

/// Ones between zeros: from some byte on the mask of the first or of the last bytes.
static MASKS: [u8; 3 * LANES] = {
    let mut masks = [0; 3 * LANES];
    let mut at = LANES;
    while at < 2 * LANES {
        masks[at] = 0xff;
        at += 1;
    }
    masks
};

/// The first `count` bytes of a vector, zeros after them.
#[target_feature(enable = "avx2")]
#[inline]
fn first_of(vector: &[u8; LANES], count: usize) -> __m256i {
    let mask = MASKS[2 * LANES - count..].first_chunk();
    _mm256_and_si256(load(vector), load(mask.unwrap_or(&[0; LANES])))
}

/// The last `count` bytes of a vector, zeros before them; in the other half of their words
/// where they begin with the second one of a word.
#[target_feature(enable = "avx2")]
#[inline]
fn last_of(vector: &[u8; LANES], count: usize) -> __m256i {
    let mask = MASKS[count..].first_chunk();
    let bytes = _mm256_and_si256(load(vector), load(mask.unwrap_or(&[0; LANES])));
    if count.is_multiple_of(2) {
        return bytes;
    }
    _mm256_or_si256(_mm256_slli_epi16::<8>(bytes), _mm256_srli_epi16::<8>(bytes))
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(bytes: &[u8; LANES]) -> __m256i {
    // SAFETY: `bytes` is 32 bytes, and the load asks for no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store(bytes: &mut [u8; LANES], lanes: __m256i) {
    // SAFETY: `bytes` is 32 bytes that are ours to write, and the store asks for no alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), lanes) }
}
