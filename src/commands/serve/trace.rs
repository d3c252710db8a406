//! A line for each packet and each change of state.

use std::io::Write;

use zerotcp::socket::{Direction, Observer};
use zerotcp::stack::{Quad, Stack};
use zerotcp::tcp::State;
use zerotcp::time::Instant;

use crate::commands::line::{Line, PAIR};

/// Prints what it observes, a line each, with seconds since the start:
///
/// ```text
///     0.000213 in  192.168.0.1:49152 > 192.168.0.2:7  SYN seq 1 ack 0 win 64240 len 0 <mss 1460>
///     0.000213     192.168.0.1:49152 > 192.168.0.2:7  LISTEN -> SYN-RECEIVED
/// ```
#[derive(Debug)]
pub struct Trace<W> {
    out: W,
}

impl<W: Write> Trace<W> {
    /// Prints to `out`. Errors in writing are passed over: the traffic matters more.
    pub fn new(out: W) -> Trace<W> {
        Trace { out }
    }
}

impl<W: Write> Observer for Trace<W> {
    fn packet(&mut self, now: Instant, direction: Direction, packet: &[u8], _stack: &Stack) {
        let direction = match direction {
            Direction::In => "in",
            Direction::Out => "out",
        };
        let now = now.to_string();
        let _ = writeln!(self.out, "{now:>12} {direction:<3} {}", Line(packet));
    }

    fn state(&mut self, now: Instant, quad: Quad, from: State, to: State) {
        let (now, quad) = (now.to_string(), quad.to_string());
        let _ = writeln!(self.out, "{now:>12}     {quad:<PAIR$}  {from} -> {to}");
    }
}
