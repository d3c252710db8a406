//! Path MTU discovery (RFC 1191, 4821, 5927).

use zerotcp::stack::ConnectionId;
use zerotcp::wire::Icmpv4Type;

use crate::common::script::Script;
use crate::{Start, tests};

tests! {
    "1191-1" => too_big_makes_segments_smaller,
    "1191-1" => below_our_least_the_path_may_fragment,
    "1191-1" => nothing_below_68_is_believed,
    "1191-1" => it_never_makes_them_larger,
    "1191-2" => without_a_size_the_next_usual_one_is_taken,
    "1191-3" => for_five_minutes_nothing_larger_is_tried,
    "1191-4" => the_lost_segment_goes_again_and_the_window_stays,
    "1191-4" => a_second_message_about_it_does_nothing,
    "1191-5" => what_we_announce_stays,
    "5927-1" => too_big_has_to_quote_what_is_in_flight,
}

/// With full-sized segments on their way; a round trip of 100 ms.
fn flying(start: Start) -> (Script, ConnectionId) {
    let (mut s, id) = start.script().open("S <mss 1460>", 100);
    s.send(id, 100_000);
    assert_eq!(s.drain(), 10);
    (s, id)
}

/// A router says that the last packet was too big for a link with this MTU.
fn too_big(s: &mut Script, mtu: u16) {
    let [high, low] = mtu.to_be_bytes();
    s.icmp(Icmpv4Type::DESTINATION_UNREACHABLE, 4, [0, 0, high, low]);
}

fn mss(s: &Script, id: ConnectionId) -> u16 {
    s.stack.info(id).unwrap().send_mss
}

fn too_big_makes_segments_smaller(start: Start) {
    for mtu in [1499, 1280, 576] {
        let (mut s, id) = flying(start);
        too_big(&mut s, mtu);
        assert_eq!(mss(&s, id), mtu - 40);
        // All that goes out from now on fits, what went before included.
        let mut acked = 1;
        for _ in 0..100 {
            while let Some(packet) = s.next_packet() {
                assert!(packet.len() <= usize::from(mtu), "{}", packet.len());
                let end = s.last_end();
                if end - acked <= u32::from(mtu) {
                    acked = end;
                }
            }
            s.inject(&format!(". 1 ack {acked}"));
            s.pass(50);
        }
        assert!(acked > 10_000, "{acked} with {mtu}");
    }
}

/// Where a path takes less than we are ready to send, routers cut what we send (RFC 1191
/// section 3).
fn below_our_least_the_path_may_fragment(start: Start) {
    for mtu in [68, 296, 500] {
        let (mut s, id) = flying(start);
        too_big(&mut s, mtu);
        let packet = s.next_packet().expect("it goes again");
        let (len, fragments) = (packet.len(), packet[6] & 0x40 == 0);
        assert!(len <= usize::from(mtu) || fragments, "{len} octets with DF");
        assert!(mss(&s, id) >= 28);
    }
}

fn nothing_below_68_is_believed(start: Start) {
    for mtu in [1, 20, 67] {
        let (mut s, id) = flying(start);
        too_big(&mut s, mtu);
        assert_eq!(mss(&s, id), 1460, "{mtu}");
    }
}

fn it_never_makes_them_larger(start: Start) {
    let (mut s, id) = flying(start);
    too_big(&mut s, 1000);
    assert_eq!(mss(&s, id), 960);
    s.drain();
    for mtu in [1000, 1001, 1500, 9000, 65_535] {
        too_big(&mut s, mtu);
        assert_eq!(mss(&s, id), 960, "{mtu}");
    }
}

/// RFC 1191 section 7: the first below what was sent.
fn without_a_size_the_next_usual_one_is_taken(start: Start) {
    let (mut s, id) = flying(start);
    too_big(&mut s, 0);
    // By how the quote's length is to be read (section 5) it was 1500 or 1480.
    assert!(
        [1492, 1006].contains(&(mss(&s, id) + 40)),
        "{}",
        mss(&s, id)
    );
}

fn for_five_minutes_nothing_larger_is_tried(start: Start) {
    let (mut s, id) = flying(start);
    too_big(&mut s, 1000);
    let mut acked = 1;
    let begin = s.now;
    while (s.now - begin).as_secs() < 290 {
        while let Some(packet) = s.next_packet() {
            assert!(
                packet.len() <= 1000,
                "{} after {:?}",
                packet.len(),
                s.now - begin
            );
            let end = s.last_end();
            if end - acked <= 1000 {
                acked = end;
            }
        }
        s.inject(&format!(". 1 ack {acked}"));
        if s.stack.info(id).unwrap().unsent == 0 && s.stack.send_room(id) > 5000 {
            s.send(id, 5000);
        }
        s.pass(500);
    }
    assert!(acked > 100_000);
}

fn the_lost_segment_goes_again_and_the_window_stays(start: Start) {
    let (mut s, id) = start.script().open("S <mss 1460>", 100);
    s.send(id, 2920);
    assert_eq!(s.drain(), 2);
    let before = s.stack.info(id).unwrap();
    too_big(&mut s, 1000);
    let after = s.stack.info(id).unwrap();
    // In segments (RFC 5681 section 3.1).
    assert!(after.cwnd / 960 >= before.cwnd / 1460, "{after:?}");
    // At once, not by the timer, in pieces that fit; the one that was not quoted is as lost.
    let mut ends = Vec::new();
    while s.next().is_some() {
        ends.push(s.last_end());
    }
    assert_eq!(ends.first(), Some(&961), "{ends:?}");
}

fn a_second_message_about_it_does_nothing(start: Start) {
    let (mut s, id) = flying(start);
    too_big(&mut s, 1000);
    let sent = s.drain();
    assert!(sent >= 1);
    let before = s.stack.info(id).unwrap();
    for _ in 0..10 {
        too_big(&mut s, 1000);
        s.expect_nothing();
    }
    assert_eq!(s.stack.info(id).unwrap(), before);
}

fn what_we_announce_stays(start: Start) {
    let (mut s, _) = flying(start);
    too_big(&mut s, 1000);
    s.drain();
    s.turn_to(1);
    s.inject("S 0 <mss 1460>");
    s.expect("S. 0 ack 1 <mss 1460>");
    // But what goes to this peer is as small as the path is known to be.
    s.inject(". 1 ack 1");
    let id = s.accept();
    assert_eq!(mss(&s, id), 960);
}

fn too_big_has_to_quote_what_is_in_flight(start: Start) {
    let (mut s, id) = flying(start);
    let sound = s.last[..28].to_vec();
    // Before SND.UNA, at SND.NXT, far beyond.
    for seq in [-1000, 14_601, 1_000_000, -1_000_000_000_i64] {
        let mut quote = sound.clone();
        quote[24..28].copy_from_slice(&(s.iss.unwrap() + seq as u32).0.to_be_bytes());
        s.icmp_about(
            Icmpv4Type::DESTINATION_UNREACHABLE,
            4,
            [0, 0, 2, 64],
            &quote,
        );
        assert_eq!(mss(&s, id), 1460, "{seq}");
    }
    s.icmp_about(
        Icmpv4Type::DESTINATION_UNREACHABLE,
        4,
        [0, 0, 2, 64],
        &sound,
    );
    assert_eq!(mss(&s, id), 536);
}
