//! What names a shared object for another process: `to_json()` here, `toJSON()` in Node.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
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
    pub(crate) fn of(given: &Bound<'py, PyAny>, kind: &str) -> PyResult<Self> {
        let py = given.py();
        if let Ok(name) = given.extract::<String>() {
            return Ok(Target { name: Name::new(&name).raise(py)?, id: None, details: None });
        }
        let Ok(details) = given.cast::<PyDict>() else {
            let message =
                format!("what to attach to must be a name, or a dict that to_json() gave, not {given}");
            return Err(PyTypeError::new_err(message));
        };
        let target = Target { name: Name::new("-").raise(py)?, id: None, details: Some(details.clone()) };
        let actual: String = target.required("kind")?;
        let name: String = target.required("name")?;
        if actual != kind {
            let message = format!("the descriptor names a shared object of kind '{actual}', not '{kind}'");
            return Err(to_py(py, shmkit::Error::own("ERR_SHM_KIND", message).about(&name)));
        }
        let id = target.get::<String>("id")?.map(|id| identity_from(&id)).transpose()?;
        Ok(Target { name: Name::new(&name).raise(py)?, id, ..target })
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
        let Some(details) = &self.details else { return Ok(None) };
        match details.get_item(key)? {
            Some(value) if !value.is_none() => value
                .extract()
                .map(Some)
                .map_err(|_| PyTypeError::new_err(format!("the descriptor's {key} makes no sense: {value}"))),
            _ => Ok(None),
        }
    }

    /// What it must say.
    pub(crate) fn required<T>(&self, key: &str) -> PyResult<T>
    where
        T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
    {
        self.get(key)?.ok_or_else(|| PyTypeError::new_err(format!("the descriptor has no {key}")))
    }
}

/// The shared object that a descriptor names: what `to_json()` gave in another process, or `toJSON()` in Node. Of
/// another user only if `foreign`.
#[pyfunction]
#[pyo3(signature = (descriptor, *, foreign = false))]
pub(crate) fn attach<'py>(descriptor: &Bound<'py, PyDict>, foreign: bool) -> PyResult<Bound<'py, PyAny>> {
    let py = descriptor.py();
    let kind = descriptor.get_item("kind")?;
    let kind = kind.map(|kind| kind.extract::<String>()).transpose()?.unwrap_or_default();
    let class = match kind.as_str() {
        "memory" => py.get_type::<SharedMemory>(),
        "array" => py.get_type::<SharedArray>(),
        "dict" => py.get_type::<SharedDict>(),
        "queue" => py.get_type::<SharedQueue>(),
        "broadcast" => py.get_type::<SharedBroadcast>(),
        "mutex" => py.get_type::<SharedMutex>(),
        "event" => py.get_type::<SharedEvent>(),
        _ => {
            let message = format!("this version of shmkit has no kind '{kind}'");
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
    ownership::current().raise(py)?.owns(identity_from(&id)?).raise(py)
}

/// The beginning of a descriptor.
pub(crate) fn describe<'py>(
    py: Python<'py>,
    kind: &str,
    name: &str,
    id: Identity,
) -> PyResult<Bound<'py, PyDict>> {
    let details = PyDict::new(py);
    details.set_item("kind", kind)?;
    details.set_item("name", name)?;
    details.set_item("id", format!("{}:{}", id.device, id.inode))?;
    Ok(details)
}

fn identity_from(text: &str) -> PyResult<Identity> {
    let parsed = text.split_once(':').and_then(|(device, inode)| {
        Some(Identity { device: device.parse().ok()?, inode: inode.parse().ok()? })
    });
    parsed.ok_or_else(|| PyValueError::new_err(format!("the descriptor's id makes no sense: {text}")))
}
