//! What must hold across the rooms of `wire`.

use core::net::{Ipv4Addr, SocketAddrV4};

use byteorder::{BigEndian, ByteOrder};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 1), 49152);
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 2), 80);

/// A segment of which everything is drawn at random.
#[derive(Clone, Debug)]
struct Sample {
    src: SocketAddrV4,
    dst: SocketAddrV4,
    fields: SegmentFields,
    dscp_ecn: u8,
    ttl: u8,
    mss: Option<u16>,
    window_scale: Option<u8>,
    sack_permitted: bool,
    timestamps: Option<(u32, u32)>,
    /// Timestamps alone, in the layout of RFC 7323 appendix A.
    recommended: bool,
    ip_options: Vec<u8>,
    payload: Vec<u8>,
}

impl Sample {
    fn options(&self) -> Vec<TcpOption<'static>> {
        let timestamps = self
            .timestamps
            .map(|(value, echo)| TcpOption::Timestamps { value, echo });
        if let (true, Some(times)) = (self.recommended, timestamps) {
            return vec![TcpOption::NoOperation, TcpOption::NoOperation, times];
        }
        let all = [
            self.mss.map(TcpOption::MaximumSegmentSize),
            self.sack_permitted.then_some(TcpOption::SackPermitted),
            timestamps,
            Some(TcpOption::NoOperation),
            self.window_scale.map(TcpOption::WindowScale),
        ];
        all.into_iter().flatten().collect()
    }

    fn write(&self) -> Vec<u8> {
        let options = self.options();
        let mut buffer = vec![0xaa; 2000];
        let SegmentFields {
            identification,
            seq,
            ack,
            flags,
            window,
            urgent,
        } = self.fields;
        let mut builder = TcpBuilder::new(self.src, self.dst)
            .ip(|ip| {
                ip.dscp(self.dscp_ecn >> 2)
                    .ecn(self.dscp_ecn)
                    .ttl(self.ttl)
                    .identification(identification)
                    .options(&self.ip_options)
            })
            .seq(seq)
            .flags(flags)
            .window(window)
            .options(&options);
        // These two set their bit, so they are left alone where it is not drawn.
        if flags.ack() {
            builder = builder.ack(ack);
        }
        if flags.urg() {
            builder = builder.urgent(urgent);
        }
        let len = builder.write(&mut buffer, &self.payload).unwrap();
        buffer.truncate(len);
        buffer
    }
}

fn address() -> impl Strategy<Value = SocketAddrV4> {
    (any::<u32>(), any::<u16>()).prop_map(|(ip, port)| SocketAddrV4::new(ip.into(), port))
}

fn fields() -> impl Strategy<Value = SegmentFields> {
    let words = (any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>());
    (words, any::<u32>(), any::<u32>()).prop_map(|(words, seq, ack)| {
        let flags = TcpFlags::from_bits(words.1);
        SegmentFields {
            identification: words.0,
            seq: SeqNumber(seq),
            ack: SeqNumber(if flags.ack() { ack } else { 0 }),
            flags,
            window: words.2,
            urgent: if flags.urg() { words.3 } else { 0 },
        }
    })
}

fn sample() -> impl Strategy<Value = Sample> {
    let options = (
        any::<Option<u16>>(),
        any::<Option<u8>>(),
        any::<bool>(),
        any::<Option<(u32, u32)>>(),
    );
    (
        (address(), address(), fields(), any::<u8>(), any::<u8>()),
        options,
        prop_oneof![Just(Vec::new()), vec(any::<u8>(), 0..=40)],
        vec(any::<u8>(), 0..200),
    )
        .prop_map(|(head, options, ip_options, payload)| Sample {
            src: head.0,
            dst: head.1,
            fields: head.2,
            dscp_ecn: head.3,
            ttl: head.4,
            mss: options.0,
            window_scale: options.1,
            sack_permitted: options.2,
            timestamps: options.3,
            recommended: false,
            ip_options,
            payload,
        })
}

/// The packet of `sample`, made by a peer.
fn by_etherparse(sample: &Sample) -> Vec<u8> {
    use etherparse::TcpOptionElement;

    let SegmentFields {
        identification,
        seq,
        ack,
        flags,
        window,
        urgent,
    } = sample.fields;
    let (src, dst) = (sample.src, sample.dst);
    let mut tcp = etherparse::TcpHeader::new(src.port(), dst.port(), seq.0, window);
    tcp.acknowledgment_number = ack.0;
    tcp.urgent_pointer = urgent;
    tcp.ns = flags.contains(TcpFlags::AE);
    (tcp.cwr, tcp.ece, tcp.urg) = (flags.cwr(), flags.ece(), flags.urg());
    (tcp.ack, tcp.psh, tcp.rst) = (flags.ack(), flags.psh(), flags.rst());
    (tcp.syn, tcp.fin) = (flags.syn(), flags.fin());
    let options: Vec<_> = sample
        .options()
        .into_iter()
        .map(|option| match option {
            TcpOption::NoOperation => TcpOptionElement::Noop,
            TcpOption::MaximumSegmentSize(size) => TcpOptionElement::MaximumSegmentSize(size),
            TcpOption::WindowScale(shift) => TcpOptionElement::WindowScale(shift),
            TcpOption::SackPermitted => TcpOptionElement::SelectiveAcknowledgementPermitted,
            TcpOption::Timestamps { value, echo } => TcpOptionElement::Timestamp(value, echo),
            other => panic!("{other:?} is in no sample"),
        })
        .collect();
    tcp.set_options(&options).unwrap();

    let len = tcp.header_len() + sample.payload.len();
    let (from, to) = (src.ip().octets(), dst.ip().octets());
    let protocol = etherparse::IpNumber::TCP;
    let mut ip = etherparse::Ipv4Header::new(len as u16, sample.ttl, protocol, from, to).unwrap();
    ip.identification = identification;
    ip.dscp = (sample.dscp_ecn >> 2).try_into().unwrap();
    ip.ecn = (sample.dscp_ecn & 0b11).try_into().unwrap();
    ip.options = sample.ip_options[..].try_into().unwrap();
    ip.set_payload_len(len).unwrap();
    ip.header_checksum = ip.calc_header_checksum();
    tcp.checksum = tcp.calc_checksum_ipv4(&ip, &sample.payload).unwrap();
    [&ip.to_bytes()[..], &tcp.to_bytes(), &sample.payload].concat()
}

/// Both checksum fields and what they would be if computed afresh.
fn checksums(packet: &[u8]) -> [(u16, u16); 2] {
    let header_len = usize::from(packet[0] & 0xf) * 4;
    let total = usize::from(BigEndian::read_u16(&packet[2..]));
    let mut header = packet[..header_len].to_vec();
    header[10..12].fill(0);
    let mut segment = packet[header_len..total].to_vec();
    segment[16..18].fill(0);
    let octets =
        |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
    let pseudo = Checksum::pseudo_header(octets(12), octets(16), 6, segment.len() as u16);
    [
        (
            BigEndian::read_u16(&packet[10..]),
            Checksum::of(&header).finish(),
        ),
        (
            BigEndian::read_u16(&packet[header_len + 16..]),
            pseudo.combine(Checksum::of(&segment)).finish(),
        ),
    ]
}

/// Everything that can be asked of any bytes.
fn look_everywhere(bytes: &[u8]) {
    let raw = RawIpv4::new(bytes);
    let _ = (raw.version(), raw.src(), raw.dst(), raw.is_cut(), raw.ttl());
    let _ = (raw.checksum_status(), raw.tcp_checksum_status());
    let _ = (
        raw.fragment_offset(),
        raw.more_fragments(),
        raw.payload_len(),
    );
    for tcp in raw.tcp().into_iter().chain([RawTcp::new(bytes)]) {
        let _ = (tcp.src_port(), tcp.seq(), tcp.flags(), tcp.urgent());
        let _ = (tcp.options().count(), tcp.payload().len());
    }
    for packet in [
        Ipv4Packet::parse(bytes),
        Ipv4Packet::parse_unverified(bytes),
    ] {
        let Ok(packet) = packet else { continue };
        let _ = (packet.options().len(), packet.payload().len());
        for tcp in [packet.tcp(), packet.tcp_unverified()]
            .into_iter()
            .flatten()
        {
            let _ = (
                tcp.options().count(),
                tcp.option_summary(),
                tcp.sequence_len(),
            );
        }
        if let Ok(message) = packet.icmpv4()
            && let Some(quote) = message.quote()
        {
            let _ = quote.tcp().and_then(|tcp| tcp.seq());
        }
    }
    let _ = TcpSegment::parse_unverified(bytes).map(|tcp| tcp.options().count());
    if let Ok(message) = Icmpv4Message::parse(bytes) {
        let _ = (message.next_hop_mtu(), message.identifier());
    }
    let mut copy = bytes.to_vec();
    if let Ok(mut packet) = Ipv4PacketMut::parse_unverified(&mut copy) {
        packet.set_src(Ipv4Addr::BROADCAST);
        let _ = packet.set_total_length(33);
        let _ = packet.set_options(&[1, 2, 3]);
        if let Ok(mut tcp) = packet.tcp_mut() {
            let _ = tcp.set_data_offset(7);
            let _ = tcp.set_options(&[TcpOption::SackPermitted]);
            let _ = tcp.set_payload(1, b"odd");
        }
    }
}

/// The layers at once and one by one: the same packet, or the same error.
fn parse_both_ways(bytes: &[u8]) {
    // Where each part lies; of an empty one it does not matter.
    let place = |part: &[u8]| (!part.is_empty()).then_some(part.as_ptr_range());
    let parts = |packet: TcpPacket<'_>| {
        let TcpPacket { ip, tcp } = packet;
        let bytes = [
            ip.options(),
            ip.payload(),
            tcp.option_bytes(),
            tcp.payload(),
        ];
        (*ip, *tcp, bytes.map(place))
    };
    let by_layer = Ipv4Packet::parse(bytes).and_then(|ip| {
        let tcp = ip.tcp()?;
        let alone = TcpSegment::parse(ip.payload(), ip.pseudo_header());
        assert_eq!(alone.map(|alone| *alone), Ok(*tcp));
        Ok(TcpPacket { ip, tcp })
    });
    assert_eq!(
        TcpPacket::parse(bytes).map(parts),
        by_layer.map(parts),
        "{bytes:x?}"
    );
    let by_layer = Ipv4Packet::parse_unverified(bytes).and_then(|ip| {
        let tcp = ip.tcp_unverified()?;
        Ok(TcpPacket { ip, tcp })
    });
    assert_eq!(
        TcpPacket::parse_unverified(bytes).map(parts),
        by_layer.map(parts),
        "{bytes:x?}"
    );
}

/// The options that the iterator finds are those of the summary, and so is what is wrong.
fn summary_is_what_the_iterator_finds(bytes: &[u8]) {
    let (summary, error) = OptionSummary::tolerant(bytes);
    let mut found = OptionSummary::default();
    let (mut blocks, mut fault) = (Vec::new(), None);
    for option in TcpOptions::new(bytes) {
        match option {
            Ok(TcpOption::MaximumSegmentSize(size)) => found.mss = Some(size),
            Ok(TcpOption::WindowScale(shift)) => found.window_scale = Some(shift),
            Ok(TcpOption::SackPermitted) => found.sack_permitted = true,
            Ok(TcpOption::Sack(sack)) => blocks = sack.iter().collect(),
            Ok(TcpOption::Timestamps { value, echo }) => found.timestamps = Some((value, echo)),
            Ok(TcpOption::NoOperation | TcpOption::Unknown { .. }) => {}
            Err(error) => fault = Some(error),
        }
    }
    assert_eq!(summary.mss, found.mss, "{bytes:?}");
    assert_eq!(summary.window_scale, found.window_scale, "{bytes:?}");
    assert_eq!(summary.sack_permitted, found.sack_permitted, "{bytes:?}");
    assert_eq!(summary.timestamps, found.timestamps, "{bytes:?}");
    assert_eq!(summary.sack(), blocks, "{bytes:?}");
    assert_eq!(error, fault, "{bytes:?}");
}

/// Options mostly well formed: a kind, the length that it has or another, a body.
fn option_bytes() -> impl Strategy<Value = Vec<u8>> {
    let option = (0..9u8, 0..12u8, vec(any::<u8>(), 32)).prop_map(|(kind, luck, body)| {
        let len = match (kind, luck) {
            (_, 0) => body[0] % 40,
            (0 | 1, _) => return vec![kind],
            (2, _) => 4,
            (3, _) => 3,
            (4, _) => 2,
            (5, blocks) => 2 + blocks % 5 * 8,
            (8, _) => 10,
            (_, more) => 2 + more,
        };
        let body = body
            .into_iter()
            .cycle()
            .take(usize::from(len).saturating_sub(2));
        [kind, len].into_iter().chain(body).collect::<Vec<u8>>()
    });
    vec(option, 0..7).prop_map(|options| {
        let mut bytes = options.concat();
        bytes.truncate(40);
        bytes
    })
}

proptest! {
    #[test]
    fn a_summary_is_what_the_iterator_finds(bytes in option_bytes()) {
        summary_is_what_the_iterator_finds(&bytes);
    }

    #[test]
    fn views_never_panic_on_arbitrary_bytes(bytes in vec(any::<u8>(), 0..120)) {
        look_everywhere(&bytes);
    }

    /// As above, but past the first checks, which random bytes seldom pass.
    #[test]
    fn views_never_panic_on_nearly_sound_packets(
        sample in sample(),
        cut in any::<prop::sample::Index>(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        fix in any::<bool>(),
    ) {
        let mut bytes = sample.write();
        for (at, value) in flips {
            let at = at.index(bytes.len().min(80));
            bytes[at] = value;
        }
        if fix {
            let header_len = (usize::from(bytes[0] & 0xf) * 4).clamp(20, bytes.len());
            bytes[10..12].fill(0);
            let sum = Checksum::of(&bytes[..header_len]).finish();
            BigEndian::write_u16(&mut bytes[10..12], sum);
        }
        let cut = &bytes[..cut.index(bytes.len() + 1)];
        look_everywhere(&bytes);
        look_everywhere(cut);
        parse_both_ways(&bytes);
        parse_both_ways(cut);
    }

    /// Nearly every packet takes a short way, which is to judge as the long one does.
    #[test]
    fn the_common_packet_is_parsed_as_any_other(
        sample in sample(),
        padding in 0..30usize,
        flips in vec((0..40usize, any::<u8>()), 0..3),
        (fix_ip, fix_tcp) in (any::<bool>(), any::<bool>()),
    ) {
        let sample = Sample { ip_options: Vec::new(), ..sample };
        let mut bytes = sample.write();
        let len = bytes.len();
        bytes.resize(len + padding, 0xee);
        prop_assert!(TcpPacket::common(&bytes).is_some());
        parse_both_ways(&bytes);
        for (at, value) in flips {
            bytes[at] = value;
        }
        if fix_ip {
            bytes[10..12].fill(0);
            let sum = Checksum::of(&bytes[..20]).finish();
            BigEndian::write_u16(&mut bytes[10..12], sum);
        }
        if fix_tcp {
            let total = usize::from(BigEndian::read_u16(&bytes[2..4])).clamp(40, bytes.len());
            bytes[36..38].fill(0);
            let rest = Checksum::new().word(6).word((total - 20) as u16);
            let sum = rest.combine(Checksum::of(&bytes[12..total]));
            BigEndian::write_u16(&mut bytes[36..38], sum.finish());
        }
        parse_both_ways(&bytes);
        parse_both_ways(&bytes[..bytes.len() - padding]);
    }

    #[test]
    fn parsing_gives_back_what_was_built(sample in sample()) {
        let bytes = sample.write();
        let TcpPacket { ip, tcp } = TcpPacket::parse(&bytes).unwrap();
        prop_assert_eq!((ip.src(), ip.dst()), (*sample.src.ip(), *sample.dst.ip()));
        prop_assert_eq!((tcp.src_port(), tcp.dst_port()), (sample.src.port(), sample.dst.port()));
        prop_assert_eq!(ip.dscp() << 2 | ip.ecn(), sample.dscp_ecn);
        prop_assert_eq!(ip.ttl(), sample.ttl);
        prop_assert!(ip.dont_fragment() && !ip.is_fragment());
        prop_assert_eq!(&ip.options()[..sample.ip_options.len()], &sample.ip_options[..]);
        let fields = SegmentFields {
            identification: ip.identification(),
            seq: tcp.seq(),
            ack: tcp.ack(),
            flags: tcp.flags(),
            window: tcp.window(),
            urgent: tcp.urgent(),
        };
        prop_assert_eq!(fields, sample.fields);
        let options: Vec<_> = tcp.options().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(options, sample.options());
        let summary = tcp.option_summary().unwrap();
        prop_assert_eq!(summary.mss, sample.mss);
        prop_assert_eq!(summary.window_scale, sample.window_scale);
        prop_assert_eq!(summary.sack_permitted, sample.sack_permitted);
        prop_assert_eq!(summary.timestamps, sample.timestamps);
        prop_assert_eq!(tcp.payload(), &sample.payload[..]);
        // The same packet in other words.
        let raw = RawIpv4::new(&bytes);
        prop_assert_eq!(raw.checksum_status(), ChecksumStatus::Good);
        prop_assert_eq!(raw.tcp_checksum_status(), ChecksumStatus::Good);
        prop_assert_eq!(raw.tcp().unwrap().payload(), &sample.payload[..]);
    }

    #[test]
    fn a_peer_reads_what_was_built(sample in sample()) {
        let bytes = sample.write();
        let parsed = etherparse::SlicedPacket::from_ip(&bytes).unwrap();
        let Some(etherparse::NetSlice::Ipv4(ip)) = &parsed.net else { panic!("{parsed:?}") };
        let Some(etherparse::TransportSlice::Tcp(tcp)) = &parsed.transport else { panic!("{parsed:?}") };
        let header = ip.header();
        prop_assert_eq!(header.header_checksum(), header.to_header().calc_header_checksum());
        prop_assert_eq!(tcp.checksum(), tcp.calc_checksum_ipv4(header.source(), header.destination()).unwrap());
        prop_assert_eq!(tcp.sequence_number(), sample.fields.seq.0);
        prop_assert_eq!(tcp.payload(), &sample.payload[..]);
    }

    #[test]
    fn a_peer_builds_the_same_bytes(sample in sample(), recommended in any::<bool>()) {
        let mut sample = sample;
        // Those that it knows: no reserved bits.
        sample.fields.flags = TcpFlags::from_bits(sample.fields.flags.bits() & 0x01ff);
        sample.ip_options.resize(sample.ip_options.len().next_multiple_of(4), 0);
        sample.recommended = recommended;
        prop_assert_eq!(sample.write(), by_etherparse(&sample));
    }

    #[test]
    fn a_template_writes_what_the_builder_writes(sample in sample(), cut in any::<prop::sample::Index>()) {
        let recommended = sample.timestamps.is_some() && sample.mss.is_none();
        let sample = Sample { ip_options: vec![], recommended, ..sample };
        let template = SegmentTemplate::with_ip(sample.src, sample.dst, |ip| {
            ip.ttl(sample.ttl).dscp(sample.dscp_ecn >> 2).ecn(sample.dscp_ecn)
        });
        let (first, second) = sample.payload.split_at(cut.index(sample.payload.len() + 1));
        let mut buffer = [0x55; 400];
        let len = template
            .write(&mut buffer, &sample.fields, &sample.options(), [first, second])
            .unwrap();
        prop_assert_eq!(&buffer[..len], &sample.write()[..]);
    }

    #[test]
    fn setters_in_any_order_leave_the_checksums_of_a_recomputation(
        sample in sample(),
        slack in 0..64usize,
        steps in vec((0..24u8, any::<u32>()), 1..24),
    ) {
        let mut bytes = sample.write();
        // Link padding, which set_total_length may take in.
        bytes.extend((0..slack).map(|n| n as u8));
        for (step, value) in steps {
            let short = value as u16;
            let mut packet = Ipv4PacketMut::parse(&mut bytes).unwrap();
            match step {
                0 => packet.set_dscp(value as u8),
                1 => packet.set_ecn(value as u8),
                2 => packet.set_identification(short),
                3 => packet.set_dont_fragment(value & 1 == 0),
                4 => packet.set_ttl(value as u8),
                5 => packet.set_src(value.into()),
                6 => packet.set_dst(value.into()),
                7 => drop(packet.set_total_length(40 + short % 400)),
                8 => drop(packet.set_options(&value.to_be_bytes())),
                // A fragment and back: the transport's checksum stays as it is.
                9 => {
                    packet.set_more_fragments(true);
                    packet.set_fragment_offset(short);
                    packet.set_fragment_offset(0);
                    packet.set_more_fragments(false);
                }
                10 => {
                    packet.set_protocol(IpProtocol::UDP);
                    packet.set_protocol(IpProtocol::TCP);
                }
                _ => {
                    let mut tcp = packet.tcp_mut().unwrap();
                    match step {
                        11 => tcp.set_src_port(short),
                        12 => tcp.set_dst_port(short),
                        13 => tcp.set_seq(SeqNumber(value)),
                        14 => tcp.set_ack(SeqNumber(value)),
                        15 => tcp.set_flags(TcpFlags::from_bits(short)),
                        16 => tcp.set_window(short),
                        17 => tcp.set_urgent(short),
                        18 => drop(tcp.set_data_offset(value as u8 % 17)),
                        19 => drop(tcp.set_options(&[TcpOption::WindowScale(value as u8)])),
                        20 => drop(tcp.set_payload(usize::from(short % 200), &value.to_le_bytes()[..3])),
                        21 => drop(tcp.set_payload(usize::from(short % 8), &[])),
                        22 => drop(tcp.set_options(&[])),
                        _ => {
                            let right = tcp.checksum();
                            tcp.set_checksum(short);
                            tcp.set_checksum(right);
                        }
                    }
                }
            }
            for (field, afresh) in checksums(&bytes) {
                prop_assert_eq!(field, afresh, "after step {}", step);
            }
        }
    }
}

/// A sound segment of 44 bytes with 4 bytes of options and no payload.
fn sound() -> Vec<u8> {
    let mut buffer = [0; 64];
    let len = TcpBuilder::new(CLIENT, SERVER)
        .flags(TcpFlags::SYN)
        .options(&[TcpOption::MaximumSegmentSize(1460)])
        .write(&mut buffer, b"")
        .unwrap();
    buffer[..len].to_vec()
}

#[test]
fn every_fault_is_named_with_its_place() {
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = sound();
        change(&mut bytes);
        TcpPacket::parse_unverified(&bytes).unwrap_err().to_string()
    };
    assert_eq!(
        with(&|b| b.truncate(19)),
        "ipv4: 19 bytes at byte 0, at least 20 needed"
    );
    assert_eq!(
        with(&|b| b[0] = 0x65),
        "ipv4: version 6 at byte 0, 4 needed"
    );
    assert_eq!(
        with(&|b| b[0] = 0x44),
        "ipv4: header length 4 words at byte 0, at least 5 needed"
    );
    assert_eq!(
        with(&|b| b[0] = 0x4f),
        "ipv4: header length at byte 0 says 60 bytes, the packet has 44"
    );
    assert_eq!(
        with(&|b| b[3] = 19),
        "ipv4: total length 19 at byte 2, at least 20 needed"
    );
    assert_eq!(
        with(&|b| b[3] = 45),
        "ipv4: total length 45 at byte 2, but only 44 bytes are there"
    );
    assert_eq!(
        with(&|b| b[6] = 0x20),
        "ipv4: a fragment (field 0x2000 at byte 6)"
    );
    assert_eq!(
        with(&|b| b[9] = 17),
        "ipv4: protocol 17 at byte 9, 6 needed"
    );
    assert_eq!(
        with(&|b| b[3] = 39),
        "tcp: 19 bytes at byte 20, at least 20 needed"
    );
    assert_eq!(
        with(&|b| b[32] = 0x40),
        "tcp: data offset 4 words at byte 32, at least 5 needed"
    );
    assert_eq!(
        with(&|b| b[32] = 0x70),
        "tcp: data offset at byte 32 says 28 bytes, the packet has 24"
    );

    let mut bytes = sound();
    bytes[8] ^= 1;
    let error = TcpPacket::parse(&bytes).unwrap_err();
    assert_eq!(
        (error.layer, error.kind),
        (Layer::Ipv4, ErrorKind::Checksum)
    );
    BigEndian::write_u16(&mut bytes[10..12], error.needed as u16);
    bytes[35] ^= 1;
    let error = TcpPacket::parse(&bytes).unwrap_err();
    assert_eq!(
        (error.layer, error.kind, error.offset),
        (Layer::Tcp, ErrorKind::Checksum, 36)
    );
    BigEndian::write_u16(&mut bytes[36..38], error.needed as u16);
    assert!(TcpPacket::parse(&bytes).is_ok());
}

#[test]
fn debug_shows_fields_as_the_accessors_give_them() {
    let bytes = sound();
    let text = format!("{:?}", TcpPacket::parse(&bytes).unwrap());
    for field in [
        "src: 192.168.0.1",
        "protocol: IpProtocol(6)",
        "total_length: ",
        "SYN",
    ] {
        assert!(text.contains(field), "{field}: {text}");
    }
}

#[test]
fn link_padding_is_not_part_of_the_packet() {
    let mut bytes = sound();
    bytes.extend([0xde; 20]);
    let packet = TcpPacket::parse(&bytes).unwrap();
    assert!(packet.tcp.payload().is_empty());
}

#[test]
fn malformed_options_say_where_and_end_the_walk() {
    use ErrorKind::{OptionLength, OptionOverrun};

    // (options, what is wrong, where, what would be right)
    let cases: [(&[u8], ErrorKind, usize, usize); 11] = [
        (&[254, 0, 1, 1], OptionLength, 21, 2),
        (&[254, 1, 1, 1], OptionLength, 21, 2),
        (&[1, 254, 4, 1], OptionOverrun, 21, 4),
        (&[1, 1, 1, 2], OptionOverrun, 23, 2),
        (&[1, 1, 2, 4], OptionOverrun, 22, 4),
        (&[1, 1, 1, 254], OptionOverrun, 23, 2),
        (&[2, 3, 5, 1], OptionLength, 21, 4),
        (&[3, 4, 5, 1], OptionLength, 21, 3),
        (&[4, 3, 0, 0], OptionLength, 21, 2),
        (&[5, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], OptionLength, 21, 10),
        (&[8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], OptionLength, 21, 10),
    ];
    for (bytes, kind, offset, needed) in cases {
        let error = OptionSummary::of(bytes).unwrap_err();
        assert_eq!(
            (error.kind, error.offset, error.needed),
            (kind, offset, needed),
            "{bytes:?}"
        );
        let mut options = TcpOptions::new(bytes).skip_while(Result::is_ok);
        assert!(options.next().is_some_and(|option| option.is_err()));
        assert!(options.next().is_none());
    }
    let (summary, error) = OptionSummary::tolerant(&[2, 4, 5, 0xb4, 3, 0, 0, 0]);
    assert_eq!(
        (summary.mss, error.map(|error| error.offset)),
        (Some(1460), Some(25))
    );
}

#[test]
fn sack_blocks_and_unknown_options_survive_the_way_there_and_back() {
    let blocks = [(1, 5), (0xffff_fff0, 3), (9, 10)].map(|(left, right)| SackBlock {
        left: SeqNumber(left),
        right: SeqNumber(right),
    });
    let mut body = [0; 24];
    let view = SackBlocks::write(&blocks, &mut body).unwrap();
    let options = [
        TcpOption::Unknown {
            kind: 253,
            data: b"tcpexp",
        },
        TcpOption::Sack(view),
    ];
    let mut buffer = [0; 100];
    let len = TcpBuilder::new(CLIENT, SERVER)
        .options(&options)
        .write(&mut buffer, b"")
        .unwrap();
    let tcp = TcpPacket::parse(&buffer[..len]).unwrap().tcp;
    assert_eq!(
        tcp.options().map(Result::unwrap).collect::<Vec<_>>(),
        options
    );
    assert_eq!(tcp.option_summary().unwrap().sack(), blocks);
    // 34 bytes, and two of padding that end the list (MUST-69).
    assert_eq!(tcp.option_bytes()[34..], [0, 0]);
}

#[test]
fn a_template_is_half_a_cache_line() {
    assert_eq!(size_of::<SegmentTemplate>(), 32);
}

#[test]
fn builders_refuse_what_does_not_fit_and_leave_the_buffer_alone() {
    let mut buffer = [0x77; 50];
    let builder = TcpBuilder::new(CLIENT, SERVER);
    assert_eq!(
        builder.write(&mut buffer, &[0; 11]),
        Err(BuildError::Buffer {
            needed: 51,
            found: 50
        })
    );
    let timestamps = [TcpOption::Timestamps { value: 1, echo: 2 }; 5];
    assert_eq!(
        builder.options(&timestamps).write(&mut buffer, b""),
        Err(BuildError::Options { found: 50 })
    );
    let mut large = vec![0; 70_000];
    assert_eq!(
        builder.write(&mut large, &[0; 65_496]),
        Err(BuildError::TooLong { found: 65_536 })
    );
    assert_eq!(builder.write(&mut large, &[0; 65_495]), Ok(65_535));
    let ip = Ipv4Builder::new(*CLIENT.ip(), *SERVER.ip(), IpProtocol(1)).options(&[0; 41]);
    assert_eq!(
        ip.write(&mut buffer, b""),
        Err(BuildError::Options { found: 41 })
    );
    assert_eq!(buffer, [0x77; 50]);
}

/// Nothing but zeros has a checksum of all ones, and an error says so.
#[test]
fn a_message_of_zeros_is_told_its_checksum() {
    let error = Icmpv4Message::parse(&[0; 8]).unwrap_err();
    assert_eq!((error.needed, error.found), (0xffff, 0));
    let mended = [0, 0, 0xff, 0xff, 0, 0, 0, 0];
    assert!(Icmpv4Message::parse(&mended).is_ok());
}

#[test]
fn an_echo_reply_carries_the_data_of_the_request() {
    let (host, us) = (*CLIENT.ip(), *SERVER.ip());
    let mut buffer = [0; 100];
    let len = Icmpv4Builder::new(host, us, Icmpv4Type::ECHO_REQUEST, 0)
        .rest([0x12, 0x34, 0, 7])
        .write(&mut buffer, b"ping data")
        .unwrap();
    let request = Ipv4Packet::parse(&buffer[..len]).unwrap().icmpv4().unwrap();
    assert_eq!((request.identifier(), request.sequence()), (0x1234, 7));
    let mut reply = [0; 100];
    let len = Icmpv4Builder::echo_reply(us, host, &request)
        .write(&mut reply, request.body())
        .unwrap();
    let packet = Ipv4Packet::parse(&reply[..len]).unwrap();
    assert_eq!((packet.src(), packet.dst()), (us, host));
    let message = packet.icmpv4().unwrap();
    assert_eq!(message.kind(), Icmpv4Type::ECHO_REPLY);
    assert_eq!(
        (message.rest(), message.body()),
        (request.rest(), request.body())
    );
}
