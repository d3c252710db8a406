//! The internet checksum over a slice, and with a copy.

mod common;

use std::hint::black_box;

use criterion::Throughput;
use etherparse::checksum::Sum16BitWords;

use common::limit::load_and_add;
use common::{Bench, Contest, Pages, noise};
use zerotcp::wire::Checksum;
use zerotcp::wire::checksum::Kernel;

const LENGTHS: [usize; 10] = [20, 40, 60, 64, 128, 256, 576, 1480, 4096, 65535];

/// More than caches hold.
const DRAM: usize = 128 << 20;

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
    let load_and_add = load_and_add(kernel);
    move |out| *out = load_and_add(black_box(bytes)) as u16
}
