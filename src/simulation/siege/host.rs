//! How the host is set up, and when its clock starts.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use crate::simulation::Choices;
use crate::simulation::scout::{first_number, knock};
use crate::stack::{Config, Listen, Quad};
use crate::tcp::Ecn;
use crate::tcp::congestion::Algorithm;
use crate::time::Instant;
use crate::wire::SeqNumber;

pub(super) const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// Where it listens on all hosts.
pub(super) const PORT: u16 = 7;
/// The largest.
pub(super) const MTU: u16 = 1500;
pub(super) const MAX_CONNECTIONS: usize = 12;
/// Who attacks.
pub(super) const ATTACKER: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
/// The first of the ports that attackers have.
pub(super) const FIRST_PORT: u16 = 1000;

/// A host with limits that are soon reached.
pub(super) fn config(choices: &mut impl Choices) -> Config {
    let mut config = Config::seeded(HOST, choices.below(u64::MAX));
    config.mtu = choices.pick(&[MTU, MTU, MTU, 296, 68]);
    config.max_connections = MAX_CONNECTIONS;
    config.max_orphans = 3;
    config.report_states = true;
    config.syn_cookies = choices.percent(50);
    config.max_half_open = match config.syn_cookies {
        true => choices.pick(&[4096, 1, 0]),
        false => choices.pick(&[4096, 2]),
    };
    config.max_time_wait = choices.pick(&[4096, 2]);
    config.max_fragments_bytes = choices.pick(&[4 << 20, 10_000, 2000]);
    config.max_path_mtus = choices.pick(&[1024, 1, 0]);
    let tcp = &mut config.tcp;
    tcp.receive_buffer = choices.pick(&[200_000, 70_000, 4000, 700, 1]);
    tcp.send_buffer = choices.pick(&[100_000, 9000, 3000, 1]);
    let default = tcp.max_out_of_order_runs;
    tcp.max_out_of_order_runs = choices.pick(&[default, 64, 2, 1, 0]);
    tcp.ecn = choices.pick(&[Ecn::Accept, Ecn::Offer, Ecn::Off]);
    tcp.timestamps = choices.percent(80);
    tcp.sack = choices.percent(80);
    tcp.window_scaling = choices.percent(80);
    tcp.congestion = choices.pick(&[Algorithm::Cubic, Algorithm::NewReno]);
    tcp.pacing = choices.percent(60);
    tcp.hystart = choices.percent(60);
    tcp.msl = choices.pick(&[Duration::from_secs(30), Duration::ZERO]);
    tcp.time_wait_protection = choices.percent(80);
    tcp.buffer_retention = choices.pick(&[Duration::from_secs(1), Duration::ZERO]);
    tcp.settings.max_retransmissions = 5;
    tcp.settings.nagle = choices.percent(70);
    config
}

/// The listener that all hosts have.
pub(super) fn listen() -> Listen {
    Listen::port(PORT).backlog(4)
}

/// A sequence number to begin with: anywhere, and often where numbers wrap around or change their
/// sign before long.
pub(super) fn fresh(choices: &mut impl Choices) -> SeqNumber {
    match choices.below(4) {
        0 => SeqNumber(0) - choices.below(4000) as u32,
        1 => SeqNumber(1 << 31) - choices.below(4000) as u32,
        _ => SeqNumber(choices.below(1 << 32) as u32),
    }
}

/// When a host begins. Its initial numbers follow the clock (RFC 6528), one in 4 us: often it is
/// such a time that the first connection's number is one of [`fresh`]'s.
pub(super) fn start(choices: &mut impl Choices, config: &Config) -> Instant {
    let first = match choices.below(3) {
        0 => return Instant::from_millis(choices.below(20_000_000)),
        1 => first_number(config, Instant::ZERO, |stack| {
            // Nobody else listens.
            let _ = stack.listen(listen());
            knock(stack, Instant::ZERO, attack(0, PORT));
        }),
        _ => first_number(config, Instant::ZERO, |stack| {
            let remote = SocketAddrV4::new(ATTACKER, FIRST_PORT);
            // All ports are free.
            let _ = stack.connect(Instant::ZERO, remote);
        }),
    };
    let ticks = fresh(choices) - first.unwrap_or_default();
    Instant::ZERO + Duration::from_micros(4 * u64::from(ticks))
}

/// The connection of attacker number `who` to a port of the host's.
pub(super) fn attack(who: u16, port: u16) -> Quad {
    Quad {
        src: (ATTACKER, FIRST_PORT + who),
        dst: (HOST, port),
    }
}
