//! Initial sequence numbers (RFC 9293 section 3.4.1, RFC 6528).

use std::collections::BTreeSet;
use std::time::Duration;

use zerotcp::stack::{Config, Stack};

use crate::common::script::{Script, US};
use crate::tests;

tests! {
    "MUST-8 6528-1" => the_clock_ticks_every_four_microseconds,
    "MUST-9 SHLD-1 6528-2" => other_quads_and_other_keys_have_unrelated_numbers,
    "6528-2 attack-25" => the_same_quad_again_has_a_larger_number,
    "attack-25" => numbers_show_no_pattern_over_ports,
    "6528-3" => the_key_is_in_no_log,
}

/// The number with which a host answers this peer at this time.
fn isn(seed: u64, port: u16, later: Duration) -> u32 {
    let mut s = Script::with(|config| *config = Config::seeded(*US.ip(), seed));
    s.turn_to(port);
    s.now += later;
    s.inject("S 0");
    s.next().expect("a SYN,ACK");
    s.iss.expect("it has a number").0
}

fn the_clock_ticks_every_four_microseconds() {
    let first = isn(1, 1000, Duration::ZERO);
    for micros in [4, 8, 400, 4_000_000, 40_000_000_000] {
        let later = isn(1, 1000, Duration::from_micros(micros));
        assert_eq!(later.wrapping_sub(first), (micros / 4) as u32, "{micros}");
    }
}

fn other_quads_and_other_keys_have_unrelated_numbers() {
    // Of 64 differences of neighbours none is small and none comes twice.
    for variant in [
        |n: u16| isn(1, 1000 + n, Duration::ZERO),
        |n: u16| isn(n.into(), 1000, Duration::ZERO),
    ] {
        let numbers: Vec<u32> = (0..65).map(variant).collect();
        let gaps: BTreeSet<_> = numbers
            .windows(2)
            .map(|pair| pair[1].wrapping_sub(pair[0]))
            .collect();
        assert_eq!(gaps.len(), 64);
        let small = |gap: &&u32| gap.cast_signed().unsigned_abs() < 1 << 16;
        assert_eq!(gaps.iter().find(small), None);
    }
}

fn the_same_quad_again_has_a_larger_number() {
    let mut s = Script::new();
    let mut last = None;
    for _ in 0..50 {
        s.iss = None;
        s.inject("S 0");
        s.expect("S. 0 ack 1 <mss 1460>");
        s.inject("R 1");
        if let Some(last) = last {
            assert!(s.iss.unwrap() > last);
        }
        last = s.iss;
        s.pass(1);
    }
}

/// Each bit is set half of the time, over a thousand peers.
fn numbers_show_no_pattern_over_ports() {
    let numbers: Vec<u32> = (1..=1000)
        .map(|port| isn(7, port, Duration::ZERO))
        .collect();
    for bit in 0..32 {
        let set = numbers
            .iter()
            .filter(|number| *number >> bit & 1 == 1)
            .count();
        // Six standard deviations.
        assert!((405..=595).contains(&set), "bit {bit}: {set} of 1000");
    }
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), 1000);
}

fn the_key_is_in_no_log() {
    let mut config = Config::seeded(*US.ip(), 1);
    config.secret = [0xab; 16];
    for text in [
        format!("{config:?}"),
        format!("{:?}", Stack::new(config.clone())),
    ] {
        for trace in ["171", "ab, ab", "abab", "secret"] {
            assert!(!text.to_lowercase().contains(trace), "{trace} in {text}");
        }
    }
}
