//! One error type: what `node:fs` would say of the same failure.

use std::fmt;

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

/// The name of an errno and what it means here. The numbers are Linux's; the platforms share these.
fn describe(errno: i32) -> (&'static str, &'static str) {
    match errno {
        1 => ("EPERM", "not permitted: a segment is unlinked by its owner only"),
        2 => ("ENOENT", "there is no such segment; create it first, or use createOrAttach()"),
        4 => ("EINTR", "interrupted system call"),
        5 => ("EIO", "i/o error"),
        9 => ("EBADF", "bad file descriptor"),
        11 => ("EAGAIN", "resource temporarily unavailable; try again"),
        12 => (
            "ENOMEM",
            "not enough memory or address space; ask for less, or close segments that are not needed",
        ),
        13 => (
            "EACCES",
            "permission denied by the segment's mode; its owner can allow more, or where reading is allowed attach with \
             { readOnly: true }",
        ),
        16 => ("EBUSY", "device or resource busy"),
        17 => ("EEXIST", "a segment of this name exists already; attach() to it, or use createOrAttach()"),
        20 => ("ENOTDIR", "the shared-memory directory is not a directory"),
        21 => ("EISDIR", "this name is a directory, not a segment"),
        22 => ("EINVAL", "invalid argument"),
        23 => ("ENFILE", "the system has too many open files"),
        24 => {
            ("EMFILE", "this process has too many open files; close segments, or raise the limit (ulimit -n)")
        }
        27 => ("EFBIG", "the size is beyond what the system allows for one segment"),
        28 => (
            "ENOSPC",
            "the shared-memory filesystem has not enough room left; unlink segments that are not needed, or enlarge it",
        ),
        30 => ("EROFS", "the shared-memory filesystem is read-only"),
        36 => ("ENAMETOOLONG", "the name is too long"),
        38 => ("ENOSYS", "the system has no such call"),
        40 => ("ELOOP", "this name is a symbolic link, not a segment"),
        75 => ("EOVERFLOW", "value too large"),
        95 => ("EOPNOTSUPP", "operation not supported"),
        122 => ("EDQUOT", "the quota of the shared-memory filesystem is used up"),
        _ => ("EUNKNOWN", "the system refused"),
    }
}
