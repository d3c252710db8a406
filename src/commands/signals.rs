//! Ctrl-C and SIGTERM.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;

/// The wish to stop: the first signal is a wish, the second ends the process at once.
pub struct Signals {
    stop: Arc<AtomicBool>,
    /// Can be read once a signal has come.
    wake: UnixStream,
}

impl Signals {
    /// Takes SIGINT and SIGTERM over.
    pub fn install() -> io::Result<Signals> {
        let stop = Arc::new(AtomicBool::new(false));
        let (wake, write) = UnixStream::pair()?;
        for signal in [SIGINT, SIGTERM] {
            // Before the flag is set by the next: so it takes a second signal. The exit
            // code is the one that shells give to a process that a signal ended.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))?;
            flag::register(signal, Arc::clone(&stop))?;
            pipe::register(signal, write.try_clone()?)?;
        }
        Ok(Signals { stop, wake })
    }

    /// Whether a signal has come.
    pub fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What to wait on to hear of a signal.
    pub fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
