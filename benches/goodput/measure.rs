//! What a flow carries once it is under way.

use std::time::Duration;

use zerotcp::tcp::Phase;
use zerotcp::time::Instant;

use crate::cuts::Cuts;
use crate::network::{MSS, Network};

/// Losses before which nothing counts, and in each of so many batches.
const WARM_UP_LOSSES: u64 = 40;
const BATCHES: usize = 20;

/// A figure in bits of text a second.
pub struct Goodput {
    pub rate: f64,
    /// The standard error of its mean, by batches; zero where there are none.
    pub error: f64,
    /// How long it was measured, in seconds.
    pub time: f64,
    /// How often the window was cut in that time, where losses are random.
    pub cuts: u64,
}

/// Where a measurement stands.
#[derive(Clone, Copy)]
struct Mark {
    now: Instant,
    read: u64,
}

impl Mark {
    fn of(network: &Network) -> Mark {
        Mark {
            now: network.now(),
            read: network.flows.iter().map(|flow| flow.read).sum(),
        }
    }

    fn rate_to(self, end: Mark) -> f64 {
        (end.read - self.read) as f64 * 8.0 / (end.now - self.now).as_secs_f64()
    }
}

/// Under random losses: after the warm-up for `losses` of them.
pub fn lossy(network: &mut Network, losses: u64) -> Result<Goodput, String> {
    let lost = |network: &Network| network.bottleneck.counters().lost;
    let mut until = WARM_UP_LOSSES;
    run(network, |network| lost(network) >= until)?;
    let start = Mark::of(network);
    let mut cuts = Cuts::default();
    let (mut rates, mut from) = (Vec::new(), start);
    for _ in 0..BATCHES {
        until += losses / BATCHES as u64;
        run(network, |network| {
            cuts.note(network);
            lost(network) >= until
        })?;
        let to = Mark::of(network);
        rates.push(from.rate_to(to));
        from = to;
    }
    let mean = rates.iter().sum::<f64>() / BATCHES as f64;
    let squares = rates.iter().map(|rate| (rate - mean) * (rate - mean));
    let variance = squares.sum::<f64>() / (BATCHES - 1) as f64;
    Ok(Goodput {
        rate: start.rate_to(from),
        error: (variance / BATCHES as f64).sqrt(),
        time: (from.now - start.now).as_secs_f64(),
        cuts: cuts.made,
    })
}

/// Without random losses: from a round trip `rtt` after the first recovery, which ends slow start,
/// if nothing else has been lost by then, for so many packets and so much time at least. Where
/// nothing is lost within `patience`, from then.
pub fn lossless(
    network: &mut Network,
    rtt: Duration,
    patience: Duration,
    packets: u64,
    time: Duration,
) -> Result<Goodput, String> {
    let end = network.now() + patience;
    // When the recovery ended that was last. In one, what has arrived waits behind what has not.
    let mut recovered = None;
    run(network, |network| {
        let (now, phase) = (
            network.now(),
            network.flows[0].info().map(|info| info.phase),
        );
        let recovers = matches!(phase, Some(Phase::Recovery | Phase::Loss));
        if recovers {
            recovered = Some(now);
        }
        recovered.is_some_and(|then| then + rtt <= now) || now >= end
    })?;
    let start = Mark::of(network);
    let octets = packets * u64::from(MSS);
    run(network, |network| {
        let mark = Mark::of(network);
        mark.read - start.read >= octets && mark.now - start.now >= time
    })?;
    let mark = Mark::of(network);
    Ok(Goodput {
        rate: start.rate_to(mark),
        error: 0.0,
        time: (mark.now - start.now).as_secs_f64(),
        cuts: 0,
    })
}

fn run(network: &mut Network, done: impl FnMut(&Network) -> bool) -> Result<(), String> {
    // A flow that stands still would go on for ever.
    let end = network.now() + Duration::from_secs(100_000);
    match network.run(end, done) {
        true => Ok(()),
        false => Err(format!("stuck at {}", network.now())),
    }
}
