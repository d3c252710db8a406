//! A flood of SYNs from everywhere: what it may cost, and whom it may not harm.

#[path = "common/heap.rs"]
mod heap;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use heap::{Counting, allocations, bytes_in_use};
use zerotcp::stack::{Config, ConnectionId, Listen, ListenerId, Meta, Quad, Stack};
use zerotcp::tcp::{self, HalfOpen, Opening, PeerSyn, State};
use zerotcp::time::Instant;
use zerotcp::wire::{
    Ipv4PacketMut, OptionSummary, SeqNumber, TcpBuilder, TcpFlags, TcpOption, TcpPacket,
};

const HOST: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 80);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A peer that answers as it should.
struct Client {
    local: SocketAddrV4,
    seq: SeqNumber,
    ack: SeqNumber,
    /// Its timestamps, and the last one of the server's.
    times: Option<(u32, u32)>,
}

impl Client {
    fn new(port: u16, times: bool) -> Client {
        Client {
            local: SocketAddrV4::new(Ipv4Addr::new(192, 168, 7, 7), port),
            seq: SeqNumber(0xffff_fff0),
            ack: SeqNumber(0),
            times: times.then_some((7_000_000, 0)),
        }
    }

    fn write(&self, flags: TcpFlags, options: &[TcpOption<'_>], payload: &[u8]) -> Vec<u8> {
        let mut all = options.to_vec();
        if let Some((value, echo)) = self.times {
            all.push(TcpOption::Timestamps { value, echo });
        }
        let mut buffer = vec![0; 1500];
        let mut builder = TcpBuilder::new(self.local, HOST).seq(self.seq).window(500);
        if flags.ack() {
            builder = builder.ack(self.ack);
        }
        let builder = builder.flags(flags).options(&all);
        let len = builder.write(&mut buffer, payload).unwrap();
        buffer.truncate(len);
        buffer
    }

    fn syn(&self) -> Vec<u8> {
        let options = [
            TcpOption::MaximumSegmentSize(1400),
            TcpOption::SackPermitted,
            TcpOption::WindowScale(9),
        ];
        self.write(TcpFlags::SYN, &options, &[])
    }

    fn text(&mut self, text: &[u8]) -> Vec<u8> {
        let packet = self.write(TcpFlags::ACK | TcpFlags::PSH, &[], text);
        self.seq += text.len() as u32;
        packet
    }

    /// Takes in a packet if it is for this client: its options and its text.
    fn receive(&mut self, packet: &[u8]) -> Option<(OptionSummary, Vec<u8>)> {
        let packet = TcpPacket::parse(packet).unwrap();
        let quad = Quad::of(&packet);
        if (quad.dst.0, quad.dst.1) != (*self.local.ip(), self.local.port()) {
            return None;
        }
        let tcp = packet.tcp;
        assert!(!tcp.flags().rst(), "a reset for a client");
        let options = OptionSummary::of(tcp.option_bytes()).unwrap();
        if tcp.flags().syn() {
            self.seq += 1;
        }
        self.ack = tcp.seq() + tcp.sequence_len();
        if let (Some((_, echo)), Some((value, _))) = (&mut self.times, options.timestamps) {
            *echo = value;
        }
        Some((options, tcp.payload().to_vec()))
    }
}

struct Server {
    stack: Stack,
    listener: ListenerId,
    now: Instant,
    dice: u64,
    flood: Vec<u8>,
    buffer: Vec<u8>,
}

impl Server {
    fn new(change: impl FnOnce(&mut Config)) -> Server {
        let mut config = Config::seeded(*HOST.ip(), 1);
        // So that what the connections hold does not change meanwhile.
        config.tcp.buffer_retention = Duration::from_secs(3600);
        change(&mut config);
        let mut stack = Stack::new(config);
        let listener = stack.listen(Listen::port(HOST.port())).unwrap();
        Server {
            stack,
            listener,
            now: Instant::from_millis(100_000),
            dice: 1,
            flood: Client::new(1, true).syn(),
            buffer: vec![0; 1500],
        }
    }

    fn roll(&mut self) -> u64 {
        // SplitMix64.
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// SYNs from random sources, ten microseconds apart. `polled`: whether what is to be sent
    /// is fetched.
    fn flood(&mut self, count: usize, polled: bool) {
        for n in 0..count {
            let (random, seq) = (self.roll(), self.roll() as u32);
            // Any host's address but that of the clients.
            let first = [11, 20, 77, 99, 130, 200][(random >> 60) as usize % 6];
            let [a, b, c, ..] = random.to_le_bytes();
            let mut ip = Ipv4PacketMut::parse_unverified(&mut self.flood).unwrap();
            ip.set_src(Ipv4Addr::new(first, a, b, c));
            let mut tcp = ip.tcp_mut().unwrap();
            tcp.set_src_port((random >> 24) as u16 | 1);
            tcp.set_seq(SeqNumber(seq));
            self.stack.receive(self.now, &self.flood, Meta::default());
            self.now += Duration::from_micros(10);
            if polled && n % 100 == 0 {
                self.stack.handle_timeout(self.now);
                let mut buffer = [0; 1500];
                while self.stack.poll_transmit(self.now, &mut buffer).is_some() {}
            }
        }
    }

    fn send(&mut self, packet: &[u8]) {
        self.stack.receive(self.now, packet, Meta::default());
    }

    /// Everything there is to send: what of it is for `client`.
    fn fetch(&mut self, client: &mut Client) -> Vec<(OptionSummary, Vec<u8>)> {
        let mut all = Vec::new();
        while let Some(transmit) = self.stack.poll_transmit(self.now, &mut self.buffer) {
            all.extend(client.receive(&self.buffer[..transmit.len]));
        }
        all
    }

    fn connect(&mut self, client: &mut Client) -> (ConnectionId, OptionSummary) {
        self.send(&client.syn());
        let answers = self.fetch(client);
        let [(options, _)] = &answers[..] else {
            panic!("{} answers to a SYN", answers.len());
        };
        let ack = client.text(b"");
        self.send(&ack);
        let id = self.stack.accept(self.listener).expect("connected");
        assert_eq!(self.stack.state(id), Some(State::Established));
        (id, *options)
    }

    /// A few octets to and fro.
    fn exchange(&mut self, id: ConnectionId, client: &mut Client) {
        let mut text = [0; 100];
        for octet in &mut text {
            *octet = self.roll() as u8;
        }
        let packet = client.text(&text);
        self.send(&packet);
        let mut read = [0; 200];
        assert_eq!(self.stack.recv(id, &mut read), Ok(100));
        assert_eq!(read[..100], text);
        assert_eq!(self.stack.send(id, &text), Ok(100));
        let answers = self.fetch(client);
        assert_eq!(answers.last().expect("an answer").1, text);
        let ack = client.text(b"");
        self.send(&ack);
    }
}

#[test]
fn a_million_syns_from_everywhere() {
    const CHUNK: usize = 50_000;

    let mut server = Server::new(|_| {});
    let bound = server.stack.config().max_half_open;
    let mut old = Client::new(1000, false);
    let (old_id, _) = server.connect(&mut old);
    server.exchange(old_id, &mut old);
    assert_eq!(server.stack.half_open_count(), 0);

    // The cache fills, and with it all that grows with it.
    let before = bytes_in_use();
    server.flood(CHUNK, true);
    server.flood(CHUNK, false);
    server.exchange(old_id, &mut old);
    assert_eq!(server.stack.half_open_count(), bound);
    let cost = bytes_in_use() - before;
    assert!(cost < 250 * bound as isize, "{cost} bytes");

    for chunk in 2..20 {
        let (heap, calls) = (bytes_in_use(), allocations());
        server.flood(CHUNK, chunk % 2 == 0);
        // The queue of those with something to send may double, as connections become more.
        assert!(bytes_in_use() - heap <= 64, "it grows in {chunk}");
        assert!(allocations() - calls <= 1, "allocations in {chunk}");
        assert_eq!(server.stack.half_open_count(), bound);
        assert_eq!(server.stack.connection_count(), 1 + 2 * (chunk - 2));

        // The old connection goes on, and new ones begin.
        server.exchange(old_id, &mut old);
        for times in [true, false] {
            let mut client = Client::new(2000 + 2 * chunk as u16 + u16::from(times), times);
            let (id, answer) = server.connect(&mut client);
            let info = server.stack.info(id).unwrap();
            assert_eq!(info.send_mss, 1400);
            assert_eq!((answer.sack_permitted, info.sack), (times, times));
            assert_eq!(answer.window_scale.is_some(), times);
            assert_eq!(info.window_scale, if times { (9, 5) } else { (0, 0) });
            assert_eq!(
                answer.timestamps.map(|(_, echo)| echo),
                times.then_some(7_000_000)
            );
            let window = if times { 500 << 9 } else { 500 };
            assert_eq!(info.send_window, window);
            server.exchange(id, &mut client);
        }
    }
    let counters = server.stack.counters();
    assert!(counters.packets_received > 1_000_000);
    assert_eq!(counters.syn_cookies_accepted, 36);
    assert!(counters.syn_cookies_sent > 400_000);
    assert_eq!(counters.connections_accepted, 1 + bound as u64 + 36);
    assert_eq!(server.stack.state(old_id), Some(State::Established));

    // The flood is over, and what it left behind ends by itself.
    let end = server.now + Duration::from_secs(600);
    while let Some(due) = server.stack.poll_timeout().filter(|due| *due < end) {
        server.now = server.now.max(due);
        server.stack.handle_timeout(server.now);
        server.fetch(&mut old);
    }
    assert_eq!(server.stack.half_open_count(), 0);
    server.exchange(old_id, &mut old);
    let mut client = Client::new(3000, true);
    server.connect(&mut client);
    assert_eq!(server.stack.counters().syn_cookies_accepted, 36);
}

#[test]
fn without_cookies_the_oldest_make_room() {
    let mut server = Server::new(|config| {
        config.max_half_open = 100;
        config.syn_cookies = false;
    });
    server.flood(10_000, false);
    let heap = bytes_in_use();
    for polled in [true, false] {
        server.flood(20_000, polled);
        assert_eq!(server.stack.half_open_count(), 100);
        // A node of a tree more or less.
        assert!((bytes_in_use() - heap).abs() < 4096, "it grows");
    }
    let recycled = server.stack.counters().half_open_recycled;
    assert_eq!(recycled, 50_000 - 100);
    // Who is quick gets through.
    let mut client = Client::new(2000, true);
    let (id, _) = server.connect(&mut client);
    server.exchange(id, &mut client);
}

#[test]
fn time_wait_gives_its_buffers_back() {
    let mut server = Server::new(|_| {});
    let mut client = Client::new(2000, true);
    let (id, _) = server.connect(&mut client);
    server.exchange(id, &mut client);
    let before = bytes_in_use();
    server.stack.close(id);
    server.fetch(&mut client);
    server.send(&client.write(TcpFlags::FIN | TcpFlags::ACK, &[], b""));
    assert_eq!(server.stack.time_wait_count(), 1);
    // A page for what it had sent, another for what it had received.
    let freed = before - bytes_in_use();
    assert!(freed > 8000, "{freed} bytes");
}

#[test]
fn a_thawed_tcb_allocates_nothing() {
    let config = tcp::Config::default();
    let opening = Opening {
        iss: SeqNumber(1),
        mss: 1460,
        timestamp_offset: 0,
    };
    let syn = PeerSyn {
        irs: SeqNumber(7),
        window: 65_535,
        mss: Some(1460),
        window_scale: Some(7),
        sack_permitted: true,
        timestamp: Some(1),
        ecn: true,
    };
    let mut half_open = HalfOpen::new(opening, syn);
    let before = allocations();
    for millis in (0..300_000).step_by(100) {
        let now = Instant::from_millis(millis);
        let mut tcb = half_open.thaw(&config);
        if tcb.handle_timeout(now, &config).closed.is_some() {
            break;
        }
        while tcb.poll_transmit(now, &config).is_some() {}
        half_open.freeze(&tcb);
    }
    assert_eq!(allocations(), before);
}
