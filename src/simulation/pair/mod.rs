//! Two stacks that talk, with users of all kinds, over a way that does to packets whatever
//! ways do.

mod host;
mod patience;
mod relics;
mod scenario;
mod talk;
mod user;
mod way;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use self::host::Host;
use self::patience::Patience;
use self::relics::Relics;
use self::scenario::{Calamity, Scenario};
use self::talk::Talk;
use self::way::{LINK_MTU, Way};
use super::books::Books;
use super::broken::ensure;
use super::heard::Heard;
use super::model::Model;
use super::{Broken, Choices, Dice, Observer, Passage, check_sent};
use crate::stack::{ConnectionId, Counters, Event, Stack};
use crate::tcp::{CloseReason, Info, State};
use crate::time::Instant;
use crate::wire::{IpProtocol, Ipv4Packet, OptionSummary, TcpPacket};

/// Packets sent in a world at most: none needs nearly as many.
const MAX_PACKETS: u64 = 2_000_000;

/// Packets that a host sends in a row at most.
const MAX_BURST: usize = 20_000;

/// How long a world goes on at most. Each segment may take hours where most are lost.
const MAX_TIME: Duration = Duration::from_secs(20_000_000);

/// Two hosts, the way between them, and their users.
#[derive(Debug)]
pub(super) struct Pair {
    dice: Dice,
    /// Since the world began.
    now: Instant,
    hosts: [Host; 2],
    way: Way,
    relics: Relics,
    talks: Vec<Talk>,
    calamities: VecDeque<(Duration, Calamity)>,
    scenario: Scenario,
    /// What each host has taken in and given out.
    books: [Books; 2],
    /// Of which talk the datagrams are that may be fragmented, by sender and identification.
    datagrams: BTreeMap<(usize, u16), usize>,
    /// When a packet was last sent.
    busy: Instant,
    /// How many packets were sent, and how many octets users have read.
    packets: u64,
    octets: u64,
}

impl Pair {
    /// The world that these dice make; `seed` is the hosts' secret.
    pub(super) fn new(seed: u64, mut dice: Dice) -> Pair {
        let mut scenario = Scenario::draw(seed, &mut dice);
        let talks: Vec<Talk> = (0..scenario.talks)
            .map(|number| Talk::new(number, scenario.rounds, scenario.draw_plans(&mut dice)))
            .collect();
        let host = |host: usize| {
            let listens = host == 1 && !scenario.simultaneous;
            let (config, start) = (&scenario.configs[host], scenario.starts[host]);
            Host::new(config, host, start, &talks[0], listens)
        };
        let hosts = [host(0), host(1)];
        Pair {
            dice,
            now: Instant::ZERO,
            hosts,
            way: Way::new(scenario.directions, scenario.tells),
            relics: Relics::default(),
            talks,
            calamities: core::mem::take(&mut scenario.calamities).into(),
            scenario,
            books: Default::default(),
            datagrams: BTreeMap::new(),
            busy: Instant::ZERO,
            packets: 0,
            octets: 0,
        }
    }

    /// How long it has lasted.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// How long there was anything to say.
    pub(super) fn lasted(&self) -> Duration {
        self.busy - Instant::ZERO
    }

    /// What each host has counted.
    pub(super) fn counters(&self) -> [&Counters; 2] {
        [0, 1].map(|host| self.hosts[host].stack.counters())
    }

    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    /// Runs until nothing happens any more.
    pub(super) fn run(&mut self, observer: &mut dyn Observer) -> Result<(), Broken> {
        self.introduce(observer);
        loop {
            self.begin_rounds(observer)?;
            self.use_connections(observer)?;
            let Some(next) = self.next() else {
                if self.settle(observer)? {
                    break;
                }
                continue;
            };
            self.now = self.now.max(next);
            let limit = Instant::ZERO + MAX_TIME;
            ensure!(self.now < limit, "it goes on for ever");
            self.befall(observer);
            self.deliver(observer)?;
            for host in 0..2 {
                let due = self.hosts[host].poll_timeout(self.scenario.lateness, &mut self.dice);
                if due.is_some_and(|due| due <= self.now) {
                    self.handle_timeout(host)?;
                    self.follow_up(host, observer)?;
                }
            }
        }
        self.check_end()
    }

    /// Who lives here.
    fn introduce(&self, observer: &mut dyn Observer) {
        for (host, config) in self.scenario.configs.iter().enumerate() {
            let (address, mtu, tcp) = (scenario::ADDRESSES[host], config.mtu, &config.tcp);
            observer.note(
                self.now,
                host,
                format_args!(
                    "is {address}: MTU {mtu}, buffers {} out and {} in, {:?}, sack {}, \
                     timestamps {}, scaling {}, ECN {:?}",
                    tcp.send_buffer,
                    tcp.receive_buffer,
                    tcp.congestion,
                    tcp.sack,
                    tcp.timestamps,
                    tcp.window_scaling,
                    tcp.ecn
                ),
            );
            let way = self.scenario.directions[host];
            observer.note(self.now, host, format_args!("its way: {way}"));
        }
    }

    /// When something happens next, on its own.
    fn next(&mut self) -> Option<Instant> {
        let users = self.talks.iter().flat_map(|talk| &talk.users);
        let calamity = self.calamities.front();
        let mut next = users.filter_map(|user| user.poll_timeout()).min();
        let mut consider = |other: Option<Instant>| {
            next = next.into_iter().chain(other).min();
        };
        consider(self.way.poll_timeout());
        consider(calamity.map(|(at, _)| Instant::ZERO + *at));
        for host in &mut self.hosts {
            consider(host.poll_timeout(self.scenario.lateness, &mut self.dice));
        }
        next
    }

    fn befall(&mut self, observer: &mut dyn Observer) {
        while let Some((at, calamity)) = self.calamities.front().copied()
            && Instant::ZERO + at <= self.now
        {
            self.calamities.pop_front();
            let host = match calamity {
                Calamity::Reroute(host, direction) => {
                    self.way.set_direction(host, direction);
                    host
                }
                Calamity::Mtu(host, mtu) => {
                    self.way.set_mtu(host, mtu);
                    host
                }
                Calamity::Router(tells) => {
                    self.way.tells = tells;
                    0
                }
                Calamity::Dark(host, dark) => {
                    self.way.dark[host] = dark;
                    host
                }
                Calamity::Ahead(host, by) => {
                    self.hosts[host].leap(by);
                    host
                }
                Calamity::Back(host, by) => {
                    self.hosts[host].set_back(by);
                    host
                }
            };
            observer.note(self.now, host, format_args!("{calamity}"));
        }
    }

    /// What has fallen due at a host is done. What ends by that was waited for long enough.
    fn handle_timeout(&mut self, host: usize) -> Result<(), Broken> {
        let at = &self.hosts[host];
        let of = |talk: &Talk| {
            let (quad, stack) = (talk.quad(host), &at.stack);
            // Behind one in TIME-WAIT the one that follows is half-open.
            let half_open = Some(State::SynReceived);
            let state = stack.state_of(quad);
            let tcb = stack.tcb_of(quad).map(|tcb| tcb.view(stack.now()));
            let view = tcb.filter(|view| state != half_open || Some(view.state) == half_open);
            (state, view)
        };
        let before: Vec<_> = self.talks.iter().map(of).collect();
        self.hosts[host].handle_timeout(self.now)?;
        let at = &self.hosts[host];
        let time = at.stack.now();
        let config = &self.scenario.configs[host].tcp;
        // Something may still come, or be about to: a clock that was set back stands still.
        let in_transit =
            self.way.poll_timeout().is_some() || self.hosts[1 - host].stands_still(self.now);
        let other = &self.hosts[1 - host].stack;
        for (talk, (before, view)) in self.talks.iter_mut().zip(before) {
            let settings = talk.settings(host, config);
            let patience = &talk.patience[host];
            // What an old duplicate of a SYN has begun is answered by nobody, or by who waits out
            // the connection that had it.
            let has_peer = !matches!(
                other.state_of(talk.quad(1 - host)),
                None | Some(State::TimeWait)
            );
            let is_excused = in_transit || (before == Some(State::SynReceived) && !has_peer);
            let told = match before {
                Some(state) if at.stack.state_of(talk.quad(host)) == before => {
                    let waits = view.filter(|_| state != State::TimeWait);
                    waits.map_or(Ok(()), |view| {
                        patience.check_waits(self.now, (config, &settings), &view)
                    })
                }
                None | Some(State::TimeWait) => Ok(()),
                Some(state) => {
                    talk.gave_up[host] = true;
                    let by = (config, &settings);
                    patience.check_given_up(time, by, state, view.as_ref(), is_excused)
                }
            };
            told.map_err(|what| at.blame(host, &what))?;
        }
        Ok(())
    }

    /// What has come reaches the hosts.
    fn deliver(&mut self, observer: &mut dyn Observer) -> Result<(), Broken> {
        let mut buffer = [0; LINK_MTU];
        for host in 0..2 {
            while let Some(len) = self.way.receive(self.now, host, &mut buffer) {
                let packet = &buffer[..len];
                observer.packet(self.now, host, Passage::Received, packet);
                self.receive(host, packet)?;
                // A busy host takes in several packets before it sends any.
                if self.dice.percent(80) {
                    self.follow_up(host, observer)?;
                }
                if self.scenario.laps && self.dice.percent(10) {
                    self.bring_relic(host, observer)?;
                }
            }
            self.follow_up(host, observer)?;
        }
        Ok(())
    }

    /// Something old reaches a host once more.
    fn bring_relic(&mut self, host: usize, observer: &mut dyn Observer) -> Result<(), Broken> {
        let time = self.hosts[1 - host].time(self.now);
        let stack = &self.hosts[host].stack;
        let Some(packet) = self.relics.pick(time, host, stack, &mut self.dice) else {
            return Ok(());
        };
        observer.note(self.now, host, format_args!("what comes next is old"));
        observer.packet(self.now, host, Passage::Received, &packet);
        self.receive(host, &packet)
    }

    /// A packet reaches a host.
    fn receive(&mut self, host: usize, packet: &[u8]) -> Result<(), Broken> {
        let whole = TcpPacket::parse(packet).ok().map(|packet| packet.tcp);
        self.books[host].note_received(whole.is_some());
        let number = match &whole {
            Some(tcp) => Talk::number([tcp.src_port(), tcp.dst_port()]),
            None => self.number_of_fragment(host, packet),
        };
        let at = &mut self.hosts[host];
        let Some(talk) = number.and_then(|number| self.talks.get_mut(number)) else {
            ensure!(whole.is_none(), "someone talks to a port that nobody uses");
            at.receive(self.now, packet);
            return Ok(());
        };
        let quad = talk.quad(host);
        let view = |stack: &Stack| stack.tcb_of(quad).map(|tcb| tcb.view(stack.now()));
        let before = view(&at.stack);
        at.receive(self.now, packet);
        let after = view(&at.stack);
        let times = (at.stack.now(), self.now);
        talk.patience[host].told(times, whole.as_ref(), before.as_ref(), after.as_ref());
        let resets = &mut talk.resets[host];
        resets.note_view(before);
        resets.note_view(after);
        let Some(tcp) = whole else {
            // Nobody but the host knows of what it puts together.
            resets.note_unknown();
            talk.models[host] = None;
            return Ok(());
        };
        resets.note_arrival(&tcp);
        let Some(model) = &mut talk.models[host] else {
            return Ok(());
        };
        let appears = before.is_none() && after.is_some() && host == 1;
        if appears && self.scenario.has_cookies() && talk.users[host].id.is_some() {
            // A copy of what brought the cookie back does so once more, with the same numbers.
            talk.models[host] = None;
            return Ok(());
        }
        let told = model.told(
            at.stack.now(),
            &tcp,
            before.as_ref(),
            after.as_ref(),
            &self.scenario.configs[host].tcp,
        );
        told.map_err(|what| self.hosts[host].blame(host, &what))
    }

    /// The talk of which a fragment is that reaches a host.
    fn number_of_fragment(&self, host: usize, packet: &[u8]) -> Option<usize> {
        let ip = Ipv4Packet::parse(packet).ok()?;
        let datagram = (1 - host, ip.identification());
        let is_text = ip.is_fragment() && ip.protocol() == IpProtocol::TCP;
        self.datagrams.get(&datagram).copied().filter(|_| is_text)
    }

    /// What a host has to say and to send.
    fn follow_up(&mut self, host: usize, observer: &mut dyn Observer) -> Result<(), Broken> {
        self.audit(host)?;
        self.hear(host, observer)?;
        let mut buffer = [0; LINK_MTU];
        for count in 0.. {
            ensure!(count < MAX_BURST, "host {host} sends for ever");
            self.audit(host)?;
            let time = self.hosts[host].time(self.now);
            let Some(sent) = self.hosts[host].stack.poll_transmit(time, &mut buffer) else {
                break;
            };
            let packet = &buffer[..sent.len];
            observer.packet(self.now, host, Passage::Sent, packet);
            self.packets += 1;
            self.busy = self.now;
            ensure!(self.packets < MAX_PACKETS, "more packets than anyone needs");
            let number = self.check_sent(host, packet)?;
            if self.scenario.laps {
                self.relics.consider(time, host, packet);
            }
            let fate = self.way.send(self.now, host, packet, &mut self.dice);
            if !fate.is_common() {
                observer.note(self.now, host, format_args!("{fate}"));
            }
            let Some(talk) = number.and_then(|number| self.talks.get_mut(number)) else {
                continue;
            };
            if fate.is_lost() {
                talk.patience.iter_mut().for_each(Patience::note_lost);
            }
            if let (Some(model), Ok(packet)) = (&mut talk.models[host], TcpPacket::parse(packet)) {
                // Or an old copy does much later.
                let gets_through = fate.may_arrive() || self.scenario.laps;
                model.note_fate(&packet.tcp, gets_through, fate.is_doubled());
            }
        }
        // That there is no more may have set a timer.
        self.audit(host)?;
        let stack = &self.hosts[host].stack;
        for talk in &mut self.talks {
            let tcb = stack.tcb_of(talk.quad(host));
            let view = tcb.map(|tcb| tcb.view(stack.now()));
            talk.resets[host].settle(view, None);
        }
        self.books[host].check(stack.counters())
    }

    /// Whether all holds that the host knows of itself.
    fn audit(&mut self, host: usize) -> Result<(), Broken> {
        let Host { stack, .. } = &self.hosts[host];
        let time = self.hosts[host].stack.now();
        let mut told = stack.audit(time).map_err(Broken);
        for talk in &mut self.talks {
            let tcb = stack.tcb_of(talk.quad(host));
            if let (Some(model), Some(tcb)) = (&mut talk.models[host], tcb) {
                let config = &self.scenario.configs[host].tcp;
                told = told.and_then(|()| model.check(time, tcb, config));
            }
        }
        told.map_err(|what| self.hosts[host].blame(host, &what))
    }

    /// The events of a host reach its users.
    fn hear(&mut self, host: usize, observer: &mut dyn Observer) -> Result<(), Broken> {
        while let Some(event) = self.hosts[host].stack.poll_event() {
            let heard = Heard(&self.hosts[host].stack, &event);
            observer.note(self.now, host, format_args!("{heard}"));
            match event {
                Event::Incoming(_) => self.accept(host)?,
                Event::Connected(id) => self.with_user(host, id, |user| user.note_connected()),
                Event::Readable(id) => self.with_user(host, id, |user| user.note_readable()),
                Event::Writable(id) => self.with_user(host, id, |user| user.note_writable()),
                Event::Closed(id, reason) => {
                    let of = |talk: &&mut Talk| talk.users[host].id == Some(id);
                    if let Some(talk) = self.talks.iter_mut().find(of) {
                        talk.users[host].note_closed(reason);
                        // No router here says that somebody is not there.
                        let is_right = match reason {
                            CloseReason::TimedOut => talk.gave_up[host],
                            CloseReason::Unreachable => false,
                            _ => true,
                        };
                        ensure!(is_right, "host {host}'s connection ends: {reason}");
                        if self.scenario.patient && !talk.spoilt {
                            talk.check_closed(host, reason, self.scenario.rounds > 1)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn with_user(&mut self, host: usize, id: ConnectionId, tell: impl FnOnce(&mut user::User)) {
        let mut users = self.talks.iter_mut().map(|talk| &mut talk.users[host]);
        if let Some(user) = users.find(|user| user.id == Some(id)) {
            tell(user);
        }
    }

    fn accept(&mut self, host: usize) -> Result<(), Broken> {
        let stands_still = self.hosts[host].stands_still(self.now);
        let Host {
            stack, listener, ..
        } = &mut self.hosts[host];
        let Some(listener) = *listener else {
            return Ok(());
        };
        // A copy of what brought a cookie back does so once more; and with a clock that stands still
        // what follows an old duplicate of a SYN has the numbers of the connection before.
        let may_repeat = self.scenario.has_cookies() || stands_still;
        while let Some(id) = stack.accept(listener) {
            let port = stack.quad(id).map_or(0, |quad| quad.src.1);
            let talk = Talk::number([port, talk::PORT]).and_then(|n| self.talks.get_mut(n));
            let Some(talk) = talk else {
                return Err(Broken(format!("port {port} connects, which nobody uses")));
            };
            let user = &mut talk.users[host];
            if user.id.is_some() && may_repeat {
                stack.abort(id);
                continue;
            }
            ensure!(user.id.is_none(), "port {port} connects twice");
            user.begin(stack, id, true);
        }
        Ok(())
    }

    /// A packet leaves a host: it must be sound, and its segment right. Of which talk it is.
    fn check_sent(&mut self, host: usize, packet: &[u8]) -> Result<Option<usize>, Broken> {
        let mtu = usize::from(self.scenario.configs[host].mtu);
        let (ip, tcp) = check_sent(packet, scenario::ADDRESSES[host], mtu)?;
        let to = ip.dst();
        ensure!(to == scenario::ADDRESSES[1 - host], "a packet goes to {to}");
        self.books[host].note_sent(tcp.as_ref());
        let Some(tcp) = tcp else {
            return Ok(None);
        };
        let (options, _) = OptionSummary::tolerant(tcp.option_bytes());
        let ports = [tcp.src_port(), tcp.dst_port()];
        let number = Talk::number(ports);
        let Some(talk) = number.and_then(|number| self.talks.get_mut(number)) else {
            return Err(Broken(format!(
                "a segment goes from port {} to {}",
                ports[0], ports[1]
            )));
        };
        if let Some(number) = number.filter(|_| !ip.dont_fragment()) {
            self.datagrams.insert((host, ip.identification()), number);
        }
        let at = &self.hosts[host];
        let tcb = at.stack.tcb_of(talk.quad(host));
        let view = tcb.map(|tcb| tcb.view(at.stack.now()));
        talk.patience[host].sent((at.stack.now(), self.now), &tcp, view.as_ref());
        if tcp.flags().rst() {
            let told = talk.resets[host].check(&tcp);
            told.map_err(|what| at.blame(host, &what))?;
        }
        if self.scenario.has_cookies() && tcp.flags().rst() && host == 1 {
            // Where the segment is lost that would bring a cookie back, the one after it is a
            // stranger's.
            let strays = tcb.is_some() && !tcp.flags().ack();
            talk.spoilt |= talk.users[host].id.is_none() || strays;
        }
        if self.scenario.has_cookies() && tcp.flags().syn() && host == 1 && tcb.is_some() {
            // It was still to go out when the cookie of one before it came back.
            return Ok(number);
        }
        let [a, b] = &mut talk.wires;
        let (own, peer) = if host == 0 { (a, b) } else { (b, a) };
        own.check(&tcp, &options, peer, &talk.users[host])?;
        if tcp.flags().syn() && tcb.is_none() {
            // Of a connection to come, even if its cookie is that of one that was.
            talk.models[host] = Some(Model::new());
        }
        let Some(model) = &mut talk.models[host] else {
            return Ok(number);
        };
        let told = model.sent(at.stack.now(), &tcp, tcb);
        told.map_err(|what| at.blame(host, &what))?;
        Ok(number)
    }

    /// Connections that can be opened are, mostly at once.
    fn begin_rounds(&mut self, observer: &mut dyn Observer) -> Result<(), Broken> {
        for number in 0..self.talks.len() {
            let talk = &mut self.talks[number];
            let fresh = talk.rounds == self.scenario.rounds && talk.users[0].id.is_none();
            let states = [0, 1].map(|host| self.hosts[host].stack.state_of(talk.quad(host)));
            let free = states[0].is_none()
                && matches!(states[1], None | Some(State::TimeWait))
                && (states[1].is_none() || !self.scenario.simultaneous);
            let over = talk.users.iter().all(|user| user.left);
            if talk.rounds == 0 || !free || !(fresh || over) {
                continue;
            }
            let gone = states[1].is_none() && self.way.poll_timeout().is_none();
            // With a clock that stands still, so do initial sequence numbers.
            let alike =
                self.scenario.laps || self.hosts.iter().any(|host| host.stands_still(self.now));
            if alike && !fresh && !gone {
                // A reset that is still under way would be believed.
                continue;
            }
            if !fresh {
                if self.scenario.patient && !talk.spoilt {
                    talk.check_outcome()?;
                }
                let plans = self.scenario.draw_plans(&mut self.dice);
                talk.begin_round(number, plans);
            }
            for (opened, at) in talk.opened.iter_mut().zip(&mut self.hosts) {
                if !fresh && self.scenario.laps {
                    at.go_round(self.now, *opened);
                }
                *opened = at.time(self.now);
            }
            talk.rounds -= 1;
            let ends = talk.wires.iter_mut().zip(&mut talk.patience);
            // What is in TIME-WAIT there may speak yet.
            for ((wire, patience), state) in ends.zip(states) {
                if state.is_none() {
                    (*wire, *patience) = Default::default();
                }
            }
            observer.note(self.now, 0, format_args!("{}  connect", talk.quad(0)));
            let opening = if self.scenario.simultaneous { 2 } else { 1 };
            for (host, at) in self.hosts.iter_mut().enumerate().take(opening) {
                let (local, remote) = (talk.end(host), talk.end(1 - host));
                let time = at.time(self.now);
                let id = host::connect(&mut at.stack, time, local, remote)?;
                talk.users[host].begin(&mut at.stack, id, false);
            }
            for host in 0..opening {
                self.follow_up(host, observer)?;
            }
        }
        Ok(())
    }

    /// All users do what they want to do by now.
    fn use_connections(&mut self, observer: &mut dyn Observer) -> Result<(), Broken> {
        for number in 0..self.talks.len() {
            for host in 0..2 {
                let mut acted = false;
                loop {
                    let [a, b] = &mut self.talks[number].users;
                    let (user, peer) = if host == 0 { (a, &*b) } else { (b, &*a) };
                    let before = user.read;
                    let stack = &mut self.hosts[host].stack;
                    let Some(call) = user.act(self.now, stack, peer, &mut self.dice)? else {
                        break;
                    };
                    let left = user.left;
                    self.octets += (user.read - before) as u64;
                    if left {
                        let time = self.hosts[host].stack.now();
                        self.talks[number].patience[host].note_left(time);
                    }
                    let quad = self.talks[number].quad(host);
                    observer.note(self.now, host, format_args!("{quad}  {call}"));
                    acted = true;
                }
                if acted {
                    self.follow_up(host, observer)?;
                }
            }
        }
        Ok(())
    }

    /// Nothing happens any more. That is right if all have parted; `true` if there is no
    /// further round to come either.
    fn settle(&mut self, observer: &mut dyn Observer) -> Result<bool, Broken> {
        let mut done = true;
        for talk in &mut self.talks {
            for host in 0..2 {
                let (here, there) = (&talk.users[host], &talk.users[1 - host]);
                if here.left {
                    continue;
                }
                done = false;
                let Some(id) = here.id else {
                    ensure!(
                        there.left || there.id.is_none(),
                        "host {host} never hears of a connection that is open"
                    );
                    // Its peer has parted before it knew of it.
                    talk.users[host].left = true;
                    continue;
                };
                let stack = &mut self.hosts[host].stack;
                let idle = |info: Info| info.unacknowledged == 0 && info.unsent == 0;
                let hangs =
                    talk.may_hang(host, self.scenario.patient) && stack.info(id).is_none_or(idle);
                ensure!(
                    hangs,
                    "nothing happens any more, but host {host} has read {} of {} octets and sent {} of {}: {}",
                    here.read,
                    there.plan.to_send,
                    here.sent,
                    here.plan.to_send,
                    stack
                        .info(id)
                        .map(|info| info.to_string())
                        .unwrap_or_default()
                );
                let quad = talk.quad(host);
                let what = format_args!("{quad}  abort, for lack of an answer");
                observer.note(self.now, host, what);
                stack.abort(id);
                talk.users[host].left = true;
            }
            if done && self.scenario.patient && !talk.spoilt {
                talk.check_outcome()?;
            }
            done &= talk.rounds == 0;
        }
        for host in 0..2 {
            self.follow_up(host, observer)?;
        }
        Ok(done)
    }

    /// Nothing is left of what was.
    fn check_end(&self) -> Result<(), Broken> {
        for (host, at) in self.hosts.iter().enumerate() {
            let told = at.stack.audit_empty().map_err(Broken);
            told.map_err(|what| at.blame(host, &what))?;
        }
        Ok(())
    }
}
