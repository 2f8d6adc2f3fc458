//! Arrays, and the numbers of numpy, which is not needed for anything else.

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyInt, PyMemoryView};

use super::value::{Value, out_of_range, refused};
use crate::numpy::numpy;

/// Node's typed arrays: what numpy calls their numbers, what `array` does, and their bytes.
const TYPES: [(&str, &str, usize); 10] = [
    ("int8", "b", 1),
    ("uint8", "B", 1),
    ("int16", "h", 2),
    ("uint16", "H", 2),
    ("int32", "i", 4),
    ("uint32", "I", 4),
    ("int64", "q", 8),
    ("uint64", "Q", 8),
    ("float32", "f", 4),
    ("float64", "d", 8),
];

pub(super) fn is_type(index: u8) -> bool {
    usize::from(index) < TYPES.len()
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
    let type_of = type_of(&format, size).ok_or_else(|| refused(object))?;
    let dimensions: usize = view.getattr("ndim")?.extract()?;
    if dimensions != 1 {
        let message =
            format!("an array of {dimensions} dimensions would lose its shape: store its reshape(-1)");
        return Err(out_of_range(object.py(), message));
    }
    let bytes = view.call_method0("tobytes")?.cast::<PyBytes>()?.as_bytes().to_vec();
    Ok(Some(match type_of {
        Type::Bytes => Value::Bytes(bytes),
        Type::Array(index) => Value::Array(index, bytes),
    }))
}

enum Type {
    Bytes,
    Array(u8),
}

/// The type of numbers of a buffer's format, as module `struct` writes it.
fn type_of(format: &str, size: usize) -> Option<Type> {
    let native = if cfg!(target_endian = "little") { '<' } else { '>' };
    let code = format.strip_prefix(['@', '=', native]).unwrap_or(format);
    let place = match (code, size) {
        ("B" | "c", 1) => return Some(Type::Bytes),
        ("b", 1) => 0,
        ("h" | "i" | "l" | "q" | "n", 2 | 4 | 8) => 2 * size.ilog2(),
        ("H" | "I" | "L" | "Q" | "N", 2 | 4 | 8) => 2 * size.ilog2() + 1,
        ("f", 4) => 8,
        ("d", 8) => 9,
        _ => return None,
    };
    u8::try_from(place).ok().map(Type::Array)
}

/// An array of its own memory, for Node's type of this number; None where the bytes are none.
pub(super) fn to_python<'py>(
    py: Python<'py>,
    index: u8,
    bytes: &[u8],
) -> Option<PyResult<Bound<'py, PyAny>>> {
    let (dtype, code, size) = *TYPES.get(usize::from(index))?;
    if !bytes.len().is_multiple_of(size) {
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
