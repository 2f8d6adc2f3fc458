//! A mutex of its own name.

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use shmkit::descriptor::ObjectKind;
use shmkit::sync::{LockAccess, ReleaseState, SharedLock};

use crate::channel::locked;
use crate::descriptor::Target;
use crate::errors::{Raise, timed_out};
use crate::handle::{Handle, Hold};
use crate::opening::create_options;
use crate::shared_object::{Opened, SharedObject, shared_object_methods};
use crate::waiting::Deadline;

/// A mutex that processes share by its name, those of Node too. It survives whoever dies with it.
#[pyclass(frozen, module = "shmkit", weakref)]
pub(crate) struct SharedMutex(Opened<Arc<Handle>>);

impl SharedObject for SharedMutex {
    const KIND: ObjectKind = ObjectKind::Mutex;
    type State = Arc<Handle>;

    fn opened(&self) -> &Opened<Arc<Handle>> {
        &self.0
    }
}

shared_object_methods!(
    SharedMutex,
    "Closes this handle. Who waits by it, or has the mutex, is not disturbed."
);

impl SharedMutex {
    fn new(lock: SharedLock) -> Self {
        let (name, id) = (lock.file().name().clone(), lock.file().id());
        SharedMutex(Opened::new(&name, id, Handle::of_mutex(lock)))
    }

    fn acquire(&self, py: Python<'_>, deadline: Deadline) -> PyResult<Option<Guard>> {
        Ok(self.0.get(py, Arc::clone)?.acquire(py, LockAccess::Write, deadline)?.map(Guard::new))
    }
}

#[pymethods]
impl SharedMutex {
    /// The mutex of this name, created if it does not exist.
    #[staticmethod]
    #[pyo3(signature = (name, *, mode = 0o600, track = true))]
    fn create_or_attach(py: Python<'_>, name: &str, mode: u32, track: bool) -> PyResult<Self> {
        let options = create_options(py, Some(name), mode, track)?;
        SharedLock::create_or_attach(&options).raise(py).map(Self::new) // with the GIL: see `Handle::of_mutex`
    }

    /// An existing mutex, by its name or its descriptor; of another user only if `foreign`.
    #[staticmethod]
    #[pyo3(signature = (target, *, foreign = false))]
    fn attach(py: Python<'_>, target: &Bound<'_, PyAny>, foreign: bool) -> PyResult<Self> {
        let Target { name, id, .. } = Target::of(target, ObjectKind::Mutex)?;
        SharedLock::attach(&name, foreign, id).raise(py).map(Self::new) // with the GIL: see `Handle::of_mutex`
    }

    /// Takes the mutex, and waits for it `timeout` seconds at most.
    #[pyo3(signature = (timeout = None))]
    fn lock(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Guard> {
        let deadline = Deadline::after(timeout)?;
        self.acquire(py, deadline)?.ok_or_else(|| timed_out(py, self.name()))
    }

    /// Takes the mutex if nobody has it, not even this thread; else None.
    fn try_lock(&self, py: Python<'_>) -> PyResult<Option<Guard>> {
        match self.acquire(py, Deadline::now()) {
            Err(error) if error.is_instance_of::<crate::errors::DeadlockError>(py) => Ok(None),
            result => result,
        }
    }
}

/// A mutex that is had. Left by an exception, or forgotten, it says that what it guards is inconsistent.
#[pyclass(frozen, module = "shmkit")]
pub(crate) struct Guard {
    #[pyo3(get)]
    owner_died: bool,
    hold: Mutex<Hold>,
}

impl Guard {
    fn new(hold: Hold) -> Self {
        Guard { owner_died: hold.inconsistent(), hold: Mutex::new(hold) }
    }

    fn release(&self, py: Python<'_>, state: ReleaseState) -> PyResult<()> {
        let released = locked(&self.hold).release(state);
        released.raise(py)
    }
}

#[pymethods]
impl Guard {
    /// Lets go of the mutex, all being well. Nothing the second time.
    fn unlock(&self, py: Python<'_>) -> PyResult<()> {
        self.release(py, ReleaseState::Consistent)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _trace: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.release(py, if kind.is_none() { ReleaseState::Consistent } else { ReleaseState::Inconsistent })
    }
}
