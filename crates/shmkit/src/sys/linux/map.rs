//! Mapped memory.

use std::os::fd::{AsFd, AsRawFd};

use memmap2::{MmapOptions, MmapRaw};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use rustix::param::page_size;

use super::errno::{Errno, Result};
use super::shm::Access;

/// Mapped addresses.
#[derive(Debug)]
pub struct Range(MmapRaw);

/// Maps the first `size` bytes of a file: shared for [`Access::ReadWrite`]. A reader gets a private mapping, so that a
/// stray write has no effect on others, and does not crash as it would with read-only pages.
///
/// # Errors
/// The system's.
pub fn map(file: impl AsFd, size: usize, access: Access) -> Result<Range> {
    let file = file.as_fd().as_raw_fd();
    let mut options = MmapOptions::new();
    options.len(size);
    let map = match access {
        Access::ReadWrite => options.map_raw(file),
        Access::ReadOnly => {
            options.no_reserve_swap();
            // SAFETY: the map is turned into a raw one at once, so no slice of it ever exists.
            unsafe { options.map_copy(file) }.map(MmapRaw::from)
        }
    };
    map.map(Range).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
}

impl Range {
    /// The first address.
    pub fn start(&self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    /// Its length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "no range is empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Replaces the pages by private zero pages, in one step for all threads.
    ///
    /// # Errors
    /// The system's: then the old pages stay.
    pub fn zero_map(&self) -> Result<()> {
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
        // SAFETY: the range is ours, from one mmap of this length; whatever reads or writes it through
        // its address finds mapped memory before and after. No reference into it exists.
        unsafe { mmap_anonymous(self.start().cast(), self.len(), ProtFlags::READ | ProtFlags::WRITE, flags) }
            .map(drop)
    }

    /// Enters all pages into the page table, in one call: single page faults cost more.
    ///
    /// # Errors
    /// `ENOSPC` if there is no memory for a hole. Kernels before 5.14 cannot do it, and then this has no effect.
    pub fn prefault(&self) -> Result<()> {
        // SAFETY: the range is mapped, and faulting its pages in changes no byte.
        match unsafe { madvise(self.start().cast(), self.len(), Advice::LinuxPopulateWrite) } {
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(Errno::FAULT) => Err(Errno::NOSPC),
            Err(errno) => Err(errno),
        }
    }

    /// Drops the private copies of a reader's pages, so that its next access shows what the file holds now.
    ///
    /// # Errors
    /// The system's.
    pub fn refresh(&self) -> Result<()> {
        // SAFETY: the pages stay mapped; dropping the private copies of a read-only handle's pages is
        // what its documentation promises.
        unsafe { madvise(self.start().cast(), self.len(), Advice::LinuxDontNeed) }
    }

    /// Unmaps it.
    pub fn unmap(self) {
        drop(self);
    }

    /// Its addresses, to be unmapped later or never.
    pub fn into_span(self) -> Span {
        let start = self.start() as usize;
        let end = start + self.len().next_multiple_of(page_size());
        std::mem::forget(self);
        Span { start, end }
    }
}

/// Whole pages of addresses that are not used any more, and stay mapped.
#[derive(Debug)]
pub struct Span {
    start: usize,
    end: usize,
}

impl Span {
    /// Its length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "no span is empty")]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Merges with `other` if the two are neighbours; else returns it.
    pub fn join(&mut self, other: Span) -> Option<Span> {
        if other.end == self.start {
            self.start = other.start;
        } else if other.start == self.end {
            self.end = other.end;
        } else {
            return Some(other);
        }
        None
    }

    /// Unmaps it.
    pub fn unmap(self) {
        // SAFETY: the pages are whole ranges of ours that were never unmapped, by `into_span`, and their quarantine
        // is over. If the system refuses, they stay.
        let _ = unsafe { munmap(self.start as *mut _, self.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_grow_by_their_neighbours_alone() {
        let page = page_size();
        let span = |start: usize, end: usize| Span { start: start * page, end: end * page };
        let mut all = span(10, 12);
        assert!(all.join(span(9, 10)).is_none(), "below");
        assert!(all.join(span(12, 20)).is_none(), "above");
        assert!(all.join(span(21, 22)).is_some(), "a gap");
        assert_eq!((all.start, all.end), (9 * page, 20 * page));
    }
}
