use proptest::prelude::*;

use super::*;
use crate::tcp::Config;

pub(super) const MSS: u32 = 1000;

/// A connection that begins with `segments`, without HyStart++ and pacing.
pub(super) fn start(segments: u32) -> Start {
    Start {
        mss: MSS,
        initial_window: segments * MSS,
        hystart: false,
        paced: false,
    }
}

/// The acknowledgment of `octets` at `millis`, with 100 ms of round-trip time.
pub(super) fn ack(millis: u64, octets: u32) -> Acked {
    let rtt = Duration::from_millis(100);
    Acked {
        now: Instant::from_millis(millis),
        acked: octets,
        rtt: Some(rtt),
        min_rtt: rtt,
        srtt: rtt,
        una: SeqNumber(0),
        nxt: SeqNumber(0) + 100 * MSS,
        mss: MSS,
        cwnd_limited: true,
    }
}

pub(super) fn event(cause: Cause, in_flight: u32) -> CongestionEvent {
    CongestionEvent {
        now: Instant::ZERO,
        in_flight,
        mss: MSS,
        cause,
        in_recovery: false,
    }
}

#[test]
fn rfc_6928_section_2_the_initial_window() {
    for (mss, window) in [
        (48, 480),
        (536, 5360),
        (1448, 14_480),
        (1460, 14_600),
        (4000, 14_600),
        (8960, 17_920),
        (65_495, 130_990),
    ] {
        assert_eq!(initial_window(10, mss), window, "MSS {mss}");
        let congestion = Config::default().congestion(mss);
        assert_eq!(congestion.window(), window);
        assert_eq!(congestion.slow_start_threshold(), MAX_WINDOW);
    }
    // Nobody's setting makes it less than a segment or more than TCP can offer.
    for segments in [0, 1, u32::MAX] {
        for mss in [0, 1, 48, 65_535, u32::MAX] {
            let window = initial_window(segments, mss);
            assert!(window >= mss.clamp(1, MAX_WINDOW) && window <= MAX_WINDOW);
        }
    }
}

#[test]
fn a_controller_of_the_users_own_is_started_and_asked() {
    #[derive(Debug)]
    struct Fixed(u32);

    impl Controller for Fixed {
        fn name(&self) -> &'static str {
            "fixed"
        }
        fn window(&self) -> u32 {
            self.0
        }
        fn slow_start_threshold(&self) -> u32 {
            self.0
        }
        fn on_ack(&mut self, ack: &Acked) {
            self.0 += ack.acked;
        }
        fn on_congestion(&mut self, _: &CongestionEvent) {}
        fn undo(&mut self, _: Instant) {}
        fn on_restart(&mut self, _: Instant, _: u32) {}
        fn on_mss(&mut self, _: u32, _: u32) {}
    }

    fn fixed(start: &Start) -> Box<dyn Controller> {
        Box::new(Fixed(7 * start.mss))
    }

    let config = Config {
        congestion: Algorithm::Custom(fixed),
        ..Config::default()
    };
    assert_eq!(config, config.clone());
    assert_ne!(config, Config::default());
    let mut congestion = config.congestion(MSS);
    assert_eq!(congestion.name(), "fixed");
    assert_eq!(congestion.window(), 7 * MSS);
    congestion.on_ack(&ack(0, 5));
    assert_eq!(congestion.window(), 7 * MSS + 5);
}

#[test]
fn what_is_undone_holds_as_many_segments_of_todays_size_and_nothing_after_a_silence() {
    for algorithm in [Algorithm::NewReno, Algorithm::Cubic] {
        let mut congestion = Congestion::new(algorithm, &start(10));
        congestion.on_congestion(&event(Cause::Loss, 10 * MSS));
        congestion.on_mss(MSS, MSS / 2);
        congestion.undo(Instant::ZERO);
        assert_eq!(congestion.window(), 10 * MSS / 2, "{algorithm:?}");
        let mut congestion = Congestion::new(algorithm, &start(10));
        congestion.on_congestion(&event(Cause::Loss, 10 * MSS));
        congestion.on_restart(Instant::ZERO, 2 * MSS);
        congestion.undo(Instant::ZERO);
        assert_eq!(congestion.window(), 2 * MSS, "{algorithm:?}");
    }
}

#[test]
fn the_state_is_small() {
    assert!(size_of::<NewReno>() <= 48, "{}", size_of::<NewReno>());
    assert!(size_of::<Cubic>() <= 64, "{}", size_of::<Cubic>());
    assert!(size_of::<Congestion>() <= 72, "{}", size_of::<Congestion>());
    assert!(size_of::<Pacer>() <= 8);
}

/// What can happen to a controller.
#[derive(Clone, Debug)]
enum Call {
    Ack {
        after: u64,
        acked: u32,
        rtt: Option<u64>,
        cwnd_limited: bool,
    },
    Congestion {
        cause: Cause,
        in_flight: u32,
        in_recovery: bool,
    },
    Undo,
    Restart(u32),
    Mss(u32),
}

/// Numbers of every size.
fn any_size() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64u32).prop_map(|(number, shift)| number >> shift)
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let cause = prop_oneof![
        Just(Cause::Loss),
        Just(Cause::Ecn),
        any::<bool>().prop_map(|again| Cause::Timeout { again }),
    ];
    let ack = (
        any_size(),
        any_size(),
        prop::option::of(any_size()),
        prop::bool::weighted(0.8),
    )
        .prop_map(|(after, acked, rtt, cwnd_limited)| Call::Ack {
            after,
            acked: acked as u32,
            rtt,
            cwnd_limited,
        });
    let congestion = (cause, any_size(), any::<bool>()).prop_map(|(cause, flight, in_recovery)| {
        Call::Congestion {
            cause,
            in_flight: flight as u32,
            in_recovery,
        }
    });
    let call = prop_oneof![
        12 => ack,
        3 => congestion,
        1 => Just(Call::Undo),
        1 => any_size().prop_map(|window| Call::Restart(window as u32)),
        1 => (48..=65_535u32).prop_map(Call::Mss),
    ];
    prop::collection::vec(call, 1..200)
}

proptest! {
    /// And no call panics, so nothing overflows.
    #[test]
    fn the_window_is_a_segment_at_least_and_bounded_and_no_ack_lowers_it(
        calls in calls(),
        cubic in any::<bool>(),
        hystart in any::<bool>(),
        pacing in any::<bool>(),
        initial_window in any_size(),
        mut mss in 48..=65_535u32,
    ) {
        let config = Config {
            congestion: if cubic { Algorithm::Cubic } else { Algorithm::NewReno },
            hystart,
            pacing,
            initial_window: initial_window as u32,
            ..Config::default()
        };
        let mut congestion = config.congestion(mss);
        let (mut now, mut una) = (Instant::ZERO, SeqNumber(u32::MAX - 5));
        let mut undone = None;
        for call in calls {
            let before = congestion.window();
            let threshold = congestion.slow_start_threshold();
            match call {
                Call::Ack { after, acked, rtt, cwnd_limited } => {
                    now += Duration::from_nanos(after);
                    una += acked;
                    let rtt = rtt.map(Duration::from_nanos);
                    congestion.on_ack(&Acked {
                        now,
                        acked,
                        rtt,
                        min_rtt: rtt.unwrap_or_default(),
                        srtt: rtt.unwrap_or_default(),
                        una,
                        nxt: una + acked,
                        mss,
                        cwnd_limited,
                    });
                    prop_assert!(congestion.window() >= before);
                    prop_assert!(cwnd_limited || congestion.window() == before);
                    if before < threshold {
                        prop_assert!(congestion.window() <= before.saturating_add(acked));
                    } else if cubic {
                        // Half of it by the curve, or a segment to Reno's window, which it
                        // may be a segment behind where the curve took over.
                        let most = (before / 2).max(mss) + mss;
                        prop_assert!(congestion.window() <= before.saturating_add(most));
                    } else {
                        prop_assert!(congestion.window() <= before + mss);
                    }
                    // Where it grew since, an undo goes no further.
                    undone = None;
                }
                Call::Congestion { cause, in_flight, in_recovery } => {
                    let again = cause == Cause::Timeout { again: true };
                    if !in_recovery && !again {
                        undone = Some((before, threshold));
                    }
                    congestion.on_congestion(&CongestionEvent { now, in_flight, mss, cause, in_recovery });
                    prop_assert!(congestion.window() <= before.max(2 * mss));
                    prop_assert!(again || congestion.slow_start_threshold() >= 2 * mss);
                    if let Cause::Timeout { .. } = cause {
                        prop_assert_eq!(congestion.window(), mss);
                    }
                }
                Call::Undo => {
                    congestion.undo(now);
                    prop_assert!(congestion.window() >= before);
                    if let Some((window, threshold)) = undone.take() {
                        prop_assert!(congestion.window() >= window);
                        prop_assert!(congestion.window() > window || congestion.slow_start_threshold() >= threshold);
                    }
                }
                Call::Restart(window) => {
                    let window = window.max(mss);
                    congestion.on_restart(now, window);
                    undone = None;
                    prop_assert_eq!(congestion.window(), before.min(window));
                    prop_assert_eq!(congestion.slow_start_threshold(), threshold);
                }
                Call::Mss(new) => {
                    congestion.on_mss(mss, new);
                    prop_assert!(congestion.window() <= before.max(new));
                    mss = new;
                    undone = None;
                }
            }
            prop_assert!(congestion.window() >= mss, "{} < {mss}", congestion.window());
            prop_assert!(congestion.window() <= MAX_WINDOW);
        }
    }
}
