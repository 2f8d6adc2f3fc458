//! Open directories: their entries, and renames and unlinks within them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{self, Access, AtFlags, CWD, Dir, Mode, OFlags, RenameFlags};

use super::errno::{Errno, Result};
use super::file::Stat;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
const OWNER_ONLY: Mode = Mode::RUSR.union(Mode::WUSR);

/// Opens a directory; fails for a symbolic link to one.
///
/// # Errors
/// The system's.
pub fn open(path: &Path) -> Result<OwnedFd> {
    fs::open(path, DIRECTORY, Mode::empty())
}

/// Opens the directory `name` of a directory.
///
/// # Errors
/// The system's.
pub fn open_at(directory: impl AsFd, name: &str) -> Result<OwnedFd> {
    fs::openat(directory, name, DIRECTORY, Mode::empty())
}

/// Makes a directory for this user alone.
///
/// # Errors
/// The system's.
pub fn make(path: &Path) -> Result<()> {
    fs::mkdir(path, Mode::RWXU)
}

/// Makes the directory `name` in a directory, for this user alone.
///
/// # Errors
/// The system's.
pub fn make_at(directory: impl AsFd, name: &str) -> Result<()> {
    fs::mkdirat(directory, name, Mode::RWXU)
}

/// Removes an empty directory.
///
/// # Errors
/// The system's.
pub fn remove(path: &Path) -> Result<()> {
    fs::rmdir(path)
}

/// Removes the empty directory `name` of a directory.
///
/// # Errors
/// The system's.
pub fn remove_at(directory: impl AsFd, name: &str) -> Result<()> {
    fs::unlinkat(directory, name, AtFlags::REMOVEDIR)
}

/// The names in a directory, except those that are not UTF-8. `.` and `..` are among them.
///
/// # Errors
/// The system's.
pub fn names(directory: impl AsFd) -> Result<impl Iterator<Item = Result<String>>> {
    let entries = Dir::read_from(directory)?;
    Ok(entries.filter_map(|entry| match entry {
        Ok(entry) => entry.file_name().to_str().ok().map(|name| Ok(name.to_owned())),
        Err(errno) => Some(Err(errno)),
    }))
}

/// An entry of a directory.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What the system says about it; it is not followed if it is a symbolic link.
    pub stat: Stat,
    /// When it was made; if the filesystem does not note that, the last change of its inode.
    pub created: SystemTime,
}

/// The entries of the directory of this path, except those whose names are not UTF-8 and those that are removed meanwhile.
///
/// # Errors
/// The system's.
pub fn entries(path: &Path) -> io::Result<impl Iterator<Item = Entry>> {
    let entries = std::fs::read_dir(path)?;
    Ok(entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let meta = entry.metadata().ok()?;
        let changed = || UNIX_EPOCH + Duration::new(meta.ctime().unsigned_abs(), meta.ctime_nsec() as u32);
        Some(Entry { name, stat: Stat::from(&meta), created: meta.created().unwrap_or_else(|_| changed()) })
    }))
}

/// Whether the directory of this path has no entries.
///
/// # Errors
/// The system's.
pub fn is_empty(path: &Path) -> io::Result<bool> {
    Ok(std::fs::read_dir(path)?.next().is_none())
}

/// What the system says about `name` in a directory, which is not followed if it is a symbolic link.
///
/// # Errors
/// The system's.
pub fn stat_at(directory: impl AsFd, name: &str) -> Result<Stat> {
    fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map(Stat::from)
}

/// Whether a directory has an entry of this name.
pub fn exists_at(directory: impl AsFd, name: &str) -> bool {
    fs::accessat(directory, name, Access::EXISTS, AtFlags::empty()).is_ok()
}

/// Opens the file `name` of a directory for reading; fails for a symbolic link, and does not block on a fifo.
///
/// # Errors
/// The system's.
pub fn open_file_at(directory: impl AsFd, name: &str) -> Result<OwnedFd> {
    fs::openat(directory, name, FILE | OFlags::RDONLY, Mode::empty())
}

/// As [`open_file_at`], for reading and writing.
///
/// # Errors
/// The system's.
pub fn open_file_for_writing_at(directory: impl AsFd, name: &str) -> Result<OwnedFd> {
    fs::openat(directory, name, FILE | OFlags::RDWR, Mode::empty())
}

/// Creates the file `name` in a directory, for this user alone.
///
/// # Errors
/// The system's; `EEXIST` if the name is taken.
pub fn create_file_at(directory: impl AsFd, name: &str) -> Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    fs::openat(directory, name, flags, OWNER_ONLY)
}

/// Creates a file without a name in the filesystem of a directory, for this user alone.
///
/// # Errors
/// The system's; `EOPNOTSUPP`, `EISDIR` or `EINVAL` if the filesystem has no such files.
pub fn create_nameless_at(directory: impl AsFd) -> Result<OwnedFd> {
    fs::openat(directory, ".", OFlags::RDWR | OFlags::CLOEXEC | OFlags::TMPFILE, OWNER_ONLY)
}

/// Gives a file without a name its name in a directory.
///
/// # Errors
/// The system's; `EEXIST` if the name is taken.
pub fn link_nameless_at(file: &OwnedFd, directory: impl AsFd, name: &str) -> Result<()> {
    match fs::linkat(file, "", &directory, name, AtFlags::EMPTY_PATH) {
        // Kernels before 6.10 allow it to privileged processes only.
        Err(Errno::NOENT | Errno::PERM) => link_by_proc(file, directory, name),
        result => result,
    }
}

pub(super) fn link_by_proc(file: &OwnedFd, directory: impl AsFd, name: &str) -> Result<()> {
    let source = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::linkat(CWD, source, directory, name, AtFlags::SYMLINK_FOLLOW)
}

/// Renames a file within a directory.
///
/// # Errors
/// The system's; `EEXIST` if the new name is taken.
pub fn rename_new_at(directory: impl AsFd, from: &str, to: &str) -> Result<()> {
    fs::renameat_with(&directory, from, &directory, to, RenameFlags::NOREPLACE)
}

/// Exchanges what is at `path` with what is `name` in a directory, in one step.
///
/// # Errors
/// The system's; `EINVAL` or `ENOSYS` if the filesystem cannot do it.
pub fn exchange_at(path: &Path, directory: impl AsFd, name: &str) -> Result<()> {
    fs::renameat_with(CWD, path, directory, name, RenameFlags::EXCHANGE)
}

/// Removes the name of a file in a directory.
///
/// # Errors
/// The system's.
pub fn unlink_at(directory: impl AsFd, name: &str) -> Result<()> {
    fs::unlinkat(directory, name, AtFlags::empty())
}

/// Keeps the memory of the file `name` in a directory until the descriptor is closed; its bytes cannot be accessed.
///
/// # Errors
/// The system's.
pub fn hold_at(directory: impl AsFd, name: &str) -> Result<OwnedFd> {
    fs::openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// As [`hold_at`], for the file at `path`.
///
/// # Errors
/// The system's.
pub fn hold(path: &Path) -> Result<OwnedFd> {
    fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}
