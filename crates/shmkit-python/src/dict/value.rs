//! Values as they lie in a dict: a kind, and bytes. Node has the same in `shmkit-node/src/dict/value.rs` and
//! `src/dict-values.ts`.

use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple,
};
use shmkit::Class;

use super::missing::Missing;
use super::{arrays, message};
use crate::errors::to_py;

/// `None`, `False`, `True`: no bytes.
const NONE: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
/// A number of Node's: an IEEE double, native-endian. A whole one is an int here.
pub(super) const NUMBER: u8 = 3;
/// A bigint of Node's: its sign in one word, then its magnitude in 64-bit words, the lowest first.
pub(super) const BIGINT: u8 = 4;
/// Text of characters up to U+00FF, a byte each.
const LATIN1: u8 = 5;
/// Other text: UTF-16 units, native-endian.
const UTF16: u8 = 6;
/// As `NUMBER`, of a float that is whole and stays a float here.
pub(super) const FLOAT: u8 = 7;
const BYTES: u8 = 16;
/// Typed arrays, from here on, by their place in `arrays::TYPES`.
const ARRAY: u8 = 17;
/// Node's Uint8ClampedArray.
const CLAMPED: u8 = 18;
/// V8's structured clone.
const CLONE: u8 = 66;
/// One value in MessagePack.
pub(super) const MESSAGE: u8 = 67;

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
    Array(u8, Vec<u8>),
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
        Value::None => (NONE, Vec::new()),
        Value::Bool(truth) => (if truth { TRUE } else { FALSE }, Vec::new()),
        Value::Int(int) => match int.extract::<i64>().ok().filter(|int| is_exact(*int)) {
            Some(int) => (NUMBER, (int as f64).to_ne_bytes().to_vec()),
            None => (BIGINT, bigint(&int)?),
        },
        Value::Float(float) => {
            let kind = if is_whole(float) { FLOAT } else { NUMBER };
            (kind, canonical(float).to_ne_bytes().to_vec())
        }
        Value::Text(text) => text_of(&text)?,
        Value::Bytes(bytes) => (BYTES, bytes),
        Value::Array(index, bytes) => (ARRAY + index, bytes),
        nested @ (Value::Dict(_) | Value::List(_) | Value::Time(_)) => (MESSAGE, message::write(py, nested)?),
    };
    Ok(Encoded { kind, bytes })
}

/// The value that is stored, a fresh one. `key` is for its errors.
pub(super) fn decode<'py>(py: Python<'py>, stored: &Encoded, key: &str) -> PyResult<Bound<'py, PyAny>> {
    let bytes = stored.bytes.as_slice();
    match stored.kind {
        NONE => Ok(py.None().into_bound(py)),
        FALSE | TRUE => Ok(PyBool::new(py, stored.kind == TRUE).to_owned().into_any()),
        NUMBER | FLOAT => {
            let number = bytes.try_into().map(f64::from_ne_bytes);
            let number = number.map_err(|_| corrupt(py, key, "a number has no 8 bytes"))?;
            number_of(py, number, stored.kind == NUMBER && is_whole(number))
        }
        BIGINT => bigint_from(py, bytes).ok_or_else(|| corrupt(py, key, "a bigint has no sign"))?,
        LATIN1 if bytes.is_ascii() => PyString::from_bytes(py, bytes).map(Bound::into_any),
        LATIN1 => {
            Ok(PyString::new(py, &bytes.iter().map(|byte| char::from(*byte)).collect::<String>()).into_any())
        }
        UTF16 => {
            let (units, rest) = bytes.as_chunks();
            if !rest.is_empty() {
                return Err(corrupt(py, key, "a text has half a character"));
            }
            utf16_from(py, &units.iter().map(|unit| u16::from_ne_bytes(*unit)).collect::<Vec<_>>())
        }
        BYTES => Ok(PyBytes::new(py, bytes).into_any()),
        MESSAGE => message::read(py, bytes, key),
        CLONE => {
            let what = "a value that only Node can read: a Map, a Set, or what else only JavaScript has";
            Err(unreadable(py, key, what))
        }
        kind => match arrays::to_python(py, kind.wrapping_sub(ARRAY), bytes) {
            Some(array) => array,
            None if arrays::is_type(kind.wrapping_sub(ARRAY)) => {
                Err(corrupt(py, key, "an array ends in the middle of a number"))
            }
            None => Err(unreadable(py, key, &format!("a value of a newer version of shmkit (kind {kind})"))),
        },
    }
}

/// Whether two values are the same: stored as the same bytes, or equal as dicts and lists are.
pub(super) fn is_same(py: Python<'_>, stored: &Encoded, expected: &Encoded, key: &str) -> PyResult<bool> {
    let is_number = |kind| matches!(kind, NUMBER | FLOAT);
    let alike = stored.kind == expected.kind || is_number(stored.kind) && is_number(expected.kind);
    if alike && stored.bytes == expected.bytes {
        return Ok(true);
    }
    match (stored.kind, expected.kind) {
        (MESSAGE | CLONE, MESSAGE) => decode(py, stored, key)?.eq(decode(py, expected, key)?),
        // Of what Node has two kinds for Python has one: ints, and bytes.
        (BIGINT, NUMBER) | (CLAMPED, BYTES) => Ok(encode(&decode(py, stored, key)?)? == *expected),
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

/// Of NaNs there are many, which are all equal here.
pub(super) fn canonical(float: f64) -> f64 {
    if float.is_nan() { f64::NAN } else { float }
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
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    Ok([u64::from(negative)].into_iter().chain(words).flat_map(u64::to_ne_bytes).collect())
}

fn bigint_from<'py>(py: Python<'py>, bytes: &[u8]) -> Option<PyResult<Bound<'py, PyAny>>> {
    let (words, _) = bytes.as_chunks();
    let (sign, words) = words.split_first()?;
    let magnitude: Vec<u8> = words.iter().flat_map(|word| u64::from_ne_bytes(*word).to_le_bytes()).collect();
    let bytes = PyBytes::new(py, &magnitude);
    let int = py.get_type::<PyInt>().call_method1("from_bytes", (bytes, "little"));
    Some(if *sign == [0; 8] { int } else { int.and_then(|int| int.neg()) })
}

fn text_of(text: &Bound<'_, PyString>) -> PyResult<(u8, Vec<u8>)> {
    let Ok(utf8) = text.to_cow() else {
        // With lone surrogates, which UTF-8 has not.
        let bytes = text.call_method1("encode", ("utf-16-le", "surrogatepass"))?;
        let (units, _) = bytes.cast::<PyBytes>()?.as_bytes().as_chunks();
        return Ok((UTF16, units.iter().flat_map(|unit| u16::from_le_bytes(*unit).to_ne_bytes()).collect()));
    };
    if utf8.is_ascii() {
        return Ok((LATIN1, utf8.as_bytes().to_vec()));
    }
    let latin1: Option<Vec<u8>> = utf8.chars().map(|char| u8::try_from(char).ok()).collect();
    Ok(match latin1 {
        Some(bytes) => (LATIN1, bytes),
        None => (UTF16, utf8.encode_utf16().flat_map(u16::to_ne_bytes).collect()),
    })
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
