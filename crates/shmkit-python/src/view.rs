//! A segment's bytes as Python indexes them. They are copied, or handed to numpy by their address; never borrowed.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyMemoryView, PySlice};
use shmkit::bytes::SharedBytes;
use shmkit::segment::Mapping;

use crate::numpy::tuple;

/// `bytes[index]`: a number for a number, a copy for a slice.
pub(crate) fn get<'py>(
    py: Python<'py>,
    bytes: SharedBytes<'_>,
    index: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let Ok(slice) = index.cast::<PySlice>() else {
        let byte = bytes.load_byte(position(&bytes, index)?).unwrap_or_default(); // it is inside
        return Ok(byte.into_pyobject(py)?.into_any());
    };
    let range = slice.indices(bytes.len() as isize)?;
    let copy = PyBytes::new_with(py, range.slicelength, |target| {
        if range.step == 1 {
            // SAFETY: the target is a slice of this call's own. That it is one while it is written to is no matter: what
            // is written comes from here.
            unsafe { bytes.copy_to(range.start as usize, target.as_mut_ptr(), target.len()) }
                .ok_or_else(outside)?;
        } else {
            for (at, byte) in steps(range.start, range.step).zip(target) {
                *byte = bytes.load_byte(at).ok_or_else(outside)?;
            }
        }
        Ok(())
    })?;
    Ok(copy.into_any())
}

/// `bytes[index] = value`, of exactly that length.
pub(crate) fn set(
    bytes: SharedBytes<'_>,
    index: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let Ok(slice) = index.cast::<PySlice>() else {
        let byte: u8 = value.extract()?;
        return bytes.store_byte(position(&bytes, index)?, byte).ok_or_else(outside);
    };
    let range = slice.indices(bytes.len() as isize)?;
    let value = contents(value)?;
    if value.len() != range.slicelength {
        let message = format!("{} bytes do not fit into a slice of {}", value.len(), range.slicelength);
        return Err(PyValueError::new_err(message));
    }
    if range.step == 1 {
        return bytes.store(range.start as usize, &value).ok_or_else(outside);
    }
    steps(range.start, range.step)
        .zip(value.iter())
        .try_for_each(|(at, byte)| bytes.store_byte(at, *byte))
        .ok_or_else(outside)
}

/// All of `value` to `offset`.
pub(crate) fn write(bytes: SharedBytes<'_>, value: &Bound<'_, PyAny>, offset: usize) -> PyResult<()> {
    bytes.store(offset, &contents(value)?).ok_or_else(outside)
}

/// Copies `len` bytes from `at` on to `offset` of a bytearray that only its caller knows; `None` if they are not all
/// inside of both.
pub(crate) fn copy_into(
    bytes: SharedBytes<'_>,
    at: usize,
    target: &Bound<'_, PyByteArray>,
    offset: usize,
    len: usize,
) -> Option<()> {
    let fits = offset.checked_add(len).is_some_and(|end| end <= target.len());
    // SAFETY: as was just seen the bytes are inside of an object that lives and, with the GIL held, is not resized
    // meanwhile; nobody has a reference into it.
    if fits { unsafe { bytes.copy_to(at, target.data().add(offset), len) } } else { None }
}

/// A memoryview of these bytes of a mapping, which are inside of it. What numpy makes of it has it for its base, and so
/// `keep_alive` lives as long as the last array: the handle may be closed, and is not kept alive.
pub(crate) fn memory<'py>(
    py: Python<'py>,
    mapping: &Mapping,
    range: Range<usize>,
    read_only: bool,
    keep_alive: impl Any + Send + Sync,
) -> PyResult<Bound<'py, PyAny>> {
    let (start, len) = mapping.raw();
    if range.start > range.end || range.end > len {
        return Err(outside());
    }
    // The stable ABI of Python 3.9 has no way to be a buffer, and an address alone would have the handle for its base.
    let kind = py.import("ctypes")?.getattr("c_ubyte")?.mul(range.len())?;
    let bytes = kind.call_method1("from_address", (start as usize + range.start,))?;
    bytes.setattr("_keep_alive", KeepAlive { _keep_alive: Box::new(keep_alive) })?;
    // Theirs has a byte order, which nothing can index.
    let view = PyMemoryView::from(&bytes)?.call_method1("cast", ("B",))?;
    if read_only { view.call_method0("toreadonly") } else { Ok(view) }
}

/// What numpy asks for to work on such a memoryview in place.
pub(crate) fn interface<'py>(
    memory: &Bound<'py, PyAny>,
    shape: &[usize],
    typestr: &str,
) -> PyResult<Bound<'py, PyDict>> {
    let py = memory.py();
    let interface = PyDict::new(py);
    interface.set_item("version", 3)?;
    interface.set_item("shape", tuple(py, shape)?)?;
    interface.set_item("typestr", typestr)?;
    interface.set_item("data", memory)?;
    Ok(interface)
}

/// The same for all bytes of a segment.
pub(crate) fn bytes_interface<'py>(
    py: Python<'py>,
    mapping: &Arc<Mapping>,
    read_only: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let (_, len) = mapping.raw();
    let memory = memory(py, mapping, 0..len, read_only, Arc::clone(mapping))?;
    interface(&memory, &[len], "|u1")
}

/// An object that lives as long as a memoryview.
#[pyclass(frozen, module = "shmkit")]
struct KeepAlive {
    _keep_alive: Box<dyn Any + Send + Sync>,
}

fn position(bytes: &SharedBytes<'_>, index: &Bound<'_, PyAny>) -> PyResult<usize> {
    let index: isize = index
        .extract()
        .map_err(|_| PyTypeError::new_err("an index is an integer of the segment's range, or a slice"))?;
    let len = bytes.len();
    let at = if index < 0 { len.checked_sub(index.unsigned_abs()) } else { Some(index.unsigned_abs()) };
    at.filter(|at| *at < len).ok_or_else(outside)
}

fn steps(start: isize, step: isize) -> impl Iterator<Item = usize> {
    (0..).map(move |count: isize| start.wrapping_add(count.wrapping_mul(step)) as usize)
}

/// A private copy of what is in a bytes-like object.
pub(crate) fn contents(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().to_vec());
    }
    if let Ok(array) = value.cast::<PyByteArray>() {
        return Ok(array.to_vec());
    }
    // The stable ABI of Python 3.9 has no buffers, but memoryview knows them all.
    let view = PyMemoryView::from(value)?;
    Ok(view.call_method0("tobytes")?.cast::<PyBytes>()?.as_bytes().to_vec())
}

fn outside() -> PyErr {
    PyIndexError::new_err("these bytes are not all inside of the segment")
}
