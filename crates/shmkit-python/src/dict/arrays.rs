//! Arrays, and the numbers of numpy, which is not needed for anything else.

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyInt, PyMemoryView};
use shmkit::dict::ValueKind;

use super::value::{Value, out_of_range, refused};
use crate::numpy::numpy;

/// What numpy calls the elements of Node's typed arrays, and what `array` does. None for other values.
fn element_of(kind: ValueKind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        ValueKind::Int8Array => ("int8", "b"),
        ValueKind::Uint8ClampedArray => ("uint8", "B"),
        ValueKind::Int16Array => ("int16", "h"),
        ValueKind::Uint16Array => ("uint16", "H"),
        ValueKind::Int32Array => ("int32", "i"),
        ValueKind::Uint32Array => ("uint32", "I"),
        ValueKind::BigInt64Array => ("int64", "q"),
        ValueKind::BigUint64Array => ("uint64", "Q"),
        ValueKind::Float32Array => ("float32", "f"),
        ValueKind::Float64Array => ("float64", "d"),
        _ => return None,
    })
}

/// A number of numpy's own types. None for all else.
pub(super) fn scalar<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Value<'py>>> {
    let py = object.py();
    // Who has such a number has numpy.
    let modules = py.import("sys")?.getattr("modules")?;
    let Some(numpy) = modules.cast::<PyDict>()?.get_item("numpy")? else { return Ok(None) };
    let is = |name: &str| match numpy.getattr_opt(name)? {
        Some(class) => object.is_instance(&class),
        None => Ok(false),
    };
    if !is("generic")? {
        Ok(None)
    } else if is("bool_")? {
        object.is_truthy().map(|truth| Some(Value::Bool(truth)))
    } else if is("floating")? {
        object.extract().map(|float| Some(Value::Float(float)))
    } else {
        let int = object.call_method0("__index__").map_err(|_| refused(object))?;
        Ok(Some(Value::Int(int.cast_into::<PyInt>()?)))
    }
}

/// What has numbers in memory: a numpy array, an array.array, a memoryview. None for all else.
pub(super) fn of<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Value<'py>>> {
    let Ok(view) = PyMemoryView::from(object) else { return Ok(None) };
    let format: String = view.getattr("format")?.extract()?;
    let size: usize = view.getattr("itemsize")?.extract()?;
    let kind = kind_of(&format, size).ok_or_else(|| refused(object))?;
    let dimensions: usize = view.getattr("ndim")?.extract()?;
    if dimensions != 1 {
        let message =
            format!("an array of {dimensions} dimensions would lose its shape: store its reshape(-1)");
        return Err(out_of_range(object.py(), message));
    }
    let bytes = view.call_method0("tobytes")?.cast::<PyBytes>()?.as_bytes().to_vec();
    Ok(Some(if kind == ValueKind::Bytes { Value::Bytes(bytes) } else { Value::Array(kind, bytes) }))
}

/// The kind of a buffer's elements, by their format, as module `struct` writes it, and their size in bytes.
fn kind_of(format: &str, size: usize) -> Option<ValueKind> {
    let native = if cfg!(target_endian = "little") { '<' } else { '>' };
    let code = format.strip_prefix(['@', '=', native]).unwrap_or(format);
    Some(match (code, size) {
        ("B" | "c", 1) => ValueKind::Bytes,
        ("b", 1) => ValueKind::Int8Array,
        ("h" | "i" | "l" | "q" | "n", 2) => ValueKind::Int16Array,
        ("h" | "i" | "l" | "q" | "n", 4) => ValueKind::Int32Array,
        ("h" | "i" | "l" | "q" | "n", 8) => ValueKind::BigInt64Array,
        ("H" | "I" | "L" | "Q" | "N", 2) => ValueKind::Uint16Array,
        ("H" | "I" | "L" | "Q" | "N", 4) => ValueKind::Uint32Array,
        ("H" | "I" | "L" | "Q" | "N", 8) => ValueKind::BigUint64Array,
        ("f", 4) => ValueKind::Float32Array,
        ("d", 8) => ValueKind::Float64Array,
        _ => return None,
    })
}

/// An array of its own memory, for Node's typed array; None where the bytes are none.
pub(super) fn to_python<'py>(
    py: Python<'py>,
    kind: ValueKind,
    bytes: &[u8],
) -> Option<PyResult<Bound<'py, PyAny>>> {
    let (dtype, code) = element_of(kind)?;
    if !bytes.len().is_multiple_of(kind.element_size()?) {
        return None;
    }
    Some(match numpy(py) {
        Err(error) => Err(error),
        Ok(Some(numpy)) if bytes.is_empty() => numpy.call_method1("empty", (0, dtype)),
        Ok(Some(numpy)) => numpy.call_method1("frombuffer", (PyByteArray::new(py, bytes), dtype)),
        Ok(None) => {
            py.import("array").and_then(|array| array.call_method1("array", (code, PyBytes::new(py, bytes))))
        }
    })
}
