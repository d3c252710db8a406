//! What a right end remembers: what it has, what it has sent, and what it reports.

use std::time::Duration;

use crate::time::Instant;
use crate::wire::{OptionSummary, SackBlock, SackBlocks, SeqNumber, TcpSegment};

/// What a right end remembers of its connection.
#[derive(Debug, Default)]
pub(super) struct End {
    /// RCV.NXT.
    pub(super) rcv: SeqNumber,
    /// The right edge of the window that it offered last, beyond which it takes nothing.
    pub(super) edge: SeqNumber,
    /// What has come beyond RCV.NXT, the latest first.
    runs: Vec<SackBlock>,
    /// What came last and had come before.
    duplicate: Option<SackBlock>,
    /// Whether it owes an acknowledgment.
    pub(super) owes: bool,
    /// SND.NXT.
    pub(super) sent: SeqNumber,
    /// The number of its own FIN.
    pub(super) fin: Option<SeqNumber>,
    /// The initial number of a SYN that the host may have answered by a cookie.
    pub(super) asked: Option<SeqNumber>,
    /// What its SYN said.
    pub(super) scale: Option<u8>,
    pub(super) sack: bool,
    pub(super) stamps: bool,
    /// Its timestamp, and when that was.
    first: Option<(u32, Instant)>,
}

impl End {
    /// Its SYN with the number `irs` has gone out.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        irs: SeqNumber,
        window: u16,
        options: &OptionSummary,
    ) {
        self.sent = irs + 1;
        self.edge = self.rcv + u32::from(window);
        self.fin = None;
        self.asked = Some(irs);
        self.scale = options.window_scale;
        self.sack = options.sack_permitted;
        self.stamps = options.timestamps.is_some();
        self.first = options.timestamps.map(|(value, _)| (value, now));
    }

    /// The timestamp with which it began, unless that was so long ago that it says nothing any
    /// more (RFC 7323 section 5.5).
    pub(super) fn first_stamp(&self, now: Instant) -> Option<u32> {
        const LONG: Duration = Duration::from_secs(20 * 24 * 60 * 60);

        let (value, at) = self.first?;
        (now - at < LONG).then_some(value)
    }

    /// The host's SYN has come.
    pub(super) fn open(&mut self, iss: SeqNumber) {
        let window = self.edge - self.rcv;
        self.rcv = iss + 1;
        self.edge = self.rcv + window;
        self.runs.clear();
        self.duplicate = None;
    }

    /// The host has believed a cookie.
    pub(super) fn resume(&mut self, sent: SeqNumber, rcv: SeqNumber) {
        (self.sent, self.rcv) = (sent, rcv);
        (self.fin, self.asked, self.duplicate) = (None, None, None);
        self.runs.clear();
    }

    /// Whether this answers a SYN that is given up for another one: a cookie, late.
    pub(super) fn is_stray(&self, tcp: &TcpSegment<'_>) -> bool {
        let asked = self
            .asked
            .filter(|_| tcp.flags().syn() && tcp.flags().ack());
        asked.is_some_and(|irs| tcp.ack() != irs + 1)
    }

    /// A segment of the host's comes.
    pub(super) fn hear(&mut self, tcp: &TcpSegment<'_>) {
        let (left, right) = (tcp.seq(), tcp.seq() + tcp.sequence_len());
        self.owes |= left != right || left < self.rcv;
        let right = right.min(self.edge.max(self.rcv));
        if right <= left || tcp.flags().syn() {
            return;
        }
        let block = SackBlock { left, right };
        let holds = |run: &SackBlock| run.left <= left && right <= run.right;
        if right <= self.rcv || self.runs.iter().any(holds) {
            self.duplicate = Some(block);
            return;
        }
        let mut all = SackBlock {
            left: left.max(self.rcv),
            right,
        };
        self.runs.retain(|run| {
            let apart = run.right < all.left || all.right < run.left;
            if !apart {
                (all.left, all.right) = (all.left.min(run.left), all.right.max(run.right));
            }
            apart
        });
        self.runs.insert(0, all);
        while let Some(at) = self.runs.iter().position(|run| run.left <= self.rcv) {
            self.rcv = self.rcv.max(self.runs.remove(at).right);
        }
    }

    /// Forgets what it has reported but not acknowledged, as it may (RFC 2018 section 8).
    pub(super) fn renege(&mut self) {
        self.runs.clear();
    }

    /// The blocks to report next, as many as fit beside timestamps, and how many they are.
    pub(super) fn blocks(&mut self, stamps: bool) -> ([SackBlock; SackBlocks::MAX], usize) {
        let mut blocks = [SackBlock::default(); SackBlocks::MAX];
        let room = if stamps { 3 } else { 4 };
        let known = self
            .duplicate
            .take()
            .into_iter()
            .chain(self.runs.iter().copied());
        let mut count = 0;
        for (slot, block) in blocks.iter_mut().zip(known).take(room) {
            *slot = block;
            count += 1;
        }
        (blocks, count)
    }
}
