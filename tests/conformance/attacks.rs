//! Inputs that brought other stacks down, thrown at a connection in each of five states while
//! another one must stay unharmed.

use zerotcp::tcp::State;
use zerotcp::wire::Icmpv4Type;

use crate::common::packets::{
    self, fragment, raw_fragment, seal, seal_ip, set_u16, with_ip_options,
};
use crate::common::script::{ROUTER, US};
use crate::states::Reached;
use crate::throw::{Bystander, Random, STATES, answers, same, segment, taken, throw, tweaked};
use crate::{Start, tests};

tests! {
    "attack-01" => an_option_of_length_zero_or_one,
    "attack-02" => an_option_that_ends_past_the_header,
    "attack-03" => an_mss_of_next_to_nothing,
    "attack-04" => a_data_offset_that_cannot_be,
    "attack-04" => a_segment_shorter_than_its_header,
    "attack-05" => a_total_length_below_the_headers,
    "attack-06" => a_total_length_above_what_was_received,
    "attack-07" => a_header_length_below_five,
    "attack-07" => ip_options_that_make_no_sense,
    "attack-08" => source_routes_lead_no_answer_astray,
    "attack-09" => an_urgent_pointer_of_zero,
    "attack-10" => an_urgent_pointer_far_ahead,
    "attack-11" => urgent_pointers_to_and_fro,
    "attack-12" => options_at_random,
    "attack-13" => sack_blocks_of_nothing,
    "attack-14" => sack_blocks_thrown_by_the_hundred,
    "attack-14" => sack_blocks_that_cut_to_pieces,
    "attack-15" => tiny_segments_out_of_order,
    "attack-16" => fragments_that_never_fit,
    "attack-17" => fragments_that_overlap,
    "attack-18" => fragments_past_the_end,
    "attack-19" => from_ourselves_and_from_nobody,
    "attack-20" => a_flood_of_syns,
    "attack-21" => a_window_of_zero_for_ever,
    "attack-22" => blind_segments_within_the_window,
    "attack-shrink" => windows_to_and_fro,
    "attack-23" => challenges_that_tell_nothing,
    "attack-25" => numbers_guessed_from_others,
    "attack-24" => forged_icmp,
    "attack-wrap" => numbers_that_go_round,
    "attack-garbage" => garbage_with_right_checksums,
    "attack-flags" => every_set_of_flags,
    "attack-fin" => a_fin_out_of_nowhere,
    "attack-syn-data" => text_on_a_syn,
}

fn an_option_of_length_zero_or_one(start: Start) {
    for kind in [2, 3, 4, 5, 8, 19, 28, 29, 30, 34, 69, 254] {
        for len in [0, 1] {
            let option = format!("<hex {kind:02x}{len:02x}>");
            throw(start, |r| vec![segment(r, &option)], taken);
        }
    }
}

fn an_option_that_ends_past_the_header(start: Start) {
    for option in [
        "02040000", "0204", "020405", "0305", "08ff", "050a", "1e29", "010101fe", "01010102",
    ] {
        let option = &option[..option.len().min(8)];
        // A length of four would fit a whole word.
        let option = format!("<hex {}>", option.replace("02040000", "0205ffff"));
        throw(start, |r| vec![segment(r, &option)], taken);
    }
}

fn an_mss_of_next_to_nothing(start: Start) {
    for mss in [0, 1, 7, 40] {
        let option = format!("<mss {mss}>");
        throw(start, |r| vec![segment(r, &option)], taken);
        let (mut s, id) = start.script().open(&format!("S {option}"), 0);
        s.send(id, 480);
        assert!(s.drain() <= 10, "an MSS of {mss} is not believed");
        assert_eq!(s.stack.info(id).unwrap().unsent, 0, "MSS {mss}");
    }
}

fn a_data_offset_that_cannot_be(start: Start) {
    for words in [0, 1, 4, 12, 15] {
        throw(
            start,
            |r| vec![tweaked(r, |packet| packet[32] = words << 4)],
            same,
        );
    }
}

fn a_segment_shorter_than_its_header(start: Start) {
    for len in 0..20 {
        let short = |r: &Reached| {
            let mut packet = segment(r, "");
            packet.truncate(20 + len);
            set_u16(&mut packet, 2, 20 + len as u16);
            seal(&mut packet);
            vec![packet]
        };
        throw(start, short, same);
    }
}

fn a_total_length_below_the_headers(start: Start) {
    for total in [0, 1, 19, 20, 21, 39] {
        let lying = |r: &Reached| vec![tweaked(r, |packet| set_u16(packet, 2, total))];
        throw(start, lying, same);
    }
}

fn a_total_length_above_what_was_received(start: Start) {
    for more in [1, 100, 10_000, 65_000] {
        let lying = |r: &Reached| {
            vec![tweaked(r, |packet| {
                let total = packet.len() as u16;
                set_u16(packet, 2, total.saturating_add(more));
            })]
        };
        throw(start, lying, same);
    }
    // And what came was cut short, at any place.
    throw(
        start,
        |r| {
            let whole = segment(r, "");
            (0..whole.len()).map(|len| whole[..len].to_vec()).collect()
        },
        same,
    );
}

fn a_header_length_below_five(start: Start) {
    for words in [0, 1, 4, 15] {
        throw(
            start,
            |r| vec![tweaked(r, |packet| packet[0] = 0x40 | words)],
            same,
        );
    }
}

/// What is malformed is dropped, what is only strange is ignored (MUST-50).
fn ip_options_that_make_no_sense(start: Start) {
    for options in [
        &[0x44, 0][..],
        &[0x44, 1],
        &[0x44, 40, 5, 0],
        &[7, 0],
        &[7, 39, 255],
        &[0xff, 0xff, 0xff, 0xff],
        &[1, 1, 1, 0x88],
    ] {
        throw(
            start,
            |r| vec![with_ip_options(&segment(r, ""), options)],
            same,
        );
    }
    for options in [
        &[0x94, 4, 0, 0][..],
        &[0x44, 4, 255, 255],
        &[7, 3, 0],
        &[0xfe, 2, 0, 9],
    ] {
        throw(
            start,
            |r| vec![with_ip_options(&segment(r, ""), options)],
            taken,
        );
    }
}

/// Loose and strict, one and two. One whose pointer says that it ends here is taken, but no answer
/// goes back along it (`answers`); one that goes on asks for a router, and two are none.
fn source_routes_lead_no_answer_astray(start: Start) {
    for kind in [0x83, 0x89] {
        for pointer in [0, 3, 4, 8, 255] {
            let one = [kind, 7, pointer, 10, 9, 8, 7];
            let after = if pointer > 7 { taken } else { same };
            throw(
                start,
                |r| vec![with_ip_options(&segment(r, ""), &one)],
                after,
            );
            let two = [one, one].concat();
            throw(
                start,
                |r| vec![with_ip_options(&segment(r, ""), &two)],
                same,
            );
        }
    }
}

fn an_urgent_pointer_of_zero(start: Start) {
    throw(
        start,
        |r| {
            vec![tweaked(r, |packet| {
                packet[33] |= 0x20;
                set_u16(packet, 38, 0);
            })]
        },
        taken,
    );
}

fn an_urgent_pointer_far_ahead(start: Start) {
    for pointer in [5, 6, 7, 1000, 32_768, 65_535] {
        for option in ["", "<hex 1d10000102030405060708090a0b0c0d>"] {
            let urgent = |r: &Reached| {
                let mut packet = segment(r, option);
                packet[33] |= 0x20;
                set_u16(&mut packet, 38, pointer);
                seal(&mut packet);
                vec![packet]
            };
            throw(start, urgent, taken);
        }
    }
}

fn urgent_pointers_to_and_fro(start: Start) {
    let urgent = |r: &Reached| {
        let mut random = Random(11);
        let mut packets = vec![segment(r, "")];
        for n in 0..500 {
            let (seq, ack) = (r.next + 5 + n, r.nxt);
            let pointer = random.next() as u16;
            let mut packet =
                r.s.segment(&format!("P. {seq}:{} ack {ack} win 10000", seq + 1));
            if r.id.is_some() {
                packet[33] |= 0x20;
                set_u16(&mut packet, 38, pointer);
                seal(&mut packet);
                packets.push(packet);
            }
        }
        packets
    };
    throw(start, urgent, |state| match state {
        // The flood acknowledges the FIN.
        State::FinWait1 => State::FinWait2,
        state => taken(state),
    });
}

fn options_at_random(start: Start) {
    let fuzz = |r: &Reached| {
        let mut random = Random(12);
        (0..300)
            .map(|_| {
                let len = 4 * (random.next() % 11) as usize;
                let option: String = (0..len)
                    .map(|_| format!("{:02x}", random.next() as u8))
                    .collect();
                segment(r, &format!("<hex {option}>"))
            })
            .collect()
    };
    throw(start, fuzz, taken);
}

fn sack_blocks_of_nothing(start: Start) {
    for options in [
        "hex 0502",
        "hex 0503ff",
        "hex 0509ffffffffffffff",
        "hex 050bffffffffffffffffff",
        "sack 5:1",
        "sack 1:1",
        "sack 0:900000000",
        "sack -1000:-1",
        "sack 2147483648:4294967295",
        "sack 1:2147483650",
        "sack 5:6 5:6 5:6 5:6",
    ] {
        throw(start, |r| vec![segment(r, &format!("<{options}>"))], taken);
        // And where SACK was agreed on and there is something in flight.
        let (mut s, id) = start.script().open("S <mss 1000,nop,nop,sackOK>", 0);
        s.send(id, 3000);
        s.drain();
        for _ in 0..10 {
            s.inject(&format!(". 1 ack 1 <{options}>"));
            s.drain();
        }
        assert_eq!(s.state(), State::Established);
        s.inject(". 1 ack 3001");
        assert_eq!(s.stack.info(id).unwrap().unacknowledged, 0, "{options}");
        s.send(id, 100);
        s.expect("P. 3001:3101 ack 1");
    }
}

/// A small MSS, every second segment reported, one block at a time, forwards and backwards: what
/// goes out stays in proportion to what comes in, and all arrives in the end.
fn sack_blocks_that_cut_to_pieces(start: Start) {
    let (mut s, id) = start.script().open("S <mss 48,nop,nop,sackOK>", 10);
    s.send(id, 20_000);
    let (mut sent, mut got) = (0, 0);
    for round in 0..40 {
        sent += s.drain();
        for n in 0..50 {
            let n = if round % 2 == 0 { n } else { 49 - n };
            let left = 49 + 96 * n;
            s.inject(&format!(". 1 ack 1 <nop,nop,sack {left}:{}>", left + 48));
            got += 1;
            sent += s.drain();
        }
        s.pass(1);
    }
    assert!(sent <= got + 500, "{sent} for {got}");
    let mut acked = 1;
    for _ in 0..10_000 {
        while s.next().is_some() {
            let end = s.last_end();
            if end - acked <= 48 {
                acked = end;
            }
        }
        if acked == 20_001 {
            break;
        }
        s.inject(&format!(". 1 ack {acked}"));
        s.pass(20);
    }
    assert_eq!(acked, 20_001);
}

fn sack_blocks_thrown_by_the_hundred(start: Start) {
    let flood = |r: &Reached| {
        let (next, una) = (r.next, r.una.max(1));
        let block = |n: i64| {
            let left = una + 2 * (n % 50);
            let text = format!(". {next} ack {una} <nop,nop,sack {left}:{}>", left + 1);
            r.s.segment(&text)
        };
        (0..300).map(block).collect()
    };
    throw(start, flood, |state| match state {
        State::SynReceived => State::Established,
        state => state,
    });
}

/// Each of them would be a run of its own.
fn tiny_segments_out_of_order(start: Start) {
    let flood = |r: &Reached| {
        let tiny = |n: i64| {
            let seq = r.next + 2 + 2 * n;
            r.s.segment(&format!(
                ". {seq}:{} ack {} win 10000",
                seq + 1,
                r.una.max(1)
            ))
        };
        (0..500).map(tiny).collect()
    };
    throw(start, flood, |state| match state {
        State::SynReceived => State::Established,
        state => state,
    });
}

fn fragments_that_never_fit(start: Start) {
    let flood = |r: &Reached| {
        let whole = segment(r, "");
        let mut packets = Vec::new();
        for id in 0..500 {
            let mut packet = raw_fragment(&whole, 8 * (id % 100) as usize, &[0; 24], true);
            set_u16(&mut packet, 4, id);
            seal_ip(&mut packet);
            packets.push(packet);
        }
        packets
    };
    throw(start, flood, same);
}

fn fragments_that_overlap(start: Start) {
    let teardrop = |r: &Reached| {
        let mut whole = segment(r, "");
        whole.resize(200, 7);
        set_u16(&mut whole, 2, 200);
        seal(&mut whole);
        vec![
            fragment(&whole, 0, 104),
            // Within the first, across its end, and the last one inside what came.
            raw_fragment(&whole, 24, &[1; 16], true),
            raw_fragment(&whole, 96, &[1; 84], true),
            raw_fragment(&whole, 40, &[1; 8], false),
            fragment(&whole, 104, 200),
        ]
    };
    throw(start, teardrop, same);
}

fn fragments_past_the_end(start: Start) {
    let wrong = |r: &Reached| {
        let whole = segment(r, "");
        let mut tunnel = raw_fragment(&whole, 0, &[0x45; 40], true);
        tunnel[9] = 4;
        seal_ip(&mut tunnel);
        vec![
            // The ping of death.
            raw_fragment(&whole, 65_528, &[0; 1000], false),
            raw_fragment(&whole, 65_528, &[0; 8], true),
            // A first one that ends within the TCP header, and one that overwrites it.
            fragment(&whole, 0, 8),
            raw_fragment(&whole, 8, &[0; 12], false),
            raw_fragment(&whole, 0, &[], true),
            tunnel,
        ]
    };
    throw(start, wrong, same);
}

fn from_ourselves_and_from_nobody(start: Start) {
    let packets = |r: &Reached| {
        let mut packets = Vec::new();
        for flags in ["S 0", ". 1 ack 1", "R 1", "S. 0 ack 1"] {
            for source in [
                [192, 168, 0, 2],
                [0, 0, 0, 0],
                [255, 255, 255, 255],
                [224, 0, 0, 1],
                [127, 0, 0, 1],
                [240, 0, 0, 1],
            ] {
                let mut packet = r.s.segment(flags);
                packet[12..16].copy_from_slice(&source);
                if source[0] == 192 {
                    // LAND: the port is ours too.
                    packet.copy_within(22..24, 20);
                }
                seal(&mut packet);
                packets.push(packet);
            }
            for destination in [[255, 255, 255, 255], [224, 0, 0, 1], [192, 168, 0, 255]] {
                let mut packet = r.s.segment(flags);
                packet[16..20].copy_from_slice(&destination);
                seal(&mut packet);
                packets.push(packet);
            }
        }
        packets
    };
    throw(start, packets, same);
}

/// Of one backlog, which has its bound; the other listener does not notice.
fn a_flood_of_syns(start: Start) {
    for state in STATES {
        let (mut bystander, s) = Bystander::new(start);
        let mut r = Reached::on(s, state);
        let victim = r.s.talk();
        let before = r.s.stack.connection_count();
        for n in 0..300_u32 {
            r.s.peer.set_port(1 + n as u16);
            r.s.irs += n;
            r.s.inject("S 0 <mss 1460>");
            answers(&mut r.s);
        }
        let grown = r.s.stack.connection_count() - before;
        assert_eq!(grown, 0, "of half a connection nobody knows");
        let half_open = r.s.stack.half_open_count();
        assert!(half_open <= Bystander::MAX_HALF_OPEN, "{half_open}");
        r.s.switch_to(victim);
        if state != State::Listen {
            assert_eq!(r.s.state(), state);
        }
        bystander.check(&mut r.s);
    }
}

/// With a user it is the user's affair (MUST-37). Without one, nobody else would end it.
fn a_window_of_zero_for_ever(start: Start) {
    let shut = |r: &Reached| match r.s.state() {
        State::Closed => vec![r.s.segment("S 0 win 0 <mss 1000>")],
        _ => vec![r.s.segment(&format!(". {} ack {} win 0", r.next, r.una.max(1)))],
    };
    throw(start, shut, |state| match state {
        State::Listen => State::SynReceived,
        State::SynReceived => State::Established,
        state => state,
    });
    let (mut bystander, s) = Bystander::new(start);
    let mut r = Reached::on(s, State::Established);
    let id = r.id.unwrap();
    r.s.send(id, 5000);
    r.s.drain();
    r.s.inject(". 1 ack 5001 win 0");
    r.s.send(id, 5000);
    r.s.stack.close(id);
    for _ in 0..2 * 3600 {
        r.s.pass(1000);
        if answers(&mut r.s) > 0 && r.s.state() != State::Closed {
            r.s.inject(". 1 ack 5001 win 0");
        }
    }
    assert_eq!(r.s.state(), State::Closed);
    assert_eq!(r.s.stack.connection_count(), 1);
    bystander.check(&mut r.s);
}

/// A blind attacker hits the window and neither its edge nor our numbers.
fn blind_segments_within_the_window(start: Start) {
    let blind = |r: &Reached| {
        let mut packets = Vec::new();
        for offset in (1..10_000).step_by(999) {
            let seq = r.next + offset;
            packets.push(r.s.segment(&format!("R {seq}")));
            packets.push(r.s.segment(&format!("P. {seq}:{} ack 900000000", seq + 20)));
            packets.push(r.s.segment(&format!("F. {seq} ack -900000000")));
            if !matches!(
                r.s.state(),
                State::SynReceived | State::TimeWait | State::Closed
            ) {
                packets.push(r.s.segment(&format!("S {seq}")));
            }
        }
        packets
    };
    throw(start, blind, same);
}

fn windows_to_and_fro(start: Start) {
    let shrink = |r: &Reached| {
        let (next, una) = (r.next, r.una.max(1));
        [10_000, 0, 1, 65_535, 2, 0, 999, 0]
            .map(|window| r.s.segment(&format!(". {next} ack {una} win {window}")))
            .to_vec()
    };
    throw(start, shrink, |state| match state {
        State::SynReceived => State::Established,
        state => state,
    });
}

/// Who makes one connection challenge as often as it may learns nothing of another's by it.
fn challenges_that_tell_nothing(start: Start) {
    for state in STATES {
        let (mut bystander, s) = Bystander::new(start);
        let mut r = Reached::on(s, state);
        for _ in 0..100 {
            for segment in [
                format!("R {}", r.next + 9),
                format!(". {} ack {}", r.next, r.nxt + 9),
            ] {
                r.s.inject(&segment);
                answers(&mut r.s);
            }
        }
        if state != State::Listen {
            assert_eq!(r.s.state(), state);
        }
        assert_eq!(bystander.challenges(&mut r.s), 10, "after {state}");
        bystander.check(&mut r.s);
    }
}

/// Whoever has opened connections of his own knows what others get, if they follow a clock or a
/// counter alone.
fn numbers_guessed_from_others(start: Start) {
    for state in STATES {
        let (mut bystander, s) = Bystander::new(start);
        let mut r = Reached::on(s, state);
        let victim = r.s.talk();
        let mut last = None;
        for port in 1..=5 {
            r.s.turn_to(port);
            r.s.inject("S 0");
            r.s.next().expect("an answer to the attacker");
            last = r.s.iss;
        }
        let before = r.s.stack.connection_count();
        // In the name of somebody who does not see the answers.
        r.s.turn_to(999);
        r.s.inject("S 0");
        answers(&mut r.s);
        r.s.iss = last;
        for step in [0, 1, 64_000, 128_000, 250_000] {
            for times in -4..=4 {
                r.s.inject(&format!(". 1 ack {}", 1 + step * times));
                answers(&mut r.s);
            }
        }
        assert_eq!(r.s.stack.connection_count(), before);
        r.s.switch_to(victim);
        if state != State::Listen {
            assert_eq!(r.s.state(), state);
        }
        bystander.check(&mut r.s);
    }
}

fn forged_icmp(start: Start) {
    use Icmpv4Type as T;
    let forged = |r: &Reached| {
        let icmp = |kind, code, rest: [u8; 4], body: &[u8]| {
            packets::icmp(ROUTER, *US.ip(), kind, code, rest, body)
        };
        // About a segment that was never in flight: a number that nobody has sent.
        let quad = r.s.quad();
        let mut quote = r.s.segment(". 1 ack 1");
        quote[12..16].copy_from_slice(&quad.dst.0.octets());
        quote[16..20].copy_from_slice(&quad.src.0.octets());
        set_u16(&mut quote, 20, quad.dst.1);
        set_u16(&mut quote, 22, quad.src.1);
        quote[24..28].copy_from_slice(&[0x5a; 4]);
        seal(&mut quote);
        let mut packets = Vec::new();
        for code in 0..=15 {
            packets.push(icmp(T::DESTINATION_UNREACHABLE, code, [0; 4], &quote[..28]));
            packets.push(icmp(T::TIME_EXCEEDED, code, [0; 4], &quote[..28]));
            packets.push(icmp(T::PARAMETER_PROBLEM, code, [0; 4], &quote[..28]));
        }
        packets.push(icmp(T::SOURCE_QUENCH, 0, [0; 4], &quote[..28]));
        packets.push(icmp(T::REDIRECT, 1, [10, 0, 0, 1], &quote[..28]));
        for mtu in [0, 1, 67, 68, 65_535_u16] {
            let [high, low] = mtu.to_be_bytes();
            packets.push(icmp(
                T::DESTINATION_UNREACHABLE,
                4,
                [0, 0, high, low],
                &quote[..28],
            ));
        }
        // Quotes cut short at every place, and ones that lie about their header.
        for len in 0..28 {
            packets.push(icmp(T::DESTINATION_UNREACHABLE, 2, [0; 4], &quote[..len]));
        }
        let mut long = quote.clone();
        long[0] = 0x4f;
        packets.push(icmp(T::DESTINATION_UNREACHABLE, 2, [0; 4], &long[..28]));
        // Messages shorter than their header, echoes of nothing, unknown types.
        let echo = icmp(T::ECHO_REQUEST, 0, [0; 4], b"");
        for len in 20..28 {
            let mut short = echo[..len].to_vec();
            set_u16(&mut short, 2, len as u16);
            seal_ip(&mut short);
            packets.push(short);
        }
        packets.push(echo);
        packets.push(icmp(T::ECHO_REPLY, 0, [0; 4], b"what"));
        for kind in [1, 2, 6, 7, 9, 10, 13, 17, 42, 255] {
            packets.push(icmp(T(kind), 0, [0; 4], &quote[..28]));
        }
        packets
    };
    throw(start, forged, same);
}

/// From each start both sides cross 2^31 or 2^32 within 256 octets, in order, out of order, and
/// with what was received before.
fn numbers_that_go_round(start: Start) {
    let (mut s, id) = start.established(65535);
    for n in 0..40 {
        let seq = 1 + 20 * n;
        s.inject(&format!(". {}:{} ack 1", seq + 10, seq + 20));
        s.inject(&format!(". {}:{} ack 1", seq - 5, seq + 12));
        s.read(id, 20);
        s.drain();
    }
    for n in 0..40 {
        let (first, end) = (1 + 20 * n, 21 + 20 * n);
        s.send(id, 20);
        s.expect_all(&[&format!("P. {first}:{end} ack 801")]);
        s.inject(&format!(". 801 ack {end}"));
    }
    s.stack.close(id);
    s.expect("F. 801 ack 801");
    s.inject("F. 801 ack 802");
    s.expect(". 802 ack 802");
    assert_eq!(s.state(), State::TimeWait);
}

fn garbage_with_right_checksums(start: Start) {
    let garbage = |r: &Reached| {
        let mut random = Random(13);
        let mut packets = Vec::new();
        for _ in 0..500 {
            let mut packet = r.s.segment("- 0:40");
            for byte in &mut packet[24..] {
                *byte = random.next() as u8;
            }
            // Neither opens nor closes: the rest of the flags is as it comes.
            packet[33] &= !0x07;
            seal(&mut packet);
            packets.push(packet);
        }
        packets
    };
    throw(start, garbage, same);
}

/// SYN with FIN, SYN with RST, none, all: out of the window, so that none of them may act.
fn every_set_of_flags(start: Start) {
    let flags = |r: &Reached| {
        (0..512_u16)
            .map(|bits| {
                let mut packet = r.s.segment("- -90000000:-89999995");
                packet[32] |= (bits >> 8) as u8;
                packet[33] = bits as u8;
                seal(&mut packet);
                packet
            })
            // A SYN opens: alone, or with what has no meaning on it.
            .filter(|packet| r.id.is_some() || packet[33] & 0x17 != 0x02)
            .collect()
    };
    throw(start, flags, same);
}

fn a_fin_out_of_nowhere(start: Start) {
    let fins = |r: &Reached| {
        [
            "F 90000000",
            "F. 90000000 ack 1",
            "FPU 90000000:90000009",
            "FR 90000000",
        ]
        .map(|text| r.s.segment(text))
        .to_vec()
    };
    throw(start, fins, same);
}

/// It is not taken before the handshake is done, and nothing is kept of it (`LISTEN`); on a
/// connection that is there it is a SYN like any other.
fn text_on_a_syn(start: Start) {
    let text = |r: &Reached| match r.s.state() {
        State::TimeWait => vec![],
        State::SynReceived => vec![r.s.segment("S 0:500 win 10000 <mss 1000>")],
        _ => vec![r.s.segment("S 0:500 win 10000 <mss 1000>"); 3],
    };
    throw(start, text, |state| match state {
        State::Listen => State::SynReceived,
        state => state,
    });
    let mut s = start.script();
    s.inject("S 0:500 <mss 1000>");
    s.expect_all(&["S. 0 ack 1 <mss 1460>"]);
    s.inject(". 1:501 ack 1");
    let id = s.accept();
    s.read(id, 500);
}
