//! A segment.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use shmkit::descriptor::ObjectKind;
use shmkit::segment::{Access, AttachOptions, Segment};

use crate::descriptor::Target;
use crate::errors::Raise;
use crate::handle::Handle;
use crate::opening::create_options;
use crate::shared_object::{Opened, SharedObject, shared_object_methods};
use crate::txn::Txn;
use crate::view;

/// A segment of named shared memory, whoever made it: this module, Node's shmkit, or the standard library.
#[pyclass(frozen, module = "shmkit", weakref)]
pub(crate) struct SharedMemory {
    size: usize,
    read_only: bool,
    open: Opened<Open>,
}

pub(crate) struct Open {
    segment: Arc<Segment>,
    /// Once it was locked: to be found again by the next transaction.
    lock: Option<Arc<Handle>>,
}

impl SharedMemory {
    pub(crate) fn new(segment: Segment) -> Self {
        let segment = Arc::new(segment);
        SharedMemory {
            size: segment.size(),
            read_only: segment.access() == Access::ReadOnly,
            open: Opened::new(
                segment.name(),
                segment.id(),
                Open { segment: Arc::clone(&segment), lock: None },
            ),
        }
    }

    pub(crate) fn segment(&self, py: Python<'_>) -> PyResult<Arc<Segment>> {
        self.open.get(py, |open| Arc::clone(&open.segment))
    }
}

impl SharedObject for SharedMemory {
    const KIND: ObjectKind = ObjectKind::Memory;
    type State = Open;

    fn opened(&self) -> &Opened<Open> {
        &self.open
    }

    fn add_details(&self, details: &Bound<'_, PyDict>) -> PyResult<()> {
        details.set_item("size", self.size)?;
        if self.read_only { details.set_item("readOnly", true) } else { Ok(()) }
    }

    fn notes(&self, _py: Python<'_>) -> String {
        let state = if self.is_closed() { ", closed" } else { "" };
        format!(", {} bytes{state}", self.size)
    }
}

shared_object_methods!(
    SharedMemory,
    "Closes this handle. Transactions and arrays that were made of it are not disturbed.",
    adopt
);

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

    #[getter]
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    #[getter]
    pub(crate) fn read_only(&self) -> bool {
        self.read_only
    }

    /// To work on the bytes while nobody else does: `with shm.txn() as txn`. The lock is taken where `with` begins.
    #[pyo3(signature = (*, read_only = false, timeout = None))]
    pub(crate) fn txn(&self, py: Python<'_>, read_only: bool, timeout: Option<f64>) -> PyResult<Txn> {
        let segment = self.segment(py)?;
        let lock = Handle::sidecar(py, &segment, &segment)?;
        if let Some(open) = &mut *self.open.state() {
            open.lock = Some(Arc::clone(&lock));
        }
        Txn::new(py, segment, lock, read_only, timeout)
    }

    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        view::bytes_interface(py, self.segment(py)?.mapping().raise(py)?, self.read_only)
    }

    fn __len__(&self) -> usize {
        self.size
    }
}
