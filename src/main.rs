//! The `zerotcp` command.
fn main() {}
