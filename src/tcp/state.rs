use core::fmt;

/// The states of a connection (RFC 9293 section 3.3.2).
///
/// After RFC 9293 figure 5; a reset, an abort and a timeout lead from each of them to CLOSED
/// besides.
///
/// ```text
///                              CLOSED
///             passive open    /      \    active open
///                            v        v   snd SYN
///                        LISTEN ---> SYN-SENT ----------.
///                            |  send      |              |
///                  rcv SYN   |  snd SYN   | rcv SYN      | rcv SYN,ACK
///              snd SYN,ACK   v            v snd SYN,ACK  | snd ACK
///                           SYN-RECEIVED <'              |
///                             |       | rcv ACK of SYN   |
///                      close  |       v                  |
///                    snd FIN  |   ESTABLISHED <----------'
///                             |    |        |
///                      close  |    |        | rcv FIN
///                    snd FIN  v    v        v snd ACK
///                        FIN-WAIT-1      CLOSE-WAIT
///                    rcv ACK |   | rcv FIN  | close
///                     of FIN v   v snd ACK  v snd FIN
///                    FIN-WAIT-2  CLOSING   LAST-ACK
///              rcv FIN |     rcv | ACK  rcv | ACK
///              snd ACK v  of FIN v   of FIN v
///                    TIME-WAIT ---------> CLOSED
///                      |         2 MSL
///                      '---> SYN-RECEIVED, by a fresh SYN (RFC 6191)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Waiting for a connection request from any peer.
    Listen,
    /// Waiting for a matching connection request after having sent one.
    SynSent,
    /// Waiting for the acknowledgment of our SYN after having both sent and received one.
    SynReceived,
    /// Open: data flows both ways.
    Established,
    /// We have closed: waiting for the peer's FIN, or the acknowledgment of ours.
    FinWait1,
    /// Our FIN is acknowledged: waiting for the peer's.
    FinWait2,
    /// The peer has closed: waiting for our user to close.
    CloseWait,
    /// Both have closed at once: waiting for the acknowledgment of our FIN.
    Closing,
    /// We have closed after the peer: waiting for the acknowledgment of our FIN.
    LastAck,
    /// Waiting until no old segment can be in the network any more.
    TimeWait,
    /// No connection.
    Closed,
}

/// Every transition there is (RFC 9293 figure 5), and its cause. Any state but
/// LISTEN goes to CLOSED besides, when the connection is reset, aborted or times out.
const TRANSITIONS: [(State, State, &str); 21] = {
    use State::*;
    [
        (Listen, SynReceived, "rcv SYN, snd SYN,ACK"),
        (Listen, SynSent, "send, snd SYN"),
        (SynSent, SynReceived, "rcv SYN, snd SYN,ACK"),
        (SynSent, Established, "rcv SYN,ACK, snd ACK"),
        (SynReceived, Established, "rcv ACK of SYN"),
        (SynReceived, Listen, "rcv RST, passive open"),
        (SynReceived, FinWait1, "close, snd FIN"),
        (SynReceived, CloseWait, "rcv FIN"),
        (Established, FinWait1, "close, snd FIN"),
        (Established, CloseWait, "rcv FIN, snd ACK"),
        (FinWait1, FinWait2, "rcv ACK of FIN"),
        (FinWait1, Closing, "rcv FIN, snd ACK"),
        (FinWait1, TimeWait, "rcv FIN and ACK of FIN"),
        (FinWait2, TimeWait, "rcv FIN, snd ACK"),
        (CloseWait, LastAck, "close, snd FIN"),
        (Closing, TimeWait, "rcv ACK of FIN"),
        (LastAck, Closed, "rcv ACK of FIN"),
        (TimeWait, Closed, "2 MSL"),
        (TimeWait, SynReceived, "rcv fresh SYN"),
        (
            SynReceived,
            TimeWait,
            "rcv RST, the SYN was an old duplicate",
        ),
        (SynSent, Closed, "close"),
    ]
};

impl State {
    /// Whether a connection in this state may go over to `next`.
    pub fn leads_to(self, next: State) -> bool {
        let listed = |(from, to, _): &(State, State, &str)| *from == self && *to == next;
        (next == State::Closed && self != State::Listen) || TRANSITIONS.iter().any(listed)
    }

    /// Whether text from the peer is still expected.
    pub(crate) const fn receives_text(self) -> bool {
        matches!(self, State::Established | State::FinWait1 | State::FinWait2)
    }

    /// Whether both sides know each other's numbers (RFC 9293 section 3.3.2).
    pub(crate) const fn is_synchronized(self) -> bool {
        !matches!(
            self,
            State::Listen | State::SynSent | State::SynReceived | State::Closed
        )
    }

    /// Whether the connection holds nothing any more but its quad.
    pub(crate) const fn is_at_rest(self) -> bool {
        matches!(self, State::TimeWait | State::Closed)
    }

    /// Whether the user may still send.
    pub(super) const fn sends_text(self) -> bool {
        matches!(
            self,
            State::SynSent | State::SynReceived | State::Established | State::CloseWait
        )
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Listen => "LISTEN",
            State::SynSent => "SYN-SENT",
            State::SynReceived => "SYN-RECEIVED",
            State::Established => "ESTABLISHED",
            State::FinWait1 => "FIN-WAIT-1",
            State::FinWait2 => "FIN-WAIT-2",
            State::CloseWait => "CLOSE-WAIT",
            State::Closing => "CLOSING",
            State::LastAck => "LAST-ACK",
            State::TimeWait => "TIME-WAIT",
            State::Closed => "CLOSED",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_can_be_left_and_the_end_is_closed() {
        for (from, to, cause) in TRANSITIONS {
            assert!(from.leads_to(to), "{cause}");
            assert_ne!(from, State::Closed);
        }
        assert!(State::Established.leads_to(State::Closed));
        assert!(!State::Listen.leads_to(State::Closed));
        assert!(!State::TimeWait.leads_to(State::Established));
        assert!(!State::CloseWait.leads_to(State::FinWait1));
    }
}
