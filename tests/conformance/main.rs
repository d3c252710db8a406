//! Each requirement of RFC 9293, each testable one of the RFCs beside it, and each input that
//! has brought a stack down: shown by packets and calls through the public API, in virtual
//! time.
//!
//! `requirements.tsv` lists them. An area, which is a file here, begins with a table that says
//! which of its tests shows which requirement. A requirement is shown by a test, or its line
//! says why not; `CONFORMANCE.md` is the list with the tests that belong to it, and
//! `cargo test --test conformance -- --write` writes it anew.
//!
//! A test that takes a [`Start`] runs from several initial sequence numbers, among them such
//! that a few octets later cross 2^31 and 2^32.

#[path = "../common/mod.rs"]
mod common;

mod receiver;
mod report;
mod requirements;
mod start;
mod states;
mod suite;
mod throw;

mod ack;
mod attacks;
mod checksum;
mod closing;
mod cubic;
mod ecn;
mod handshake;
mod header;
mod icmp;
mod ip;
mod isn;
mod keepalive;
mod mss;
mod open;
mod order;
mod pmtud;
mod prr;
mod rack;
mod reassembly;
mod rfc5681;
mod rfc5961;
mod rfc6298;
mod rfc7323;
mod sack;
mod sending;
mod syn_flood;
mod timers;
mod undo;
mod urgent;
mod window;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use requirements::Requirements;
pub use start::Start;
use suite::Outcome;
pub use suite::Test;
use suite::tests;

/// What floods may take is counted.
#[global_allocator]
static ALLOCATOR: common::heap::Counting = common::heap::Counting;

/// Every area, in the order of the report.
fn suite() -> Vec<Test> {
    [
        header::tests(),
        isn::tests(),
        handshake::tests(),
        closing::tests(),
        mss::tests(),
        sending::tests(),
        timers::tests(),
        window::tests(),
        ack::tests(),
        keepalive::tests(),
        urgent::tests(),
        open::tests(),
        ip::tests(),
        icmp::tests(),
        order::tests(),
        rfc5961::tests(),
        rfc7323::tests(),
        rfc6298::tests(),
        rfc5681::tests(),
        sack::tests(),
        rack::tests(),
        prr::tests(),
        undo::tests(),
        cubic::tests(),
        ecn::tests(),
        syn_flood::tests(),
        reassembly::tests(),
        pmtud::tests(),
        checksum::tests(),
        attacks::tests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn main() -> ExitCode {
    let requirements = Arc::new(Requirements::read());
    let tests = Arc::new(suite());
    if std::env::args().any(|argument| argument == "--write") {
        report::write(&requirements, &tests);
        return ExitCode::SUCCESS;
    }

    let arguments = Arguments::from_args();
    suite::keep_panics_quiet();
    rfc7323::keep_log();
    let outcome = Arc::new(Outcome::default());
    let mut trials = report::trials(&requirements, &tests);
    for (index, test) in tests.iter().enumerate() {
        let (tests, outcome) = (Arc::clone(&tests), Arc::clone(&outcome));
        let trial = Trial::test(test.title(), move || {
            tests[index].run()?;
            outcome.note_passed(index);
            Ok(())
        });
        trials.push(trial.with_kind(test.area));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list && arguments.filter.is_none() && arguments.skip.is_empty() {
        println!("{}", report::summary(&requirements, &tests, &outcome));
    }
    conclusion.exit_code()
}
