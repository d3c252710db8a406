//! Keep-alives (RFC 9293 section 3.8.4).

use std::time::Duration;

use zerotcp::stack::{Config, Event};
use zerotcp::tcp::{CloseReason, Keepalive, State};

use crate::{Start, tests};

tests! {
    "MUST-24" => it_can_be_switched_on_and_off_on_one_connection,
    "MUST-25" => by_default_an_idle_connection_is_left_alone,
    "MUST-26 MUST-27 SHLD-12 MAY-5" => an_idle_connection_is_probed_without_text,
    "MUST-26" => what_arrives_puts_the_probe_off,
    "MUST-26" => while_something_is_in_flight_there_is_no_probe,
    "MUST-28" => the_default_is_two_hours,
    "MUST-29" => one_lost_probe_is_no_proof,
}

/// After ten seconds, then every two, three times.
fn probing(config: &mut Config) {
    config.tcp.settings.keepalive = Some(Keepalive {
        idle: Duration::from_secs(10),
        interval: Duration::from_secs(2),
        probes: 3,
    });
}

fn it_can_be_switched_on_and_off_on_one_connection(start: Start) {
    let (mut s, id) = start.established(65535);
    let first = s.talk();
    s.turn_to(1);
    let (mut s, other) = s.establish(65535);
    s.switch_to(first);
    let mut config = Config::seeded(*s.us.ip(), 0);
    probing(&mut config);
    for _ in 0..2 {
        s.inject(". 1 ack 1");
        s.change(id, |settings| *settings = config.tcp.settings);
        s.pass(10_100);
        // `expect` sees to it that the other one is silent.
        s.expect_all(&[". 0 ack 1"]);
        s.inject(". 1 ack 1");
        s.change(id, |settings| settings.keepalive = None);
        s.pass(24 * 3600 * 1000);
        s.expect_nothing();
    }
    assert_eq!(s.stack.settings(other).unwrap().keepalive, None);
    assert_eq!(s.stack.state(other), Some(State::Established));
}

fn by_default_an_idle_connection_is_left_alone(start: Start) {
    let (mut s, _) = start.established(65535);
    s.pass(30 * 24 * 3600 * 1000);
    s.expect_nothing();
    assert_eq!(s.state(), State::Established);
}

fn an_idle_connection_is_probed_without_text(start: Start) {
    let (mut s, id) = start.established_with(65535, probing);
    for _ in 0..5 {
        s.pass(9_900);
        s.expect_nothing();
        s.pass(200);
        // One below SND.NXT, so that it has to be answered.
        s.expect_all(&[". 0 ack 1"]);
        s.inject(". 1 ack 1");
    }
    assert_eq!(s.stack.state(id), Some(State::Established));
    // In CLOSE-WAIT the user has its turn, and waits for the peer all the same.
    s.inject("F. 1 ack 1");
    s.drain();
    s.pass(10_100);
    s.expect_all(&[". 0 ack 2"]);
}

fn what_arrives_puts_the_probe_off(start: Start) {
    let (mut s, id) = start.established_with(65535, probing);
    for n in 0..10 {
        s.pass(8_000);
        s.expect_nothing();
        s.inject(&format!("P. {}:{} ack 1", n + 1, n + 2));
        s.pass(500);
        s.expect_all(&[&format!(". 1 ack {}", n + 2)]);
    }
    s.read(id, 10);
}

fn while_something_is_in_flight_there_is_no_probe(start: Start) {
    let (mut s, id) = start.established_with(65535, probing);
    // It is due, but there is something to say now.
    s.pass(10_100);
    s.send(id, 10);
    for _ in 0..600 {
        while let Some(sent) = s.next() {
            assert!(sent.starts_with("P. 1:11 "), "{sent}");
        }
        s.pass(100);
    }
}

fn the_default_is_two_hours(start: Start) {
    assert!(Keepalive::default().idle >= Duration::from_secs(2 * 3600));
    let (mut s, _) = start.established_with(65535, |config| {
        config.tcp.settings.keepalive = Some(Keepalive::default());
    });
    s.pass(2 * 3600 * 1000 - 1000);
    s.expect_nothing();
    s.pass(2000);
    s.expect_all(&[". 0 ack 1"]);
}

fn one_lost_probe_is_no_proof(start: Start) {
    let (mut s, id) = start.established_with(65535, probing);
    s.pass(10_100);
    s.expect_all(&[". 0 ack 1"]);
    s.pass(2_000);
    s.expect_all(&[". 0 ack 1"]);
    // The third would be the last.
    s.inject(". 1 ack 1");
    s.pass(9_900);
    s.expect_nothing();
    assert_eq!(s.state(), State::Established);
    s.pass(200);
    for _ in 0..3 {
        s.expect_all(&[". 0 ack 1"]);
        assert_eq!(s.state(), State::Established);
        s.pass(2_000);
    }
    assert_eq!(s.state(), State::Closed);
    assert!(
        s.events()
            .contains(&Event::Closed(id, CloseReason::TimedOut))
    );
}
