//! Pictures by hand: shapes in classes, and a style for light and dark pages.

/// Room at both sides of a picture.
pub const MARGIN: f64 = 24.0;
pub const WIDTH: f64 = 880.0;

/// Ours is the one strong colour; limits are grey and dashed. The numbered classes are peers.
const STYLE: &str = "
text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:12px;fill:#424a53}
.title{font-size:18px;font-weight:600;fill:#1f2328}.case{font-size:13px;font-weight:600;fill:#1f2328}
.soft{fill:#656d76}.loud{font-weight:600;fill:#bc4c00}.lost{font-weight:600;fill:#0550ae}
.card{fill:#fff;stroke:#d0d7de}.grid{stroke:#e6eaef}.axis{stroke:#afb8c1}
.bar{fill:#b4bec9}.bar-ours{fill:#e8590c}.bar-variant{fill:#f7b58a}
.line{fill:none;stroke-width:1.75;stroke-linejoin:round}.lead{stroke-width:1;opacity:.5}
.ours{stroke:#e8590c}.line.ours{stroke-width:3.5}.variant{stroke:#f19a62}
.limit{stroke:#57606a}.line.limit{stroke-dasharray:6 4}.mark{stroke-width:1.5;stroke-dasharray:4 2}.cut{stroke:#fff;stroke-width:2}
.over{stroke:#fff;stroke-width:4;stroke-linejoin:round;paint-order:stroke}
.p0{stroke:#0969da}.p1{stroke:#8250df}.p2{stroke:#2da44e}.p3{stroke:#bf3989}.p4{stroke:#9a6700}
.small{font-size:10.5px}.h0{fill:#ff8182}.h1{fill:#ffcecb}.h2{fill:#eaeef2}.h3{fill:#aceebb}.h4{fill:#6fdd8b}
@media(prefers-color-scheme:dark){
text{fill:#b1bac4}.title,.case{fill:#f0f6fc}.soft{fill:#9198a1}.loud{fill:#ffa657}.lost{fill:#79c0ff}
.card{fill:#0d1117;stroke:#30363d}.grid{stroke:#21262d}.axis{stroke:#484f58}
.cut,.over{stroke:#0d1117}.bar{fill:#484f58}.bar-ours{fill:#f0782e}.bar-variant{fill:#8f4a20}
.ours{stroke:#f0782e}.variant{stroke:#b5652f}.limit{stroke:#c9d1d9}
.p0{stroke:#58a6ff}.p1{stroke:#bc8cff}.p2{stroke:#3fb950}.p3{stroke:#f778ba}.p4{stroke:#d29922}
.h0{fill:#a40e26}.h1{fill:#67060c}.h2{fill:#21262d}.h3{fill:#04260f}.h4{fill:#0f5323}}
";

/// A picture that grows downwards.
#[derive(Default)]
pub struct Svg {
    body: String,
}

#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub fn text(&mut self, class: &str, anchor: Anchor, x: f64, y: f64, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        if text.is_empty() {
            return;
        }
        let class = match class {
            "" => String::new(),
            class => format!(" class=\"{class}\""),
        };
        let text = escape(text);
        self.body += &format!("<text{class}{anchor} x=\"{x:.0}\" y=\"{y:.0}\">{text}</text>\n");
    }

    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.body += &format!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"
        );
    }

    pub fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<_> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let points = points.join(" ");
        self.body += &format!("<polyline class=\"{class}\" points=\"{points}\"/>\n");
    }

    pub fn bar(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        self.body += &format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\"/>\n"
        );
    }

    pub fn dot(&mut self, class: &str, (x, y): (f64, f64)) {
        self.body += &format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>\n");
    }

    /// The file: a card of that `height`, with a title and a text that says all it shows.
    pub fn finish(self, height: f64, title: &str, description: &str) -> String {
        let (title, description) = (escape(title), escape(description));
        let (right, bottom) = (WIDTH - 1.0, height - 1.0);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" \
             width=\"{WIDTH:.0}\" height=\"{height:.0}\" role=\"img\" aria-labelledby=\"t d\">\n\
             <title id=\"t\">{title}</title>\n<desc id=\"d\">{description}</desc>\n\
             <style>{STYLE}</style>\n\
             <rect class=\"card\" x=\".5\" y=\".5\" width=\"{right:.0}\" height=\"{bottom:.0}\" rx=\"8\"/>\n\
             {}</svg>\n",
            self.body
        )
    }
}

/// No less than what `text` takes in a wide font of that size.
pub fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.64
}

/// `text`, cut to so many characters.
pub fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let start: String = text.chars().take(most.saturating_sub(1)).collect();
    start + "…"
}

/// What no XML reader can take for markup, nor refuse.
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for char in text.chars() {
        match char {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            // XML has no way to say them.
            char if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}');
            }
            char => escaped.push(char),
        }
    }
    escaped
}

/// Three digits and a unit.
pub fn duration(nanos: f64) -> String {
    let (value, unit) = match nanos {
        ..1e4 => (nanos, "ns"),
        ..1e7 => (nanos / 1e3, "µs"),
        ..1e10 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    format!("{} {unit}", number(value))
}

/// At least three digits.
pub fn number(value: f64) -> String {
    let decimals = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}
