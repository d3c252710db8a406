use core::net::SocketAddrV4;

use super::build::{BuildError, Ipv4Builder, fault};
use super::headers::{Headers, SegmentFields};
use super::ipv4::IpProtocol;
use super::options::TcpOption;

/// Writes many segments of one connection: addresses, ports, TTL and TOS are set once. For
/// a single packet there is [`TcpBuilder`](super::TcpBuilder).
///
/// It holds what the headers share and its sums, in 32 bytes, so that a segment costs a few
/// additions (RFC 1624's arithmetic, with the constant part as the old sum) and five stores.
///
/// ```
/// use std::net::{Ipv4Addr, SocketAddrV4};
/// use zerotcp::wire::{SegmentFields, SegmentTemplate, SeqNumber, TcpFlags, TcpPacket};
///
/// let src = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 2), 7);
/// let dst = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 1), 49152);
/// let template = SegmentTemplate::new(src, dst);
/// let fields = SegmentFields {
///     seq: SeqNumber(1),
///     flags: TcpFlags::ACK | TcpFlags::PSH,
///     ..SegmentFields::default()
/// };
/// let mut buffer = [0; 1500];
/// let no_options = &[];
/// let len = template.write(&mut buffer, &fields, no_options, [b"hello", b""])?;
/// assert_eq!(TcpPacket::parse(&buffer[..len]).unwrap().tcp.payload(), b"hello");
/// # Ok::<(), zerotcp::wire::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SegmentTemplate {
    headers: Headers,
}

impl SegmentTemplate {
    /// A template for segments from `src` to `dst`, in packets as
    /// [`Ipv4Builder::new`] makes them: DF set, TTL 64.
    pub fn new(src: SocketAddrV4, dst: SocketAddrV4) -> SegmentTemplate {
        SegmentTemplate::with_ip(src, dst, |ip| ip)
    }

    /// As [`new`](SegmentTemplate::new), with the fields of the IPv4 header that `change`
    /// sets, but options: a template has none there.
    ///
    /// ```
    /// # use std::net::{Ipv4Addr, SocketAddrV4};
    /// # use zerotcp::wire::SegmentTemplate;
    /// # let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
    /// let template = SegmentTemplate::with_ip(any, any, |ip| ip.ttl(1).dscp(46));
    /// ```
    pub fn with_ip(
        src: SocketAddrV4,
        dst: SocketAddrV4,
        change: impl for<'a> FnOnce(Ipv4Builder<'a>) -> Ipv4Builder<'a>,
    ) -> SegmentTemplate {
        let ip = change(Ipv4Builder::new(*src.ip(), *dst.ip(), IpProtocol::TCP));
        SegmentTemplate {
            headers: Headers::new(ip.options(&[]).header(), src.port(), dst.port()),
        }
    }

    /// The same for packets with these two bits of explicit congestion notification (RFC 3168
    /// section 5): one segment may be ECN-capable, the next one not.
    ///
    /// ```
    /// # use std::net::{Ipv4Addr, SocketAddrV4};
    /// # use zerotcp::wire::{Ipv4Packet, SegmentFields, SegmentTemplate};
    /// # let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7);
    /// # let mut buffer = [0; 40];
    /// let template = SegmentTemplate::with_ip(any, any, |ip| ip.dscp(46).ecn(0b01));
    /// let fields = SegmentFields::default();
    /// template.ecn(0b10).write(&mut buffer, &fields, &[], [&[], &[]])?;
    /// let packet = Ipv4Packet::parse(&buffer).unwrap(); // its checksum is right
    /// assert_eq!((packet.dscp(), packet.ecn()), (46, 0b10));
    /// # Ok::<(), zerotcp::wire::BuildError>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn ecn(mut self, ecn: u8) -> SegmentTemplate {
        self.headers.set_ecn(ecn);
        self
    }

    /// Writes headers, options and the payload, given in two pieces as a ring buffer
    /// holds it, to the start of `buffer` and returns the packet's length in bytes.
    ///
    /// # Errors
    /// [`BuildError::Buffer`], [`BuildError::Options`], [`BuildError::TooLong`].
    #[inline(always)]
    pub fn write(
        &self,
        buffer: &mut [u8],
        fields: &SegmentFields,
        options: &[TcpOption<'_>],
        payload: [&[u8]; 2],
    ) -> Result<usize, BuildError> {
        let found = buffer.len();
        self.headers
            .write(buffer, fields, &[], options, payload)
            .ok_or_else(|| {
                let payload_len = payload[0].len().saturating_add(payload[1].len());
                fault(found, 0, options, payload_len)
            })
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;
    use crate::wire::SeqNumber;

    #[test]
    fn a_template_with_other_ecn_bits_is_as_one_made_with_them() {
        let src = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 2), 7);
        let fields = SegmentFields {
            seq: SeqNumber(0xffff_fff0),
            window: 1,
            ..SegmentFields::default()
        };
        let write = |template: SegmentTemplate| {
            let mut buffer = [0; 45];
            let payload = [&b"hello"[..], &[]];
            let len = template.write(&mut buffer, &fields, &[], payload);
            assert_eq!(len, Ok(45));
            buffer
        };
        for dscp in 0..64 {
            for (old, new) in (0..4).flat_map(|old| (0..4).map(move |new| (old, new))) {
                let with =
                    |ecn| SegmentTemplate::with_ip(src, src, |ip| ip.ttl(dscp).dscp(dscp).ecn(ecn));
                assert_eq!(write(with(old).ecn(new)), write(with(new)));
                assert_eq!(write(with(old).ecn(new).ecn(old)), write(with(old)));
            }
        }
    }
}
