//! What holds of fragments.

use super::{Datagram, Fragments};
use crate::stack::config::Config;
use crate::tcp::audit::hold;

impl Fragments {
    /// What holds between any two calls.
    pub(in crate::stack) fn audit(&self, config: &Config) -> Result<(), String> {
        let (bytes, limit) = (self.bytes, config.max_fragments_bytes);
        hold!(
            bytes <= limit,
            "fragments take {bytes} bytes, at most {limit} allowed"
        );
        let counted: usize = self.datagrams.values().map(Datagram::cost).sum();
        hold!(
            bytes == counted,
            "fragments take {counted} bytes, and are counted as {bytes}"
        );
        let (count, by_age) = (self.datagrams.len(), self.by_age.len());
        hold!(
            count == by_age,
            "{count} datagrams in pieces, {by_age} by age"
        );
        for (key, datagram) in &self.datagrams {
            hold!(
                self.by_age.contains(&(datagram.deadline, *key)),
                "{key:?}: in pieces, and not to be found by age"
            );
            let received: usize = datagram.pieces.values().map(|piece| piece.len()).sum();
            hold!(
                received == datagram.received && !datagram.is_complete(),
                "{key:?}: {received} octets have come, {} are counted, of {:?}",
                datagram.received,
                datagram.total
            );
        }
        let held: usize = self.held.values().sum();
        hold!(
            held == bytes && self.by_held.len() == self.held.len(),
            "all sources take {held} bytes, not {bytes}: {} of them, {} by what they take",
            self.held.len(),
            self.by_held.len()
        );
        for (src, held) in &self.held {
            let count = self.of_source(*src).count();
            let most = config.max_fragmented_per_source.max(1);
            hold!(
                count <= most && self.by_held.contains(&(*held, *src)),
                "{src}: {count} datagrams in pieces, at most {most} allowed"
            );
        }
        Ok(())
    }
}
