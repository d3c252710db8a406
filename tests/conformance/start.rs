//! Where a connection starts.

use std::time::Duration;

use zerotcp::stack::{Config, ConnectionId};
use zerotcp::wire::SeqNumber;

use crate::common::script::Script;

/// The initial sequence numbers of both ends.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The peer's.
    irs: u32,
    /// Ours, of a passive open; `None` for what comes.
    iss: Option<u32>,
}

impl Start {
    /// What comes, and numbers that a few octets later cross 2^31 and 2^32 on either side.
    pub const ALL: [Start; 5] = [
        Start::PLAIN,
        Start::new(0x7fff_ff00, 0xffff_fff0),
        Start::new(0xffff_ff00, 0x7fff_fff0),
        Start::new(0x7fff_fff0, 0x7fff_ff00),
        Start::new(0xffff_ffff, 0xffff_ffff),
    ];

    const PLAIN: Start = Start {
        irs: 1_000_000,
        iss: None,
    };

    const fn new(irs: u32, iss: u32) -> Start {
        Start {
            irs,
            iss: Some(iss),
        }
    }

    /// A host that listens on port 7.
    pub fn script(self) -> Script {
        self.script_with(|_| {})
    }

    /// The same with its configuration changed.
    pub fn script_with(self, change: impl Fn(&mut Config)) -> Script {
        let mut s = Script::with(&change);
        s.irs = SeqNumber(self.irs);
        let Some(iss) = self.iss else {
            return s;
        };
        // Our numbers follow a clock (RFC 6528): what it says now tells when it will say
        // what is wanted.
        s.inject("S 0");
        s.next().expect("a SYN,ACK");
        let ticks = SeqNumber(iss) - s.iss.expect("a SYN has come");
        let now = s.now + Duration::from_micros(4) * ticks;
        let mut s = Script::with(&change);
        s.irs = SeqNumber(self.irs);
        s.now = now;
        s
    }

    /// After the handshake, the peer's window as given (not scaled), its MSS 1000.
    pub fn established(self, window: u16) -> (Script, ConnectionId) {
        self.established_with(window, |_| {})
    }

    /// The same with the host's configuration changed.
    pub fn established_with(
        self,
        window: u16,
        change: impl Fn(&mut Config),
    ) -> (Script, ConnectionId) {
        let (s, id) = self.script_with(change).establish(window);
        if let Some(iss) = self.iss {
            assert_eq!(s.iss, Some(SeqNumber(iss)));
        }
        (s, id)
    }
}
