//! What is in use of the heap.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts what the calling thread asks for.
pub struct Counting;

thread_local! {
    /// Bytes in use, and how often any were asked for.
    static HEAP: Cell<(isize, usize)> = const { Cell::new((0, 0)) };
}

fn note(bytes: isize, calls: usize) {
    // A thread that ends may still give memory back.
    let _ = HEAP.try_with(|heap| {
        let (before, count) = heap.get();
        heap.set((before + bytes, count + calls));
    });
}

// SAFETY: all is done by the system's allocator; counting allocates nothing.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize, 1);
        // SAFETY: as the caller has promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(-(layout.size() as isize), 0);
        // SAFETY: as the caller has promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// How many bytes this thread has in use.
pub fn bytes_in_use() -> isize {
    HEAP.get().0
}

/// How often this thread has asked for some.
pub fn allocations() -> usize {
    HEAP.get().1
}
