//! The bulk sum in vectors of 512 bits, by the dot product of AVX-512 VNNI.
//!
//! `vpdpwssd` multiplies words, here by one, and adds each pair of products to a lane of
//! 32 bits: the widening that sums need, for nothing. It takes words to be signed, so each
//! has its upper bit flipped first, which is to say 2^15 taken off, and what was taken off
//! all of them is given back at the end.

#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::portable;

const LANES: usize = size_of::<__m512i>();

/// Bytes that are summed in 32 bits: 2^15 words and at most two vectors more, each off
/// by up to 2^15, stay below 2^31 even where all come together in one lane.
const BLOCK: usize = 1 << 16;

/// Bytes from which on it pays to start at a boundary: a vector across two cache lines
/// costs two loads.
const ALIGNED: usize = 256;

/// The accumulators: as many as additions that are under way at once.
type Sums = [__m512i; 4];

/// As [`portable::sum`].
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
pub(super) fn sum(data: &[u8]) -> u64 {
    if data.len() < ALIGNED {
        sum_few(data)
    } else if data.len() <= BLOCK {
        sum_block(data)
    } else {
        sum_blocks(data)
    }
}

/// As [`portable::copy`].
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
pub(super) fn copy(dst: &mut [u8], src: &[u8]) -> u64 {
    let (to, dst_last) = dst.as_chunks_mut::<BLOCK>();
    let (from, src_last) = src.as_chunks::<BLOCK>();
    let mut sum = 0;
    for (to, from) in to.iter_mut().zip(from) {
        sum = portable::add(sum, copy_block(to, from));
    }
    portable::add(sum, copy_block(dst_last, src_last))
}

/// The sum of fewer than [`ALIGNED`] bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn sum_few(data: &[u8]) -> u64 {
    let (vectors, tail) = data.as_chunks::<LANES>();
    let mut sums = [_mm512_setzero_si512(); 4];
    sums[0] = add(sums[0], load_part(tail, 0));
    add_rest(&mut sums, vectors);
    finish(sums, vectors.len() + 1)
}

/// The sum of [`ALIGNED`] to [`BLOCK`] bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn sum_block(data: &[u8]) -> u64 {
    let skew = data.as_ptr().addr() % LANES;
    let (head, rest) = data.split_at(LANES - skew);
    let (vectors, tail) = rest.as_chunks::<LANES>();
    let mut sums = [_mm512_setzero_si512(); 4];
    sums[0] = add(sums[0], load_part(head, skew));
    sums[1] = add(sums[1], load_part(tail, 0));
    let (blocks, few) = vectors.as_chunks::<8>();
    for block in blocks {
        add_all(&mut sums, block);
    }
    add_rest(&mut sums, few);
    // Summed from `skew` bytes before the start: an odd number shifts all words.
    finish(sums, vectors.len() + 2).rotate_left((skew % 2 * 8) as u32)
}

/// The sum of any number of bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline(never)]
fn sum_blocks(data: &[u8]) -> u64 {
    let (blocks, last) = data.as_chunks::<BLOCK>();
    // A block is even: the next one's words are not shifted.
    let sum = blocks
        .iter()
        .fold(0, |sum, block| portable::add(sum, sum_block(block)));
    portable::add(
        sum,
        if last.len() < ALIGNED {
            sum_few(last)
        } else {
            sum_block(last)
        },
    )
}

/// Adds fewer than eight vectors: each bit of their count is one branch.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn add_rest(sums: &mut Sums, mut vectors: &[[u8; LANES]]) {
    if let Some((four, rest)) = vectors.split_first_chunk::<4>() {
        add_all(sums, four);
        vectors = rest;
    }
    if let Some((two, rest)) = vectors.split_first_chunk::<2>() {
        add_all(sums, two);
        vectors = rest;
    }
    if let Some(one) = vectors.first() {
        sums[1] = add(sums[1], load(one));
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn add_all<const N: usize>(sums: &mut Sums, vectors: &[[u8; LANES]; N]) {
    for (index, vector) in vectors.iter().enumerate() {
        // The first two accumulators have had a vector already.
        let sum = &mut sums[(index + 2) % 4];
        *sum = add(*sum, load(vector));
    }
}

/// Adds the words of a vector, each less 2^15, to the lanes of `sum`.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn add(sum: __m512i, words: __m512i) -> __m512i {
    let signed = _mm512_xor_si512(words, _mm512_set1_epi16(i16::MIN));
    // The saturating form, which never saturates here: the plain one is taken apart by
    // the compiler where it thinks that a multiplication and an addition are quicker.
    _mm512_dpwssds_epi32(sum, signed, _mm512_set1_epi16(1))
}

/// The sum of all words in so many vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn finish(sums: Sums, vectors: usize) -> u64 {
    let [a, b, c, d] = sums;
    let sum = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
    let signed = i64::from(_mm512_reduce_add_epi32(sum));
    // 32 words a vector, 2^15 a word.
    let taken_off = (vectors as i64) << 20;
    (signed + taken_off).cast_unsigned()
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn load(bytes: &[u8; LANES]) -> __m512i {
    // SAFETY: `bytes` is 64 bytes, and the load asks for no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// `bytes`, with `skew` at most 64, from the lane `skew` on; zeros elsewhere.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn load_part(bytes: &[u8], skew: usize) -> __m512i {
    let mask = _bzhi_u64(u64::MAX, bytes.len() as u32) << skew;
    let start = bytes.as_ptr().wrapping_sub(skew);
    // SAFETY: the mask leaves in the bytes of the slice alone, 64 at most, and what it leaves
    // out is not accessed.
    unsafe { _mm512_maskz_loadu_epi8(mask, start.cast()) }
}

/// Copies at most [`BLOCK`] bytes between slices of one length and sums them.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn copy_block(dst: &mut [u8], src: &[u8]) -> u64 {
    let (Some(dst_first), Some(src_first)) = (dst.first_chunk_mut(), src.first_chunk()) else {
        return portable::copy(dst, src);
    };
    // The ends as whole vectors, which overlap what comes between.
    store(dst_first, load(src_first));
    if let (Some(dst_last), Some(src_last)) = (dst.last_chunk_mut(), src.last_chunk()) {
        store(dst_last, load(src_last));
    }
    // Of loads and stores that cross cache lines stores are the dearer.
    let skew = if src.len() < ALIGNED {
        0
    } else {
        dst.as_ptr().addr() % LANES
    };
    let (head, rest) = src.split_at(LANES - skew);
    let (from, tail) = rest.as_chunks::<LANES>();
    let (to, _) = dst[LANES - skew..].as_chunks_mut::<LANES>();
    let mut sums = [_mm512_setzero_si512(); 4];
    sums[0] = add(sums[0], load_part(head, skew));
    sums[1] = add(sums[1], load_part(tail, 0));
    copy_each(&mut sums, to, from);
    finish(sums, from.len() + 2).rotate_left((skew % 2 * 8) as u32)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn copy_each(sums: &mut Sums, to: &mut [[u8; LANES]], from: &[[u8; LANES]]) {
    let (to_eights, to) = to.as_chunks_mut::<8>();
    let (from_eights, from) = from.as_chunks::<8>();
    for (to, from) in to_eights.iter_mut().zip(from_eights) {
        copy_all(sums, to, from);
    }
    let (to_pairs, to) = to.as_chunks_mut::<2>();
    let (from_pairs, from) = from.as_chunks::<2>();
    for (to, from) in to_pairs.iter_mut().zip(from_pairs) {
        copy_all(sums, to, from);
    }
    let (to_one, _) = to.as_chunks_mut::<1>();
    let (from_one, _) = from.as_chunks::<1>();
    for (to, from) in to_one.iter_mut().zip(from_one) {
        copy_all(sums, to, from);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn copy_all<const N: usize>(sums: &mut Sums, to: &mut [[u8; LANES]; N], from: &[[u8; LANES]; N]) {
    // All loads, then all stores: taken in turn each load would be held against the stores
    // that are on their way.
    let mut vectors = [_mm512_setzero_si512(); N];
    for (vector, from) in vectors.iter_mut().zip(from) {
        *vector = load(from);
    }
    for (index, (to, vector)) in to.iter_mut().zip(vectors).enumerate() {
        sums[index % 4] = add(sums[index % 4], vector);
        store(to, vector);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi2")]
#[inline]
fn store(bytes: &mut [u8; LANES], words: __m512i) {
    // SAFETY: `bytes` is 64 bytes that are ours to write, and the store asks for no alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), words) }
}
