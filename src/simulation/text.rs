//! Text that checks itself: the octet at a number follows from the number.

/// The octet at number `n` of a text that checks itself: what users and peers in these worlds say.
///
/// ```
/// use zerotcp::simulation::octet;
///
/// assert_eq!((octet(7), octet(0x0102)), (7, 3));
/// ```
pub const fn octet(n: u32) -> u8 {
    (n ^ (n >> 8) ^ (n >> 16)) as u8
}

/// Fills `out` with the octets from number `start` on.
pub(super) fn fill(start: u32, out: &mut [u8]) {
    for (n, slot) in (0..).zip(out) {
        *slot = octet(start.wrapping_add(n));
    }
}

/// Whether `octets` are those from number `start` on.
pub(super) fn is_text(start: u32, octets: &[u8]) -> bool {
    let wrong = |(n, found): (u32, &u8)| octet(start.wrapping_add(n)) ^ found;
    (0..).zip(octets).map(wrong).fold(0, |all, one| all | one) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_by_where_it_starts() {
        for start in [0, 1, 1000, 0x7fff_ffc0, 0xffff_ffc0] {
            let mut text = [0; 100];
            fill(start, &mut text);
            assert!(is_text(start, &text));
            for other in [1, 2, 64, 256, 536, 1460, 65_536] {
                assert!(
                    !is_text(start.wrapping_add(other), &text),
                    "{start} {other}"
                );
            }
            for at in 0..text.len() {
                text[at] ^= 0x10;
                assert!(!is_text(start, &text));
                text[at] ^= 0x10;
            }
        }
    }
}
