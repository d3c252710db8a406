//! An IP packet in one line.

use std::fmt;

use zerotcp::wire::{IpProtocol, Ipv4Packet, ParseError, TcpOption, TcpSegment};

/// Width of two addresses with ports and what is between them.
pub const PAIR: usize = 2 * 21 + 3;

/// An IP packet in one line.
pub struct Line<'a>(pub &'a [u8]);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line(bytes) = *self;
        if bytes.first().is_some_and(|byte| byte >> 4 == 6) {
            return write!(f, "an IPv6 packet, len {}", bytes.len());
        }
        match Ipv4Packet::parse(bytes) {
            Err(error) => write!(f, "{error}"),
            Ok(packet) if packet.is_fragment() => fragment(f, &packet),
            Ok(packet) => match packet.protocol() {
                IpProtocol::TCP => tcp(f, &packet),
                IpProtocol::ICMP => icmp(f, &packet),
                other => {
                    addresses(f, &packet)?;
                    write!(f, "protocol {other} len {}", packet.payload().len())
                }
            },
        }
    }
}

fn tcp(f: &mut fmt::Formatter<'_>, packet: &Ipv4Packet<'_>) -> fmt::Result {
    let segment = match packet.tcp() {
        Ok(segment) => segment,
        Err(error) => return wrong(f, packet, error),
    };
    let (src, dst) = (packet.src(), packet.dst());
    let pair = format!(
        "{src}:{} > {dst}:{}",
        segment.src_port(),
        segment.dst_port()
    );
    write!(
        f,
        "{pair:<PAIR$}  {flags} seq {seq} ack {ack} win {win} len {len}",
        flags = segment.flags(),
        seq = segment.seq(),
        ack = segment.ack(),
        win = segment.window(),
        len = segment.payload().len(),
    )?;
    options(f, &segment)
}

/// The options between angle brackets; paddings are not worth a word.
fn options(f: &mut fmt::Formatter<'_>, segment: &TcpSegment<'_>) -> fmt::Result {
    let mut separator = " <";
    for option in segment.options() {
        if option == Ok(TcpOption::NoOperation) {
            continue;
        }
        f.write_str(separator)?;
        separator = ", ";
        match option {
            Ok(TcpOption::MaximumSegmentSize(size)) => write!(f, "mss {size}")?,
            Ok(TcpOption::WindowScale(shift)) => write!(f, "scale {shift}")?,
            Ok(TcpOption::SackPermitted) => f.write_str("sack ok")?,
            Ok(TcpOption::Sack(blocks)) => {
                f.write_str("sack")?;
                for block in blocks.iter() {
                    write!(f, " {}-{}", block.left, block.right)?;
                }
            }
            Ok(TcpOption::Timestamps { value, echo }) => write!(f, "time {value} {echo}")?,
            Ok(TcpOption::Unknown { kind, data }) => write!(f, "kind {kind} len {}", data.len())?,
            Ok(_) => f.write_str("?")?,
            Err(error) => write!(f, "{error}")?,
        }
    }
    f.write_str(if separator == ", " { ">" } else { "" })
}

fn icmp(f: &mut fmt::Formatter<'_>, packet: &Ipv4Packet<'_>) -> fmt::Result {
    let message = match packet.icmpv4() {
        Ok(message) => message,
        Err(error) => return wrong(f, packet, error),
    };
    addresses(f, packet)?;
    write!(f, "icmp {}", message.kind())?;
    if message.kind().is_error() {
        write!(f, " code {}", message.code())
    } else {
        let (id, seq) = (message.identifier(), message.sequence());
        write!(f, " id {id} seq {seq} len {}", message.body().len())
    }
}

fn fragment(f: &mut fmt::Formatter<'_>, packet: &Ipv4Packet<'_>) -> fmt::Result {
    addresses(f, packet)?;
    let (offset, len) = (packet.fragment_offset(), packet.payload().len());
    let last = if packet.more_fragments() {
        ""
    } else {
        ", the last"
    };
    write!(
        f,
        "{} fragment at {offset} len {len}{last}",
        packet.protocol()
    )
}

fn wrong(f: &mut fmt::Formatter<'_>, packet: &Ipv4Packet<'_>, error: ParseError) -> fmt::Result {
    addresses(f, packet)?;
    write!(f, "{error}")
}

fn addresses(f: &mut fmt::Formatter<'_>, packet: &Ipv4Packet<'_>) -> fmt::Result {
    let pair = format!("{} > {}", packet.src(), packet.dst());
    write!(f, "{pair:<PAIR$}  ")
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use zerotcp::wire::{
        Icmpv4Builder, Icmpv4Type, Ipv4Builder, SackBlock, SackBlocks, SeqNumber, TcpBuilder,
        TcpFlags,
    };

    use super::*;

    const PEER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
    const US: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);

    fn segment(options: &[TcpOption<'_>], payload: &[u8]) -> Vec<u8> {
        let mut buffer = [0; 200];
        let len = TcpBuilder::new(SocketAddrV4::new(PEER, 49152), SocketAddrV4::new(US, 7))
            .seq(SeqNumber(4_000_000_000))
            .ack(SeqNumber(17))
            .flags(TcpFlags::PSH | TcpFlags::ACK)
            .window(512)
            .options(options)
            .write(&mut buffer, payload)
            .unwrap();
        buffer[..len].to_vec()
    }

    fn line(packet: &[u8]) -> String {
        // The padding between the columns is not what is tested.
        let words: Vec<String> = Line(packet)
            .to_string()
            .split_whitespace()
            .map(Into::into)
            .collect();
        words.join(" ")
    }

    #[test]
    fn a_segment_is_one_line() {
        assert_eq!(
            line(&segment(&[], b"hello")),
            "192.168.0.1:49152 > 192.168.0.2:7 PSH,ACK seq 4000000000 ack 17 win 512 len 5"
        );
    }

    #[test]
    fn columns_stand_below_each_other() {
        let text = Line(&segment(&[], b"")).to_string();
        assert_eq!(text.find("PSH"), Some(PAIR + 2));
    }

    #[test]
    fn options_are_named() {
        let options = |options: &[TcpOption<'_>]| {
            let line = line(&segment(options, b""));
            line.split_once("len 0").unwrap().1.trim().to_owned()
        };
        assert_eq!(
            options(&[
                TcpOption::MaximumSegmentSize(1460),
                TcpOption::SackPermitted,
                TcpOption::Timestamps { value: 5, echo: 6 },
                TcpOption::NoOperation,
                TcpOption::WindowScale(7),
            ]),
            "<mss 1460, sack ok, time 5 6, scale 7>"
        );
        let block = |left, right| SackBlock {
            left: SeqNumber(left),
            right: SeqNumber(right),
        };
        let mut bytes = [0; 16];
        let blocks = SackBlocks::write(&[block(1, 2), block(5, 9)], &mut bytes).unwrap();
        assert_eq!(options(&[TcpOption::Sack(blocks)]), "<sack 1-2 5-9>");
        let fast_open = TcpOption::Unknown {
            kind: 34,
            data: &[1, 2],
        };
        assert_eq!(options(&[fast_open]), "<kind 34 len 2>");
        assert_eq!(options(&[TcpOption::NoOperation]), "");
    }

    #[test]
    fn other_packets_have_a_line_too() {
        let mut buffer = [0; 100];
        let len = Icmpv4Builder::new(PEER, US, Icmpv4Type::ECHO_REQUEST, 0)
            .rest([0, 3, 0, 4])
            .write(&mut buffer, &[0; 8])
            .unwrap();
        assert_eq!(
            line(&buffer[..len]),
            "192.168.0.1 > 192.168.0.2 icmp echo request id 3 seq 4 len 8"
        );
        let len = Icmpv4Builder::new(US, PEER, Icmpv4Type::DESTINATION_UNREACHABLE, 2)
            .write(&mut buffer, &[0; 28])
            .unwrap();
        assert_eq!(
            line(&buffer[..len]),
            "192.168.0.2 > 192.168.0.1 icmp destination unreachable code 2"
        );
        let udp = Ipv4Builder::new(PEER, US, IpProtocol::UDP);
        let len = udp.write(&mut buffer, &[0; 9]).unwrap();
        assert_eq!(
            line(&buffer[..len]),
            "192.168.0.1 > 192.168.0.2 protocol udp len 9"
        );
        let len = udp.fragment(8, false).write(&mut buffer, &[0; 9]).unwrap();
        assert_eq!(
            line(&buffer[..len]),
            "192.168.0.1 > 192.168.0.2 udp fragment at 8 len 9, the last"
        );
        assert_eq!(line(&[0x60; 48]), "an IPv6 packet, len 48");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let mut damaged = segment(&[], b"hello");
        damaged[41] ^= 1;
        let text = line(&damaged);
        assert!(
            text.starts_with("192.168.0.1 > 192.168.0.2 tcp: checksum"),
            "{text}"
        );
        assert_eq!(line(&[]), "ipv4: 0 bytes at byte 0, at least 20 needed");
        let mut cut = segment(&[TcpOption::Unknown { kind: 9, data: &[] }], b"");
        cut.truncate(30);
        assert!(
            line(&cut).starts_with("ipv4: total length 44"),
            "{}",
            line(&cut)
        );
    }
}
