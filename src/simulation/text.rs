//! Text that tells where it belongs.

/// The octet at place `n` of an endless text. Whoever finds it elsewhere knows that
/// something was lost, doubled or mixed up: neighbours differ, and so do places that lie a
/// segment, a window or a wrap apart.
pub const fn octet(n: u32) -> u8 {
    (n ^ (n >> 8) ^ (n >> 16) ^ (n >> 24)) as u8
}
