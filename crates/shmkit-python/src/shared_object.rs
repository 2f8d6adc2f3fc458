//! The life cycle of a shared object's handle: name, descriptor, ownership, closing and `with`.

use std::sync::{Mutex, MutexGuard};

use pyo3::PyClass;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use shmkit::descriptor::ObjectKind;
use shmkit::ownership;
use shmkit::segment::{Identity, Name};

use crate::channel::locked;
use crate::descriptor::describe;
use crate::errors::{Raise, closed};
use crate::opening::ledger;

/// The segment of a handle, and what the handle has open of it until it is closed.
pub(crate) struct Opened<T> {
    pub(crate) name: Name,
    pub(crate) id: Identity,
    state: Mutex<Option<T>>,
}

impl<T> Opened<T> {
    pub(crate) fn new(name: &Name, id: Identity, state: T) -> Self {
        Opened { name: name.clone(), id, state: Mutex::new(Some(state)) }
    }

    /// What is open; `None` after `take`.
    pub(crate) fn state(&self) -> MutexGuard<'_, Option<T>> {
        locked(&self.state)
    }

    /// What is open, or a part of it.
    ///
    /// # Errors
    /// `ERR_SHM_CLOSED`.
    pub(crate) fn get<U>(&self, py: Python<'_>, part: impl FnOnce(&T) -> U) -> PyResult<U> {
        let part = self.state().as_ref().map(part);
        part.ok_or_else(|| closed(py, self.name.as_str()))
    }

    /// Closes it. The caller drops what was open, which is then not under the lock.
    pub(crate) fn take(&self) -> Option<T> {
        self.state().take()
    }
}

/// What `shared_object_methods!` needs of a class.
pub(crate) trait SharedObject {
    /// The kind in descriptors.
    const KIND: ObjectKind;
    /// What a handle has open.
    type State: Send;

    fn opened(&self) -> &Opened<Self::State>;

    fn is_closed(&self) -> bool {
        self.opened().state().is_none()
    }

    /// Fails if the handle is closed.
    fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        if self.is_closed() { Err(closed(py, self.opened().name.as_str())) } else { Ok(()) }
    }

    /// Closes the handle. Idempotent.
    fn release(&self) {
        drop(self.opened().take());
    }

    /// Adds details to the descriptor.
    fn add_details(&self, _details: &Bound<'_, PyDict>) -> PyResult<()> {
        Ok(())
    }

    /// What `repr` says after the name.
    fn notes(&self, _py: Python<'_>) -> String {
        if self.is_closed() { ", closed".to_owned() } else { String::new() }
    }
}

/// Gives a class the methods that all shared objects have: `shared_object_methods!(CLASS, DOCSTRING_OF_CLOSE)`, and
/// `adopt` if it can be adopted.
macro_rules! shared_object_methods {
    ($class:ident, $close:literal $(, $adopt:ident)?) => {
        #[pymethods]
        impl $class {
            /// What `attach` takes in another process, here or in Node.
            fn to_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyDict>> {
                $crate::shared_object::to_json(self, py)
            }

            /// The segment's name, without a leading slash.
            #[getter]
            fn name(&self) -> &str {
                self.opened().name.as_str()
            }

            /// Whether the handle is closed.
            #[getter]
            fn closed(&self) -> bool {
                self.is_closed()
            }

            $(
                /// Makes this process an owner: the segment is unlinked when its last owner dies. Idempotent.
                fn $adopt(&self, py: Python<'_>) -> PyResult<()> {
                    $crate::shared_object::adopt(self, py)
                }
            )?

            #[doc = $close]
            fn close(&self) {
                self.release();
            }

            /// Removes the name, and the lock that belongs to it. Attached handles keep the memory.
            fn unlink(&self, py: Python<'_>) -> PyResult<()> {
                $crate::shared_object::unlink(self, py)
            }

            fn __enter__(slf: Py<Self>) -> Py<Self> {
                slf
            }

            fn __exit__(&self, _kind: &Bound<'_, PyAny>, _value: &Bound<'_, PyAny>, _trace: &Bound<'_, PyAny>) {
                self.release();
            }

            fn __repr__(&self, py: Python<'_>) -> String {
                format!("<shmkit.{} '{}'{}>", stringify!($class), self.name(), self.notes(py))
            }
        }
    };
}
pub(crate) use shared_object_methods;

pub(crate) fn to_json<'py, T: SharedObject>(object: &T, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
    let opened = object.opened();
    let details = describe(py, T::KIND, opened.name.as_str(), opened.id)?;
    object.add_details(&details)?;
    Ok(details)
}

pub(crate) fn adopt(object: &impl SharedObject, py: Python<'_>) -> PyResult<()> {
    object.check_open(py)?;
    let (opened, ledger) = (object.opened(), ledger(py).raise(py)?);
    py.detach(|| ledger.adopt(&opened.name, opened.id)).raise(py)
}

pub(crate) fn unlink(object: &impl SharedObject, py: Python<'_>) -> PyResult<()> {
    let opened = object.opened();
    py.detach(|| ownership::unlink(&opened.name, opened.id)).raise(py)
}

/// How a shared object is pickled: what its `_attach_again` takes.
pub(crate) type Reduced<'py> = (Bound<'py, PyAny>, (Bound<'py, PyDict>, bool));

/// What `__reduce__` returns: another process attaches to the same segment.
pub(crate) fn reduce<'py, T>(object: &Bound<'py, T>, foreign: bool) -> PyResult<Reduced<'py>>
where
    T: SharedObject + PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Sync,
{
    let (py, this) = (object.py(), object.get());
    this.check_open(py)?;
    Ok((object.as_any().get_type().getattr("_attach_again")?, (to_json(this, py)?, foreign)))
}
