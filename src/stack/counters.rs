use core::fmt;

use crate::tcp::{CloseReason, SegmentFate};
use crate::wire::{ErrorKind, Layer, ParseError};

/// Why a packet was not processed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DropReason {
    /// An IPv4 header that is not sound.
    MalformedIpv4,
    /// Another version of IP.
    NotIpv4,
    /// A bad IPv4 header checksum.
    BadIpv4Checksum,
    /// To an address that is not the host's.
    NotForUs,
    /// From an address that cannot be a sender's (RFC 1122 section 3.2.1.3).
    BadSource,
    /// A packet with a source route that ends elsewhere: a host forwards nothing (RFC 1122
    /// section 3.3.5).
    SourceRoute,
    /// A fragment that is wrong on its own: of a length that is no multiple of 8, past the
    /// longest datagram, or made to hide a TCP header (RFC 1858).
    MalformedFragment,
    /// A fragment that overlaps another of its datagram or disagrees with it, or one that came
    /// after such: none of that datagram is used (RFC 5722).
    ConflictingFragment,
    /// The copy of a fragment.
    DuplicateFragment,
    /// A fragment that is larger than all the memory for fragments.
    FragmentsFull,
    /// A protocol other than TCP and ICMP.
    UnknownProtocol,
    /// A TCP header that is not sound.
    MalformedTcp,
    /// A bad TCP checksum.
    BadTcpChecksum,
    /// An ICMP message that is not sound, or whose quote is cut too short to know what it is
    /// about.
    MalformedIcmp,
    /// An ICMP message that asks nothing of this host.
    UnhandledIcmp,
    /// An ICMP error about no connection, or about none of its segments that are in flight
    /// (RFC 5927 section 4.1), or that claims what cannot be.
    StrayIcmp,
    /// A segment to nobody that is not worth a reset: a reset itself, or without use.
    Stray,
    /// A SYN, or what would end a handshake, beyond a listener's backlog.
    BacklogFull,
    /// The same beyond the stack's bound of connections.
    TableFull,
    /// Without timestamps, which both sides have agreed on.
    NoTimestamp,
    /// An old duplicate by its timestamp (PAWS).
    OldTimestamp,
    /// Outside the receive window.
    OutOfWindow,
    /// A SYN or an inexact reset on a synchronized connection: challenged.
    Challenged,
    /// A reset in TIME-WAIT (RFC 1337).
    IgnoredReset,
    /// Without ACK bit, or acknowledging what was never sent.
    BadAck,
    /// Ahead of its turn with too many gaps before it.
    NoRoom,
    /// Text for a user who is gone.
    AfterClose,
    /// A reply that found too many others waiting.
    RepliesFull,
    /// A packet of ours that did not fit the caller's buffer.
    TransmitTooLong,
}

impl DropReason {
    const ALL: [DropReason; 29] = [
        DropReason::MalformedIpv4,
        DropReason::NotIpv4,
        DropReason::BadIpv4Checksum,
        DropReason::NotForUs,
        DropReason::BadSource,
        DropReason::SourceRoute,
        DropReason::MalformedFragment,
        DropReason::ConflictingFragment,
        DropReason::DuplicateFragment,
        DropReason::FragmentsFull,
        DropReason::UnknownProtocol,
        DropReason::MalformedTcp,
        DropReason::BadTcpChecksum,
        DropReason::MalformedIcmp,
        DropReason::UnhandledIcmp,
        DropReason::StrayIcmp,
        DropReason::Stray,
        DropReason::BacklogFull,
        DropReason::TableFull,
        DropReason::NoTimestamp,
        DropReason::OldTimestamp,
        DropReason::OutOfWindow,
        DropReason::Challenged,
        DropReason::IgnoredReset,
        DropReason::BadAck,
        DropReason::NoRoom,
        DropReason::AfterClose,
        DropReason::RepliesFull,
        DropReason::TransmitTooLong,
    ];

    /// What a segment's fate is to who counts the drops.
    pub(super) fn of_fate(fate: SegmentFate) -> Result<(), DropReason> {
        Err(match fate {
            SegmentFate::Processed => return Ok(()),
            SegmentFate::NoTimestamp => DropReason::NoTimestamp,
            SegmentFate::OldTimestamp => DropReason::OldTimestamp,
            SegmentFate::OutOfWindow => DropReason::OutOfWindow,
            SegmentFate::Challenged => DropReason::Challenged,
            SegmentFate::IgnoredReset => DropReason::IgnoredReset,
            SegmentFate::BadAck => DropReason::BadAck,
            SegmentFate::NoRoom => DropReason::NoRoom,
            SegmentFate::AfterClose => DropReason::AfterClose,
        })
    }
}

impl From<ParseError> for DropReason {
    fn from(error: ParseError) -> DropReason {
        match (error.layer, error.kind) {
            (Layer::Ipv4, ErrorKind::Version) => DropReason::NotIpv4,
            (Layer::Ipv4, ErrorKind::Checksum) => DropReason::BadIpv4Checksum,
            (Layer::Ipv4, ErrorKind::Fragment) => DropReason::MalformedFragment,
            (Layer::Ipv4, ErrorKind::Protocol) => DropReason::UnknownProtocol,
            (Layer::Tcp, ErrorKind::Checksum) => DropReason::BadTcpChecksum,
            (Layer::Tcp, _) => DropReason::MalformedTcp,
            (Layer::Icmpv4, _) => DropReason::MalformedIcmp,
            _ => DropReason::MalformedIpv4,
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            DropReason::MalformedIpv4 => "malformed IPv4",
            DropReason::NotIpv4 => "not IPv4",
            DropReason::BadIpv4Checksum => "bad IPv4 checksum",
            DropReason::NotForUs => "not for us",
            DropReason::BadSource => "bad source address",
            DropReason::SourceRoute => "source route",
            DropReason::MalformedFragment => "malformed fragment",
            DropReason::ConflictingFragment => "conflicting fragment",
            DropReason::DuplicateFragment => "duplicate fragment",
            DropReason::FragmentsFull => "no room for fragment",
            DropReason::UnknownProtocol => "unknown protocol",
            DropReason::MalformedTcp => "malformed TCP",
            DropReason::BadTcpChecksum => "bad TCP checksum",
            DropReason::MalformedIcmp => "malformed ICMP",
            DropReason::UnhandledIcmp => "unhandled ICMP",
            DropReason::StrayIcmp => "stray ICMP",
            DropReason::Stray => "stray segment",
            DropReason::BacklogFull => "backlog full",
            DropReason::TableFull => "table full",
            DropReason::NoTimestamp => "no timestamp",
            DropReason::OldTimestamp => "old timestamp",
            DropReason::OutOfWindow => "out of window",
            DropReason::Challenged => "challenged",
            DropReason::IgnoredReset => "reset in TIME-WAIT",
            DropReason::BadAck => "bad ACK",
            DropReason::NoRoom => "no room to reassemble",
            DropReason::AfterClose => "after close",
            DropReason::RepliesFull => "too many replies",
            DropReason::TransmitTooLong => "longer than the buffer",
        })
    }
}

/// What a stack has counted since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// IP packets taken in.
    pub packets_received: u64,
    /// IP packets given out.
    pub packets_sent: u64,
    /// Sound TCP segments taken in.
    pub segments_received: u64,
    /// TCP segments given out.
    pub segments_sent: u64,
    /// Of those, how many carried what had been sent before.
    pub retransmissions: u64,
    /// Of the segments given out, resets.
    pub resets_sent: u64,
    /// Fragmented datagrams put together.
    pub datagrams_reassembled: u64,
    /// Datagrams of which fragments were still missing when their time was over.
    pub reassembly_timeouts: u64,
    /// Incomplete datagrams that made room for others.
    pub datagrams_evicted: u64,
    /// Sound ICMP messages taken in.
    pub icmp_received: u64,
    /// Of those, errors that a connection believed or remembers.
    pub icmp_errors_received: u64,
    /// Echo requests answered.
    pub echo_replies: u64,
    /// ICMP errors sent.
    pub icmp_errors_sent: u64,
    /// ICMP errors not sent, since there were too many.
    pub icmp_errors_withheld: u64,
    /// Segments whose options were malformed; they were taken with those before the fault.
    pub malformed_options: u64,
    /// Connections begun by a peer's SYN, where it was kept in mind or its cookie came back.
    pub connections_accepted: u64,
    /// SYNs answered with a cookie (RFC 4987 section 3.6).
    pub syn_cookies_sent: u64,
    /// Connections begun by a cookie that came back.
    pub syn_cookies_accepted: u64,
    /// Half-open connections that made room for another.
    pub half_open_recycled: u64,
    /// Connections whose TIME-WAIT was cut short to bound their number.
    pub time_waits_cut: u64,
    /// Connections begun by this host.
    pub connections_opened: u64,
    /// Connections that completed their handshake.
    pub connections_established: u64,
    /// Connections that both sides closed.
    pub connections_finished: u64,
    /// Connections that the peer reset or refused.
    pub connections_reset: u64,
    /// Connections that this host reset.
    pub connections_aborted: u64,
    /// Connections whose peer did not answer any more.
    pub connections_timed_out: u64,
    /// Connections whose peer is not there, as ICMP says.
    pub connections_unreachable: u64,
    drops: [u64; DropReason::ALL.len()],
}

impl Counters {
    /// How many packets were dropped for `reason`.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize]
    }

    /// Every reason for which a packet was dropped, and how many.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL
            .into_iter()
            .map(|reason| (reason, self.dropped(reason)))
            .filter(|(_, count)| *count > 0)
    }

    pub(super) fn count_drop(&mut self, reason: DropReason) {
        self.drops[reason as usize] += 1;
    }

    pub(super) fn count_close(&mut self, reason: CloseReason) {
        match reason {
            CloseReason::Reset | CloseReason::Refused => self.connections_reset += 1,
            CloseReason::TimedOut => self.connections_timed_out += 1,
            CloseReason::Unreachable => self.connections_unreachable += 1,
            CloseReason::Aborted => self.connections_aborted += 1,
            CloseReason::Finished => self.connections_finished += 1,
        }
    }
}

/// A table, one counter a line; reasons that never occurred are left out.
impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("packets received", self.packets_received),
            ("packets sent", self.packets_sent),
            ("segments received", self.segments_received),
            ("segments sent", self.segments_sent),
            ("retransmissions", self.retransmissions),
            ("resets sent", self.resets_sent),
            ("datagrams reassembled", self.datagrams_reassembled),
            ("reassembly timeouts", self.reassembly_timeouts),
            ("incomplete datagrams evicted", self.datagrams_evicted),
            ("ICMP messages received", self.icmp_received),
            ("ICMP errors received", self.icmp_errors_received),
            ("echo replies", self.echo_replies),
            ("ICMP errors sent", self.icmp_errors_sent),
            ("ICMP errors withheld", self.icmp_errors_withheld),
            ("malformed options", self.malformed_options),
            ("connections accepted", self.connections_accepted),
            ("SYN cookies sent", self.syn_cookies_sent),
            ("SYN cookies accepted", self.syn_cookies_accepted),
            ("half-open recycled", self.half_open_recycled),
            ("TIME-WAITs cut short", self.time_waits_cut),
            ("connections opened", self.connections_opened),
            ("connections established", self.connections_established),
            ("connections finished", self.connections_finished),
            ("connections reset", self.connections_reset),
            ("connections aborted", self.connections_aborted),
            ("connections timed out", self.connections_timed_out),
            ("connections unreachable", self.connections_unreachable),
        ];
        for (name, count) in rows {
            writeln!(f, "{name:<32} {count:>12}")?;
        }
        for (reason, count) in self.drops() {
            writeln!(f, "dropped: {reason:<23} {count:>12}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_place() {
        for (place, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
        }
    }
}
