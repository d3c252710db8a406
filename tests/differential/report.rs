//! What all sequences came to.

use std::collections::BTreeMap;
use std::time::Instant;

use zerotcp::tcp::State;

use crate::known::KNOWN;
use crate::sequence::Outcomes;
use crate::steps::KINDS;

/// From so many sequences on, everything must have been seen.
const MANY: u64 = 2000;

/// Of so many failures the steps are printed.
const SHOWN: usize = 30;

/// In which states a step has to have been made.
const STATES: [State; 10] = [
    State::Closed,
    State::SynSent,
    State::SynReceived,
    State::Established,
    State::FinWait1,
    State::FinWait2,
    State::CloseWait,
    State::Closing,
    State::LastAck,
    State::TimeWait,
];

/// What has to have come in each of them.
const EVERYWHERE: [&str; 9] = [
    "ACK",
    "ACK beyond",
    "RST exact",
    "RST outside",
    "SYN",
    "SYN,ACK",
    "FIN",
    "no ACK",
    "text outside",
];

pub struct Report {
    start: Instant,
    sequences: u64,
    slow: u64,
    steps: BTreeMap<(usize, &'static str), u64>,
    known: BTreeMap<&'static str, u64>,
    /// Sequences that went to their end.
    whole: u64,
    /// Steps that all were to have, but for those at their ends.
    planned: u64,
    /// What ended others before.
    ended: BTreeMap<&'static str, u64>,
    /// By what is wrong, how often and the first time.
    failures: BTreeMap<String, (u64, String)>,
}

impl Report {
    pub fn new() -> Report {
        Report {
            start: Instant::now(),
            sequences: 0,
            slow: 0,
            steps: BTreeMap::new(),
            known: BTreeMap::new(),
            whole: 0,
            planned: 0,
            ended: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }

    pub fn note(&mut self, seed: u64, outcomes: Outcomes) {
        self.sequences += 1;
        if outcomes.slow {
            // It tells nothing.
            self.slow += 1;
            return;
        }
        self.planned += outcomes.planned;
        for (state, kind) in outcomes.steps {
            let state = STATES.iter().position(|known| *known == state);
            let state = state.expect("LISTEN is the listener's alone");
            *self.steps.entry((state, kind)).or_default() += 1;
        }
        match outcomes.ended {
            _ if outcomes.unexplained.is_some() => {}
            Some(reason) => *self.ended.entry(reason).or_default() += 1,
            None => self.whole += 1,
        }
        for known in outcomes.explained {
            *self.known.entry(known.name).or_default() += 1;
        }
        if let Some(problem) = outcomes.unexplained {
            let replay = format!("ZEROTCP_DIFFERENTIAL={seed}:1 cargo test --test differential");
            let first = || (0, format!("{replay}\n{}", outcomes.trace.join("\n")));
            self.failures.entry(problem).or_insert_with(first).0 += 1;
        }
    }

    pub fn print(&self) {
        let steps: u64 = self.steps.values().sum();
        let (count, seconds) = (self.sequences, self.start.elapsed().as_secs_f64());
        println!("\n{count} sequences, {steps} steps, {seconds:.1} s");
        println!("\nsteps in each state:");
        for (at, state) in STATES.iter().enumerate() {
            let name = state.to_string();
            println!("{:9}  {name}", self.count(|(state, _)| *state == at));
        }
        println!("\nsteps of each kind:");
        for kind in KINDS {
            println!("{:9}  {kind}", self.count(|(_, of)| *of == kind));
        }
        println!("\ndifferences that are known:");
        for known in KNOWN {
            let count = self.known.get(known.name).copied().unwrap_or(0);
            println!("{count:9}  {}\n           {}", known.name, known.why);
        }
        let early: u64 = self.ended.values().sum();
        println!(
            "\n{} sequences were compared to their end, {early} only up to what follows; {steps} steps \
             of some {}:",
            self.whole, self.planned
        );
        for (reason, count) in &self.ended {
            println!("{count:9}  {reason}");
        }
        println!("\nunexplained differences: {}", self.failures.len());
        for (problem, (count, first)) in self.failures.iter().take(SHOWN) {
            println!("\n{count} times: {problem}\n{first}");
        }
        if self.slow > 0 {
            println!("\n{} sequences were too slow to tell", self.slow);
        }
    }

    /// There is nothing that nobody can explain, and the sequences went everywhere.
    pub fn check(&self) {
        let (failures, sequences) = (self.failures.len(), self.sequences);
        assert_eq!(failures, 0, "of {sequences} sequences");
        assert!(self.slow * 10 <= sequences, "{} were too slow", self.slow);
        if sequences < MANY {
            return;
        }
        for kind in KINDS {
            assert!(self.count(|(_, of)| *of == kind) > 0, "no step was: {kind}");
        }
        for (at, state) in STATES.iter().enumerate() {
            for kind in EVERYWHERE {
                let seen = self.steps.contains_key(&(at, kind));
                assert!(seen, "in {state} there was no step: {kind}");
            }
        }
    }

    fn count(&self, of: impl Fn(&(usize, &str)) -> bool) -> u64 {
        let matching = self.steps.iter().filter(|(key, _)| of(key));
        matching.map(|(_, count)| count).sum()
    }
}
