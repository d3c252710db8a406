//! Builders: what they write parses and is what they were given, another library reads the
//! same of it and writes the same, and what has no room leaves the buffer alone.

use std::net::SocketAddrV4;

use zerotcp::wire::{
    BuildError, Icmpv4Builder, Icmpv4Type, IpProtocol, Ipv4Builder, Ipv4Packet, SackBlocks,
    SegmentFields, SegmentTemplate, SeqNumber, TcpBuilder, TcpFlags, TcpOption, TcpPacket,
};

use crate::input::Input;

struct Sample<'a> {
    src: SocketAddrV4,
    dst: SocketAddrV4,
    fields: SegmentFields,
    dscp_ecn: u8,
    ttl: u8,
    dont_fragment: bool,
    ip_options: &'a [u8],
    options: Vec<TcpOption<'a>>,
    payload: &'a [u8],
}

/// All that goes into a packet, its payload last.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let sample = Sample::read(&mut input);
    let mut buffer = vec![0x77; 200 + sample.payload.len()];
    tcp(&sample, &mut buffer);
    ipv4(&sample, &mut buffer);
    icmpv4(&sample, &mut buffer);
}

impl<'a> Sample<'a> {
    fn read(input: &mut Input<'a>) -> Sample<'a> {
        let (src, dst) = (input.socket(), input.socket());
        let flags = TcpFlags::from_bits(input.u16());
        let fields = SegmentFields {
            identification: input.u16(),
            seq: SeqNumber(input.u32()),
            ack: SeqNumber(if flags.ack() { input.u32() } else { 0 }),
            flags,
            window: input.u16(),
            urgent: if flags.urg() { input.u16() } else { 0 },
        };
        let (dscp_ecn, ttl, dont_fragment) = (input.u8(), input.u8(), input.bit());
        // Up to one byte too many.
        let ip_options_len = input.below(42);
        let ip_options = input.take(ip_options_len);
        let options = (0..input.below(8)).map(|_| option(input)).collect();
        Sample {
            src,
            dst,
            fields,
            dscp_ecn,
            ttl,
            dont_fragment,
            ip_options,
            options,
            payload: input.rest(),
        }
    }

    fn options_len(&self) -> usize {
        self.options.iter().map(TcpOption::len).sum()
    }

    fn ip<'b>(&self, ip: Ipv4Builder<'b>) -> Ipv4Builder<'b> {
        ip.dscp(self.dscp_ecn >> 2)
            .ecn(self.dscp_ecn)
            .ttl(self.ttl)
            .identification(self.fields.identification)
            .dont_fragment(self.dont_fragment)
    }
}

fn option<'a>(input: &mut Input<'a>) -> TcpOption<'a> {
    match input.below(7) {
        0 => TcpOption::NoOperation,
        1 => TcpOption::MaximumSegmentSize(input.u16()),
        2 => TcpOption::WindowScale(input.u8()),
        3 => TcpOption::SackPermitted,
        4 => TcpOption::Timestamps {
            value: input.u32(),
            echo: input.u32(),
        },
        5 => {
            let len = 8 * (1 + input.below(SackBlocks::MAX));
            SackBlocks::new(input.take(len)).map_or(TcpOption::NoOperation, TcpOption::Sack)
        }
        _ => {
            // Of no kind that has a meaning.
            let (kind, len) = (input.u8() | 0x40, input.below(42));
            TcpOption::Unknown {
                kind,
                data: input.take(len),
            }
        }
    }
}

fn tcp(sample: &Sample<'_>, buffer: &mut [u8]) {
    let fields = sample.fields;
    let mut builder = TcpBuilder::new(sample.src, sample.dst)
        .ip(|ip| sample.ip(ip).options(sample.ip_options))
        .seq(fields.seq)
        .flags(fields.flags)
        .window(fields.window)
        .options(&sample.options);
    // These set their bit.
    if fields.flags.ack() {
        builder = builder.ack(fields.ack);
    }
    if fields.flags.urg() {
        builder = builder.urgent(fields.urgent);
    }
    let options = [sample.ip_options.len(), sample.options_len()];
    let room = buffer.len();
    let lengths = options.map(|len| len.next_multiple_of(4));
    let needed = 40 + lengths[0] + lengths[1] + sample.payload.len();
    let written = builder.write(buffer, sample.payload);
    if let Some(&found) = options.iter().find(|len| **len > 40) {
        assert_eq!(written, Err(BuildError::Options { found }));
        assert!(buffer.iter().all(|&byte| byte == 0x77));
        return;
    }
    if needed > usize::from(u16::MAX) {
        assert_eq!(written, Err(BuildError::TooLong { found: needed }));
        return;
    }
    assert_eq!(written, Ok(needed));
    let bytes = &buffer[..needed];
    assert!(buffer[needed..].iter().all(|&byte| byte == 0x77));
    let packet = TcpPacket::parse(bytes).expect("it was built");
    check_tcp(sample, &packet);
    check_by_peer(sample, bytes);

    // A byte less is too little; exactly as much is enough.
    let mut short = vec![0x11; needed - 1];
    let found = needed - 1;
    let error = BuildError::Buffer { needed, found };
    assert_eq!(builder.write(&mut short, sample.payload), Err(error));
    assert!(short.iter().all(|&byte| byte == 0x11));
    short.push(0);
    assert_eq!(builder.write(&mut short, sample.payload), Ok(needed));
    assert_eq!(short, bytes);

    if sample.ip_options.is_empty() {
        let template = SegmentTemplate::with_ip(sample.src, sample.dst, |ip| sample.ip(ip));
        let cut = usize::from(fields.window) % (sample.payload.len() + 1);
        let (first, second) = sample.payload.split_at(cut);
        short.fill(0x11);
        let written = template.write(&mut short, &fields, &sample.options, [first, second]);
        assert_eq!(written, Ok(needed));
        assert_eq!(short, bytes);
    }
    assert!(room >= needed);
}

fn check_tcp(sample: &Sample<'_>, packet: &TcpPacket<'_>) {
    let TcpPacket { ip, tcp } = packet;
    assert_eq!(ip.dscp() << 2 | ip.ecn(), sample.dscp_ecn);
    assert_eq!(ip.ttl(), sample.ttl);
    assert_eq!(ip.dont_fragment(), sample.dont_fragment);
    assert!(!ip.is_fragment());
    let (options, padding) = ip.options().split_at(sample.ip_options.len());
    assert_eq!(options, sample.ip_options);
    assert!(padding.iter().all(|&byte| byte == 0));
    assert_eq!(SocketAddrV4::new(ip.src(), tcp.src_port()), sample.src);
    assert_eq!(SocketAddrV4::new(ip.dst(), tcp.dst_port()), sample.dst);
    let fields = SegmentFields {
        identification: ip.identification(),
        seq: tcp.seq(),
        ack: tcp.ack(),
        flags: tcp.flags(),
        window: tcp.window(),
        urgent: tcp.urgent(),
    };
    assert_eq!(fields, sample.fields);
    let options: Vec<_> = tcp
        .options()
        .map(|option| option.expect("it was built"))
        .collect();
    assert_eq!(options, sample.options);
    assert!(tcp.option_summary().is_ok());
    assert_eq!(tcp.payload(), sample.payload);
}

/// What etherparse finds in it, and what it would have written: it knows no reserved bits of
/// TCP, and options other than its own as bytes only.
fn check_by_peer(sample: &Sample<'_>, bytes: &[u8]) {
    let parsed = etherparse::SlicedPacket::from_ip(bytes).expect("it was built");
    let Some(etherparse::NetSlice::Ipv4(ip)) = &parsed.net else {
        panic!("{parsed:?}");
    };
    let Some(etherparse::TransportSlice::Tcp(tcp)) = &parsed.transport else {
        panic!("{parsed:?}");
    };
    let (header, segment) = (ip.header().to_header(), tcp.to_header());
    assert_eq!(header.header_checksum, header.calc_header_checksum());
    let flags = sample.fields.flags;
    if flags.bits() & 0x0e00 == 0 {
        let checksum = segment.calc_checksum_ipv4(&header, tcp.payload());
        assert_eq!(Ok(segment.checksum), checksum);
        let written = [&header.to_bytes()[..], &segment.to_bytes(), tcp.payload()].concat();
        assert_eq!(written, bytes);
    }
    let found = (segment.sequence_number, segment.acknowledgment_number);
    assert_eq!(found, (sample.fields.seq.0, sample.fields.ack.0));
    assert_eq!(segment.window_size, sample.fields.window);
    assert_eq!(
        (segment.syn, segment.fin, segment.rst),
        (flags.syn(), flags.fin(), flags.rst())
    );
    assert_eq!(tcp.payload(), sample.payload);
}

fn ipv4(sample: &Sample<'_>, buffer: &mut [u8]) {
    let protocol = IpProtocol(sample.fields.window as u8);
    let (offset, more) = (sample.src.port(), sample.dst.port() & 1 != 0);
    let builder = sample
        .ip(Ipv4Builder::new(
            *sample.src.ip(),
            *sample.dst.ip(),
            protocol,
        ))
        .fragment(offset, more)
        .options(sample.ip_options);
    let Ok(len) = builder.write(buffer, sample.payload) else {
        let is_long = 60 + sample.payload.len() > usize::from(u16::MAX);
        assert!(sample.ip_options.len() > 40 || is_long);
        return;
    };
    let packet = Ipv4Packet::parse(&buffer[..len]).expect("it was built");
    assert_eq!(
        (packet.src(), packet.dst()),
        (*sample.src.ip(), *sample.dst.ip())
    );
    assert_eq!(packet.protocol(), protocol);
    assert_eq!(packet.fragment_offset(), offset & !7);
    assert_eq!(packet.more_fragments(), more);
    assert_eq!(packet.dont_fragment(), sample.dont_fragment);
    assert_eq!(packet.payload(), sample.payload);
}

fn icmpv4(sample: &Sample<'_>, buffer: &mut [u8]) {
    let (kind, code) = (Icmpv4Type(sample.ttl), sample.dscp_ecn);
    let rest = sample.fields.seq.0.to_be_bytes();
    let builder = Icmpv4Builder::new(*sample.src.ip(), *sample.dst.ip(), kind, code)
        .ip(|ip| sample.ip(ip).options(sample.ip_options))
        .rest(rest);
    let Ok(len) = builder.write(buffer, sample.payload) else {
        let is_long = 68 + sample.payload.len() > usize::from(u16::MAX);
        assert!(sample.ip_options.len() > 40 || is_long);
        return;
    };
    let packet = Ipv4Packet::parse(&buffer[..len]).expect("it was built");
    let message = packet.icmpv4().expect("it was built");
    assert_eq!((message.kind(), message.code()), (kind, code));
    assert_eq!((message.rest(), message.body()), (rest, sample.payload));
}
