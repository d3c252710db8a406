//! What a connection knows of the path to its peer: what ICMP says of its segments, and
//! how large they may be (RFC 1191, RFC 4821, RFC 5927).
//!
//! Anyone can send an ICMP error, so one is believed only as far as it costs nothing to
//! believe it. It has to quote a segment that is in flight. That the path takes only
//! smaller packets is believed at once as long as none larger was ever acknowledged: this
//! is how a path's MTU is found, in one round trip. What contradicts experience, that
//! a path which took larger packets takes them no more, or that the peer is not there though
//! it has answered, is remembered; an acknowledgment of the quoted octet forgets it, and
//! the retransmission timer, with which the connection itself says that nothing gets
//! through, proves it: of an MTU once, of a peer that is gone as often as R1 says.

use core::fmt;

use super::config::Config;
use super::syn::DEFAULT_MSS;
use crate::time::Instant;
use crate::wire::SeqNumber;

/// What the network reports of a connection that goes on nevertheless: of an ICMP error that
/// may pass (RFC 9293 section 3.9.2.2, MUST-47).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SoftError {
    /// A router knows no way to the peer's network.
    NetUnreachable,
    /// A router does not reach the peer.
    HostUnreachable,
    /// The peer does not speak TCP. On a connection that spoke already it is not believed.
    ProtocolUnreachable,
    /// The peer's port takes nothing. On a connection that spoke already it is not believed.
    PortUnreachable,
    /// Fragmentation was needed and not allowed, beyond what path MTU discovery has settled.
    FragmentationNeeded,
    /// A source route failed.
    SourceRouteFailed,
    /// Communication is prohibited on the way, or by the peer.
    Prohibited,
    /// The time to live ran out on the way, or that for reassembly at the peer.
    TimeExceeded,
    /// The IP header was not understood.
    ParameterProblem,
}

impl fmt::Display for SoftError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SoftError::NetUnreachable => "network unreachable",
            SoftError::HostUnreachable => "host unreachable",
            SoftError::ProtocolUnreachable => "protocol unreachable",
            SoftError::PortUnreachable => "port unreachable",
            SoftError::FragmentationNeeded => "fragmentation needed",
            SoftError::SourceRouteFailed => "source route failed",
            SoftError::Prohibited => "communication prohibited",
            SoftError::TimeExceeded => "time exceeded",
            SoftError::ParameterProblem => "parameter problem",
        })
    }
}

/// What an ICMP error says of a segment of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It did not get to the peer.
    Undelivered(SoftError),
    /// It was too large and must not be fragmented.
    TooBig {
        /// The largest packet that goes further, in bytes; 0 from a router that does not
        /// say (RFC 1191 section 4).
        next_hop_mtu: u16,
        /// The total length of the packet that did not get through, as quoted.
        quoted_len: u16,
    },
}

/// The largest packet that a path takes, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathEstimate {
    /// In bytes, headers included.
    pub mtu: u16,
    /// When it is worth trying larger ones again (RFC 1191 section 6.3).
    pub until: Instant,
}

/// What every IPv4 network takes (RFC 791 section 3.2), in bytes.
pub(super) const MIN_MTU: u16 = 68;
/// IPv4 and TCP headers without options, in bytes.
pub(super) const HEADERS: u16 = 40;

/// The path of one connection. All sizes are of packets, in bytes.
#[derive(Debug)]
pub(super) struct Path {
    /// What ICMP or a black hole has taught; [`u16::MAX`] where nothing has.
    pub(super) mtu: u16,
    /// What peer and link allow: the most text for a segment.
    pub(super) ceiling: u16,
    /// The largest packet sent since the estimate changed (`maxsizesent` of RFC 5927
    /// section 7.2).
    pub(super) largest_sent: u16,
    /// The largest packet that arrived (`maxsizeacked`).
    pub(super) largest_acked: u16,
    /// Where one ends that is larger than that, and its size.
    pub(super) sizing: Option<(SeqNumber, u16)>,
    /// What was told and is not believed yet.
    pub(super) claim: Option<Claim>,
    /// When larger packets are tried again.
    pub(super) raise_at: Instant,
    pub(super) suspicion: Suspicion,
}

/// Whether packets became smaller because larger ones did not get through, with nobody to say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspicion {
    None,
    /// Yes; whether these get through is not known yet.
    Fresh,
    /// Yes, though packets as large had got through. With the first answer this MTU is believed
    /// again.
    Trial(u16),
    /// That has happened, and nothing larger than this has arrived since.
    Doubt(u16),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    /// Of the segment that it is about.
    pub(super) seq: SeqNumber,
    pub(super) told: Told,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    /// The path takes packets of that many bytes.
    Mtu(u16),
    /// The peer is not there.
    Unreachable,
}

impl Path {
    pub(super) const fn new() -> Path {
        Path {
            mtu: u16::MAX,
            ceiling: DEFAULT_MSS,
            largest_sent: MIN_MTU,
            largest_acked: MIN_MTU,
            sizing: None,
            claim: None,
            raise_at: Instant::FAR_FUTURE,
            suspicion: Suspicion::None,
        }
    }

    /// The most text for a segment.
    pub(super) fn mss(&self, config: &Config) -> u16 {
        let mtu = self.mtu.max(config.min_path_mtu.max(MIN_MTU));
        self.ceiling.min(mtu - HEADERS)
    }

    /// The largest packet that goes out.
    pub(super) fn packet_limit(&self) -> u16 {
        self.mtu.min(self.ceiling.saturating_add(HEADERS))
    }

    /// Whether routers must not fragment (RFC 1191 section 3). Where a path takes less than
    /// we are willing to send, they have to.
    pub(super) fn forbids_fragments(&self, config: &Config) -> bool {
        self.mtu >= config.min_path_mtu
    }

    pub(super) fn set(&mut self, mtu: u16, raise_at: Instant) {
        self.mtu = mtu;
        self.raise_at = raise_at;
        self.largest_sent = MIN_MTU;
        self.sizing = None;
        self.claim = None;
        self.suspicion = Suspicion::None;
    }
}

/// What does not pass, by RFC 9293 section 3.9.2.2. Code 4 is the path's MTU, since all that we
/// send has DF but what routers may fragment.
pub(super) const fn is_hard(error: SoftError) -> bool {
    matches!(
        error,
        SoftError::ProtocolUnreachable | SoftError::PortUnreachable
    )
}

/// The next MTU to try below a packet that was too large (RFC 1191 section 5), where the
/// router does not say.
pub(super) fn plateau_below(quoted_len: u16, current: u16) -> u16 {
    /// RFC 1191 section 7.1.
    const PLATEAUS: [u16; 10] = [
        32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, MIN_MTU,
    ];

    // Routers that descend from 4.2BSD quote a total length that is longer by the header.
    let len = if quoted_len < current {
        quoted_len
    } else {
        quoted_len.saturating_sub(20)
    };
    let below = PLATEAUS.into_iter().find(|plateau| *plateau < len);
    below.unwrap_or(MIN_MTU)
}
