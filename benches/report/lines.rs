//! Bytes a nanosecond over lengths, both logarithmic; the names stand at the lines' ends.

use crate::input::{Case, Kind};
use crate::svg::{Anchor, MARGIN, Svg, WIDTH, number, shorten, text_width};

const LEFT: f64 = MARGIN + 40.0;
/// Leaves room for names.
const RIGHT: f64 = WIDTH - MARGIN - 190.0;
const LEAST_HEIGHT: f64 = 330.0;
/// Of a line of text.
const LEADING: f64 = 16.0;
/// Between two numbers at the lower axis; a length that finds no room there has no tick.
const GAP: f64 = 16.0;

struct Series<'a> {
    who: &'a str,
    class: String,
    kind: Kind,
    /// Length and bytes a nanosecond.
    points: Vec<(f64, f64)>,
}

/// Draws `cases`, each a length, from `top` down; gives where it ends.
pub fn draw(svg: &mut Svg, top: f64, cases: &[&Case]) -> f64 {
    let series = series(cases);
    let lengths = distinct(
        series
            .iter()
            .flat_map(|series| &series.points)
            .map(|point| point.0),
    );
    let speeds = distinct(
        series
            .iter()
            .flat_map(|series| &series.points)
            .map(|point| point.1),
    );
    let (Some(lengths_axis), Some(speeds_axis)) = (Axis::over(&lengths), Axis::over(&speeds))
    else {
        return top;
    };
    let height = LEAST_HEIGHT.max(LEADING * series.len() as f64);
    let bottom = top + 24.0 + height;
    let x = |length| LEFT + lengths_axis.part(length) * (RIGHT - LEFT);
    let y = |speed| bottom - speeds_axis.part(speed) * height;

    svg.text("soft", Anchor::Start, MARGIN, top + 6.0, "GB/s");
    let mut free = f64::INFINITY;
    for speed in speeds_axis.round_numbers() {
        let y = y(speed);
        if y <= free {
            svg.line("grid", (LEFT, y), (RIGHT, y));
            let text = number_short(speed);
            svg.text("soft", Anchor::End, LEFT - 8.0, y + 4.0, &text);
            free = y - LEADING;
        }
    }
    svg.line("axis", (LEFT, bottom), (RIGHT, bottom));
    let mut free = f64::NEG_INFINITY;
    for length in lengths {
        let (x, text) = (x(length), number_short(length));
        let half = text_width(&text, 12.0) / 2.0;
        if x - half >= free {
            svg.line("axis", (x, bottom), (x, bottom + 4.0));
            svg.text("soft", Anchor::Middle, x, bottom + 18.0, &text);
            free = x + half + GAP;
        }
    }

    let ends: Vec<f64> = series
        .iter()
        .map(|series| series.points.last().map_or(bottom, |point| y(point.1)))
        .collect();
    let places = spread(&ends, LEADING, bottom);
    // Ours comes last, over the others.
    for (series, place) in series.iter().zip(places).rev() {
        let points: Vec<_> = series
            .points
            .iter()
            .map(|point| (x(point.0), y(point.1)))
            .collect();
        svg.path(&format!("line {}", series.class), &points);
        let (Some(end), Some((_, speed))) = (points.last(), series.points.last()) else {
            continue;
        };
        svg.line(
            &format!("lead {}", series.class),
            *end,
            (RIGHT + 18.0, place),
        );
        if series.kind == Kind::Ours {
            for point in &points {
                svg.dot("bar-ours", *point);
            }
        }
        let class = if series.kind == Kind::Ours {
            "loud"
        } else {
            ""
        };
        let text = format!("{} · {}", shorten(series.who, 17), number(*speed));
        svg.text(class, Anchor::Start, RIGHT + 22.0, place + 4.0, &text);
    }
    bottom + 40.0
}

/// A line for each contender, ours first.
fn series<'a>(cases: &[&'a Case]) -> Vec<Series<'a>> {
    let mut all: Vec<Series<'a>> = Vec::new();
    let mut peers = 0;
    for case in cases {
        let Some(bytes) = case.bytes else { continue };
        for (who, nanos) in &case.times {
            let point = (bytes as f64, bytes as f64 / nanos);
            if let Some(series) = all.iter_mut().find(|series| series.who == who) {
                series.points.push(point);
                continue;
            }
            let kind = case.kind(who);
            let class = match kind {
                Kind::Ours => "ours".to_owned(),
                Kind::Variant => "variant".to_owned(),
                Kind::Limit => "limit".to_owned(),
                Kind::Peer => {
                    peers += 1;
                    format!("p{}", (peers - 1) % 5)
                }
            };
            all.push(Series {
                who,
                class,
                kind,
                points: vec![point],
            });
        }
    }
    for series in &mut all {
        series
            .points
            .sort_by(|one, other| one.0.total_cmp(&other.0));
    }
    all
}

fn distinct(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// Logarithmic, from the least to the greatest.
struct Axis {
    least: f64,
    greatest: f64,
}

impl Axis {
    /// From values in order; a tenth of the shortest axis is room at the ends.
    fn over(values: &[f64]) -> Option<Axis> {
        let (least, greatest) = (*values.first()?, *values.last()?);
        Some(Axis {
            least: least / 1.12,
            greatest: greatest * 1.12,
        })
    }

    /// Where `value` lies, from 0 to 1.
    fn part(&self, value: f64) -> f64 {
        (value / self.least).ln() / (self.greatest / self.least).ln()
    }

    /// 1, 2 and 5 times the powers of ten.
    fn round_numbers(&self) -> Vec<f64> {
        let powers = self.least.log10().floor() as i32..=self.greatest.log10().ceil() as i32;
        let numbers = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|n| n * 10f64.powi(power)));
        numbers
            .filter(|number| (self.least..=self.greatest).contains(number))
            .collect()
    }
}

/// Moves what is closer than `step` apart, none below `bottom`: all stay in their order.
pub fn spread(wanted: &[f64], step: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|one, other| wanted[*one].total_cmp(&wanted[*other]));
    let mut places = wanted.to_vec();
    let mut least = f64::NEG_INFINITY;
    for index in &order {
        places[*index] = places[*index].max(least);
        least = places[*index] + step;
    }
    let mut most = bottom;
    for index in order.iter().rev() {
        places[*index] = places[*index].min(most);
        most = places[*index] - step;
    }
    places
}

/// As short as a number can be said.
fn number_short(value: f64) -> String {
    format!("{}", (value * 1e3).round() / 1e3)
}
