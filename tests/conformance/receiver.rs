//! A peer that only receives: it acknowledges what has arrived, and nothing else.

use crate::common::script::Script;

/// What has arrived of our text.
pub struct Receiver {
    /// The number up to which nothing is missing.
    pub next: u32,
    /// What lies beyond, sorted and apart from each other.
    runs: Vec<(u32, u32)>,
}

impl Receiver {
    pub fn new() -> Receiver {
        Receiver {
            next: 1,
            runs: Vec::new(),
        }
    }

    /// The octets from `start` to before `end` arrive.
    pub fn take(&mut self, start: u32, end: u32) {
        self.runs.push((start, end));
        self.runs.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for (start, end) in self.runs.drain(..) {
            match merged.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        self.runs = merged;
        if let Some((_, end)) = self.runs.first().filter(|run| run.0 <= self.next) {
            self.next = self.next.max(*end);
            self.runs.remove(0);
        }
    }

    /// All that goes out now arrives and is acknowledged one by one, after `wait` milliseconds;
    /// how many segments that was.
    pub fn round(&mut self, s: &mut Script, wait: u64) -> usize {
        let mut acks = Vec::new();
        for _ in 0..wait {
            while let Some(sent) = s.next() {
                let range = sent.split(' ').nth(1).expect("a number");
                if let Some((start, end)) = range.split_once(':') {
                    self.take(start.parse().unwrap(), end.parse().unwrap());
                    acks.push(self.next);
                }
            }
            s.pass(1);
        }
        for ack in &acks {
            s.inject(&format!(". 1 ack {ack} win 65535"));
        }
        acks.len()
    }
}
