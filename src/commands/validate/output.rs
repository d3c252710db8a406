use std::fmt;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use serde::Serialize;

use super::Format;
use super::connections::{Connections, Listed, Stages};
use super::report::{Counts, Report, Total, Verdict};
use super::segments;

/// What goes to standard output, in the form that was asked for.
pub struct Output {
    out: BufWriter<StdoutLock<'static>>,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    /// Whether a file was printed already.
    Json(bool),
    Segments,
}

#[derive(Serialize)]
struct JsonFile<'a> {
    verdict: Verdict,
    #[serde(flatten)]
    report: &'a Report,
}

impl Output {
    pub fn new(format: Format, segments: bool) -> Output {
        Output {
            out: BufWriter::new(io::stdout().lock()),
            form: match (segments, format) {
                (true, _) => Form::Segments,
                (false, Format::Text) => Form::Text,
                (false, Format::Json) => Form::Json(false),
            },
        }
    }

    /// Where rows of segments go, if they were asked for.
    #[inline]
    pub fn rows(&mut self) -> Option<&mut impl Write> {
        (self.form == Form::Segments).then_some(&mut self.out)
    }

    /// Whether someone reads the report as it comes.
    pub fn is_on_terminal(&self) -> bool {
        self.form == Form::Text && io::stdout().is_terminal()
    }

    pub fn begin(&mut self) -> io::Result<()> {
        match self.form {
            Form::Text => Ok(()),
            Form::Json(_) => write!(self.out, "{{\"files\":["),
            Form::Segments => writeln!(self.out, "{}", segments::HEADER),
        }
    }

    pub fn file(&mut self, report: &Report) -> io::Result<()> {
        match &mut self.form {
            Form::Text => text(&mut self.out, report)?,
            Form::Json(printed) => {
                let separator = if *printed { ",\n" } else { "\n" };
                *printed = true;
                self.out.write_all(separator.as_bytes())?;
                let verdict = report.verdict();
                serde_json::to_writer(&mut self.out, &JsonFile { verdict, report })?;
            }
            Form::Segments => {}
        }
        self.out.flush()
    }

    pub fn end(&mut self, total: &Total) -> io::Result<()> {
        match self.form {
            Form::Text => text_total(&mut self.out, total)?,
            Form::Json(_) => {
                self.out.write_all(b"\n],\"total\":")?;
                serde_json::to_writer(&mut self.out, total)?;
                self.out.write_all(b"}\n")?;
            }
            Form::Segments => {}
        }
        self.out.flush()
    }
}

/// A name from a file system or an error, safe for a terminal and for tables.
pub fn shown(name: &str) -> String {
    name.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

fn text(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let counts = &report.counts;
    writeln!(out, "{}: {}", shown(&report.file), report.verdict())?;
    if let Some(error) = &report.error {
        writeln!(out, "  {}", shown(error))?;
    }
    if let Some(format) = report.format {
        write!(out, "  {format}")?;
        for link_type in &report.link_types {
            write!(out, ", {link_type}")?;
            if !link_type.is_known() {
                write!(out, " (not read)")?;
            }
        }
        writeln!(out, ": {}", Summary(counts))?;
    }
    for (reason, count) in &counts.malformed_by_reason {
        writeln!(out, "  malformed: {reason}: {count}")?;
    }
    for problem in &report.problems {
        writeln!(out, "  frame {}: {}", problem.frame, problem.error)?;
    }
    if report.problems_not_listed > 0 {
        writeln!(out, "  ... and {} more", report.problems_not_listed)?;
    }
    text_connections(out, report)
}

fn text_connections(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let connections = &report.connections;
    let tally = connections.tally();
    let total = tally.by_stage.total();
    if total > 0 {
        writeln!(out, "  {}", tally.by_stage)?;
    }
    let listed = connections.listed();
    for connection in &listed {
        let Listed {
            client,
            server,
            stage,
            segments,
            first_frame,
        } = connection;
        let segments = Count(*segments, "segment");
        writeln!(
            out,
            "    {client} > {server}: {stage}, {segments} from frame {first_frame}"
        )?;
    }
    let more = total - listed.len() as u64;
    if more > 0 {
        writeln!(out, "    ... and {more} more")?;
    }
    match tally.untracked_segments {
        0 => Ok(()),
        untracked => writeln!(
            out,
            "  only {} connections are followed: {} of further ones",
            Connections::CAPACITY,
            Count(untracked, "segment")
        ),
    }
}

fn text_total(out: &mut impl Write, total: &Total) -> io::Result<()> {
    write!(
        out,
        "total: {}, {} sound, {} bad, {} unreadable",
        Count(total.verdicts(), "file"),
        total.sound,
        total.bad,
        total.unreadable
    )?;
    if total.skipped > 0 {
        write!(out, " ({} skipped)", Count(total.skipped, "other file"))?;
    }
    writeln!(
        out,
        ": {}, {}",
        Summary(&total.counts),
        Count(total.connections.by_stage.total(), "connection")
    )
}

/// A number of things: `1 frame`, `2 frames`.
struct Count(u64, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count(count, thing) = self;
        let plural = if *count == 1 { "" } else { "s" };
        write!(f, "{count} {thing}{plural}")
    }
}

struct Summary<'a>(&'a Counts);

/// The usual numbers, and those of trouble where there is some.
impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary(counts) = self;
        write!(
            f,
            "{}, {}, {}",
            Count(counts.frames, "frame"),
            Count(counts.ipv4_packets, "IPv4 packet"),
            Count(counts.tcp_segments, "TCP segment")
        )?;
        for (count, what) in [
            (counts.fragments, "fragment"),
            (counts.bad_ip_checksums, "bad IP checksum"),
            (counts.bad_tcp_checksums, "bad TCP checksum"),
        ] {
            if count > 0 {
                write!(f, ", {}", Count(count, what))?;
            }
        }
        if counts.offloaded_tcp_checksums > 0 {
            let offloaded = counts.offloaded_tcp_checksums;
            write!(f, " ({offloaded} left to the network card)")?;
        }
        if counts.malformed > 0 {
            write!(f, ", {} malformed", counts.malformed)?;
        }
        if counts.cut > 0 {
            write!(f, ", {} cut", counts.cut)?;
        }
        Ok(())
    }
}

/// `3 connections: 1 syn, 2 established`.
impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Count(self.total(), "connection").fmt(f)?;
        let mut separator = ": ";
        for (stage, count) in self.iter().filter(|(_, count)| *count > 0) {
            write!(f, "{separator}{count} {stage}")?;
            separator = ", ";
        }
        Ok(())
    }
}
