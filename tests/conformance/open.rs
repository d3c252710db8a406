//! OPEN calls (RFC 9293 section 3.9.1.1).

use std::net::Ipv4Addr;

use zerotcp::stack::{Connect, ConnectError, Listen, ListenError};
use zerotcp::tcp::State;

use crate::common::script::{PEER, Script, US};
use crate::{Start, tests};

tests! {
    "MUST-41" => a_listener_disturbs_no_connection,
    "MUST-42" => a_port_with_half_open_connections_can_be_listened_on,
    "MUST-43" => a_listener_may_have_one_address,
    "MUST-43" => an_active_open_may_be_given_an_address,
    "MUST-44 MUST-45" => an_active_open_gets_an_address_and_keeps_it,
    "MUST-45" => a_passive_open_keeps_the_address_it_was_asked_at,
    "MUST-46" => an_active_open_to_no_host_fails,
}

fn a_listener_disturbs_no_connection(start: Start) {
    let (mut s, id) = start.established(65535);
    s.inject("P. 1:6 ack 1");
    s.stack.unlisten(s.listener);
    assert_eq!(s.state(), State::Established);
    s.listener = s.stack.listen(Listen::port(US.port())).unwrap();
    let address = Listen::port(US.port()).address(*US.ip());
    s.stack.listen(address).unwrap();
    s.stack.listen(Listen::any_port()).unwrap();
    s.inject("P. 6:11 ack 1");
    s.read(id, 10);
    s.drain();
    s.send(id, 5);
    s.expect("P. 1:6 ack 11");
    assert_eq!(s.events().len(), 2, "Incoming and Readable");
}

fn a_port_with_half_open_connections_can_be_listened_on(start: Start) {
    // SYN-SENT from a port that is listened on then; the peer's SYN comes to the one or the
    // other by its quad.
    let (mut s, _) = start.connecting();
    s.expect("S 0 *");
    let ours = s.us.port();
    let listener = s.stack.listen(Listen::port(ours)).unwrap();
    assert_eq!(s.state(), State::SynSent);
    s.turn_to(90);
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    assert_eq!(s.state(), State::SynReceived);
    // SYN-RECEIVED on a port of which another listener takes one address.
    let address = Listen::port(ours).address(*US.ip());
    let other = s.stack.listen(address).unwrap();
    s.inject(". 1 ack 1");
    assert_eq!(s.stack.accept(other), None);
    assert!(s.stack.accept(listener).is_some());
}

const SECOND: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 3);

fn a_listener_may_have_one_address(start: Start) {
    let mut s = start.script_with(|config| config.addresses.push(SECOND));
    let one = s.stack.listen(Listen::port(80).address(SECOND)).unwrap();
    s.us.set_port(80);
    s.inject("S 0");
    s.expect("R. * ack 1");
    s.us.set_ip(SECOND);
    s.inject("S 0");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    assert!(s.stack.accept(one).is_some());
    let foreign = Listen::port(80).address(*PEER.ip());
    assert_eq!(
        s.stack.listen(foreign),
        Err(ListenError::NotOurs(*PEER.ip()))
    );
}

fn an_active_open_may_be_given_an_address(start: Start) {
    let mut s = start.script_with(|config| config.addresses.push(SECOND));
    for (address, port) in [(SECOND, None), (*US.ip(), None), (SECOND, Some(1024))] {
        let mut connect = Connect::to(PEER).local_address(address);
        if let Some(port) = port {
            connect = connect.local_port(port);
        }
        let id = s.stack.connect(s.now, connect).unwrap();
        s.us = s.stack.quad(id).unwrap().local();
        assert_eq!(*s.us.ip(), address);
        assert!(port.is_none_or(|port| port == s.us.port()));
        (s.peer, s.iss) = (PEER, None);
        // `expect` holds each packet against the quad.
        s.expect("S 0 *");
        s.inject("S. 0 ack 1 <mss 1000>");
        s.expect(". 1 ack 1");
    }
    let foreign = Connect::to(PEER).local_address(*PEER.ip());
    let refused = Err(ConnectError::NotOurs(*PEER.ip()));
    assert_eq!(s.stack.connect(s.now, foreign), refused);
}

fn an_active_open_gets_an_address_and_keeps_it(start: Start) {
    let (mut s, id) = start.connecting_with(|config| config.addresses.push(SECOND));
    assert_eq!(s.stack.quad(id).unwrap().dst.0, *US.ip(), "the first one");
    // `expect` holds each packet against the quad.
    s.expect("S 0 *");
    s.inject("S. 0 ack 1 <mss 1000>");
    s.expect(". 1 ack 1");
    s.send(id, 3);
    s.expect("P. 1:4 ack 1");
    s.stack.close(id);
    s.expect("F. 4 ack 1");
}

fn a_passive_open_keeps_the_address_it_was_asked_at(start: Start) {
    let mut s = start.script_with(|config| config.addresses.push(SECOND));
    s.us.set_ip(SECOND);
    let (mut s, id) = s.establish(65535);
    assert_eq!(s.stack.quad(id).unwrap().dst.0, SECOND);
    s.send(id, 3);
    s.expect("P. 1:4 ack 1");
    s.stack.abort(id);
    s.expect("R. * ack 1");
}

fn an_active_open_to_no_host_fails() {
    let mut s = Script::new();
    for remote in [
        "255.255.255.255:1",
        "224.0.0.1:1",
        "239.1.2.3:9",
        "240.0.0.1:1",
        "0.0.0.0:1",
        "10.0.0.1:0",
    ] {
        let remote = remote.parse().unwrap();
        let refused = Err(ConnectError::InvalidRemote(remote));
        assert_eq!(s.stack.connect(s.now, remote), refused);
    }
    s.expect_nothing();
    assert_eq!(s.stack.connection_count(), 0);
}
