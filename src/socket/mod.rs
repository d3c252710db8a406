//! Where a [`Stack`](crate::stack::Stack) meets a device and a clock.
//!
//! The stack itself does no I/O. A [`Driver`] does it for one stack and one device, on
//! one thread. Feature `tun`, on Linux.

mod driver;

pub use driver::{Direction, Driver, Observer, wait};
