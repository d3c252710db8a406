//! Losses and what looks like them: the tail of a burst, and segments that overtake each
//! other.

use std::time::Duration;

use zerotcp::device::Impairment;
use zerotcp::tcp::congestion::Algorithm;
use zerotcp::tcp::{Config, Info, Phase};
use zerotcp::time::Instant;

use crate::cuts::Cuts;
use crate::grid::{ALGORITHMS, RTTS, name};
use crate::network::{MSS, Network, PACKET, Path, Plan};
use crate::table::Row;

/// Bits a second.
const RATE: u64 = 100_000_000;
/// Segments of a burst: the initial window.
const BURST: u64 = 10;

/// A burst of which the last segments are lost.
#[derive(Clone, Copy, Debug)]
pub struct Tail {
    pub rtt: u64,
    pub lost: u64,
}

impl Tail {
    pub fn all() -> Vec<Tail> {
        let of = |rtt| [1, 2, 5].map(|lost| Tail { rtt, lost });
        RTTS.into_iter().flat_map(of).collect()
    }

    pub fn label(&self) -> String {
        format!("tail/{}ms/{}of{BURST}", self.rtt, self.lost)
    }

    pub fn run(&self) -> Result<Row, String> {
        let path = Path {
            rate: RATE,
            queue: 1000,
            impairment: Impairment::default(),
            algorithm: Algorithm::Cubic,
            jitter: Duration::ZERO,
            buffer: 1 << 20,
            seed: 1,
        };
        let octets = BURST * u64::from(MSS);
        let rtt = Duration::from_millis(self.rtt);
        let plan = Plan {
            rtt,
            start: Instant::from_millis(1),
            octets: Some(octets),
        };
        let mut network = Network::new(&path, &[plan]);
        // The first burst measures the path; then there is silence.
        let quiet = Instant::from_millis(1) + rtt * 10 + Duration::from_millis(100);
        network.run(quiet, |_| false);
        let before = network.flows[0].info().ok_or("the connection is gone")?;
        let start = network.now();
        network.offer(0, octets, BURST - self.lost..BURST);
        let end = start + Duration::from_secs(10);
        let whole = octets * 2 - self.lost * u64::from(MSS);
        let mut wait = Wait::new(start, before);
        network.run(end, |network| {
            wait.note(network);
            network.flows[0].read > whole
        });
        let first = network.now() - start;
        let arrived = network.run(end, |network| network.flows[0].read >= 2 * octets);
        let took = network.now() - start;
        let after = network.flows[0].info().ok_or("the connection is gone")?;

        let mut row = Row::new(self.label());
        row.push("arrived", f64::from(u8::from(arrived)));
        row.push("first_us", micros(first));
        row.push("all_us", micros(took));
        row.push("lost", self.lost as f64);
        row.push("acked_us", micros(wait.armed - start));
        row.push("pto_us", micros(wait.probe_timeout()));
        row.push("rto_us", micros(wait.info.rto));
        row.push(
            "waited_us",
            wait.probed
                .map_or(0.0, |probed| micros(probed - wait.armed)),
        );
        row.push("rtt_us", micros(rtt));
        row.push("probes", after.tally.tail_probes.into());
        row.push("timeouts", after.tally.timeout_retransmissions.into());
        Ok(row)
    }
}

/// How long the sender waits before it sends a probe.
struct Wait {
    /// When the timers of the probe and of the retransmission were set last: when the burst
    /// left, or some of it was acknowledged.
    armed: Instant,
    /// How it was doing then.
    info: Info,
    probed: Option<Instant>,
}

impl Wait {
    fn new(now: Instant, info: Info) -> Wait {
        Wait {
            armed: now,
            info,
            probed: None,
        }
    }

    fn note(&mut self, network: &Network) {
        let Some(info) = network.flows[0].info().filter(|_| self.probed.is_none()) else {
            return;
        };
        if self.info.tally.tail_probes < info.tally.tail_probes {
            self.probed = Some(network.now());
        } else if self.info.unacknowledged != info.unacknowledged {
            (self.armed, self.info) = (network.now(), info);
        }
    }

    /// RFC 8985 section 7.2; and no later than three quarters of what the retransmission timer
    /// waits beyond a round trip.
    fn probe_timeout(&self) -> Duration {
        let config = Config::default();
        let twice = self.info.srtt.unwrap_or_default() * 2;
        let alone = self.info.unacknowledged <= MSS;
        let delay = if alone {
            config.max_ack_delay
        } else {
            Duration::ZERO
        };
        let srtt = self.info.srtt.unwrap_or_default();
        let latest = srtt + self.info.rto.saturating_sub(srtt) * 3 / 4;
        (twice + delay).max(config.min_tail_probe).min(latest)
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A tenth of all packets is up to a quarter of a round trip late.
#[derive(Clone, Copy, Debug)]
pub struct Reorder {
    pub algorithm: Algorithm,
    pub rtt: u64,
}

impl Reorder {
    pub fn all() -> Vec<Reorder> {
        let of = |algorithm| RTTS.map(|rtt| Reorder { algorithm, rtt });
        ALGORITHMS.into_iter().flat_map(of).collect()
    }

    pub fn label(&self) -> String {
        format!("reorder/{}/{}ms", name(self.algorithm), self.rtt)
    }

    pub fn run(&self) -> Result<Row, String> {
        let rtt = Duration::from_millis(self.rtt);
        let reordered = self.carry(Impairment {
            reorder: 0.1,
            reorder_delay: rtt / 4,
            ..Impairment::default()
        })?;
        let straight = self.carry(Impairment::default())?;
        let mut row = Row::new(self.label());
        row.push("goodput", reordered.goodput);
        row.push("without", straight.goodput);
        row.push("window", reordered.window);
        row.push("peak", reordered.peak);
        row.push("fast", reordered.fast);
        row.push("spurious", reordered.spurious);
        row.push("cuts", reordered.cuts.made as f64);
        row.push("undone", reordered.cuts.undone as f64);
        Ok(row)
    }

    /// The windows of the ends are twice what the path holds: nothing is lost.
    fn carry(&self, impairment: Impairment) -> Result<Carried, String> {
        let bdp = (RATE / 8 * self.rtt / 1000) as usize;
        let path = Path {
            rate: RATE,
            queue: 1 << 16,
            impairment,
            algorithm: self.algorithm,
            jitter: Duration::ZERO,
            buffer: 2 * bdp + 20 * PACKET as usize,
            seed: 1,
        };
        let plan = Plan {
            rtt: Duration::from_millis(self.rtt),
            start: Instant::from_millis(1),
            octets: None,
        };
        let mut network = Network::new(&path, &[plan]);
        let mut cuts = Cuts::default();
        largest_window(&mut network, Instant::ZERO + plan.rtt * 50, &mut cuts);
        let (start, before) = (network.now(), network.flows[0].read);
        let peak = largest_window(&mut network, start + plan.rtt * 200, &mut cuts);
        let time = (network.now() - start).as_secs_f64();
        let goodput = (network.flows[0].read - before) as f64 * 8.0 / time;
        // What was cut needlessly may not be known as such for a round trip or two.
        let end = network.now() + plan.rtt * 10;
        let window = largest_window(&mut network, end, &mut cuts);
        let end = network.now() + plan.rtt * 10;
        network.run(end, |network| {
            cuts.note(network);
            !cuts.is_open()
        });
        let info = network.flows[0].info().ok_or("the connection is gone")?;
        Ok(Carried {
            goodput,
            window: window.into(),
            peak: peak.into(),
            fast: info.tally.fast_retransmissions.into(),
            spurious: info.tally.spurious.into(),
            cuts,
        })
    }
}

/// The largest congestion window of the first flow until `end`, outside of recovery, in which
/// it is another that counts. `cuts` are those until then.
fn largest_window(network: &mut Network, end: Instant, cuts: &mut Cuts) -> u32 {
    let mut largest = 0;
    network.run(end, |network| {
        cuts.note(network);
        if let Some(info) = network.flows[0].info()
            && !matches!(info.phase, Phase::Recovery | Phase::Loss)
        {
            largest = largest.max(info.cwnd);
        }
        false
    });
    largest
}

struct Carried {
    goodput: f64,
    /// The largest congestion window of the last round trips, and of all.
    window: f64,
    peak: f64,
    fast: f64,
    /// Episodes of recovery that were needless: also those that ended before they had cut
    /// anything.
    spurious: f64,
    cuts: Cuts,
}
