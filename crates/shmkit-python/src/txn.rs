//! A segment's bytes, while nobody else works on them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use shmkit::segment::{Access, Mapping, Segment};
use shmkit::sync::{LockAccess, ReleaseState};

use crate::errors::{Raise, timed_out, to_py};
use crate::handle::{Handle, Hold};
use crate::view;
use crate::waiting::Deadline;

/// A transaction: `with` takes the lock and lets go of it. Left by an exception, it says that the data are
/// inconsistent; what was written stays written.
#[pyclass(frozen, module = "shmkit")]
pub(crate) struct Txn {
    segment: Arc<Segment>,
    lock: Arc<Handle>,
    #[pyo3(get)]
    read_only: bool,
    timeout: Option<f64>,
    owner_died: AtomicBool,
    state: Mutex<TxnState>,
}

enum TxnState {
    New,
    Entering,
    Active(Hold),
    Ended,
}

impl Txn {
    pub(crate) fn new(
        py: Python<'_>,
        segment: Arc<Segment>,
        lock: Arc<Handle>,
        read_only: bool,
        timeout: Option<f64>,
    ) -> PyResult<Self> {
        Deadline::after(timeout)?;
        if segment.access() == Access::ReadOnly && !read_only {
            let message = "this handle is read-only, and so must be its transactions: txn(read_only=True)";
            return Err(error(py, "ERR_SHM_READ_ONLY", message, &segment));
        }
        let state = Mutex::new(TxnState::New);
        Ok(Txn { segment, lock, read_only, timeout, owner_died: AtomicBool::new(false), state })
    }

    fn state(&self) -> MutexGuard<'_, TxnState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn mapping(&self, py: Python<'_>) -> PyResult<&Arc<Mapping>> {
        let held = matches!(&*self.state(), TxnState::Active(hold) if hold.is_ours());
        if !held {
            let message = "the transaction is not running: its bytes are for the inside of its `with` alone";
            return Err(error(py, "ERR_SHM_TXN_ENDED", message, &self.segment));
        }
        self.segment.mapping().raise(py)
    }

    fn writable(&self, py: Python<'_>) -> PyResult<&Arc<Mapping>> {
        if self.read_only {
            return Err(error(py, "ERR_SHM_READ_ONLY", "the transaction is read-only", &self.segment));
        }
        self.mapping(py)
    }
}

fn error(py: Python<'_>, code: &'static str, message: &str, segment: &Segment) -> PyErr {
    to_py(py, shmkit::Error::own(code, message).about(segment.name().as_str()))
}

#[pymethods]
impl Txn {
    /// Whether the last one who wrote died, or failed, in the middle: the data are to be checked.
    #[getter]
    fn owner_died(&self) -> bool {
        self.owner_died.load(Ordering::Relaxed)
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let (py, txn) = (slf.py(), slf.get());
        if !matches!(*txn.state(), TxnState::New) {
            let message = "a transaction runs once; begin another one by txn()";
            return Err(error(py, "ERR_SHM_TXN_ENDED", message, &txn.segment));
        }
        let deadline = Deadline::after(txn.timeout)?;
        *txn.state() = TxnState::Entering;
        let access = if txn.read_only { LockAccess::Read } else { LockAccess::Write };
        let state = match txn.lock.acquire(py, access, deadline) {
            Ok(Some(hold)) => {
                txn.owner_died.store(hold.inconsistent(), Ordering::Relaxed);
                Ok(TxnState::Active(hold))
            }
            Ok(None) => Err(timed_out(py, txn.lock.name())),
            Err(error) => Err(error),
        };
        match state {
            Ok(held) => *txn.state() = held,
            Err(error) => {
                *txn.state() = TxnState::New;
                return Err(error);
            }
        }
        Ok(slf)
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _trace: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let state = std::mem::replace(&mut *self.state(), TxnState::Ended);
        let TxnState::Active(mut hold) = state else { return Ok(()) };
        hold.release(if kind.is_none() { ReleaseState::Consistent } else { ReleaseState::Inconsistent })
            .raise(py)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        view::get(py, self.mapping(py)?.bytes(), index)
    }

    fn __setitem__(&self, index: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        view::set(self.writable(index.py())?.bytes(), index, value)
    }

    /// Copies all of `data` to `offset`.
    #[pyo3(signature = (data, offset = 0))]
    fn write(&self, data: &Bound<'_, PyAny>, offset: usize) -> PyResult<()> {
        view::write(self.writable(data.py())?.bytes(), data, offset)
    }

    fn __len__(&self) -> usize {
        self.segment.size()
    }

    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        view::bytes_interface(py, self.mapping(py)?, self.read_only)
    }
}
