//! The grid as a picture: what a flow carries of the link, and in colour beside the model.

use std::fs;

use crate::grid::{LOSSES, QUEUES, RATES, RTTS};
use crate::svg::{Anchor, MARGIN, Svg, WIDTH};
use crate::table::Row;

const FILE: &str = "benches/goodput.svg";
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/goodput.svg");
const TITLE: &str = "Goodput against theory";
/// Between the panels, one for each algorithm.
const GAP: f64 = 28.0;
/// What stands left of a panel's cells, and over them.
const SIDE: f64 = 44.0;
const HEAD: f64 = 54.0;
const ROW: f64 = 21.0;
const COLUMNS: f64 = (RTTS.len() * RATES.len()) as f64;
const PANEL: f64 = (WIDTH - 2.0 * MARGIN - GAP) / 2.0;
const COLUMN: f64 = (PANEL - SIDE) / COLUMNS;

/// Up to which share of the model a colour reaches, and what is said of it.
const COLOURS: [(f64, &str, &str); 5] = [
    (0.80, "h0", "below 80%"),
    (0.95, "h1", "80 to 95%"),
    (1.05, "h2", "95 to 105%"),
    (1.50, "h3", "105 to 150%"),
    (f64::INFINITY, "h4", "more"),
];

/// Writes the picture of `rows`, which are all.
pub fn write(rows: &[Row]) -> Result<(), String> {
    fs::write(PATH, draw(rows)).map_err(|error| format!("{FILE}: {error}"))?;
    println!("{FILE}");
    Ok(())
}

fn draw(rows: &[Row]) -> String {
    let mut svg = Svg::default();
    svg.text("title", Anchor::Start, MARGIN, 38.0, TITLE);
    let captions = [
        "Per cent of the link that one flow carries as text; colour: its share of what theory predicts.",
        "Across: the round-trip time, and for each of them 10, 100 and 1000 Mbit/s. Down: random loss.",
    ];
    for (caption, y) in captions.into_iter().zip([60.0, 77.0]) {
        svg.text("soft", Anchor::Start, MARGIN, y, caption);
    }
    let mut top = 98.0;
    legend(&mut svg, top);
    top += 26.0;
    for queue in QUEUES {
        for (algorithm, place) in [("newreno", 0.0), ("cubic", 1.0)] {
            let left = MARGIN + (PANEL + GAP) * place;
            panel(&mut svg, (left, top), rows, algorithm, queue);
        }
        top += HEAD + ROW * LOSSES.len() as f64 + 18.0;
    }
    let description: Vec<_> = rows
        .iter()
        .filter(|row| row.is_cell())
        .map(|row| format!("{}: {}.", row.label, percent(row)))
        .collect();
    svg.finish(top, TITLE, &description.join(" "))
}

fn legend(svg: &mut Svg, top: f64) {
    let mut x = MARGIN;
    for (_, class, text) in COLOURS {
        svg.bar(class, (x, top), (14.0, 14.0));
        svg.text("small", Anchor::Start, x + 20.0, top + 11.0, text);
        x += 100.0;
    }
}

fn panel(svg: &mut Svg, (left, top): (f64, f64), rows: &[Row], algorithm: &str, queue: u32) {
    let name = match algorithm {
        "cubic" => "CUBIC",
        _ => "NewReno",
    };
    let title = format!("{name}, a queue of {} BDP", f64::from(queue) / 10.0);
    svg.text("case", Anchor::Start, left, top + 14.0, &title);
    let cells = left + SIDE;
    for (rtt, place) in RTTS.into_iter().zip(0..) {
        let width = COLUMN * RATES.len() as f64;
        let middle = cells + width * (f64::from(place) + 0.5);
        svg.text(
            "small",
            Anchor::Middle,
            middle,
            top + 32.0,
            &format!("{rtt} ms"),
        );
        for (rate, place) in RATES.into_iter().zip(0..) {
            let middle = middle - width / 2.0 + COLUMN * (f64::from(place) + 0.5);
            let rate = match rate {
                1000 => "1 G".into(),
                rate => format!("{rate}"),
            };
            svg.text("small soft", Anchor::Middle, middle, top + 46.0, &rate);
        }
    }
    for (loss, place) in LOSSES.into_iter().zip(0..) {
        let y = top + HEAD + ROW * f64::from(place);
        let text = format!("{}%", f64::from(loss) / 10.0);
        svg.text("small", Anchor::End, cells - 6.0, y + 14.0, &text);
        let mut x = cells;
        for rtt in RTTS {
            for rate in RATES {
                let parts = [
                    algorithm.to_owned(),
                    format!("{rtt}ms"),
                    format!("{rate}mbit"),
                    format!("loss{}.{}%", loss / 10, loss % 10),
                    format!("queue{}.{}", queue / 10, queue % 10),
                ];
                if let Some(row) = rows
                    .iter()
                    .find(|row| row.parts() == parts.each_ref().map(String::as_str))
                {
                    svg.bar(colour(row), (x, y), (COLUMN - 1.0, ROW - 1.0));
                    let middle = x + COLUMN / 2.0;
                    svg.text("small", Anchor::Middle, middle, y + 14.0, &percent(row));
                }
                x += COLUMN;
            }
        }
    }
}

fn colour(row: &Row) -> &'static str {
    let share = match (row.of("goodput"), row.of("predicted")) {
        (Some(goodput), Some(predicted)) => goodput / predicted,
        _ => 0.0,
    };
    let found = COLOURS.into_iter().find(|(most, ..)| share <= *most);
    found.map_or("h4", |(_, class, _)| class)
}

/// What is carried of the link, in per cent.
fn percent(row: &Row) -> String {
    let (goodput, link) = (
        row.of("goodput").unwrap_or(0.0),
        row.of("link").unwrap_or(1.0),
    );
    match goodput / link * 100.0 {
        share @ ..0.095 => format!("{share:.2}"),
        share @ ..9.95 => format!("{share:.1}"),
        share => format!("{share:.0}"),
    }
}
