use proptest::prelude::*;

use super::*;

/// RFC 1071 section 4.1, word by word.
fn reference(data: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in data.chunks(2) {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        sum += u32::from(word);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

#[test]
fn every_kernel_agrees_with_the_reference_at_every_length_and_alignment() {
    const MOST: usize = 4096;
    for data in [noise(MOST + 64), vec![0xff; MOST + 64], vec![0; MOST + 64]] {
        for start in 0..64 {
            let data = &data[start..];
            for (len, sum) in prefix_sums(data).enumerate().take(MOST + 1) {
                for kernel in Kernel::available() {
                    let found = kernel.sum(&data[..len]).sum();
                    assert_eq!(found, sum, "{} {start}+{len}", kernel.name());
                }
            }
        }
    }
}

/// The lengths around which a kernel empties its lanes, or might have to.
#[test]
fn every_kernel_agrees_with_the_portable_one_past_every_spill() {
    let most = (4 << 20) + 200;
    for data in [noise(most), vec![0xff; most], vec![0; most]] {
        for power in 12..=22 {
            for len in [-130, -65, -2, -1, 0, 1, 2, 63, 129].map(|more| (1 << power) + more) {
                for start in [0, 1, 2, 63] {
                    let data = &data[start..][..len as usize];
                    let sum = Kernel::named("portable").map(|kernel| kernel.sum(data));
                    for kernel in Kernel::available() {
                        let found = Some(kernel.sum(data));
                        assert_eq!(found, sum, "{} {start}+{len}", kernel.name());
                    }
                }
            }
        }
    }
}

#[test]
fn every_kernel_copies_what_it_sums() {
    let data = noise((1 << 17) + 300);
    let lengths = (0..700).chain([1480, 4095, 65535, 65536, 65537, (1 << 17) + 77]);
    for (index, len) in lengths.enumerate() {
        copy_and_compare(&data, len, index % 64, index * 7 / 64 % 64);
    }
    for pair in 0..64 * 64 {
        for len in [300, 301] {
            copy_and_compare(&data, len, pair % 64, pair / 64);
        }
    }
}

/// Copies between places that far past a boundary, or nearly.
fn copy_and_compare(data: &[u8], len: usize, from: usize, to: usize) {
    let src = &data[from..from + len];
    for kernel in Kernel::available() {
        let mut room = vec![0xa5; len + 128];
        let sum = kernel.copy(&mut room[to..to + len], src);
        let case = format!("{} {from} {to} {len}", kernel.name());
        assert_eq!(sum, Checksum::of(src), "{case}");
        assert!(room[to..to + len] == *src, "{case}");
        let mut untouched = room[..to].iter().chain(&room[to + len..]);
        assert!(untouched.all(|byte| *byte == 0xa5), "{case}");
    }
}

#[test]
fn a_kernel_can_be_named_and_bound() {
    assert_eq!(Kernel::named("abacus"), None);
    let best = Kernel::bound();
    assert_eq!(Kernel::available().next_back(), Some(best));
    for kernel in Kernel::available() {
        assert_eq!(Kernel::named(kernel.name()), Some(kernel));
        // The tests beside this one get the same sums from any.
        kernel.bind();
        assert_eq!(Kernel::bound(), kernel);
    }
    best.bind();
}

/// What `reference` gives for each prefix of `data`, the empty one first.
fn prefix_sums(data: &[u8]) -> impl Iterator<Item = u16> {
    let fold = |sum: u32| ((sum & 0xffff) + (sum >> 16)) as u16;
    let mut sum = 0u16;
    core::iter::once(0).chain(data.iter().enumerate().map(move |(at, byte)| {
        let shift = if at % 2 == 0 { 8 } else { 0 };
        sum = fold(u32::from(sum) + (u32::from(*byte) << shift));
        sum
    }))
}

#[test]
fn both_ways_to_fold_are_remainders() {
    let edges = (0..64).flat_map(|bit| [1 << bit, u64::MAX << bit, !(1 << bit)]);
    for sum in edges.flat_map(|edge| [edge - 1, edge, edge.wrapping_add(1), !edge]) {
        let remainder = match (sum, sum % 0xffff) {
            (1.., 0) => 0xffff,
            (_, remainder) => remainder,
        };
        assert_eq!(u64::from(fold(sum)), remainder, "{sum:#x}");
        assert_eq!(u64::from(fold32(halve(sum))), remainder, "{sum:#x}");
    }
}

/// RFC 1624 equation 3 to the letter, 0x0000 and 0xffff told apart.
#[test]
fn an_update_is_equation_3() {
    let carried = |sum: u64| {
        let mut sum = sum;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    };
    let edges = [0, 1, 2, 0x7fff, 0x8000, 0xfffd, 0xfffe, 0xffff];
    for checksum in edges {
        for old in edges {
            for new in edges {
                let sum = u64::from(!checksum) + u64::from(!old) + u64::from(new);
                let right = !carried(sum);
                assert_eq!(update(checksum, old, new), right, "{checksum} {old} {new}");
                for more in edges.map(u32::from) {
                    let (old, new) = (u32::from(old) << 16 | more, more << 16 | u32::from(new));
                    let sum = u64::from(!checksum) + u64::from(!old) + u64::from(new);
                    let found = update32(checksum, old, new);
                    assert_eq!(found, !carried(sum), "{checksum} {old} {new}");
                }
            }
        }
    }
}

/// The shapes of number on which folding and carrying could go wrong.
#[test]
fn carries_come_back_in_at_the_bottom() {
    let edges = [
        0,
        1,
        0xffff,
        0x1_0000,
        0xffff_ffff,
        1 << 32,
        1 << 63,
        u64::MAX - 1,
        u64::MAX,
    ];
    for a in edges {
        for b in edges {
            let bytes = [a.to_le_bytes(), b.to_le_bytes()].concat();
            let apart = Checksum::of(&bytes[..8]).combine(Checksum::of(&bytes[8..]));
            assert_eq!(apart.sum(), reference(&bytes), "{a:#x} {b:#x}");
            assert_eq!(
                Checksum::of(&bytes).sum(),
                reference(&bytes),
                "{a:#x} {b:#x}"
            );
            let sum = Checksum::of_words([a, b]).sum();
            assert_eq!(sum, reference(&bytes), "{a:#x} {b:#x}");
        }
    }
}

#[test]
fn the_pseudo_header_is_the_sum_of_its_bytes() {
    let bytes = [192, 168, 0, 1, 10, 255, 255, 254, 0, 6, 0x12, 0x34];
    let sum = Checksum::pseudo_header(
        [192, 168, 0, 1].into(),
        [10, 255, 255, 254].into(),
        6,
        0x1234,
    );
    assert_eq!(sum.sum(), reference(&bytes));
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_sum(
        data in proptest::collection::vec(any::<u8>(), 0..700),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
        cuts.sort_unstable();
        let mut sum = Checksum::new();
        let mut start = 0;
        for cut in cuts.into_iter().chain([data.len()]) {
            sum.add(&data[start..cut]);
            start = cut;
        }
        prop_assert_eq!(sum.sum(), reference(&data));
    }

    #[test]
    fn an_update_is_a_recomputation(
        mut data in proptest::collection::vec(any::<u8>(), 2..80),
        at in any::<prop::sample::Index>(),
        new in any::<u16>(),
    ) {
        // A message that is all zeros has two representations of its sum.
        data[0] |= 1;
        let at = at.index(data.len() / 2) * 2;
        prop_assume!(at != 0 && at + 1 < data.len());
        let before = Checksum::of(&data).finish();
        let old = u16::from_be_bytes([data[at], data[at + 1]]);
        data[at..at + 2].copy_from_slice(&new.to_be_bytes());
        prop_assert_eq!(update(before, old, new), Checksum::of(&data).finish());
    }

    #[test]
    fn copying_sums_what_it_copies(data in proptest::collection::vec(any::<u8>(), 0..300), room in 0..300usize) {
        let mut to = vec![0; room];
        let sum = Checksum::copy(&mut to, &data);
        let len = room.min(data.len());
        prop_assert_eq!(&to[..len], &data[..len]);
        prop_assert_eq!(sum, Checksum::of(&data[..len]));
    }
}
