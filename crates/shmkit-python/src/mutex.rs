//! A mutex of its own name.

use std::sync::{Arc, Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use shmkit::descriptor::ObjectKind;
use shmkit::ownership;
use shmkit::segment::{Identity, Name};
use shmkit::sync::{LockAccess, ReleaseState, SharedLock};

use crate::descriptor::{Target, describe};
use crate::errors::{Raise, closed, timed_out};
use crate::handle::{Handle, Hold};
use crate::opening::create_options;
use crate::waiting::Deadline;

/// A mutex that processes share by its name, those of Node too. It survives whoever dies with it.
#[pyclass(frozen, module = "shmkit", weakref)]
pub(crate) struct SharedMutex {
    name: Name,
    id: Identity,
    handle: Mutex<Option<Arc<Handle>>>,
}

impl SharedMutex {
    fn new(lock: SharedLock) -> Self {
        let (name, id) = (lock.file().name().clone(), lock.file().id());
        SharedMutex { name, id, handle: Mutex::new(Some(Handle::of_mutex(lock))) }
    }

    fn handle(&self) -> MutexGuard<'_, Option<Arc<Handle>>> {
        self.handle.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn acquire(&self, py: Python<'_>, deadline: Deadline) -> PyResult<Option<Guard>> {
        let handle = self.handle().clone();
        let handle = handle.ok_or_else(|| closed(py, self.name.as_str()))?;
        Ok(handle.acquire(py, LockAccess::Write, deadline)?.map(Guard::new))
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

    /// What `attach` takes in another process, here or in Node.
    fn to_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        describe(py, ObjectKind::Mutex, self.name.as_str(), self.id)
    }

    #[getter]
    fn name(&self) -> &str {
        self.name.as_str()
    }

    #[getter]
    fn closed(&self) -> bool {
        self.handle().is_none()
    }

    /// Takes the mutex, and waits for it `timeout` seconds at most.
    #[pyo3(signature = (timeout = None))]
    fn lock(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Guard> {
        let deadline = Deadline::after(timeout)?;
        self.acquire(py, deadline)?.ok_or_else(|| timed_out(py, self.name.as_str()))
    }

    /// Takes the mutex if nobody has it, not even this thread; else None.
    fn try_lock(&self, py: Python<'_>) -> PyResult<Option<Guard>> {
        match self.acquire(py, Deadline::now()) {
            Err(error) if error.is_instance_of::<crate::errors::DeadlockError>(py) => Ok(None),
            result => result,
        }
    }

    /// Closes this handle. Who waits by it, or has the mutex, is not disturbed.
    fn close(&self) {
        let handle = self.handle().take();
        drop(handle); // no longer under the lock
    }

    /// Removes the name. Who has the mutex open keeps it.
    fn unlink(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| ownership::unlink(&self.name, self.id)).raise(py)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(&self, _kind: &Bound<'_, PyAny>, _value: &Bound<'_, PyAny>, _trace: &Bound<'_, PyAny>) {
        self.close();
    }

    fn __repr__(&self) -> String {
        format!(
            "<shmkit.SharedMutex '{}'{}>",
            self.name.as_str(),
            if self.closed() { ", closed" } else { "" }
        )
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
        let released = self.hold.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).release(state);
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
