//! Two stacks over an impaired link, in virtual time: whatever happens on the way, the
//! bytes arrive once, in order and unchanged, both sides finish, and nothing is left.

mod common;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use common::script::octets;
use zerotcp::device::{Device, Impaired, Impairment, MemoryLink};
use zerotcp::stack::{Config, ConnectionId, Event, Listen, Meta, SocketError, Stack};
use zerotcp::tcp::{CloseReason, State};
use zerotcp::time::Instant;

const MTU: usize = 1500;

/// One end: a host and what its user still has to do.
struct End {
    stack: Stack,
    link: Box<dyn Device>,
    connection: Option<ConnectionId>,
    /// The number of the next octet to send, to read, and the last one of each.
    sent: usize,
    read: usize,
    to_send: usize,
    /// At most so many octets are read a turn.
    reads: usize,
    shut: bool,
    finished: bool,
}

impl End {
    fn new(stack: Stack, link: impl Device + 'static, to_send: usize, reads: usize) -> End {
        End {
            stack,
            link: Box::new(link),
            connection: None,
            sent: 0,
            read: 0,
            to_send,
            reads,
            shut: false,
            finished: false,
        }
    }

    /// Everything that can be done at `now`.
    fn turn(&mut self, now: Instant) {
        let mut buffer = [0; MTU];
        self.link.handle_timeout(now).unwrap();
        while let Some(len) = self.link.receive(now, &mut buffer).unwrap() {
            self.stack.receive(now, &buffer[..len], Meta::default());
        }
        self.stack.handle_timeout(now);
        while let Some(event) = self.stack.poll_event() {
            match event {
                Event::Incoming(listener) => self.connection = self.stack.accept(listener),
                Event::Closed(_, reason) => assert_eq!(reason, CloseReason::Finished),
                _ => {}
            }
        }
        if let Some(id) = self.connection {
            self.use_connection(id);
        }
        while let Some(transmit) = self.stack.poll_transmit(now, &mut buffer) {
            self.link.transmit(now, &buffer[..transmit.len]).unwrap();
        }
    }

    fn use_connection(&mut self, id: ConnectionId) {
        while self.sent < self.to_send {
            let len = (self.to_send - self.sent).min(4096);
            match self.stack.send(id, &octets(self.sent as u32, len)) {
                Ok(count) => self.sent += count,
                Err(SocketError::WouldBlock) => break,
                Err(error) => panic!("send: {error}"),
            }
        }
        let connected = self.stack.state(id) != Some(State::SynSent);
        if self.sent == self.to_send && !self.shut && connected {
            self.stack.shutdown(id).unwrap();
            self.shut = true;
        }
        let mut data = vec![0; self.reads];
        match self.stack.recv(id, &mut data) {
            Ok(0) => {
                self.finished = true;
                if self.shut {
                    self.stack.close(id);
                    self.connection = None;
                }
            }
            Ok(count) => {
                assert_eq!(
                    data[..count],
                    octets(self.read as u32, count),
                    "at {}",
                    self.read
                );
                self.read += count;
            }
            Err(SocketError::WouldBlock) => {}
            Err(error) => panic!("recv: {error}"),
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.stack
            .poll_timeout()
            .into_iter()
            .chain(self.link.poll_timeout())
            .min()
    }
}

struct Setup {
    seed: u64,
    impairment: Impairment,
    up: usize,
    down: usize,
    reads: usize,
    /// The receive buffer of both hosts, if not the default.
    buffer: Option<usize>,
    /// The first epoch of both hosts' clocks: decides the sequence numbers.
    start: Instant,
}

/// Runs until both have finished; the virtual time that it took.
fn run(setup: &Setup) -> Duration {
    let (client_address, server_address) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
    let (left, right) = MemoryLink::pair_with_queue(MTU, 1 << 16);
    let mut config = Config::seeded(client_address, setup.seed);
    if let Some(buffer) = setup.buffer {
        config.tcp.receive_buffer = buffer;
    }
    // Who has closed lets the worst link take as long as it takes.
    config.tcp.orphan_timeout = Duration::from_secs(3600);
    let client = Stack::new(config.clone());
    config.addresses = vec![server_address];
    let mut server = Stack::new(config);
    server.listen(Listen::port(7)).unwrap();

    // The impairment sits on one side and works in both directions.
    let link = Impaired::new(left, setup.impairment);
    let mut client = End::new(client, link, setup.up, setup.reads);
    let mut server = End::new(server, right, setup.down, setup.reads);
    let mut now = setup.start;
    let remote = SocketAddrV4::new(server_address, 7);
    client.connection = Some(client.stack.connect(now, remote).unwrap());

    let limit = now + Duration::from_secs(3600);
    loop {
        // Twice, since the link itself takes no time.
        for _ in 0..2 {
            client.turn(now);
            server.turn(now);
        }
        if client.finished && server.finished && client.connection.is_none() {
            break;
        }
        let busy = |end: &End| {
            end.connection
                .is_some_and(|id| !end.stack.recv_slices(id)[0].is_empty())
        };
        if busy(&client) || busy(&server) {
            // A slow reader.
            now += Duration::from_micros(100);
        } else {
            let next = client
                .next_timeout()
                .into_iter()
                .chain(server.next_timeout())
                .min();
            let next = next.unwrap_or_else(|| panic!("seed {}: stuck at {now}", setup.seed));
            now = now.max(next) + Duration::from_nanos(1);
        }
        assert!(
            now < limit,
            "seed {}: still at it after an hour",
            setup.seed
        );
    }
    assert_eq!(client.read, setup.down, "seed {}", setup.seed);
    assert_eq!(server.read, setup.up, "seed {}", setup.seed);
    let took = now - setup.start;

    // Both tables end up empty, with the last acknowledgments lost or not.
    let limit = now + Duration::from_secs(1200);
    while let Some(next) = client
        .next_timeout()
        .into_iter()
        .chain(server.next_timeout())
        .min()
    {
        now = now.max(next) + Duration::from_nanos(1);
        assert!(now < limit, "seed {}: timers without end", setup.seed);
        client.turn(now);
        server.turn(now);
    }
    let left = client.stack.connection_count() + server.stack.connection_count();
    assert_eq!(left, 0, "seed {}: connections are left", setup.seed);
    took
}

fn impairment(text: &str, seed: u64) -> Impairment {
    let text = if text.is_empty() {
        format!("seed={seed}")
    } else {
        format!("{text},seed={seed}")
    };
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_clean_link() {
    for (up, down) in [(0, 0), (1, 0), (0, 1), (100_000, 1), (3_000_000, 2_000_000)] {
        run(&Setup {
            seed: 1,
            impairment: impairment("", 1),
            up,
            down,
            reads: 65_536,
            buffer: None,
            start: Instant::from_millis(5),
        });
    }
}

#[test]
fn every_impairment_alone_and_together() {
    let kinds = [
        "loss=5%",
        "loss=20%",
        "reorder=10%",
        "duplicate=10%",
        "corrupt=5%",
        "delay=20ms",
        "delay=5ms,rate=10mbit",
        "delay=20ms,rate=10mbit,queue=20",
        "loss=2%,reorder=2%,duplicate=1%,corrupt=0.5%",
        "loss=10%,reorder=10%,duplicate=10%,corrupt=2%,delay=10ms",
    ];
    for (n, kind) in kinds.into_iter().enumerate() {
        for seed in 0..12 {
            let seed = seed + 100 * n as u64;
            run(&Setup {
                seed,
                impairment: impairment(kind, seed),
                up: 60_000,
                down: 90_000,
                reads: 65_536,
                buffer: None,
                start: Instant::from_millis(seed),
            });
        }
    }
}

#[test]
fn sequence_numbers_across_both_wraps() {
    // The clock adds a quarter of a million numbers a second, so some of these starts
    // have one side or the other cross 2^31 or 2^32 on the way.
    for n in 0..128u64 {
        run(&Setup {
            seed: 7,
            impairment: impairment("loss=3%,reorder=5%", n),
            up: 40_000_000 / 128,
            down: 1000,
            reads: 65_536,
            buffer: None,
            start: Instant::from_millis(n * 134_217),
        });
    }
}

#[test]
fn a_slow_reader_closes_the_window_and_loses_nothing() {
    for seed in 0..6 {
        run(&Setup {
            seed,
            impairment: impairment("loss=2%,delay=1ms", seed),
            up: 3_000_000,
            down: 10,
            reads: 700,
            buffer: None,
            start: Instant::ZERO,
        });
    }
}

#[test]
fn slow_readers_on_both_sides_with_small_buffers() {
    for buffer in [1, 100, 536, 1459, 1460, 2000, 2921, 9000, 65_536, 70_000] {
        for (seed, kind) in ["", "loss=5%,reorder=5%,delay=1ms"].into_iter().enumerate() {
            let len = (buffer * 40).min(300_000);
            run(&Setup {
                seed: seed as u64,
                impairment: impairment(kind, seed as u64),
                up: len,
                down: len,
                reads: 700,
                buffer: Some(buffer),
                start: Instant::ZERO,
            });
        }
    }
}
