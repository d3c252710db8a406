//! `zerotcp simulate`: worlds in virtual time that check themselves.

mod trace;
mod workers;

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::panic;
use std::path::PathBuf;
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

    /// Run the one siege of which FILE makes every decision: what the fuzz target `stack` has found
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
  zerotcp simulate                                  a thousand worlds, a second or so
  zerotcp simulate --seed 1000000 --seeds 50000000  others, for a night; Ctrl-C ends it with the sum
  zerotcp simulate --seed 17 --trace                one world, packet by packet
  zerotcp simulate --input crash-1f2e --trace       what `cargo fuzz run stack` has found

A trace has a line for all that happens: seconds since the world began, the number of the host, then
`out` and a packet that it sends or `in` and one that reaches it, or else a call and its result, an
event, what becomes of the packet sent last, a change of the network. Of two hosts, 0 opens the
connections; a host under siege is 0, and its peers have no number.";

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    if let Some(path) = &args.input {
        let named = |error| Failure(format!("{}: {error}", path.display()));
        let input = fs::read(path).map_err(named)?;
        let name = path.display();
        return one(args.trace, |observer| {
            match simulation::replay(&input, observer) {
                Ok(summary) => Ok(format!("{name}: {summary}")),
                Err(broken) => Err(format!("{name}: {broken}")),
            }
        });
    }
    let first = args.seed.unwrap_or(0);
    if args.trace {
        return one(true, |observer| match simulation::run(first, observer) {
            Ok(summary) => Ok(format!("seed {first}: {summary}")),
            Err(failure) => Err(failure.to_string()),
        });
    }
    let signals = Signals::install().map_err(Failure::from_display)?;
    let seeds = args
        .seeds
        .unwrap_or(if args.seed.is_some() { 1 } else { 1000 });
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.unwrap_or_else(cores);
    // What panics is a failure like any other: what it says goes into the failure's line.
    panic::set_hook(Box::new(workers::note_panic));
    let workers = Workers::new(first, seeds, args.fail_fast);
    let outcome = workers.run(threads, &signals);
    let _ = panic::take_hook();
    outcome.or_else(passed_over)?;
    let stopped = signals.stop();
    Ok(ExitCode::from(match (workers.failures(), stopped) {
        (0, false) => 0,
        // What shells give to who was interrupted.
        (0, true) => 130,
        _ => 1,
    }))
}

/// One world that `run` runs, packet by packet if `traced`, and the line about it.
fn one(
    traced: bool,
    run: impl FnOnce(&mut dyn Observer) -> Result<String, String>,
) -> Result<ExitCode, Failure> {
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
