//! `wire` needs neither `std` nor `alloc`: a program that has neither links with it.
//!
//! A crate that says `extern crate alloc` makes the compiler ask for an allocator, one that
//! says `extern crate std` brings a second panic handler: whether in the library or in what
//! it depends on, `program.rs` can't be compiled any more. The same check runs where an
//! operating system is missing altogether, on those such targets that are installed.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// A big machine with soft floats, a small one with 32-bit words, another big one.
const BARE_METAL: [&str; 3] = [
    "x86_64-unknown-none",
    "thumbv7em-none-eabihf",
    "aarch64-unknown-none",
];

fn main() -> ExitCode {
    let mut trials = vec![
        Trial::test("wire_links_with_neither_std_nor_alloc", links),
        Trial::test("alloc_would_be_noticed", || {
            refused("with_alloc", "no global memory allocator")
        }),
        Trial::test("std_would_be_noticed", || refused("with_std", "panic_impl")),
    ];
    for target in BARE_METAL {
        let name = format!("wire_compiles_for_{target}");
        trials.push(Trial::ignorable_test(name, move || bare_metal(target)));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn links() -> Result<(), Failed> {
    let program = scratch().join("program");
    let mut rustc = compile(&program)?;
    succeed(rustc.args(["-C", "link-arg=-lc"]))?;
    succeed(&mut Command::new(program))?;
    Ok(())
}

/// The program with `cfg` set does not compile, for that reason.
fn refused(cfg: &str, reason: &str) -> Result<(), Failed> {
    let mut rustc = compile(&scratch().join(cfg))?;
    let output = rustc.args(["--cfg", cfg]).output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || !stderr.contains(reason) {
        return Err(format!("{}, without {reason:?}: {stderr}", output.status).into());
    }
    Ok(())
}

fn bare_metal(target: &str) -> Result<Completion, Failed> {
    let output =
        succeed(Command::new("rustc").args(["--print", "target-libdir", "--target", target]))?;
    let libraries = String::from_utf8(output.stdout)?;
    if !Path::new(libraries.trim_end()).is_dir() {
        let reason = format!("the target is not installed: rustup target add {target}");
        return Ok(Completion::ignored_with(reason));
    }
    succeed(cargo("check").args(["--target", target]))?;
    Ok(Completion::Completed)
}

/// The compiler, about to make the program at `out`.
fn compile(out: &Path) -> Result<Command, Failed> {
    // Unwinding is std's affair.
    succeed(cargo("build").args(["--config", "profile.dev.panic='abort'"]))?;
    let built = scratch().join("debug");
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--edition", "2024", "-C", "panic=abort"])
        .arg("--extern")
        .arg(format!(
            "zerotcp={}",
            built.join("libzerotcp.rlib").display()
        ))
        .arg("-L")
        .arg(format!("dependency={}", built.join("deps").display()))
        .arg("-o")
        .arg(out)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/no_std/program.rs"));
    Ok(rustc)
}

/// Cargo, about to do `what` with `wire` alone, in a directory of our own.
fn cargo(what: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([what, "--quiet", "--locked", "--offline"])
        .args(["--lib", "--no-default-features", "--target-dir"])
        .arg(scratch())
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo
}

fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_std")
}

fn succeed(command: &mut Command) -> Result<Output, Failed> {
    let output = command.output()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?}: {}: {stderr}", output.status).into());
    }
    Ok(output)
}
