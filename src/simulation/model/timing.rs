//! How long the retransmission timer runs (RFC 6298), and that what it runs by was measured.

use core::time::Duration;

use crate::simulation::broken::{Broken, ensure};
use crate::tcp::Config;
use crate::tcp::audit::View;
use crate::time::Instant;

/// Timestamps tell a round trip to a millisecond (RFC 7323 section 4.1).
const GRAIN: Duration = Duration::from_millis(1);

/// The timer as it was last seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timing {
    due: Option<Instant>,
}

impl Timing {
    /// Sections 2 and 5: whenever it is set, it is to one RTO from now.
    pub(super) fn check(
        &mut self,
        now: Instant,
        view: &View,
        config: &Config,
    ) -> Result<(), Broken> {
        let before = core::mem::replace(&mut self.due, view.retransmit);
        let Some(due) = view.retransmit.filter(|_| before != view.retransmit) else {
            return Ok(());
        };
        let times = 1 << view.backoff.min(16);
        let of = |timeout: Duration| timeout.saturating_mul(times).min(config.max_rto);
        let timeouts = match view.rttvar {
            // Section 5.7: three seconds at least after a SYN was lost.
            None => {
                let careful = config.initial_rto.max(Duration::from_secs(3));
                [config.initial_rto, careful]
            }
            Some(rttvar) => [view.srtt + (rttvar * 4).max(config.min_rto); 2],
        };
        let timeouts = timeouts.map(|timeout| of(timeout.max(config.min_rto)));
        ensure!(
            timeouts.contains(&due.saturating_duration_since(now)),
            "at {now} the retransmission timer is set to {due}, and the timeout is {timeouts:?}, by a \
             SRTT of {:?}, an RTTVAR of {:?} and {} backoffs",
            view.srtt,
            view.rttvar,
            view.backoff
        );
        Ok(())
    }
}

/// SRTT and RTTVAR have moved towards what was measured: of what has arrived now, the last was sent
/// `least` ago and the first `most`.
pub(super) fn check_measured(
    before: &View,
    after: &View,
    (least, most): (Duration, Duration),
) -> Result<(), Broken> {
    // A timestamp that is echoed may be of any later segment, without text as well.
    let least = match after.timestamps {
        true => Duration::ZERO,
        false => least,
    };
    let most = most + GRAIN;
    let old = before.srtt;
    let (low, high) = match before.rttvar {
        None => (least, most),
        Some(_) => (least.min(old), most.max(old)),
    };
    ensure!(
        after.srtt == old || (low <= after.srtt && after.srtt <= high),
        "SRTT goes from {old:?} to {:?}, and {least:?} to {most:?} ago was sent what has arrived",
        after.srtt
    );
    let far = (high - low)
        .max(after.srtt / 2)
        .max(before.rttvar.unwrap_or_default());
    ensure!(
        after.rttvar.is_none_or(|rttvar| rttvar <= far),
        "RTTVAR goes from {:?} to {:?}, and no measurement is further than {far:?} from SRTT",
        before.rttvar,
        after.rttvar
    );
    Ok(())
}
