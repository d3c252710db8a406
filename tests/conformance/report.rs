//! `CONFORMANCE.md`, and what is said at the end of a run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use crate::requirements::{Binding, Requirement, Requirements, Scope};
use crate::suite::{Outcome, Test};

const HEAD: &str = "\
# Conformance

What RFC 9293 and the RFCs beside it ask of a TCP, and which tests show that this one does it:
`cargo test --test conformance` runs them. They stand in `tests/conformance/`, the name
before `::` is the file. `cargo test --test conformance -- --write` makes this file from
`tests/conformance/requirements.tsv` and the tables at the head of the tests.

Not shown of RFC 9293 are: of the MUSTs, the three about source routes, which every router of
today drops (MUST-51 to 53); of the SHOULDs, another about source routes (SHLD-24) and one that
advises applications to do without urgent data (SHLD-13); of the MAYs, those whose line says why.

";

/// The tests of the list itself.
pub fn trials(requirements: &Arc<Requirements>, tests: &Arc<Vec<Test>>) -> Vec<Trial> {
    let trial = |name: &str, check: fn(&Requirements, &[Test]) -> Result<(), Failed>| {
        let (requirements, tests) = (Arc::clone(requirements), Arc::clone(tests));
        Trial::test(name, move || check(&requirements, &tests))
    };
    vec![
        trial("every_requirement_is_shown_or_has_its_reason", check_list),
        trial("conformance_md_is_up_to_date", check_text),
    ]
}

fn check_list(requirements: &Requirements, tests: &[Test]) -> Result<(), Failed> {
    let mut shown = shown_by(tests);
    let mut faults = String::new();
    for Requirement { id, scope, .. } in requirements.all() {
        match (scope, shown.remove(id)) {
            (Scope::Shown, None) => writeln!(faults, "{id}: no test")?,
            (Scope::DoesNotApply(_) | Scope::LeftOut(_), Some(_)) => {
                writeln!(faults, "{id}: a test, and a reason for none")?;
            }
            _ => {}
        }
    }
    for (id, tests) in shown {
        writeln!(faults, "{id}, of {}: no such requirement", tests[0].name)?;
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.into())
    }
}

fn check_text(requirements: &Requirements, tests: &[Test]) -> Result<(), Failed> {
    let committed = std::fs::read_to_string(path()).unwrap_or_default();
    if committed == text(requirements, tests) {
        Ok(())
    } else {
        Err("run: cargo test --test conformance -- --write".into())
    }
}

/// Writes `CONFORMANCE.md`.
pub fn write(requirements: &Requirements, tests: &[Test]) {
    let path = path();
    std::fs::write(&path, text(requirements, tests)).expect("the project can be written to");
    println!("{} is written", path.display());
}

fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "CONFORMANCE.md"]
        .iter()
        .collect()
}

fn shown_by(tests: &[Test]) -> BTreeMap<&'static str, Vec<&Test>> {
    let mut shown: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for test in tests {
        for id in test.shows() {
            shown.entry(id).or_default().push(test);
        }
    }
    shown
}

fn text(requirements: &Requirements, tests: &[Test]) -> String {
    let shown = shown_by(tests);
    let is_shown = |requirement: &Requirement| shown.contains_key(requirement.id);
    let mut text = HEAD.to_owned();
    for line in totals(requirements, is_shown) {
        text.push_str(&format!("- {line}\n"));
    }
    for group in &requirements.groups {
        text.push_str(&format!(
            "\n## {}\n\n| | section | level | what | status | tests |\n| --- | --- | --- | --- | --- | --- |\n",
            group.title
        ));
        for requirement in &group.requirements {
            let tests = shown.get(requirement.id).map_or(&[][..], Vec::as_slice);
            let names: Vec<_> = tests
                .iter()
                .map(|test| format!("`{}::{}`", test.area, test.name))
                .collect();
            let status = match requirement.scope {
                Scope::DoesNotApply(reason) => format!("does not apply: {reason}"),
                Scope::LeftOut(reason) => format!("left out: {reason}"),
                Scope::Shown => "shown".to_owned(),
            };
            text.push_str(&format!(
                "| {} | {} | {} | {} | {status} | {} |\n",
                requirement.id,
                requirement.section,
                requirement.level,
                requirement.what.replace('<', "\\<"),
                names.join(", "),
            ));
        }
    }
    text
}

/// How much of it this run has shown.
pub fn summary(requirements: &Requirements, tests: &[Test], outcome: &Outcome) -> String {
    let mut passed: BTreeMap<_, bool> = BTreeMap::new();
    for (index, test) in tests.iter().enumerate() {
        for id in test.shows() {
            *passed.entry(id).or_insert(true) &= outcome.passed(index);
        }
    }
    let is_shown = |requirement: &Requirement| passed.get(requirement.id) == Some(&true);
    let mut text = String::new();
    for line in totals(requirements, is_shown) {
        text.push_str(&format!("{line}\n"));
    }
    text
}

/// A line for RFC 9293, one for the other RFCs, one for the attacks.
fn totals(requirements: &Requirements, is_shown: impl Fn(&Requirement) -> bool) -> [String; 3] {
    // What is labelled in RFC 9293 has a keyword and no number before its dash.
    let kind = |requirement: &Requirement| match requirement.id.split_once('-') {
        Some(("MUST" | "SHLD" | "MAY" | "REC", _)) => 0,
        Some(("attack", _)) => 2,
        _ => 1,
    };
    let names = [
        "RFC 9293",
        "other RFCs",
        "inputs that brought other stacks down",
    ];
    let mut lines = names.map(str::to_owned);
    for (number, line) in lines.iter_mut().enumerate() {
        let mut parts = Vec::new();
        for (binding, name) in [
            (Binding::Must, "MUST "),
            (Binding::Should, "SHOULD "),
            (Binding::Recommended, "RECOMMENDED "),
            (Binding::May, "MAY "),
            (Binding::None, "without keyword "),
        ] {
            let all: Vec<_> = requirements
                .all()
                .filter(|requirement| kind(requirement) == number)
                .filter(|requirement| requirement.binding() == binding)
                .collect();
            if all.is_empty() {
                continue;
            }
            let apply: Vec<_> = all
                .iter()
                .filter(|requirement| !matches!(requirement.scope, Scope::DoesNotApply(_)))
                .collect();
            let shown = apply
                .iter()
                .filter(|requirement| is_shown(requirement))
                .count();
            let name = if number == 2 { "" } else { name };
            let mut part = format!("{name}{shown} of {}", apply.len());
            if all.len() > apply.len() {
                part.push_str(&format!(
                    " that apply ({} do not apply)",
                    all.len() - apply.len()
                ));
            }
            parts.push(part);
        }
        line.push_str(": ");
        line.push_str(&parts.join(", "));
    }
    lines
}
