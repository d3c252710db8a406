//! What both hosts can do.

use std::net::SocketAddrV4;

use zerotcp::tcp::State;

use crate::segment::Reply;

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    pub host: SocketAddrV4,
    pub peer: SocketAddrV4,
}

pub trait Host {
    const NAME: &'static str;

    /// A packet of the peer's arrives.
    fn inject(&mut self, packet: &[u8]);

    /// What the host has sent since.
    fn replies(&mut self) -> Vec<Reply>;

    /// The state of the connection; CLOSED where there is none.
    fn state(&mut self) -> State;

    /// Takes the connection that waits, if one does, in place of the one before.
    fn accept(&mut self) -> bool;

    /// Whether its user holds a connection.
    fn has_user(&self) -> bool;

    fn call(&mut self, call: &Call) -> Outcome;
}

/// What the user does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// An active open.
    Connect,
    Send(Vec<u8>),
    /// At most so many octets.
    Receive(usize),
    /// No more will be sent.
    Shutdown,
    Close,
    Abort,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Sent(usize),
    Received(Vec<u8>, Rest),
    Failed(Rest),
}

/// What there is after what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// As much as was asked for was there.
    More,
    /// Nothing yet.
    Later,
    /// The peer has closed, and all is read.
    End,
    Reset,
    Refused,
    /// This side is closed.
    Closed,
}
