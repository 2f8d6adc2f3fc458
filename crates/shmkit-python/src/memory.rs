//! A segment.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use shmkit::descriptor::ObjectKind;
use shmkit::segment::{Access, AttachOptions, Identity, Name, Segment};

use crate::descriptor::{Target, describe};
use crate::errors::{Raise, closed};
use crate::handle::Handle;
use crate::opening::{create_options, ledger};
use crate::txn::Txn;
use crate::view;

/// A segment of named shared memory, whoever made it: this module, Node's shmkit, or the standard library.
#[pyclass(frozen, module = "shmkit", weakref)]
pub(crate) struct SharedMemory {
    name: Name,
    id: Identity,
    size: usize,
    read_only: bool,
    open: Mutex<Option<Open>>,
}

struct Open {
    segment: Arc<Segment>,
    /// Once it was locked: to be found again by the next transaction.
    lock: Option<Arc<Handle>>,
}

impl SharedMemory {
    pub(crate) fn new(segment: Segment) -> Self {
        SharedMemory {
            name: segment.name().clone(),
            id: segment.id(),
            size: segment.size(),
            read_only: segment.access() == Access::ReadOnly,
            open: Mutex::new(Some(Open { segment: Arc::new(segment), lock: None })),
        }
    }

    fn state(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn id(&self) -> Identity {
        self.id
    }

    pub(crate) fn segment(&self, py: Python<'_>) -> PyResult<Arc<Segment>> {
        let segment = self.state().as_ref().map(|open| Arc::clone(&open.segment));
        segment.ok_or_else(|| closed(py, self.name.as_str()))
    }
}

#[pymethods]
impl SharedMemory {
    /// Makes a segment of `size` zero bytes; without a name one is drawn.
    #[staticmethod]
    #[pyo3(signature = (size, *, name = None, mode = 0o600, track = true))]
    fn create(py: Python<'_>, size: usize, name: Option<&str>, mode: u32, track: bool) -> PyResult<Self> {
        let options = create_options(py, name, mode, track)?;
        py.detach(|| Segment::create(size, &options, &AtomicBool::new(false))).raise(py).map(Self::new)
    }

    /// An existing segment, by its name or its descriptor; of another user only if `foreign`.
    #[staticmethod]
    #[pyo3(signature = (target, *, read_only = None, foreign = false))]
    fn attach(
        py: Python<'_>,
        target: &Bound<'_, PyAny>,
        read_only: Option<bool>,
        foreign: bool,
    ) -> PyResult<Self> {
        let target = Target::of(target, ObjectKind::Memory)?;
        let access = target.access(read_only)?;
        let options = AttachOptions { access, foreign, expect: target.id, ..AttachOptions::default() };
        py.detach(|| Segment::attach(&target.name, &options)).raise(py).map(Self::new)
    }

    /// What `attach` takes in another process, here or in Node.
    fn to_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let details = describe(py, ObjectKind::Memory, self.name(), self.id)?;
        details.set_item("size", self.size)?;
        if self.read_only {
            details.set_item("readOnly", true)?;
        }
        Ok(details)
    }

    #[getter]
    pub(crate) fn name(&self) -> &str {
        self.name.as_str()
    }

    #[getter]
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    #[getter]
    pub(crate) fn read_only(&self) -> bool {
        self.read_only
    }

    #[getter]
    pub(crate) fn closed(&self) -> bool {
        self.state().is_none()
    }

    /// To work on the bytes while nobody else does: `with shm.txn() as txn`. The lock is taken where `with` begins.
    #[pyo3(signature = (*, read_only = false, timeout = None))]
    pub(crate) fn txn(&self, py: Python<'_>, read_only: bool, timeout: Option<f64>) -> PyResult<Txn> {
        let segment = self.segment(py)?;
        let lock = Handle::sidecar(py, &segment, &segment)?;
        if let Some(open) = &mut *self.state() {
            open.lock = Some(Arc::clone(&lock));
        }
        Txn::new(py, segment, lock, read_only, timeout)
    }

    /// Makes this process an owner: when its last owner is dead, the segment goes.
    pub(crate) fn adopt(&self, py: Python<'_>) -> PyResult<()> {
        self.segment(py)?;
        let ledger = ledger(py).raise(py)?;
        py.detach(|| ledger.adopt(&self.name, self.id)).raise(py)
    }

    /// Closes this handle. Transactions and arrays that were made of it are not disturbed.
    pub(crate) fn close(&self) {
        let open = self.state().take();
        drop(open); // no longer under the lock
    }

    /// Removes the name, and the lock that goes with it. Who has the segment open keeps it.
    pub(crate) fn unlink(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| shmkit::ownership::unlink(&self.name, self.id)).raise(py)
    }

    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        view::bytes_interface(py, self.segment(py)?.mapping().raise(py)?, self.read_only)
    }

    fn __len__(&self) -> usize {
        self.size
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(&self, _kind: &Bound<'_, PyAny>, _value: &Bound<'_, PyAny>, _trace: &Bound<'_, PyAny>) {
        self.close();
    }

    fn __repr__(&self) -> String {
        let state = if self.closed() { ", closed" } else { "" };
        format!("<shmkit.SharedMemory '{}', {} bytes{state}>", self.name.as_str(), self.size)
    }
}
