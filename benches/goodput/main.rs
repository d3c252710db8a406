//! Goodput against theory: flows over paths of all kinds, in virtual time, beside what models say
//! that they get.
//!
//! One flow over round-trip times of 1 to 200 ms, rates of 10 to 1000 Mbit/s, random losses of 0 to
//! 10% and queues of 0.2 to 4 bandwidth-delay products, with NewReno and CUBIC; several flows
//! through one bottleneck; lost tails and segments that overtake each other. The same figures come
//! out on every machine, so `benches/goodput.tsv` holds them and any change shows; beside them
//! stand checks that must hold whatever the figures are (`checks`).
//!
//! `cargo bench --bench goodput` takes a minute or two on two cores. After `--` it takes `--quick`
//! (a fifth of the cases), `--update` (writes figures and picture anew), `--threads N`, and parts
//! of the names of the cases to run.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `network` | the paths: two stacks a flow, one bottleneck |
//! | `grid`, `shares`, `repairs` | the cases |
//! | `measure`, `cuts` | what is measured, and when |
//! | `model` | what theory says |
//! | `cases` | runs them all |
//! | `checks`, `golden`, `table`, `heat` | what is made of the figures |

mod cases;
mod checks;
mod cuts;
mod golden;
mod grid;
mod heat;
mod measure;
mod model;
mod network;
mod repairs;
mod shares;
#[path = "../report/svg.rs"]
#[allow(dead_code)]
mod svg;
mod table;

use std::env;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::thread;

use cases::Case;

const HELP: &str = "\
cargo bench --bench goodput -- [OPTIONS] [PART OF A CASE'S NAME]...

  --quick      a fifth of the cases
  --update     write benches/goodput.tsv and benches/goodput.svg anew
  --threads N  how many cases to run at a time [default: one a core]";

#[derive(Default)]
struct Args {
    help: bool,
    quick: bool,
    update: bool,
    threads: Option<usize>,
    parts: Vec<String>,
}

fn main() -> ExitCode {
    let result = Args::read(env::args().skip(1)).and_then(|args| bench(&args));
    result.unwrap_or_else(|message| {
        eprintln!("goodput: {message}");
        ExitCode::from(2)
    })
}

impl Args {
    fn read(mut given: impl Iterator<Item = String>) -> Result<Args, String> {
        const USAGE: &str = "It takes --quick, --update, --threads N, or parts of names";

        let mut args = Args::default();
        while let Some(arg) = given.next() {
            match arg.as_str() {
                // What cargo says.
                "--bench" => {}
                "-h" | "--help" => args.help = true,
                "--quick" => args.quick = true,
                "--update" => args.update = true,
                "--threads" => {
                    let number = given.next().and_then(|number| number.parse().ok());
                    args.threads = Some(number.ok_or("--threads wants a number")?);
                }
                flag if flag.starts_with('-') => return Err(format!("{flag}? {USAGE}")),
                _ => args.parts.push(arg),
            }
        }
        if args.update && !args.is_whole() {
            return Err("--update runs all cases: it takes nothing else that chooses".into());
        }
        Ok(args)
    }

    /// Whether all cases are run.
    fn is_whole(&self) -> bool {
        !self.quick && self.parts.is_empty()
    }
}

fn bench(args: &Args) -> Result<ExitCode, String> {
    if args.help {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut cases = Case::all();
    cases.retain(|case| {
        let label = case.label();
        let named = args.parts.is_empty() || args.parts.iter().any(|part| label.contains(part));
        named && (!args.quick || case.is_quick())
    });
    if cases.is_empty() {
        return Err(format!(
            "no case has {} in its name",
            args.parts.join(" or ")
        ));
    }
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let rows = cases::run(&cases, args.threads.unwrap_or(cores))?;

    table::print(&rows);
    let mut good = true;
    println!();
    for verdict in checks::run(&rows) {
        let passed = verdict.failed.is_empty();
        good &= passed;
        let word = if passed { "passed" } else { "FAILED" };
        println!(
            "{word}  {}: {} ({} cases)",
            verdict.name, verdict.about, verdict.checked
        );
        match verdict.closest {
            Some((margin, label)) if passed => println!("        closest: {label}, {margin:.3}"),
            _ => {}
        }
        for remark in verdict.remarks {
            println!("        {remark}");
        }
        for failure in verdict.failed {
            println!("        {failure}");
        }
    }
    println!();
    if args.update {
        golden::write(&rows)?;
        heat::write(&rows)?;
    } else {
        good &= golden::compare(&rows, args.is_whole())?;
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
