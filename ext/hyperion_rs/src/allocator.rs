//! Where the buffers of connections lie. The system counts memory in pages, and of the two large buffers that the `h2`
//! crate makes for each connection, an idle one has touched no more than the beginning. Left to the system's allocator,
//! each costs a page for nothing: the rest of the one it begins in, with the part of another that it ends in.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;

/// The system's allocator, which is asked for such buffers in another way: each begins [`HEAD`] bytes before the end of a
/// page, of which the rest is left to small things, and the page that it ends in is its own. It is a matter of hints: the
/// layout is that of glibc, and with any other nothing is gained, and nothing lost but a little time.
pub(crate) struct Allocator;

/// The read buffer and the write buffer of `h2`.
const BUFFERS: [usize; 2] = [8 * 1024, 16 * 1024];
/// What is touched of a buffer by the first requests of a connection.
const HEAD: usize = 512;
const PAGE: usize = 4096;
/// glibc's chunks are multiples of it.
const UNIT: usize = 16;
/// What glibc adds to each allocation, before it is rounded up.
const OVERHEAD: usize = 8;
const MIN_CHUNK: usize = 2 * UNIT;

// SAFETY: every block is one of `System`, with the layout that `outer` makes of the one asked for: the same alignment, and at
// least its size.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_buffer(layout) {
            // SAFETY: a buffer has a size.
            unsafe { place(layout) }
        } else {
            // SAFETY: the caller's promise.
            unsafe { System.alloc(layout) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise; `outer` is no smaller.
        unsafe { System.alloc_zeroed(outer(layout)) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise; `outer` is the layout that the block was made with.
        unsafe { System.dealloc(block, outer(layout)) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size makes a valid layout.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the caller's promise; `outer` is the layout that the block was made with, and that the new one will be
        // freed with.
        unsafe { System.realloc(block, outer(layout), outer(new).size()) }
    }
}

fn is_buffer(layout: Layout) -> bool {
    BUFFERS.contains(&layout.size()) && layout.align() == 1
}

/// What the system is asked for: a buffer has all of the page that it ends in, up to the head of the chunk that follows.
fn outer(layout: Layout) -> Layout {
    if is_buffer(layout) { bytes(layout.size() + HEAD + UNIT - OVERHEAD) } else { layout }
}

/// # Safety
///
/// As of [`GlobalAlloc::alloc`].
unsafe fn place(layout: Layout) -> *mut u8 {
    let outer = outer(layout);
    // Shows where free memory begins.
    let probe = bytes(outer.size() + PAGE);
    // SAFETY: none of these sizes is 0, and each block is freed with the layout that it has then.
    unsafe {
        let found = System.alloc(probe);
        if found.is_null() {
            return ptr::null_mut();
        }
        // What is left before the buffer is freed behind it, for others to use.
        let gap = bytes(gap_before(found.addr()) - OVERHEAD);
        let before = System.realloc(found, probe, gap.size());
        if before.is_null() {
            System.dealloc(found, probe);
            return ptr::null_mut();
        }
        let buffer = System.alloc(outer);
        System.dealloc(before, gap);
        buffer
    }
}

/// The size of a chunk from `address` to the next place where a buffer may begin.
fn gap_before(address: usize) -> usize {
    let gap = (2 * PAGE - HEAD - address % PAGE) % PAGE;
    if gap < MIN_CHUNK { gap + PAGE } else { gap }
}

/// Of any alignment.
fn bytes(size: usize) -> Layout {
    // SAFETY: 1 is a power of two, and what is asked for here is much smaller than the largest allocation.
    unsafe { Layout::from_size_align_unchecked(size, 1) }
}
