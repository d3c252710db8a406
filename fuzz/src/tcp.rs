//! TCP segments: one pass over both headers finds what the layers find one by one, the views
//! say what the bytes say, and a builder writes what was parsed.

use std::net::SocketAddrV4;

use zerotcp::wire::{
    ErrorKind, Ipv4Packet, ParseError, RawTcp, SegmentFields, SegmentTemplate, TcpBuilder,
    TcpFlags, TcpOption, TcpPacket, TcpSegment,
};

use crate::input::Input;
use crate::naive;

/// A byte whose bits make the checksums of IP and TCP right, then the packet.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let seals = input.u8();
    let mut bytes = input.rest().to_vec();
    if seals & 1 != 0 {
        naive::seal_ipv4(&mut bytes);
    }
    if seals & 2 != 0 {
        naive::seal_payload(&mut bytes);
    }
    raw(&bytes);
    parse(&bytes);
}

fn parse(bytes: &[u8]) {
    let verified = TcpPacket::parse(bytes);
    agree(bytes, verified, by_layer(bytes, true));
    agree(
        bytes,
        TcpPacket::parse_unverified(bytes),
        by_layer(bytes, false),
    );
    for packet in TcpPacket::parse_batch(&[bytes; 3]) {
        agree(bytes, packet, verified);
    }
    match verified {
        Ok(packet) => {
            segment(&packet);
            assert_eq!(
                naive::segment_sum(&bytes[12..20], 6, packet.ip.payload()),
                0xffff
            );
            if let Some(rebuilt) = rebuilt(&packet) {
                let mut original = bytes[..rebuilt.len()].to_vec();
                naive::with_positive_zero(&mut original, 10);
                naive::with_positive_zero(&mut original, packet.ip.header_len() + 16);
                assert_eq!(rebuilt, original);
            }
        }
        Err(error) => {
            naive::check_error(bytes, error);
            if error.kind == ErrorKind::Checksum {
                let mut mended = bytes.to_vec();
                naive::set_word(&mut mended, error.offset, error.needed as u16);
                let next = TcpPacket::parse(&mended).err();
                assert!(
                    next.is_none_or(|next| next.offset > error.offset || next.kind != error.kind)
                );
            }
        }
    }
}

/// What must be the same: the packet, or the error.
fn agree(
    bytes: &[u8],
    one: Result<TcpPacket<'_>, ParseError>,
    other: Result<TcpPacket<'_>, ParseError>,
) {
    let parts = |packet: TcpPacket<'_>| {
        let TcpPacket { ip, tcp } = packet;
        // Where they lie; of empty ones it does not matter.
        let slices = [
            ip.options(),
            ip.payload(),
            tcp.option_bytes(),
            tcp.payload(),
        ];
        let place = |slice: &[u8]| (!slice.is_empty()).then_some(slice.as_ptr_range());
        (*ip, *tcp, slices.map(place))
    };
    assert_eq!(one.map(parts), other.map(parts), "{bytes:x?}");
}

fn by_layer(bytes: &[u8], verify: bool) -> Result<TcpPacket<'_>, ParseError> {
    if !verify {
        let ip = Ipv4Packet::parse_unverified(bytes)?;
        let tcp = TcpSegment::parse_unverified(segment_of(&ip)?);
        let tcp = tcp.map_err(|error| error.at(ip.header_len()))?;
        return Ok(TcpPacket { ip, tcp });
    }
    let ip = Ipv4Packet::parse(bytes)?;
    let tcp = TcpSegment::parse(segment_of(&ip)?, ip.pseudo_header());
    let tcp = tcp.map_err(|error| error.at(ip.header_len()))?;
    Ok(TcpPacket { ip, tcp })
}

/// The payload, or why it is no whole segment.
fn segment_of<'a>(ip: &Ipv4Packet<'a>) -> Result<&'a [u8], ParseError> {
    match ip.tcp_unverified() {
        Err(error) if matches!(error.kind, ErrorKind::Protocol | ErrorKind::Fragment) => Err(error),
        _ => Ok(ip.payload()),
    }
}

/// The fields of a segment, and what follows from them.
fn segment(packet: &TcpPacket<'_>) {
    let (bytes, tcp) = (packet.ip.payload(), &packet.tcp);
    let (options, payload) = bytes[20..].split_at(tcp.header_len() - 20);
    assert_eq!((tcp.option_bytes(), tcp.payload()), (options, payload));
    let raw = RawTcp::new(bytes);
    assert_eq!(Some(tcp.src_port()), raw.src_port());
    assert_eq!(Some(tcp.dst_port()), raw.dst_port());
    assert_eq!(Some(tcp.seq()), raw.seq());
    assert_eq!(Some(tcp.ack()), raw.ack());
    assert_eq!(Some(tcp.header_len()), raw.header_len());
    assert_eq!(Some(tcp.flags()), raw.flags());
    assert_eq!(Some(tcp.window()), raw.window());
    assert_eq!(Some(tcp.checksum()), raw.checksum());
    assert_eq!(Some(tcp.urgent()), raw.urgent());
    assert_eq!(raw.payload(), payload);
    assert!(raw.options().eq(tcp.options()));
    let controls = u32::from(tcp.flags().syn()) + u32::from(tcp.flags().fin());
    assert_eq!(tcp.sequence_len(), payload.len() as u32 + controls);
    let flags = tcp.flags();
    assert_eq!(TcpFlags::from_bits(flags.bits()), flags);
    assert_eq!((!flags & flags).bits(), 0);
    assert_eq!(flags.to_string() == "-", flags.bits() & 0x1ff == 0);
    if let Err(error) = tcp.option_summary() {
        naive::check_error(bytes, error);
    }
}

/// A tolerant view gives each field if its bytes are there.
fn raw(bytes: &[u8]) {
    let raw = RawTcp::new(bytes);
    let word = |at: usize| (bytes.len() >= at + 2).then(|| naive::word(bytes, at));
    let long = |at: usize| (bytes.len() >= at + 4).then(|| naive::long(bytes, at));
    assert_eq!(raw.bytes(), bytes);
    assert_eq!((raw.src_port(), raw.dst_port()), (word(0), word(2)));
    assert_eq!(raw.seq().map(|seq| seq.0), long(4));
    assert_eq!(raw.ack().map(|ack| ack.0), long(8));
    let header_len = bytes.get(12).map(|byte| usize::from(byte >> 4) * 4);
    assert_eq!(raw.header_len(), header_len);
    assert_eq!(
        raw.flags().map(TcpFlags::bits),
        word(12).map(|word| word & 0xfff)
    );
    assert_eq!(raw.window(), word(14));
    assert_eq!((raw.checksum(), raw.urgent()), (word(16), word(18)));
    let payload = header_len.and_then(|start| bytes.get(start..));
    assert_eq!(raw.payload(), payload.unwrap_or(&[]));
    assert!(raw.options().count() <= 40);
}

/// The packet, written anew from what its views say; `None` where no builder would write it:
/// the reserved bit of IP, options that are malformed or end before their room does.
fn rebuilt(packet: &TcpPacket<'_>) -> Option<Vec<u8>> {
    let TcpPacket { ip, tcp } = packet;
    let options: Vec<TcpOption<'_>> = tcp.options().collect::<Result<_, _>>().ok()?;
    let options_len: usize = options.iter().map(TcpOption::len).sum();
    let padding = &tcp.option_bytes()[options_len..];
    if padding.len() > 3 || padding.iter().any(|&byte| byte != 0) || is_reserved(ip) {
        return None;
    }
    let src = SocketAddrV4::new(ip.src(), tcp.src_port());
    let dst = SocketAddrV4::new(ip.dst(), tcp.dst_port());
    let mut buffer = vec![0; usize::from(ip.total_length())];
    let len = if ip.options().is_empty() {
        let template = SegmentTemplate::with_ip(src, dst, |header| {
            let header = header.ttl(ip.ttl()).dscp(ip.dscp());
            header.dont_fragment(ip.dont_fragment())
        });
        let fields = SegmentFields {
            identification: ip.identification(),
            seq: tcp.seq(),
            ack: tcp.ack(),
            flags: tcp.flags(),
            window: tcp.window(),
            urgent: tcp.urgent(),
        };
        let halves = tcp.payload().split_at(tcp.payload().len() / 2);
        let template = template.ecn(ip.ecn());
        template.write(&mut buffer, &fields, &options, [halves.0, halves.1])
    } else {
        let mut builder = TcpBuilder::new(src, dst)
            .ip(|header| {
                let header = header.ttl(ip.ttl()).dscp(ip.dscp()).ecn(ip.ecn());
                let header = header.dont_fragment(ip.dont_fragment());
                let header = header.identification(ip.identification());
                header.options(ip.options())
            })
            .seq(tcp.seq())
            .flags(tcp.flags())
            .window(tcp.window())
            .options(&options);
        // These set a flag as well.
        match (tcp.flags().ack(), tcp.ack().0) {
            (true, _) => builder = builder.ack(tcp.ack()),
            (false, 0) => {}
            _ => return None,
        }
        match (tcp.flags().urg(), tcp.urgent()) {
            (true, urgent) => builder = builder.urgent(urgent),
            (false, 0) => {}
            _ => return None,
        }
        builder.write(&mut buffer, tcp.payload())
    };
    assert_eq!(len, Ok(buffer.len()));
    Some(buffer)
}

/// The bit before DF, for which there is no accessor.
fn is_reserved(ip: &Ipv4Packet<'_>) -> bool {
    zerocopy::IntoBytes::as_bytes(ip.header())[6] & 0x80 != 0
}
