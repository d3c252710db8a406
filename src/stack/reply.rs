//! Packets of no connection: resets, SYN cookies, ICMP.

use super::quad::Quad;
use crate::tcp::{PeerSyn, ResetReply};
use crate::wire::{BuildError, Icmpv4Type, Ipv4Builder, Ipv4Header};

/// So many replies wait at most: a bound to what a flood of strays can make us hold.
pub(super) const MAX_WAITING: usize = 256;

/// A packet of no connection that waits to be sent.
#[derive(Debug)]
pub(super) enum Reply {
    /// To the source of `quad`, with the code point of its connection, if there is one.
    Reset {
        quad: Quad,
        dscp: Option<u8>,
        reset: ResetReply,
    },
    /// The answer to a SYN of which nothing is kept.
    Cookie { quad: Quad, syn: PeerSyn },
    /// An answer to a ping, or an error.
    Icmp(IcmpReply),
}

/// An ICMP message that waits to be sent.
#[derive(Debug)]
pub(super) struct IcmpReply {
    ip: Ipv4Builder<'static>,
    /// Room for a header, and the message.
    packet: Vec<u8>,
    /// How much of the message has gone out.
    sent: usize,
    /// The largest packet for it, in bytes, at least 68.
    mtu: usize,
}

impl IcmpReply {
    /// The message that stands behind room for a header in `packet`; no packet of it is larger
    /// than `mtu` bytes, at least 68.
    pub(super) fn new(ip: Ipv4Builder<'static>, packet: Vec<u8>, mtu: u16) -> IcmpReply {
        IcmpReply {
            ip,
            packet,
            sent: 0,
            mtu: usize::from(mtu.max(68)),
        }
    }

    /// Writes the message, or the next fragment of it where it is too large for one packet,
    /// and gives the packet's length.
    pub(super) fn write(&mut self, buffer: &mut [u8]) -> Result<usize, BuildError> {
        let message = self.packet.get(Ipv4Header::LEN..).unwrap_or(&[]);
        let room = self.mtu - Ipv4Header::LEN;
        if message.len() <= room {
            self.sent = message.len();
            return self.ip.write(buffer, message);
        }
        let rest = message.get(self.sent..).unwrap_or(&[]);
        let len = rest.len().min(room / 8 * 8);
        // A message is shorter than 65,535 bytes.
        let ip = self.ip.fragment(self.sent as u16, len < rest.len());
        let written = ip.write(buffer, &rest[..len])?;
        self.sent += len;
        Ok(written)
    }

    pub(super) fn is_error(&self) -> bool {
        let kind = self.packet.get(Ipv4Header::LEN).copied();
        kind.is_some_and(|kind| Icmpv4Type(kind).is_error())
    }

    /// Whether nothing of it has gone out yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.sent == 0
    }

    /// Whether it has gone out with all its fragments.
    pub(super) fn is_done(&self) -> bool {
        self.sent + Ipv4Header::LEN >= self.packet.len()
    }
}
