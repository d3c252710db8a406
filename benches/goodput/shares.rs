//! Several flows through one bottleneck: who gets how much.

use std::time::Duration;

use zerotcp::device::Impairment;
use zerotcp::tcp::congestion::Algorithm;
use zerotcp::time::Instant;

use crate::grid::{ALGORITHMS, name};
use crate::network::{MSS, Network, PACKET, Path, Plan};
use crate::table::Row;

/// Bits a second.
const RATE: u64 = 100_000_000;
/// What a packet takes on the line. Where nothing is left to chance a queue that overflows hits the
/// same flow again and again; a random time of so much ends that (Floyd and Jacobson, "On Traffic
/// Phase Effects in Packet-Switched Gateways", 1992).
const JITTER: Duration = Duration::from_nanos(PACKET as u64 * 8 * 1_000_000_000 / RATE);
/// Between two flows that begin.
const APART: Duration = Duration::from_millis(100);
/// Before anything counts, and how long it counts for: some thirty of CUBIC's sawteeth, of nine
/// seconds each.
const WARM_UP: Duration = Duration::from_secs(60);
const TIME: Duration = Duration::from_secs(240);

/// Flows with the same algorithm.
#[derive(Clone, Debug)]
pub struct Share {
    pub algorithm: Algorithm,
    /// The round-trip time of each, in milliseconds.
    pub rtts: Vec<u64>,
}

impl Share {
    pub fn all() -> Vec<Share> {
        let equal = [2, 4, 16].map(|count| vec![50; count]);
        let unequal = [vec![20, 40], vec![20, 80]];
        let mut shares = Vec::new();
        for algorithm in ALGORITHMS {
            for rtts in equal.iter().chain(&unequal) {
                let rtts = rtts.clone();
                shares.push(Share { algorithm, rtts });
            }
        }
        shares
    }

    pub fn label(&self) -> String {
        let (first, count) = (self.rtts[0], self.rtts.len());
        let flows = match self.is_equal() {
            true => format!("{count}x{first}ms"),
            false => format!("{first}ms+{}ms", self.rtts[1]),
        };
        format!("share/{}/{flows}", name(self.algorithm))
    }

    fn is_equal(&self) -> bool {
        self.rtts.iter().all(|rtt| *rtt == self.rtts[0])
    }

    pub fn run(&self) -> Result<Row, String> {
        let longest = self.rtts.iter().max().copied().unwrap_or_default();
        let bdp = RATE as usize / 8 * longest as usize / 1000;
        let path = Path {
            rate: RATE,
            queue: bdp.div_ceil(PACKET as usize),
            impairment: Impairment::default(),
            algorithm: self.algorithm,
            jitter: JITTER,
            buffer: 4 * bdp,
            seed: 1,
        };
        let plans = self.rtts.iter().zip(0..).map(|(rtt, number)| Plan {
            rtt: Duration::from_millis(*rtt),
            start: Instant::from_millis(1) + APART * number,
            octets: None,
        });
        let mut network = Network::new(&path, &plans.collect::<Vec<_>>());
        let read = |network: &Network| -> Vec<u64> {
            network.flows.iter().map(|flow| flow.read).collect()
        };
        network.run(Instant::ZERO + WARM_UP, |_| false);
        let (start, before) = (network.now(), read(&network));
        network.run(start + TIME, |_| false);
        let time = (network.now() - start).as_secs_f64();
        let after = read(&network);
        let carried = after.iter().zip(&before);
        let rates = carried.map(|(after, before)| (after - before) as f64 * 8.0 / time);
        let rates: Vec<f64> = rates.collect();
        let sum: f64 = rates.iter().sum();
        let squares: f64 = rates.iter().map(|rate| rate * rate).sum();

        let mut row = Row::new(self.label());
        row.push("goodput", sum);
        row.push("link", RATE as f64 * f64::from(MSS) / f64::from(PACKET));
        // Jain, Chiu and Hawe, 1984: 1 where all get the same, 1/n where one gets all.
        row.push("jain_10000", sum * sum / squares / rates.len() as f64 * 1e4);
        row.push("least", rates.iter().copied().fold(f64::INFINITY, f64::min));
        row.push("most", rates.iter().copied().fold(0.0, f64::max));
        if !self.is_equal() {
            row.push("first_by_last_1000", rates[0] / rates[1] * 1e3);
        }
        Ok(row)
    }
}
