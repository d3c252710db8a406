use core::time::Duration;

/// What the user may set on one connection, at any time. A connection starts with
/// [`Config::settings`](super::Config::settings);
/// [`Stack::set`](crate::stack::Stack::set) changes those of one.
///
/// ```
/// use std::time::Duration;
/// use zerotcp::stack::Config;
/// use zerotcp::tcp::Keepalive;
///
/// // With what all connections of a stack begin.
/// let mut config = Config::new("10.0.0.1".parse().unwrap());
/// config.tcp.settings.keepalive = Some(Keepalive::default()); // after two hours of silence
/// config.tcp.settings.user_timeout = Some(Duration::from_secs(120));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Settings {
    /// Whether short segments wait while others are in flight (Nagle, RFC 9293
    /// section 3.7.4, MUST-17). On.
    pub nagle: bool,
    /// Whether and how an idle connection is probed (RFC 9293 section 3.8.4). Not at all
    /// (MUST-25).
    pub keepalive: Option<Keepalive>,
    /// How many times in a row a segment is retransmitted before the connection is given up: R2 of
    /// RFC 9293 section 3.8.3 (MUST-21). 15, which takes some ten minutes.
    pub max_retransmissions: u8,
    /// How long there may be no progress before the connection is given up, while something
    /// is outstanding (RFC 5482; of this host alone, the option of section 3 is neither sent
    /// nor understood). The number of retransmissions does not count then, be it of a SYN.
    ///
    /// It is counted from when the peer's acknowledgment last moved, or from when the oldest
    /// octet was sent if nothing was outstanding before; of a closed window, from when it was
    /// found closed, also where the peer answers every probe, as Linux has it. None.
    pub user_timeout: Option<Duration>,
    /// The differentiated services code point of what is sent, 6 bits (RFC 2474, MUST-48). 0.
    pub dscp: u8,
    /// Whether soft errors are told, such as ICMP's "host unreachable" (RFC 9293 section
    /// 3.9.1.8, SHLD-20). On.
    pub soft_errors: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            nagle: true,
            keepalive: None,
            max_retransmissions: 15,
            user_timeout: None,
            dscp: 0,
            soft_errors: true,
        }
    }
}

/// How an idle connection is probed (RFC 9293 section 3.8.4): while nothing is outstanding
/// (MUST-26), with segments that carry no text (SHLD-12) and a number just below the peer's
/// window, which it answers. Any acceptable segment of the peer's begins the wait anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keepalive {
    /// After how long without a word from the peer, at least 1 s. 2 hours (MUST-27, MUST-28).
    pub idle: Duration,
    /// The time between probes that are not answered, at least 1 s. 75 s.
    pub interval: Duration,
    /// After how many such probes the connection is given up with a reset, at least 2
    /// (MUST-29); not before [`Settings::user_timeout`], if there is one. 9.
    pub probes: u8,
}

impl Keepalive {
    /// Less is taken as this: who probes all the time does not wait for answers.
    pub(super) const LEAST: Duration = Duration::from_secs(1);
}

impl Default for Keepalive {
    fn default() -> Keepalive {
        Keepalive {
            idle: Duration::from_secs(2 * 60 * 60),
            interval: Duration::from_secs(75),
            probes: 9,
        }
    }
}
