//! Link headers: where their payload begins, by a second opinion.

use zerotcp::wire::{ErrorKind, EtherType, Layer, LinkType};

use crate::input::Input;
use crate::naive;

const KNOWN: [LinkType; 10] = [
    LinkType::NULL,
    LinkType::ETHERNET,
    LinkType::DLT_RAW,
    LinkType::DLT_RAW_OPENBSD,
    LinkType::RAW,
    LinkType::LOOP,
    LinkType::LINUX_SLL,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::LINUX_SLL2,
];

/// The link type, by its place in the table or else by its number, then the frame.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let link_type = match KNOWN.get(usize::from(input.u8())) {
        Some(known) => *known,
        None => LinkType(input.u16()),
    };
    let frame = input.rest();
    assert_eq!(link_type.is_known(), KNOWN.contains(&link_type));
    let is_number = link_type.to_string() == format!("link-type-{}", link_type.0);
    assert_eq!(link_type.is_known(), !is_number);

    match (link_type.strip(frame), header(link_type, frame)) {
        (Ok(payload), Some((ethertype, offset))) => {
            assert_eq!(payload.ethertype, ethertype.map(EtherType));
            assert_eq!(payload.offset, offset);
            assert!(offset <= frame.len());
        }
        (Err(error), None) => {
            assert_eq!(error.layer, Layer::Link);
            assert_eq!(error.kind, ErrorKind::Truncated);
            assert_eq!(error.found, frame.len());
            naive::check_error(frame, error);
            // With as much as was needed it is enough, or there is a next header.
            let mut longer = frame.to_vec();
            longer.resize(error.needed, 0);
            if let Err(next) = link_type.strip(&longer) {
                assert!(next.needed > error.needed, "{error}, then {next}");
            }
        }
        (found, expected) => panic!("{link_type}: {found:?}, {expected:?}"),
    }
}

/// The protocol and where it begins; `None` for a header that is cut.
fn header(link_type: LinkType, frame: &[u8]) -> Option<(Option<u16>, usize)> {
    let first = frame.first().copied();
    match link_type {
        LinkType::ETHERNET => tags(frame, 12, 14),
        LinkType::LINUX_SLL => match word(frame, 2, 16)? {
            770 | 803 | 824 => Some((None, 16)),
            _ => tags(frame, 14, 16),
        },
        LinkType::LINUX_SLL2 => match word(frame, 8, 20)? {
            770 | 803 | 824 => Some((None, 20)),
            _ => tags(frame, 0, 20),
        },
        LinkType::NULL | LinkType::LOOP => {
            let ethertype = match *frame.first_chunk::<4>()? {
                [0, 0, 0, family] | [family, 0, 0, 0] => match family {
                    2 => Some(0x0800),
                    24 | 28 | 30 => Some(0x86dd),
                    _ => None,
                },
                _ => None,
            };
            Some((ethertype, 4))
        }
        LinkType::IPV4 => Some((Some(0x0800), 0)),
        LinkType::IPV6 => Some((Some(0x86dd), 0)),
        LinkType::RAW | LinkType::DLT_RAW | LinkType::DLT_RAW_OPENBSD => match first? >> 4 {
            4 => Some((Some(0x0800), 0)),
            6 => Some((Some(0x86dd), 0)),
            _ => Some((None, 0)),
        },
        _ => Some((None, 0)),
    }
}

/// Passes over VLAN tags: the EtherType at `at` is of what begins at `start`.
fn tags(frame: &[u8], at: usize, start: usize) -> Option<(Option<u16>, usize)> {
    match word(frame, at, start)? {
        0x8100 | 0x88a8 | 0x9100 => tags(frame, start + 2, start + 4),
        ethertype => Some((Some(ethertype), start)),
    }
}

/// Two bytes of a header that reaches up to `end`.
fn word(frame: &[u8], at: usize, end: usize) -> Option<u16> {
    (frame.len() >= end).then(|| naive::word(frame, at))
}
