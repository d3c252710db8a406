//! Header and options (RFC 9293 sections 3.1 and 3.2).

use zerotcp::stack::{DropReason, Event};
use zerotcp::tcp::State;

use crate::common::packets::{header_len, ones_complement_sum, set_u16, tcp_sum};
use crate::common::script::Script;
use crate::{Start, tests};

tests! {
    "MUST-1 REC-1" => a_window_of_65535_is_not_minus_one,
    "REC-1" => a_scaled_window_is_more_than_16_bits,
    "MUST-2" => every_segment_sent_has_a_right_checksum,
    "MUST-3" => a_segment_with_a_wrong_checksum_is_dropped_unseen,
    "MUST-4 MUST-64" => the_three_first_options_are_understood_wherever_they_stand,
    "MUST-5" => options_are_accepted_on_segments_without_syn,
    "MUST-6 MUST-68" => an_unknown_option_is_skipped_by_its_length,
    "MUST-7" => an_impossible_option_length_does_no_harm,
    "MUST-65 SHLD-5 MAY-3 MUST-14" => mss_is_on_syns_and_on_nothing_else,
    "MUST-68 MUST-69" => what_we_send_has_lengths_and_zeros_at_the_end,
}

fn a_window_of_65535_is_not_minus_one(start: Start) {
    let (mut s, id) = start.established_with(65535, |c| c.tcp.send_buffer = 200_000);
    s.send(id, 100_000);
    // Round by round the congestion window grows; the peer's holds all the time.
    let mut end = 1;
    while end < 100_001 {
        let mut sent = 0;
        while let Some(text) = s.next() {
            let range = text.split(' ').nth(1).unwrap();
            let (_, last) = range.split_once(':').expect("text");
            end = last.parse().unwrap();
            sent += 1;
        }
        assert!(sent > 0, "stuck at {end}");
        s.inject(&format!(". 1 ack {end} win 65535"));
    }
    assert_eq!(s.stack.info(id).unwrap().send_window, 65_535);
}

fn a_scaled_window_is_more_than_16_bits(start: Start) {
    let s = start.script();
    let (mut s, id) = s.open("S win 65535 <mss 1000,nop,wscale 14>", 0);
    s.inject(". 1 ack 1 win 65535");
    assert_eq!(s.stack.info(id).unwrap().send_window, 65_535 << 14);
    // Our own likewise, once a segment without SYN has told it: 1 MiB by default.
    s.send(id, 1);
    s.expect("P. 1:2 ack 1 win 32768");
    assert_eq!(s.stack.info(id).unwrap().receive_window, 1 << 20);
}

fn every_segment_sent_has_a_right_checksum() {
    let mut seen = Vec::new();
    // SYN,ACK; text of even and odd length; ACK; FIN; and the reset that answers a stray.
    let (mut s, id) = Script::new().open("S <mss 1000,nop,nop,sackOK,nop,wscale 2>", 0);
    seen.push(s.last.clone());
    for len in [1, 2, 3, 999] {
        s.send(id, len);
        seen.extend(std::iter::from_fn(|| s.next_packet()));
        s.inject(&format!(
            ". 1 ack {}",
            s.stack.info(id).unwrap().unacknowledged + 1
        ));
    }
    s.inject("P. 5:6 ack 1");
    s.pass(500);
    seen.extend(std::iter::from_fn(|| s.next_packet()));
    s.stack.close(id);
    seen.extend(std::iter::from_fn(|| s.next_packet()));
    s.us.set_port(9);
    s.inject("S 0");
    seen.extend(std::iter::from_fn(|| s.next_packet()));
    assert!(seen.len() >= 7, "{}", seen.len());
    for packet in seen {
        assert_eq!(ones_complement_sum(&packet[..header_len(&packet)]), 0xffff);
        assert_eq!(tcp_sum(&packet), 0xffff, "{packet:02x?}");
    }
}

fn a_segment_with_a_wrong_checksum_is_dropped_unseen() {
    let (mut s, id) = Script::established(65535);
    for text in ["P. 1:11 ack 1", "R 1", "F. 1 ack 1", ". 1 ack 1 win 0"] {
        let sound = s.segment(text);
        // Each bit of the TCP header and the text.
        for bit in 0..(sound.len() - 20) * 8 {
            let mut packet = sound.clone();
            packet[20 + bit / 8] ^= 1 << (bit % 8);
            s.raw(&packet);
            s.expect_nothing();
        }
        assert_eq!(s.state(), State::Established);
        assert_eq!(s.stack.info(id).unwrap().send_window, 65_535);
    }
    s.read(id, 0);
    let dropped: u64 = s.stack.counters().drops().map(|(_, count)| count).sum();
    assert_eq!(s.stack.counters().packets_received, 2 + dropped);
    assert!(s.stack.counters().dropped(DropReason::BadTcpChecksum) > 500);
}

fn the_three_first_options_are_understood_wherever_they_stand() {
    for options in [
        "<mss 300>",
        "<nop,mss 300,nop,nop,nop>",
        "<nop,nop,mss 300>",
        "<nop,nop,nop,mss 300>",
        "<mss 300,eol>",
        // What follows the end is none.
        "<nop,mss 300,eol,mss 400>",
        "<wscale 1,mss 300,nop>",
        "<hex fe03aa,mss 300>",
    ] {
        let (mut s, id) = Script::new().open(&format!("S {options}"), 0);
        s.send(id, 600);
        s.expect(". 1:301 ack 1");
    }
    // End of options first: the default is meant.
    let (mut s, id) = Script::new().open("S <eol,mss 300>", 0);
    s.send(id, 600);
    s.expect(". 1:537 ack 1");
}

fn options_are_accepted_on_segments_without_syn(start: Start) {
    for options in [
        "<nop>",
        "<mss 5>",
        "<wscale 3>",
        "<sackOK>",
        "<hex 1e06010203ff>",
        "<eol>",
    ] {
        let (mut s, id) = start.established(65535);
        s.inject(&format!("P. 1:6 ack 1 win 500 {options}"));
        s.read(id, 5);
        s.drain();
        s.inject(&format!("F. 6 ack 1 win 500 {options}"));
        s.expect(". 1 ack 7");
        // They mean nothing there: MSS and shift are those of the SYN.
        let info = s.stack.info(id).unwrap();
        assert_eq!((info.send_mss, info.send_window), (1000, 500));
    }
}

fn an_unknown_option_is_skipped_by_its_length() {
    for (kind, len) in [(6, 2), (9, 3), (28, 4), (30, 12), (253, 10), (255, 20)] {
        let unknown: String = [kind, len]
            .into_iter()
            .chain((2..len).map(|n| n + 1))
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let (mut s, id) = Script::new().open(&format!("S <hex {unknown},mss 300,nop,wscale 1>"), 0);
        assert_eq!(s.stack.counters().malformed_options, 0);
        s.send(id, 400);
        s.expect(". 1:301 ack 1");
        s.inject(&format!("P. 1:6 ack 301 <hex {unknown}>"));
        s.read(id, 5);
    }
}

/// The connection takes the segment without what is wrong with it, and goes on.
fn an_impossible_option_length_does_no_harm() {
    for options in [
        "hex 0200",
        "hex 0201",
        "hex 1e00",
        "hex 1e01",
        "hex 0203ff",
        "hex 1eff",
        "nop,nop,nop,hex 08",
    ] {
        let mut s = Script::new();
        s.inject(&format!("S 0 <{options}>"));
        s.expect("S. 0 ack 1 <mss 1460>");
        s.inject(". 1 ack 1");
        let id = s.accept();
        s.inject(&format!("P. 1:6 ack 1 <{options}>"));
        s.read(id, 5);
        assert_eq!(s.stack.counters().malformed_options, 2, "{options}");
        assert_eq!(s.state(), State::Established);
        s.send(id, 600);
        s.expect(". 1:537 *");
    }
}

fn mss_is_on_syns_and_on_nothing_else() {
    let mut s = Script::new();
    s.inject("S 0 <mss 1000>");
    s.expect("S. 0 ack 1 <mss 1460>");
    s.inject(". 1 ack 1");
    let id = s.accept();
    s.inject("P. 1:6 ack 1");
    s.send(id, 5000);
    s.pass(1000);
    s.stack.shutdown(id).unwrap();
    let mut count = 0;
    while let Some(sent) = s.next() {
        assert!(!sent.contains("mss"), "{sent}");
        count += 1;
        s.pass(300);
        s.inject(". 6 ack 5001");
        assert!(count < 100);
    }
    assert!(count >= 5);
    // Of an active open too.
    let id = s.connect(80);
    s.expect("S 0 <mss 1460*>");
    s.inject("S. 0 ack 1 <mss 700>");
    s.expect(". 1 ack 1");
    assert_eq!(s.events().last(), Some(&Event::Connected(id)));
    s.send(id, 1000);
    s.expect(". 1:701 ack 1");
}

fn what_we_send_has_lengths_and_zeros_at_the_end() {
    let mut packets = Vec::new();
    let mut s = Script::new();
    s.connect(80);
    packets.push(s.next_packet().unwrap());
    for options in [
        "mss 9",
        "mss 9,wscale 1",
        "sackOK",
        "ts 1 0",
        "mss 9,sackOK,ts 1 0,nop,wscale 7",
    ] {
        let mut s = Script::new();
        s.inject(&format!("S 0 <{options}>"));
        packets.push(s.next_packet().unwrap());
        let stamps = if options.contains("ts") {
            "<nop,nop,ts 1 0>"
        } else {
            ""
        };
        s.iss = Some(zerotcp::wire::TcpPacket::parse(&s.last).unwrap().tcp.seq());
        s.inject(&format!(". 1 ack 1 {stamps}"));
        // Out of order, so that there is something to report.
        s.inject(&format!(". 5:6 ack 1 {stamps}"));
        packets.extend(s.next_packet());
    }
    assert_eq!(packets.len(), 11);
    for packet in packets {
        let end = 20 + usize::from(packet[32] >> 4) * 4;
        let mut options = &packet[40..end];
        while let [kind, rest @ ..] = options {
            options = match kind {
                0 => {
                    assert!(rest.iter().all(|byte| *byte == 0), "{packet:02x?}");
                    break;
                }
                1 => rest,
                _ => {
                    let len = usize::from(rest[0]);
                    assert!((2..=options.len()).contains(&len), "{packet:02x?}");
                    &options[len..]
                }
            };
        }
    }
    // What a peer has put there instead of zeros is not looked at.
    let mut s = Script::new();
    s.tweak("S 0 <mss 300,eol,nop,nop,nop>", |packet| {
        set_u16(packet, 46, 0xffff)
    });
    assert_eq!(s.stack.counters().malformed_options, 0);
    s.expect("S. 0 ack 1 <mss 1460>");
}
