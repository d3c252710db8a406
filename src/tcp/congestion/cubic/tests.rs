use proptest::prelude::*;

use super::super::tests::{MSS, ack, event, start};
use super::*;
use crate::wire::SeqNumber;

const CUBED: f64 = 0.4;

/// The RFC's formulas, in segments and seconds, with a cube root.
struct Model {
    cwnd: f64,
    w_max: f64,
    cwnd_prior: f64,
    k: f64,
    w_est: f64,
}

impl Model {
    fn new(cwnd: f64, w_max: f64, cwnd_prior: f64) -> Model {
        Model {
            cwnd,
            w_max,
            cwnd_prior,
            k: ((w_max - cwnd) / CUBED).cbrt(),
            w_est: cwnd,
        }
    }

    fn w_cubic(&self, t: f64) -> f64 {
        CUBED * (t - self.k).powi(3) + self.w_max
    }

    fn on_ack(&mut self, t: f64, rtt: f64, segments: f64) {
        let alpha = if self.w_est >= self.cwnd_prior {
            1.0
        } else {
            3.0 * (1.0 - 0.7) / (1.0 + 0.7)
        };
        self.w_est += alpha * segments / self.cwnd;
        if self.w_cubic(t) < self.w_est {
            self.cwnd = self.cwnd.max(self.w_est);
        } else {
            let target = self.w_cubic(t + rtt).clamp(self.cwnd, 1.5 * self.cwnd);
            self.cwnd += (target - self.cwnd) / self.cwnd * segments;
        }
    }
}

/// In avoidance after a loss at `segments`.
fn reduced(segments: u32) -> Cubic {
    let mut cubic = Cubic::new(&start(segments));
    cubic.on_congestion(&event(Cause::Loss, segments * MSS));
    cubic
}

/// A transfer whose window is acknowledged in `parts` of it, evenly over each round trip, for
/// `seconds` from `from` on. Calls `each` with the seconds since `from` after each
/// acknowledgment.
fn transfer(
    cubic: &mut Cubic,
    from: Instant,
    (mss, rtt): (u32, Duration),
    parts: u32,
    seconds: f64,
    mut each: impl FnMut(&Cubic, f64, u32),
) -> Instant {
    let mut now = from;
    while (now - from).as_secs_f64() < seconds {
        let acked = (cubic.window() / parts).max(1);
        cubic.on_ack(&Acked {
            now,
            mss,
            rtt: Some(rtt),
            srtt: rtt,
            ..ack(0, acked)
        });
        each(cubic, (now - from).as_secs_f64(), acked);
        now += rtt / parts;
    }
    now
}

#[test]
fn rfc_9438_section_4_2_the_window_follows_the_curve_to_the_plateau_and_past_it() {
    let mut cubic = reduced(1000);
    let rtt = Duration::from_millis(50);
    let model = Model::new(700.0, 1000.0, 1000.0);
    let mut at_plateau = false;
    transfer(
        &mut cubic,
        Instant::from_millis(77),
        (MSS, rtt),
        40,
        20.0,
        |cubic, t, _| {
            let window = f64::from(cubic.window()) / f64::from(MSS);
            let curve = model.w_cubic(t);
            assert!((window - curve).abs() < 1.0, "{window} {curve} at {t}");
            at_plateau |= t > model.k && window < 1001.0;
        },
    );
    assert!(at_plateau);
    assert!(cubic.window() > 1400 * MSS, "convex: {}", cubic.window());
}

#[test]
fn rfc_9438_section_4_2_an_ack_raises_the_window_by_half_at_most_and_never_lowers_it() {
    // A curve that has run far ahead, as when the round-trip time is of minutes.
    let mut cubic = reduced(100);
    let minutes = |now, octets| Acked {
        rtt: Some(Duration::from_secs(600)),
        srtt: Duration::from_secs(600),
        ..ack(now, octets)
    };
    cubic.on_ack(&minutes(0, 1000));
    let before = cubic.window();
    cubic.on_ack(&minutes(600_000, before));
    assert_eq!(cubic.window(), before + before / 2);
    // One that has fallen behind: the window is above what the curve says.
    let mut cubic = reduced(100);
    cubic.on_ack(&ack(0, 1));
    cubic.cwnd = 95 * MSS;
    cubic.on_ack(&ack(1, 1000));
    assert!(cubic.window() >= 95 * MSS);
}

#[test]
fn rfc_9438_section_4_4_a_large_window_acknowledged_in_small_pieces_keeps_up_with_the_curve() {
    // Six seconds before the plateau at 20 MB, on a path so long that Reno does not matter.
    // Each ACK of two segments is worth a few octets, and less than one later on.
    let mut cubic = reduced(20_000);
    cubic.cwnd = w_cubic(cubic.w_max, -6_000_000, MSS);
    let plateau = cubic.w_max;
    let rtt = Duration::from_millis(500);
    let path = (MSS, rtt);
    transfer(
        &mut cubic,
        Instant::ZERO,
        path,
        10_000,
        5.0,
        |cubic, t, _| {
            let curve = |t| w_cubic(plateau, (t * 1e6) as i64 - 6_000_000, MSS);
            let (low, high) = (curve(t) - 2 * MSS, curve(t + 0.5) + MSS);
            let window = cubic.window();
            assert!(
                window >= low && window <= high,
                "{low} {window} {high} at {t}"
            );
        },
    );
}

#[test]
fn rfc_9438_section_4_2_time_without_need_of_the_window_does_not_count() {
    let rtt = Duration::from_millis(50);
    let path = (MSS, rtt);
    let start = Instant::from_millis(0);
    let mut busy = reduced(1000);
    transfer(&mut busy, start, path, 10, 9.0, |_, _, _| {});
    let mut paused = reduced(1000);
    let now = transfer(&mut paused, start, path, 10, 5.0, |_, _, _| {});
    let before = paused.window();
    // An hour of requests that need little of the window, and one of silence.
    let mut now = now;
    for _ in 0..3600 {
        now += Duration::from_secs(1);
        paused.on_ack(&Acked {
            now,
            cwnd_limited: false,
            ..ack(0, 3 * MSS)
        });
    }
    assert_eq!(paused.window(), before);
    now += Duration::from_secs(3600);
    transfer(&mut paused, now, path, 10, 4.0, |_, _, _| {});
    let apart = paused.window().abs_diff(busy.window());
    assert!(apart < 2 * MSS, "{} {}", paused.window(), busy.window());
}

#[test]
fn rfc_9438_section_4_3_on_a_short_path_reno_is_quicker_and_is_followed() {
    // At 1 ms the curve needs thousands of round trips for what Reno does in some tens.
    let rtt = Duration::from_millis(1);
    // In small pieces, each of which is worth less than an octet.
    let mut cubic = reduced(100);
    assert_eq!(cubic.window(), 70 * MSS);
    let mut last = 70 * MSS;
    // 9/17 of a segment a round trip up to the old window: 57 of them.
    let now = transfer(
        &mut cubic,
        Instant::ZERO,
        (MSS, rtt),
        1000,
        0.056,
        |_, _, _| {},
    );
    assert!(
        cubic.window() > 98 * MSS && cubic.window() < 100 * MSS,
        "{}",
        cubic.window()
    );
    let now = transfer(&mut cubic, now, (MSS, rtt), 1000, 0.010, |cubic, _, _| {
        last = cubic.window()
    });
    // From there on one segment a round trip, as Reno.
    transfer(&mut cubic, now, (MSS, rtt), 1000, 0.100, |_, _, _| {});
    let grown = cubic.window() - last;
    assert!((98 * MSS..=101 * MSS).contains(&grown), "{grown}");
}

#[test]
fn rfc_9438_section_4_6_a_loss_leaves_seven_tenths_and_two_segments_at_least() {
    let cubic = reduced(100);
    assert_eq!((cubic.cwnd, cubic.ssthresh), (70 * MSS, 70 * MSS));
    assert_eq!((cubic.w_max, cubic.cwnd_prior), (100 * MSS, 100 * MSS));
    let cubic = reduced(2);
    assert_eq!((cubic.cwnd, cubic.ssthresh), (2 * MSS, 2 * MSS));
}

#[test]
fn rfc_9438_section_4_6_marks_take_the_window_down_to_one_segment() {
    let mut cubic = Cubic::new(&start(3));
    for window in [2100, 1470, 1029, 1000, 1000] {
        cubic.on_congestion(&event(Cause::Ecn, cubic.window()));
        assert_eq!(cubic.window(), window);
        assert!(cubic.ssthresh >= 2 * MSS);
    }
}

#[test]
fn rfc_9438_section_4_7_a_second_loss_below_the_plateau_releases_more() {
    let mut cubic = reduced(100);
    cubic.on_congestion(&event(Cause::Loss, 70 * MSS));
    assert_eq!(cubic.w_max, 59_500); // 70 * (1 + 0.7) / 2
    assert_eq!(cubic.window(), 49 * MSS);
    // At the plateau or above there is nothing to release.
    cubic.cwnd = 59_500;
    cubic.on_congestion(&event(Cause::Loss, 59_500));
    assert_eq!(cubic.w_max, 59_500);
}

#[test]
fn a_loss_after_a_timeout_makes_the_window_no_larger_nor_slow_start_any_faster() {
    let mut cubic = reduced(100);
    cubic.on_congestion(&event(Cause::Timeout { again: false }, 50 * MSS));
    cubic.on_congestion(&CongestionEvent {
        in_recovery: true,
        ..event(Cause::Loss, MSS)
    });
    assert_eq!((cubic.window(), cubic.ssthresh), (MSS, 2 * MSS));
    assert!(cubic.after_timeout);
    // In the next episode it is as after any loss.
    cubic.on_congestion(&event(Cause::Loss, MSS));
    assert_eq!((cubic.window(), cubic.ssthresh), (2 * MSS, 2 * MSS));
    assert!(!cubic.after_timeout);
}

#[test]
fn rfc_9438_section_4_8_after_a_timeout_slow_start_and_then_the_curve_from_its_plateau_on() {
    let mut cubic = Cubic::new(&Start {
        hystart: true,
        paced: true,
        ..start(100)
    });
    cubic.on_congestion(&event(Cause::Timeout { again: false }, 50 * MSS));
    assert_eq!((cubic.cwnd, cubic.ssthresh), (MSS, 70 * MSS));
    // Of a cumulative jump one segment counts.
    for _ in 0..69 {
        cubic.on_ack(&ack(0, 44 * MSS));
    }
    assert_eq!(cubic.window(), 70 * MSS);
    cubic.on_ack(&ack(0, MSS));
    let Stage::Avoidance(epoch) = cubic.stage else {
        panic!("{:?}", cubic.stage);
    };
    assert_eq!((epoch.t_minus_k, cubic.w_max), (0, 70 * MSS)); // K = 0

    // RFC 5681 section 3.1: the threshold is held for a segment that timed out before.
    for again in [false, true, true] {
        cubic.on_congestion(&event(Cause::Timeout { again }, 50 * MSS));
        assert_eq!((cubic.cwnd, cubic.ssthresh / MSS), (MSS, 49));
    }
}

#[test]
fn rfc_9438_section_4_9_a_spurious_loss_leaves_no_trace() {
    let rtt = Duration::from_millis(50);
    let path = (MSS, rtt);
    let mut calm = reduced(1000);
    let mut fooled = reduced(1000);
    transfer(&mut calm, Instant::ZERO, path, 10, 3.0, |_, _, _| {});
    let now = transfer(&mut fooled, Instant::ZERO, path, 10, 3.0, |_, _, _| {});
    fooled.on_congestion(&event(Cause::Loss, 1));
    fooled.on_congestion(&CongestionEvent {
        in_recovery: true,
        ..event(Cause::Timeout { again: false }, 1)
    });
    assert_eq!(fooled.window(), MSS);
    fooled.undo(now);
    assert_eq!(fooled.window(), calm.window());
    assert_eq!(fooled.ssthresh, calm.ssthresh);
    transfer(&mut calm, now, path, 10, 10.0, |_, _, _| {});
    transfer(&mut fooled, now, path, 10, 10.0, |_, _, _| {});
    assert!(fooled.window().abs_diff(calm.window()) < MSS);

    // Once: what comes later is not undone with it.
    fooled.on_restart(now, MSS);
    fooled.undo(now);
    assert_eq!(fooled.window(), MSS);

    // Long after, with a larger window, the newer values stay.
    let mut late = reduced(10);
    transfer(&mut late, Instant::ZERO, path, 10, 10.0, |_, _, _| {});
    let (window, w_max) = (late.window(), late.w_max);
    assert!(window > 10 * MSS);
    late.undo(Instant::ZERO);
    assert_eq!(
        (late.window(), late.w_max, late.ssthresh),
        (window, w_max, 7 * MSS)
    );
}

#[test]
fn rfc_9438_section_4_10_hystart_ends_slow_start_and_the_curve_begins_at_its_plateau() {
    let mut cubic = Cubic::new(&Start {
        hystart: true,
        paced: true,
        ..start(10)
    });
    let (mut una, mut millis) = (0u32, 0);
    // The round-trip time grows with the window, as at a full bottleneck.
    while cubic.window() < cubic.ssthresh {
        let window = cubic.window();
        let rtt = Duration::from_micros((50_000 + u64::from(window) / 100).max(55_000));
        let end = una + window;
        while una < end {
            una += MSS;
            cubic.on_ack(&Acked {
                rtt: Some(rtt),
                srtt: rtt,
                una: SeqNumber(una),
                nxt: SeqNumber(una + cubic.window()),
                ..ack(millis, MSS)
            });
        }
        millis += 60;
        assert!(millis < 2000, "slow start does not end");
    }
    // The queue is seen at some 2000 segments, and five rounds at a quarter of the pace make
    // three times as many of them, where five at full pace make 32 times as many.
    let window = cubic.window() / MSS;
    assert!((4000..10_000).contains(&window), "{window}");
    cubic.on_ack(&ack(millis, MSS));
    assert_eq!(cubic.w_max, cubic.ssthresh);
    assert_eq!(cubic.cwnd_prior, cubic.ssthresh);
}

#[test]
fn rfc_9438_section_4_2_figure_2_k_is_the_cube_root() {
    for mss in [48, 536, 1460, 9000, 65_535] {
        for distance in [0, 1, 1000, 438_000, 1 << 20, 1 << 29, MAX_WINDOW] {
            let root = (f64::from(distance) / f64::from(mss) / CUBED).cbrt() * 1e6;
            let k = f64::from(plateau_after(distance, mss));
            assert!((k - root).abs() <= 1.0, "{k} {root}");
        }
    }
}

#[test]
fn rfc_5681_section_4_1_after_idling_slow_start_leads_back_to_the_threshold() {
    let mut cubic = reduced(100);
    cubic.on_ack(&ack(0, 1));
    cubic.on_restart(Instant::ZERO, 10 * MSS);
    assert_eq!((cubic.cwnd, cubic.ssthresh), (10 * MSS, 70 * MSS));
    for _ in 0..100 {
        cubic.on_ack(&ack(3_600_000, MSS));
    }
    // The curve begins anew there, an hour later.
    assert!(
        (70 * MSS..71 * MSS).contains(&cubic.window()),
        "{}",
        cubic.window()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rfc_9438_sections_4_2_to_4_5_the_window_is_that_of_the_formulas_to_a_segment(
        segments in 10..20_000u32, mss in 500..9000u32, rtt in 500..300_000u64, parts in 1..40u32,
    ) {
        let mut cubic = Cubic::new(&Start { mss, initial_window: segments * mss, ..start(1) });
        cubic.on_congestion(&CongestionEvent { mss, ..event(Cause::Loss, 0) });
        let octets = f64::from(mss);
        let mut model = Model::new(f64::from(cubic.window()) / octets, f64::from(segments), f64::from(segments));
        let rtt = Duration::from_micros(rtt);
        let mut apart: f64 = 0.0;
        transfer(&mut cubic, Instant::ZERO, (mss, rtt), parts, rtt.as_secs_f64() * 100.0, |cubic, t, acked| {
            model.on_ack(t, rtt.as_secs_f64(), f64::from(acked) / octets);
            // Where the window would pass what TCP can offer, the model goes on.
            if cubic.window() < MAX_WINDOW {
                apart = apart.max((f64::from(cubic.window()) / octets - model.cwnd).abs());
            }
        });
        prop_assert!(apart < 1.0, "{apart}");
    }
}
