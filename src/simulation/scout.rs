//! With which number a host would begin.

use crate::stack::{Config, Meta, Quad, Stack};
use crate::time::Instant;
use crate::wire::{SeqNumber, TcpBuilder, TcpFlags, TcpPacket};

/// The initial number of the first connection that a host of this kind has, which `begin` brings
/// about at `now`.
pub(super) fn first_number(
    config: &Config,
    now: Instant,
    begin: impl FnOnce(&mut Stack),
) -> Option<SeqNumber> {
    let mut stack = Stack::new(config.clone());
    begin(&mut stack);
    let mut buffer = [0; 1500];
    let len = stack.poll_transmit(now, &mut buffer)?.len;
    Some(TcpPacket::parse(&buffer[..len]).ok()?.tcp.seq())
}

/// A SYN comes to a host, from the source of `quad`.
pub(super) fn knock(stack: &mut Stack, now: Instant, quad: Quad) {
    let mut buffer = [0; 40];
    let syn = TcpBuilder::new(quad.peer(), quad.local()).flags(TcpFlags::SYN);
    // It takes 40 bytes.
    if let Ok(len) = syn.write(&mut buffer, &[]) {
        stack.receive(now, &buffer[..len], Meta::default());
    }
}
