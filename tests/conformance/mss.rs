//! Maximum segment size (RFC 9293 section 3.7.1).

use crate::common::script::Script;
use crate::{Start, tests};

tests! {
    "MUST-14 MUST-16" => the_peers_mss_bounds_what_is_sent,
    "MUST-15" => without_an_mss_option_it_is_536,
    "MUST-16" => the_mtu_bounds_what_is_sent_whatever_the_peer_takes,
    "MUST-16" => sack_blocks_count,
    "MUST-16" => timestamps_count,
    "MUST-67 SHLD-6" => what_is_announced_follows_from_the_mtu,
}

fn the_peers_mss_bounds_what_is_sent(start: Start) {
    for mss in [100, 536, 1000, 1459] {
        let (mut s, id) = start.script().open(&format!("S <mss {mss}>"), 0);
        s.send(id, 3000);
        s.expect(&format!(". 1:{} ack 1", mss + 1));
        s.expect(&format!(". {}:{} ack 1", mss + 1, 2 * mss + 1));
    }
}

fn without_an_mss_option_it_is_536(start: Start) {
    let (mut s, id) = start.script().open("S", 0);
    s.send(id, 3000);
    s.expect(". 1:537 ack 1");
    // From the SYN,ACK of a peer likewise.
    let (mut s, id) = start.connecting();
    s.expect("S 0 *");
    s.inject("S. 0 ack 1");
    s.expect(". 1 ack 1");
    s.send(id, 3000);
    s.expect(". 1:537 ack 1");
}

fn the_mtu_bounds_what_is_sent_whatever_the_peer_takes() {
    for mtu in [576, 1500] {
        let mut s = Script::with(|config| config.mtu = mtu);
        let id;
        (s, id) = s.open("S <mss 65495>", 0);
        s.send(id, 10_000);
        s.expect(&format!(". 1:{} ack 1", mtu - 39));
        assert_eq!(s.last.len(), usize::from(mtu));
    }
}

/// With a SACK option of two blocks there is room for 20 octets less.
fn sack_blocks_count(start: Start) {
    let (mut s, id) = start.script().open("S <mss 1000,nop,nop,sackOK>", 0);
    s.inject(". 11:21 ack 1");
    s.inject(". 31:41 ack 1");
    s.drain();
    s.send(id, 3000);
    s.expect(". 1:981 ack 1 <nop,nop,sack 31:41 11:21>");
}

fn timestamps_count(start: Start) {
    let (mut s, id) = start.script().open("S <mss 1000,nop,nop,ts 5 0>", 0);
    s.send(id, 3000);
    s.expect(". 1:989 ack 1 <nop,nop,ts * 5>");
}

fn what_is_announced_follows_from_the_mtu() {
    for (mtu, mss) in [
        (68, 28),
        (576, 536),
        (1280, 1240),
        (1500, 1460),
        (9000, 8960),
        (65535, 65495),
    ] {
        let mut s = Script::with(|config| config.mtu = mtu);
        s.inject("S 0 <mss 1460>");
        s.expect(&format!("S. 0 ack 1 <mss {mss}>"));
        let mut s = Script::with(|config| config.mtu = mtu);
        s.connect(80);
        s.expect(&format!("S 0 <mss {mss},*>"));
    }
}
