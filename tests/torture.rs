//! Anything that peers and users can do, in any order, from a seed: nothing panics, hangs,
//! leaks or harms another connection, and what is read and sent is right.

use zerotcp::simulation::{Dice, Siege};
use zerotcp::tcp::State;

#[test]
fn whatever_happens() {
    const STATES: [State; 9] = [
        State::SynSent,
        State::SynReceived,
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::CloseWait,
        State::Closing,
        State::LastAck,
        State::TimeWait,
    ];
    // More with ZEROTCP_TORTURE=<first seed>:<last seed>.
    let seeds = std::env::var("ZEROTCP_TORTURE").ok().and_then(|range| {
        let (first, last) = range.split_once(':')?;
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    let seeds = seeds.unwrap_or(0u64..=300);
    let count = seeds.clone().count() as u64;
    let mut left = [0; STATES.len()];
    let [mut cookies, mut datagrams, mut wraps] = [0; 3];
    let [
        mut acked,
        mut received,
        mut fast,
        mut timeouts,
        mut finished,
    ] = [0; 5];
    for seed in seeds {
        let mut siege = Siege::new(Dice::new(seed));
        if let Err(broken) = siege.run(&mut ()) {
            panic!("seed {seed} at {}: {broken}", siege.now());
        }
        for (count, state) in left.iter_mut().zip(STATES) {
            *count += u64::from(siege.has_left(state));
        }
        let (counters, depth) = (siege.counters(), siege.depth());
        cookies += counters.syn_cookies_accepted;
        datagrams += counters.datagrams_reassembled;
        wraps += depth.wraps;
        acked += depth.octets_acked;
        received += depth.octets_received;
        fast += depth.fast_retransmissions;
        timeouts += depth.timeout_retransmissions;
        finished += depth.finished;
    }
    println!("left {left:?} of {count}");
    // It would prove little otherwise: per seed so much has to happen.
    for (what, sum, least) in [
        ("cookies", cookies, 0.1),
        ("datagrams", datagrams, 1.0),
        ("numbers that wrap around", wraps, 0.5),
        ("octets acknowledged", acked, 10_000.0),
        ("octets received", received, 10_000.0),
        ("fast retransmissions", fast, 1.0),
        ("timeouts", timeouts, 1.0),
        ("FINs of both sides", finished, 1.0),
    ] {
        let each = sum as f64 / count as f64;
        println!("{each:10.1} {what}");
        assert!(each >= least, "{each} {what} a seed");
    }
    for (state, count) in STATES.iter().zip(left) {
        assert!(count > 0, "{state} was never left");
    }
}
