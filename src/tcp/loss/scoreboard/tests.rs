use proptest::prelude::*;

use super::*;

/// One octet of the naive model.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Octet {
    fate: Fate,
    again: bool,
    sent_at: Instant,
    /// The segment to which it belongs.
    segment: usize,
}

#[derive(Clone, Debug)]
enum Step {
    Send(u32),
    Again(u32, u32),
    Ack(u32),
    Sack(u32, u32),
    LoseBefore(u64),
    LoseFirst(u32),
    Forgive,
    Disbelieve,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..30u32).prop_map(Step::Send),
        2 => (0..100u32, 1..30u32).prop_map(|(at, len)| Step::Again(at, len)),
        3 => (0..40u32).prop_map(Step::Ack),
        4 => (0..100u32, 1..60u32).prop_map(|(at, len)| Step::Sack(at, len)),
        1 => (0..60u64).prop_map(Step::LoseBefore),
        1 => (1..20u32).prop_map(Step::LoseFirst),
        1 => Just(Step::Forgive),
        1 => Just(Step::Disbelieve),
    ];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    /// Against an array of octets, from starts that include the wrap.
    #[test]
    fn agrees_with_an_array_of_octets(
        start in prop_oneof![any::<u32>(), Just(0xffff_ffc0), Just(0x7fff_ffc0)],
        steps in steps(),
    ) {
        let mut base = SeqNumber(start);
        let mut board = Scoreboard::new(base);
        let mut model: VecDeque<Octet> = VecDeque::new();
        let mut segments = 0;
        for (n, step) in steps.into_iter().enumerate() {
            let now = Instant::from_millis(n as u64);
            let len = model.len() as u32;
            match step {
                Step::Send(count) => {
                    board.push(base + len + count, now);
                    segments += 1;
                    let octet = Octet {
                        fate: Fate::InFlight, again: false, sent_at: now, segment: segments,
                    };
                    model.extend(std::iter::repeat_n(octet, count as usize));
                }
                Step::Again(at, count) if at < len => {
                    let to = (at + count).min(len);
                    board.push_again(base + at, base + to, now);
                    segments += 1;
                    for octet in model.range_mut(at as usize..to as usize) {
                        *octet = Octet {
                            fate: Fate::InFlight, again: true, sent_at: now, segment: segments,
                        };
                    }
                }
                Step::Ack(count) => {
                    let count = count.min(len);
                    let mut told = 0;
                    board.acknowledge(base + count, |delivered| told += delivered.end - delivered.start);
                    let fresh = model.drain(..count as usize).filter(|o| o.fate != Fate::Sacked);
                    prop_assert_eq!(fresh.count() as u32, told);
                    base += count;
                }
                Step::Sack(at, count) => {
                    let (from, to) = (at.min(len), (at + count).min(len));
                    let mut told = Vec::new();
                    // No segment is larger: each counts as a whole.
                    board.sack(base + from, base + to, 1 << 20, |delivered| told.push(delivered));
                    for delivered in told {
                        let range = (delivered.start - base) as usize..(delivered.end - base) as usize;
                        let whole = model[range.start];
                        for octet in model.range_mut(range) {
                            prop_assert_ne!(octet.fate, Fate::Sacked);
                            prop_assert_eq!((octet.sent_at, octet.again), (whole.sent_at, whole.again));
                            octet.fate = Fate::Sacked;
                        }
                    }
                    // What was reported and is not marked is part of a run that was not
                    // reported as a whole.
                    for n in from..to {
                        let octet = model[n as usize];
                        if octet.fate != Fate::Sacked {
                            let peers = model.iter().enumerate().filter(|(_, o)| {
                                o.segment == octet.segment && o.fate == octet.fate
                            });
                            let outside = peers.map(|(n, _)| n as u32).any(|n| n < from || n >= to);
                            prop_assert!(outside);
                        }
                    }
                }
                Step::LoseBefore(ms) => {
                    let limit = Instant::from_millis(ms);
                    board.mark_lost(|_, sent_at| sent_at < limit);
                    for octet in &mut model {
                        if octet.fate == Fate::InFlight && octet.sent_at < limit {
                            octet.fate = Fate::Lost;
                        }
                    }
                }
                Step::LoseFirst(count) => {
                    let count = count.min(len);
                    board.mark_first_lost(count);
                    let parts: Vec<_> = model.iter().copied().collect();
                    let mut end = 0;
                    for part in parts.chunk_by(|a, b| a.segment == b.segment) {
                        let mut to = end + part.len();
                        if end == 0 && to > count as usize && part[0].fate == Fate::InFlight {
                            // The first of them is cut.
                            to = count as usize;
                            segments += 1;
                            model.range_mut(..to).for_each(|octet| octet.segment = segments);
                        }
                        for octet in model.range_mut(end..to) {
                            if octet.fate == Fate::InFlight && to <= count as usize {
                                octet.fate = Fate::Lost;
                            }
                        }
                        end += part.len();
                    }
                }
                Step::Forgive => {
                    board.forgive();
                    for octet in &mut model {
                        if octet.fate == Fate::Lost {
                            octet.fate = Fate::InFlight;
                        }
                    }
                }
                Step::Disbelieve => {
                    let sacked = board.sacked();
                    let lost = board.lost();
                    board.disbelieve();
                    prop_assert_eq!((board.lost(), board.sacked()), (lost + sacked, 0));
                    // What has melted has forgotten when it was sent: all of it goes again.
                    if len > 0 {
                        board.push_again(base, base + len, now);
                    }
                    segments += 1;
                    model.iter_mut().for_each(|octet| *octet = Octet {
                        fate: Fate::InFlight, again: true, sent_at: now, segment: segments,
                    });
                }
                Step::Again(..) => {}
            }
            let count = |fate| model.iter().filter(|octet| octet.fate == fate).count() as u32;
            prop_assert_eq!(board.in_flight(), count(Fate::InFlight));
            prop_assert_eq!(board.sacked(), count(Fate::Sacked));
            prop_assert_eq!(board.lost(), count(Fate::Lost));
            prop_assert_eq!(board.end(), base + model.len() as u32);
            let fates: Vec<_> = model.iter().map(|octet| octet.fate).collect();
            let sacked_runs = fates.chunk_by(|a, b| a == b).filter(|run| run[0] == Fate::Sacked);
            prop_assert_eq!(board.sacked_runs as usize, sacked_runs.count());
            let first_lost = fates.iter().position(|fate| *fate == Fate::Lost);
            let found = board.first(Fate::Lost, base, 7);
            prop_assert_eq!(found.map(|(from, _)| (from - base) as usize), first_lost);
            let highest = fates.iter().rposition(|fate| *fate == Fate::Sacked);
            let highest = highest.map_or(base, |n| base + n as u32 + 1);
            prop_assert_eq!(board.highest_sacked(), highest);
        }
    }
}

#[test]
fn a_run_of_many_segments_is_split_only_between_them() {
    let mut board = Scoreboard::new(SeqNumber(0));
    board.push(SeqNumber(10_500), Instant::ZERO);
    let mut told = Vec::new();
    let mut sack = |left, right| {
        board.sack(SeqNumber(left), SeqNumber(right), 1000, |delivered| {
            told.push((delivered.start.0, delivered.end.0));
        });
    };
    sack(1, 999);
    sack(2500, 4500);
    sack(9000, 10_500);
    sack(0, 10_500);
    assert_eq!(
        told,
        [(3000, 4000), (9000, 10_500), (0, 3000), (4000, 9000)]
    );
    assert_eq!((board.sacked(), board.sacked_runs), (10_500, 1));
    assert!(board.is_reneged());
}

#[test]
fn tiny_segments_and_reports_keep_it_bounded() {
    let mut board = Scoreboard::new(SeqNumber(0));
    let count = 2 * Scoreboard::MAX_RUNS as u32;
    for n in 0..count {
        board.push(SeqNumber(n + 1), Instant::ZERO);
    }
    assert_eq!(board.runs.len(), Scoreboard::MAX_RUNS);
    assert_eq!(board.in_flight(), count);
    for n in (0..count).step_by(2) {
        board.sack(SeqNumber(n), SeqNumber(n + 1), 1, |_| {});
    }
    assert!(board.runs.len() <= Scoreboard::MAX_RUNS);
    board.acknowledge(SeqNumber(count), |_| {});
    assert_eq!((board.in_flight(), board.sacked()), (0, 0));
    assert_eq!(board.sacked_runs, 0);
}

proptest! {
    /// The search that ends early finds what a search through all does.
    #[test]
    fn what_was_overtaken_is_found_without_looking_at_all(
        sent in prop::collection::vec((0..3u64, 0..8u8), 1..60),
        (late, number) in (0..100u64, 0..60_000u32),
        limit in 0..100u64,
    ) {
        let at = Instant::from_millis;
        let board = || {
            let mut board = Scoreboard::new(SeqNumber(0));
            let (mut now, mut end) = (1, 0);
            for (pause, what) in &sent {
                now += pause;
                match (what, end) {
                    // Some are sent again, reported, or taken for lost.
                    (0, 3000..) => board.push_again(SeqNumber(end - 3000), SeqNumber(end - 2000), at(now)),
                    (1, 3000..) => board.sack(SeqNumber(end - 3000), SeqNumber(end - 1000), 1000, |_| {}),
                    (2, 3000..) => {
                        board.mark_lost(|run_end, _| run_end == SeqNumber(end - 2000));
                    }
                    _ => {
                        end += 1000;
                        board.push(SeqNumber(end), at(now));
                    }
                }
            }
            board
        };
        let latest = (at(late), SeqNumber(number));
        let (mut quick, mut thorough) = (board(), board());
        let mut asked = [Vec::new(), Vec::new()];
        let found = quick.mark_overtaken(latest, |sent_at| {
            asked[0].push(sent_at);
            sent_at < at(limit)
        });
        let expected = thorough.mark_lost(|end, sent_at| {
            let overtaken = sent_after(latest, (sent_at, end));
            if overtaken {
                asked[1].push(sent_at);
            }
            overtaken && sent_at < at(limit)
        });
        prop_assert_eq!(found, expected);
        prop_assert_eq!(&asked[0], &asked[1]);
        let fates = |board: &Scoreboard| -> Vec<(SeqNumber, Fate)> {
            board.runs.iter().map(|run| (run.end, run.fate)).collect()
        };
        prop_assert_eq!(fates(&quick), fates(&thorough));
    }
}

#[test]
fn what_is_sent_again_in_tiny_segments_keeps_it_bounded() {
    let mut board = Scoreboard::new(SeqNumber(0));
    let count = 2 * Scoreboard::MAX_RUNS as u32;
    for n in 0..count {
        board.push(SeqNumber(n + 1), Instant::ZERO);
    }
    board.mark_lost(|_, _| true);
    let now = Instant::from_millis(1);
    for n in 0..count {
        board.push_again(SeqNumber(n), SeqNumber(n + 1), now);
        assert!(board.runs.len() <= Scoreboard::MAX_RUNS + 1);
        assert_eq!((board.in_flight(), board.lost()), (n + 1, count - n - 1));
    }
    assert!(board.runs.iter().all(|run| run.again && run.sent_at == now));
}

/// What an acknowledgment costs with as many segments in flight as are kept apart; run with `--release
/// --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn costs() {
    const COUNT: u32 = Scoreboard::MAX_RUNS as u32;
    let fresh = || {
        let mut board = Scoreboard::new(SeqNumber(0));
        for n in 1..=COUNT {
            board.push(SeqNumber(n * 1000), Instant::from_millis(n.into()));
        }
        board
    };
    let report = |what: &str,
                  acks: u32,
                  board: &mut Scoreboard,
                  each: &mut dyn FnMut(&mut Scoreboard, u32)| {
        let (start, mut worst) = (std::time::Instant::now(), std::time::Duration::ZERO);
        for n in 0..acks {
            let start = std::time::Instant::now();
            each(board, n);
            worst = worst.max(start.elapsed());
        }
        println!(
            "{what}: {:?} each, {worst:?} at worst, {} runs",
            start.elapsed() / acks,
            board.runs.len()
        );
    };
    let at = |n: u32| SeqNumber(n * 1000);
    let detect = |board: &mut Scoreboard| {
        board.mark_lost(|_, sent_at| sent_at < Instant::ZERO);
        board.highest_sacked();
    };
    report(
        "one report of all but the first",
        1,
        &mut fresh(),
        &mut |board, _| {
            board.sack(at(1), at(COUNT), 1000, |_| {});
            detect(board);
        },
    );
    report("one in the middle", 1, &mut fresh(), &mut |board, _| {
        board.sack(at(COUNT / 4), at(COUNT * 3 / 4), 1000, |_| {});
        detect(board);
    });
    report(
        "a report that grows",
        COUNT - 1,
        &mut fresh(),
        &mut |board, n| {
            board.sack(at(1), at(n + 2), 1000, |_| {});
            detect(board);
        },
    );
    report(
        "every second one",
        COUNT / 2,
        &mut fresh(),
        &mut |board, n| {
            for back in 0..3 {
                let n = 2 * n.saturating_sub(back);
                board.sack(at(n + 1), at(n + 2), 1000, |_| {});
            }
            detect(board);
        },
    );
    let mut board = fresh();
    for n in (0..COUNT).step_by(2) {
        board.sack(at(n + 1), at(n + 2), 1000, |_| {});
    }
    report(
        "holes filled at random",
        5000,
        &mut board,
        &mut |board, n| {
            let n = n * 2_654_435_761 % 5000 * 2;
            board.sack(at(n), at(n + 1), 1000, |_| {});
            detect(board);
        },
    );
    report(
        "four blocks of nothing whole",
        1000,
        &mut fresh(),
        &mut |board, _| {
            for n in 0..4 {
                let (left, right) = (n * 2_500_000 + 1, n * 2_500_000 + 999);
                board.sack(SeqNumber(left), SeqNumber(right), 1000, |_| {});
            }
            detect(board);
        },
    );
    let mut board = fresh();
    for n in (0..COUNT).step_by(2) {
        board.sack(at(n + 1), at(n + 2), 1000, |_| {});
    }
    board.mark_lost(|_, _| true);
    report(
        "each lost one sent again",
        5000,
        &mut board,
        &mut |board, _| {
            let (start, end) = board.first(Fate::Lost, SeqNumber(0), 1000).unwrap();
            board.push_again(start, end, Instant::from_millis(20_000));
        },
    );
}
