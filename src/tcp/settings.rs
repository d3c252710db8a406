use core::time::Duration;

/// What the user may set on one connection, at any time. A connection starts with
/// [`Config::settings`](super::Config::settings).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Settings {
    /// Whether short segments wait while others are in flight (Nagle, RFC 9293
    /// section 3.7.4, MUST-17). On.
    pub nagle: bool,
    /// Whether and how an idle connection is probed (RFC 9293 section 3.8.4). Not at all
    /// (MUST-25).
    pub keepalive: Option<Keepalive>,
    /// How often a segment is retransmitted before the connection is given up: R2 of
    /// RFC 9293 section 3.8.3 (MUST-21). 15, which takes some ten minutes.
    pub max_retransmissions: u8,
    /// How long what was sent may stay unacknowledged before the connection is given up
    /// (RFC 5482); the number of retransmissions does not count then. None.
    pub user_timeout: Option<Duration>,
    /// The differentiated services code point of what is sent, 6 bits (MUST-48). 0.
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

/// How an idle connection is probed (RFC 9293 section 3.8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keepalive {
    /// After how long without a word from the peer. 2 hours (MUST-27, MUST-28).
    pub idle: Duration,
    /// The time between probes that are not answered. 75 s.
    pub interval: Duration,
    /// After how many such probes the connection is given up. 9 (MUST-29).
    pub probes: u8,
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
