//! What an arriving packet does.

use super::counters::DropReason;
use super::quad::Quad;
use super::reply::Reply;
use super::{Event, Stack};
use crate::tcp::{PeerSyn, ResetReply, State};
use crate::time::Instant;
use crate::wire::{IpProtocol, Ipv4Packet, OptionSummary, TcpPacket, TcpSegment};

/// What a device says of a packet that it received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// The device vouches for the TCP checksum, so it is not verified.
    pub tcp_checksum_verified: bool,
}

impl Stack {
    /// Takes in one IP packet. Whatever is wrong with it is counted by reason
    /// ([`Counters::drops`](super::Counters::drops)); nothing is allocated for a
    /// segment whose checksum has not been verified.
    pub fn receive(&mut self, now: Instant, packet: &[u8], meta: Meta) {
        let now = self.advance(now);
        self.counters.packets_received += 1;
        if let Err(reason) = self.receive_ipv4(now, packet, meta) {
            self.counters.count_drop(reason);
            tracing::trace!(%reason, len = packet.len(), "dropped");
        }
    }

    fn receive_ipv4(&mut self, now: Instant, packet: &[u8], meta: Meta) -> Result<(), DropReason> {
        // What nearly every packet is; any other, and what is wrong with it, below.
        if !meta.tcp_checksum_verified
            && let Some(packet) = TcpPacket::common(packet)
        {
            self.check_addresses(&packet.ip)?;
            return self.receive_tcp(now, &packet);
        }
        let ip = Ipv4Packet::parse(packet)?;
        self.check_addresses(&ip)?;
        check_options(&ip)?;
        if !ip.is_fragment() {
            return self.receive_datagram(now, &ip, meta);
        }
        // A fragment that comes late does not meet those that should have gone.
        self.expire_fragments(now);
        let (config, counters) = (&self.config, &mut self.counters);
        match self.fragments.add(now, config, counters, &ip)? {
            // What a device vouches for is not what was sent in pieces.
            Some(whole) => {
                let ip = Ipv4Packet::parse_unverified(&whole)?;
                self.receive_datagram(now, &ip, Meta::default())
            }
            None => Ok(()),
        }
    }

    /// A whole datagram. Its TTL says nothing any more (RFC 1122 section 3.2.1.7).
    fn receive_datagram(
        &mut self,
        now: Instant,
        ip: &Ipv4Packet<'_>,
        meta: Meta,
    ) -> Result<(), DropReason> {
        match ip.protocol() {
            IpProtocol::TCP => {
                let tcp = if meta.tcp_checksum_verified {
                    ip.tcp_unverified()?
                } else {
                    ip.tcp()?
                };
                self.receive_tcp(now, &TcpPacket { ip: *ip, tcp })
            }
            IpProtocol::ICMP => self.receive_icmp(now, ip),
            _ => {
                self.refuse_protocol(now, ip);
                Err(DropReason::UnknownProtocol)
            }
        }
    }

    #[inline]
    fn check_addresses(&self, ip: &Ipv4Packet<'_>) -> Result<(), DropReason> {
        if !self.config.addresses.contains(&ip.dst()) {
            return Err(DropReason::NotForUs);
        }
        if !self.config.is_peer(ip.src()) {
            return Err(DropReason::BadSource);
        }
        Ok(())
    }

    fn receive_tcp(&mut self, now: Instant, packet: &TcpPacket<'_>) -> Result<(), DropReason> {
        self.counters.segments_received += 1;
        let segment = &packet.tcp;
        let (options, fault) = OptionSummary::tolerant(segment.option_bytes());
        self.counters.malformed_options += u64::from(fault.is_some());
        let quad = Quad::of(packet);
        if let Some(shift) = options.window_scale.filter(|shift| *shift > 14)
            && segment.flags().syn()
        {
            // Something is wrong with the peer (RFC 7323 section 2.3).
            tracing::debug!(%quad, shift, "window scale above 14");
        }
        let Some(index) = self.table.find(quad) else {
            return self.receive_unknown(now, quad, packet, &options);
        };
        let entry = match self.table.at(index) {
            Some(entry) if entry.tcb.state() != State::TimeWait => Some(entry),
            _ => match self.receive_in_time_wait(now, quad, index, packet, &options) {
                Some(result) => return result,
                None => self.table.at(index),
            },
        };
        let Some(entry) = entry else {
            return Err(DropReason::Stray);
        };
        let config = &self.config.tcp;
        let marked = is_marked(packet);
        let effects = entry.tcb.receive(now, config, segment, &options, marked);
        self.absorb(index, effects);
        DropReason::of_fate(effects.fate)
    }

    /// A segment that belongs to no connection (RFC 9293 sections 3.10.7.1 and 3.10.7.2).
    fn receive_unknown(
        &mut self,
        now: Instant,
        quad: Quad,
        packet: &TcpPacket<'_>,
        options: &OptionSummary,
    ) -> Result<(), DropReason> {
        let segment = &packet.tcp;
        if let Some(index) = self.syn_cache.find(quad) {
            return self.receive_half_open(now, index, packet, options);
        }
        let flags = segment.flags();
        if flags.rst() {
            return Err(DropReason::Stray);
        }
        let Some(listener) = self.listeners.lookup(quad.dst.0, quad.dst.1) else {
            self.refuse_stray(quad, segment, options);
            return Ok(());
        };
        if flags.ack() {
            return self.receive_cookie(now, quad, listener, packet, options);
        }
        if !flags.syn() || flags.fin() || quad.src.1 == 0 {
            return Err(DropReason::Stray);
        }
        let syn = PeerSyn::of(segment, options);
        self.receive_syn(now, quad, listener, syn, None)
    }

    /// Answers a segment that belongs to nobody, if it is to be answered.
    pub(super) fn refuse_stray(
        &mut self,
        quad: Quad,
        segment: &TcpSegment<'_>,
        options: &OptionSummary,
    ) {
        if let Some(reset) = ResetReply::to_stray(segment, options) {
            self.reply(Reply::Reset {
                quad,
                dscp: None,
                reset,
            });
        }
    }

    /// Pushes what a user who has just accepted a connection would have missed.
    pub(super) fn tell_what_waits(&mut self, index: u32) {
        let Some(entry) = self.table.at(index) else {
            return;
        };
        let id = entry.id(index);
        let waits = !entry.tcb.recv_slices()[0].is_empty();
        let ended = entry.tcb.is_at_end() || entry.tcb.state() == State::CloseWait;
        let told = [
            (entry.tcb.urgent().is_some(), Event::Urgent(id)),
            (waits || ended, Event::Readable(id)),
            (ended, Event::PeerClosed(id)),
        ];
        for (happened, event) in told {
            if happened && entry.pending.insert(&event) {
                self.events.push(event);
            }
        }
    }
}

/// Whether a router has marked the packet (CE, RFC 3168 section 5).
pub(super) fn is_marked(packet: &TcpPacket<'_>) -> bool {
    packet.ip.ecn() == 0b11
}

/// Options have to be well-formed; whatever they say is ignored (RFC 1122 section 3.2.1.8,
/// MUST-50), a source route too: answers go straight to the source address, so that nobody
/// draws them to himself (CVE-2020-11909). A route that goes on from here asks for a router,
/// and there cannot be two (RFC 1122 section 3.2.1.8 (c)).
fn check_options(ip: &Ipv4Packet<'_>) -> Result<(), DropReason> {
    let mut routed = false;
    for option in ip.option_list() {
        let option = option?;
        if option.is_source_route() {
            if routed {
                return Err(DropReason::MalformedIpv4);
            }
            if !option.is_route_complete() {
                return Err(DropReason::SourceRoute);
            }
            routed = true;
        }
    }
    Ok(())
}
