//! An open segment, as the system knows it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Access, Identity, Name};
use crate::error::system_error;
use crate::sys::descriptors::{AsFd, BorrowedFd, OwnedFd};
use crate::sys::file::{self, FileKind, Length, Stat};
use crate::sys::map::Range;
use crate::sys::{Errno, lock, map, memory_limit, process, shm};
use crate::{Error, Result};

/// Reserved at a time: a create can be cancelled between two chunks.
const CHUNK: u64 = 64 << 20;
const SMALLEST_CHUNK: u64 = 256 << 10;
/// From this size on the free space and the control group's limit are checked before memory is reserved.
const LIMIT_CHECKED_FROM: u64 = 1 << 20;

/// An open segment.
#[derive(Debug)]
pub(super) struct RawSegment(pub(super) OwnedFd);

impl AsFd for RawSegment {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl RawSegment {
    /// Opens the segment `name`.
    pub(super) fn open(name: &Name, access: Access) -> Result<Self> {
        match shm::open(name.as_str(), access) {
            Ok(fd) => Ok(RawSegment(fd)),
            Err(Errno::ISDIR) => Err(not_a_segment()),
            Err(errno) => Err(system_error("shm_open")(errno)),
        }
    }

    /// What the system says about it now.
    ///
    /// # Errors
    /// `ERR_SHM_NOT_A_SEGMENT` if the name belongs to a directory, a fifo or the like.
    pub(super) fn stat(&self) -> Result<Stat> {
        let stat = file::stat(&self.0).map_err(system_error("fstat"))?;
        if stat.kind != FileKind::Regular {
            return Err(not_a_segment());
        }
        Ok(stat)
    }

    /// Puts memory behind the holes of a segment that its creator did not reserve.
    pub(super) fn reserve(&self, size: u64) -> Result<()> {
        self.allocate(size, Length::Keep, &AtomicBool::new(false))
    }

    /// Gives it `size` bytes, with memory behind all of them.
    pub(super) fn grow(&self, size: u64) -> Result<()> {
        self.allocate(size, Length::Extend, &AtomicBool::new(false))
    }

    pub(super) fn allocate(&self, size: u64, length: Length, cancelled: &AtomicBool) -> Result<()> {
        if size >= LIMIT_CHECKED_FROM {
            let missing = size.saturating_sub(self.stat()?.allocated);
            self.check_free_space(missing)?;
            check_memory_limit(missing)?;
        }
        let (mut done, mut step) = (0, CHUNK);
        while done < size {
            if cancelled.load(Ordering::Relaxed) {
                return Err(Error::own("ERR_SHM_ABORTED", "the creation was called off"));
            }
            let chunk = step.min(size - done);
            match file::allocate(&self.0, length, done, chunk) {
                Ok(()) => done += chunk,
                // Some kernels release the whole chunk again when a signal arrives (a profiler's, say, a thousand
                // times a second): smaller ones get done in between.
                Err(Errno::INTR) => step = (step / 2).max(SMALLEST_CHUNK),
                Err(errno) => return Err(system_error("posix_fallocate")(errno)),
            }
        }
        Ok(())
    }

    /// Refuses what cannot succeed before it takes the space that other processes need.
    fn check_free_space(&self, missing: u64) -> Result<()> {
        match file::free_space(&self.0).map_err(system_error("fstatvfs"))? {
            Some(free) if missing > free => {
                let message =
                    format!("{missing} bytes asked for, and the shared-memory filesystem has {free} left");
                Err(Error { message, ..system_error("posix_fallocate")(Errno::NOSPC) })
            }
            _ => Ok(()),
        }
    }

    /// Whether it has a name.
    pub(super) fn is_linked(&self) -> Result<bool> {
        Ok(file::stat(&self.0).map_err(system_error("fstat"))?.links > 0)
    }

    /// Locks a number for this open description of the segment; returns false if another description has it. The system
    /// unlocks it with the description, at the latest when the process ends.
    pub(super) fn lock_number(&self, number: u32) -> Result<bool> {
        lock::lock_number(&self.0, number).map_err(system_error("fcntl"))
    }

    /// Whether another open description has the number.
    pub(super) fn is_number_locked(&self, number: u32) -> Result<bool> {
        lock::is_number_locked(&self.0, number).map_err(system_error("fcntl"))
    }

    /// Unlocks the number.
    pub(super) fn unlock_number(&self, number: u32) {
        let _ = lock::unlock_number(&self.0, number);
    }

    /// Copies `len` bytes from `offset` on to `target`.
    ///
    /// # Safety
    /// The `len` bytes from `target` on are writable for this call, and no reference to them exists.
    pub(super) unsafe fn read(&self, mut offset: u64, mut target: *mut u8, mut len: usize) -> Result<()> {
        while len > 0 {
            // SAFETY: the caller's promise, for the part that is left.
            match unsafe { file::read_to(&self.0, offset, target, len) } {
                Ok(0) => return Err(Error::own("ERR_SHM_TRUNCATED", "somebody cut the segment short")),
                Ok(count) => {
                    // SAFETY: `count` is at most `len`.
                    target = unsafe { target.add(count) };
                    offset += count as u64;
                    len -= count;
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(system_error("read")(errno)),
            }
        }
        Ok(())
    }

    /// Maps its first `size` bytes.
    pub(super) fn map(&self, size: usize, access: Access) -> Result<Range> {
        map::map(&self.0, size, access).map_err(system_error("mmap"))
    }
}

/// Refuses `size` bytes that the control group has no memory for.
///
/// # Errors
/// `ENOMEM` with both numbers. A limit that cannot be read is none.
fn check_memory_limit(size: u64) -> Result<()> {
    match memory_limit::available() {
        Some(free) if free < size => Err(Error {
            message: format!("{size} bytes asked for, and this process's control group has {free} left"),
            ..system_error("posix_fallocate")(Errno::NOMEM)
        }),
        _ => Ok(()),
    }
}

pub(super) fn not_a_segment() -> Error {
    Error::own("ERR_SHM_NOT_A_SEGMENT", "this name belongs to a folder, a fifo or the like, not to a segment")
}

/// Whether the name belongs to a directory that stands in for a segment while that is unlinked.
pub(super) fn is_placeholder(name: &Name) -> bool {
    shm::stat(name.as_str()).is_ok_and(|stat| {
        stat.kind == FileKind::Directory
            && stat.uid == process::user()
            && stat.mode == 0o700
            && stat.links == 2
    })
}

/// Removes the name, if it still belongs to the segment `id`.
pub(super) fn unlink(name: &Name, id: Identity) -> Result<()> {
    let failed = |errno| match errno {
        Errno::NOENT => super::gone(name, false),
        errno => system_error("shm_unlink")(errno),
    };
    let path = shm::path(name.as_str());
    let path = Path::new(&path);
    if file::stat_path(path).map_err(failed)?.id != id {
        return Err(super::gone(name, true));
    }
    file::unlink(path).map_err(failed)
}

/// Which segment has the name now.
pub(super) fn identify(name: &Name) -> Result<Identity> {
    let stat = shm::stat(name.as_str()).map_err(|errno| match errno {
        Errno::NOENT => gone("there is no segment of this name"),
        errno => system_error("lstat")(errno),
    })?;
    match stat.kind {
        FileKind::Regular => Ok(stat.id),
        _ => Err(not_a_segment()),
    }
}

/// `ENOENT` with this message.
pub(super) fn gone(message: &str) -> Error {
    Error { message: message.into(), ..system_error("shm_unlink")(Errno::NOENT) }
}
