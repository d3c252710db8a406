//! A TCP/IP stack in user space.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs, unsafe_code)]

#[cfg(feature = "pcap")]
pub mod capture;
#[cfg(feature = "std")]
pub mod device;
#[cfg(feature = "std")]
pub mod time;
pub mod wire;
