//! When text is sent: Nagle and PUSH (RFC 9293 sections 3.7.4 and 3.9.1.2).

use crate::{Start, tests};

tests! {
    "SHLD-7 MAY-16" => a_short_segment_waits_while_another_is_in_flight,
    "MUST-17" => nagle_can_be_switched_off_and_on,
    "MUST-17" => nagle_can_be_off_from_the_start,
    "MUST-60" => nothing_is_held_back_once_all_is_acknowledged,
    "MUST-61" => the_last_of_what_is_queued_has_psh,
    "SHLD-27 SHLD-28" => several_calls_make_full_sized_segments,
}

fn a_short_segment_waits_while_another_is_in_flight(start: Start) {
    let (mut s, id) = start.established(65535);
    s.send(id, 10);
    s.expect("P. 1:11 ack 1");
    s.send(id, 10);
    s.send(id, 10);
    s.expect_nothing();
    s.inject(". 1 ack 11");
    s.expect_all(&["P. 11:31 ack 1"]);
    // A full-sized one does not wait.
    s.send(id, 1500);
    s.expect_all(&[". 31:1031 ack 1"]);
}

fn nagle_can_be_switched_off_and_on(start: Start) {
    let (mut s, id) = start.established(65535);
    let first = s.talk();
    s.turn_to(1);
    let (mut s, other) = s.establish(65535);
    s.send(other, 10);
    s.expect("P. 1:11 ack 1");
    s.send(other, 10);
    let second = s.switch_to(first);
    s.send(id, 10);
    s.expect("P. 1:11 ack 1");
    s.send(id, 10);
    s.expect_nothing();
    // What waits already goes too; of the other connection it waits on.
    s.change(id, |settings| settings.nagle = false);
    s.expect_all(&["P. 11:21 ack 1"]);
    s.send(id, 10);
    s.expect_all(&["P. 21:31 ack 1"]);
    s.change(id, |settings| settings.nagle = true);
    s.send(id, 10);
    s.expect_nothing();
    s.switch_to(second);
    s.inject(". 1 ack 11");
    s.expect_all(&["P. 11:21 ack 1"]);
}

fn nagle_can_be_off_from_the_start(start: Start) {
    let (mut s, id) = start.established_with(65535, |config| config.tcp.settings.nagle = false);
    for n in 0..5 {
        s.send(id, 10);
        s.expect_all(&[&format!("P. {}:{} ack 1", 10 * n + 1, 10 * n + 11)]);
    }
}

fn nothing_is_held_back_once_all_is_acknowledged(start: Start) {
    let (mut s, id) = start.established(65535);
    for n in 0..20 {
        s.send(id, 1);
        s.expect_all(&[&format!("P. {}:{} ack 1", n + 1, n + 2)]);
        s.inject(&format!(". 1 ack {}", n + 2));
    }
    // What is waiting goes as soon as nothing is in flight, though no more is sent.
    s.send(id, 1);
    s.expect("P. 21:22 ack 1");
    s.send(id, 1);
    s.expect_nothing();
    s.inject(". 1 ack 22");
    s.expect_all(&["P. 22:23 ack 1"]);
}

fn the_last_of_what_is_queued_has_psh(start: Start) {
    let (mut s, id) = start.established(65535);
    s.send(id, 2500);
    s.expect_all(&[". 1:1001 ack 1", ". 1001:2001 ack 1"]);
    s.inject(". 1 ack 2001");
    s.expect_all(&["P. 2001:2501 ack 1"]);
    s.send(id, 2000);
    s.expect_all(&[". 2501:3501 ack 1", "P. 3501:4501 ack 1"]);
    // With a FIN too.
    s.inject(". 1 ack 4501");
    s.send(id, 5);
    s.stack.shutdown(id).unwrap();
    s.expect_all(&["FP. 4501:4506 ack 1"]);
}

fn several_calls_make_full_sized_segments(start: Start) {
    let (mut s, id) = start.established(65535);
    for _ in 0..300 {
        s.send(id, 10);
    }
    s.expect_all(&[". 1:1001 ack 1", ". 1001:2001 ack 1", "P. 2001:3001 ack 1"]);
}
