use core::time::Duration;

use siphasher::sip::SipHasher24;

use super::quad::Quad;
use crate::tcp::PeerSyn;
use crate::time::Instant;
use crate::wire::{OptionSummary, SegmentFields, SeqNumber};

/// SYN cookies (RFC 4987 section 3.6): answers to SYNs of which nothing is kept. What has to be
/// remembered travels to the peer in our initial sequence number and timestamp, and comes back
/// with the acknowledgment.
///
/// The number is `F(quad, IRS, minute, key) ^ index of the MSS << 28`, F the lower half of
/// SipHash-2-4: to who does not know the key it looks random, and a guess passes once in
/// 2^27. Two cookies of one quad don't grow from one to the next as RFC 6528 has it for the
/// numbers of connections that are kept: there is no room for a clock. A quad in TIME-WAIT, for
/// which that counts, gets none.
///
/// What is kept nowhere cannot be crossed out: a copy of the acknowledgment that arrives when
/// the connection is over, and younger than two minutes, opens another, whose peer resets it.
///
/// The six lowest bits of the timestamp, if the peer sends such, hold its window scale, whether
/// it permits SACK and whether it wants ECN; without them all three are off.
pub(super) struct CookieJar {
    key: [u8; 16],
    /// When the last one went out.
    last: Option<Instant>,
}

/// What an answer to a SYN of which nothing is kept says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    /// ISS.
    pub(super) iss: SeqNumber,
    /// TSval, before the offset of the quad is added; `None` where the peer sends none.
    pub(super) timestamp: Option<u32>,
    /// What of the peer's SYN will be known when the cookie comes back: only that can be
    /// agreed to.
    pub(super) syn: PeerSyn,
}

/// Segment sizes that a cookie can name: what is usual for Ethernet, tunnels over it and jumbo
/// frames. The first stands for all that are smaller: a TCB makes of it the smallest that it
/// believes.
const SIZES: [u16; 16] = [
    0, 48, 128, 256, 536, 768, 1024, 1220, 1300, 1360, 1400, 1420, 1440, 1452, 1460, 8960,
];

/// The bits of a timestamp: four for the window scale, of which this value means none.
const NO_SCALE: u32 = 0xf;
const SACK: u32 = 0x10;
const ECN: u32 = 0x20;
const OPTIONS: u32 = 0x3f;

impl CookieJar {
    /// How long a minute is by which cookies age.
    const STEP: Duration = Duration::from_secs(64);
    /// Cookies of so many steps are believed, the running one included.
    const STEPS: u64 = 2;

    pub(super) const fn new(key: [u8; 16]) -> CookieJar {
        CookieJar { key, last: None }
    }

    /// The answer to a SYN at `now`. `timestamps`: whether segments may carry them.
    pub(super) fn bake(
        &mut self,
        now: Instant,
        quad: Quad,
        syn: &PeerSyn,
        timestamps: bool,
    ) -> Cookie {
        self.last = Some(now);
        // The peer sends no more than it takes: one that says nothing takes 536.
        let mss = syn.mss.unwrap_or(536);
        // Never empty: the first size is 0.
        let index = SIZES.partition_point(|size| *size <= mss) - 1;
        let hash = self.hash(quad, syn.irs, minute(now));
        let timestamp = syn.timestamp.filter(|_| timestamps);
        let known = PeerSyn {
            mss: Some(SIZES[index]),
            window_scale: syn.window_scale.map(|shift| shift.min(14)),
            ..*syn
        };
        Cookie {
            // Below 16: it goes to the upper four bits, so that numbers near by are no cookies.
            iss: SeqNumber(hash ^ (index as u32).rotate_right(4)),
            timestamp: timestamp.map(|_| write_options(clock(now), &known)),
            syn: match timestamp {
                Some(_) => known,
                None => PeerSyn {
                    window_scale: None,
                    sack_permitted: false,
                    timestamp: None,
                    ecn: false,
                    ..known
                },
            },
        }
    }

    /// The peer's SYN, by a segment that may bring a cookie back. `offset` is that of the
    /// timestamps of this quad.
    pub(super) fn taste(
        &self,
        now: Instant,
        quad: Quad,
        fields: &SegmentFields,
        options: &OptionSummary,
        offset: u32,
    ) -> Option<PeerSyn> {
        // Only while they are about: else each stray acknowledgment were a chance to guess.
        let max_age = Self::STEP * Self::STEPS as u32;
        self.last.filter(|last| now - *last <= max_age)?;
        let (iss, irs) = (fields.ack - 1, fields.seq - 1);
        let size = (0..Self::STEPS).find_map(|age| {
            let minute = minute(now).checked_sub(age)?;
            let index = (iss.0 ^ self.hash(quad, irs, minute)).rotate_left(4);
            SIZES.get(index as usize)
        })?;
        let syn = PeerSyn {
            irs,
            window: fields.window,
            mss: Some(*size),
            window_scale: None,
            sack_permitted: false,
            timestamp: None,
            ecn: false,
        };
        Some(match options.timestamps {
            Some((value, echo)) => PeerSyn {
                timestamp: Some(value),
                ..read_options(echo.wrapping_sub(offset), syn)
            },
            None => syn,
        })
    }

    fn hash(&self, quad: Quad, irs: SeqNumber, minute: u64) -> u32 {
        let mut message = [0; 24];
        message[..12].copy_from_slice(&quad.to_bytes());
        message[12..16].copy_from_slice(&irs.0.to_be_bytes());
        message[16..].copy_from_slice(&minute.to_be_bytes());
        SipHasher24::new_with_key(&self.key).hash(&message) as u32
    }
}

/// The key stays out of logs.
impl core::fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CookieJar")
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

fn minute(now: Instant) -> u64 {
    now.as_nanos() / CookieJar::STEP.as_nanos() as u64
}

/// The timestamp clock (RFC 7323 section 5.4), in milliseconds: that of connections.
fn clock(now: Instant) -> u32 {
    // Modulo 2^32.
    now.as_millis() as u32
}

/// The last time, up to 64 ms ago, whose lowest bits are the options: the timestamps of the
/// connection that may come of it are no earlier.
fn write_options(clock: u32, syn: &PeerSyn) -> u32 {
    let mut bits = syn.window_scale.map_or(NO_SCALE, u32::from);
    if syn.sack_permitted {
        bits |= SACK;
    }
    if syn.ecn {
        bits |= ECN;
    }
    let time = (clock & !OPTIONS) | bits;
    if bits > clock & OPTIONS {
        time.wrapping_sub(OPTIONS + 1)
    } else {
        time
    }
}

fn read_options(time: u32, syn: PeerSyn) -> PeerSyn {
    let scale = time & NO_SCALE;
    PeerSyn {
        // Below 15.
        window_scale: (scale != NO_SCALE).then_some(scale as u8),
        sack_permitted: time & SACK != 0,
        ecn: time & ECN != 0,
        ..syn
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    const QUAD: Quad = Quad {
        src: (Ipv4Addr::new(10, 0, 0, 1), 4000),
        dst: (Ipv4Addr::new(10, 0, 0, 2), 80),
    };

    fn ack(cookie: &Cookie, syn: &PeerSyn) -> SegmentFields {
        SegmentFields {
            seq: syn.irs + 1,
            ack: cookie.iss + 1,
            window: 77,
            ..SegmentFields::default()
        }
    }

    fn options(cookie: &Cookie, offset: u32, value: u32) -> OptionSummary {
        let mut options = OptionSummary::default();
        options.timestamps = cookie
            .timestamp
            .map(|time| (value, time.wrapping_add(offset)));
        options
    }

    fn syns() -> impl Strategy<Value = PeerSyn> {
        let sizes = proptest::option::of(any::<u16>());
        let scales = proptest::option::of(any::<u8>());
        let times = proptest::option::of(any::<u32>());
        (any::<u32>(), sizes, scales, times, any::<[bool; 2]>()).prop_map(
            |(irs, mss, window_scale, timestamp, [sack_permitted, ecn])| PeerSyn {
                irs: SeqNumber(irs),
                window: 1000,
                mss,
                window_scale,
                sack_permitted,
                timestamp,
                ecn,
            },
        )
    }

    proptest! {
        #[test]
        fn what_goes_out_comes_back(
            syn in syns(),
            offset in any::<u32>(),
            millis in prop_oneof![0..200u64, 4_294_967_200..4_294_967_400u64, any::<u32>().prop_map(u64::from)],
            late in 0..64_000u64,
        ) {
            let mut jar = CookieJar::new([9; 16]);
            let now = Instant::from_millis(millis);
            let cookie = jar.bake(now, QUAD, &syn, true);
            let (said, taken) = (syn.mss.unwrap_or(536), cookie.syn.mss.unwrap());
            prop_assert!(taken <= said && (u32::from(taken) * 2 + 48 >= u32::from(said) || said > 8960 || taken == 1460));
            if let Some(time) = cookie.timestamp {
                // Not in the future, and not long past.
                prop_assert!((now.as_millis() as u32).wrapping_sub(time) < 64);
                prop_assert_eq!(cookie.syn.window_scale, syn.window_scale.map(|shift| shift.min(14)));
                prop_assert_eq!(cookie.syn.sack_permitted, syn.sack_permitted);
            } else {
                prop_assert!(!cookie.syn.sack_permitted && cookie.syn.window_scale.is_none());
            }
            let back = jar.taste(
                now + Duration::from_millis(late),
                QUAD,
                &ack(&cookie, &syn),
                &options(&cookie, offset, 5),
                offset,
            );
            let expected = PeerSyn {
                window: 77,
                timestamp: cookie.timestamp.map(|_| 5),
                ..cookie.syn
            };
            prop_assert_eq!(back, Some(expected));
        }
    }

    fn plain() -> PeerSyn {
        PeerSyn {
            irs: SeqNumber(u32::MAX),
            window: 1000,
            mss: Some(1460),
            window_scale: None,
            sack_permitted: false,
            timestamp: None,
            ecn: false,
        }
    }

    #[test]
    fn only_fresh_ones_of_this_jar_are_believed() {
        let mut jar = CookieJar::new([9; 16]);
        let start = Instant::from_millis(10_000_000);
        let syn = plain();
        let none = OptionSummary::default();
        assert!(
            jar.taste(start, QUAD, &SegmentFields::default(), &none, 0)
                .is_none()
        );
        let cookie = jar.bake(start, QUAD, &syn, true);
        let good = ack(&cookie, &syn);
        let taste = |jar: &CookieJar, now, quad, fields: &SegmentFields| {
            jar.taste(now, quad, fields, &none, 0).is_some()
        };
        assert!(taste(&jar, start, QUAD, &good));
        let other = Quad {
            src: (QUAD.src.0, 4001),
            ..QUAD
        };
        assert!(!taste(&jar, start, other, &good));
        let fields = SegmentFields {
            seq: good.seq + 1,
            ..good
        };
        assert!(!taste(&jar, start, QUAD, &fields));
        assert!(!taste(
            &CookieJar {
                key: [8; 16],
                last: jar.last
            },
            start,
            QUAD,
            &good
        ));
        // Its own time: others go out meanwhile.
        let late = start + Duration::from_secs(129);
        jar.bake(late, other, &syn, true);
        assert!(!taste(&jar, late, QUAD, &good));
        // Nobody has been sent any of late.
        let cookie = jar.bake(late, QUAD, &syn, true);
        let later = late + Duration::from_secs(129);
        assert!(!taste(&jar, later, QUAD, &ack(&cookie, &syn)));
    }

    #[test]
    fn guesses_fail() {
        let mut jar = CookieJar::new([9; 16]);
        let now = Instant::from_millis(10_000_000);
        jar.bake(now, QUAD, &plain(), true);
        let none = OptionSummary::default();
        let passed = (0..100_000u32).filter(|n| {
            let fields = SegmentFields {
                ack: SeqNumber(n.wrapping_mul(0x9e37_79b9)),
                ..SegmentFields::default()
            };
            jar.taste(now, QUAD, &fields, &none, 0).is_some()
        });
        assert_eq!(passed.count(), 0);
    }

    #[test]
    fn numbers_tell_nothing_of_each_other() {
        let mut jar = CookieJar::new([9; 16]);
        let mut other = CookieJar::new([10; 16]);
        let now = Instant::from_millis(10_000_000);
        let mut bits = [0u32; 32];
        for port in 0..1000 {
            let quad = Quad {
                src: (QUAD.src.0, port),
                ..QUAD
            };
            let iss = jar.bake(now, quad, &plain(), true).iss;
            assert_ne!(iss, other.bake(now, quad, &plain(), true).iss);
            for (bit, count) in bits.iter_mut().enumerate() {
                *count += iss.0 >> bit & 1;
            }
        }
        // Each bit is as often set as not, the lowest too: six standard deviations.
        assert!(
            bits.iter().all(|count| (405..595).contains(count)),
            "{bits:?}"
        );
        assert!(!format!("{jar:?}").contains("9"), "{jar:?}");
    }
}
