//! The stack and the kernel's own TCP, side by side: random sequences of segments and calls, done to
//! both, after each of which their states and answers must be the same where RFC 9293 leaves no
//! choice. Where they are not, `known.rs` says why; what it does not explain fails.
//!
//! The kernel is in a network namespace of the test's own, behind a TUN interface on which the test
//! plays the peer; ours is in memory. Both get the same segments, but for numbers of their own:
//! acknowledgments and echoed timestamps.
//!
//! `ZEROTCP_DIFFERENTIAL=first:count` plays other sequences than the first 10,000; one alone is
//! printed step by step. Made with Linux 6.18; other versions may differ in more.

#[path = "../common/mod.rs"]
mod common;

mod case;
mod compare;
mod diag;
mod host;
mod kernel;
mod known;
mod ours;
mod report;
mod segment;
mod sequence;
mod steps;
mod view;

use std::env;
use std::net::{Ipv4Addr, SocketAddrV4};

use libtest_mimic::Arguments;

use common::network::{KERNEL, in_private_network, missing, trial};
use diag::Diag;
use host::Pair;
use kernel::{Network, PORT};
use report::Report;
use sequence::Outcomes;

/// The first sequence and how many.
const SEQUENCES: (u64, u64) = (0, 10_000);

/// How often a sequence is begun again in which a timer of the kernel's may have fired, on a
/// machine that is busy with other things.
const PATIENCE: u32 = 10;

/// What differs must do so each of so many times: such a machine may also be late with what the
/// kernel sends.
const TIMES: u32 = 3;

fn main() {
    let arguments = Arguments::from_args();
    let lacking = missing().or_else(missing_diag);
    let name = "random_sequences_have_the_same_answers_from_both";
    let trials = vec![trial(
        name,
        random_sequences_have_the_same_answers_from_both,
        lacking,
    )];
    libtest_mimic::run(&arguments, trials).exit();
}

/// Why the kernel's states cannot be had, if so.
fn missing_diag() -> Option<&'static str> {
    let state = in_private_network(|| Diag::open()?.state(pair(0, false))).and_then(|state| state);
    state.err().map(|error| {
        eprintln!("no state of the kernel's connections: {error}");
        "sock_diag(7) for TCP"
    })
}

fn random_sequences_have_the_same_answers_from_both() {
    let (first, count) = sequences();
    let mut network = Network::new().unwrap();
    let mut report = Report::new();
    // No two have the same ends: the kernel keeps some in TIME-WAIT.
    let mut played = 0;
    for seed in first..first + count {
        // Every fourth is opened by the hosts.
        let active = seed % 4 == 3;
        let mut outcomes = Outcomes::default();
        let mut failures = 0;
        for _ in 0..PATIENCE {
            outcomes = sequence::play(&mut network, seed, pair(played, active), active);
            played += 1;
            failures += u32::from(!outcomes.slow && outcomes.unexplained.is_some());
            let fails = outcomes.unexplained.is_some() && failures < TIMES;
            if !outcomes.slow && !fails {
                break;
            }
        }
        if count == 1 {
            println!("{}", outcomes.trace.join("\n"));
        }
        report.note(seed, outcomes);
    }
    report.print();
    report.check();
}

fn sequences() -> (u64, u64) {
    let Ok(text) = env::var("ZEROTCP_DIFFERENTIAL") else {
        return SEQUENCES;
    };
    let numbers = text.split_once(':');
    let numbers =
        numbers.and_then(|(first, count)| Some((first.parse().ok()?, count.parse().ok()?)));
    numbers.expect("ZEROTCP_DIFFERENTIAL=first:count, such as 0:10000")
}

/// The ends of the connection that is played as the `n`th.
fn pair(n: u64, active: bool) -> Pair {
    const PORTS: u64 = 50_000;
    // Below 2^16, and an address of the kernel's network.
    let port = 10_000 + (n % PORTS) as u16;
    let [a, b, c, _] = KERNEL.octets();
    let peer = Ipv4Addr::new(a, b, c, 2 + (n / PORTS % 250) as u8);
    Pair {
        host: SocketAddrV4::new(KERNEL, if active { port } else { PORT }),
        peer: SocketAddrV4::new(peer, port),
    }
}
