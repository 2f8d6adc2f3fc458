//! Values of Python as the engine's kinds and bytes.

use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple,
};
use shmkit::Class;
use shmkit::dict::ValueKind;
use shmkit::dict::value::{self, bigint_bytes, bigint_words, encode_text, number_bytes, utf16_units};

use super::missing::Missing;
use super::{arrays, message};
use crate::errors::to_py;

/// Up to here every whole number is a double.
pub(super) const EXACT: f64 = 9_007_199_254_740_992.0;

/// A value as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Encoded {
    pub(super) kind: u8,
    pub(super) bytes: Vec<u8>,
}

/// What can be stored, by itself or inside of a list or dict.
pub(super) enum Value<'py> {
    None,
    Bool(bool),
    Int(Bound<'py, PyInt>),
    Float(f64),
    Text(Bound<'py, PyString>),
    Bytes(Vec<u8>),
    Array(ValueKind, Vec<u8>),
    Dict(Bound<'py, PyDict>),
    List(Bound<'py, PyTuple>),
    Time(Bound<'py, PyAny>),
}

impl<'py> Value<'py> {
    /// What an object is stored as. May run code of its class.
    pub(super) fn of(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        Ok(if object.is_none() {
            Value::None
        } else if let Ok(truth) = object.cast::<PyBool>() {
            Value::Bool(truth.is_true())
        } else if let Ok(int) = object.cast::<PyInt>() {
            Value::Int(int.clone())
        } else if let Ok(float) = object.cast::<PyFloat>() {
            Value::Float(float.value())
        } else if let Ok(text) = object.cast::<PyString>() {
            Value::Text(text.clone())
        } else if let Ok(bytes) = object.cast::<PyBytes>() {
            Value::Bytes(bytes.as_bytes().to_vec())
        } else if let Ok(bytes) = object.cast::<PyByteArray>() {
            Value::Bytes(bytes.to_vec())
        } else if let Ok(dict) = object.cast::<PyDict>() {
            Value::Dict(dict.clone())
        } else if let Ok(list) = object.cast::<PyList>() {
            Value::List(list.to_tuple())
        } else if let Ok(tuple) = object.cast::<PyTuple>() {
            Value::List(tuple.clone())
        } else if object.is_instance_of::<PyDateTime>() {
            Value::Time(object.clone())
        } else if let Some(scalar) = arrays::scalar(object)? {
            scalar
        } else if let Some(array) = arrays::of(object)? {
            array
        } else if let Ok(int) = object.call_method0("__index__").and_then(|int| Ok(int.cast_into::<PyInt>()?))
        {
            Value::Int(int)
        } else {
            return Err(refused(object));
        })
    }
}

/// A value as it is stored; an exception that says why it cannot be.
pub(super) fn encode(object: &Bound<'_, PyAny>) -> PyResult<Encoded> {
    let py = object.py();
    let (kind, bytes) = match Value::of(object)? {
        Value::None => (ValueKind::Null, Vec::new()),
        Value::Bool(truth) => (if truth { ValueKind::True } else { ValueKind::False }, Vec::new()),
        Value::Int(int) => match int.extract::<i64>().ok().filter(|int| is_exact(*int)) {
            Some(int) => (ValueKind::Number, number_bytes(int as f64).to_vec()),
            None => (ValueKind::Bigint, bigint(&int)?),
        },
        Value::Float(float) => {
            let kind = if is_whole(float) { ValueKind::Float } else { ValueKind::Number };
            (kind, number_bytes(float).to_vec())
        }
        Value::Text(text) => text_of(&text)?,
        Value::Bytes(bytes) => (ValueKind::Bytes, bytes),
        Value::Array(kind, bytes) => (kind, bytes),
        nested @ (Value::Dict(_) | Value::List(_) | Value::Time(_)) => {
            (ValueKind::MessagePack, message::write(py, nested)?)
        }
    };
    Ok(Encoded { kind: kind.byte(), bytes })
}

/// The value that is stored, a fresh one. `key` is for its errors.
pub(super) fn decode<'py>(py: Python<'py>, stored: &Encoded, key: &str) -> PyResult<Bound<'py, PyAny>> {
    let bytes = stored.bytes.as_slice();
    let Some(kind) = ValueKind::from_byte(stored.kind) else {
        let what = format!("a value of a newer version of shmkit (kind {})", stored.kind);
        return Err(unreadable(py, key, &what));
    };
    match kind {
        ValueKind::Null => Ok(py.None().into_bound(py)),
        ValueKind::False | ValueKind::True => {
            Ok(PyBool::new(py, kind == ValueKind::True).to_owned().into_any())
        }
        ValueKind::Number | ValueKind::Float => {
            let number = bytes.try_into().map(f64::from_ne_bytes);
            let number = number.map_err(|_| corrupt(py, key, "a number has no 8 bytes"))?;
            number_of(py, number, kind == ValueKind::Number && is_whole(number))
        }
        ValueKind::Bigint => {
            bigint_from(py, bytes).ok_or_else(|| corrupt(py, key, "a bigint has no sign"))?
        }
        ValueKind::Latin1 if bytes.is_ascii() => PyString::from_bytes(py, bytes).map(Bound::into_any),
        ValueKind::Latin1 => {
            Ok(PyString::new(py, &bytes.iter().map(|byte| char::from(*byte)).collect::<String>()).into_any())
        }
        ValueKind::Utf16 => {
            let units = utf16_units(bytes).ok_or_else(|| corrupt(py, key, "a text has half a character"))?;
            utf16_from(py, &units)
        }
        ValueKind::Bytes => Ok(PyBytes::new(py, bytes).into_any()),
        ValueKind::MessagePack => message::read(py, bytes, key),
        ValueKind::Clone => {
            let what = "a value that only Node can read: a Map, a Set, or what else only JavaScript has";
            Err(unreadable(py, key, what))
        }
        array => arrays::to_python(py, array, bytes)
            .unwrap_or_else(|| Err(corrupt(py, key, "an array ends in the middle of a number"))),
    }
}

/// Whether two values are the same: stored as the same bytes, or equal as dicts and lists are.
pub(super) fn is_same(py: Python<'_>, stored: &Encoded, expected: &Encoded, key: &str) -> PyResult<bool> {
    if value::is_same_kind(stored.kind, expected.kind) && stored.bytes == expected.bytes {
        return Ok(true);
    }
    let kind = |value: &Encoded| ValueKind::from_byte(value.kind);
    match (kind(stored), kind(expected)) {
        (Some(ValueKind::MessagePack | ValueKind::Clone), Some(ValueKind::MessagePack)) => {
            decode(py, stored, key)?.eq(decode(py, expected, key)?)
        }
        // Of what Node has two kinds for Python has one: ints, and bytes.
        (Some(ValueKind::Bigint), Some(ValueKind::Number))
        | (Some(ValueKind::Uint8ClampedArray), Some(ValueKind::Bytes)) => {
            Ok(encode(&decode(py, stored, key)?)? == *expected)
        }
        _ => Ok(false),
    }
}

pub(super) fn is_exact(int: i64) -> bool {
    int.unsigned_abs() <= EXACT as u64
}

/// Whether a double is a whole number that an int can stand for.
pub(super) fn is_whole(float: f64) -> bool {
    float.trunc() == float && float.abs() <= EXACT && !(float == 0.0 && float.is_sign_negative())
}

/// An int, or a float.
pub(super) fn number_of(py: Python<'_>, number: f64, is_int: bool) -> PyResult<Bound<'_, PyAny>> {
    if is_int {
        return Ok((number as i64).into_pyobject(py)?.into_any());
    }
    Ok(PyFloat::new(py, number).into_any())
}

fn bigint(int: &Bound<'_, PyInt>) -> PyResult<Vec<u8>> {
    let py = int.py();
    let negative = int.lt(0)?;
    let magnitude = int.call_method0("__abs__")?;
    let words = magnitude.call_method0("bit_length")?.extract::<usize>()?.div_ceil(64);
    let bytes = magnitude.call_method1("to_bytes", (words * 8, pyo3::intern!(py, "little")))?;
    let (words, _) = bytes.cast::<PyBytes>()?.as_bytes().as_chunks();
    Ok(bigint_bytes(negative, words.iter().map(|word| u64::from_le_bytes(*word))))
}

fn bigint_from<'py>(py: Python<'py>, bytes: &[u8]) -> Option<PyResult<Bound<'py, PyAny>>> {
    let (is_negative, words) = bigint_words(bytes)?;
    let magnitude: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
    let bytes = PyBytes::new(py, &magnitude);
    let int = py.get_type::<PyInt>().call_method1("from_bytes", (bytes, "little"));
    Some(if is_negative { int.and_then(|int| int.neg()) } else { int })
}

fn text_of(text: &Bound<'_, PyString>) -> PyResult<(ValueKind, Vec<u8>)> {
    let units: Vec<u16> = match text.to_cow() {
        Ok(utf8) if utf8.is_ascii() => return Ok((ValueKind::Latin1, utf8.as_bytes().to_vec())),
        Ok(utf8) => utf8.encode_utf16().collect(),
        Err(_) => {
            // With lone surrogates, which UTF-8 has not.
            let bytes = text.call_method1("encode", ("utf-16-le", "surrogatepass"))?;
            let (units, _) = bytes.cast::<PyBytes>()?.as_bytes().as_chunks();
            units.iter().map(|unit| u16::from_le_bytes(*unit)).collect()
        }
    };
    let mut bytes = Vec::new();
    Ok((encode_text(&units, &mut bytes), bytes))
}

fn utf16_from<'py>(py: Python<'py>, units: &[u16]) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(text) = String::from_utf16(units) {
        return Ok(PyString::new(py, &text).into_any());
    }
    let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let bytes = PyBytes::new(py, &bytes);
    let text = PyString::from_encoded_object(&bytes, Some(c"utf-16-le"), Some(c"surrogatepass"))?;
    Ok(text.into_any())
}

/// The exception of what cannot be stored.
pub(super) fn refused(object: &Bound<'_, PyAny>) -> PyErr {
    let what = if object.is_instance_of::<Missing>() {
        "MISSING is no value: del removes a key".to_owned()
    } else {
        let name = object.get_type().fully_qualified_name();
        let name = name.map_or_else(|_| "this".to_owned(), |name| name.to_string());
        let dtype = object.getattr_opt("dtype").ok().flatten();
        let dtype = dtype.map_or_else(String::new, |dtype| format!(" of dtype {dtype}"));
        format!("a dict has no {name}{dtype}: store what it is made of")
    };
    wrong_type(object.py(), what)
}

/// A `TypeError` about a value.
pub(super) fn wrong_type(py: Python<'_>, what: impl Into<String>) -> PyErr {
    to_py(py, shmkit::Error { class: Class::Type, ..shmkit::Error::own("ERR_SHM_VALUE", what) })
}

/// A `ValueError` about a value.
pub(super) fn out_of_range(py: Python<'_>, what: impl Into<String>) -> PyErr {
    to_py(py, shmkit::Error::range("ERR_SHM_VALUE", what))
}

/// The exception of what is stored, and not for Python.
pub(super) fn unreadable(py: Python<'_>, key: &str, what: &str) -> PyErr {
    to_py(py, shmkit::Error::own("ERR_SHM_VALUE", format!("'{key}' has {what}")))
}

/// The exception of bytes that nobody wrote so.
pub(super) fn corrupt(py: Python<'_>, key: &str, why: &str) -> PyErr {
    let message = format!("the value of '{key}' was damaged by another process: {why}");
    to_py(py, shmkit::Error::own("ERR_SHM_CORRUPT", message))
}
