//! What a connection in use allocates: nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use zerotcp::stack::{Config, ConnectionId, Listen, Meta, Stack};
use zerotcp::time::Instant;

/// Counts what each thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: passes all on to the system's allocator; the count is a plain cell without
// destructor, which allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are those that the system asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: it came from `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Two hosts and what is between them.
struct Pair {
    now: Instant,
    hosts: [Stack; 2],
    ends: [ConnectionId; 2],
    /// How many packets there were.
    packets: u64,
    /// Each so many packets the next two change places; none where zero.
    swap: u64,
}

impl Pair {
    fn connected() -> Pair {
        let [left, right] = [1, 2].map(|n| Ipv4Addr::new(10, 0, 0, n));
        let mut hosts = [left, right].map(|address| Stack::new(Config::seeded(address, 1)));
        let listener = hosts[1].listen(Listen::port(7)).unwrap();
        let now = Instant::from_millis(1000);
        let client = hosts[0].connect(now, SocketAddrV4::new(right, 7)).unwrap();
        let mut pair = Pair {
            now,
            hosts,
            ends: [client, client],
            packets: 0,
            swap: 0,
        };
        pair.exchange();
        pair.ends[1] = pair.hosts[1].accept(listener).unwrap();
        pair
    }

    /// Carries packets until there are none.
    fn exchange(&mut self) {
        let mut buffers = [[0; 1500]; 2];
        loop {
            let before = self.packets;
            for (from, to) in [(0, 1), (1, 0)] {
                while let Some(first) = self.hosts[from].poll_transmit(self.now, &mut buffers[0]) {
                    self.packets += 1;
                    let swap = self.swap > 0 && self.packets.is_multiple_of(self.swap);
                    if swap
                        && let Some(next) =
                            self.hosts[from].poll_transmit(self.now, &mut buffers[1])
                    {
                        self.packets += 1;
                        let packet = &buffers[1][..next.len];
                        self.hosts[to].receive(self.now, packet, Meta::default());
                    }
                    let packet = &buffers[0][..first.len];
                    self.hosts[to].receive(self.now, packet, Meta::default());
                }
            }
            if self.packets == before {
                break;
            }
        }
    }

    /// One end sends `len` octets, the other one reads them, and time goes by.
    fn transfer(&mut self, from: usize, len: usize) {
        let (mut data, mut done) = ([7; 50_000], 0);
        assert_eq!(
            self.hosts[from].send(self.ends[from], &data[..len]),
            Ok(len)
        );
        for _ in 0..100 {
            self.exchange();
            let to = &mut self.hosts[1 - from];
            done += to.recv(self.ends[1 - from], &mut data).unwrap_or(0);
            self.now += Duration::from_millis(1);
            for host in &mut self.hosts {
                host.handle_timeout(self.now);
                while host.poll_event().is_some() {}
            }
            if done == len {
                return;
            }
        }
        panic!("{done} of {len} octets arrived");
    }

    fn rounds(&mut self, count: usize) {
        for round in 0..count {
            self.transfer(0, 50_000);
            self.transfer(1, 20_000);
            self.transfer(round % 2, 100);
        }
    }
}

#[test]
fn a_connection_in_use_allocates_nothing() {
    for swap in [0, 7] {
        let mut pair = Pair::connected();
        pair.swap = swap;
        // Buffers grow to what they need.
        pair.rounds(100);
        let (before, packets) = (ALLOCATIONS.get(), pair.packets);
        pair.rounds(1000);
        assert_eq!(ALLOCATIONS.get() - before, 0, "one in {swap} out of order");
        assert!(pair.packets - packets > 50_000);
        // The counter counts: after a pause the buffers are made anew.
        pair.now += Duration::from_secs(2);
        pair.hosts
            .iter_mut()
            .for_each(|host| host.handle_timeout(pair.now));
        pair.rounds(1);
        assert!(ALLOCATIONS.get() > before);
    }
}
