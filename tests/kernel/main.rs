//! The stack against the kernel's own TCP, over TUN.
//!
//! Each test is in a network namespace of its own, where nothing but it and the kernel is. That
//! takes root and `/dev/net/tun`; tests that lack those, or a program such as tshark, are reported
//! as ignored, with the reason.
//!
//! Bulk transfers are of 16 MiB each; `ZEROTCP_BULK=1073741824 cargo test --release --test kernel
//! bulk` makes them a GiB.

#[path = "../common/mod.rs"]
mod common;

mod bulk;
mod closes;
mod flood;
mod gate;
mod host;
mod nmap;
mod opens;
mod tshark;

use std::process::Command;

use libtest_mimic::Arguments;

use common::network::{missing, trial};

fn main() {
    let arguments = Arguments::from_args();
    let network = missing();
    let and = |program: &'static str, name: &'static str| match has(program) {
        true => network,
        false => network.or(Some(name)),
    };
    let tshark = and("tshark", "the program tshark");
    let nmap = and("nmap", "the program nmap");
    let trials = vec![
        trial(
            "active_open_to_a_kernel_listener",
            opens::active_open_to_a_kernel_listener,
            network,
        ),
        trial(
            "active_open_to_a_closed_port_is_refused",
            opens::active_open_to_a_closed_port_is_refused,
            network,
        ),
        trial("simultaneous_close", closes::simultaneous_close, network),
        trial(
            "half_close_kernel_first",
            closes::half_close_kernel_first,
            network,
        ),
        trial(
            "half_close_zerotcp_first",
            closes::half_close_zerotcp_first,
            network,
        ),
        trial("bulk_kernel_sends", bulk::kernel_sends, network),
        trial("bulk_zerotcp_sends", bulk::zerotcp_sends, network),
        trial(
            "options_when_the_kernel_opens",
            tshark::options_when_the_kernel_opens,
            tshark,
        ),
        trial(
            "options_when_zerotcp_opens",
            tshark::options_when_zerotcp_opens,
            tshark,
        ),
        trial(
            "bulk_kernel_sends_and_the_expert_is_pleased",
            tshark::expert_when_the_kernel_sends,
            tshark,
        ),
        trial(
            "bulk_zerotcp_sends_and_the_expert_is_pleased",
            tshark::expert_when_zerotcp_sends,
            tshark,
        ),
        trial(
            "syn_flood_leaves_clients_and_memory_alone",
            flood::leaves_clients_and_memory_alone,
            network,
        ),
        trial(
            "nmap_finds_sequence_numbers_as_hard_as_those_of_linux",
            nmap::finds_sequence_numbers_as_hard_as_those_of_linux,
            nmap,
        ),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}
