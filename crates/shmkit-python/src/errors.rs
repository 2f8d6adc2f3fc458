//! The engine's errors as Python's: what the system says is an `OSError`, the rest a `ShmError`; all have a `code`.

use std::borrow::Cow;

use pyo3::exceptions::{PyException, PyOSError, PyTimeoutError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use shmkit::Class;

pyo3::create_exception!(
    shmkit,
    ShmError,
    PyException,
    "A failure that the system has no number for; `code` says which, such as 'ERR_SHM_NOT_A_LOCK'."
);
pyo3::create_exception!(
    shmkit,
    DeadlockError,
    ShmError,
    "The thread waits for what it holds itself; `code` is 'ERR_SHM_DEADLOCK'."
);

/// What the engine calls as JavaScript does, and how that is called here.
const WORDS: [(&str, &str); 4] = [
    ("{ foreign: true }", "foreign=True"),
    ("{ readOnly: true }", "read_only=True"),
    (", or use createOrAttach()", ""), // which not all have here
    ("maxByteLength", "max_byte_length"),
];

/// Turns the engine's failures into exceptions.
pub(crate) trait Raise<T> {
    /// The value, or the exception.
    fn raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> Raise<T> for shmkit::Result<T> {
    fn raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| to_py(py, error))
    }
}

/// The exception for one of the engine's errors.
pub(crate) fn to_py(py: Python<'_>, error: shmkit::Error) -> PyErr {
    let mut message = Cow::from(error.message.as_str());
    for (from, to) in WORDS {
        if message.contains(from) {
            message = message.replace(from, to).into();
        }
    }
    let message = message.into_owned();
    let exception = match (error.errno, error.class, error.code) {
        // Python makes a FileNotFoundError of it, or what else fits.
        (Some(errno), ..) => PyOSError::new_err((errno, message, error.segment)),
        (None, Class::Range, _) => PyValueError::new_err(message),
        // Node says TypeError for a wrong value, too.
        (None, Class::Type, "ERR_INVALID_ARG_VALUE") => PyValueError::new_err(message),
        (None, Class::Type, _) => PyTypeError::new_err(message),
        (None, Class::Error, "ERR_SHM_TIMEOUT") => PyTimeoutError::new_err(message),
        (None, Class::Error, "ERR_SHM_DEADLOCK") => DeadlockError::new_err(message),
        (None, Class::Error, _) => ShmError::new_err(message),
    };
    // Best effort: the exception says all without it.
    let _ = exception.value(py).setattr("code", error.code);
    exception
}

/// The exception of a handle that was closed.
pub(crate) fn closed(py: Python<'_>, name: &str) -> PyErr {
    to_py(py, shmkit::Error::own("ERR_SHM_CLOSED", format!("'{name}' is closed in this handle")).about(name))
}

/// The exception of a thread that would wait for itself.
pub(crate) fn deadlock(py: Python<'_>, name: &str) -> PyErr {
    let message = format!("this thread has '{name}' already, and would wait for itself for ever");
    to_py(py, shmkit::Error::own("ERR_SHM_DEADLOCK", message).about(name))
}

/// The exception of a wait that took too long.
pub(crate) fn timed_out(py: Python<'_>, name: &str) -> PyErr {
    let message = format!("'{name}' could not be locked in time");
    to_py(py, shmkit::Error::own("ERR_SHM_TIMEOUT", message).about(name))
}
