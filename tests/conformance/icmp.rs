//! ICMP errors and the connections they are about (RFC 9293 section 3.9.2.2, RFC 5927).

use zerotcp::stack::Event;
use zerotcp::tcp::{CloseReason, SoftError, State};
use zerotcp::wire::Icmpv4Type;

use crate::common::packets::{icmp, seal, set_u16};
use crate::common::script::{ROUTER, US};
use crate::{Start, tests};

tests! {
    "MUST-54 SHLD-26" => a_hard_error_ends_the_connection_it_quotes,
    "MUST-54 1122-7" => an_error_is_for_one_connection_only,
    "MUST-54" => an_error_comes_to_who_has_sent,
    "MUST-55" => source_quench_is_ignored,
    "MUST-56" => soft_errors_do_not_end_a_connection,
    "MUST-47 SHLD-25" => soft_errors_reach_the_user,
    "SHLD-20" => the_user_can_do_without_soft_errors,
    "5927-1" => an_error_has_to_quote_what_is_in_flight,
}

const UNREACHABLE: Icmpv4Type = Icmpv4Type::DESTINATION_UNREACHABLE;

/// Protocol and port unreachable; code 4 is for path MTU discovery.
fn a_hard_error_ends_the_connection_it_quotes(start: Start) {
    for code in [2, 3] {
        let (mut s, id) = start.connecting();
        s.expect("S 0 *");
        s.icmp(UNREACHABLE, code, [0; 4]);
        assert_eq!(s.state(), State::Closed, "code {code}");
        let told = s.events();
        assert!(
            matches!(told[..], [Event::Closed(closed, _)] if closed == id),
            "{told:?}"
        );
        s.pass(60_000);
        s.expect_nothing();
    }
}

fn an_error_is_for_one_connection_only(start: Start) {
    let (mut s, _) = start.connecting();
    s.expect("S 0 *");
    let first = s.talk();
    s.connect(81);
    s.expect("S 0 *");
    s.icmp(UNREACHABLE, 3, [0; 4]);
    assert_eq!(s.state(), State::Closed);
    s.switch_to(first);
    assert_eq!(s.state(), State::SynSent);
    // Ports of nobody, and addresses of others.
    let sound = s.segment(". 1 ack 1");
    for at in [12, 16, 20, 22] {
        let mut quote = sound.clone();
        let quad = s.quad();
        quote[12..16].copy_from_slice(&quad.dst.0.octets());
        quote[16..20].copy_from_slice(&quad.src.0.octets());
        set_u16(&mut quote, 20, quad.dst.1);
        set_u16(&mut quote, 22, quad.src.1);
        quote[24..28].copy_from_slice(&s.iss.unwrap().0.to_be_bytes());
        quote[at] ^= 1;
        seal(&mut quote);
        s.icmp_about(UNREACHABLE, 3, [0; 4], &quote[..28]);
        assert_eq!(s.state(), State::SynSent, "changed at {at}");
    }
}

/// Of two of ours, the one that it came to has to have sent what it quotes.
fn an_error_comes_to_who_has_sent(start: Start) {
    let second = [192, 168, 0, 3];
    for (address, closes) in [(second, false), (US.ip().octets(), true)] {
        let (mut s, _) = start.connecting_with(|config| config.addresses.push(second.into()));
        s.expect("S 0 *");
        let quote = s.last[..28].to_vec();
        let packet = icmp(ROUTER, address.into(), UNREACHABLE, 3, [0; 4], &quote);
        s.raw(&packet);
        assert_eq!(s.state() == State::Closed, closes);
    }
}

fn source_quench_is_ignored(start: Start) {
    let (mut s, id) = start.established(65535);
    s.send(id, 5000);
    s.expect(". 1:1001 ack 1");
    let before = s.stack.info(id).unwrap();
    for _ in 0..10 {
        s.icmp(Icmpv4Type::SOURCE_QUENCH, 0, [0; 4]);
    }
    assert_eq!(s.stack.info(id).unwrap(), before);
    assert_eq!(s.events().len(), 1, "but for that of the accept");
    s.expect(". 1001:2001 ack 1");
}

fn soft_errors_do_not_end_a_connection(start: Start) {
    let errors = [
        (UNREACHABLE, 0),
        (UNREACHABLE, 1),
        (UNREACHABLE, 5),
        (Icmpv4Type::TIME_EXCEEDED, 0),
        (Icmpv4Type::TIME_EXCEEDED, 1),
        (Icmpv4Type::PARAMETER_PROBLEM, 0),
    ];
    for (kind, code) in errors {
        let (mut s, _) = start.connecting();
        s.expect("S 0 *");
        s.icmp(kind, code, [0; 4]);
        assert_eq!(s.state(), State::SynSent);
        s.inject("S. 0 ack 1 <mss 1000>");
        s.expect(". 1 ack 1");

        let (mut s, id) = start.established(65535);
        s.send(id, 100);
        s.expect("P. 1:101 ack 1");
        for _ in 0..20 {
            s.icmp(kind, code, [0; 4]);
        }
        assert_eq!(s.state(), State::Established);
        s.inject(". 1 ack 101");
        s.send(id, 100);
        s.expect("P. 101:201 ack 1");
    }
}

fn soft_errors_reach_the_user(start: Start) {
    use Icmpv4Type as T;
    use SoftError::*;
    let (mut s, id) = start.established(65535);
    s.send(id, 100);
    s.expect("P. 1:101 ack 1");
    s.events();
    assert_eq!(s.stack.soft_error(id), None);
    for (kind, code, error) in [
        (UNREACHABLE, 0, NetUnreachable),
        (UNREACHABLE, 1, HostUnreachable),
        (UNREACHABLE, 5, SourceRouteFailed),
        (T::TIME_EXCEEDED, 0, TimeExceeded),
        (T::PARAMETER_PROBLEM, 0, ParameterProblem),
    ] {
        s.icmp(kind, code, [0; 4]);
        assert_eq!(s.events(), [Event::SoftError(id, error)]);
        assert_eq!(s.stack.soft_error(id), Some(error));
    }
    assert_eq!(s.state(), State::Established);
    // While it opens, too.
    let (mut s, id) = start.connecting();
    s.expect("S 0 *");
    s.icmp(UNREACHABLE, 1, [0; 4]);
    assert_eq!(s.events(), [Event::SoftError(id, HostUnreachable)]);
}

fn the_user_can_do_without_soft_errors(start: Start) {
    let (mut s, id) = start.established(65535);
    s.send(id, 100);
    s.expect("P. 1:101 ack 1");
    s.events();
    for (wanted, told) in [(false, 0), (true, 1), (false, 0)] {
        s.change(id, |settings| settings.soft_errors = wanted);
        s.icmp(UNREACHABLE, 1, [0; 4]);
        assert_eq!(s.events().len(), told);
    }
}

fn an_error_has_to_quote_what_is_in_flight(start: Start) {
    for (offset, closes) in [(0, true), (1, false), (-1, false), (1 << 20, false)] {
        let (mut s, id) = start.connecting();
        s.expect("S 0 *");
        let mut quote = s.last[..28].to_vec();
        let seq = s.iss.unwrap() + offset as u32;
        quote[24..28].copy_from_slice(&seq.0.to_be_bytes());
        s.icmp_about(UNREACHABLE, 3, [0; 4], &quote);
        let closed = s
            .events()
            .contains(&Event::Closed(id, CloseReason::Refused));
        assert_eq!(closed || s.state() == State::Closed, closes, "{offset}");
    }
}
