//! A connection that sends, and a peer of which a test says what it acknowledges.
//!
//! Every text segment holds 1000 octets at most, with timestamps or without. The round trip
//! of the handshake is 100 ms, so the first retransmission timeout is 300 ms.

use std::time::Duration;

use zerotcp::stack::{Config, ConnectionId};
use zerotcp::tcp::congestion::Algorithm;
use zerotcp::tcp::{Ecn, Info};

use super::script::Script;

pub const RTT: u64 = 100;

/// What both ends agreed on, and where our numbers start.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    pub sack: bool,
    pub stamps: bool,
    pub iss: Option<u32>,
}

pub const RENO: Mode = Mode {
    sack: false,
    stamps: false,
    iss: None,
};
pub const SACK: Mode = Mode { sack: true, ..RENO };
pub const STAMPS: Mode = Mode {
    stamps: true,
    ..RENO
};
pub const BOTH: Mode = Mode {
    stamps: true,
    ..SACK
};

/// Each of these, with numbers that cross 2^31 and 2^32 soon and that do not.
pub fn each(modes: &[Mode]) -> Vec<Mode> {
    let starts = [None, Some(0x7fff_f300), Some(0xffff_f300)];
    let at = |mode: &Mode| starts.map(|iss| Mode { iss, ..*mode });
    modes.iter().flat_map(at).collect()
}

/// A connection that sends, and its peer.
pub struct Sender {
    pub s: Script,
    pub id: ConnectionId,
    pub mode: Mode,
    /// What the peer echoes: the TSval of the last segment that went out, unless set.
    pub echo: String,
    /// The window field of the peer.
    pub window: u16,
    /// The peer's ECN flag.
    pub marks: bool,
}

impl Sender {
    pub fn new(mode: Mode) -> Sender {
        Sender::with(mode, 65_535, |_| {})
    }

    pub fn with(mode: Mode, window: u16, change: impl FnOnce(&mut Config)) -> Sender {
        let mut syn = format!("S win {window} <mss 1000");
        if mode.stamps {
            // Twelve more for the option that each segment carries.
            syn = format!("S win {window} <mss 1012,nop,nop,ts 1 0");
        }
        syn += if mode.sack { ",nop,nop,sackOK>" } else { ">" };
        let mut s = Script::with(|config| {
            config.tcp.pacing = false;
            config.tcp.hystart = false;
            config.tcp.black_hole_timeouts = 0;
            config.tcp.congestion = Algorithm::NewReno;
            change(config);
            if config.tcp.ecn == Ecn::Offer {
                syn = syn.replacen('S', "SEW", 1);
            }
        });
        if let Some(wanted) = mode.iss {
            // The numbers of the same host a clock tick later (RFC 6528: each 4 us).
            let mut probe = Script::new();
            probe.inject(&syn.replacen("S ", "S 0 ", 1));
            probe.next().unwrap();
            let ticks = wanted.wrapping_sub(probe.iss.unwrap().0);
            s.now += Duration::from_micros(4 * u64::from(ticks));
        }
        let (s, id) = s.open(&syn, RTT);
        if let Some(wanted) = mode.iss {
            assert_eq!(s.iss.unwrap().0, wanted);
        }
        Sender {
            s,
            id,
            mode,
            echo: "0".into(),
            window,
            marks: false,
        }
    }

    /// With so much to send, of which the initial window has gone out.
    pub fn sending(mode: Mode, len: usize) -> Sender {
        let mut l = Sender::new(mode);
        l.s.send(l.id, len);
        let first = len.min(10_000) as u32;
        assert_eq!(l.sent(), segments(1, 1 + first));
        l
    }

    /// All that goes out now: the numbers of each segment, with an F where it has a FIN.
    pub fn sent(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(text) = self.s.next() {
            let mut words = text.split(' ');
            let flags = words.next().unwrap();
            let fin = if flags.contains('F') { "F" } else { "" };
            all.push(format!("{}{fin}", words.next().unwrap()));
            if let Some((_, rest)) = text.split_once("ts ") {
                self.echo = rest.split(' ').next().unwrap().into();
            }
        }
        all
    }

    #[track_caller]
    pub fn expect(&mut self, expected: &[&str]) {
        assert_eq!(self.sent(), expected, "{:?}", self.mode);
    }

    /// The peer acknowledges, and reports blocks, as `a:b c:d`.
    pub fn sack(&mut self, ack: u32, blocks: &str) {
        let flags = if self.marks { "E." } else { "." };
        let mut options = Vec::new();
        if self.mode.stamps {
            options.push(format!("nop,nop,ts 1 {}", self.echo));
        }
        if !blocks.is_empty() {
            options.push(format!("nop,nop,sack {blocks}"));
        }
        let window = self.window;
        let options = options.join(",");
        self.s
            .inject(&format!("{flags} 1 ack {ack} win {window} <{options}>"));
    }

    pub fn ack(&mut self, ack: u32) {
        self.sack(ack, "");
    }

    pub fn pass(&mut self, millis: u64) {
        self.s.pass(millis);
    }

    pub fn info(&self) -> Info {
        self.s.stack.info(self.id).unwrap()
    }

    pub fn windows(&self) -> (u32, u32) {
        (self.info().cwnd / 1000, self.info().ssthresh / 1000)
    }

    /// Lets time pass until something goes out, 100 s at most: how many milliseconds, and what.
    pub fn wait(&mut self) -> (u64, Vec<String>) {
        for millis in 1..=100_000 {
            self.pass(1);
            let sent = self.sent();
            if !sent.is_empty() {
                return (millis, sent);
            }
        }
        panic!("{:?}: nothing goes out: {:?}", self.mode, self.info());
    }

    /// Something goes out after about so many milliseconds, as a timer wheel has it.
    #[track_caller]
    pub fn expect_after(&mut self, millis: u64, expected: &[&str]) {
        let (after, sent) = self.wait();
        assert_eq!(sent, expected, "{:?} after {after} ms", self.mode);
        assert!(
            (millis..=millis + 2).contains(&after),
            "{:?}: {after} ms",
            self.mode
        );
    }

    /// The rest of the transfer, up to `end`, on a network that loses nothing more: it ends,
    /// and nothing goes beyond the window.
    #[track_caller]
    pub fn finish(&mut self, end: u32) {
        for _ in 0..200 {
            self.sent();
            self.pass(20);
            self.ack(end.min(self.info_end()));
            if self.info().unacknowledged == 0 && self.info().unsent == 0 {
                return;
            }
        }
        panic!("{:?}: {:?}", self.mode, self.info());
    }

    /// SND.NXT.
    pub fn info_end(&self) -> u32 {
        self.info().tally.octets_acked as u32 + 1 + self.info().unacknowledged
    }
}

/// The numbers of segments of 1000 octets.
pub fn segments(start: u32, end: u32) -> Vec<String> {
    (start..end)
        .step_by(1000)
        .map(|from| format!("{from}:{}", end.min(from + 1000)))
        .collect()
}
