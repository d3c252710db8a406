mod grid;
mod measure;
mod model;
mod network;
mod table;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, process::ExitCode};

use grid::Cell;
use table::Row;

fn main() -> ExitCode {
    let args: Vec<String> = env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    let cells: Vec<Cell> = Cell::all()
        .into_iter()
        .filter(|c| args.iter().all(|a| c.label().contains(a.as_str())))
        .collect();
    let mut order: Vec<usize> = (0..cells.len()).collect();
    order.sort_by_key(|i| core::cmp::Reverse(cells[*i].weight()));
    let next = AtomicUsize::new(0);
    let rows: Mutex<Vec<Option<(Row, f64)>>> = Mutex::new(vec![None; cells.len()]);
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(i) = order.get(n) else { break };
                    let t = std::time::Instant::now();
                    match cells[*i].run() {
                        Ok(row) => {
                            rows.lock().unwrap()[*i] = Some((row, t.elapsed().as_secs_f64()))
                        }
                        Err(e) => println!("{} {e}", cells[*i].label()),
                    }
                }
            });
        }
    });
    for r in rows.into_inner().unwrap().into_iter().flatten() {
        let (r, t) = r;
        let f = |n: &str| r.of(n).unwrap();
        println!(
            "{:45} {:9.3} pred {:9.3} = {:.3} ({:.3} of link) err {:.3} fast {} rto {} tlp {} mss {} {t:.2}s",
            r.label,
            f("goodput") / 1e6,
            f("predicted") / 1e6,
            f("goodput") / f("predicted"),
            f("goodput") / f("link"),
            f("error") / f("goodput"),
            f("fast"),
            f("timeout"),
            f("probes"),
            f("mss")
        );
    }
    ExitCode::SUCCESS
}
