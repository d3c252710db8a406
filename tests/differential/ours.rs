//! Our host, in memory and in virtual time.

use std::net::SocketAddrV4;
use std::time::Duration;

use zerotcp::stack::{
    Config, Connect, ConnectionId, Listen, ListenerId, Meta, Quad, SocketError, Stack,
};
use zerotcp::tcp::{Ecn, State};
use zerotcp::time::Instant;

use crate::host::{Call, Host, Outcome, Pair, Rest};
use crate::segment::Reply;

/// So much passes with each packet and call: no timer fires within a sequence.
const STEP: Duration = Duration::from_micros(100);

pub struct Ours {
    stack: Stack,
    /// None where it opens itself.
    listener: Option<ListenerId>,
    user: Option<ConnectionId>,
    pair: Pair,
    now: Instant,
}

impl Ours {
    pub fn new(pair: Pair, seed: u64, active: bool) -> Ours {
        let mut config = Config::seeded(*pair.host.ip(), seed);
        // Linux is set to do the same.
        config.syn_cookies = false;
        config.tcp.ecn = Ecn::Off;
        config.tcp.settings.nagle = false;
        config.tcp.pacing = false;
        config.tcp.receive_buffer = 256 << 10;
        config.tcp.challenge_interval = Duration::ZERO;
        let mut stack = Stack::new(config);
        let listen = Listen::port(pair.host.port());
        let listener = (!active).then(|| stack.listen(listen).unwrap());
        Ours {
            stack,
            listener,
            user: None,
            pair,
            now: Instant::from_millis(1_000),
        }
    }

    fn quad(&self) -> Quad {
        let ends = |address: SocketAddrV4| (*address.ip(), address.port());
        Quad {
            src: ends(self.pair.peer),
            dst: ends(self.pair.host),
        }
    }

    fn receive(&mut self, id: ConnectionId, max: usize) -> Outcome {
        let mut octets = vec![0; max];
        let mut count = 0;
        while count < max {
            match self.stack.recv(id, &mut octets[count..]) {
                Ok(0) => {
                    octets.truncate(count);
                    return Outcome::Received(octets, Rest::End);
                }
                Ok(more) => count += more,
                Err(error) => {
                    octets.truncate(count);
                    return Outcome::Received(octets, rest(error));
                }
            }
        }
        Outcome::Received(octets, Rest::More)
    }
}

impl Host for Ours {
    const NAME: &'static str = "ours";

    fn inject(&mut self, packet: &[u8]) {
        self.now += STEP;
        self.stack.receive(self.now, packet, Meta::default());
    }

    fn replies(&mut self) -> Vec<Reply> {
        let mut replies = Vec::new();
        let mut buffer = [0; 2000];
        while let Some(transmit) = self.stack.poll_transmit(self.now, &mut buffer) {
            replies.extend(Reply::parse(&buffer[..transmit.len]));
        }
        replies
    }

    fn state(&mut self) -> State {
        self.stack.state_of(self.quad()).unwrap_or(State::Closed)
    }

    fn accept(&mut self) -> bool {
        let accepted = self.listener.and_then(|of| self.stack.accept(of));
        if let Some(id) = accepted
            && let Some(before) = self.user.replace(id)
        {
            self.stack.close(before);
        }
        accepted.is_some()
    }

    fn has_user(&self) -> bool {
        self.user.is_some()
    }

    fn call(&mut self, call: &Call) -> Outcome {
        self.now += STEP;
        if *call == Call::Connect {
            let connect = Connect::to(self.pair.peer).local_port(self.pair.host.port());
            if let Some(before) = self.user.take() {
                self.stack.close(before);
            }
            self.user = Some(self.stack.connect(self.now, connect).unwrap());
            return Outcome::Done;
        }
        let Some(id) = self.user else {
            return Outcome::Failed(Rest::Closed);
        };
        match call {
            Call::Connect => {}
            Call::Send(data) => {
                return match self.stack.send(id, data) {
                    Ok(count) => Outcome::Sent(count),
                    Err(error) => Outcome::Failed(rest(error)),
                };
            }
            Call::Receive(max) => return self.receive(id, *max),
            Call::Shutdown => self.stack.shutdown(id).unwrap(),
            Call::Close => {
                self.stack.close(id);
                self.user = None;
            }
            Call::Abort => {
                self.stack.abort(id);
                self.user = None;
            }
        }
        Outcome::Done
    }
}

fn rest(error: SocketError) -> Rest {
    match error {
        SocketError::WouldBlock => Rest::Later,
        SocketError::Reset => Rest::Reset,
        SocketError::Refused => Rest::Refused,
        SocketError::NotConnected => Rest::Closed,
        other => panic!("{other}"),
    }
}
