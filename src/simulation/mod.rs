//! Worlds in virtual time that check themselves.
//!
//! A world is a few hosts, a bad network, and users and peers of any kind, all from one
//! seed. It runs as fast as the machine can, however long it takes in its own time, and
//! after each step it looks whether all that should hold does. What it finds can be had again by
//! its seed, packet by packet.

mod broken;
mod choices;
mod model;
mod observer;

pub use self::broken::Broken;
pub use self::choices::{Bytes, Choices, Dice};
pub use self::observer::{Observer, Passage};
