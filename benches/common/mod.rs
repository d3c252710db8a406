//! What the benches share: contests between contenders that do equal work, and inputs.
//!
//! Every contender of a [`Contest`] writes its answer to an output of its own. Before
//! anything is timed, each runs once and the outputs are compared. Then criterion times
//! them one after the other, and our own measurement takes them pair by pair, short
//! batches of ours and theirs in turn: a machine that drifts drifts for both.

// Each bench is a crate of its own and uses a part of this.
#![allow(dead_code)]

use std::fmt::Debug;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};

use zerotcp::wire::{SeqNumber, TcpBuilder, TcpFlags, TcpOption};

/// Pairs of batches behind a ratio.
const PAIRS: usize = 400;
/// What a batch lasts, about: long against the clock's resolution, short against drift.
const BATCH: Duration = Duration::from_micros(20);

/// Runs the contests of one bench and prints their ratios at the end.
pub struct Bench {
    name: &'static str,
    criterion: Criterion,
    ratios: Vec<String>,
}

impl Bench {
    pub fn new(name: &'static str) -> Bench {
        let criterion = Criterion::default()
            .without_plots()
            .sample_size(20)
            .warm_up_time(Duration::from_millis(50))
            .measurement_time(Duration::from_millis(200))
            .nresamples(2_000)
            .configure_from_args();
        Bench {
            name,
            criterion,
            ratios: Vec::new(),
        }
    }

    /// Runs `contest`, unless the command line's filter leaves it out.
    pub fn run<O: PartialEq + Debug>(&mut self, mut contest: Contest<'_, O>) {
        contest.check();
        let mut chosen = false;
        let mut group = self
            .criterion
            .benchmark_group(format!("{}/{}", self.name, contest.case));
        group.throughput(contest.throughput.clone());
        for contender in &mut contest.contenders {
            group.bench_function(contender.name, |bencher| {
                chosen = true;
                bencher.iter_custom(|count| contender.time(count));
            });
        }
        group.finish();
        if chosen && !is_test() {
            let id = format!("{}/{}", self.name, contest.case);
            for (rival, ratio) in contest.ratios() {
                self.ratios.push(format!("RATIO {id} {rival} {ratio:.2}"));
            }
        }
    }

    /// Prints what has been found: how many times as fast as each rival ours is.
    pub fn finish(self) {
        self.criterion.final_summary();
        for line in self.ratios {
            println!("{line}");
        }
    }
}

/// Criterion's rule: it only measures where cargo says `--bench`.
fn is_test() -> bool {
    let has = |flag| std::env::args().any(|arg| arg == flag);
    !has("--bench") || has("--test")
}

/// One piece of work and those who do it: ours first, then the rivals.
pub struct Contest<'a, O> {
    case: String,
    throughput: Throughput,
    contenders: Vec<Contender<'a, O>>,
}

struct Contender<'a, O> {
    name: &'static str,
    /// Whether it gives the answer; a limit only touches the same bytes.
    answers: bool,
    output: O,
    /// Does the work so many times.
    work: Box<Work<'a, O>>,
}

type Work<'a, O> = dyn FnMut(u64, &mut O) + 'a;

impl<'a, O: PartialEq + Debug> Contest<'a, O> {
    pub fn new(case: impl Into<String>, throughput: Throughput) -> Contest<'a, O> {
        Contest {
            case: case.into(),
            throughput,
            contenders: Vec::new(),
        }
    }

    /// Enters a contender that gives the answer, in `output`; the first one is ours.
    #[must_use]
    pub fn enter(self, name: &'static str, output: O, work: impl FnMut(&mut O) + 'a) -> Self {
        self.add(name, true, output, work)
    }

    /// Enters the physical limit: as many loads and stores, and no more thought than
    /// it takes to keep them.
    #[must_use]
    pub fn limit(self, output: O, work: impl FnMut(&mut O) + 'a) -> Self {
        self.add("limit", false, output, work)
    }

    fn add(
        mut self,
        name: &'static str,
        answers: bool,
        output: O,
        mut work: impl FnMut(&mut O) + 'a,
    ) -> Self {
        let work = Box::new(move |count, output: &mut O| {
            for _ in 0..count {
                work(black_box(output));
            }
            black_box(output);
        });
        self.contenders.push(Contender {
            name,
            answers,
            output,
            work,
        });
        self
    }

    /// Lets everyone run once and compares the answers.
    fn check(&mut self) {
        for contender in &mut self.contenders {
            contender.time(1);
        }
        let (ours, rivals) = self.contenders.split_first().expect("ours is entered");
        for rival in rivals.iter().filter(|rival| rival.answers) {
            assert_eq!(ours.output, rival.output, "{} {}", self.case, rival.name);
        }
    }

    /// For each rival the median over [`PAIRS`] of its time by ours.
    fn ratios(&mut self) -> Vec<(&'static str, f64)> {
        let (ours, rivals) = self.contenders.split_first_mut().expect("ours is entered");
        let our_count = ours.batch();
        let mut found = Vec::new();
        for rival in rivals {
            let count = rival.batch();
            let mut ratios: Vec<f64> = (0..PAIRS)
                .map(|pair| {
                    // Who goes first alternates too.
                    let early = (pair % 2 == 0).then(|| rival.seconds(count));
                    let ours = ours.seconds(our_count);
                    early.unwrap_or_else(|| rival.seconds(count)) / ours
                })
                .collect();
            ratios.sort_by(f64::total_cmp);
            found.push((rival.name, ratios[PAIRS / 2]));
        }
        found
    }
}

impl<O> Contender<'_, O> {
    fn time(&mut self, count: u64) -> Duration {
        let start = Instant::now();
        (self.work)(count, &mut self.output);
        start.elapsed()
    }

    /// How often the work is done in one [`BATCH`].
    fn batch(&mut self) -> u64 {
        let mut count = 1;
        loop {
            // The first run of a length trains the branch predictor for the second.
            self.time(count);
            if self.time(count) >= BATCH {
                return count;
            }
            count *= 2;
        }
    }

    /// Seconds for one piece of work, by a batch of `count`.
    fn seconds(&mut self, count: u64) -> f64 {
        self.time(count).as_secs_f64() / count as f64
    }
}

/// A buffer that starts a page. A load may be held up by an earlier store to the same
/// place in another page, so what is copied lies in the middle of pages and goes to their
/// start, for every contender alike.
#[derive(Debug, PartialEq)]
#[repr(align(4096))]
pub struct Pages<const N: usize>(pub [u8; N]);

impl<const N: usize> Pages<N> {
    pub fn blank() -> Box<Pages<N>> {
        Box::new(Pages([0; N]))
    }

    /// Pages that hold `bytes` in their middle, at [`Pages::middle`].
    pub fn around(bytes: &[u8]) -> Box<Pages<N>> {
        let mut pages = Pages::blank();
        pages.0[2048..][..bytes.len()].copy_from_slice(bytes);
        pages
    }

    pub fn middle(&self, len: usize) -> &[u8] {
        &self.0[2048..][..len]
    }
}

/// Bytes that repeat in no period a checksum would notice.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// What the packets of the benches say.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub src: SocketAddrV4,
    pub dst: SocketAddrV4,
    pub seq: u32,
    pub ack: u32,
    pub window: u16,
}

pub const SEGMENT: Segment = Segment {
    src: SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 1), 49152),
    dst: SocketAddrV4::new(Ipv4Addr::new(10, 255, 3, 254), 443),
    seq: 0xdead_beef,
    ack: 0x8123_4567,
    window: 64240,
};

/// [`SEGMENT`] with PSH and ACK, `options` and a payload that makes it `len` bytes long.
pub fn packet(len: usize, options: &[TcpOption<'_>]) -> Vec<u8> {
    let options_len: usize = options.iter().map(TcpOption::len).sum();
    let mut buffer = vec![0; len];
    let written = TcpBuilder::new(SEGMENT.src, SEGMENT.dst)
        .seq(SeqNumber(SEGMENT.seq))
        .ack(SeqNumber(SEGMENT.ack))
        .flags(TcpFlags::PSH)
        .window(SEGMENT.window)
        .options(options)
        .write(&mut buffer, &noise(len - 40 - options_len));
    assert_eq!(written, Ok(len));
    buffer
}
