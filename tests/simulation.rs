//! Worlds in virtual time that check themselves: `zerotcp simulate`, a few thousand of them.
//!
//! More with `ZEROTCP_SEEDS=<first seed>:<how many>`. What fails is seen packet by packet with
//! `zerotcp simulate --seed <seed> --trace`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use zerotcp::simulation::{self, Dice, Observer, Passage, Siege, Summary};
use zerotcp::tcp::State;
use zerotcp::time::Instant;

#[test]
fn all_that_should_hold_does() {
    let seeds = std::env::var("ZEROTCP_SEEDS").unwrap_or_else(|_| "0:3000".into());
    let (first, count) = seeds.split_once(':').expect("<first seed>:<how many>");
    let first: u64 = first.parse().expect("a number");
    let count: u64 = count.parse().expect("a number");

    let next = AtomicU64::new(first);
    let sum = Mutex::new(Summary::default());
    let failures = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if first + count <= seed {
                return;
            }
            match simulation::run(seed, &mut ()) {
                Ok(summary) => *sum.lock().unwrap() += summary,
                Err(failure) => failures.lock().unwrap().push(failure.to_string()),
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));

    // It would prove little otherwise.
    let sum = sum.into_inner().unwrap();
    println!("{sum}");
    assert!(sum.packets / count > 100, "{sum}");
    assert!(sum.octets / count > 2000, "{sum}");
    assert!(sum.retransmissions / count > 5, "{sum}");
    assert!(sum.finished / count >= 1, "{sum}");
    assert!(sum.broken_off > count / 10, "{sum}");
}

/// Hears all that happens.
#[derive(Debug, Default, PartialEq, Eq)]
struct Log(Vec<(Instant, usize, Option<Passage>, Vec<u8>)>);

impl Observer for Log {
    fn packet(&mut self, now: Instant, host: usize, passage: Passage, packet: &[u8]) {
        self.0.push((now, host, Some(passage), packet.to_vec()));
    }

    fn note(&mut self, now: Instant, host: usize, what: std::fmt::Arguments<'_>) {
        self.0
            .push((now, host, None, what.to_string().into_bytes()));
    }
}

#[test]
fn a_seed_makes_the_same_world_each_time() {
    let log = |seed| {
        let mut log = Log::default();
        simulation::run(seed, &mut log).unwrap();
        log
    };
    for seed in 0..20 {
        let once = log(seed);
        assert!(once.0.len() > 3, "seed {seed}");
        assert!(once == log(seed), "seed {seed}");
    }
    assert!(log(1) != log(2));
}

#[test]
fn a_siege_gets_deep() {
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
    // Those of `zerotcp simulate` that are sieges.
    let (seeds, count) = ((0..300).map(|n| 3 * n), 300);
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
