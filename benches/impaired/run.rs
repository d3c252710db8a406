//! One run: a namespace or two, a link, a transfer.

use std::fmt;
use std::fs;
use std::io;
use std::panic;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use zerotcp::device::{Impairment, Tun};

use crate::common::network::{KERNEL, ZEROTCP, in_private_network, tun};
use crate::common::pump::Pump;
use crate::common::serve::Serve;
use crate::transfer::{self, Client, Direction};

/// What the network does, and how much is carried over it.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    /// As `--impair` takes them, but for the seed.
    pub settings: &'static str,
    /// What the application sends in a run.
    pub bytes: u64,
}

impl Case {
    pub fn megabits(&self) -> f64 {
        self.bytes as f64 * 8.0 / 1e6
    }
}

/// Who is at the other end of the line.
#[derive(Clone, Copy)]
pub enum Peer {
    Zerotcp,
    Kernel,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Peer::Zerotcp => "zerotcp",
            Peer::Kernel => "kernel",
        })
    }
}

/// A run that came to its end.
pub struct Ran {
    pub seconds: f64,
    /// How long the client's handshake took, in seconds: the round trip.
    pub handshake: f64,
    /// How the sender controls congestion: as its kernel says, if it has one.
    pub control: String,
}

/// Carries the bytes once. Whatever comes of it, nothing is left behind: the namespaces and
/// interfaces go with the threads and the child that are in them.
pub fn run(case: Case, direction: Direction, peer: Peer, seed: u64) -> io::Result<Ran> {
    let settings = format!("{},seed={seed}", case.settings);
    let work = move || match peer {
        Peer::Zerotcp => with_zerotcp(&settings, direction, case.bytes),
        Peer::Kernel => with_kernel(&settings, direction, case.bytes),
    };
    in_private_network(work)?
}

fn with_zerotcp(settings: &str, direction: Direction, bytes: u64) -> io::Result<Ran> {
    be_quiet();
    let _serve = Serve::start(&["--impair", settings]);
    let client = Client::connect(direction)?;
    let control = match direction {
        Direction::Upload => client.control()?,
        Direction::Download => "zerotcp's default".to_owned(),
    };
    Ok(Ran {
        control,
        handshake: client.handshake,
        seconds: client.carry(bytes)?,
    })
}

fn with_kernel(settings: &str, direction: Direction, bytes: u64) -> io::Result<Ran> {
    be_quiet();
    let impairment: Impairment = settings.parse().map_err(io::Error::other)?;
    let ours = tun(KERNEL)?;
    let (theirs, server) = start_server(direction)?;
    let pump = Pump::start(ours, impairment, theirs);
    let client = Client::connect(direction)?;
    let clients_control = client.control()?;
    let handshake = client.handshake;
    let seconds = client.carry(bytes)?;
    let servers_control = match server.join() {
        Ok(served) => served??,
        Err(panic) => panic::resume_unwind(panic),
    };
    drop(pump);
    Ok(Ran {
        control: match direction {
            Direction::Upload => clients_control,
            Direction::Download => servers_control,
        },
        handshake,
        seconds,
    })
}

type Server = JoinHandle<io::Result<io::Result<String>>>;

/// A kernel of its own that serves one client: the end of its line, and how it controls
/// congestion, to be had when the client has gone.
fn start_server(direction: Direction) -> io::Result<(Tun, Server)> {
    let (hand_over, handed_over) = mpsc::channel();
    let server = thread::spawn(move || {
        in_private_network(move || {
            be_quiet();
            let device = tun(ZEROTCP)?;
            let listener = transfer::listen(direction.port())?;
            // Nobody waits for it where the other side has failed meanwhile.
            let _ = hand_over.send(device);
            transfer::serve(&listener, direction)
        })
    });
    match handed_over.recv() {
        Ok(device) => Ok((device, server)),
        Err(_) => match server.join() {
            Ok(Ok(Err(error)) | Err(error)) => Err(error),
            Ok(Ok(Ok(_))) => Err(io::Error::other("the server ended before it began")),
            Err(panic) => panic::resume_unwind(panic),
        },
    }
}

/// Leaves IPv6 out, whose packets of its own accord would draw from the impairment's numbers: once
/// in front of zerotcp, but twice between two kernels.
fn be_quiet() {
    // Where there is no IPv6 there is nothing to leave out.
    let _ = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
}
