//! How much may go out (RFC 5681): what goes beyond the congestion window has a reason that has a
//! name, the window grows by what arrives, and it shrinks where something is lost.

use super::proportion::Proportion;
use crate::simulation::broken::{Broken, ensure};
use crate::tcp::audit::{Recovery, View};
use crate::time::Instant;

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
    /// The last time that the window was cut: once in what was then in flight is enough (RFC 3168
    /// section 6.1.2).
    cut: Option<Cut>,
    /// The peer is still to be told of that (RFC 3168 section 6.1.2). Nothing is known where that was
    /// undone and cut again in one step, or not undone at all.
    owes_cwr: Option<bool>,
    /// What goes out in the fast recovery that goes on.
    proportion: Option<Proportion>,
    /// What duplicate acknowledgments from a peer without SACK have told to be gone, in octets (RFC 6937
    /// section 3).
    gone: u64,
    /// What was acknowledged and has not made the window grow.
    credit: u64,
    /// The most that may be in flight since the window was last full, but for a few.
    crest: u32,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    at: Instant,
    /// SND.NXT then.
    point: i64,
    /// The window and ssthresh before it, or before the first one of a recovery: what an undo goes
    /// back to.
    window: u32,
    ssthresh: u32,
    /// The size of segments then.
    mss: u16,
}

/// What an acknowledgment says, in octets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    pub(super) acked: i64,
    /// What has arrived by it that was not known to have, and what of it a connection may see only
    /// now that looks at whole segments.
    pub(super) arrived: i64,
    pub(super) late: i64,
    /// Whether it is an acknowledgment at all, and has no text.
    pub(super) is_bare: bool,
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
    /// Whether it has text, and the CWR bit.
    pub(super) has_text: bool,
    pub(super) cwr: bool,
}

impl Congestion {
    /// Something has happened other than that a segment went out: the connection sees itself as in
    /// `view`, with SND.UNA `una` and SND.NXT `nxt`.
    pub(super) fn observe(
        &mut self,
        now: Instant,
        view: &View,
        (una, nxt): (i64, i64),
        news: News,
    ) -> Result<(), Broken> {
        let acked = news.acked;
        let Some(last) = self.last.replace(*view) else {
            (self.crest, self.owes_cwr) = (view.cwnd, Some(false));
            return Ok(());
        };
        self.has_probed &= news.arrived == 0;
        self.check_growth(&last, view, acked)?;
        if last.spurious != view.spurious && view.cut.is_none() {
            // All of it was a mistake, and it counts for nothing.
            self.owes_cwr = Some(false);
        }
        let begun = begun(&last, view);
        let smaller = view.mss < last.mss;
        // What is undone goes back to before the first cut of a recovery.
        let first = self.cut.filter(|_| last.recovery.is_some());
        let before = first.map_or((last.window, last.ssthresh), |cut| {
            (cut.window, cut.ssthresh)
        });
        let cut_from = match begun {
            Some(Begun::Fast) => self.check_fast(&last, view, una)?,
            Some(Begun::Timeout) => check_timeout(&last, view)?.then_some(before),
            None => {
                let is_smaller = view.window < last.window && !smaller;
                (check_claim(&last, view)? || is_smaller).then_some(before)
            }
        };
        let partial = acked > 0 && !view.sack_permitted && view.is_in_fast_recovery();
        self.at_once &= last.recovery.is_none() || view.recovery.is_some();
        self.at_once |= begun.is_some() || partial || smaller;
        self.questions = match begun {
            Some(Begun::Timeout) => 2,
            _ if view.has_timed_out() => self.questions,
            _ => 0,
        };
        if let Some((window, ssthresh)) = cut_from {
            self.cut = Some(Cut {
                at: now,
                point: nxt,
                window,
                ssthresh,
                mss: view.mss,
            });
            let is_new = view.cut.is_some() && view.cut != last.cut;
            let is_begun = begun.is_some() && view.ssthresh != last.ssthresh;
            if view.ecn && (is_new || is_begun) {
                self.owes_cwr = Some(true);
            } else if begun.is_some() {
                self.owes_cwr = None;
            }
        }
        self.proportion = match (begun, view.is_in_fast_recovery()) {
            (Some(Begun::Fast), _) => {
                let flight = last.nxt - last.una;
                Some(Proportion::new(flight, news.late as u64, view.mss.into()))
            }
            (_, true) => self.proportion,
            (_, false) => None,
        };
        if let Some(proportion) = self.proportion.as_mut().filter(|_| smaller) {
            // What was too large has not been under way.
            proportion.excuse(last.pipe.saturating_sub(view.pipe));
        }
        self.deliver(news, view);
        self.crest = match view.pipe <= view.cwnd {
            true => view.cwnd,
            // What was taken for lost, or for gone, is in flight after all.
            false if last.pipe < view.pipe => self.crest.max(view.pipe),
            false => self.crest,
        };
        Ok(())
    }

    /// What has arrived makes room in fast recovery.
    fn deliver(&mut self, news: News, view: &View) {
        let mss = u32::from(view.mss);
        let Some(proportion) = &mut self.proportion else {
            self.gone = 0;
            return;
        };
        let delivered = match (view.sack_permitted, news.acked > 0) {
            (true, _) => news.arrived as u64,
            // What is acknowledged has told of itself, but for the segment that was missing.
            (false, true) => {
                let known = self
                    .gone
                    .min((news.acked as u64).saturating_sub(mss.into()));
                self.gone -= known;
                news.acked as u64 - known
            }
            (false, false) if news.is_bare => {
                self.gone += u64::from(mss);
                mss.into()
            }
            (false, false) => 0,
        };
        if delivered > 0 {
            proportion.deliver(delivered, news.late as u64, mss);
        }
    }

    /// Whether the window was cut since what ends with `end` was sent, or while it was in flight.
    fn covers(&self, end: i64) -> bool {
        self.cut.is_some_and(|cut| end <= cut.point)
    }

    /// When the window was last cut, and with which SND.NXT.
    pub(super) fn cut(&self) -> (Instant, i64) {
        self.cut
            .map_or((Instant::ZERO, 0), |cut| (cut.at, cut.point))
    }

    /// An acknowledgment up to `una` has told of a mark, and `view` is what came of it: unless the
    /// window was cut for the same octets before, it is now (RFC 3168 section 6.1.2).
    pub(super) fn heard_mark(&self, una: i64, view: &View) -> Result<(), Broken> {
        ensure!(
            !view.ecn || self.covers(una),
            "a mark is told of, with an acknowledgment of {una}, and the window was last cut with {:?}",
            self.cut
        );
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
        // Whether it still is a probe, where the window has opened, it knows best.
        let tells = going.has_text && !again && (!is_window_probe || going.cwr);
        let owes_cwr = match tells {
            true => self.owes_cwr.replace(false),
            false => Some(false),
        };
        ensure!(
            owes_cwr.is_none_or(|owes| owes == going.cwr),
            "{}..{} has CWR: {}, and should have: {owes_cwr:?}",
            going.start,
            going.end,
            going.cwr
        );
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
        let fits = match &mut self.proportion {
            Some(proportion) => proportion.send(takes, view.pipe, view.ssthresh),
            None => view.pipe <= view.cwnd,
        };
        if fits {
            self.crest = view.cwnd.max(view.pipe);
            return Ok(());
        }
        let is_question = !again && view.has_timed_out() && self.questions > 0;
        let has_reason =
            view.pipe <= takes || is_tail_probe || is_window_probe || at_once || is_question;
        ensure!(
            has_reason,
            "{}..{} is sent beyond the congestion window for no reason: {} in flight, the window \
             is {}, in {:?} with {:?}",
            going.start,
            going.end,
            view.pipe,
            view.cwnd,
            view.recovery,
            self.proportion
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
        // A window holds a segment at least, and two after a loss (RFC 5681 section 3.1, equation 4).
        let is_cut = view.cut.is_some() && view.cut != last.cut;
        let least = if is_cut { 2 * mss } else { 0 };
        let grown = u64::from(view.window).saturating_sub(before.max(least));
        let is_least = view.window == view.ssthresh && u64::from(view.window) <= 2 * mss;
        // It may be cut once more in the same step.
        if last.spurious != view.spurious && !is_least {
            return self.check_undo(last, view);
        }
        if grown == 0 || is_least || last.mss != view.mss {
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

    /// What is undone was there before (RFC 4015 section 3.2, RFC 9438 section 4.9).
    fn check_undo(&self, last: &View, view: &View) -> Result<(), Broken> {
        let Some(cut) = self.cut.filter(|cut| cut.mss == view.mss) else {
            return Ok(());
        };
        let (window, ssthresh) = (cut.window, cut.ssthresh);
        let most = u64::from(window.max(last.window)) + self.credit;
        ensure!(
            u64::from(view.window) <= most
                && view.ssthresh <= ssthresh.max(window).max(last.ssthresh),
            "what is undone brings the window from {} to {}, ssthresh from {} to {}; they were {window} \
             and {ssthresh}, and {} octets were acknowledged since it grew",
            last.window,
            view.window,
            last.ssthresh,
            view.ssthresh,
            self.credit
        );
        Ok(())
    }

    /// RFC 6582 section 3.2 step 2, unless the window was cut for what is in flight already; gives
    /// what it was if it is cut now.
    fn check_fast(&self, last: &View, view: &View, una: i64) -> Result<Option<(u32, u32)>, Broken> {
        // By a mistake that is undone at the same time it was cut before.
        let mistaken = last.spurious != view.spurious;
        let restored = self.cut.filter(|_| mistaken);
        let (window, ssthresh) = restored.map_or((0, 0), |cut| (cut.window, cut.ssthresh));
        let (window, ssthresh) = (window.max(last.window), ssthresh.max(last.ssthresh));
        let was_cut = self.covers(una + 1);
        let stays = view.ssthresh == last.ssthresh && view.window <= last.window;
        if was_cut && stays {
            // It may be at its least, or have been undone and cut at once.
            let claims = view.cut.is_some() && (view.cut != last.cut || mistaken);
            return Ok(claims.then_some((window, ssthresh)));
        }
        let most = reduced(last, view, window);
        ensure!(
            view.ssthresh <= most && view.window <= view.ssthresh,
            "something is lost of {} octets with a window of {window}: that becomes {}, ssthresh \
             {}, and {most} at most",
            last.nxt - last.una,
            view.window,
            view.ssthresh
        );
        Ok(Some((window, ssthresh)))
    }
}

/// Which recovery begins.
#[derive(Clone, Copy)]
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
/// since in the same step, by a segment at most.
fn check_claim(last: &View, view: &View) -> Result<bool, Broken> {
    let claims = view.cut.is_some() && view.cut != last.cut;
    let most = reduced(last, view, last.window);
    let grown = view.ssthresh + u32::from(view.mss.max(last.mss));
    ensure!(
        !claims || (view.ssthresh <= most && view.window <= grown),
        "a cut is said to have been made of a window of {}, which is {} now, and ssthresh is {}, \
         {most} at most",
        last.window,
        view.window,
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
