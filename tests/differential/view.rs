//! What the peer knows of one host.

use std::net::SocketAddrV4;

use zerotcp::tcp::State;
use zerotcp::wire::SeqNumber;

use crate::segment::{Ack, Reply, letters};

/// The host's side of the connection, as its segments show it.
#[derive(Clone, Debug)]
pub struct View {
    pub host: SocketAddrV4,
    pub peer: SocketAddrV4,
    pub irs: SeqNumber,
    /// The host's initial number; any number before its first SYN.
    pub iss: SeqNumber,
    /// The number after the last that it sent, and the last that the peer acknowledged.
    pub nxt: SeqNumber,
    pub una: SeqNumber,
    /// Its last acknowledgment and the right edge of its window, relative to the peer's initial
    /// number.
    pub acked: u32,
    pub edge: u32,
    scale: u8,
    /// Its last timestamp.
    pub tick: u32,
    /// What it has sent.
    pub text: Vec<u8>,
}

/// What a host said to one step, in numbers that can be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The last reset.
    pub reset: Option<Numbers>,
    /// The last SYN, with or without an acknowledgment.
    pub syn: Option<Numbers>,
    /// What that agrees to.
    pub options: Option<Options>,
    /// The last segment without text, SYN, FIN and RST.
    pub bare: Option<Numbers>,
    /// What that echoes.
    pub echo: Option<u32>,
    /// There is text, or the FIN.
    pub text: bool,
    /// The last acknowledgment of whatever segment, but for resets.
    pub ack: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Relative to the host's initial number, but for the zero of an answer to a stray.
    pub seq: Option<i32>,
    /// Relative to the peer's.
    pub ack: Option<i32>,
}

/// The options of a SYN, but for their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    mss: bool,
    window_scale: bool,
    sack: bool,
    timestamps: bool,
}

impl Options {
    fn of(reply: &Reply) -> Options {
        Options {
            mss: reply.options.mss.is_some(),
            window_scale: reply.options.window_scale.is_some(),
            sack: reply.options.sack_permitted,
            timestamps: reply.options.timestamps.is_some(),
        }
    }
}

impl View {
    pub fn new(host: SocketAddrV4, peer: SocketAddrV4, irs: SeqNumber) -> View {
        let iss = SeqNumber(1_000_000_000);
        View {
            host,
            peer,
            irs,
            iss,
            nxt: iss,
            una: iss,
            acked: 0,
            edge: 0,
            scale: 0,
            tick: 0,
            text: Vec::new(),
        }
    }

    /// What an acknowledgment's words stand for.
    pub fn number(&self, ack: Ack) -> SeqNumber {
        let above = |from: SeqNumber, n: i32| SeqNumber(from.0.wrapping_add_signed(n));
        match ack {
            Ack::Nxt(n) => above(self.nxt, n),
            Ack::Una(n) => above(self.una, n),
            Ack::Half => self.una + (self.nxt - self.una) / 2,
        }
    }

    /// The peer has sent an acknowledgment that the host believes.
    pub fn note_acknowledged(&mut self, ack: Ack) {
        let ack = self.number(ack);
        if self.una < ack && ack <= self.nxt {
            self.una = ack;
        }
    }

    /// What its state says: who is synchronized has seen its SYN acknowledged.
    pub fn note_state(&mut self, state: State) {
        let opens = matches!(state, State::Closed | State::SynSent | State::SynReceived);
        if !opens {
            self.una = self.una.max(self.iss + 1);
        }
    }

    /// How much it has sent, its SYN and FIN counted.
    pub fn sent(&self) -> u32 {
        self.nxt - self.iss
    }

    /// Takes in what the host has sent; `to_syn`: after a SYN of the peer's.
    pub fn digest(&mut self, replies: &[Reply], to_syn: bool) -> Answer {
        let mut answer = Answer::default();
        for reply in replies {
            let flags = reply.flags;
            if flags.syn() && reply.seq == self.iss && !to_syn {
                // It goes out again of its own. Linux waits for two ticks only where a wrong
                // acknowledgment came in SYN-SENT.
                continue;
            }
            if flags.syn() && reply.seq != self.iss {
                (self.iss, self.nxt, self.una) = (reply.seq, reply.seq + 1, reply.seq);
                self.text.clear();
                self.acked = 0;
                self.edge = 0;
            }
            let has_zero = flags.rst() && flags.ack() && reply.seq == SeqNumber(0);
            let numbers = Numbers {
                seq: (!has_zero).then(|| (reply.seq - self.iss) as i32),
                ack: flags.ack().then(|| (reply.ack - self.irs) as i32),
            };
            if flags.rst() {
                answer.reset = Some(numbers);
                continue;
            }
            if flags.syn() {
                answer.syn = Some(numbers);
                answer.options = Some(Options::of(reply));
                self.scale = reply.options.window_scale.unwrap_or(0);
            }
            answer.text |= !reply.text.is_empty() || flags.fin();
            self.note_text(reply);
            if !flags.syn() && reply.text.is_empty() && !flags.fin() {
                answer.bare = Some(numbers);
                answer.echo = reply.options.timestamps.map(|(_, echo)| echo);
            }
            self.nxt = self.nxt.max(reply.end());
            let tick = reply.options.timestamps.map(|(value, _)| value);
            self.tick = tick.unwrap_or(self.tick);
            if flags.ack() {
                let scale = if flags.syn() { 0 } else { self.scale };
                self.acked = reply.ack - self.irs;
                self.edge = self.acked.wrapping_add(u32::from(reply.window) << scale);
                answer.ack = Some(self.acked);
            }
        }
        answer
    }

    /// Text comes in order, and the same when it comes again.
    fn note_text(&mut self, reply: &Reply) {
        let start = (reply.seq - self.iss).wrapping_sub(1) as usize;
        let Some(known) = self.text.get(start..) else {
            return;
        };
        let again = known.len().min(reply.text.len());
        assert_eq!(known[..again], reply.text[..again], "text changed");
        self.text.extend(&reply.text[again..]);
    }

    /// A segment of the host's for people; what it echoes is how many ticks ago at `tick`.
    pub fn show(&self, reply: &Reply, tick: u32) -> String {
        let mut options = String::new();
        if reply.flags.syn() {
            options = format!(" {:?}", Options::of(reply));
        }
        if let Some((_, echo)) = reply.options.timestamps {
            options += &format!(" echo -{}", tick.wrapping_sub(echo) as i32);
        }
        let ack = match reply.flags.ack() {
            true => format!(" ack {}", (reply.ack - self.irs) as i32),
            false => String::new(),
        };
        format!(
            "{} {}:{}{ack} win {}{options}",
            letters(reply.flags),
            (reply.seq - self.iss) as i32,
            (reply.end() - self.iss) as i32,
            reply.window
        )
    }
}
