//! The platform door on Linux: `/dev/shm`, as glibc's and musl's `shm_open` have it.
//!
//! Every platform's file provides the same: [`NAME_MAX`], [`Draft`] (a segment that nobody sees yet),
//! [`Object`] (an open one), [`Range`] (mapped addresses) and [`unlink`].

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{self, AtFlags, CWD, FallocateFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use super::memory_limit;
use super::{Access, Identity, Name};
use crate::{Error, Result};

/// The longest name, in bytes.
pub(super) const NAME_MAX: usize = 255;

const DIRECTORY: &str = "/dev/shm";
/// Reserved at a time: between two chunks a create can be called off.
const CHUNK: u64 = 64 << 20;
const SMALLEST_CHUNK: u64 = 256 << 10;
/// From this size on the room and the cgroup's limit are looked at before memory is reserved.
const LIMIT_CHECKED_FROM: u64 = 1 << 20;

fn path(name: &Name) -> String {
    format!("{DIRECTORY}/{}", name.as_str())
}

pub(crate) fn os(syscall: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::os(errno.raw_os_error(), syscall)
}

pub(crate) fn identity(stat: &fs::Stat) -> Identity {
    Identity { device: stat.st_dev, inode: stat.st_ino }
}

/// Gives a nameless file (`O_TMPFILE`) its name, a path from `directory`.
pub(crate) fn link_nameless(file: &OwnedFd, directory: impl AsFd, name: &str) -> rustix::io::Result<()> {
    match fs::linkat(file, "", &directory, name, AtFlags::EMPTY_PATH) {
        // Kernels before 6.10 allow it to privileged processes only.
        Err(Errno::NOENT | Errno::PERM) => link_by_proc(file, directory, name),
        result => result,
    }
}

fn link_by_proc(file: &OwnedFd, directory: impl AsFd, name: &str) -> rustix::io::Result<()> {
    let source = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::linkat(CWD, source, directory, name, AtFlags::SYMLINK_FOLLOW)
}

/// Whether the name belongs to a directory such as is put in a segment's place while that is unlinked.
pub(super) fn is_in_the_way(name: &Name) -> bool {
    let Ok(stat) = fs::lstat(path(name)) else { return false };
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
        && stat.st_uid == rustix::process::geteuid().as_raw()
        && stat.st_mode & 0o777 == 0o700
        && stat.st_nlink == 2
}

fn not_a_segment() -> Error {
    Error::own("ERR_SHM_NOT_A_SEGMENT", "this name belongs to a folder, a fifo or the like, not to a segment")
}

/// What the system says of an open segment.
pub(super) struct Stat {
    pub(super) size: u64,
    pub(super) id: Identity,
    /// Bytes that have memory behind them already.
    pub(super) reserved: u64,
    pub(super) mine: bool,
    pub(super) uid: u32,
    pub(super) mode: u32,
}

/// An open segment.
#[derive(Debug)]
pub(super) struct Object(OwnedFd);

/// A segment in the making: nobody else can see it yet.
///
/// It has no name at all (`O_TMPFILE`) until it is linked in whole, so a process that is killed at any
/// point before leaves nothing. Where the filesystem has no unnamed files it has a temporary name.
#[derive(Debug)]
pub(super) struct Draft {
    object: Object,
    temporary: Option<Temporary>,
}

impl Draft {
    /// `size` zero bytes.
    pub(super) fn new(size: u64, mode: u32, reserve: bool, cancelled: &AtomicBool) -> Result<Self> {
        let draft = match Self::unnamed() {
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => Self::named()?,
            result => result.map_err(os("shm_open"))?,
        };
        let object = &draft.object;
        // Exactly the mode that was asked for: the umask would silently take the group's bits away.
        if mode != 0o600 {
            fs::fchmod(&object.0, Mode::from_raw_mode(mode)).map_err(os("fchmod"))?;
        }
        if reserve {
            object.allocate(size, FallocateFlags::empty(), cancelled)?;
        } else {
            fs::ftruncate(&object.0, size).map_err(os("ftruncate"))?;
        }
        Ok(draft)
    }

    fn unnamed() -> rustix::io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::TMPFILE;
        let fd = fs::open(DIRECTORY, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Draft { object: Object(fd), temporary: None })
    }

    fn named() -> Result<Self> {
        let temporary = path(&Name::random()?) + ".new";
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL;
        let fd = fs::open(&temporary, flags, Mode::RUSR | Mode::WUSR).map_err(os("shm_open"))?;
        Ok(Draft { object: Object(fd), temporary: Some(Temporary(temporary)) })
    }

    /// The segment, for whatever is to be done before others see it.
    pub(super) fn object(&self) -> &Object {
        &self.object
    }

    /// Gives it its name. `EEXIST` where that is taken.
    pub(super) fn publish(&self, name: &Name) -> Result<()> {
        let target = path(name);
        match &self.temporary {
            Some(temporary) => fs::renameat_with(CWD, &temporary.0, CWD, &target, RenameFlags::NOREPLACE),
            None => link_nameless(&self.object.0, CWD, &target),
        }
        .map_err(os("shm_open"))
    }

    /// The published segment.
    pub(super) fn into_object(self) -> Object {
        let Draft { object, temporary } = self;
        if let Some(temporary) = temporary {
            temporary.keep();
        }
        object
    }
}

/// A temporary name, removed on drop unless it was renamed.
#[derive(Debug)]
struct Temporary(String);

impl Temporary {
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::unlink(&self.0);
    }
}

impl AsFd for Object {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Object {
    /// Opens the segment `name`.
    pub(super) fn open(name: &Name, access: Access) -> Result<Self> {
        let flags = match access {
            Access::ReadWrite => OFlags::RDWR,
            Access::ReadOnly => OFlags::RDONLY,
        };
        // As shm_open: no symbolic links, and no waiting where the name is a fifo.
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        match fs::open(path(name), flags, Mode::empty()) {
            Ok(fd) => Ok(Object(fd)),
            Err(Errno::ISDIR) => Err(not_a_segment()),
            Err(errno) => Err(os("shm_open")(errno)),
        }
    }

    /// What the system says of it now.
    ///
    /// # Errors
    /// `ERR_SHM_NOT_A_SEGMENT` where the name belongs to a directory, a fifo or the like.
    pub(super) fn stat(&self) -> Result<Stat> {
        let stat = fs::fstat(&self.0).map_err(os("fstat"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(not_a_segment());
        }
        Ok(Stat {
            size: stat.st_size.try_into().unwrap_or(0),
            id: identity(&stat),
            reserved: u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512),
            mine: stat.st_uid == rustix::process::geteuid().as_raw(),
            uid: stat.st_uid,
            mode: stat.st_mode & 0o777,
        })
    }

    /// Puts memory behind the holes of a segment that its creator did not reserve.
    pub(super) fn reserve(&self, size: u64) -> Result<()> {
        self.allocate(size, FallocateFlags::KEEP_SIZE, &AtomicBool::new(false))
    }

    fn allocate(&self, size: u64, flags: FallocateFlags, cancelled: &AtomicBool) -> Result<()> {
        if size >= LIMIT_CHECKED_FROM {
            let wanted = size.saturating_sub(self.stat()?.reserved);
            self.check_room(wanted)?;
            memory_limit::check(wanted)?;
        }
        let (mut done, mut step) = (0, CHUNK);
        while done < size {
            if cancelled.load(Ordering::Relaxed) {
                return Err(Error::own("ERR_SHM_ABORTED", "the creation was called off"));
            }
            let chunk = step.min(size - done);
            match fs::fallocate(&self.0, flags, done, chunk) {
                Ok(()) => done += chunk,
                // Some kernels give the whole chunk back when a signal comes in (a profiler's, say, a thousand
                // times a second): smaller ones get done in between.
                Err(Errno::INTR) => step = (step / 2).max(SMALLEST_CHUNK),
                Err(errno) => return Err(os("posix_fallocate")(errno)),
            }
        }
        Ok(())
    }

    /// Refuses what cannot succeed before it takes the room that is left away from everybody else.
    fn check_room(&self, wanted: u64) -> Result<()> {
        let room = fs::fstatvfs(&self.0).map_err(os("fstatvfs"))?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        // A filesystem without a limit of its own says 0 of 0 blocks.
        if room.f_blocks != 0 && wanted > free {
            let message =
                format!("{wanted} bytes asked for, and the shared-memory filesystem has {free} left");
            return Err(Error { message, ..os("posix_fallocate")(Errno::NOSPC) });
        }
        Ok(())
    }

    /// Gives it `size` bytes, with memory behind all of them.
    pub(super) fn grow(&self, size: u64) -> Result<()> {
        self.allocate(size, FallocateFlags::empty(), &AtomicBool::new(false))
    }

    /// Whether it has a name.
    pub(super) fn is_linked(&self) -> Result<bool> {
        Ok(fs::fstat(&self.0).map_err(os("fstat"))?.st_nlink > 0)
    }

    /// Takes hold of a number, as no other open description of the segment has it at a time; false where one has. It is
    /// let go of by the system when the description goes, with its process at the latest.
    pub(super) fn hold(&self, number: u32) -> Result<bool> {
        match self.lock_byte(libc::F_OFD_SETLK, libc::F_WRLCK, number) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
            Err(errno) => Err(os("fcntl")(errno)),
        }
    }

    /// Whether another open description holds the number.
    pub(super) fn is_held(&self, number: u32) -> Result<bool> {
        let found = self.lock_byte(libc::F_OFD_GETLK, libc::F_WRLCK, number).map_err(os("fcntl"))?;
        Ok(found != libc::F_UNLCK)
    }

    /// Lets go of the number.
    pub(super) fn let_go(&self, number: u32) {
        let _ = self.lock_byte(libc::F_OFD_SETLK, libc::F_UNLCK, number);
    }

    /// Numbers are bytes far behind those that there are.
    fn lock_byte(&self, command: i32, kind: i32, number: u32) -> rustix::io::Result<i32> {
        // SAFETY: plain numbers, for which zero is a value.
        let mut lock: libc::flock64 = unsafe { std::mem::zeroed() };
        lock.l_type = kind as i16;
        lock.l_whence = libc::SEEK_SET as i16;
        lock.l_start = (1 << 60) + i64::from(number);
        lock.l_len = 1;
        // SAFETY: both commands take such a struct, of this frame.
        match unsafe { libc::fcntl(self.0.as_raw_fd(), command, &raw mut lock) } {
            0 => Ok(i32::from(lock.l_type)),
            _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)),
        }
    }

    /// Copies `len` bytes from `offset` on to `target`.
    ///
    /// # Safety
    /// The `len` bytes from `target` on are writable for this call, and nobody holds a reference to them.
    pub(super) unsafe fn read(&self, mut offset: u64, mut target: *mut u8, mut len: usize) -> Result<()> {
        while len > 0 {
            // SAFETY: the caller's promise, for the part that is left.
            let count = unsafe { libc::pread64(self.0.as_raw_fd(), target.cast(), len, offset as i64) };
            match usize::try_from(count) {
                Ok(0) => return Err(Error::own("ERR_SHM_TRUNCATED", "somebody cut the segment short")),
                Ok(count) => {
                    // SAFETY: `count` is at most `len`.
                    target = unsafe { target.add(count) };
                    offset += count as u64;
                    len -= count;
                }
                Err(_) => match Errno::from_io_error(&std::io::Error::last_os_error()) {
                    Some(Errno::INTR) => {}
                    errno => return Err(os("read")(errno.unwrap_or(Errno::IO))),
                },
            }
        }
        Ok(())
    }

    /// Maps its first `size` bytes: shared, or for a reader privately, so that a stray write reaches
    /// nobody (and does not crash, as it would with read-only pages).
    pub(super) fn map(&self, size: usize, access: Access) -> Result<Range> {
        let mut options = MmapOptions::new();
        options.len(size);
        let map = match access {
            Access::ReadWrite => options.map_raw(&self.0),
            Access::ReadOnly => {
                options.no_reserve_swap();
                // SAFETY: the map is turned into a raw one at once, so no slice of it ever exists.
                unsafe { options.map_copy(&self.0) }.map(MmapRaw::from)
            }
        };
        map.map(Range).map_err(|error| Error::os(error.raw_os_error().unwrap_or(22), "mmap"))
    }
}

/// Mapped addresses.
#[derive(Debug)]
pub(super) struct Range(MmapRaw);

impl Range {
    pub(super) fn start(&self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Replaces the pages by private zero pages, at one stroke for every thread.
    pub(super) fn blank(&self) -> Result<()> {
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
        // SAFETY: the range is ours, from one mmap of this length; whoever reads or writes it through
        // its address finds mapped memory before and after. No reference into it exists.
        unsafe { mmap_anonymous(self.start().cast(), self.len(), ProtFlags::READ | ProtFlags::WRITE, flags) }
            .map(drop)
            .map_err(os("mmap"))
    }

    /// Enters all pages into the page table, in one call: single faults cost more.
    ///
    /// # Errors
    /// `ENOSPC` where a hole finds no memory. Kernels before 5.14 cannot do it, and nothing happens.
    pub(super) fn prefault(&self) -> Result<()> {
        let advice = rustix::mm::Advice::LinuxPopulateWrite;
        // SAFETY: the range is mapped, and faulting its pages in changes no byte.
        match unsafe { rustix::mm::madvise(self.start().cast(), self.len(), advice) } {
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(Errno::FAULT) => Err(os("madvise")(Errno::NOSPC)),
            Err(errno) => Err(os("madvise")(errno)),
        }
    }

    /// Forgets what others wrote to the private copies of a reader's pages, so that the next look shows
    /// what the segment holds now.
    pub(super) fn refresh(&self) -> Result<()> {
        // SAFETY: the pages stay mapped; dropping the private copies of a read-only handle's pages is
        // what its documentation promises.
        unsafe { rustix::mm::madvise(self.start().cast(), self.len(), rustix::mm::Advice::LinuxDontNeed) }
            .map_err(os("madvise"))
    }

    pub(super) fn unmap(self) {
        drop(self);
    }

    /// Its addresses, to be unmapped later or never.
    pub(super) fn into_span(self) -> Span {
        let start = self.start() as usize;
        let end = start + self.len().next_multiple_of(rustix::param::page_size());
        std::mem::forget(self);
        Span { start, end }
    }
}

/// Whole pages of blanked addresses that nobody uses any more.
#[derive(Debug)]
pub(super) struct Span {
    start: usize,
    end: usize,
}

impl Span {
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Takes a neighbour in; gives it back where it is none.
    pub(super) fn join(&mut self, other: Span) -> Option<Span> {
        if other.end == self.start {
            self.start = other.start;
        } else if other.start == self.end {
            self.end = other.end;
        } else {
            return Some(other);
        }
        None
    }

    pub(super) fn unmap(self) {
        // SAFETY: the pages are whole ranges of ours that nobody unmapped, by `into_span`, and their quarantine
        // is over. Where the system refuses they stay.
        let _ = unsafe { rustix::mm::munmap(self.start as *mut _, self.len()) };
    }
}

/// Removes the name, if it still belongs to the segment `id`.
pub(super) fn unlink(name: &Name, id: Identity) -> Result<()> {
    let path = path(name);
    let failed = |errno| match errno {
        Errno::NOENT => super::gone(name, false),
        errno => os("shm_unlink")(errno),
    };
    let stat = fs::lstat(&path).map_err(failed)?;
    if identity(&stat) != id {
        return Err(super::gone(name, true));
    }
    fs::unlink(&path).map_err(failed)
}

/// Which segment has the name now.
pub(super) fn identify(name: &Name) -> Result<Identity> {
    let stat = fs::lstat(path(name)).map_err(|errno| match errno {
        Errno::NOENT => gone("there is no segment of this name"),
        errno => os("lstat")(errno),
    })?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(identity(&stat)),
        _ => Err(not_a_segment()),
    }
}

/// `ENOENT`, in these words.
pub(super) fn gone(message: &str) -> Error {
    Error { message: message.into(), ..os("shm_unlink")(Errno::NOENT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exists(path: &str) -> bool {
        fs::lstat(path).is_ok()
    }

    /// Publishes the first of two drafts under one name, and says how the second fared.
    fn publish_twice(draft: fn() -> Draft, publish: fn(&Draft, &Name) -> Result<()>) -> Error {
        let name = Name::random().expect("a name");
        let (first, second) = (draft(), draft());
        first.object().allocate(100, FallocateFlags::empty(), &AtomicBool::new(false)).expect("memory");
        assert!(!exists(&path(&name)), "nobody sees it before it is published");
        publish(&first, &name).expect("published");
        let refused = publish(&second, &name).expect_err("the name is taken");
        let object = first.into_object();
        let stat = object.stat().expect("stat");
        assert_eq!(stat.size, 100, "and it is the first one still");
        unlink(&name, stat.id).expect("unlinked");
        assert!(!exists(&path(&name)));
        refused
    }

    #[test]
    fn an_unnamed_draft_is_linked_in() {
        let refused = publish_twice(|| Draft::unnamed().expect("a draft"), Draft::publish);
        assert_eq!(refused.code, "EEXIST");
    }

    #[test]
    fn an_unnamed_draft_is_linked_in_by_proc_on_older_kernels() {
        let by_proc = |draft: &Draft, name: &Name| {
            link_by_proc(&draft.object().0, CWD, &path(name)).map_err(os("shm_open"))
        };
        let refused = publish_twice(|| Draft::unnamed().expect("a draft"), by_proc);
        assert_eq!(refused.code, "EEXIST");
    }

    #[test]
    fn a_draft_with_a_temporary_name_is_renamed() {
        let refused = publish_twice(|| Draft::named().expect("a draft"), Draft::publish);
        assert_eq!(refused.code, "EEXIST");
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing() {
        let draft = Draft::named().expect("a draft");
        let temporary = draft.temporary.as_ref().expect("a temporary name").0.clone();
        assert!(exists(&temporary));
        drop(draft);
        assert!(!exists(&temporary));
    }

    #[test]
    fn spans_grow_by_their_neighbours_alone() {
        let page = rustix::param::page_size();
        let span = |start: usize, end: usize| Span { start: start * page, end: end * page };
        let mut all = span(10, 12);
        assert!(all.join(span(9, 10)).is_none(), "below");
        assert!(all.join(span(12, 20)).is_none(), "above");
        assert!(all.join(span(21, 22)).is_some(), "a gap");
        assert_eq!((all.start, all.end), (9 * page, 20 * page));
    }

    #[test]
    fn a_name_that_belongs_to_another_segment_is_not_unlinked() {
        let name = Name::random().expect("a name");
        let draft = Draft::unnamed().expect("a draft");
        draft.publish(&name).expect("published");
        let id = draft.object().stat().expect("stat").id;
        let other = Identity { inode: id.inode + 1, ..id };
        assert_eq!(unlink(&name, other).expect_err("not ours").code, "ENOENT");
        assert!(exists(&path(&name)));
        unlink(&name, id).expect("unlinked");
    }
}
