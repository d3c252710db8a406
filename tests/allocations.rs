//! What a connection in use allocates: nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use zerotcp::stack::{Config, ConnectionId, Listen, Meta, Stack};
use zerotcp::tcp::Tally;
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
    fn connected(change: impl Fn(&mut Config)) -> Pair {
        let [left, right] = [1, 2].map(|n| Ipv4Addr::new(10, 0, 0, n));
        let mut hosts = [left, right].map(|address| {
            let mut config = Config::seeded(address, 1);
            // Windows, and with them what is kept of what is in flight, stop growing early.
            config.tcp.send_buffer = 1 << 16;
            config.tcp.receive_buffer = 1 << 16;
            change(&mut config);
            Stack::new(config)
        });
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

/// The way between them, of 10 ms and some losses: both sides send all they can.
struct Path {
    pair: Pair,
    /// What is under way: when it arrives, at whom, and how long it is.
    under_way: VecDeque<(Instant, usize, usize, [u8; 1500])>,
    /// Of so many packets one is lost, by chance; none where zero.
    lossy: u64,
    chance: u64,
    /// How many octets each side has read.
    read: [u64; 2],
}

impl Path {
    const DELAY: Duration = Duration::from_millis(10);
    const ROOM: usize = 1000;

    fn new() -> Path {
        Path {
            // Timeouts that back off make pauses, in which buffers would be given back.
            pair: Pair::connected(|config| config.tcp.buffer_retention = Duration::from_secs(60)),
            under_way: VecDeque::with_capacity(Path::ROOM),
            lossy: 0,
            chance: 1,
            read: [0; 2],
        }
    }

    /// Goes on for so long.
    fn run(&mut self, time: Duration) {
        let end = self.pair.now + time;
        while self.pair.now < end {
            self.use_both();
            for from in [0, 1] {
                self.carry(from);
            }
            let timeouts = self.pair.hosts.iter().filter_map(Stack::poll_timeout);
            let arrival = self.under_way.front().map(|packet| packet.0);
            let next = timeouts.chain(arrival).min().expect("it goes on");
            self.pair.now = self.pair.now.max(next);
            for host in &mut self.pair.hosts {
                host.handle_timeout(self.pair.now);
                while host.poll_event().is_some() {}
            }
            while let Some((_, to, len, packet)) = self
                .under_way
                .pop_front_if(|packet| packet.0 <= self.pair.now)
            {
                let host = &mut self.pair.hosts[to];
                host.receive(self.pair.now, &packet[..len], Meta::default());
            }
        }
    }

    /// Both users read what there is and send what is taken.
    fn use_both(&mut self) {
        let mut data = [7; 5000];
        for ((host, id), read) in self
            .pair
            .hosts
            .iter_mut()
            .zip(self.pair.ends)
            .zip(&mut self.read)
        {
            while let Ok(count) = host.recv(id, &mut data) {
                *read += count as u64;
            }
            while host.send(id, &data).is_ok() {}
        }
    }

    fn tally(&self) -> Tally {
        let info = self.pair.hosts[0].info(self.pair.ends[0]);
        info.expect("it is there").tally
    }

    fn is_lost(&mut self) -> bool {
        // Knuth's generator, of which the upper bits are good.
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005);
        self.chance = self.chance.wrapping_add(1_442_695_040_888_963_407);
        self.lossy > 0 && (self.chance >> 33).is_multiple_of(self.lossy)
    }

    /// What one host has to send is under way, or lost.
    fn carry(&mut self, from: usize) {
        let mut packet = [0; 1500];
        while let Some(transmit) = self.pair.hosts[from].poll_transmit(self.pair.now, &mut packet) {
            self.pair.packets += 1;
            if !self.is_lost() {
                let arrival = self.pair.now + Path::DELAY;
                self.under_way
                    .push_back((arrival, 1 - from, transmit.len, packet));
            }
        }
        assert!(
            self.under_way.len() <= Path::ROOM,
            "what is kept here does not grow"
        );
    }
}

#[test]
fn dialogues_allocate_nothing() {
    for swap in [0, 7] {
        let mut pair = Pair::connected(|_| {});
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

#[test]
fn bulk_both_ways_allocates_nothing_whatever_is_lost() {
    const LOSSES: [u64; 4] = [0, 100, 20, 10];
    const TIME: Duration = Duration::from_secs(10);

    let mut path = Path::new();
    // Buffers grow to what they need, lists of gaps to the most that chance brings.
    for lossy in LOSSES.into_iter().chain([5, 0, 3]).chain(LOSSES) {
        path.lossy = lossy;
        path.run(6 * TIME);
    }
    for lossy in LOSSES {
        path.lossy = lossy;
        let (before, read) = (path.tally(), path.read);
        let allocations = ALLOCATIONS.get();
        path.run(TIME);
        let allocations = ALLOCATIONS.get() - allocations;
        assert_eq!(allocations, 0, "one in {lossy} lost");

        // It was what it is meant to be.
        let after = path.tally();
        let fast = after.fast_retransmissions - before.fast_retransmissions;
        let late = after.timeout_retransmissions - before.timeout_retransmissions;
        assert_eq!(fast > 10, lossy > 0, "{fast} lost");
        assert!(late > 0 || lossy != 10, "no timeout");
        for (after, before) in path.read.iter().zip(read) {
            let octets = after - before;
            assert!(octets > 500_000, "one in {lossy} lost: {octets} octets");
        }
    }
}
