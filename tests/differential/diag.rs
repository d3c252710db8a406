//! What the kernel says of its connections: sock_diag(7).

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use zerotcp::tcp::State;

use crate::host::Pair;

/// `SOCK_DIAG_BY_FAMILY` of linux/sock_diag.h, and what nlmsghdr(7) has.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const HEADER_LEN: usize = 16;

pub struct Diag {
    socket: OwnedFd,
}

impl Diag {
    /// # Errors
    /// The kernel is without.
    pub fn open() -> io::Result<Diag> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkSockDiag,
        )?;
        Ok(Diag { socket })
    }

    /// The state of a connection, half-open ones and those in TIME-WAIT included; LISTEN or CLOSED
    /// where there is none.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn state(&self, pair: Pair) -> io::Result<State> {
        let request = request(pair);
        send(self.socket.as_raw_fd(), &request, MsgFlags::empty())?;
        let mut answer = [0; 4096];
        let len = recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        let answer = &answer[..len];
        let kind = u16::from_ne_bytes([answer[4], answer[5]]);
        if kind == NLMSG_ERROR {
            let code = i32::from_ne_bytes(answer[HEADER_LEN..][..4].try_into().unwrap());
            return match io::Error::from_raw_os_error(-code) {
                error if error.kind() == io::ErrorKind::NotFound => Ok(State::Closed),
                error => Err(error),
            };
        }
        // The family comes first, then the state.
        Ok(state(answer[HEADER_LEN + 1]))
    }
}

/// A message with `struct inet_diag_req_v2` of linux/inet_diag.h, about one socket.
fn request(pair: Pair) -> Vec<u8> {
    let mut body = vec![AddressFamily::Inet as u8, 6, 0, 0];
    body.extend(u32::MAX.to_ne_bytes()); // all states
    let port = |address: SocketAddrV4| address.port().to_be_bytes();
    body.extend([port(pair.host), port(pair.peer)].concat());
    for address in [pair.host, pair.peer] {
        body.extend(address.ip().octets());
        body.extend([0; 12]);
    }
    body.extend([0; 4]); // any interface
    body.extend([0xff; 8]); // no cookie
    let mut message = Vec::new();
    message.extend(((HEADER_LEN + body.len()) as u32).to_ne_bytes());
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    message.extend([0; 8]); // sequence number and port: one question at a time
    message.extend(body);
    message
}

/// The kernel's numbers, of net/tcp_states.h.
fn state(number: u8) -> State {
    match number {
        1 => State::Established,
        2 => State::SynSent,
        // The second is that of a connection that nobody has accepted.
        3 | 12 => State::SynReceived,
        4 => State::FinWait1,
        5 => State::FinWait2,
        6 => State::TimeWait,
        8 => State::CloseWait,
        9 => State::LastAck,
        11 => State::Closing,
        // The listener is found where there is no connection.
        7 | 10 => State::Closed,
        other => panic!("no state has the number {other}"),
    }
}
