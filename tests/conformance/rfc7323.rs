//! Window scale, timestamps and PAWS (RFC 7323).

use std::cell::Cell;

use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use zerotcp::stack::{ConnectionId, Event};
use zerotcp::tcp::{CloseReason, State};

use crate::common::script::Script;
use crate::{Start, tests};

tests! {
    "7323-1" => windows_are_scaled_if_both_ask_for_it,
    "7323-1" => the_window_of_a_syn_is_not_scaled,
    "7323-2" => a_shift_above_14_is_14,
    "7323-2" => a_shift_above_14_is_logged,
    "7323-3" => what_rounding_takes_back_is_accepted,
    "7323-4" => all_segments_have_timestamps,
    "7323-4" => a_segment_without_is_dropped_and_ends_nothing,
    "7323-5" => timestamps_are_in_the_answer_if_they_were_in_the_syn,
    "7323-5" => an_echo_without_ack_means_nothing,
    "7323-6" => a_delayed_ack_echoes_the_earliest,
    "7323-6" => out_of_order_the_last_in_order_is_echoed_and_then_what_fills_the_hole,
    "7323-7" => what_is_older_is_acknowledged_and_dropped,
    "7323-7" => a_reset_is_not_checked,
    "7323-7" => what_is_not_believed_sets_no_clock,
    "7323-8" => what_waits_for_its_turn_is_not_checked_again,
    "7323-8" => after_24_days_anything_is_new,
    "7323-9" => the_clock_ticks_and_starts_anywhere,
    "7323-10" => a_reset_echoes_what_it_answers,
}

/// Both have timestamps; the peer's stands at `value`.
fn stamped(start: Start, value: u32) -> (Script, ConnectionId) {
    let mut s = start.script_with(|config| config.tcp.quick_acks = 0);
    s.inject(&format!("S 0 <mss 1000,nop,nop,ts {value} 0>"));
    s.expect(&format!("S. 0 ack 1 <mss 1460,nop,nop,ts 0 {value}>"));
    s.inject(&format!(". 1 ack 1 <nop,nop,ts {value} 0>"));
    let id = s.accept();
    s.expect_nothing();
    (s, id)
}

/// Where the peer's clock starts: it goes round too.
const VALUES: [u32; 4] = [1, 0x7fff_fff0, 0x8000_0000, 0xffff_fff0];

/// The peer's clock, so much later.
fn later(value: u32, ticks: i32) -> u32 {
    value.wrapping_add_signed(ticks)
}

fn windows_are_scaled_if_both_ask_for_it(start: Start) {
    let (s, id) = start.script().open("S <mss 1000,nop,wscale 7>", 0);
    assert_eq!(s.stack.info(id).unwrap().window_scale, (7, 5));
    for (ours, syn) in [(true, "S <mss 1000>"), (false, "S <mss 1000,nop,wscale 7>")] {
        let s = start.script_with(|config| config.tcp.window_scaling = ours);
        let (mut s, id) = s.open(syn, 0);
        assert!(!s.last.windows(3).any(|option| option == [3, 3, 5]));
        s.inject(". 1 ack 1 win 100");
        let info = s.stack.info(id).unwrap();
        assert_eq!((info.window_scale, info.send_window), ((0, 0), 100));
    }
    // Elsewhere it means nothing.
    let (mut s, id) = start.script().open("S <mss 1000,nop,wscale 7>", 0);
    s.inject(". 1 ack 1 win 100 <nop,wscale 2>");
    assert_eq!(s.stack.info(id).unwrap().send_window, 12_800);
}

fn the_window_of_a_syn_is_not_scaled(start: Start) {
    let (mut s, id) = start.connecting();
    s.expect("S 0 win 65535 *");
    s.inject("S. 0 ack 1 win 1000 <mss 1000,nop,wscale 7>");
    s.drain();
    assert_eq!(s.stack.info(id).unwrap().send_window, 1000);
    s.inject(". 1 ack 1 win 1000");
    assert_eq!(s.stack.info(id).unwrap().send_window, 128_000);
    // Ours neither: a window of 1 MiB is 65,535 there.
    let mut s = start.script();
    s.inject("S 0 <mss 1000,nop,wscale 7>");
    s.expect("S. 0 ack 1 win 65535 <mss 1460,nop,wscale 5>");
}

fn a_shift_above_14_is_14(start: Start) {
    for shift in [14, 15, 16, 31, 32, 255] {
        let (mut s, id) = start
            .script()
            .open(&format!("S <mss 1000,nop,wscale {shift}>"), 0);
        s.inject(". 1 ack 1 win 3");
        let info = s.stack.info(id).unwrap();
        assert_eq!((info.window_scale.0, info.send_window), (14, 3 << 14));
    }
}

/// Of a passive open and of an active one.
fn a_shift_above_14_is_logged(start: Start) {
    for (shift, lines) in [(14, 0), (15, 1), (255, 1)] {
        SHIFTS.set(0);
        let mut s = start.script();
        s.inject(&format!("S 0 <mss 1000,nop,wscale {shift}>"));
        assert_eq!(SHIFTS.get(), lines);
        let (mut s, _) = start.connecting();
        s.expect("S 0 *");
        s.inject(&format!("S. 0 ack 1 <mss 1000,nop,wscale {shift}>"));
        assert_eq!(SHIFTS.get(), 2 * lines);
    }
}

thread_local! {
    /// How many lines of the log were about a shift.
    static SHIFTS: Cell<usize> = const { Cell::new(0) };
}

/// The log of the whole run: of a part of it, other threads would have to know.
pub fn keep_log() {
    tracing::subscriber::set_global_default(Log).expect("it is the first");
}

struct Log;

impl Subscriber for Log {
    fn enabled(&self, line: &Metadata<'_>) -> bool {
        line.fields().field("shift").is_some()
    }

    fn event(&self, _: &tracing::Event<'_>) {
        SHIFTS.set(SHIFTS.get() + 1);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Section 2.4: the edge that was told once counts.
fn what_rounding_takes_back_is_accepted(start: Start) {
    let s = start.script_with(|config| config.tcp.receive_buffer = 1 << 20);
    let (mut s, id) = s.open("S <mss 1000,nop,wscale 0>", 0);
    let mut edge = 0;
    let mut taken_back = false;
    let mut end = 1;
    for _ in 0..50 {
        s.inject(&format!(". {end}:{} ack 1", end + 1));
        end += 1;
        s.pass(100);
        while let Some(sent) = s.next() {
            let window = sent
                .split(' ')
                .skip_while(|word| *word != "win")
                .nth(1)
                .unwrap();
            let told = end + (window.parse::<usize>().unwrap() << 5);
            taken_back |= told < edge;
            edge = edge.max(told);
        }
    }
    assert!(taken_back, "the window never seemed to shrink");
    while end < edge {
        let len = (edge - end).min(1000);
        s.inject(&format!(". {end}:{} ack 1", end + len));
        end += len;
    }
    s.read(id, edge - 1);
}

fn all_segments_have_timestamps(start: Start) {
    let (mut s, id) = stamped(start, 100);
    s.send(id, 1500);
    s.expect(". 1:989 ack 1 <nop,nop,ts * 100>");
    s.inject("P. 1:6 ack 989 <nop,nop,ts 101 0>");
    s.expect("P. 989:1501 ack 6 <nop,nop,ts * 101>");
    s.inject(". 10:11 ack 1501 <nop,nop,ts 102 0>");
    s.expect(". 1501 ack 6 <nop,nop,ts * 101>");
    s.stack.shutdown(id).unwrap();
    s.expect("F. 1501 ack 6 <nop,nop,ts * 101>");
    // Sent again too.
    s.pass(2000);
    s.expect("F. 1501 ack 6 <nop,nop,ts * 101>");
    // Of an active open likewise, and not where it is switched off.
    let (mut s, _) = start.connecting();
    s.expect("S 0 <mss 1460,sackOK,ts 0 0,nop,wscale 5>");
    s.inject("S. 0 ack 1 <mss 1000,nop,nop,ts 7 0>");
    s.expect(". 1 ack 1 <nop,nop,ts * 7>");
    let (mut s, _) = start.connecting_with(|config| config.tcp.timestamps = false);
    s.expect("S 0 <mss 1460,nop,nop,sackOK,nop,wscale 5>");
}

fn a_segment_without_is_dropped_and_ends_nothing(start: Start) {
    let (mut s, id) = stamped(start, 100);
    for segment in [
        "P. 1:6 ack 1",
        ". 1 ack 1",
        "F. 1 ack 1",
        "P. 99999:100000 ack 1",
    ] {
        s.inject(segment);
        assert_eq!(s.next(), None, "{segment}");
        s.read(id, 0);
        assert_eq!(s.state(), State::Established, "{segment}");
    }
    s.inject("P. 1:6 ack 1 <nop,nop,ts 100 0>");
    s.read(id, 5);
    // A SYN is challenged all the same, lest a peer that has lost its memory waits for ever
    // (RFC 5961 section 4.2); a reset needs none.
    s.drain();
    s.inject("S 5");
    s.expect_all(&[". 1 ack 6 <nop,nop,ts * 100>"]);
    s.inject("R 6");
    assert_eq!(s.state(), State::Closed);
}

fn timestamps_are_in_the_answer_if_they_were_in_the_syn(start: Start) {
    let (mut s, id) = stamped(start, 100);
    s.send(id, 5);
    s.expect("P. 1:6 ack 1 <nop,nop,ts * 100>");
    let (mut s, id) = start.established(65535);
    s.send(id, 5);
    // And a peer that sends them all the same is not answered with any.
    s.expect("P. 1:6 ack 1");
    s.inject("P. 1:6 ack 6 <nop,nop,ts 9 0>");
    s.read(id, 5);
    s.send(id, 5);
    s.expect("P. 6:11 ack 6");
}

fn an_echo_without_ack_means_nothing(start: Start) {
    let mut s = start.script();
    s.pass(5000);
    s.inject("S 0 <mss 1000,nop,nop,ts 1 -4000>");
    s.expect("S. 0 ack 1 <mss 1460,nop,nop,ts 0 1>");
    s.pass(100);
    s.inject(". 1 ack 1 <nop,nop,ts 2 0>");
    let id = s.accept();
    let srtt = s.stack.info(id).unwrap().srtt.unwrap();
    assert!(srtt.as_millis().abs_diff(100) <= 2, "{srtt:?}");
}

fn a_delayed_ack_echoes_the_earliest(start: Start) {
    for value in VALUES {
        let (mut s, _) = stamped(start, value);
        s.inject(&format!(
            ". 1:1001 ack 1 <nop,nop,ts {} 0>",
            later(value, 10)
        ));
        s.inject(&format!(
            ". 1001:2001 ack 1 <nop,nop,ts {} 0>",
            later(value, 20)
        ));
        s.pass(100);
        s.expect(&format!(". 1 ack 2001 <nop,nop,ts * {}>", later(value, 10)));
    }
}

fn out_of_order_the_last_in_order_is_echoed_and_then_what_fills_the_hole(start: Start) {
    for value in VALUES {
        let (mut s, id) = stamped(start, value);
        let at = |ticks| later(value, ticks);
        s.inject(&format!("P. 1:1001 ack 1 <nop,nop,ts {} 0>", at(10)));
        s.pass(100);
        s.expect(&format!(". 1 ack 1001 <nop,nop,ts * {}>", at(10)));
        s.inject(&format!(". 2001:3001 ack 1 <nop,nop,ts {} 0>", at(30)));
        s.expect(&format!(". 1 ack 1001 <nop,nop,ts * {}>", at(10)));
        s.inject(&format!(". 3001:4001 ack 1 <nop,nop,ts {} 0>", at(40)));
        s.expect(&format!(". 1 ack 1001 <nop,nop,ts * {}>", at(10)));
        // Older than those, and newer than what was in order last.
        s.inject(&format!(". 1001:2001 ack 1 <nop,nop,ts {} 0>", at(20)));
        s.expect(&format!(". 1 ack 4001 <nop,nop,ts * {}>", at(20)));
        s.read(id, 4000);
    }
}

fn what_is_older_is_acknowledged_and_dropped(start: Start) {
    for value in VALUES {
        let (mut s, id) = stamped(start, value);
        s.inject(&format!(
            "P. 1:6 ack 1 <nop,nop,ts {} 0>",
            later(value, 100)
        ));
        s.read(id, 5);
        s.pass(100);
        s.expect(". 1 ack 6 *");
        for segment in [
            "P. 6:11 ack 1",
            "F. 6 ack 1",
            "P. 99999:100009 ack 1",
            ". 6:11 ack 900",
        ] {
            s.inject(&format!("{segment} <nop,nop,ts {} 0>", later(value, 99)));
            s.expect_all(&[&format!(". 1 ack 6 <nop,nop,ts * {}>", later(value, 100))]);
            assert_eq!(s.stack.info(id).unwrap().unread, 0, "{segment} {value}");
        }
        assert_eq!(s.state(), State::Established);
        // As old is not older.
        s.inject(&format!(
            "P. 6:11 ack 1 <nop,nop,ts {} 0>",
            later(value, 100)
        ));
        s.read(id, 5);
    }
}

/// Who guesses a number in the window, and not what was sent, does not make the peer look old
/// (RFC 5961 section 5).
fn what_is_not_believed_sets_no_clock(start: Start) {
    for value in VALUES {
        let (mut s, id) = stamped(start, value);
        let ahead = later(value, 1_000_000);
        s.inject(&format!("P. 1:6 ack 900000 <nop,nop,ts {ahead} 0>"));
        s.drain();
        s.inject(&format!("P. 1:6 ack 1 <nop,nop,ts {} 0>", later(value, 1)));
        s.drain();
        let mut text = [0; 10];
        assert_eq!(s.stack.recv(id, &mut text), Ok(5), "{value}");
    }
}

fn a_reset_is_not_checked(start: Start) {
    let (mut s, id) = stamped(start, 100);
    s.inject("R 1 <nop,nop,ts 50 0>");
    assert!(s.events().contains(&Event::Closed(id, CloseReason::Reset)));
}

fn what_waits_for_its_turn_is_not_checked_again(start: Start) {
    let (mut s, id) = stamped(start, 100);
    s.inject(". 6:11 ack 1 <nop,nop,ts 110 0>");
    s.drain();
    s.inject(". 1:6 ack 1 <nop,nop,ts 120 0>");
    s.read(id, 10);
}

fn after_24_days_anything_is_new(start: Start) {
    const DAY: u64 = 24 * 3600 * 1000;
    for (days, read) in [(20, 0), (25, 5)] {
        let (mut s, id) = stamped(start, 100);
        s.pass(days * DAY);
        s.inject("P. 1:6 ack 1 <nop,nop,ts 50 0>");
        s.read(id, read);
    }
}

fn the_clock_ticks_and_starts_anywhere(start: Start) {
    let (mut s, id) = stamped(start, 100);
    let value = |s: &mut Script| {
        s.send(id, 1);
        let sent = s.next().unwrap();
        let (_, stamp) = sent.split_once("ts ").unwrap();
        s.inject(&format!(". 1 ack {} <nop,nop,ts 100 0>", s.last_end()));
        stamp.split(' ').next().unwrap().parse::<u32>().unwrap()
    };
    let first = value(&mut s);
    let mut last = first;
    for _ in 0..20 {
        s.pass(1000);
        let now = value(&mut s);
        // From once a second to once a millisecond.
        assert!((1..=1000).contains(&(now - last)), "{last} {now}");
        last = now;
    }
    // Another peer's clock stands elsewhere.
    let stamp = s.first_ts.unwrap();
    let mut close = 0;
    for port in 1..=50 {
        s.turn_to(port);
        s.inject("S 0 <mss 1000,nop,nop,ts 100 0>");
        s.expect("S. 0 ack 1 *");
        let other = s.first_ts.unwrap();
        close += usize::from(other.wrapping_sub(stamp).cast_signed().unsigned_abs() < 1 << 24);
    }
    assert!(close <= 5, "{close} of 50");
}

fn a_reset_echoes_what_it_answers(start: Start) {
    let mut s = start.script();
    s.us.set_port(1337);
    s.inject("S 0 <mss 1000,nop,nop,ts 77 0>");
    s.expect_all(&["R. * ack 1 <nop,nop,ts 0 77>"]);
    s.inject(". 5 ack 9 <nop,nop,ts 78 0>");
    s.expect_all(&["R 9 <nop,nop,ts 0 78>"]);
    s.inject(". 5 ack 9");
    s.expect_all(&["R 9"]);
}
