//! Retransmission and giving up (RFC 9293 sections 3.8.1 to 3.8.3).

use std::time::Duration;

use zerotcp::stack::{Event, SocketError};
use zerotcp::tcp::{CloseReason, Config, State};

use crate::common::script::Script;
use crate::receiver::Receiver;
use crate::{Start, tests};

tests! {
    "MUST-18 MUST-19 6298-7" => retransmissions_back_off_exponentially,
    "MUST-19" => slow_start_then_avoidance,
    "MUST-20 SHLD-9 SHLD-10" => at_r1_the_user_is_told_once,
    "MUST-20 SHLD-11" => an_unanswered_segment_ends_the_connection_at_r2,
    "MUST-21" => r2_can_be_set,
    "MUST-21" => r2_can_be_set_on_a_connection_that_runs,
    "5482-1" => the_user_timeout_ends_it_without_progress,
    "MUST-22 SHLD-9" => trouble_with_a_syn_is_told_too,
    "MUST-22 MUST-23" => a_syn_is_tried_for_three_minutes,
    "MUST-22" => a_syn_ack_is_given_up_too,
}

/// Sends text that is never acknowledged, for `seconds`; when each copy went, in milliseconds.
fn unanswered(s: &mut Script, seconds: u64) -> Vec<u64> {
    let start = s.now;
    let mut times = Vec::new();
    for _ in 0..seconds * 100 {
        times.extend((0..s.drain()).map(|_| (s.now - start).as_millis() as u64));
        s.pass(10);
    }
    times
}

fn gaps(times: &[u64]) -> Vec<u64> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

fn retransmissions_back_off_exponentially(start: Start) {
    let (mut s, id) = start.established(65535);
    s.send(id, 10);
    let times = unanswered(&mut s, 10);
    let gaps = gaps(&times);
    for (gap, expected) in gaps.iter().zip([200, 400, 800, 1600, 3200]) {
        assert!(gap.abs_diff(expected) <= 20, "{gaps:?}");
    }
    assert!(gaps.len() >= 5, "{gaps:?}");
    s.inject(". 1 ack 11");
    // An answer ends it.
    s.pass(600_000);
    s.expect_nothing();
}

/// In slow start a window is twice the one before, beyond ssthresh little more than that.
fn slow_start_then_avoidance(start: Start) {
    let s = start.script_with(|config| config.tcp.send_buffer = 1 << 20);
    let (mut s, id) = s.open("S win 65535 <mss 1000,nop,wscale 4>", 100);
    s.inject(". 1 ack 1 win 65535");
    s.send(id, 1 << 20);
    let mut receiver = Receiver::new();
    let rounds: Vec<_> = (0..3).map(|_| receiver.round(&mut s, 100)).collect();
    assert!(rounds[0] <= 10, "{rounds:?}");
    assert!(rounds[1] >= rounds[0] * 3 / 2, "{rounds:?}");
    // All of a window is lost; the timeout finds it out.
    for _ in 0..100 {
        s.drain();
        s.pass(1);
    }
    let before = s.now;
    while s.next().is_none() {
        s.pass(1);
        assert!(s.now - before < Duration::from_secs(2));
    }
    let end = s.last_end();
    assert!(end <= receiver.next + 1000, "the earliest goes again");
    receiver.take(receiver.next, end);
    s.inject(&format!(". 1 ack {end} win 65535"));
    let rounds: Vec<_> = (0..14).map(|_| receiver.round(&mut s, 100)).collect();
    assert!(rounds[0] <= 3, "from one segment: {rounds:?}");
    assert!(!rounds.contains(&0), "it stands still: {rounds:?}");
    // The first rounds ask whether the timeout was needless (RFC 5682 section 2.1).
    let doubles = |pair: &&[usize]| 2 * pair[1] >= 3 * pair[0];
    let mut pairs = rounds.windows(2);
    let asking = pairs.by_ref().take_while(|pair| !doubles(pair)).count();
    assert!(asking <= 2, "{rounds:?}");
    assert!(pairs.take_while(doubles).count() >= 3, "{rounds:?}");
    let last = &rounds[rounds.len() - 4..];
    assert!(
        last.windows(2).all(|pair| 4 * pair[1] <= 5 * pair[0] + 4),
        "{rounds:?}"
    );
}

fn at_r1_the_user_is_told_once(start: Start) {
    let (mut s, id) = start.established(65535);
    let mut next = 1;
    for _ in 0..2 {
        s.events();
        s.send(id, 10);
        s.drain();
        // With the third retransmission.
        for told in [0, 0, 1, 0, 0] {
            s.wait();
            assert_eq!(s.events(), vec![Event::Trouble(id); told]);
        }
        assert_eq!(s.state(), State::Established);
        // Progress ends the episode.
        next += 10;
        s.inject(&format!(". 1 ack {next}"));
        assert_eq!(s.events(), []);
    }
    // R1 is configured, and less than R2 in any case.
    let (mut s, id) = start.established_with(65535, |config| {
        config.tcp.trouble_retransmissions = 5;
    });
    s.events();
    s.send(id, 10);
    s.drain();
    for told in [0, 0, 0, 0, 1] {
        s.wait();
        assert_eq!(s.events().len(), told);
    }
    let defaults = Config::default();
    assert!(defaults.trouble_retransmissions >= 3);
    assert!(defaults.trouble_retransmissions < defaults.settings.max_retransmissions);
}

fn an_unanswered_segment_ends_the_connection_at_r2(start: Start) {
    let (mut s, id) = start.established(65535);
    s.send(id, 10);
    let times = unanswered(&mut s, 2000);
    assert_eq!(
        times.len(),
        1 + usize::from(Config::default().settings.max_retransmissions)
    );
    assert!(times.last().unwrap() > &100_000);
    let closed = Event::Closed(id, CloseReason::TimedOut);
    assert!(s.events().contains(&closed));
    assert_eq!(s.stack.recv(id, &mut [0]), Err(SocketError::TimedOut));
    assert_eq!(s.state(), State::Closed);
}

fn r2_can_be_set(start: Start) {
    for limit in [1, 3, 8] {
        let (mut s, id) = start.established_with(65535, |config| {
            config.tcp.settings.max_retransmissions = limit;
        });
        s.send(id, 10);
        let times = unanswered(&mut s, 200);
        assert_eq!(times.len(), 1 + usize::from(limit));
        assert_eq!(s.state(), State::Closed);
    }
}

fn r2_can_be_set_on_a_connection_that_runs(start: Start) {
    let (mut s, id) = start.established(65535);
    let first = s.talk();
    s.turn_to(1);
    let (mut s, other) = s.establish(65535);
    s.switch_to(first);
    s.send(id, 10);
    s.drain();
    s.wait();
    s.change(id, |settings| settings.max_retransmissions = 3);
    // Two more, and the wait after the last.
    assert_eq!(unanswered(&mut s, 60).len(), 2);
    assert_eq!(s.state(), State::Closed);
    let settings = s.stack.settings(other).unwrap();
    assert_eq!(settings, Config::default().settings, "of the other one");
}

fn trouble_with_a_syn_is_told_too(start: Start) {
    let (mut s, id) = start.connecting();
    s.expect("S 0 *");
    for told in [0, 0, 1, 0] {
        s.wait();
        assert_eq!(s.events(), vec![Event::Trouble(id); told]);
    }
    s.inject("S. 0 ack 1 <mss 1000>");
    assert_eq!(s.events(), [Event::Connected(id)]);
}

fn a_syn_is_tried_for_three_minutes(start: Start) {
    let (mut s, id) = start.connecting();
    let times = unanswered(&mut s, 600);
    let gaps = gaps(&times);
    assert!(gaps[0].abs_diff(1000) <= 20, "{gaps:?}");
    assert!(gaps[1].abs_diff(2000) <= 20, "{gaps:?}");
    assert!(gaps.is_sorted());
    let closed = s.events();
    assert!(closed.contains(&Event::Closed(id, CloseReason::TimedOut)));
    // The wait after the last one counts.
    assert!(
        times.last().unwrap() + gaps.last().unwrap() >= 180_000,
        "{gaps:?}"
    );
    // And with a limit of one's own.
    let (mut s, _) = start.connecting_with(|config| config.tcp.max_syn_retransmissions = 2);
    assert_eq!(unanswered(&mut s, 600).len(), 3);
    assert_eq!(s.state(), State::Closed);
}

fn a_syn_ack_is_given_up_too(start: Start) {
    for (limit, expected) in [(None, 5), (Some(2), 2)] {
        let mut s = start.script_with(|config| {
            if let Some(limit) = limit {
                config.tcp.max_syn_ack_retransmissions = limit;
            }
            config.tcp.initial_rto = Duration::from_secs(1);
        });
        s.inject("S 0");
        let times = unanswered(&mut s, 600);
        assert_eq!(times.len(), 1 + expected);
        assert_eq!(s.stack.connection_count(), 0);
        assert_eq!(s.events(), [], "nobody was told of it");
    }
}

fn the_user_timeout_ends_it_without_progress(start: Start) {
    for seconds in [3, 1800] {
        let (mut s, id) = start.established(65535);
        s.change(id, |settings| {
            settings.user_timeout = Some(Duration::from_secs(seconds));
            settings.max_retransmissions = 1;
        });
        // Idle time does not count, and an answer begins it anew.
        s.pass(3_600_000);
        s.send(id, 20);
        s.drain();
        s.pass(seconds * 900);
        s.drain();
        s.inject(". 1 ack 11");
        s.pass(seconds * 990);
        s.drain();
        assert_eq!(s.state(), State::Established);
        s.pass(seconds * 20);
        assert_eq!(s.state(), State::Closed);
        let closed = Event::Closed(id, CloseReason::TimedOut);
        assert!(s.events().contains(&closed));
    }
}
