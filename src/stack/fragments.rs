//! Putting fragments together (RFC 791 section 3.2, RFC 1122 section 3.3.2).
//!
//! RFC 815's list of holes is not needed: since nothing may overlap, a datagram is complete
//! when as many octets have come as its last fragment says it has. Overlaps have no honest
//! cause, and each way to resolve them has been used to get past a firewall (RFC 1858,
//! RFC 3128): a datagram in which fragments overlap or contradict each other is dropped
//! with all that comes of it later, as RFC 5722 has it for IPv6. Only an exact copy of a
//! fragment, of which networks make some, is passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use zerocopy::IntoBytes;

use super::config::Config;
use super::counters::{Counters, DropReason};
use crate::time::Instant;
use crate::wire::{IpProtocol, Ipv4Builder, Ipv4Header, Ipv4Packet, RawIpv4};

/// What is kept of one datagram beside its octets, about, in bytes.
const DATAGRAM_COST: usize = 256;
/// What is kept of one fragment beside its octets, about, in bytes.
const PIECE_COST: usize = 64;

/// Congestion experienced (RFC 3168 section 5).
const ECN_CE: u8 = 0b11;

/// The datagrams of which something is missing.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    datagrams: BTreeMap<Key, Datagram>,
    by_age: BTreeSet<(Instant, Key)>,
    /// How many bytes the datagrams of each source take, about.
    held: BTreeMap<Ipv4Addr, usize>,
    /// Who takes how many.
    by_held: BTreeSet<(usize, Ipv4Addr)>,
    /// How many all of them take.
    bytes: usize,
}

/// What the fragments of one datagram share (RFC 791 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    src: Ipv4Addr,
    dst: Ipv4Addr,
    protocol: u8,
    identification: u16,
}

#[derive(Debug)]
struct Datagram {
    /// Fixed when the first fragment came: later ones don't put it off.
    deadline: Instant,
    /// By their offset. None overlaps another.
    pieces: BTreeMap<usize, Box<[u8]>>,
    /// How many octets they have.
    received: usize,
    /// How many octets the datagram has, once its last fragment has come.
    total: Option<usize>,
    /// The header of the fragment at offset 0, as it came.
    header: Option<Box<[u8]>>,
    /// The ECN codepoints seen, a bit each.
    ecn: u8,
    /// Its fragments contradict each other: what comes is dropped until the deadline.
    spoiled: bool,
}

/// A fragment that is sound on its own.
struct Piece<'a> {
    start: usize,
    data: &'a [u8],
    is_last: bool,
    /// Its ECN codepoint, as a bit.
    ecn: u8,
}

/// A datagram whose time is over.
#[derive(Debug)]
pub(super) struct Expired {
    /// The fragment at offset 0 as it came, header and data, if it did.
    pub(super) first: Option<Vec<u8>>,
}

impl Fragments {
    /// Takes in a fragment whose header checksum was verified; gives the whole datagram if
    /// nothing of it is missing any more.
    pub(super) fn add(
        &mut self,
        now: Instant,
        config: &Config,
        counters: &mut Counters,
        ip: &Ipv4Packet<'_>,
    ) -> Result<Option<Vec<u8>>, DropReason> {
        let piece = Piece::of(ip)?;
        let key = Key {
            src: ip.src(),
            dst: ip.dst(),
            protocol: ip.protocol().0,
            identification: ip.identification(),
        };
        self.make_room(config, counters, key, piece.cost())?;
        let deadline = now + config.fragment_timeout;
        let before = self.datagrams.get(&key).map_or(0, Datagram::cost);
        let datagram = self.datagrams.entry(key).or_insert_with(|| {
            self.by_age.insert((deadline, key));
            Datagram::new(deadline)
        });
        let added = datagram.add(&piece, ip);
        let after = datagram.cost();
        let whole = datagram.is_complete().then(|| datagram.assemble());
        self.account(key.src, before, after);
        added?;
        let Some(whole) = whole else {
            return Ok(None);
        };
        self.remove(key);
        counters.datagrams_reassembled += u64::from(whole.is_some());
        // Too long with the header of its first fragment.
        whole.map(Some).ok_or(DropReason::MalformedFragment)
    }

    /// When [`expire`](Fragments::expire) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.by_age.first().map(|(deadline, _)| *deadline)
    }

    /// How many bytes all of them take, about.
    #[cfg(feature = "simulation")]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops a datagram whose time is over by `now`.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Expired> {
        let (_, key) = *self.by_age.first().filter(|(due, _)| *due <= now)?;
        let datagram = self.remove(key)?;
        let data = datagram.pieces.get(&0);
        let first = datagram
            .header
            .as_deref()
            .zip(data.map(|data| &data[..]))
            .map(|(header, data)| [header, data].concat());
        Some(Expired { first })
    }

    /// Sees to it that a piece of `key` fits the bounds. Who takes the most pays with its oldest
    /// datagram: a flood from one source drives out itself, not the others (CVE-2018-5391).
    /// Where nobody takes much, as if the sources are made up, the oldest of all goes.
    fn make_room(
        &mut self,
        config: &Config,
        counters: &mut Counters,
        key: Key,
        cost: usize,
    ) -> Result<(), DropReason> {
        /// Who takes less than this part of the memory does not take much: at 4 MiB, that is
        /// one datagram of any size.
        const SHARE: usize = 64;

        let bound = config.max_fragments_bytes;
        let is_new = !self.datagrams.contains_key(&key);
        // The others may make its datagram go, and it begins one again.
        let needed = cost + DATAGRAM_COST;
        if needed > bound {
            return Err(DropReason::FragmentsFull);
        }
        if is_new && self.of_source(key.src).count() >= config.max_fragmented_per_source.max(1) {
            self.evict_oldest_of(key.src, counters);
        }
        // With nothing held it fits, so it ends.
        while self.bytes + needed > bound {
            match (self.by_held.last().copied(), self.by_age.first().copied()) {
                (Some((held, src)), _) if held > bound / SHARE => {
                    self.evict_oldest_of(src, counters);
                }
                (_, Some((_, oldest))) => self.evict(oldest, counters),
                _ => break,
            }
        }
        Ok(())
    }

    fn evict_oldest_of(&mut self, src: Ipv4Addr, counters: &mut Counters) {
        let age = |(key, datagram): (&Key, &Datagram)| (datagram.deadline, *key);
        if let Some((_, key)) = self.of_source(src).map(age).min() {
            self.evict(key, counters);
        }
    }

    fn evict(&mut self, key: Key, counters: &mut Counters) {
        self.remove(key);
        counters.datagrams_evicted += 1;
    }

    fn remove(&mut self, key: Key) -> Option<Datagram> {
        let datagram = self.datagrams.remove(&key)?;
        self.by_age.remove(&(datagram.deadline, key));
        self.account(key.src, datagram.cost(), 0);
        Some(datagram)
    }

    /// A datagram of `src` took `before` bytes and takes `after` now.
    fn account(&mut self, src: Ipv4Addr, before: usize, after: usize) {
        self.bytes = self.bytes - before + after;
        let held = self.held.remove(&src).unwrap_or(0);
        self.by_held.remove(&(held, src));
        let held = held - before + after;
        if held > 0 {
            self.held.insert(src, held);
            self.by_held.insert((held, src));
        }
    }

    /// No more than [`Config::max_fragmented_per_source`].
    fn of_source(&self, src: Ipv4Addr) -> impl Iterator<Item = (&Key, &Datagram)> {
        let edge = |dst, protocol, identification| Key {
            src,
            dst,
            protocol,
            identification,
        };
        let first = edge(Ipv4Addr::UNSPECIFIED, 0, 0);
        let last = edge(Ipv4Addr::BROADCAST, u8::MAX, u16::MAX);
        self.datagrams.range(first..=last)
    }
}

impl Datagram {
    fn new(deadline: Instant) -> Datagram {
        Datagram {
            deadline,
            pieces: BTreeMap::new(),
            received: 0,
            total: None,
            header: None,
            ecn: 0,
            spoiled: false,
        }
    }

    fn add(&mut self, piece: &Piece<'_>, ip: &Ipv4Packet<'_>) -> Result<(), DropReason> {
        if self.spoiled {
            return Err(DropReason::ConflictingFragment);
        }
        if self.is_copy(piece) {
            return Err(DropReason::DuplicateFragment);
        }
        if self.contradicts(piece) {
            self.spoiled = true;
            self.pieces.clear();
            self.received = 0;
            self.header = None;
            return Err(DropReason::ConflictingFragment);
        }
        if piece.start == 0 {
            let header = [ip.header().as_bytes(), ip.options()].concat();
            self.header = Some(header.into());
        }
        if piece.is_last {
            self.total = Some(piece.end());
        }
        self.ecn |= piece.ecn;
        self.received += piece.data.len();
        self.pieces.insert(piece.start, piece.data.into());
        Ok(())
    }

    fn is_copy(&self, piece: &Piece<'_>) -> bool {
        let is_last = self.total == Some(piece.end());
        let known = self.pieces.get(&piece.start);
        known.is_some_and(|data| data[..] == *piece.data) && is_last == piece.is_last
    }

    /// Whether it overlaps what has come, or disagrees with it about where the datagram ends
    /// or whether it is ECN-capable (RFC 3168 section 5.3).
    fn contradicts(&self, piece: &Piece<'_>) -> bool {
        let (start, end) = (piece.start, piece.end());
        let before = self.pieces.range(..=start).next_back();
        let overlaps_before = before.is_some_and(|(at, data)| at + data.len() > start);
        let after = self.pieces.range(start..).next();
        let overlaps_after = after.is_some_and(|(at, _)| *at < end);
        let ends_otherwise = match self.total {
            Some(total) => end > total || piece.is_last,
            None => piece.is_last && self.pieces.range(end..).next().is_some(),
        };
        // Bit 0 is that of Not-ECT.
        let codepoints = self.ecn | piece.ecn;
        let mixed = codepoints & 1 != 0 && codepoints != 1;
        overlaps_before || overlaps_after || ends_otherwise || mixed
    }

    fn is_complete(&self) -> bool {
        self.total == Some(self.received) && !self.spoiled
    }

    /// The datagram with the header of its first fragment; `None` where that makes it too long.
    fn assemble(&self) -> Option<Vec<u8>> {
        let header = self.header.as_deref()?;
        let (_, options) = header.split_at_checked(Ipv4Header::LEN)?;
        let first = RawIpv4::new(header);
        let ecn = if self.ecn & (1 << ECN_CE) != 0 {
            ECN_CE
        } else {
            first.dscp_ecn()? & 0b11
        };
        let builder = Ipv4Builder::new(first.src()?, first.dst()?, first.protocol()?)
            .dscp(first.dscp_ecn()? >> 2)
            .ecn(ecn)
            .identification(first.identification()?)
            .dont_fragment(false)
            .ttl(first.ttl()?)
            .options(options);
        let payload = self.pieces.values().map(|data| &data[..]);
        let payload = payload.collect::<Vec<_>>().concat();
        let mut packet = vec![0; header.len() + payload.len()];
        let len = builder.write(&mut packet, &payload).ok()?;
        packet.truncate(len);
        Some(packet)
    }

    /// How many bytes it takes, about.
    fn cost(&self) -> usize {
        DATAGRAM_COST + self.received + self.pieces.len() * PIECE_COST
    }
}

impl<'a> Piece<'a> {
    fn of(ip: &Ipv4Packet<'a>) -> Result<Piece<'a>, DropReason> {
        /// What of a TCP header the first fragment has at least: what filters look at, up to
        /// the flags (RFC 1858 section 3.2.1).
        const TCP_START: usize = 16;

        let (start, data) = (usize::from(ip.fragment_offset()), ip.payload());
        let is_last = !ip.more_fragments();
        let whole_blocks = is_last || data.len().is_multiple_of(8);
        // Of one longer than a datagram can be, the end wraps around (CVE-1999-0128).
        let fits = ip.header_len() + start + data.len() <= usize::from(u16::MAX);
        // RFC 1858 section 3.2.2, RFC 3128 section 4: a second fragment that brings the flags.
        let hides_flags = ip.protocol() == IpProtocol::TCP
            && (start == 8 || (start == 0 && data.len() < TCP_START));
        if data.is_empty() || !whole_blocks || !fits || hides_flags {
            return Err(DropReason::MalformedFragment);
        }
        Ok(Piece {
            start,
            data,
            is_last,
            ecn: 1 << ip.ecn(),
        })
    }

    fn end(&self) -> usize {
        self.start + self.data.len()
    }

    fn cost(&self) -> usize {
        PIECE_COST + self.data.len()
    }
}

#[cfg(feature = "simulation")]
mod audit;
#[cfg(test)]
mod tests;
