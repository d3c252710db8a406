//! Many worlds at a time.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use zerotcp::simulation::{self, Summary};

use super::panics;
use crate::commands::signals::Signals;

/// Failures that are printed; the others are counted.
const SHOWN: u64 = 20;

/// How often the progress is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// How often it is told where there is no terminal.
const NEWS: Duration = Duration::from_secs(60);

/// How long a world may take before it is named: the longest take some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Worlds to run, and what came of those that were.
pub struct Workers {
    first: u64,
    seeds: u64,
    fail_fast: bool,
    begun: Instant,
    bar: ProgressBar,
    taken: AtomicU64,
    done: AtomicU64,
    failures: AtomicU64,
    stop: AtomicBool,
    /// What is being run, and since when.
    running: Mutex<Vec<(u64, Instant)>>,
    sum: Mutex<Summary>,
    outcome: Mutex<io::Result<()>>,
}

impl Workers {
    pub fn new(first: u64, seeds: u64, fail_fast: bool) -> Workers {
        Workers {
            first,
            seeds,
            fail_fast,
            begun: Instant::now(),
            bar: bar(seeds),
            taken: AtomicU64::new(0),
            done: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            running: Mutex::default(),
            sum: Mutex::default(),
            outcome: Mutex::new(Ok(())),
        }
    }

    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Runs them all, unless a signal comes, and prints failures and the sum.
    pub fn run(&self, threads: usize, signals: &Signals) -> io::Result<()> {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.work())).collect();
            let (mut news, mut named) = (Instant::now(), Vec::new());
            while workers.iter().any(|worker| !worker.is_finished()) {
                thread::sleep(GLANCE);
                if signals.stop() {
                    self.stop.store(true, Ordering::Relaxed);
                }
                self.name_endless(&mut named);
                self.bar.set_position(self.done.load(Ordering::Relaxed));
                self.bar.set_message(self.progress());
                if self.bar.is_hidden() && news.elapsed() > NEWS {
                    news = Instant::now();
                    let _ = writeln!(io::stderr(), "{}", self.progress());
                }
            }
        });
        self.bar.finish_and_clear();
        let failures = self.failures();
        if failures > SHOWN {
            let more = failures - SHOWN;
            let plural = if more == 1 { "" } else { "s" };
            self.print(format_args!("... and {more} more failure{plural}"));
        }
        self.print(format_args!("{}", self.totals()));
        if self.stop.load(Ordering::Relaxed) {
            let next = self.taken.load(Ordering::Relaxed).min(self.seeds);
            let left = self.seeds - next;
            if left > 0 {
                let program = program();
                let next = self.first.wrapping_add(next);
                self.print(format_args!(
                    "stopped; to go on: {program} simulate --seed {next} --seeds {left}"
                ));
            }
        }
        core::mem::replace(&mut *lock(&self.outcome), Ok(()))
    }

    /// Runs worlds until none is left.
    fn work(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.taken.fetch_add(1, Ordering::Relaxed);
            if number >= self.seeds {
                return;
            }
            // Wraps by intent: all seeds are good.
            let seed = self.first.wrapping_add(number);
            lock(&self.running).push((seed, Instant::now()));
            let outcome = panics::caught(&format!("seed {seed}"), || {
                simulation::run(seed, &mut ()).map_err(|failure| failure.to_string())
            });
            lock(&self.running).retain(|(other, _)| *other != seed);
            match outcome {
                Ok(summary) => *lock(&self.sum) += summary,
                Err(what) => self.report(&what, seed),
            }
            self.done.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One line, with the way to see it again.
    fn report(&self, what: &str, seed: u64) {
        if self.fail_fast && self.stop.swap(true, Ordering::Relaxed) {
            return;
        }
        if self.failures.fetch_add(1, Ordering::Relaxed) < SHOWN {
            self.print(format_args!("{what}; see: {}", Again(seed)));
        }
    }

    /// Worlds that take so long that they may have no end.
    fn name_endless(&self, named: &mut Vec<u64>) {
        for (seed, begun) in lock(&self.running).iter() {
            if begun.elapsed() > PATIENCE && !named.contains(seed) {
                named.push(*seed);
                let seconds = PATIENCE.as_secs();
                self.bar.suspend(|| {
                    let again = Again(*seed);
                    let line = format!("seed {seed} has run for {seconds} s; see: {again}");
                    let _ = writeln!(io::stderr(), "{line}");
                });
            }
        }
    }

    /// To standard output, past the bar.
    fn print(&self, line: fmt::Arguments<'_>) {
        let written = self.bar.suspend(|| writeln!(io::stdout(), "{line}"));
        let mut outcome = lock(&self.outcome);
        if let (Err(error), Ok(())) = (written, &*outcome) {
            // Nobody hears of failures any more.
            self.stop.store(true, Ordering::Relaxed);
            *outcome = Err(error);
        }
    }

    /// How far it is, in a line that fits beside the bar.
    fn progress(&self) -> String {
        let (done, failures) = (self.done.load(Ordering::Relaxed), self.failures());
        let hours = lock(&self.sum).time.as_secs_f64() / 3600.0;
        let a_second = self.pace(done);
        format!(
            "{done} worlds, {failures} failed, {a_second:.0} a second, {hours:.0} virtual hours"
        )
    }

    fn totals(&self) -> String {
        let (done, failures) = (self.done.load(Ordering::Relaxed), self.failures());
        let (first, sum, a_second) = (self.first, *lock(&self.sum), self.pace(done));
        let worlds = if done == 1 { "world" } else { "worlds" };
        let what =
            format!("{done} {worlds} from seed {first}, {failures} failed, {a_second:.0} a second");
        match failures {
            0 => format!("{what}: {sum}"),
            _ if failures == done => what,
            _ => format!("{what}; the others: {sum}"),
        }
    }

    /// Worlds a second.
    fn pace(&self, done: u64) -> f64 {
        done as f64 / self.begun.elapsed().as_secs_f64().max(1e-9)
    }
}

/// How to see a world again.
struct Again(u64);

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} simulate --seed {} --trace", program(), self.0)
    }
}

/// This program, as whoever reads that can call it: what calls it for them says so.
fn program() -> String {
    let called = env::var("ZEROTCP_PROGRAM")
        .ok()
        .or_else(|| env::args().next());
    called.unwrap_or_else(|| "zerotcp".into())
}

/// A thread that panicked while it held the lock left what it guards whole.
fn lock<T>(guarded: &Mutex<T>) -> MutexGuard<'_, T> {
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On standard error, for people only.
fn bar(seeds: u64) -> ProgressBar {
    let target = match io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(seeds), target);
    // The template is a constant; a wrong one would leave the default style.
    if let Ok(style) = ProgressStyle::with_template("{bar:20} {eta} left, {wide_msg}") {
        bar.set_style(style);
    }
    bar
}
