//! Ring buffers: records that programs write for one reader. Requires Linux 5.8.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use super::{Errno, Map, MapType, SysError};

/// Set in a record's length while a program still writes it.
const BUSY: u32 = 1 << 31;
/// Set in the length of a record that a program took back.
const DISCARDED: u32 = 1 << 30;
/// The bytes before each record: its length, and where it is.
const HEADER: usize = 8;

/// The reader of a ring buffer, of which a map can have one.
#[derive(Debug)]
pub struct Ring<'a> {
    map: &'a Map,
    /// A page with the reader's place, which the kernel reads.
    consumer: MmapRaw,
    /// A page with the writers' place, and the records twice in a row: so none is ever in two pieces.
    producer: MmapRaw,
    page: usize,
    mask: u64,
}

impl<'a> Ring<'a> {
    /// The reader of this map.
    ///
    /// EINVAL if it is no ring buffer; EPERM or EACCES if it cannot be mapped.
    pub fn new(map: &'a Map) -> Result<Ring<'a>, SysError> {
        let spec = map.spec();
        let size = spec.max_entries as usize;
        if spec.map_type != MapType::Ringbuf || !size.is_power_of_two() {
            return Err(SysError { call: "mmap(ring buffer)", errno: Errno::EINVAL });
        }
        let failed = |error: std::io::Error| SysError {
            call: "mmap(ring buffer)",
            errno: Errno::from_raw(error.raw_os_error().unwrap_or(0)),
        };
        let page = page_size();
        let fd = map.as_fd().as_raw_fd();
        let consumer = MmapOptions::new().len(page).map_raw(fd).map_err(failed)?;
        let producer = MmapOptions::new()
            .offset(page as u64)
            .len(page + 2 * size)
            .map_raw_read_only(fd)
            .map_err(failed)?;
        Ok(Ring { map, consumer, producer, page, mask: size as u64 - 1 })
    }

    /// Shows all records that are there, in their order, and gives their room back.
    pub fn read(&mut self, mut each: impl FnMut(&[u8])) {
        // What is written meanwhile waits for the next read, or a fast writer would keep this one for ever.
        let mut end = None;
        loop {
            // SAFETY: both are the first 8 bytes of pages that are mapped as long as `self` lives; the
            // kernel writes the one by atomic stores, and reads the other.
            let (read, written) = unsafe {
                (
                    AtomicU64::from_ptr(self.consumer.as_mut_ptr().cast()),
                    AtomicU64::from_ptr(self.producer.as_mut_ptr().cast()),
                )
            };
            let at = read.load(Ordering::Relaxed);
            if at >= *end.get_or_insert_with(|| written.load(Ordering::Acquire)) {
                return;
            }
            let offset = self.page + (at & self.mask) as usize;
            // SAFETY: a record begins at a multiple of 8 below the size of the ring, behind which it is
            // mapped once more; the kernel clears BUSY last, by an atomic store.
            let length = unsafe {
                AtomicU32::from_ptr(self.producer.as_mut_ptr().add(offset).cast())
                    .load(Ordering::Acquire)
            };
            if length & BUSY != 0 {
                return;
            }
            let bytes = (length & !DISCARDED) as usize;
            if length & DISCARDED == 0 && bytes as u64 <= self.mask {
                // SAFETY: the record is whole, inside of the mapping, and the kernel leaves it alone
                // until its room is given back below.
                let record = unsafe {
                    std::slice::from_raw_parts(self.producer.as_ptr().add(offset + HEADER), bytes)
                };
                each(record);
            }
            let next = at + (bytes + HEADER).next_multiple_of(8) as u64;
            read.store(next, Ordering::Release);
        }
    }
}

/// Readable when there is a record.
impl AsFd for Ring<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }
}

/// The size of a page of memory, in bytes.
pub fn page_size() -> usize {
    // SAFETY: sysconf reads a constant of the system.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}
