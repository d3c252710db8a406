//! What the vector kernels share: data is cut into blocks whose sums fit their lanes.

use super::portable;

/// Bytes that are summed in lanes of 32 bits: 2^15 words and those of two vectors more, each
/// off by up to 2^15, stay below 2^31 even where all come together in one lane.
pub(super) const BLOCK: usize = 1 << 16;

/// The sum of any number of bytes, by that of [`SHORT`](portable::SHORT) to [`BLOCK`].
#[inline(always)]
pub(super) fn sum(data: &[u8], sum_block: impl Fn(&[u8]) -> u64) -> u64 {
    let (blocks, last) = data.as_chunks::<BLOCK>();
    let mut sum = if last.len() < portable::SHORT {
        portable::sum_short(last)
    } else {
        sum_block(last)
    };
    // A block is even: the next one's words are not shifted.
    for block in blocks {
        sum = portable::add(sum, sum_block(block));
    }
    sum
}

/// Copies and sums any number of bytes between slices of one length, by what does so for
/// at most [`BLOCK`].
#[inline(always)]
pub(super) fn copy(
    dst: &mut [u8],
    src: &[u8],
    copy_block: impl Fn(&mut [u8], &[u8]) -> u64,
) -> u64 {
    let (to, dst_last) = dst.as_chunks_mut::<BLOCK>();
    let (from, src_last) = src.as_chunks::<BLOCK>();
    let mut sum = copy_block(dst_last, src_last);
    for (to, from) in to.iter_mut().zip(from) {
        sum = portable::add(sum, copy_block(to, from));
    }
    sum
}
