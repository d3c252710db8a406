//! What throws an attack at a connection in each of five states while another one must stay
//! unharmed.

use std::net::Ipv4Addr;

use zerotcp::stack::{ConnectionId, Listen, Quad};
use zerotcp::tcp::State;
use zerotcp::wire::{Ipv4Packet, TcpPacket};

use crate::Start;
use crate::common::packets::seal;
use crate::common::script::{PEER, ROUTER, Script, Talk, US, octets};
use crate::states::Reached;

pub const STATES: [State; 5] = [
    State::Listen,
    State::SynReceived,
    State::Established,
    State::FinWait1,
    State::TimeWait,
];

/// A connection of another peer's, on another port.
pub struct Bystander {
    talk: Talk,
    id: ConnectionId,
    /// The next number of either side.
    next: u32,
}

impl Bystander {
    const PORT: u16 = 99;
    /// Of the host: few, so that it takes few to flood it.
    pub const MAX_HALF_OPEN: usize = 50;

    pub fn new(start: Start) -> (Bystander, Script) {
        let mut s = start.script_with(|config| config.max_half_open = Self::MAX_HALF_OPEN);
        let victim = s.talk();
        let listener = s.listener;
        s.listener = s.stack.listen(Listen::port(Self::PORT)).unwrap();
        s.us.set_port(Self::PORT);
        s.peer.set_ip(Ipv4Addr::new(192, 168, 0, 77));
        let (mut s, id) = s.establish(65535);
        s.listener = listener;
        let talk = s.switch_to(victim);
        (Bystander { talk, id, next: 1 }, s)
    }

    /// It sends and receives as if nothing had happened.
    pub fn check(&mut self, s: &mut Script) {
        let victim = s.switch_to(self.talk);
        let (first, end) = (self.next, self.next + 10);
        assert_eq!(s.state(), State::Established, "the bystander");
        s.send(self.id, 10);
        let sent = Bystander::segments(s);
        assert_eq!(sent, [(octets(first, 10), first)]);
        s.inject(&format!("P. {first}:{end} ack {end}"));
        s.read(self.id, 10);
        s.pass(50);
        assert_eq!(Bystander::segments(s), [(vec![], end)]);
        self.next = end;
        self.talk = s.switch_to(victim);
    }

    /// How often it answers segments that should not have come.
    pub fn challenges(&mut self, s: &mut Script) -> usize {
        let victim = s.switch_to(self.talk);
        let mut count = 0;
        for _ in 0..100 {
            s.inject(&format!("R {}", self.next + 9));
            count += Bystander::segments(s).len();
        }
        self.talk = s.switch_to(victim);
        count
    }

    /// What goes out to it, text and acknowledgment; what goes to others is not looked at.
    fn segments(s: &mut Script) -> Vec<(Vec<u8>, u32)> {
        let mut segments = Vec::new();
        while let Some(packet) = s.next_packet() {
            let packet = TcpPacket::parse(&packet).expect("what we send is sound");
            if Quad::of(&packet).reversed() == s.quad() {
                segments.push((packet.tcp.payload().to_vec(), packet.tcp.ack() - s.irs));
            }
        }
        segments
    }
}

/// Throws what `packets` makes at a connection in each state, and looks for `after`: the state
/// it has to be in then.
#[track_caller]
pub fn throw(
    start: Start,
    packets: impl Fn(&Reached) -> Vec<Vec<u8>>,
    after: impl Fn(State) -> State,
) {
    for state in STATES {
        let (mut bystander, s) = Bystander::new(start);
        let mut r = Reached::on(s, state);
        for packet in packets(&r) {
            r.s.raw(&packet);
            answers(&mut r.s);
        }
        let now = match r.s.state() {
            State::Closed => State::Listen,
            state => state,
        };
        assert_eq!(now, after(state), "thrown at {state}");
        let count = usize::from(now != State::Listen) + 1;
        assert!(r.s.stack.connection_count() <= count);
        assert!(r.s.stack.half_open_count() <= 1);
        if let Some(id) = r.id {
            let info = r.s.stack.info(id).unwrap();
            assert!(info.unread <= 1 << 20, "{}", info.unread);
        }
        bystander.check(&mut r.s);
    }
}

/// What goes out is sound, has no IP options and goes to somebody who has sent something.
pub fn answers(s: &mut Script) -> usize {
    let mut count = 0;
    while let Some(packet) = s.next_packet() {
        let ip = Ipv4Packet::parse(&packet).expect("what we send is sound");
        assert_eq!(ip.ihl(), 5);
        assert_eq!(ip.src(), *US.ip());
        assert!([*PEER.ip(), ROUTER].contains(&ip.dst()), "to {}", ip.dst());
        count += 1;
    }
    count
}

/// After a segment that is as it should be, with five octets of text: a SYN for LISTEN.
pub fn taken(state: State) -> State {
    match state {
        State::Listen => State::SynReceived,
        State::SynReceived => State::Established,
        state => state,
    }
}

/// After what is dropped.
pub fn same(state: State) -> State {
    state
}

/// A segment that is as it should be, but for its options.
pub fn segment(r: &Reached, options: &str) -> Vec<u8> {
    r.s.segment(&if r.id.is_none() && r.nxt == r.una {
        format!("S 0 win 10000 {options}")
    } else {
        let text = format!("{}:{} ack {} win 10000", r.next, r.next + 5, r.una.max(1));
        format!("P. {text} {options}")
    })
}

/// The same with a change, checksums made right again.
pub fn tweaked(r: &Reached, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut packet = segment(r, "");
    change(&mut packet);
    seal(&mut packet);
    packet
}

/// Numbers without a pattern.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }
}
