//! The services and a client's stack, in virtual time.

use std::net::{Ipv4Addr, SocketAddrV4};

use zerotcp::stack::{Config, Meta};
use zerotcp::tcp::State;

use zerotcp::stack::SocketError;

use super::*;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const SERVICES: [(u16, Service); 4] = [
    (7, Service::Echo),
    (9, Service::Discard),
    (19, Service::Chargen),
    (80, Service::Http),
];

/// The services on a stack, a client's stack, and the line between them.
struct Pair {
    now: Instant,
    server: Server,
    server_stack: Stack,
    client: Stack,
}

impl Pair {
    /// Both with buffers of `buffer` bytes.
    fn new(buffer: usize) -> Pair {
        let stack = |address| {
            let mut config = Config::seeded(address, 1);
            config.tcp.send_buffer = buffer;
            config.tcp.receive_buffer = buffer;
            Stack::new(config)
        };
        let mut server = Server::default();
        let mut server_stack = stack(SERVER);
        for (port, service) in SERVICES {
            server
                .listen(&mut server_stack, Listen::port(port), service)
                .unwrap();
        }
        Pair {
            now: Instant::from_millis(1),
            server,
            server_stack,
            client: stack(CLIENT),
        }
    }

    fn connect(&mut self, port: u16) -> ConnectionId {
        let remote = SocketAddrV4::new(SERVER, port);
        let id = self.client.connect(self.now, remote).unwrap();
        self.run(Duration::ZERO);
        id
    }

    /// Lets `duration` pass, and everything that is due in it happen.
    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            while self.carry() {}
            let due = [
                self.client.poll_timeout(),
                self.server_stack.poll_timeout(),
                self.server.poll_timeout(),
            ];
            let next = due.into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            self.client.handle_timeout(self.now);
            self.server_stack.handle_timeout(self.now);
            self.server.handle_timeout(self.now, &mut self.server_stack);
        }
        self.now = end;
    }

    /// Carries what is to be carried now. Says whether there was anything.
    fn carry(&mut self) -> bool {
        let mut buffer = [0; 1500];
        let mut carried = false;
        while let Some(packet) = self.client.poll_transmit(self.now, &mut buffer) {
            self.server_stack
                .receive(self.now, &buffer[..packet.len], Meta::default());
            carried = true;
        }
        while let Some(event) = self.server_stack.poll_event() {
            self.server.handle(&mut self.server_stack, event);
        }
        while let Some(packet) = self.server_stack.poll_transmit(self.now, &mut buffer) {
            self.client
                .receive(self.now, &buffer[..packet.len], Meta::default());
            carried = true;
        }
        carried
    }

    fn send(&mut self, id: ConnectionId, data: &[u8]) {
        assert_eq!(self.client.send(id, data), Ok(data.len()));
        self.run(Duration::from_millis(200));
    }

    /// What has come for the client.
    fn read(&mut self, id: ConnectionId) -> Vec<u8> {
        let mut data = Vec::new();
        let mut buffer = [0; 1000];
        while let Ok(count @ 1..) = self.client.recv(id, &mut buffer) {
            data.extend_from_slice(&buffer[..count]);
            self.run(Duration::ZERO);
        }
        data
    }

    fn state(&self, id: ConnectionId) -> Option<State> {
        self.client.state(id)
    }
}

#[test]
fn echo_takes_no_more_than_it_can_send() {
    let mut pair = Pair::new(4000);
    let id = pair.connect(7);
    let data: Vec<u8> = (0..100_000u32).map(|n| (n ^ (n >> 8)) as u8).collect();
    // As long as the client does not read, all buffers fill up, and that is all.
    let mut sent = 0;
    while let Ok(count) = pair.client.send(id, &data[sent..]) {
        sent += count;
        pair.run(Duration::from_secs(1));
    }
    assert!(sent <= 4 * 4000, "{sent} bytes found room");
    let mut back = Vec::new();
    while back.len() < data.len() {
        back.extend(pair.read(id));
        if let Ok(count) = pair.client.send(id, &data[sent..]) {
            sent += count;
        }
        pair.run(Duration::from_secs(1));
        assert!(
            pair.now < Instant::from_millis(1_000_000),
            "it stands still"
        );
    }
    assert!(back == data);
    pair.client.shutdown(id).unwrap();
    pair.run(Duration::ZERO);
    assert_eq!(pair.client.recv(id, &mut [0]), Ok(0));
    assert!(pair.server.sessions.is_empty());
}

#[test]
fn only_web_clients_that_ask_for_nothing_are_dropped() {
    let mut pair = Pair::new(10_000);
    let (idle, active, echo) = (pair.connect(80), pair.connect(80), pair.connect(7));
    for _ in 0..5 {
        pair.run(Duration::from_secs(20));
        pair.send(active, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    assert_eq!(pair.state(idle), Some(State::CloseWait));
    assert_eq!(pair.state(active), Some(State::Established));
    assert_eq!(pair.state(echo), Some(State::Established));
    pair.run(Duration::from_secs(61));
    assert_eq!(pair.state(active), Some(State::CloseWait));
    assert_eq!(pair.state(echo), Some(State::Established));
}

#[test]
fn a_request_byte_by_byte_does_not_keep_a_web_client() {
    let mut pair = Pair::new(10_000);
    let id = pair.connect(80);
    for _ in 0..70 {
        pair.run(Duration::from_secs(1));
        // Fails once the server has let go.
        let _ = pair.client.send(id, b"G");
    }
    assert_ne!(pair.state(id), Some(State::Established));
    assert!(pair.server.sessions.is_empty());
}

#[test]
fn a_web_client_that_does_not_read_is_not_read() {
    let mut pair = Pair::new(10_000);
    let id = pair.connect(80);
    let requests = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(10_000);
    let mut sent = 0;
    while let Ok(count) = pair.client.send(id, &requests[sent..]) {
        sent += count;
        pair.run(Duration::from_millis(100));
    }
    assert!(sent < requests.len() / 4, "{sent} bytes found room");
    // All that was asked for comes in the end.
    let whole = sent / 27;
    let mut answers = Vec::new();
    for _ in 0..1000 {
        answers.extend(pair.read(id));
        pair.run(Duration::from_millis(100));
    }
    let count = answers.windows(12).filter(|w| w == b"HTTP/1.1 200").count();
    assert_eq!(count, whole);
}

#[test]
fn a_body_is_thrown_away_or_ends_the_connection() {
    let post = |len: usize| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n");
    let get = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut pair = Pair::new(100_000);
    for (len, keeps_open) in [(0, true), (65_536, true), (65_537, false)] {
        let id = pair.connect(80);
        pair.send(id, post(len).as_bytes());
        pair.send(id, &vec![b'x'; len]);
        let answer = pair.read(id);
        assert!(answer.starts_with(b"HTTP/1.1 405"));
        pair.send(id, get);
        let next = pair.read(id);
        assert_eq!(next.starts_with(b"HTTP/1.1 404"), keeps_open, "{len}");
        let state = if keeps_open {
            State::Established
        } else {
            State::CloseWait
        };
        assert_eq!(pair.state(id), Some(state));
    }
}

#[test]
fn shutting_down_delivers_what_was_sent_and_refuses_the_rest() {
    let mut pair = Pair::new(10_000);
    let ids = SERVICES.map(|(port, _)| pair.connect(port));
    pair.send(ids[0], b"hello");
    pair.server.shut_down(&mut pair.server_stack);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.read(ids[0]), b"hello");
    // What chargen had sent comes whole, and then the end.
    assert!(pair.read(ids[2]).len() >= 10_000);
    for id in ids {
        assert_eq!(pair.client.recv(id, &mut [0]), Ok(0));
        assert_eq!(pair.state(id), Some(State::CloseWait));
        // What still comes does no harm.
        pair.send(id, b"late");
        assert_eq!(pair.state(id), Some(State::CloseWait));
    }
    let refused = pair.connect(7);
    assert_eq!(pair.state(refused), Some(State::Closed));
    // The sessions go as their clients close, and the last by force.
    pair.client.close(ids[0]);
    pair.run(Duration::ZERO);
    assert_eq!(pair.server.sessions.len(), 3);
    pair.server.abort(&mut pair.server_stack);
    pair.run(Duration::ZERO);
    assert!(pair.server.sessions.is_empty());
    assert_eq!(pair.client.recv(ids[1], &mut [0]), Err(SocketError::Reset));
}
