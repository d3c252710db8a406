//! Which packet goes out next.

use super::Stack;
use super::counters::DropReason;
use super::quad::Quad;
use super::reply::Reply;
use crate::tcp::Outgoing;
use crate::time::Instant;
use crate::wire::{
    BuildError, IpProtocol, Ipv4PacketMut, SackBlocks, SegmentFields, SegmentTemplate, TcpFlags,
    TcpOption,
};

/// A packet that was written to the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// Its length, in bytes.
    pub len: usize,
}

impl Stack {
    /// Writes the next IP packet to send to the start of `buffer`, which holds at least
    /// [`Config::mtu`](super::Config::mtu) bytes; `None` where there is nothing to send.
    ///
    /// To be called until it gives `None` after packets, timeouts and user calls.
    /// Acknowledgments of all that was received before are merged (MUST-58).
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        /// Segments in a row before the next connection has its turn.
        const MAX_BURST: u32 = 16;

        let now = self.advance(now);
        while let Some(mut reply) = self.replies.pop_front() {
            let written = self.write_reply(now, &mut reply, buffer);
            if let Reply::Icmp(message) = &reply
                && written.is_ok()
                && !message.is_done()
            {
                self.replies.push_front(reply);
            }
            match written {
                Ok(len) => return Some(self.sent(len)),
                Err(_) => self.counters.count_drop(DropReason::TransmitTooLong),
            }
        }
        if let Some(transmit) = self.transmit_half_open(now, buffer) {
            return Some(transmit);
        }
        while let Some(index) = self.ready.front().copied() {
            let Some(entry) = self.table.at(index).filter(|entry| entry.queued) else {
                self.next_ready();
                continue;
            };
            let Some(outgoing) = entry.tcb.poll_transmit(now, &self.config.tcp) else {
                entry.queued = false;
                let deadline = entry.tcb.deadline();
                self.wheel.schedule_by(index, deadline);
                self.next_ready();
                continue;
            };
            self.burst += 1;
            let written = write(&entry.template, &outgoing, buffer);
            let again = outgoing.is_retransmission;
            let dont_fragment = outgoing.dont_fragment;
            let quad = entry.quad;
            let deadline = entry.tcb.deadline();
            self.wheel.schedule_by(index, deadline);
            if self.burst >= MAX_BURST {
                self.next_ready();
                self.ready.push_back(index);
            }
            match written {
                Ok(len) => {
                    if !dont_fragment {
                        self.allow_fragments(quad, buffer);
                    }
                    return Some(self.sent_segment(len, again));
                }
                // It is as good as lost, and will be sent again.
                Err(_) => self.counters.count_drop(DropReason::TransmitTooLong),
            }
        }
        None
    }

    /// Routers may fragment the packet at the start of `buffer`, so it needs a number
    /// (RFC 6864 section 4).
    #[cold]
    fn allow_fragments(&mut self, quad: Quad, buffer: &mut [u8]) {
        if let Ok(mut packet) = Ipv4PacketMut::parse(buffer) {
            let (us, peer) = (quad.dst.0, quad.src.0);
            let number = self.identification.next(us, peer, IpProtocol::TCP.0);
            packet.set_identification(number);
            packet.set_dont_fragment(false);
        }
    }

    fn next_ready(&mut self) {
        self.ready.pop_front();
        self.burst = 0;
    }

    pub(super) fn sent_segment(&mut self, len: usize, again: bool) -> Transmit {
        self.counters.segments_sent += 1;
        self.counters.retransmissions += u64::from(again);
        self.sent(len)
    }

    fn sent(&mut self, len: usize) -> Transmit {
        self.counters.packets_sent += 1;
        Transmit { len }
    }

    fn write_reply(
        &mut self,
        now: Instant,
        reply: &mut Reply,
        buffer: &mut [u8],
    ) -> Result<usize, BuildError> {
        match reply {
            Reply::Cookie { quad, syn } => self.write_cookie(now, *quad, syn, buffer),
            Reply::Reset { quad, dscp, reset } => {
                let flags = match reset.ack {
                    Some(_) => TcpFlags::RST | TcpFlags::ACK,
                    None => TcpFlags::RST,
                };
                let fields = SegmentFields {
                    seq: reset.seq,
                    ack: reset.ack.unwrap_or_default(),
                    flags,
                    ..SegmentFields::default()
                };
                let dscp = dscp.unwrap_or(self.config.tcp.settings.dscp);
                let template = template(*quad, self.config.ttl, dscp);
                let times = reset
                    .echo
                    .map(|echo| TcpOption::Timestamps { value: 0, echo });
                let aligned = times.map(|times| [NOP, NOP, times]);
                let options = aligned.as_ref().map_or(&[][..], |options| options);
                let len = template.write(buffer, &fields, options, [&[], &[]])?;
                self.counters.segments_sent += 1;
                self.counters.resets_sent += 1;
                Ok(len)
            }
            Reply::Icmp(message) => {
                if message.is_fresh() {
                    let count = match message.is_error() {
                        true => &mut self.counters.icmp_errors_sent,
                        false => &mut self.counters.echo_replies,
                    };
                    *count += 1;
                }
                message.write(buffer)
            }
        }
    }
}

const NOP: TcpOption<'static> = TcpOption::NoOperation;

/// Writes a segment of a connection as a packet.
#[inline]
pub(super) fn write(
    template: &SegmentTemplate,
    outgoing: &Outgoing<'_>,
    buffer: &mut [u8],
) -> Result<usize, BuildError> {
    let mut sack = [0; SackBlocks::MAX * SackBlocks::BLOCK_LEN];
    let mut options = [NOP; 6];
    let count = put_options(outgoing, &mut options, &mut sack);
    let template = match outgoing.ect {
        // ECT(0) (RFC 3168 section 5).
        true => template.ecn(0b10),
        false => *template,
    };
    template.write(
        buffer,
        &outgoing.fields,
        &options[..count],
        outgoing.payload,
    )
}

/// Sets the options of a segment among the NOPs that there are, and says how many there are
/// then: in the order in which Linux sends them and middleboxes expect them, each on the
/// boundary that suits it. `sack` is room for the body of a SACK option.
#[inline]
fn put_options<'a>(
    outgoing: &Outgoing<'_>,
    options: &mut [TcpOption<'a>; 6],
    sack: &'a mut [u8],
) -> usize {
    let Some(mss) = outgoing.mss else {
        let mut count = 0;
        if let Some((value, echo)) = outgoing.timestamps {
            options[2] = TcpOption::Timestamps { value, echo };
            count = 3;
        }
        if let Some(blocks) = SackBlocks::write(&outgoing.sack, sack) {
            options[count + 2] = TcpOption::Sack(blocks);
            count += 3;
        }
        return count;
    };
    options[0] = TcpOption::MaximumSegmentSize(mss);
    let mut count = 1;
    match (outgoing.sack_permitted, outgoing.timestamps) {
        (true, Some((value, echo))) => {
            options[1] = TcpOption::SackPermitted;
            options[2] = TcpOption::Timestamps { value, echo };
            count = 3;
        }
        (true, None) => {
            options[3] = TcpOption::SackPermitted;
            count = 4;
        }
        (false, Some((value, echo))) => {
            options[3] = TcpOption::Timestamps { value, echo };
            count = 4;
        }
        (false, None) => {}
    }
    if let Some(shift) = outgoing.window_scale {
        options[count + 1] = TcpOption::WindowScale(shift);
        count += 2;
    }
    count
}

/// For packets from this host to the peer.
pub(super) fn template(quad: Quad, ttl: u8, dscp: u8) -> SegmentTemplate {
    // Nothing leaves with a TTL of zero (RFC 1122 section 3.2.1.7).
    let ttl = ttl.max(1);
    SegmentTemplate::with_ip(quad.local(), quad.peer(), |ip| ip.ttl(ttl).dscp(dscp))
}
