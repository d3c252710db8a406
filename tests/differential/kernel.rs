//! The kernel's host, behind a TUN interface.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc::linger;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, connect, listen, setsockopt,
    socket, sockopt,
};
use zerotcp::device::{Device, Tun};
use zerotcp::tcp::State;
use zerotcp::time::Instant;

use crate::common::network::{KERNEL, tun};
use crate::diag::Diag;
use crate::host::{Call, Host, Outcome, Pair, Rest};
use crate::segment::Reply;

/// Where the kernel listens.
pub const PORT: u16 = 7;

/// What takes chance, rate limits and memory of other connections away.
const SETTINGS: [(&str, &str); 16] = [
    ("ipv4/tcp_challenge_ack_limit", "2147483647"),
    ("ipv4/tcp_invalid_ratelimit", "0"),
    ("ipv4/tcp_syncookies", "0"),
    ("ipv4/tcp_timestamps", "1"),
    ("ipv4/tcp_sack", "1"),
    ("ipv4/tcp_window_scaling", "1"),
    ("ipv4/tcp_ecn", "0"),
    ("ipv4/tcp_early_retrans", "0"),
    ("ipv4/tcp_no_metrics_save", "1"),
    ("ipv4/tcp_autocorking", "0"),
    // RFC 1337, as ours.
    ("ipv4/tcp_rfc1337", "1"),
    // Above a minute a connection without user stays a whole one in FIN-WAIT-2.
    ("ipv4/tcp_fin_timeout", "120"),
    ("ipv4/tcp_max_syn_backlog", "65536"),
    ("core/somaxconn", "65536"),
    ("ipv4/tcp_max_tw_buckets", "262144"),
    ("ipv4/tcp_orphan_retries", "8"),
];

/// The kernel of a network namespace.
pub struct Network {
    tun: Tun,
    diag: Diag,
    listener: TcpListener,
}

impl Network {
    /// In the namespace that the thread is in.
    pub fn new() -> io::Result<Network> {
        for (name, value) in SETTINGS {
            // An older kernel may be without one of them.
            if let Err(error) = fs::write(format!("/proc/sys/net/{name}"), value) {
                eprintln!("{name}: {error}");
            }
        }
        let tun = tun(KERNEL)?;
        let listener = TcpListener::bind((KERNEL, PORT))?;
        // Half-open connections of earlier sequences stay for a minute.
        listen(&listener, Backlog::MAXALLOWABLE)?;
        listener.set_nonblocking(true)?;
        Ok(Network {
            tun,
            diag: Diag::open()?,
            listener,
        })
    }
}

/// One connection of the kernel's.
pub struct Kernel<'a> {
    network: &'a mut Network,
    user: Option<TcpStream>,
    pair: Pair,
}

impl<'a> Kernel<'a> {
    pub fn new(network: &'a mut Network, pair: Pair) -> Kernel<'a> {
        Kernel {
            network,
            user: None,
            pair,
        }
    }

    fn connect(&self) -> nix::Result<TcpStream> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        let stream = TcpStream::from(socket);
        bind(stream.as_raw_fd(), &SockaddrIn::from(self.pair.host))?;
        prepare(&stream)?;
        match connect(stream.as_raw_fd(), &SockaddrIn::from(self.pair.peer)) {
            Err(Errno::EINPROGRESS) | Ok(()) => Ok(stream),
            Err(error) => Err(error),
        }
    }

    fn receive(mut stream: &TcpStream, max: usize) -> Outcome {
        let mut octets = vec![0; max];
        let mut count = 0;
        let mut end = Rest::More;
        while count < max {
            match stream.read(&mut octets[count..]) {
                Ok(0) => {
                    end = Rest::End;
                    break;
                }
                Ok(more) => count += more,
                Err(error) => {
                    end = rest(&error);
                    break;
                }
            }
        }
        octets.truncate(count);
        Outcome::Received(octets, end)
    }
}

impl Host for Kernel<'_> {
    const NAME: &'static str = "kernel";

    fn inject(&mut self, packet: &[u8]) {
        self.network.tun.transmit(Instant::ZERO, packet).unwrap();
    }

    fn replies(&mut self) -> Vec<Reply> {
        let mut replies = Vec::new();
        let mut buffer = [0; 2000];
        while let Some(len) = self
            .network
            .tun
            .receive(Instant::ZERO, &mut buffer)
            .unwrap()
        {
            let packet = &buffer[..len];
            if let Some(reply) = Reply::parse(packet)
                && is_about(packet, self.pair)
            {
                replies.push(reply);
            }
        }
        replies
    }

    fn state(&mut self) -> State {
        self.network.diag.state(self.pair).unwrap()
    }

    fn accept(&mut self) -> bool {
        match self.network.listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true).unwrap();
                prepare(&stream).unwrap();
                self.user = Some(stream);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn has_user(&self) -> bool {
        self.user.is_some()
    }

    fn call(&mut self, call: &Call) -> Outcome {
        if *call == Call::Connect {
            self.user = Some(self.connect().unwrap());
            return Outcome::Done;
        }
        let Some(mut stream) = self.user.as_ref() else {
            return Outcome::Failed(Rest::Closed);
        };
        match call {
            Call::Connect => {}
            Call::Send(data) => {
                return match stream.write(data) {
                    Ok(count) => Outcome::Sent(count),
                    Err(error) => Outcome::Failed(rest(&error)),
                };
            }
            Call::Receive(max) => return Kernel::receive(stream, *max),
            // That it is not connected says the state.
            Call::Shutdown => drop(stream.shutdown(Shutdown::Write)),
            Call::Close => self.user = None,
            Call::Abort => {
                abort_on_close(stream);
                self.user = None;
            }
        }
        Outcome::Done
    }
}

impl Drop for Kernel<'_> {
    fn drop(&mut self) {
        loop {
            if let Some(stream) = self.user.take() {
                abort_on_close(&stream);
            }
            // Nor does the next one find what nobody took.
            if !self.accept() {
                break;
            }
        }
        self.replies();
    }
}

/// Text is not held back for more, and urgent text is read in line (RFC 6093 section 3.4).
fn prepare(stream: &TcpStream) -> nix::Result<()> {
    setsockopt(stream, sockopt::TcpNoDelay, &true)?;
    setsockopt(stream, sockopt::OobInline, &true)
}

fn abort_on_close(stream: &TcpStream) {
    let at_once = linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(stream, sockopt::Linger, &at_once).unwrap();
}

/// Not of a connection before.
fn is_about(packet: &[u8], pair: Pair) -> bool {
    let Ok(packet) = zerotcp::wire::TcpPacket::parse(packet) else {
        return false;
    };
    let end = |address: Ipv4Addr, port: u16| SocketAddrV4::new(address, port);
    end(packet.ip.src(), packet.tcp.src_port()) == pair.host
        && end(packet.ip.dst(), packet.tcp.dst_port()) == pair.peer
}

fn rest(error: &io::Error) -> Rest {
    match error.kind() {
        io::ErrorKind::WouldBlock => Rest::Later,
        io::ErrorKind::ConnectionReset => Rest::Reset,
        io::ErrorKind::ConnectionRefused => Rest::Refused,
        io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected => Rest::Closed,
        _ => panic!("{error}"),
    }
}
