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
    /// A number of each run to be reported, that which text came for last first: of four,
    /// or of as many as there are. What follows is void.
    recent: [SeqNumber; SackBlocks::MAX],
    /// What came twice and has not been reported (RFC 2883).
    duplicate: Option<SackBlock>,
}

impl Reassembly {
    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// What is held, in order.
    #[cfg(feature = "simulation")]
    pub(super) fn runs(&self) -> &[(SeqNumber, SeqNumber)] {
        &self.runs
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
        self.order_reports(Some(left));
        true
    }

    /// The part of `left..right` that is held already, the first one if there are more.
    pub(super) fn overlap(&self, left: SeqNumber, right: SeqNumber) -> Option<SackBlock> {
        let at = self.runs.partition_point(|run| run.1 <= left);
        let run = self.runs.get(at).filter(|run| run.0 < right)?;
        Some(SackBlock {
            left: left.max(run.0),
            right: right.min(run.1),
        })
    }

    /// Octets came that had come before. What follows on from those not yet reported is
    /// reported with them, so that one acknowledgment does for several segments (MUST-58).
    pub(super) fn note_duplicate(&mut self, duplicate: SackBlock) {
        self.duplicate = Some(match self.duplicate {
            Some(before) if before.right == duplicate.left => SackBlock {
                left: before.left,
                right: duplicate.right,
            },
            _ => duplicate,
        });
    }

    /// Sets up `recent` after the runs have changed: the run of `newest` first, then in the
    /// order they had, then whatever else there is.
    fn order_reports(&mut self, newest: Option<SeqNumber>) {
        let count = self.report_count();
        let others = self.runs.iter().map(|run| run.0);
        let candidates = newest.into_iter().chain(self.recent).chain(others);
        let mut recent = [SeqNumber(0); SackBlocks::MAX];
        let mut found = 0;
        for number in candidates {
            if found == count {
                break;
            }
            if let Some(run) = self.run_of(number)
                && !recent[..found].contains(&run.left)
            {
                recent[found] = run.left;
                found += 1;
            }
        }
        self.recent = recent;
    }

    /// How many runs can be reported.
    fn report_count(&self) -> usize {
        self.runs.len().min(SackBlocks::MAX)
    }

    /// The run in which a number lies.
    fn run_of(&self, number: SeqNumber) -> Option<SackBlock> {
        let at = self.runs.partition_point(|run| run.1 <= number);
        let run = self.runs.get(at).filter(|run| run.0 <= number)?;
        Some(SackBlock {
            left: run.0,
            right: run.1,
        })
    }

    /// What an acknowledgment reports, `room` blocks at most: what came twice, this once
    /// (RFC 2883 section 4), then the runs, the one for which text came last first, so that
    /// it encloses what came twice ahead of its turn (RFC 2018 section 4).
    pub(super) fn report(&mut self, room: usize) -> SackList {
        let mut list = SackList::default();
        let runs = self.recent[..self.report_count()].iter();
        let runs = runs.filter_map(|number| self.run_of(*number));
        for block in self.duplicate.into_iter().chain(runs).take(room) {
            list.push(block);
        }
        self.duplicate = None;
        list
    }

    /// How much of a header [`report`](Reassembly::report) will take with the NOPs that
    /// align it, in bytes.
    pub(super) fn report_len(&self, room: usize) -> u32 {
        let count = usize::from(self.duplicate.is_some()) + self.report_count();
        match count.min(room) {
            0 => 0,
            // At most four blocks of eight.
            count => 4 + (count * SackBlocks::BLOCK_LEN) as u32,
        }
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
        if done > 0 {
            self.runs.drain(..done);
            self.order_reports(None);
        }
        end
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Reassembly::default();
    }

    /// Gives back the memory of runs that are gone.
    pub(super) fn release(&mut self) {
        self.runs.shrink_to_fit();
    }
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
                // What came twice is the first stretch that is there already.
                let first = (from..to).find(|n| bitmap[*n as usize]);
                let twice = reassembly.overlap(start + from, start + to);
                prop_assert_eq!(twice.map(|block| block.left - start), first);
                if let (Some(twice), Some(first)) = (twice, first) {
                    let end = (first..to).find(|n| !bitmap[*n as usize]).unwrap_or(to);
                    prop_assert_eq!(twice.right - start, end);
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
                let len = reassembly.report_len(SackBlocks::MAX);
                let blocks = reassembly.report(SackBlocks::MAX);
                prop_assert_eq!(blocks.len(), reassembly.runs.len().min(SackBlocks::MAX));
                prop_assert_eq!(len as usize, blocks.len() * 8 + 4 * usize::from(!blocks.is_empty()));
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
