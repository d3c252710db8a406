//! A TCP/IP stack in user space.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs, unsafe_code)]

#[cfg(feature = "std")]
pub mod device;
#[cfg(all(feature = "tun", target_os = "linux"))]
pub mod socket;
#[cfg(feature = "std")]
pub mod stack;
#[cfg(feature = "std")]
pub mod tcp;
#[cfg(feature = "std")]
pub mod time;
pub mod wire;
