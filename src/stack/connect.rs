//! Active opens.

use core::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::Stack;
use super::handle::ConnectionId;
use super::output::template;
use super::quad::Quad;
use super::table::Owner;
use crate::tcp::{State, Tcb};
use crate::time::Instant;

/// What to connect to, and from where: an active OPEN (RFC 9293 section 3.9.1.1).
///
/// ```
/// use std::net::{Ipv4Addr, SocketAddrV4};
/// use zerotcp::stack::{Config, Connect, Stack};
/// use zerotcp::time::Instant;
///
/// let ours = Ipv4Addr::new(10, 0, 0, 1);
/// let mut stack = Stack::new(Config::new(ours));
/// let remote = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 7);
/// // From an address and a port that the stack picks ...
/// stack.connect(Instant::ZERO, remote).unwrap();
/// // ... and from given ones.
/// let from = Connect::to(remote).local_address(ours).local_port(1024);
/// let id = stack.connect(Instant::ZERO, from).unwrap();
/// assert_eq!(stack.quad(id).unwrap().local(), SocketAddrV4::new(ours, 1024));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Connect {
    remote: SocketAddrV4,
    address: Option<Ipv4Addr>,
    port: Option<u16>,
}

impl Connect {
    /// To this address and port, from the first of the host's addresses (MUST-44) and a
    /// dynamic port that an outsider cannot guess (RFC 6056).
    pub const fn to(remote: SocketAddrV4) -> Connect {
        Connect {
            remote,
            address: None,
            port: None,
        }
    }

    /// From this address of the host's (MUST-43).
    pub const fn local_address(mut self, address: Ipv4Addr) -> Connect {
        self.address = Some(address);
        self
    }

    /// From this port. A listener may have it too.
    pub const fn local_port(mut self, port: u16) -> Connect {
        self.port = Some(port);
        self
    }
}

impl From<SocketAddrV4> for Connect {
    fn from(remote: SocketAddrV4) -> Connect {
        Connect::to(remote)
    }
}

/// Why there can be no such connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The remote address cannot be one host's (MUST-46) or is this host's own, to which
    /// there is no way, or the port is 0.
    InvalidRemote(SocketAddrV4),
    /// The local address is not one of the host's.
    NotOurs(Ipv4Addr),
    /// Port 0 is nobody's.
    PortZero,
    /// The host has no address.
    NoAddress,
    /// There is a connection from this port to this remote already.
    InUse {
        /// The local port.
        port: u16,
    },
    /// All ports to this remote are taken.
    NoPort,
    /// The stack holds as many connections as it may.
    TableFull,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::InvalidRemote(remote) => {
                write!(
                    f,
                    "{remote} is not an address of another host, with a port above 0"
                )
            }
            ConnectError::NotOurs(address) => {
                write!(f, "{address} is not an address of this host")
            }
            ConnectError::PortZero => f.write_str("port 0: a port is between 1 and 65535"),
            ConnectError::NoAddress => f.write_str("the host has no address"),
            ConnectError::InUse { port } => {
                write!(f, "port {port} has a connection to this remote already")
            }
            ConnectError::NoPort => f.write_str("all ports to this remote are taken"),
            ConnectError::TableFull => f.write_str("too many connections"),
        }
    }
}

impl std::error::Error for ConnectError {}

impl Stack {
    /// Opens a connection to a remote address and port, given as such or as [`Connect`]: an
    /// active OPEN (RFC 9293 section 3.10.1). The handle can be sent to at once;
    /// [`Event::Connected`](super::Event::Connected) or
    /// [`Event::Closed`](super::Event::Closed) follows. What is [`set`](Stack::set) before
    /// the next [`poll_transmit`](Stack::poll_transmit) holds for the SYN too.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing has been sent then.
    pub fn connect(
        &mut self,
        now: Instant,
        to: impl Into<Connect>,
    ) -> Result<ConnectionId, ConnectError> {
        let now = self.advance(now);
        let quad = self.choose_quad(now, to.into())?;
        if !self.make_room() {
            return Err(ConnectError::TableFull);
        }
        let mut tcb = Tcb::connect(&self.config.tcp, self.opening(now, quad));
        if let Some(estimate) = self.paths.find(now, quad.src.0) {
            tcb.begin_path(&self.config.tcp, estimate);
        }
        let template = template(quad, self.config.ttl, self.config.tcp.settings.dscp);
        let id = self.table.insert(quad, template, tcb, Owner::User);
        self.counters.connections_opened += 1;
        if self.config.report_states {
            self.events.push_state(quad, State::Closed, State::SynSent);
        }
        self.settle(id.index);
        Ok(id)
    }

    /// A free quad for an active open.
    fn choose_quad(&self, now: Instant, connect: Connect) -> Result<Quad, ConnectError> {
        let Connect {
            remote,
            address,
            port,
        } = connect;
        let ours = &self.config.addresses;
        if !self.config.is_peer(*remote.ip()) || remote.port() == 0 {
            return Err(ConnectError::InvalidRemote(remote));
        }
        let local = match address {
            Some(address) if !ours.contains(&address) => {
                return Err(ConnectError::NotOurs(address));
            }
            Some(address) => address,
            None => *ours.first().ok_or(ConnectError::NoAddress)?,
        };
        let quad = |port| Quad {
            src: (*remote.ip(), remote.port()),
            dst: (local, port),
        };
        let is_free =
            |quad: &Quad| self.table.find(*quad).is_none() && self.syn_cache.find(*quad).is_none();
        match port {
            Some(0) => Err(ConnectError::PortZero),
            Some(port) => {
                let free = Some(quad(port)).filter(is_free);
                free.ok_or(ConnectError::InUse { port })
            }
            None => {
                // Dynamic ports (RFC 6335 section 6) from a place that an outsider cannot
                // guess (RFC 6056 section 3.3.3).
                const FIRST: u16 = 49_152;
                const COUNT: u32 = 16_384;
                let start = self.isn.generate(now, quad(0)).0 % COUNT;
                (0..COUNT)
                    // Below 2^14 + 49,152 = 2^16.
                    .map(|n| quad(FIRST + ((start + n) % COUNT) as u16))
                    .find(is_free)
                    .ok_or(ConnectError::NoPort)
            }
        }
    }
}
