//! A set of numbers.

/// Numbers from one up to another, in order and apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs(Vec<(i64, i64)>);

impl Runs {
    pub(super) fn as_slice(&self) -> &[(i64, i64)] {
        &self.0
    }

    /// How many numbers there are.
    pub(super) fn count(&self) -> i64 {
        self.as_slice()
            .iter()
            .map(|(left, right)| right - left)
            .sum()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What it has of `left..right`.
    pub(super) fn overlaps(&self, left: i64, right: i64) -> impl Iterator<Item = (i64, i64)> {
        let parts = self.0.iter();
        parts
            .map(move |run| (run.0.max(left), run.1.min(right)))
            .filter(|(left, right)| left < right)
    }

    /// Whether it has all of `left..right`.
    pub(super) fn covers(&self, left: i64, right: i64) -> bool {
        self.0.iter().any(|run| run.0 <= left && right <= run.1)
    }

    /// Whether `left..right` would be a run of its own.
    pub(super) fn is_apart(&self, left: i64, right: i64) -> bool {
        self.0.iter().all(|run| run.1 < left || right < run.0)
    }

    /// `left..right` comes to it: one run with those that it touches.
    pub(super) fn add(&mut self, left: i64, right: i64) {
        let (mut from, mut to) = (left, right);
        self.0.retain(|run| {
            let touches = run.0 <= right && left <= run.1;
            if touches {
                (from, to) = (from.min(run.0), to.max(run.1));
            }
            !touches
        });
        let place = self.0.partition_point(|run| run.0 < from);
        self.0.insert(place, (from, to));
    }

    /// What lies before a number goes.
    pub(super) fn drop_before(&mut self, number: i64) {
        self.0.retain(|run| number < run.1);
        if let Some(first) = self.0.first_mut() {
            first.0 = first.0.max(number);
        }
    }
}
