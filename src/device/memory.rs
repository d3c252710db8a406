//! Two devices joined in memory.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::device::Device;
use crate::device::pool::Pool;
use crate::time::Instant;

/// Packets that one direction of a link holds unless told otherwise.
const DEFAULT_QUEUE: usize = 1000;

/// One end of a link in memory: what is sent here is received at the other end,
/// in order and at once.
///
/// The ends share their queues through a lock, so that they may live on two
/// threads as well as one; a lock that nobody contends costs a few nanoseconds,
/// little beside copying a packet. There is no wake-up: an end that waits for packets
/// asks again.
///
/// ```
/// use zerotcp::device::{Device, MemoryLink};
/// use zerotcp::time::Instant;
///
/// let (mut left, mut right) = MemoryLink::pair(1500);
/// left.transmit(Instant::ZERO, b"over the wire")?;
/// let mut buffer = [0; 1500];
/// assert_eq!(right.receive(Instant::ZERO, &mut buffer)?, Some(13));
/// assert_eq!(right.receive(Instant::ZERO, &mut buffer)?, None);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct MemoryLink {
    outgoing: Arc<Mutex<Direction>>,
    incoming: Arc<Mutex<Direction>>,
    mtu: usize,
}

/// What one end of a [`MemoryLink`] dropped of what it was given to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryCounters {
    /// Packets that found the queue full.
    pub overflowed: u64,
    /// Packets longer than the MTU.
    pub oversized: u64,
}

impl MemoryLink {
    /// The two ends of a new link that carries packets of up to `mtu` bytes and
    /// holds up to 1000 of them in each direction.
    pub fn pair(mtu: usize) -> (MemoryLink, MemoryLink) {
        MemoryLink::pair_with_queue(mtu, DEFAULT_QUEUE)
    }

    /// As [`pair`](MemoryLink::pair), holding up to `queue` packets in each
    /// direction. A packet that finds the queue full is dropped and counted.
    pub fn pair_with_queue(mtu: usize, queue: usize) -> (MemoryLink, MemoryLink) {
        let a = Arc::new(Mutex::new(Direction::new(queue)));
        let b = Arc::new(Mutex::new(Direction::new(queue)));
        let left = MemoryLink {
            outgoing: a.clone(),
            incoming: b.clone(),
            mtu,
        };
        let right = MemoryLink {
            outgoing: b,
            incoming: a,
            mtu,
        };
        (left, right)
    }

    /// What was dropped of what this end was given to send.
    pub fn counters(&self) -> MemoryCounters {
        lock(&self.outgoing).counters
    }
}

impl Device for MemoryLink {
    fn receive(&mut self, _now: Instant, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let mut incoming = lock(&self.incoming);
        let Some(packet) = incoming.packets.pop_front() else {
            return Ok(None);
        };
        Ok(Some(incoming.pool.copy_out(packet, buffer)))
    }

    fn transmit(&mut self, _now: Instant, packet: &[u8]) -> io::Result<()> {
        let mut outgoing = lock(&self.outgoing);
        if packet.len() > self.mtu {
            outgoing.counters.oversized += 1;
        } else if outgoing.packets.len() >= outgoing.capacity {
            outgoing.counters.overflowed += 1;
        } else {
            let packet = outgoing.pool.copy(packet);
            outgoing.packets.push_back(packet);
        }
        Ok(())
    }

    fn mtu(&self) -> usize {
        self.mtu
    }
}

#[derive(Debug)]
struct Direction {
    packets: VecDeque<Vec<u8>>,
    capacity: usize,
    pool: Pool,
    counters: MemoryCounters,
}

impl Direction {
    fn new(capacity: usize) -> Direction {
        Direction {
            packets: VecDeque::new(),
            capacity,
            pool: Pool::default(),
            counters: MemoryCounters::default(),
        }
    }
}

/// A thread that panicked while it held the lock left whole packets in the queue:
/// the other end goes on.
fn lock(direction: &Mutex<Direction>) -> MutexGuard<'_, Direction> {
    direction.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const NOW: Instant = Instant::ZERO;

    fn receive(link: &mut MemoryLink) -> Option<Vec<u8>> {
        let mut buffer = vec![0; link.mtu()];
        let len = link.receive(NOW, &mut buffer).unwrap()?;
        buffer.truncate(len);
        Some(buffer)
    }

    #[test]
    fn carries_packets_both_ways_in_order() {
        let (mut left, mut right) = MemoryLink::pair(100);
        for packet in [b"one".as_slice(), b"", b"three"] {
            left.transmit(NOW, packet).unwrap();
        }
        right.transmit(NOW, b"back").unwrap();
        assert_eq!(receive(&mut right).unwrap(), b"one");
        assert_eq!(receive(&mut right).unwrap(), b"");
        assert_eq!(receive(&mut right).unwrap(), b"three");
        assert_eq!(receive(&mut right), None);
        assert_eq!(receive(&mut left).unwrap(), b"back");
        assert_eq!(receive(&mut left), None);
    }

    #[test]
    fn a_full_queue_drops_what_comes_last() {
        let (mut left, mut right) = MemoryLink::pair_with_queue(100, 2);
        for packet in [[1], [2], [3]] {
            left.transmit(NOW, &packet).unwrap();
        }
        assert_eq!(
            left.counters(),
            MemoryCounters {
                overflowed: 1,
                oversized: 0
            }
        );
        assert_eq!(right.counters(), MemoryCounters::default());
        assert_eq!(receive(&mut right).unwrap(), [1]);
        assert_eq!(receive(&mut right).unwrap(), [2]);
        assert_eq!(receive(&mut right), None);
        left.transmit(NOW, &[4]).unwrap();
        assert_eq!(receive(&mut right).unwrap(), [4]);
    }

    #[test]
    fn a_packet_over_the_mtu_is_dropped() {
        let (mut left, mut right) = MemoryLink::pair(100);
        left.transmit(NOW, &[0; 101]).unwrap();
        left.transmit(NOW, &[0; 100]).unwrap();
        assert_eq!(
            left.counters(),
            MemoryCounters {
                overflowed: 0,
                oversized: 1
            }
        );
        assert_eq!(receive(&mut right).unwrap(), [0; 100]);
        assert_eq!(receive(&mut right), None);
    }

    #[test]
    fn a_warm_link_allocates_no_buffers() {
        let (mut left, mut right) = MemoryLink::pair(100);
        for _ in 0..1000 {
            left.transmit(NOW, &[0; 100]).unwrap();
            receive(&mut right).unwrap();
        }
        // One packet was out at a time, so one buffer did for all of them.
        let mut direction = lock(&left.outgoing);
        assert!(direction.pool.copy(&[]).capacity() >= 100);
        assert_eq!(direction.pool.copy(&[]).capacity(), 0);
    }

    #[test]
    fn works_between_threads() {
        let (mut left, mut right) = MemoryLink::pair_with_queue(100, 10_000);
        let sender = thread::spawn(move || {
            for n in 0..10_000u32 {
                left.transmit(NOW, &n.to_be_bytes()).unwrap();
            }
        });
        let mut expected = 0u32;
        while expected < 10_000 {
            match receive(&mut right) {
                Some(packet) => {
                    assert_eq!(packet, expected.to_be_bytes());
                    expected += 1;
                }
                None => thread::yield_now(),
            }
        }
        sender.join().unwrap();
    }
}
