//! Blind in-window attacks (RFC 5961).

use std::time::Duration;

use zerotcp::stack::Event;
use zerotcp::tcp::{CloseReason, State};

use crate::{Start, tests};

tests! {
    "5961-1" => an_exact_reset_resets,
    "5961-2" => an_inexact_reset_is_challenged,
    "5961-3" => a_reset_outside_the_window_is_forgotten,
    "5961-3 order-syn-sent" => in_syn_sent_a_reset_has_to_acknowledge_our_syn,
    "5961-4" => a_syn_is_challenged_whatever_its_number,
    "5961-4" => a_syn_brings_a_passive_syn_received_back_to_listen,
    "5961-5 MAY-12" => an_old_or_a_future_ack_is_not_believed,
    "5961-5" => a_fin_with_such_an_ack_closes_nothing,
    "5961-6" => the_largest_window_counts_after_scaling,
    "5961-7" => challenges_are_limited_by_configured_numbers,
    "5961-7 attack-23" => each_connection_counts_its_own_challenges,
}

fn an_exact_reset_resets(start: Start) {
    for reset in ["R 11", "R. 11 ack 1", "R. 11 ack 99999"] {
        let (mut s, id) = start.established(65535);
        s.inject("P. 1:11 ack 1");
        s.drain();
        s.inject(reset);
        s.expect_nothing();
        assert!(s.events().contains(&Event::Closed(id, CloseReason::Reset)));
        assert_eq!(s.state(), State::Closed);
    }
}

fn an_inexact_reset_is_challenged(start: Start) {
    let (mut s, id) = start.established(65535);
    s.send(id, 5);
    s.expect("P. 1:6 ack 1");
    for reset in ["R 2", "R 65000", "R. 1000 ack 1"] {
        s.inject(reset);
        s.expect_all(&[". 6 ack 1"]);
        assert_eq!(s.state(), State::Established);
    }
    // The last octet of the window is in it, the next is not.
    s.inject("R 65535");
    s.expect_all(&[". 6 ack 1"]);
    s.inject("R 65536");
    s.expect_nothing();
}

fn a_reset_outside_the_window_is_forgotten(start: Start) {
    let (mut s, _) = start.established(65535);
    for seq in [0, -1, -100_000, 65_536, 100_000_000, 2_147_483_648_i64] {
        s.inject(&format!("R {seq}"));
        s.inject(&format!("R. {seq} ack 1"));
        s.expect_nothing();
    }
    assert_eq!(s.state(), State::Established);
}

fn in_syn_sent_a_reset_has_to_acknowledge_our_syn(start: Start) {
    let (mut s, id) = start.connecting();
    s.expect("S 0 *");
    for reset in ["R 0", "R 1", "R. 0 ack 0", "R. 0 ack 2", "R. 0 ack -1"] {
        s.inject(reset);
        s.expect_nothing();
        assert_eq!(s.state(), State::SynSent, "{reset}");
    }
    s.inject("R. 77 ack 1");
    assert_eq!(s.events(), [Event::Closed(id, CloseReason::Refused)]);
}

fn a_syn_is_challenged_whatever_its_number(start: Start) {
    let (mut s, _) = start.established(65535);
    for syn in [
        "S 0",
        "S 1",
        "S 500",
        "S 99999999",
        "S -5",
        "S. 0 ack 1",
        "S. 1 ack 1",
    ] {
        s.inject(syn);
        s.expect_all(&[". 1 ack 1"]);
        assert_eq!(s.state(), State::Established);
    }
    // The peer has restarted: it answers the challenge with a reset.
    s.inject("R 1");
    assert_eq!(s.state(), State::Closed);
}

fn a_syn_brings_a_passive_syn_received_back_to_listen(start: Start) {
    let mut s = start.script();
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject("S 100 <mss 1000>");
    // RFC 9293 section 3.10.7.4, fourth.
    s.expect_nothing();
    assert_eq!((s.state(), s.stack.half_open_count()), (State::Closed, 0));
    assert_eq!(s.events(), []);
    // From LISTEN it starts again, with its new number.
    s.iss = None;
    s.inject("S 200 <mss 1000>");
    s.expect("S. 0 ack 201 <mss 1460>");
    s.inject(". 201 ack 1");
    assert_eq!(s.state(), State::Established);
}

fn an_old_or_a_future_ack_is_not_believed(start: Start) {
    let (mut s, id) = start.established(1000);
    for (sent, pushed) in [("P. 1:1001 ack 1", 1001), ("P. 1001:2001 ack 1", 2001)] {
        s.send(id, 1000);
        s.expect(sent);
        s.inject(&format!(". 1 ack {pushed} win 1000"));
    }
    s.send(id, 500);
    s.expect("P. 2001:2501 ack 1");
    for ack in [2502, 900_000, 2_000_000_000_i64, 1000, -900_000] {
        s.inject(&format!("P. 1:5 ack {ack} win 1000"));
        s.expect_all(&[". 2501 ack 1"]);
        s.read(id, 0);
        assert_eq!(s.stack.info(id).unwrap().unacknowledged, 500);
    }
    // As old as a window, it is.
    s.inject("P. 1:5 ack 1001 win 1000");
    s.read(id, 4);
}

fn a_fin_with_such_an_ack_closes_nothing(start: Start) {
    let (mut s, _) = start.established(1000);
    for ack in [2, -1000] {
        s.inject(&format!("F. 1 ack {ack}"));
        s.expect_all(&[". 1 ack 1"]);
        assert_eq!(s.state(), State::Established);
    }
}

fn the_largest_window_counts_after_scaling(start: Start) {
    let (mut s, id) = start.script().open("S win 1000 <mss 1000,nop,wscale 4>", 0);
    // 16,000 octets, and less later.
    s.inject(". 1 ack 1 win 1000");
    s.send(id, 16_001);
    for ack in [8001, 16_001] {
        s.drain();
        s.inject(&format!(". 1 ack {ack} win 1000"));
    }
    s.drain();
    s.inject(". 1 ack 16002 win 10");
    s.inject("P. 1:5 ack 2 win 10");
    s.read(id, 4);
    s.drain();
    s.inject("P. 5:9 ack 1 win 10");
    s.read(id, 0);
    s.expect_all(&[". 16002 ack 5"]);
}

fn challenges_are_limited_by_configured_numbers(start: Start) {
    for (limit, interval) in [(10, 5), (3, 60)] {
        let (mut s, _) = start.established_with(65535, |config| {
            config.tcp.max_challenges = limit;
            config.tcp.challenge_interval = Duration::from_secs(interval);
        });
        for _ in 0..3 {
            let mut answers = 0;
            for segment in ["S 7", "R 7", ". 1 ack 900", "S. 99 ack 1"] {
                for _ in 0..50 {
                    s.inject(segment);
                    answers += s.drain();
                }
            }
            assert_eq!(answers, usize::from(limit));
            s.pass(interval * 1000);
        }
        assert_eq!(s.state(), State::Established);
    }
}

/// One connection's challenges tell nothing of another's (CVE-2016-5696).
fn each_connection_counts_its_own_challenges(start: Start) {
    let (mut s, _) = start.established(65535);
    let (victim, iss) = (s.peer, s.iss);
    s.turn_to(1);
    let (mut s, _) = s.establish(65535);
    let mut answers = 0;
    for _ in 0..100 {
        s.inject("S 7");
        answers += s.drain();
    }
    assert_eq!(answers, 10);
    // Those of the other are all there.
    (s.peer, s.iss) = (victim, iss);
    let mut answers = 0;
    for _ in 0..100 {
        s.inject("S 7");
        answers += s.drain();
    }
    assert_eq!(answers, 10);
}
