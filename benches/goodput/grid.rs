//! One flow over paths of all kinds.

use std::time::Duration;

use zerotcp::device::Impairment;
use zerotcp::tcp::congestion::Algorithm;
use zerotcp::time::Instant;

use crate::measure;
use crate::model;
use crate::network::{MSS, Network, PACKET, Path, Plan};
use crate::table::Row;

pub const ALGORITHMS: [Algorithm; 2] = [Algorithm::NewReno, Algorithm::Cubic];
/// Milliseconds.
pub const RTTS: [u64; 4] = [1, 10, 50, 200];
/// Mbit/s.
pub const RATES: [u64; 3] = [10, 100, 1000];
/// In thousandths.
pub const LOSSES: [u32; 5] = [0, 1, 10, 30, 100];
/// In tenths of the path's bandwidth-delay product, rounded up to whole packets.
pub const QUEUES: [u32; 3] = [2, 10, 40];

/// Without losses, how many packets and round trips are measured at least, and for how many the
/// first loss is waited for.
const PACKETS: u64 = 200_000;
const ROUNDS: u32 = 25;
const PATIENCE: u32 = 100;

/// By how many draws chance is computed.
const DRAWS: u64 = 4_000_000;

/// With losses, how many: rare ones take many packets.
const fn losses(loss: u32) -> u64 {
    match loss {
        0 => 0,
        1 => 400,
        _ => 1000,
    }
}

/// A path and who uses it.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub algorithm: Algorithm,
    pub rtt: u64,
    pub rate: u64,
    pub loss: u32,
    pub queue: u32,
}

pub fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Cubic => "cubic",
        _ => "newreno",
    }
}

impl Cell {
    pub fn all() -> Vec<Cell> {
        let mut cells = Vec::new();
        for algorithm in ALGORITHMS {
            for queue in QUEUES {
                for rtt in RTTS {
                    for loss in LOSSES {
                        cells.extend(RATES.map(|rate| Cell {
                            algorithm,
                            rtt,
                            rate,
                            loss,
                            queue,
                        }));
                    }
                }
            }
        }
        cells
    }

    pub fn label(&self) -> String {
        let Cell {
            rtt, rate, loss, ..
        } = self;
        let (whole, part) = (self.queue / 10, self.queue % 10);
        format!(
            "{}/{rtt}ms/{rate}mbit/loss{}.{}%/queue{whole}.{part}",
            name(self.algorithm),
            loss / 10,
            loss % 10
        )
    }

    /// About how many packets it takes.
    pub fn weight(&self) -> u64 {
        match self.loss {
            0 => PACKETS + self.bdp() as u64 * (55 + 4 * u64::from(self.queue)),
            loss => losses(loss) * 1000 / u64::from(loss),
        }
    }

    /// Other losses for each path, and the same for each algorithm.
    fn seed(&self) -> u64 {
        let queue = u64::from(self.queue);
        ((self.rtt * 10_000 + self.rate) * 1000 + u64::from(self.loss)) * 100 + queue
    }

    fn rtt(&self) -> Duration {
        Duration::from_millis(self.rtt)
    }

    /// Bits a second.
    fn bits(&self) -> f64 {
        self.rate as f64 * 1e6
    }

    /// How many packets are under way on a path that is full, its queue empty.
    fn bdp(&self) -> f64 {
        self.bits() * self.rtt().as_secs_f64() / 8.0 / f64::from(PACKET)
    }

    fn queue(&self) -> f64 {
        (self.bdp() * f64::from(self.queue) / 10.0).ceil()
    }

    /// What the link carries of text, in bits a second.
    pub fn link(&self) -> f64 {
        self.bits() * f64::from(MSS) / f64::from(PACKET)
    }

    fn loss(&self) -> f64 {
        f64::from(self.loss) / 1000.0
    }

    /// The round-trip time of a packet that does not wait, in seconds: with its own time on
    /// the line.
    fn round(&self) -> f64 {
        self.rtt().as_secs_f64() + f64::from(PACKET) * 8.0 / self.bits()
    }

    /// What `window` packets a round trip are in bits of text a second; nothing without losses.
    fn of_packets(&self, window: impl Fn(Algorithm, f64, f64) -> f64) -> Option<f64> {
        let round = self.round();
        (self.loss > 0).then(|| {
            let packets = window(self.algorithm, self.loss(), round);
            packets * f64::from(MSS) * 8.0 / round
        })
    }

    pub fn run(&self) -> Result<Row, String> {
        let octets = (self.bdp() + self.queue()) * f64::from(PACKET);
        let path = Path {
            rate: self.rate * 1_000_000,
            queue: self.queue() as usize,
            impairment: Impairment {
                loss: self.loss(),
                ..Impairment::default()
            },
            algorithm: self.algorithm,
            jitter: Duration::ZERO,
            // Slow start goes to twice what there is room for.
            buffer: 2 * octets as usize + (1 << 20),
            seed: self.seed(),
        };
        let plan = Plan {
            rtt: self.rtt(),
            start: Instant::from_millis(1),
            octets: None,
        };
        let mut network = Network::new(&path, &[plan]);
        let goodput = match self.loss {
            0 => {
                let rtt = self.rtt();
                measure::lossless(&mut network, rtt, rtt * PATIENCE, PACKETS, rtt * ROUNDS)?
            }
            loss => measure::lossy(&mut network, losses(loss))?,
        };
        let info = network.flows[0].info().ok_or("the connection is gone")?;
        // With its own packet on the line.
        let bdp = self.bdp() + 1.0;
        let share = model::sawtooth(
            self.algorithm,
            bdp,
            self.queue(),
            self.round(),
            goodput.time,
        );
        let most = share * self.link();
        let model = self.of_packets(model::window);
        let mathis = self.of_packets(|_, loss, _| model::mathis(loss) * (1.0 - loss));
        let repaired = self.of_packets(|_, loss, _| model::repaired(loss) * (1.0 - loss));
        let chance = match self.loss {
            0 => 0.0,
            _ => {
                let (queue, round, loss) = (self.queue(), self.round(), self.loss());
                self.link() * model::chance(self.algorithm, bdp, queue, round, loss, DRAWS)
            }
        };
        let mut row = Row::new(self.label());
        row.push("goodput", goodput.rate);
        row.push("predicted", model.map_or(most, |model| model.min(most)));
        row.push("link", self.link());
        row.push("room", most);
        row.push("model", model.unwrap_or(0.0));
        row.push("mathis", mathis.unwrap_or(0.0));
        row.push("repaired", repaired.unwrap_or(0.0));
        row.push("chance", chance);
        row.push("error", goodput.error);
        row.push("time_ms", goodput.time * 1e3);
        row.push("rto_ms", info.rto.as_secs_f64() * 1e3);
        row.push("losses", losses(self.loss) as f64);
        row.push("cuts", goodput.cuts as f64);
        row.push("fast", info.tally.fast_retransmissions.into());
        row.push("timeout", info.tally.timeout_retransmissions.into());
        row.push("probes", info.tally.tail_probes.into());
        row.push("mss", info.send_mss.into());
        Ok(row)
    }
}
