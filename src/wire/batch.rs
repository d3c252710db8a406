use core::iter::FusedIterator;

use super::error::ParseError;
use super::packet::TcpPacket;

/// Packets whose headers are on their way from memory while one is parsed. Of 8, 16, 24 and 32
/// the first was too few and the others did as well as one another (Zen 4).
const AHEAD: usize = 16;

/// Parses packets one after the other, with the headers of those to come on their way
/// into the cache: made by [`TcpPacket::parse_batch`].
#[derive(Clone, Debug)]
#[must_use = "iterators are lazy"]
pub struct ParseBatch<'p, 'a> {
    packets: core::slice::Iter<'p, &'a [u8]>,
}

impl<'a> TcpPacket<'a> {
    /// Parses each of `packets`, both checksums verified, as [`parse`](TcpPacket::parse) does.
    ///
    /// Where packets come out of memory and not out of a cache, as from a device that wrote
    /// them there or from a large ring of buffers, waiting for the first byte of each takes
    /// longer than all else. Here the wait for one is spent on those before it.
    ///
    /// ```
    /// use std::net::{Ipv4Addr, SocketAddrV4};
    /// use zerotcp::wire::{TcpBuilder, TcpPacket};
    ///
    /// let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7);
    /// let mut buffers = [[0; 40]; 3];
    /// for buffer in &mut buffers {
    ///     TcpBuilder::new(any, any).write(buffer, b"")?;
    /// }
    /// buffers[1][39] = 1; // the urgent pointer, which the checksum covers
    ///
    /// let packets = buffers.each_ref().map(|buffer| buffer.as_slice());
    /// let sound: Vec<bool> = TcpPacket::parse_batch(&packets).map(|packet| packet.is_ok()).collect();
    /// assert_eq!(sound, [true, false, true]);
    /// # Ok::<(), zerotcp::wire::BuildError>(())
    /// ```
    #[inline]
    pub fn parse_batch<'p>(packets: &'p [&'a [u8]]) -> ParseBatch<'p, 'a> {
        for packet in packets.iter().take(AHEAD) {
            prefetch(packet);
        }
        ParseBatch {
            packets: packets.iter(),
        }
    }
}

impl<'a> Iterator for ParseBatch<'_, 'a> {
    type Item = Result<TcpPacket<'a>, ParseError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(ahead) = self.packets.as_slice().get(AHEAD) {
            prefetch(ahead);
        }
        self.packets.next().map(|packet| TcpPacket::parse(packet))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.packets.size_hint()
    }
}

impl ExactSizeIterator for ParseBatch<'_, '_> {}

impl FusedIterator for ParseBatch<'_, '_> {}

/// Asks for the cache line in which `packet` begins. Where there is no way to, nothing.
#[inline(always)]
fn prefetch(packet: &[u8]) {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

        // SAFETY: a prefetch reads and writes nothing, at whatever address.
        #[allow(unsafe_code)]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(packet.as_ptr().cast());
        }
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
    let _ = packet;
}
