use zerocopy::FromBytes;
use zerotcp::capture::Frame;
use zerotcp::wire::{
    Checksum, ChecksumStatus, ErrorKind, EtherType, IpProtocol, Ipv4Header, Ipv4Packet, Layer,
    ParseError, RawTcp, TcpHeader, TcpSegment,
};

use super::report::Report;
use super::segments::Segment;

/// Looks at the frames of one file and fills in its report.
#[derive(Debug)]
pub struct Inspector {
    report: Report,
    /// The number of the frame in hand.
    frame: u64,
}

/// What is there of an IPv4 packet whose header makes sense.
#[derive(Debug)]
struct Datagram<'a> {
    header: &'a Ipv4Header,
    /// With its options; `None` if they are cut.
    whole_header: Option<&'a [u8]>,
    /// As much of it as is there.
    payload: &'a [u8],
    /// All of it, in bytes, as far as packet and frame have room for it.
    payload_len: usize,
}

impl Inspector {
    pub fn new(report: Report) -> Inspector {
        Inspector { report, frame: 0 }
    }

    pub fn finish(self) -> Report {
        self.report
    }

    /// Digests one frame and returns the TCP segment in it, if there is one.
    #[inline]
    pub fn frame<'a>(&mut self, frame: &Frame<'a>) -> Option<Segment<'a>> {
        self.frame = frame.number;
        self.report.counts.frames += 1;
        self.report.link_type(frame.link_type);
        // A frame of which more was captured than it had is whole.
        let frame_len = frame.data.len().max(frame.original_len as usize);
        let link = match frame.link_type.strip(frame.data) {
            Ok(link) => link,
            Err(error) => {
                if !is_cut(&error, frame_len) {
                    self.report.malformed(self.frame, error);
                }
                return None;
            }
        };
        if link.ethertype != Some(EtherType::IPV4) {
            return None;
        }
        let packet = &frame.data[link.offset..];
        self.packet(packet, frame_len - link.offset, link.offset)
    }

    /// An IPv4 packet with its link padding, `len` bytes before it was cut, at byte
    /// `offset` of its frame.
    fn packet<'a>(&mut self, bytes: &'a [u8], len: usize, offset: usize) -> Option<Segment<'a>> {
        self.report.counts.ipv4_packets += 1;
        if let Err(error) = Ipv4Packet::parse_unverified(bytes) {
            if is_cut(&error, len) {
                self.report.counts.cut += 1;
            } else {
                self.report.malformed(self.frame, error.at(offset));
            }
        }
        let datagram = Datagram::new(bytes, len)?;
        let header = datagram.header;
        let ip_checksum = match datagram.header_sum() {
            None => ChecksumStatus::Unverifiable,
            Some(sum) if sum.is_valid() => ChecksumStatus::Good,
            Some(sum) => {
                self.report.counts.bad_ip_checksums += 1;
                let error = bad_checksum(Layer::Ipv4, 10, sum, header.checksum());
                self.report.problem(self.frame, error.at(offset));
                ChecksumStatus::Bad
            }
        };
        if header.is_fragment() {
            self.report.counts.fragments += 1;
        }
        if header.protocol() != IpProtocol::TCP || header.fragment_offset() != 0 {
            return None;
        }
        let tcp_checksum = if header.is_fragment() {
            Some(ChecksumStatus::Unverifiable)
        } else {
            self.segment(&datagram, offset + header.header_len())
        };
        let segment = Segment {
            ip: header,
            ip_checksum,
            tcp: RawTcp::new(datagram.payload),
            tcp_checksum,
            len: datagram.payload_len,
        };
        if let Some(observed) = segment.observed() {
            self.report.connections.observe(&observed, self.frame);
        }
        Some(segment)
    }

    /// A whole TCP segment, cut or not, at byte `offset` of its frame: says what its
    /// checksum is worth, if its header is there.
    fn segment(&mut self, datagram: &Datagram<'_>, offset: usize) -> Option<ChecksumStatus> {
        self.report.counts.tcp_segments += 1;
        let Datagram {
            payload,
            payload_len,
            ..
        } = *datagram;
        let parsed = TcpSegment::parse_unverified(payload)
            .and_then(|segment| segment.option_summary().map(|_| ()));
        if let Err(error) = parsed
            && !is_cut(&error, payload_len)
        {
            self.report.malformed(self.frame, error.at(offset));
        }
        let (header, _) = TcpHeader::ref_from_prefix(payload).ok()?;
        if payload.len() < payload_len {
            return Some(ChecksumStatus::Unverifiable);
        }
        let pseudo_header = datagram.pseudo_header();
        let sum = pseudo_header.combine(Checksum::of(payload));
        if sum.is_valid() {
            return Some(ChecksumStatus::Good);
        }
        self.report.counts.bad_tcp_checksums += 1;
        if header.checksum() == pseudo_header.sum() {
            // What a network card is given to add the segment's sum to.
            self.report.counts.offloaded_tcp_checksums += 1;
        } else {
            let error = bad_checksum(Layer::Tcp, 16, sum, header.checksum());
            self.report.problem(self.frame, error.at(offset));
        }
        Some(ChecksumStatus::Bad)
    }
}

impl<'a> Datagram<'a> {
    /// Lays the view over `bytes`, of which there were `len` before they were cut;
    /// `None` where lengths contradict each other or the fixed header is cut.
    #[inline]
    fn new(bytes: &'a [u8], len: usize) -> Option<Datagram<'a>> {
        let (header, _) = Ipv4Header::ref_from_prefix(bytes).ok()?;
        let header_len = header.header_len();
        let total_len = match usize::from(header.total_length()) {
            // A packet on its way to a network card that will segment it: of more
            // than 64 KiB or by a driver that leaves the field to the card.
            0 => len,
            total_len => len.min(total_len),
        };
        let is_ipv4 = header.version() == 4 && header_len >= Ipv4Header::LEN;
        let payload_len = total_len.checked_sub(header_len).filter(|_| is_ipv4)?;
        let end = bytes.len().min(total_len);
        Some(Datagram {
            header,
            whole_header: bytes.get(..header_len),
            payload: bytes.get(header_len..end).unwrap_or(&[]),
            payload_len,
        })
    }

    fn header_sum(&self) -> Option<Checksum> {
        self.whole_header.map(Checksum::of)
    }

    /// With the length in 32 bits, as the sender of more than 64 KiB takes it.
    fn pseudo_header(&self) -> Checksum {
        let (src, dst) = (self.header.src(), self.header.dst());
        Checksum::pseudo_header(src, dst, IpProtocol::TCP.0, 0).word32(self.payload_len as u32)
    }
}

/// Whether a packet of `len` bytes is short only because the capture cut it.
fn is_cut(error: &ParseError, len: usize) -> bool {
    matches!(
        error.kind,
        ErrorKind::Truncated | ErrorKind::HeaderOverrun | ErrorKind::Cut
    ) && error.needed <= len
}

/// The error for a message whose `sum` is wrong with `found` in its checksum field.
#[cold]
fn bad_checksum(layer: Layer, offset: usize, sum: Checksum, found: u16) -> ParseError {
    let right = Checksum::from_sum(sum.sum()).word(!found).finish();
    ParseError {
        layer,
        kind: ErrorKind::Checksum,
        offset,
        needed: right.into(),
        found: found.into(),
    }
}
