//! ICMP for a host (RFC 792, RFC 1122 section 3.2.2).

use std::net::Ipv4Addr;
use std::time::Duration;

use zerocopy::IntoBytes;

use super::Stack;
use super::counters::DropReason;
use super::quad::Quad;
use super::reply::{IcmpReply, Reply};
use crate::tcp::{PathError, SegmentFate, SoftError};
use crate::time::Instant;
use crate::wire::{
    Icmpv4Builder, Icmpv4Header, Icmpv4Message, Icmpv4Type, IpProtocol, Ipv4Builder, Ipv4Header,
    Ipv4Packet, RawIpv4, SeqNumber,
};

/// What an ICMP error quotes of a segment of ours.
struct Quote {
    /// The connection as its peer sees it.
    quad: Quad,
    seq: SeqNumber,
    /// The total length of the packet.
    len: u16,
}

/// An error of ours about a packet of someone else's.
#[derive(Clone, Copy, Debug)]
struct Fault {
    kind: Icmpv4Type,
    code: u8,
}

impl Fault {
    const PROTOCOL_UNREACHABLE: Fault = Fault {
        kind: Icmpv4Type::DESTINATION_UNREACHABLE,
        code: 2,
    };
    const PORT_UNREACHABLE: Fault = Fault {
        kind: Icmpv4Type::DESTINATION_UNREACHABLE,
        code: 3,
    };
    const REASSEMBLY_TIMEOUT: Fault = Fault {
        kind: Icmpv4Type::TIME_EXCEEDED,
        code: 1,
    };
}

impl Stack {
    /// An ICMP message to one of our addresses. Of types that are not known or ask nothing of
    /// a host nothing comes (RFC 1122 section 3.2.2), source quench among them (MUST-55,
    /// RFC 6633), and redirects, since there is but one way out.
    pub(super) fn receive_icmp(
        &mut self,
        now: Instant,
        ip: &Ipv4Packet<'_>,
    ) -> Result<(), DropReason> {
        let message = ip.icmpv4()?;
        self.counters.icmp_received += 1;
        match message.kind() {
            Icmpv4Type::ECHO_REQUEST if message.code() == 0 => {
                self.answer_echo(now, ip, &message);
                Ok(())
            }
            Icmpv4Type::DESTINATION_UNREACHABLE
            | Icmpv4Type::TIME_EXCEEDED
            | Icmpv4Type::PARAMETER_PROBLEM => self.receive_icmp_error(now, ip, &message),
            _ => Err(DropReason::UnhandledIcmp),
        }
    }

    /// The same data back, from the address that was asked (RFC 1122 section 3.2.2.6).
    /// Requests to broadcast and multicast addresses do not get this far.
    fn answer_echo(&mut self, now: Instant, ip: &Ipv4Packet<'_>, request: &Icmpv4Message<'_>) {
        let (us, peer) = (ip.dst(), ip.src());
        // With the type of service of the request (RFC 1349 section 5.1).
        let reply = Icmpv4Builder::echo_reply(us, peer, request);
        self.reply_icmp(now, us, peer, ip.dscp(), reply, request.body());
    }

    /// An error goes to the connection that it is about (MUST-54).
    fn receive_icmp_error(
        &mut self,
        now: Instant,
        ip: &Ipv4Packet<'_>,
        message: &Icmpv4Message<'_>,
    ) -> Result<(), DropReason> {
        let quote = RawIpv4::new(message.body());
        if quote
            .protocol()
            .is_some_and(|protocol| protocol != IpProtocol::TCP)
        {
            return Err(DropReason::UnhandledIcmp);
        }
        let quote = Quote::read(quote).ok_or(DropReason::MalformedIcmp)?;
        let error = path_error(message, quote.len).ok_or(DropReason::UnhandledIcmp)?;
        // It comes to the address from which the segment went.
        let found = self.table.find(quote.quad);
        let Some(index) = found.filter(|_| quote.quad.dst.0 == ip.dst()) else {
            return Err(DropReason::StrayIcmp);
        };
        let Some(entry) = self.table.at(index) else {
            return Err(DropReason::StrayIcmp);
        };
        let effects = entry.tcb.on_icmp(now, &self.config.tcp, error, quote.seq);
        if effects.fate != SegmentFate::Processed {
            return Err(DropReason::StrayIcmp);
        }
        tracing::debug!(quad = %quote.quad, ?error, "ICMP error");
        self.counters.icmp_errors_received += 1;
        self.absorb(index, effects);
        Ok(())
    }

    /// A sound packet to us of a protocol that is none of ours (RFC 1122 section 3.2.2.1).
    pub(super) fn refuse_protocol(&mut self, now: Instant, ip: &Ipv4Packet<'_>) {
        // There is no UDP here, but what a sender of UDP understands is the port.
        let fault = match ip.protocol() {
            IpProtocol::UDP => Fault::PORT_UNREACHABLE,
            _ => Fault::PROTOCOL_UNREACHABLE,
        };
        if self.may_report(now) {
            let packet = [ip.header().as_bytes(), ip.options(), ip.payload()].concat();
            self.report(now, fault, &packet);
        }
    }

    /// Drops the fragments that have waited long enough for the rest. Told if the first one
    /// came (RFC 1122 section 3.3.2), but never about an ICMP error (section 3.2.2).
    pub(super) fn expire_fragments(&mut self, now: Instant) {
        while let Some(expired) = self.fragments.expire(now) {
            self.counters.reassembly_timeouts += 1;
            if let Some(first) = &expired.first
                && !is_icmp_error(RawIpv4::new(first))
                && self.may_report(now)
            {
                self.report(now, Fault::REASSEMBLY_TIMEOUT, first);
            }
        }
    }

    /// Whether one more error may be sent: not too many (RFC 1812 section 4.3.2.8).
    fn may_report(&mut self, now: Instant) -> bool {
        let (rate, burst) = (self.config.icmp_rate, self.config.icmp_burst);
        let may = self.icmp_limit.allows(now, rate, burst);
        self.counters.icmp_errors_withheld += u64::from(!may);
        may
    }

    /// Sends an error about `packet`, which came to an address of ours from one that can be a
    /// host's, and is whole or the first fragment (RFC 1122 section 3.2.2).
    fn report(&mut self, now: Instant, fault: Fault, packet: &[u8]) {
        /// The message is no longer than everyone takes: 576 bytes with its own headers
        /// (RFC 1812 section 4.3.2.3).
        const MAX_QUOTE: usize = 576 - Ipv4Header::LEN - Icmpv4Header::LEN;

        let about = RawIpv4::new(packet);
        let (Some(peer), Some(us)) = (about.src(), about.dst()) else {
            return;
        };
        let quote = &packet[..packet.len().min(MAX_QUOTE)];
        let message = Icmpv4Builder::new(us, peer, fault.kind, fault.code);
        self.reply_icmp(now, us, peer, 0, message, quote);
    }

    /// Queues an ICMP message of ours.
    fn reply_icmp(
        &mut self,
        now: Instant,
        us: Ipv4Addr,
        peer: Ipv4Addr,
        dscp: u8,
        message: Icmpv4Builder<'_>,
        body: &[u8],
    ) {
        let mut packet = vec![0; Ipv4Header::LEN + Icmpv4Header::LEN + body.len()];
        if message.write(&mut packet, body).is_err() {
            // Longer than a packet: it answers one with a shorter header.
            self.counters.count_drop(DropReason::TransmitTooLong);
            return;
        }
        let known = self.paths.find(now, peer);
        let path = known.map_or(u16::MAX, |estimate| estimate.mtu);
        // As with segments, what routers may do for less is left to them: a ping would become
        // a flood of tiny fragments else.
        let least = self.config.tcp.min_path_mtu;
        let mtu = self.config.mtu.min(path.max(least)).max(68);
        let mut ip = Ipv4Builder::new(us, peer, IpProtocol::ICMP)
            .dscp(dscp)
            .ttl(self.config.ttl.max(1));
        // Where nobody is there to make it smaller, routers may. What is small anyway does not
        // need a number (RFC 6864 section 4.1).
        if packet.len() > usize::from(least.min(path).min(mtu)) {
            let protocol = IpProtocol::ICMP.0;
            let identification = self.identification.next(us, peer, protocol);
            ip = ip.dont_fragment(false).identification(identification);
        }
        self.reply(Reply::Icmp(IcmpReply::new(ip, packet, mtu)));
    }
}

impl Quote {
    /// `None` where it is cut before the number, or is none of a segment's start.
    fn read(quote: RawIpv4<'_>) -> Option<Quote> {
        if quote.version()? != 4 || quote.header_len()? < Ipv4Header::LEN {
            return None;
        }
        let tcp = quote.tcp()?;
        Some(Quote {
            quad: Quad {
                src: (quote.dst()?, tcp.dst_port()?),
                dst: (quote.src()?, tcp.src_port()?),
            },
            seq: tcp.seq()?,
            len: quote.total_length()?,
        })
    }
}

/// What a message means for a segment of a packet of `len` bytes; `None` for codes that
/// nobody has defined.
fn path_error(message: &Icmpv4Message<'_>, len: u16) -> Option<PathError> {
    let undelivered = match (message.kind(), message.code()) {
        (Icmpv4Type::DESTINATION_UNREACHABLE, code) => match code {
            // Also unknown, prohibited by type of service.
            0 | 6 | 11 => SoftError::NetUnreachable,
            1 | 7 | 8 | 12 => SoftError::HostUnreachable,
            2 => SoftError::ProtocolUnreachable,
            3 => SoftError::PortUnreachable,
            4 => {
                return Some(PathError::TooBig {
                    next_hop_mtu: message.next_hop_mtu(),
                    quoted_len: len,
                });
            }
            5 => SoftError::SourceRouteFailed,
            // RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1.
            9 | 10 | 13..=15 => SoftError::Prohibited,
            _ => return None,
        },
        (Icmpv4Type::TIME_EXCEEDED, _) => SoftError::TimeExceeded,
        (Icmpv4Type::PARAMETER_PROBLEM, _) => SoftError::ParameterProblem,
        _ => return None,
    };
    Some(PathError::Undelivered(undelivered))
}

/// Whether a packet carries an ICMP error, or an ICMP message of which that cannot be told.
fn is_icmp_error(packet: RawIpv4<'_>) -> bool {
    let kind = packet.payload().first().copied().map(Icmpv4Type);
    packet.protocol() == Some(IpProtocol::ICMP) && kind.is_none_or(Icmpv4Type::is_error)
}

/// How often something may happen: a token bucket, as the time at which it would be full less
/// what was taken.
#[derive(Debug, Default)]
pub(super) struct RateLimit {
    /// When all that was allowed would have been due, one after the other.
    paid_until: Instant,
}

impl RateLimit {
    /// Whether it may happen now, at so many a second with so many at once.
    fn allows(&mut self, now: Instant, rate: u32, burst: u32) -> bool {
        if rate == 0 || burst == 0 {
            return false;
        }
        let interval = Duration::from_secs(1) / rate;
        let paid_until = self.paid_until.max(now);
        if paid_until - now > interval.saturating_mul(burst - 1) {
            return false;
        }
        self.paid_until = paid_until + interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_rate() {
        let mut limit = RateLimit::default();
        let mut allowed = |millis| {
            let now = Instant::from_millis(millis);
            (0..100).filter(|_| limit.allows(now, 10, 5)).count()
        };
        assert_eq!(allowed(0), 5);
        assert_eq!(allowed(99), 0);
        assert_eq!(allowed(100), 1);
        assert_eq!(allowed(400), 3);
        assert_eq!(allowed(100_000), 5);
        assert!(!limit.allows(Instant::FAR_FUTURE, 0, 5));
        assert!(!RateLimit::default().allows(Instant::FAR_FUTURE, 5, 0));
    }
}
