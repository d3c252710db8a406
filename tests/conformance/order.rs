//! SEGMENT ARRIVES, check by check (RFC 9293 section 3.10.7).

use zerotcp::stack::Event;
use zerotcp::tcp::{CloseReason, State};

use crate::states::{Reached, SYNCHRONIZED};
use crate::{Start, tests};

tests! {
    "order-closed" => closed_answers_all_but_resets,
    "order-listen" => listen_takes_a_syn_and_nothing_else,
    "order-syn-sent" => syn_sent_looks_at_the_ack_first,
    "order-syn-sent" => syn_sent_takes_a_syn_with_or_without_ack,
    "order-others" => first_the_sequence_number,
    "order-others" => second_a_reset,
    "order-others" => fourth_a_syn,
    "order-others" => fifth_no_ack_no_effect,
    "order-others" => fifth_an_ack_of_what_was_never_sent,
    "order-others" => fifth_an_ack_of_what_was_sent,
    "order-others" => seventh_text,
    "order-others attack-fin" => eighth_a_fin,
    "order-others" => an_earlier_check_wins,
}

use State::*;

fn closed_answers_all_but_resets(start: Start) {
    let mut s = start.script();
    s.us.set_port(1337);
    for (segment, answer) in [
        ("S 5", "R. * ack 6"),
        ("F 5", "R. * ack 6"),
        ("SF 5:9", "R. * ack 11"),
        ("P 5:9", "R. * ack 9"),
        ("- 5", "R. * ack 5"),
    ] {
        s.inject(segment);
        s.expect_all(&[answer]);
        let tcp = zerotcp::wire::TcpPacket::parse(&s.last).unwrap().tcp;
        assert_eq!((tcp.seq().0, tcp.window()), (0, 0));
    }
    for segment in [". 5 ack 77", "S. 5 ack 77", "F. 5 ack 77", "PU. 5:9 ack 77"] {
        s.inject(segment);
        s.expect_all(&["R 77"]);
    }
    for segment in ["R 5", "R. 5 ack 77", "SR 5", "FR. 5:9 ack 77"] {
        s.inject(segment);
        s.expect_nothing();
    }
    assert_eq!(s.stack.connection_count(), 0);
}

fn listen_takes_a_syn_and_nothing_else(start: Start) {
    let mut s = start.script();
    for segment in [
        "R 0",
        "R. 0 ack 9",
        "SR 0",
        "SR. 0 ack 9",
        "F 0",
        "P 0:9",
        "- 0",
    ] {
        s.inject(segment);
        s.expect_nothing();
    }
    for segment in [". 0 ack 9", "S. 0 ack 9", "F. 0 ack 9", "P. 0:5 ack 9"] {
        s.inject(segment);
        s.expect_all(&["R 9"]);
    }
    assert_eq!(s.stack.connection_count(), 0);
    s.inject("S 0");
    s.expect_all(&["S. 0 ack 1 <mss 1460>"]);
    assert_eq!(s.state(), SynReceived);
}

fn syn_sent_looks_at_the_ack_first(start: Start) {
    let mut r = Reached::of(start, SynSent);
    // Unacceptable: a reset, unless it is one.
    for (segment, answer) in [
        ("S. 0 ack 0", "R 0"),
        ("S. 0 ack 2", "R 2"),
        (". 0 ack 5", "R 5"),
        ("P. 0:5 ack 2", "R 2"),
    ] {
        r.s.inject(segment);
        r.s.expect_all(&[answer]);
        assert_eq!(r.s.state(), SynSent);
    }
    r.s.inject("R. 0 ack 2");
    // Acceptable, but neither a reset nor a SYN: dropped.
    for segment in [
        ". 0 ack 1",
        "F. 0 ack 1",
        "P. 0:5 ack 1",
        "- 0",
        "F 0",
        "R 0",
    ] {
        r.s.inject(segment);
        r.s.expect_nothing();
        assert_eq!(r.s.state(), SynSent, "{segment}");
    }
    r.s.inject("R. 0 ack 1");
    let refused = Event::Closed(r.id.unwrap(), CloseReason::Refused);
    assert_eq!(r.s.events(), [refused]);
}

fn syn_sent_takes_a_syn_with_or_without_ack(start: Start) {
    let mut r = Reached::of(start, SynSent);
    r.s.inject("S. 0 ack 1 <mss 1000>");
    r.s.expect_all(&[". 1 ack 1"]);
    assert_eq!(r.s.state(), Established);
    let mut r = Reached::of(start, SynSent);
    r.s.inject("S 0 <mss 1000>");
    r.s.expect_all(&["S. 0 ack 1 <mss 1460>"]);
    assert_eq!(r.s.state(), SynReceived);
    r.s.inject(". 1 ack 1");
    assert_eq!(r.s.state(), Established);
}

fn first_the_sequence_number(start: Start) {
    for state in SYNCHRONIZED {
        for (flags, offset, len) in [
            (".", 100_000, 0),
            ("P.", 100_000, 10),
            ("P.", -10, 9),
            ("F.", 70_000, 0),
            ("P", -30_000, 10),
        ] {
            let mut r = Reached::of(start, state);
            r.inject(flags, offset, len, r.nxt);
            r.expect_ack();
            assert_eq!(r.s.state(), state, "{flags} {offset}");
        }
        let mut r = Reached::of(start, state);
        r.inject("R", 100_000, 0, 0);
        r.inject("R.", -2, 0, r.nxt);
        r.s.expect_nothing();
        assert_eq!(r.s.state(), state);
    }
}

fn second_a_reset(start: Start) {
    for state in SYNCHRONIZED {
        if state == TimeWait {
            // It is protected against what RFC 1337 warns of.
            continue;
        }
        let mut r = Reached::of(start, state);
        r.inject("R", 1, 0, 0);
        r.expect_ack();
        assert_eq!(r.s.state(), state);
        r.inject("R", 0, 0, 0);
        r.s.expect_nothing();
        assert_eq!(r.s.state(), Closed, "{state}");
        let reason = match state {
            Closing | LastAck => CloseReason::Finished,
            _ => CloseReason::Reset,
        };
        match r.id {
            Some(id) => assert!(r.s.events().contains(&Event::Closed(id, reason)), "{state}"),
            None => assert_eq!(r.s.events(), [], "back to LISTEN, and nobody knows"),
        }
    }
}

fn fourth_a_syn(start: Start) {
    for state in SYNCHRONIZED {
        if state == TimeWait {
            // A new connection may come of it (`closing`).
            continue;
        }
        for flags in ["S", "S.", "SF", "SPU."] {
            let mut r = Reached::of(start, state);
            r.inject(flags, 5, 0, r.nxt);
            if state == SynReceived {
                assert_eq!(r.s.state(), Closed, "back to LISTEN");
                continue;
            }
            r.expect_ack();
            assert_eq!(r.s.state(), state);
        }
    }
}

fn fifth_no_ack_no_effect(start: Start) {
    for state in SYNCHRONIZED {
        for flags in ["-", "P", "F", "FPU"] {
            let mut r = Reached::of(start, state);
            r.inject(flags, 0, 5, 0);
            r.s.expect_nothing();
            assert_eq!(r.s.state(), state);
            if let Some(id) = r.id {
                r.s.read_nothing(id);
            }
        }
    }
}

fn fifth_an_ack_of_what_was_never_sent(start: Start) {
    for state in SYNCHRONIZED {
        for flags in [".", "P.", "F."] {
            let mut r = Reached::of(start, state);
            r.inject(flags, 0, 5, r.nxt + 1);
            match state {
                SynReceived => r.s.expect_all(&[&format!("R {}", r.nxt + 1)]),
                _ => r.expect_ack(),
            }
            assert_eq!(r.s.state(), state);
            if let Some(id) = r.id {
                r.s.read_nothing(id);
            }
        }
    }
}

fn fifth_an_ack_of_what_was_sent(start: Start) {
    for (state, next) in [
        (SynReceived, Established),
        (Established, Established),
        (FinWait1, FinWait2),
        (FinWait2, FinWait2),
        (CloseWait, CloseWait),
        (Closing, TimeWait),
        (LastAck, Closed),
        (TimeWait, TimeWait),
    ] {
        let mut r = Reached::of(start, state);
        r.inject(".", 0, 0, r.nxt);
        r.s.expect_nothing();
        assert_eq!(r.s.state(), next, "from {state}");
        if r.una < r.nxt && state != SynReceived {
            // A duplicate changes nothing.
            let mut r = Reached::of(start, state);
            r.inject(".", 0, 0, r.una);
            r.s.expect_nothing();
            assert_eq!(r.s.state(), state);
        }
    }
}

fn seventh_text(start: Start) {
    for state in SYNCHRONIZED {
        let mut r = Reached::of(start, state);
        r.inject("P.", 0, 5, r.una.max(1));
        match state {
            SynReceived => {
                assert_eq!(r.s.state(), Established);
                let id = r.s.accept();
                r.s.read(id, 5);
            }
            Established | FinWait1 | FinWait2 => {
                assert_eq!(r.s.state(), state);
                r.s.read(r.id.unwrap(), 5);
                r.next += 5;
                r.s.pass(100);
                assert!(r.s.drain() >= 1, "it is acknowledged");
            }
            // After the peer's FIN there is none.
            _ => {
                assert_eq!(r.s.state(), state);
                assert_eq!(r.s.stack.recv(r.id.unwrap(), &mut [0]), Ok(0));
            }
        }
    }
}

fn eighth_a_fin(start: Start) {
    for (state, acks_all, next) in [
        (SynReceived, true, CloseWait),
        (Established, true, CloseWait),
        (FinWait1, false, Closing),
        (FinWait1, true, TimeWait),
        (FinWait2, true, TimeWait),
        (CloseWait, true, CloseWait),
        (Closing, false, Closing),
        (LastAck, false, LastAck),
        (TimeWait, true, TimeWait),
    ] {
        let mut r = Reached::of(start, state);
        // Where the peer's FIN has come, this is that one again.
        let again = r.next == 2;
        let ack = if acks_all { r.nxt } else { r.una };
        r.inject("F.", if again { -1 } else { 0 }, 0, ack);
        r.next = 2;
        r.expect_ack();
        assert_eq!(r.s.state(), next, "from {state}");
    }
    // Without a connection it means nothing.
    for state in [Listen, SynSent] {
        let mut r = Reached::of(start, state);
        r.s.inject("F 0");
        r.s.expect_nothing();
    }
}

fn an_earlier_check_wins(start: Start) {
    // RST before SYN, ACK, text and FIN.
    let mut r = Reached::of(start, Established);
    r.inject("SFRP.", 0, 5, 900_000);
    assert_eq!(r.s.state(), Closed);
    r.s.expect_nothing();
    // SYN before ACK: a challenge and no reset, and no text.
    let mut r = Reached::of(start, Established);
    r.inject("SFP.", 0, 5, 900_000);
    r.expect_ack();
    assert_eq!(r.s.state(), Established);
    // ACK before text and FIN.
    let mut r = Reached::of(start, Established);
    r.inject("FP.", 0, 5, 900_000);
    r.expect_ack();
    r.s.read_nothing(r.id.unwrap());
    // Text before FIN.
    let mut r = Reached::of(start, Established);
    r.inject("FP.", 0, 5, 1);
    r.s.expect_all(&[". 1 ack 7"]);
    let id = r.id.unwrap();
    r.s.read(id, 5);
    assert_eq!(r.s.stack.recv(id, &mut [0]), Ok(0));
}
