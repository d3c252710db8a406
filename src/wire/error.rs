use core::fmt;

/// The protocol layer at which a packet was found wanting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Layer {
    /// A link header: Ethernet, VLAN, Linux cooked, BSD null.
    Link,
    /// IPv4, RFC 791.
    Ipv4,
    /// TCP, RFC 9293.
    Tcp,
    /// ICMP for IPv4, RFC 792.
    Icmpv4,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::Link => "link",
            Layer::Ipv4 => "ipv4",
            Layer::Tcp => "tcp",
            Layer::Icmpv4 => "icmpv4",
        })
    }
}

/// What is wrong with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Fewer bytes than the fixed part of the header.
    Truncated,
    /// The version field is not 4.
    Version,
    /// The header length (IHL, data offset) is below its minimum of 5 words.
    HeaderLength,
    /// The header length (IHL, data offset) reaches past the packet's end.
    HeaderOverrun,
    /// IPv4's total length is smaller than its header.
    TotalLength,
    /// IPv4's total length reaches past the bytes that were received.
    Cut,
    /// The checksum does not fit the bytes.
    Checksum,
    /// The packet is one fragment of a larger datagram: its transport is not whole.
    Fragment,
    /// The packet carries another protocol than the one asked for.
    Protocol,
    /// An option's length is below 2 or not the one that its kind prescribes: of SACK, which
    /// has several, the least is said to be needed.
    OptionLength,
    /// An option reaches past the end of the header.
    OptionOverrun,
}

/// Why bytes are not the packet they were taken for: layer, place, what was
/// needed and what was found.
///
/// ```
/// use zerotcp::wire::TcpSegment;
///
/// let mut segment = [0; 20];
/// segment[12] = 4 << 4;
/// let error = TcpSegment::parse_unverified(&segment).unwrap_err();
/// assert_eq!(error.to_string(), "tcp: data offset 4 words at byte 12, at least 5 needed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParseError {
    /// The layer whose header is wrong.
    pub layer: Layer,
    /// What is wrong with it.
    pub kind: ErrorKind,
    /// Where the offending field (or the missing byte) is, in bytes from the
    /// start of the slice that was parsed; of options, which are looked at later, from the
    /// start of the TCP header: [`at`](ParseError::at) counts from further out.
    pub offset: usize,
    /// What would have been right, in the unit of the field: words for a header
    /// length, bytes for other lengths, a number for a version, protocol or checksum.
    pub needed: usize,
    /// What was there instead, in the same unit.
    pub found: usize,
}

impl ParseError {
    #[cold]
    pub(crate) const fn new(
        layer: Layer,
        kind: ErrorKind,
        offset: usize,
        needed: usize,
        found: usize,
    ) -> ParseError {
        ParseError {
            layer,
            kind,
            offset,
            needed,
            found,
        }
    }

    /// The same error with its offset counted from `base` bytes further out, for
    /// a header that was parsed inside another packet.
    #[must_use]
    pub const fn at(self, base: usize) -> ParseError {
        ParseError {
            offset: self.offset.saturating_add(base),
            ..self
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ParseError {
            layer,
            kind,
            offset,
            needed,
            found,
        } = *self;
        write!(f, "{layer}: ")?;
        let length = match layer {
            Layer::Tcp => "data offset",
            _ => "header length",
        };
        match kind {
            ErrorKind::Truncated => {
                write!(
                    f,
                    "{found} bytes at byte {offset}, at least {needed} needed"
                )
            }
            ErrorKind::Version => {
                write!(f, "version {found} at byte {offset}, {needed} needed")
            }
            ErrorKind::HeaderLength => write!(
                f,
                "{length} {found} words at byte {offset}, at least {needed} needed"
            ),
            ErrorKind::HeaderOverrun => write!(
                f,
                "{length} at byte {offset} says {needed} bytes, the packet has {found}"
            ),
            ErrorKind::TotalLength => write!(
                f,
                "total length {found} at byte {offset}, at least {needed} needed"
            ),
            ErrorKind::Cut => write!(
                f,
                "total length {needed} at byte {offset}, but only {found} bytes are there"
            ),
            ErrorKind::Checksum => write!(
                f,
                "checksum {found:#06x} at byte {offset}, {needed:#06x} would be right"
            ),
            ErrorKind::Fragment => {
                write!(f, "a fragment (field {found:#06x} at byte {offset})")
            }
            ErrorKind::Protocol => {
                write!(f, "protocol {found} at byte {offset}, {needed} needed")
            }
            ErrorKind::OptionLength => {
                write!(f, "option length {found} at byte {offset}, {needed} needed")
            }
            ErrorKind::OptionOverrun => write!(
                f,
                "option of {needed} bytes at byte {offset}, the header has {found} left"
            ),
        }
    }
}

impl core::error::Error for ParseError {}
