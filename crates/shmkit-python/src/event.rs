//! An event of its own name.

use std::sync::{Arc, Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use shmkit::descriptor::ObjectKind;
use shmkit::ownership;
use shmkit::segment::{Identity, Name};
use shmkit::sync;

use crate::descriptor::{Target, describe};
use crate::errors::{Raise, closed};
use crate::opening::create_options;
use crate::waiting::{Deadline, SPINS, Waited, can_spin, wait_for};

/// An event that processes share by its name, those of Node too.
#[pyclass(frozen, module = "shmkit", weakref)]
pub(crate) struct SharedEvent {
    name: Name,
    id: Identity,
    event: Mutex<Option<Arc<sync::SharedEvent>>>,
}

impl SharedEvent {
    fn new(event: sync::SharedEvent) -> Self {
        let (name, id) = (event.file().name().clone(), event.file().id());
        SharedEvent { name, id, event: Mutex::new(Some(Arc::new(event))) }
    }

    fn event(&self) -> MutexGuard<'_, Option<Arc<sync::SharedEvent>>> {
        self.event.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn open(&self, py: Python<'_>) -> PyResult<Arc<sync::SharedEvent>> {
        let event = self.event().clone();
        event.ok_or_else(|| closed(py, self.name.as_str()))
    }
}

#[pymethods]
impl SharedEvent {
    /// The event of this name, created if it does not exist.
    #[staticmethod]
    #[pyo3(signature = (name, *, mode = 0o600, track = true))]
    fn create_or_attach(py: Python<'_>, name: &str, mode: u32, track: bool) -> PyResult<Self> {
        let options = create_options(py, Some(name), mode, track)?;
        py.detach(|| sync::SharedEvent::create_or_attach(&options)).raise(py).map(Self::new)
    }

    /// An existing event, by its name or its descriptor; of another user only if `foreign`.
    #[staticmethod]
    #[pyo3(signature = (target, *, foreign = false))]
    fn attach(py: Python<'_>, target: &Bound<'_, PyAny>, foreign: bool) -> PyResult<Self> {
        let Target { name, id, .. } = Target::of(target, ObjectKind::Event)?;
        py.detach(|| sync::SharedEvent::attach(&name, foreign, id)).raise(py).map(Self::new)
    }

    /// What `attach` takes in another process, here or in Node.
    fn to_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        describe(py, ObjectKind::Event, self.name.as_str(), self.id)
    }

    #[getter]
    fn name(&self) -> &str {
        self.name.as_str()
    }

    #[getter]
    fn closed(&self) -> bool {
        self.event().is_none()
    }

    /// Whether it is set.
    fn is_set(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.open(py)?.is_set())
    }

    /// Sets it; all who wait go on.
    fn set(&self, py: Python<'_>) -> PyResult<()> {
        self.open(py)?.set();
        Ok(())
    }

    /// Clears it.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.open(py)?.clear();
        Ok(())
    }

    /// Waits until it is set, `timeout` seconds at most; whether it was, if only for a moment.
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let deadline = Deadline::after(timeout)?;
        let event = self.open(py)?;
        let mut wait = event.wait(event.generation());
        if event.is_set() {
            return Ok(true);
        }
        if deadline.is_over() {
            return Ok(false); // without the mark of one who sleeps, which would cost the next set() a call of the system
        }
        if can_spin() && py.detach(|| spin(&event)) {
            return Ok(true);
        }
        loop {
            match wait_for(py, &mut wait, deadline)? {
                Waited::Done(_) => return Ok(true),
                Waited::Late => return Ok(false),
                Waited::Forked => {} // a child waits as its parent did
            }
        }
    }

    /// Closes this handle. Who waits by it is not disturbed.
    fn close(&self) {
        let event = self.event().take();
        drop(event); // no longer under the lock
    }

    /// Removes the name. Who has the event open keeps it.
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
            "<shmkit.SharedEvent '{}'{}>",
            self.name.as_str(),
            if self.closed() { ", closed" } else { "" }
        )
    }
}

fn spin(event: &sync::SharedEvent) -> bool {
    (0..SPINS).any(|_| {
        std::hint::spin_loop();
        event.is_set()
    })
}
