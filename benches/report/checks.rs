//! The report's tests. A bench without a harness runs them itself.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::input::{Kind, Results};
use crate::svg::{WIDTH, text_width};
use crate::{lines, make, table};

const README: &str = "\
before
<!-- results: checksum -->
old sums
<!-- end: checksum -->
<!-- results: parse -->
old parse
<!-- end: parse -->
<!-- results: build -->
<!-- end: build -->
<!-- results: tasks -->
<!-- end: tasks -->
after
";

pub fn run() -> ExitCode {
    let trials = [
        ("a_malformed_line_is_named", malformed as fn() -> _),
        ("what_others_print_is_passed_over", passed_over),
        ("contenders_are_told_apart_by_name", kinds),
        ("a_missing_bench_keeps_its_picture_and_table", missing),
        (
            "a_bench_without_a_place_in_the_readme_is_an_error",
            no_place,
        ),
        ("a_filtered_run_is_refused", filtered),
        ("a_peer_that_wins_is_bold", bold),
        ("the_best_at_a_task_is_bold", tasks),
        ("texts_neither_overlap_nor_leave_the_card", texts),
        ("pictures_are_small", small),
        ("names_cannot_break_a_picture", hostile),
        ("labels_are_moved_apart_in_their_order", spread),
        ("only_lengths_are_on_the_curve", lengths),
    ];
    let trials = trials.map(|(name, check)| Trial::test(name, check));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

type Outcome = Result<(), Failed>;

fn malformed() -> Outcome {
    let lines = [
        (
            "TIME parse/a zerotcp",
            "TIME <bench>/<case> <who> <nanoseconds",
        ),
        ("TIME parse/a zerotcp 1 2", "TIME <bench>/<case>"),
        ("TIME parse zerotcp 1", "TIME <bench>/<case>"),
        ("TIME /a zerotcp 1", "TIME <bench>/<case>"),
        ("TIME parse/a zerotcp fast", "TIME <bench>/<case>"),
        ("TIME parse/a zerotcp NaN", "TIME <bench>/<case>"),
        ("TIME parse/a zerotcp inf", "TIME <bench>/<case>"),
        ("TIME parse/a zerotcp 0", "above 0"),
        ("TIME parse/a zerotcp -1", "above 0"),
        (
            "RATIO parse/a smoltcp -1",
            "RATIO <bench>/<case> <against> <number>",
        ),
        ("RATIO parse/a", "RATIO <bench>/<case>"),
        (
            "BYTES parse/a 0",
            "BYTES <bench>/<case> <whole number, above 0>",
        ),
        ("BYTES parse/a 1.5", "BYTES <bench>/<case>"),
        (
            "LINES tasks/a zerotcp 1.5",
            "LINES <bench>/<case> <who> <whole number>",
        ),
        ("TIME parse/good zerotcp 2", "said before"),
    ];
    for (line, expected) in lines {
        let output = format!("TIME parse/good zerotcp 1\nnothing of ours\n{line}\n");
        match Results::read(&output) {
            Ok(results) => return Err(format!("{line}: taken for {results:?}").into()),
            Err(error) if error.starts_with("line 3: ") && error.contains(expected) => {}
            Err(error) => return Err(format!("{line}: {error}").into()),
        }
    }
    let untimed = Results::read("RATIO parse/a smoltcp 1.00\n");
    assert_eq!(
        untimed,
        Err("parse/a has no line \"TIME parse/a <who> <ns>\"".to_owned())
    );
    Ok(())
}

fn passed_over() -> Outcome {
    let output = "\
checksum/20/zerotcp     time:   [2.0679 ns 2.1204 ns 2.2298 ns]

MACHINE A processor, 2 cores, rustc 1.95.0
Found 2 outliers among 20 measurements (10.00%)
TIME\tis no word of ours
BYTES checksum/20 20
TIME checksum/20 zerotcp 2.031
TIME checksum/20 limit 2.168
RATIO checksum/20 limit 1.07
";
    let results = Results::read(output)?;
    assert_eq!(
        results.machine.as_deref(),
        Some("A processor, 2 cores, rustc 1.95.0")
    );
    assert_eq!(results.cases.len(), 1);
    let case = &results.cases[0];
    assert_eq!((case.id().as_str(), case.bytes), ("checksum/20", Some(20)));
    assert_eq!(
        (case.time("zerotcp"), case.time("limit")),
        (Some(2.031), Some(2.168))
    );
    assert_eq!(
        (case.ratio("zerotcp"), case.ratio("limit")),
        (None, Some(1.07))
    );
    Ok(())
}

fn kinds() -> Outcome {
    let results = Results::read("TIME parse/a zerotcp 1\n")?;
    for (who, kind) in [
        ("zerotcp", Kind::Ours),
        ("zerotcp-avx2", Kind::Variant),
        ("zerotcpip", Kind::Peer),
        ("smoltcp", Kind::Peer),
        ("limit", Kind::Limit),
        ("limit-256", Kind::Limit),
        ("limitless", Kind::Peer),
    ] {
        assert_eq!(results.cases[0].kind(who), kind, "{who}");
    }
    Ok(())
}

fn missing() -> Outcome {
    let results = Results::read("TIME parse/a zerotcp 1.5\nTIME parse/a limit 1\n")?;
    let files = make(&results, README)?;
    let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["parse.svg", "README.md"]);
    let table = "\n| case | zerotcp | limit |\n| --- | ---: | ---: |\n| parse/a | 1.50 ns |  |\n\n";
    assert_eq!(files[1].1, README.replace("old parse\n", table));

    let nothing = make(&Results::read("no bench ran")?, README);
    assert!(nothing.is_err_and(|error| error.starts_with("no lines of a bench")));
    Ok(())
}

fn no_place() -> Outcome {
    let results = Results::read("TIME build/a zerotcp 1\n")?;
    let readme = README.replace("<!-- end: build -->", "");
    let error = make(&results, &readme).expect_err("there is no place");
    assert_eq!(error, "README.md lacks the line \"<!-- end: build -->\"");
    Ok(())
}

fn filtered() -> Outcome {
    let cases = ["parse/a", "parse/b", "build/a", "tasks/nat"];
    let output = |cases: &[&str]| -> String {
        let lines = cases.iter().map(|case| format!("TIME {case} zerotcp 1\n"));
        lines.collect()
    };
    let redrawn = |readme: &str, cases: &[&str]| -> Result<String, String> {
        let files = make(&Results::read(&output(cases))?, readme)?;
        Ok(files.last().ok_or("nothing made")?.1.clone())
    };
    let whole = redrawn(README, &cases)?;
    table::nothing_gone(README, &whole)?;
    // Benches that did not run keep their tables.
    table::nothing_gone(
        &whole,
        &redrawn(&whole, &["parse/b", "parse/new", "parse/a"])?,
    )?;
    let error = table::nothing_gone(&whole, &redrawn(&whole, &["parse/b"])?);
    assert!(error.is_err_and(|error| error.starts_with("the output lacks parse/a of benches")));
    let error = table::nothing_gone(&whole, &redrawn(&whole, &["parse/c", "tasks/syn"])?);
    assert!(
        error.is_err_and(|error| error.starts_with("the output lacks parse/a and 2 cases more of"))
    );
    Ok(())
}

fn bold() -> Outcome {
    let results = Results::read(
        "TIME parse/a zerotcp 2\nTIME parse/a limit 1\nTIME parse/a quick 1.8\nTIME parse/a slow 3\n\
         RATIO parse/a limit 0.50\nRATIO parse/a quick 0.90\nRATIO parse/a slow 1.50\n",
    )?;
    let table = table::ratios(&results.of("parse").collect::<Vec<_>>());
    let rows: Vec<_> = table.lines().collect();
    assert_eq!(rows[0], "| case | zerotcp | quick | slow | limit |");
    assert_eq!(rows[2], "| parse/a | 2.00 ns | **0.90** | 1.50 | 0.50 |");
    Ok(())
}

fn tasks() -> Outcome {
    let results = Results::read(
        "TIME tasks/nat zerotcp 2\nTIME tasks/nat smoltcp 2.001\nTIME tasks/nat pnet_packet 3\n\
         LINES tasks/nat zerotcp 12\nLINES tasks/nat smoltcp 9\nLINES tasks/nat pnet_packet 20\n\
         TIME tasks/syn zerotcp 5\nTIME tasks/syn smoltcp 4\n",
    )?;
    let files = make(&results, README)?;
    let readme = &files.last().ok_or("nothing made")?.1;
    for row in [
        "| task | zerotcp | smoltcp | pnet_packet |",
        "| nat | 12 lines, **2.00 ns** | **9 lines**, **2.00 ns** | 20 lines, 3.00 ns |",
        "| syn | 5.00 ns | **4.00 ns** |  |",
    ] {
        assert!(readme.contains(row), "{row} in {readme}");
    }
    Ok(())
}

const CASES: [&str; 8] = [
    "20",
    "60",
    "64",
    "65",
    "1480",
    "4096",
    "65535",
    "a-very-long-name-of-a-case-for-its-place",
];

/// More contenders, longer names and wider figures than there are.
fn crowd() -> String {
    let whos = [
        "zerotcp",
        "zerotcp-portable",
        "zerotcp-avx2",
        "zerotcp-avx512-with-more",
        "smoltcp",
        "etherparse",
        "etherparse-builder-with-more",
        "pnet_packet",
        "internet-checksum",
        "another_crate_with_a_long_name",
        "limit",
        "limit-256",
        "limit-512",
    ];
    let mut output = format!("MACHINE {}\n", "processor ".repeat(30));
    let benches = [("checksum", 8), ("copysum", 2), ("parse", 8), ("build", 8)];
    for (bench, cases) in benches {
        for case in CASES.iter().rev().take(cases) {
            let id = format!("{bench}/{case}");
            output += &format!("BYTES {id} {}\n", case.parse().unwrap_or(1 << 16));
            for (who, nth) in whos.iter().zip(1..) {
                let nanos = 1234.5 * f64::from(nth * nth % 7 + 1);
                output += &format!("TIME {id} {who} {nanos}\n");
                if nth > 1 {
                    output += &format!("RATIO {id} {who} {}\n", nanos / 2469.0 * 10.0);
                }
            }
        }
    }
    output
}

fn texts() -> Outcome {
    for (name, svg) in make(&Results::read(&crowd())?, README)? {
        let boxes: Vec<_> = svg.lines().filter_map(text_box).collect();
        if name.ends_with(".svg") && boxes.len() < 50 {
            return Err(format!("{name}: only {} texts", boxes.len()).into());
        }
        for (index, one) in boxes.iter().enumerate() {
            if one.left < 0.0 || one.right > WIDTH {
                return Err(format!("{name}: {:?} leaves the card", one.text).into());
            }
            let other = boxes[..index].iter().find(|other| {
                one.left < other.right
                    && other.left < one.right
                    && (one.base - other.base).abs() < 12.0
            });
            if let Some(other) = other {
                return Err(format!("{name}: {:?} lies on {:?}", one.text, other.text).into());
            }
        }
    }
    Ok(())
}

/// Where a text lies at most.
struct TextBox<'a> {
    text: &'a str,
    left: f64,
    right: f64,
    base: f64,
}

fn text_box(line: &str) -> Option<TextBox<'_>> {
    let (tag, rest) = line.strip_prefix("<text")?.split_once('>')?;
    let (text, _) = rest.split_once("</text>")?;
    let attribute = |name: &str| {
        let (_, rest) = tag.split_once(&format!("{name}=\""))?;
        Some(rest.split_once('"')?.0)
    };
    let number = |name| attribute(name)?.parse::<f64>().ok();
    let size = match attribute("class") {
        Some("title") => 18.0,
        Some("case") => 13.0,
        _ => 12.0,
    };
    let (x, base, width) = (number(" x")?, number(" y")?, text_width(text, size));
    let left = match attribute("text-anchor") {
        Some("end") => x - width,
        Some(_) => x - width / 2.0,
        None => x,
    };
    Some(TextBox {
        text,
        left,
        right: left + width,
        base,
    })
}

fn small() -> Outcome {
    for (name, content) in make(&Results::read(&crowd())?, README)? {
        if name.ends_with(".svg") && content.len() > 30 << 10 {
            return Err(format!("{name} has {} bytes", content.len()).into());
        }
    }
    Ok(())
}

fn hostile() -> Outcome {
    let output = "\
MACHINE <!-- end: parse -->
TIME parse/</text><script> zero\"&tcp 1
TIME parse/</text><script> \u{1}\u{ffff}|peer 1e13
TIME checksum/x zerotcp 1e-6
BYTES checksum/x 18446744073709551615
TIME checksum/x smoltcp 9e13
";
    for (name, content) in make(&Results::read(output)?, README)? {
        assert!(!content.contains("<script>"), "{name}");
        assert!(
            !content.contains("NaN") && !content.contains("inf"),
            "{name}"
        );
        assert!(!content.contains(['\u{1}', '\u{ffff}']) || name == "README.md");
        assert!(name != "README.md" || content.matches("<!-- end: parse -->").count() == 1);
    }
    Ok(())
}

fn spread() -> Outcome {
    let places = lines::spread(&[100.0, 20.0, 98.0, 99.0], 16.0, 100.0);
    assert_eq!(places, [100.0, 20.0, 68.0, 84.0]);
    assert_eq!(lines::spread(&[], 16.0, 100.0), [0.0; 0]);
    Ok(())
}

fn lengths() -> Outcome {
    let mut output = String::new();
    for (case, bytes) in [("20", 20), ("64", 64), ("64-avx2", 64), ("dram", 1 << 27)] {
        let id = format!("checksum/{case}");
        output += &format!("BYTES {id} {bytes}\nTIME {id} zerotcp 8\nTIME {id} limit 4\n");
    }
    let files = make(&Results::read(&output)?, README)?;
    let svg = &files[0].1;
    let curves = svg.lines().filter(|line| line.starts_with("<polyline"));
    for curve in curves.clone() {
        let points = curve.split_once("points=").map(|(_, points)| points);
        assert_eq!(points.map(|points| points.split(' ').count()), Some(2));
    }
    assert_eq!(curves.count(), 2);
    // The others are bars, as fast as they are long, and all have a mark and a row.
    assert_eq!(svg.matches("<rect class=\"bar-ours\"").count(), 2);
    assert_eq!(svg.matches("class=\"mark limit\"").count(), 2);
    for text in [
        ">64-avx2</text>",
        ">dram</text>",
        ">8.00</text>",
        ">limit 16.0</text>",
    ] {
        assert!(svg.contains(text), "{text} in {svg}");
    }
    let rows = files[1]
        .1
        .lines()
        .filter(|line| line.starts_with("| checksum/"));
    assert_eq!(rows.count(), 4);
    Ok(())
}
