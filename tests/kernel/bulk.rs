//! Many bytes each way, every one of them looked at.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use zerotcp::device::{Captured, Device, Tun};
use zerotcp::stack::SocketError;
use zerotcp::tcp::State;
use zerotcp::time::Instant;

use crate::common::network::{KERNEL, PATIENCE, ZEROTCP, tun};
use crate::common::noise::noise;
use crate::host::{Host, PORT};

/// Packets that a capture holds: all of 16 MiB, the first of more.
const CAPTURED_MAX: u32 = 60_000;

pub fn kernel_sends() {
    Bulk::ordinary().kernel_sends();
}

pub fn zerotcp_sends() {
    Bulk::ordinary().zerotcp_sends();
}

/// A transfer of so many bytes.
pub struct Bulk {
    bytes: u64,
    content: Content,
}

impl Bulk {
    /// As many as the environment asks for, or 16 MiB.
    pub fn ordinary() -> Bulk {
        let bytes = env::var("ZEROTCP_BULK").map_or(16 << 20, |text| {
            text.parse().expect("ZEROTCP_BULK is a number of bytes")
        });
        Bulk::of(bytes)
    }

    pub fn of(bytes: u64) -> Bulk {
        Bulk {
            bytes,
            content: Content::new(),
        }
    }

    /// The kernel connects and sends.
    pub fn kernel_sends(&self) -> Capture {
        let mut host = self.host();
        let (bytes, content) = (self.bytes, self.content.clone());
        let kernel = thread::spawn(move || {
            let mut stream = bounded(TcpStream::connect((ZEROTCP, PORT)).unwrap());
            let mut at = 0;
            while at < bytes {
                at += stream.write(content.from(at, bytes)).unwrap() as u64;
            }
            stream.shutdown(Shutdown::Write).unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        });
        let id = host.accept();
        let mut received = 0;
        host.receive_all(id, |some| {
            self.content.check(received, some);
            received += some.len() as u64;
        });
        assert_eq!(received, self.bytes);
        host.until_gone(id);
        kernel.join().unwrap();
        finish(host)
    }

    /// zerotcp connects and sends.
    pub fn zerotcp_sends(&self) -> Capture {
        let mut host = self.host();
        let listener = TcpListener::bind((KERNEL, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let content = self.content.clone();
        let kernel = thread::spawn(move || {
            let mut stream = bounded(listener.accept().unwrap().0);
            let mut buffer = vec![0; 256 * 1024];
            let mut received = 0;
            loop {
                let count = stream.read(&mut buffer).unwrap();
                if count == 0 {
                    return received;
                }
                content.check(received, &buffer[..count]);
                received += count as u64;
            }
        });
        let id = host.connect(port);
        host.until_entered(State::Established);
        let mut at = 0;
        host.until("room to send", |stack| {
            while at < self.bytes {
                match stack.send(id, self.content.from(at, self.bytes)) {
                    Ok(count) => at += count as u64,
                    Err(SocketError::WouldBlock) => return None,
                    Err(error) => panic!("{error} at {at}"),
                }
            }
            Some(())
        });
        host.stack().shutdown(id).unwrap();
        host.receive_all(id, |some| panic!("the kernel sent {} bytes", some.len()));
        assert_eq!(kernel.join().unwrap(), self.bytes);
        host.until_gone(id);
        finish(host)
    }

    fn host(&self) -> Host<Recorder> {
        let mut host = Host::new(Recorder::new(tun(KERNEL).unwrap()).unwrap());
        // Slow machines and builds without optimization move more than this in a second.
        host.patience = PATIENCE + Duration::from_millis(self.bytes >> 13);
        host
    }
}

/// Ends the capture. On a clean link nothing of ours may have gone out twice.
fn finish(mut host: Host<Recorder>) -> Capture {
    assert_eq!(host.stack().counters().retransmissions, 0);
    host.into_device().finish()
}

/// A stream that no test waits for in vain.
fn bounded(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What is sent: noise that repeats with a period that no buffer or segment has.
#[derive(Clone)]
struct Content(Vec<u8>);

impl Content {
    fn new() -> Content {
        Content(noise((1 << 20) - 3, 1))
    }

    /// Some of what comes at `at`, up to `end`.
    fn from(&self, at: u64, end: u64) -> &[u8] {
        let start = (at % self.0.len() as u64) as usize;
        let len = usize::try_from(end - at).unwrap_or(usize::MAX);
        let rest = &self.0[start..];
        &rest[..rest.len().min(len)]
    }

    /// Panics if `found` is not what comes at `at`.
    fn check(&self, mut at: u64, mut found: &[u8]) {
        while !found.is_empty() {
            let expected = self.from(at, at + found.len() as u64);
            let (now, later) = found.split_at(expected.len());
            // Not assert_eq, which prints them.
            assert!(now == expected, "wrong bytes at {at} or soon after");
            at += now.len() as u64;
            found = later;
        }
    }
}

/// A capture file, removed in the end.
pub struct Capture(PathBuf);

impl Capture {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A TUN interface whose first [`CAPTURED_MAX`] packets are captured.
struct Recorder {
    wire: Wire,
    left: u32,
    capture: Capture,
}

enum Wire {
    Captured(Captured<Tun, File>),
    Plain(Tun),
    /// Only for the moment between the two.
    None,
}

impl Recorder {
    fn new(tun: Tun) -> io::Result<Recorder> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("zerotcp-kernel-{}-{number}.pcap", process::id());
        let capture = Capture(env::temp_dir().join(name));
        let file = File::create_new(&capture.0)?;
        let epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Ok(Recorder {
            wire: Wire::Captured(Captured::new(tun, file, epoch)?),
            left: CAPTURED_MAX,
            capture,
        })
    }

    /// Counts a packet; after the last the capture is over.
    fn count(&mut self) -> io::Result<()> {
        self.left = self.left.saturating_sub(1);
        match self.left {
            0 => self.end(),
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.wire = match std::mem::replace(&mut self.wire, Wire::None) {
            Wire::Captured(captured) => Wire::Plain(captured.finish()?),
            ended => ended,
        };
        Ok(())
    }

    fn finish(mut self) -> Capture {
        self.end().unwrap();
        self.capture
    }

    fn device(&mut self) -> io::Result<&mut dyn Device> {
        match &mut self.wire {
            Wire::Captured(captured) => Ok(captured),
            Wire::Plain(tun) => Ok(tun),
            Wire::None => Err(io::Error::other("the capture could not be ended")),
        }
    }
}

impl Device for Recorder {
    fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let received = self.device()?.receive(now, buffer)?;
        if received.is_some() {
            self.count()?;
        }
        Ok(received)
    }

    fn transmit(&mut self, now: Instant, packet: &[u8]) -> io::Result<()> {
        self.device()?.transmit(now, packet)?;
        self.count()
    }

    fn mtu(&self) -> usize {
        match &self.wire {
            Wire::Captured(captured) => captured.mtu(),
            Wire::Plain(tun) => tun.mtu(),
            Wire::None => 0,
        }
    }
}

impl AsFd for Recorder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.wire {
            Wire::Captured(captured) => captured.as_fd(),
            Wire::Plain(tun) => tun.as_fd(),
            Wire::None => unreachable!("`device` fails before anyone waits"),
        }
    }
}
