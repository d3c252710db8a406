//! All that is measured, on any number of threads.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::grid::Cell;
use crate::repairs::{Reorder, Tail};
use crate::shares::Share;
use crate::table::Row;

pub enum Case {
    Cell(Cell),
    Share(Share),
    Tail(Tail),
    Reorder(Reorder),
}

impl Case {
    pub fn all() -> Vec<Case> {
        let cells = Cell::all().into_iter().map(Case::Cell);
        let shares = Share::all().into_iter().map(Case::Share);
        let tails = Tail::all().into_iter().map(Case::Tail);
        let reorders = Reorder::all().into_iter().map(Case::Reorder);
        cells.chain(shares).chain(tails).chain(reorders).collect()
    }

    pub fn label(&self) -> String {
        match self {
            Case::Cell(cell) => cell.label(),
            Case::Share(share) => share.label(),
            Case::Tail(tail) => tail.label(),
            Case::Reorder(reorder) => reorder.label(),
        }
    }

    /// About how many packets it takes.
    fn weight(&self) -> u64 {
        match self {
            Case::Cell(cell) => cell.weight(),
            Case::Share(_) => 2_500_000,
            Case::Tail(_) => 100,
            Case::Reorder(reorder) => reorder.rtt * 4_000,
        }
    }

    /// Whether it is one of those that take a minute together.
    pub fn is_quick(&self) -> bool {
        match self {
            Case::Cell(cell) => cell.queue == 10 && self.weight() <= 250_000,
            Case::Share(share) => share.rtts.len() == 4,
            Case::Tail(_) | Case::Reorder(_) => true,
        }
    }

    fn run(&self) -> Result<Row, String> {
        let row = match self {
            Case::Cell(cell) => cell.run(),
            Case::Share(share) => share.run(),
            Case::Tail(tail) => tail.run(),
            Case::Reorder(reorder) => reorder.run(),
        };
        row.map_err(|error| format!("{}: {error}", self.label()))
    }
}

/// Runs `cases` and gives their rows in the same order, whatever the threads do.
pub fn run(cases: &[Case], threads: usize) -> Result<Vec<Row>, String> {
    // The longest first, so that no thread ends long after the others.
    let mut order: Vec<usize> = (0..cases.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(cases[*index].weight()));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut rows = Vec::new();
        while let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            rows.push((*index, cases[*index].run()));
            tell(next.load(Ordering::Relaxed).min(cases.len()), cases.len());
        }
        rows
    };
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let rows = work();
                // Nothing panics while it holds the lock.
                found.lock().unwrap().extend(rows);
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, row)| row).collect()
}

/// How far it is, for who looks on.
fn tell(done: usize, of: usize) {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        let end = if done == of { '\n' } else { '\r' };
        let _ = write!(stderr, "{done} of {of}{end}");
    }
}
