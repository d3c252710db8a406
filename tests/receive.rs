//! What this end does with what it receives: timestamps, order, acknowledgments, windows
//! and marks, through the public API.

mod common;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use common::script::{PEER, Script};
use zerotcp::stack::{Config, ConnectionId, DropReason, Listen, Meta, SocketError, Stack};
use zerotcp::tcp::{self, State};
use zerotcp::time::Instant;
use zerotcp::wire::{Ipv4PacketMut, SeqNumber, TcpFlags, TcpPacket};

/// Sequence numbers from which a connection soon crosses 2^31 and 2^32, and plain ones.
const STARTS: [u32; 4] = [1_000_000, 0x7fff_fff0, 0xffff_fff0, 0xffff_ffff];

/// Ticks of the peer's likewise.
const TICKS: [u32; 4] = [1000, 0x7fff_fffe, 0xffff_fffe, 0];

/// After a handshake with timestamps, the peer's first being `tick`. It ends at our tick 10.
fn timestamped(mut s: Script, tick: u32) -> (Script, ConnectionId) {
    s.inject(&format!("S 0 <mss 1000,sackOK,ts {tick} 0>"));
    s.expect(&format!("S. 0 ack 1 <mss 1460,sackOK,ts 0 {tick}>"));
    s.pass(10);
    s.inject(&format!(". 1 ack 1 <ts {tick} 0>"));
    let id = s.accept();
    s.expect_nothing();
    (s, id)
}

/// After a handshake with SACK but without timestamps.
fn selective(mut s: Script) -> (Script, ConnectionId) {
    s.inject("S 0 <mss 1000,nop,nop,sackOK>");
    s.expect("S. 0 ack 1 <mss 1460,nop,nop,sackOK>");
    s.inject(". 1 ack 1");
    let id = s.accept();
    s.expect_nothing();
    (s, id)
}

/// After a handshake that agreed on ECN.
fn marking() -> (Script, ConnectionId) {
    let mut s = Script::new();
    s.inject("SEW 0 <mss 1000>");
    s.expect("SE. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    let id = s.accept();
    s.expect_nothing();
    (s, id)
}

fn info(s: &Script, id: ConnectionId) -> tcp::Info {
    s.stack.info(id).unwrap()
}

#[test]
fn timestamps_are_used_only_where_both_syns_have_them() {
    for start in STARTS {
        let mut s = Script::new();
        s.irs = SeqNumber(start);
        let (mut s, id) = timestamped(s, 500);
        assert!(info(&s, id).timestamps);
        s.send(id, 5);
        s.expect("P. 1:6 ack 1 <nop,nop,ts 10 500>");
        s.pass(7);
        s.inject("P. 1:6 ack 6 <ts 507 10>");
        s.pass(41);
        s.expect(". 6 ack 6 <nop,nop,ts 58 507>");
        s.read(id, 5);
    }
    // One that we have not agreed on is ignored.
    let (mut s, id) = Script::established(65535);
    s.inject("P. 1:6 ack 1 <ts 9 9>");
    s.inject("P. 6:11 ack 1 <ts 2 9>");
    s.pass(41);
    s.expect(". 1 ack 11");
    s.read(id, 10);
    assert!(!info(&s, id).timestamps);
    // Nor do we offer or take them where they are off.
    let mut s = Script::with(|config| config.tcp.timestamps = false);
    s.inject("S 0 <mss 1000,sackOK,ts 1 0,nop,wscale 7>");
    s.expect("S. 0 ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 5>");
}

#[test]
fn an_active_open_offers_timestamps_and_each_syn_has_its_own() {
    let connect = |change: fn(&mut Config)| {
        let mut s = Script::with(change);
        s.peer.set_port(80);
        let id = s.stack.connect(s.now, s.peer).unwrap();
        s.us = s.stack.quad(id).unwrap().local();
        (s, id)
    };
    let (mut s, id) = connect(|_| {});
    s.expect("S 0 <mss 1460,sackOK,ts 0 0,nop,wscale 5>");
    s.pass(1001);
    s.expect("S 0 <mss 1460,sackOK,ts 1001 0,nop,wscale 5>");
    s.pass(19);
    s.inject("S. 0 ack 1 <mss 1000,sackOK,ts 77 1001>");
    s.expect(". 1 ack 1 <nop,nop,ts 1020 77>");
    // By the timestamp this is the round trip of the second SYN (RFC 7323 section 4.1).
    s.send(id, 5);
    s.expect("P. 1:6 ack 1 <nop,nop,ts 1020 77>");

    // The peer opens at the same time.
    let (mut s, _) = connect(|_| {});
    s.expect("S 0 <mss 1460,sackOK,ts 0 0,nop,wscale 5>");
    s.inject("S 0 <mss 1000,ts 5 0>");
    s.expect("S. 0 ack 1 <mss 1460,nop,nop,ts 0 5>");

    // The peer does not know them.
    let (mut s, _) = connect(|config| config.tcp.sack = false);
    s.expect("S 0 <mss 1460,nop,nop,ts 0 0,nop,wscale 5>");
    s.inject("S. 0 ack 1 <mss 1000>");
    s.expect(". 1 ack 1");
}

#[test]
fn a_segment_without_its_timestamp_is_dropped_in_silence() {
    let (mut s, id) = timestamped(Script::new(), 500);
    s.inject("P. 1:6 ack 1");
    s.inject("F. 1 ack 1");
    s.pass(1000);
    s.expect_nothing();
    assert_eq!(s.stack.counters().dropped(DropReason::NoTimestamp), 2);
    assert_eq!(s.state(), State::Established);
    // A host that has restarted is told where we are (RFC 5961 section 4.2) ...
    s.inject("S 0 <mss 1000>");
    s.expect(". 1 ack 1 <nop,nop,ts 1010 500>");
    // ... and its reset is heard.
    s.inject("R 1");
    assert_eq!(s.state(), State::Closed);
    assert_eq!(s.stack.recv(id, &mut [0]), Err(SocketError::Reset));
}

#[test]
fn old_duplicates_are_known_by_their_timestamps() {
    for tick in TICKS {
        let (mut s, id) = timestamped(Script::new(), tick);
        let at = |ahead: i32| tick.wrapping_add_signed(ahead);
        s.inject(&format!("P. 1:11 ack 1 <ts {} 0>", at(5)));
        s.pass(41);
        s.expect(&format!(". 1 ack 11 <nop,nop,ts 51 {}>", at(5)));
        // In the window, one lap of the numbers old.
        s.inject(&format!("P. 11:21 ack 1 <ts {} 0>", at(4)));
        s.expect(&format!(". 1 ack 11 <nop,nop,ts 51 {}>", at(5)));
        s.inject(&format!("F. 11 ack 1 <ts {} 0>", at(-100)));
        s.expect(&format!(". 1 ack 11 <nop,nop,ts 51 {}>", at(5)));
        assert_eq!(s.stack.counters().dropped(DropReason::OldTimestamp), 2);
        s.read(id, 10);
        // The same tick is not old.
        s.inject(&format!("P. 11:21 ack 1 <ts {} 0>", at(5)));
        s.read(id, 10);
        // A reset has no age (section 5.2), and sets no clock.
        s.inject(&format!("R 22 <ts {} 0>", at(90)));
        s.expect(&format!(". 1 ack 21 <nop,nop,ts 51 {}>", at(5)));
        s.inject(&format!("R 21 <ts {} 0>", at(-90)));
        assert_eq!(s.state(), State::Closed);
    }
}

#[test]
fn after_24_days_of_silence_an_old_timestamp_is_believed() {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let (mut s, id) = timestamped(Script::new(), 500);
    s.pass(24 * DAY);
    s.inject("P. 1:6 ack 1 <ts 499 0>");
    assert_eq!(s.stack.counters().dropped(DropReason::OldTimestamp), 1);
    s.next().unwrap();
    s.pass(2000);
    s.inject("P. 1:6 ack 1 <ts 499 0>");
    s.read(id, 5);
    s.pass(41);
    let sent = s.next().unwrap();
    assert!(sent.ends_with(" 499>"), "{sent}");
    s.inject("P. 6:11 ack 1 <ts 498 0>");
    assert_eq!(s.stack.counters().dropped(DropReason::OldTimestamp), 2);
}

#[test]
fn what_is_echoed_is_the_first_timestamp_not_acknowledged_and_none_from_behind_a_gap() {
    for tick in TICKS {
        let (mut s, _) = timestamped(Script::new(), tick);
        let at = |ahead: u32| tick.wrapping_add(ahead);
        // A delayed acknowledgment: the earlier one.
        s.inject(&format!(". 1:1001 ack 1 <ts {} 0>", at(1)));
        s.inject(&format!(". 1001:2001 ack 1 <ts {} 0>", at(2)));
        s.expect(&format!(". 1 ack 2001 <nop,nop,ts 10 {}>", at(1)));
        // Out of order: the last in order.
        s.inject(&format!(". 2011:2021 ack 1 <ts {} 0>", at(3)));
        let sack = "nop,nop,sack 2011:2021";
        s.expect(&format!(". 1 ack 2001 <nop,nop,ts 10 {},{sack}>", at(1)));
        // What fills the gap.
        s.inject(&format!(". 2001:2011 ack 1 <ts {} 0>", at(4)));
        s.expect(&format!(". 1 ack 2021 <nop,nop,ts 10 {}>", at(4)));
    }
}

#[test]
fn a_reset_echoes_the_timestamp_of_what_caused_it() {
    let mut s = Script::new();
    s.us.set_port(1337);
    s.inject("S 5 <mss 1000,sackOK,ts 4711 0>");
    s.expect("R. 0 ack 6 <nop,nop,ts 0 4711>");
    s.inject(". 5 ack 77 <ts 4712 0>");
    s.expect("R 77 <nop,nop,ts 0 4712>");
    let (mut s, id) = timestamped(Script::new(), 500);
    s.stack.abort(id);
    s.expect("R. 1 ack 1 <nop,nop,ts 0 500>");
}

#[test]
fn timestamps_and_blocks_take_from_the_text() {
    let (mut s, id) = timestamped(Script::new(), 500);
    s.send(id, 3000);
    s.expect(". 1:989 ack 1 <nop,nop,ts 10 500>");
    // Three blocks beside timestamps: 28 octets.
    for n in [1, 3, 5, 7] {
        s.inject(&format!(". {n}00:{n}50 ack 1 <ts 501 10>"));
    }
    let options = "<nop,nop,ts 10 500,nop,nop,sack 700:750 500:550 300:350>";
    s.expect(&format!(". 989:1949 ack 1 {options}"));
}

#[test]
fn a_retransmission_is_measured_by_its_timestamp() {
    let (mut s, id) = timestamped(Script::new(), 500);
    s.send(id, 5);
    s.next().unwrap();
    s.pass(211);
    s.expect("P. 1:6 ack 1 <nop,nop,ts 221 500>");
    s.pass(100);
    s.inject(". 1 ack 6 <ts 900 221>");
    // It was 10 ms in the handshake, this time 100 ms.
    let srtt = info(&s, id).srtt.unwrap().as_micros();
    assert_eq!(srtt, (7 * 10_000 + 100_000) / 8);
}

#[test]
fn text_that_comes_twice_is_reported_once() {
    for start in STARTS {
        let mut s = Script::new();
        s.irs = SeqNumber(start);
        let (mut s, id) = selective(s);
        s.inject(". 1:501 ack 1");
        s.inject(". 501:1001 ack 1");
        s.pass(41);
        s.expect(". 1 ack 1001");
        // All below what is acknowledged (RFC 2883 section 4.1.1).
        s.inject(". 501:1001 ack 1");
        s.expect(". 1 ack 1001 <nop,nop,sack 501:1001>");
        s.send(id, 5);
        s.expect("P. 1:6 ack 1001");
        // With a gap: before the runs (section 4.1.2).
        s.inject(". 1501:2001 ack 6");
        s.expect(". 6 ack 1001 <nop,nop,sack 1501:2001>");
        s.inject(". 501:1001 ack 6");
        s.expect(". 6 ack 1001 <nop,nop,sack 501:1001 1501:2001>");
        // In a run: before that run, though another grew since (section 4.1.3).
        s.inject(". 2501:3001 ack 6");
        s.expect(". 6 ack 1001 <nop,nop,sack 2501:3001 1501:2001>");
        s.inject(". 1601:1701 ack 6");
        s.expect(". 6 ack 1001 <nop,nop,sack 1601:1701 1501:2001 2501:3001>");
        // A part of it (section 4.2).
        s.inject(". 901:1101 ack 6");
        s.expect(". 6 ack 1101 <nop,nop,sack 901:1001 1501:2001 2501:3001>");
        s.inject(". 1401:1601 ack 6");
        s.expect(". 6 ack 1101 <nop,nop,sack 1501:1601 1401:2001 2501:3001>");
        // Two parts: the first is reported.
        s.inject(". 1001:1501 ack 6");
        s.expect(". 6 ack 2001 <nop,nop,sack 1001:1101 2501:3001>");
        s.inject(". 1901:2601 ack 6");
        s.expect(". 6 ack 3001 <nop,nop,sack 1901:2001>");
        // What is too old to be a duplicate is not said to be one.
        s.inject(". -70000:-69000 ack 6");
        s.expect(". 6 ack 3001");
        // Several before we answer: what follows on is one.
        s.inject(". 1:501 ack 6");
        s.inject(". 501:1001 ack 6");
        s.expect(". 6 ack 3001 <nop,nop,sack 1:1001>");
        s.expect_nothing();
        s.read(id, 3000);
        assert_eq!(info(&s, id).tally.duplicates_received, 5);
    }
    // A peer that does not understand it is just told where we are, once a segment.
    let (mut s, _) = Script::established(65535);
    s.inject("P. 1:11 ack 1");
    s.inject("P. 1:11 ack 1");
    s.expect(". 1 ack 11");
    for segment in [". 21:31 ack 1", ". 21:31 ack 1", ". 65530:65550 ack 1"] {
        s.inject(segment);
        s.expect(". 1 ack 11");
        s.expect_nothing();
    }
}

#[test]
fn all_runs_are_reported_that_fit() {
    let (mut s, id) = selective(Script::new());
    for n in 1..=6 {
        s.inject(&format!(". {n}00:{n}10 ack 1"));
    }
    s.expect(". 1 ack 1 <nop,nop,sack 600:610 500:510 400:410 300:310>");
    // With those gone, the others have their turn, whether they are recent or not.
    s.inject(". 610:700 ack 1");
    s.expect(". 1 ack 1 <nop,nop,sack 600:700 500:510 400:410 300:310>");
    for gap in ["510:600", "410:500", "310:400"] {
        s.inject(&format!(". {gap} ack 1"));
    }
    s.expect(". 1 ack 1 <nop,nop,sack 300:700 100:110 200:210>");
    s.inject(". 1:300 ack 1");
    s.expect(". 1 ack 700 <nop,nop,sack 100:110>");
    s.read(id, 699);
}

#[test]
fn a_flood_of_tiny_segments_stays_within_bounds() {
    let (mut s, id) = selective(Script::new());
    for n in (2..60_000).step_by(2) {
        s.inject(&format!(". {n}:{} ack 1", n + 1));
    }
    let dropped = s.stack.counters().dropped(DropReason::NoRoom);
    // As many holes are kept as every second full segment would make of the window.
    let kept = (1 << 20) / (2 * 1460);
    assert_eq!(dropped, 59_998 / 2 - kept);
    s.inject(". 1:2 ack 1");
    // Nothing is reported that was not kept.
    s.expect(". 1 ack 3 <nop,nop,sack 718:719 716:717 714:715 712:713>");
    s.read(id, 2);
}

#[test]
fn acknowledgments_are_quick_at_the_start_and_after_a_loss() {
    let (mut s, id) = Script::with(|config| config.tcp.quick_acks = 3).establish(65535);
    let mut next = 1;
    let mut segment = |s: &mut Script| {
        s.inject(&format!("P. {next}:{} ack 1", next + 100));
        next += 100;
        next
    };
    for _ in 0..3 {
        let next = segment(&mut s);
        s.expect(&format!(". 1 ack {next}"));
    }
    let next_ack = segment(&mut s);
    s.expect_nothing();
    s.pass(41);
    s.expect(&format!(". 1 ack {next_ack}"));
    // A gap and what fills it.
    s.inject(". 501:601 ack 1");
    s.expect(". 1 ack 401");
    s.inject(". 401:501 ack 1");
    s.expect(". 1 ack 601");
    for n in [6, 7] {
        s.inject(&format!("P. {n}01:{}01 ack 1", n + 1));
        s.expect(&format!(". 1 ack {}01", n + 1));
    }
    s.inject("P. 801:901 ack 1");
    s.expect_nothing();
    s.pass(41);
    s.expect(". 1 ack 901");
    s.read(id, 900);
    // By default it is sixteen.
    assert_eq!(tcp::Config::default().quick_acks, 16);
}

#[test]
fn in_a_dialogue_acknowledgments_go_with_the_answers() {
    let (mut s, id) = Script::with(|config| config.tcp.quick_acks = 16).establish(65535);
    s.inject("P. 1:11 ack 1");
    s.expect(". 1 ack 11");
    s.send(id, 10);
    s.expect("P. 1:11 ack 11");
    for n in 1..10 {
        let (from, to) = (10 * n + 1, 10 * n + 11);
        s.inject(&format!("P. {from}:{to} ack {from}"));
        s.expect_nothing();
        s.send(id, 10);
        s.expect(&format!("P. {from}:{to} ack {to}"));
        s.expect_nothing();
    }
}

#[test]
fn an_acknowledgment_waits_less_than_half_a_second_and_for_one_full_segment_at_most() {
    let wait = |change: fn(&mut Config), millis: u64| {
        let (mut s, _) = Script::with(change).establish(65535);
        s.inject("P. 1:11 ack 1");
        s.pass(millis - 1);
        s.expect_nothing();
        s.pass(2);
        s.expect(". 1 ack 11");
    };
    wait(|_| {}, 40);
    let long = |config: &mut Config| config.tcp.delayed_ack = Duration::from_secs(9);
    wait(long, 499);
    // A peer that has more to say may wait for us to let it.
    let (mut s, _) = Script::established(65535);
    s.inject("P. 1:11 ack 1");
    s.inject(". 11:511 ack 1");
    s.pass(4);
    s.expect_nothing();
    s.pass(2);
    s.expect(". 1 ack 511");
    // However often it says so, the first one waits no longer.
    for n in 0..20 {
        s.inject(&format!(". {}:{} ack 1", 511 + n, 512 + n));
        s.pass(1);
        if n == 5 {
            s.expect(". 1 ack 517");
        }
    }
    // What a device has put together from several counts as several.
    let (mut s, id) = Script::with(|config| config.mtu = 1500).establish(65535);
    s.inject(". 1:2001 ack 1");
    s.expect(". 1 ack 2001");
    s.inject(". 2001:42001 ack 1");
    s.expect(". 1 ack 42001");
    // Full-sized is what the peer sends, not what came put together.
    s.inject(". 42001:43001 ack 1");
    s.expect_nothing();
    s.inject(". 43001:44001 ack 1");
    s.expect(". 1 ack 44001");
    // Many that come at once are answered at once (MUST-58).
    for n in 44..60 {
        s.inject(&format!(". {n}001:{}001 ack 1", n + 1));
    }
    s.expect(". 1 ack 60001");
    s.expect_nothing();
    s.read(id, 60000);
}

#[test]
fn what_was_once_in_the_window_stays_acceptable() {
    // Shift 5: windows are multiples of 32 octets.
    for start in STARTS {
        let mut s = Script::with(|config| {
            config.tcp.receive_buffer = 1 << 20;
            config.tcp.delayed_ack = Duration::ZERO;
        });
        s.irs = SeqNumber(start);
        s.inject("S 0 <mss 1000,nop,wscale 0>");
        s.expect("S. 0 ack 1 win 65535 <mss 1460,nop,wscale 5>");
        s.inject(". 1 ack 1");
        let id = s.accept();
        let mut edge = 1 + 65535;
        let mut next = 1;
        // Unread until there is no room to make up for rounding.
        while next < (1 << 20) - 3000 {
            s.inject(&format!(". {next}:{} ack 1", next + 999));
            next += 999;
            s.pass(1);
            let sent = s.next().unwrap();
            let words: Vec<_> = sent.split(' ').collect();
            let window: u32 = words[5].parse().unwrap();
            assert_eq!(words[3], next.to_string());
            // Less than a unit is ever taken back (RFC 7323 section 2.4, SHLD-14).
            assert!(next + (window << 5) + 31 >= edge, "{sent}, edge {edge}");
            edge = edge.max(next + (window << 5));
            assert!(edge <= 1 + (1 << 20));
        }
        // The last octet that was offered is taken.
        s.inject(&format!(". {}:{edge} ack 1", edge - 1));
        assert_eq!(s.stack.counters().dropped(DropReason::OutOfWindow), 0);
        s.inject(&format!(". {next}:{} ack 1", edge - 1));
        s.read(id, edge as usize - 1);
    }
}

#[test]
fn a_buffer_of_one_octet_tells_of_its_room() {
    let (mut s, id) = Script::with(|config| config.tcp.receive_buffer = 1).open("S win 65535", 0);
    for octet in 1..4 {
        s.inject(&format!("P. {octet}:{} ack 1", octet + 1));
        s.pass(41);
        s.expect(&format!(". 1 ack {} win 0", octet + 1));
        s.read(id, 1);
        s.expect(&format!(". 1 ack {} win 1", octet + 1));
    }
}

#[test]
fn with_a_closed_window_acknowledgments_and_resets_are_heard() {
    let mut s = Script::with(|config| config.tcp.receive_buffer = 1000);
    let id;
    (s, id) = s.establish(65535);
    s.send(id, 10);
    s.expect("P. 1:11 ack 1");
    s.inject(". 1:1001 ack 1");
    s.pass(41);
    s.expect(". 11 ack 1001 win 0");
    // MUST-66; its text is not taken.
    s.inject(". 1001:1002 ack 11");
    s.expect(". 11 ack 1001 win 0");
    assert_eq!(info(&s, id).unacknowledged, 0);
    // Less than half of the buffer is not worth a window (MUST-39).
    assert_eq!(s.stack.recv(id, &mut [0; 499]), Ok(499));
    s.expect_nothing();
    assert_eq!(s.stack.recv(id, &mut [0; 1]), Ok(1));
    s.expect(". 11 ack 1001 win 500");
    s.inject(". 1001:1501 ack 11");
    s.pass(41);
    s.expect(". 11 ack 1501 win 0");
    s.inject("R 1501");
    assert_eq!(s.state(), State::Closed);
}

#[test]
fn ecn_is_agreed_on_only_as_the_rfc_has_it() {
    // RFC 3168 section 6.1.1: both bits ask, ECE alone agrees.
    let (s, id) = marking();
    assert!(info(&s, id).ecn);
    for syn in ["S 0", "SE 0", "SW 0"] {
        let mut s = Script::new();
        s.inject(syn);
        s.expect("S. 0 ack 1 <mss 1460>");
    }
    let mut s = Script::with(|config| config.tcp.ecn = tcp::Ecn::Off);
    s.inject("SEW 0");
    s.expect("S. 0 ack 1 <mss 1460>");

    let connect = || {
        let mut s = Script::with(|config| {
            config.tcp.ecn = tcp::Ecn::Offer;
            config.tcp.timestamps = false;
        });
        s.peer.set_port(80);
        let id = s.stack.connect(s.now, s.peer).unwrap();
        s.us = s.stack.quad(id).unwrap().local();
        s.expect("SEW 0 <mss 1460,nop,nop,sackOK,nop,wscale 5>");
        (s, id)
    };
    // One that reflects both does not know what they mean (section 6.1.1.2).
    for (answer, agreed) in [
        ("SE.", true),
        ("SEW.", false),
        ("SW.", false),
        ("S.", false),
    ] {
        let (mut s, id) = connect();
        s.inject(&format!("{answer} 0 ack 1"));
        s.expect(". 1 ack 1");
        assert_eq!(info(&s, id).ecn, agreed, "{answer}");
        s.send(id, 5);
        s.expect(if agreed {
            "P. 1:6 ack 1 ect0"
        } else {
            "P. 1:6 ack 1"
        });
    }
    // A lost SYN may have been dropped for its bits (section 6.1.1.1).
    let (mut s, id) = connect();
    s.pass(1001);
    s.expect("S 0 <mss 1460,nop,nop,sackOK,nop,wscale 5>");
    s.inject("SE. 0 ack 1");
    s.expect(". 1 ack 1");
    assert!(!info(&s, id).ecn);
    // The peer has given up ECN after its first SYN.
    let mut s = Script::new();
    s.inject("SEW 0");
    s.expect("SE. 0 ack 1 <mss 1460>");
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
}

#[test]
fn only_new_text_is_ecn_capable() {
    let (mut s, id) = marking();
    s.send(id, 2000);
    s.expect(". 1:1001 ack 1 ect0");
    s.expect("P. 1001:2001 ack 1 ect0");
    s.pass(201);
    s.expect(". 1:1001 ack 1");
    s.inject(". 1 ack 2001 win 0");
    s.send(id, 10);
    s.expect_nothing();
    s.pass(500);
    s.expect(". 2001:2002 ack 1"); // a probe
    s.inject("P. 1:6 ack 2001 win 0");
    s.pass(41);
    s.expect(". 2001 ack 6");
}

#[test]
fn a_mark_is_echoed_until_the_peer_has_slowed_down() {
    for start in STARTS {
        let mut s = Script::new();
        s.irs = SeqNumber(start);
        s.inject("SEW 0 <mss 1000>");
        s.expect("SE. 0 ack 1 <mss 1460>");
        s.inject(". 1 ack 1");
        let id = s.accept();
        // Outside of the window, and without text, it does not count (section 6.1.5).
        s.inject(". 900001:900002 ack 1 ce");
        s.expect(". 1 ack 1");
        s.inject(". 1 ack 1 ce");
        s.inject(". 1:11 ack 1 ect0");
        s.pass(41);
        s.expect(". 1 ack 11");
        s.inject(". 11:21 ack 1 ce");
        s.expect("E. 1 ack 21");
        // On text as well.
        s.send(id, 5);
        s.expect("PE. 1:6 ack 21 ect0");
        s.inject(". 21:31 ack 6 ect0");
        s.pass(41);
        s.expect("E. 6 ack 31");
        s.inject("W. 31:41 ack 6 ect0");
        s.expect(". 6 ack 41");
        // A new one with the CWR for the last.
        s.inject(". 41:51 ack 6 ce");
        s.expect("E. 6 ack 51");
        s.inject("W. 51:61 ack 6 ce");
        s.expect("E. 6 ack 61");
        s.inject("W. 61:71 ack 6 ect0");
        s.expect(". 6 ack 71");
        s.read(id, 70);
    }
    // Without ECN agreed on, marks mean nothing.
    let (mut s, _) = Script::established(65535);
    s.inject("P. 1:11 ack 1 ce");
    s.pass(41);
    s.expect(". 1 ack 11");
}

#[test]
fn an_echoed_mark_slows_us_down_once_a_window_and_we_say_so() {
    for start in STARTS {
        let mut s = Script::new();
        s.irs = SeqNumber(start);
        s.inject("SEW 0 <mss 1000>");
        s.expect("SE. 0 ack 1 <mss 1460>");
        s.inject(". 1 ack 1");
        let id = s.accept();
        s.send(id, 30_000);
        for _ in 0..10 {
            assert!(s.next().unwrap().ends_with(" ect0"));
        }
        s.expect_nothing();
        s.inject("E. 1 ack 2001");
        let reduced = info(&s, id).cwnd;
        assert!(reduced < 10_000, "{reduced}");
        // The same window tells it again and again.
        for n in 3..=9 {
            s.inject(&format!("E. 1 ack {n}001"));
        }
        assert!(info(&s, id).cwnd >= reduced);
        // The first new text says so, once.
        s.expect("W. 10001:11001 ack 1 ect0");
        assert_eq!(s.next().unwrap(), ". 11001:12001 ack 1 win 65535 ect0");
        while s.next().is_some() {}
        // An acknowledgment up to where we had come is of the old window still.
        s.inject("E. 1 ack 10001");
        let before = info(&s, id).cwnd;
        while s.next().is_some() {}
        s.inject("E. 1 ack 11001");
        assert!(info(&s, id).cwnd < before, "the next window's");
    }
    // Without ECN agreed on, ECE means nothing.
    let (mut s, id) = Script::established(65535);
    s.send(id, 5000);
    while s.next().is_some() {}
    s.inject("E. 1 ack 1001");
    assert!(info(&s, id).cwnd >= 10_000);
}

#[test]
fn after_a_loss_the_peer_is_told_with_the_next_new_text_and_not_with_old() {
    let (mut s, id) = marking();
    s.send(id, 12_000);
    for _ in 0..10 {
        s.next().unwrap();
    }
    s.pass(201);
    s.expect(". 1:1001 ack 1"); // no CWR, not ECN-capable
    s.inject(". 1 ack 10001");
    s.expect("W. 10001:11001 ack 1 ect0");
    assert_eq!(s.peer, PEER);
}

#[test]
fn two_hosts_heed_the_marks_of_a_router_between_them() {
    let [left, right] = [1, 2].map(|n| Ipv4Addr::new(10, 0, 0, n));
    let mut hosts = [left, right].map(|address| {
        let mut config = Config::seeded(address, 1);
        config.tcp.ecn = tcp::Ecn::Offer;
        Stack::new(config)
    });
    let listener = hosts[1].listen(Listen::port(7)).unwrap();
    let mut now = Instant::from_millis(1000);
    let client = hosts[0].connect(now, SocketAddrV4::new(right, 7)).unwrap();
    let (mut server, mut sent, mut received) = (None, 0, 0);
    let (mut capable, mut marks, mut echoes, mut told) = (0, 0, 0, 0);
    let mut buffer = [0; 1500];
    let data = vec![7; 2_000_000];
    for _ in 0..5000 {
        if sent < data.len() {
            sent += hosts[0].send(client, &data[sent..]).unwrap_or(0);
        }
        // Five milliseconds one way; at most 40 packets in a row pass without a mark.
        for (from, to) in [(0, 1), (1, 0)] {
            let mut queue = 0;
            while let Some(transmit) = hosts[from].poll_transmit(now, &mut buffer) {
                let packet = &mut buffer[..transmit.len];
                let parsed = TcpPacket::parse(packet).unwrap();
                let (flags, ect0) = (parsed.tcp.flags(), parsed.ip.ecn() == 0b10);
                let syn = flags.contains(TcpFlags::SYN);
                echoes += u32::from(!syn && flags.contains(TcpFlags::ECE));
                told += u32::from(!syn && flags.contains(TcpFlags::CWR));
                queue += 1;
                if ect0 {
                    capable += 1;
                    if queue > 40 {
                        Ipv4PacketMut::parse(packet).unwrap().set_ecn(0b11);
                        marks += 1;
                    }
                }
                let deliver = now + Duration::from_millis(5);
                hosts[to].receive(deliver, packet, Meta::default());
            }
            now += Duration::from_millis(5);
        }
        server = server.or_else(|| hosts[1].accept(listener));
        if let Some(server) = server {
            let [first, _] = hosts[1].recv_slices(server);
            let count = first.len();
            hosts[1].consume(server, count);
            received += count;
        }
        for host in &mut hosts {
            host.handle_timeout(now);
        }
        if received == data.len() {
            break;
        }
    }
    assert_eq!(received, data.len());
    assert!(
        capable > 1300 && marks > 0,
        "{capable} capable, {marks} marks"
    );
    assert!(echoes > 0 && told > 0, "{echoes} echoes, {told} told");
    // Nothing was lost, so nothing was sent again; the window stayed near what the router
    // lets pass.
    assert_eq!(hosts[0].counters().retransmissions, 0);
    let cwnd = hosts[0].info(client).unwrap().cwnd;
    assert!(cwnd < 100 * 1460, "{cwnd}");
}

#[test]
fn text_behind_a_gap_does_not_make_what_fills_it_old_right_after_the_handshake() {
    // RFC 7323 section 4.3, before the first acknowledgment of an active open has gone out.
    for start in [0, 0x4000_0000, 0x8000_0000, 0xc000_0000] {
        let mut s = Script::new();
        s.irs = SeqNumber(start);
        let id = s.connect(80);
        s.next().expect("a SYN");
        s.inject("S. 0 ack 1 <mss 1000,sackOK,ts 100 0>");
        s.inject(". 101:201 ack 1 <ts 102 0>");
        s.inject(". 1:101 ack 1 <ts 101 0>");
        s.read(id, 200);
    }
}
