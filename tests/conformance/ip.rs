//! TCP and the layer below (RFC 9293 sections 3.9.1.9 and 3.9.2, RFC 1122 section 3, RFC 2873).

use std::net::Ipv4Addr;

use zerotcp::stack::DropReason;
use zerotcp::tcp::State;
use zerotcp::wire::{Icmpv4Type, IpProtocol, Ipv4Builder, Ipv4Packet};

use crate::common::packets::{icmp, raw_fragment, seal, with_ip_options};
use crate::common::script::{PEER, Script, US};
use crate::states::{Reached, SYNCHRONIZED};
use crate::{Start, tests};

tests! {
    "MUST-48 SHLD-22" => the_diffserv_field_is_what_was_set,
    "MUST-48 SHLD-21 SHLD-22" => the_diffserv_field_can_be_changed_at_any_time,
    "SHLD-23" => nobody_but_the_user_changes_the_diffserv_field,
    "MAY-4" => a_retransmission_has_the_same_identification,
    "MUST-49" => the_time_to_live_is_what_was_configured,
    "1122-4" => no_packet_has_a_time_to_live_of_zero,
    "1122-4" => what_arrives_may_have_any_time_to_live,
    "MUST-50 1122-5" => ip_options_are_ignored,
    "MUST-57 1122-3" => a_syn_to_many_is_dropped,
    "MUST-63 1122-3" => a_syn_from_nobody_is_dropped,
    "1122-1" => other_versions_are_dropped,
    "1122-2" => a_wrong_header_checksum_is_dropped,
    "1122-6" => no_error_answers_what_must_not_be_answered,
    "1122-7" => unknown_icmp_types_are_dropped,
    "1122-8" => an_unknown_protocol_is_unreachable,
    "1122-8" => a_port_of_nobody_is_answered_with_a_reset,
    "1122-9" => an_echo_comes_back_from_where_it_went,
    "1122-11" => nothing_is_larger_than_the_mtu,
    "2873-1 2873-2" => precedence_means_nothing_when_it_changes,
    "2873-1 2873-3" => precedence_of_what_is_forged_brings_no_reset,
}

fn the_diffserv_field_is_what_was_set(start: Start) {
    for dscp in [0, 8, 46, 63] {
        let s = start.script_with(|config| config.tcp.settings.dscp = dscp);
        let (mut s, id) = s.open("S <mss 1000>", 0);
        s.send(id, 2000);
        s.stack.shutdown(id).unwrap();
        let mut count = 0;
        while let Some(packet) = s.next_packet() {
            assert_eq!(packet[1] >> 2, dscp);
            count += 1;
        }
        assert!(count >= 2);
        s.pass(1000);
        assert!(s.next_packet().is_some_and(|again| again[1] >> 2 == dscp));
    }
}

fn the_diffserv_field_can_be_changed_at_any_time(start: Start) {
    let (mut s, id) = start.connecting();
    for dscp in [46, 8] {
        s.change(id, |settings| settings.dscp = dscp);
        s.pass(1001);
        assert_eq!(s.next_packet().unwrap()[1] >> 2, dscp, "the SYN");
    }

    let (mut s, id) = start.established(65535);
    s.send(id, 10);
    s.expect("P. 1:11 ack 1");
    for dscp in [63, 0, 10] {
        s.change(id, |settings| settings.dscp = dscp);
        s.inject("P. 1:6 ack 1");
        s.pass(50);
        // An acknowledgment and what goes again.
        let mut count = 0;
        while let Some(packet) = s.next_packet() {
            assert_eq!(packet[1], dscp << 2);
            count += 1;
        }
        s.pass(10_000);
        while let Some(packet) = s.next_packet() {
            assert_eq!(packet[1], dscp << 2);
            count += 1;
        }
        assert!(count >= 2, "{count}");
    }
}

fn the_time_to_live_is_what_was_configured(start: Start) {
    for ttl in [1, 17, 255] {
        let (mut s, id) = start.established_with(65535, |config| config.ttl = ttl);
        assert_eq!(s.last[8], ttl, "of the SYN,ACK");
        s.send(id, 2000);
        for _ in 0..2 {
            assert_eq!(s.next_packet().unwrap()[8], ttl);
        }
        s.stack.abort(id);
        assert_eq!(s.next_packet().unwrap()[8], ttl, "of the reset");
        s.raw(&icmp(
            *PEER.ip(),
            *US.ip(),
            Icmpv4Type::ECHO_REQUEST,
            0,
            [0; 4],
            b"?",
        ));
        assert!(s.next_packet().unwrap()[8] > 0);
    }
}

fn no_packet_has_a_time_to_live_of_zero() {
    let mut s = Script::with(|config| config.ttl = 0);
    s.inject("S 0");
    assert!(s.next_packet().unwrap()[8] > 0);
    s.us.set_port(1);
    s.inject("S 0");
    assert!(s.next_packet().unwrap()[8] > 0);
}

fn what_arrives_may_have_any_time_to_live(start: Start) {
    for ttl in [0, 1, 255] {
        let mut s = start.script();
        s.inject(&format!("S 0 ttl {ttl} <mss 1000>"));
        s.expect("S. 0 ack 1 <mss 1460>");
        s.inject(&format!("P. 1:6 ack 1 ttl {ttl}"));
        let id = s.accept();
        s.read(id, 5);
    }
}

/// Record route, timestamp, router alert, security, and one of no meaning.
fn ip_options_are_ignored(start: Start) {
    for options in [
        &[7, 7, 4, 0, 0, 0, 0][..],
        &[68, 8, 5, 0, 0, 0, 0, 0],
        &[148, 4, 0, 0],
        &[130, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[222, 3, 9],
        &[1, 1, 1, 0],
    ] {
        let mut s = start.script();
        for text in ["S 0 <mss 1000>", "P. 1:6 ack 1", "F. 6 ack 1"] {
            let packet = with_ip_options(&s.segment(text), options);
            s.raw(&packet);
            s.next();
        }
        let id = s.accept();
        s.read(id, 5);
        assert_eq!(s.state(), State::CloseWait, "{options:?}");
        // And sent back they are not.
        s.send(id, 5);
        assert_eq!(s.next_packet().unwrap()[0], 0x45);
    }
}

const MANY: [[u8; 4]; 5] = [
    [255, 255, 255, 255],
    [224, 0, 0, 1],
    [239, 255, 0, 9],
    [192, 168, 0, 255],
    [192, 168, 0, 0],
];

fn a_syn_to_many_is_dropped() {
    let mut s = Script::new();
    for destination in MANY {
        s.tweak("S 0 <mss 1000>", |packet| {
            packet[16..20].copy_from_slice(&destination)
        });
        s.expect_nothing();
    }
    assert_eq!(s.stack.connection_count(), 0);
    assert_eq!(s.stack.counters().dropped(DropReason::NotForUs), 5);
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
}

fn a_syn_from_nobody_is_dropped() {
    let mut s = Script::new();
    for source in [
        [255, 255, 255, 255],
        [224, 0, 0, 1],
        [239, 255, 0, 9],
        [0, 0, 0, 0],
        [0, 1, 2, 3],
        [127, 0, 0, 1],
        [127, 9, 9, 9],
        [240, 0, 0, 1],
        US.ip().octets(),
    ] {
        for port in [7, 1337] {
            s.us.set_port(port);
            s.tweak("S 0 <mss 1000>", |packet| {
                packet[12..16].copy_from_slice(&source)
            });
            s.expect_nothing();
        }
    }
    assert_eq!(s.stack.connection_count(), 0);
    assert_eq!(s.stack.counters().dropped(DropReason::BadSource), 18);
}

fn other_versions_are_dropped() {
    let mut s = Script::new();
    for version in (0..16).filter(|version| *version != 4) {
        s.tweak("S 0", |packet| packet[0] = version << 4 | 5);
    }
    // A whole IPv6 header.
    let mut packet = [0; 60];
    packet[0] = 0x60;
    packet[6] = 6;
    s.raw(&packet);
    s.expect_nothing();
    assert_eq!(s.stack.counters().dropped(DropReason::NotIpv4), 16);
}

fn a_wrong_header_checksum_is_dropped() {
    let mut s = Script::new();
    let sound = s.segment("S 0 <mss 1000>");
    for bit in 0..160 {
        let mut packet = sound.clone();
        packet[bit / 8] ^= 1 << (bit % 8);
        s.raw(&packet);
        s.expect_nothing();
    }
    assert_eq!(s.stack.connection_count(), 0);
    s.raw(&sound);
    s.expect("S. 0 ack 1 <mss 1460>");
}

/// A datagram of a protocol that nobody has here: SCTP.
fn datagram(source: Ipv4Addr, destination: Ipv4Addr, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 20 + body.len()];
    Ipv4Builder::new(source, destination, IpProtocol(132))
        .write(&mut packet, body)
        .unwrap();
    packet
}

/// The ICMP error that goes out, if one does: type, code and what it quotes.
fn error(s: &mut Script) -> Option<(Icmpv4Type, u8, Vec<u8>)> {
    let packet = s.next_packet()?;
    let ip = Ipv4Packet::parse(&packet).expect("what we send is sound");
    assert_eq!((ip.src(), ip.dst()), (*US.ip(), *PEER.ip()));
    let message = ip.icmpv4().expect("an ICMP message");
    Some((message.kind(), message.code(), message.body().to_vec()))
}

fn an_unknown_protocol_is_unreachable() {
    let mut s = Script::new();
    for len in [0, 8, 100, 1400] {
        let packet = datagram(*PEER.ip(), *US.ip(), &vec![9; len]);
        s.raw(&packet);
        let (kind, code, quote) = error(&mut s).expect("an answer");
        assert_eq!((kind, code), (Icmpv4Type::DESTINATION_UNREACHABLE, 2));
        // The header and eight octets at least, and as they came.
        assert!(quote.len() >= packet.len().min(28), "{}", quote.len());
        assert_eq!(quote, packet[..quote.len()]);
        assert!(s.last.len() <= 576, "RFC 1812 section 4.3.2.3");
    }
}

fn no_error_answers_what_must_not_be_answered() {
    let mut s = Script::new();
    let (peer, us) = (*PEER.ip(), *US.ip());
    let good = datagram(peer, us, &[9; 100]);
    let refused = |s: &mut Script, packet: &[u8]| {
        s.raw(packet);
        assert_eq!(s.next_packet(), None);
    };
    // To many, from nobody.
    for destination in MANY {
        refused(&mut s, &datagram(peer, destination.into(), &[9; 20]));
    }
    for source in [
        [0; 4],
        [255; 4],
        [224, 0, 0, 1],
        [127, 0, 0, 1],
        [240, 0, 0, 9],
    ] {
        refused(&mut s, &datagram(source.into(), us, &[9; 20]));
    }
    // Of a fragment but the first.
    refused(&mut s, &raw_fragment(&good, 800, &[9; 40], false));
    refused(&mut s, &raw_fragment(&good, 800, &[9; 40], true));
    // About an error, whatever is wrong with it.
    for kind in [3, 4, 5, 11, 12] {
        for code in [0, 3, 99] {
            refused(
                &mut s,
                &icmp(peer, us, Icmpv4Type(kind), code, [0; 4], &good[..28]),
            );
        }
    }
    // And to show that it can.
    s.raw(&good);
    assert!(error(&mut s).is_some());
}

fn unknown_icmp_types_are_dropped(start: Start) {
    let (mut s, _) = start.established(65535);
    for kind in (0..=255).filter(|kind| ![8].contains(kind)) {
        s.raw(&icmp(
            *PEER.ip(),
            *US.ip(),
            Icmpv4Type(kind),
            0,
            [0; 4],
            b"who knows what it says",
        ));
        s.expect_nothing();
    }
    assert_eq!(s.state(), State::Established);
}

fn a_port_of_nobody_is_answered_with_a_reset(start: Start) {
    let mut s = start.script();
    s.us.set_port(1337);
    s.inject("S 0");
    s.expect_all(&["R. * ack 1"]);
}

fn an_echo_comes_back_from_where_it_went() {
    let second = Ipv4Addr::new(192, 168, 0, 3);
    let mut s = Script::with(|config| config.addresses.push(second));
    for address in [*US.ip(), second] {
        for len in [0, 1, 56, 1472] {
            let body: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let rest = [1, 2, 3, len as u8];
            s.raw(&icmp(
                *PEER.ip(),
                address,
                Icmpv4Type::ECHO_REQUEST,
                0,
                rest,
                &body,
            ));
            let packet = s.next_packet().expect("an answer");
            let ip = Ipv4Packet::parse(&packet).unwrap();
            let message = ip.icmpv4().unwrap();
            assert_eq!((ip.src(), ip.dst()), (address, *PEER.ip()));
            assert_eq!(
                (message.kind(), message.rest()),
                (Icmpv4Type::ECHO_REPLY, rest)
            );
            assert_eq!(message.body(), body);
        }
    }
    // One for all is not answered (section 3.2.2.6: MAY).
    for destination in MANY {
        s.raw(&icmp(
            *PEER.ip(),
            destination.into(),
            Icmpv4Type::ECHO_REQUEST,
            0,
            [0; 4],
            b"?",
        ));
        s.expect_nothing();
    }
}

fn nothing_is_larger_than_the_mtu(start: Start) {
    for mtu in [68, 576, 1500, 9000] {
        let s = start.script_with(|config| config.mtu = mtu);
        let (mut s, id) = s.open("S <mss 65000,nop,nop,sackOK>", 0);
        // Something to report, which takes room.
        s.inject(". 5:6 ack 1");
        s.inject(". 9:10 ack 1");
        s.send(id, 50_000);
        let mut count = 0;
        for _ in 0..20 {
            while let Some(packet) = s.next_packet() {
                assert!(
                    packet.len() <= usize::from(mtu),
                    "{} of {mtu}",
                    packet.len()
                );
                // Our own packets are not cut on the way either.
                assert_eq!(packet[6] & 0x40, 0x40);
                count += 1;
            }
            s.pass(300);
        }
        assert!(count > 3);
    }
}

fn precedence_means_nothing_when_it_changes(start: Start) {
    let mut s = start.script();
    s.inject("S 0 dscp 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1 dscp 56");
    let id = s.accept();
    for precedence in 0..8 {
        let seq = 1 + 5 * precedence;
        s.inject(&format!(
            "P. {seq}:{} ack 1 dscp {}",
            seq + 5,
            precedence << 3
        ));
        s.read(id, 5);
    }
    s.drain();
    // On a SYN, and on the SYN,ACK to ours.
    let mut s = start.script();
    s.inject("S 0 dscp 56 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.connect(80);
    s.expect("S 0 *");
    s.inject("S. 0 ack 1 dscp 40 <mss 1000>");
    s.expect(". 1 ack 1");
    assert_eq!(s.state(), State::Established);
}

fn precedence_of_what_is_forged_brings_no_reset(start: Start) {
    for state in SYNCHRONIZED {
        let mut r = Reached::of(start, state);
        for precedence in 0..8 {
            let text = format!(". {} ack {} dscp {}", r.next, r.una.max(1), precedence << 3);
            let mut packet = r.s.segment(&text);
            seal(&mut packet);
            r.s.raw(&packet);
            while let Some(sent) = r.s.next() {
                assert!(!sent.contains('R'), "{sent} in {state}");
            }
        }
        assert_ne!(r.s.state(), State::Closed);
    }
}

/// Whatever the peer sets on what it sends, and whatever there is to send.
fn nobody_but_the_user_changes_the_diffserv_field(start: Start) {
    let s = start.script_with(|config| config.tcp.settings.dscp = 10);
    let (mut s, id) = s.open("S <mss 1000>", 0);
    let mut seen = vec![s.last[1]];
    for peers in [0, 46, 63] {
        let seq = 1 + s.stack.info(id).unwrap().tally.octets_received;
        s.inject(&format!("P. {seq}:{} ack 1 dscp {peers}", seq + 5));
        s.send(id, 100);
        // Text with its acknowledgment, and later the same again.
        for _ in 0..2 {
            seen.extend(std::iter::from_fn(|| s.next_packet()).map(|packet| packet[1]));
            s.pass(3000);
        }
    }
    s.stack.abort(id);
    seen.extend(s.next_packet().map(|packet| packet[1]));
    assert!(seen.len() >= 4, "{}", seen.len());
    assert!(seen.iter().all(|field| *field == 10 << 2), "{seen:?}");
}

fn a_retransmission_has_the_same_identification(start: Start) {
    let (mut s, id) = start.established(65535);
    s.send(id, 100);
    let first = s.next_packet().unwrap();
    s.wait();
    assert_eq!(s.last, first, "to the bit");
    // It has no meaning: no router takes the datagram apart.
    assert_eq!((&first[4..6], first[6] & 0x40), (&[0, 0][..], 0x40));
}
