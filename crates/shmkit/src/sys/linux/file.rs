//! Open files: their identity, size, memory and bytes.

use std::ffi::OsString;
pub use std::fs::File;
use std::fs::{Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{self, FallocateFlags, FileType, Mode};
use rustix::io::{pread, pwrite, retry_on_intr};

use super::errno::{self, Result};

/// Identifies a file for as long as it exists: two files that had one name one after the other differ in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The filesystem.
    pub device: u64,
    /// The file in it.
    pub inode: u64,
}

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file, as segments are.
    Regular,
    /// A directory.
    Directory,
    /// A pipe, with or without a name.
    Fifo,
    /// A socket.
    Socket,
    /// Anything else.
    Other,
}

/// What the system says about a file.
#[derive(Debug, Clone, Copy)]
pub struct Stat {
    /// Which file it is.
    pub id: Identity,
    /// Its kind.
    pub kind: FileKind,
    /// Its length in bytes.
    pub size: u64,
    /// The bytes that have memory behind them.
    pub allocated: u64,
    /// The user that it belongs to.
    pub uid: u32,
    /// Its permission bits.
    pub mode: u32,
    /// The number of its names.
    pub links: u64,
}

fn kind(mode: u32) -> FileKind {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => FileKind::Regular,
        FileType::Directory => FileKind::Directory,
        FileType::Fifo => FileKind::Fifo,
        FileType::Socket => FileKind::Socket,
        _ => FileKind::Other,
    }
}

impl From<&Metadata> for Stat {
    fn from(meta: &Metadata) -> Self {
        Stat {
            id: Identity { device: meta.dev(), inode: meta.ino() },
            kind: kind(meta.mode()),
            size: meta.len(),
            allocated: meta.blocks().saturating_mul(512),
            uid: meta.uid(),
            mode: meta.mode() & 0o777,
            links: meta.nlink(),
        }
    }
}

impl From<fs::Stat> for Stat {
    fn from(stat: fs::Stat) -> Self {
        Stat {
            id: Identity { device: stat.st_dev, inode: stat.st_ino },
            kind: kind(stat.st_mode),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            allocated: u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512),
            uid: stat.st_uid,
            mode: stat.st_mode & 0o777,
            links: stat.st_nlink as _,
        }
    }
}

/// What the system says about an open file.
///
/// # Errors
/// The system's.
pub fn stat(file: impl AsFd) -> Result<Stat> {
    fs::fstat(file).map(Stat::from)
}

/// What the system says about the file of this path, which is not followed if it is a symbolic link.
///
/// # Errors
/// The system's.
pub fn stat_path(path: &Path) -> Result<Stat> {
    fs::lstat(path).map(Stat::from)
}

/// Opens a file for reading.
///
/// # Errors
/// The system's.
pub fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Opens a file for reading whose path others may have replaced: fails for a symbolic link, and does not block on a fifo.
///
/// # Errors
/// The system's.
pub fn open_untrusted(path: &Path) -> io::Result<File> {
    untrusted().read(true).open(path)
}

/// Opens a file for reading and writing as [`open_untrusted`] does; creates it for this user alone if it is missing.
///
/// # Errors
/// The system's.
pub fn open_or_create_untrusted(path: &Path) -> io::Result<File> {
    untrusted().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn untrusted() -> OpenOptions {
    let mut options = File::options();
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

/// Removes the name of a file.
///
/// # Errors
/// The system's.
pub fn unlink(path: &Path) -> Result<()> {
    fs::unlink(path)
}

/// Sets the permission bits exactly: the umask has no effect.
///
/// # Errors
/// The system's.
pub fn set_mode(file: impl AsFd, mode: u32) -> Result<()> {
    fs::fchmod(file, Mode::from_raw_mode(mode))
}

/// Sets the length. What is added has no memory behind it.
///
/// # Errors
/// The system's.
pub fn set_size(file: impl AsFd, size: u64) -> Result<()> {
    fs::ftruncate(file, size)
}

/// What [`allocate`] does to the length of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// The file gets longer if the range ends behind its end.
    Extend,
    /// The length stays.
    Keep,
}

/// Puts memory behind `len` bytes from `offset` on.
///
/// # Errors
/// The system's; `EINTR` if a signal arrived.
pub fn allocate(file: impl AsFd, length: Length, offset: u64, len: u64) -> Result<()> {
    let flags = match length {
        Length::Extend => FallocateFlags::empty(),
        Length::Keep => FallocateFlags::KEEP_SIZE,
    };
    fs::fallocate(file, flags, offset, len)
}

/// The free bytes of the filesystem that the file is in; `None` if it has no limit of its own.
///
/// # Errors
/// The system's.
pub fn free_space(file: impl AsFd) -> Result<Option<u64>> {
    fs::fstatvfs(file).map(free)
}

/// A filesystem without a limit of its own reports 0 of 0 blocks.
pub(super) fn free(filesystem: fs::StatVfs) -> Option<u64> {
    (filesystem.f_blocks != 0).then(|| filesystem.f_bavail.saturating_mul(filesystem.f_frsize))
}

/// Reads the next bytes; 0 at the end.
///
/// # Errors
/// The system's.
pub fn read(file: impl AsFd, bytes: &mut [u8]) -> Result<usize> {
    retry_on_intr(|| rustix::io::read(&file, &mut *bytes))
}

/// Reads bytes from `offset` on; 0 at the end.
///
/// # Errors
/// The system's.
pub fn read_at(file: impl AsFd, bytes: &mut [u8], offset: u64) -> Result<usize> {
    pread(file, bytes, offset)
}

/// Reads bytes from `offset` on until `bytes` is full.
///
/// # Errors
/// The system's; `UnexpectedEof` if the file ends before that.
pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(bytes, offset)
}

/// Writes bytes at `offset`, and returns how many.
///
/// # Errors
/// The system's.
pub fn write_at(file: impl AsFd, bytes: &[u8], offset: u64) -> Result<usize> {
    retry_on_intr(|| pwrite(&file, bytes, offset))
}

/// Copies at most `len` bytes from `offset` on to `target`, and returns how many; 0 at the end.
///
/// # Errors
/// The system's.
///
/// # Safety
/// The `len` bytes from `target` on are writable for this call, and no reference to them exists.
pub unsafe fn read_to(file: impl AsFd, offset: u64, target: *mut u8, len: usize) -> Result<usize> {
    // SAFETY: the caller's promise.
    let count = unsafe { libc::pread64(file.as_fd().as_raw_fd(), target.cast(), len, offset as i64) };
    usize::try_from(count).map_err(|_| errno::last())
}

/// The bytes of a path, for a message to another process of this machine.
pub fn path_to_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// The path with the bytes that [`path_to_bytes`] gave.
pub fn path_from_bytes(bytes: Vec<u8>) -> PathBuf {
    OsString::from_vec(bytes).into()
}
