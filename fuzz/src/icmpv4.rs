//! ICMP messages: what is sound, what the view says, and that a builder writes it again.

use std::net::Ipv4Addr;

use zerotcp::wire::{
    ErrorKind, Icmpv4Builder, Icmpv4Message, Icmpv4Type, IpProtocol, Ipv4Builder, Ipv4Packet,
};

use crate::input::Input;
use crate::naive;

const SRC: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const DST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

/// A byte whose lowest bit makes the checksum right, then the message.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let seal = input.bit();
    let mut bytes = input.rest().to_vec();
    bytes.truncate(60_000);
    if seal && bytes.len() >= 8 {
        naive::set_word(&mut bytes, 2, 0);
        let sum = naive::sum(&bytes);
        naive::set_word(&mut bytes, 2, !sum);
    }
    in_a_packet(&bytes);
    let is_intact = bytes.len() >= 8 && naive::sum(&bytes) == 0xffff;
    match Icmpv4Message::parse(&bytes) {
        Ok(message) => {
            assert!(is_intact);
            look(&bytes, &message);
            rebuild(&bytes, &message);
        }
        Err(error) => {
            assert!(!is_intact);
            naive::check_error(&bytes, error);
            if error.kind == ErrorKind::Checksum {
                naive::set_word(&mut bytes, error.offset, error.needed as u16);
                assert!(Icmpv4Message::parse(&bytes).is_ok());
            }
        }
    }
}

fn look(bytes: &[u8], message: &Icmpv4Message<'_>) {
    assert_eq!((message.kind().0, message.code()), (bytes[0], bytes[1]));
    assert_eq!(message.checksum(), naive::word(bytes, 2));
    assert_eq!(message.rest(), bytes[4..8]);
    assert_eq!(message.identifier(), naive::word(bytes, 4));
    assert_eq!(message.sequence(), naive::word(bytes, 6));
    assert_eq!(message.next_hop_mtu(), naive::word(bytes, 6));
    assert_eq!(message.body(), &bytes[8..]);
    assert!(!message.kind().to_string().is_empty());
    let quote = message.quote().map(|quote| quote.bytes());
    // RFC 1122 section 3.2.2: unreachable, quench, redirect, time exceeded, parameter problem.
    let is_error = [3, 4, 5, 11, 12].contains(&bytes[0]);
    assert_eq!(quote, is_error.then_some(&bytes[8..]));
}

/// By the type and the words that the view gives comes the same message.
fn rebuild(bytes: &[u8], message: &Icmpv4Message<'_>) {
    let mut buffer = vec![0; 20 + bytes.len()];
    let builder = Icmpv4Builder::new(SRC, DST, message.kind(), message.code());
    let len = builder
        .rest(message.rest())
        .write(&mut buffer, message.body());
    assert_eq!(len, Ok(buffer.len()));
    let mut same = bytes.to_vec();
    // All bytes but the checksum zero: then all ones is the sum's complement, and stays.
    if same
        .iter()
        .enumerate()
        .any(|(at, &byte)| byte != 0 && !(2..4).contains(&at))
    {
        naive::with_positive_zero(&mut same, 2);
    }
    assert_eq!(buffer[20..], same);

    let reply = Icmpv4Builder::echo_reply(DST, SRC, message);
    let len = reply.write(&mut buffer, message.body());
    assert_eq!(len, Ok(buffer.len()));
    let packet = Ipv4Packet::parse(&buffer).expect("it was built");
    let reply = packet.icmpv4().expect("it was built");
    assert_eq!(reply.kind(), Icmpv4Type::ECHO_REPLY);
    assert_eq!(
        (reply.rest(), reply.body()),
        (message.rest(), message.body())
    );
}

/// The packet around it finds the same, further out.
fn in_a_packet(bytes: &[u8]) {
    let mut buffer = vec![0; 24 + bytes.len()];
    let len = Ipv4Builder::new(SRC, DST, IpProtocol::ICMP)
        .options(&[1, 1, 1])
        .write(&mut buffer, bytes);
    assert_eq!(len, Ok(buffer.len()));
    let packet = Ipv4Packet::parse(&buffer).expect("it was built");
    let inside = packet.icmpv4().map(|message| *message);
    let alone = Icmpv4Message::parse(bytes).map(|message| *message);
    assert_eq!(inside, alone.map_err(|error| error.at(24)));
}
