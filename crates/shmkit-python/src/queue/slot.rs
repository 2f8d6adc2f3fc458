//! A slot of a queue, and its item in place.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use shmkit::ring::queue::{Held, SharedQueue as Queue};

use crate::errors::{Raise, to_py};
use crate::forks;
use crate::numpy::{array_over, numpy};
use crate::view;

const HELD: u8 = 0;
const COMMITTED: u8 = 1;
const RELEASED: u8 = 2;

/// A slot that this process has: to write to once it is claimed, to read from once it is taken. Forgotten it is given
/// back, once nobody has its `data` any more.
#[pyclass(frozen, module = "shmkit")]
pub(crate) struct Slot(Arc<Holding>);

/// The slot, as it and its arrays have it.
struct Holding {
    queue: Arc<Queue>,
    held: Held,
    claimed: bool,
    forks: u32,
    state: AtomicU8,
}

impl Slot {
    pub(super) fn new(queue: Arc<Queue>, held: Held, claimed: bool) -> Self {
        Slot(Arc::new(Holding { queue, held, claimed, forks: forks::count(), state: AtomicU8::new(HELD) }))
    }
}

impl Holding {
    /// Whether this process has it.
    fn is_held(&self) -> bool {
        self.state.load(Ordering::Acquire) == HELD && self.forks == forks::count()
    }

    /// Gives it back, as an item or as none. Only the first time.
    fn give_back(&self, state: u8) -> shmkit::Result<()> {
        let first = self.state.compare_exchange(HELD, state, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if !first || self.forks != forks::count() {
            return Ok(());
        }
        match (self.claimed, state) {
            (true, COMMITTED) => self.queue.commit(self.held),
            (true, _) => self.queue.abandon(self.held),
            (false, _) => self.queue.free(self.held),
        }
    }

    /// Where its item is.
    fn range(&self) -> Range<usize> {
        let start = self.queue.item_at(self.held);
        start..start + self.queue.layout().items.item()
    }

    fn memory<'py>(self: &Arc<Self>, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if !self.is_held() {
            return Err(gone(py, self.queue.segment().name().as_str()));
        }
        self.queue.me().raise(py)?; // it is open
        view::memory(py, self.queue.mapping(), self.range(), false, Arc::clone(self))
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let _ = self.give_back(RELEASED); // as if its process had ended
    }
}

fn gone(py: Python<'_>, name: &str) -> PyErr {
    let message =
        format!("this slot of '{name}' was given back, and its memory may be the next one's by now");
    to_py(py, shmkit::Error::own("ERR_SHM_CLOSED", message).about(name))
}

#[pymethods]
impl Slot {
    /// The item in place: an array of numpy's, or without numpy its bytes. Not to be used once the slot is given back,
    /// when the memory is the next one's; it is refused from then on.
    #[getter]
    fn data<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if numpy(py)?.is_some() { array_over(slf) } else { slf.get().0.memory(py) }
    }

    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let items = &self.0.queue.layout().items;
        view::interface(&self.0.memory(py)?, &items.shape, items.dtype.typestr())
    }

    /// Publishes the item of a claimed slot. Idempotent.
    fn commit(&self, py: Python<'_>) -> PyResult<()> {
        if !self.0.claimed {
            return Err(PyTypeError::new_err("a taken slot has nothing to commit; release() gives it back"));
        }
        match self.0.state.load(Ordering::Acquire) {
            COMMITTED => Ok(()),
            _ if self.0.is_held() => self.0.give_back(COMMITTED).raise(py),
            _ => Err(gone(py, self.0.queue.segment().name().as_str())),
        }
    }

    /// Gives the slot back; the item of a claimed slot that was not committed is abandoned. Idempotent.
    fn release(&self, py: Python<'_>) -> PyResult<()> {
        match self.0.give_back(RELEASED) {
            Err(error) if error.code == "ERR_SHM_CLOSED" => Ok(()), // which gave it back
            released => released.raise(py),
        }
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// Commits it if it was not given back yet; after an exception nothing comes of a claimed one.
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _trace: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if !kind.is_none() || !self.0.claimed {
            return self.release(py);
        }
        if self.0.is_held() { self.commit(py) } else { Ok(()) }
    }

    fn __repr__(&self) -> String {
        let what = match (self.0.is_held(), self.0.claimed) {
            (false, _) => "given back",
            (true, true) => "claimed",
            (true, false) => "taken",
        };
        format!("<shmkit.Slot of '{}', {what}>", self.0.queue.segment().name().as_str())
    }
}
