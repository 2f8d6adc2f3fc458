//! Locks on files. None of the calls blocks.
//!
//! A lock belongs to the open file description: it ends with the last descriptor of that, at the latest with the process
//! and its forked children.

use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::{FlockOperation, flock};

use super::errno::{self, Errno, Result};

/// Locks a file beside others that do so.
///
/// # Errors
/// `EWOULDBLOCK` if another description has it exclusively; `EINTR`; else the system's.
pub fn share(file: impl AsFd) -> Result<()> {
    flock(file, FlockOperation::NonBlockingLockShared)
}

/// Locks a file exclusively.
///
/// # Errors
/// `EWOULDBLOCK` if another description has it; `EINTR`; else the system's.
pub fn exclude(file: impl AsFd) -> Result<()> {
    flock(file, FlockOperation::NonBlockingLockExclusive)
}

/// Unlocks a file for all descriptors of its description, those of forked children too.
///
/// # Errors
/// The system's.
pub fn unlock(file: impl AsFd) -> Result<()> {
    flock(file, FlockOperation::Unlock)
}

/// Calls again if a signal interrupted the call.
///
/// # Errors
/// What `call` returns, except `EINTR`.
pub fn retry<T>(call: impl FnMut() -> Result<T>) -> Result<T> {
    rustix::io::retry_on_intr(call)
}

/// Locks a number of a file; returns false if another description has it.
///
/// # Errors
/// The system's.
pub fn lock_number(file: impl AsFd, number: u32) -> Result<bool> {
    match on_number(file, libc::F_OFD_SETLK, libc::F_WRLCK, number) {
        Ok(_) => Ok(true),
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Whether another description has the number of a file.
///
/// # Errors
/// The system's.
pub fn is_number_locked(file: impl AsFd, number: u32) -> Result<bool> {
    Ok(on_number(file, libc::F_OFD_GETLK, libc::F_WRLCK, number)? != libc::F_UNLCK)
}

/// Unlocks a number of a file.
///
/// # Errors
/// The system's.
pub fn unlock_number(file: impl AsFd, number: u32) -> Result<()> {
    on_number(file, libc::F_OFD_SETLK, libc::F_UNLCK, number).map(drop)
}

/// Numbers are bytes far behind the end of any file.
fn on_number(file: impl AsFd, command: i32, kind: i32, number: u32) -> Result<i32> {
    // SAFETY: plain numbers, for which zero is a value.
    let mut lock: libc::flock64 = unsafe { std::mem::zeroed() };
    lock.l_type = kind as i16;
    lock.l_whence = libc::SEEK_SET as i16;
    lock.l_start = (1 << 60) + i64::from(number);
    lock.l_len = 1;
    // SAFETY: both commands take such a struct, of this frame.
    match unsafe { libc::fcntl(file.as_fd().as_raw_fd(), command, &raw mut lock) } {
        0 => Ok(i32::from(lock.l_type)),
        _ => Err(errno::last()),
    }
}
