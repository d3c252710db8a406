//! The checksum engine: every kernel against the sum as RFC 1071 has it, at any alignment, cut
//! anywhere, copied, combined, and updated for a change against the sum taken afresh.

use std::net::Ipv4Addr;

use zerotcp::wire::checksum::{Checksum, Kernel, update, update_sum, update32};

use crate::input::Input;
use crate::naive;

/// Numbers that say where to cut and what to change, then the bytes to sum.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (align, cuts) = (input.below(64), [input.u16(), input.u16()]);
    let (at, value, len) = (input.u16(), input.u32(), input.below(70));
    let repeats = 1 + input.below(8);
    let bytes = input.rest().repeat(repeats);

    // In the middle of others that must not count.
    let mut room = vec![0xff; align + bytes.len() + 64];
    room[align..align + bytes.len()].copy_from_slice(&bytes);
    let bytes = &mut room[align..align + bytes.len()];
    let expected = naive::sum(bytes);
    kernels(bytes, expected);
    cut_anywhere(bytes, cuts, expected);
    words(bytes, expected);
    changes(bytes, at.into(), value, len);
}

fn kernels(bytes: &[u8], expected: u16) {
    let mut copy = vec![0x5a; bytes.len() + 3];
    for kernel in Kernel::available() {
        let sum = kernel.sum(bytes);
        assert_eq!(sum.sum(), expected, "{}", kernel.name());
        assert_eq!(sum, Checksum::of(bytes));
        copy.fill(0x5a);
        assert_eq!(kernel.copy(&mut copy[1..], bytes), sum, "{}", kernel.name());
        assert_eq!(copy[1..=bytes.len()], *bytes);
        assert_eq!((copy[0], &copy[bytes.len() + 1..]), (0x5a, &[0x5a; 2][..]));
    }
    let whole = Checksum::of(bytes);
    assert_eq!((whole.sum(), whole.finish()), (expected, !expected));
    assert_eq!(whole.is_valid(), expected == 0xffff);
    assert_eq!(Checksum::copy(&mut copy, bytes), whole);
}

fn cut_anywhere(bytes: &[u8], cuts: [u16; 2], expected: u16) {
    let mut cuts = cuts.map(|cut| usize::from(cut) % (bytes.len() + 1));
    cuts.sort();
    let parts = [
        &bytes[..cuts[0]],
        &bytes[cuts[0]..cuts[1]],
        &bytes[cuts[1]..],
    ];
    let [a, b, c] = parts.map(Checksum::of);
    let whole = Checksum::of(bytes);
    assert_eq!(a.combine(b).combine(c), whole);
    assert_eq!(a.combine(b.combine(c)), whole);
    assert_eq!(
        Checksum::new().combine(whole).combine(Checksum::new()),
        whole
    );
    let mut sum = Checksum::new();
    for part in parts {
        sum.add(part);
    }
    assert_eq!((sum, sum.sum()), (whole, expected));
}

fn words(bytes: &[u8], expected: u16) {
    let taken = Checksum::from_sum(expected);
    assert_eq!(taken.sum(), expected);
    if let Some((first, rest)) = bytes.split_first_chunk::<4>() {
        let sum = Checksum::new().word32(u32::from_be_bytes(*first));
        assert_eq!(sum.combine(Checksum::of(rest)).sum(), expected);
        let [high, low] = [0, 2].map(|at| naive::word(first, at));
        let sum = Checksum::new().word(high).word(low);
        assert_eq!(sum.combine(Checksum::of(rest)).sum(), expected);
        // After an odd byte they lie across two words.
        let odd = Checksum::of(&[7]).word32(u32::from_be_bytes(*first));
        assert_eq!(odd.sum(), naive::sum(&[&[7][..], first].concat()));
    }
    if let Some((addresses, segment)) = bytes.split_first_chunk::<8>()
        && segment.len() <= usize::from(u16::MAX)
    {
        let [src, dst] = [0, 4].map(|at| Ipv4Addr::from(naive::long(addresses, at)));
        let pseudo = Checksum::pseudo_header(src, dst, addresses[0], segment.len() as u16);
        let sum = pseudo.combine(Checksum::of(segment)).sum();
        assert_eq!(sum, naive::segment_sum(addresses, addresses[0], segment));
    }
}

/// A message whose checksum is `before`, which does not cover itself, changes.
fn changes(bytes: &mut [u8], at: usize, value: u32, len: usize) {
    if bytes.len() < 6 {
        return;
    }
    // Not all zero, before and after: the one sum that an update does not tell from all ones
    // (RFC 1624 section 3).
    bytes[0] |= 1;
    let before = !naive::sum(bytes);
    let at = 2 + at % (bytes.len() - 5);
    let even = at & !1;

    let old = naive::word(bytes, even);
    naive::set_word(bytes, even, value as u16);
    let after = !naive::sum(bytes);
    assert_eq!(update(before, old, value as u16), after);
    naive::set_word(bytes, even, old);

    let old = naive::long(bytes, even);
    bytes[even..even + 4].copy_from_slice(&value.to_be_bytes());
    let after = !naive::sum(bytes);
    assert_eq!(update32(before, old, value), after);

    let run = even..bytes.len().min(at + len);
    if run.end > at {
        let (before, old) = (after, Checksum::of(&bytes[run.clone()]));
        bytes[at..run.end].fill(value as u8);
        let new = Checksum::of(&bytes[run]);
        assert_eq!(update_sum(before, old, new), !naive::sum(bytes));
    }
}
