//! Transactions on the standard library's `multiprocessing.shared_memory.SharedMemory`.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use shmkit::segment::{AttachOptions, Identity, Name, Segment};

use crate::errors::{Raise, closed};
use crate::handle::Handle;
use crate::memory::SharedMemory;
use crate::txn::Txn;

/// The lock of an object of the standard library's, which keeps it for as long as that object lives.
#[pyclass(frozen, module = "shmkit")]
struct Locked {
    segment: Arc<Segment>,
    lock: Arc<Handle>,
}

/// A transaction on a segment: one of `multiprocessing.shared_memory.SharedMemory` (or a ShareableList on one), of
/// this module (or an array's), or of this name. The lock is taken where `with` begins.
#[pyfunction]
#[pyo3(signature = (shm, *, read_only = false, timeout = None))]
pub(crate) fn txn(shm: &Bound<'_, PyAny>, read_only: bool, timeout: Option<f64>) -> PyResult<Txn> {
    let py = shm.py();
    if let Ok(name) = shm.extract::<String>() {
        let segment = attach(py, &name, &AttachOptions::default())?;
        let lock = Handle::sidecar(py, &segment, &segment)?;
        return Txn::new(py, segment, lock, read_only, timeout);
    }
    let lies_in = shm.getattr_opt("shm")?;
    let shm = lies_in.as_ref().unwrap_or(shm);
    if let Ok(ours) = shm.cast::<SharedMemory>() {
        return ours.get().txn(py, read_only, timeout);
    }
    let locked = locked(shm)?;
    let locked = locked.get();
    Txn::new(py, Arc::clone(&locked.segment), Arc::clone(&locked.lock), read_only, timeout)
}

/// The lock of the very segment that the object has open; kept with it.
fn locked<'py>(shm: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Locked>> {
    let py = shm.py();
    let name: String = shm.getattr("name")?.extract()?;
    let fd: Option<i32> = shm.getattr_opt("_fd")?.and_then(|fd| fd.extract().ok());
    if fd == Some(-1) {
        return Err(closed(py, &name));
    }
    let known = known(py)?;
    let found = known.call_method1("get", (shm,))?;
    if let Ok(found) = found.cast_into::<Locked>() {
        return Ok(found);
    }
    let expect = match fd {
        Some(fd) => {
            let stat = py.import("os")?.call_method1("fstat", (fd,))?;
            let device = stat.getattr("st_dev")?.extract()?;
            Some(Identity { device, inode: stat.getattr("st_ino")?.extract()? })
        }
        None => None,
    };
    // Its user has opened it already, and writes by a mapping of his own.
    let options = AttachOptions { foreign: true, reserve: false, expect, ..AttachOptions::default() };
    let segment = attach(py, &name, &options)?;
    let lock = Handle::sidecar(py, &segment, &segment)?;
    let locked = Bound::new(py, Locked { segment, lock })?;
    known.set_item(shm, &locked)?;
    Ok(locked)
}

fn attach(py: Python<'_>, name: &str, options: &AttachOptions) -> PyResult<Arc<Segment>> {
    let name = Name::new(name).raise(py)?;
    py.detach(|| Segment::attach(&name, options)).raise(py).map(Arc::new)
}

/// The objects that were seen, as long as they live.
fn known(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static KNOWN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = || py.import("weakref")?.call_method0("WeakKeyDictionary").map(Bound::unbind);
    Ok(KNOWN.get_or_try_init(py, make)?.bind(py))
}
