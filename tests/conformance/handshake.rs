//! How a connection opens (RFC 9293 section 3.5).

use zerotcp::stack::Event;
use zerotcp::tcp::{CloseReason, State};

use crate::{Start, tests};

tests! {
    "MUST-10" => a_simultaneous_open_makes_one_connection,
    "MUST-11" => a_reset_sends_a_passive_open_back_to_listen,
    "MUST-11" => a_reset_refuses_an_active_open,
}

const SYN: &str = "S 0 <mss 1460,*>";

/// Figure 7, from the left end.
fn a_simultaneous_open_makes_one_connection(start: Start) {
    let (mut s, id) = start.connecting();
    s.expect(SYN);
    s.inject("S 0 <mss 1000>");
    assert_eq!(s.state(), State::SynReceived);
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject("S. 0 ack 1 <mss 1000>");
    assert_eq!(s.state(), State::Established);
    s.expect(". 1 ack 1");
    assert_eq!(s.events(), [Event::Connected(id)]);
    assert_eq!(s.stack.connection_count(), 1);
    s.send(id, 3);
    s.expect("P. 1:4 ack 1");
    s.inject("P. 1:9 ack 4");
    s.read(id, 8);
}

fn a_reset_sends_a_passive_open_back_to_listen(start: Start) {
    let mut s = start.script();
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject("R 1");
    assert_eq!(s.state(), State::Closed);
    assert_eq!(s.stack.connection_count(), 0);
    assert_eq!(s.events(), [], "the user has not heard of it");
    // It listens on.
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    s.accept();
}

fn a_reset_refuses_an_active_open(start: Start) {
    let (mut s, id) = start.connecting();
    s.expect(SYN);
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    assert_eq!(s.state(), State::SynReceived);
    s.inject("R 1");
    assert_eq!(s.events(), [Event::Closed(id, CloseReason::Refused)]);
}
