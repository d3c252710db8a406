use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddrV4;
use std::ops::{AddAssign, Index, IndexMut};

use serde::{Serialize, Serializer};
use zerotcp::wire::{SeqNumber, TcpFlags};

/// How many problems and connections of a file are listed; the rest is counted.
pub const LISTED: usize = 20;

/// The connections of one file, in a table that does not grow past [`CAPACITY`](Self::CAPACITY).
#[derive(Debug, Default)]
pub struct Connections {
    table: HashMap<Ends, Connection>,
    /// What is no longer or never was in the table.
    beside: Tally,
}

/// Connections, counted.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Tally {
    pub by_stage: Stages,
    /// Segments of connections for which a table had no room.
    pub untracked_segments: u64,
}

/// What a segment says to the table.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    pub src: SocketAddrV4,
    pub dst: SocketAddrV4,
    pub seq: SeqNumber,
    pub ack: SeqNumber,
    pub flags: TcpFlags,
}

/// How far a connection came, as far as the capture shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A SYN.
    Syn,
    /// The answer to it.
    SynAck,
    /// The answer to that.
    Established,
    /// A FIN from one side.
    Closing,
    /// A FIN from each side.
    Closed,
    /// A RST.
    Reset,
    /// Segments without the handshake before them.
    Midstream,
}

/// How many connections are at each stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages([u64; Stage::ALL.len()]);

/// A connection as the report lists it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Listed {
    /// Who sent the SYN or, midstream, the first segment seen.
    pub client: SocketAddrV4,
    pub server: SocketAddrV4,
    pub stage: Stage,
    pub segments: u64,
    pub first_frame: u64,
}

/// The key: the same for both directions, the smaller end first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ends(SocketAddrV4, SocketAddrV4);

#[derive(Debug)]
struct Connection {
    client: SocketAddrV4,
    stage: Stage,
    /// Whether client and server have sent their FIN.
    fins: [bool; 2],
    /// SEG.SEQ of the SYN, if it was seen.
    client_isn: Option<SeqNumber>,
    /// SEG.SEQ of the SYN-ACK; meaningful from [`Stage::SynAck`] on.
    server_isn: SeqNumber,
    segments: u64,
    first_frame: u64,
}

impl Connections {
    /// Some 8 MiB.
    pub const CAPACITY: usize = 1 << 16;

    /// Takes note of a segment in frame number `frame`.
    pub fn observe(&mut self, segment: &Observed, frame: u64) {
        let has_room = self.table.len() < Self::CAPACITY;
        let connection = match self.table.entry(Ends::new(segment.src, segment.dst)) {
            Entry::Occupied(entry) => {
                let connection = entry.into_mut();
                if connection.is_replaced_by(segment) {
                    // The ports are used again.
                    self.beside.by_stage[connection.stage] += 1;
                    *connection = Connection::new(segment, frame);
                }
                connection
            }
            Entry::Vacant(entry) if has_room => entry.insert(Connection::new(segment, frame)),
            Entry::Vacant(_) => {
                self.beside.untracked_segments += 1;
                return;
            }
        };
        connection.observe(segment);
    }

    /// How many connections came how far.
    pub fn tally(&self) -> Tally {
        let mut tally = self.beside;
        for connection in self.table.values() {
            tally.by_stage[connection.stage] += 1;
        }
        tally
    }

    /// The first [`LISTED`] of the connections, in order of appearance.
    pub fn listed(&self) -> Vec<Listed> {
        let mut listed: Vec<Listed> = self
            .table
            .iter()
            .map(|(quad, connection)| connection.listed(quad))
            .collect();
        listed.sort_unstable_by_key(|connection| connection.first_frame);
        listed.truncate(LISTED);
        listed
    }
}

impl Serialize for Connections {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape {
            #[serde(flatten)]
            tally: Tally,
            first: Vec<Listed>,
        }
        let (tally, first) = (self.tally(), self.listed());
        Shape { tally, first }.serialize(serializer)
    }
}

impl Ends {
    fn new(a: SocketAddrV4, b: SocketAddrV4) -> Ends {
        if a <= b { Ends(a, b) } else { Ends(b, a) }
    }

    fn other(&self, end: SocketAddrV4) -> SocketAddrV4 {
        if self.0 == end { self.1 } else { self.0 }
    }
}

/// Two words, where the derived way feeds the hasher six pieces a lookup.
impl Hash for Ends {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for end in [self.0, self.1] {
            let address = u64::from(end.ip().to_bits());
            state.write_u64(address << 16 | u64::from(end.port()));
        }
    }
}

impl Connection {
    fn new(first: &Observed, frame: u64) -> Connection {
        let (syn, ack) = (first.flags.syn(), first.flags.ack());
        let is_answer = syn && ack;
        Connection {
            client: if is_answer { first.dst } else { first.src },
            stage: match (syn, ack) {
                (true, false) => Stage::Syn,
                (true, true) => Stage::SynAck,
                (false, _) => Stage::Midstream,
            },
            fins: [false; 2],
            client_isn: (syn && !ack).then_some(first.seq),
            server_isn: first.seq,
            segments: 0,
            first_frame: frame,
        }
    }

    /// Whether a segment opens a new connection between the same ends.
    fn is_replaced_by(&self, segment: &Observed) -> bool {
        let is_over = matches!(
            self.stage,
            Stage::Closing | Stage::Closed | Stage::Reset | Stage::Midstream
        );
        let opens = segment.flags.syn() && !segment.flags.ack();
        is_over && opens && self.client_isn != Some(segment.seq)
    }

    fn observe(&mut self, segment: &Observed) {
        self.segments += 1;
        let flags = segment.flags;
        let from_client = segment.src == self.client;
        if flags.rst() {
            self.stage = Stage::Reset;
        }
        if !from_client && flags.contains(TcpFlags::SYN | TcpFlags::ACK) {
            let answers = self.client_isn.is_some_and(|isn| segment.ack == isn + 1);
            if self.stage == Stage::Syn && answers {
                self.stage = Stage::SynAck;
                self.server_isn = segment.seq;
            }
        } else if from_client && flags.ack() {
            // The third ACK may be lost: a later one tells as much.
            let answers = segment.ack > self.server_isn;
            if self.stage == Stage::SynAck && answers {
                self.stage = Stage::Established;
            }
        }
        let is_open = matches!(
            self.stage,
            Stage::Established | Stage::Closing | Stage::Midstream
        );
        if flags.fin() && is_open {
            self.fins[usize::from(!from_client)] = true;
            self.stage = match self.fins {
                [true, true] => Stage::Closed,
                _ => Stage::Closing,
            };
        }
    }

    fn listed(&self, ends: &Ends) -> Listed {
        Listed {
            client: self.client,
            server: ends.other(self.client),
            stage: self.stage,
            segments: self.segments,
            first_frame: self.first_frame,
        }
    }
}

impl Stage {
    pub const ALL: [Stage; 7] = [
        Stage::Syn,
        Stage::SynAck,
        Stage::Established,
        Stage::Closing,
        Stage::Closed,
        Stage::Reset,
        Stage::Midstream,
    ];

    const fn name(self) -> &'static str {
        match self {
            Stage::Syn => "syn",
            Stage::SynAck => "syn-ack",
            Stage::Established => "established",
            Stage::Closing => "closing",
            Stage::Closed => "closed",
            Stage::Reset => "reset",
            Stage::Midstream => "midstream",
        }
    }
}

impl Stages {
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The stages and the numbers at them.
    pub fn iter(&self) -> impl Iterator<Item = (Stage, u64)> {
        Stage::ALL.into_iter().zip(self.0)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Stage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Serialize for Stages {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(stage, count)| (stage.name(), count)))
    }
}

impl Index<Stage> for Stages {
    type Output = u64;

    fn index(&self, stage: Stage) -> &u64 {
        &self.0[stage as usize]
    }
}

impl IndexMut<Stage> for Stages {
    fn index_mut(&mut self, stage: Stage) -> &mut u64 {
        &mut self.0[stage as usize]
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        let Tally {
            by_stage,
            untracked_segments,
        } = other;
        for (stage, count) in by_stage.iter() {
            self.by_stage[stage] += count;
        }
        self.untracked_segments += untracked_segments;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const SYN: TcpFlags = TcpFlags::SYN;
    const ACK: TcpFlags = TcpFlags::ACK;
    const FIN: TcpFlags = TcpFlags::FIN;
    const RST: TcpFlags = TcpFlags::RST;

    /// A capture of segments between client port 1000 and server port 80.
    #[derive(Default)]
    struct Capture {
        connections: Connections,
        frame: u64,
    }

    impl Capture {
        fn client(&mut self, flags: TcpFlags, seq: u32, ack: u32) -> Stage {
            self.segment(1000, 80, flags, seq, ack)
        }

        fn server(&mut self, flags: TcpFlags, seq: u32, ack: u32) -> Stage {
            self.segment(80, 1000, flags, seq, ack)
        }

        fn segment(&mut self, from: u16, to: u16, flags: TcpFlags, seq: u32, ack: u32) -> Stage {
            let end = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
            self.frame += 1;
            let segment = Observed {
                src: end(from),
                dst: end(to),
                seq: SeqNumber(seq),
                ack: SeqNumber(ack),
                flags,
            };
            self.connections.observe(&segment, self.frame);
            let listed = self.connections.listed();
            assert_eq!(listed.len(), 1);
            assert_eq!((listed[0].client, listed[0].server), (end(1000), end(80)));
            listed[0].stage
        }
    }

    #[test]
    fn a_connection_comes_from_syn_to_closed() {
        let mut capture = Capture::default();
        assert_eq!(capture.client(SYN, u32::MAX, 0), Stage::Syn);
        assert_eq!(capture.client(SYN, u32::MAX, 0), Stage::Syn);
        assert_eq!(capture.server(SYN | ACK, 7, 5), Stage::Syn); // answers another SYN
        assert_eq!(capture.server(SYN | ACK, 7, 0), Stage::SynAck);
        assert_eq!(capture.client(ACK, 0, 7), Stage::SynAck); // does not acknowledge the SYN
        assert_eq!(capture.client(ACK, 0, 8), Stage::Established);
        assert_eq!(capture.server(FIN | ACK, 8, 0), Stage::Closing);
        assert_eq!(capture.server(FIN | ACK, 8, 0), Stage::Closing);
        assert_eq!(capture.client(FIN | ACK, 0, 9), Stage::Closed);
        assert_eq!(capture.server(ACK, 9, 1), Stage::Closed);
        assert_eq!(capture.connections.listed()[0].segments, 10);
    }

    #[test]
    fn a_refused_connection_is_reset() {
        let mut capture = Capture::default();
        capture.client(SYN, 1, 0);
        assert_eq!(capture.server(RST | ACK, 0, 2), Stage::Reset);
        assert_eq!(capture.server(FIN | ACK, 0, 2), Stage::Reset);
    }

    #[test]
    fn without_a_handshake_it_is_midstream() {
        let mut capture = Capture::default();
        assert_eq!(capture.client(ACK, 1, 1), Stage::Midstream);
        assert_eq!(capture.server(ACK, 1, 1), Stage::Midstream);
        assert_eq!(capture.server(FIN | ACK, 1, 1), Stage::Closing);
    }

    #[test]
    fn a_lone_syn_ack_names_the_client_all_the_same() {
        let mut capture = Capture::default();
        assert_eq!(capture.server(SYN | ACK, 1, 1), Stage::SynAck);
        assert_eq!(capture.client(ACK, 1, 2), Stage::Established);
    }

    #[test]
    fn the_ports_of_a_connection_that_is_over_are_used_again() {
        let mut capture = Capture::default();
        capture.client(SYN, 1, 0);
        capture.server(RST | ACK, 0, 2);
        assert_eq!(capture.client(SYN, 1, 0), Stage::Reset); // a duplicate
        assert_eq!(capture.client(SYN, 9, 0), Stage::Syn);
        let stages = capture.connections.tally().by_stage;
        assert_eq!((stages[Stage::Reset], stages[Stage::Syn]), (1, 1));
        assert_eq!(stages.total(), 2);
    }

    #[test]
    fn the_table_does_not_grow_past_its_capacity() {
        let mut connections = Connections::default();
        let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 80);
        let client = |number: usize| {
            let address = Ipv4Addr::from_bits(number as u32);
            SocketAddrV4::new(address, 1000)
        };
        for number in 0..Connections::CAPACITY + 3 {
            let segment = Observed {
                src: client(number),
                dst: server,
                seq: SeqNumber(1),
                ack: SeqNumber(0),
                flags: SYN,
            };
            connections.observe(&segment, number as u64 + 1);
        }
        let tally = connections.tally();
        assert_eq!(tally.by_stage[Stage::Syn], 1 << 16);
        assert_eq!(tally.untracked_segments, 3);
        let listed = connections.listed();
        assert_eq!(listed.len(), LISTED);
        assert_eq!(listed[LISTED - 1].client, client(LISTED - 1));
    }
}
