//! What names a shared object for another process: `to_json()` here, `toJSON()` in Node.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use shmkit::descriptor::{self, Descriptor, ObjectKind};
use shmkit::ownership;
use shmkit::segment::{Access, Identity, Name};

use crate::array::SharedArray;
use crate::broadcast::SharedBroadcast;
use crate::dict::SharedDict;
use crate::errors::{Raise, to_py};
use crate::event::SharedEvent;
use crate::memory::SharedMemory;
use crate::mutex::SharedMutex;
use crate::queue::SharedQueue;

/// What somebody who attaches has named.
pub(crate) struct Target<'py> {
    pub(crate) name: Name,
    /// Of a descriptor: which one of that name.
    pub(crate) id: Option<Identity>,
    /// The descriptor.
    pub(crate) details: Option<Bound<'py, PyDict>>,
}

impl<'py> Target<'py> {
    /// A name, or a descriptor of that kind.
    pub(crate) fn of(given: &Bound<'py, PyAny>, kind: ObjectKind) -> PyResult<Self> {
        let py = given.py();
        if let Ok(name) = given.extract::<String>() {
            return Ok(Target { name: Name::new(&name).raise(py)?, id: None, details: None });
        }
        let Ok(details) = given.cast::<PyDict>() else {
            let message =
                format!("what to attach to must be a name, or a dict that to_json() gave, not {given}");
            return Err(PyTypeError::new_err(message));
        };
        let Descriptor { name, id, .. } = read(details, Some(kind))?;
        Ok(Target { name, id, details: Some(details.clone()) })
    }

    /// How to attach: as asked for, else as the descriptor says.
    pub(crate) fn access(&self, read_only: Option<bool>) -> PyResult<Access> {
        let read_only = read_only.map_or_else(|| self.get("readOnly"), |given| Ok(Some(given)))?;
        Ok(if read_only == Some(true) { Access::ReadOnly } else { Access::ReadWrite })
    }

    /// What the descriptor says of this; `None` if there is none, or it says nothing.
    pub(crate) fn get<T>(&self, key: &str) -> PyResult<Option<T>>
    where
        T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
    {
        self.details.as_ref().map_or(Ok(None), |details| field(details, key))
    }

    /// What it must say.
    pub(crate) fn required<T>(&self, key: &str) -> PyResult<T>
    where
        T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
    {
        self.get(key)?.ok_or_else(|| missing(key))
    }
}

/// A field of a descriptor.
fn field<'py, T>(details: &Bound<'py, PyDict>, key: &str) -> PyResult<Option<T>>
where
    T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
{
    match details.get_item(key)? {
        Some(value) if !value.is_none() => value
            .extract()
            .map(Some)
            .map_err(|_| PyTypeError::new_err(format!("the descriptor's {key} makes no sense: {value}"))),
        _ => Ok(None),
    }
}

fn missing(key: &str) -> PyErr {
    PyTypeError::new_err(format!("the descriptor has no {key}"))
}

/// The fields that every descriptor has.
fn read(details: &Bound<'_, PyDict>, expected: Option<ObjectKind>) -> PyResult<Descriptor> {
    let required = |key| field::<String>(details, key)?.ok_or_else(|| missing(key));
    let (kind, name) = (required("kind")?, required("name")?);
    let id: Option<String> = field(details, "id")?;
    Descriptor::read(field(details, "version")?, &kind, &name, id.as_deref(), expected).raise(details.py())
}

/// The shared object that a descriptor names: what `to_json()` gave in another process, or `toJSON()` in Node. Of
/// another user only if `foreign`.
#[pyfunction]
#[pyo3(signature = (descriptor, *, foreign = false))]
pub(crate) fn attach<'py>(descriptor: &Bound<'py, PyDict>, foreign: bool) -> PyResult<Bound<'py, PyAny>> {
    let py = descriptor.py();
    let class = match read(descriptor, None)?.kind {
        ObjectKind::Memory => py.get_type::<SharedMemory>(),
        ObjectKind::Array => py.get_type::<SharedArray>(),
        ObjectKind::Dict => py.get_type::<SharedDict>(),
        ObjectKind::Queue => py.get_type::<SharedQueue>(),
        ObjectKind::Broadcast => py.get_type::<SharedBroadcast>(),
        ObjectKind::Mutex => py.get_type::<SharedMutex>(),
        ObjectKind::Event => py.get_type::<SharedEvent>(),
        ObjectKind::List => {
            let message = "Python has lists itself: multiprocessing.shared_memory.ShareableList(name=...)";
            return Err(to_py(py, shmkit::Error::own("ERR_SHM_KIND", message)));
        }
    };
    let options = PyDict::new(py);
    options.set_item("foreign", foreign)?;
    class.call_method("attach", (descriptor,), Some(&options))
}

/// Whether this process is an owner of what the descriptor names: whether that lives as long as this process.
#[pyfunction]
pub(crate) fn owns(py: Python<'_>, descriptor: &Bound<'_, PyDict>) -> PyResult<bool> {
    let id: String = descriptor.as_any().get_item("id")?.extract()?;
    ownership::current().raise(py)?.owns(id.parse().raise(py)?).raise(py)
}

/// The beginning of a descriptor.
pub(crate) fn describe<'py>(
    py: Python<'py>,
    kind: ObjectKind,
    name: &str,
    id: Identity,
) -> PyResult<Bound<'py, PyDict>> {
    let details = PyDict::new(py);
    details.set_item("version", descriptor::VERSION)?;
    details.set_item("kind", kind.as_str())?;
    details.set_item("name", name)?;
    details.set_item("id", id.to_string())?;
    Ok(details)
}
