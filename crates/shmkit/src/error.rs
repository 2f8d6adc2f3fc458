//! One error type: what `node:fs` would say of the same failure.

use std::{fmt, io};

use crate::sys::Errno;

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// The JavaScript class that an error becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// `Error`
    Error,
    /// `RangeError`: an index or a size outside of what there is.
    Range,
    /// `TypeError`: a value of a kind that cannot be stored.
    Type,
}

/// A failure: a stable `code`, and where the system said so its errno and call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The JavaScript class of the error.
    pub class: Class,
    /// `ENOENT`, `EEXIST`, … or this library's own `ERR_SHM_*`.
    pub code: &'static str,
    /// The system's errno (positive), where a call failed.
    pub errno: Option<i32>,
    /// The call that failed.
    pub syscall: Option<&'static str>,
    /// The segment's name.
    pub segment: Option<String>,
    /// What went wrong and what to do next, without the code.
    pub message: String,
}

impl Error {
    /// One of the library's own errors.
    pub fn own(code: &'static str, message: impl Into<String>) -> Self {
        Error {
            class: Class::Error,
            code,
            errno: None,
            syscall: None,
            segment: None,
            message: message.into(),
        }
    }

    /// An argument outside its range.
    pub fn range(code: &'static str, message: impl Into<String>) -> Self {
        Error { class: Class::Range, ..Self::own(code, message) }
    }

    /// A failed system call; the message says what the errno means for a segment.
    pub fn os(errno: i32, syscall: &'static str) -> Self {
        let (code, message) = describe(errno);
        Error { errno: Some(errno), syscall: Some(syscall), ..Self::own(code, message) }
    }

    /// A failed system call that was made by the standard library; `otherwise` if it gives no errno.
    pub(crate) fn io(error: &io::Error, otherwise: Errno, syscall: &'static str) -> Self {
        Error::os(error.raw_os_error().unwrap_or(otherwise.raw_os_error()), syscall)
    }

    /// The same error, about the segment `name`.
    pub fn about(mut self, name: &str) -> Self {
        self.segment = Some(name.to_owned());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.errno.is_some() {
            write!(f, "{}: ", self.code)?;
        }
        f.write_str(&self.message)?;
        if let Some(syscall) = self.syscall {
            write!(f, ", {syscall}")?;
            if let Some(name) = &self.segment {
                write!(f, " '{name}'")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Turns the errno of a failed system call into an [`Error`].
pub(crate) fn system_error(syscall: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::os(errno.raw_os_error(), syscall)
}

const UNKNOWN: (&str, &str) = ("EUNKNOWN", "the system refused");

/// The name of an errno and what it means here.
fn describe(errno: i32) -> (&'static str, &'static str) {
    let Some(errno) = Errno::from_io_error(&io::Error::from_raw_os_error(errno)) else { return UNKNOWN };
    match errno {
        Errno::PERM => ("EPERM", "not permitted: a segment is unlinked by its owner only"),
        Errno::NOENT => ("ENOENT", "there is no such segment; create it first, or use createOrAttach()"),
        Errno::INTR => ("EINTR", "interrupted system call"),
        Errno::IO => ("EIO", "i/o error"),
        Errno::BADF => ("EBADF", "bad file descriptor"),
        Errno::AGAIN => ("EAGAIN", "resource temporarily unavailable; try again"),
        Errno::NOMEM => (
            "ENOMEM",
            "not enough memory or address space; ask for less, or close segments that are not needed",
        ),
        Errno::ACCESS => (
            "EACCES",
            "permission denied by the segment's mode; its owner can allow more, or where reading is allowed attach with \
             { readOnly: true }",
        ),
        Errno::BUSY => ("EBUSY", "device or resource busy"),
        Errno::EXIST => {
            ("EEXIST", "a segment of this name exists already; attach() to it, or use createOrAttach()")
        }
        Errno::NOTDIR => ("ENOTDIR", "the shared-memory directory is not a directory"),
        Errno::ISDIR => ("EISDIR", "this name is a directory, not a segment"),
        Errno::INVAL => ("EINVAL", "invalid argument"),
        Errno::NFILE => ("ENFILE", "the system has too many open files"),
        Errno::MFILE => {
            ("EMFILE", "this process has too many open files; close segments, or raise the limit (ulimit -n)")
        }
        Errno::FBIG => ("EFBIG", "the size is beyond what the system allows for one segment"),
        Errno::NOSPC => (
            "ENOSPC",
            "the shared-memory filesystem has not enough room left; unlink segments that are not needed, or enlarge it",
        ),
        Errno::ROFS => ("EROFS", "the shared-memory filesystem is read-only"),
        Errno::NAMETOOLONG => ("ENAMETOOLONG", "the name is too long"),
        Errno::NOSYS => ("ENOSYS", "the system has no such call"),
        Errno::LOOP => ("ELOOP", "this name is a symbolic link, not a segment"),
        Errno::OVERFLOW => ("EOVERFLOW", "value too large"),
        Errno::OPNOTSUPP => ("EOPNOTSUPP", "operation not supported"),
        Errno::DQUOT => ("EDQUOT", "the quota of the shared-memory filesystem is used up"),
        _ => UNKNOWN,
    }
}
