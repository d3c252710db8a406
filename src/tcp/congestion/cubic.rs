use core::time::Duration;

use super::hystart::{HyStart, Limit, Verdict};
use super::{Acked, Cause, CongestionEvent, Controller, MAX_WINDOW, Start, micros, rescale};
use crate::time::Instant;

/// CUBIC (RFC 9438), with HyStart++ for slow start as its section 4.10 advises.
///
/// The window is in octets, so the RFC's formulas have SMSS as a factor here.
#[derive(Debug)]
pub(in crate::tcp) struct Cubic {
    cwnd: u32,
    ssthresh: u32,
    /// W_max: where the curve has its plateau. Zero where no congestion has shown one.
    w_max: u32,
    /// cwnd_prior: the window when ssthresh was last set.
    cwnd_prior: u32,
    stage: Stage,
    before: Before,
    limit: Limit,
    /// Slow start is that after a timeout: an acknowledgment may cover much that arrived
    /// long ago, and no more than one segment has left the network (RFC 3465 section 2.3).
    after_timeout: bool,
}

/// What there is beside the window, of which a connection has one at a time.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The first slow start.
    First(HyStart),
    /// A later slow start, or congestion avoidance of which no ACK has come yet.
    Waiting,
    /// Congestion avoidance.
    Avoidance(Epoch),
}

/// One stage of congestion avoidance.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    /// t - K: when we are, seen from the plateau, in microseconds.
    t_minus_k: i32,
    /// When that was last so, in microseconds of the clock modulo 2^32.
    updated: u32,
    /// W_est: what Reno's window would be.
    w_est: u32,
    /// The fraction of an octet that `w_est` leaves out, in parts of the window.
    w_est_rest: u32,
}

/// What an undo restores (section 4.9.2): K and t_epoch only ever occur in t - K.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    /// Zero where there is nothing to undo.
    cwnd: u32,
    ssthresh: u32,
    w_max: u32,
    t_minus_k: i32,
    /// Zero where no epoch had begun.
    w_est: u32,
}

impl Cubic {
    pub(super) fn new(start: &Start) -> Cubic {
        let limit = Limit::new(start);
        Cubic {
            cwnd: start.initial_window,
            ssthresh: MAX_WINDOW,
            w_max: 0,
            cwnd_prior: 0,
            stage: Stage::first(limit),
            before: Before::default(),
            limit,
            after_timeout: false,
        }
    }

    /// Section 4.10.
    fn slow_start(&mut self, ack: &Acked) {
        let verdict = match &mut self.stage {
            Stage::First(hystart) => hystart.on_ack(ack),
            _ => Verdict::Grow,
        };
        if verdict == Verdict::Leave {
            // Section 4.10: no loss has shown W_max, so it will be this window, and K zero.
            self.ssthresh = self.cwnd;
            self.cwnd_prior = self.cwnd;
            self.stage = Stage::Waiting;
            return;
        }
        let limit = if self.after_timeout {
            Limit::One
        } else {
            self.limit
        };
        let cwnd = self.cwnd.saturating_add(limit.growth(ack, verdict));
        self.cwnd = cwnd.min(self.ssthresh);
    }

    fn avoid(&mut self, ack: &Acked) {
        let mut epoch = match self.stage {
            Stage::Avoidance(epoch) => epoch,
            _ => Epoch::begin(ack, self.cwnd, &mut self.w_max),
        };
        epoch.advance(ack);
        if ack.cwnd_limited {
            epoch.grow_w_est(ack, self.cwnd, self.cwnd_prior);
            self.cwnd = self.next_window(ack, &epoch).min(MAX_WINDOW);
        }
        self.stage = Stage::Avoidance(epoch);
    }

    /// The window that `ack` leads to, never a smaller one: the greater of Reno's and the
    /// curve's.
    fn next_window(&self, ack: &Acked, epoch: &Epoch) -> u32 {
        let t = i64::from(epoch.t_minus_k);
        if w_cubic(self.w_max, t, ack.mss) < epoch.w_est {
            // Section 4.3, the Reno-friendly region.
            return self.cwnd.max(epoch.w_est);
        }
        // Sections 4.4 and 4.5: on the way to where the curve is one round trip from now.
        let rtt = i64::from(micros(ack.srtt));
        let most = self.cwnd.saturating_add(self.cwnd / 2);
        let target = w_cubic(self.w_max, t + rtt, ack.mss).clamp(self.cwnd, most);
        let way = u64::from(target - self.cwnd);
        let acked = u64::from(ack.acked.min(self.cwnd));
        // Rounded up, which never leads past the target: a large window would stand still
        // below it else. No more than `way`, so it fits.
        self.cwnd + (way * acked).div_ceil(u64::from(self.cwnd).max(1)) as u32
    }
}

impl Controller for Cubic {
    fn name(&self) -> &'static str {
        "cubic"
    }

    fn window(&self) -> u32 {
        self.cwnd
    }

    fn slow_start_threshold(&self) -> u32 {
        self.ssthresh
    }

    fn on_ack(&mut self, ack: &Acked) {
        if self.cwnd < self.ssthresh {
            self.slow_start(ack);
        } else {
            self.avoid(ack);
        }
    }

    /// Sections 4.6 to 4.8. The window is what is reduced, not FlightSize, as section 4.6
    /// allows where an application-limited window does not grow: stretched and
    /// compressed acknowledgments leave FlightSize short of it by chance.
    fn on_congestion(&mut self, event: &CongestionEvent) {
        let again = event.cause == Cause::Timeout { again: true };
        if !event.in_recovery && !again {
            self.before = Before::new(self);
        }
        let smss = event.mss.clamp(1, MAX_WINDOW / 2);
        let reduced = share(self.cwnd, BETA);
        if !again {
            self.cwnd_prior = self.cwnd;
            self.ssthresh = reduced.max(2 * smss);
        }
        self.w_max = match event.cause {
            // Section 4.8: the window at which the next avoidance begins.
            Cause::Timeout { .. } => 0,
            // Section 4.7, fast convergence: (1 + beta) / 2 of the window.
            _ if self.cwnd < self.w_max => share(self.cwnd, (17, 20)),
            _ => self.cwnd,
        };
        self.cwnd = match event.cause {
            // After a timeout it may hold less than the two segments of ssthresh: a loss adds none.
            Cause::Loss if event.in_recovery => self.ssthresh.min(self.cwnd),
            Cause::Loss => self.ssthresh,
            // Section 4.6: it goes on down to one segment.
            Cause::Ecn => reduced.max(smss),
            Cause::Timeout { .. } => smss,
        };
        self.stage = Stage::Waiting;
        self.after_timeout &= event.in_recovery;
        self.after_timeout |= matches!(event.cause, Cause::Timeout { .. });
    }

    /// Section 4.9.2.
    fn undo(&mut self, now: Instant) {
        let before = core::mem::take(&mut self.before);
        if before.cwnd == 0 || self.cwnd > before.cwnd {
            // Nothing to undo, or it is so long ago that we are past it.
            return;
        }
        self.cwnd = before.cwnd;
        self.ssthresh = self.ssthresh.max(before.ssthresh);
        self.w_max = before.w_max;
        self.after_timeout = false;
        self.stage = if self.ssthresh == MAX_WINDOW {
            Stage::first(self.limit)
        } else if before.w_est == 0 {
            Stage::Waiting
        } else {
            Stage::Avoidance(Epoch {
                t_minus_k: before.t_minus_k,
                updated: clock(now),
                w_est: before.w_est,
                w_est_rest: 0,
            })
        };
    }

    fn on_restart(&mut self, _: Instant, window: u32) {
        self.cwnd = self.cwnd.min(window.max(1));
        self.after_timeout = false;
        self.stage = match self.stage {
            Stage::First(_) => Stage::first(self.limit),
            // Where the curve was says nothing any more; where its plateau is may.
            _ => Stage::Waiting,
        };
        self.before = Before::default();
    }

    fn on_mss(&mut self, old: u32, new: u32) {
        self.cwnd = rescale(self.cwnd, old, new);
        if self.before.cwnd > 0 {
            self.before.cwnd = rescale(self.before.cwnd, old, new);
            // Its curve and Reno's window are of the old size.
            self.before.w_est = 0;
        }
        if matches!(self.stage, Stage::Avoidance(_)) {
            // Its curve and Reno's window are of the old size.
            self.stage = Stage::Waiting;
        }
    }
}

impl Stage {
    fn first(limit: Limit) -> Stage {
        match limit {
            Limit::One => Stage::Waiting,
            _ => Stage::First(HyStart::new()),
        }
    }
}

impl Before {
    fn new(cubic: &Cubic) -> Before {
        let (t_minus_k, w_est) = match cubic.stage {
            Stage::Avoidance(epoch) => (epoch.t_minus_k, epoch.w_est),
            _ => (0, 0),
        };
        Before {
            cwnd: cubic.cwnd,
            ssthresh: cubic.ssthresh,
            w_max: cubic.w_max,
            t_minus_k,
            w_est,
        }
    }
}

impl Epoch {
    /// Section 4.2: with the first ACK of congestion avoidance t is zero.
    fn begin(ack: &Acked, cwnd: u32, w_max: &mut u32) -> Epoch {
        // With no plateau above us, this is it: after a timeout (section 4.8) and after
        // HyStart++ (section 4.10).
        *w_max = cwnd.max(*w_max);
        Epoch {
            t_minus_k: -plateau_after(*w_max - cwnd, ack.mss),
            updated: clock(ack.now),
            w_est: cwnd,
            w_est_rest: 0,
        }
    }

    /// Time goes on, but not while the window was not what limited us (sections 4.2 and
    /// 5.8). Whoever sends without pause hears something once a round trip: of a longer
    /// silence the rest was idle, even if the window limited what came after it.
    fn advance(&mut self, ack: &Acked) {
        let now = clock(ack.now);
        let passed = now.wrapping_sub(self.updated);
        self.updated = now;
        if ack.cwnd_limited {
            let busy = passed.min(micros(ack.srtt.max(ack.rtt.unwrap_or(Duration::ZERO))));
            self.t_minus_k = self.t_minus_k.saturating_add_unsigned(busy);
        }
    }

    /// Section 4.3, figure 4.
    fn grow_w_est(&mut self, ack: &Acked, cwnd: u32, cwnd_prior: u32) {
        let cwnd = u64::from(cwnd).max(1);
        let alpha_smss = if self.w_est >= cwnd_prior {
            ack.mss
        } else {
            share(ack.mss, ALPHA)
        };
        let acked = u64::from(ack.acked).min(cwnd);
        let growth = u64::from(alpha_smss) * acked + u64::from(self.w_est_rest);
        // Both fit: `acked` is no more than `cwnd`, and the rest less than it.
        self.w_est = self
            .w_est
            .saturating_add((growth / cwnd) as u32)
            .min(MAX_WINDOW);
        self.w_est_rest = (growth % cwnd) as u32;
    }
}

/// beta_cubic (section 4.6).
const BETA: (u32, u32) = (7, 10);
/// alpha_cubic = 3 * (1 - beta) / (1 + beta) (section 4.3).
const ALPHA: (u32, u32) = (9, 17);
/// C, in segments per second cubed (section 5.1).
const C: f64 = 0.4;

fn share(octets: u32, (part, whole): (u32, u32)) -> u32 {
    // `part` is less than `whole`, so it fits.
    (u64::from(octets) * u64::from(part) / u64::from(whole)) as u32
}

/// W_cubic (section 4.2, figure 1), in octets, `t_minus_k` microseconds from the plateau.
fn w_cubic(w_max: u32, t_minus_k: i64, mss: u32) -> u32 {
    // A cast to an integer stops at its ends.
    ((f64::from(w_max) + rise(t_minus_k, mss)) as u32).min(MAX_WINDOW)
}

/// C * (t - K)^3. Products of floats are the same to the bit on every machine.
fn rise(t_minus_k: i64, mss: u32) -> f64 {
    let seconds = t_minus_k as f64 / 1e6;
    C * seconds * seconds * seconds * f64::from(mss)
}

/// K in microseconds: how long the curve takes to rise by `distance` octets to its plateau
/// (section 4.2, figure 2).
///
/// It is looked up in the curve itself instead of taken from a cube root, of which the
/// standard library does not promise the same bits on every machine, and a replay must
/// send the same bytes. Once a congestion event, 31 steps are no cost.
fn plateau_after(distance: u32, mss: u32) -> i32 {
    let (mut low, mut high) = (0, i32::MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        if rise(middle.into(), mss) < f64::from(distance) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// The time in microseconds modulo 2^32, for differences of less than 71 minutes. A longer
/// one is cut down to a round trip anyhow.
fn clock(now: Instant) -> u32 {
    (now.as_nanos() / 1_000) as u32
}

#[cfg(test)]
mod tests;
