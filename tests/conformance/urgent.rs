//! Urgent data (RFC 9293 section 3.8.5, RFC 6093).

use zerotcp::stack::{ConnectionId, Event};

use crate::common::script::Script;
use crate::{Start, tests};

tests! {
    "MUST-30 MUST-62" => the_pointer_names_what_follows_urgent_data,
    "MUST-30" => what_is_sent_again_is_marked_again,
    "MUST-30" => a_closed_window_does_not_keep_the_pointer_back,
    "MUST-31" => urgent_data_of_any_length_goes_out,
    "MUST-31" => urgent_data_of_any_length_comes_in,
    "MUST-32" => the_user_is_told_when_it_begins_and_when_there_is_more,
    "MUST-33" => the_user_can_ask_how_much_there_is,
    "MUST-30 MUST-62" => it_is_read_in_line_with_the_rest,
}

/// Nothing has happened yet that the user has not heard of.
fn established(start: Start) -> (Script, ConnectionId) {
    let (mut s, id) = start.established(65535);
    s.events();
    (s, id)
}

fn the_pointer_names_what_follows_urgent_data(start: Start) {
    let (mut s, id) = established(start);
    s.send(id, 3);
    s.expect("P. 1:4 ack 1");
    // It does not wait for company, as plain text does (Nagle).
    s.send_urgent(id, 5);
    s.expect("PU. 4:9 ack 1 urg 5");
    // What follows is not urgent.
    s.inject(". 1 ack 9");
    s.send(id, 2);
    s.expect("P. 9:11 ack 1");
    // In several segments each of them says how far it is.
    s.inject(". 1 ack 11");
    s.send_urgent(id, 2500);
    s.expect_all(&[
        "U. 11:1011 ack 1 urg 2500",
        "U. 1011:2011 ack 1 urg 1500",
        "PU. 2011:2511 ack 1 urg 500",
    ]);
}

fn what_is_sent_again_is_marked_again(start: Start) {
    let (mut s, id) = established(start);
    s.send_urgent(id, 5);
    s.expect("PU. 1:6 ack 1 urg 5");
    s.pass(201);
    s.expect("PU. 1:6 ack 1 urg 5");
    // What becomes urgent meanwhile moves the pointer.
    s.send_urgent(id, 5);
    s.inject(". 1 ack 6");
    s.expect("PU. 6:11 ack 1 urg 5");
}

fn a_closed_window_does_not_keep_the_pointer_back(start: Start) {
    let (mut s, id) = start.established(1000);
    s.send(id, 1000);
    s.expect("P. 1:1001 ack 1");
    s.inject(". 1 ack 1001 win 0");
    s.send_urgent(id, 10);
    s.expect_all(&["U. 1001 ack 1 urg 10"]);
    s.inject(". 1 ack 1001 win 1000");
    s.expect_all(&["PU. 1001:1011 ack 1 urg 10"]);
}

/// More than the field can say: it says as much as it can until the end is near.
fn urgent_data_of_any_length_goes_out(start: Start) {
    let (mut s, id) = start.script().open("S <mss 1000,nop,wscale 4>", 0);
    s.send_urgent(id, 100_000);
    for n in 0..100 {
        let next = 1 + 1000 * n;
        let flags = if n == 99 { "PU." } else { "U." };
        let pointer = (100_001 - next).min(65_535);
        s.expect(&format!(
            "{flags} {next}:{} ack 1 urg {pointer}",
            next + 1000
        ));
        s.inject(&format!(". 1 ack {}", next + 1000));
    }
    s.expect_nothing();
}

fn urgent_data_of_any_length_comes_in(start: Start) {
    let (mut s, id) = established(start);
    // The mark is always ahead of what has come.
    for n in 0..100 {
        let next = 1 + 1000 * n;
        s.inject(&format!("U. {next}:{} ack 1 urg 65535", next + 1000));
        s.drain();
        assert_eq!(s.stack.urgent(id), Some(1000 * n + 65_535));
    }
    s.read(id, 100_000);
    assert_eq!(s.stack.urgent(id), Some(64_535));
}

fn the_user_is_told_when_it_begins_and_when_there_is_more(start: Start) {
    let (mut s, id) = established(start);
    s.inject("P. 1:4 ack 1");
    assert_eq!(s.events(), [Event::Readable(id)]);
    s.inject("U. 4:9 ack 1 urg 5");
    assert_eq!(s.events(), [Event::Urgent(id), Event::Readable(id)]);
    // The same again, or one that lies before, is no news.
    s.inject("U. 4:9 ack 1 urg 5");
    s.inject("U. 4:9 ack 1 urg 2");
    s.inject("U. 9 ack 1 urg 0");
    assert_eq!(s.events(), []);
    // Before any of it has come, too.
    s.inject("U. 9 ack 1 urg 6");
    assert_eq!(s.events(), [Event::Urgent(id)]);
    s.inject("U. 29:30 ack 1 urg 2");
    assert_eq!(s.events(), [Event::Urgent(id)]);
    // Once it has been read it begins anew.
    s.inject(". 9:31 ack 1");
    s.read(id, 30);
    s.events();
    s.inject("U. 31:33 ack 1 urg 2");
    assert_eq!(s.events(), [Event::Urgent(id), Event::Readable(id)]);
}

fn the_user_can_ask_how_much_there_is(start: Start) {
    let (mut s, id) = established(start);
    assert_eq!(s.stack.urgent(id), None);
    s.inject("P. 1:4 ack 1");
    assert_eq!(s.stack.urgent(id), None);
    // All that is to be read up to its end.
    s.inject("U. 4:9 ack 1 urg 15");
    assert_eq!(s.stack.urgent(id), Some(18));
    s.read(id, 8);
    assert_eq!(s.stack.urgent(id), Some(10));
    s.inject(". 9:24 ack 1");
    assert_eq!(s.stack.recv(id, &mut [0; 9]), Ok(9));
    assert_eq!(s.stack.urgent(id), Some(1));
    assert_eq!(s.stack.recv(id, &mut [0]), Ok(1));
    assert_eq!(
        s.stack.urgent(id),
        None,
        "there is more to read, but not urgent"
    );
}

/// RFC 6093 section 3.4: no octet is taken out of the stream.
fn it_is_read_in_line_with_the_rest(start: Start) {
    for pointer in [0, 1, 4, 5, 6, 65_535] {
        let (mut s, id) = established(start);
        s.inject("P. 1:6 ack 1");
        s.inject(&format!("PU. 6:11 ack 1 urg {pointer}"));
        s.inject("P. 11:16 ack 1");
        s.read(id, 15);
    }
}
