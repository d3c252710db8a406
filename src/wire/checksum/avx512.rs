//! The bulk sum in vectors of 512 bits, by the dot product of AVX-512 VNNI.
//!
//! `vpdpwssds` multiplies words, here by one, and adds each pair of products to a lane of
//! 32 bits: the widening that sums need, for nothing. It takes words to be signed, so each
//! has its upper bit flipped first, which is to say 2^15 taken off, and what was taken off
//! all of them is given back at the end. Two operations for 64 bytes.

#![allow(unsafe_code)]

use core::arch::asm;
use core::arch::x86_64::*;

use super::blocks::{self, BLOCK};
use super::portable;

const LANES: usize = size_of::<__m512i>();

/// Bytes from which on it pays to copy to a boundary: a vector across two cache lines costs
/// two stores.
const ALIGNED: usize = 256;

/// As [`portable::sum`], of [`SHORT`](portable::SHORT) bytes at least.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
pub(super) fn sum(data: &[u8]) -> u64 {
    if data.len() <= BLOCK {
        sum_block(data)
    } else {
        sum_blocks(data)
    }
}

/// As [`portable::copy`].
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
pub(super) fn copy(dst: &mut [u8], src: &[u8]) -> u64 {
    blocks::copy(dst, src, |to, from| copy_block(to, from))
}

/// The sum of [`SHORT`](portable::SHORT) to [`BLOCK`] bytes, by loads that cross no cache line.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn sum_block(data: &[u8]) -> u64 {
    let skew = data.as_ptr().addr() % LANES;
    let (head, rest) = data.split_at(LANES - skew);
    // The tail is never empty: it would begin in a line that may not be there.
    let (vectors, tail) = rest.split_at((rest.len() - 1) / LANES * LANES);
    let (vectors, _) = vectors.as_chunks::<LANES>();
    let mut sums = Sums::new();
    sums.add(0, load_within_line(head));
    sums.add(1, load_within_line(tail));
    let (eights, few) = vectors.as_chunks::<8>();
    for eight in eights {
        sums.add_all(eight);
    }
    sums.add_rest(few);
    // Summed from `skew` bytes before the start: an odd number shifts all words.
    let sum = sums.finish(vectors.len() + 2);
    sum.rotate_left((skew % 2 * 8) as u32)
}

/// The sum of any number of bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline(never)]
fn sum_blocks(data: &[u8]) -> u64 {
    blocks::sum(data, |block| sum_block(block))
}

/// Copies at most [`BLOCK`] bytes between slices of one length and sums them.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn copy_block(dst: &mut [u8], src: &[u8]) -> u64 {
    let (Some(to_first), Some(first)) = (dst.first_chunk_mut(), src.first_chunk()) else {
        return portable::copy(dst, src);
    };
    // The ends as whole vectors, which overlap what comes between.
    let first = load(first);
    store(to_first, first);
    if let (Some(to_last), Some(last)) = (dst.last_chunk_mut(), src.last_chunk()) {
        store(to_last, load(last));
    }
    // Of loads and stores across cache lines stores are the dearer. An odd number of bytes
    // before the boundary would shift the words of what follows.
    let past = dst.as_ptr().addr() % LANES;
    let past = if src.len() < ALIGNED || past % 2 == 1 {
        0
    } else {
        past
    };
    let (_, rest) = src.split_at(LANES - past);
    let (from, tail) = rest.as_chunks::<LANES>();
    let (to, _) = dst[LANES - past..].as_chunks_mut::<LANES>();
    let mut sums = Sums::new();
    sums.add(0, first_of(first, LANES - past));
    sums.copy_each(to, from);
    let odd = sums.add_tail(src, tail.len());
    portable::add(sums.finish(from.len() + 2), odd)
}

/// The sum of the vectors so far.
struct Sums {
    /// As many as additions that are under way at once.
    lanes: [__m512i; 4],
    /// The upper bit of each word.
    flip: __m512i,
    /// One in each word.
    one: __m512i,
}

impl Sums {
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
    #[inline]
    fn new() -> Sums {
        Sums {
            lanes: [_mm512_setzero_si512(); 4],
            flip: splat(&0x8000_8000),
            one: splat(&0x0001_0001),
        }
    }

    /// Adds the words of a vector, each less 2^15, to one of the accumulators.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
    #[inline]
    fn add(&mut self, index: usize, words: __m512i) {
        let lanes = &mut self.lanes[index % 4];
        let signed = _mm512_xor_si512(words, self.flip);
        // The saturating form, which never saturates here: the plain one is taken apart by
        // the compiler where it thinks that a multiplication and an addition are quicker.
        *lanes = _mm512_dpwssds_epi32(*lanes, signed, self.one);
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
    #[inline]
    fn add_all<const N: usize>(&mut self, vectors: &[[u8; LANES]; N]) {
        for (index, vector) in vectors.iter().enumerate() {
            // The first two accumulators have had a vector already.
            self.add(index + 2, load(vector));
        }
    }

    /// Adds fewer than eight vectors: each bit of their count is one branch.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
    #[inline]
    fn add_rest(&mut self, mut vectors: &[[u8; LANES]]) {
        if let Some((four, rest)) = vectors.split_first_chunk::<4>() {
            self.add_all(four);
            vectors = rest;
        }
        if let Some((two, rest)) = vectors.split_first_chunk::<2>() {
            self.add_all(two);
            vectors = rest;
        }
        if let Some(one) = vectors.first() {
            self.add(1, load(one));
        }
    }

    /// Adds the last `count` bytes of `data`, which is a vector long at least, from an even
    /// offset. Of an odd number gives the last, to be added by itself: with it, the words of
    /// a vector that ends there would lie across those of the others.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
    #[inline]
    fn add_tail(&mut self, data: &[u8], count: usize) -> u64 {
        let (even, odd) = data.split_at(data.len() - count % 2);
        if let Some(last) = even.last_chunk() {
            self.add(0, last_of(load(last), count - odd.len()));
        }
        odd.first().map_or(0, |byte| u64::from(*byte))
    }

    /// Copies and adds vectors, as many on either side.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
    #[inline]
    fn copy_each(&mut self, to: &mut [[u8; LANES]], from: &[[u8; LANES]]) {
        let (to_eights, to) = to.as_chunks_mut::<8>();
        let (from_eights, from) = from.as_chunks::<8>();
        for (to, from) in to_eights.iter_mut().zip(from_eights) {
            self.copy_all(to, from);
        }
        let (to_pairs, to) = to.as_chunks_mut::<2>();
        let (from_pairs, from) = from.as_chunks::<2>();
        for (to, from) in to_pairs.iter_mut().zip(from_pairs) {
            self.copy_all(to, from);
        }
        for (to, from) in to.iter_mut().zip(from) {
            self.copy_all(core::array::from_mut(to), core::array::from_ref(from));
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
    #[inline]
    fn copy_all<const N: usize>(&mut self, to: &mut [[u8; LANES]; N], from: &[[u8; LANES]; N]) {
        // All loads, then all stores: taken in turn each load would be held against the
        // stores that are on their way.
        let mut vectors = [_mm512_setzero_si512(); N];
        for (vector, from) in vectors.iter_mut().zip(from) {
            *vector = load(from);
        }
        for (index, (to, vector)) in to.iter_mut().zip(vectors).enumerate() {
            self.add(index, vector);
            store(to, vector);
        }
    }

    /// The sum of all words, of which there were so many vectors.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
    #[inline]
    fn finish(self, vectors: usize) -> u64 {
        let [a, b, c, d] = self.lanes;
        let sixteen = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
        let eight = _mm256_add_epi32(
            _mm512_castsi512_si256(sixteen),
            _mm512_extracti64x4_epi64::<1>(sixteen),
        );
        let four = _mm_add_epi32(
            _mm256_castsi256_si128(eight),
            _mm256_extracti128_si256::<1>(eight),
        );
        // The last two lanes are quicker to add outside of vectors.
        let two = _mm_cvtsi128_si64(_mm_add_epi32(four, _mm_unpackhi_epi64(four, four)));
        let signed = i64::from(two as i32) + (two >> 32);
        // 32 words a vector, 2^15 a word.
        let taken_off = (vectors as i64) << 20;
        (signed + taken_off).cast_unsigned()
    }
}

/// The two words in every lane. Left to itself the compiler keeps them in memory as a whole
/// vector, the loading of which takes as long as that of one that is to be summed.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn splat(words: &'static u32) -> __m512i {
    let vector;
    // SAFETY: it loads the four bytes behind the reference and changes nothing else.
    unsafe {
        asm!(
            "vpbroadcastd {0}, dword ptr [{1}]",
            out(zmm_reg) vector,
            in(reg) core::ptr::from_ref(words).expose_provenance() as u64,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    vector
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn load(bytes: &[u8; LANES]) -> __m512i {
    // SAFETY: `bytes` is 64 bytes, and the load asks for no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// Bytes of one cache line, each in the lane of its place there, and zeros elsewhere. A
/// masked load of a line that has none of them could touch a page that is not there,
/// which is allowed and slow.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn load_within_line(bytes: &[u8]) -> __m512i {
    let place = bytes.as_ptr().addr() % LANES;
    // Nothing is past the line, nor let in by the mask.
    let mask = _bzhi_u64(u64::MAX, bytes.len() as u32) << place;
    let line = bytes.as_ptr().wrapping_sub(place);
    // SAFETY: the mask lets in bytes of the slice alone, the first of them at `place`, and what
    // it leaves out is not accessed.
    unsafe { _mm512_maskz_loadu_epi8(mask, line.cast()) }
}

/// The first `count` bytes of a vector, zeros after them.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn first_of(vector: __m512i, count: usize) -> __m512i {
    _mm512_maskz_mov_epi8(_bzhi_u64(u64::MAX, count as u32), vector)
}

/// The last `count` bytes of a vector, zeros before them.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn last_of(vector: __m512i, count: usize) -> __m512i {
    _mm512_maskz_mov_epi8(!_bzhi_u64(u64::MAX, (LANES - count) as u32), vector)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn store(bytes: &mut [u8; LANES], words: __m512i) {
    // SAFETY: `bytes` is 64 bytes that are ours to write, and the store asks for no alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), words) }
}
