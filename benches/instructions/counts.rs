//! The committed counts, and how today's compare with them.

use std::fs;
use std::io::ErrorKind;

/// A change of more than this, in per cent of the committed count, is one to talk about.
const TOLERANCE: f64 = 3.0;

const FILE: &str = "benches/instructions.tsv";
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.tsv");
const UPDATE: &str = "cargo bench --bench instructions -- --update";
const HEAD: &str = "# Instructions of one call of each case, by kernel, as written by";
const OTHER_TOOLS: &str = "\
Those of another compiler or C library are not comparable: go back to before the change,
write the counts anew there, and hold the change against these:";
/// Starts a line that says what the counts were made with.
const WITH: &str = "# with ";

/// Counts by label, in the order of the cases.
#[derive(Default)]
pub struct Counts {
    tools: Vec<String>,
    rows: Vec<(String, u64)>,
}

impl Counts {
    /// No counts yet, to be made with `tools`.
    pub fn new(tools: Vec<String>) -> Counts {
        Counts {
            tools,
            rows: Vec::new(),
        }
    }

    /// The committed counts; none where there is no file.
    pub fn read() -> Result<Counts, String> {
        match fs::read_to_string(PATH) {
            Ok(text) => Counts::parse(&text),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Counts::default()),
            Err(error) => Err(format!("{FILE}: {error}")),
        }
    }

    fn parse(text: &str) -> Result<Counts, String> {
        let mut counts = Counts::default();
        for (line, number) in text.lines().zip(1..) {
            if let Some(tool) = line.strip_prefix(WITH) {
                counts.tools.push(tool.to_owned());
            } else if !line.starts_with('#') {
                let (label, count) = line
                    .split_once('\t')
                    .and_then(|(label, count)| Some((label, count.parse().ok()?)))
                    .ok_or_else(|| format!("{FILE}, line {number}: no label, tab and count"))?;
                counts.push(label, count);
            }
        }
        Ok(counts)
    }

    /// Makes them those in the file.
    pub fn write(&self) -> Result<(), String> {
        let mut text = format!("{HEAD}\n# {UPDATE}\n");
        for tool in &self.tools {
            text += &format!("{WITH}{tool}\n");
        }
        for (label, count) in &self.rows {
            text += &format!("{label}\t{count}\n");
        }
        fs::write(PATH, text).map_err(|error| format!("{FILE}: {error}"))?;
        println!("{} counts are in {FILE} now", self.rows.len());
        Ok(())
    }

    pub fn push(&mut self, label: &str, count: u64) {
        self.rows.push((label.to_owned(), count));
    }

    /// Keeps those whose label is `wanted`.
    pub fn retain(&mut self, wanted: impl Fn(&str) -> bool) {
        self.rows.retain(|(label, _)| wanted(label));
    }

    fn of(&self, label: &str) -> Option<u64> {
        let mut rows = self.rows.iter();
        rows.find(|(row, _)| row == label).map(|(_, count)| *count)
    }

    /// A row of the table: label, count, the committed count and the change.
    pub fn row(&self, label: &str, count: u64) -> String {
        match self.of(label) {
            Some(committed) => {
                let change = change(count, committed);
                format!("INSTRUCTIONS {label} {count} {committed} {change:+.1}%")
            }
            None => format!("INSTRUCTIONS {label} {count} - -"),
        }
    }

    /// Whether nothing got worse and both sides have the same cases. Says where that is not
    /// so, what got better, and what to do.
    pub fn bears_comparison(&self, committed: &Counts) -> bool {
        let (mut bad, mut better) = (Vec::new(), Vec::new());
        for (label, count) in &self.rows {
            let Some(old) = committed.of(label) else {
                bad.push(format!("{label} has no count in the file"));
                continue;
            };
            let change = change(*count, old);
            let line = format!("{label} takes {count}, not {old}: {change:+.1}%");
            if change > TOLERANCE {
                bad.push(line);
            } else if change < -TOLERANCE {
                better.push(line);
            }
        }
        for (label, _) in &committed.rows {
            if self.of(label).is_none() {
                bad.push(format!("{label} has a count in the file, but is no case"));
            }
        }

        if !better.is_empty() {
            let better = better.join("\n  ");
            println!("\nBetter by more than {TOLERANCE}%:\n  {better}");
            println!("To hold on to it, commit {FILE} after\n  {UPDATE}");
        }
        let bears = bad.is_empty();
        if bears {
            let len = self.rows.len();
            println!("\n{len} counts, none worse by more than {TOLERANCE}%");
        } else {
            let bad = bad.join("\n  ");
            eprintln!("\nFAILED: worse by more than {TOLERANCE}%, or not on both sides:\n  {bad}");
            eprintln!("Where that is meant, commit {FILE} after\n  {UPDATE}");
        }
        if !committed.tools.is_empty() && self.tools != committed.tools {
            let (theirs, ours) = (committed.tools.join(", "), self.tools.join(", "));
            eprintln!("\nThe counts in the file are of other tools:\n  {theirs}\n  {ours} (here)");
            eprintln!("{OTHER_TOOLS}\n  {UPDATE}");
        }
        bears
    }
}

/// In per cent.
fn change(count: u64, committed: u64) -> f64 {
    (count as f64 / committed as f64 - 1.0) * 100.0
}
