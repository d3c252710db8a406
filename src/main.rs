//! The `zerotcp` command.

#![deny(unsafe_code)]

mod commands;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::main()
}
