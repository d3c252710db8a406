//! Segments as a sequence has them, with numbers that stand for the same on each host, and as they
//! stand in a packet.

use std::fmt;

use zerotcp::simulation::octet;
use zerotcp::wire::{
    OptionSummary, SeqNumber, TcpBuilder, TcpFlags, TcpOption, TcpPacket, TcpSegment,
};

use crate::view::View;

/// A segment of the peer's.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub flags: TcpFlags,
    pub seq: Seq,
    pub ack: Ack,
    /// Octets of text.
    pub len: u16,
    pub window: u16,
    pub urgent: u16,
    pub stamp: Stamp,
}

/// SEG.SEQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seq {
    /// So much above RCV.NXT.
    Next(i32),
    /// So much above the highest number that either host's window has.
    Edge(i32),
    /// So much above the peer's initial number.
    Start(i32),
}

/// SEG.ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// So much above the host's SND.NXT.
    Nxt(i32),
    /// So much above its SND.UNA.
    Una(i32),
    /// Between the two.
    Half,
}

/// Below SND.UNA by more than any window that a peer of these tests offers.
pub const ANCIENT: Ack = Ack::Una(-1_000_000);

/// Which timestamp it carries where both sides have agreed on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    Now,
    /// So many ticks ago.
    Old(u32),
    Missing,
}

/// What the peer is like, for one sequence.
#[derive(Clone, Copy, Debug)]
pub struct Character {
    pub irs: SeqNumber,
    pub mss: Option<u16>,
    pub window_scale: Option<u8>,
    pub sack: bool,
    pub timestamps: bool,
}

/// What a segment's numbers are relative to: what the hosts have in common.
#[derive(Clone, Copy, Debug)]
pub struct Base {
    pub character: Character,
    /// RCV.NXT of both, and the highest right edge of a window, relative to the peer's initial
    /// number.
    pub next: u32,
    pub edge: u32,
    /// The peer's clock.
    pub tick: u32,
}

impl Segment {
    pub fn new(flags: TcpFlags) -> Segment {
        Segment {
            flags,
            seq: Seq::Next(0),
            ack: Ack::Nxt(0),
            len: 0,
            window: u16::MAX,
            urgent: 0,
            stamp: Stamp::Now,
        }
    }

    /// SEG.LEN.
    pub fn sequence_len(&self) -> u32 {
        u32::from(self.len) + u32::from(self.flags.syn()) + u32::from(self.flags.fin())
    }

    /// SEG.SEQ relative to the peer's initial number.
    pub fn start(&self, base: &Base) -> u32 {
        match self.seq {
            Seq::Next(n) => base.next.wrapping_add_signed(n),
            Seq::Edge(n) => base.edge.wrapping_add_signed(n),
            Seq::Start(n) => 0u32.wrapping_add_signed(n),
        }
    }

    /// How far SEG.SEQ is above RCV.NXT.
    pub fn above_next(&self, base: &Base) -> i32 {
        self.start(base).wrapping_sub(base.next) as i32
    }

    /// All of it came before, by the last number.
    pub fn ends_at_next(&self, base: &Base) -> bool {
        let len = self.sequence_len() as i32;
        len > 0 && self.above_next(base) + len == 0
    }

    /// RFC 9293 section 3.10.7.4, first.
    pub fn is_acceptable(&self, base: &Base) -> bool {
        let room = base.edge.wrapping_sub(base.next);
        let above = |number: u32| number.wrapping_sub(base.next);
        let (start, len) = (self.start(base), self.sequence_len());
        above(start) < room || (len > 0 && above(start.wrapping_add(len - 1)) < room)
    }

    /// The packet for the host that `view` is of.
    pub fn packet(&self, base: &Base, view: &View) -> Vec<u8> {
        let character = &base.character;
        let start = self.start(base);
        let mut options = Vec::new();
        if self.flags.syn() {
            options.extend(character.mss.map(TcpOption::MaximumSegmentSize));
            options.extend(character.window_scale.map(TcpOption::WindowScale));
            options.extend(character.sack.then_some(TcpOption::SackPermitted));
        }
        let value = match self.stamp {
            Stamp::Now => Some(base.tick),
            Stamp::Old(ago) => Some(base.tick.wrapping_sub(ago)),
            Stamp::Missing => None,
        };
        if let Some(value) = value.filter(|_| character.timestamps) {
            let echo = if self.flags.ack() { view.tick } else { 0 };
            options.push(TcpOption::Timestamps { value, echo });
        }
        let mut builder = TcpBuilder::new(view.peer, view.host)
            .seq(character.irs + start)
            .flags(self.flags)
            .window(self.window)
            .urgent(self.urgent)
            .options(&options);
        if self.flags.ack() {
            builder = builder.ack(view.number(self.ack));
        }
        let text: Vec<u8> = (0..u32::from(self.len))
            .map(|n| octet(start.wrapping_add(n)))
            .collect();
        let mut packet = vec![0; 100 + text.len()];
        let len = builder.write(&mut packet, &text).unwrap();
        packet.truncate(len);
        packet
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", letters(self.flags), self.seq)?;
        if self.len > 0 {
            write!(f, " len {}", self.len)?;
        }
        if self.flags.ack() {
            write!(f, " ack {:?}", self.ack)?;
        }
        if self.window != u16::MAX {
            write!(f, " win {}", self.window)?;
        }
        if self.flags.contains(TcpFlags::URG) {
            write!(f, " urg {}", self.urgent)?;
        }
        if self.stamp != Stamp::Now {
            write!(f, " {:?}", self.stamp)?;
        }
        Ok(())
    }
}

/// A segment of a host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub flags: TcpFlags,
    pub seq: SeqNumber,
    pub ack: SeqNumber,
    pub window: u16,
    pub options: OptionSummary,
    pub text: Vec<u8>,
}

impl Reply {
    /// The reply in a packet; none where it is no TCP, such as what a kernel sends on its own.
    pub fn parse(packet: &[u8]) -> Option<Reply> {
        let tcp: TcpSegment<'_> = TcpPacket::parse(packet).ok()?.tcp;
        let (options, _) = OptionSummary::tolerant(tcp.option_bytes());
        Some(Reply {
            flags: tcp.flags(),
            seq: tcp.seq(),
            ack: tcp.ack(),
            window: tcp.window(),
            options,
            text: tcp.payload().to_vec(),
        })
    }

    /// The number after the last that it takes up.
    pub fn end(&self) -> SeqNumber {
        self.seq
            + self.text.len() as u32
            + u32::from(self.flags.syn())
            + u32::from(self.flags.fin())
    }
}

pub fn letters(flags: TcpFlags) -> String {
    let names = [
        ('S', TcpFlags::SYN),
        ('F', TcpFlags::FIN),
        ('R', TcpFlags::RST),
        ('P', TcpFlags::PSH),
        ('U', TcpFlags::URG),
        ('.', TcpFlags::ACK),
    ];
    let set = names.into_iter().filter(|(_, flag)| flags.contains(*flag));
    let letters: String = set.map(|(letter, _)| letter).collect();
    if letters.is_empty() {
        "-".to_owned()
    } else {
        letters
    }
}
