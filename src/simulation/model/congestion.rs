//! How much may go out (RFC 5681): what goes beyond the congestion window has a reason that has a
//! name, the window grows by what arrives, and it shrinks where something is lost.

use crate::simulation::broken::{Broken, ensure};
use crate::tcp::audit::{Recovery, View};

/// How a connection has yielded to the network, by how it saw itself after each step.
#[derive(Clone, Debug, Default)]
pub(super) struct Congestion {
    last: Option<View>,
    /// What goes out again next does so at once: the first of a recovery (RFC 6582 section 3.2
    /// step 2, RFC 6937 section 3), what a timeout is about (RFC 6298 section 5.4), what a partial
    /// acknowledgment asks for where there is no SACK (RFC 6582 section 3.2 step 3), and what
    /// was too large for the path (RFC 1191 section 6.4).
    at_once: bool,
    /// How many new segments F-RTO may still ask with (RFC 5682 section 2.1 step 2b).
    questions: u8,
    /// A tail was probed, and nothing has been heard since (RFC 8985 section 7.3).
    has_probed: bool,
    /// SND.NXT when the window was last cut: once in what was then in flight is enough (RFC 3168
    /// section 6.1.2). And what the window was before.
    cut: Option<(i64, u32)>,
    /// What was acknowledged and has not made the window grow.
    credit: u64,
    /// The most that may be in flight since the window was last full, but for a few.
    crest: u32,
}

/// A segment that takes numbers, counted from ISS on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Going {
    pub(super) start: i64,
    pub(super) end: i64,
    /// SND.UNA and SND.NXT before it.
    pub(super) una: i64,
    pub(super) nxt: i64,
    /// What lies before this number may be deemed lost without anything being lost.
    pub(super) doubted: i64,
}

impl Congestion {
    /// Something has happened other than that a segment went out: the connection sees itself as in
    /// `view`, with SND.UNA `una` and SND.NXT `nxt`, of which `acked` octets were acknowledged and
    /// `news` is whether anything has arrived.
    pub(super) fn observe(
        &mut self,
        view: &View,
        (una, nxt): (i64, i64),
        acked: i64,
        news: bool,
    ) -> Result<(), Broken> {
        let Some(last) = self.last.replace(*view) else {
            self.crest = view.cwnd;
            return Ok(());
        };
        self.has_probed &= !news;
        self.check_growth(&last, view, acked)?;
        let begun = begun(&last, view);
        let smaller = view.mss < last.mss;
        // What is undone goes back to before the first cut of a recovery.
        let first = self.cut.filter(|_| last.recovery.is_some());
        let before = first.map_or(last.window, |(_, before)| before);
        let cut_from = match begun {
            Some(Begun::Fast) => self.check_fast(&last, view, una)?,
            Some(Begun::Timeout) => check_timeout(&last, view)?.then_some(before),
            None => {
                let is_smaller = view.window < last.window && !smaller;
                (check_claim(&last, view)? || is_smaller).then_some(before)
            }
        };
        let partial = acked > 0 && !view.sack_permitted && view.is_in_fast_recovery();
        self.at_once |= begun.is_some() || partial || smaller;
        self.questions = match begun {
            Some(Begun::Timeout) => 2,
            _ if view.has_timed_out() => self.questions,
            _ => 0,
        };
        if let Some(before) = cut_from {
            self.cut = Some((nxt, before));
        }
        self.crest = match view.pipe <= view.cwnd {
            true => view.cwnd,
            // What was taken for lost, or for gone, is in flight after all.
            false if last.pipe < view.pipe => self.crest.max(view.pipe),
            false => self.crest,
        };
        Ok(())
    }

    /// A segment goes out, and `view` is how the connection sees itself after it.
    pub(super) fn sent(&mut self, going: Going, view: &View) -> Result<(), Broken> {
        let Some(last) = self.last.replace(*view) else {
            return Ok(());
        };
        let is_tail_probe = last.tail_probes < view.tail_probes;
        let is_window_probe = last.probes_window && going.start == going.una;
        let again = going.start < going.nxt;
        if is_tail_probe {
            ensure!(
                last.sack_permitted && last.recovery.is_none() && !self.has_probed,
                "a tail is probed in {:?}, with SACK: {}, since news: {}",
                last.recovery,
                last.sack_permitted,
                self.has_probed
            );
            self.has_probed = true;
        }
        ensure!(
            !again
                || view.recovery.is_some()
                || is_tail_probe
                || is_window_probe
                || going.start < going.doubted,
            "{}..{} is sent again, and nothing is recovered from",
            going.start,
            going.end
        );
        let takes = (going.end - going.start) as u32;
        let at_once = again && core::mem::take(&mut self.at_once);
        if view.pipe <= view.cwnd {
            self.crest = view.cwnd;
            return Ok(());
        }
        let is_question = !again && view.has_timed_out() && self.questions > 0;
        let has_reason =
            view.pipe <= takes || is_tail_probe || is_window_probe || at_once || is_question;
        ensure!(
            has_reason,
            "{}..{} is sent beyond the congestion window for no reason: {} in flight, the window \
             is {}, in {:?}",
            going.start,
            going.end,
            view.pipe,
            view.cwnd,
            view.recovery
        );
        self.questions -= u8::from(is_question);
        // Whatever the reasons: one of each at most.
        let most = self.crest.max(view.cwnd) + 4 * u32::from(view.mss.max(last.mss));
        ensure!(
            view.pipe <= most,
            "{} in flight, the window is {}, and {} were in flight when it was cut",
            view.pipe,
            view.cwnd,
            self.crest
        );
        Ok(())
    }

    /// In slow start the window grows by what is acknowledged at most (RFC 5681 section 3.1, RFC
    /// 9406 section 4.2), then by a segment for each window that is, or by half of that (RFC 9438
    /// section 4.4).
    fn check_growth(&mut self, last: &View, view: &View, acked: i64) -> Result<(), Broken> {
        let (before, mss) = (u64::from(last.window), u64::from(view.mss.max(last.mss)));
        self.credit = (self.credit + acked as u64).min(2 * before + acked as u64);
        let grown = u64::from(view.window.saturating_sub(last.window));
        // A window holds a segment at least, and two after a loss (RFC 5681 section 3.1, equation 4).
        let is_least = view.window == view.ssthresh && u64::from(view.window) <= 2 * mss;
        let is_undone = last.spurious != view.spurious;
        if grown == 0 || is_undone || is_least || last.mss != view.mss {
            return Ok(());
        }
        let price = match last.window < last.ssthresh {
            true => grown,
            false => grown.saturating_sub(2) * (before / mss).clamp(1, 2),
        };
        ensure!(
            price <= self.credit,
            "the congestion window grows from {before} to {}, ssthresh is {}, by {acked} acknowledged \
             and {} before",
            view.window,
            last.ssthresh,
            self.credit
        );
        self.credit -= price;
        Ok(())
    }

    /// RFC 6582 section 3.2 step 2, unless the window was cut for what is in flight already; gives
    /// what it was if it is cut now.
    fn check_fast(&self, last: &View, view: &View, una: i64) -> Result<Option<u32>, Broken> {
        let was_cut = self.cut.is_some_and(|(point, _)| una < point);
        let stays = view.ssthresh == last.ssthresh && view.window <= last.window;
        if was_cut && stays {
            return Ok(None);
        }
        // By a mistake that is undone at the same time it was cut before.
        let mistaken = last.spurious != view.spurious;
        let restored = self.cut.filter(|_| mistaken);
        let window = last.window.max(restored.map_or(0, |(_, before)| before));
        let most = reduced(last, view, window);
        ensure!(
            view.ssthresh <= most && view.window <= view.ssthresh,
            "something is lost of {} octets with a window of {window}: that becomes {}, ssthresh \
             {}, and {most} at most",
            last.nxt - last.una,
            view.window,
            view.ssthresh
        );
        Ok(Some(window))
    }
}

/// Which recovery begins.
enum Begun {
    Fast,
    Timeout,
}

fn begun(last: &View, view: &View) -> Option<Begun> {
    let is_new = last.recovery != view.recovery || last.spurious != view.spurious;
    match view.recovery {
        Some(Recovery { is_fast: true, .. }) if is_new => Some(Begun::Fast),
        Some(Recovery { is_fast: false, .. })
            if last.retries < view.retries && !view.probes_window =>
        {
            Some(Begun::Timeout)
        }
        _ => None,
    }
}

/// What counts as a cut, by which further ones are saved, is one, though the window may have grown
/// since in the same step.
fn check_claim(last: &View, view: &View) -> Result<bool, Broken> {
    let claims = view.cut.is_some() && view.cut != last.cut;
    let most = reduced(last, view, last.window);
    ensure!(
        !claims || view.ssthresh <= most,
        "a cut is said to have been made of a window of {}, and ssthresh is {}, {most} at most",
        last.window,
        view.ssthresh
    );
    Ok(claims || view.ssthresh < last.ssthresh)
}

/// RFC 5681 section 3.1, equation 4; what has timed out before leaves ssthresh where it is.
fn check_timeout(last: &View, view: &View) -> Result<bool, Broken> {
    let most = reduced(last, view, last.window);
    let again = last.has_timed_out() && view.retries > 1;
    ensure!(
        view.window <= view.mss.into()
            && (view.ssthresh <= most || (again && view.ssthresh == last.ssthresh)),
        "a timeout, and the window goes from {} to {}, ssthresh from {} to {}",
        last.window,
        view.window,
        last.ssthresh,
        view.ssthresh
    );
    Ok(true)
}

/// What ssthresh is at most when something was lost of a window of `window` octets: half of what
/// was in flight (RFC 5681 section 3.1, equation 4), or seven tenths of the window (RFC 9438 section
/// 4.6), and two segments at least.
fn reduced(last: &View, view: &View, window: u32) -> u32 {
    let flight = last.nxt - last.una;
    let part = match view.controller {
        "newreno" => flight.min(window) / 2,
        "cubic" => (u64::from(window) * 7).div_ceil(10) as u32,
        _ => window - 1,
    };
    part.max(2 * u32::from(view.mss.max(last.mss)))
}
