//! What kind of world a seed makes.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::user::{Parting, Plan};
use super::way::{Direction, LINK_MTU};
use crate::simulation::Choices;
use crate::stack::Config;
use crate::tcp::congestion::Algorithm;
use crate::tcp::{Ecn, Keepalive, Settings};

/// Where the two hosts live.
pub(super) const ADDRESSES: [Ipv4Addr; 2] =
    [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];

/// Something that befalls the world at a certain time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Calamity {
    /// What this host sends goes another way.
    Reroute(usize, Direction),
    /// Only so large packets get through that this host sends.
    Mtu(usize, usize),
    /// The router begins, or ceases, to tell what is too large.
    Router(bool),
    /// Nothing that this host sends gets through any more, or all does again.
    Dark(usize, bool),
    /// This host's clock leaps ahead, as after a suspension.
    Ahead(usize, Duration),
    /// This host's clock is set back.
    Back(usize, Duration),
}

/// For who reads it.
impl fmt::Display for Calamity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Calamity::Reroute(_, direction) => write!(f, "its way from now on: {direction}"),
            Calamity::Mtu(_, mtu) => write!(f, "its way from now on: MTU {mtu}"),
            Calamity::Router(true) => f.write_str("routers tell what is too large"),
            Calamity::Router(false) => {
                f.write_str("routers swallow what is too large, of more than 576 bytes")
            }
            Calamity::Dark(_, true) => f.write_str("nothing gets through that it sends"),
            Calamity::Dark(_, false) => f.write_str("what it sends gets through again"),
            Calamity::Ahead(_, by) => write!(f, "its clock leaps ahead by {by:?}"),
            Calamity::Back(_, by) => write!(f, "its clock is set back by {by:?}"),
        }
    }
}

/// How the sequence numbers of a connection begin.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    /// Anywhere.
    Anywhere,
    /// A few octets before this number.
    Before(u32, u32),
}

/// What is drawn before the world begins.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) configs: [Config; 2],
    pub(super) directions: [Direction; 2],
    pub(super) tells: bool,
    /// In order of time since the beginning.
    pub(super) calamities: Vec<(Duration, Calamity)>,
    /// Of the first connection, at each host.
    pub(super) starts: [Start; 2],
    /// Nobody gives up for lack of an answer: what two gentle users send each other arrives,
    /// whatever the way does.
    pub(super) patient: bool,
    /// How many connections there are side by side.
    pub(super) talks: usize,
    /// How often each is opened anew, from the same ports.
    pub(super) rounds: usize,
    /// Later rounds have the numbers of the first once more, and the way has kept some of that.
    pub(super) laps: bool,
    /// Both ends open.
    pub(super) simultaneous: bool,
    /// How late a host is at most when a timer of its falls due.
    pub(super) lateness: Duration,
}

impl Scenario {
    pub(super) fn draw(seed: u64, dice: &mut impl Choices) -> Scenario {
        let patient = dice.percent(85);
        let directions = match dice.percent(30) {
            // A way as most are: the same there and back.
            true => [Direction::draw(dice); 2],
            false => [Direction::draw(dice), Direction::draw(dice)],
        };
        let (simultaneous, cookies) = match dice.below(20) {
            0..2 => (true, false),
            2..6 => (false, true),
            _ => (false, false),
        };
        // A copy of an old segment could open a connection once more.
        let again = !simultaneous && !cookies && dice.percent(20);
        let mut scenario = Scenario {
            configs: ADDRESSES.map(|address| config(seed, address, patient, dice)),
            directions,
            tells: dice.percent(70),
            calamities: Vec::new(),
            starts: [start(dice), start(dice)],
            patient,
            talks: dice.pick(&[1, 1, 1, 1, 2, 4]),
            rounds: 1 + usize::from(again),
            laps: false,
            simultaneous,
            lateness: Duration::from_micros(dice.pick(&[0, 0, 0, 1000, 20_000])),
        };
        if scenario.rounds == 1 && patient {
            // Longer than anyone is silent who still wants something, and than clocks leap.
            for config in &mut scenario.configs {
                config.tcp.msl = Duration::from_secs(2_000_000);
            }
        }
        if scenario.rounds > 1 {
            // What is left of one round on the way must not live to see the one after the
            // next: two maximum segment lifetimes bound a packet's life.
            for direction in &mut scenario.directions {
                direction.impairment.rate = None;
                // And in no time at all, initial numbers don't grow.
                let delay = &mut direction.impairment.delay;
                *delay = (*delay).max(Duration::from_millis(1));
            }
        }
        // Without timestamps nobody could tell (RFC 7323 section 5).
        let [a, b] = &scenario.configs;
        scenario.laps = again && a.tcp.timestamps && b.tcp.timestamps && dice.percent(60);
        if cookies {
            scenario.configs[1].max_half_open = 0;
        }
        scenario.draw_calamities(dice);
        scenario
    }

    /// Whether host 1 answers SYNs with cookies, and keeps nothing.
    pub(super) fn has_cookies(&self) -> bool {
        self.configs[1].max_half_open == 0
    }

    fn draw_calamities(&mut self, dice: &mut impl Choices) {
        for _ in 0..dice.pick(&[0, 0, 1, 2, 5]) {
            // At any scale from a millisecond to minutes.
            let scale = dice.pick(&[10, 1000, 100_000]);
            let at = Duration::from_millis(dice.below(scale));
            let host = dice.below(2) as usize;
            let calamity = match dice.below(6) {
                0 => Calamity::Mtu(host, dice.pick(&[68, 300, 576, 1006, 1400, LINK_MTU])),
                1 => Calamity::Router(dice.percent(50)),
                2 => Calamity::Ahead(host, Duration::from_millis(dice.pick(&LEAPS))),
                3 => Calamity::Back(host, Duration::from_millis(dice.below(20_000))),
                4 if self.rounds == 1 => Calamity::Reroute(host, Direction::draw(dice)),
                _ => {
                    // So long, among the impatient, that they have to give up.
                    let long = !self.patient && dice.percent(60);
                    let most = if long { 3_000_000 } else { 100_000 };
                    // Of nothing the end would come before the beginning.
                    let until = at + Duration::from_millis(1 + dice.below(most));
                    // One way, or both.
                    if dice.percent(50) {
                        self.calamities.push((at, Calamity::Dark(1 - host, true)));
                        self.calamities
                            .push((until, Calamity::Dark(1 - host, false)));
                    }
                    self.calamities.push((until, Calamity::Dark(host, false)));
                    Calamity::Dark(host, true)
                }
            };
            self.calamities.push((at, calamity));
        }
        self.calamities.sort_by_key(|(at, _)| *at);
    }

    /// The users of one connection.
    pub(super) fn draw_plans(&self, dice: &mut impl Choices) -> [Plan; 2] {
        // So many that some hundred segments go, whatever their size.
        let room = |n: usize| {
            self.configs[n]
                .tcp
                .receive_buffer
                .min(self.configs[n].tcp.send_buffer)
        };
        let mtu = self
            .configs
            .iter()
            .map(|config| usize::from(config.mtu))
            .min();
        let mtu = mtu
            .unwrap_or(LINK_MTU)
            .min(self.directions[0].mtu)
            .min(self.directions[1].mtu);
        let most = (room(0).min(room(1)) * 100).min((mtu - 40) * 600) as u64;
        let amount = dice.pick(&[0, 1, most / 50 + 1, most / 4 + 1, most + 1]);
        let mut plans = [0, 1].map(|_| plan(amount, self.patient, dice));
        if dice.percent(50) {
            // One talks, the other listens.
            plans[dice.below(2) as usize].to_send = 0;
        }
        // Who answers must be asked, and one of the two must begin.
        let first = dice.below(2) as usize;
        plans[first].listens_first = 0;
        if dice.percent(30) {
            let asked = plans[first].to_send;
            plans[1 - first].listens_first = dice.below(asked as u64 + 1) as usize;
        }
        if self.has_cookies() {
            // Where the client's acknowledgment of a cookie is lost, nobody knows of the
            // connection until it says more.
            plans[0].to_send = plans[0].to_send.max(1);
            plans[0].listens_first = 0;
        }
        plans
    }
}

/// How far a clock leaps, in milliseconds.
const LEAPS: [u64; 5] = [100, 5000, 600_000, 90_000_000, 400_000_000];

fn start(dice: &mut impl Choices) -> Start {
    match dice.below(4) {
        0..2 => Start::Anywhere,
        n => Start::Before(
            ((n - 2) as u32) << 31,
            dice.pick(&[0u32, 1, 2, 100, 5000, 50_000]),
        ),
    }
}

fn config(seed: u64, address: Ipv4Addr, patient: bool, dice: &mut impl Choices) -> Config {
    let mut config = Config::seeded(address, seed);
    let forever = Duration::from_secs(1 << 23);
    config.report_states = true;
    config.mtu = dice.pick(&[LINK_MTU as u16, LINK_MTU as u16, 1280, 576, 140, 68]);
    let tcp = &mut config.tcp;
    tcp.sack = dice.percent(75);
    tcp.timestamps = dice.percent(60);
    tcp.window_scaling = dice.percent(60);
    tcp.ecn = dice.pick(&[Ecn::Off, Ecn::Accept, Ecn::Offer]);
    tcp.congestion = dice.pick(&[Algorithm::NewReno, Algorithm::Cubic]);
    tcp.pacing = dice.percent(60);
    tcp.hystart = dice.percent(60);
    // With timestamps a smaller one leaves an octet a segment: a million packets for nothing new.
    tcp.min_mss = dice.pick(&[20, 48]);
    tcp.receive_buffer = dice.pick(&[1, 60, 700, 3000, 20_000, 70_000, 1 << 20]);
    tcp.send_buffer = dice.pick(&[1, 60, 2000, 9000, 100_000, 1 << 20]);
    let default = tcp.max_out_of_order_runs;
    tcp.max_out_of_order_runs = dice.pick(&[0, 1, 2, 64, default, default]);
    tcp.initial_window = dice.pick(&[1, 2, 10, 10]);
    tcp.quick_acks = dice.pick(&[0, 16]);
    tcp.delayed_ack = Duration::from_millis(dice.pick(&[0, 40, 40, 499]));
    tcp.time_wait_protection = dice.percent(70);
    tcp.black_hole_timeouts = dice.pick(&[1, 3]);
    tcp.min_path_mtu = dice.pick(&[68, 552, 552]);
    tcp.path_mtu_expiry = Duration::from_secs(dice.pick(&[300, 600]));
    tcp.settings.nagle = dice.percent(70);
    if patient {
        tcp.settings.max_retransmissions = 255;
        tcp.max_syn_retransmissions = 255;
        tcp.max_syn_ack_retransmissions = 255;
        tcp.orphan_timeout = forever;
        tcp.fin_wait_2_timeout = forever;
    } else {
        tcp.settings.max_retransmissions = dice.pick(&[1, 5, 15]);
    }
    config
}

fn plan(most: u64, patient: bool, dice: &mut impl Choices) -> Plan {
    let to_send = dice.below(most) as usize;
    let pause = |dice: &mut _, scale: &[u64]| {
        let scale = Choices::pick(dice, scale);
        Duration::from_micros(Choices::below(dice, scale))
    };
    let parting = match dice.below(20) {
        0..9 => Parting::Gentle,
        9..15 => Parting::Patient,
        15..17 => Parting::Hasty,
        _ => Parting::Abort(dice.below(2 * most) as usize),
    };
    let mut settings = None;
    if dice.percent(15) {
        let keepalive = Keepalive {
            idle: Duration::from_secs(dice.pick(&[1, 60])),
            interval: Duration::from_secs(dice.pick(&[1, 75])),
            probes: if patient { 255 } else { 3 },
        };
        let user_timeout = (!patient && dice.percent(50)).then_some(Duration::from_secs(20));
        settings = Some(Settings {
            nagle: dice.percent(50),
            keepalive: dice.percent(70).then_some(keepalive),
            user_timeout,
            max_retransmissions: if patient { 255 } else { 6 },
            ..Settings::default()
        });
    }
    // Who writes or reads by the octet has time for little text.
    let few = to_send / 300 + 1;
    Plan {
        to_send,
        write: dice.pick(&[few, 40, 1000, 100_000]).max(few),
        write_pause: pause(dice, &[1, 1, 1, 1000, 50_000]),
        listens_first: 0,
        read: dice.pick(&[few, 300, 4096, 4096]).max(few),
        read_pause: pause(dice, &[1, 1, 1, 1000, 100_000]),
        rest: (
            dice.below(2 * most) as usize,
            pause(dice, &[1, 1_000_000, 300_000_000]),
        ),
        urgent: dice.pick(&[0, 0, 0, 0, 5]),
        parting,
        settings,
    }
}
