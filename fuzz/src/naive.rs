//! The RFCs as plainly as they can be written, to hold the library against: nothing here uses
//! it but for its names.

use zerotcp::wire::{ErrorKind, Layer, ParseError};

pub fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from(word(bytes, at)) << 16 | u32::from(word(bytes, at + 2))
}

pub fn set_word(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// The ones' complement sum of 16-bit words (RFC 1071 section 1); an odd byte at the end is
/// followed by a zero.
pub fn sum(bytes: &[u8]) -> u16 {
    let (mut sum, mut at) = (0u64, 0);
    while at + 1 < bytes.len() {
        sum += u64::from(word(bytes, at));
        at += 2;
    }
    if at < bytes.len() {
        sum += u64::from(bytes[at]) << 8;
    }
    fold(sum)
}

/// The sum of the pseudo-header and a segment (RFC 9293 section 3.1). `addresses` are the
/// source's and the destination's as they lie in the packet.
pub fn segment_sum(addresses: &[u8], protocol: u8, segment: &[u8]) -> u16 {
    let rest = u64::from(protocol) + segment.len() as u64;
    fold(u64::from(sum(addresses)) + rest + u64::from(sum(segment)))
}

pub fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// What the checksum field at byte `at` has to be, if `sum` is the sum with what it is.
pub fn right_checksum(bytes: &[u8], at: usize, sum: u16) -> u16 {
    !fold(u64::from(sum) + u64::from(!word(bytes, at)))
}

pub fn header_len(packet: &[u8]) -> usize {
    usize::from(packet[0] & 0x0f) * 4
}

/// Where the packet's payload lies, if its lengths are sound (RFC 791 section 3.1).
pub fn payload_range(packet: &[u8]) -> Option<std::ops::Range<usize>> {
    if packet.len() < 20 || packet[0] >> 4 != 4 {
        return None;
    }
    let (start, end) = (header_len(packet), usize::from(word(packet, 2)));
    (start >= 20 && start <= end && end <= packet.len()).then_some(start..end)
}

/// Makes the checksum of an IPv4 header right, if there is one.
pub fn seal_ipv4(packet: &mut [u8]) {
    if packet.len() < 20 {
        return;
    }
    let len = header_len(packet).clamp(20, packet.len());
    set_word(packet, 10, 0);
    let sum = sum(&packet[..len]);
    set_word(packet, 10, !sum);
}

/// Makes the checksum of what a sound IPv4 packet carries right: TCP's, ICMP's.
pub fn seal_payload(packet: &mut [u8]) {
    let Some(range) = payload_range(packet) else {
        return;
    };
    let (header, payload) = packet[..range.end].split_at_mut(range.start);
    match header[9] {
        1 if payload.len() >= 8 => {
            set_word(payload, 2, 0);
            let sum = sum(payload);
            set_word(payload, 2, !sum);
        }
        6 if payload.len() >= 20 => {
            set_word(payload, 16, 0);
            let sum = segment_sum(&header[12..20], 6, payload);
            set_word(payload, 16, !sum);
        }
        _ => {}
    }
}

/// Both zeros of ones' complement are right in a checksum field where one is; a builder
/// writes this one.
pub fn with_positive_zero(bytes: &mut [u8], at: usize) {
    if word(bytes, at) == 0xffff {
        set_word(bytes, at, 0);
    }
}

/// Whether what an error says of `bytes`, which were to be parsed, is so.
pub fn check_error(bytes: &[u8], error: ParseError) {
    let ParseError {
        layer,
        kind,
        offset,
        needed,
        found,
    } = error;
    let left = bytes.len().checked_sub(offset).expect("past the end");
    let byte = || usize::from(bytes[offset]);
    let field = || usize::from(word(bytes, offset));
    match kind {
        ErrorKind::Truncated => assert!(found < needed && found <= left, "{error:?}"),
        ErrorKind::Version => assert!(byte() >> 4 == found && found != needed, "{error:?}"),
        ErrorKind::HeaderLength | ErrorKind::HeaderOverrun => {
            let words = match layer {
                Layer::Tcp => byte() >> 4,
                _ => byte() & 0x0f,
            };
            match kind {
                ErrorKind::HeaderLength => assert_eq!((words, needed), (found, 5), "{error:?}"),
                _ => assert_eq!(words * 4, needed, "{error:?}"),
            }
            assert!(found < needed, "{error:?}");
        }
        ErrorKind::TotalLength => assert!(field() == found && found < needed, "{error:?}"),
        ErrorKind::Cut => assert!(field() == needed && found < needed, "{error:?}"),
        ErrorKind::Checksum => assert!(field() == found && found != needed, "{error:?}"),
        ErrorKind::Fragment => assert!(field() == found && found & 0x3fff != 0, "{error:?}"),
        ErrorKind::Protocol => assert!(byte() == found && found != needed, "{error:?}"),
        ErrorKind::OptionLength => assert!(byte() == found && found != needed, "{error:?}"),
        ErrorKind::OptionOverrun => assert!(found < needed && found <= left, "{error:?}"),
        _ => panic!("what is {error:?}?"),
    }
    assert!(error.to_string().starts_with(&layer.to_string()));
    assert_eq!(error.at(7).offset, offset + 7);
}
