//! The command line: one file a subcommand.

mod demo;
mod serve;
mod validate;

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

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
    Validate(validate::Validate),
}

/// Runs the command that the command line names.
pub fn main() -> ExitCode {
    let result: Result<ExitCode, Failure> = match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Demo => demo::run(),
        Command::Validate(args) => validate::run(&args),
    };
    result.unwrap_or_else(|failure| {
        // Not eprintln!, which panics where nobody listens any more.
        let _ = writeln!(io::stderr(), "zerotcp: {failure}");
        ExitCode::from(2)
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
