//! Cases as bars to one scale: gigabytes a second, the limits as marks across.

use crate::bars::{BAR, FOOT, NAME, ROW, class, those, widest};
use crate::input::{Case, Kind};
use crate::svg::{Anchor, MARGIN, Svg, WIDTH, number, shorten};

/// What of a bar's row is left to it when texts are longer than they should be.
const LEAST: f64 = 40.0;

/// Draws those of `cases` that have a length from `top` down; gives where they end.
pub fn draw(svg: &mut Svg, top: f64, cases: &[&Case]) -> f64 {
    let groups: Vec<Group> = cases.iter().filter_map(|case| Group::of(case)).collect();
    let bars = || groups.iter().flat_map(|group| &group.bars);
    let limits = || groups.iter().flat_map(|group| &group.limits);
    let names = widest(groups.iter().map(|group| group.name.clone()));
    let whos = widest(bars().map(|(who, _)| shorten(who, NAME)));
    let speeds = widest(bars().map(|(_, speed)| number(*speed)));
    let sides = widest(limits().map(|(who, speed)| side(who, *speed)));
    let right = WIDTH - MARGIN;
    // A case's name is larger, and bold.
    let start = MARGIN + names * 1.15 + 16.0 + whos + 6.0;
    let room = (right - sides - 16.0 - speeds - 6.0 - start).max(LEAST);
    let fastest = bars().chain(limits()).map(|(_, speed)| *speed);
    let fastest = fastest.fold(0.0, f64::max);

    let mut y = top;
    for Group {
        name,
        case,
        bars,
        limits,
    } in &groups
    {
        let rows = (0..).map(|row| y + ROW * f64::from(row));
        let end = |speed: f64| start + speed * room / fastest;
        // Marks lie over bars, and texts over marks.
        for ((who, speed), top) in bars.iter().zip(rows.clone()) {
            svg.bar(
                class(case.kind(who)),
                (start, top),
                (end(*speed) - start, BAR),
            );
        }
        let bottom = y + ROW * bars.len() as f64;
        for (_, speed) in limits {
            svg.line(
                "mark limit",
                (end(*speed), y - 4.0),
                (end(*speed), bottom - 3.0),
            );
        }
        svg.text("case", Anchor::Start, MARGIN, y + BAR - 2.0, name);
        for ((who, speed), top) in bars.iter().zip(rows.clone()) {
            let class = if case.kind(who) == Kind::Ours {
                "loud"
            } else {
                ""
            };
            let (over, base) = (format!("over {class}"), top + BAR - 2.0);
            svg.text(class, Anchor::End, start - 6.0, base, &shorten(who, NAME));
            svg.text(
                &over,
                Anchor::Start,
                end(*speed) + 6.0,
                base,
                &number(*speed),
            );
        }
        for ((who, speed), top) in limits.iter().zip(rows) {
            svg.text(
                "soft",
                Anchor::End,
                right,
                top + BAR - 2.0,
                &side(who, *speed),
            );
        }
        y += ROW * bars.len().max(limits.len()) as f64 + FOOT / 2.0;
    }
    y + FOOT / 2.0
}

/// A case that is drawn: who takes part, and bytes a nanosecond.
struct Group<'a> {
    name: String,
    case: &'a Case,
    bars: Vec<(&'a str, f64)>,
    limits: Vec<(&'a str, f64)>,
}

impl<'a> Group<'a> {
    fn of(case: &'a Case) -> Option<Group<'a>> {
        let bytes = case.bytes? as f64;
        let speeds = |limit| {
            let times = those(case, |kind| (kind == Kind::Limit) == limit);
            let speeds = times.into_iter().map(|(who, nanos)| (who, bytes / nanos));
            speeds.collect()
        };
        Some(Group {
            name: shorten(&case.name, NAME),
            case,
            bars: speeds(false),
            limits: speeds(true),
        })
    }
}

/// What stands beside a group for one of its limits.
fn side(who: &str, speed: f64) -> String {
    format!("{} {}", shorten(who, 12), number(speed))
}
