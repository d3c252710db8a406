use std::io;

use super::Device;
use crate::time::Instant;

/// For tests: always has a packet, of which only the first byte is set.
pub(crate) struct Flood;

impl Device for Flood {
    fn receive(&mut self, _now: Instant, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        buffer[0] = 0x45;
        Ok(Some(1))
    }

    fn transmit(&mut self, _now: Instant, _packet: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn mtu(&self) -> usize {
        1500
    }
}
