//! Makes pictures and tables of what the benches print: `benches/redraw` runs them and this.
//!
//! With `--redraw` it reads the output of `cargo bench` from its standard input and writes
//! `benches/*.svg` and the tables in `benches/README.md`. A bench that the output lacks
//! keeps its picture and its table; if anything is wrong nothing is written. A bench that
//! lacks cases of its table has been filtered, and is refused: after `--whole` they are gone.
//! Under `cargo test` it checks itself.

mod bars;
mod checks;
mod input;
mod lines;
mod speeds;
mod svg;
mod table;

use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use input::{Case, Results};
use svg::{Anchor, MARGIN, Svg};

const USAGE: &str =
    "to draw anew run benches/redraw [FILE], where FILE is what `cargo bench` has printed";
const BENCHES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches");
/// A whole run prints some 50 kB.
const MOST_INPUT: u64 = 64 << 20;

fn main() -> ExitCode {
    let has = |flag| env::args().any(|arg| arg == flag);
    if has("--redraw") {
        match redraw(Path::new(BENCHES), has("--whole")) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("report: {error}");
                ExitCode::from(2)
            }
        }
    } else if has("--bench") {
        // One of all benches: there is nothing to time, and no one has asked for more.
        println!("report: {USAGE}");
        ExitCode::SUCCESS
    } else {
        checks::run()
    }
}

fn redraw(benches: &Path, whole: bool) -> Result<(), String> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(format!(
            "expected the output of benches on standard input: {USAGE}"
        ));
    }
    let mut output = Vec::new();
    let read = stdin.lock().take(MOST_INPUT).read_to_end(&mut output);
    if read.map_err(|error| format!("standard input: {error}"))? as u64 == MOST_INPUT {
        return Err(format!("more than {MOST_INPUT} bytes on standard input"));
    }
    let results = Results::read(&String::from_utf8_lossy(&output))?;

    let readme = benches.join("README.md");
    let readme =
        fs::read_to_string(&readme).map_err(|error| format!("{}: {error}", readme.display()))?;
    let files = make(&results, &readme)?;
    if let Some((_, drawn)) = files.last()
        && !whole
    {
        table::nothing_gone(&readme, drawn)?;
    }
    for (name, content) in files {
        let path = benches.join(name);
        fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("benches/{name}");
    }
    Ok(())
}

/// A picture and the tables below it; the first bench lends them its name.
struct Figure {
    benches: &'static [&'static str],
    file: &'static str,
    title: &'static str,
    captions: &'static [&'static str],
    draw: fn(&mut Svg, f64, &Results) -> f64,
}

const FIGURES: [Figure; 3] = [
    Figure {
        benches: &["checksum", "copysum"],
        file: "checksum.svg",
        title: "The internet checksum",
        captions: &[
            "Gigabytes a second over the length in bytes: higher is better.",
            "Dashed is the physical limit: every byte is loaded and added once.",
        ],
        draw: |svg, top, results| {
            let (lengths, others): (Vec<_>, Vec<_>) =
                results.of("checksum").partition(|case| case.is_length());
            let copies: Vec<_> = results.of("copysum").collect();
            let mut y = lines::draw(svg, top, &lengths);
            if !others.is_empty() {
                let text = "By kernel, and from memory: gigabytes a second, longer is better. \
                            Each limit loads as its kernel does.";
                svg.text("soft", Anchor::Start, MARGIN, y + 16.0, text);
                y = speeds::draw(svg, y + 34.0, &others);
            }
            if !copies.is_empty() {
                let text = "With a copy, in nanoseconds: shorter is better. The limit only copies.";
                svg.text("soft", Anchor::Start, MARGIN, y + 16.0, text);
                y = bars::draw(svg, y + 34.0, &copies);
            }
            y
        },
    },
    Figure {
        benches: &["parse"],
        file: "parse.svg",
        title: "From bytes to fields: an IPv4 packet with a TCP segment",
        captions: &[
            "Nanoseconds a packet, and times ours: shorter is better. Scales differ; a bar beyond 8 times ours is cut.",
            "Dashed is the physical limit: the same bytes loaded, as many fields stored.",
        ],
        draw: |svg, top, results| bars::draw(svg, top, &results.of("parse").collect::<Vec<_>>()),
    },
    Figure {
        benches: &["build", "rewrite"],
        file: "build.svg",
        title: "From fields to bytes: an IPv4 packet with a TCP segment",
        captions: &[
            "Nanoseconds a packet, and times ours: shorter is better. Scales differ; a bar beyond 8 times ours is cut.",
            "Dashed is the physical limit: a copy of the finished bytes; for a rewrite, the stores.",
        ],
        draw: |svg, top, results| {
            let cases = results.of("build").chain(results.of("rewrite"));
            bars::draw(svg, top, &cases.collect::<Vec<_>>())
        },
    },
];

/// What is to be written: names of files and their content, `readme` the last.
fn make(results: &Results, readme: &str) -> Result<Vec<(&'static str, String)>, String> {
    let machine = match &results.machine {
        Some(machine) => format!("{}.\n\n", table::cell(machine)),
        None => String::new(),
    };
    let mut readme = readme.to_owned();
    let mut files = Vec::new();
    for figure in &FIGURES {
        let of = |bench: &&'static str| results.of(bench).collect::<Vec<_>>();
        let groups: Vec<_> = figure
            .benches
            .iter()
            .map(of)
            .filter(|group| !group.is_empty())
            .collect();
        if groups.is_empty() {
            continue;
        }
        files.push((figure.file, picture(figure, results, &groups.concat())));
        let tables: Vec<_> = groups.iter().map(|cases| table::ratios(cases)).collect();
        let name = figure.benches[0];
        readme = table::between(&readme, name, &format!("{machine}{}", tables.join("\n")))?;
    }
    let tasks: Vec<_> = results.of("tasks").collect();
    if !tasks.is_empty() {
        let content = format!("{machine}{}", table::tasks(&tasks));
        readme = table::between(&readme, "tasks", &content)?;
    } else if files.is_empty() {
        return Err(
            "no lines of a bench that is known here: checksum, parse, build, tasks".to_owned(),
        );
    }
    files.push(("README.md", readme));
    Ok(files)
}

fn picture(figure: &Figure, results: &Results, cases: &[&Case]) -> String {
    let mut svg = Svg::default();
    svg.text("title", Anchor::Start, MARGIN, 38.0, figure.title);
    let mut y = 60.0;
    for caption in figure.captions {
        svg.text("soft", Anchor::Start, MARGIN, y, caption);
        y += 17.0;
    }
    let bottom = (figure.draw)(&mut svg, y + 12.0, results);
    if let Some(machine) = &results.machine {
        let text = svg::shorten(machine, 100);
        svg.text("soft", Anchor::Start, MARGIN, bottom + 6.0, &text);
    }
    let description: Vec<_> = cases
        .iter()
        .map(|case| {
            let times = case
                .times
                .iter()
                .map(|(who, nanos)| format!("{who} {}", svg::duration(*nanos)));
            format!("{}: {}.", case.id(), times.collect::<Vec<_>>().join(", "))
        })
        .collect();
    svg.finish(bottom + 24.0, figure.title, &description.join(" "))
}
