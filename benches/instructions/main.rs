//! How many instructions the hot functions take, as callgrind counts them: the same number
//! on every run, where a stop-watch on a shared machine sees noise.
//!
//! `cargo bench --bench instructions` starts this program once for each case under valgrind
//! and holds the counts against the committed ones. After `--` it takes `--update`, which
//! writes them anew, and parts of the names of the cases to count. `cargo test` does each
//! case once without valgrind, for its answer.

mod callgrind;
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod counts;
// Tests need more of it.
#[allow(dead_code)]
#[path = "../../tests/common/packets.rs"]
mod packets;
#[allow(dead_code)]
#[path = "../../tests/common/script.rs"]
mod script;

use std::env;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use zerotcp::wire::checksum::Kernel;

use counts::Counts;

/// Those that valgrind knows the instructions of: it has no AVX-512.
const KERNELS: [&str; 2] = ["portable", "avx2"];
/// Stands where a kernel's name would, for a case that sums no bytes.
const NO_KERNEL: &str = "any";
/// What the process under valgrind is started with, before the label of its case.
const MEASURE: &str = "--measure";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let has = |flag| args.iter().any(|arg| arg == flag);
    let result = match args.as_slice() {
        [flag, label] if flag == MEASURE => run(label).map(|()| ExitCode::SUCCESS),
        // Criterion's rule: cargo says `--bench` where it wants figures.
        _ if !has("--bench") || has("--test") => return test(),
        _ => bench(&args),
    };
    result.unwrap_or_else(|message| {
        eprintln!("instructions: {message}");
        ExitCode::from(2)
    })
}

/// Runs every case on every kernel of this machine.
fn test() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A kernel is bound for the whole process.
    arguments.test_threads = Some(1);
    let kernels: Vec<_> = Kernel::available().map(Kernel::name).collect();
    let trials = labels(&kernels).into_iter().map(|label| {
        let name = label.clone();
        Trial::test(name, move || Ok(run(&label)?))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Counts the cases and compares the counts, or writes them.
fn bench(args: &[String]) -> Result<ExitCode, String> {
    let (mut update, mut parts) = (false, Vec::new());
    for arg in args {
        match arg.as_str() {
            "--bench" => {}
            "--update" => update = true,
            flag if flag.starts_with('-') => {
                return Err(format!("{flag}? It takes --update, or parts of names"));
            }
            part => parts.push(part),
        }
    }
    if update && !parts.is_empty() {
        return Err("--update counts all cases: it takes no names".into());
    }
    let is_chosen = |label: &str| parts.is_empty() || parts.iter().any(|part| label.contains(part));

    let tools = callgrind::tools()?;
    let mut committed = Counts::read()?;
    committed.retain(is_chosen);
    let mut kernels = Vec::new();
    for kernel in KERNELS {
        if Kernel::named(kernel).is_some() {
            kernels.push(kernel);
        } else if update {
            return Err(format!("no {kernel} here: its counts would be lost"));
        } else {
            println!("SKIPPED {kernel}: this machine cannot run it");
            committed.retain(|label| !label.starts_with(kernel));
        }
    }
    let mut labels = labels(&kernels);
    labels.retain(|label| is_chosen(label));
    if labels.is_empty() {
        return Err(format!("no case has {} in its name", parts.join(" or ")));
    }

    let mut found = Counts::new(tools);
    callgrind::count(&labels, |label, count| {
        println!("{}", committed.row(label, count));
        found.push(label, count);
    })?;
    if update {
        found.write()?;
    } else if !found.bears_comparison(&committed) {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The names of all cases, each with those of `kernels` that it is counted on.
fn labels(kernels: &[&str]) -> Vec<String> {
    let mut labels = Vec::new();
    for case in cases::all() {
        let kernels = if case.sums { kernels } else { &[NO_KERNEL] };
        labels.extend(
            kernels
                .iter()
                .map(|kernel| format!("{kernel}/{}", case.name)),
        );
    }
    labels
}

/// Runs the case of `label` on its kernel.
fn run(label: &str) -> Result<(), String> {
    let unknown = || format!("no case {label} here");
    let (kernel, name) = label.split_once('/').ok_or_else(unknown)?;
    if kernel != NO_KERNEL {
        Kernel::named(kernel).ok_or_else(unknown)?.bind();
    }
    let case = cases::all().into_iter().find(|case| case.name == name);
    (case.ok_or_else(unknown)?.run)();
    Ok(())
}
