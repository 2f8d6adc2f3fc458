//! An event of its own name.

use std::sync::Arc;

use pyo3::prelude::*;
use shmkit::descriptor::ObjectKind;
use shmkit::sync;

use crate::descriptor::Target;
use crate::errors::Raise;
use crate::opening::create_options;
use crate::shared_object::{Opened, SharedObject, shared_object_methods};
use crate::waiting::{Deadline, SPINS, Waited, can_spin, wait_for};

/// An event that processes share by its name, those of Node too.
#[pyclass(frozen, module = "shmkit", weakref)]
pub(crate) struct SharedEvent(Opened<Arc<sync::SharedEvent>>);

impl SharedObject for SharedEvent {
    const KIND: ObjectKind = ObjectKind::Event;
    type State = Arc<sync::SharedEvent>;

    fn opened(&self) -> &Opened<Arc<sync::SharedEvent>> {
        &self.0
    }
}

shared_object_methods!(SharedEvent, "Closes this handle. Who waits by it is not disturbed.");

impl SharedEvent {
    fn new(event: sync::SharedEvent) -> Self {
        let (name, id) = (event.file().name().clone(), event.file().id());
        SharedEvent(Opened::new(&name, id, Arc::new(event)))
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

    /// Whether it is set.
    fn is_set(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.0.get(py, Arc::clone)?.is_set())
    }

    /// Sets it; all who wait go on.
    fn set(&self, py: Python<'_>) -> PyResult<()> {
        self.0.get(py, Arc::clone)?.set();
        Ok(())
    }

    /// Clears it.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.0.get(py, Arc::clone)?.clear();
        Ok(())
    }

    /// Waits until it is set, `timeout` seconds at most; whether it was, if only for a moment.
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let deadline = Deadline::after(timeout)?;
        let event = self.0.get(py, Arc::clone)?;
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
}

fn spin(event: &sync::SharedEvent) -> bool {
    (0..SPINS).any(|_| {
        std::hint::spin_loop();
        event.is_set()
    })
}
