//! One world, line by line.

use std::fmt;
use std::io::{self, Write};

use zerotcp::simulation::{Observer, Passage};
use zerotcp::time::Instant;

use crate::commands::line::Line;

/// Prints a line for all that happens; one that comes again at once is counted.
pub struct Trace<W> {
    out: W,
    /// The last note, and how often it came.
    last: (Note, u32),
    /// What went wrong first in writing.
    outcome: io::Result<()>,
}

#[derive(Default, PartialEq, Eq)]
struct Note {
    host: usize,
    what: String,
    /// When it first came: no part of what makes two alike.
    at: String,
}

impl<W: Write> Trace<W> {
    pub fn new(out: W) -> Trace<W> {
        Trace {
            out,
            last: (Note::default(), 0),
            outcome: Ok(()),
        }
    }

    /// Gives back where it printed, unless something went wrong there.
    pub fn finish(mut self) -> io::Result<W> {
        self.print_note();
        self.outcome.map(|()| self.out)
    }

    fn print(&mut self, line: fmt::Arguments<'_>) {
        if self.outcome.is_ok() {
            self.outcome = writeln!(self.out, "{line}");
        }
    }

    fn print_note(&mut self) {
        let (Note { host, what, at }, count) = core::mem::take(&mut self.last);
        match count {
            0 => {}
            1 => self.print(format_args!("{at:>14} {host}     {what}")),
            _ => self.print(format_args!("{at:>14} {host}     {what}, {count} times")),
        }
    }
}

impl<W: Write> Observer for Trace<W> {
    fn packet(&mut self, now: Instant, host: usize, passage: Passage, packet: &[u8]) {
        self.print_note();
        let way = match passage {
            Passage::Sent => "out",
            Passage::Received => "in",
        };
        let now = now.to_string();
        self.print(format_args!("{now:>14} {host} {way:<3} {}", Line(packet)));
    }

    fn note(&mut self, now: Instant, host: usize, what: fmt::Arguments<'_>) {
        let what = what.to_string();
        let (last, count) = &mut self.last;
        if *count > 0 && (last.host, &last.what) == (host, &what) {
            *count += 1;
            return;
        }
        self.print_note();
        let at = now.to_string();
        self.last = (Note { host, what, at }, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_is_counted() {
        let mut trace = Trace::new(Vec::new());
        for (millis, host, what) in [
            (1, 0, "recv 1 -> 1"),
            (2, 0, "recv 1 -> 1"),
            (3, 0, "recv 1 -> 1"),
            (3, 1, "recv 1 -> 1"),
            (4, 1, "close"),
        ] {
            trace.note(Instant::from_millis(millis), host, format_args!("{what}"));
        }
        trace.packet(Instant::from_millis(5), 1, Passage::Sent, &[]);
        let text = String::from_utf8(trace.finish().unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines[..3],
            [
                "0.001000 0     recv 1 -> 1, 3 times",
                "0.003000 1     recv 1 -> 1",
                "0.004000 1     close",
            ]
        );
        assert!(lines[3].starts_with("0.005000 1 out "), "{}", lines[3]);
        assert_eq!(lines.len(), 4);
    }
}
