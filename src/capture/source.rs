use std::fmt;
use std::io::{self, ErrorKind, Read};

use super::error::CaptureErrorKind;

/// A window on a stream: a buffer from whose front whole records are taken.
pub(super) struct Source<R> {
    reader: R,
    buffer: Vec<u8>,
    /// What was read and not yet taken.
    start: usize,
    end: usize,
    /// How many bytes of the stream lie before `start`.
    offset: u64,
}

impl<R: Read> Source<R> {
    /// Small enough to stay in a core's second-level cache, large enough that a
    /// read costs little against what it brings.
    const CAPACITY: usize = 256 << 10;

    pub(super) fn new(reader: R) -> Source<R> {
        Source {
            reader,
            buffer: vec![0; Self::CAPACITY],
            start: 0,
            end: 0,
            offset: 0,
        }
    }

    /// The bytes that wait to be taken.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Brings `len` bytes to the front; `false` if the stream ends before.
    #[inline]
    pub(super) fn want(&mut self, len: usize) -> io::Result<bool> {
        Ok(self.end - self.start >= len || self.fill(len)?)
    }

    /// As [`want`](Source::want), for a record that must be whole.
    #[inline]
    pub(super) fn need(&mut self, needed: usize) -> Result<(), CaptureErrorKind> {
        if self.want(needed)? {
            Ok(())
        } else {
            let found = self.bytes().len();
            Err(CaptureErrorKind::Truncated { needed, found })
        }
    }

    /// Takes `len` bytes, no more than wait, off the front. They stay where they
    /// are until the next call that wants some.
    #[inline]
    pub(super) fn take(&mut self, len: usize) -> &[u8] {
        let taken = self.start..self.start + len;
        self.start = taken.end;
        self.offset += len as u64;
        &self.buffer[taken]
    }

    #[cold]
    fn fill(&mut self, len: usize) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < len {
            if self.end == self.buffer.len() {
                // Not to `len` at once: a file may claim more than it holds.
                self.buffer.resize(len.min(2 * self.end), 0);
            }
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl<R> fmt::Debug for Source<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_what_comes_and_not_what_is_claimed() {
        let file = vec![7; 3 * Source::<&[u8]>::CAPACITY];
        let mut source = Source::new(file.as_slice());
        assert!(!source.want(1 << 40).unwrap());
        assert_eq!(source.bytes(), file);
        assert!(source.buffer.len() <= 2 * file.len());

        let mut source = Source::new(file.as_slice());
        source.take(0);
        assert!(source.want(file.len() - 1).unwrap());
        assert_eq!(source.take(file.len() - 1), &file[1..]);
        assert!(source.want(1).unwrap() && !source.want(2).unwrap());
    }
}
