use core::net::SocketAddrV4;

use super::build::{BuildError, Ipv4Builder, fault};
use super::headers::{Headers, SegmentFields};
use super::ipv4::IpProtocol;
use super::options::TcpOption;

/// What the headers of one connection's segments share, and its sums, in 32 bytes: a
/// segment costs a few additions (RFC 1624's arithmetic, with the constant part as the
/// old sum) and five stores.
///
/// ```
/// use std::net::{Ipv4Addr, SocketAddrV4};
/// use zerotcp::wire::{SegmentFields, SegmentTemplate, SeqNumber, TcpFlags, TcpPacket};
///
/// let src = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 2), 7);
/// let dst = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 1), 49152);
/// let template = SegmentTemplate::new(src, dst, 64, 0);
/// let fields = SegmentFields {
///     seq: SeqNumber(1),
///     flags: TcpFlags::ACK | TcpFlags::PSH,
///     ..SegmentFields::default()
/// };
/// let mut buffer = [0; 1500];
/// let len = template.write(&mut buffer, &fields, &[], [b"hel", b"lo"])?;
/// assert_eq!(TcpPacket::parse(&buffer[..len]).unwrap().tcp.payload(), b"hello");
/// # Ok::<(), zerotcp::wire::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SegmentTemplate {
    headers: Headers,
}

impl SegmentTemplate {
    /// A template for segments from `src` to `dst` with DF set, time to live `ttl`
    /// in hops and the TOS byte `dscp_ecn`.
    pub fn new(src: SocketAddrV4, dst: SocketAddrV4, ttl: u8, dscp_ecn: u8) -> SegmentTemplate {
        let ip = Ipv4Builder::new(*src.ip(), *dst.ip(), IpProtocol::TCP)
            .ttl(ttl)
            .dscp(dscp_ecn >> 2)
            .ecn(dscp_ecn);
        SegmentTemplate {
            headers: Headers::new(ip.header(), src.port(), dst.port()),
        }
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
