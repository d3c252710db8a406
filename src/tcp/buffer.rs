/// A ring of octets that grows with what it holds.
///
/// Octets are written at any place after the front, so that what arrives ahead of
/// its turn lies where it will be read. The ring does not know what is written
/// and what is a gap: that is its owner's affair, and so is the bound.
#[derive(Debug, Default)]
pub(super) struct RingBuffer {
    /// Empty, or a power of two long.
    storage: Box<[u8]>,
    /// Where the front is in `storage`.
    head: usize,
    /// How many octets after the front are in use.
    len: usize,
}

impl RingBuffer {
    /// The smallest storage: a segment or two.
    pub(super) const MIN_CAPACITY: usize = 4096;

    /// How many octets after the front are in use.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends `data` to what is in use.
    pub(super) fn push(&mut self, data: &[u8]) {
        self.write_at(self.len, data);
        self.len += data.len();
    }

    /// Writes `data` from `offset` octets after the front on; what is in use stays so.
    pub(super) fn write_at(&mut self, offset: usize, data: &[u8]) {
        if data.is_empty() {
            // Takes no storage, which nothing might ever give back.
            return;
        }
        self.reserve(offset + data.len());
        let start = self.index(offset);
        let first = data.len().min(self.storage.len() - start);
        let (before_wrap, after_wrap) = data.split_at(first);
        self.storage[start..start + first].copy_from_slice(before_wrap);
        self.storage[..after_wrap.len()].copy_from_slice(after_wrap);
    }

    /// Takes `count` more octets, written before, into use.
    pub(super) fn extend(&mut self, count: usize) {
        self.len += count;
        debug_assert!(self.len <= self.storage.len());
    }

    /// `len` octets in use from `offset` after the front on, in two pieces; fewer
    /// where there are fewer.
    pub(super) fn slices(&self, offset: usize, len: usize) -> [&[u8]; 2] {
        let offset = offset.min(self.len);
        let len = len.min(self.len - offset);
        if len == 0 {
            return [&[], &[]];
        }
        let start = self.index(offset);
        let first = len.min(self.storage.len() - start);
        [
            &self.storage[start..start + first],
            &self.storage[..len - first],
        ]
    }

    /// Copies octets from the front into `out` and drops them; returns how many.
    pub(super) fn read(&mut self, out: &mut [u8]) -> usize {
        let [first, second] = self.slices(0, out.len());
        let (a, b) = (first.len(), second.len());
        out[..a].copy_from_slice(first);
        out[a..a + b].copy_from_slice(second);
        self.consume(a + b);
        a + b
    }

    /// Drops `count` octets from the front, or as many as are in use.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.len);
        if count > 0 {
            self.head = self.index(count);
            self.len -= count;
        }
    }

    /// Drops everything and gives the storage back.
    pub(super) fn clear(&mut self) {
        *self = RingBuffer::default();
    }

    /// How many octets of storage there are.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn capacity(&self) -> usize {
        self.storage.len()
    }

    fn index(&self, offset: usize) -> usize {
        // A power of two, so the mask is the remainder.
        (self.head + offset) & (self.storage.len() - 1)
    }

    fn reserve(&mut self, needed: usize) {
        let capacity = self.storage.len();
        if needed <= capacity && capacity > 0 {
            return;
        }
        let larger = needed.max(Self::MIN_CAPACITY).next_power_of_two();
        // Zeroed pages of the system cost nothing until they are written: one octet far
        // ahead of its turn takes a page, not the megabyte before it.
        let mut storage = vec![0; larger].into_boxed_slice();
        // The front goes to the start; all is kept, since there may be octets past `len`.
        let (end, start) = self.storage.split_at(self.head);
        storage[..start.len()].copy_from_slice(start);
        storage[start.len()..capacity].copy_from_slice(end);
        self.storage = storage;
        self.head = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push(usize),
        Read(usize),
        Consume(usize),
        Ahead { gap: usize, len: usize },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..3000usize).prop_map(Step::Push),
            (0..3000usize).prop_map(Step::Read),
            (0..3000usize).prop_map(Step::Consume),
            (1..2000usize, 1..2000usize).prop_map(|(gap, len)| Step::Ahead { gap, len }),
        ];
        proptest::collection::vec(step, 1..60)
    }

    #[test]
    fn nothing_takes_no_storage() {
        let mut ring = RingBuffer::default();
        ring.push(&[]);
        assert_eq!((ring.len(), ring.capacity()), (0, 0));
    }

    proptest! {
        #[test]
        fn behaves_as_a_queue(steps in steps()) {
            let mut ring = RingBuffer::default();
            let mut model = VecDeque::new();
            let mut next = 0u8;
            let mut fresh = |len: usize| -> Vec<u8> {
                (0..len).map(|_| { next = next.wrapping_add(7); next }).collect()
            };
            for step in steps {
                match step {
                    Step::Push(len) => {
                        let data = fresh(len);
                        ring.push(&data);
                        model.extend(&data);
                    }
                    Step::Read(len) => {
                        let mut out = vec![0; len];
                        let count = ring.read(&mut out);
                        let expected: Vec<u8> = model.drain(..len.min(model.len())).collect();
                        prop_assert_eq!(&out[..count], &expected[..]);
                    }
                    Step::Consume(len) => {
                        ring.consume(len);
                        model.drain(..len.min(model.len()));
                    }
                    // The later octets first, then the gap: as after a reordering.
                    Step::Ahead { gap, len } => {
                        let (early, late) = (fresh(gap), fresh(len));
                        ring.write_at(ring.len() + gap, &late);
                        ring.write_at(ring.len(), &early);
                        ring.extend(gap + len);
                        model.extend(early.iter().chain(&late));
                    }
                }
                prop_assert_eq!(ring.len(), model.len());
                prop_assert_eq!(ring.slices(0, usize::MAX).concat(), model.make_contiguous());
            }
        }
    }
}
