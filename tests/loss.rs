//! How a sender finds out from acknowledgments, or from a probe, what was lost, and what it sends
//! again and when: packet scripts in virtual time.

mod common;

use common::script::Script;
use common::sender::{BOTH, RENO, RTT, SACK, STAMPS, Sender, each};
use zerotcp::tcp::Phase;

// Fast retransmit, Reno.

#[test]
fn without_sack_the_third_duplicate_sends_the_first_segment_again() {
    for mode in each(&[RENO, STAMPS]) {
        let mut l = Sender::sending(mode, 30_000);
        l.pass(RTT);
        let echo = l.echo.clone();
        l.ack(1);
        // Limited transmit (RFC 3042): one new segment each for the first two.
        l.expect(&["10001:11001"]);
        l.echo = echo.clone();
        l.ack(1);
        l.expect(&["11001:12001"]);
        assert_eq!(l.info().cwnd / 1000, 10);
        l.echo = echo;
        l.ack(1);
        l.expect(&["1:1001"]);
        assert_eq!(l.info().phase, Phase::Recovery);
        // Half of FlightSize without what limited transmit sent.
        assert_eq!(l.info().ssthresh / 1000, 5);
        // More duplicates: PRR lets one go for two.
        let mut news = Vec::new();
        for _ in 0..6 {
            l.ack(1);
            news.extend(l.sent());
        }
        assert!((1..=4).contains(&news.len()), "{news:?}");
        assert_eq!(news[0], "12001:13001");
        l.pass(RTT);
        let end = l.info_end();
        l.ack(end);
        assert_eq!(l.windows(), (5, 5));
        assert_eq!(l.info().phase, Phase::Avoidance);
        l.finish(30_001);
        assert_eq!(l.info().tally.fast_retransmissions, 1);
    }
}

#[test]
fn without_sack_a_partial_acknowledgment_sends_the_next_hole_at_once() {
    for mode in each(&[RENO, STAMPS]) {
        let mut l = Sender::sending(mode, 10_000);
        l.pass(RTT);
        for _ in 0..3 {
            l.ack(1);
        }
        l.expect(&["1:1001"]);
        l.pass(RTT);
        // The fourth is missing too, and then the sixth: each a round trip later.
        l.ack(3001);
        l.expect(&["3001:4001"]);
        l.pass(RTT);
        l.ack(5001);
        l.expect(&["5001:6001"]);
        // Half of one.
        l.pass(RTT);
        l.ack(5501);
        assert_eq!(l.sent()[0].split(':').next(), Some("5501"));
        l.pass(RTT);
        l.ack(10_001);
        l.expect(&[]);
        assert_eq!(l.info().phase, Phase::Avoidance);
        assert_eq!(l.info().in_flight, 0);
    }
}

/// RFC 6582 section 3.2 step 3: it says that what comes next was lost, not what was sent since.
#[test]
fn a_partial_acknowledgment_says_nothing_of_what_was_sent_in_recovery() {
    let mut l = Sender::sending(RENO, 6000);
    l.s.change(l.id, |settings| settings.nagle = false);
    l.pass(RTT);
    for _ in 0..3 {
        l.ack(1);
    }
    l.expect(&["1:1001"]);
    for _ in 0..2 {
        l.ack(1);
        l.s.send(l.id, 100);
    }
    l.expect(&["6001:6201"]);
    l.pass(RTT);
    l.ack(5901);
    l.expect(&["5901:6001"]);
}

#[test]
fn duplicates_that_what_was_sent_again_causes_start_nothing() {
    let mut l = Sender::sending(RENO, 10_000);
    l.pass(301);
    l.expect(&["1:1001"]);
    l.pass(RTT);
    l.ack(10_001);
    l.s.send(l.id, 9000);
    l.sent();
    // RFC 6582 section 3.2 step 2: not at, only beyond, the point.
    for _ in 0..5 {
        l.ack(10_001);
    }
    assert_eq!(l.info().tally.fast_retransmissions, 0);
    l.pass(RTT);
    l.ack(11_001);
    for _ in 0..3 {
        l.ack(11_001);
    }
    assert_eq!(l.sent().first().map(String::as_str), Some("11001:12001"));
}

/// More duplicates than there are segments: the estimate of what has left the network is
/// bounded, and forgotten with what it was about.
#[test]
fn duplicates_without_end_do_not_open_the_window() {
    for mode in each(&[RENO]) {
        let mut l = Sender::sending(mode, 200_000);
        l.window = 65_535;
        for _ in 0..1000 {
            l.ack(1);
        }
        l.sent();
        assert!(l.info().unacknowledged <= 20_000, "{:?}", l.info());
        for _ in 0..1000 {
            l.ack(1);
            l.sent();
        }
        assert!(l.info().unacknowledged <= 65_535);
        let end = l.info_end();
        l.pass(RTT);
        l.ack(end);
        l.sent();
        let info = l.info();
        assert_eq!(info.in_flight, info.unacknowledged);
        assert!(info.in_flight <= info.cwnd, "{info:?}");
    }
}

// SACK and RACK.

#[test]
fn the_third_sacked_segment_sends_the_hole_again() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 30_000);
        l.pass(RTT);
        l.sack(1, "1001:2001");
        l.expect(&["10001:11001"]);
        l.sack(1, "1001:3001");
        l.expect(&["11001:12001"]);
        l.sack(1, "1001:4001");
        l.expect(&["1:1001"]);
        assert_eq!(l.info().phase, Phase::Recovery);
        l.pass(RTT);
        l.ack(12_001);
        assert_eq!(l.windows(), (5, 5));
        l.finish(30_001);
        let tally = l.info().tally;
        assert_eq!((tally.fast_retransmissions, tally.spurious), (1, 0));
    }
}

#[test]
fn what_was_overtaken_is_lost_after_a_quarter_of_a_round_trip() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 10_000);
        l.pass(RTT);
        l.sack(1, "1001:2001");
        l.expect(&[]);
        // RACK.rtt has passed already: the reordering window is left.
        l.expect_after(RTT / 4, &["1:1001"]);
        assert_eq!(l.info().phase, Phase::Recovery);
    }
}

/// What the arrival made room for was new: the retransmission would be one too many for a queue
/// that is full, and waits for the next arrival.
#[test]
fn recovery_that_a_timer_begins_waits_for_an_acknowledgment_to_send() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 30_000);
        l.pass(RTT);
        l.sack(1, "1001:2001");
        l.expect(&["10001:11001"]);
        for _ in 0..26 {
            l.pass(1);
            l.expect(&[]);
        }
        assert_eq!(l.info().phase, Phase::Recovery);
        l.sack(1, "1001:3001");
        l.expect(&["1:1001"]);
        // It counts as sent: half of what was in flight is in the network before the next.
        for end in [4001, 5001, 6001, 7001] {
            l.sack(1, &format!("1001:{end}"));
            l.expect(&[]);
        }
        l.sack(1, "1001:8001");
        l.expect(&["11001:12001"]);
        l.pass(RTT);
        l.ack(12_001);
        assert_eq!(l.windows(), (5, 5));
        l.finish(30_001);
        assert_eq!(l.info().tally.fast_retransmissions, 1);
    }
}

/// The first retransmission waits for the network's clock where new text took the place of what
/// arrived last, be it the last there is, and only there.
#[test]
fn recovery_that_a_timer_begins_waits_where_new_text_was_sent() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 11_000);
        l.pass(RTT);
        l.sack(1, "1001:2001");
        l.expect(&["10001:11001"]);
        l.pass(RTT / 4 + 1);
        assert_eq!(l.info().phase, Phase::Recovery);
        l.expect(&[]);
        l.expect_after(RTT / 4, &["1:1001"]);
        // The peer's window holds back what there is.
        let mut l = Sender::with(mode, 2000, |_| {});
        l.s.send(l.id, 3000);
        l.expect(&["1:1001", "1001:2001"]);
        l.pass(RTT);
        l.sack(1, "1001:2001");
        l.expect(&[]);
        l.expect_after(RTT / 4, &["1:1001"]);
    }
}

#[test]
fn what_arrives_before_it_was_sent_again_was_not_lost() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 30_000);
        l.pass(RTT);
        let before = l.windows();
        l.sack(1, "1001:2001");
        l.expect(&["10001:11001"]);
        l.pass(RTT / 4 + 1);
        l.expect(&[]);
        assert_eq!(l.info().phase, Phase::Recovery);
        // It was only late.
        l.ack(2001);
        assert_eq!(l.info().phase, Phase::SlowStart);
        assert!(l.windows() >= before, "{:?}", l.windows());
        let tally = l.info().tally;
        assert_eq!((tally.fast_retransmissions, tally.spurious), (0, 1));
        l.finish(30_001);
    }
}

#[test]
fn recovery_that_a_timer_begins_does_not_wait_for_long() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 30_000);
        l.pass(RTT);
        l.sack(1, "1001:2001");
        l.expect(&["10001:11001"]);
        // All else is lost, too.
        l.expect_after(RTT / 4 + RTT / 4, &["1:1001"]);
    }
}

/// More segments are in flight than the scoreboard tells apart, so that some share an entry:
/// it is split where they were, which is at less than the MSS where there are options.
#[test]
fn of_more_segments_than_are_told_apart_all_that_is_reported_counts() {
    const COUNT: u32 = 70_000;

    let s = Script::with(|config| {
        config.tcp.initial_window = COUNT;
        config.tcp.send_buffer = 100 * COUNT as usize;
        config.tcp.pacing = false;
    });
    let syn = "S win 65535 <mss 112,nop,nop,ts 1 0,nop,nop,sackOK,nop,wscale 14>";
    let (mut s, id) = s.open(syn, 0);
    s.inject(". 1 ack 1 win 65535 <nop,nop,ts 1 0>");
    s.send(id, 100 * COUNT as usize);
    let mut sent = 0;
    while s.next().is_some() {
        sent += 1;
    }
    assert_eq!(sent, COUNT);
    let in_flight = s.stack.info(id).unwrap().in_flight;
    assert_eq!(in_flight, 100 * COUNT);
    for (left, right) in [(100, 200), (66_500, 67_000), (69_000, 69_001)] {
        let blocks = format!("{}:{}", 1 + 100 * left, 1 + 100 * right);
        s.inject(&format!(
            ". 1 ack 1 win 65535 <nop,nop,ts 1 0,nop,nop,sack {blocks}>"
        ));
        // What lies before is received or lost.
        let in_flight = s.stack.info(id).unwrap().in_flight;
        assert_eq!(in_flight, 100 * (COUNT - right), "{blocks}");
    }
}

/// Once segments were seen to overtake each other, three of them are no proof any more, and
/// reports of needless retransmissions widen the window.
#[test]
fn reordering_is_tolerated_once_seen_and_more_of_it_when_it_was_too_little() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 10_000);
        l.pass(RTT);
        let echo = l.echo.clone();
        l.sack(1, "1001:2001");
        // The first was only late.
        l.pass(5);
        l.ack(10_001);
        assert_eq!(l.info().tally.reordered, 1);
        assert_eq!(l.info().tally.fast_retransmissions, 0);
        l.s.send(l.id, 10_000);
        l.sent();
        l.pass(RTT);
        l.sack(10_001, "11001:16001");
        l.expect(&[]);
        l.expect_after(RTT / 4, &["10001:11001"]);
        // It was late again. The D-SACK comes after the end of the episode.
        l.echo = echo;
        let window = l.info().cwnd;
        l.pass(5);
        l.ack(20_001);
        l.pass(RTT);
        l.sack(20_001, "10001:11001");
        assert_eq!(l.info().tally.spurious, 1);
        assert!(l.info().cwnd > window, "{:?}", l.windows());
        l.s.send(l.id, 10_000);
        l.sent();
        l.pass(RTT);
        l.sack(20_001, "21001:26001");
        l.expect_after(RTT / 2, &["20001:21001"]);
    }
}

#[test]
fn a_retransmission_that_is_lost_too_goes_out_again_and_halves_the_window_again() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 40_000);
        l.pass(RTT);
        l.sack(1, "1001:10001");
        let sent = l.sent();
        assert_eq!(sent[0], "1:1001");
        assert!(sent.len() > 1, "new segments follow it: {sent:?}");
        let end = l.info_end();
        l.pass(RTT);
        // All that was sent after it has arrived.
        l.sack(1, &format!("1001:{end}"));
        assert_eq!(l.sent()[0], "1:1001");
        assert!(l.info().ssthresh < 5000, "{:?}", l.info());
        let end = l.info_end();
        l.pass(RTT);
        l.ack(end);
        l.finish(40_001);
        assert_eq!(l.info().tally.timeout_retransmissions, 0);
    }
}

/// RFC 5681 section 4.3.
#[test]
fn a_retransmission_that_is_lost_after_a_timeout_halves_the_window_again() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 10_000);
        let mut sent = Vec::new();
        while l.info().phase != Phase::Loss {
            sent = l.wait().1;
        }
        assert_eq!(sent, ["1:1001"]);
        l.pass(RTT);
        l.ack(1001);
        assert_eq!(l.sent(), ["1001:2001", "2001:3001"]);
        assert_eq!(l.windows(), (2, 5));
        l.pass(RTT);
        // The first of them is lost.
        l.sack(1001, "2001:3001");
        assert_eq!(l.sent()[0], "1001:2001");
        assert_eq!(l.windows().1, 2);
        l.finish(10_001);
    }
}

/// A D-SACK of what was sent but once speaks of the network, not of what was sent again.
#[test]
fn what_the_network_has_doubled_undoes_nothing() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 10_000);
        l.pass(RTT);
        l.sack(1, "1001:10001");
        assert_eq!(l.sent()[0], "1:1001");
        // Before the end and after it.
        l.sack(1, "2001:3001 1001:10001");
        l.pass(RTT);
        l.ack(10_001);
        l.sack(10_001, "3001:4001");
        assert_eq!(l.windows(), (5, 5), "{mode:?}");
        assert_eq!(l.info().tally.spurious, 0);
        l.sack(10_001, "1:1001");
        assert_eq!(l.info().tally.spurious, 1);
        assert!(l.windows().0 >= 10, "{mode:?}");
    }
}

/// By a timer nothing arrives, so nothing more goes out (RFC 6937 section 3), be it that all that was
/// under way turns out to be lost.
#[test]
fn what_a_timer_finds_lost_in_recovery_waits_for_what_arrives() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 60_000);
        l.pass(RTT);
        // Segments overtake each other.
        l.sack(1, "1001:2001");
        l.pass(5);
        l.ack(2001);
        while l.info_end() < 30_001 {
            l.sent();
            l.pass(RTT);
            let end = l.info_end();
            l.ack(end);
        }
        l.sent();
        let start = l.info_end() - l.info().unacknowledged;
        let count = l.info().unacknowledged / 1000;
        assert!(count > 12, "{count}");
        l.pass(RTT);
        // One is lost, then another arrives that was sent after many.
        let block = |from: u32, to: u32| format!("{}:{}", start + from * 1000, start + to * 1000);
        l.sack(start, &block(1, 2));
        l.pass(RTT / 4 + 1);
        assert_eq!(l.info().phase, Phase::Recovery);
        l.sent();
        l.pass(RTT / 4);
        l.sent();
        l.sack(
            start,
            &format!("{} {}", block(count - 2, count - 1), block(1, 2)),
        );
        let before = l.sent().len();
        l.pass(RTT / 4 + 1);
        let sent = l.sent();
        assert!(before + sent.len() <= 2, "{mode:?}: {before} and {sent:?}");
        assert!(l.info().phase == Phase::Recovery);
        l.finish(60_001);
    }
}

/// RFC 6937: what goes out in a recovery is in proportion to what arrives.
#[test]
fn many_losses_are_repaired_in_step_with_what_arrives() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 60_000);
        l.pass(RTT);
        l.ack(10_001);
        l.sent();
        let end = l.info_end();
        l.pass(RTT);
        let (mut arrived, mut sent) = (0, 0);
        // Every second one is lost.
        let mut blocks = Vec::new();
        let mut again = Vec::new();
        for start in (11_001..end).step_by(2000) {
            blocks.insert(0, format!("{start}:{}", start + 1000));
            blocks.truncate(3);
            l.sack(10_001, &blocks.join(" "));
            arrived += 1;
            let now = l.sent();
            sent += now.len();
            assert!(sent <= 2 + arrived, "{sent} for {arrived}");
            assert!(
                l.info().in_flight <= l.info().cwnd.max(1000),
                "{:?}",
                l.info()
            );
            again.extend(now.into_iter().filter(|span| span < &"20001".to_owned()));
        }
        assert_eq!(again[0], "10001:11001");
        let mut sorted = again.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(again, sorted, "in order, and each once");
        l.finish(60_001);
    }
}

#[test]
fn nothing_that_was_reported_is_sent_again() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 10_000);
        l.pass(RTT);
        // In any order, twice, absurd, half of a segment, across each other.
        l.sack(1, "7001:8001 3001:4001 3001:4001");
        l.sack(1, "5001:6001 20001:30001 6001:5001");
        l.sack(1, "3001:4001 7501:9501 1:1");
        let mut again = l.sent();
        for _ in 0..20 {
            l.pass(500);
            again.extend(l.sent());
        }
        for reported in ["3001:", "5001:", "7001:"] {
            assert!(
                !again.iter().any(|span| span.starts_with(reported)),
                "{again:?}"
            );
        }
        assert!(again.contains(&"1:1001".to_owned()));
        l.ack(10_001);
        l.expect(&[]);
        assert_eq!(l.info().in_flight, 0);
    }
}

/// NextSeg of RFC 6675: lost octets, new ones, holes in doubt, and once the end.
#[test]
fn the_end_is_rescued_once() {
    for mode in each(&[SACK]) {
        let mut l = Sender::sending(mode, 10_000);
        l.pass(RTT);
        l.sack(1, "2001:5001");
        let mut sent = l.sent();
        for end in [6001, 7001, 8001] {
            l.sack(1, &format!("2001:{end}"));
            sent.extend(l.sent());
        }
        let rescues = sent.iter().filter(|span| *span == "9001:10001").count();
        assert_eq!(sent[..2], ["1:1001", "1001:2001"]);
        assert_eq!((sent.len(), rescues), (3, 1), "{sent:?}");
        l.pass(RTT);
        l.ack(10_001);
        l.expect(&[]);
    }
}

// TLP.

#[test]
fn a_lost_tail_is_probed_once_after_two_round_trips() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 5000);
        l.expect_after(2 * RTT, &["4001:5001"]);
        assert_eq!(l.info().tally.tail_probes, 1);
        // Then the retransmission timer, from now on.
        l.expect_after(300, &["1:1001"]);
        assert_eq!(
            (l.info().tally.tail_probes, l.info().phase),
            (1, Phase::Loss)
        );
        assert_eq!(l.info().cwnd / 1000, 1);
        l.pass(RTT);
        l.finish(5001);
    }
}

/// What is received behind a hole has the timestamp of what came before it echoed: the probe
/// has arrived all the same, and what was sent before it is lost.
#[test]
fn a_probe_that_arrives_shows_what_was_lost_before_it() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 10_000);
        l.pass(RTT);
        let echo = l.echo.clone();
        l.ack(7001);
        l.expect_after(2 * RTT, &["9001:10001"]);
        l.pass(RTT);
        l.echo = echo;
        l.sack(7001, "9001:10001");
        // PRR lets a segment go for one that arrives, and one at once.
        l.expect(&["7001:8001"]);
        assert_eq!(l.info().phase, Phase::Recovery);
        l.pass(RTT);
        l.sack(8001, "9001:10001");
        l.expect(&["8001:9001"]);
        l.pass(RTT);
        l.ack(10_001);
        let tally = l.info().tally;
        assert_eq!(tally.timeout_retransmissions, 0);
        assert_eq!((tally.tail_probes, tally.fast_retransmissions), (1, 2));
    }
}

#[test]
fn a_probe_carries_new_text_where_the_window_takes_it() {
    let mut l = Sender::sending(SACK, 11_000);
    // Beyond the congestion window by one segment.
    l.expect_after(2 * RTT, &["10001:11001"]);
    l.pass(RTT);
    l.ack(11_001);
    assert_eq!(l.info().phase, Phase::SlowStart);
    l.pass(5000);
    l.expect(&[]);
}

#[test]
fn a_loss_that_a_probe_has_repaired_halves_the_window() {
    for mode in each(&[SACK, BOTH]) {
        let mut l = Sender::sending(mode, 10_000);
        l.pass(RTT);
        l.ack(9001);
        l.expect_after(2 * RTT + 50, &["9001:10001"]);
        l.pass(RTT);
        l.ack(10_001);
        let before = l.info().cwnd;
        l.s.send(l.id, 1000);
        l.sent();
        l.pass(RTT);
        l.ack(11_001);
        assert!(
            l.info().cwnd <= before / 2 + 1000,
            "{before} {:?}",
            l.info()
        );
        assert_eq!(l.info().phase, Phase::Avoidance);
        // It was needless if the peer says so.
        let mut l = Sender::sending(mode, 10_000);
        l.pass(RTT);
        l.ack(9001);
        l.expect_after(2 * RTT + 50, &["9001:10001"]);
        l.ack(10_001);
        let before = l.info().cwnd;
        l.sack(10_001, "9001:10001");
        l.s.send(l.id, 1000);
        l.sent();
        l.pass(RTT);
        l.ack(11_001);
        assert!(l.info().cwnd >= before);
    }
}

#[test]
fn what_the_peer_reports_makes_a_probe_needless() {
    let mut l = Sender::sending(SACK, 3000);
    l.pass(RTT);
    l.sack(1, "1001:2001");
    l.expect_after(RTT / 4, &["1:1001"]);
    l.pass(RTT);
    assert_eq!(l.info().tally.tail_probes, 0);
}
