use crate::wire::{SackBlock, SackBlocks, SeqNumber};

/// Which octets have arrived ahead of their turn: runs in order, apart from each other.
///
/// The octets themselves lie in the receive buffer already. The number of runs is
/// bounded, so that many tiny segments with holes between them cannot make it
/// grow, nor each next one slower (CVE-2018-5390).
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// `left..right`, each right below the next one's left.
    runs: Vec<(SeqNumber, SeqNumber)>,
    /// A number of each run that grew of late, the latest first.
    recent: [Option<SeqNumber>; SackBlocks::MAX],
}

impl Reassembly {
    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Notes that `left..right` has arrived; `false` where that would make more than
    /// `limit` runs. All numbers lie within one receive window.
    pub(super) fn insert(&mut self, left: SeqNumber, right: SeqNumber, limit: usize) -> bool {
        // The runs that touch the new one melt into it.
        let first = self.runs.partition_point(|run| run.1 < left);
        let last = first + self.runs[first..].partition_point(|run| run.0 <= right);
        if first == last {
            if self.runs.len() >= limit {
                return false;
            }
            self.runs.insert(first, (left, right));
        } else {
            let left = left.min(self.runs[first].0);
            let right = right.max(self.runs[last - 1].1);
            self.runs[first] = (left, right);
            self.runs.drain(first + 1..last);
        }
        self.note_recent(left, self.runs[first]);
        true
    }

    /// `number` of `run` comes to the front of what grew of late; what else there is of
    /// that run goes.
    fn note_recent(&mut self, number: SeqNumber, run: (SeqNumber, SeqNumber)) {
        let old = self.recent;
        let others = old.into_iter().flatten().filter(|n| !lies_in(*n, run));
        let newest = core::iter::once(number).chain(others);
        self.recent = [None; SackBlocks::MAX];
        for (slot, number) in self.recent.iter_mut().zip(newest) {
            *slot = Some(number);
        }
    }

    /// The runs to report, the one that grew last first (RFC 2018 section 4).
    pub(super) fn blocks(&self) -> SackList {
        let mut list = SackList::default();
        for number in self.recent.iter().flatten() {
            if let Some(run) = self.runs.iter().find(|run| lies_in(*number, **run)) {
                list.push(SackBlock {
                    left: run.0,
                    right: run.1,
                });
            }
        }
        list
    }

    /// Drops what starts at or before `next` and returns the number after the octets
    /// that are now in order: `next` itself where the gap is still there.
    pub(super) fn advance(&mut self, next: SeqNumber) -> SeqNumber {
        let mut end = next;
        let mut done = 0;
        for (left, right) in &self.runs {
            if end < *left {
                break;
            }
            end = end.max(*right);
            done += 1;
        }
        self.runs.drain(..done);
        end
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Reassembly::default();
    }
}

fn lies_in(number: SeqNumber, run: (SeqNumber, SeqNumber)) -> bool {
    number.in_window(run.0, run.1 - run.0)
}

/// The blocks of a SACK option to be sent: none to four.
#[derive(Clone, Copy, Debug, Default)]
pub struct SackList {
    blocks: [SackBlock; SackBlocks::MAX],
    len: usize,
}

impl SackList {
    fn push(&mut self, block: SackBlock) {
        if let Some(slot) = self.blocks.get_mut(self.len) {
            *slot = block;
            self.len += 1;
        }
    }

    /// What the option takes of a header with the NOPs that align it, in bytes.
    pub(super) fn option_len(&self) -> u32 {
        match self.len {
            0 => 0,
            // At most four blocks of eight.
            len => 4 + (len * SackBlocks::BLOCK_LEN) as u32,
        }
    }
}

impl core::ops::Deref for SackList {
    type Target = [SackBlock];

    fn deref(&self) -> &[SackBlock] {
        &self.blocks[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a bitmap, from starts that include the wrap.
        #[test]
        fn agrees_with_a_bitmap(
            start in prop_oneof![any::<u32>(), Just(0xffff_ffc0), Just(0x7fff_ffc0)],
            pieces in proptest::collection::vec((0..200u32, 1..40u32), 1..40),
            limit in 1..12usize,
        ) {
            let start = SeqNumber(start);
            let mut next = 0usize;
            let mut bitmap = [false; 256];
            let mut reassembly = Reassembly::default();
            for (at, len) in pieces {
                let (from, to) = (at.max(next as u32), at + len);
                if from >= to {
                    continue;
                }
                if from as usize == next {
                    next = (reassembly.advance(start + to) - start) as usize;
                } else if reassembly.insert(start + from, start + to, limit) {
                    bitmap[from as usize..to as usize].fill(true);
                }
                bitmap[..next].fill(false);
                let mut runs = Vec::new();
                for (n, held) in bitmap.iter().enumerate() {
                    match runs.last_mut() {
                        Some((_, end)) if *held && *end == n => *end = n + 1,
                        _ if *held => runs.push((n, n + 1)),
                        _ => {}
                    }
                }
                let ours: Vec<_> = reassembly
                    .runs
                    .iter()
                    .map(|(left, right)| ((*left - start) as usize, (*right - start) as usize))
                    .collect();
                prop_assert_eq!(ours, runs);
                prop_assert!(reassembly.runs.len() <= limit);

                // Reported are runs that are there, each once, that of the last piece first.
                let blocks = reassembly.blocks();
                for (n, block) in blocks.iter().enumerate() {
                    prop_assert!(reassembly.runs.contains(&(block.left, block.right)));
                    prop_assert!(!blocks[..n].contains(block));
                }
                if from as usize > next && bitmap[from as usize] {
                    let first = blocks.first().unwrap();
                    prop_assert!((start + from).in_window(first.left, first.right - first.left));
                }
            }
        }
    }
}
