//! `zerotcp simulate`: worlds in virtual time that check themselves.

mod panics;
mod trace;
mod workers;

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use clap::builder::RangedU64ValueParser;
use zerotcp::simulation::{self, Observer};

use super::Failure;
use super::signals::Signals;
use trace::Trace;
use workers::Workers;

/// Let stacks talk over bad networks in virtual time, and check all that should hold.
///
/// Each seed makes a world: two hosts with users of all kinds and a network that loses,
/// delays, reorders, doubles and corrupts, or one host and peers that mean it no good. After each
/// step the world checks itself. A failure prints a line with its seed, which makes it
/// happen again. The exit code is 1 if a world failed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// How many worlds to run, from 1 [default: 1000, or 1 with --seed]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    seeds: Option<u64>,

    /// The seed of the only world, or of the first if --seeds says more [default: 0]
    #[arg(long, value_name = "S", allow_negative_numbers = true, group = "world")]
    seed: Option<u64>,

    /// Run the one world in which FILE decides all that happens to one host among hostile peers: what
    /// the fuzz target `stack` has found, or any other file
    #[arg(long, value_name = "FILE", group = "world", conflicts_with_all = ["seeds", "threads", "fail_fast"])]
    input: Option<PathBuf>,

    /// How many worlds to run at a time [default: one a core]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    threads: Option<usize>,

    /// Stop at the first failure
    #[arg(long)]
    fail_fast: bool,

    /// Print each packet, call and event of the one world that --seed or --input names
    #[arg(long, requires = "world", conflicts_with_all = ["seeds", "threads", "fail_fast"])]
    trace: bool,
}

const HELP: &str = "\
Examples:
  zerotcp simulate                                  a thousand worlds, a few seconds
  zerotcp simulate --seed 1000000 --seeds 50000000  others, for a night; Ctrl-C ends it with the totals
  zerotcp simulate --seed 17 --trace                one world, packet by packet
  zerotcp simulate --input crash-1f2e --trace       what `cargo fuzz run stack` has found

A trace has a line for all that happens: seconds since the world began, the number of the host, then
`out` and a packet that it sends or `in` and one that reaches it, or else a call and its result, an
event, what becomes of the packet sent last, a change of the network. Of two hosts, 0 opens the
connections; a host among hostile peers is 0, and they have no number. At the end of a world of two
hosts the clock is turned far ahead, so that what still waits ends; virtual time counts until the last
packet.

In the totals, octets are bytes that users have read, and of each connection between two hosts there
are two ends. Many are broken off: users abort, and networks are bad on purpose.";

/// The most that a fuzzer's input has, many times over.
const MAX_INPUT: u64 = 16 << 20;

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    if let Some(path) = &args.input {
        let input = read(path)?;
        let name = path.display().to_string();
        return one(args.trace, &name, |observer| {
            match simulation::replay(&input, observer) {
                Ok(summary) => Ok(format!("{name}: {summary}")),
                Err(broken) => Err(format!("{name}: {broken}")),
            }
        });
    }
    let first = args.seed.unwrap_or(0);
    if args.trace {
        let name = format!("seed {first}");
        return one(true, &name, |observer| {
            match simulation::run(first, observer) {
                Ok(summary) => Ok(format!("{name}: {summary}")),
                Err(failure) => Err(failure.to_string()),
            }
        });
    }
    let signals = Signals::install().map_err(Failure::from_display)?;
    let seeds = args
        .seeds
        .unwrap_or(if args.seed.is_some() { 1 } else { 1000 });
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.unwrap_or_else(cores);
    let workers = Workers::new(first, seeds, args.fail_fast);
    let outcome = panics::quietly(|| workers.run(threads, &signals));
    outcome.or_else(passed_over)?;
    let stopped = signals.stop();
    Ok(ExitCode::from(match (workers.failures(), stopped) {
        (0, false) => 0,
        // What shells give to who was interrupted.
        (0, true) => 130,
        _ => 1,
    }))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let named = |error| Failure(format!("{}: {error}", path.display()));
    let mut input = Vec::new();
    let file = File::open(path).map_err(named)?;
    file.take(MAX_INPUT + 1)
        .read_to_end(&mut input)
        .map_err(named)?;
    match input.len() as u64 <= MAX_INPUT {
        true => Ok(input),
        false => Err(Failure(format!(
            "{}: longer than the {} MiB that a fuzzer's input has at most",
            path.display(),
            MAX_INPUT >> 20
        ))),
    }
}

/// The one world `name` that `run` runs, packet by packet if `traced`, and the line about it.
fn one(
    traced: bool,
    name: &str,
    run: impl FnOnce(&mut dyn Observer) -> Result<String, String>,
) -> Result<ExitCode, Failure> {
    let run =
        |observer: &mut dyn Observer| panics::quietly(|| panics::caught(name, || run(observer)));
    let mut out = io::BufWriter::new(io::stdout().lock());
    let (outcome, written) = match traced {
        true => {
            let mut trace = Trace::new(&mut out);
            let outcome = run(&mut trace);
            (outcome, trace.finish().map(|_| ()))
        }
        false => (run(&mut ()), Ok(())),
    };
    let code = u8::from(outcome.is_err());
    let (Ok(line) | Err(line)) = outcome;
    let written = written.and_then(|()| {
        writeln!(out, "{line}")?;
        out.flush()
    });
    written.or_else(passed_over)?;
    Ok(ExitCode::from(code))
}

/// That nobody listens any more, as `head` does, is no failure.
fn passed_over(error: io::Error) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Failure(format!("standard output: {error}"))),
    }
}
