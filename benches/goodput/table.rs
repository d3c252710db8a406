//! What was found, as rows of a table.

/// A case and its figures, as whole numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub label: String,
    pub figures: Vec<(String, i64)>,
}

impl Row {
    pub fn new(label: String) -> Row {
        Row {
            label,
            figures: Vec::new(),
        }
    }

    pub fn push(&mut self, name: &str, figure: f64) {
        self.figures.push((name.to_owned(), figure.round() as i64));
    }

    /// The figure of that name.
    pub fn of(&self, name: &str) -> Option<f64> {
        let figure = self.figures.iter().find(|(known, _)| known == name)?;
        Some(figure.1 as f64)
    }
}

impl Row {
    /// Whether a part of the label is `part`.
    pub fn has(&self, part: &str) -> bool {
        self.label.split('/').any(|known| known == part)
    }
}

/// Prints the grid as tables, and the rest row by row.
pub fn print(rows: &[Row]) {
    let (cells, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.is_cell());
    let mut panel = String::new();
    for row in cells {
        let [algorithm, rtt, rate, loss, queue] = row.parts();
        let title = format!("{algorithm}, {queue} BDP");
        if title != panel {
            println!(
                "\n{title}: Mbit/s and the model's, the share of that and of the link; of Mathis \
                 with sqrt(3/2), with sqrt(3/4), and with repairs; cuts and timeouts of 1000 losses"
            );
            panel = title;
        }
        let figure = |name| row.of(name).unwrap_or(0.0);
        let goodput = figure("goodput");
        let share = |of: f64| match of > 0.0 {
            true => format!("{:.1}%", goodput / of * 100.0),
            false => "-".into(),
        };
        let of_losses = |name| match figure("losses") {
            0.0 => "-".into(),
            losses => format!("{:.0}", figure(name) * 1000.0 / losses),
        };
        println!(
            "{rtt:>6} {loss:>9} {rate:>9} {:>9.3} {:>9.3} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6}",
            goodput / 1e6,
            figure("predicted") / 1e6,
            share(figure("predicted")),
            share(figure("link")),
            share(figure("mathis")),
            // Half the growth, for acknowledgments of two packets that count as one.
            share(figure("mathis") * f64::sqrt(0.5)),
            share(figure("repaired")),
            of_losses("cuts"),
            of_losses("timeout"),
        );
    }
    println!();
    for row in others {
        let figures = row
            .figures
            .iter()
            .map(|(name, figure)| format!("{name} {figure}"));
        println!(
            "{:24} {}",
            row.label,
            figures.collect::<Vec<_>>().join(", ")
        );
    }
}

impl Row {
    /// Whether it is one of the grid.
    pub fn is_cell(&self) -> bool {
        self.label.split('/').count() == 5
    }

    /// The five parts of the label of a cell.
    pub fn parts(&self) -> [&str; 5] {
        let mut parts = self.label.split('/');
        std::array::from_fn(|_| parts.next().unwrap_or(""))
    }
}
