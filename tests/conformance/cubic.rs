//! CUBIC (RFC 9438), in round trips of 100 ms.

use zerotcp::stack::ConnectionId;
use zerotcp::tcp::State;

use crate::common::script::Script;
use crate::sack::flight;
use crate::{Start, tests};

tests! {
    "9438-1 MAY-18" => a_loss_leaves_seven_tenths,
    "9438-1" => a_loss_leaves_two_segments_at_least,
    "9438-2" => the_window_comes_back_to_where_it_was_at_k,
    "9438-3" => no_round_grows_by_more_than_half_and_no_ack_shrinks_it,
    "9438-4" => idle_time_does_not_count,
    "9438-5" => small_windows_grow_as_with_reno,
    "9438-6" => a_second_loss_below_the_first_gives_way,
    "9438-7" => a_timeout_leaves_one_segment_then_slow_start,
}

/// A sender that always has something to send, and a peer that acknowledges every segment.
struct Flow {
    s: Script,
    id: ConnectionId,
    una: u32,
    queued: u32,
}

impl Flow {
    fn new(start: Start) -> Flow {
        let s = start.script_with(|config| config.tcp.send_buffer = 1 << 20);
        let syn = "S win 65535 <mss 1000,nop,nop,sackOK,nop,wscale 8>";
        let (mut s, id) = s.open(syn, 100);
        s.inject(". 1 ack 1 win 65535");
        Flow {
            s,
            id,
            una: 1,
            queued: 1,
        }
    }

    fn cwnd(&self) -> u32 {
        self.s.stack.info(self.id).unwrap().cwnd
    }

    fn ssthresh(&self) -> u32 {
        self.s.stack.info(self.id).unwrap().ssthresh
    }

    fn fill(&mut self) {
        while self.queued < self.una + 600_000 {
            self.s.send(self.id, 100_000);
            self.queued += 100_000;
        }
    }

    /// What goes out in a round trip; the number after it.
    fn send(&mut self) -> u32 {
        self.fill();
        let mut end = self.una;
        for _ in 0..100 {
            while self.s.next_packet().is_some() {
                end = end.max(self.s.last_end());
            }
            self.s.pass(1);
        }
        end
    }

    /// A round trip in which all arrives.
    fn round(&mut self) {
        let end = self.send();
        let mut last = self.cwnd();
        while self.una < end {
            self.una = end.min(self.una + 1000);
            self.s.inject(&format!(". 1 ack {} win 65535", self.una));
            assert!(self.cwnd() >= last, "an ACK has made it smaller");
            last = self.cwnd();
        }
    }

    /// Slow start until the window is as large.
    fn grow_to(&mut self, window: u32) {
        for _ in 0..200 {
            if self.cwnd() >= window {
                return;
            }
            self.round();
        }
        panic!("it stays at {}", self.cwnd());
    }

    /// One segment is lost, all others arrive, and the loss is repaired; the window before.
    fn lose_one(&mut self) -> u32 {
        let end = self.send();
        let before = self.s.stack.info(self.id).unwrap().cwnd;
        let (una, mut top) = (self.una, self.una + 1000);
        while top < end {
            top = end.min(top + 1000);
            self.s.inject(&format!(
                ". 1 ack {una} win 65535 <nop,nop,sack {}:{top}>",
                una + 1000
            ));
            while self.s.next_packet().is_some() {}
        }
        self.s.pass(100);
        flight(&mut self.s);
        self.una = una + self.s.stack.info(self.id).unwrap().unacknowledged;
        self.s.inject(&format!(". 1 ack {} win 65535", self.una));
        before
    }
}

fn a_loss_leaves_seven_tenths(start: Start) {
    let mut flow = Flow::new(start);
    flow.grow_to(100_000);
    let before = flow.lose_one();
    let share = f64::from(flow.ssthresh()) / f64::from(before);
    assert!((0.68..=0.72).contains(&share), "{share}");
    assert!(
        flow.cwnd().abs_diff(flow.ssthresh()) <= 2000,
        "{}",
        flow.cwnd()
    );
}

fn a_loss_leaves_two_segments_at_least(start: Start) {
    let mut flow = Flow::new(start);
    for _ in 0..12 {
        flow.lose_one();
        assert!(flow.ssthresh() >= 2000, "{}", flow.ssthresh());
    }
    assert_eq!(flow.s.state(), State::Established);
}

/// W(t) = 0.4 (t - K)^3 + Wmax, K the cube root of 0.3 Wmax / 0.4, in segments and seconds.
fn the_window_comes_back_to_where_it_was_at_k(start: Start) {
    let mut flow = Flow::new(start);
    flow.grow_to(100_000);
    let before = f64::from(flow.lose_one()) / 1000.0;
    let k = (0.3 * before / 0.4).cbrt();
    // One round trip is over since then: that of the repair.
    let mut time = 0.1;
    while time < 1.5 * k {
        flow.round();
        time += 0.1;
        let expected = 0.4 * (time - k).powi(3) + before;
        let window = f64::from(flow.cwnd()) / 1000.0;
        let error = (window - expected).abs() / expected;
        assert!(
            error < 0.05,
            "{window} instead of {expected} after {time} of {k}"
        );
    }
}

fn no_round_grows_by_more_than_half_and_no_ack_shrinks_it(start: Start) {
    let mut flow = Flow::new(start);
    flow.grow_to(100_000);
    flow.lose_one();
    for _ in 0..50 {
        let before = flow.cwnd();
        // That no ACK makes it smaller `round` sees.
        flow.round();
        assert!(flow.cwnd() <= before + before / 2 + 1000);
    }
}

fn idle_time_does_not_count(start: Start) {
    let mut flow = Flow::new(start);
    flow.grow_to(100_000);
    flow.lose_one();
    for _ in 0..5 {
        flow.round();
    }
    // All is sent and acknowledged; then nothing for a minute.
    while flow.una < flow.queued {
        let end = flow.send_rest();
        while flow.una < end {
            flow.una = end.min(flow.una + 1000);
            flow.s.inject(&format!(". 1 ack {} win 65535", flow.una));
        }
    }
    let before = flow.cwnd();
    flow.s.pass(60_000);
    flow.round();
    flow.round();
    // By the clock alone the window would be a thousand segments by now.
    assert!(flow.cwnd() <= before * 2, "{} after {before}", flow.cwnd());
}

impl Flow {
    /// As `send`, of what is queued already.
    fn send_rest(&mut self) -> u32 {
        let mut end = self.una;
        for _ in 0..100 {
            while self.s.next_packet().is_some() {
                end = end.max(self.s.last_end());
            }
            self.s.pass(1);
        }
        end
    }
}

/// Where CUBIC would be slower: alpha is 3 * 0.3 / 1.7 = 0.53 segments a round trip, and one from
/// where it was on.
fn small_windows_grow_as_with_reno(start: Start) {
    let mut flow = Flow::new(start);
    let before = flow.lose_one();
    assert!(before <= 20_000);
    let after = flow.cwnd();
    for _ in 0..10 {
        flow.round();
    }
    let grown = flow.cwnd() - after;
    assert!(grown >= 4000, "{grown} octets in ten round trips");
}

/// Fast convergence: Wmax is 0.85 of the window, so growth flattens out below it.
fn a_second_loss_below_the_first_gives_way(start: Start) {
    let mut flow = Flow::new(start);
    flow.grow_to(100_000);
    flow.lose_one();
    flow.round();
    let second = f64::from(flow.lose_one());
    // After K of the lower maximum it is there, and not higher.
    let wmax = second * 0.85;
    let k = ((wmax - 0.7 * second) / 1000.0 / 0.4).cbrt();
    let mut time = 0.1;
    while time < k {
        flow.round();
        time += 0.1;
    }
    let window = f64::from(flow.cwnd());
    assert!(
        (0.95..=1.06).contains(&(window / wmax)),
        "{window} of {wmax}"
    );
}

fn a_timeout_leaves_one_segment_then_slow_start(start: Start) {
    let mut flow = Flow::new(start);
    flow.grow_to(100_000);
    let end = flow.send();
    let flying = f64::from(end - flow.una);
    let mut lost = flow.s.now;
    while flow
        .s
        .stack
        .info(flow.id)
        .unwrap()
        .tally
        .timeout_retransmissions
        == 0
    {
        flow.s.pass(1);
        flow.s.drain();
        assert!(flow.s.now - lost < std::time::Duration::from_secs(5));
    }
    lost = flow.s.now;
    assert_eq!(flow.cwnd(), 1000);
    let share = f64::from(flow.ssthresh()) / flying;
    assert!((0.5..=0.75).contains(&share), "{share}");
    // All arrives after all: the window doubles up to ssthresh.
    let ssthresh = flow.ssthresh();
    flow.una = end;
    flow.s.inject(&format!(". 1 ack {end} win 65535"));
    let mut rounds = 0;
    while flow.cwnd() < ssthresh * 9 / 10 {
        flow.round();
        rounds += 1;
        assert!(rounds < 12, "{} of {ssthresh}", flow.cwnd());
    }
    assert!(flow.s.now > lost);
}
