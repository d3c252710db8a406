//! Connections in each state.

use zerotcp::stack::{Config, ConnectionId};
use zerotcp::tcp::State;

use crate::Start;
use crate::common::script::Script;

/// A connection that has just entered its state, by the shortest way there.
pub struct Reached {
    pub s: Script,
    /// The user's handle, where there is one.
    pub id: Option<ConnectionId>,
    /// The peer's next number, RCV.NXT.
    pub next: i64,
    /// SND.UNA.
    pub una: i64,
    /// SND.NXT.
    pub nxt: i64,
}

/// Those with a connection of which both numbers are known (RFC 9293 section 3.10.7.4).
pub const SYNCHRONIZED: [State; 8] = [
    State::SynReceived,
    State::Established,
    State::FinWait1,
    State::FinWait2,
    State::CloseWait,
    State::Closing,
    State::LastAck,
    State::TimeWait,
];

impl Reached {
    /// Our user has ended sending where the state says so, and reads still; the peer's
    /// window is 10,000, its MSS 1000.
    pub fn of(start: Start, state: State) -> Reached {
        Reached::with(start, state, |_| {})
    }

    /// The same with the host's configuration changed.
    pub fn with(start: Start, state: State, change: impl Fn(&mut Config)) -> Reached {
        if state != State::SynSent {
            return Reached::on(start.script_with(change), state);
        }
        let (mut s, id) = start.connecting_with(change);
        s.expect("S 0 *");
        Reached {
            s,
            id: Some(id),
            next: 0,
            una: 0,
            nxt: 1,
        }
    }

    /// The same on a host that has other connections; not SYN-SENT.
    pub fn on(mut s: Script, state: State) -> Reached {
        let (mut id, mut next, mut una, mut nxt) = (None, 1, 1, 1);
        match state {
            State::Closed | State::Listen => {}
            State::SynSent => panic!("it is the peer that opens"),
            State::SynReceived => {
                s.inject("S 0 win 10000 <mss 1000>");
                s.expect("S. 0 ack 1 <mss 1460>");
                una = 0;
            }
            _ => {
                let user;
                (s, user) = s.establish(10_000);
                id = Some(user);
                use State::*;
                if matches!(state, CloseWait | LastAck) {
                    s.inject("F. 1 ack 1 win 10000");
                    s.expect(". 1 ack 2");
                    next = 2;
                }
                if !matches!(state, Established | CloseWait) {
                    s.stack.shutdown(user).unwrap();
                    s.expect(&format!("F. 1 ack {next}"));
                    nxt = 2;
                }
                if matches!(state, FinWait2 | TimeWait) {
                    s.inject(". 1 ack 2 win 10000");
                    una = 2;
                }
                if matches!(state, Closing | TimeWait) {
                    s.inject(&format!("F. 1 ack {una} win 10000"));
                    s.expect(". 2 ack 2");
                    next = 2;
                }
            }
        }
        s.expect_nothing();
        s.events();
        let reached = if state == State::Listen {
            State::Closed
        } else {
            state
        };
        assert_eq!(s.state(), reached);
        Reached {
            s,
            id,
            next,
            una,
            nxt,
        }
    }

    /// The peer's segment with `flags`, `offset` octets from RCV.NXT, of `len` octets.
    pub fn inject(&mut self, flags: &str, offset: i64, len: i64, ack: i64) {
        let seq = self.next + offset;
        let ack = match flags.contains('.') {
            true => format!("ack {ack}"),
            false => String::new(),
        };
        let text = format!("{flags} {seq}:{} {ack} win 10000", seq + len);
        self.s.inject(&text);
    }

    /// A bare acknowledgment is all that goes out.
    #[track_caller]
    pub fn expect_ack(&mut self) {
        self.s
            .expect_all(&[&format!(". {} ack {}", self.nxt, self.next)]);
    }
}
