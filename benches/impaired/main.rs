//! Goodput over a bad network: a kernel's client with `zerotcp serve --impair`, and the same
//! client with another kernel through the same impairment (`tests/common/pump.rs` says why that
//! is equal). Every kernel socket that sends is set to CUBIC.
//!
//! Each run is alone in network namespaces made for it, so that no kernel remembers the path from
//! a run before. Both have the same seed in a round and take turns in going first. `RATIO` is
//! zerotcp's median goodput by the kernel's: above 1, ours is quicker. Needs root and
//! `/dev/net/tun`.
//!
//! `cargo bench --bench impaired -- --help` says what it takes.

mod run;
mod transfer;

#[path = "../../tests/common/mod.rs"]
mod common;

use std::process::ExitCode;

use clap::Parser;

use run::{Case, Peer};
use transfer::Direction;

/// What the ratio is to reach at least.
const GOAL: f64 = 0.9;

/// 10 ms each way at 200 Mbit/s: a round trip of 20 ms, in which the line carries 500 kB, 333
/// packets. The bytes are what two kernels carry in three to eight seconds.
const CASES: [Case; 3] = [
    Case {
        name: "loss1",
        settings: "delay=10ms,loss=1%,rate=200mbit",
        bytes: 5_000_000,
    },
    Case {
        name: "loss0",
        settings: "delay=10ms,loss=0%,rate=200mbit",
        bytes: 100_000_000,
    },
    Case {
        name: "bdp-queue",
        settings: "delay=10ms,loss=0.1%,rate=200mbit,queue=333",
        bytes: 25_000_000,
    },
];

/// Compares the goodput of zerotcp with a kernel's over a bad network.
#[derive(Parser)]
struct Args {
    /// Runs of each, whose median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    runs: u64,
    /// Bytes to carry in a run, instead of each case's own
    #[arg(long)]
    bytes: Option<u64>,
    /// Only this case: loss1, loss0 or bdp-queue
    #[arg(long, value_name = "NAME", value_parser = CASES.map(|case| case.name))]
    case: Option<String>,
    /// What cargo says
    #[arg(long = "bench", hide = true)]
    _bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(obstacle) = common::network::obstacle() {
        println!("skipped: impaired needs root and /dev/net/tun ({obstacle})");
        return ExitCode::SUCCESS;
    }
    let chosen = |case: &Case| args.case.as_ref().is_none_or(|name| name == case.name);
    let mut results = Vec::new();
    for case in CASES.into_iter().filter(chosen) {
        let bytes = args.bytes.unwrap_or(case.bytes);
        for direction in [Direction::Upload, Direction::Download] {
            results.push(Contest::hold(Case { bytes, ..case }, direction, args.runs));
        }
    }
    print_table(&results, args.runs);
    for result in &results {
        result.print_lines();
    }
    ExitCode::SUCCESS
}

/// All runs of one case in one direction.
struct Contest {
    case: Case,
    direction: Direction,
    /// Seconds of each round; infinite where a run did not come to its end.
    zerotcp: Vec<f64>,
    kernel: Vec<f64>,
}

impl Contest {
    fn hold(case: Case, direction: Direction, rounds: u64) -> Contest {
        let mut contest = Contest {
            case,
            direction,
            zerotcp: Vec::new(),
            kernel: Vec::new(),
        };
        for round in 1..=rounds {
            let mut order = [Peer::Zerotcp, Peer::Kernel];
            if round % 2 == 0 {
                order.reverse();
            }
            for peer in order {
                let ran = run::run(case, direction, peer, round);
                let told = match &ran {
                    Ok(ran) => format!(
                        "{:6.1} Mbit/s in {:5.2} s, handshake {:.1} ms, sender's control: {}",
                        case.megabits() / ran.seconds,
                        ran.seconds,
                        ran.handshake * 1e3,
                        ran.control,
                    ),
                    Err(problem) => format!("FAILED: {problem}"),
                };
                println!("{}-{direction} seed={round} {peer:<7} {told}", case.name);
                let times = match peer {
                    Peer::Zerotcp => &mut contest.zerotcp,
                    Peer::Kernel => &mut contest.kernel,
                };
                times.push(ran.map_or(f64::INFINITY, |ran| ran.seconds));
            }
        }
        contest
    }

    /// The median goodput of zerotcp by that of the kernel; `None` where neither has one.
    fn ratio(&self) -> Option<f64> {
        let ratio = median(&self.kernel) / median(&self.zerotcp);
        ratio.is_finite().then_some(ratio)
    }

    /// The median of the goodputs' ratios in each round, whose seed is the same for both.
    fn pairs_ratio(&self) -> Option<f64> {
        let pairs = self.kernel.iter().zip(&self.zerotcp);
        let ratios: Vec<f64> = pairs.map(|(kernel, zerotcp)| kernel / zerotcp).collect();
        let ratio = median(&ratios);
        ratio.is_finite().then_some(ratio)
    }

    /// As `benches/common` describes them; a time is that of 1448 bytes, a full segment.
    fn print_lines(&self) {
        let id = format!("impaired/{}-{}", self.case.name, self.direction);
        let segments = self.case.bytes as f64 / 1448.0;
        for (who, times) in [("zerotcp", &self.zerotcp), ("kernel", &self.kernel)] {
            let seconds = median(times);
            if seconds.is_finite() {
                println!("TIME {id} {who} {:.3}", seconds * 1e9 / segments);
            }
        }
        if let Some(ratio) = self.ratio() {
            println!("RATIO {id} kernel {ratio:.2}");
        }
    }
}

fn print_table(results: &[Contest], runs: u64) {
    println!(
        "\nGoodput in Mbit/s: median of {runs} (slowest - quickest). The ratio is that of the"
    );
    println!("medians; pairs is the median of the ratios in each round, of the same seed.\n");
    println!(
        "{:<20} {:>22} {:>22}  {:>5}  {:<10}  {:>5}  settings",
        "case", "zerotcp", "kernel", "ratio", "goal", "pairs"
    );
    for result in results {
        let case = &result.case;
        let verdict = match result.ratio() {
            Some(ratio) if ratio >= GOAL => "met",
            _ => "MISSED",
        };
        println!(
            "{:<20} {:>22} {:>22}  {:>5}  {GOAL} {verdict:<6}  {:>5}  {}",
            format!("{}-{}", case.name, result.direction),
            goodput(case, &result.zerotcp),
            goodput(case, &result.kernel),
            two_digits(result.ratio()),
            two_digits(result.pairs_ratio()),
            case.settings,
        );
    }
    println!();
}

fn goodput(case: &Case, times: &[f64]) -> String {
    let of = |seconds: f64| case.megabits() / seconds;
    let quickest = times.iter().copied().fold(f64::INFINITY, f64::min);
    let slowest = times.iter().copied().fold(0.0, f64::max);
    format!(
        "{:.1} ({:.1} - {:.1})",
        of(median(times)),
        of(slowest),
        of(quickest)
    )
}

fn two_digits(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// The middle of one number or more.
fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
