//! What must hold whatever the figures are.
//!
//! - *full*: without losses a flow carries 95% of the link at every rate and round-trip time
//!   where the queue holds a bandwidth-delay product or more.
//! - *model*: under random losses a flow carries what the model of [`model`](crate::model) says,
//!   less three standard errors of the figure (by 20 batches): of some 250 figures one or none is
//!   further off by chance. Only where that is below two thirds
//!   of what the link and its queue have room for: nearer to it the losses of a full queue add to
//!   those of chance, of which the models know nothing. That is 0.1% by Mathis or CUBIC's
//!   response, more by Padhye.
//! - *mathis*: at 1%, where Mathis neglects the time of repairs, 90% of what it says.
//! - *fair*: of flows that are alike Jain's index is 0.95 or more.
//! - *tail*: the end of a burst that is lost is repaired without a timeout; and the first of it
//!   before a timeout would have done that, where the timer of the probe (two round trips and the
//!   delay of an acknowledgment, RFC 8985 section 7.2) is shorter.
//! - *reorder*: where a tenth of all packets is late by up to a quarter of a round trip, a flow
//!   carries 95% of what it does else, and its window ends where it was largest.

use crate::table::Row;

/// `Config::max_ack_delay`, in microseconds.
const PROBE_DELAY: f64 = 50_000.0;

/// Standard errors that chance is given.
const ERRORS: f64 = 3.0;

/// What one check found.
pub struct Verdict {
    pub name: &'static str,
    pub about: &'static str,
    pub checked: usize,
    /// The closest call: how far it is from failing, above 1, and of which case.
    pub closest: Option<(f64, String)>,
    pub failed: Vec<String>,
}

struct Check {
    name: &'static str,
    about: &'static str,
    /// How far a row is from failing: 1 or more passes; nothing where it does not apply.
    margin: fn(&Row) -> Option<f64>,
}

const CHECKS: [Check; 6] = [
    Check {
        name: "full",
        about: "95% of the link without loss, queues of one BDP and more",
        margin: |row| {
            let large = row.has("loss0.0%") && !row.has("queue0.2");
            (large).then(|| Some(row.of("goodput")? / row.of("link")? / 0.95))?
        },
    },
    Check {
        name: "model",
        about: "the model under random losses, less three standard errors",
        margin: |row| {
            let (model, room) = (row.of("model")?, row.of("room")?);
            let applies = model > 0.0 && model * 3.0 < room * 2.0;
            applies.then(|| Some((row.of("goodput")? + ERRORS * row.of("error")?) / model))?
        },
    },
    Check {
        name: "mathis",
        about: "90% of Mathis at 1%, less three standard errors",
        margin: |row| {
            let (model, room) = (row.of("mathis")?, row.of("room")?);
            let applies = row.has("loss1.0%") && model * 3.0 < room * 2.0;
            applies.then(|| Some((row.of("goodput")? + ERRORS * row.of("error")?) / model / 0.9))?
        },
    },
    Check {
        name: "fair",
        about: "Jain's index of 0.95 for flows that are alike",
        margin: |row| {
            let alike = row.of("first_by_last_1000").is_none();
            alike.then(|| Some(row.of("jain_10000")? / 9500.0))?
        },
    },
    Check {
        name: "tail",
        about: "a lost tail is repaired before a timeout",
        margin: |row| {
            let first = row.of("first_us")?;
            if row.of("arrived")? < 1.0 || row.of("timeouts")? > 0.0 {
                return Some(0.0);
            }
            // The timer starts a round trip after the burst left, and half of one passes until
            // what it sends arrives.
            let (rto, rtt) = (row.of("rto_us")?, row.of("rtt_us")?);
            let probe_is_earlier = 2.0 * rtt + PROBE_DELAY < rto;
            let by_timeout = rto + 1.5 * rtt;
            Some(if probe_is_earlier {
                by_timeout / first
            } else {
                1.0
            })
        },
    },
    Check {
        name: "reorder",
        about: "95% where a tenth of all packets is late, and no cut is left",
        margin: |row| {
            let share = row.of("goodput")? / row.of("without")? / 0.95;
            Some(share.min(row.of("window")? / row.of("peak")?))
        },
    },
];

/// All checks that apply to any of `rows`.
pub fn run(rows: &[Row]) -> Vec<Verdict> {
    let verdicts = CHECKS.iter().map(|check| {
        let margins = rows.iter().filter_map(|row| {
            let margin = (check.margin)(row)?;
            Some((margin, row.label.clone()))
        });
        let mut margins: Vec<_> = margins.collect();
        margins.sort_by(|a, b| a.0.total_cmp(&b.0));
        let failed = margins.iter().filter(|(margin, _)| *margin < 1.0);
        Verdict {
            name: check.name,
            about: check.about,
            checked: margins.len(),
            failed: failed
                .map(|(margin, label)| format!("{label}: {margin:.3} of what it takes"))
                .collect(),
            closest: margins.first().cloned(),
        }
    });
    verdicts.filter(|verdict| verdict.checked > 0).collect()
}
