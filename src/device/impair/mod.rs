//! A device behind a bad network.

mod impairment;
mod lane;
#[cfg(test)]
mod tests;

use std::io;
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};

use crate::device::{Device, Rng};
use crate::time::Instant;

pub use impairment::{Impairment, ImpairmentError};
pub use lane::{ImpairmentCounters, Lane};

/// Packets taken from the inner device in one call of `receive` at most, so that a
/// flood of packets that are all lost or delayed gives the caller its turn.
const BURST: usize = 1 << 16;

/// A device whose packets are lost, reordered, duplicated, corrupted, delayed
/// and slowed down in both directions, as an [`Impairment`] says: a [`Lane`] each way,
/// whose documentation tells what a packet meets and in which order.
///
/// What happens depends on nothing but the seed and on the packets and their
/// times: the same run can be had again. Each direction draws from a stream
/// of its own.
///
/// ```
/// use std::time::Duration;
/// use zerotcp::device::{Device, Impaired, Impairment, MemoryLink};
/// use zerotcp::time::Instant;
///
/// let (left, mut right) = MemoryLink::pair(1500);
/// let impairment: Impairment = "delay=10ms,seed=1".parse()?;
/// let mut left = Impaired::new(left, impairment);
///
/// left.transmit(Instant::ZERO, b"packet")?;
/// let mut buffer = [0; 1500];
/// assert_eq!(right.receive(Instant::ZERO, &mut buffer)?, None);
///
/// let due = left.poll_timeout().unwrap();
/// assert_eq!(due, Instant::from_millis(10));
/// left.handle_timeout(due)?;
/// assert_eq!(right.receive(due, &mut buffer)?, Some(6));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Impaired<D> {
    device: D,
    incoming: Lane,
    outgoing: Lane,
}

impl<D: Device> Impaired<D> {
    /// Puts `device` behind the network that `impairment` describes.
    pub fn new(device: D, impairment: Impairment) -> Impaired<D> {
        let mut rng = Rng::new(impairment.seed);
        Impaired {
            device,
            incoming: Lane::with_rng(impairment, rng.fork()),
            outgoing: Lane::with_rng(impairment, rng.fork()),
        }
    }

    /// What has happened to packets received from the device.
    pub fn incoming(&self) -> ImpairmentCounters {
        self.incoming.counters()
    }

    /// What has happened to packets sent to the device.
    pub fn outgoing(&self) -> ImpairmentCounters {
        self.outgoing.counters()
    }

    /// The device behind the network.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Gives the device back. Packets on the way are gone.
    pub fn into_inner(self) -> D {
        self.device
    }

    fn send_due(&mut self, now: Instant) -> io::Result<()> {
        while let Some(packet) = self.outgoing.pop_due(now) {
            let sent = self.device.transmit(now, &packet);
            self.outgoing.recycle(packet);
            sent?;
        }
        Ok(())
    }
}

impl<D: Device> Device for Impaired<D> {
    fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        for _ in 0..BURST {
            if let Some(len) = self.incoming.receive(now, buffer) {
                return Ok(Some(len));
            }
            let Some(len) = self.device.receive(now, buffer)? else {
                return Ok(None);
            };
            self.incoming.send(now, &buffer[..len]);
        }
        Ok(None)
    }

    fn transmit(&mut self, now: Instant, packet: &[u8]) -> io::Result<()> {
        // What fell due earlier goes first.
        self.send_due(now)?;
        self.outgoing.send(now, packet);
        self.send_due(now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [
            self.incoming.poll_timeout(),
            self.outgoing.poll_timeout(),
            self.device.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn handle_timeout(&mut self, now: Instant) -> io::Result<()> {
        self.send_due(now)?;
        self.device.handle_timeout(now)
    }

    fn mtu(&self) -> usize {
        self.device.mtu()
    }
}

#[cfg(unix)]
impl<D: AsFd> AsFd for Impaired<D> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}
