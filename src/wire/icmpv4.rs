use core::fmt;
use core::ops::Deref;

use byteorder::{BigEndian, ByteOrder};
use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::checksum::Checksum;
use super::error::{ErrorKind, Layer, ParseError};
use super::raw::RawIpv4;

/// The type of an ICMP message, by its assigned number (RFC 792).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Icmpv4Type(pub u8);

impl Icmpv4Type {
    /// Echo reply.
    pub const ECHO_REPLY: Icmpv4Type = Icmpv4Type(0);
    /// Destination unreachable.
    pub const DESTINATION_UNREACHABLE: Icmpv4Type = Icmpv4Type(3);
    /// Source quench, deprecated by RFC 6633.
    pub const SOURCE_QUENCH: Icmpv4Type = Icmpv4Type(4);
    /// Redirect.
    pub const REDIRECT: Icmpv4Type = Icmpv4Type(5);
    /// Echo request.
    pub const ECHO_REQUEST: Icmpv4Type = Icmpv4Type(8);
    /// Time exceeded.
    pub const TIME_EXCEEDED: Icmpv4Type = Icmpv4Type(11);
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: Icmpv4Type = Icmpv4Type(12);

    /// Whether the message reports an error and so quotes the packet that caused
    /// it (RFC 1122 section 3.2.2).
    pub const fn is_error(self) -> bool {
        matches!(self.0, 3 | 4 | 5 | 11 | 12)
    }
}

impl fmt::Display for Icmpv4Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Icmpv4Type::ECHO_REPLY => f.write_str("echo reply"),
            Icmpv4Type::DESTINATION_UNREACHABLE => f.write_str("destination unreachable"),
            Icmpv4Type::SOURCE_QUENCH => f.write_str("source quench"),
            Icmpv4Type::REDIRECT => f.write_str("redirect"),
            Icmpv4Type::ECHO_REQUEST => f.write_str("echo request"),
            Icmpv4Type::TIME_EXCEEDED => f.write_str("time exceeded"),
            Icmpv4Type::PARAMETER_PROBLEM => f.write_str("parameter problem"),
            Icmpv4Type(number) => write!(f, "type {number}"),
        }
    }
}

/// The eight bytes before the body of an ICMP message (RFC 792), to be laid over
/// a buffer with `zerocopy`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Icmpv4Header {
    pub(super) kind: u8,
    pub(super) code: u8,
    pub(super) checksum: U16,
    pub(super) rest: [u8; 4],
}

impl Icmpv4Header {
    /// Length of the header, in bytes.
    pub const LEN: usize = size_of::<Icmpv4Header>();

    /// The type of the message.
    pub const fn kind(&self) -> Icmpv4Type {
        Icmpv4Type(self.kind)
    }

    /// The code, whose meaning depends on the type.
    pub const fn code(&self) -> u8 {
        self.code
    }

    /// The checksum field.
    pub fn checksum(&self) -> u16 {
        self.checksum.get()
    }

    /// The second word, whose meaning depends on the type.
    pub const fn rest(&self) -> [u8; 4] {
        self.rest
    }

    /// The identifier of an echo message.
    pub fn identifier(&self) -> u16 {
        BigEndian::read_u16(&self.rest[..2])
    }

    /// The sequence number of an echo message.
    pub fn sequence(&self) -> u16 {
        BigEndian::read_u16(&self.rest[2..])
    }

    /// The next hop's MTU in a fragmentation-needed message (type 3, code 4), in
    /// bytes; 0 from a router older than RFC 1191 (section 4).
    pub fn next_hop_mtu(&self) -> u16 {
        BigEndian::read_u16(&self.rest[2..])
    }
}

/// An ICMP message that was found sound: length and checksum.
#[derive(Clone, Copy, Debug)]
pub struct Icmpv4Message<'a> {
    header: &'a Icmpv4Header,
    body: &'a [u8],
}

impl<'a> Icmpv4Message<'a> {
    /// The message that fills `bytes`, its checksum verified.
    ///
    /// # Errors
    /// [`Truncated`](ErrorKind::Truncated) and [`Checksum`](ErrorKind::Checksum).
    pub fn parse(bytes: &'a [u8]) -> Result<Icmpv4Message<'a>, ParseError> {
        let Ok((header, body)) = Icmpv4Header::ref_from_prefix(bytes) else {
            let kind = ErrorKind::Truncated;
            let (needed, found) = (Icmpv4Header::LEN, bytes.len());
            return Err(ParseError::new(Layer::Icmpv4, kind, 0, needed, found));
        };
        if !Checksum::of(bytes).is_valid() {
            let found = header.checksum();
            // Summed anew: a message of zeros alone has the one sum that its checksum's
            // complement does not take back (RFC 1624 section 3).
            let right = Checksum::of(&bytes[..2]).combine(Checksum::of(&bytes[4..]));
            let right = right.finish();
            let (needed, found) = (right.into(), found.into());
            return Err(ParseError::new(
                Layer::Icmpv4,
                ErrorKind::Checksum,
                2,
                needed,
                found,
            ));
        }
        Ok(Icmpv4Message { header, body })
    }

    /// What follows the header: the data of an echo, the quote of an error.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The packet that an error message quotes: its header and at least eight
    /// octets, seldom more; `None` for messages that report no error.
    pub fn quote(&self) -> Option<RawIpv4<'a>> {
        self.kind().is_error().then(|| RawIpv4::new(self.body))
    }
}

impl Deref for Icmpv4Message<'_> {
    type Target = Icmpv4Header;

    fn deref(&self) -> &Icmpv4Header {
        self.header
    }
}
