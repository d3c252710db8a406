//! What the kernel's sockets do, on either side.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrIn, connect, getsockopt, setsockopt,
    socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::common::network::ZEROTCP;

/// How long a run may take; one that takes longer counts as failed.
const LIMIT: Duration = Duration::from_secs(60);

/// Bytes read or written in one call.
const CHUNK: usize = 256 * 1024;

/// Which way the bytes go, as the client sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Upload,
    Download,
}

impl Direction {
    /// Where the service is that this direction takes: discard (RFC 863) and chargen (RFC 864),
    /// which the kernel's own server is as well.
    pub fn port(self) -> u16 {
        match self {
            Direction::Upload => 9,
            Direction::Download => 19,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Upload => "upload",
            Direction::Download => "download",
        })
    }
}

/// A kernel's client.
pub struct Client {
    stream: TcpStream,
    direction: Direction,
    /// How long the handshake took, in seconds.
    pub handshake: f64,
}

impl Client {
    /// Connects to the server.
    ///
    /// Not by std: its congestion control must be set before. Set later it would leave behind
    /// what the default one, such as BBR with its pacing, has turned on.
    pub fn connect(direction: Direction) -> io::Result<Client> {
        let socket = socket(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::Tcp,
        )?;
        be_cubic(&socket)?;
        be_bounded(&socket)?;
        let server = SockaddrIn::from(SocketAddrV4::new(ZEROTCP, direction.port()));
        let start = Instant::now();
        connect(socket.as_raw_fd(), &server)?;
        Ok(Client {
            handshake: start.elapsed().as_secs_f64(),
            stream: TcpStream::from(socket),
            direction,
        })
    }

    /// How its kernel says that it controls congestion.
    pub fn control(&self) -> io::Result<String> {
        control(&self.stream)
    }

    /// Carries so many bytes. The seconds from the end of the handshake to the last byte: read by
    /// the client, or known by it to have been read by the server, which closes then.
    pub fn carry(mut self, bytes: u64) -> io::Result<f64> {
        let start = Instant::now();
        let mut buffer = vec![0; CHUNK];
        let mut left = bytes;
        while left > 0 {
            let chunk = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let count = match self.direction {
                Direction::Upload => self.stream.write(&buffer[..chunk])?,
                Direction::Download => self.stream.read(&mut buffer[..chunk])?,
            };
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= count as u64;
            if start.elapsed() > LIMIT {
                let problem = format!("{left} bytes left after {} s", LIMIT.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, problem));
            }
        }
        if self.direction == Direction::Upload {
            self.stream.shutdown(Shutdown::Write)?;
            if self.stream.read(&mut buffer)? > 0 {
                return Err(io::Error::other("the server sent something"));
            }
        }
        Ok(start.elapsed().as_secs_f64())
    }
}

/// Listens where the server is.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((ZEROTCP, port))?;
    // Those that it accepts inherit both.
    be_cubic(&listener)?;
    be_bounded(&listener)?;
    Ok(listener)
}

/// Serves one client until it has gone: discards what it sends, or sends without end. How the
/// kernel says that it controls congestion.
pub fn serve(listener: &TcpListener, direction: Direction) -> io::Result<String> {
    let (mut client, _) = listener.accept()?;
    be_bounded(&client)?;
    let control = control(&client)?;
    let mut buffer = vec![0; CHUNK];
    let end = Instant::now() + LIMIT;
    match direction {
        Direction::Upload => while client.read(&mut buffer)? > 0 && Instant::now() < end {},
        // The client resets the connection when it has enough.
        Direction::Download => while client.write(&buffer).is_ok() && Instant::now() < end {},
    }
    Ok(control)
}

/// How the kernel says that it controls the congestion of a socket.
fn control(socket: &impl AsFd) -> io::Result<String> {
    let name = getsockopt(socket, sockopt::TcpCongestion)?;
    let name = name.to_string_lossy();
    Ok(name.trim_end_matches('\0').to_owned())
}

fn be_cubic(socket: &impl AsFd) -> io::Result<()> {
    setsockopt(socket, sockopt::TcpCongestion, &OsString::from("cubic"))?;
    Ok(())
}

/// Bounds how long a connect, accept, read or write may take.
fn be_bounded(socket: &impl AsFd) -> io::Result<()> {
    // A minute fits.
    let limit = TimeVal::seconds(LIMIT.as_secs() as i64);
    setsockopt(socket, sockopt::ReceiveTimeout, &limit)?;
    setsockopt(socket, sockopt::SendTimeout, &limit)?;
    Ok(())
}
