//! The physical limit of a checksum: every byte is loaded and added once.

use zerotcp::wire::checksum::Kernel;

/// The loop in vectors as wide as those of `kernel`.
pub fn load_and_add(kernel: Kernel) -> fn(&[u8]) -> u64 {
    match kernel.name() {
        #[cfg(target_arch = "x86_64")]
        "avx512" => wide::load_and_add_512,
        #[cfg(target_arch = "x86_64")]
        "avx2" => wide::load_and_add_256,
        _ => narrow,
    }
}

/// The loop in vectors as wide as the build's target has them: enough sums side by side that
/// no addition waits for another.
fn narrow(bytes: &[u8]) -> u64 {
    const LANES: usize = 16;

    let (blocks, rest) = bytes.as_chunks::<{ 8 * LANES }>();
    let mut lanes = [0u64; LANES];
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = lane.wrapping_add(u64::from_le_bytes(*word));
        }
    }
    let sum = lanes.into_iter().fold(0, u64::wrapping_add);
    sum.wrapping_add(add_words(rest)).wrapping_add(last(bytes))
}

/// What is less than a word comes with the bytes before it, in one load. No slice here is
/// shorter than a word.
fn last(bytes: &[u8]) -> u64 {
    bytes
        .last_chunk()
        .map_or(0, |last| u64::from_le_bytes(*last))
}

fn add_words(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    words.fold(0, u64::wrapping_add)
}

/// The loop in vectors of a given width, at addresses that are multiples of it: a load across
/// two cache lines is two. What lies before the first and after the last comes with its
/// neighbours, in one load each, from where it pays.
#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::*;

    macro_rules! load_and_add {
        ($name:ident, $safe:ident, $features:literal, $vector:ty, $zero:ident, $load:ident, $add:ident) => {
            pub fn $name(bytes: &[u8]) -> u64 {
                // SAFETY: this loop is chosen only beside a kernel that needs the same features.
                unsafe { $safe(bytes) }
            }

            #[target_feature(enable = $features)]
            fn $safe(bytes: &[u8]) -> u64 {
                const LEN: usize = size_of::<$vector>();
                // SAFETY: the load takes `LEN` bytes at any address.
                let load = |bytes: &[u8; LEN]| unsafe { $load(bytes.as_ptr().cast()) };

                let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) else {
                    return super::add_words(bytes).wrapping_add(super::last(bytes));
                };
                let mut sums = [$zero(); 8];
                sums[0] = $add(sums[0], load(first));
                sums[1] = $add(sums[1], load(last));
                let skip = match bytes.len() {
                    ..512 => LEN,
                    _ => bytes.as_ptr().align_offset(LEN),
                };
                let (vectors, _) = bytes[skip..].as_chunks::<LEN>();
                let (blocks, mut rest) = vectors.as_chunks::<8>();
                for block in blocks {
                    for (sum, vector) in sums.iter_mut().zip(block) {
                        *sum = $add(*sum, load(vector));
                    }
                }
                if let Some((four, after)) = rest.split_first_chunk::<4>() {
                    for (sum, vector) in sums.iter_mut().zip(four) {
                        *sum = $add(*sum, load(vector));
                    }
                    rest = after;
                }
                if let Some((two, after)) = rest.split_first_chunk::<2>() {
                    for (sum, vector) in sums.iter_mut().zip(two) {
                        *sum = $add(*sum, load(vector));
                    }
                    rest = after;
                }
                if let Some(one) = rest.first() {
                    sums[2] = $add(sums[2], load(one));
                }
                let mut words = [0u64; LEN / 8];
                for sum in sums {
                    sums[0] = $add(sums[0], sum);
                }
                // SAFETY: a vector is as many words, and any bits are words.
                words.copy_from_slice(&unsafe {
                    std::mem::transmute::<$vector, [u64; LEN / 8]>(sums[0])
                });
                words.into_iter().fold(0, u64::wrapping_add)
            }
        };
    }

    load_and_add!(
        load_and_add_512,
        add_512,
        "avx512f,avx512bw",
        __m512i,
        _mm512_setzero_si512,
        _mm512_loadu_si512,
        _mm512_add_epi64
    );
    load_and_add!(
        load_and_add_256,
        add_256,
        "avx2",
        __m256i,
        _mm256_setzero_si256,
        _mm256_loadu_si256,
        _mm256_add_epi64
    );
}
