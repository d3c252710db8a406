//! The committed figures, and where today's differ.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

use crate::table::Row;

const FILE: &str = "benches/goodput.tsv";
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/goodput.tsv");
pub const UPDATE: &str = "cargo bench --bench goodput -- --update";
const HEAD: &str =
    "# Figures of each case, in bits of text a second where nothing else is said, as written by";

/// The rows of the file, by label; none where there is no file.
pub fn read() -> Result<BTreeMap<String, String>, String> {
    let text = match fs::read_to_string(PATH) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(format!("{FILE}: {error}")),
    };
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    let rows = rows.map(|line| line.split_once('\t').unwrap_or((line, "")));
    Ok(rows
        .map(|(label, figures)| (label.to_owned(), figures.to_owned()))
        .collect())
}

/// Makes `rows` those of the file.
pub fn write(rows: &[Row]) -> Result<(), String> {
    let mut text = format!("{HEAD}\n# {UPDATE}\n");
    for row in rows {
        text += &format!("{}\t{}\n", row.label, figures(row));
    }
    fs::write(PATH, text).map_err(|error| format!("{FILE}: {error}"))?;
    println!("{} rows are in {FILE} now", rows.len());
    Ok(())
}

/// Whether `rows` are as in the file, and with `whole` all of it. Says where that is not so.
pub fn compare(rows: &[Row], whole: bool) -> Result<bool, String> {
    let mut committed = read()?;
    let mut differ = Vec::new();
    for row in rows {
        let (found, label) = (figures(row), &row.label);
        match committed.remove(label) {
            Some(old) if old == found => {}
            Some(old) => differ.push(format!("{label}\n    was {old}\n    is  {found}")),
            None => differ.push(format!("{label} is not in the file")),
        }
    }
    if whole {
        differ.extend(committed.keys().map(|label| format!("{label} is no case")));
    }
    if differ.is_empty() {
        println!("{} cases are as in {FILE}", rows.len());
        return Ok(true);
    }
    eprintln!("\nFAILED: other figures than in {FILE}:");
    for difference in &differ {
        eprintln!("  {difference}");
    }
    eprintln!("Where that is meant, commit {FILE} and the picture after\n  {UPDATE}");
    Ok(false)
}

fn figures(row: &Row) -> String {
    let figures = row
        .figures
        .iter()
        .map(|(name, figure)| format!("{name}={figure}"));
    figures.collect::<Vec<_>>().join("\t")
}
