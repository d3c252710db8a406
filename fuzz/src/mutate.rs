//! Setters: whatever they change, in whatever order, a checksum that was right is the one that
//! a computation from scratch gives, and one that was wrong stays wrong by as much.

use std::net::Ipv4Addr;

use zerocopy::IntoBytes;
use zerotcp::wire::{IpProtocol, Ipv4PacketMut, SeqNumber, TcpFlags, TcpOption, TcpSegmentMut};

use crate::input::Input;
use crate::naive;

/// A byte whose bits make the checksums right, the number of setters, for each a number and a
/// value, then the packet with what follows it.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (seals, count) = (input.u8(), input.below(32));
    let steps: Vec<(u8, u32)> = (0..count).map(|_| (input.u8(), input.u32())).collect();
    let mut bytes = input.rest().to_vec();
    if seals & 1 != 0 {
        naive::seal_ipv4(&mut bytes);
    }
    if seals & 2 != 0 {
        naive::seal_payload(&mut bytes);
    }
    let Ok(mut packet) = Ipv4PacketMut::parse_unverified(&mut bytes) else {
        return;
    };
    for (step, value) in steps {
        let before = Sums::of(&packet);
        let (step, kept) = match step % 32 {
            step @ 0..16 => (step, set(&mut packet, step, value)),
            step => {
                let transport = packet.tcp_mut();
                (
                    step,
                    transport.map_or(Kept::Both, |mut tcp| set_tcp(&mut tcp, step, value)),
                )
            }
        };
        before.check(&Sums::of(&packet), kept, step);
    }
    // One that is laid over the same bytes finds the same.
    let end = Sums::of(&packet);
    let again = Ipv4PacketMut::parse_unverified(&mut bytes).expect("setters keep it sound");
    assert_eq!(Sums::of(&again), end);
}

/// Which checksums a setter keeps as right or wrong as they were.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Both,
    /// That of what the packet carries is not, or what it carries is now something else.
    Header,
    /// The header's checksum itself was set.
    Payload,
    /// Nothing has changed at all.
    All,
}

fn set(packet: &mut Ipv4PacketMut<'_>, step: u8, value: u32) -> Kept {
    let (byte, short) = (value as u8, value as u16);
    match step {
        0 => {
            packet.set_dscp(byte);
            assert_eq!(packet.dscp(), byte & 0x3f);
        }
        1 => {
            packet.set_ecn(byte);
            assert_eq!(packet.ecn(), byte & 3);
        }
        2 => {
            packet.set_identification(short);
            assert_eq!(packet.identification(), short);
        }
        3 => {
            packet.set_dont_fragment(value & 1 != 0);
            assert_eq!(packet.dont_fragment(), value & 1 != 0);
        }
        4 => {
            packet.set_ttl(byte);
            assert_eq!(packet.ttl(), byte);
        }
        5 | 6 => {
            packet.set_src(Ipv4Addr::from(value));
            assert_eq!(packet.src(), Ipv4Addr::from(value));
        }
        7 | 8 => {
            packet.set_dst(Ipv4Addr::from(value));
            assert_eq!(packet.dst(), Ipv4Addr::from(value));
        }
        9 | 10 => {
            let length = if step == 9 { short } else { short % 256 };
            let is_segment = packet.tcp_mut().is_ok();
            match packet.set_total_length(length) {
                Ok(()) => assert_eq!(packet.total_length(), length),
                Err(_) => return Kept::All,
            }
            if !is_segment {
                return Kept::Header;
            }
        }
        11 => {
            let options = value.to_be_bytes();
            let options = &options[..usize::from(byte % 5).min(4)];
            match packet.set_options(options) {
                Ok(()) => assert_eq!(packet.options()[..options.len()], *options),
                Err(_) => return Kept::All,
            }
        }
        12 => {
            packet.set_protocol(IpProtocol(byte));
            assert_eq!(packet.protocol().0, byte);
            return Kept::Header;
        }
        13 => {
            packet.set_more_fragments(value & 1 != 0);
            assert_eq!(packet.more_fragments(), value & 1 != 0);
            return Kept::Header;
        }
        14 => {
            packet.set_fragment_offset(short);
            assert_eq!(packet.fragment_offset(), short & !7);
            return Kept::Header;
        }
        _ => {
            packet.set_checksum(short);
            assert_eq!(packet.checksum(), short);
            return Kept::Payload;
        }
    }
    Kept::Both
}

fn set_tcp(tcp: &mut TcpSegmentMut<'_>, step: u8, value: u32) -> Kept {
    let (byte, short) = (value as u8, value as u16);
    match step {
        16 => {
            tcp.set_src_port(short);
            assert_eq!(tcp.src_port(), short);
        }
        17 => {
            tcp.set_dst_port(short);
            assert_eq!(tcp.dst_port(), short);
        }
        18 | 19 => {
            tcp.set_seq(SeqNumber(value));
            assert_eq!(tcp.seq().0, value);
        }
        20 => {
            tcp.set_ack(SeqNumber(value));
            assert_eq!(tcp.ack().0, value);
        }
        21 => {
            tcp.set_flags(TcpFlags::from_bits(short));
            assert_eq!(tcp.flags().bits(), short & 0xfff);
        }
        22 => {
            tcp.set_window(short);
            assert_eq!(tcp.window(), short);
        }
        23 => {
            tcp.set_urgent(short);
            assert_eq!(tcp.urgent(), short);
        }
        24 | 25 => {
            let words = byte % 17;
            match tcp.set_data_offset(words) {
                Ok(()) => assert_eq!(tcp.data_offset(), words),
                Err(_) => return Kept::All,
            }
        }
        26 | 27 => {
            let all = [
                TcpOption::NoOperation,
                TcpOption::MaximumSegmentSize(short),
                TcpOption::WindowScale(byte),
                TcpOption::SackPermitted,
                TcpOption::Timestamps {
                    value,
                    echo: !value,
                },
            ];
            let options: Vec<_> = (0..all.len())
                .filter(|at| value >> at & 1 != 0)
                .map(|at| all[at])
                .collect();
            match tcp.set_options(&options) {
                Ok(()) => assert!(
                    tcp.options()
                        .take(options.len())
                        .eq(options.into_iter().map(Ok))
                ),
                Err(_) => return Kept::All,
            }
        }
        28..31 => {
            let data = value.to_be_bytes();
            let data = &data[..usize::from(step - 27)];
            // Mostly within a short payload.
            let offset = usize::from(if value & 0x100 == 0 {
                byte.into()
            } else {
                short
            });
            match tcp.set_payload(offset, data) {
                Ok(()) => assert_eq!(tcp.payload()[offset..offset + data.len()], *data),
                Err(_) => return Kept::All,
            }
        }
        _ => {
            tcp.set_checksum(short);
            assert_eq!(tcp.checksum(), short);
            return Kept::Header;
        }
    }
    Kept::Both
}

/// A packet's checksums, and what they are to be.
#[derive(Debug, PartialEq)]
struct Sums {
    bytes: Vec<u8>,
    header: Sum,
    payload: Option<Sum>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Sum {
    field: u16,
    right: u16,
}

impl Sums {
    fn of(packet: &Ipv4PacketMut<'_>) -> Sums {
        let header = [(**packet).as_bytes(), packet.options()].concat();
        let payload = packet.payload();
        let addresses = &header[12..20];
        let field_at = match packet.protocol() {
            _ if packet.fragment_offset() != 0 => None,
            IpProtocol::TCP if payload.len() >= 20 => Some(16),
            // None where it is zero (RFC 768).
            IpProtocol::UDP if payload.len() >= 8 && naive::word(payload, 6) != 0 => Some(6),
            _ => None,
        };
        let of = |bytes: &[u8], at: usize, sum: u16| Sum {
            field: naive::word(bytes, at),
            right: naive::right_checksum(bytes, at, sum),
        };
        let sum = naive::segment_sum(addresses, packet.protocol().0, payload);
        let mut payload_sum = field_at.map(|at| of(payload, at, sum));
        if let (Some(sum), IpProtocol::UDP) = (&mut payload_sum, packet.protocol())
            && sum.right == 0
        {
            // Zero would say that there is none.
            sum.right = 0xffff;
        }
        Sums {
            header: of(&header, 10, naive::sum(&header)),
            payload: payload_sum,
            bytes: [&header, payload].concat(),
        }
    }

    fn check(&self, after: &Sums, kept: Kept, step: u8) {
        if kept == Kept::All {
            assert_eq!(self, after, "step {step}");
        }
        if kept != Kept::Payload {
            self.header.check(after.header, step);
        }
        if kept != Kept::Header {
            match (self.payload, after.payload) {
                (Some(before), Some(after)) => before.check(after, step),
                (None, None) => {}
                changed => panic!("step {step}: {changed:?}"),
            }
        }
    }
}

impl Sum {
    fn check(self, after: Sum, step: u8) {
        if self.field == self.right {
            assert_eq!(after.field, after.right, "step {step}: {self:?}");
        }
        assert_eq!(
            self.debt(),
            after.debt(),
            "step {step}: {self:?}, {after:?}"
        );
    }

    /// By how much it is wrong, in ones' complement.
    fn debt(self) -> u32 {
        (u32::from(self.field) + u32::from(!self.right)) % 0xffff
    }
}
