use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::wire::Ipv4PacketMut;

/// A reassembler with what it needs.
struct Bench {
    fragments: Fragments,
    config: Config,
    counters: Counters,
    now: Instant,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            fragments: Fragments::default(),
            config: Config::seeded(Ipv4Addr::new(10, 0, 0, 2), 1),
            counters: Counters::default(),
            now: Instant::from_millis(1000),
        }
    }

    fn add(&mut self, packet: &[u8]) -> Result<Option<Vec<u8>>, DropReason> {
        let ip = Ipv4Packet::parse(packet).unwrap();
        let whole = self
            .fragments
            .add(self.now, &self.config, &mut self.counters, &ip);
        self.check();
        whole
    }

    /// The indexes say what the datagrams are.
    fn check(&self) {
        let fragments = &self.fragments;
        let bytes: usize = fragments.datagrams.values().map(Datagram::cost).sum();
        assert_eq!(fragments.bytes, bytes);
        assert!(bytes <= self.config.max_fragments_bytes);
        assert_eq!(fragments.by_age.len(), fragments.datagrams.len());
        let mut held: BTreeMap<Ipv4Addr, usize> = BTreeMap::new();
        for (key, datagram) in &fragments.datagrams {
            *held.entry(key.src).or_default() += datagram.cost();
            assert!(fragments.by_age.contains(&(datagram.deadline, *key)));
        }
        assert_eq!(fragments.held, held);
        let held: BTreeSet<_> = held.into_iter().map(|(src, bytes)| (bytes, src)).collect();
        assert_eq!(fragments.by_held, held);
    }

    fn is_empty(&self) -> bool {
        self.fragments.datagrams.is_empty() && self.fragments.bytes == 0
    }
}

/// A fragment of datagram `id` from `src`.
fn fragment(src: u32, id: u16, start: usize, data: &[u8], more: bool) -> Vec<u8> {
    let src = Ipv4Addr::from(src);
    let mut buffer = vec![0; data.len() + 60];
    let len = Ipv4Builder::new(src, Ipv4Addr::new(10, 0, 0, 2), IpProtocol(253))
        .identification(id)
        .dont_fragment(false)
        .fragment(start as u16, more)
        .write(&mut buffer, data)
        .unwrap();
    buffer.truncate(len);
    buffer
}

const PEER: u32 = 0x0a00_0001;

/// What of a datagram was said: the naive model, an octet at a time.
#[derive(Default)]
struct Model {
    octets: BTreeMap<usize, u8>,
    total: Option<usize>,
    pieces: BTreeSet<(usize, Vec<u8>, bool)>,
    spoiled: bool,
}

impl Model {
    fn add(
        &mut self,
        start: usize,
        data: &[u8],
        more: bool,
    ) -> Result<Option<Vec<u8>>, DropReason> {
        let end = start + data.len();
        if self.spoiled {
            return Err(DropReason::ConflictingFragment);
        }
        if self.pieces.contains(&(start, data.to_vec(), more)) {
            return Err(DropReason::DuplicateFragment);
        }
        let overlaps = (start..end).any(|at| self.octets.contains_key(&at));
        let highest = self.octets.keys().max().map_or(0, |at| at + 1);
        let past = self.total.is_some_and(|total| end > total || !more);
        if overlaps || past || (!more && highest > end) {
            self.spoiled = true;
            return Err(DropReason::ConflictingFragment);
        }
        self.pieces.insert((start, data.to_vec(), more));
        self.octets.extend((start..end).zip(data.iter().copied()));
        if !more {
            self.total = Some(end);
        }
        let complete = self.total == Some(self.octets.len());
        Ok(complete.then(|| self.octets.values().copied().collect()))
    }
}

proptest! {
    /// Whatever comes, in whatever order, with overlaps and contradictions: as an array would
    /// have it.
    #[test]
    fn any_fragments_are_as_the_model_has_them(
        steps in proptest::collection::vec((0..12usize, 1..6usize, any::<bool>(), 0..3u8), 1..24),
    ) {
        let mut bench = Bench::new();
        let mut model = Model::default();
        for (block, blocks, more, content) in steps {
            // Mostly what the datagram has there, so that copies are copies.
            let end = block + blocks;
            let more = more || end < 8;
            let data: Vec<u8> = (block * 8..end * 8)
                .map(|at| if content == 0 { at as u8 ^ 0x55 } else { at as u8 })
                .collect();
            let expected = model.add(block * 8, &data, more);
            let actual = bench.add(&fragment(PEER, 1, block * 8, &data, more));
            let payload = |packet: Vec<u8>| Ipv4Packet::parse(&packet).unwrap().payload().to_vec();
            let actual = actual.map(|whole| whole.map(payload));
            let complete = matches!(actual, Ok(Some(_)));
            prop_assert_eq!(actual, expected);
            if complete {
                prop_assert!(bench.is_empty());
                return Ok(());
            }
        }
    }

    /// What was cut somehow comes out whole in any order, copies or not.
    #[test]
    fn any_order_gives_the_datagram_once(
        cuts in proptest::collection::btree_set(1..180usize, 0..12),
        tail in 1..9usize,
        order in any::<u64>(),
        copies in any::<u16>(),
    ) {
        let payload: Vec<u8> = (0..180 * 8 + tail).map(|n| (n * 7 + n / 256) as u8).collect();
        let mut edges = vec![0];
        edges.extend(cuts.iter().map(|block| block * 8));
        edges.push(payload.len());
        let mut pieces: Vec<Vec<u8>> = edges
            .windows(2)
            .map(|edge| fragment(PEER, 9, edge[0], &payload[edge[0]..edge[1]], edge[1] < payload.len()))
            .collect();
        if pieces.len() == 1 {
            return Ok(());
        }
        let mut random = order;
        for place in (1..pieces.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            pieces.swap(place, (random >> 33) as usize % (place + 1));
        }
        let mut bench = Bench::new();
        let last = pieces.len() - 1;
        for (n, piece) in pieces.iter().enumerate() {
            let whole = bench.add(piece).unwrap();
            if n == last {
                let whole = whole.expect("complete");
                let packet = Ipv4Packet::parse(&whole).unwrap();
                prop_assert_eq!(packet.payload(), &payload[..]);
                prop_assert!(!packet.is_fragment());
                prop_assert!(bench.is_empty());
            } else {
                prop_assert!(whole.is_none());
                if copies & 1 << n != 0 {
                    prop_assert_eq!(bench.add(piece), Err(DropReason::DuplicateFragment));
                }
            }
        }
    }
}

#[test]
fn the_header_is_that_of_the_first_fragment() {
    let mut bench = Bench::new();
    let mut first = vec![0; 200];
    let (src, dst) = (Ipv4Addr::from(PEER), Ipv4Addr::new(10, 0, 0, 2));
    let record_route = [7, 7, 4, 0, 0, 0, 0, 0];
    let len = Ipv4Builder::new(src, dst, IpProtocol(253))
        .identification(5)
        .ttl(9)
        .dscp(46)
        .dont_fragment(false)
        .fragment(0, true)
        .options(&record_route)
        .write(&mut first, &[1; 16])
        .unwrap();
    first.truncate(len);
    assert_eq!(bench.add(&fragment(PEER, 5, 16, &[2; 3], false)), Ok(None));
    let whole = bench.add(&first).unwrap().unwrap();
    let packet = Ipv4Packet::parse(&whole).unwrap();
    assert_eq!((packet.src(), packet.dst()), (src, dst));
    assert_eq!(
        (packet.ttl(), packet.dscp(), packet.identification()),
        (9, 46, 5)
    );
    assert_eq!(packet.options(), record_route);
    assert_eq!(packet.payload(), [&[1; 16][..], &[2; 3]].concat());
    assert_eq!(bench.counters.datagrams_reassembled, 1);
}

#[test]
fn congestion_marks_survive() {
    // RFC 3168 section 5.3. Codepoints: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE.
    let merged = |codepoints: [u8; 3]| {
        let mut bench = Bench::new();
        let mut whole = Ok(None);
        for (n, ecn) in codepoints.into_iter().enumerate() {
            let mut packet = fragment(PEER, 1, n * 8, &[0; 8], n < 2);
            Ipv4PacketMut::parse(&mut packet).unwrap().set_ecn(ecn);
            whole = bench.add(&packet);
        }
        whole.map(|whole| Ipv4Packet::parse(&whole.unwrap()).unwrap().ecn())
    };
    for ecn in 0..4 {
        assert_eq!(merged([ecn; 3]), Ok(ecn));
    }
    for marked in [[3, 2, 2], [2, 3, 2], [2, 1, 3], [3, 3, 1]] {
        assert_eq!(merged(marked), Ok(3));
    }
    for mixed in [[3, 0, 0], [0, 0, 3], [0, 2, 2], [1, 0, 1]] {
        assert_eq!(merged(mixed), Err(DropReason::ConflictingFragment));
    }
}

#[test]
fn what_is_wrong_on_its_own_is_not_kept() {
    let mut bench = Bench::new();
    let malformed = Err(DropReason::MalformedFragment);
    assert_eq!(bench.add(&fragment(PEER, 1, 0, &[0; 9], true)), malformed);
    assert_eq!(bench.add(&fragment(PEER, 1, 8, &[], false)), malformed);
    // Ping of death: the end is past the longest datagram.
    assert_eq!(
        bench.add(&fragment(PEER, 1, 65_528, &[0; 8], false)),
        malformed
    );
    assert_eq!(
        bench.add(&fragment(PEER, 1, 65_504, &[0; 12], false)),
        malformed
    );
    let mut tcp = |start, len, more| {
        let mut packet = fragment(PEER, 1, start, &vec![0; len], more);
        let mut header = Ipv4PacketMut::parse(&mut packet).unwrap();
        header.set_protocol(IpProtocol::TCP);
        bench.add(&packet)
    };
    // RFC 1858: too short for the flags, or bringing them later.
    assert_eq!(tcp(0, 8, true), malformed);
    assert_eq!(tcp(8, 64, true), malformed);
    assert_eq!(tcp(8, 5, false), malformed);
    assert_eq!(tcp(0, 16, true), Ok(None));
    assert_eq!(bench.fragments.datagrams.len(), 1);
    // Just short enough on its own, but not with the header of the first.
    let mut bench = Bench::new();
    assert_eq!(
        bench.add(&fragment(PEER, 1, 65_504, &[0; 11], false)),
        Ok(None)
    );
    for start in (8..65_504).step_by(8) {
        assert_eq!(
            bench.add(&fragment(PEER, 1, start, &[0; 8], true)),
            Ok(None)
        );
    }
    let mut first = fragment(PEER, 1, 0, &[0; 8], true);
    // A header of 24 bytes.
    first.splice(20..20, [1, 1, 1, 0]);
    (first[0], first[3]) = (0x46, 32);
    let sum =
        crate::wire::Checksum::of(&first[..10]).combine(crate::wire::Checksum::of(&first[12..24]));
    let checksum = sum.finish().to_be_bytes();
    first[10..12].copy_from_slice(&checksum);
    assert_eq!(bench.add(&first), malformed);
    assert!(bench.is_empty());
}

#[test]
fn time_is_over_sixty_seconds_after_the_first_came() {
    let mut bench = Bench::new();
    let start = bench.now;
    let first = fragment(PEER, 1, 0, &[7; 16], true);
    bench.add(&fragment(PEER, 1, 16, &[0; 8], true)).unwrap();
    bench.now = start + Duration::from_secs(59);
    bench.add(&first).unwrap();
    bench.add(&fragment(PEER, 2, 8, &[0; 8], false)).unwrap();
    let due = start + Duration::from_secs(60);
    assert_eq!(bench.fragments.deadline(), Some(due));
    assert!(
        bench
            .fragments
            .expire(due - Duration::from_nanos(1))
            .is_none()
    );
    let expired = bench.fragments.expire(due).unwrap();
    assert_eq!(expired.first, Some(first), "as it came");
    assert!(bench.fragments.expire(due).is_none());
    let expired = bench
        .fragments
        .expire(due + Duration::from_secs(59))
        .unwrap();
    assert_eq!(expired.first, None);
    assert!(bench.is_empty());
    assert_eq!(bench.fragments.deadline(), None);
}

#[test]
fn one_source_does_not_drive_out_another() {
    let mut bench = Bench::new();
    bench.config.max_fragments_bytes = 20_000;
    let honest = fragment(PEER, 1, 0, &[1; 1400], true);
    bench.add(&honest).unwrap();
    for id in 0..5000u16 {
        bench.now += Duration::from_micros(10);
        bench
            .add(&fragment(PEER + 1, id, 8, &[0; 8], true))
            .unwrap();
    }
    let evicted = bench.counters.datagrams_evicted;
    assert!(bench.fragments.datagrams.len() > 2);
    assert_eq!(evicted + bench.fragments.datagrams.len() as u64, 5001);
    // By many fragments of few datagrams neither.
    for start in (0..60_000).step_by(8) {
        let id = 6000 + (start / 8000) as u16;
        let _ = bench.add(&fragment(PEER + 1, id, start, &[0; 8], true));
    }
    let whole = bench
        .add(&fragment(PEER, 1, 1400, &[2; 100], false))
        .unwrap();
    assert_eq!(whole.unwrap().len(), 20 + 1500);
}

#[test]
fn made_up_sources_drive_out_the_oldest() {
    let mut bench = Bench::new();
    bench.config.max_fragments_bytes = 100_000;
    for n in 0..3000 {
        bench.now += Duration::from_micros(10);
        bench.add(&fragment(PEER + n, 1, 8, &[0; 8], true)).unwrap();
    }
    let kept = bench.fragments.datagrams.len() as u32;
    assert!(kept > 100);
    let newest = PEER + 3000 - kept..PEER + 3000;
    assert!(
        bench
            .fragments
            .datagrams
            .keys()
            .map(|key| key.src.to_bits())
            .eq(newest)
    );
}

#[test]
fn a_fragment_that_never_fits_is_not_kept() {
    let mut bench = Bench::new();
    bench.config.max_fragments_bytes = 1000;
    let full = Err(DropReason::FragmentsFull);
    assert_eq!(bench.add(&fragment(PEER, 1, 0, &[0; 800], true)), full);
    assert_eq!(bench.add(&fragment(PEER, 1, 0, &[0; 400], true)), Ok(None));
    assert!(!bench.is_empty());
    bench.config.max_fragments_bytes = 0;
    bench.fragments = Fragments::default();
    assert_eq!(bench.add(&fragment(PEER, 1, 0, &[0; 8], true)), full);
    assert!(bench.is_empty());
}
