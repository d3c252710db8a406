use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::shown;

/// A progress bar on standard error for the file in hand, shown to people only and
/// for long work only.
pub struct Progress {
    bar: ProgressBar,
    /// When the bar is to appear, until it has.
    due: Option<Instant>,
}

impl Progress {
    /// How many frames go by between two updates.
    pub const FRAMES: u64 = 4096;
    /// Work that takes less needs no bar.
    const PATIENCE: Duration = Duration::from_millis(500);

    /// `rows` says that standard output is written to all the time: a bar on the
    /// same terminal would be in the way.
    pub fn new(rows: bool) -> Progress {
        let wanted = io::stderr().is_terminal() && !(rows && io::stdout().is_terminal());
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        // The template is a constant; a wrong one would leave the default style.
        if let Ok(style) = ProgressStyle::with_template(
            "{bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} {wide_msg}",
        ) {
            bar.set_style(style);
        }
        Progress {
            bar,
            due: wanted.then(|| Instant::now() + Self::PATIENCE),
        }
    }

    /// The next file, of `len` bytes if that is known.
    pub fn start(&mut self, file: &str, len: Option<u64>) {
        self.bar.reset();
        match len {
            Some(len) => self.bar.set_length(len),
            None => self.bar.unset_length(),
        }
        self.bar.set_message(shown(file));
        self.update(0);
    }

    /// How far the file in hand has come, in bytes.
    pub fn update(&mut self, offset: u64) {
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.due = None;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(offset);
    }

    /// Runs `print` while the bar is out of the way.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    pub fn finish(&mut self) {
        self.due = None;
        self.bar.finish_and_clear();
    }
}
