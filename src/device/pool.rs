//! Packet buffers that are used again.

/// Buffers of packets that have gone, kept for packets to come, so that a warm
/// queue allocates nothing. It never holds more than were out at one time.
#[derive(Debug, Default)]
pub(super) struct Pool(Vec<Vec<u8>>);

impl Pool {
    /// A buffer that holds a copy of `packet`.
    pub(super) fn copy(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut buffer = self.0.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(packet);
        buffer
    }

    /// Takes a buffer back.
    pub(super) fn recycle(&mut self, buffer: Vec<u8>) {
        self.0.push(buffer);
    }

    /// Copies a packet out, cut at the end of `into`, takes its buffer back and
    /// returns how many bytes were copied.
    pub(super) fn copy_out(&mut self, buffer: Vec<u8>, into: &mut [u8]) -> usize {
        let len = buffer.len().min(into.len());
        into[..len].copy_from_slice(&buffer[..len]);
        self.recycle(buffer);
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again() {
        let mut pool = Pool::default();
        let first = pool.copy(&[1; 1500]);
        let address = first.as_ptr();
        pool.recycle(first);
        let second = pool.copy(&[2; 40]);
        assert_eq!(second, [2; 40]);
        assert_eq!(second.as_ptr(), address);
    }

    #[test]
    fn a_packet_is_cut_at_the_buffers_end() {
        let mut pool = Pool::default();
        let packet = pool.copy(&[1, 2, 3]);
        let mut into = [0; 2];
        assert_eq!(pool.copy_out(packet, &mut into), 2);
        assert_eq!(into, [1, 2]);
    }
}
