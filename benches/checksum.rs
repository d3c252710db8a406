//! The internet checksum over a slice, and with a copy.

mod common;

use std::hint::black_box;

use criterion::Throughput;
use etherparse::checksum::Sum16BitWords;

use common::{Bench, Contest, Pages, noise};
use zerotcp::wire::Checksum;

const LENGTHS: [usize; 10] = [20, 40, 60, 64, 128, 256, 576, 1480, 4096, 65535];

fn main() {
    let mut bench = Bench::new("checksum");
    let bytes = noise(1 << 17);
    for len in LENGTHS {
        // Where a payload lies behind an Ethernet and an IPv4 header: not aligned.
        checksum(&mut bench, &bytes[34..34 + len]);
    }
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
        .enter("pnet_packet", 0, |out| {
            // No word is left out.
            *out = pnet_packet::util::checksum(black_box(bytes), usize::MAX);
        })
        .limit(0, |out| *out = load_and_add(black_box(bytes)) as u16);
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
        .enter("copy-then-smoltcp", blank(), |(sum, to)| {
            let to = &mut to.0[..len];
            to.copy_from_slice(black_box(bytes));
            *sum = !smoltcp::wire::checksum::data(to);
        })
        .limit(blank(), |(_, to)| {
            to.0[..len].copy_from_slice(black_box(bytes));
        });
    bench.run(contest);
}

/// Every byte is loaded and added once, in vectors as wide as the build's target has them:
/// enough sums side by side that no addition waits for another.
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
    let (words, _) = rest.as_chunks::<8>();
    let tail = words.iter().map(|word| u64::from_le_bytes(*word));
    let sum = lanes.into_iter().chain(tail).fold(0, u64::wrapping_add);
    // What is less than a word comes with the bytes before it, in one load. No slice here
    // is shorter than a word.
    let last = bytes
        .last_chunk::<8>()
        .map_or(0, |last| u64::from_le_bytes(*last));
    sum.wrapping_add(last)
}
