//! SYN floods (RFC 4987).

use zerotcp::stack::{ConnectionId, DropReason, Listen};
use zerotcp::tcp::{HalfOpen, State, Tcb};

use crate::common::heap::bytes_in_use;
use crate::common::script::Script;
use crate::{Start, tests};

tests! {
    "4987-1 attack-20" => a_client_connects_during_a_flood,
    "4987-1 attack-20" => an_accept_queue_that_nobody_empties_is_bounded,
    "4987-1" => a_full_backlog_does_not_harm_another_listener,
    "4987-1 4987-2 attack-20" => half_open_connections_are_no_connections,
    "4987-2" => a_half_open_connection_takes_next_to_nothing,
    "4987-3" => a_cookie_opens_a_connection,
    "4987-3" => a_forged_cookie_is_answered_with_a_reset,
    "4987-3" => a_stale_cookie_is_answered_with_a_reset,
    "4987-4" => a_cookie_keeps_the_mss_to_a_step,
    "4987-4" => with_timestamps_a_cookie_keeps_the_other_options,
    "4987-5" => without_pressure_there_is_no_cookie,
}

/// A host that has no room for many.
fn pressed(start: Start) -> Script {
    start.script_with(|config| config.max_half_open = ROOM)
}

const ROOM: usize = 50;

/// SYNs from peers that never answer, four times as many as there is room for; each time from
/// others.
fn flood(s: &mut Script) {
    let talk = s.talk();
    let before = s.stack.counters().packets_received as u32;
    for n in (before..).take(4 * ROOM) {
        s.peer.set_ip((0x0a00_0000 + n / 60_000).into());
        s.turn_to(1 + (n % 60_000) as u16);
        s.irs += n;
        s.inject("S 0 <mss 1460>");
        s.drain();
    }
    s.switch_to(talk);
}

fn a_client_connects_during_a_flood(start: Start) {
    let mut s = pressed(start);
    flood(&mut s);
    let (mut s, id) = s.establish(65535);
    flood(&mut s);
    s.inject("P. 1:6 ack 1");
    s.read(id, 5);
}

fn an_accept_queue_that_nobody_empties_is_bounded(start: Start) {
    let mut s = pressed(start);
    s.stack.unlisten(s.listener);
    s.listener = s.stack.listen(Listen::port(7).backlog(5)).unwrap();
    for port in 1..=100 {
        s.turn_to(port);
        s.inject("S 0 <mss 1000>");
        if s.next().is_some() {
            s.inject(". 1 ack 1");
        }
        s.drain();
    }
    assert!(
        s.stack.connection_count() <= 6,
        "{}",
        s.stack.connection_count()
    );
    // Who takes one makes room for one.
    let count = std::iter::from_fn(|| s.stack.accept(s.listener)).count();
    assert!((5..=6).contains(&count), "{count}");
    s.turn_to(200);
    s.establish(65535);
}

fn a_full_backlog_does_not_harm_another_listener(start: Start) {
    // Nobody accepts what the one has, and half of all that open would be its.
    let mut s = pressed(start);
    s.stack.unlisten(s.listener);
    s.listener = s.stack.listen(Listen::port(7).backlog(1)).unwrap();
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    s.turn_to(1);
    s.inject("S 0 <mss 1000>");
    s.expect_nothing();
    assert_eq!(s.stack.counters().dropped(DropReason::BacklogFull), 1);
    flood(&mut s);
    let listener = s.stack.listen(Listen::port(80)).unwrap();
    s.us.set_port(80);
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    assert!(s.stack.accept(listener).is_some());
}

fn half_open_connections_are_no_connections(start: Start) {
    let mut s = pressed(start);
    flood(&mut s);
    assert_eq!(s.stack.connection_count(), 0);
    assert_eq!(s.stack.half_open_count(), ROOM);
    // Who does not answer is forgotten.
    for _ in 0..300 {
        s.pass(1000);
        s.drain();
    }
    assert_eq!(s.stack.half_open_count(), 0);
}

/// RFC 4987 section 3.5. What the user of a connection may have to wait for takes a page at least.
fn a_half_open_connection_takes_next_to_nothing() {
    assert!(size_of::<HalfOpen>() <= 64, "{}", size_of::<HalfOpen>());
    assert!(8 * size_of::<HalfOpen>() <= size_of::<Tcb>());
    const COUNT: usize = 4096;
    let mut s = Script::with(|config| config.max_half_open = COUNT);
    let before = bytes_in_use();
    while s.stack.half_open_count() < COUNT {
        flood(&mut s);
    }
    let cost = bytes_in_use() - before;
    assert!(cost < 250 * COUNT as isize, "{cost} bytes");
    // And more of them take no more.
    let before = bytes_in_use();
    for _ in 0..40 {
        flood(&mut s);
    }
    let cost = bytes_in_use() - before;
    assert!(cost < 4096, "{cost} bytes");
}

fn a_cookie_opens_a_connection(start: Start) {
    let mut s = pressed(start);
    flood(&mut s);
    // Of those who have asked under pressure anybody may go on, even much later than others.
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    let talk = s.talk();
    flood(&mut s);
    s.pass(5000);
    s.drain();
    s.switch_to(talk);
    s.inject("P. 1:11 ack 1");
    let id = s.accept();
    s.read(id, 10);
    assert_eq!(s.state(), State::Established);
    assert_eq!(s.stack.counters().syn_cookies_accepted, 1);
}

fn a_forged_cookie_is_answered_with_a_reset(start: Start) {
    let mut s = pressed(start);
    flood(&mut s);
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    let sound = s.talk();
    flood(&mut s);
    s.switch_to(sound);
    // Other numbers, another port with the same ones.
    for ack in [0, 2, 3, 1000, -1] {
        s.inject(&format!(". 1 ack {ack}"));
        s.expect_all(&[&format!("R {ack}")]);
    }
    s.peer.set_port(s.peer.port() + 1);
    s.inject(". 1 ack 1");
    s.expect_all(&["R 1"]);
    assert_eq!(s.stack.connection_count(), 0);
}

fn a_stale_cookie_is_answered_with_a_reset(start: Start) {
    let mut s = pressed(start);
    flood(&mut s);
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    let talk = s.talk();
    flood(&mut s);
    s.pass(10 * 60 * 1000);
    flood(&mut s);
    s.switch_to(talk);
    s.inject(". 1 ack 1");
    s.expect_all(&["R 1"]);
    assert_eq!(s.stack.connection_count(), 0);
}

/// Where the SYN has been forgotten: others have come after it.
fn with_cookie(start: Start, syn: &str, ack: &str) -> (Script, ConnectionId) {
    let mut s = pressed(start);
    flood(&mut s);
    s.inject(syn);
    s.expect("S. 0 ack 1 *");
    let talk = s.talk();
    flood(&mut s);
    s.switch_to(talk);
    s.inject(ack);
    let id = s.accept();
    assert_eq!(s.stack.counters().syn_cookies_accepted, 1);
    (s, id)
}

fn a_cookie_keeps_the_mss_to_a_step(start: Start) {
    for mss in [536, 1000, 1300, 1440, 1460, 9000] {
        let (s, id) = with_cookie(start, &format!("S 0 <mss {mss}>"), ". 1 ack 1");
        let info = s.stack.info(id).unwrap();
        let kept = info.send_mss;
        assert!(kept <= mss && kept >= 536, "{kept} of {mss}");
        assert!(kept >= mss.min(1460) * 2 / 5, "{kept} of {mss}");
        // What there is no room for is off.
        assert!(!info.sack && !info.timestamps && info.window_scale == (0, 0));
    }
}

fn with_timestamps_a_cookie_keeps_the_other_options(start: Start) {
    let syn = "S 0 <mss 1460,sackOK,ts 100 0,nop,wscale 7>";
    let (mut s, id) = with_cookie(start, syn, ". 1 ack 1 win 1000 <nop,nop,ts 101 0>");
    let info = s.stack.info(id).unwrap();
    assert!(info.sack && info.timestamps, "{info:?}");
    assert_eq!((info.window_scale.0, info.send_window), (7, 128_000));
    s.inject("P. 1:6 ack 1 <nop,nop,ts 102 0>");
    s.read(id, 5);
}

/// A SYN is remembered: what it said is kept to the octet, and the answer goes out again by
/// itself.
fn without_pressure_there_is_no_cookie(start: Start) {
    let mut s = pressed(start);
    s.inject("S 0 <mss 1001,nop,wscale 3>");
    s.expect("S. 0 ack 1 <mss 1460,nop,wscale 5>");
    s.pass(1010);
    s.expect("S. 0 ack 1 <mss 1460,nop,wscale 5>");
    s.inject(". 1 ack 1");
    let id = s.accept();
    let info = s.stack.info(id).unwrap();
    assert_eq!((info.send_mss, info.window_scale.0), (1001, 3));
    assert_eq!(s.stack.counters().syn_cookies_sent, 0);
    flood(&mut s);
    assert!(s.stack.counters().syn_cookies_sent > 0);
}
