//! `zerotcp validate` on a capture that is made on the spot: 1 GiB of 1500-byte TCP packets
//! with right checksums, in the page cache. Beside it tshark, where that is installed; all of
//! it on one core. `benches/common` says what the lines `TIME` and `RATIO` mean.
//!
//! `cargo bench --bench validate -- --help` says what it takes.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Seek, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode, Output};
use std::time::{Duration, Instant};
use std::{array, env};

use clap::{Parser, value_parser};
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::Pid;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, PcapError, TsResolution};

use zerotcp::wire::{SegmentFields, SegmentTemplate, SeqNumber, TcpFlags};

/// How often `zerotcp validate` is run; what counts is the median.
const RUNS: usize = 5;
const CONNECTIONS: usize = 8;
/// Lengths of a packet and of the payload in it, in bytes.
const PACKET: usize = 1500;
const PAYLOAD: usize = PACKET - 40;

/// Times `zerotcp validate` on a capture made on the spot.
#[derive(Parser)]
struct Args {
    /// Where to put the capture [default: where temporary files go].
    directory: Option<PathBuf>,
    /// Length of all its packets in MiB.
    #[arg(long = "size", default_value_t = 1024, value_parser = value_parser!(u64).range(1..=1 << 20))]
    mib: u64,
    /// What cargo says.
    #[arg(long = "bench", hide = true)]
    _bench: bool,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("validate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), String> {
    if let Err(error) = stay_on_one_core() {
        println!("not held on one core: {error}");
    }
    let directory = args.directory.unwrap_or_else(env::temp_dir);
    let packets = (args.mib << 20).div_ceil(PACKET as u64);
    let capture = capture(&directory, packets)
        .map_err(|error| format!("capture in {}: {error}", directory.display()))?;
    let path = format!("/proc/{}/fd/{}", process::id(), capture.as_raw_fd());

    let mut times = [0.0; RUNS];
    for time in &mut times {
        *time = zerotcp(&path, packets)?;
    }
    times.sort_by(f64::total_cmp);
    let zerotcp = times[RUNS / 2];
    // Of the largest child so far, tshark not among them: in KiB, as Linux counts. A child
    // starts with what this process had, so it is an upper bound.
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    let memory = (usage.max_rss() as u64).div_ceil(1024);
    let tshark = tshark(&path)?;

    let case = match args.mib % 1024 {
        0 => format!("validate/{}GiB", args.mib / 1024),
        _ => format!("validate/{}MiB", args.mib),
    };
    let nanos = |seconds: f64| seconds * 1e9 / packets as f64;
    println!("TIME {case} zerotcp {:.3}", nanos(zerotcp));
    let mut peer = "no tshark here".to_owned();
    if let Some(tshark) = tshark {
        println!("TIME {case} tshark {:.3}", nanos(tshark));
        println!("RATIO {case} tshark {:.2}", tshark / zerotcp);
        peer = format!("tshark {tshark:.1} s");
    }
    let size = packets as f64 * PACKET as f64 / 1e9;
    let speed = size / zerotcp;
    println!(
        "{packets} packets, all sound: {size:.2} GB in {zerotcp:.2} s: {speed:.1} GB/s, \
         at most {memory} MiB resident; {peer}"
    );
    Ok(())
}

/// Leaves this process, and those it starts, the core that it runs on.
fn stay_on_one_core() -> nix::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(sched_getcpu()?)?;
    sched_setaffinity(Pid::from_raw(0), &cores)
}

/// The seconds that `zerotcp validate` takes to find every packet sound.
fn zerotcp(path: &str, packets: u64) -> Result<f64, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zerotcp"));
    let (output, time) =
        finish(command.args(["validate", path])).map_err(|error| format!("zerotcp: {error}"))?;
    let sound = format!(
        "total: 1 file, 1 sound, 0 bad, 0 unreadable: {packets} frames, \
         {packets} IPv4 packets, {packets} TCP segments, {CONNECTIONS} connections\n"
    );
    if output.status.success() && output.stdout.ends_with(sound.as_bytes()) {
        return Ok(time);
    }
    let (status, found) = (output.status, String::from_utf8_lossy(&output.stdout));
    Err(format!("zerotcp: {status}, not\n{sound}but\n{found}"))
}

/// The seconds that tshark takes to find the same; `None` where it is not installed.
fn tshark(path: &str) -> Result<Option<f64>, String> {
    // 1 is "good": a checksum that it did not look at is listed as a bad one is.
    let filter = "!(ip.checksum.status == 1 && tcp.checksum.status == 1)";
    let options =
        "-n -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -T fields -e frame.number";
    let mut command = Command::new("tshark");
    command
        .args(options.split(' '))
        .args(["-Y", filter, "-r", path]);
    let (output, time) = match finish(&mut command) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        finished => finished.map_err(|error| format!("tshark: {error}"))?,
    };
    let listed = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    if output.status.success() && listed == 0 {
        return Ok(Some(time));
    }
    let (status, found) = (output.status, String::from_utf8_lossy(&output.stderr));
    Err(format!("tshark: {status}, {listed} not good\n{found}"))
}

/// Runs `command` to its end, which takes so many seconds.
fn finish(command: &mut Command) -> io::Result<(Output, f64)> {
    let start = Instant::now();
    Ok((command.output()?, start.elapsed().as_secs_f64()))
}

/// A capture of so many packets, in the page cache. Its name is gone before anything is
/// written, so that nothing is left of it however this process ends.
fn capture(directory: &Path, packets: u64) -> io::Result<File> {
    let path = directory.join(format!("zerotcp-validate-{}.pcap", process::id()));
    let mut writer = BufWriter::new(File::create_new(&path)?);
    fs::remove_file(&path)?;
    write_packets(&mut writer, packets).map_err(|error| match error {
        // It leaves out what the system says.
        PcapError::IoError(error) => error,
        error => io::Error::other(error),
    })?;
    let mut file = writer.into_inner()?;
    // Else the rest would be written while others are timed.
    file.sync_all()?;
    file.rewind()?;
    io::copy(&mut file, &mut io::sink())?;
    Ok(file)
}

/// Segments of all connections in turn, as fast as 10 Gbit/s carry them.
fn write_packets(writer: impl Write, packets: u64) -> Result<(), PcapError> {
    let header = PcapHeader {
        datalink: DataLink::RAW,
        ts_resolution: TsResolution::NanoSecond,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(writer, header)?;
    let server = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 7777);
    let templates: [_; CONNECTIONS] = array::from_fn(|n| {
        let client = SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 1), 50_000 + n as u16);
        SegmentTemplate::new(client, server)
    });
    let payload: [u8; PAYLOAD] = array::from_fn(|at| (at * at / 8) as u8);
    let mut packet = [0; PACKET];
    for (n, template) in (0..packets).zip(templates.iter().cycle()) {
        let fields = SegmentFields {
            identification: n as u16,
            // It wraps as sequence numbers do.
            seq: SeqNumber((n / CONNECTIONS as u64 * PAYLOAD as u64) as u32),
            flags: TcpFlags::ACK,
            window: u16::MAX,
            ..SegmentFields::default()
        };
        let written = template.write(&mut packet, &fields, &[], [&payload, &[]]);
        assert_eq!(written, Ok(PACKET));
        let time = Duration::from_secs(1_700_000_000) + Duration::from_nanos(1_200 * n);
        writer.write_packet(&PcapPacket::new(time, PACKET as u32, &packet))?;
    }
    Ok(())
}
