//! What an item is to Python: an array of numpy's, a number where it has no dimensions, or bytes where there is no numpy.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyModule};
use shmkit::ring::items::Items;

use crate::errors::to_py;
use crate::numpy::{numpy, out_of_range, shown, tuple};
use crate::view;

/// The bytes of an item.
pub(crate) fn bytes_of<'py>(kind: &Items, item: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let py = item.py();
    if let Some(bytes) = plain(item)? {
        if bytes.as_bytes().len() == kind.item() {
            return Ok(bytes);
        }
        let (given, wanted) = (bytes.as_bytes().len(), kind.item());
        return Err(out_of_range(py, format!("an item has {wanted} bytes, and not {given}")));
    }
    let array = array_of(kind, item)?;
    let shape: Vec<usize> = array.getattr("shape")?.extract()?;
    if shape != kind.shape {
        let (given, wanted) = (shown(&shape), shown(&kind.shape));
        return Err(out_of_range(py, format!("an item has the shape {wanted}, and not {given}")));
    }
    Ok(array.call_method0("tobytes")?.cast_into()?)
}

/// The bytes of several, one after the other.
pub(crate) fn bytes_of_many<'py>(kind: &Items, items: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let py = items.py();
    if let Some(bytes) = plain(items)? {
        if bytes.as_bytes().len().is_multiple_of(kind.item()) {
            return Ok(bytes);
        }
        let (given, wanted) = (bytes.as_bytes().len(), kind.item());
        return Err(out_of_range(py, format!("items have a multiple of {wanted} bytes, and not {given}")));
    }
    let array = array_of(kind, items)?;
    let shape: Vec<usize> = array.getattr("shape")?.extract()?;
    match shape.split_first() {
        Some((_, rest)) if *rest == *kind.shape => Ok(array.call_method0("tobytes")?.cast_into()?),
        // So many of nothing.
        Some((0, [])) => Ok(PyBytes::new(py, &[])),
        _ => {
            let wanted: Vec<_> =
                ["n".to_owned()].into_iter().chain(kind.shape.iter().map(usize::to_string)).collect();
            let message = format!("items have the shape {}, and not {}", shown(&wanted), shown(&shape));
            Err(out_of_range(py, message))
        }
    }
}

/// What is nothing but bytes.
fn plain<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let py = object.py();
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Some(bytes.clone()));
    }
    // With numpy only what says so itself; else whatever is a buffer.
    let buffer = match object.cast::<PyMemoryView>() {
        Ok(view) => view.getattr("format")?.eq("B")? || numpy(py)?.is_none(),
        Err(_) if object.is_instance_of::<PyByteArray>() => true,
        Err(_) => numpy(py)?.is_none() && PyMemoryView::from(object).is_ok(),
    };
    if buffer { view::contents(object).map(|bytes| Some(PyBytes::new(py, &bytes))) } else { Ok(None) }
}

/// What numpy makes of it, with the items' type. Numbers and lists are converted as numpy does it; an array must be of
/// a type whose values the items' can have.
fn array_of<'py>(kind: &Items, object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let dtype = kind.dtype.name();
    let Some(numpy) = numpy(py)? else {
        let message = format!("without numpy an item must be bytes, of {dtype} one after the other");
        return Err(PyTypeError::new_err(message));
    };
    if let Some(given) = object.getattr_opt("dtype")?
        && !numpy.call_method1("can_cast", (&given, dtype, "same_kind"))?.is_truthy()?
    {
        let message = format!("an item of {given} is not one of {dtype}: convert it by astype");
        let class = shmkit::Class::Type;
        return Err(to_py(py, shmkit::Error { class, ..shmkit::Error::own("ERR_SHM_DTYPE", message) }));
    }
    numpy.call_method1("asarray", (object, dtype))
}

/// Memory for so many items, and numpy: what else could fail once they were taken.
pub(crate) fn room_for<'py>(
    py: Python<'py>,
    kind: &Items,
    count: usize,
) -> PyResult<Bound<'py, PyByteArray>> {
    numpy(py)?;
    PyByteArray::new_with(py, kind.item() * count, |_| Ok(()))
}

/// The item that is in these bytes.
pub(crate) fn item_from<'py>(kind: &Items, bytes: &Bound<'py, PyByteArray>) -> PyResult<Bound<'py, PyAny>> {
    let py = bytes.py();
    let Some(numpy) = numpy(py)? else { return as_bytes(bytes) };
    let array = array_over(numpy, &kind.shape, kind, bytes)?;
    // Without dimensions it is a number.
    if kind.shape.is_empty() { array.get_item(()) } else { Ok(array) }
}

/// The first items in these bytes.
pub(crate) fn items_from<'py>(
    kind: &Items,
    bytes: &Bound<'py, PyByteArray>,
    count: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let py = bytes.py();
    bytes.resize(kind.item() * count)?;
    let Some(numpy) = numpy(py)? else { return as_bytes(bytes) };
    array_over(numpy, &[&[count], kind.shape.as_slice()].concat(), kind, bytes)
}

fn array_over<'py>(
    numpy: &Bound<'py, PyModule>,
    shape: &[usize],
    kind: &Items,
    bytes: &Bound<'py, PyByteArray>,
) -> PyResult<Bound<'py, PyAny>> {
    let shape = tuple(numpy.py(), shape)?;
    numpy.call_method1("ndarray", (shape, kind.dtype.name(), bytes))
}

fn as_bytes<'py>(bytes: &Bound<'py, PyByteArray>) -> PyResult<Bound<'py, PyAny>> {
    Ok(PyBytes::new(bytes.py(), &bytes.to_vec()).into_any())
}
