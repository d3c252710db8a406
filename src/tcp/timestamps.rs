//! Timestamps: what measures round trips and tells old duplicates (RFC 7323 sections 3 to 5).
//!
//! The clock ticks each millisecond, from a start of its own for each connection
//! (sections 5.4 and 7). Ticks wrap around after 49 days and are compared as sequence numbers are.

use core::time::Duration;

use super::config::Config;
use crate::time::Instant;
use crate::wire::{OptionSummary, SeqNumber};

/// What a connection remembers for them: 20 bytes.
#[derive(Debug)]
pub(super) struct Timestamps {
    /// What is added to the time to make a tick of it.
    offset: u32,
    /// TS.Recent: the tick of the peer's that is echoed.
    recent: u32,
    /// When TS.Recent was set, in seconds: ticks would wrap around too soon.
    recent_at: u32,
    /// Last.ACK.sent.
    last_ack: SeqNumber,
    /// Whether both SYNs carried them; before the peer's has come, whether ours does.
    enabled: bool,
}

impl Timestamps {
    /// What they take of a header with the NOPs that align them, in bytes.
    pub(super) const OPTION_LEN: u32 = 12;

    /// After so long TS.Recent says nothing any more: 24 days, within which a clock that
    /// ticks each millisecond cannot get half around (section 5.5).
    const RECENT_VALID: u32 = 24 * 24 * 60 * 60;

    pub(super) fn new(config: &Config, offset: u32) -> Timestamps {
        Timestamps {
            offset,
            recent: 0,
            recent_at: 0,
            last_ack: SeqNumber(0),
            enabled: config.timestamps,
        }
    }

    /// Whether segments carry them.
    pub(super) fn enabled(&self) -> bool {
        self.enabled
    }

    /// The peer's SYN came, with TSval or without: only if both have it (section 3.2). `next`
    /// is the number after it: before our first acknowledgment, text behind a gap must not
    /// make that which fills it look old.
    pub(super) fn synchronize(&mut self, value: Option<u32>, next: SeqNumber) {
        self.enabled &= value.is_some();
        self.recent = value.unwrap_or_default();
        self.last_ack = next;
    }

    /// TS.Recent was set just now.
    pub(super) fn confirm(&mut self, now: Instant) {
        self.recent_at = seconds(now);
    }

    /// The tick at `now`.
    fn tick(&self, now: Instant) -> u32 {
        // Modulo 2^32.
        (now.as_millis() as u32).wrapping_add(self.offset)
    }

    /// TSval and TSecr of a segment that goes out. TSecr is zero where it has no ACK bit
    /// (section 3.2): `ack` is SEG.ACK, which becomes Last.ACK.sent.
    pub(super) fn stamp(&mut self, now: Instant, ack: Option<SeqNumber>) -> Option<(u32, u32)> {
        if let Some(ack) = ack {
            self.last_ack = ack;
        }
        let echo = ack.map_or(0, |_| self.recent);
        self.enabled.then(|| (self.tick(now), echo))
    }

    /// TSecr of a reset (section 5.2).
    pub(super) fn echo(&self) -> Option<u32> {
        self.enabled.then_some(self.recent)
    }

    /// What a segment with the ACK bit echoes (TSecr). Zero is nothing: so says who has nothing
    /// to echo.
    pub(super) fn echoed(&self, options: &OptionSummary) -> Echo {
        let echo = options.timestamps.filter(|_| self.enabled);
        Echo {
            millis: echo
                .filter(|(_, echo)| *echo != 0)
                .map(|(_, echo)| echo.wrapping_sub(self.offset)),
        }
    }

    /// PAWS (section 5.3, R1): whether a segment with this TSval is an old duplicate.
    pub(super) fn is_old(&self, now: Instant, value: u32) -> bool {
        is_before(value, self.recent) && !self.is_stale(now)
    }

    /// TS.Recent, as long as it says something.
    #[cfg(feature = "simulation")]
    pub(super) fn fresh(&self, now: Instant) -> Option<u32> {
        self.echo().filter(|_| !self.is_stale(now))
    }

    /// An acceptable segment came (section 5.3, R3). What of text that is not yet
    /// acknowledged is echoed is thus the first, and of text behind a gap nothing (section 4.3).
    pub(super) fn note(&mut self, now: Instant, seq: SeqNumber, value: u32) {
        if seq <= self.last_ack && (!is_before(value, self.recent) || self.is_stale(now)) {
            self.recent = value;
            self.confirm(now);
        }
    }

    fn is_stale(&self, now: Instant) -> bool {
        seconds(now).wrapping_sub(self.recent_at) > Self::RECENT_VALID
    }
}

/// Seconds since the epoch, modulo 2^32: 136 years.
fn seconds(now: Instant) -> u32 {
    (now.as_millis() / 1000) as u32
}

/// Whether one tick comes before another.
fn is_before(tick: u32, other: u32) -> bool {
    SeqNumber(tick) < SeqNumber(other)
}

/// When what caused an acknowledgment was sent, as its echoed timestamp says (section 3).
#[derive(Clone, Copy, Debug)]
pub(super) struct Echo {
    /// In milliseconds of our clock, modulo 2^32; none where it says nothing.
    millis: Option<u32>,
}

impl Echo {
    /// Whether that was before `sent_at`, beyond doubt.
    pub(super) fn is_older_than(self, sent_at: Instant) -> bool {
        self.millis
            .is_some_and(|millis| is_before(millis, sent_at.as_millis() as u32))
    }

    /// How long ago that was, to a millisecond; none where it were still to come.
    pub(super) fn round_trip(self, now: Instant) -> Option<Duration> {
        let (millis, now) = (self.millis?, now.as_millis() as u32);
        (!is_before(now, millis)).then(|| Duration::from_millis(now.wrapping_sub(millis).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60 * 1000;

    fn agreed(recent: u32, offset: u32, now: Instant) -> Timestamps {
        let mut timestamps = Timestamps::new(&Config::default(), offset);
        timestamps.synchronize(Some(recent), SeqNumber(0));
        timestamps.confirm(now);
        timestamps
    }

    #[test]
    fn they_take_twenty_bytes() {
        assert_eq!(size_of::<Timestamps>(), 20);
    }

    #[test]
    fn the_clock_wraps_around() {
        let mut timestamps = agreed(7, u32::MAX - 9, Instant::ZERO);
        let stamp = timestamps.stamp(Instant::from_millis(5), None);
        assert_eq!(stamp, Some((u32::MAX - 4, 0)));
        let stamp = timestamps.stamp(Instant::from_millis(12), Some(SeqNumber(1)));
        assert_eq!(stamp, Some((2, 7)));
        let later = Instant::from_millis((1 << 32) + 12);
        assert_eq!(timestamps.tick(later), 2);
    }

    #[test]
    fn an_older_tick_is_old_across_every_wrap() {
        let now = Instant::from_millis(40 * DAY);
        for recent in [5, 0, u32::MAX, 0x7fff_ffff, 0x8000_0000] {
            let timestamps = agreed(recent, 0, now);
            for ahead in [0, 1, 1000, 0x7fff_ffff] {
                assert!(!timestamps.is_old(now, recent.wrapping_add(ahead)));
            }
            for behind in [1, 1000, 0x7fff_ffff] {
                assert!(timestamps.is_old(now, recent.wrapping_sub(behind)));
            }
        }
    }

    #[test]
    fn after_24_days_it_says_nothing_any_more() {
        let start = Instant::from_millis(1000 * DAY);
        let mut timestamps = agreed(1000, 0, start);
        let within = start + Duration::from_millis(24 * DAY);
        assert!(timestamps.is_old(within, 999));
        timestamps.note(within, SeqNumber(0), 999);
        assert_eq!(timestamps.echo(), Some(1000));
        let after = within + Duration::from_secs(1);
        assert!(!timestamps.is_old(after, 999));
        timestamps.note(after, SeqNumber(0), 999);
        assert_eq!(timestamps.echo(), Some(999));
        assert!(timestamps.is_old(after, 998));
        // 49.7 days later the tick is the same again, the day is not.
        let around = after + Duration::from_millis(1 << 32);
        assert!(!timestamps.is_old(around, 998));
    }

    #[test]
    fn what_is_echoed_comes_from_the_segment_that_the_last_acknowledgment_waited_for() {
        let now = Instant::from_millis(1000);
        for start in [SeqNumber(100), SeqNumber(u32::MAX), SeqNumber(0x7fff_ffff)] {
            let mut timestamps = agreed(10, 0, now);
            timestamps.stamp(now, Some(start));
            timestamps.note(now, start, 11);
            // Acknowledged together with the one before: that one's is echoed.
            timestamps.note(now, start + 10, 12);
            assert_eq!(timestamps.stamp(now, Some(start + 20)).unwrap().1, 11);
            // Behind a gap.
            timestamps.note(now, start + 30, 13);
            assert_eq!(timestamps.stamp(now, Some(start + 20)).unwrap().1, 11);
            // What fills it.
            timestamps.note(now, start + 20, 14);
            assert_eq!(timestamps.stamp(now, Some(start + 40)).unwrap().1, 14);
            // An older one changes nothing.
            timestamps.note(now, start + 40, 13);
            assert_eq!(timestamps.echo(), Some(14));
        }
    }

    #[test]
    fn a_round_trip_is_measured_across_the_wrap() {
        let (sent, now) = (Instant::from_millis(90), Instant::from_millis(120));
        let mut timestamps = agreed(1, u32::MAX - 99, Instant::ZERO);
        let mut bytes = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0];
        bytes[8..].copy_from_slice(&timestamps.tick(sent).to_be_bytes());
        let options = OptionSummary::of(&bytes).unwrap();
        let echo = timestamps.echoed(&options);
        assert_eq!(echo.round_trip(now), Some(Duration::from_millis(30)));
        assert!(echo.is_older_than(now) && !echo.is_older_than(sent));
        let before = sent - Duration::from_millis(1);
        assert_eq!(echo.round_trip(before), None);
        timestamps.synchronize(None, SeqNumber(0));
        assert_eq!(timestamps.echoed(&options).round_trip(now), None);
    }
}
