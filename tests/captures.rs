//! The captures of the tcpdump project's own tests, which lie beside the project
//! and are not part of it: `validate` survives all of them, and its table of TCP
//! segments is Wireshark's, row by row.
//!
//! They are looked for in `../shared/captures`, or where `ZEROTCP_CAPTURES` says: a directory with
//! `tcpdump/`, the captures, and `expected.tsv`, a table as `testdata/` has it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::{env, fs};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Segments that the table leaves out though they lie directly on the link layer.
const NOT_IN_TABLE: [(&str, &str); 1] = [(
    "scps_invalid.pcap",
    "bare IPv4 of link type 228, where the table has raw IP of type 101 only",
)];

fn main() -> ExitCode {
    let trials = [
        ("no_file_brings_validate_down", survive as fn(&Path) -> _),
        ("segments_are_as_wireshark_has_them", agree),
    ];
    let trials =
        trials.map(|(name, check)| Trial::ignorable_test(name, move || on_captures(check)));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn on_captures(check: fn(&Path) -> Result<(), Failed>) -> Result<Completion, Failed> {
    let captures = match env::var_os("ZEROTCP_CAPTURES") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures"),
    };
    if captures.join("tcpdump").is_dir() {
        check(&captures).map(|()| Completion::Completed)
    } else {
        let reason = "no captures of the tcpdump project: ZEROTCP_CAPTURES says where they are";
        Ok(Completion::ignored_with(reason))
    }
}

fn validate(captures: &Path, arguments: &[&str]) -> Result<Output, Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_zerotcp"))
        .arg("validate")
        .args(arguments)
        .arg("tcpdump")
        .current_dir(captures)
        .output()?;
    // Some are bad on purpose, but all can be read.
    match output.status.code() {
        Some(1) if output.stderr.is_empty() => Ok(output),
        code => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            Err(format!("exit code {code:?}: {stderr}").into())
        }
    }
}

fn survive(captures: &Path) -> Result<(), Failed> {
    let output = validate(captures, &["--format", "json"])?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let reported = report["files"].as_array().map_or(0, Vec::len);
    let there = fs::read_dir(captures.join("tcpdump"))?.count();
    if reported != there {
        return Err(format!("{there} files, {reported} in the report").into());
    }
    Ok(())
}

/// File and frame number.
type Key = (String, u64);

fn agree(captures: &Path) -> Result<(), Failed> {
    let expected = fs::read_to_string(captures.join("expected.tsv"))?;
    let found = validate(captures, &["--segments"])?;
    let expected = table(&expected)?;
    let found = table(str::from_utf8(&found.stdout)?)?;
    if expected.columns != found.columns {
        return Err(format!("columns {:?}, not {:?}", found.columns, expected.columns).into());
    }
    let mut expected = expected.rows;

    let mut differences = Vec::new();
    let mut explained = BTreeSet::new();
    for (key, row) in &found.rows {
        let not_in_table = NOT_IN_TABLE.iter().find(|(file, _)| *file == key.0);
        match (expected.remove(key), not_in_table) {
            (Some(expected), _) if expected == *row => {}
            (Some(expected), _) => {
                differences.push(format!(
                    "{key:?}\n  expected {expected:?}\n  found    {row:?}"
                ));
            }
            (None, Some((file, _))) => {
                explained.insert(file);
            }
            (None, None) => differences.push(format!("{key:?} is not in the table")),
        }
    }
    differences.extend(expected.keys().map(|key| format!("{key:?} was not found")));
    for (file, reason) in &NOT_IN_TABLE {
        if !explained.contains(file) {
            differences.push(format!("{file} is no exception any more ({reason})"));
        }
    }
    if differences.is_empty() {
        Ok(())
    } else {
        Err(differences.join("\n").into())
    }
}

/// Rows by file and frame; their columns' names.
struct Table<'a> {
    columns: Vec<&'a str>,
    rows: BTreeMap<Key, Vec<&'a str>>,
}

/// Reads a table, but the column of the dissectors that Wireshark used.
fn table(text: &str) -> Result<Table<'_>, Failed> {
    let mut lines = text
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    let mut columns = lines.next().ok_or("an empty table")?;
    let protocols = columns.iter().position(|column| *column == "protocols");
    if let Some(protocols) = protocols {
        columns.remove(protocols);
    }
    let mut rows = BTreeMap::new();
    for mut row in lines {
        if let Some(protocols) = protocols {
            row.remove(protocols);
        }
        let file = Path::new(row[0])
            .file_name()
            .ok_or("a row without a file")?;
        let key = (file.to_string_lossy().into_owned(), row[1].parse()?);
        if rows.insert(key, row.split_off(2)).is_some() {
            return Err("two segments in one frame".into());
        }
    }
    Ok(Table { columns, rows })
}
