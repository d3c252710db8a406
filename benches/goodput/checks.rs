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
//! - *repaired*: up to 3% what Mathis says with the time of repairs, less three standard errors: the
//!   criterion, of which the two above are what is left without it. Where the timer had to
//!   expire, that time is taken off, which no window tells.
//! - *bounded*: where the link and its queue bound the window as well, so that none of these says
//!   anything, 98% of what a window gets that both chance and the queue cut, less three standard errors.
//! - *timeouts*: up to 3% at most ten segments of a thousand losses are sent again because the timer
//!   has expired: what else is lost is repaired by what arrives behind it, or by a probe.
//! - *cuts*: there are no more of them than losses.
//! - *fair*: of flows that are alike Jain's index is 0.95 or more.
//! - *tail*: the end of a burst that is lost is repaired by one probe, without a timeout and before
//!   there would be one. The probe leaves when RFC 8985 section 7.2 says: two round trips after the
//!   last acknowledgment, later by the delay of one where a single segment is in flight; three
//!   quarters of the way from a round trip to the retransmission timeout where that is shorter. What it
//!   carries arrives half a round trip later; where more was lost, the first of it a round
//!   trip after that.
//! - *reorder*: where a tenth of all packets is late by up to a quarter of a round trip, a flow
//!   carries 95% of what it does else, its window ends where it was largest, and every cut
//!   has been taken back. There are four at most among thousands of late packets: before any has
//!   overtaken another it is taken for lost after three that arrive (RFC 8985 section 6.2 step 4),
//!   and where a queue gets shorter at the same time a quarter of a round trip is not enough once.

use crate::table::Row;

/// Standard errors that chance is given.
const ERRORS: f64 = 3.0;

/// Of so many losses, how many segments may be sent again because the timer has expired.
const TIMEOUTS: f64 = 10.0 / 1000.0;

/// How often a packet that is late may be taken for lost.
const MISTAKES: f64 = 4.0;

/// By how much a timer may be late, in microseconds: the stack's are rounded up to 2^16 ns.
const TICK: f64 = 67.0;

/// What the burst takes on the line until its last packet has left it, in microseconds: ten packets.
const BURST: f64 = 1_200.0;

/// What one check found.
pub struct Verdict {
    pub name: &'static str,
    pub about: &'static str,
    pub checked: usize,
    /// The closest call: how far it is from failing, above 1, and of which case.
    pub closest: Option<(f64, String)>,
    /// What a reader should know.
    pub remarks: Vec<String>,
    pub failed: Vec<String>,
}

struct Check {
    name: &'static str,
    about: &'static str,
    /// How far a row is from failing: 1 or more passes; nothing where it does not apply.
    margin: fn(&Row) -> Option<f64>,
    /// What is to be said of it besides.
    remark: fn(&Row) -> Option<String>,
}

const CHECKS: [Check; 10] = [
    Check {
        name: "full",
        about: "95% of the link without loss, queues of one BDP and more",
        margin: |row| {
            let large = row.has("loss0.0%") && !row.has("queue0.2");
            (large).then(|| Some(row.of("goodput")? / row.of("link")? / 0.95))?
        },
        remark: |_| None,
    },
    Check {
        name: "model",
        about: "the model under random losses, less three standard errors",
        margin: |row| is_modelled(row).then(|| Some(at_most(row)? / row.of("model")?))?,
        remark: |_| None,
    },
    Check {
        name: "mathis",
        about: "90% of Mathis at 1%, less three standard errors",
        margin: |row| {
            let (model, room) = (row.of("mathis")?, row.of("room")?);
            let applies = row.has("loss1.0%") && model * 3.0 < room * 2.0;
            applies.then(|| Some(at_most(row)? / model / 0.9))?
        },
        remark: |_| None,
    },
    Check {
        name: "repaired",
        about: "Mathis with the time of repairs up to 3%, less three standard errors",
        margin: |row| {
            let (time, timeouts) = (row.of("time_ms")?, row.of("timeout")?);
            let running = 1.0 - timeouts * row.of("rto_ms")? / time;
            let model = row.of("repaired")? * running;
            is_random(row).then_some(at_most(row)? / model)
        },
        remark: |_| None,
    },
    Check {
        name: "bounded",
        about: "98% of what chance and the queue leave where both bound the window",
        margin: |row| {
            let applies = row.of("chance")? > 0.0 && !is_modelled(row) && !is_random(row);
            applies.then(|| Some(at_most(row)? / row.of("chance")? / 0.98))?
        },
        remark: |_| None,
    },
    Check {
        name: "timeouts",
        about: "at most 10 timeouts for 1000 losses up to 3%",
        margin: |row| {
            let allowed = (TIMEOUTS * row.of("losses")?).max(1.0);
            is_random(row).then_some(allowed / row.of("timeout")?.max(1.0))
        },
        remark: |_| None,
    },
    Check {
        name: "cuts",
        about: "no more cuts than losses up to 3%",
        margin: |row| {
            let (losses, cuts) = (row.of("losses")?, row.of("cuts")?);
            is_random(row).then_some(losses / cuts)
        },
        remark: |_| None,
    },
    Check {
        name: "fair",
        about: "Jain's index of 0.95 for flows that are alike",
        margin: |row| {
            let alike = row.of("first_by_last_1000").is_none();
            alike.then(|| Some(row.of("jain_10000")? / 9500.0))?
        },
        remark: |_| None,
    },
    Check {
        name: "tail",
        about: "a lost tail is repaired by a probe, in the time of RFC 8985",
        margin: |row| {
            let (waited, timer) = (row.of("waited_us")?, row.of("pto_us")?);
            let repaired = row.of("arrived")? == 1.0;
            let by_probe = row.of("probes")? == 1.0 && row.of("timeouts")? == 0.0;
            let in_time = (timer - 1.0..=timer + TICK).contains(&waited);
            let in_time = in_time && waited < row.of("rto_us")?;
            if !repaired || !by_probe || !in_time {
                return Some(0.0);
            }
            let ways = if row.of("lost")? > 1.0 { 1.5 } else { 0.5 };
            let due = row.of("acked_us")? + timer + ways * row.of("rtt_us")? + BURST;
            Some(due / row.of("first_us")?)
        },
        remark: |_| None,
    },
    Check {
        name: "reorder",
        about: "95% where a tenth of all packets is late, and each cut is taken back",
        margin: |row| {
            let cuts = row.of("cuts")?;
            if cuts > row.of("undone")? {
                return Some(0.0);
            }
            let share = row.of("goodput")? / row.of("without")? / 0.95;
            let few = MISTAKES / cuts.max(1.0);
            Some(share.min(row.of("window")? / row.of("peak")?).min(few))
        },
        remark: |row| {
            let (cuts, undone) = (row.of("cuts")?, row.of("undone")?);
            Some(format!("{}: {cuts} cuts, {undone} taken back", row.label))
        },
    },
];

/// The goodput, and what chance may have cost it.
fn at_most(row: &Row) -> Option<f64> {
    Some(row.of("goodput")? + ERRORS * row.of("error")?)
}

/// Whether the model says anything: not where it is near what the link has room for.
fn is_modelled(row: &Row) -> bool {
    let figures = row.of("model").zip(row.of("room"));
    figures.is_some_and(|(model, room)| model > 0.0 && model * 3.0 < room * 2.0)
}

/// Whether chance alone bounds the window, of which twice the mean has room without waiting, and
/// repairs are mostly over before the next.
fn is_random(row: &Row) -> bool {
    let figures = row.of("repaired").zip(row.of("room"));
    let applies = figures.is_some_and(|(model, room)| model > 0.0 && model * 2.0 < room);
    applies && !row.has("loss10.0%")
}

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
            remarks: rows.iter().filter_map(check.remark).collect(),
        }
    });
    verdicts.filter(|verdict| verdict.checked > 0).collect()
}
