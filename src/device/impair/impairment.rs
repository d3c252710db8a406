//! What a bad network does, and how it is written.

use std::error::Error;
use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use crate::time::nanos;

const KEYS: &str = "loss, burst, reorder, reorder-delay, duplicate, corrupt, delay, jitter, rate, \
                    queue, seed";

/// The longest delay (jitter, reorder-delay) that is accepted in writing.
const TIME_MAX: Duration = Duration::from_secs(3600);

/// The longest mean run of losses that is accepted in writing, in packets.
const BURST_MAX: f64 = 1_000_000.0;

/// The largest queue that is accepted in writing, in packets.
const QUEUE_MAX: usize = 1_000_000;

/// Units of a time with their nanoseconds, the largest first.
const TIME_UNITS: [(&str, u64); 3] = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];

/// Units of a rate with their bits per second, the largest first.
const RATE_UNITS: [(&str, u64); 3] = [
    ("gbit", 1_000_000_000),
    ("mbit", 1_000_000),
    ("kbit", 1_000),
];

/// What a bad network does to packets: a [`Lane`](super::Lane) in one direction, an
/// [`Impaired`](super::Impaired) device in each.
///
/// It is written as settings between commas, in any order; what isn't given is as in
/// [`Impairment::default`], which does nothing:
///
/// ```text
/// loss=1%,reorder=1%,duplicate=1%,corrupt=0.1%,delay=10ms,rate=100mbit,queue=1000,seed=1
/// loss=1%,burst=4,reorder=1%,reorder-delay=5ms,delay=10ms,jitter=2ms
/// ```
///
/// `burst` wants a `loss`, `reorder-delay` a `reorder` and `queue` a `rate`: without, each does
/// nothing, and is refused.
///
/// Probabilities are percentages. A time is in `us`, `ms` or `s` and at most an hour,
/// a rate in `kbit`, `mbit` or `gbit` (thousands, millions, 10^9 bits) a second.
///
/// ```
/// use std::time::Duration;
/// use zerotcp::device::Impairment;
///
/// let impairment: Impairment = "delay=2.5ms,loss=1%".parse()?;
/// assert_eq!(impairment.loss, 0.01);
/// assert_eq!(impairment.delay, Duration::from_micros(2500));
/// assert_eq!(impairment.to_string(), "loss=1%,delay=2500us,seed=0");
///
/// let error = "loss=200%".parse::<Impairment>().unwrap_err();
/// assert_eq!(error.to_string(), "loss=200%: a probability is between 0% and 100%");
/// # Ok::<(), zerotcp::device::ImpairmentError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// Probability, from 0 to 1, that a packet is lost.
    pub loss: f64,
    /// Mean length of a run of losses, in packets, while the average stays
    /// [`loss`](Impairment::loss) (the model of Gilbert). 1 is losses that are never
    /// neighbours; below 1 (the default is 0) losses are independent of each other. A loss
    /// above `burst / (burst + 1)` takes longer runs than this.
    pub burst: f64,
    /// Probability that a packet is held back until others have overtaken it.
    pub reorder: f64,
    /// A reordered packet is late by a random time up to this, whatever comes after it. Zero
    /// (the default) holds it back until one to four others have overtaken it instead.
    pub reorder_delay: Duration,
    /// Probability that a packet arrives twice.
    pub duplicate: f64,
    /// Probability that one bit of a packet is flipped.
    pub corrupt: f64,
    /// How long a packet is on its way.
    pub delay: Duration,
    /// Each packet is on its way for a random time up to this longer, but none arrives
    /// before one that it would have come after without.
    pub jitter: Duration,
    /// The speed of the line in bits a second; `None` is without limit.
    pub rate: Option<NonZeroU64>,
    /// Packets that wait for the line at most: a router's buffer. Without a rate
    /// nothing waits.
    pub queue: usize,
    /// Picks which packets are hit.
    pub seed: u64,
}

impl Default for Impairment {
    /// Nothing happens to any packet. The queue is of 1000 packets.
    fn default() -> Impairment {
        Impairment {
            loss: 0.0,
            burst: 0.0,
            reorder: 0.0,
            reorder_delay: Duration::ZERO,
            duplicate: 0.0,
            corrupt: 0.0,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            rate: None,
            queue: 1000,
            seed: 0,
        }
    }
}

/// Why an [`Impairment`] could not be read: one line with the setting at fault and what
/// would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImpairmentError {
    setting: String,
    problem: String,
}

impl ImpairmentError {
    fn new(setting: &str, problem: impl Into<String>) -> ImpairmentError {
        // Cut and escaped: it came from outside and goes to a terminal.
        let setting = setting
            .chars()
            .take(40)
            .flat_map(char::escape_debug)
            .collect();
        ImpairmentError {
            setting,
            problem: problem.into(),
        }
    }
}

impl fmt::Display for ImpairmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.setting.as_str() {
            "" => f.write_str(&self.problem),
            setting => write!(f, "{setting}: {}", self.problem),
        }
    }
}

impl Error for ImpairmentError {}

impl FromStr for Impairment {
    type Err = ImpairmentError;

    fn from_str(text: &str) -> Result<Impairment, ImpairmentError> {
        let mut impairment = Impairment::default();
        let mut given = Vec::new();
        for setting in text.split(',').map(str::trim) {
            let Some((key, value)) = setting.split_once('=') else {
                let problem = match setting {
                    "" => "an empty setting: write key=value, as in loss=1%,delay=10ms",
                    _ => "no value: write key=value, as in loss=1%",
                };
                return Err(ImpairmentError::new(setting, problem));
            };
            let parsed = match key {
                "loss" => probability(key, value).map(|p| impairment.loss = p),
                "burst" => burst(value).map(|packets| impairment.burst = packets),
                "reorder" => probability(key, value).map(|p| impairment.reorder = p),
                "reorder-delay" => time(key, value).map(|time| impairment.reorder_delay = time),
                "duplicate" => probability(key, value).map(|p| impairment.duplicate = p),
                "corrupt" => probability(key, value).map(|p| impairment.corrupt = p),
                "delay" => time(key, value).map(|time| impairment.delay = time),
                "jitter" => time(key, value).map(|time| impairment.jitter = time),
                "rate" => rate(value).map(|rate| impairment.rate = Some(rate)),
                "queue" => queue(value).map(|queue| impairment.queue = queue),
                "seed" => seed(value).map(|seed| impairment.seed = seed),
                _ => Err(format!("an unknown setting: there are {KEYS}")),
            };
            parsed.map_err(|problem| ImpairmentError::new(setting, problem))?;
            if given.contains(&key) {
                return Err(ImpairmentError::new(
                    setting,
                    format!("{key} is given twice"),
                ));
            }
            given.push(key);
        }
        // What would silently do nothing is a mistake of whoever wrote it.
        let needs = [
            ("burst", "loss", impairment.loss > 0.0),
            ("reorder-delay", "reorder", impairment.reorder > 0.0),
            ("queue", "rate", impairment.rate.is_some()),
        ];
        for (key, other, is_there) in needs {
            if given.contains(&key) && !is_there {
                let problem = format!("it does nothing without a {other}: there is none");
                return Err(ImpairmentError::new(key, problem));
            }
        }
        Ok(impairment)
    }
}

/// As [`FromStr`] reads it: what differs from the default, and the seed.
impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_probability(f, "loss", self.loss)?;
        if self.burst != 0.0 {
            write!(f, "burst={},", self.burst)?;
        }
        write_probability(f, "reorder", self.reorder)?;
        write_time(f, "reorder-delay", self.reorder_delay)?;
        write_probability(f, "duplicate", self.duplicate)?;
        write_probability(f, "corrupt", self.corrupt)?;
        write_time(f, "delay", self.delay)?;
        write_time(f, "jitter", self.jitter)?;
        if let Some(rate) = self.rate {
            write!(f, "rate={},", with_unit(rate.get(), RATE_UNITS))?;
        }
        if self.queue != Impairment::default().queue {
            write!(f, "queue={},", self.queue)?;
        }
        write!(f, "seed={}", self.seed)
    }
}

fn write_probability(f: &mut fmt::Formatter<'_>, key: &str, probability: f64) -> fmt::Result {
    match probability {
        0.0 => Ok(()),
        _ => write!(f, "{key}={}%,", percentage(probability)),
    }
}

fn write_time(f: &mut fmt::Formatter<'_>, key: &str, time: Duration) -> fmt::Result {
    match nanos(time) {
        0 => Ok(()),
        nanos => write!(f, "{key}={},", with_unit(nanos, TIME_UNITS)),
    }
}

fn probability(key: &str, value: &str) -> Result<f64, String> {
    let Some(percentage) = value.strip_suffix('%') else {
        return Err(format!("a probability is a percentage, as in {key}=1%"));
    };
    let possible = number(percentage).is_some_and(|percentage| percentage <= 100.0);
    // The point is moved, as `percentage` moves it back: a division would round once more.
    let moved = format!("{percentage}e-2").parse().ok();
    moved
        .filter(|_| possible)
        .ok_or_else(|| "a probability is between 0% and 100%".into())
}

fn burst(value: &str) -> Result<f64, String> {
    match number(value) {
        Some(packets) if (1.0..=BURST_MAX).contains(&packets) => Ok(packets),
        _ => Err(format!(
            "a burst is a number of packets from 1 to {BURST_MAX}"
        )),
    }
}

fn time(key: &str, value: &str) -> Result<Duration, String> {
    let nanos = quantity(value, TIME_UNITS)
        .ok_or_else(|| format!("a {key} is a number with us, ms or s, as in {key}=10ms"))?;
    let time = Duration::from_nanos(nanos);
    if time > TIME_MAX {
        return Err(format!("a {key} is at most {}s", TIME_MAX.as_secs()));
    }
    Ok(time)
}

fn rate(value: &str) -> Result<NonZeroU64, String> {
    let bits = quantity(value, RATE_UNITS)
        .ok_or("a rate is a number with kbit, mbit or gbit, as in rate=100mbit")?;
    NonZeroU64::new(bits)
        .ok_or_else(|| "a rate is above 0; leave it out for a line without limit".into())
}

fn queue(value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(packets) if packets <= QUEUE_MAX => Ok(packets),
        _ => Err(format!(
            "a queue is a number of packets from 0 to {QUEUE_MAX}"
        )),
    }
}

fn seed(value: &str) -> Result<u64, String> {
    value
        .parse()
        .map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

/// A number followed by one of `units`, in the base unit, rounded down. It is read digit by
/// digit: of large ones a float would not have them all. What is larger than the largest
/// integer becomes that.
fn quantity(value: &str, units: [(&str, u64); 3]) -> Option<u64> {
    let unit_at = value.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let (digits, found) = value.split_at(unit_at);
    let (_, scale) = units.into_iter().find(|&(unit, _)| unit == found)?;
    number(digits)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digit = |byte: u8| u64::from(byte - b'0');
    let whole = whole.bytes().fold(0u64, |number, byte| {
        number.saturating_mul(10).saturating_add(digit(byte))
    });
    let mut place = scale;
    let fraction: u64 = fraction
        .bytes()
        .map(|byte| {
            place /= 10;
            place * digit(byte)
        })
        .sum();
    Some(whole.saturating_mul(scale).saturating_add(fraction))
}

/// A number without sign or exponent: `1`, `0.5`.
fn number(digits: &str) -> Option<f64> {
    let plain = digits.bytes().all(|b| b == b'.' || b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// `value` in the largest of `units` that leaves no fraction, else in the smallest.
fn with_unit(value: u64, units: [(&str, u64); 3]) -> String {
    let (smallest, smallest_scale) = units[2];
    match units
        .into_iter()
        .find(|&(_, scale)| value.is_multiple_of(scale))
    {
        Some((unit, scale)) => format!("{}{unit}", value / scale),
        None => {
            // Every smallest unit is a thousand of the base unit: three decimals hold it all.
            let (whole, rest) = (value / smallest_scale, value % smallest_scale);
            format!("{}{smallest}", trimmed(format!("{whole}.{rest:03}")))
        }
    }
}

/// A hundred times `probability`: the point is moved, since 0.07 is 7% and 0.07 * 100 is
/// 7.000000000000001.
fn percentage(probability: f64) -> String {
    // As many digits as tell the number from its neighbours, and no exponent.
    let digits = probability.clamp(0.0, 1.0).to_string();
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let fraction = format!("{fraction:0<2}");
    let (percent, rest) = fraction.split_at(2);
    // Up to 100; what is not a number never happens.
    let whole: u8 = format!("{whole}{percent}").parse().unwrap_or(0);
    trimmed(format!("{whole}.{rest}"))
}

fn trimmed(decimals: String) -> String {
    decimals
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_setting() {
        let text = "loss=1%,burst=2.5,reorder=2.5%,reorder-delay=3ms,duplicate=0%,corrupt=0.1%,\
                    delay=10ms,jitter=1s,rate=100mbit,queue=50,seed=7";
        let expected = Impairment {
            loss: 0.01,
            burst: 2.5,
            reorder: 0.025,
            reorder_delay: Duration::from_millis(3),
            duplicate: 0.0,
            corrupt: 0.001,
            delay: Duration::from_millis(10),
            jitter: Duration::from_secs(1),
            rate: NonZeroU64::new(100_000_000),
            queue: 50,
            seed: 7,
        };
        assert_eq!(text.parse(), Ok(expected));
        assert_eq!(
            " seed=7 , loss=100% ".parse::<Impairment>().unwrap().loss,
            1.0
        );
        assert_eq!("seed=0".parse(), Ok(Impairment::default()));
    }

    #[test]
    fn reads_units() {
        let delay = |text: &str| text.parse::<Impairment>().unwrap().delay;
        assert_eq!(delay("delay=0ms"), Duration::ZERO);
        assert_eq!(delay("delay=250us"), Duration::from_micros(250));
        assert_eq!(delay("delay=1.5ms"), Duration::from_micros(1500));
        assert_eq!(delay("delay=3600s"), TIME_MAX);
        let rate = |text: &str| text.parse::<Impairment>().unwrap().rate.unwrap().get();
        assert_eq!(rate("rate=56kbit"), 56_000);
        assert_eq!(rate("rate=2.5gbit"), 2_500_000_000);
        assert_eq!(rate("rate=0.001kbit"), 1);
    }

    #[test]
    fn an_error_says_what_is_wrong_and_what_would_be_right() {
        let unknown = "an unknown setting: there are loss, burst, reorder, reorder-delay, \
                       duplicate, corrupt, delay, jitter, rate, queue, seed";
        let burst = "a burst is a number of packets from 1 to 1000000";
        let between = "a probability is between 0% and 100%";
        let seed = "a seed is a whole number from 0 to 18446744073709551615";
        let table = [
            ("loss=200%", format!("loss=200%: {between}")),
            ("loss=100.1%", format!("loss=100.1%: {between}")),
            ("loss=-1%", format!("loss=-1%: {between}")),
            ("reorder=nan%", format!("reorder=nan%: {between}")),
            ("reorder=inf%", format!("reorder=inf%: {between}")),
            ("corrupt=1e1%", format!("corrupt=1e1%: {between}")),
            ("corrupt=%", format!("corrupt=%: {between}")),
            ("duplicate=1.2.3%", format!("duplicate=1.2.3%: {between}")),
            (
                "loss=0.01",
                "loss=0.01: a probability is a percentage, as in loss=1%".into(),
            ),
            (
                "corrupt=",
                "corrupt=: a probability is a percentage, as in corrupt=1%".into(),
            ),
            (
                "delay=10",
                "delay=10: a delay is a number with us, ms or s, as in delay=10ms".into(),
            ),
            (
                "delay=ms",
                "delay=ms: a delay is a number with us, ms or s, as in delay=10ms".into(),
            ),
            (
                "delay=-1ms",
                "delay=-1ms: a delay is a number with us, ms or s, as in delay=10ms".into(),
            ),
            (
                "delay=1h",
                "delay=1h: a delay is a number with us, ms or s, as in delay=10ms".into(),
            ),
            (
                "delay=3601s",
                "delay=3601s: a delay is at most 3600s".into(),
            ),
            (
                "jitter=3601s",
                "jitter=3601s: a jitter is at most 3600s".into(),
            ),
            (
                "reorder-delay=1",
                "reorder-delay=1: a reorder-delay is a number with us, ms or s, as in \
                 reorder-delay=10ms"
                    .into(),
            ),
            ("burst=0", format!("burst=0: {burst}")),
            ("burst=4%", format!("burst=4%: {burst}")),
            ("burst=1000001", format!("burst=1000001: {burst}")),
            (
                "rate=100",
                "rate=100: a rate is a number with kbit, mbit or gbit, as in rate=100mbit".into(),
            ),
            (
                "rate=1Mbit",
                "rate=1Mbit: a rate is a number with kbit, mbit or gbit, as in rate=100mbit".into(),
            ),
            (
                "rate=0kbit",
                "rate=0kbit: a rate is above 0; leave it out for a line without limit".into(),
            ),
            (
                "queue=-1",
                "queue=-1: a queue is a number of packets from 0 to 1000000".into(),
            ),
            (
                "queue=9999999999999999999999",
                "queue=9999999999999999999999: a queue is a number of packets from 0 to 1000000"
                    .into(),
            ),
            (
                "burst=4,loss=0%",
                "burst: it does nothing without a loss: there is none".into(),
            ),
            (
                "delay=1ms,reorder-delay=5ms",
                "reorder-delay: it does nothing without a reorder: there is none".into(),
            ),
            (
                "queue=5",
                "queue: it does nothing without a rate: there is none".into(),
            ),
            ("seed=x", format!("seed=x: {seed}")),
            (
                "seed=18446744073709551616",
                format!("seed=18446744073709551616: {seed}"),
            ),
            ("lose=1%", format!("lose=1%: {unknown}")),
            ("=1%", format!("=1%: {unknown}")),
            (
                "loss=1%,delay=1ms,loss=2%",
                "loss=2%: loss is given twice".into(),
            ),
            (
                "loss",
                "loss: no value: write key=value, as in loss=1%".into(),
            ),
            (
                "",
                "an empty setting: write key=value, as in loss=1%,delay=10ms".into(),
            ),
            (
                "loss=1%,",
                "an empty setting: write key=value, as in loss=1%,delay=10ms".into(),
            ),
            ("\u{1b}[31m=1", format!("\\u{{1b}}[31m=1: {unknown}")),
        ];
        for (text, expected) in table {
            let error = text.parse::<Impairment>().unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_long_setting_does_not_fill_the_screen() {
        let digits = "9".repeat(100_000);
        for text in [
            digits.clone(),
            format!("loss={digits}%"),
            format!("delay={digits}s"),
        ] {
            let error = text.parse::<Impairment>().unwrap_err().to_string();
            assert!(error.len() < 200 && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn is_written_as_it_is_read() {
        for text in [
            "seed=0",
            "loss=7%,seed=1",
            "loss=0.1%,reorder=33.3%,duplicate=100%,corrupt=0.000001%,seed=18446744073709551615",
            "delay=10ms,rate=100mbit,seed=3",
            "delay=1s,rate=1gbit,queue=0,seed=3",
            "delay=1500us,rate=1500kbit,queue=9,seed=3",
            "delay=0.001us,rate=56.123kbit,seed=3",
            "loss=1%,burst=2.25,reorder=3%,reorder-delay=5ms,delay=1ms,jitter=1s,seed=3",
            // More digits than a multiplication of floats leaves right.
            "loss=0.1844674407370955%,reorder=0.0000000000000000123%,seed=0",
            "loss=1%,burst=1.0000000000000002,seed=0",
            "rate=18446744073709551.615kbit,seed=0",
            "rate=9007199254740.993kbit,seed=0",
        ] {
            let impairment: Impairment = text.parse().unwrap();
            assert_eq!(impairment.to_string(), text);
            assert_eq!(impairment.to_string().parse(), Ok(impairment));
        }
    }
}
