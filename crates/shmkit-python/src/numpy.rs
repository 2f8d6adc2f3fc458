//! numpy, where there is one: nothing but arrays needs it, and it is loaded when one is asked for.

use pyo3::exceptions::{PyImportError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyTuple};
use shmkit::array::DType;
use shmkit::array::location::DIMENSIONS_MAX;

use crate::errors::{Raise, to_py};

/// numpy, where there is one.
pub(crate) fn numpy(py: Python<'_>) -> PyResult<Option<&Bound<'_, PyModule>>> {
    static NUMPY: PyOnceLock<Option<Py<PyModule>>> = PyOnceLock::new();
    let import = || match py.import("numpy") {
        Ok(numpy) => Ok(Some(numpy.unbind())),
        Err(error) if error.is_instance_of::<PyImportError>(py) => Ok(None),
        Err(error) => Err(error),
    };
    Ok(NUMPY.get_or_try_init(py, import)?.as_ref().map(|numpy| numpy.bind(py)))
}

/// The array that numpy has of what has an `__array_interface__`; an `ImportError` without numpy.
pub(crate) fn array_over<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let numpy = numpy(object.py())?.ok_or_else(|| PyImportError::new_err("to index an array takes numpy"))?;
    numpy.call_method1("asarray", (object,))
}

/// The type that somebody asked for: by numpy's name or string for it, or by what `numpy.dtype` takes.
pub(crate) fn dtype_of(given: &Bound<'_, PyAny>) -> PyResult<DType> {
    let py = given.py();
    let text = given.extract::<String>().ok();
    let refused = match text.as_deref().map(DType::parse) {
        Some(Ok(dtype)) => return Ok(dtype),
        Some(Err(error)) => to_py(py, error),
        None => PyTypeError::new_err(format!("dtype must be a string such as 'float64', not {given}")),
    };
    let known = numpy(py)?.and_then(|numpy| numpy.getattr("dtype").ok()?.call1((given,)).ok());
    let Some(known) = known else { return Err(refused) };
    if known.getattr("hasobject")?.is_truthy()? {
        return Err(refused);
    }
    DType::parse(&known.getattr("str")?.extract::<String>()?).raise(py)
}

/// A shape: lengths, or one.
pub(crate) fn shape_of(given: &Bound<'_, PyAny>) -> PyResult<Vec<usize>> {
    let lengths = if given.hasattr("__index__")? {
        vec![given.clone()]
    } else {
        let many = if given.is_instance_of::<PyString>() { None } else { given.try_iter().ok() };
        let many = many.ok_or_else(|| {
            PyTypeError::new_err(format!("shape must be an int, or some of them, not {given}"))
        })?;
        many.collect::<PyResult<_>>()?
    };
    if lengths.len() > DIMENSIONS_MAX {
        let message =
            format!("shape has {} dimensions, and {DIMENSIONS_MAX} are the most there can be", lengths.len());
        return Err(out_of_range(given.py(), message));
    }
    let length = |(axis, length): (usize, &Bound<'_, PyAny>)| {
        length.extract::<usize>().map_err(|error| {
            if length.hasattr("__index__").unwrap_or(false) {
                let message = format!("shape[{axis}] must be a whole number, 0 or more, not {length}");
                out_of_range(given.py(), message)
            } else {
                error
            }
        })
    };
    let shape: Vec<usize> = lengths.iter().enumerate().map(length).collect::<PyResult<_>>()?;
    match elements_of(&shape) {
        Some(count) if isize::try_from(count).is_ok() => Ok(shape),
        _ => Err(out_of_range(given.py(), format!("shape {} has too many elements", shown(&shape)))),
    }
}

/// How many elements there are; `None` if that is more than can be counted.
pub(crate) fn elements_of(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        Some(0)
    } else {
        shape.iter().try_fold(1, |all: usize, one| all.checked_mul(*one))
    }
}

/// A shape as Python writes it.
pub(crate) fn shown<T: std::fmt::Display>(shape: &[T]) -> String {
    match shape {
        [one] => format!("({one},)"),
        many => format!("({})", many.iter().map(T::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// A shape, or strides, as Python has them.
pub(crate) fn tuple<'py, T: IntoPyObject<'py> + Copy>(
    py: Python<'py>,
    numbers: &[T],
) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, numbers.iter().copied())
}

/// A `ValueError` with a code.
pub(crate) fn out_of_range(py: Python<'_>, message: impl Into<String>) -> PyErr {
    to_py(py, shmkit::Error::range("ERR_OUT_OF_RANGE", message))
}

/// `C`, or `F`: whether the first index goes from element to element.
pub(crate) fn is_fortran(order: &str) -> PyResult<bool> {
    match order {
        "C" => Ok(false),
        "F" => Ok(true),
        _ => Err(PyValueError::new_err(format!("order must be 'C' or 'F', not '{order}'"))),
    }
}
