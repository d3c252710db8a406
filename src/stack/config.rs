use core::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::Ipv4Addr;
use std::time::Duration;

use siphasher::sip::SipHasher24;

use super::network::{Network, is_unicast};
use crate::tcp;

/// How a [`Stack`](super::Stack) is set up: made by [`new`](Config::new) or
/// [`seeded`](Config::seeded), then changed field by field.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The host's own addresses. Packets to others are dropped; the first one is the
    /// source of active opens.
    pub addresses: Vec<Ipv4Addr>,
    /// The networks that the host is on, as far as they are known: their broadcast
    /// addresses are no sender's, and nobody to connect to. None.
    pub networks: Vec<Network>,
    /// The largest packet to send and to expect, in bytes, at least 68 (RFC 791
    /// section 3.2). 1500.
    pub mtu: u16,
    /// Time to live of what is sent, in hops (MUST-49). 64.
    pub ttl: u8,
    /// How many bytes fragments may take whose datagrams are incomplete, about: what is kept
    /// with them is counted too. When it gets too much, the source that takes the most loses
    /// its oldest datagram. 4 MiB; for datagrams of 576 bytes (RFC 1122 section 3.3.2)
    /// 2 KiB have to be there.
    pub max_fragments_bytes: usize,
    /// How many incomplete datagrams are kept of one source; beyond that the oldest makes
    /// room. 64.
    pub max_fragmented_per_source: usize,
    /// How long fragments wait for the rest of their datagram, from the first one on. 60 s
    /// (RFC 1122 section 3.3.2: between 60 and 120).
    pub fragment_timeout: Duration,
    /// How many ICMP errors are sent in a second, on average; 0 for none. 100.
    pub icmp_rate: u32,
    /// How many ICMP errors may be sent in a row. 50.
    pub icmp_burst: u32,
    /// For how many destinations a path MTU below our own is remembered. 1024.
    pub max_path_mtus: usize,
    /// All randomness comes from here: initial sequence numbers (RFC 6528), ports, the
    /// hash of the table. Who knows it can guess them.
    pub secret: [u8; 16],
    /// How many connections there may be at once, in whatever state. 1,048,576.
    ///
    /// Half-open ones of listeners don't count.
    pub max_connections: usize,
    /// How many connections may be half-open at once: a peer's SYN was answered, and its
    /// acknowledgment is awaited (RFC 4987). Each costs some 180 bytes. 4096.
    ///
    /// With 0 every SYN is answered with a cookie; where these are off, there are no passive
    /// opens then.
    pub max_half_open: usize,
    /// Whether SYNs beyond [`max_half_open`](Config::max_half_open) are answered with cookies
    /// (RFC 4987 section 3.6), for which nothing is kept; else the oldest of the half-open
    /// connections makes room. On.
    ///
    /// A connection that comes of a cookie has a segment size of a short list, not above the
    /// peer's. Window scaling, SACK and ECN it has if its peer sends timestamps.
    pub syn_cookies: bool,
    /// How many connections may be in TIME-WAIT at once; beyond that the oldest leaves it
    /// early. 65,536.
    pub max_time_wait: usize,
    /// How many connections without user may be busy with their end at once, those in
    /// TIME-WAIT not counted; of more, the oldest is aborted. 65,536. Each holds what it has
    /// still to deliver, for [`orphan_timeout`](tcp::Config::orphan_timeout) at most.
    pub max_orphans: usize,
    /// Whether each change of a connection's state becomes an
    /// [`Event::State`](super::Event::State). Off.
    pub report_states: bool,
    /// The numbers by which each connection is run.
    pub tcp: tcp::Config,
}

/// The secret stays out of logs (RFC 6528 section 3).
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config {
            addresses,
            networks,
            mtu,
            ttl,
            max_fragments_bytes,
            max_fragmented_per_source,
            fragment_timeout,
            icmp_rate,
            icmp_burst,
            max_path_mtus,
            secret: _,
            max_connections,
            max_half_open,
            syn_cookies,
            max_time_wait,
            max_orphans,
            report_states,
            tcp,
        } = self;
        f.debug_struct("Config")
            .field("addresses", addresses)
            .field("networks", networks)
            .field("mtu", mtu)
            .field("ttl", ttl)
            .field("max_fragments_bytes", max_fragments_bytes)
            .field("max_fragmented_per_source", max_fragmented_per_source)
            .field("fragment_timeout", fragment_timeout)
            .field("icmp_rate", icmp_rate)
            .field("icmp_burst", icmp_burst)
            .field("max_path_mtus", max_path_mtus)
            .field("max_connections", max_connections)
            .field("max_half_open", max_half_open)
            .field("syn_cookies", syn_cookies)
            .field("max_time_wait", max_time_wait)
            .field("max_orphans", max_orphans)
            .field("report_states", report_states)
            .field("tcp", tcp)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// A host with one address, its secret from the operating system's randomness.
    pub fn new(address: Ipv4Addr) -> Config {
        // Each RandomState has keys of its own, from the operating system.
        let word = || RandomState::new().build_hasher().finish().to_le_bytes();
        let mut secret = [0; 16];
        secret[..8].copy_from_slice(&word());
        secret[8..].copy_from_slice(&word());
        Config::with_secret(address, secret)
    }

    /// A host whose every choice follows from `seed`: for simulations and tests.
    pub fn seeded(address: Ipv4Addr, seed: u64) -> Config {
        let mut secret = [0; 16];
        secret[..8].copy_from_slice(&seed.to_le_bytes());
        Config::with_secret(address, secret)
    }

    fn with_secret(address: Ipv4Addr, secret: [u8; 16]) -> Config {
        Config {
            addresses: vec![address],
            networks: Vec::new(),
            mtu: 1500,
            ttl: 64,
            max_fragments_bytes: 4 << 20,
            max_fragmented_per_source: 64,
            fragment_timeout: Duration::from_secs(60),
            icmp_rate: 100,
            icmp_burst: 50,
            max_path_mtus: 1024,
            secret,
            max_connections: 1 << 20,
            max_half_open: 4096,
            syn_cookies: true,
            max_time_wait: 1 << 16,
            max_orphans: 1 << 16,
            report_states: false,
            tcp: tcp::Config::default(),
        }
    }

    /// A key for one purpose, from which the secret and other keys don't follow.
    pub(super) fn derive_key(&self, purpose: &[u8]) -> [u8; 16] {
        let mut key = [0; 16];
        for (part, half) in key.chunks_exact_mut(8).enumerate() {
            let mut hasher = SipHasher24::new_with_key(&self.secret);
            hasher.write(purpose);
            hasher.write_u8(part as u8);
            half.copy_from_slice(&hasher.finish().to_le_bytes());
        }
        key
    }

    /// Whether `address` can be that of another host: what packets come from and
    /// connections go to (RFC 1122 section 3.2.1.3, MUST-46, MUST-63). Not our own either: a
    /// packet from there is a LAND attack.
    #[inline]
    pub(super) fn is_peer(&self, address: Ipv4Addr) -> bool {
        is_unicast(address)
            && !self.addresses.contains(&address)
            && !self
                .networks
                .iter()
                .any(|network| network.is_broadcast(address))
    }

    /// What fits a segment of a packet of the MTU, in octets of text: the MSS to
    /// announce (RFC 9293 section 3.7.1).
    pub(super) fn mss(&self) -> u16 {
        // A smaller MTU than IPv4 allows is taken as the smallest.
        self.mtu.max(68) - 40
    }
}
