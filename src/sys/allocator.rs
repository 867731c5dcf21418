//! The memory of the command.

use std::alloc::{GlobalAlloc, Layout};
use std::io::{Cursor, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dlmalloc::Dlmalloc;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

/// One allocator with every C library. It asks the kernel for memory less often than theirs, and ends the
/// process with a sentence and exit code 1 if there is none.
#[derive(Clone, Copy, Debug)]
pub struct Allocator;

/// Behind a lock of two instructions: dlmalloc's own calls the C library, which is a fifth of the time of a start.
static MEMORY: Mutex<Dlmalloc> = Mutex::new(Dlmalloc::new());

fn memory() -> MutexGuard<'static, Dlmalloc> {
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

// SAFETY: each method passes on what dlmalloc's returns, or does not return.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the same terms.
        or_end(unsafe { memory().malloc(layout.size(), layout.align()) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the same terms.
        or_end(unsafe { memory().calloc(layout.size(), layout.align()) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller keeps to the same terms.
        or_end(unsafe { memory().realloc(block, layout.size(), layout.align(), size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the same terms.
        unsafe { memory().free(block, layout.size(), layout.align()) }
    }
}

fn or_end(block: *mut u8, size: usize) -> *mut u8 {
    if block.is_null() {
        end(size);
    }
    block
}

/// Ends the process without a further allocation.
#[cold]
fn end(size: usize) -> ! {
    let mut line = [0; 256];
    let mut text = Cursor::new(&mut line[..]);
    let _ = write!(text, "rawbpf: no memory for {size} more bytes: ");
    let _ = match getrlimit(Resource::RLIMIT_AS) {
        Ok((limit, _)) if limit != RLIM_INFINITY => {
            writeln!(text, "the limit of this process is {} KiB (ulimit -v)", limit >> 10)
        }
        _ => writeln!(text, "this host or container has no more (free -m)"),
    };
    let length = text.position() as usize;
    // SAFETY: the bytes are of this function. The process ends at once: destructors and what waits to be
    // flushed may need memory.
    unsafe {
        libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), length);
        libc::_exit(1)
    }
}
