//! When what is received is acknowledged (RFC 9293 section 3.8.6.3).

use std::time::Duration;

use zerotcp::stack::ConnectionId;

use crate::common::script::Script;
use crate::{Start, tests};

tests! {
    "MUST-40 SHLD-18" => a_lone_segment_is_acknowledged_within_half_a_second,
    "MUST-40" => no_configuration_delays_for_longer,
    "SHLD-18 SHLD-19" => every_second_full_sized_segment_is_acknowledged,
    "MUST-58 MUST-59 5681-7" => what_arrives_together_is_acknowledged_together,
    "MUST-58" => an_acknowledgment_rides_on_text,
    "MAY-13 5681-7 SHLD-31" => what_is_out_of_order_is_kept_and_acknowledged_at_once,
    "5681-7" => what_fills_a_hole_is_acknowledged_at_once,
}

/// Where quick acknowledgments at the start are over.
fn established(start: Start) -> (Script, ConnectionId) {
    start.established_with(65535, |config| config.tcp.quick_acks = 0)
}

fn a_lone_segment_is_acknowledged_within_half_a_second(start: Start) {
    let (mut s, _) = established(start);
    s.inject("P. 1:11 ack 1");
    s.expect_nothing();
    s.pass(30);
    s.expect_nothing();
    s.pass(20);
    s.expect_all(&[". 1 ack 11"]);
}

fn no_configuration_delays_for_longer(start: Start) {
    let (mut s, _) = start.established_with(65535, |config| {
        config.tcp.quick_acks = 0;
        config.tcp.delayed_ack = Duration::from_secs(3);
    });
    s.inject("P. 1:11 ack 1");
    s.expect_nothing();
    let due = s.stack.poll_timeout().expect("the acknowledgment is due");
    assert!(due - s.now < Duration::from_millis(500));
    s.pass(500);
    s.expect_all(&[". 1 ack 11"]);
}

fn every_second_full_sized_segment_is_acknowledged(start: Start) {
    let (mut s, id) = established(start);
    s.inject(". 1:1461 ack 1");
    s.drain();
    let mut end = 1461;
    for _ in 0..20 {
        s.inject(&format!(". {end}:{} ack 1", end + 1460));
        end += 1460;
        let first = s.drain();
        s.inject(&format!(". {end}:{} ack 1", end + 1460));
        end += 1460;
        assert_eq!(first + s.drain(), 1, "one for two");
    }
    s.read(id, end - 1);
}

/// All that came before the next call to send is one acknowledgment.
fn what_arrives_together_is_acknowledged_together(start: Start) {
    let (mut s, id) = start.established(65535);
    for n in 0..10 {
        s.inject(&format!(". {}:{} ack 1", 1000 * n + 1, 1000 * n + 1001));
    }
    s.expect_all(&[". 1 ack 10001"]);
    s.read(id, 10_000);
    // With a FIN, and a window update in the same.
    for n in 10..20 {
        s.inject(&format!(". {}:{} ack 1", 1000 * n + 1, 1000 * n + 1001));
    }
    s.inject("F. 20001 ack 1");
    s.expect_all(&[". 1 ack 20002"]);
}

fn an_acknowledgment_rides_on_text(start: Start) {
    let (mut s, id) = start.established(65535);
    s.inject("P. 1:11 ack 1");
    s.send(id, 5);
    s.expect_all(&["P. 1:6 ack 11"]);
    s.pass(100);
    s.expect_nothing();
}

fn what_is_out_of_order_is_kept_and_acknowledged_at_once(start: Start) {
    let (mut s, id) = established(start);
    for (segment, ack) in [
        (". 21:41 ack 1", 1),
        (". 61:81 ack 1", 1),
        (". 41:51 ack 1", 1),
    ] {
        s.inject(segment);
        s.expect_all(&[&format!(". 1 ack {ack}")]);
    }
    s.read(id, 0);
    s.inject(". 1:21 ack 1");
    s.expect_all(&[". 1 ack 51"]);
    s.read(id, 50);
    s.inject(". 45:70 ack 1");
    s.expect_all(&[". 1 ack 81"]);
    s.read(id, 30);
}

fn what_fills_a_hole_is_acknowledged_at_once(start: Start) {
    let (mut s, _) = established(start);
    s.inject(". 11:21 ack 1");
    s.expect_all(&[". 1 ack 1"]);
    // A part of it does, too.
    s.inject(". 1:6 ack 1");
    s.expect_all(&[". 1 ack 6"]);
    s.inject(". 6:11 ack 1");
    s.expect_all(&[". 1 ack 21"]);
}
