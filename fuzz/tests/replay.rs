//! Every seed once, without libFuzzer: what the fuzzer begins with holds.

use std::path::{Path, PathBuf};
use std::{fs, panic};

use zerotcp_fuzz::{TARGETS, seeds};

fn directory(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target)
}

#[test]
fn all_seeds_hold() {
    for (target, run) in TARGETS {
        let mut count = 0;
        for entry in fs::read_dir(directory(target)).expect("each target has seeds") {
            let path = entry.unwrap().path();
            let data = fs::read(&path).unwrap();
            if let Err(broken) = panic::catch_unwind(|| run(&data)) {
                eprintln!("{} is broken", path.display());
                panic::resume_unwind(broken);
            }
            count += 1;
        }
        assert!(count > 3, "{target}: {count} seeds");
        println!("{target}: {count} seeds");
    }
}

#[test]
fn seeds_are_those_that_the_program_makes() {
    let made = seeds::all().unwrap();
    for seed in &made {
        let path = directory(seed.target).join(&seed.name);
        let is_same = fs::read(&path).is_ok_and(|data| data == seed.data);
        assert!(
            is_same,
            "{}: cargo run --no-default-features --example seeds",
            path.display()
        );
    }
    // And a run by hand has left none among them.
    let there = TARGETS.map(|(target, _)| fs::read_dir(directory(target)).unwrap().count());
    assert_eq!(there.iter().sum::<usize>(), made.len());
}
