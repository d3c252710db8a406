//! The bulk sum in vectors of 256 bits, for any x86-64 since 2013.
//!
//! Lanes of 64 bits overflow, so each is added twice: whole, where what overflows is lost,
//! and its upper half alone, which never overflows. The sum of the lower halves is the
//! difference. That is three operations for 32 bytes; to widen both halves takes four.

#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::portable;

const LANES: usize = size_of::<__m256i>();

/// Sums that run side by side, so that no addition waits for the one before.
#[derive(Clone, Copy)]
struct Sums {
    /// Of 64-bit lanes, modulo 2^64.
    whole: __m256i,
    /// Of their upper halves: exact for the first 2^32 vectors, 128 GiB.
    upper: __m256i,
}

impl Sums {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn new() -> Sums {
        Sums {
            whole: _mm256_setzero_si256(),
            upper: _mm256_setzero_si256(),
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn add(&mut self, lanes: __m256i) {
        self.whole = _mm256_add_epi64(self.whole, lanes);
        self.upper = _mm256_add_epi64(self.upper, _mm256_srli_epi64::<32>(lanes));
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn join(self, other: Sums) -> Sums {
        Sums {
            whole: _mm256_add_epi64(self.whole, other.whole),
            upper: _mm256_add_epi64(self.upper, other.upper),
        }
    }

    /// The sum of the 32-bit words, which is what the words' sum is modulo 2^16 - 1.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn finish(self) -> u64 {
        let lower = _mm256_sub_epi64(self.whole, _mm256_slli_epi64::<32>(self.upper));
        let four = _mm256_add_epi64(lower, self.upper);
        let two = _mm_add_epi64(
            _mm256_castsi256_si128(four),
            _mm256_extracti128_si256::<1>(four),
        );
        let one = _mm_add_epi64(two, _mm_unpackhi_epi64(two, two));
        _mm_cvtsi128_si64(one).cast_unsigned()
    }
}

/// As [`portable::sum`].
#[target_feature(enable = "avx2")]
pub(super) fn sum(data: &[u8]) -> u64 {
    let Some((head, rest)) = split_aligned(data) else {
        return portable::sum(data);
    };
    let mut sums = [Sums::new(); 2];
    sums[0].add(head);
    let (vectors, tail) = rest.as_chunks::<LANES>();
    let (blocks, mut vectors) = vectors.as_chunks::<8>();
    for block in blocks {
        add_all(&mut sums, block);
    }
    if let Some((four, rest)) = vectors.split_first_chunk::<4>() {
        add_all(&mut sums, four);
        vectors = rest;
    }
    if let Some((two, rest)) = vectors.split_first_chunk::<2>() {
        add_all(&mut sums, two);
        vectors = rest;
    }
    if let Some(one) = vectors.first() {
        sums[0].add(load(one));
    }
    portable::add(sums[0].join(sums[1]).finish(), portable::sum(tail))
}

#[target_feature(enable = "avx2")]
#[inline]
fn add_all<const N: usize>(sums: &mut [Sums; 2], vectors: &[[u8; LANES]; N]) {
    for (index, vector) in vectors.iter().enumerate() {
        sums[index % 2].add(load(vector));
    }
}

/// As [`portable::copy`].
#[target_feature(enable = "avx2")]
pub(super) fn copy(dst: &mut [u8], src: &[u8]) -> u64 {
    let mut sums = [Sums::new(); 2];
    let (from, src_tail) = src.as_chunks::<LANES>();
    let (to, dst_tail) = dst.as_chunks_mut::<LANES>();
    let (from_blocks, from) = from.as_chunks::<4>();
    let (to_blocks, to) = to.as_chunks_mut::<4>();
    for (to, from) in to_blocks.iter_mut().zip(from_blocks) {
        for (index, (to, from)) in to.iter_mut().zip(from).enumerate() {
            sums[index % 2].add(load(from));
            *to = *from;
        }
    }
    for (to, from) in to.iter_mut().zip(from) {
        sums[0].add(load(from));
        *to = *from;
    }
    let tail = portable::copy(dst_tail, src_tail);
    portable::add(sums[0].join(sums[1]).finish(), tail)
}

/// The bytes before the first 32-byte boundary, zeros after them, and the rest: a vector
/// across two cache lines costs two loads. `None` for less than a vector.
#[target_feature(enable = "avx2")]
#[inline]
fn split_aligned(data: &[u8]) -> Option<(__m256i, &[u8])> {
    /// From which on a vector is the mask of its last bytes' complement.
    const MASKS: [u8; 2 * LANES] = {
        let mut masks = [0; 2 * LANES];
        let mut at = 0;
        while at < LANES {
            masks[at] = 0xff;
            at += 1;
        }
        masks
    };

    let first = data.first_chunk::<LANES>()?;
    let before = data.as_ptr().align_offset(LANES) % LANES;
    // An odd number of bytes would shift the words of what follows.
    let before = if before.is_multiple_of(2) { before } else { 0 };
    let mask = MASKS[LANES - before..].first_chunk::<LANES>()?;
    let head = _mm256_and_si256(load(first), load(mask));
    Some((head, data.get(before..)?))
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(bytes: &[u8; LANES]) -> __m256i {
    // SAFETY: `bytes` is 32 bytes, and the load asks for no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}
