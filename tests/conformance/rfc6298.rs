//! The retransmission timeout (RFC 6298).

use std::time::Duration;

use crate::{Start, tests};

tests! {
    "6298-1" => before_any_measurement_it_is_one_second,
    "6298-2" => the_first_measurement,
    "6298-3" => further_measurements,
    "6298-4" => it_has_a_floor_and_a_ceiling,
    "6298-5 MUST-18" => what_was_sent_again_gives_no_measurement,
    "6298-5" => with_timestamps_it_does,
    "6298-6 6298-7" => the_timer_restarts_at_each_new_ack,
    "6298-7" => more_text_does_not_put_the_timer_off,
    "6298-7" => the_timer_stops_when_all_is_acknowledged,
    "6298-8" => after_a_lost_syn_text_begins_with_three_seconds,
}

const MS: Duration = Duration::from_millis(1);

fn before_any_measurement_it_is_one_second(start: Start) {
    let (mut s, id) = start.connecting();
    assert_eq!(s.stack.info(id).unwrap().rto, 1000 * MS);
    s.expect("S 0 *");
    let (gap, _) = s.wait();
    assert!(gap.abs_diff(1000) <= 2, "{gap}");
}

fn the_first_measurement(start: Start) {
    let (mut s, id) = start.script().open("S <mss 1000>", 100);
    let info = s.stack.info(id).unwrap();
    assert_eq!((info.srtt, info.rttvar), (Some(100 * MS), Some(50 * MS)));
    assert_eq!(info.rto, 300 * MS);
    s.send(id, 10);
    s.expect("P. 1:11 ack 1");
    let (gap, _) = s.wait();
    assert!(gap.abs_diff(300) <= 2, "{gap}");
}

/// RTTVAR first, with the old SRTT: 3/4 * 50 + 1/4 * |100 - 200|; then 7/8 * 100 + 1/8 * 200.
fn further_measurements(start: Start) {
    let (mut s, id) = start.script().open("S <mss 1000>", 100);
    s.send(id, 10);
    s.drain();
    s.pass(200);
    s.inject(". 1 ack 11");
    let info = s.stack.info(id).unwrap();
    let near =
        |time: Option<Duration>, micros: u128| time.unwrap().as_micros().abs_diff(micros) <= 10;
    assert!(near(info.rttvar, 62_500), "{info:?}");
    assert!(near(info.srtt, 112_500), "{info:?}");
    assert!(near(Some(info.rto), 362_500), "{info:?}");
}

fn it_has_a_floor_and_a_ceiling(start: Start) {
    // The handshake took no time.
    for (floor, expected) in [(None, 200), (Some(1000), 1000), (Some(50), 50)] {
        let (mut s, id) = start.established_with(65535, |config| {
            if let Some(floor) = floor {
                config.tcp.min_rto = floor * MS;
            }
        });
        s.send(id, 10);
        s.drain();
        let (gap, _) = s.wait();
        assert!(gap.abs_diff(expected) <= 2, "{gap}");
        let gaps: Vec<_> = (0..12).map(|_| s.wait().0).collect();
        assert!(gaps.iter().all(|gap| *gap <= 60_001), "{gaps:?}");
        assert!(gaps.last().unwrap() >= &59_990, "{gaps:?}");
    }
    let config = zerotcp::tcp::Config::default();
    assert_eq!(
        (config.min_rto, config.max_rto),
        (200 * MS, Duration::from_secs(60))
    );
}

fn what_was_sent_again_gives_no_measurement(start: Start) {
    let (mut s, id) = start.script().open("S <mss 1000>", 100);
    let before = s.stack.info(id).unwrap();
    s.send(id, 10);
    s.drain();
    s.wait();
    s.pass(30);
    s.inject(". 1 ack 11");
    let after = s.stack.info(id).unwrap();
    assert_eq!((after.srtt, after.rttvar), (before.srtt, before.rttvar));
    // What is sent now gives one: every round trip has at least one.
    s.send(id, 10);
    s.drain();
    s.pass(40);
    s.inject(". 1 ack 21");
    assert_ne!(s.stack.info(id).unwrap().srtt, before.srtt);
}

fn with_timestamps_it_does(start: Start) {
    let mut s = start.script();
    s.inject("S 0 <mss 1000,nop,nop,ts 1 0>");
    s.expect("S. 0 ack 1 *");
    s.pass(100);
    s.inject(". 1 ack 1 <nop,nop,ts 2 0>");
    let id = s.accept();
    s.send(id, 10);
    s.drain();
    let before = s.stack.info(id).unwrap().srtt.unwrap();
    s.wait();
    // The second one is acknowledged, after 60 ms: it says so itself.
    let echo = s.stamp().unwrap();
    s.pass(60);
    s.inject(&format!(". 1 ack 11 <nop,nop,ts 3 {echo}>"));
    let after = s.stack.info(id).unwrap().srtt.unwrap();
    assert!(after < before, "{after:?} after {before:?}");
}

fn the_timer_restarts_at_each_new_ack(start: Start) {
    let (mut s, id) = start.established_with(65535, |config| config.tcp.settings.nagle = false);
    s.send(id, 10);
    s.drain();
    s.pass(100);
    s.send(id, 10);
    s.drain();
    s.pass(60);
    s.inject(". 1 ack 11");
    // From now on a whole timeout.
    let rto = s.stack.info(id).unwrap().rto.as_millis() as u64;
    let (gap, _) = s.wait();
    assert!(gap.abs_diff(rto) <= 2, "{gap} of {rto}");
    // The earliest goes again, and the next time it takes twice as long.
    assert_eq!(s.last_end(), 21);
    assert!(s.wait().0.abs_diff(2 * rto) <= 2);
}

fn more_text_does_not_put_the_timer_off(start: Start) {
    let (mut s, id) = start.established_with(65535, |config| config.tcp.settings.nagle = false);
    s.send(id, 10);
    s.drain();
    for _ in 0..3 {
        s.pass(50);
        s.send(id, 10);
        assert_eq!(s.drain(), 1);
    }
    let (gap, sent) = s.wait();
    assert!(gap.abs_diff(50) <= 2, "{gap}");
    assert!(
        sent.starts_with("P. 1:41 ") || sent.starts_with(". 1:11 "),
        "{sent}"
    );
}

fn the_timer_stops_when_all_is_acknowledged(start: Start) {
    let (mut s, id) = start.established(65535);
    s.send(id, 5000);
    s.drain();
    s.inject(". 1 ack 3001");
    s.inject(". 1 ack 5001");
    s.pass(100_000);
    s.expect_nothing();
    // The next text starts it again.
    s.send(id, 10);
    s.expect("P. 5001:5011 ack 1");
    assert!(s.wait().0 >= 199);
}

fn after_a_lost_syn_text_begins_with_three_seconds(start: Start) {
    for active in [true, false] {
        let mut s = start.script();
        let id = if active {
            let id = s.connect(80);
            s.expect("S 0 *");
            s.wait();
            s.inject("S. 0 ack 1 <mss 1000>");
            s.drain();
            id
        } else {
            s.inject("S 0 <mss 1000>");
            s.expect("S. 0 ack 1 <mss 1460>");
            s.wait();
            s.inject(". 1 ack 1");
            s.accept()
        };
        s.send(id, 10);
        s.expect("P. 1:11 ack 1");
        let (gap, _) = s.wait();
        assert!(gap.abs_diff(3000) <= 2, "{gap}");
    }
}
