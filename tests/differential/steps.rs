//! Which step comes next: what an honest peer would do, so that all states are reached, and what
//! none would.

use std::fmt;

use zerotcp::tcp::State;
use zerotcp::wire::TcpFlags;

use crate::common::dice::Dice;
use crate::common::script::octets;
use crate::host::Call;
use crate::segment::{ANCIENT, Ack, Base, Segment, Seq, Stamp};

#[derive(Clone, Debug)]
pub enum Step {
    /// The peer's segment arrives.
    Segment(Segment),
    /// The user does something.
    Call(Call),
}

/// Where a sequence has got to.
pub struct Situation {
    pub state: State,
    pub has_user: bool,
    /// The host has sent what the peer has not acknowledged.
    pub outstanding: bool,
}

const ACK: TcpFlags = TcpFlags::ACK;
const SYN: TcpFlags = TcpFlags::SYN;
const FIN: TcpFlags = TcpFlags::FIN;
const RST: TcpFlags = TcpFlags::RST;
const PSH: TcpFlags = TcpFlags::PSH;
const URG: TcpFlags = TcpFlags::URG;

pub fn pick(dice: &mut Dice, situation: &Situation) -> Step {
    let odd = match situation.state {
        State::Closed => 20,
        State::SynSent | State::SynReceived => 35,
        _ => 45,
    };
    if dice.percent(odd) {
        return Step::Segment(odd_segment(dice));
    }
    honest(dice, situation)
}

fn honest(dice: &mut Dice, situation: &Situation) -> Step {
    let segment = Segment::new;
    let calls = situation.has_user
        && !matches!(
            situation.state,
            State::Closed | State::SynSent | State::SynReceived
        );
    if calls && dice.percent(35) {
        return Step::Call(call(dice, situation));
    }
    if situation.has_user && situation.state == State::Closed && dice.percent(50) {
        // What was not read before the end can be read, and then how it came.
        let all = Call::Receive(100_000);
        return Step::Call(if dice.percent(70) { all } else { Call::Close });
    }
    Step::Segment(match situation.state {
        State::Closed => Segment {
            seq: dice.pick(&[Seq::Next(0), Seq::Next(0), Seq::Next(100_000)]),
            ..segment(SYN)
        },
        State::SynSent => segment(if dice.percent(60) { SYN | ACK } else { SYN }),
        State::SynReceived => match dice.below(10) {
            0 => Segment {
                len: 10,
                ..segment(ACK | PSH)
            },
            1 => segment(ACK | FIN),
            2 => Segment {
                seq: Seq::Next(-1),
                ..segment(SYN | ACK)
            },
            3 => Segment {
                seq: Seq::Next(-1),
                ..segment(SYN)
            },
            _ => segment(ACK),
        },
        State::Established => match dice.below(10) {
            0..2 => segment(ACK | FIN),
            2..4 => segment(ACK),
            4 => Segment {
                window: dice.pick(&[0, 500, u16::MAX]),
                ..segment(ACK)
            },
            _ => text(dice),
        },
        State::FinWait1 => match dice.below(10) {
            0..3 => Segment {
                ack: Ack::Una(0),
                ..segment(ACK | FIN)
            },
            3 => segment(ACK | FIN),
            4..6 => text(dice),
            _ => segment(ACK),
        },
        State::FinWait2 => match dice.below(10) {
            0..5 => segment(ACK | FIN),
            5..8 => text(dice),
            _ => segment(ACK),
        },
        State::TimeWait => match dice.below(10) {
            0..3 => Segment {
                seq: Seq::Next(-1),
                ..segment(ACK | FIN)
            },
            3..6 => Segment {
                seq: dice.pick(&[Seq::Next(1), Seq::Next(100_000)]),
                ..segment(SYN)
            },
            _ => segment(ACK),
        },
        State::CloseWait | State::Closing | State::LastAck | State::Listen => {
            match dice.below(10) {
                0..3 => Segment {
                    seq: Seq::Next(-1),
                    ..segment(ACK | FIN)
                },
                _ => segment(ACK),
            }
        }
    })
}

fn text(dice: &mut Dice) -> Segment {
    Segment {
        len: dice.pick(&[1, 10, 300, 1400]),
        ..Segment::new(ACK | PSH)
    }
}

fn call(dice: &mut Dice, situation: &Situation) -> Call {
    match dice.below(20) {
        0..7 => Call::Send(octets(
            dice.roll() as u32,
            dice.pick(&[1, 10, 500, 1500, 3000]),
        )),
        7..13 => Call::Receive(dice.pick(&[1, 10, 100_000])),
        13..17 => Call::Shutdown,
        17..19 => Call::Close,
        _ if situation.outstanding => Call::Shutdown,
        _ => Call::Abort,
    }
}

/// What no peer in its senses would send here.
fn odd_segment(dice: &mut Dice) -> Segment {
    let flags = dice.pick(&[
        ACK,
        ACK,
        ACK,
        ACK,
        ACK | PSH,
        ACK | PSH,
        ACK | FIN,
        ACK | FIN,
        ACK | URG,
        RST,
        RST,
        RST | ACK,
        SYN,
        SYN,
        SYN | ACK,
        FIN,
        PSH,
        TcpFlags::NONE,
    ]);
    let seq = match dice.below(20) {
        0..8 => Seq::Next(0),
        8..11 => Seq::Next(dice.pick(&[1, 5, 100, 1000])),
        11..15 => Seq::Next(-dice.pick(&[1, 2, 10, 500, 20_000])),
        15..17 => Seq::Start(dice.pick(&[-10, 0])),
        17 => Seq::Edge(dice.pick(&[3, 10, 1000])),
        18 => Seq::Edge(1_000_000),
        _ => Seq::Start(1),
    };
    let ack = match dice.below(20) {
        0..9 => Ack::Nxt(0),
        9..12 => Ack::Una(0),
        12..14 => Ack::Half,
        14..16 => Ack::Una(-dice.pick(&[1, 5, 300])),
        16..18 => Ack::Nxt(dice.pick(&[1, 5, 100_000])),
        18 => Ack::Nxt(1 << 30),
        _ => ANCIENT,
    };
    let len = match flags.syn() || flags.rst() {
        true => 0,
        false => dice.pick(&[0, 0, 0, 1, 10, 200, 1000]),
    };
    Segment {
        flags,
        seq,
        ack,
        len,
        window: dice.pick(&[u16::MAX, u16::MAX, u16::MAX, 0, 500, 5000]),
        urgent: dice.pick(&[0, 1, 5, 300]),
        stamp: match dice.below(20) {
            0..2 => Stamp::Old(1_000_000),
            2 if dice.percent(50) => Stamp::Missing,
            _ => Stamp::Now,
        },
    }
}

/// Whether its acknowledgment and window are some that the host looks at.
pub fn is_sound(segment: &Segment, base: &Base) -> bool {
    segment.is_acceptable(base) && (segment.stamp == Stamp::Now || !base.character.timestamps)
}

/// What steps are, in a few words.
pub const KINDS: [&str; 29] = [
    "connect",
    "send",
    "receive",
    "shutdown",
    "close",
    "abort",
    "RST exact",
    "RST in window",
    "RST outside",
    "SYN,ACK",
    "SYN ahead",
    "SYN",
    "no ACK",
    "URG",
    "FIN",
    "FIN ahead",
    "FIN outside",
    "ACK beyond",
    "ACK ancient",
    "ACK old",
    "text",
    "text ahead",
    "text outside",
    "text again",
    "ACK elsewhere",
    "window",
    "ACK",
    "no timestamp",
    "old timestamp",
];

impl Step {
    /// The sequence numbers that it takes up.
    pub fn sequence_len(&self) -> u32 {
        match self {
            Step::Segment(segment) => segment.sequence_len(),
            Step::Call(_) => 0,
        }
    }

    /// Which of [`KINDS`] it is.
    pub fn kind(&self) -> &'static str {
        let segment = match self {
            Step::Segment(segment) => segment,
            Step::Call(Call::Connect) => return "connect",
            Step::Call(Call::Send(_)) => return "send",
            Step::Call(Call::Receive(_)) => return "receive",
            Step::Call(Call::Shutdown) => return "shutdown",
            Step::Call(Call::Close) => return "close",
            Step::Call(Call::Abort) => return "abort",
        };
        let (flags, len) = (segment.flags, segment.len);
        let exact = segment.seq == Seq::Next(0);
        let far = matches!(segment.seq, Seq::Edge(_) | Seq::Start(_));
        let ahead = matches!(segment.seq, Seq::Next(1..));
        if segment.stamp == Stamp::Missing {
            return "no timestamp";
        }
        if segment.stamp != Stamp::Now {
            return "old timestamp";
        }
        match () {
            () if flags.rst() && exact => "RST exact",
            () if flags.rst() && ahead => "RST in window",
            () if flags.rst() => "RST outside",
            () if flags.syn() && flags.ack() => "SYN,ACK",
            () if flags.syn() && ahead => "SYN ahead",
            () if flags.syn() => "SYN",
            () if !flags.ack() => "no ACK",
            () if flags.contains(URG) => "URG",
            () if flags.fin() && exact => "FIN",
            () if flags.fin() && ahead => "FIN ahead",
            () if flags.fin() => "FIN outside",
            () if matches!(segment.ack, Ack::Nxt(1..)) => "ACK beyond",
            () if segment.ack == ANCIENT => "ACK ancient",
            () if matches!(segment.ack, Ack::Una(..0)) => "ACK old",
            () if len > 0 && exact => "text",
            () if len > 0 && ahead => "text ahead",
            () if len > 0 && far => "text outside",
            () if len > 0 => "text again",
            () if !exact => "ACK elsewhere",
            () if segment.window < u16::MAX => "window",
            () => "ACK",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Segment(segment) => segment.fmt(f),
            Step::Call(Call::Send(data)) => write!(f, "send {}", data.len()),
            Step::Call(call) => write!(f, "{call:?}"),
        }
    }
}
