//! Windows: shrinking, zero and silly ones (RFC 9293 section 3.8.6).

use zerotcp::stack::Event;
use zerotcp::tcp::State;

use crate::{Start, tests};

tests! {
    "MUST-34 MUST-35 SHLD-15 SHLD-16 attack-shrink" => a_window_that_shrinks_below_what_is_in_flight,
    "MUST-34 SHLD-15 SHLD-16" => what_the_shrunk_window_holds_is_sent_again,
    "SHLD-17" => what_lies_past_the_edge_does_not_time_out,
    "MUST-35 MUST-36 SHLD-29 SHLD-30" => a_zero_window_is_probed_at_growing_gaps,
    "MUST-37" => answered_probes_keep_a_connection_open_for_ever,
    "MUST-38" => the_sender_does_not_fill_silly_windows,
    "MUST-38" => half_of_the_largest_window_is_worth_a_segment,
    "MUST-39" => the_receiver_does_not_offer_silly_windows,
    "SHLD-14" => our_right_edge_never_moves_left,
    "MUST-66 order-zero-window MAY-8" => a_closed_window_of_ours_takes_ack_and_rst,
    "MUST-66 order-zero-window" => a_closed_window_of_ours_takes_urgent_pointers,
}

fn a_window_that_shrinks_below_what_is_in_flight(start: Start) {
    let (mut s, id) = start.established(4000);
    s.send(id, 8000);
    s.expect_all(&[
        ". 1:1001 ack 1",
        ". 1001:2001 ack 1",
        ". 2001:3001 ack 1",
        ". 3001:4001 ack 1",
    ]);
    s.inject(". 1 ack 1001 win 0");
    // Three thousand octets lie past the edge. Nothing new goes, one octet probes.
    s.expect_nothing();
    let mut probes = 0;
    for _ in 0..100 {
        s.pass(100);
        while let Some(sent) = s.next() {
            assert_eq!(sent.split(' ').nth(1), Some("1001:1002"), "{sent}");
            s.inject(". 1 ack 1001 win 0");
            probes += 1;
        }
    }
    assert!((3..=10).contains(&probes), "{probes}");
    s.inject(". 1 ack 1001 win 4000");
    s.expect(". 1001:2001 ack 1");
    s.inject(". 1 ack 4001 win 4000");
    s.expect(". 4001:5001 ack 1");
}

fn what_the_shrunk_window_holds_is_sent_again(start: Start) {
    let (mut s, id) = start.established(4000);
    s.send(id, 8000);
    assert_eq!(s.drain(), 4);
    // All are lost, and the window is down to two segments.
    s.inject(". 1 ack 1 win 2000");
    s.expect_nothing();
    let mut end = 0;
    let mut acked = 1;
    for _ in 0..100 {
        s.pass(100);
        while let Some(sent) = s.next() {
            let range = sent.split(' ').nth(1).unwrap();
            let (first, last) = range.split_once(':').unwrap();
            let (first, last): (u32, u32) = (first.parse().unwrap(), last.parse().unwrap());
            assert!(
                last <= acked + 2000,
                "{sent}: past the edge of {}",
                acked + 2000
            );
            end = end.max(last);
            if first == acked {
                acked = last;
            }
        }
        s.inject(&format!(". 1 ack {acked} win 2000"));
    }
    assert_eq!((acked, end), (8001, 8001), "all arrived");
}

fn what_lies_past_the_edge_does_not_time_out(start: Start) {
    let (mut s, id) = start.established(2000);
    s.send(id, 2000);
    assert_eq!(s.drain(), 2);
    s.inject(". 1 ack 1001 win 0");
    // For an hour the peer holds it there, and answers.
    for _ in 0..3600 {
        s.pass(1000);
        if s.drain() > 0 {
            s.inject(". 1 ack 1001 win 0");
        }
    }
    assert_eq!(s.state(), State::Established);
    s.inject(". 1 ack 1001 win 1000");
    s.expect("P. 1001:2001 ack 1");
}

fn a_zero_window_is_probed_at_growing_gaps(start: Start) {
    let (mut s, id) = start.established(1000);
    s.send(id, 3000);
    s.expect_all(&[". 1:1001 ack 1"]);
    s.inject(". 1 ack 1001 win 0");
    s.expect_nothing();
    let mut gap = 200;
    // One timeout, then twice as long each time, up to a minute.
    while gap < 60_000 {
        s.pass(gap / 20 * 19);
        s.expect_nothing();
        s.pass(gap / 10);
        s.expect_all(&[". 1001:1002 ack 1"]);
        s.inject(". 1 ack 1001 win 0");
        s.expect_nothing();
        gap *= 2;
    }
    for _ in 0..3 {
        s.pass(61_000);
        assert!(s.drain() >= 1);
        s.inject(". 1 ack 1001 win 0");
    }
    // The octet of a probe may be taken.
    s.pass(61_000);
    s.drain();
    s.inject(". 1 ack 1002 win 1000");
    s.expect(". 1002:2002 ack 1");
}

fn answered_probes_keep_a_connection_open_for_ever(start: Start) {
    for answered in [true, false] {
        let (mut s, id) = start.established(1000);
        s.send(id, 3000);
        s.expect(". 1:1001 ack 1");
        s.inject(". 1 ack 1001 win 0");
        for _ in 0..36_000 {
            s.pass(1000);
            for _ in 0..s.drain() {
                if answered {
                    s.inject(". 1 ack 1001 win 0");
                }
            }
        }
        let open = s.state() == State::Established;
        assert_eq!(open, answered);
    }
}

/// RFC 9293 section 3.8.6.2.1: no segment but a full-sized one, or the rest, or half the
/// largest window, unless the timer has run out.
fn the_sender_does_not_fill_silly_windows(start: Start) {
    let (mut s, id) = start.established(3000);
    s.send(id, 10_000);
    s.expect_all(&[". 1:1001 ack 1", ". 1001:2001 ack 1", ". 2001:3001 ack 1"]);
    // The peer's reader is slow: the window opens by a hundred octets at a time.
    for room in (0..1000).step_by(100) {
        s.inject(&format!(". 1 ack 3001 win {room}"));
        s.expect_nothing();
    }
    s.inject(". 1 ack 3001 win 1000");
    s.expect_all(&[". 3001:4001 ack 1"]);
    // Silly for long enough, it is used.
    s.inject(". 1 ack 4001 win 100");
    s.expect_nothing();
    s.pass(1000);
    s.expect(". 4001:4101 ack 1");
}

fn half_of_the_largest_window_is_worth_a_segment(start: Start) {
    // A peer whose buffer is smaller than a segment.
    let (mut s, id) = start.established(600);
    s.send(id, 5000);
    s.expect_all(&[". 1:601 ack 1"]);
    s.inject(". 1 ack 601 win 299");
    s.expect_nothing();
    s.inject(". 1 ack 601 win 300");
    s.expect_all(&[". 601:901 ack 1"]);
}

/// RFC 9293 section 3.8.6.2.2: the edge moves by a segment, or by half the buffer.
fn the_receiver_does_not_offer_silly_windows(start: Start) {
    let (mut s, id) = start.established_with(65535, |config| config.tcp.receive_buffer = 4000);
    for n in 0..4 {
        s.inject(&format!(". {}:{} ack 1", 1000 * n + 1, 1000 * n + 1001));
    }
    s.drain();
    assert_eq!(s.stack.info(id).unwrap().receive_window, 0);
    // The user reads a hundred octets at a time, the peer asks each time.
    let mut read = 0;
    let mut offered = Vec::new();
    while read < 4000 {
        let mut piece = [0; 100];
        read += s.stack.recv(id, &mut piece).unwrap();
        s.inject(". 4001:4002 ack 1");
        while let Some(sent) = s.next() {
            let mut words = sent.split(' ').skip_while(|word| *word != "win");
            offered.push(words.nth(1).unwrap().parse::<u32>().unwrap());
        }
        // The octet of the probe is taken when there is a window for it.
        if s.stack.info(id).unwrap().unread > 4000 - read as u32 {
            break;
        }
    }
    let small = offered.iter().find(|window| (1..1460).contains(*window));
    assert_eq!(small, None, "{offered:?}");
    assert!(offered.iter().any(|window| *window >= 1460), "{offered:?}");
}

fn our_right_edge_never_moves_left(start: Start) {
    for shift in ["", ",nop,wscale 0"] {
        let s = start.script_with(|config| config.tcp.receive_buffer = 100_000);
        let (mut s, id) = s.open(&format!("S <mss 1000{shift}>"), 0);
        let scaled = if shift.is_empty() { 0 } else { 1 };
        let (mut end, mut edge) = (1, 0);
        for n in 0..400 {
            // Odd sizes, so that scaling rounds; and the reader comes now and then.
            let len = 1 + (n * 37) % 400;
            s.inject(&format!(". {end}:{} ack 1", end + len));
            end += len;
            if n % 60 == 59 {
                let unread = s.stack.info(id).unwrap().unread as usize;
                let mut piece = vec![0; unread / 2];
                assert_eq!(s.stack.recv(id, &mut piece), Ok(piece.len()));
            }
            s.pass(50);
            while let Some(sent) = s.next() {
                let number = |name| {
                    let mut words = sent.split(' ').skip_while(|word| *word != name);
                    words.nth(1).unwrap().parse::<u32>().unwrap()
                };
                // By less than one step of the scale it may seem to (RFC 7323 section 2.4).
                let told = number("ack") + (number("win") << scaled);
                assert!(told + (1 << scaled) > edge, "{told} after {edge}");
                edge = edge.max(told);
            }
        }
    }
}

fn a_closed_window_of_ours_takes_ack_and_rst(start: Start) {
    for last in ["R 1001", "R. 1001 ack 1"] {
        let (mut s, id) = start.established_with(65535, |config| config.tcp.receive_buffer = 1000);
        s.inject(". 1:1001 ack 1");
        s.drain();
        assert_eq!(s.stack.info(id).unwrap().receive_window, 0);
        s.send(id, 500);
        s.expect("P. 1:501 ack 1001");
        // A probe: its octet finds no room.
        s.inject(". 1001:1002 ack 501 win 700");
        s.expect(". 501 ack 1001 win 0");
        let info = s.stack.info(id).unwrap();
        assert_eq!(
            (info.unacknowledged, info.unread),
            (0, 1000),
            "the ACK, and no text"
        );
        s.inject(last);
        assert_eq!(s.state(), State::Closed);
    }
}

fn a_closed_window_of_ours_takes_urgent_pointers(start: Start) {
    let (mut s, id) = start.established_with(65535, |config| config.tcp.receive_buffer = 1000);
    s.inject(". 1:1001 ack 1");
    s.drain();
    s.events();
    // At RCV.NXT it is acceptable; with an octet of text, as a probe has it, that is left.
    for (segment, urgent) in [
        ("U. 1001 ack 1 urg 7", 1007),
        ("U. 1001:1002 ack 1 urg 20", 1020),
    ] {
        s.inject(segment);
        assert_eq!(s.events(), [Event::Urgent(id)]);
        assert_eq!(s.stack.urgent(id), Some(urgent));
        assert_eq!(s.stack.info(id).unwrap().unread, 1000);
    }
    s.read(id, 1000);
    assert_eq!(s.stack.urgent(id), Some(20));
}
