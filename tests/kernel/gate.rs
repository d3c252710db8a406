//! A device on which two FINs cross.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use zerotcp::device::Device;
use zerotcp::time::Instant;
use zerotcp::wire::TcpPacket;

/// Holds everything back from the first FIN of one direction until the first FIN of the other:
/// each side has closed before it hears that the other has.
pub struct Gate<D> {
    device: D,
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
    fin_came: bool,
    fin_went: bool,
}

impl<D: Device> Gate<D> {
    pub fn new(device: D) -> Gate<D> {
        Gate {
            device,
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
            fin_came: false,
            fin_went: false,
        }
    }

    fn is_shut(&self) -> bool {
        self.fin_came != self.fin_went
    }

    fn send(&mut self, now: Instant) -> io::Result<()> {
        while !self.is_shut()
            && let Some(packet) = self.outgoing.pop_front()
        {
            self.device.transmit(now, &packet)?;
        }
        Ok(())
    }
}

impl<D: Device> Device for Gate<D> {
    fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        // Even while it is shut, to see the FIN that opens it.
        while let Some(len) = self.device.receive(now, buffer)? {
            self.fin_came |= has_fin(&buffer[..len]);
            self.incoming.push_back(buffer[..len].to_vec());
        }
        if self.is_shut() {
            return Ok(None);
        }
        Ok(self.incoming.pop_front().map(|packet| {
            buffer[..packet.len()].copy_from_slice(&packet);
            packet.len()
        }))
    }

    fn transmit(&mut self, now: Instant, packet: &[u8]) -> io::Result<()> {
        self.fin_went |= has_fin(packet);
        self.outgoing.push_back(packet.to_vec());
        self.send(now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let waits = !self.incoming.is_empty() || !self.outgoing.is_empty();
        (waits && !self.is_shut()).then_some(Instant::ZERO)
    }

    fn handle_timeout(&mut self, now: Instant) -> io::Result<()> {
        self.send(now)
    }

    fn mtu(&self) -> usize {
        self.device.mtu()
    }
}

impl<D: AsFd> AsFd for Gate<D> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

fn has_fin(packet: &[u8]) -> bool {
    TcpPacket::parse(packet).is_ok_and(|packet| packet.tcp.flags().fin())
}
