//! What a hostile or an unlucky peer can do, and what must not come of it.

mod common;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use common::noise::noise;
use common::script::{PEER, Script, octets};
use zerotcp::stack::{Config, ConnectionId, Listen, Meta, Stack};
use zerotcp::tcp::{Ecn, State};
use zerotcp::time::Instant;
use zerotcp::wire::{SeqNumber, TcpBuilder, TcpFlags, TcpOption, TcpPacket};

/// Two stacks on a link that takes no time, and a connection between them.
struct Pair {
    client: Stack,
    server: Stack,
    ids: [ConnectionId; 2],
    now: Instant,
}

impl Pair {
    fn new(change: impl Fn(&mut Config)) -> Pair {
        let remote = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 7);
        let stack = |address, seed| {
            let mut config = Config::seeded(address, seed);
            change(&mut config);
            Stack::new(config)
        };
        let mut client = stack(Ipv4Addr::new(10, 0, 0, 1), 1);
        let mut server = stack(*remote.ip(), 2);
        let listener = server.listen(Listen::port(remote.port())).unwrap();
        let now = Instant::from_millis(1000);
        let id = client.connect(now, remote).unwrap();
        let mut pair = Pair {
            client,
            server,
            ids: [id; 2],
            now,
        };
        pair.exchange();
        pair.ids[1] = pair.server.accept(listener).unwrap();
        pair
    }

    /// Packets go to and fro until nobody has one to send; how many that were.
    fn exchange(&mut self) -> usize {
        self.exchange_but(|_| false)
    }

    /// The same, with those lost on the way to the server that `lost` says.
    fn exchange_but(&mut self, mut lost: impl FnMut(&TcpPacket<'_>) -> bool) -> usize {
        let mut count = 0;
        let mut buffer = [0; 2000];
        loop {
            let before = count;
            while let Some(transmit) = self.client.poll_transmit(self.now, &mut buffer) {
                count += 1;
                let packet = &buffer[..transmit.len];
                if !lost(&TcpPacket::parse(packet).unwrap()) {
                    self.server.receive(self.now, packet, Meta::default());
                }
            }
            while let Some(transmit) = self.server.poll_transmit(self.now, &mut buffer) {
                count += 1;
                let packet = &buffer[..transmit.len];
                self.client.receive(self.now, packet, Meta::default());
            }
            if count == before {
                return count;
            }
            assert!(count < 10_000, "the two talk for ever");
        }
    }

    /// Lets `time` pass; how many packets that makes.
    fn pass(&mut self, time: Duration) -> usize {
        let end = self.now + time;
        let mut count = 0;
        loop {
            let due = [self.client.poll_timeout(), self.server.poll_timeout()];
            let next = due.into_iter().flatten().min().unwrap_or(end);
            self.now = self.now.max(next.min(end));
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            count += self.exchange();
            if self.now == end {
                return count;
            }
        }
    }
}

#[test]
fn two_closed_windows_do_not_make_two_stacks_talk_for_ever() {
    // RFC 9293 appendix A.2: each has probed, so each one's SND.NXT is beyond the
    // other's window, and acknowledgments that carry it are answered by such.
    let mut pair = Pair::new(|config| config.tcp.receive_buffer = 4000);
    let data = octets(0, 100_000);
    let [client, server] = pair.ids;
    pair.client.send(client, &data).unwrap();
    pair.server.send(server, &data).unwrap();
    pair.exchange();
    let packets = pair.pass(Duration::from_secs(600));
    assert!(packets < 200, "{packets} packets in ten minutes of nothing");
    assert_eq!(pair.client.state(client), Some(State::Established));
    assert_eq!(pair.server.state(server), Some(State::Established));
    // One side reads, and the other learns of it though its own window stays closed.
    let mut read = Vec::new();
    let mut buffer = [0; 4000];
    while read.len() < 50_000 {
        while let Ok(count) = pair.server.recv(server, &mut buffer) {
            read.extend_from_slice(&buffer[..count]);
        }
        let before = pair.now;
        while pair.exchange() == 0 {
            pair.pass(Duration::from_secs(1));
            assert!(pair.now < before + Duration::from_secs(130), "stuck");
        }
    }
    assert_eq!(read, octets(0, read.len()));
}

#[test]
fn an_acknowledgment_from_the_right_edge_of_the_window_is_heard() {
    let mut s = Script::with(|config| config.tcp.receive_buffer = 2000);
    let id;
    (s, id) = s.establish(65535);
    s.send(id, 100);
    s.expect("P. 1:101 ack 1");
    // The first of two segments that fill the window is lost.
    s.inject(". 1001:2001 ack 1");
    s.expect(". 101 ack 1");
    // The peer has nothing left to send but this.
    s.inject(". 2001 ack 101");
    s.expect_nothing();
    s.pass(5000);
    s.expect_nothing();
}

#[test]
fn what_we_send_without_text_stays_within_the_peers_window() {
    let (mut s, id) = Script::established(1000);
    s.send(id, 3000);
    s.expect(". 1:1001 ack 1");
    s.inject(". 1 ack 1001 win 0");
    s.expect_nothing();
    s.pass(201);
    s.expect(". 1001:1002 ack 1");
    // The probe was not taken: 1002 would be beyond the window.
    s.inject("P. 1:11 ack 1001 win 0");
    s.pass(41);
    s.expect(". 1001 ack 11");
    s.stack.abort(id);
    s.expect("R. 1001 ack 11");
}

#[test]
fn the_receive_buffer_is_a_bound_with_window_scaling_too() {
    // Each acknowledgment of an odd number of octets rounds the window.
    let mut s = Script::new();
    s.inject("S 0 <mss 1000,nop,wscale 0>");
    s.expect("S. 0 ack 1 <mss 1460,nop,wscale 5>");
    s.inject(". 1 ack 1");
    let id = s.accept();
    let (mut end, mut sent) = (1, 0);
    for _ in 0..20_000 {
        s.inject(&format!(". {end}:{} ack 1", end + 97));
        // Something old brings the acknowledgment out.
        s.inject(&format!(". {}:{} ack 1", end - 1, end));
        end += 97;
        while s.next().is_some() {
            sent += 1;
        }
    }
    assert!(sent >= 20_000, "{sent}");
    let waiting: usize = s.stack.recv_slices(id).iter().map(|part| part.len()).sum();
    assert_eq!(waiting, 1 << 20);
    s.read(id, 1 << 20);
}

#[test]
fn a_reader_does_not_make_an_acknowledgment_of_every_read() {
    for options in ["<mss 1000>", "<mss 1000,nop,wscale 0>"] {
        let mut s = Script::new();
        s.inject(&format!("S 0 {options}"));
        s.next().unwrap();
        s.inject(". 1 ack 1");
        let id = s.accept();
        let mut answers = 0;
        for n in 0..10 {
            s.inject(&format!(". {}:{} ack 1", 1 + 10 * n, 11 + 10 * n));
            s.read(id, 10);
            answers += usize::from(s.next().is_some());
        }
        // The first one may widen what a SYN could not say.
        assert!(answers <= 1, "{answers} with {options}");
    }
}

#[test]
fn a_forged_segment_does_not_make_two_stacks_talk_for_ever() {
    let mut pair = Pair::new(|_| {});
    pair.client.send(pair.ids[0], b"hello").unwrap();
    let mut last = None;
    pair.exchange_but(|packet| {
        last = Some((packet.tcp.seq(), packet.tcp.ack()));
        false
    });
    pair.pass(Duration::from_secs(1));
    // The server takes it for text of the client's, who has never sent such.
    let quad = pair.server.quad(pair.ids[1]).unwrap();
    let (seq, ack) = last.unwrap();
    let mut buffer = [0; 100];
    let len = TcpBuilder::new(quad.peer(), quad.local())
        .seq(seq + 5)
        .ack(ack)
        .flags(TcpFlags::ACK)
        .window(1000)
        .write(&mut buffer, b"forged")
        .unwrap();
    pair.server
        .receive(pair.now, &buffer[..len], Meta::default());
    let packets = pair.pass(Duration::from_secs(60));
    assert!(packets <= 2 * 10 * 12 + 2, "{packets} packets");
}

#[test]
fn no_forged_segments_at_all_make_two_stacks_talk_for_ever() {
    for seed in 0..300 {
        let mut dice = noise(2000, seed).into_iter();
        let mut roll = |limit: u32| {
            let bytes = [0; 3].map(|_| dice.next().expect("enough"));
            u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) % limit
        };
        let timestamps = roll(2) == 0;
        let mut pair = Pair::new(|config| {
            config.tcp.timestamps = timestamps;
            config.tcp.ecn = Ecn::Offer;
        });
        let ids = pair.ids;
        for _ in 0..roll(3) {
            let text = octets(0, roll(5000) as usize);
            let _ = pair.client.send(ids[0], &text);
            let _ = pair.server.send(ids[1], &text);
            match roll(8) {
                0 => pair.client.shutdown(ids[0]).unwrap(),
                1 => pair.server.shutdown(ids[1]).unwrap(),
                _ => {}
            }
        }
        // What an eavesdropper would know.
        let mut seen = None;
        pair.client.send_urgent(ids[0], b"!").ok();
        pair.exchange_but(|packet| {
            let tcp = &packet.tcp;
            let times = tcp.option_summary().unwrap().timestamps;
            seen = Some((tcp.seq() + tcp.sequence_len(), tcp.ack(), times));
            false
        });
        let (seq, ack, times) = seen.unwrap_or_default();
        let quad = pair.server.quad(ids[1]).unwrap();
        for _ in 0..=roll(20) {
            let to_server = roll(2) == 0;
            let (from, to, seq, ack, times) = match to_server {
                true => (quad.peer(), quad.local(), seq, ack, times),
                false => {
                    let turned = times.map(|(value, echo)| (echo, value));
                    (quad.local(), quad.peer(), ack, seq, turned)
                }
            };
            let [ahead, behind] = [[0, 1, 700, 70_000]; 2].map(|by| by[roll(4) as usize]);
            let flags = match roll(6) {
                0 => TcpFlags::from_bits(roll(512) as u16),
                1 => TcpFlags::ACK | TcpFlags::FIN,
                2 => TcpFlags::ACK | TcpFlags::URG,
                3 => TcpFlags::SYN,
                _ => TcpFlags::ACK,
            };
            let times = times.map(|(value, echo)| TcpOption::Timestamps { value, echo });
            let mut buffer = [0; 3000];
            let len = TcpBuilder::new(from, to)
                .seq(seq + ahead - behind)
                .ack(ack + [0, 1, 700][roll(3) as usize])
                .flags(flags & !TcpFlags::RST)
                .window(roll(65_536) as u16)
                .options(times.as_slice())
                .write(&mut buffer, &octets(0, (roll(2) * roll(1400)) as usize))
                .unwrap();
            let stack = match to_server {
                true => &mut pair.server,
                false => &mut pair.client,
            };
            stack.receive(pair.now, &buffer[..len], Meta::default());
        }
        let packets = pair.pass(Duration::from_secs(600));
        // Ten challenges in five seconds from each side, were it to go on.
        assert!(packets < 200, "{packets} packets, seed {seed}");
    }
}

#[test]
fn challenges_are_few() {
    // RFC 5961 section 7: ten in five seconds.
    let (mut s, _) = Script::established(65535);
    for _ in 0..3 {
        let mut answers = 0;
        for segment in [
            "S 7",
            "S 7:9",
            "SF 7",
            "S. 1000000:1000100 ack 1",
            "R 7",
            "RF 7:9",
            ". 1 ack 900",
            ". -5 ack 1",
        ] {
            for _ in 0..100 {
                s.inject(segment);
                answers += usize::from(s.next().is_some());
            }
        }
        assert_eq!(answers, 10);
        // Text that was lost is another matter.
        for _ in 0..20 {
            s.inject(". -5:1 ack 1");
            s.expect(". 1 ack 1");
        }
        s.pass(5000);
    }
}

#[test]
fn a_simultaneous_open_ends_in_established() {
    // RFC 9293 figure 7, from the left end.
    let mut s = Script::new();
    let remote = SocketAddrV4::new(*PEER.ip(), 80);
    let id = s.stack.connect(s.now, remote).unwrap();
    s.peer = remote;
    s.us = s.stack.quad(id).unwrap().local();
    s.expect("S 0 <mss 1460,sackOK,ts 0 0,nop,wscale 5>");
    s.inject("S 0 <mss 1000>");
    assert_eq!(s.state(), State::SynReceived);
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject("S. 0 ack 1 <mss 1000>");
    assert_eq!(s.state(), State::Established);
    s.expect(". 1 ack 1");
    s.inject("S. 0 ack 1 <mss 1000>");
    s.expect(". 1 ack 1");
    s.expect_nothing();
    s.send(id, 3);
    s.expect("P. 1:4 ack 1");
    s.inject("P. 1:9 ack 4");
    s.read(id, 8);
    // One that acknowledges something else is challenged.
    let id = s.stack.connect(s.now, remote).unwrap();
    (s.iss, s.first_ts) = (None, None);
    s.us = s.stack.quad(id).unwrap().local();
    s.expect("S 0 <mss 1460,sackOK,ts 0 0,nop,wscale 5>");
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject("S. 0 ack 2 <mss 1000>");
    assert_eq!(s.state(), State::SynReceived);
    s.expect(". 1 ack 1");
    s.expect_nothing();
}

#[test]
fn a_repeated_syn_with_text_is_answered_as_one_without() {
    let mut s = Script::new();
    for _ in 0..3 {
        s.inject("S 0:50 <mss 1000>");
        s.expect("S. 0 ack 1 <mss 1460>");
    }
    assert_eq!(s.stack.counters().connections_accepted, 1);
    s.inject(". 1 ack 1");
    assert_eq!(s.state(), State::Established);
}

#[test]
fn repeated_syns_do_not_keep_a_half_open_connection_alive() {
    let mut s = Script::new();
    for _ in 0..600 {
        s.inject("S 0");
        while s.next().is_some() {}
        s.pass(500);
        if s.stack.half_open_count() == 0 {
            assert_eq!(s.stack.counters().connections_accepted, 1);
            return;
        }
    }
    panic!("after five minutes it is still there");
}

#[test]
fn a_listener_that_goes_takes_its_half_open_connections_with_it() {
    let mut s = Script::new();
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.stack.unlisten(s.listener);
    s.expect("R. 1 ack 1");
    s.inject(". 1 ack 1");
    s.expect("R 1");
    assert_eq!(s.stack.half_open_count(), 0);
    // Those that waited to be accepted too, and only they.
    let (mut s, id) = Script::established(65535);
    s.peer.set_port(1);
    s.iss = None;
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    s.stack.unlisten(s.listener);
    s.expect("R. 1 ack 1");
    assert_eq!(s.stack.connection_count(), 1);
    assert_eq!(s.stack.state(id), Some(State::Established));
    assert_eq!(s.stack.accept(s.listener), None);
}

#[test]
fn a_small_window_that_is_told_again_and_again_does_not_put_the_probe_off() {
    let (mut s, id) = Script::established(5000);
    s.send(id, 8000);
    for n in 0..5 {
        s.expect(&format!(". {}:{} ack 1", 1000 * n + 1, 1000 * n + 1001));
    }
    // Ten octets are too few to be worth a segment, but not for ever.
    s.inject(". 1 ack 5001 win 10");
    s.expect_nothing();
    for n in 0..10 {
        s.pass(50);
        s.inject(&format!("P. {}:{} ack 5001 win 10", 1 + 5 * n, 6 + 5 * n));
        while let Some(sent) = s.next() {
            if sent.starts_with(". 5001:5011") {
                return;
            }
        }
    }
    panic!("nothing for half a second");
}

#[test]
fn a_peer_that_never_opens_its_window_does_not_hold_a_connection_of_nobody() {
    // MUST-37 holds while there is a user; then CVE-2008-4609.
    for (first, second) in [(0, 0), (0, 1)] {
        let (mut s, id) = Script::established(1000);
        s.send(id, 3000);
        s.expect(". 1:1001 ack 1");
        s.inject(". 1 ack 1001 win 0");
        s.expect_nothing();
        let mut window = first;
        for user in [true, false] {
            if !user {
                s.stack.close(id);
            }
            let mut reset = false;
            for _ in 0..3600 {
                s.pass(1000);
                while let Some(sent) = s.next() {
                    reset |= sent.starts_with('R');
                    if !reset {
                        s.inject(&format!(". 1 ack 1001 win {window}"));
                        window = first + second - window;
                    }
                }
            }
            assert_eq!(s.stack.connection_count(), usize::from(user));
            assert_eq!(reset, !user, "the peer is told");
        }
    }
}

#[test]
fn time_wait_is_begun_anew_only_by_the_peers_own_fin() {
    let (mut s, id) = Script::established(65535);
    s.stack.close(id);
    s.expect("F. 1 ack 1");
    s.inject("F. 1 ack 2");
    s.expect(". 2 ack 2");
    assert_eq!(s.state(), State::TimeWait);
    for n in 0..59 {
        s.pass(1000);
        // Blind ones with FIN: before the window, in it, beyond.
        for seq in [-5 - n, 0 - n, 2 + n, 70_000_000 + n] {
            s.inject(&format!("F. {seq} ack 2"));
        }
        while s.next().is_some() {}
    }
    s.pass(1100);
    assert_eq!(s.state(), State::Closed);
}

#[test]
fn what_comes_after_a_fin_is_forgotten() {
    for late in ["F. 11:21 ack 1", ". 31:41 ack 1"] {
        let (mut s, id) = Script::established(65535);
        // Octets after the end of the text, before or after that is told.
        s.inject(if late.starts_with('F') {
            ". 31:41 ack 1"
        } else {
            "F. 11:21 ack 1"
        });
        s.inject(late);
        s.inject(". 1:11 ack 1");
        while s.next().is_some() {}
        assert_eq!(s.state(), State::CloseWait);
        s.read(id, 20);
        // Nothing unread: a FIN, not a reset.
        s.stack.close(id);
        s.expect("F. 1 ack 22");
    }
}

/// A FIN in order ends the text where it stands, whatever has come ahead of it: the segment is
/// done with before those that wait for their turn (RFC 9293 section 3.10.7.4).
#[test]
fn a_fin_in_order_ends_the_text_before_what_waits_behind_it() {
    for ahead in [". 11:21 ack 1", "F. 12:21 ack 1", "F. 11 ack 1"] {
        let (mut s, id) = Script::established(65535);
        s.inject(ahead);
        s.expect(". 1 ack 1");
        s.inject("F. 1:11 ack 1");
        s.expect(". 1 ack 12");
        assert_eq!(s.state(), State::CloseWait);
        s.read(id, 10);
        assert!(s.stack.is_at_end(id));
    }
}

/// Of two FINs ahead of their turn the one whose turn comes first ends the text, also when the other
/// comes later (RFC 9293 section 3.10.7.4).
#[test]
fn a_second_fin_does_not_displace_the_first() {
    for fins in [
        ["F. 6:11 ack 1", "F. 21:31 ack 1"],
        ["F. 21:31 ack 1", "F. 6:11 ack 1"],
    ] {
        let (mut s, id) = Script::established(65535);
        for fin in fins {
            s.inject(fin);
            s.expect(". 1 ack 1");
        }
        s.inject(". 1:6 ack 1");
        s.expect(". 1 ack 12");
        assert_eq!(s.state(), State::CloseWait);
        s.read(id, 10);
    }
    // One that text has passed was none, and displaces no other.
    let (mut s, id) = Script::established(65535);
    s.inject("F. 6:11 ack 1");
    s.expect(". 1 ack 1");
    s.inject("F. 1:21 ack 1");
    s.expect(". 1 ack 22");
    assert_eq!(s.state(), State::CloseWait);
    s.read(id, 20);
}

/// What acknowledges less than our first octet was never right, however wide the peer's window: an
/// outsider has no window full of numbers to hit (RFC 5961 section 5.2 says "only if").
#[test]
fn an_acknowledgment_from_before_the_connection_is_not_believed() {
    let (mut s, id) = Script::established(65535);
    // The last one is half of all numbers away: neither above nor below.
    for ack in [0, -1, -65_534, 1 - (1i64 << 31)] {
        s.inject(&format!("P. 1:5 ack {ack}"));
        s.expect(". 1 ack 1");
        s.read(id, 0);
    }
    s.send(id, 1000);
    s.expect("P. 1:1001 ack 1");
    s.inject(". 1 ack 1001");
    s.inject("P. 1:5 ack 0");
    s.expect(". 1001 ack 1");
    s.read(id, 0);
    // This one is merely late, also behind the acknowledgment of our FIN.
    s.inject("P. 1:5 ack 1");
    s.read(id, 4);
    s.stack.shutdown(id).unwrap();
    while s.next().is_some() {}
    s.inject(". 5 ack 1002");
    assert_eq!(s.state(), State::FinWait2);
    s.inject("P. 5:9 ack 1");
    s.read(id, 4);
}

#[test]
fn timers_work_at_all_times() {
    // Around the powers of two at which a timing wheel carries from level to level.
    for bit in 16..64 {
        let mut s = Script::new();
        s.now = Instant::from_nanos(1 << bit) - Duration::from_millis(300);
        let (mut s, id) = s.establish(65535);
        s.send(id, 10);
        s.expect("P. 1:11 ack 1");
        for gap in [200, 400, 800] {
            s.pass(gap - 1);
            s.expect_nothing();
            s.pass(2);
            s.expect("P. 1:11 ack 1");
        }
        s.inject("R 1");
    }
}

#[test]
fn a_clock_that_goes_back_does_no_harm() {
    let (mut s, id) = Script::established(65535);
    let early = s.now;
    s.send(id, 10);
    s.expect("P. 1:11 ack 1");
    s.stack.handle_timeout(early + Duration::from_millis(190));
    s.stack
        .handle_timeout(early + Duration::from_millis(60_000));
    s.expect("P. 1:11 ack 1");
    s.now = early;
    s.inject("P. 1:6 ack 11");
    s.stack.handle_timeout(early + Duration::from_millis(10));
    s.stack.handle_timeout(Instant::ZERO);
    s.now = early + Duration::from_millis(60_041);
    s.stack.handle_timeout(s.now);
    s.expect(". 11 ack 6");
}

#[test]
fn a_newer_acknowledgment_brings_a_newer_window_whatever_its_number() {
    let (mut s, id) = Script::established(2000);
    s.send(id, 5000);
    s.expect(". 1:1001 ack 1");
    s.expect(". 1001:2001 ack 1");
    s.inject(". 101:201 ack 1 win 2000");
    s.expect(". 2001 ack 1");
    // What was lost comes again, so its number is lower, and the window has not moved.
    s.inject(". 1:101 ack 1001 win 1000");
    s.expect(". 2001 ack 201");
    s.expect_nothing();
    s.inject(". 201 ack 2001 win 1000");
    s.expect(". 2001:3001 ack 201");
}

#[test]
fn all_peers_of_a_listener_that_goes_are_told_in_the_middle_of_a_flood() {
    let mut config = Config::seeded(Ipv4Addr::new(10, 0, 0, 2), 1);
    config.max_connections = 400;
    let mut stack = Stack::new(config);
    let listener = stack.listen(Listen::port(7)).unwrap();
    let now = Instant::from_millis(1000);
    let us = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 7);
    let peer = |port| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), port);
    let mut buffer = [0; 1500];
    let mut inject = |stack: &mut Stack, segment: TcpBuilder<'_>| {
        let len = segment.write(&mut buffer, &[]).unwrap();
        stack.receive(now, &buffer[..len], Meta::default());
        let len = stack.poll_transmit(now, &mut buffer)?.len;
        Some(TcpPacket::parse(&buffer[..len]).unwrap().tcp.seq())
    };
    for port in 1..=400 {
        let syn = TcpBuilder::new(peer(port), us).flags(TcpFlags::SYN);
        let iss = inject(&mut stack, syn).expect("a SYN,ACK");
        let ack = TcpBuilder::new(peer(port), us).flags(TcpFlags::ACK);
        inject(&mut stack, ack.seq(SeqNumber(1)).ack(iss + 1));
    }
    assert_eq!(stack.connection_count(), 400);
    // Strays fill the queue of replies.
    let elsewhere = SocketAddrV4::new(*us.ip(), 9);
    let len = TcpBuilder::new(peer(1), elsewhere)
        .flags(TcpFlags::SYN)
        .write(&mut buffer, &[])
        .unwrap();
    for _ in 0..1000 {
        stack.receive(now, &buffer[..len], Meta::default());
    }
    stack.unlisten(listener);
    let mut told = BTreeSet::new();
    let mut sent = 0;
    while let Some(transmit) = stack.poll_transmit(now, &mut buffer) {
        let tcp = TcpPacket::parse(&buffer[..transmit.len]).unwrap().tcp;
        assert!(tcp.flags().rst());
        if tcp.src_port() == us.port() {
            told.insert(tcp.dst_port());
        }
        sent += 1;
    }
    assert_eq!(told.len(), 400);
    assert!(sent < 1000, "{sent}");
}

#[test]
fn a_configuration_without_timeouts_does_not_hang() {
    let mut s = Script::with(|config| {
        (config.tcp.initial_rto, config.tcp.min_rto) = (Duration::ZERO, Duration::ZERO);
        config.tcp.settings.user_timeout = Some(Duration::from_secs(5));
    });
    let id;
    (s, id) = s.establish(0);
    s.send(id, 100);
    s.drain();
    s.pass(10);
    assert_eq!(s.state(), State::Established);
    s.pass(5_000);
    assert_eq!(s.state(), State::Closed);
}
