use super::error::{ErrorKind, Layer, ParseError};
use super::ipv4::{Ipv4Header, Ipv4Packet};

const END_OF_LIST: u8 = 0;
const NO_OPERATION: u8 = 1;

/// One IPv4 option (RFC 791 section 3.1) that has a length: padding is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Option<'a> {
    /// The type: copied flag, class and number.
    pub kind: u8,
    /// What follows type and length.
    pub data: &'a [u8],
}

impl Ipv4Option<'_> {
    /// Loose source and record route.
    pub const LOOSE_SOURCE_ROUTE: u8 = 131;
    /// Strict source and record route.
    pub const STRICT_SOURCE_ROUTE: u8 = 137;
    /// Record route.
    pub const RECORD_ROUTE: u8 = 7;

    /// Whether the option says by which way the packet goes.
    pub const fn is_source_route(&self) -> bool {
        matches!(
            self.kind,
            Ipv4Option::LOOSE_SOURCE_ROUTE | Ipv4Option::STRICT_SOURCE_ROUTE
        )
    }

    /// Of a source route, whether it has come to its end: the pointer is past the last
    /// address. What has not is not yet where it shall go.
    pub fn is_route_complete(&self) -> bool {
        // The pointer counts from 1, at the option's type.
        self.data
            .first()
            .is_some_and(|pointer| usize::from(*pointer) > self.data.len() + 2)
    }
}

/// The options of an IPv4 header, one after the other; it ends after the first malformed one.
///
/// ```
/// use zerotcp::wire::Ipv4Options;
///
/// // A record route with room for one address, and padding.
/// let kinds: Vec<u8> = Ipv4Options::new(&[1, 7, 7, 4, 0, 0, 0, 0, 0])
///     .map(|option| option.unwrap().kind)
///     .collect();
/// assert_eq!(kinds, [7]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Ipv4Options<'a> {
    rest: &'a [u8],
    /// Of `rest`, from the start of the packet.
    offset: usize,
}

impl<'a> Ipv4Options<'a> {
    /// The options in `bytes`, what follows the fixed part of a header: offsets of errors
    /// count from the start of that.
    pub const fn new(bytes: &'a [u8]) -> Ipv4Options<'a> {
        Ipv4Options {
            rest: bytes,
            offset: Ipv4Header::LEN,
        }
    }

    /// The option at the front, which has a length, and what follows it.
    fn split_option(&self, kind: u8) -> Result<(Ipv4Option<'a>, &'a [u8]), ParseError> {
        let error = |kind, offset, needed, found| {
            ParseError::new(Layer::Ipv4, kind, self.offset + offset, needed, found)
        };
        let overrun = |needed| error(ErrorKind::OptionOverrun, 0, needed, self.rest.len());
        let Some(len) = self.rest.get(1).copied().map(usize::from) else {
            return Err(overrun(2));
        };
        let least = match kind {
            // Type, length and pointer.
            Ipv4Option::LOOSE_SOURCE_ROUTE
            | Ipv4Option::STRICT_SOURCE_ROUTE
            | Ipv4Option::RECORD_ROUTE => 3,
            _ => 2,
        };
        if len < least {
            return Err(error(ErrorKind::OptionLength, 1, least, len));
        }
        let Some((option, rest)) = self.rest.split_at_checked(len) else {
            return Err(overrun(len));
        };
        // At least 2 long, as was seen above.
        let data = option.get(2..).unwrap_or(&[]);
        Ok((Ipv4Option { kind, data }, rest))
    }
}

impl<'a> Iterator for Ipv4Options<'a> {
    type Item = Result<Ipv4Option<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let [NO_OPERATION, rest @ ..] = self.rest {
            self.rest = rest;
            self.offset += 1;
        }
        let kind = *self.rest.first()?;
        if kind == END_OF_LIST {
            self.rest = &[];
            return None;
        }
        match self.split_option(kind) {
            Ok((option, rest)) => {
                self.offset += self.rest.len() - rest.len();
                self.rest = rest;
                Some(Ok(option))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

impl core::iter::FusedIterator for Ipv4Options<'_> {}

impl<'a> Ipv4Packet<'a> {
    /// The options, one by one.
    pub fn option_list(&self) -> Ipv4Options<'a> {
        Ipv4Options::new(self.options())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked() {
        let error = |bytes: &[u8]| Ipv4Options::new(bytes).last().unwrap().unwrap_err();
        let is = |error: ParseError| (error.kind, error.offset, error.needed, error.found);
        assert_eq!(is(error(&[1, 7])), (ErrorKind::OptionOverrun, 21, 2, 1));
        for len in [0, 1] {
            let found = is(error(&[99, len, 0, 0]));
            assert_eq!(found, (ErrorKind::OptionLength, 21, 2, len.into()));
        }
        let short_route = error(&[131, 2, 0, 0]);
        assert_eq!(is(short_route), (ErrorKind::OptionLength, 21, 3, 2));
        let long = error(&[99, 2, 7, 39, 4, 0, 0, 0]);
        assert_eq!(is(long), (ErrorKind::OptionOverrun, 22, 39, 6));
        assert_eq!(
            long.to_string(),
            "ipv4: option of 39 bytes at byte 22, the header has 6 left"
        );
        // What follows the end of the list is padding, whatever it is.
        assert_eq!(Ipv4Options::new(&[1, 0, 131, 0]).count(), 0);
    }

    #[test]
    fn a_source_route_knows_whether_it_has_ended() {
        let option = |bytes| Ipv4Options::new(bytes).next().unwrap().unwrap();
        let on_its_way = option(&[131, 7, 4, 10, 0, 0, 1, 0]);
        assert!(on_its_way.is_source_route() && !on_its_way.is_route_complete());
        let arrived = option(&[137, 7, 8, 10, 0, 0, 1, 0]);
        assert!(arrived.is_source_route() && arrived.is_route_complete());
        assert!(!option(&[7, 7, 8, 10, 0, 0, 1, 0]).is_source_route());
    }
}
