//! Worlds in virtual time that check themselves.
//!
//! A world is a few hosts, a bad network, and users and peers of any kind, all from one
//! seed. It runs as fast as the machine can, however long it takes in its own time, and
//! after each step it looks whether all that should hold does. What it finds can be had again by
//! its seed, packet by packet: `zerotcp simulate` does that for as many seeds as you like.
//!
//! ```
//! let summary = zerotcp::simulation::run(7, &mut ())?;
//! println!("{summary}");
//! # Ok::<(), zerotcp::simulation::Failure>(())
//! ```
//!
//! # Two kinds of worlds
//!
//! **Two stacks that talk** over a way that loses, at random and in bursts, delays, reorders,
//! doubles, corrupts, marks, fragments, goes dark, changes its MTU and its speed. Their clocks
//! leap, their sequence numbers start anywhere and next to 2^31 and 2^32, and their users write
//! by the octet or by the megabyte, read slowly or not at all for a while, say something urgent,
//! close early, abort, or open from both ends at once.
//!
//! **One stack under siege**, [`Siege`]: peers that aim at the numbers in use with segments of any
//! kind, or that behave while the network does not. Its decisions come from any [`Choices`], so a
//! fuzzer can make them; [`replay`] makes what one has found happen again.
//!
//! # What holds
//!
//! - Octets arrive once, in order and unchanged; none arrives that was not sent.
//! - What two users who stay to the end send each other arrives, and both ends finish. Nothing
//!   stands still: who has something to send, or is owed an answer, has a timer running, and
//!   no timer is past that has not fired. Users act on events alone: one that is not told what it waits
//!   for makes a world that does not end.
//! - SND.UNA <= SND.NXT <= SND.UNA + the window offered; what is sent follows what was sent;
//!   nothing is acknowledged that was not; no window's right edge goes back.
//! - A TCB's books balance: scoreboard, reassembly, buffers, retransmissions, each against its bounds;
//!   so do the stack's: table, timers, orphans, fragments, queues.
//! - Nobody is given up before the limits are used up that are there for that, nor without a loss,
//!   and nobody is waited for beyond them.
//! - Every packet sent parses, and its checksums are right. A reset has the numbers of what it
//!   answers, or of the connection that it ends.
//! - What the stack counts is what its network has seen.
//! - In the end no connection is left.

mod books;
mod broken;
mod choices;
mod heard;
mod model;
mod observer;
mod pair;
mod resets;
mod router;
mod run;
mod scout;
mod siege;
mod sound;
mod text;

pub use self::broken::Broken;
pub use self::choices::{Bytes, Choices, Dice};
pub use self::observer::{Observer, Passage};
pub use self::run::{Failure, Summary, replay, run};
pub use self::siege::{Depth, Siege};
pub use self::sound::check_sent;
pub use self::text::octet;
