//! How often a sender has cut its window, and which of those cuts it has taken back.

use zerotcp::tcp::{Info, Phase};

use crate::network::Network;

/// Looks at a sender after everything that happens to it.
#[derive(Default)]
pub struct Cuts {
    pub made: u64,
    pub undone: u64,
    last: Option<Info>,
    /// The window before the cuts of the last episode, and how many those are.
    open: Option<(u32, u64)>,
}

impl Cuts {
    /// Whether it may still turn out that the last ones were needless.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Looks at the first flow.
    pub fn note(&mut self, network: &Network) {
        let Some(info) = network.flows[0].info() else {
            return;
        };
        let Some(last) = self.last.replace(info.clone()) else {
            return;
        };
        let begins = is_calm(&last) && !is_calm(&info);
        // A probe has repaired a loss: a cut without an episode (RFC 8985 section 7.4.2).
        let alone = is_calm(&last) && is_calm(&info) && info.cwnd < last.cwnd;
        // A retransmission was lost, or the timer has expired as well.
        let again = !is_calm(&last) && !is_calm(&info) && info.ssthresh < last.ssthresh;
        if begins || alone {
            self.open = Some((last.cwnd, 0));
        }
        if begins || alone || again {
            self.made += 1;
            if let Some((_, count)) = &mut self.open {
                *count += 1;
            }
        }
        if last.tally.spurious < info.tally.spurious
            && is_calm(&info)
            && let Some((_, count)) = self.open.take_if(|(window, _)| *window <= info.cwnd)
        {
            self.undone += count;
        }
    }
}

/// The congestion window is what it says: in recovery it is what may be in flight for now.
fn is_calm(info: &Info) -> bool {
    !matches!(info.phase, Phase::Recovery | Phase::Loss)
}
