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
