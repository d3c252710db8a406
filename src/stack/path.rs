use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::tcp::PathEstimate;
use crate::time::Instant;

/// What is known of the paths that take less than our own link: connections to the same
/// destination begin with it (RFC 1191 section 6.2).
///
/// Only what a connection has believed gets in here, so nobody fills it from outside with
/// more than the peers that there are.
#[derive(Debug, Default)]
pub(super) struct Paths {
    estimates: BTreeMap<Ipv4Addr, PathEstimate>,
}

impl Paths {
    /// What is known of the path to `destination`, if it is not too old.
    pub(super) fn find(&self, now: Instant, destination: Ipv4Addr) -> Option<PathEstimate> {
        let estimate = self.estimates.get(&destination).copied();
        estimate.filter(|estimate| now < estimate.until)
    }

    /// No more destinations are remembered than `max`.
    #[cfg(feature = "simulation")]
    pub(super) fn audit(&self, max: usize) -> Result<(), String> {
        let count = self.estimates.len();
        crate::tcp::audit::hold!(
            count <= max,
            "{count} paths are remembered, at most {max} allowed"
        );
        Ok(())
    }

    /// Remembers what a connection has found out. Of `max` destinations: beyond that, the one
    /// that would be forgotten first is.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        max: usize,
        destination: Ipv4Addr,
        estimate: PathEstimate,
    ) {
        if max == 0 {
            return;
        }
        if self.estimates.len() >= max && !self.estimates.contains_key(&destination) {
            self.estimates.retain(|_, estimate| now < estimate.until);
            let age = |(address, estimate): (&Ipv4Addr, &PathEstimate)| (estimate.until, *address);
            if self.estimates.len() >= max
                && let Some((_, oldest)) = self.estimates.iter().map(age).min()
            {
                self.estimates.remove(&oldest);
            }
        }
        self.estimates.insert(destination, estimate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_grow_old_and_few() {
        let address = |last| Ipv4Addr::new(10, 0, 0, last);
        let estimate = |until| PathEstimate {
            mtu: 1400,
            until: Instant::from_millis(until),
        };
        let at = Instant::from_millis;
        let mut paths = Paths::default();
        for last in 1..=4 {
            paths.learn(at(0), 3, address(last), estimate(100 + u64::from(last)));
        }
        assert_eq!(paths.find(at(0), address(1)), None, "the oldest made room");
        assert_eq!(paths.find(at(101), address(2)), Some(estimate(102)));
        assert_eq!(paths.find(at(102), address(2)), None, "too old");
        // Known already: nobody has to go.
        paths.learn(at(0), 3, address(3), estimate(200));
        assert_eq!(paths.find(at(0), address(2)), Some(estimate(102)));
        assert_eq!(paths.find(at(150), address(3)), Some(estimate(200)));
        paths.learn(at(0), 0, address(9), estimate(200));
        assert_eq!(paths.find(at(0), address(9)), None);
    }
}
