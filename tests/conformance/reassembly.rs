//! Datagrams in pieces (RFC 791, 815, 1122 section 3.3.2, 1858 and 3128).

use zerotcp::stack::{ConnectionId, DropReason};
use zerotcp::tcp::State;
use zerotcp::wire::{Icmpv4Type, Ipv4Packet};

use crate::common::packets::{fragment, raw_fragment, seal_ip, set_u16};
use crate::common::script::{PEER, Script};
use crate::{Start, tests};

tests! {
    "815-1" => pieces_may_come_in_any_order,
    "815-1" => pieces_that_come_twice_do_no_harm,
    "791-1" => pieces_belong_together_by_four_fields,
    "791-1" => a_piece_that_is_not_the_last_is_a_multiple_of_eight,
    "791-2" => nothing_ends_past_65535,
    "791-2" => pieces_that_disagree_about_the_end_are_dropped,
    "791-3" => overlapping_pieces_are_dropped_with_their_datagram,
    "791-3" => no_piece_overwrites_the_tcp_header,
    "791-3" => a_first_piece_has_the_flags_of_tcp,
    "791-4" => of_one_source_only_so_many_wait,
    "791-4" => one_source_cannot_have_all_the_room,
    "1122-10" => large_datagrams_are_put_together,
    "1122-10" => what_stays_incomplete_is_given_up_and_told,
}

/// A segment of 200 octets in five pieces, and where it goes.
fn five(s: &Script) -> Vec<Vec<u8>> {
    let whole = s.segment("P. 1:201 ack 1");
    let piece = |n: usize| fragment(&whole, 48 * n, 48);
    (0..5).map(piece).collect()
}

fn arrive(s: &mut Script, pieces: &[Vec<u8>]) {
    for piece in pieces {
        s.raw(piece);
    }
}

/// All that would be wrong, and then the datagram itself, so that it is not for another reason.
fn dropped(start: Start, make: impl Fn(&Script) -> Vec<Vec<u8>>) {
    let (mut s, id) = start.established(65535);
    let pieces = make(&s);
    arrive(&mut s, &pieces);
    s.read(id, 0);
    assert_eq!(s.state(), State::Established);
    // Another identification: the pieces of the first one do not matter.
    let mut sound = five(&s);
    for piece in &mut sound {
        set_u16(piece, 4, 0x7777);
        seal_ip(piece);
    }
    arrive(&mut s, &sound);
    s.read(id, 200);
}

fn pieces_may_come_in_any_order(start: Start) {
    // All 120 orders.
    for order in 0..120 {
        let (mut s, id) = start.established(65535);
        let mut pieces = five(&s);
        let mut rest = order;
        for left in (1..=5).rev() {
            let piece = pieces.remove(rest % left);
            rest /= left;
            s.read(id, 0);
            s.raw(&piece);
        }
        s.read(id, 200);
    }
}

fn pieces_that_come_twice_do_no_harm(start: Start) {
    let (mut s, id) = start.established(65535);
    let pieces = five(&s);
    arrive(&mut s, &pieces[..4]);
    arrive(&mut s, &pieces[..4]);
    s.pass(1000);
    let now = s.stack.info(id).unwrap().unread;
    assert!([0, 200].contains(&now));
    // Identical ones may be taken or be an overlap; a whole set after that arrives.
    arrive(&mut s, &pieces[4..]);
    arrive(&mut s, &pieces);
    s.read(id, 200);
}

fn pieces_belong_together_by_four_fields(start: Start) {
    // Source, destination, identification, protocol.
    for (at, value) in [(15, 9), (19, 3), (5, 0x55), (9, 17)] {
        let (mut s, id): (Script, ConnectionId) = start.established_with(65535, |config| {
            config.addresses.push([192, 168, 0, 3].into())
        });
        let pieces = five(&s);
        let mut other = pieces[2].clone();
        other[at] = value;
        seal_ip(&mut other);
        arrive(&mut s, &pieces[..2]);
        s.raw(&other);
        arrive(&mut s, &pieces[3..]);
        s.read(id, 0);
        s.raw(&pieces[2]);
        s.read(id, 200);
    }
}

fn a_piece_that_is_not_the_last_is_a_multiple_of_eight(start: Start) {
    dropped(start, |s| {
        let whole = s.segment("P. 1:201 ack 1");
        vec![
            raw_fragment(&whole, 0, &whole[20..65], true),
            fragment(&whole, 40, 200),
            fragment(&whole, 48, 200),
        ]
    });
}

fn nothing_ends_past_65535(start: Start) {
    dropped(start, |s| {
        let whole = s.segment("P. 1:201 ack 1");
        vec![
            fragment(&whole, 0, 48),
            raw_fragment(&whole, 65_528, &[0; 100], false),
            raw_fragment(&whole, 65_512, &[0; 4], false),
        ]
    });
}

fn pieces_that_disagree_about_the_end_are_dropped(start: Start) {
    dropped(start, |s| {
        let whole = s.segment("P. 1:201 ack 1");
        let mut pieces = five(s);
        // It ends at 96, and there is more at 144.
        pieces.insert(1, raw_fragment(&whole, 96, &whole[116..124], false));
        pieces.insert(0, fragment(&whole, 144, 48));
        pieces
    });
}

fn overlapping_pieces_are_dropped_with_their_datagram(start: Start) {
    dropped(start, |s| {
        let whole = s.segment("P. 1:201 ack 1");
        let mut pieces = five(s);
        // It says other than what was there.
        pieces.insert(2, raw_fragment(&whole, 40, &[0xaa; 24], true));
        pieces
    });
    // Before it, behind it, within it, around it: even if it says the same.
    for (offset, len) in [(40, 24), (88, 24), (56, 16), (40, 64)] {
        let (mut s, _) = start.established(65535);
        let whole = s.segment("P. 1:201 ack 1");
        s.raw(&fragment(&whole, 48, 48));
        s.raw(&fragment(&whole, offset, len));
        let count = s.stack.counters().dropped(DropReason::ConflictingFragment);
        assert_eq!(count, 1, "{offset} {len}");
    }
}

/// RFC 1858 section 4 and RFC 3128: a second piece at offset 1 would overwrite the flags.
fn no_piece_overwrites_the_tcp_header(start: Start) {
    let (mut s, id) = start.established(65535);
    let whole = s.segment("P. 1:201 ack 1");
    let mut pieces = five(&s);
    // Five octets later there would be RST.
    let mut forged = whole[28..52].to_vec();
    forged[5] |= 4;
    pieces.insert(1, raw_fragment(&whole, 8, &forged, true));
    pieces.insert(0, raw_fragment(&whole, 8, &forged, true));
    arrive(&mut s, &pieces);
    assert_eq!(s.state(), State::Established);
    // The datagram is as it was sent, or dropped.
    let unread = s.stack.info(id).unwrap().unread;
    assert!([0, 200].contains(&unread));
    s.read(id, unread as usize);
}

/// RFC 1858 section 3: up to the flags at least.
fn a_first_piece_has_the_flags_of_tcp(start: Start) {
    dropped(start, |s| {
        let whole = s.segment("P. 1:201 ack 1");
        vec![fragment(&whole, 0, 8), fragment(&whole, 8, 300)]
    });
}

fn of_one_source_only_so_many_wait(start: Start) {
    for (others, read) in [(3, 200), (4, 0)] {
        let (mut s, id) = start.established_with(65535, |config| {
            config.max_fragmented_per_source = 4;
        });
        let pieces = five(&s);
        arrive(&mut s, &pieces[..2]);
        for n in 1..=others {
            let mut other = pieces[0].clone();
            set_u16(&mut other, 4, 1000 + n);
            seal_ip(&mut other);
            s.raw(&other);
        }
        arrive(&mut s, &pieces[2..]);
        s.read(id, read);
    }
}

fn one_source_cannot_have_all_the_room(start: Start) {
    let (mut s, id) = start.established_with(65535, |config| {
        config.max_fragments_bytes = 100_000;
    });
    let whole = s.segment("P. 1:201 ack 1");
    // A neighbour starts, a flood follows.
    let pieces = five(&s);
    arrive(&mut s, &pieces[..2]);
    let mut flood = raw_fragment(&whole, 0, &[0; 1400], true);
    flood[12..16].copy_from_slice(&[10, 9, 8, 7]);
    for n in 0..500 {
        set_u16(&mut flood, 4, n);
        seal_ip(&mut flood);
        s.raw(&flood);
    }
    arrive(&mut s, &pieces[2..]);
    s.read(id, 200);
}

fn large_datagrams_are_put_together(start: Start) {
    for len in [536, 8000, 60_000] {
        let (mut s, id) = start.established(65535);
        let whole = s.segment(&format!("P. 1:{} ack 1", len + 1));
        let pieces: Vec<_> = (0..=len / 1480)
            .map(|n| fragment(&whole, 1480 * n, 1480))
            .collect();
        arrive(&mut s, &pieces);
        s.read(id, len);
    }
}

/// After 60 to 120 seconds; with time exceeded, code 1, only if the first piece came.
fn what_stays_incomplete_is_given_up_and_told(start: Start) {
    for (present, told) in [(0..4, true), (1..5, false)] {
        let (mut s, id) = start.established(65535);
        let pieces = five(&s);
        arrive(&mut s, &pieces[present]);
        s.pass(59_000);
        s.expect_nothing();
        s.pass(62_000);
        let error = s.next_packet();
        assert_eq!(error.is_some(), told);
        if let Some(packet) = error {
            let ip = Ipv4Packet::parse(&packet).unwrap();
            let message = ip.icmpv4().unwrap();
            assert_eq!(ip.dst(), *PEER.ip());
            assert_eq!(
                (message.kind(), message.code()),
                (Icmpv4Type::TIME_EXCEEDED, 1)
            );
            assert_eq!(message.body()[..20], pieces[0][..20]);
        }
        s.expect_nothing();
        // What was missing comes too late.
        s.raw(&pieces[if told { 4 } else { 0 }]);
        s.read(id, 0);
    }
}
