//! Named segments: create, attach, map, unlink.
//!
//! A segment is raw bytes from byte 0 on, with no header of ours, under the name that Python's
//! `shared_memory.SharedMemory` would use. What the system does for it is in [`crate::sys`].

mod attach;
mod create;
mod identity;
mod layout_version;
pub mod lock_header;
mod mapping;
mod name;
mod options;
mod raw;
mod unpublished;

use std::sync::{Arc, OnceLock};

pub(crate) use layout_version::LayoutVersion;
pub use mapping::Mapping;
pub(crate) use name::LEDGERS;
pub use name::Name;
pub use options::{AttachOptions, CreateOptions, Owner};
use raw::RawSegment;

use crate::error::system_error;
use crate::sys::descriptors::{AsFd, BorrowedFd};
pub use crate::sys::file::Identity;
use crate::sys::file::Stat;
use crate::sys::process;
pub use crate::sys::shm::Access;
use crate::{Error, Result};

/// Rounds of `create_or_attach`, or of drawing a random name, against others who create and unlink.
const RACE_TRIES: u32 = 1000;
/// From this size on the address space may not have room, which is to be said at once and not at the first
/// look; below it a mapping that nobody needs is not paid for.
const MAPPED_AT_ONCE_FROM: usize = 64 << 20;

/// An open segment and its mapping.
#[derive(Debug)]
pub struct Segment {
    name: Name,
    raw: RawSegment,
    size: usize,
    id: Identity,
    access: Access,
    created: bool,
    /// Whether the first mapping's pages are entered into the page table at once.
    prefault: bool,
    /// Made at the first look: a process that only hands the name on never pays for it.
    mapping: OnceLock<Arc<Mapping>>,
}

impl Segment {
    /// The name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Bytes that the creator asked for.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Which segment of that name it is.
    pub fn id(&self) -> Identity {
        self.id
    }

    /// Whether this handle made it.
    pub fn created(&self) -> bool {
        self.created
    }

    /// What this handle may do.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Its bytes in memory, mapped at the first call.
    ///
    /// # Errors
    /// `ENOMEM` if the system has no room for the mapping.
    pub fn mapping(&self) -> Result<&Arc<Mapping>> {
        if let Some(mapping) = self.mapping.get() {
            return Ok(mapping);
        }
        let mapped = map(&self.raw, self.size, self.access, self.prefault);
        let mapped = Arc::new(mapped.map_err(|error| error.about(self.name.as_str()))?);
        Ok(self.mapping.get_or_init(|| mapped))
    }

    /// Another mapping of the same bytes, with a life of its own.
    ///
    /// # Errors
    /// As `mapping`.
    pub fn map_again(&self) -> Result<Mapping> {
        map(&self.raw, self.size, self.access, false).map_err(|error| error.about(self.name.as_str()))
    }

    /// A mapping of its first `len` bytes, which may be more than it has: those can be touched once it has grown.
    pub(crate) fn map_first(&self, len: usize) -> Result<Mapping> {
        map(&self.raw, len, self.access, false).map_err(|error| error.about(self.name.as_str()))
    }

    /// A private view of the same bytes: it shows what others write, and what is written to it reaches nobody.
    ///
    /// # Errors
    /// As `mapping`.
    pub fn map_privately(&self) -> Result<Mapping> {
        self.map_first_privately(self.size)
    }

    /// The same of its first `len` bytes, which may be more than it has.
    pub(crate) fn map_first_privately(&self, len: usize) -> Result<Mapping> {
        map(&self.raw, len, Access::ReadOnly, false).map_err(|error| error.about(self.name.as_str()))
    }

    /// Makes it at least this long.
    pub(crate) fn grow(&self, size: usize) -> Result<()> {
        let about = |error: Error| error.about(self.name.as_str());
        if self.current_size()? >= size {
            return Ok(());
        }
        self.raw.grow(size as u64).map_err(about)
    }

    /// Bytes that it has by now.
    pub(crate) fn current_size(&self) -> Result<usize> {
        Ok(usize::try_from(self.stat()?.size).unwrap_or(usize::MAX))
    }

    /// Whether it has a name.
    pub(crate) fn is_linked(&self) -> Result<bool> {
        self.raw.is_linked().map_err(|error| error.about(self.name.as_str()))
    }

    /// Whether it belongs to this user.
    pub(crate) fn is_mine(&self) -> Result<bool> {
        Ok(is_mine(&self.stat()?))
    }

    /// The user it belongs to.
    pub(crate) fn uid(&self) -> Result<u32> {
        Ok(self.stat()?.uid)
    }

    /// Its permission bits.
    pub(crate) fn mode(&self) -> Result<u32> {
        Ok(self.stat()?.mode)
    }

    fn stat(&self) -> Result<Stat> {
        self.raw.stat().map_err(|error| error.about(self.name.as_str()))
    }

    /// Takes hold of a number, as no other handle does at a time; false if another one has it. The system lets go
    /// of it when this handle, or its process, is gone.
    pub(crate) fn lock_number(&self, number: u32) -> Result<bool> {
        self.raw.lock_number(number).map_err(|error| error.about(self.name.as_str()))
    }

    /// Whether another handle holds the number, anywhere.
    pub(crate) fn is_number_locked(&self, number: u32) -> Result<bool> {
        self.raw.is_number_locked(number).map_err(|error| error.about(self.name.as_str()))
    }

    /// Lets go of the number.
    pub(crate) fn unlock_number(&self, number: u32) {
        self.raw.unlock_number(number);
    }

    /// Lets a read-only handle's mapping show what the segment holds now, also where it was written to; nothing for
    /// others.
    ///
    /// # Errors
    /// The system's.
    pub fn refresh(&self) -> Result<()> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => self.mapping.get().map_or(Ok(()), |mapping| mapping.refresh()),
        }
    }

    /// Copies `len` bytes from `offset` on to `target`; `None` if they are not all inside of the segment.
    ///
    /// A read-only handle asks the system for them: a hole reads as zeros and takes no memory, where the mapping would
    /// have it filled, and be a SIGBUS if there is none left.
    ///
    /// # Errors
    /// `ERR_SHM_TRUNCATED` if somebody cut the segment short, of a read-only handle; else the system's.
    ///
    /// # Safety
    /// The `len` bytes from `target` on are writable for this call, and nobody holds a reference to them.
    pub unsafe fn read(&self, offset: usize, target: *mut u8, len: usize) -> Result<Option<()>> {
        if offset.checked_add(len).is_none_or(|end| end > self.size) {
            return Ok(None);
        }
        let read = match self.access {
            // SAFETY: what the caller promises is what is asked for.
            Access::ReadWrite => return Ok(unsafe { self.mapping()?.bytes().copy_to(offset, target, len) }),
            // SAFETY: as above.
            Access::ReadOnly => unsafe { self.raw.read(offset as u64, target, len) },
        };
        read.map(Some).map_err(|error| error.about(self.name.as_str()))
    }

    /// A copy of `len` bytes from `offset` on; `None` if they are not all inside of the segment.
    ///
    /// # Errors
    /// As [`Segment::read`].
    pub fn read_copy(&self, offset: usize, len: usize) -> Result<Option<Vec<u8>>> {
        let mut copy = vec![0; len.min(self.size)];
        if copy.len() < len {
            return Ok(None);
        }
        // SAFETY: the target is a vector of this frame, as long as what is asked for.
        let read = unsafe { self.read(offset, copy.as_mut_ptr(), len) }?;
        Ok(read.map(|()| copy))
    }
}

impl AsFd for Segment {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.raw.as_fd()
    }
}

fn is_mine(stat: &Stat) -> bool {
    stat.uid == process::user()
}

fn map(raw: &RawSegment, size: usize, access: Access, prefault: bool) -> Result<Mapping> {
    let range = match raw.map(size, access) {
        Err(error) if error.code == "ENOMEM" && mapping::unmap_expired() => raw.map(size, access)?,
        result => result?,
    };
    if prefault {
        range.prefault().map_err(system_error("madvise"))?;
    }
    Ok(Mapping::new(range))
}

/// Removes a segment's name. Whoever has it attached keeps it.
///
/// The look at who has the name and its removal are two steps: a name that strangers take too is for
/// `ownership::unlink`.
///
/// # Errors
/// `ENOENT` if it is gone, or where the name belongs to another segment than `id` by now.
pub fn unlink(name: &Name, id: Identity) -> Result<()> {
    raw::unlink(name, id).map_err(|error| error.about(name.as_str()))
}

/// Which segment has the name now.
///
/// # Errors
/// `ENOENT`, `ERR_SHM_NOT_A_SEGMENT`, and what else the system says.
pub fn identify(name: &Name) -> Result<Identity> {
    raw::identify(name).map_err(|error| error.about(name.as_str()))
}

/// The error of an unlink that came too late: nobody has the name now, or another segment has.
pub(crate) fn gone(name: &Name, taken: bool) -> Error {
    let message = if taken {
        "the segment was unlinked already, and its name belongs to another one now"
    } else {
        "the segment was unlinked already"
    };
    raw::gone(message).about(name.as_str())
}
