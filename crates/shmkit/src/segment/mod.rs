//! Named segments: create, attach, map, unlink.
//!
//! A segment is raw bytes from byte 0 on, with no header of ours, under the name that Python's
//! `shared_memory.SharedMemory` would use. What the system does for it is in [`crate::sys`].

pub mod lock_header;
mod mapping;
mod name;
mod raw;
mod unpublished;

use std::fmt::Debug;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::thread::sleep;
use std::time::Duration;

pub use mapping::Mapping;
pub(crate) use name::LEDGERS;
pub use name::Name;
use raw::RawSegment;
use unpublished::UnpublishedSegment;

use crate::bytes::SharedBytes;
use crate::error::system_error;
pub use crate::sys::file::Identity;
use crate::sys::file::Stat;
use crate::sys::process;
pub use crate::sys::shm::Access;
use crate::{Error, Result};

/// Who is told of a new segment before anybody else can see it.
pub trait Owner: Debug + Send + Sync {
    /// The segment `id` is about to be published as `name`; told again where that name is taken.
    ///
    /// # Errors
    /// Why it cannot be: the segment is not made then.
    fn claim(&self, name: &Name, id: Identity) -> Result<()>;

    /// It has that name now.
    fn published(&self, name: &Name, id: Identity);

    /// It was not published after all.
    fn disclaim(&self, id: Identity);

    /// The name is wanted: where it belongs to a segment whose owners are all dead, that is removed. Says whether the
    /// name is free.
    fn free_name(&self, name: &Name) -> bool;

    /// Becomes an owner beside those that the segment has; of a segment that has none it does not. False where the
    /// name does not belong to that segment any more, or will not in a moment.
    ///
    /// # Errors
    /// As `claim`.
    fn join(&self, name: &Name, id: Identity) -> Result<bool>;
}

/// How to create a segment.
#[derive(Debug, Clone)]
pub struct CreateOptions {
    /// Its name; `None` draws a fresh one.
    pub name: Option<Name>,
    /// Permission bits, set exactly (the umask has no say).
    pub mode: u32,
    /// Owner the memory now, so that a full filesystem is `ENOSPC` here and not SIGBUS later.
    pub reserve: bool,
    /// Fault every page in now.
    pub populate: bool,
    /// Who owns it; `None` leaves it until somebody unlinks it.
    pub owner: Option<Arc<dyn Owner>>,
}

impl Default for CreateOptions {
    fn default() -> Self {
        CreateOptions { name: None, mode: 0o600, reserve: true, populate: false, owner: None }
    }
}

/// How to attach to a segment.
#[derive(Debug, Clone)]
pub struct AttachOptions {
    /// What the handle may do.
    pub access: Access,
    /// Allow a segment of another user.
    pub foreign: bool,
    /// Put memory behind holes that the creator left.
    pub reserve: bool,
    /// Refuse every segment but this one.
    pub expect: Option<Identity>,
}

impl Default for AttachOptions {
    fn default() -> Self {
        AttachOptions { access: Access::ReadWrite, foreign: false, reserve: true, expect: None }
    }
}

/// Tries of an attach while a creator is between `shm_open` and `ftruncate` (gh-92408), 1 ms apart.
const EMPTY_TRIES: u32 = 100;
/// Tries of an attach while somebody makes sure that he unlinks the right segment, 1 ms apart;
const MOVING_TRIES: u32 = 20;
/// and where he may have been killed at it, until somebody puts it in order.
const MOVED_TRIES: u32 = 2000;
/// Rounds of `create_or_attach`, or of drawing a random name, against others who create and unlink.
const RACE_TRIES: u32 = 1000;

/// Writes the first contents of a segment.
type Fill<'f> = Box<dyn FnOnce(SharedBytes<'_>) -> Result<()> + 'f>;
/// The same, of whichever segment is made in the end.
type Refill<'f> = &'f dyn Fn(SharedBytes<'_>) -> Result<()>;

/// From this size on the address space may not have room, which is to be said at once and not at the first
/// look; below it a mapping that nobody needs is not paid for.
const MAPPED_AT_ONCE_FROM: usize = 64 << 20;

/// From this size on a segment that was made with its memory reserved is mapped with its page table filled:
/// whoever makes one writes to it, and single page faults would cost several times as much.
const PREFAULTED_FROM: usize = 1 << 20;

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
    /// Makes a segment of `size` zero bytes. It appears under its name whole, or not at all.
    ///
    /// # Errors
    /// `EEXIST` where the name is taken, `ENOSPC` or `ENOMEM` where the memory is not to be had,
    /// `ERR_SHM_ABORTED` when `cancelled` was set meanwhile. Nothing is left behind.
    pub fn create(size: usize, options: &CreateOptions, cancelled: &AtomicBool) -> Result<Self> {
        Self::create_inner(size, options, cancelled, None)
    }

    /// As `create`, and `fill` writes the first contents before anybody else can see the segment.
    ///
    /// # Errors
    /// As `create`, and what `fill` says.
    pub fn create_with(
        size: usize,
        options: &CreateOptions,
        cancelled: &AtomicBool,
        fill: impl FnOnce(SharedBytes<'_>) -> Result<()>,
    ) -> Result<Self> {
        Self::create_inner(size, options, cancelled, Some(Box::new(fill)))
    }

    fn create_inner(
        size: usize,
        options: &CreateOptions,
        cancelled: &AtomicBool,
        fill: Option<Fill<'_>>,
    ) -> Result<Self> {
        if size == 0 || size > isize::MAX as usize {
            return Err(Error::range("ERR_OUT_OF_RANGE", format!("{size} bytes cannot be a segment's size")));
        }
        let about = |error: Error| match &options.name {
            Some(name) => error.about(name.as_str()),
            None => error,
        };
        // Contents are written at once, so their memory is needed at once.
        let reserve = options.reserve || fill.is_some();
        let unpublished =
            UnpublishedSegment::new(size as u64, options.mode, reserve, cancelled).map_err(about)?;
        let id = unpublished.segment().stat().map_err(about)?.id;
        let mapping = OnceLock::new();
        let prefault = options.populate || (reserve && size >= PREFAULTED_FROM);
        if options.populate || fill.is_some() || size >= MAPPED_AT_ONCE_FROM {
            let mapped = map(unpublished.segment(), size, Access::ReadWrite, prefault).map_err(about)?;
            if let Some(fill) = fill {
                fill(mapped.bytes())?;
            }
            let _ = mapping.set(Arc::new(mapped));
        }
        let owner = options.owner.as_deref();
        let published = match &options.name {
            Some(name) => publish_as(&unpublished, id, name, owner).map(|()| name.clone()),
            None => publish_at_random(&unpublished, id, owner),
        };
        let name = published.inspect_err(|_| owner.into_iter().for_each(|owner| owner.disclaim(id)))?;
        let raw = unpublished.into_segment();
        Ok(Segment { name, raw, size, id, access: Access::ReadWrite, created: true, prefault, mapping })
    }

    /// Opens an existing segment.
    ///
    /// # Errors
    /// `ENOENT`, `EACCES`; `ERR_SHM_FOREIGN` for another user's without `foreign`; `ERR_SHM_EMPTY` for
    /// one whose creator never gave it a size; `ERR_SHM_NOT_A_SEGMENT`; `ERR_SHM_UNLINKED` where the name
    /// belongs to another segment than `expect`; `ENOSPC` where its holes cannot be reserved.
    pub fn attach(name: &Name, options: &AttachOptions) -> Result<Self> {
        Self::attach_inner(name, options).map_err(|error| error.about(name.as_str()))
    }

    fn attach_inner(name: &Name, options: &AttachOptions) -> Result<Self> {
        let open = || RawSegment::open(name, options.access).and_then(|it| Ok((it.stat()?, it)));
        let mut opened = open();
        for tries in 0..MOVED_TRIES {
            if opened.as_ref().err().is_none_or(|error| error.code != "ERR_SHM_NOT_A_SEGMENT") {
                break;
            }
            // A directory may be in its place for a moment: see `ledger::take`.
            if tries >= MOVING_TRIES && !raw::is_placeholder(name) {
                break;
            }
            sleep(Duration::from_millis(1));
            opened = open();
        }
        let (mut stat, raw) = opened?;
        if options.expect.is_some_and(|id| id != stat.id) {
            let message = "the segment that was meant is gone, and its name belongs to another one now";
            return Err(Error::own("ERR_SHM_UNLINKED", message));
        }
        if !is_mine(&stat) && !options.foreign {
            let message = "the segment belongs to another user; attach with { foreign: true } to trust it";
            return Err(Error::own("ERR_SHM_FOREIGN", message));
        }
        for _ in 0..EMPTY_TRIES {
            if stat.size != 0 {
                break;
            }
            sleep(Duration::from_millis(1));
            stat = raw.stat()?;
        }
        let size = usize::try_from(stat.size).unwrap_or(usize::MAX);
        if size == 0 {
            let message =
                "the segment has no bytes: its creator is still at it, or died before it gave it a size";
            return Err(Error::own("ERR_SHM_EMPTY", message));
        }
        if options.reserve && options.access == Access::ReadWrite && stat.allocated < stat.size {
            raw.reserve(stat.size)?;
        }
        let segment = Segment {
            name: name.clone(),
            raw,
            size,
            id: stat.id,
            access: options.access,
            created: false,
            prefault: false,
            mapping: OnceLock::new(),
        };
        if size >= MAPPED_AT_ONCE_FROM {
            segment.mapping()?;
        }
        Ok(segment)
    }

    /// Opens the segment of the name in the options and joins its owners, if it has any, or makes it: whoever comes first creates, everybody else attaches,
    /// and nobody waits, because a segment appears whole.
    ///
    /// # Errors
    /// `ERR_SHM_SIZE` where the existing one is smaller than `size`; else as `create` and `attach`.
    pub fn create_or_attach(size: usize, options: &CreateOptions) -> Result<Self> {
        Self::create_or_attach_inner(size, size, options, None)
    }

    /// As `create_or_attach`; what is made has these contents from the first moment, and what there is may have any size.
    ///
    /// # Errors
    /// As `create_or_attach`, and what `fill` says.
    pub fn create_or_attach_with(
        size: usize,
        options: &CreateOptions,
        fill: impl Fn(SharedBytes<'_>) -> Result<()>,
    ) -> Result<Self> {
        Self::create_or_attach_inner(size, 0, options, Some(&fill))
    }

    fn create_or_attach_inner(
        size: usize,
        least: usize,
        options: &CreateOptions,
        fill: Option<Refill<'_>>,
    ) -> Result<Self> {
        let create = || {
            let fill: Option<Fill<'_>> = fill.map(|fill| Box::new(fill) as Fill<'_>);
            Self::create_inner(size, options, &AtomicBool::new(false), fill)
        };
        let Some(name) = &options.name else { return create() };
        let attach = AttachOptions { reserve: options.reserve, ..AttachOptions::default() };
        let mut tries = 1..RACE_TRIES;
        loop {
            if let Some(owner) = &options.owner {
                owner.free_name(name);
            }
            match Self::attach(name, &attach) {
                Err(error) if error.code == "ENOENT" => {}
                Ok(segment) if segment.size() < least => {
                    let message =
                        format!("the segment has {} bytes, and {least} were asked for", segment.size());
                    return Err(Error::own("ERR_SHM_SIZE", message).about(name.as_str()));
                }
                Ok(segment) => {
                    let joined =
                        options.owner.as_ref().map_or(Ok(true), |owner| owner.join(name, segment.id()))?;
                    if joined || tries.next().is_none() {
                        return Ok(segment);
                    }
                    continue; // its last owner has just died
                }
                result => return result,
            }
            match create() {
                Err(error) if error.code == "EEXIST" && tries.next().is_some() => {}
                result => return result,
            }
        }
    }

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
    /// `ENOMEM` where the system has no room for the mapping.
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

    /// Takes hold of a number, as no other handle does at a time; false where another one has it. The system lets go
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
    /// What the system says.
    pub fn refresh(&self) -> Result<()> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => self.mapping.get().map_or(Ok(()), |mapping| mapping.refresh()),
        }
    }

    /// Copies `len` bytes from `offset` on to `target`; `None` where they are not all inside of the segment.
    ///
    /// A read-only handle asks the system for them: a hole reads as zeros and takes no memory, where the mapping would
    /// have it filled, and be a SIGBUS if there is none left.
    ///
    /// # Errors
    /// `ERR_SHM_TRUNCATED` where somebody cut the segment short, of a read-only handle; else what the system says.
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

/// Gives the segment its name, once its owner has it written down: killed in between, the owner leaves a note
/// of nothing, and never a segment of nobody's.
fn publish(
    unpublished: &UnpublishedSegment,
    id: Identity,
    name: &Name,
    owner: Option<&dyn Owner>,
) -> Result<()> {
    owner
        .map_or(Ok(()), |owner| owner.claim(name, id))
        .and_then(|()| unpublished.publish(name))
        .map(|()| owner.into_iter().for_each(|owner| owner.published(name, id)))
        .map_err(|error| error.about(name.as_str()))
}

/// Publishes under this name, also where it belongs to a segment whose owners have just died.
fn publish_as(
    unpublished: &UnpublishedSegment,
    id: Identity,
    name: &Name,
    owner: Option<&dyn Owner>,
) -> Result<()> {
    match publish(unpublished, id, name, owner) {
        Err(error) if error.code == "EEXIST" && owner.is_some_and(|owner| owner.free_name(name)) => {
            publish(unpublished, id, name, owner)
        }
        result => result,
    }
}

/// Publishes under a name that nobody else has.
fn publish_at_random(
    unpublished: &UnpublishedSegment,
    id: Identity,
    owner: Option<&dyn Owner>,
) -> Result<Name> {
    let mut tries = 1..RACE_TRIES;
    loop {
        let name = Name::random()?;
        match publish(unpublished, id, &name, owner) {
            Ok(()) => return Ok(name),
            Err(error) if error.code == "EEXIST" && tries.next().is_some() => {}
            Err(error) => return Err(error),
        }
    }
}

/// Removes a segment's name. Whoever has it attached keeps it.
///
/// The look at who has the name and its removal are two steps: a name that strangers take too is for
/// `ledger::Ledger::unlink`.
///
/// # Errors
/// `ENOENT` where it is gone, or where the name belongs to another segment than `id` by now.
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
