//! The command line: one file a subcommand.

mod demo;
mod line;
mod serve;
mod signals;
mod simulate;
mod validate;

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

/// A TCP/IP stack in user space.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    /// Watch a connection from the first segment to the last, each explained
    Demo,
    Simulate(simulate::Args),
    Validate(validate::Validate),
}

/// Runs the command that the command line names.
pub fn main() -> ExitCode {
    run().unwrap_or_else(|failure| {
        // Not eprintln!, which panics where nobody listens any more.
        let _ = writeln!(io::stderr(), "zerotcp: {failure}");
        ExitCode::from(2)
    })
}

fn run() -> Result<ExitCode, Failure> {
    match parse()?.command {
        Command::Serve(args) => serve::run(args),
        Command::Demo => demo::run(),
        Command::Simulate(args) => simulate::run(&args),
        Command::Validate(args) => validate::run(&args),
    }
}

/// What the command line says. Help and misspelled options are clap's to print, a wrong
/// value is a failure like any other: one line.
fn parse() -> Result<Cli, Failure> {
    Cli::try_parse().map_err(|error| match error.kind() {
        ErrorKind::ValueValidation => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            Failure(line.trim_start_matches("error: ").to_owned())
        }
        _ => error.exit(),
    })
}

/// Why a command could not do its work: one line that says what was wrong, where,
/// and what would be right. The exit code is 2.
#[derive(Debug)]
pub struct Failure(pub String);

impl Failure {
    /// The failure that an error from below amounts to.
    pub fn from_display(error: impl fmt::Display) -> Failure {
        Failure(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
