//! Bytes to send, and to compare with what arrived.

/// Bytes that are never twice the same, but the same for a seed.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// Whether both are equal, without printing megabytes where they are not.
pub fn assert_same(left: &[u8], right: &[u8]) {
    assert_eq!(left.len(), right.len(), "lengths differ");
    let at = left.iter().zip(right).position(|(a, b)| a != b);
    assert_eq!(at, None, "bytes differ");
}
