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
    /// Ours; `None` for what comes.
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
        self.timed(change, |s| s.inject("S 0"))
    }

    /// Where our SYN is about to leave for port 80.
    pub fn connecting(self) -> (Script, ConnectionId) {
        self.connecting_with(|_| {})
    }

    /// The same with the host's configuration changed.
    pub fn connecting_with(self, change: impl Fn(&mut Config)) -> (Script, ConnectionId) {
        let open = |s: &mut Script| s.connect_from(40_000, 80);
        let mut s = self.timed(change, |s| _ = open(s));
        let id = open(&mut s);
        (s, id)
    }

    /// A host at the time when what `open` opens gets our number.
    fn timed(self, change: impl Fn(&mut Config), open: impl Fn(&mut Script)) -> Script {
        let mut s = Script::with(&change);
        s.irs = SeqNumber(self.irs);
        let Some(iss) = self.iss else {
            return s;
        };
        // Our numbers follow a clock (RFC 6528): what it says now tells when it will say
        // what is wanted.
        open(&mut s);
        s.next().expect("a SYN");
        let ticks = SeqNumber(iss) - s.iss.expect("it has a number");
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
