//! Fragments in any order, twice, overlapping, late: a datagram is put together if and only if
//! a model that keeps a mark for each block of eight octets says so, and of right octets.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use zerotcp::stack::{Config, DropReason, Meta, Stack};
use zerotcp::time::Instant;
use zerotcp::wire::{Icmpv4Type, IpProtocol, Ipv4Builder, Ipv4Packet};

use crate::input::Input;
use crate::packets::HOST;

/// What the host does not know: it quotes what it was sent, up to 548 bytes, and says so.
const PROTOCOL: IpProtocol = IpProtocol(253);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
/// The longest datagram here, in blocks.
const BLOCKS: usize = 48;
const TIMEOUT: Duration = Duration::from_secs(60);

/// For each fragment four bytes: what it is, where it begins, how long it is, how much time
/// passes before it.
pub fn run(data: &[u8]) {
    let mut config = Config::seeded(HOST, 1);
    config.icmp_rate = u32::MAX;
    config.icmp_burst = u32::MAX;
    let mut stack = Stack::new(config);
    let mut model = Model::default();
    let (mut input, mut now) = (Input::new(data), Instant::ZERO);
    while !input.is_empty() {
        let bits = input.u8();
        let piece = Piece {
            datagram: bits & 3,
            variant: bits >> 2 & 1,
            ecn: [0, 1, 2, 3][usize::from(bits >> 3 & 3)],
            is_last: bits & 0x20 != 0,
            start: input.below(BLOCKS),
            len: input.below(17),
        };
        now += Duration::from_secs(u64::from(input.u8() >> 2));
        model.expire(now);
        stack.handle_timeout(now);
        // What timed out is reported; nothing else waits.
        while sent(&mut stack, now).is_some_and(|kind| kind.0 == Icmpv4Type::TIME_EXCEEDED) {}

        let before: Vec<_> = REASONS
            .map(|reason| stack.counters().dropped(reason))
            .into();
        stack.receive(now, &piece.packet(), Meta::default());
        let counted = REASONS.map(|reason| stack.counters().dropped(reason));
        let dropped = (0..REASONS.len()).find(|&at| counted[at] > before[at]);
        match (model.add(now, piece), dropped.map(|at| REASONS[at])) {
            (Fate::Waits, None) => assert!(sent(&mut stack, now).is_none()),
            (Fate::Dropped(expected), Some(found)) => assert_eq!(expected, found),
            // It was given to the protocol, which nobody knows.
            (Fate::Completes(datagram), Some(DropReason::UnknownProtocol)) => {
                let (kind, quote) = sent(&mut stack, now).expect("an ICMP error");
                assert_eq!(kind, Icmpv4Type::DESTINATION_UNREACHABLE);
                assert_eq!(quote, datagram);
            }
            (expected, found) => panic!("{expected:?}, but {found:?}"),
        }
        assert_eq!(stack.poll_timeout().is_some(), !model.datagrams.is_empty());
    }
}

/// For what a fragment is dropped.
const REASONS: [DropReason; 5] = [
    DropReason::MalformedFragment,
    DropReason::ConflictingFragment,
    DropReason::DuplicateFragment,
    DropReason::UnknownProtocol,
    DropReason::FragmentsFull,
];

/// The type of the next ICMP error and the payload of the datagram that it quotes.
fn sent(stack: &mut Stack, now: Instant) -> Option<(Icmpv4Type, Vec<u8>)> {
    let mut buffer = [0; 1500];
    let len = stack.poll_transmit(now, &mut buffer)?.len;
    let packet = Ipv4Packet::parse(&buffer[..len]).expect("sound");
    let message = packet.icmpv4().expect("sound");
    let quote = message.quote().expect("it is an error");
    Some((message.kind(), quote.payload().to_vec()))
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    datagram: u8,
    /// Of two, in what their octets are.
    variant: u8,
    ecn: u8,
    is_last: bool,
    /// In blocks of eight octets.
    start: usize,
    len: usize,
}

impl Piece {
    /// The octet follows from the place, so that one in the wrong place is found.
    fn octets(&self) -> Vec<u8> {
        let places = self.start * 8..(self.start + self.len) * 8;
        let seed = self.datagram * 2 + self.variant;
        places
            .map(|at| (at as u8).wrapping_mul(31) ^ seed)
            .collect()
    }

    fn packet(&self) -> Vec<u8> {
        let octets = self.octets();
        let mut packet = vec![0; 20 + octets.len()];
        Ipv4Builder::new(PEER, HOST, PROTOCOL)
            .identification(self.datagram.into())
            .dont_fragment(false)
            .ecn(self.ecn)
            .fragment((self.start * 8) as u16, !self.is_last)
            .write(&mut packet, &octets)
            .expect("as long as it says");
        packet
    }
}

#[derive(Debug, PartialEq)]
enum Fate {
    Waits,
    Dropped(DropReason),
    Completes(Vec<u8>),
}

/// Incomplete datagrams by their identification.
#[derive(Debug, Default)]
struct Model {
    datagrams: BTreeMap<u8, Datagram>,
}

#[derive(Debug)]
struct Datagram {
    deadline: Instant,
    /// What came, in its order.
    pieces: Vec<Piece>,
    /// Something in it was contradicted.
    is_spoiled: bool,
}

impl Model {
    fn expire(&mut self, now: Instant) {
        self.datagrams.retain(|_, datagram| datagram.deadline > now);
    }

    fn add(&mut self, now: Instant, piece: Piece) -> Fate {
        // A datagram in one piece is none of fragments.
        if piece.start == 0 && piece.is_last {
            return Fate::Completes(piece.octets());
        }
        if piece.len == 0 {
            return Fate::Dropped(DropReason::MalformedFragment);
        }
        let datagram = self.datagrams.entry(piece.datagram).or_insert(Datagram {
            deadline: now + TIMEOUT,
            pieces: Vec::new(),
            is_spoiled: false,
        });
        let is_copy = |other: &Piece| {
            let places = (other.start, other.len, other.is_last);
            places == (piece.start, piece.len, piece.is_last) && other.variant == piece.variant
        };
        if datagram.is_spoiled {
            return Fate::Dropped(DropReason::ConflictingFragment);
        }
        if datagram.pieces.iter().any(is_copy) {
            return Fate::Dropped(DropReason::DuplicateFragment);
        }
        datagram.pieces.push(piece);
        match datagram.octets() {
            Err(()) => {
                datagram.is_spoiled = true;
                Fate::Dropped(DropReason::ConflictingFragment)
            }
            Ok(None) => Fate::Waits,
            Ok(Some(octets)) => {
                self.datagrams.remove(&piece.datagram);
                Fate::Completes(octets)
            }
        }
    }
}

impl Datagram {
    /// All octets, if nothing is missing; an error where the pieces contradict each other.
    fn octets(&self) -> Result<Option<Vec<u8>>, ()> {
        let mut blocks: [Option<&Piece>; BLOCKS + 17] = [None; BLOCKS + 17];
        for piece in &self.pieces {
            for block in &mut blocks[piece.start..piece.start + piece.len] {
                if block.replace(piece).is_some() {
                    return Err(());
                }
            }
        }
        let is_capable = |piece: &Piece| piece.ecn != 0;
        let capable = self.pieces.iter().filter(|piece| is_capable(piece)).count();
        if capable != 0 && capable != self.pieces.len() {
            return Err(());
        }
        let end = blocks
            .iter()
            .rposition(Option::is_some)
            .map_or(0, |at| at + 1);
        let mut lasts = self.pieces.iter().filter(|piece| piece.is_last);
        let total = match (lasts.next(), lasts.next()) {
            (Some(last), None) => last.start + last.len,
            (None, _) => return Ok(None),
            _ => return Err(()),
        };
        if end > total {
            return Err(());
        }
        if blocks[..total].iter().any(Option::is_none) {
            return Ok(None);
        }
        let mut pieces = self.pieces.clone();
        pieces.sort_by_key(|piece| piece.start);
        Ok(Some(pieces.iter().flat_map(Piece::octets).collect()))
    }
}
