//! What tshark says to captures of what zerotcp and the kernel have sent each other.

use std::process::Command;

use crate::bulk::{Bulk, Capture};
use crate::common::network::{KERNEL, ZEROTCP};

pub fn options_when_the_kernel_opens() {
    assert_options(&Bulk::of(100_000).kernel_sends());
}

pub fn options_when_zerotcp_opens() {
    assert_options(&Bulk::of(100_000).zerotcp_sends());
}

pub fn expert_when_the_kernel_sends() {
    assert_expert_is_pleased(&Bulk::ordinary().kernel_sends());
}

pub fn expert_when_zerotcp_sends() {
    assert_expert_is_pleased(&Bulk::ordinary().zerotcp_sends());
}

/// Both SYNs carry what they have to for the options to hold, and all other segments the
/// timestamps that were agreed (RFC 7323, section 3.2).
fn assert_options(capture: &Capture) {
    const FIELDS: [&str; 6] = [
        "ip.src",
        "tcp.options.mss_val",
        "tcp.options.sack_perm",
        "tcp.options.timestamp.tsval",
        "tcp.options.wscale.shift",
        "tcp.option_kind",
    ];
    let syns = select(capture, "tcp.flags.syn == 1", &FIELDS);
    assert_eq!(syns.len(), 2, "one SYN each: {syns:?}");
    let mut lacking = Vec::new();
    for syn in &syns {
        assert_eq!(syn[1], "1460", "the MSS of {syn:?}");
        for (name, value) in FIELDS.iter().zip(syn).skip(2) {
            if value.is_empty() {
                lacking.push(format!("{name} of {}", syn[0]));
            }
        }
    }
    assert!(lacking.is_empty(), "the SYNs lack {lacking:?}");
    // In the order that Linux sends them: MSS, SACK-permitted, timestamps, NOP, window scale.
    for syn in &syns {
        assert_eq!(syn[5], "2,4,8,1,3", "{}", syn[0]);
    }
    let bare = "tcp.flags.reset == 0 && !tcp.options.timestamp.tsval";
    let bare = select(capture, bare, &["frame.number", "ip.src"]);
    assert!(bare.is_empty(), "segments without timestamps: {bare:?}");
}

/// Nothing in the capture is an error, and of ours nothing was sent twice or out of order.
fn assert_expert_is_pleased(capture: &Capture) {
    // That tshark reads the file at all shows in what is found here.
    for address in [ZEROTCP, KERNEL] {
        let sent = select(
            capture,
            &format!("tcp && ip.src == {address}"),
            &["frame.number"],
        );
        assert!(sent.len() > 100, "{} segments of {address}", sent.len());
    }
    let odd = format!(
        "_ws.malformed || _ws.expert.severity == error || ip.src == {ZEROTCP} && \
         (ip.checksum.status == 0 || tcp.checksum.status == 0 || tcp.analysis.retransmission || \
         tcp.analysis.fast_retransmission || tcp.analysis.spurious_retransmission || \
         tcp.analysis.out_of_order || tcp.analysis.lost_segment)"
    );
    let fields = [
        "frame.number",
        "ip.src",
        "tcp.seq",
        "tcp.len",
        "_ws.expert.message",
    ];
    let found = select(capture, &odd, &fields);
    let some = &found[..found.len().min(10)];
    assert!(found.is_empty(), "{} packets: {some:#?}", found.len());
}

/// These fields of the packets that match, each as tshark prints it.
fn select(capture: &Capture, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    // The text is noise, which tshark else takes for some protocol now and then.
    let options = "-n -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE \
                   -d tcp.port==1-65535,data -T fields";
    let mut command = Command::new("tshark");
    command.args(options.split(' '));
    command.arg("-r").arg(capture.path()).args(["-Y", filter]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark: {errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.lines().map(row).collect()
}
