//! One sequence of steps, done to both hosts side by side.

use std::time::{Duration, Instant};
use std::{iter, mem};

use zerotcp::tcp::State;
use zerotcp::wire::{SeqNumber, TcpFlags};

use crate::common::dice::Dice;
use crate::compare::{Aspect, Difference, History, Observation, aspects};
use crate::host::{Call, Host, Outcome, Pair};
use crate::kernel::{Kernel, Network};
use crate::known::{self, Known};
use crate::ours::Ours;
use crate::segment::{Ack, Base, Character, Segment, Seq};
use crate::steps::{self, Situation, Step};
use crate::view::View;

/// Within this none of the kernel's timers fires: the first would be that of an acknowledgment
/// that it delays.
const QUICK: Duration = Duration::from_millis(30);

/// A window below this may hold text back.
const SMALL: u16 = 5000;

/// Below all that either host may count as its window.
const OLD: Seq = Seq::Next(-100_000);

/// What came of a sequence.
#[derive(Default)]
pub struct Outcomes {
    /// Of each step the state before it and what it was.
    pub steps: Vec<(State, &'static str)>,
    /// Differences that are known.
    pub explained: Vec<&'static Known>,
    /// What nobody can explain.
    pub unexplained: Option<String>,
    /// After what the hosts could not be compared any longer, though steps were left.
    pub ended: Option<&'static str>,
    /// How many steps it was to have, but for those at its end.
    pub planned: u64,
    pub trace: Vec<String>,
    /// A timer may have fired.
    pub slow: bool,
}

/// Plays the sequence of a seed. `active`: the hosts open.
pub fn play(network: &mut Network, seed: u64, pair: Pair, active: bool) -> Outcomes {
    let mut dice = Dice(seed);
    let character = character(&mut dice);
    let view = View::new(pair.host, pair.peer, character.irs);
    let mut sequence = Sequence {
        base: Base {
            character,
            next: 0,
            edge: 0,
            tick: dice.roll() as u32,
        },
        dice,
        kernel: Side {
            host: Kernel::new(network, pair),
            view: view.clone(),
        },
        ours: Side {
            host: Ours::new(pair, seed, active),
            view,
        },
        history: History {
            passive: !active,
            window: u16::MAX,
            sending: false,
            disputed: false,
            fin_ahead: false,
        },
        state: State::Closed,
        outcomes: Outcomes::default(),
    };
    let start = Instant::now();
    sequence.run();
    sequence.outcomes.slow = start.elapsed() > QUICK;
    sequence.clean_up();
    sequence.outcomes
}

fn character(dice: &mut Dice) -> Character {
    let near_a_wrap = [0u32, 1 << 31].map(|edge| edge.wrapping_sub(dice.below(2000) as u32));
    let any = dice.roll() as u32;
    Character {
        irs: SeqNumber(dice.pick(&[any, near_a_wrap[0], near_a_wrap[1]])),
        mss: dice.pick(&[None, Some(536), Some(1000), Some(1460)]),
        window_scale: dice.pick(&[None, Some(0), Some(2)]),
        sack: dice.percent(50),
        timestamps: dice.percent(50),
    }
}

struct Sequence<'a> {
    dice: Dice,
    base: Base,
    kernel: Side<Kernel<'a>>,
    ours: Side<Ours>,
    history: History,
    /// That of both.
    state: State,
    outcomes: Outcomes,
}

impl Sequence<'_> {
    fn run(&mut self) {
        let count = 5 + self.dice.below(21);
        self.outcomes.planned = count;
        if !self.history.passive && !self.take(Step::Call(Call::Connect)) {
            return;
        }
        for _ in 0..count {
            let situation = Situation {
                state: self.state,
                has_user: self.has_user(),
                outstanding: self.is_sending(),
            };
            let step = steps::pick(&mut self.dice, &situation);
            if !self.take(step) || (self.dice.percent(20) && !self.probe()) {
                return;
            }
        }
        self.settle();
    }

    /// Does a step on both hosts. `false` where they go different ways from here, known ones or
    /// not.
    fn take(&mut self, step: Step) -> bool {
        let (before, state) = (self.base, self.state);
        self.outcomes.steps.push((state, step.kind()));
        let acknowledges = self.ours.acknowledges(&step);
        self.remember(&step);
        let history = self.history;
        let (mut kernel, mut ours) = self.both(&state.to_string(), &step);
        let mut aspects = aspects(&step, &kernel, &ours);
        // How much goes out at once is the sender's choice, where the window or the network holds
        // it back (RFC 9293 section 3.8.6.2.1, RFC 5681).
        let behind = aspects.contains(&Aspect::Sent) && self.may_hold_back();
        if behind {
            aspects.retain(|aspect| *aspect != Aspect::Sent);
        }
        let silent = kernel.answer.ack.is_none() || ours.answer.ack.is_none();
        if step.sequence_len() > 0 && silent && self.state != State::Closed {
            // An acknowledgment may wait for company (RFC 9293 section 3.8.6.3): so they are asked.
            let (asked_kernel, asked_ours, more) = self.ask();
            if self.base.next != before.next {
                aspects.retain(|aspect| *aspect != Aspect::Acknowledges);
            }
            (kernel.state, ours.state) = (asked_kernel.state, asked_ours.state);
            (kernel.acked, ours.acked) = (asked_kernel.acked, asked_ours.acked);
            kernel.asked = Some(asked_kernel.answer);
            ours.asked = Some(asked_ours.answer);
            aspects.extend(more);
            aspects.dedup();
        }
        let apart = kernel.state != ours.state
            || aspects.contains(&Aspect::AckNumber)
            || aspects.contains(&Aspect::Sent);
        let mut difference = Difference {
            before: state,
            step,
            base: before,
            acknowledges,
            history,
            aspects,
            kernel,
            ours,
        };
        let known = self.outcomes.explained.len();
        let explained = self.explain(&mut difference);
        let doubtful = apart || known::is_doubtful(&difference);
        if explained && doubtful {
            self.end(known);
        }
        explained && !doubtful && (!behind || self.catch_up(Ack::Una(0)))
    }

    /// Notes what of a segment may show later.
    fn remember(&mut self, step: &Step) {
        self.history.sending = self.is_sending();
        let Step::Segment(segment) = step else {
            return;
        };
        let (flags, view) = (segment.flags, &self.ours.view);
        let sound = steps::is_sound(segment, &self.base);
        if flags.syn() || sound {
            self.history.window = self.history.window.min(segment.window);
        }
        let ahead = segment.above_next(&self.base) + i32::from(segment.len) > 0;
        self.history.fin_ahead |= flags.fin() && ahead && sound;
        // Linux leaves alone the timestamp of a SYN once more, and what comes with an old
        // acknowledgment; ours that of what comes without, which Linux finds out only afterwards
        // in SYN-RECEIVED, and that of a repeated FIN.
        let old = flags.ack() && view.number(segment.ack) < view.una;
        let opens = self.state == State::SynReceived && (flags.syn() || !flags.ack());
        self.history.disputed |=
            self.base.character.timestamps && (old || opens || segment.ends_at_next(&self.base));
    }

    /// Does a step on both hosts, and takes in what they say of the peer's numbers.
    fn both(&mut self, label: &str, step: &Step) -> (Observation, Observation) {
        self.base.tick = self.base.tick.wrapping_add(1);
        let trace = &mut self.outcomes.trace;
        trace.push(format!("{label}: {step}"));
        let kernel = self.kernel.take(&self.base, step, trace);
        let ours = self.ours.take(&self.base, step, trace);
        self.learn(&kernel, &ours);
        self.state = ours.state;
        if kernel.answer.echo.is_some() && kernel.answer.echo == ours.answer.echo {
            self.history.disputed = false;
        }
        (kernel, ours)
    }

    fn learn(&mut self, kernel: &Observation, ours: &Observation) {
        // Not where it goes out once more.
        let opens = self.state == State::SynSent
            || (ours.answer.syn.is_some() && self.state != State::SynReceived);
        if opens && ours.answer.ack.is_some() {
            self.base.next = self.ours.view.acked;
            self.base.edge = self.base.next;
            self.history.disputed = false;
            self.history.fin_ahead = false;
        }
        let above = |number: u32, than: u32| (number.wrapping_sub(than) as i32) > 0;
        let views = [
            (&self.kernel.view, &kernel.answer),
            (&self.ours.view, &ours.answer),
        ];
        for (view, _) in views.iter().filter(|(_, answer)| answer.ack.is_some()) {
            if above(view.acked, self.base.next) {
                self.base.next = view.acked;
            }
            if above(view.edge, self.base.edge) {
                self.base.edge = view.edge;
            }
        }
    }

    /// Asks both, and compares. `false` where they go different ways.
    fn probe(&mut self) -> bool {
        let (kernel, ours, aspects) = self.ask();
        let mut difference = Difference {
            before: self.state,
            step: Step::Segment(question(self.state)),
            base: self.base,
            acknowledges: 1,
            history: self.history,
            aspects,
            kernel,
            ours,
        };
        let known = self.outcomes.explained.len();
        let explained = self.explain(&mut difference);
        let apart = difference.kernel.state != difference.ours.state;
        if explained && apart {
            self.end(known);
        }
        explained && !apart
    }

    /// They go different ways from here, by the first of the differences after the `known`th.
    fn end(&mut self, known: usize) {
        let first = self.outcomes.explained.get(known);
        let unseen = "a segment that only one may have believed, which would show later";
        self.outcomes.ended = Some(first.map_or(unseen, |known| known.name));
    }

    /// An old duplicate comes, which both answer at once with all that they know (RFC 9293
    /// section 3.10.7.4, first).
    fn ask(&mut self) -> (Observation, Observation, Vec<Aspect>) {
        let step = Step::Segment(question(self.state));
        let (kernel, ours) = self.both("    asked", &step);
        let mut aspects = aspects(&step, &kernel, &ours);
        if self.may_hold_back() {
            aspects.retain(|aspect| *aspect != Aspect::Sent);
        }
        (kernel, ours, aspects)
    }

    /// Looks for what explains a difference; what may be late on its own. `false` where nothing
    /// does, or the hosts go different ways from here.
    fn explain(&mut self, difference: &mut Difference) -> bool {
        let all = mem::take(&mut difference.aspects);
        let (late, now): (Vec<_>, Vec<_>) = all.into_iter().partition(|aspect| aspect.is_late());
        let late = late.into_iter().map(|aspect| vec![aspect]);
        for aspects in iter::once(now).chain(late) {
            if aspects.is_empty() {
                continue;
            }
            difference.aspects = aspects;
            let Some(known) = known::explain(difference) else {
                let Difference {
                    before, aspects, ..
                } = difference;
                let kind = difference.step.kind();
                self.outcomes.unexplained = Some(format!("{before}: {kind}: {aspects:?}"));
                return false;
            };
            let line = format!("    known: {}", known.name);
            self.outcomes.trace.push(line);
            self.outcomes.explained.push(known);
            if known.ends {
                self.outcomes.ended = Some(known.name);
                return false;
            }
        }
        true
    }

    /// The peer opens its window, and acknowledges so much at first, until there is no more to
    /// come: then both have sent the same.
    fn catch_up(&mut self, ack: Ack) -> bool {
        for turn in 0..30 {
            let sent = (self.kernel.view.sent(), self.ours.view.sent());
            // One from ahead may have set a window that only those from further ahead can change
            // (SND.WL1).
            let ahead = 2000 + 30 * self.outcomes.steps.len() as i32 + turn;
            let segment = Segment {
                seq: Seq::Next(if turn < 3 { 0 } else { ahead }),
                // The congestion window may be full.
                ack: if turn < 6 { ack } else { Ack::Nxt(0) },
                ..Segment::new(TcpFlags::ACK)
            };
            let (kernel, ours) = self.both("    catches up", &Step::Segment(segment));
            let now = (self.kernel.view.sent(), self.ours.view.sent());
            if kernel.state == ours.state && now == sent && now.0 == now.1 {
                self.history.window = u16::MAX;
                return true;
            }
        }
        self.outcomes.unexplained = Some("they have not sent the same in the end".to_owned());
        false
    }

    /// All is acknowledged and read.
    fn settle(&mut self) {
        if matches!(self.state, State::Closed | State::SynSent) {
            return;
        }
        self.outcomes.trace.push("the end".to_owned());
        let ack = Step::Segment(Segment::new(TcpFlags::ACK));
        if self.state == State::SynReceived && !self.take(ack) {
            return;
        }
        let caught_up = self.catch_up(Ack::Nxt(0));
        if caught_up && self.kernel.view.text != self.ours.view.text {
            self.outcomes.unexplained = Some("they have sent different text".to_owned());
            return;
        }
        if caught_up && self.probe() && self.has_user() {
            self.take(Step::Call(Call::Receive(100_000)));
        }
    }

    fn has_user(&self) -> bool {
        self.ours.host.has_user() && self.kernel.host.has_user()
    }

    fn may_hold_back(&self) -> bool {
        self.history.window < SMALL || self.is_sending()
    }

    /// Whether something is in flight.
    fn is_sending(&self) -> bool {
        let views = [&self.kernel.view, &self.ours.view];
        views.iter().any(|view| view.nxt != view.una)
    }

    /// Leaves nothing in the kernel's tables, but for TIME-WAIT.
    fn clean_up(&mut self) {
        let reset = Segment::new(TcpFlags::RST | TcpFlags::ACK);
        for step in [Step::Call(Call::Abort), Step::Segment(reset)] {
            self.kernel
                .take(&self.base, &step, &mut self.outcomes.trace);
        }
    }
}

fn question(state: State) -> Segment {
    Segment {
        seq: OLD,
        ack: match state {
            State::SynReceived => Ack::Nxt(0),
            _ => Ack::Una(0),
        },
        ..Segment::new(TcpFlags::ACK)
    }
}

/// A host, and what the peer knows of it.
struct Side<H> {
    host: H,
    view: View,
}

impl<H: Host> Side<H> {
    fn take(&mut self, base: &Base, step: &Step, trace: &mut Vec<String>) -> Observation {
        let mut outcome = None;
        match step {
            Step::Segment(segment) => {
                self.host.inject(&segment.packet(base, &self.view));
                let flags = segment.flags;
                if flags.ack() && !flags.rst() && steps::is_sound(segment, base) {
                    self.view.note_acknowledged(segment.ack);
                }
            }
            Step::Call(call) => outcome = Some(self.host.call(call)),
        }
        let replies = self.host.replies();
        let said: Vec<String> = replies
            .iter()
            .map(|reply| self.view.show(reply, base.tick))
            .collect();
        let to_syn = matches!(step, Step::Segment(segment)
            if segment.flags.syn() && !segment.flags.ack());
        let answer = self.view.digest(&replies, to_syn);
        let accepted = self.host.accept();
        let state = self.host.state();
        self.view.note_state(state);
        let told = match &outcome {
            None => String::new(),
            Some(Outcome::Received(octets, rest)) => format!(" {} octets, {rest:?}", octets.len()),
            Some(other) => format!(" {other:?}"),
        };
        let (name, said) = (H::NAME, said.join(" | "));
        trace.push(format!("    {name:6} {state}{told} [{said}]"));
        Observation {
            state,
            answer,
            acked: self.view.acked,
            sent: self.view.sent(),
            accepted,
            outcome,
            asked: None,
        }
    }

    /// How far SEG.ACK of a step is above the host's initial number; 1 where there is none.
    fn acknowledges(&self, step: &Step) -> i32 {
        match step {
            Step::Segment(segment) => (self.view.number(segment.ack) - self.view.iss) as i32,
            Step::Call(_) => 1,
        }
    }
}
