//! A SYN flood.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};
use zerotcp::device::Rng;
use zerotcp::wire::{SeqNumber, TcpBuilder, TcpFlags, TcpOption};

use crate::common::network::{PATIENCE, ZEROTCP};
use crate::common::serve::Serve;

/// The echo port, which is flooded and used.
const ECHO: SocketAddrV4 = SocketAddrV4::new(ZEROTCP, 7);

const SYNS: u32 = 200_000;

/// Memory that the flood may cost.
const GROWTH_MAX_KIB: u64 = 4 * 1024;

pub fn leaves_clients_and_memory_alone() {
    let serve = Serve::start(&[]);
    let mut old = connect(PATIENCE);
    // Whatever a connection takes to serve has been taken before the flood.
    echo(&mut old, &[1; 100_000]);
    drop(connect(PATIENCE));
    let before = memory(&serve, "VmRSS");

    let sent = AtomicU32::new(0);
    let (took, during) = thread::scope(|scope| {
        scope.spawn(|| flood(&sent));
        // In the midst of it.
        while sent.load(Ordering::Relaxed) < SYNS / 10 {
            thread::yield_now();
        }
        let start = Instant::now();
        let mut new = connect(Duration::from_secs(2));
        echo(&mut new, b"hello");
        (start.elapsed(), sent.load(Ordering::Relaxed))
    });
    // Those that were there before are as they were.
    echo(&mut old, b"still here");
    // The most that it ever was.
    let growth = memory(&serve, "VmHWM").saturating_sub(before);
    let printed = serve.stop().printed;
    eprintln!(
        "{SYNS} SYNs; a client after {SYNS}/10 of them was served in {took:?}, when {during} were \
         out; {growth} KiB more than the {before} KiB before\n{printed}"
    );
    assert!(took < Duration::from_secs(2), "connected in {took:?}");
    assert!(growth < GROWTH_MAX_KIB, "{growth} KiB more than before");
    // That it was a flood: the interface's queue drops what the server is too slow for.
    let received = counted(&printed, "segments received");
    assert!(received > u64::from(SYNS) / 10, "{received} came through");
}

/// Sends SYNs from everywhere, as fast as the kernel takes them, through a raw socket.
fn flood(sent: &AtomicU32) {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::Raw,
    )
    .unwrap();
    let to = SockaddrIn::from(ECHO);
    let mut rng = Rng::new(1);
    let mut buffer = [0; 64];
    for _ in 0..SYNS {
        let options = [
            TcpOption::MaximumSegmentSize(1460),
            TcpOption::SackPermitted,
            TcpOption::Timestamps {
                value: rng.next_u64() as u32,
                echo: 0,
            },
            TcpOption::NoOperation,
            TcpOption::WindowScale(7),
        ];
        let len = TcpBuilder::new(somebody(&mut rng), ECHO)
            .seq(SeqNumber(rng.next_u64() as u32))
            .flags(TcpFlags::SYN)
            .window(64_240)
            .options(&options)
            .write(&mut buffer, &[])
            .unwrap();
        match sendto(socket.as_raw_fd(), &buffer[..len], &to, MsgFlags::empty()) {
            Ok(_) | Err(Errno::ENOBUFS) => sent.fetch_add(1, Ordering::Relaxed),
            Err(error) => panic!("the flood after {sent:?} SYNs: {error}"),
        };
    }
}

/// An address that a host may have, and is not in the test's own network.
fn somebody(rng: &mut Rng) -> SocketAddrV4 {
    loop {
        let address = Ipv4Addr::from_bits(rng.next_u64() as u32);
        let first = address.octets()[0];
        if (1..224).contains(&first) && first != 127 && first != 192 {
            // Below 64,512, plus 1024: a port.
            let port = 1024 + rng.below(64_512) as u16;
            return SocketAddrV4::new(address, port);
        }
    }
}

fn connect(patience: Duration) -> TcpStream {
    let stream = TcpStream::connect_timeout(&SocketAddr::V4(ECHO), patience)
        .unwrap_or_else(|error| panic!("no connection within {patience:?}: {error}"));
    stream.set_read_timeout(Some(patience)).unwrap();
    stream.set_write_timeout(Some(patience)).unwrap();
    stream
}

/// Sends `data`, which the server sends back.
fn echo(stream: &mut TcpStream, data: &[u8]) {
    stream.write_all(data).unwrap();
    let mut back = vec![0; data.len()];
    stream.read_exact(&mut back).unwrap();
    assert!(back == data, "not what was sent");
}

/// A size of the server's, in KiB, as proc(5) names it.
fn memory(serve: &Serve, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", serve.pid())).unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse().unwrap()
}

/// A number of the server's counters.
fn counted(printed: &str, name: &str) -> u64 {
    let line = printed.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().trim().parse().unwrap()
}
