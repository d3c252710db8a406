//! Tables in Markdown, and where they go.

use crate::input::{Case, Kind};
use crate::svg::duration;

/// How many times as fast as each rival ours is, and how long ours takes.
pub fn ratios(cases: &[&Case]) -> String {
    let whos = columns(cases);
    let rivals: Vec<&str> = [Kind::Peer, Kind::Variant, Kind::Limit]
        .into_iter()
        .flat_map(|kind| whos.iter().filter(move |(_, who)| *who == kind))
        .map(|(who, _)| *who)
        .collect();
    let ours = cases
        .first()
        .and_then(|case| case.ours())
        .unwrap_or_default();
    let mut rows = vec![
        ["case", ours]
            .into_iter()
            .chain(rivals.clone())
            .map(cell)
            .collect(),
    ];
    for case in cases {
        let time = case.ours().and_then(|ours| case.time(ours));
        let mut row = vec![cell(&case.id()), time.map(duration).unwrap_or_default()];
        row.extend(rivals.iter().map(|who| {
            case.ratio(who).map_or_else(String::new, |ratio| {
                let text = format!("{ratio:.2}");
                bold_if(case.kind(who) == Kind::Peer && ratio < 1.0, text)
            })
        }));
        rows.push(row);
    }
    markdown(&rows)
}

/// Lines of code and time for each who does a task; what is best in a row is bold.
pub fn tasks(cases: &[&Case]) -> String {
    let whos = columns(cases);
    let whos: Vec<&str> = whos
        .iter()
        .filter(|(_, kind)| *kind != Kind::Limit)
        .map(|(who, _)| *who)
        .collect();
    let mut rows = vec![["task"].into_iter().chain(whos.clone()).map(cell).collect()];
    for case in cases {
        let fewest = whos.iter().filter_map(|who| case.lines(who)).min();
        let least = whos
            .iter()
            .filter_map(|who| case.time(who))
            .min_by(f64::total_cmp);
        // As it is shown: who differs in the fourth digit is as good.
        let least = least.map(duration);
        let mut row = vec![cell(&case.name)];
        row.extend(whos.iter().map(|who| {
            let lines = case.lines(who);
            let time = case.time(who).map(duration);
            let lines_text =
                lines.map(|lines| bold_if(Some(lines) == fewest, format!("{lines} lines")));
            let best = time == least;
            let time_text = time.map(|time| bold_if(best, time));
            let texts: Vec<_> = lines_text.into_iter().chain(time_text).collect();
            texts.join(", ")
        }));
        rows.push(row);
    }
    markdown(&rows)
}

/// All who take part, ours first, each with its kind.
fn columns<'a>(cases: &[&'a Case]) -> Vec<(&'a str, Kind)> {
    let mut columns: Vec<(&str, Kind)> = Vec::new();
    for case in cases {
        let timed = case.times.iter().map(|(who, _)| who);
        for who in timed.chain(case.lines.iter().map(|(who, _)| who)) {
            if !columns.iter().any(|(known, _)| known == who) {
                columns.push((who, case.kind(who)));
            }
        }
    }
    columns
}

fn bold_if(bold: bool, text: String) -> String {
    if bold { format!("**{text}**") } else { text }
}

pub fn cell(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('<', "&lt;")
}

/// The first row is the head.
fn markdown(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        text += &format!("| {} |\n", row.join(" | "));
        if index == 0 {
            let rest = " ---: |".repeat(row.len().saturating_sub(1));
            text += &format!("| --- |{rest}\n");
        }
    }
    text
}

/// Refuses a `new` text whose tables lack cases of the `old` one's.
pub fn nothing_gone(old: &str, new: &str) -> Result<(), String> {
    let gone: Vec<_> = cases(old)
        .filter(|case| !cases(new).any(|kept| kept == *case))
        .collect();
    let Some((first, others)) = gone.split_first() else {
        return Ok(());
    };
    let more = match others.len() {
        0 => String::new(),
        count => format!(" and {count} cases more"),
    };
    Err(format!(
        "the output lacks {first}{more} of benches/README.md: give that of a run without a \
         filter, or delete the rows of what is gone for good"
    ))
}

/// The first cell of each row.
fn cases(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| Some(line.strip_prefix("| ")?.split_once(" |")?.0))
}

/// `text` with `content` between its two lines of comment for `name`.
pub fn between(text: &str, name: &str, content: &str) -> Result<String, String> {
    let (start, end) = (
        format!("<!-- results: {name} -->\n"),
        format!("<!-- end: {name} -->\n"),
    );
    let missing = |line: &str| format!("README.md lacks the line \"{}\"", line.trim_end());
    let (before, rest) = text.split_once(&start).ok_or_else(|| missing(&start))?;
    let (_, after) = rest.split_once(&end).ok_or_else(|| missing(&end))?;
    Ok(format!("{before}{start}\n{content}\n{end}{after}"))
}
