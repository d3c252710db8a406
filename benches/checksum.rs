//! The internet checksum over a slice, and with a copy.

mod common;

use std::hint::black_box;

use criterion::Throughput;
use etherparse::checksum::Sum16BitWords;

use common::{Bench, Contest, Pages, noise};
use zerotcp::wire::Checksum;
use zerotcp::wire::checksum::Kernel;

const LENGTHS: [usize; 10] = [20, 40, 60, 64, 128, 256, 576, 1480, 4096, 65535];

/// More than caches hold.
const DRAM: usize = 256 << 20;

fn main() {
    let mut bench = Bench::new("checksum");
    let bytes = noise(1 << 17);
    // Where a payload lies behind an Ethernet and an IPv4 header: not aligned.
    let payload = |len| &bytes[34..34 + len];
    for len in LENGTHS {
        checksum(&mut bench, payload(len));
    }
    for kernel in Kernel::available() {
        forced(&mut bench, kernel, payload(1480));
    }
    dram(&mut bench);
    bench.finish();

    let mut bench = Bench::new("copysum");
    let pages = Room::around(&bytes[..65536]);
    for len in [1480, 65536] {
        copy(&mut bench, pages.middle(len));
    }
    bench.finish();
}

type Room = Pages<{ 17 * 4096 }>;

/// All give the checksum field, as a number.
fn checksum(bench: &mut Bench, bytes: &[u8]) {
    let len = bytes.len();
    let contest = Contest::new(len.to_string(), Throughput::Bytes(len as u64))
        .enter("zerotcp", 0, |out: &mut u16| {
            *out = Checksum::of(black_box(bytes)).finish();
        })
        .enter("smoltcp", 0, |out| {
            *out = !smoltcp::wire::checksum::data(black_box(bytes));
        })
        .enter("etherparse", 0, |out| {
            // Its sum is in the machine's byte order.
            let sum = Sum16BitWords::new().add_slice(black_box(bytes));
            *out = sum.ones_complement().to_be();
        })
        .enter("internet-checksum", 0, |out| {
            *out = u16::from_be_bytes(internet_checksum::checksum(black_box(bytes)));
        })
        .enter("pnet", 0, |out| {
            // No word is left out.
            *out = pnet_packet::util::checksum(black_box(bytes), usize::MAX);
        })
        .limit(0, limit(Kernel::bound(), bytes));
    bench.run(contest);
}

/// One of our kernels by name, against the limit of its own width.
fn forced(bench: &mut Bench, kernel: Kernel, bytes: &[u8]) {
    let len = bytes.len();
    let case = format!("{len}-{}", kernel.name());
    let contest = Contest::new(case, Throughput::Bytes(len as u64))
        .enter("zerotcp", 0, |out: &mut u16| {
            *out = kernel.sum(black_box(bytes)).finish();
        })
        .enter("smoltcp", 0, |out| {
            *out = !smoltcp::wire::checksum::data(black_box(bytes));
        })
        .limit(0, limit(kernel, bytes));
    bench.run(contest);
}

/// From memory, where the loads are all that takes time. No peer: the sums of some go wrong
/// past 128 KiB.
fn dram(bench: &mut Bench) {
    let bytes = noise(DRAM);
    let contest = Contest::new("dram", Throughput::Bytes(DRAM as u64))
        .enter("zerotcp", 0, |out: &mut u16| {
            *out = Checksum::of(black_box(&bytes)).finish();
        })
        .limit(0, limit(Kernel::bound(), &bytes));
    bench.run(contest);
}

/// The peers have no copy that sums: theirs would be a copy, then a sum.
fn copy(bench: &mut Bench, bytes: &[u8]) {
    let len = bytes.len();
    let blank = || (0, Room::blank());
    let contest = Contest::new(len.to_string(), Throughput::Bytes(len as u64))
        .enter("zerotcp", blank(), |(sum, to): &mut (u16, Box<Room>)| {
            *sum = Checksum::copy(&mut to.0[..len], black_box(bytes)).finish();
        })
        .enter("smoltcp", blank(), |(sum, to)| {
            let to = &mut to.0[..len];
            to.copy_from_slice(black_box(bytes));
            *sum = !smoltcp::wire::checksum::data(to);
        })
        .limit(blank(), |(_, to)| {
            to.0[..len].copy_from_slice(black_box(bytes));
        });
    bench.run(contest);
}

/// Every byte loaded and added, in vectors as wide as those of `kernel`.
fn limit(kernel: Kernel, bytes: &[u8]) -> impl FnMut(&mut u16) {
    let load_and_add = match kernel.name() {
        #[cfg(target_arch = "x86_64")]
        "avx512" => wide::load_and_add_512,
        #[cfg(target_arch = "x86_64")]
        "avx2" => wide::load_and_add_256,
        _ => load_and_add,
    };
    move |out| *out = load_and_add(black_box(bytes)) as u16
}

/// The loop in vectors as wide as the build's target has them: enough sums side by side that
/// no addition waits for another.
fn load_and_add(bytes: &[u8]) -> u64 {
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
