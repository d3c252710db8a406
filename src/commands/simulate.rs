//! `zerotcp simulate`: worlds in virtual time that check themselves.

use std::any::Any;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use zerotcp::simulation::{self, Observer, Passage, Summary};
use zerotcp::time::Instant as VirtualInstant;

use super::Failure;
use super::line::Line;

/// Let stacks talk over bad networks in virtual time, and check all that should hold.
///
/// Each seed makes a world: two hosts with users of all kinds and a network that loses,
/// delays, reorders, doubles and corrupts, or one host and peers that mean it no good. After each
/// step the world checks itself. A failure prints a line with its seed, which makes it
/// happen again; the exit code is 1 then.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// How many worlds to run.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    seeds: u64,

    /// The seed of the first of them, or of the only one.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,

    /// Stop at the first failure.
    #[arg(long)]
    fail_fast: bool,

    /// Print each packet, call and event of the one world that `--seed` names.
    #[arg(long, requires = "seed", conflicts_with = "seeds")]
    trace: bool,
}

const HELP: &str = "\
Examples:
  zerotcp simulate                                 a thousand worlds, some seconds
  zerotcp simulate --seed 1000000 --seeds 5000000  others, for a night
  zerotcp simulate --seed 17 --trace               one world, packet by packet";

/// Failures that are printed; the others are counted.
const SHOWN: u64 = 20;

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    if args.trace {
        return Ok(trace(args.seed.unwrap_or_default()));
    }
    let first = args.seed.unwrap_or(0);
    // What panics is a failure like any other: its message goes into the failure's line.
    panic::set_hook(Box::new(|_| {}));
    let total = Total::default();
    let begun = Instant::now();
    let bar = bar(args.seeds);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| total.work(first, args, &bar, begun));
        }
    });
    let done = bar.position();
    bar.finish_and_clear();
    let _ = panic::take_hook();
    let failures = total.failures.load(Ordering::Relaxed);
    let sum = total.sum();
    let _ = writeln!(
        io::stdout(),
        "{done} worlds from seed {first}, {failures} failed: {}",
        Rate(&sum, done, begun.elapsed())
    );
    Ok(ExitCode::from(u8::from(failures > 0)))
}

/// What the threads share.
#[derive(Debug, Default)]
struct Total {
    taken: AtomicU64,
    failures: AtomicU64,
    sum: Mutex<Summary>,
}

impl Total {
    /// Runs worlds until none is left, or until one fails if that is enough.
    fn work(&self, first: u64, args: &Args, bar: &ProgressBar, begun: Instant) {
        loop {
            let number = self.taken.fetch_add(1, Ordering::Relaxed);
            let is_over = args.fail_fast && self.failures.load(Ordering::Relaxed) > 0;
            if number >= args.seeds || is_over {
                return;
            }
            // Wraps by intent: all seeds are good.
            let seed = first.wrapping_add(number);
            match simulate(seed, &mut ()) {
                Ok(summary) => *self.sum.lock().unwrap_or_else(PoisonError::into_inner) += summary,
                Err(what) => self.report(&what, bar, seed),
            }
            bar.inc(1);
            if number.is_multiple_of(64) {
                bar.set_message(Rate(&self.sum(), number + 1, begun.elapsed()).to_string());
            }
        }
    }

    fn sum(&self) -> Summary {
        *self.sum.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One line, with the way to see it again.
    fn report(&self, what: &str, bar: &ProgressBar, seed: u64) {
        let before = self.failures.fetch_add(1, Ordering::Relaxed);
        if before < SHOWN {
            bar.suspend(|| {
                let line = format!("{what}; see: zerotcp simulate --seed {seed} --trace");
                let _ = writeln!(io::stdout(), "{line}");
            });
        }
    }
}

/// One world, with a panic as a failure among others.
fn simulate(seed: u64, observer: &mut dyn Observer) -> Result<Summary, String> {
    let caught = panic::catch_unwind(AssertUnwindSafe(|| simulation::run(seed, observer)));
    match caught {
        Ok(outcome) => outcome.map_err(|failure| failure.to_string()),
        Err(panic) => Err(format!("seed {seed}: panic: {}", message(panic.as_ref()))),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}

fn trace(seed: u64) -> ExitCode {
    let outcome = simulate(seed, &mut Trace(io::stdout().lock()));
    let (code, line) = match outcome {
        Ok(summary) => (0, format!("seed {seed}: {summary}")),
        Err(what) => (1, what),
    };
    let _ = writeln!(io::stdout(), "{line}");
    ExitCode::from(code)
}

/// Prints a line for all that happens.
struct Trace<W>(W);

impl<W: Write> Observer for Trace<W> {
    fn packet(&mut self, now: VirtualInstant, host: usize, passage: Passage, packet: &[u8]) {
        let way = match passage {
            Passage::Sent => "out",
            Passage::Received => "in",
        };
        let now = now.to_string();
        let _ = writeln!(self.0, "{now:>14} {host} {way:<3} {}", Line(packet));
    }

    fn note(&mut self, now: VirtualInstant, host: usize, what: fmt::Arguments<'_>) {
        let now = now.to_string();
        let _ = writeln!(self.0, "{now:>14} {host}     {what}");
    }
}

/// How much was done in how long.
struct Rate<'a>(&'a Summary, u64, Duration);

impl fmt::Display for Rate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rate(sum, seeds, took) = self;
        let a_second = *seeds as f64 / took.as_secs_f64().max(1e-9);
        write!(f, "{a_second:.0} seeds a second, {sum}")
    }
}

/// On standard error, for people only.
fn bar(seeds: u64) -> ProgressBar {
    let target = match io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(seeds), target);
    // The template is a constant; a wrong one would leave the default style.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} {wide_msg}") {
        bar.set_style(style);
    }
    bar
}
