//! Cases as panels of bars, two beside each other: nanoseconds, the limits as marks across.

use crate::input::{Case, Kind};
use crate::svg::{Anchor, MARGIN, Svg, WIDTH, duration, shorten, text_width};

/// Between the columns of panels.
const GAP: f64 = 36.0;
const PANEL: f64 = (WIDTH - 2.0 * MARGIN - GAP) / 2.0;
/// From one bar to the next, and what of it is bar.
pub const ROW: f64 = 20.0;
pub const BAR: f64 = 13.0;
/// Between limits in the head of a panel.
const LEADING: f64 = 16.0;
/// Over and under the bars of a panel.
const HEAD: f64 = 26.0;
pub const FOOT: f64 = 16.0;
/// Bars beyond so many times ours are cut, or ours would be a speck.
const CUT: f64 = 8.0;
/// The longest name shown whole.
pub const NAME: usize = 20;

/// Draws all `cases` from `top` down; gives where they end.
pub fn draw(svg: &mut Svg, top: f64, cases: &[&Case]) -> f64 {
    let mut y = top;
    for pair in cases.chunks(2) {
        let mut x = MARGIN;
        let mut height: f64 = 0.0;
        for case in pair {
            height = height.max(panel(svg, x, y, case));
            x += PANEL + GAP;
        }
        y += height;
    }
    y
}

/// Draws one case, to a scale of its own; gives its height.
fn panel(svg: &mut Svg, x: f64, y: f64, case: &Case) -> f64 {
    let bars = those(case, |kind| kind != Kind::Limit);
    let limits = those(case, |kind| kind == Kind::Limit);
    let head = head(svg, x, y, case, &limits);

    let right = x + PANEL;
    let names = widest(bars.iter().map(|(who, _)| shorten(who, NAME)));
    let times = widest(bars.iter().map(|(_, nanos)| duration(*nanos)));
    let ratios = widest(bars.iter().map(|(who, _)| ratio_text(case, who)));
    let start = x + names + 6.0;
    let room = right - ratios - 8.0 - times - 6.0 - start;
    let ours = case.times.first().map_or(0.0, |(_, nanos)| *nanos);
    let all = case.times.iter().map(|(_, nanos)| *nanos);
    let longest = all.fold(0.0, f64::max).min(ours * CUT);
    let length = |nanos: f64| nanos.min(longest) * room / longest;

    // Marks lie over bars, and texts over marks.
    let rows = (0..bars.len()).map(|row| y + head + ROW * row as f64);
    for ((who, nanos), top) in bars.iter().zip(rows.clone()) {
        let length = length(*nanos);
        svg.bar(class(case.kind(who)), (start, top), (length, BAR));
        if *nanos > longest {
            for x in [start + length - 16.0, start + length - 11.0] {
                svg.line("cut", (x, top + BAR + 1.0), (x + 5.0, top - 1.0));
            }
        }
    }
    let bottom = y + head + ROW * bars.len() as f64;
    for (_, nanos) in limits {
        let at = start + length(nanos);
        svg.line("mark limit", (at, y + head - 5.0), (at, bottom - 2.0));
    }
    for ((who, nanos), top) in bars.iter().zip(rows) {
        let lost = case.ratio(who).is_some_and(|ratio| ratio < 1.0);
        let class = match case.kind(who) {
            Kind::Ours => "loud",
            Kind::Peer if lost => "lost",
            _ => "",
        };
        let base = top + BAR - 2.0;
        svg.text(class, Anchor::End, start - 6.0, base, &shorten(who, NAME));
        let (over, end) = (format!("over {class}"), start + length(*nanos));
        svg.text(&over, Anchor::Start, end + 6.0, base, &duration(*nanos));
        let class = if class.is_empty() { "soft" } else { class };
        svg.text(class, Anchor::End, right, base, &ratio_text(case, who));
    }
    bottom + FOOT - y
}

/// The case and what its limits are; gives the height.
fn head(svg: &mut Svg, x: f64, y: f64, case: &Case, limits: &[(&str, f64)]) -> f64 {
    let id = shorten(&case.id(), 26);
    svg.text("case", Anchor::Start, x, y + 14.0, &id);
    let mut base = y + 14.0;
    for (who, nanos) in limits {
        let (who, time, ratio) = (shorten(who, 12), duration(*nanos), ratio_text(case, who));
        let text = format!("{who} {time} · {ratio}");
        svg.text("soft", Anchor::End, x + PANEL, base, &text);
        base += LEADING;
    }
    HEAD + LEADING * limits.len().saturating_sub(1) as f64
}

pub fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Ours => "bar-ours",
        Kind::Variant => "bar-variant",
        _ => "bar",
    }
}

pub fn widest(texts: impl Iterator<Item = String>) -> f64 {
    texts
        .map(|text| text_width(&text, 12.0))
        .fold(0.0, f64::max)
}

pub fn those(case: &Case, kind: impl Fn(Kind) -> bool) -> Vec<(&str, f64)> {
    let times = case.times.iter().map(|(who, nanos)| (who.as_str(), *nanos));
    times.filter(|(who, _)| kind(case.kind(who))).collect()
}

/// How many times as long as ours; empty for ours.
fn ratio_text(case: &Case, who: &str) -> String {
    let ratio = case.ratio(who);
    ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}×"))
}
