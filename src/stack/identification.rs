use std::net::Ipv4Addr;

use siphasher::sip::SipHasher13;

/// The identification of packets that may be fragmented (RFC 6864 section 4.2): each number
/// comes again for the same source, destination and protocol after all others have.
///
/// One counter for all would tell each peer how much goes to the others, so there are many,
/// and which one counts, and from where, depends on a secret (RFC 7739 section 5.3, what it
/// has for IPv6). Packets that are not fragmented, those with DF, carry 0.
pub(super) struct Identification {
    key: [u8; 16],
    counters: Box<[u16; COUNTERS]>,
}

const COUNTERS: usize = 256;

impl Identification {
    pub(super) fn new(key: [u8; 16]) -> Identification {
        Identification {
            key,
            counters: Box::new([0; COUNTERS]),
        }
    }

    /// The next one, never 0.
    pub(super) fn next(&mut self, src: Ipv4Addr, dst: Ipv4Addr, protocol: u8) -> u16 {
        let mut bytes = [protocol; 9];
        bytes[..4].copy_from_slice(&src.octets());
        bytes[4..8].copy_from_slice(&dst.octets());
        let hash = SipHasher13::new_with_key(&self.key).hash(&bytes);
        let counter = &mut self.counters[hash as usize % COUNTERS];
        // The half that does not choose the counter.
        let offset = (hash >> 32) as u16;
        loop {
            *counter = counter.wrapping_add(1);
            let number = counter.wrapping_add(offset);
            if number != 0 {
                return number;
            }
        }
    }
}

/// The key stays out of logs.
impl core::fmt::Debug for Identification {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Identification")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_come_again_only_after_all_others() {
        let mut identification = Identification::new([7; 16]);
        let (us, peer) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let mut next = || identification.next(us, peer, 1);
        let all: BTreeSet<u16> = (0..65_535).map(|_| next()).collect();
        assert_eq!(all.len(), 65_535);
        assert!(!all.contains(&0));
        assert!(all.contains(&next()));
        let mut other = Identification::new([8; 16]);
        let first = [other.next(us, peer, 1), other.next(peer, us, 1)];
        assert_ne!(first, [identification.next(us, peer, 1); 2]);
        assert_ne!(first[0], first[1]);
    }
}
