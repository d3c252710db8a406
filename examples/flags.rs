//! Counts the TCP flags in a capture, pcap or pcapng.
//!
//! ```sh
//! cargo run --example flags -- testdata/handshake.pcap
//! ```

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::io::Read;
use std::process::ExitCode;

use zerotcp::capture::{CaptureError, CaptureReader};
use zerotcp::wire::{ErrorKind, EtherType, TcpPacket};

const USAGE: &str = "usage: flags CAPTURE, a pcap or pcapng file: flags testdata/handshake.pcap";

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().skip(1).collect();
    let path = match args.as_slice() {
        [arg] if arg == "-h" || arg == "--help" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        [path] => path,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = run(path) {
        eprintln!("{}: {error}", path.display());
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

fn run(path: &OsStr) -> Result<(), CaptureError> {
    let mut capture = CaptureReader::open(path)?;
    let mut counts = Counts::default();
    let outcome = counts.take(&mut capture);
    counts.print(); // of a file that ends early, what was there
    outcome
}

#[derive(Default)]
struct Counts {
    frames: u64,
    /// By the names of the flags: `SYN,ACK`.
    segments: BTreeMap<String, u64>,
    not_ipv4: u64,
    /// Packets that hold no TCP segment, or no whole one, by the reason.
    refused: BTreeMap<ErrorKind, u64>,
}

impl Counts {
    fn take(&mut self, capture: &mut CaptureReader<impl Read>) -> Result<(), CaptureError> {
        while let Some(frame) = capture.next_frame()? {
            self.frames += 1;
            let packet = match frame.link_type.strip(frame.data) {
                Ok(link) if link.ethertype == Some(EtherType::IPV4) => &frame.data[link.offset..],
                _ => {
                    self.not_ipv4 += 1;
                    continue;
                }
            };
            // Where a packet is sent, it is captured before the network card has filled in
            // its checksums: they are not looked at.
            match TcpPacket::parse_unverified(packet) {
                Ok(packet) => {
                    let flags = packet.tcp.flags().to_string();
                    *self.segments.entry(flags).or_default() += 1;
                }
                Err(error) => *self.refused.entry(error.kind).or_default() += 1,
            }
        }
        Ok(())
    }

    fn print(&self) {
        let segments: u64 = self.segments.values().sum();
        println!("{} frames, {segments} TCP segments", self.frames);
        for (flags, count) in &self.segments {
            println!("{count:8}  {flags}");
        }
        if self.not_ipv4 > 0 {
            println!("{:8}  (not IPv4)", self.not_ipv4);
        }
        for (reason, count) in &self.refused {
            println!("{count:8}  (refused: {reason:?})");
        }
    }
}
