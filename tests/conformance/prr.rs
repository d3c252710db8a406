//! Proportional rate reduction (RFC 6937).

use zerotcp::stack::ConnectionId;
use zerotcp::tcp::congestion::Algorithm;

use crate::common::script::Script;
use crate::sack::{busy_with, flight};
use crate::{Start, tests};

tests! {
    "6937-1" => what_is_sent_is_in_proportion_to_what_is_delivered,
    "6937-2" => below_ssthresh_it_is_bounded_by_what_is_delivered,
    "6937-3" => recovery_ends_at_ssthresh,
    "6937-3" => lost_acks_do_not_make_it_send_more,
}

/// A window of twenty segments in flight, of which nothing is acknowledged; where it begins.
fn twenty(start: Start) -> (Script, ConnectionId, u32) {
    // A loss halves the window, so that the share is one half.
    let (mut s, id) = busy_with(start, |config| {
        config.tcp.congestion = Algorithm::NewReno;
    });
    let first = flight(&mut s);
    assert_eq!(first.len(), 10);
    for _ in 0..100 {
        s.pass(1);
    }
    let mut sent = Vec::new();
    for seq in first {
        s.inject(&format!(". 1 ack {} win 65535", seq + 1000));
        sent.extend(flight(&mut s));
    }
    for _ in 0..90 {
        s.pass(1);
        sent.extend(flight(&mut s));
    }
    assert_eq!(sent.len(), 20, "{sent:?}");
    (s, id, sent[0])
}

/// All but the first `lost` arrive, in order; how much was sent after each acknowledgment.
fn arrive(s: &mut Script, una: u32, lost: u32, every: u32) -> Vec<usize> {
    let mut sent = Vec::new();
    for n in (lost + 1..=20).filter(|n| n % every == 0) {
        let left = una + 1000 * lost;
        s.inject(&format!(
            ". 1 ack {una} win 65535 <nop,nop,sack {left}:{}>",
            una + 1000 * n
        ));
        sent.push(flight(s).len());
    }
    sent
}

fn what_is_sent_is_in_proportion_to_what_is_delivered(start: Start) {
    let (mut s, id, una) = twenty(start);
    let sent = arrive(&mut s, una, 1, 1);
    let info = s.stack.info(id).unwrap();
    // Delivered, as far as the acknowledgments told.
    let share = f64::from(info.ssthresh) / 20_000.0;
    let total: usize = sent.iter().sum();
    let bound = (19.0 * share).ceil() as usize + 2;
    assert!(total <= bound, "{sent:?}: more than {bound}");
    assert!(total + 4 >= bound, "{sent:?}: less than {bound}");
    // Spread out: never a burst.
    assert!(sent.iter().all(|burst| *burst <= 2), "{sent:?}");
}

fn below_ssthresh_it_is_bounded_by_what_is_delivered(start: Start) {
    // Half of the window is lost, so that less is in flight than ssthresh.
    let (mut s, _, una) = twenty(start);
    let sent = arrive(&mut s, una, 12, 1);
    // It goes up by what arrives, and not in a burst when the loss is found.
    assert!(sent.iter().all(|burst| *burst <= 2), "{sent:?}");
    assert!(sent.iter().sum::<usize>() <= sent.len() + 1, "{sent:?}");
}

fn recovery_ends_at_ssthresh(start: Start) {
    let (mut s, id, una) = twenty(start);
    arrive(&mut s, una, 1, 1);
    s.pass(90);
    let end = una + s.stack.info(id).unwrap().unacknowledged;
    s.inject(&format!(". 1 ack {end} win 65535"));
    let info = s.stack.info(id).unwrap();
    assert!(info.cwnd.abs_diff(info.ssthresh) <= 1000, "{info:?}");
}

fn lost_acks_do_not_make_it_send_more(start: Start) {
    let mut totals = Vec::new();
    for every in [1, 4, 10] {
        let (mut s, _, una) = twenty(start);
        totals.push(arrive(&mut s, una, 1, every).iter().sum::<usize>());
    }
    assert!(
        totals[1] <= totals[0] + 1 && totals[2] <= totals[0] + 1,
        "{totals:?}"
    );
}
