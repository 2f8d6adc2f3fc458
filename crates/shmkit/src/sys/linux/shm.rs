//! The directory of named shared memory, as `shm_open` of glibc and musl uses it, and files in it without a name.

use std::os::fd::OwnedFd;

use rustix::fs::{self, CWD, Mode, OFlags, RenameFlags};

use super::dir::link_nameless_at;
use super::errno::Result;
use super::file::{Stat, free};

/// The directory of all segments.
pub const DIRECTORY: &str = "/dev/shm";
/// The longest name of a segment, in bytes.
pub const NAME_MAX: usize = 255;

/// What a handle may do to its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads and writes are shared with every other handle.
    ReadWrite,
    /// Reads show what others write; writes stay private to the handle.
    ReadOnly,
}

/// The path of the segment `name`.
pub fn path(name: &str) -> String {
    format!("{DIRECTORY}/{name}")
}

/// Opens the segment `name`.
///
/// # Errors
/// The system's; `EISDIR` if the name is a directory's.
pub fn open(name: &str, access: Access) -> Result<OwnedFd> {
    let flags = match access {
        Access::ReadWrite => OFlags::RDWR,
        Access::ReadOnly => OFlags::RDONLY,
    };
    // As shm_open: no symbolic links, and no blocking if the name is a fifo's.
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    fs::open(path(name), flags, Mode::empty())
}

/// Creates an empty file without a name, for this user alone. It ends with its last descriptor, unless it is linked.
///
/// # Errors
/// The system's; `EOPNOTSUPP`, `EISDIR`, `ENOENT` or `EINVAL` if the filesystem has no such files.
pub fn create_nameless() -> Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::TMPFILE;
    fs::open(DIRECTORY, flags, Mode::RUSR | Mode::WUSR)
}

/// Creates the empty segment `name`, for this user alone.
///
/// # Errors
/// The system's; `EEXIST` if the name is taken.
pub fn create(name: &str) -> Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL;
    fs::open(path(name), flags, Mode::RUSR | Mode::WUSR)
}

/// Gives a file without a name the name of a segment.
///
/// # Errors
/// The system's; `EEXIST` if the name is taken.
pub fn link_nameless(file: &OwnedFd, name: &str) -> Result<()> {
    link_nameless_at(file, CWD, &path(name))
}

/// Renames a segment.
///
/// # Errors
/// The system's; `EEXIST` if the new name is taken.
pub fn rename_new(from: &str, to: &str) -> Result<()> {
    fs::renameat_with(CWD, path(from), CWD, path(to), RenameFlags::NOREPLACE)
}

/// Removes the name of a segment.
///
/// # Errors
/// The system's.
pub fn unlink(name: &str) -> Result<()> {
    fs::unlink(path(name))
}

/// What the system says about the name of a segment.
///
/// # Errors
/// The system's.
pub fn stat(name: &str) -> Result<Stat> {
    fs::lstat(path(name)).map(Stat::from)
}

/// The free bytes of the filesystem of segments; `None` if it has no limit of its own.
///
/// # Errors
/// The system's.
pub fn free_space() -> Result<Option<u64>> {
    fs::statvfs(DIRECTORY).map(free)
}

#[cfg(test)]
mod tests {
    use super::super::dir::link_by_proc;
    use super::super::errno::Errno;
    use super::*;

    #[test]
    fn a_nameless_file_is_linked_by_proc_on_older_kernels() {
        let name = format!("shmkit-test-link-{}", std::process::id());
        let link = || link_by_proc(&create_nameless().expect("a file"), CWD, &path(&name));
        assert_eq!(link(), Ok(()));
        assert_eq!(link(), Err(Errno::EXIST), "and the first one keeps the name");
        unlink(&name).expect("unlinked");
    }
}
