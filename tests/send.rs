//! What a sender does when its timer expires, and what bounds it: the peer's window, and the
//! congestion window. Packet scripts in virtual time.

mod common;

use std::time::Duration;

use common::script::Script;
use common::sender::{BOTH, RENO, RTT, SACK, STAMPS, Sender, each, segments};
use zerotcp::tcp::congestion::Algorithm;
use zerotcp::tcp::{Ecn, Phase, State};
// Timeouts.

#[test]
fn a_timeout_goes_back_and_starts_slowly() {
    for mode in each(&[RENO, STAMPS]) {
        let mut l = Sender::sending(mode, 10_000);
        l.expect_after(300, &["1:1001"]);
        assert_eq!(l.windows(), (1, 5));
        assert_eq!(l.info().in_flight, 1000, "all else is lost");
        // It backs off.
        l.expect_after(600, &["1:1001"]);
        assert_eq!(l.windows(), (1, 5));
        l.expect_after(1200, &["1:1001"]);
        l.pass(RTT);
        l.ack(1001);
        l.expect(&["1001:2001", "2001:3001"]);
        l.pass(RTT);
        l.ack(2001);
        l.expect(&["3001:4001", "4001:5001"]);
        l.pass(RTT);
        l.ack(5001);
        l.finish(10_001);
        assert_eq!(l.info().tally.fast_retransmissions, 0);
    }
}

#[test]
fn a_receiver_that_goes_back_on_its_word_is_sent_all_of_it_again() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 5000);
        l.pass(RTT);
        l.sack(1, "1001:5001");
        l.expect(&["1:1001"]);
        l.pass(RTT);
        // It has thrown away what it had reported.
        l.ack(1001);
        let mut again = Vec::new();
        for _ in 0..10 {
            l.pass(300);
            again.extend(l.sent());
            let end = again.last().and_then(|span: &String| span.split_once(':'));
            if let Some((_, end)) = end {
                l.ack(end.parse().unwrap());
            }
        }
        for span in segments(1001, 5001) {
            assert!(again.contains(&span), "{again:?}");
        }
        assert_eq!(l.info().unacknowledged, 0);
    }
}

#[test]
fn frto_asks_with_new_text_and_undoes_a_timeout_that_was_a_mistake() {
    for mode in each(&[RENO, STAMPS, SACK, BOTH]) {
        let mut l = Sender::sending(mode, 40_000);
        let echo = l.echo.clone();
        if mode.sack {
            l.expect_after(2 * RTT, &["10001:11001"]);
        }
        l.expect_after(300, &["1:1001"]);
        assert_eq!(l.info().cwnd / 1000, 1);
        // Timestamps that say nothing, so that they do not tell before.
        let rtx_echo = l.echo.clone();
        l.ack(1001);
        let next = l.info_end();
        let asked = l.sent();
        assert_eq!(
            asked[0].split(':').next().unwrap(),
            (next).to_string(),
            "{mode:?}"
        );
        assert_eq!(asked.len(), 2);
        l.echo = rtx_echo;
        l.ack(2001);
        assert_eq!(l.info().tally.spurious, 1);
        assert!(l.info().cwnd >= 10_000, "{:?}", l.info());
        assert_eq!(l.info().phase, Phase::SlowStart);
        let _ = echo;
        l.finish(40_001);
        assert_eq!(l.info().tally.timeout_retransmissions, 1);
    }
}

#[test]
fn frto_goes_on_with_a_timeout_that_was_right() {
    for mode in each(&[RENO, STAMPS]) {
        let mut l = Sender::sending(mode, 40_000);
        l.expect_after(300, &["1:1001"]);
        l.ack(1001);
        assert_eq!(l.sent(), ["10001:11001", "11001:12001"]);
        l.ack(1001);
        assert_eq!(l.sent()[0], "1001:2001");
        assert_eq!(l.info().phase, Phase::Loss);
        l.finish(40_001);
    }
    // Nothing new to ask with.
    let mut l = Sender::sending(RENO, 10_000);
    l.expect_after(300, &["1:1001"]);
    l.ack(1001);
    l.expect(&["1001:2001", "2001:3001"]);
    // Nothing that silly-window avoidance lets out: it must not wait for another timeout.
    let mut l = Sender::sending(RENO, 20_000);
    l.expect_after(300, &["1:1001"]);
    l.window = 9500;
    l.ack(1001);
    assert_eq!(l.sent()[0], "1001:2001");
}

#[test]
fn timestamps_tell_that_it_was_the_first_transmission() {
    for mode in each(&[BOTH, STAMPS]) {
        // After a timeout.
        let mut l = Sender::sending(mode, 20_000);
        let echo = l.echo.clone();
        let timeouts = |l: &Sender| l.info().tally.timeout_retransmissions;
        while timeouts(&l) == 0 {
            l.wait();
        }
        l.echo = echo;
        l.ack(1001);
        assert_eq!(l.info().tally.spurious, 1, "{mode:?}");
        assert!(l.info().cwnd >= 10_000 && l.info().ssthresh > 1 << 20);
        assert_eq!(
            l.info().rto,
            l.info().srtt.unwrap() + (4 * l.info().rttvar.unwrap()).max(Duration::from_millis(200))
        );
        l.finish(20_001);
        // After fast recovery.
        let mut l = Sender::sending(mode, 10_000);
        let echo = l.echo.clone();
        l.pass(RTT);
        let blocks = ["1001:2001", "1001:3001", "1001:4001"];
        for block in blocks {
            l.echo = echo.clone();
            l.sack(1, if mode.sack { block } else { "" });
        }
        l.pass(10);
        assert_eq!(l.sent()[0], "1:1001");
        l.echo = echo;
        l.ack(4001);
        assert_eq!(l.info().tally.spurious, 1);
        assert!(l.info().ssthresh > 1 << 20);
    }
}

/// Two timeouts, and the second transmission arrived: the first had been lost.
#[test]
fn a_timeout_is_no_mistake_because_the_next_one_was() {
    let mut l = Sender::sending(STAMPS, 10_000);
    l.expect_after(300, &["1:1001"]);
    let echo = l.echo.clone();
    l.expect_after(600, &["1:1001"]);
    l.echo = echo;
    l.ack(1001);
    assert_eq!(l.info().tally.spurious, 0);
    assert_eq!(l.info().ssthresh / 1000, 5);
}

/// Karn's rule: what was sent again measures nothing without timestamps, so the timeout stays
/// doubled when it is acknowledged (RFC 6298 section 5).
#[test]
fn an_acknowledgment_that_measures_nothing_leaves_the_timeout_doubled() {
    for mode in each(&[RENO]) {
        let mut l = Sender::sending(mode, 1000);
        l.expect_after(300, &["1:1001"]);
        l.pass(RTT);
        l.ack(1001);
        l.s.send(l.id, 1000);
        l.expect(&["1001:2001"]);
        l.expect_after(600, &["1001:2001"]);
        // One that measures ends it.
        l.ack(2001);
        l.s.send(l.id, 1000);
        l.expect(&["2001:3001"]);
        l.pass(RTT);
        l.ack(3001);
        l.s.send(l.id, 1000);
        l.expect(&["3001:4001"]);
        assert!(
            l.info().rto < Duration::from_millis(400),
            "{:?}",
            l.info().rto
        );
    }
}

// Windows.

#[test]
fn octets_beyond_a_window_that_has_shrunk_wait() {
    for mode in each(&[RENO, SACK, BOTH]) {
        let mut l = Sender::sending(mode, 20_000);
        l.window = 2500;
        l.pass(RTT);
        l.ack(1001);
        let mut all = Vec::new();
        for _ in 0..20 {
            l.pass(500);
            all.extend(l.sent());
        }
        assert!(!all.is_empty());
        for span in &all {
            let (_, end) = span.split_once(':').unwrap();
            assert!(end.parse::<u32>().unwrap() <= 3501, "{all:?}");
        }
        l.ack(3501);
        l.window = 30_000;
        l.ack(3501);
        assert!(!l.sent().is_empty());
        l.finish(20_001);
    }
}

#[test]
fn a_window_that_closes_on_what_is_in_flight_is_probed_and_reopens() {
    for mode in each(&[RENO, SACK, BOTH]) {
        for late in [0, 250] {
            let mut l = Sender::new(mode);
            l.s.send(l.id, 4000);
            l.sent();
            // Sent of late when the timer expires: still in flight then.
            l.pass(late);
            l.s.send(l.id, 4000);
            l.sent();
            l.window = 0;
            l.ack(1001);
            let mut probes = Vec::new();
            while probes.len() < 4 {
                probes.extend(l.wait().1);
            }
            // The first octet, at growing gaps.
            assert!(
                probes.ends_with(&["1001:1002".into(), "1001:1002".into()]),
                "{probes:?}"
            );
            l.ack(1001);
            l.window = 20_000;
            let ssthresh = l.info().ssthresh;
            l.ack(1001);
            assert_eq!(l.sent().first().map(String::as_str), Some("1001:2001"));
            l.finish(8001);
            assert_eq!(l.info().tally.fast_retransmissions, 0);
            assert!(l.info().ssthresh >= ssthresh.min(4000));
        }
    }
}

/// However long the last round trip was, and with it the time that segments are given where some
/// were overtaken.
#[test]
fn a_window_that_closes_after_a_leap_of_the_clock_is_probed() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 10_000);
        l.pass(RTT);
        l.sack(1, "1001:2001");
        l.ack(2001);
        l.s.now += Duration::from_secs(1_000_000);
        l.ack(5001);
        l.window = 0;
        l.ack(6001);
        // What would probe the tail, the timeout, and the first gap: a minute each, and some more.
        let mut sent = (0..5).map(|_| {
            l.pass(60_000);
            l.sent()
        });
        assert_eq!(
            sent.find(|sent| !sent.is_empty()),
            Some(vec!["6001:6002".to_owned()])
        );
    }
}

/// The round trip is ten times the longest timeout, and all that was sent again while it lasted has
/// emptied the pacer's bucket for longer than a probe may wait.
#[test]
fn probes_of_a_window_leave_whatever_the_pace() {
    let mut l = Sender::with(STAMPS, 65_535, |config| {
        config.tcp.pacing = true;
        config.tcp.max_rto = Duration::from_secs(1);
    });
    l.s.send(l.id, 1000);
    l.sent();
    for round in 1..=20 {
        // Of its second transmission: the timeout was no mistake, and the round trip is as long.
        l.pass(1000);
        l.sent();
        let echo = l.echo.clone();
        for _ in 0..10 {
            l.pass(1000);
            l.sent();
        }
        l.echo = echo;
        l.s.send(l.id, 1000);
        l.window = if round == 20 { 0 } else { 65_535 };
        l.ack(1 + 1000 * round);
        l.sent();
    }
    assert!(
        l.info().srtt > Some(Duration::from_secs(4)),
        "{:?}",
        l.info()
    );
    for _ in 0..3 {
        let (after, sent) = l.wait();
        assert!((999..=1002).contains(&after), "{after} ms: {sent:?}");
    }
}

/// The host sleeps while a segment is under way, or its clock leaps: that was no round trip, by which
/// segments would be paced, and the timer set, for hours.
#[test]
fn a_sleep_is_no_round_trip() {
    for mode in each(&[RENO, BOTH]) {
        let mut l = Sender::with(mode, 65_535, |config| config.tcp.pacing = true);
        l.s.send(l.id, 1000);
        l.expect(&["1:1001"]);
        l.s.now += Duration::from_secs(3 * 60 * 60);
        l.ack(1001);
        assert_eq!(l.info().srtt, Some(Duration::from_millis(RTT)), "{mode:?}");
        l.s.send(l.id, 20_000);
        for _ in 0..5 {
            l.sent();
            l.pass(RTT);
            l.ack(l.info_end());
        }
        assert_eq!(l.info().unsent, 0, "{mode:?}: {:?}", l.info());
    }
}

/// CUBIC's window follows time: a host that was asleep has used none of it.
#[test]
fn the_window_does_not_grow_by_a_sleep() {
    let windows = |mode, sleep| {
        let mut l = Sender::with(mode, 65_535, |config| {
            config.tcp.congestion = Algorithm::Cubic;
        });
        l.s.send(l.id, 60_000);
        l.sent();
        l.pass(RTT);
        l.sack(1, "1001:10001");
        let mut windows = vec![];
        for round in 0..12 {
            l.sent();
            let end = l.info_end();
            match round {
                // What has come meanwhile is taken in before any timer is looked at.
                6 => l.s.now += sleep,
                _ => l.pass(RTT),
            }
            // With something in flight no silence is noticed.
            l.ack(end - 2000);
            l.sent();
            l.ack(end);
            l.s.send(l.id, 20_000);
            windows.push(l.info().cwnd);
        }
        windows
    };
    for mode in each(&[SACK, BOTH]) {
        let awake = windows(mode, Duration::from_millis(RTT));
        assert!(awake[2] < awake[11], "{awake:?}");
        assert_eq!(windows(mode, Duration::from_secs(600)), awake);
    }
}

#[test]
fn a_window_that_closes_in_recovery_keeps_a_timer() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 20_000);
        l.pass(RTT);
        l.window = 0;
        l.sack(1, "1001:10001");
        for _ in 0..5 {
            assert_eq!(l.wait().1, ["1:2"]);
        }
        l.window = 20_000;
        l.sack(1, "1001:10001");
        assert_eq!(l.sent()[0], "1:1001");
        l.ack(10_001);
        l.finish(20_001);
    }
}

#[test]
fn a_fin_that_is_lost_goes_again_with_text_or_without() {
    for mode in each(&[RENO, SACK, BOTH]) {
        for len in [0, 500, 1000] {
            let mut l = Sender::new(mode);
            if len > 0 {
                l.s.send(l.id, len);
            }
            l.s.stack.shutdown(l.id).unwrap();
            let first = l.sent();
            assert!(first.last().unwrap().ends_with('F'), "{first:?}");
            let mut again = Vec::new();
            for _ in 0..3 {
                again.extend(l.wait().1);
            }
            assert!(
                again.last().unwrap().ends_with('F') || len == 1000,
                "{again:?}"
            );
            if len > 0 {
                // The text arrives, the FIN does not.
                l.ack(len as u32 + 1);
                let mut alone = l.sent();
                for _ in 0..3 {
                    alone.extend(l.wait().1);
                }
                assert!(alone.contains(&format!("{}F", len + 1)), "{alone:?}");
            }
            l.ack(len as u32 + 2);
            assert_eq!(l.s.state(), State::FinWait2);
        }
    }
}

// Congestion.

#[test]
fn a_mark_in_recovery_reduces_once_and_is_not_undone() {
    let mark = |l: &mut Sender| l.marks = true;
    let mut l = Sender::with(BOTH, 65_535, |config| config.tcp.ecn = Ecn::Offer);
    l.s.send(l.id, 10_000);
    l.sent();
    let echo = l.echo.clone();
    l.pass(RTT);
    mark(&mut l);
    l.sack(1, "1001:5001");
    l.sent();
    assert_eq!(l.windows().1, 5);
    l.sack(1, "1001:6001");
    assert_eq!(l.windows().1, 5);
    l.echo = echo;
    l.ack(10_001);
    assert_eq!(l.windows().1, 5, "the mark stands");
}

/// Once a window (RFC 3168 section 6.1.2): a recovery of what a mark has paid for already reduces
/// nothing, but a mark of what was sent after that does, also in that recovery.
#[test]
fn a_mark_of_what_was_sent_since_the_last_one_reduces_in_recovery() {
    let mut l = Sender::with(BOTH, 65_535, |config| config.tcp.ecn = Ecn::Offer);
    l.s.send(l.id, 30_000);
    l.sent();
    l.pass(RTT);
    l.marks = true;
    l.ack(2001);
    assert_eq!(l.windows(), (4, 4));
    l.marks = false;
    l.pass(RTT);
    l.ack(8001);
    l.expect(&["10001:11001", "11001:12001", "12001:13001"]);
    // The ninth is lost: it was sent before the mark.
    l.pass(RTT);
    l.sack(8001, "9001:11001");
    l.pass(RTT);
    l.expect(&["8001:9001", "13001:14001"]);
    l.ack(11_001);
    l.expect(&["14001:15001"]);
    assert_eq!(l.windows().1, 4, "it was paid for");
    l.marks = true;
    l.ack(11_001);
    assert_eq!(l.windows().1, 2);
    l.ack(11_001);
    assert_eq!(l.windows().1, 2, "and so is this");
}

/// In such a recovery, what is lost of what was sent since the mark has not been paid for: with SACK
/// and without.
#[test]
fn a_loss_of_what_was_sent_since_a_mark_reduces_in_recovery() {
    for mode in [BOTH, STAMPS] {
        let mut l = Sender::with(mode, 65_535, |config| config.tcp.ecn = Ecn::Offer);
        l.s.send(l.id, 30_000);
        l.sent();
        l.pass(RTT);
        l.marks = true;
        l.ack(2001);
        l.marks = false;
        l.pass(RTT);
        l.ack(8001);
        l.expect(&["10001:11001", "11001:12001", "12001:13001"]);
        let report = |l: &mut Sender, ack, blocks: &str| match mode.sack {
            true => l.sack(ack, blocks),
            false => l.ack(ack),
        };
        // The ninth is lost, sent before the mark, and the twelfth, which was sent after that.
        l.pass(RTT);
        for blocks in ["9001:10001", "9001:11001", "9001:11001"] {
            report(&mut l, 8001, blocks);
        }
        let mut sent = l.sent();
        for _ in 0..3 {
            l.pass(RTT / 4);
            sent.extend(l.sent());
        }
        assert!(sent.contains(&"8001:9001".into()), "{mode:?}: {sent:?}");
        assert_eq!(l.windows().1, 4, "{mode:?}: it was paid for");
        report(&mut l, 8001, "9001:11001 12001:13001");
        l.pass(RTT / 4 + 1);
        l.sent();
        report(&mut l, 11_001, "12001:13001");
        l.sent();
        assert_eq!(l.windows().1, 2, "{mode:?}: this was not");
        let end = l.info_end();
        l.ack(end);
        assert_eq!(l.windows(), (2, 2), "{mode:?}: once");
    }
}

/// Nor is what was sent again since, though no recovery goes on.
#[test]
fn a_probe_that_is_lost_after_a_mark_reduces() {
    let mut l = Sender::with(BOTH, 65_535, |config| config.tcp.ecn = Ecn::Offer);
    l.s.send(l.id, 10_000);
    l.sent();
    l.pass(RTT);
    l.marks = true;
    l.ack(2001);
    l.marks = false;
    l.ack(8001);
    assert_eq!(l.windows().1, 4);
    let (_, probe) = l.wait();
    assert_eq!(probe, ["9001:10001"]);
    l.pass(RTT / 2);
    l.s.send(l.id, 3000);
    let new = l.sent();
    assert!(new.len() > 1, "{new:?}");
    let end = l.info_end();
    l.pass(RTT);
    l.sack(8001, &format!("10001:{end}"));
    l.pass(RTT / 4 + 1);
    assert_eq!(l.windows().1, 2, "{:?}", l.info());
}

/// Of a cut that was undone nobody is told: a CWR would silence the peer's next mark.
#[test]
fn what_is_undone_is_not_told() {
    let mut l = Sender::with(BOTH, 65_535, |config| config.tcp.ecn = Ecn::Offer);
    l.s.send(l.id, 10_000);
    l.sent();
    let echo = l.echo.clone();
    l.pass(RTT);
    l.sack(1, "1001:10001");
    assert_eq!(l.sent()[0], "1:1001");
    // The first transmission was only late.
    l.echo = echo;
    l.ack(10_001);
    assert_eq!(l.info().tally.spurious, 1);
    l.s.send(l.id, 1000);
    let sent = l.s.next().expect("new text");
    assert!(sent.starts_with("P. 10001:11001 "), "{sent}");
}

#[test]
fn after_idling_the_window_restarts_and_unused_it_does_not_grow() {
    let mut l = Sender::new(SACK);
    // One segment at a time: never limited by the window.
    let mut sent = 0;
    for _ in 0..50 {
        l.s.send(l.id, 1000);
        sent += 1000;
        l.sent();
        l.pass(RTT);
        l.ack(sent + 1);
    }
    assert_eq!(l.info().cwnd, 10_000);
    // Used, it does; idle, it restarts.
    let mut l = Sender::sending(SACK, 60_000);
    l.pass(RTT);
    while l.info().unacknowledged > 0 {
        let end = l.info_end();
        l.ack(end);
        l.sent();
    }
    assert!(l.info().cwnd > 10_000);
    l.pass(5000);
    l.s.send(l.id, 60_000);
    assert_eq!(l.sent().len(), 10);
}

#[test]
fn a_stable_path_leaves_room_for_a_delayed_acknowledgment() {
    let mut l = Sender::new(RENO);
    let mut end = 1;
    for _ in 0..60 {
        l.s.send(l.id, 500);
        end += 500;
        l.sent();
        l.pass(RTT);
        l.ack(end);
    }
    assert!(l.info().rttvar.unwrap() < Duration::from_millis(1));
    // The variation is next to nothing; this one the peer delays as long as it may.
    l.s.send(l.id, 500);
    l.sent();
    l.pass(RTT + 190);
    l.expect(&[]);
    l.ack(end + 500);
    assert_eq!(l.info().tally.timeout_retransmissions, 0);
}

/// What fills a hole acknowledges what arrived long ago: that measures nothing.
#[test]
fn a_round_trip_is_not_measured_by_what_waited_behind_a_hole() {
    let mut l = Sender::sending(RENO, 4000);
    l.pass(RTT);
    for _ in 0..3 {
        l.ack(1);
    }
    l.expect(&["1:1001"]);
    let before = l.info().srtt;
    l.pass(290);
    l.ack(4001);
    assert_eq!(l.info().srtt, before);
}

#[test]
fn tiny_segments_leave_room_for_text_beside_reports() {
    let mut s = Script::with(|config| config.tcp.min_mss = 8);
    s.inject("S 0 <mss 28,nop,nop,sackOK,nop,nop,ts 1 0>");
    s.next().unwrap();
    s.inject(". 1 ack 1 <nop,nop,ts 1 0>");
    let id = s.accept();
    for start in [11, 21, 31, 41] {
        s.inject(&format!(". {start}:{} ack 1 <nop,nop,ts 1 0>", start + 5));
    }
    s.send(id, 100);
    s.expect(". 1:17 ack 1 <nop,nop,ts * 1>");
}
