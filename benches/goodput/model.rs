//! What theory says a flow gets, in packets a round trip or as a share of the link.
//!
//! | model | formula | where it holds |
//! | --- | --- | --- |
//! | [`mathis`] | W = sqrt(3/2) / sqrt(p) | losses far apart: windows of tens of packets, p up to 0.1% |
//! | [`repaired`] | W = (1/p) / (w + 1) where 1.5 w^2 + w = 1/p | up to 3%: the same with the time of each repair |
//! | [`padhye`] | W = 1 / (sqrt(2p/3) + RTO/R * 3 sqrt(3p/8) p (1 + 32 p^2)) | more losses: timeouts count |
//! | [`cubic`] | W = (C (3+b) / (4 (1-b)))^(1/4) * (R/p)^(3/4) | rare losses or long round trips, where it is above Mathis |
//! | [`sawtooth`] | the window's average between two cuts, in a queue that drops what comes last | no other loss |
//! | [`chance`] | the same, cut where chance loses a packet as well | also where the link bounds the window |
//!
//! W is the mean window in packets, R the round-trip time in seconds, p the probability that a
//! packet is lost.
//!
//! - Mathis et al., "The Macroscopic Behavior of the TCP Congestion Avoidance Algorithm",
//!   1997, also in RFC 3819 section 8.5.1: one segment more a round trip, half of it at each
//!   loss. An acknowledgment covers octets, not segments (RFC 5681 section 3.1), so that
//!   delayed ones do not slow the growth and the constant is that for one acknowledgment a
//!   packet, not the sqrt(3/4) for one every other packet, where each lets the window grow by
//!   what one packet does. Losses are 1/p packets apart there; where chance sets them apart the
//!   constant is 1.31 (Ott, Kemperman and Mathis, "The Stationary Behavior of Ideal TCP Congestion
//!   Avoidance", 1996).
//! - Padhye et al., "Modeling TCP Throughput", 1998, simplified as in RFC 5348 section 3.1, with
//!   b = 1 for the same reason. The RTO of a steady path is ours: R + 200 ms.
//! - CUBIC: RFC 9438 section 5.1 (figure 5) with C = 0.4 and b = beta = 0.7, never below its
//!   Reno-friendly region (section 4.3), which is Mathis's.
//!
//! Mathis's window is that between two repairs. From noticing a loss, for which three segments
//! have to arrive behind it, to the end of its repair more than a round trip goes by in which
//! the window stays as it is: w. That is one more round trip to the w in which it grows from w to
//! 2 w, and w packets more to the 1.5 w^2 sent meanwhile, so that 1/p packets take w + 1 round
//! trips. At 0.1% this is 97% of Mathis, at 1% 92%, at 3% 87%: no sender gets more out of
//! losses 1/p apart that RFC 5681 and RFC 6675 bind. Chance is worth some 5% more, as several
//! losses in one window make one cut. Three things of which no model knows cost some 3% of a window
//! of twelve packets: the packet whose acknowledgment the receiver delays for the next one, the
//! part of a packet that does not fit, and what cuts again when a retransmission is lost.
//!
//! Padhye's knows of timeouts for all that a sender without SACK could not repair else: what
//! there has to be at least, whatever is lost.
//!
//! The first three count what is sent; of that the share 1 - p arrives. None knows of the
//! link: above its rate, and where the losses of its queue add to those of chance, they say
//! nothing.

use zerotcp::tcp::congestion::Algorithm;

/// Up to this probability of loss neither timeouts count nor the time that a repair takes.
pub const RARE: f64 = 0.001;
/// How much longer than the round-trip time the retransmission timeout is, in seconds
/// (`Config::min_rto`).
const RTO_FLOOR: f64 = 0.2;
/// beta and C of CUBIC (RFC 9438 sections 4.6 and 5.1); beta of RFC 5681 section 3.1.
const CUBIC_BETA: f64 = 0.7;
const CUBIC_C: f64 = 0.4;
const RENO_BETA: f64 = 0.5;

/// The mean window under random losses, in packets that arrive.
pub fn window(algorithm: Algorithm, loss: f64, rtt: f64) -> f64 {
    let sent = match algorithm {
        Algorithm::Cubic if loss <= RARE => cubic(loss, rtt).max(mathis(loss)),
        _ if loss > RARE => padhye(loss, rtt),
        _ => mathis(loss),
    };
    sent * (1.0 - loss)
}

/// Without its share of packets that arrive.
pub fn mathis(loss: f64) -> f64 {
    (1.5 / loss).sqrt()
}

/// The same with a round trip for each repair.
pub fn repaired(loss: f64) -> f64 {
    let packets = 1.0 / loss;
    let cut = ((1.0 + 6.0 * packets).sqrt() - 1.0) / 3.0;
    packets / (cut + 1.0)
}

fn padhye(loss: f64, rtt: f64) -> f64 {
    let timeouts = 3.0 * (3.0 * loss / 8.0).sqrt() * loss * (1.0 + 32.0 * loss * loss);
    1.0 / ((2.0 * loss / 3.0).sqrt() + (rtt + RTO_FLOOR) / rtt * timeouts)
}

fn cubic(loss: f64, rtt: f64) -> f64 {
    let factor = CUBIC_C * (3.0 + CUBIC_BETA) / (4.0 * (1.0 - CUBIC_BETA));
    let ratio = rtt / loss;
    // Square roots are the same on every machine, powers are not.
    factor.sqrt().sqrt() * (ratio * ratio * ratio).sqrt().sqrt()
}

/// Which share of the link a flow uses in the first `time` seconds after its window was cut at
/// the end of a full queue, where nothing else is lost; `bdp` packets fill the path and
/// `queue` more its queue.
///
/// One step a round trip: the window grows by its algorithm, the round trip by what waits.
/// When the queue is full the window is cut, and a round trip goes into the repair.
pub fn sawtooth(algorithm: Algorithm, bdp: f64, queue: f64, rtt: f64, time: f64) -> f64 {
    let beta = match algorithm {
        Algorithm::Cubic => CUBIC_BETA,
        _ => RENO_BETA,
    };
    let full = bdp + queue;
    let cut = (full * beta).max(1.0);
    let mut window = cut;
    let (mut now, mut carried, mut since_cut) = (0.0, 0.0, 0.0);
    let mut friendly = cut;
    let mut repairs = true;
    while now < time {
        // What is in flight are whole packets, and all that leaves is at most the link's.
        let flight = window.floor().max(1.0).min(full);
        let round = rtt * (flight / bdp).max(1.0);
        carried += flight / bdp * rtt;
        now += round;
        if core::mem::take(&mut repairs) {
            continue;
        }
        since_cut += round;
        window = match algorithm {
            Algorithm::Cubic => {
                friendly += 3.0 * (1.0 - beta) / (1.0 + beta);
                curve(full, cut, since_cut).max(friendly)
            }
            _ => window + 1.0,
        };
        if window > full {
            (window, friendly, since_cut, repairs) = (cut, cut, 0.0, true);
        }
    }
    carried / now
}

/// Which share of the link arrives by a window as in [`sawtooth`] that is cut wherever one of its
/// packets is lost by chance, too: once a window, and a round trip goes into each repair. By the
/// same `packets` draws each time.
pub fn chance(
    algorithm: Algorithm,
    bdp: f64,
    queue: f64,
    rtt: f64,
    loss: f64,
    packets: u64,
) -> f64 {
    let beta = match algorithm {
        Algorithm::Cubic => CUBIC_BETA,
        _ => RENO_BETA,
    };
    let full = bdp + queue;
    let mut dice = Dice(1);
    let (mut top, mut cut) = (full, (full * beta).max(1.0));
    let (mut window, mut friendly, mut since_cut) = (cut, cut, 0.0);
    let (mut now, mut sent, mut arrived) = (0.0, 0, 0.0);
    let mut repairs = false;
    while sent < packets {
        let flight = window.floor().max(1.0).min(full);
        let round = rtt * (flight / bdp).max(1.0);
        let lost = (0..flight as u64).filter(|_| dice.falls(loss)).count();
        sent += flight as u64;
        arrived += flight - lost as f64;
        now += round;
        if !core::mem::take(&mut repairs) {
            since_cut += round;
            window = match algorithm {
                Algorithm::Cubic => {
                    friendly += 3.0 * (1.0 - beta) / (1.0 + beta);
                    curve(top, cut, since_cut).max(friendly)
                }
                _ => window + 1.0,
            };
        }
        if lost > 0 || window > full {
            top = window.min(full);
            cut = (top * beta).max(1.0);
            (window, friendly, since_cut, repairs) = (cut, cut, 0.0, true);
        }
    }
    arrived / bdp * rtt / now
}

/// Numbers that are the same on every machine (SplitMix64).
struct Dice(u64);

impl Dice {
    /// True with this probability.
    fn falls(&mut self, probability: f64) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 <= probability
    }
}

/// CUBIC's curve `time` seconds after a cut from `top` to `cut` (RFC 9438 section 4.2).
fn curve(top: f64, cut: f64, time: f64) -> f64 {
    let away = time - cube_root((top - cut) / CUBIC_C);
    top + CUBIC_C * away * away * away
}

/// By Newton's method, in operations that are the same on every machine.
fn cube_root(value: f64) -> f64 {
    let mut root = value.max(1.0);
    for _ in 0..100 {
        root -= (root * root * root - value) / (3.0 * root * root);
    }
    root
}
