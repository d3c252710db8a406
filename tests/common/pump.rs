//! Two kernels and the line between them.
//!
//! ```text
//! kernel - TUN - Impaired - zerotcp            zerotcp serve --impair
//! kernel - TUN - Impaired - TUN - kernel       here
//! ```
//!
//! What a packet meets is the same in both. There is one [`Impaired`], around the client's TUN,
//! with the same settings and so the same seed; only who is behind it differs. So `delay` is met
//! once each way by either, each direction has its own line, queue and random numbers, and the
//! n-th packet of a direction has the same fate.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use zerotcp::device::{Device, Impaired, Impairment, Tun};
use zerotcp::time::Instant;

/// Packets taken from one side before the other has its turn, as many as a
/// [`Driver`](zerotcp::socket::Driver) takes.
const BATCH: usize = 64;

/// How often a pump that has nothing to do looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Carries packets between two TUN interfaces, on a thread of its own, until it is dropped.
pub struct Pump {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Pump {
    /// Joins `client` to `server`; the impairment is at the client's end.
    pub fn start(client: Tun, impairment: Impairment, server: Tun) -> Pump {
        let stop = Arc::new(AtomicBool::new(false));
        let mut line = Line {
            client: Impaired::new(client, impairment),
            server,
            buffer: vec![0; 65_535].into(),
            start: std::time::Instant::now(),
        };
        let thread = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Ordering::Relaxed) {
                    line.turn()?;
                }
                Ok(())
            }
        });
        Pump {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let result = self.thread.take().map(JoinHandle::join);
        // A test that fails already has better things to say.
        if !thread::panicking() {
            assert!(matches!(result, Some(Ok(Ok(())))), "the pump: {result:?}");
        }
    }
}

struct Line {
    client: Impaired<Tun>,
    server: Tun,
    /// One packet on its way.
    buffer: Box<[u8]>,
    /// The epoch of the impairment's time.
    start: std::time::Instant,
}

impl Line {
    /// One turn of the crank, made as a `Driver` makes one: what fell due, a batch in, a batch
    /// out, and sleep until there is more to do.
    fn turn(&mut self) -> io::Result<()> {
        let now = self.now();
        self.client.handle_timeout(now)?;
        let has_more = carry(now, &mut self.client, &mut self.server, &mut self.buffer)?;
        let now = self.now();
        let has_more = has_more | carry(now, &mut self.server, &mut self.client, &mut self.buffer)?;
        if has_more {
            return Ok(());
        }
        let due = self.client.poll_timeout().map(|due| due - self.now());
        self.sleep(due.unwrap_or(LOOK).min(LOOK))
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// Sleeps until a packet has come or the time is over.
    fn sleep(&self, timeout: Duration) -> io::Result<()> {
        let poll_in = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut both = [poll_in(self.client.as_fd()), poll_in(self.server.as_fd())];
        match ppoll(&mut both, Some(TimeSpec::from_duration(timeout)), None) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Carries a batch; says whether there may be more.
fn carry(
    now: Instant,
    from: &mut impl Device,
    to: &mut impl Device,
    buffer: &mut [u8],
) -> io::Result<bool> {
    for _ in 0..BATCH {
        let Some(len) = from.receive(now, buffer)? else {
            return Ok(false);
        };
        to.transmit(now, &buffer[..len])?;
    }
    Ok(true)
}
