//! Errors of system calls.

pub use rustix::io::Errno;

/// `std::result::Result` with an [`Errno`].
pub type Result<T> = std::result::Result<T, Errno>;

/// The errno of the call that has just failed.
pub(super) fn last() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
