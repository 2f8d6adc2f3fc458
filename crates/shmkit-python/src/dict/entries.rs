//! What can be done with entries while nobody else writes: those of a dict that is locked, or of a txn.

use std::collections::BTreeMap;

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyString, PyTuple};
use shmkit::Class;

use super::missing::{Given, Missing};
use shmkit::dict::value::is_number;

use super::value::{Encoded, decode, encode, is_same, out_of_range, unreadable, wrong_type};
use super::views::plain;
use crate::errors::to_py;

/// What keys are to become: a value, or nothing.
pub(super) type Changes = BTreeMap<String, Option<Encoded>>;

pub(super) trait Entries {
    /// The value of a key.
    fn look_up(&self, py: Python<'_>, key: &str) -> PyResult<Option<Encoded>>;
    /// Gives a key a value, or none.
    fn change(&self, py: Python<'_>, key: &str, to: Option<Encoded>) -> PyResult<()>;
    /// The keys.
    fn names(&self, py: Python<'_>) -> PyResult<Vec<String>>;
}

/// A key that is looked for; None where there can be none such.
pub(super) fn known_key(key: &Bound<'_, PyAny>) -> Option<String> {
    key.cast::<PyString>().ok()?.to_cow().ok().map(|key| key.into_owned())
}

/// A key that is given a value. The engine checks its length.
pub(super) fn new_key(key: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = key.py();
    let Ok(text) = key.cast::<PyString>() else {
        let message = format!("a key must be a str, and this is a {}", key.get_type().name()?);
        return Err(to_py(
            py,
            shmkit::Error { class: Class::Type, ..shmkit::Error::own("ERR_SHM_KEY", message) },
        ));
    };
    let key = text.to_cow().map(|key| key.into_owned());
    key.map_err(|_| to_py(py, shmkit::Error::range("ERR_SHM_KEY", "a key must not have lone surrogates")))
}

/// The `KeyError` of a key that is not there.
pub(super) fn no_key(key: &Bound<'_, PyAny>) -> PyErr {
    PyKeyError::new_err((key.clone().unbind(),)) // a tuple too is one key
}

/// A value, or MISSING for none.
pub(super) fn encode_or_missing(value: &Bound<'_, PyAny>) -> PyResult<Option<Encoded>> {
    if value.is_instance_of::<Missing>() { Ok(None) } else { encode(value).map(Some) }
}

/// What `update()` takes.
pub(super) fn changes_of(args: &Bound<'_, PyTuple>, named: Option<&Bound<'_, PyDict>>) -> PyResult<Changes> {
    let all = match args.get_item(0) {
        Ok(other) if args.len() == 1 => plain(&other)?,
        _ => {
            let all = PyDict::new(args.py());
            all.call_method1("update", args)?; // says what is wrong
            all
        }
    };
    if let Some(named) = named {
        all.update(named.as_mapping())?;
    }
    let mut changes = Changes::new();
    for item in all.items() {
        let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        changes.insert(new_key(&key)?, Some(encode(&value)?));
    }
    Ok(changes)
}

/// What `increment()` adds: 1, where nothing is said.
pub(super) fn addend(py: Python<'_>, by: Given<'_>) -> PyResult<Encoded> {
    let by = match by {
        Given::Value(by) => by,
        Given::Not => PyInt::new(py, 1).into_any(),
    };
    let encoded = encode(&by)?;
    if is_number(encoded.kind) {
        return Ok(encoded);
    }
    let name = by.get_type().name()?;
    Err(wrong_type(py, format!("a {name} cannot be added, but an int of up to 2**53, or a float")))
}

pub(super) fn increment<'py>(
    entries: &impl Entries,
    py: Python<'py>,
    key: &str,
    by: &Encoded,
) -> PyResult<Bound<'py, PyAny>> {
    let by = decode(py, by, key)?;
    let sum = match entries.look_up(py, key)? {
        None => by,
        Some(old) if is_number(old.kind) => decode(py, &old, key)?.add(by)?,
        Some(old) => {
            let class = decode(py, &old, key)?.get_type().name()?;
            return Err(unreadable(py, key, &format!("a value to which nothing can be added, a {class}")));
        }
    };
    let encoded = encode(&sum)?;
    if !is_number(encoded.kind) {
        return Err(out_of_range(py, format!("'{key}' would be beyond 2**53, up to which Node counts")));
    }
    entries.change(py, key, Some(encoded))?;
    Ok(sum)
}

pub(super) fn compare_and_set(
    entries: &impl Entries,
    py: Python<'_>,
    key: &str,
    expected: &Option<Encoded>,
    value: Option<Encoded>,
) -> PyResult<bool> {
    let equal = match (entries.look_up(py, key)?, expected) {
        (Some(stored), Some(expected)) => is_same(py, &stored, expected, key)?,
        (stored, expected) => stored.is_none() && expected.is_none(),
    };
    if equal {
        entries.change(py, key, value)?;
    }
    Ok(equal)
}

pub(super) fn modify<'py>(
    entries: &impl Entries,
    key: &str,
    function: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = function.py();
    let old = match entries.look_up(py, key)? {
        Some(old) => decode(py, &old, key)?,
        None => super::missing(py)?,
    };
    let value = function.call1((old,))?;
    entries.change(py, key, encode_or_missing(&value)?)?;
    Ok(value)
}

/// The value that there is; where there is none it is this from now on.
pub(super) fn get_or_set<'py>(
    entries: &impl Entries,
    py: Python<'py>,
    key: &str,
    value: Encoded,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match entries.look_up(py, key)? {
        Some(stored) => decode(py, &stored, key).map(Some),
        None => entries.change(py, key, Some(value)).map(|()| None),
    }
}

/// What `pop()` does with what `take` finds.
pub(super) fn pop<'py>(
    key: &Bound<'py, PyAny>,
    default: Given<'py>,
    take: impl FnOnce(&str) -> PyResult<Option<Bound<'py, PyAny>>>,
) -> PyResult<Bound<'py, PyAny>> {
    let taken = known_key(key).map_or(Ok(None), |key| take(&key))?;
    match (taken, default) {
        (Some(value), _) | (None, Given::Value(value)) => Ok(value),
        (None, Given::Not) => Err(no_key(key)),
    }
}

/// Takes a value out.
pub(super) fn take<'py>(
    entries: &impl Entries,
    py: Python<'py>,
    key: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(stored) = entries.look_up(py, key)? else { return Ok(None) };
    let value = decode(py, &stored, key)?;
    entries.change(py, key, None)?;
    Ok(Some(value))
}

/// Takes some entry out.
pub(super) fn take_any<'py>(
    entries: &impl Entries,
    py: Python<'py>,
) -> PyResult<(String, Bound<'py, PyAny>)> {
    for key in entries.names(py)? {
        if let Some(value) = take(entries, py, &key)? {
            return Ok((key, value));
        }
    }
    Err(PyKeyError::new_err("popitem(): the dict is empty"))
}

/// Whether a key was there, which is not any more.
pub(super) fn remove(entries: &impl Entries, py: Python<'_>, key: &str) -> PyResult<bool> {
    let there = entries.look_up(py, key)?.is_some();
    if there {
        entries.change(py, key, None)?;
    }
    Ok(there)
}
