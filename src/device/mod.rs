//! Where packets come from and go to.
//!
//! | device | what it is |
//! | --- | --- |
//! | [`Tun`] | a TUN interface: the packets of a real kernel (Linux, feature `tun`) |
//! | [`MemoryLink`] | two ends joined in memory |
//! | [`Impaired`] | a device behind a bad network: loss, delay, a slow line, from a seed |
//! | [`Captured`] | a device whose packets are written to a capture file (feature `pcap`) |
//!
//! The last two wrap any other, and each other: `Captured<Impaired<Tun>>` records
//! what the stack saw, `Impaired<Captured<Tun>>` what was on the wire. A [`Lane`] is one
//! direction of a bad network on its own, to build networks of.

#[cfg(feature = "pcap")]
mod capture;
#[cfg(test)]
pub(crate) mod flood;
mod impair;
#[cfg(all(feature = "tun", target_os = "linux"))]
mod interface;
mod memory;
#[cfg(all(feature = "tun", target_os = "linux"))]
mod namespace;
mod pool;
mod rng;
#[cfg(all(feature = "tun", target_os = "linux"))]
mod tun;

use std::io;

use crate::time::Instant;

#[cfg(feature = "pcap")]
pub use capture::Captured;
pub use impair::{Impaired, Impairment, ImpairmentCounters, ImpairmentError, Lane};
#[cfg(all(feature = "tun", target_os = "linux"))]
pub use interface::Interface;
pub use memory::{MemoryCounters, MemoryLink};
#[cfg(all(feature = "tun", target_os = "linux"))]
pub use namespace::enter_private_network;
pub use rng::Rng;
#[cfg(all(feature = "tun", target_os = "linux"))]
pub use tun::{Tun, TunConfig, TunCounters};

/// Something that IP packets come from and go to, one packet a call.
///
/// A device never blocks. Time is an argument, so that a device that delays
/// packets (an impairment) works in virtual time too; it must not run backwards.
pub trait Device {
    /// Receives one IP packet into `buffer` and returns its length in bytes, or
    /// `None` when nothing waits.
    ///
    /// `buffer` holds at least [`mtu`](Device::mtu) bytes; a longer packet is
    /// cut at the buffer's end.
    ///
    /// # Errors
    /// Whatever the underlying device reports, but `WouldBlock`, which is `None`.
    fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> io::Result<Option<usize>>;

    /// Sends one IP packet. A device that has no room drops the packet, as a
    /// network does.
    ///
    /// # Errors
    /// Whatever the underlying device reports when it is broken for good.
    fn transmit(&mut self, now: Instant, packet: &[u8]) -> io::Result<()>;

    /// When the device itself next has something to do (a delayed packet falls
    /// due), if it knows.
    ///
    /// When that time comes, call [`handle_timeout`](Device::handle_timeout) for
    /// what is to be sent, and then [`receive`](Device::receive) for what is to
    /// be taken: a packet on its way in may be what fell due.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Does what has fallen due by `now`: sends on the packets that were held back.
    ///
    /// # Errors
    /// As [`transmit`](Device::transmit).
    fn handle_timeout(&mut self, now: Instant) -> io::Result<()> {
        let _ = now;
        Ok(())
    }

    /// The largest IP packet that the device carries, in bytes.
    fn mtu(&self) -> usize;
}

/// A boxed device, so that which wrappers there are can be settled at run time.
impl<D: Device + ?Sized> Device for Box<D> {
    fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        (**self).receive(now, buffer)
    }

    fn transmit(&mut self, now: Instant, packet: &[u8]) -> io::Result<()> {
        (**self).transmit(now, packet)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) -> io::Result<()> {
        (**self).handle_timeout(now)
    }

    fn mtu(&self) -> usize {
        (**self).mtu()
    }
}
