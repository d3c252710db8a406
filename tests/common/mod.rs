//! What the integration tests share, and benches that need a network.

// Each target uses a part of it.
#![allow(dead_code)]

pub mod dice;
pub mod heap;
#[cfg(feature = "cli")]
pub mod network;
pub mod noise;
pub mod packets;
#[cfg(feature = "cli")]
pub mod pump;
pub mod script;
pub mod sender;
#[cfg(feature = "cli")]
pub mod serve;
