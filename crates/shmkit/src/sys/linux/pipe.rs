//! The writing end of a pipe that another process reads.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fstat, open};
use rustix::io::{fcntl_dupfd_cloexec, retry_on_intr, write};

use super::errno::{Errno, Result};

/// Why a descriptor is not the writing end of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is not a pipe.
    NoPipe,
    /// It is the reading end.
    ReadOnly,
    /// The system's error: `EBADF` if the descriptor is not open.
    System(Errno),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NoPipe => f.write_str("it is no pipe"),
            Refused::ReadOnly => f.write_str("it cannot be written to"),
            Refused::System(errno) => errno.fmt(f),
        }
    }
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        Refused::System(errno)
    }
}

/// Another descriptor of the pipe, with a mode of its own if possible: whether a write blocks then does not change for
/// other users of the number. The number must not be negative.
///
/// # Errors
/// See [`Refused`].
pub fn open_writer(number: i32) -> std::result::Result<OwnedFd, Refused> {
    if number < 0 {
        return Err(Errno::BADF.into());
    }
    // SAFETY: borrowed for this call alone; a number that is no open descriptor is EBADF.
    let given = unsafe { BorrowedFd::borrow_raw(number) };
    if FileType::from_raw_mode(fstat(given)?.st_mode) != FileType::Fifo {
        return Err(Refused::NoPipe);
    }
    if (fcntl_getfl(given)? & OFlags::RWMODE) == OFlags::RDONLY {
        return Err(Refused::ReadOnly);
    }
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let own = open(format!("/proc/self/fd/{number}"), flags, Mode::empty());
    Ok(own.or_else(|_| fcntl_dupfd_cloexec(given, 3))?)
}

/// Writes bytes, and returns how many: all or none of at most `PIPE_BUF` bytes.
///
/// # Errors
/// The system's; `EAGAIN` if the pipe is full.
pub fn write_once(pipe: impl AsFd, bytes: &[u8]) -> Result<usize> {
    retry_on_intr(|| write(&pipe, bytes))
}
