//! `keys()`, `values()`, `items()` and `==`, by what `collections.abc` has of them.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use super::SharedDict;
use super::txn::DictTxn;

fn abc<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyModule>> {
    py.import("collections.abc")
}

/// Our own views.
fn ours<'py>(py: Python<'py>) -> PyResult<&'py Bound<'py, PyModule>> {
    static OURS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let make = || {
        let code = pyo3::ffi::c_str!(include_str!("views.py"));
        PyModule::from_code(py, code, c"shmkit/views.py", c"shmkit._views").map(Bound::unbind)
    };
    Ok(OURS.get_or_try_init(py, make)?.bind(py))
}

/// Says that both classes are mappings that can be changed.
pub(crate) fn register(py: Python<'_>) -> PyResult<()> {
    let mapping = abc(py)?.getattr("MutableMapping")?;
    mapping.call_method1("register", (py.get_type::<SharedDict>(),))?;
    mapping.call_method1("register", (py.get_type::<DictTxn>(),))?;
    Ok(())
}

pub(super) fn keys<'py>(of: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    abc(of.py())?.getattr("KeysView")?.call1((of,))
}

pub(super) fn values<'py>(of: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    ours(of.py())?.getattr("Values")?.call1((of,))
}

pub(super) fn items<'py>(of: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    ours(of.py())?.getattr("Items")?.call1((of,))
}

/// All that a mapping has, or what `dict()` takes instead of one. Of ours it is of one moment.
pub(super) fn plain<'py>(other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let py = other.py();
    if let Ok(dict) = other.cast::<SharedDict>() {
        return dict.get().copy(py);
    }
    if let Ok(txn) = other.cast::<DictTxn>() {
        return txn.get().copy(py);
    }
    let all = PyDict::new(py);
    all.call_method1("update", (other,))?;
    Ok(all)
}

/// `mine() == other`, as mappings are equal.
pub(super) fn equal<'py>(
    other: &Bound<'py, PyAny>,
    mine: impl FnOnce() -> PyResult<Bound<'py, PyDict>>,
) -> PyResult<Py<PyAny>> {
    let py = other.py();
    if !other.is_instance(&abc(py)?.getattr("Mapping")?)? {
        return Ok(py.NotImplemented());
    }
    let equal = mine()?.eq(plain(other)?)?;
    Ok(equal.into_pyobject(py)?.to_owned().into_any().unbind())
}
