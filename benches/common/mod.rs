//! What the benches share: contests between contenders that do equal work, and inputs.
//!
//! Every contender of a [`Contest`] writes its answer to an output of its own. Before
//! anything is timed, each runs once and the outputs are compared. Then criterion times
//! them one after the other, and in between our own measurement takes them pair by pair,
//! short batches of ours and theirs in turn: a machine that drifts drifts for both.
//!
//! What that measurement finds is printed after criterion's figures, in lines that
//! `benches/report` makes pictures and tables of:
//!
//! ```text
//! MACHINE <processor>, <n> cores, rustc <version>
//! BYTES <bench>/<case> <n>              length of what is worked on, where that says something
//! TIME <bench>/<case> <who> <ns>        nanoseconds a packet (or buffer); ours is the first line
//! RATIO <bench>/<case> <against> <x>    the rival's time by ours: above 1, ours is quicker
//! ```
//!
//! No name has a space. `limit` and `limit-*` are physical limits, `zerotcp-*` other ways of
//! ours. Times are medians over all batches, ratios over pairs of batches, so that a ratio is
//! surer than the quotient of two times.

// Each bench is a crate of its own and uses a part of this.
#![allow(dead_code)]

pub mod limit;

use std::fmt::Debug;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use criterion::{Criterion, Throughput};

use zerotcp::wire::{SeqNumber, TcpBuilder, TcpFlags, TcpOption};

/// Pairs of batches behind a ratio, at least, and batches behind a rival's time.
const PAIRS: usize = 400;
/// What a batch lasts, about: long against the clock's resolution, short against drift.
const BATCH: Duration = Duration::from_micros(20);

/// Runs the contests of one bench and prints what they have shown at the end.
pub struct Bench {
    name: &'static str,
    criterion: Criterion,
    lines: Vec<String>,
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
            lines: Vec::new(),
        }
    }

    /// Runs `contest`, unless the command line's filter leaves it out.
    pub fn run<O: PartialEq + Debug>(&mut self, mut contest: Contest<'_, O>) {
        contest.check();
        let contenders = contest.contenders.len();
        let mut group = self
            .criterion
            .benchmark_group(format!("{}/{}", self.name, contest.case));
        group.throughput(contest.throughput.clone());
        for index in 0..contenders {
            let contender = &mut contest.contenders[index];
            let mut chosen = false;
            group.bench_function(contender.name.clone(), |bencher| {
                chosen = true;
                bencher.iter_custom(|count| contender.time(count));
            });
            // In between, so that what else the machine does for a while is not all there is.
            if chosen && !is_test() {
                contest.meet(PAIRS.div_ceil(contenders));
            }
        }
        group.finish();
        self.lines.extend(contest.lines(self.name));
    }

    /// Prints what has been found.
    pub fn finish(self) {
        self.criterion.final_summary();
        if !self.lines.is_empty() {
            println!("{}", machine());
        }
        for line in self.lines {
            println!("{line}");
        }
    }
}

/// The processor as Linux calls it, and the compiler on the path. Virtual machines hide a
/// processor's name, but not its family, model and widest vectors.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name| {
        let mut fields = info.lines().filter_map(|line| line.split_once(':'));
        fields.find_map(|(key, value)| (key.trim_end() == name).then_some(value.trim()))
    };
    let mut processor = field("model name")
        .unwrap_or("unknown processor")
        .to_owned();
    if let (Some(family), Some(model)) = (field("cpu family"), field("model")) {
        processor += &format!(" (family {family}, model {model})");
    }
    let vectors = [
        ("avx512_vnni", "AVX-512 with VNNI"),
        ("avx512bw", "AVX-512"),
        ("avx2", "AVX2"),
    ];
    let has = |flag| field("flags").is_some_and(|flags| flags.split(' ').any(|has| has == flag));
    if let Some((_, vectors)) = vectors.into_iter().find(|(flag, _)| has(*flag)) {
        processor += &format!(", {vectors}");
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let rustc = Command::new("rustc").arg("--version").output().ok();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let rustc = rustc.as_deref().and_then(|text| text.split(' ').nth(1));
    let rustc = rustc.unwrap_or("of unknown version");
    format!("MACHINE {processor}, {cores} cores, rustc {rustc}")
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
    name: String,
    /// Whether it gives the answer; a limit only touches the same bytes.
    answers: bool,
    output: O,
    /// Does the work so many times.
    work: Box<Work<'a, O>>,
    /// Seconds for one piece of work, by all batches.
    times: Vec<f64>,
    /// Those by ours, pair by pair.
    ratios: Vec<f64>,
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
    pub fn enter(self, name: impl Into<String>, output: O, work: impl FnMut(&mut O) + 'a) -> Self {
        self.add(name.into(), true, output, work)
    }

    /// Enters the physical limit: as many loads and stores, and no more thought than
    /// it takes to keep them.
    #[must_use]
    pub fn limit(self, output: O, work: impl FnMut(&mut O) + 'a) -> Self {
        self.limit_named("limit", output, work)
    }

    /// Enters a limit beside others, such as that of wider vectors; its name starts with
    /// `limit`.
    #[must_use]
    pub fn limit_named(
        self,
        name: impl Into<String>,
        output: O,
        work: impl FnMut(&mut O) + 'a,
    ) -> Self {
        self.add(name.into(), false, output, work)
    }

    fn add(
        mut self,
        name: String,
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
            times: Vec::new(),
            ratios: Vec::new(),
        });
        self
    }

    /// Lets everyone run once and compares the answers.
    fn check(&mut self) {
        for contender in &mut self.contenders {
            contender.time(1);
        }
        let (ours, rivals) = self.contenders.split_first().expect("ours is entered");
        assert!(!rivals.is_empty(), "{} has no rivals", self.case);
        for rival in rivals.iter().filter(|rival| rival.answers) {
            assert_eq!(ours.output, rival.output, "{} {}", self.case, rival.name);
        }
    }

    /// Lets ours meet each rival in so many pairs of batches. All rivals take their turn
    /// in each round, so that their times are from the same while.
    fn meet(&mut self, rounds: usize) {
        let (ours, rivals) = self.contenders.split_first_mut().expect("ours is entered");
        let our_count = ours.batch();
        let counts: Vec<_> = rivals.iter_mut().map(Contender::batch).collect();
        for round in 0..rounds {
            for (rival, count) in rivals.iter_mut().zip(&counts) {
                // Who goes first alternates too.
                let early = (round % 2 == 0).then(|| rival.seconds(*count));
                let our_time = ours.seconds(our_count);
                let time = early.unwrap_or_else(|| rival.seconds(*count));
                ours.times.push(our_time);
                rival.times.push(time);
                rival.ratios.push(time / our_time);
            }
        }
    }

    /// What the meetings have shown, as lines of the bench called `bench`; none, if there
    /// were none.
    fn lines(&mut self, bench: &str) -> Vec<String> {
        let id = format!("{bench}/{}", self.case);
        let (pieces, bytes) = match self.throughput {
            Throughput::Bytes(bytes) | Throughput::BytesDecimal(bytes) => (1, Some(bytes)),
            Throughput::Bits(bits) => (1, Some(bits / 8)),
            Throughput::Elements(pieces) => (pieces, None),
            Throughput::ElementsAndBytes { elements, bytes } => (elements, Some(bytes / elements)),
        };
        let (mut times, mut ratios) = (Vec::new(), Vec::new());
        for contender in &mut self.contenders {
            let name = &contender.name;
            if let Some(seconds) = median(&mut contender.times) {
                let nanos = seconds * 1e9 / pieces as f64;
                times.push(format!("TIME {id} {name} {nanos:.3}"));
            }
            if let Some(ratio) = median(&mut contender.ratios) {
                ratios.push(format!("RATIO {id} {name} {ratio:.2}"));
            }
        }
        let bytes = bytes.filter(|_| !times.is_empty());
        let bytes = bytes.map(|bytes| format!("BYTES {id} {bytes}"));
        bytes.into_iter().chain(times).chain(ratios).collect()
    }
}

fn median(list: &mut [f64]) -> Option<f64> {
    list.sort_by(f64::total_cmp);
    list.get(list.len() / 2).copied()
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
