//! `MISSING`: what stands for no value where None is one.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The type of MISSING, of which there is one.
#[pyclass(frozen, name = "_Missing", module = "shmkit")]
pub(crate) struct Missing;

#[pymethods]
impl Missing {
    fn __bool__(&self) -> bool {
        false
    }

    fn __repr__(&self) -> &'static str {
        "shmkit.MISSING"
    }

    /// The same one in every process.
    fn __reduce__(&self) -> &'static str {
        "MISSING"
    }
}

/// The one that there is.
pub(crate) fn missing(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static MISSING: PyOnceLock<Py<Missing>> = PyOnceLock::new();
    Ok(MISSING.get_or_try_init(py, || Py::new(py, Missing))?.bind(py).clone().into_any())
}

/// An argument that may be left out, where None is a value.
pub(super) enum Given<'py> {
    Not,
    Value(Bound<'py, PyAny>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Given<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Ok(Given::Value(object.to_owned()))
    }
}
