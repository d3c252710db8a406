//! The work whose instructions are counted, and what it has to come to.

use std::fmt::Debug;
use std::hint::black_box;
use std::net::Ipv4Addr;

use zerotcp::stack::{ConnectionId, Meta};
use zerotcp::time::Instant;
use zerotcp::wire::checksum::{self, Checksum};
use zerotcp::wire::{
    Ipv4PacketMut, OptionSummary, SegmentFields, SegmentTemplate, SeqNumber, TcpBuilder, TcpFlags,
    TcpOption, TcpPacket,
};

use super::common::{Pages, SEGMENT, noise, packet};
use super::script::{Script, octets};

pub struct Case {
    /// For good: the committed counts go by it.
    pub name: String,
    /// Whether it sums bytes, so that each kernel has a count of its own.
    pub sums: bool,
    /// Does the work, once.
    pub run: Box<dyn FnOnce()>,
}

pub fn all() -> Vec<Case> {
    let mut cases = vec![plain("empty", empty)];
    for len in [20, 40, 64, 128, 576, 1480, 65535] {
        cases.push(summing(&format!("checksum/{len}"), move || sum(len)));
    }
    cases.extend([
        summing("copysum/1480", || copy(1480)),
        summing("parse/verify-40", || parse::<true>(40, &[])),
        summing("parse/verify-52", || parse::<true>(52, &TIMESTAMPS)),
        summing("parse/verify-1500", || parse::<true>(1500, &[])),
        plain("parse/only-40", || parse::<false>(40, &[])),
        plain("options/timestamps", || options(&TIMESTAMPS)),
        plain("options/syn", || options(&SYN)),
        summing("build/40", || build(40)),
        summing("build/1500", || build(1500)),
        plain("template/40", || template(40, &[])),
        summing("template/52", || template(52, &TIMESTAMPS)),
        summing("template/1500", || template(1500, &[])),
        plain("rewrite/nat", nat),
        plain("update/16", update),
        plain("update/32", update32),
        summing("stack/segment", segment),
        summing("stack/receiver", receiver),
        summing("stack/sender", sender),
        plain("stack/ack", ack),
    ]);
    cases
}

fn plain(name: &str, run: impl FnOnce() + 'static) -> Case {
    Case {
        name: name.to_owned(),
        sums: false,
        run: Box::new(run),
    }
}

fn summing(name: &str, run: impl FnOnce() + 'static) -> Case {
    let sums = true;
    Case {
        sums,
        ..plain(name, run)
    }
}

/// What callgrind counts, known to it by name: `work` and half a dozen instructions
/// around it, those of the case `empty`.
#[inline(never)]
fn measured<O>(output: &mut O, work: impl FnOnce(&mut O)) {
    work(black_box(output));
    // Also keeps `work` from being a jump, after which this would not be seen to return.
    black_box(output);
}

/// Measures work that has one answer.
fn expect<O: Debug + PartialEq>(mut output: O, work: impl FnOnce(&mut O), answer: O) {
    measured(&mut output, work);
    assert_eq!(output, answer);
}

const TIMESTAMPS: [TcpOption; 3] = [TcpOption::NoOperation, TcpOption::NoOperation, TIMES];
const SYN: [TcpOption; 5] = [
    TcpOption::MaximumSegmentSize(1460),
    TcpOption::SackPermitted,
    TIMES,
    TcpOption::NoOperation,
    TcpOption::WindowScale(7),
];
const TIMES: TcpOption = TcpOption::Timestamps {
    value: 0x0102_0304,
    echo: 0xfedc_ba98,
};

/// Buffers start a page, so that copies go the same way every time.
type Buffer = Box<Pages<4096>>;
type Room = Box<Pages<{ 17 * 4096 }>>;

fn empty() {
    expect((), |_| (), ());
}

fn sum(len: usize) {
    let bytes = noise(len);
    let mut room: Room = Pages::blank();
    // Where a payload lies behind an Ethernet and an IPv4 header: not aligned.
    let place = &mut room.0[34..34 + len];
    place.copy_from_slice(&bytes);
    let work = |sum: &mut u16| *sum = Checksum::of(black_box(place)).finish();
    expect(0, work, reference(&bytes));
}

fn copy(len: usize) {
    let pages = Pages::<4096>::around(&noise(len));
    let bytes = pages.middle(len);
    let mut output: (u16, Buffer) = (0, Pages::blank());
    measured(&mut output, |(sum, to)| {
        *sum = Checksum::copy(&mut to.0[..len], black_box(bytes)).finish();
    });
    assert_eq!(output.0, reference(bytes));
    assert_eq!(output.1.0[..len], *bytes);
}

/// RFC 1071 section 4.1, word by word.
fn reference(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        let low = pair.get(1).copied().unwrap_or(0);
        u32::from(u16::from_be_bytes([pair[0], low]))
    });
    let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
    !words.fold(0, |sum, word| fold(sum + word)) as u16
}

/// What a user reads of a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fields<'a> {
    src: (Ipv4Addr, u16),
    dst: (Ipv4Addr, u16),
    seq: u32,
    ack: u32,
    flags: TcpFlags,
    window: u16,
    payload: &'a [u8],
}

impl<'a> Fields<'a> {
    #[inline(always)]
    fn of<const VERIFY: bool>(bytes: &'a [u8]) -> Option<Fields<'a>> {
        let TcpPacket { ip, tcp } = match VERIFY {
            true => TcpPacket::parse(bytes).ok()?,
            false => TcpPacket::parse_unverified(bytes).ok()?,
        };
        Some(Fields {
            src: (ip.src(), tcp.src_port()),
            dst: (ip.dst(), tcp.dst_port()),
            seq: tcp.seq().0,
            ack: tcp.ack().0,
            flags: tcp.flags(),
            window: tcp.window(),
            payload: tcp.payload(),
        })
    }

    /// Those of [`packet`].
    fn expected(payload: &'a [u8]) -> Fields<'a> {
        Fields {
            src: (*SEGMENT.src.ip(), SEGMENT.src.port()),
            dst: (*SEGMENT.dst.ip(), SEGMENT.dst.port()),
            seq: SEGMENT.seq,
            ack: SEGMENT.ack,
            flags: TcpFlags::PSH | TcpFlags::ACK,
            window: SEGMENT.window,
            payload,
        }
    }
}

fn parse<const VERIFY: bool>(len: usize, options: &[TcpOption<'_>]) {
    let pages = Pages::<4096>::around(&packet(len, options));
    let bytes = pages.middle(len);
    let payload = noise(payload_len(len, options));
    let work = |fields: &mut _| *fields = Fields::of::<VERIFY>(black_box(bytes));
    expect(None, work, Some(Fields::expected(&payload)));
}

fn payload_len(len: usize, options: &[TcpOption<'_>]) -> usize {
    len - 40 - options.iter().map(TcpOption::len).sum::<usize>()
}

fn options(options: &'static [TcpOption<'static>]) {
    let len = 40 + options.iter().map(TcpOption::len).sum::<usize>();
    let pages = Pages::<4096>::around(&packet(len, options));
    let packet = TcpPacket::parse(pages.middle(len)).expect("it was built");
    let mut expected = OptionSummary::default();
    for option in options {
        match *option {
            TcpOption::MaximumSegmentSize(size) => expected.mss = Some(size),
            TcpOption::WindowScale(shift) => expected.window_scale = Some(shift),
            TcpOption::SackPermitted => expected.sack_permitted = true,
            TcpOption::Timestamps { value, echo } => expected.timestamps = Some((value, echo)),
            _ => {}
        }
    }
    let work = |summary: &mut _| *summary = black_box(&packet.tcp).option_summary().ok();
    expect(None, work, Some(expected));
}

fn build(len: usize) {
    let pages = Pages::<4096>::around(&noise(len - 40));
    let payload = pages.middle(len - 40);
    let mut output: Buffer = Pages::blank();
    measured(&mut output, |buffer| {
        let segment = black_box(&SEGMENT);
        let written = TcpBuilder::new(segment.src, segment.dst)
            .seq(SeqNumber(segment.seq))
            .ack(SeqNumber(segment.ack))
            .flags(TcpFlags::PSH)
            .window(segment.window)
            .write(&mut buffer.0, black_box(payload));
        black_box(written).ok();
    });
    let fields = Fields::of::<true>(&output.0[..len]);
    assert_eq!(fields, Some(Fields::expected(payload)));
}

fn template(len: usize, options: &[TcpOption<'_>]) {
    let template = SegmentTemplate::new(SEGMENT.src, SEGMENT.dst);
    let fields = SegmentFields {
        seq: SeqNumber(SEGMENT.seq),
        ack: SeqNumber(SEGMENT.ack),
        flags: TcpFlags::ACK | TcpFlags::PSH,
        window: SEGMENT.window,
        ..SegmentFields::default()
    };
    let payload_len = payload_len(len, options);
    let pages = Pages::<4096>::around(&noise(payload_len));
    let payload = [pages.middle(payload_len), &[]];
    let mut output: Buffer = Pages::blank();
    measured(&mut output, |buffer| {
        let (template, fields) = (black_box(&template), black_box(&fields));
        let (options, payload) = (black_box(options), black_box(payload));
        let written = template.write(&mut buffer.0, fields, options, payload);
        black_box(written).ok();
    });
    assert_eq!(output.0[..len], packet(len, options));
}

/// Another source address and port, as a NAT writes them.
fn nat() {
    let (address, port) = (Ipv4Addr::new(203, 0, 113, 5), 1024);
    let mut output = Pages::<4096>::around(&packet(40, &[]));
    measured(&mut output, |buffer| {
        let (address, port) = black_box((address, port));
        if let Ok(mut ip) = Ipv4PacketMut::parse_unverified(&mut buffer.0[2048..2088]) {
            ip.set_src(address);
            if let Ok(mut tcp) = ip.tcp_mut() {
                tcp.set_src_port(port);
            }
        }
    });
    let rewritten = Fields {
        src: (address, port),
        ..Fields::expected(&[])
    };
    assert_eq!(Fields::of::<true>(output.middle(40)), Some(rewritten));
}

/// RFC 1624 section 4.
fn update() {
    let change = || black_box((0xdd2f, 0x5555, 0x3285));
    let work = |sum: &mut u16| {
        let (checksum, old, new) = change();
        *sum = checksum::update(checksum, old, new);
    };
    expect(1, work, 0);
}

fn update32() {
    let change = || black_box((0xdd2f, 0xc0a8_0001, 0xcb00_7105));
    let work = |sum: &mut u16| {
        let (checksum, old, new) = change();
        *sum = checksum::update32(checksum, old, new);
    };
    let by_halves = checksum::update(checksum::update(0xdd2f, 0xc0a8, 0xcb00), 0x0001, 0x7105);
    expect(0, work, by_halves);
}

/// The whole way of a packet: a segment in order arrives at an established connection, its
/// acknowledgment goes out, its text is read.
fn segment() {
    const LEN: usize = 1000;

    let (mut script, id) = Script::established(65535);
    // The first of two segments is not acknowledged, the second is.
    script.inject("P. 1:1001 ack 1");
    script.read(id, LEN);
    script.expect_nothing();
    let pages = Pages::<4096>::around(&script.segment("P. 1001:2001 ack 1"));
    let bytes = pages.middle(40 + LEN);
    let (now, acknowledgment) = (script.now, script.irs + 2001);

    let mut host = Host::new(script);
    measured(&mut host, |host| {
        host.receive(now, bytes);
        host.transmit(now, 0);
        host.read(id);
    });
    assert_eq!((host.sent[0], host.read), (Some(40), Some(LEN)));
    let sent = TcpPacket::parse(&host.sent_bytes[0].0[..40]).expect("what we send is sound");
    assert_eq!(sent.tcp.ack(), acknowledgment);
    assert_eq!(host.read_bytes.0[..LEN], octets(1001, LEN));
}

/// How the peer of the following begins: as most do.
const PEER: &str = "S win 65535 <mss 1460,sackOK,ts 1 0,nop,wscale 7>";
/// The text of a full segment to and from it, in octets.
const FULL: usize = 1448;

/// Bulk data comes in: two segments, one acknowledgment out, which is all, and their text
/// is read.
fn receiver() {
    let (mut script, id) = Script::new().open(PEER, 40);
    let pair = |script: &Script, start: usize| {
        [start, start + FULL].map(|start| {
            let span = format!("{start}:{}", start + FULL);
            script.segment(&format!(". {span} ack 1 <nop,nop,ts 2 0>"))
        })
    };
    for start in [1, 1 + 2 * FULL] {
        pair(&script, start)
            .iter()
            .for_each(|packet| script.raw(packet));
        assert_eq!(script.drain(), 1);
        script.read(id, 2 * FULL);
        script.pass(1);
    }
    let start = 1 + 4 * FULL;
    let pages = pair(&script, start).map(|packet| Pages::<4096>::around(&packet));
    let bytes = pages.each_ref().map(|pages| pages.middle(52 + FULL));
    let (now, acknowledgment) = (script.now, script.irs + (start + 2 * FULL) as u32);

    let mut host = Host::new(script);
    measured(&mut host, |host| {
        host.receive(now, bytes[0]);
        host.receive(now, bytes[1]);
        host.transmit(now, 0);
        host.transmit(now, 1);
        host.read(id);
    });
    assert_eq!(
        (host.sent[..2].to_vec(), host.read),
        (vec![Some(52), None], Some(2 * FULL))
    );
    let sent = TcpPacket::parse(&host.sent_bytes[0].0[..52]).expect("what we send is sound");
    assert_eq!(sent.tcp.ack(), acknowledgment);
    assert_eq!(
        host.read_bytes.0[..2 * FULL],
        octets(start as u32, 2 * FULL)
    );
}

/// Bulk data goes out: an acknowledgment of two segments comes in, two segments go out,
/// which is all that the congestion window admits.
fn sender() {
    let (script, packet) = sending(40);
    let pages = Pages::<4096>::around(&packet);
    let bytes = pages.middle(52);
    let (now, next) = (script.now, script.last_end());

    let mut host = Host::new(script);
    measured(&mut host, |host| {
        host.receive(now, bytes);
        host.transmit(now, 0);
        host.transmit(now, 1);
        host.transmit(now, 2);
    });
    assert_eq!(host.sent, [Some(1500), Some(1500), None]);
    for (buffer, start) in host.sent_bytes.iter().zip([next, next + FULL as u32]) {
        let sent = TcpPacket::parse(&buffer.0[..1500]).expect("what we send is sound");
        assert_eq!(sent.tcp.payload(), octets(start, FULL));
    }
}

/// An acknowledgment of two segments comes in when there is nothing more to send.
fn ack() {
    let (script, packet) = sending(4);
    let pages = Pages::<4096>::around(&packet);
    let bytes = pages.middle(52);
    let now = script.now;

    let mut host = Host::new(script);
    measured(&mut host, |host| {
        host.receive(now, bytes);
        host.transmit(now, 0);
    });
    assert_eq!(host.sent[0], None);
}

/// A connection that has had a first loss, after which it sends so many segments or as many as
/// the window admits, and the packet with which the peer acknowledges two of these.
fn sending(segments: usize) -> (Script, Vec<u8>) {
    // The peer echoes the tick of what was sent a round trip ago.
    let times = |script: &Script| format!("nop,nop,ts 2 {}", script.now.as_millis() - 1_040);

    let (mut script, id) = Script::new().open(PEER, 40);
    script.send(id, 10 * FULL);
    assert_eq!(script.drain(), 10);
    let end = 1 + 10 * FULL;
    script.pass(40);
    let sack = format!("nop,nop,sack {}:{end}", 1 + FULL);
    script.inject(&format!(". 1 ack 1 <{},{sack}>", times(&script)));
    assert!(script.drain() > 0, "what was lost");
    script.pass(40);
    script.inject(&format!(". 1 ack {end} <{}>", times(&script)));
    // The first acknowledgment of avoidance looks up CUBIC's K, as no other does.
    script.send(id, 4 * FULL);
    assert_eq!(script.drain(), 4);
    let end = end + 4 * FULL;
    script.pass(40);
    script.inject(&format!(". 1 ack {end} <{}>", times(&script)));
    script.send(id, segments * FULL);
    assert!(script.drain() > 3);
    script.pass(40);
    let ack = end + 2 * FULL;
    let packet = script.segment(&format!(". 1 ack {ack} <{}>", times(&script)));
    (script, packet)
}

/// A host and what it has sent and read.
struct Host {
    script: Script,
    sent: [Option<usize>; 3],
    sent_bytes: [Buffer; 3],
    read: Option<usize>,
    read_bytes: Buffer,
}

impl Host {
    fn new(script: Script) -> Host {
        Host {
            script,
            sent: [None; 3],
            sent_bytes: [(); 3].map(|()| Pages::blank()),
            read: None,
            read_bytes: Pages::blank(),
        }
    }

    #[inline(always)]
    fn receive(&mut self, now: Instant, packet: &[u8]) {
        let stack = &mut self.script.stack;
        stack.receive(now, black_box(packet), Meta::default());
    }

    #[inline(always)]
    fn transmit(&mut self, now: Instant, n: usize) {
        let stack = &mut self.script.stack;
        let transmit = stack.poll_transmit(now, &mut self.sent_bytes[n].0);
        self.sent[n] = transmit.map(|transmit| transmit.len);
    }

    #[inline(always)]
    fn read(&mut self, id: ConnectionId) {
        let stack = &mut self.script.stack;
        self.read = stack.recv(id, &mut self.read_bytes.0).ok();
    }
}
