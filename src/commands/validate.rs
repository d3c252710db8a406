//! `zerotcp validate`: what captures hold, and whether it is sound.

mod connections;
mod inspect;
mod output;
mod progress;
mod report;
mod segments;

use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use walkdir::WalkDir;
use zerotcp::capture::{CaptureError, CaptureErrorKind, CaptureReader};

use super::Failure;
use inspect::Inspector;
use output::{Output, shown};
use progress::Progress;
use report::{Report, Total, Verdict};

/// Check the IPv4 and TCP packets in capture files.
///
/// Reads pcap and pcapng files and says of each how many frames, IPv4 packets and
/// TCP segments it holds, which of them have bad checksums or malformed headers,
/// and which TCP connections were seen, with how far each of them came.
///
/// Files may be of any size: memory use does not grow with them.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct Validate {
    /// Capture files, directories to be searched for them, or `-` for standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// How to print the report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Print a table of the TCP segments, one tab-separated row each, and no report.
    #[arg(long, conflicts_with = "format")]
    segments: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For reading, and for grep: a line `FILE: sound`, `FILE: bad` or `FILE: unreadable`
    /// with details indented below it, and a last line with the total.
    Text,
    /// One object: {"files": [...], "total": {...}}, a line for each file.
    Json,
}

const HELP: &str = "\
Examples:
  zerotcp validate trace.pcap
  zerotcp validate captures/ --format json | jq .total
  tcpdump -i eth0 -c 1000 -w - | zerotcp validate -
  zcat trace.pcap.gz | zerotcp validate -
  zerotcp validate trace.pcapng --segments | cut -f 2-6,9 | head

What is read:
  pcap and pcapng of either byte order; frames of Ethernet (with VLAN tags), raw IP,
  BSD loopback and Linux cooked captures. Only IPv4 directly in such a frame counts,
  not what tunnels carry. In a directory, files that do not look like captures and are
  not called .pcap, .pcapng or .cap are skipped. Compressed files are not unpacked.

What the words mean:
  bad checksum   The checksum does not fit the bytes. A machine that captures its own
                 packets often sees them before its network card fills in the checksum;
                 those are counted apart as left to the network card.
  malformed      A header contradicts itself or the packet's length. A total length of 0
                 is that of a packet which its sender's network card was to segment.
  cut            The capture kept only the first bytes of a packet: nothing wrong, but
                 its TCP checksum can't be verified.
  fragment       One of several parts of an IPv4 datagram: not checked as TCP segment.
  syn, syn-ack, established, closing, closed, reset
                 How far a connection came: SYN, SYN-ACK and the third ACK of its
                 handshake seen, FIN from one side, from both, or a RST.
  midstream      Segments of a connection whose handshake was not captured.

--segments columns: file, frame number, addresses and ports, sequence and acknowledgment
number, flags, window (not scaled), payload length, checksum status of IP and TCP (0 bad,
1 good, 2 can't be verified, empty where the header is cut), fragment offset and
more-fragments bit, captured and original length of the frame.

Exit code: 0 if all is sound, 1 if something is bad or malformed, 2 if a file can't be
read (to its end); what could be read is reported all the same.";

/// Validates what the arguments name.
pub fn run(args: &Validate) -> Result<ExitCode, Failure> {
    let mut run = Run {
        output: Output::new(args.format, args.segments),
        progress: Progress::new(args.segments),
        total: Total::default(),
    };
    match run.all(&args.paths) {
        Ok(()) => {}
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => return Err(Failure(format!("standard output: {error}"))),
    }
    Ok(match run.total.verdict() {
        Verdict::Sound => ExitCode::SUCCESS,
        Verdict::Bad => ExitCode::from(1),
        Verdict::Unreadable => ExitCode::from(2),
    })
}

/// Errors of these methods are those of standard output; what is wrong with the
/// input is part of the report.
struct Run {
    output: Output,
    progress: Progress,
    total: Total,
}

impl Run {
    fn all(&mut self, paths: &[PathBuf]) -> io::Result<()> {
        self.output.begin()?;
        for path in paths {
            if path.as_os_str() == "-" {
                self.capture("-", CaptureReader::new(io::stdin().lock()), None, false)?;
            } else {
                self.walk(path)?;
            }
        }
        self.progress.finish();
        self.output.end(&self.total)
    }

    fn walk(&mut self, path: &Path) -> io::Result<()> {
        let before = self.total.verdicts();
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
            match entry {
                Ok(entry) => {
                    let named = entry.depth() == 0;
                    // Whatever is named is read, a named pipe too.
                    let is_file = entry.file_type().is_file();
                    if is_file || named && !entry.file_type().is_dir() {
                        let len = entry.metadata().ok().filter(|_| is_file);
                        let len = len.map(|metadata| metadata.len());
                        self.file(entry.path(), len, named)?;
                    }
                }
                // A link to a directory that the walk is in.
                Err(error) if error.loop_ancestor().is_some() => {}
                Err(error) => {
                    let path = error.path().unwrap_or(path).to_string_lossy().into_owned();
                    // Without an I/O error it would be a loop.
                    let reason = error.io_error().map(io::Error::to_string);
                    self.unreadable(Report::new(path), reason.unwrap_or_default())?;
                }
            }
        }
        if self.total.verdicts() == before {
            let report = Report::new(path.to_string_lossy().into_owned());
            self.unreadable(report, "no capture file in this directory".to_owned())?;
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, len: Option<u64>, named: bool) -> io::Result<()> {
        let name = path.to_string_lossy();
        let may_skip = !named && !looks_like_capture(path);
        self.capture(&name, CaptureReader::open(path), len, may_skip)
    }

    fn capture(
        &mut self,
        name: &str,
        capture: Result<CaptureReader<impl Read>, CaptureError>,
        len: Option<u64>,
        may_skip: bool,
    ) -> io::Result<()> {
        let mut report = Report::new(name.to_owned());
        let mut capture = match capture {
            Ok(capture) => capture,
            Err(error) if may_skip && !matches!(error.kind, CaptureErrorKind::Io(_)) => {
                self.total.skipped += 1;
                return Ok(());
            }
            Err(error) => return self.unreadable(report, error.to_string()),
        };
        self.progress.start(name, len);
        report.format = Some(capture.format());
        let file = shown(name);
        let mut inspector = Inspector::new(report);
        let error = loop {
            match capture.next_frame() {
                Ok(Some(frame)) => {
                    let number = frame.number;
                    if let Some(segment) = inspector.frame(&frame)
                        && let Some(rows) = self.output.rows()
                    {
                        segment.write_row(rows, &file, &frame)?;
                    }
                    if number % Progress::FRAMES == 0 {
                        self.progress.update(capture.offset());
                    }
                }
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        let report = inspector.finish();
        match error {
            None => self.done(report),
            Some(error) => self.unreadable(report, error),
        }
    }

    fn unreadable(&mut self, mut report: Report, reason: String) -> io::Result<()> {
        let line = format!("zerotcp: {}: {}", shown(&report.file), shown(&reason));
        report.error = Some(reason);
        self.done(report)?;
        // Who reads both on one terminal need not be told twice.
        if !(self.output.is_on_terminal() && io::stderr().is_terminal()) {
            // Standard error may be closed; the report says it too.
            let _ = self.progress.suspend(|| writeln!(io::stderr(), "{line}"));
        }
        Ok(())
    }

    fn done(&mut self, report: Report) -> io::Result<()> {
        self.total.add(&report);
        self.progress.suspend(|| self.output.file(&report))
    }
}

fn looks_like_capture(path: &Path) -> bool {
    // It can't be read while it is compressed, and that is better said than passed over.
    let path = match path.extension() {
        Some(extension) if extension == "gz" => &path.with_extension(""),
        _ => path,
    };
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy());
    // Rotated captures are numbered: `trace.pcap12`.
    extension.is_some_and(|extension| {
        let extension = extension.to_ascii_lowercase();
        let name = extension.trim_end_matches(|c: char| c.is_ascii_digit());
        ["pcap", "pcapng", "cap"].contains(&name)
    })
}
