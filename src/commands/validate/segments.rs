use std::io::{self, Write};
use std::net::SocketAddrV4;

use zerotcp::capture::Frame;
use zerotcp::wire::{ChecksumStatus, Ipv4Header, RawTcp};

use super::connections::Observed;

/// A TCP segment, or the first fragment of one, as much as is there of it.
#[derive(Debug)]
pub struct Segment<'a> {
    pub ip: &'a Ipv4Header,
    pub ip_checksum: ChecksumStatus,
    pub tcp: RawTcp<'a>,
    /// `None` where its header is cut.
    pub tcp_checksum: Option<ChecksumStatus>,
    /// Header and payload without cutting, in bytes.
    pub len: usize,
}

/// The first row of the table that [`Segment::write_row`] continues.
pub const HEADER: &str = "file\tframe\tip.src\ttcp.srcport\tip.dst\ttcp.dstport\tseq\tack\tflags\t\
    window\tpayload_len\tip.checksum.status\ttcp.checksum.status\tip.frag_offset\tip.mf\t\
    captured_len\tframe_len";

impl Segment<'_> {
    /// What the table of connections needs to know; `None` if the header is cut or
    /// the segment fragmented.
    #[inline]
    pub fn observed(&self) -> Option<Observed> {
        if self.ip.is_fragment() {
            return None;
        }
        Some(Observed {
            src: SocketAddrV4::new(self.ip.src(), self.tcp.src_port()?),
            dst: SocketAddrV4::new(self.ip.dst(), self.tcp.dst_port()?),
            seq: self.tcp.seq()?,
            ack: self.tcp.ack()?,
            flags: self.tcp.flags()?,
        })
    }

    /// Writes the segment's row. Fields that are cut stay empty; of a header that
    /// ends before its window, so do all but the ports.
    pub fn write_row(&self, out: &mut impl Write, file: &str, frame: &Frame<'_>) -> io::Result<()> {
        let Segment { ip, tcp, .. } = self;
        write!(out, "{file}\t{}\t{}\t", frame.number, ip.src())?;
        field(out, tcp.src_port())?;
        write!(out, "{}\t", ip.dst())?;
        field(out, tcp.dst_port())?;
        match (tcp.seq(), tcp.ack(), tcp.flags(), tcp.window()) {
            (Some(seq), Some(ack), Some(flags), Some(window)) => {
                let flags = flags.bits();
                write!(out, "{}\t{}\t{flags:#06x}\t{window}\t", seq.0, ack.0)?;
                field(out, self.payload_len())?;
            }
            _ => out.write_all(b"\t\t\t\t\t")?,
        }
        field(out, Some(status(self.ip_checksum)))?;
        field(out, self.tcp_checksum.map(status))?;
        write!(
            out,
            "{}\t{}\t",
            ip.fragment_offset(),
            u8::from(ip.more_fragments())
        )?;
        writeln!(out, "{}\t{}", frame.data.len(), frame.original_len)
    }

    /// In bytes, without cutting; `None` for a fragment, whose datagram's length it
    /// does not tell, and where the header is longer than the segment.
    fn payload_len(&self) -> Option<usize> {
        if self.ip.is_fragment() {
            return None;
        }
        self.len.checked_sub(self.tcp.header_len()?)
    }
}

fn field(out: &mut impl Write, value: Option<impl std::fmt::Display>) -> io::Result<()> {
    match value {
        Some(value) => write!(out, "{value}\t"),
        None => out.write_all(b"\t"),
    }
}

/// As Wireshark numbers them.
fn status(status: ChecksumStatus) -> u8 {
    match status {
        ChecksumStatus::Bad => 0,
        ChecksumStatus::Good => 1,
        ChecksumStatus::Unverifiable => 2,
    }
}
