//! One host against hostile peers.
//!
//! Peers aim at the sequence numbers in use, so that most segments reach deep into the state
//! machine; in some worlds most of them, or all, are as they should be and only the network is
//! bad, so that connections live long enough to carry, lose, recover and close. The octet
//! at number n is known in both directions, so that whatever is delivered checks itself, however
//! mad its sender. One connection is left alone and has to remain unharmed.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `host` | how the host is set up, and when its clock starts |
//! | `peer` | what a peer knows of its connection, and checks of what it gets |
//! | `end` | what a right one remembers |
//! | `right` | peers that are as they should be |
//! | `hostile` | peers that are not |
//! | `lies` | text that must not be taken |
//! | `network` | how packets come and go; fragments, ICMP, garbage |
//! | `user` | what the host's users call, and what they are told |
//! | `checks` | what holds after each step, and how all ends |

mod checks;
mod end;
mod host;
mod hostile;
mod lies;
mod network;
mod peer;
mod right;
mod user;

use std::time::Duration;

use self::checks::Bystander;
use self::peer::Peer;
use self::user::Handle;
use super::books::Books;
use super::broken::Broken;
use super::{Choices, Observer};
use crate::stack::{Counters, Listen, ListenerId, Stack};
use crate::tcp::State;
use crate::time::Instant;

/// A host under siege, by peers that aim at the numbers in use, so that most of their segments reach
/// deep into the state machine.
///
/// In some worlds most peers, or all, are as they should be and only the network is bad, so that
/// connections live long enough to carry, lose, recover and close. What is delivered checks itself,
/// however mad its sender. One connection is left alone and has to remain unharmed.
///
/// ```
/// use zerotcp::simulation::{Dice, Siege};
///
/// let mut siege = Siege::new(Dice::new(7));
/// siege.run(&mut ())?;
/// println!("{} to {}: {:?}", siege.start(), siege.now(), siege.depth());
/// # Ok::<(), zerotcp::simulation::Broken>(())
/// ```
#[derive(Debug)]
pub struct Siege<C> {
    choices: C,
    manners: Manners,
    stack: Stack,
    start: Instant,
    now: Instant,
    /// By how much the clock is behind that the stack is told: it may have gone back.
    behind: Duration,
    /// At one port, and on some hosts at all others.
    listeners: [Option<ListenerId>; 2],
    /// One for each quad ever used.
    peers: Vec<Peer>,
    handles: Vec<Handle>,
    bystander: Option<Bystander>,
    /// What the host has taken in and given out.
    books: Books,
    /// How many steps are to come.
    steps: u32,
    /// The states that connections were in, and left, a bit each.
    left: u16,
    depth: Depth,
    /// Room for what users send and read.
    scratch: Vec<u8>,
}

/// How peers, users and network are in one world.
#[derive(Clone, Copy, Debug)]
struct Manners {
    /// How many of the peers' segments, in percent, come from right ends.
    tame: u64,
    /// How many attackers there are.
    crowd: u64,
    /// How many segments between right ends and the host are lost, in percent.
    loss: u64,
    /// How many of those that come next are lost on top.
    dark: u32,
    /// Whether nothing is lost any more.
    good: bool,
    /// Whether users do what events say at once.
    diligent: bool,
    /// Whether timers are seen to when they are due, not when something else happens.
    punctual: bool,
    /// What the peers' timestamps are ahead of the clock, in milliseconds.
    stamp_offset: u32,
}

/// How deep a siege got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Depth {
    /// Octets that the host sent and its peers acknowledged, of connections that users held.
    pub octets_acked: u64,
    /// Octets that the host received in order, of connections that users held.
    pub octets_received: u64,
    /// Segments sent again in fast recovery.
    pub fast_retransmissions: u64,
    /// Segments sent again after a timeout.
    pub timeout_retransmissions: u64,
    /// Probes for a lost tail.
    pub tail_probes: u64,
    /// Episodes of recovery that turned out to be needless.
    pub spurious: u64,
    /// How often a connection's numbers went past 2^31 or 2^32, the host's or a peer's.
    pub wraps: u64,
    /// Connections that ended by FINs of both sides.
    pub finished: u64,
}

impl<C: Choices> Siege<C> {
    /// The world that belongs to these choices.
    pub fn new(mut choices: C) -> Siege<C> {
        let config = host::config(&mut choices);
        let start = host::start(&mut choices, &config);
        let manners = Manners {
            tame: choices.pick(&[0, 50, 80, 95, 98, 100, 100]),
            crowd: choices.pick(&[8, 8, 2, 1]),
            loss: choices.pick(&[0, 1, 5, 20]),
            dark: 0,
            good: false,
            diligent: choices.percent(50),
            punctual: choices.percent(70),
            stamp_offset: host::fresh(&mut choices).0,
        };
        let steps = choices.pick(&[300, 300, 1000, 2000]);
        let mut stack = Stack::new(config);
        let others = Listen::any_port().address(host::HOST).backlog(2);
        let listeners = [
            stack.listen(host::listen()).ok(),
            choices
                .percent(50)
                .then(|| stack.listen(others).ok())
                .flatten(),
        ];
        Siege {
            choices,
            manners,
            stack,
            start,
            now: start,
            behind: Duration::ZERO,
            listeners,
            peers: Vec::new(),
            handles: Vec::new(),
            bystander: None,
            books: Books::default(),
            steps,
            left: 0,
            depth: Depth::default(),
            scratch: vec![0; 100_000],
        }
    }

    /// All of it: as many steps as the choices say, and the end.
    ///
    /// # Errors
    /// What does not hold.
    pub fn run(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        self.introduce(watch);
        while self.steps > 0 && !self.choices.is_exhausted() {
            self.steps -= 1;
            self.step(watch)?;
        }
        self.end(watch)
    }

    /// Who lives here, and who comes.
    fn introduce(&self, watch: &mut dyn Observer) {
        let (config, manners) = (self.stack.config(), &self.manners);
        let tcp = &config.tcp;
        watch.note(
            self.now,
            0,
            format_args!(
                "is {}: MTU {}, buffers {} out and {} in, {:?}, sack {}, timestamps {}, scaling {}, \
                 ECN {:?}, half-open {}, cookies {}; {} peers, {}% of their segments are right, \
                 {}% get lost, diligent users: {}, punctual: {}, {} steps",
                host::HOST,
                config.mtu,
                tcp.send_buffer,
                tcp.receive_buffer,
                tcp.congestion,
                tcp.sack,
                tcp.timestamps,
                tcp.window_scaling,
                tcp.ecn,
                config.max_half_open,
                config.syn_cookies,
                manners.crowd,
                manners.tame,
                manners.loss,
                manners.diligent,
                manners.punctual,
                self.steps
            ),
        );
    }

    /// The next thing happens: a packet comes, a user calls, time passes.
    ///
    /// # Errors
    /// What does not hold.
    pub fn step(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        if self.bystander.is_none() {
            self.open_bystander(watch)?;
        }
        if rarely(&mut self.choices, 3) {
            self.behind = Duration::from_millis(self.choices.below(1 << 30));
            watch.note(self.now, 0, format_args!("clock back by {:?}", self.behind));
        }
        if rarely(&mut self.choices, 1) {
            self.manners.dark = self.choices.below(20) as u32;
        }
        match self.choices.below(100) {
            0..18 => self.pass_some(watch)?,
            18..78 => self.send_segment(watch)?,
            78..79 => self.send_garbage(watch)?,
            79..80 => self.send_icmp(watch)?,
            80..82 => self.connect(watch)?,
            _ => self.use_handle(watch)?,
        }
        if self.choices.percent(80) {
            self.drain(watch)?;
        }
        self.accept(watch)?;
        if self.choices.percent(70) {
            self.poll_events(watch)?;
        }
        self.behind = Duration::ZERO;
        if rarely(&mut self.choices, 2) {
            self.check_bystander(watch)?;
        }
        self.check()
    }

    /// Time goes by, mostly little of it.
    fn pass_some(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        const DAY: u64 = 24 * 60 * 60;

        let choices = &mut self.choices;
        let time = match choices.below(100) {
            0..50 => Duration::from_nanos(1_000_000 + choices.below(50_000_000)),
            50..90 => Duration::from_millis(choices.below(2000)),
            90..99 => Duration::from_millis(choices.below(100_000)),
            // The machine sleeps: for hours, days, or until all timestamps are stale (RFC 7323
            // section 5.5).
            _ => {
                let days = choices.pick(&[1, 1, 30]);
                Duration::from_secs(choices.below(days * DAY))
            }
        };
        self.pass(watch, time)
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// When it began.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// What the host has counted.
    pub fn counters(&self) -> &Counters {
        self.stack.counters()
    }

    /// How deep it got.
    pub fn depth(&self) -> Depth {
        Depth {
            finished: self.stack.counters().connections_finished,
            ..self.depth
        }
    }

    /// Whether a connection was in this state, and left it.
    pub fn has_left(&self, state: State) -> bool {
        self.left & 1 << state as u16 != 0
    }

    /// What the stack is told of the time.
    fn clock(&self) -> Instant {
        self.now - self.behind
    }

    /// Whether the peers do nothing that they should not.
    fn is_right(&self) -> bool {
        self.manners.tame == 100
    }
}

impl Manners {
    /// What the peers' timestamps say.
    fn stamp(&self, now: Instant) -> u32 {
        // Modulo 2^32, as timestamps are.
        (now.as_millis() as u32).wrapping_add(self.stamp_offset)
    }
}

/// True in `chance` of 100 cases, and never when the choices are used up.
fn rarely(choices: &mut impl Choices, chance: u64) -> bool {
    choices.below(100) >= 100 - chance
}

#[cfg(test)]
mod tests {
    use core::fmt;
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;
    use crate::device::Rng;
    use crate::simulation::{Bytes, Dice, Passage};

    /// What is seen of a world, in one number, and how much it is.
    #[derive(Default)]
    struct Print {
        hasher: DefaultHasher,
        count: u64,
    }

    impl Observer for Print {
        fn packet(&mut self, now: Instant, _: usize, passage: Passage, packet: &[u8]) {
            (now, passage == Passage::Sent, packet).hash(&mut self.hasher);
            self.count += 1;
        }

        fn note(&mut self, now: Instant, _: usize, what: fmt::Arguments<'_>) {
            (now, what.to_string()).hash(&mut self.hasher);
        }
    }

    fn print(choices: impl Choices) -> (u64, u64) {
        let mut print = Print::default();
        Siege::new(choices).run(&mut print).unwrap();
        (print.hasher.finish(), print.count)
    }

    #[test]
    fn the_same_choices_make_the_same_world() {
        for seed in 0..20 {
            assert_eq!(print(Dice::new(seed)), print(Dice::new(seed)));
        }
        assert_ne!(print(Dice::new(0)), print(Dice::new(1)));
    }

    #[test]
    fn a_world_ends_when_the_choices_are_used_up() {
        let mut rng = Rng::new(3);
        let mut bytes = Vec::new();
        let mut counts = Vec::new();
        for len in [0, 1, 10, 100, 300, 1000, 3000, 10_000] {
            bytes.resize_with(len, || rng.next_u64() as u8);
            counts.push(print(Bytes(&bytes)).1);
            print(Bytes(&vec![0; len]));
            print(Bytes(&vec![0xff; len]));
        }
        assert!(counts.last() > Some(&(10 * counts[0])), "{counts:?}");
    }
}
