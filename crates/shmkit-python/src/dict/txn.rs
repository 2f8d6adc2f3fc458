//! Several keys as one.

use std::sync::{Arc, Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use shmkit::dict::SharedDict as Dict;
use shmkit::sync::ReleaseState;

use super::access::{all, begin, commit, error, has, look_up, names, retry};
use super::entries::{
    self, Changes, Entries, addend, changes_of, encode_or_missing, known_key, new_key, no_key,
};
use super::missing::Given;
use super::value::{Encoded, decode, encode};
use super::views;
use crate::errors::Raise;
use crate::handle::{Handle, Hold};
use crate::waiting::Deadline;

/// A dict's entries inside of a `with`: others see all of its changes or none. Left by an exception it changes nothing.
#[pyclass(frozen, mapping, module = "shmkit")]
pub(crate) struct DictTxn {
    dict: Arc<Dict>,
    /// None where the handle only reads, which must not have it.
    lock: Option<Arc<Handle>>,
    #[pyo3(get)]
    read_only: bool,
    timeout: Option<f64>,
    state: Mutex<TxnState>,
}

enum TxnState {
    New,
    Entering,
    Active(Body),
    Ended,
}

/// The changes, over what the dict has; without a lock all that it had, and nothing under that.
struct Body {
    hold: Option<Hold>,
    under: Option<Arc<Dict>>,
    changes: Changes,
    len: usize,
}

impl Body {
    fn look_up(&self, key: &str) -> shmkit::Result<Option<Encoded>> {
        match (self.changes.get(key), &self.under) {
            (Some(change), _) => Ok(change.clone()),
            (None, Some(dict)) => Ok(look_up(dict, key)?.flatten()), // nobody writes
            (None, None) => Ok(None),
        }
    }

    fn has(&self, key: &str) -> shmkit::Result<bool> {
        match (self.changes.get(key), &self.under) {
            (Some(change), _) => Ok(change.is_some()),
            (None, Some(dict)) => Ok(has(dict, key)?.unwrap_or(false)),
            (None, None) => Ok(false),
        }
    }

    fn names(&self) -> shmkit::Result<Vec<String>> {
        let mut names = self.under.as_ref().map_or_else(|| Ok(Vec::new()), |dict| names(dict))?;
        names.retain(|name| !self.changes.contains_key(name));
        names.extend(self.changes.iter().filter(|(_, to)| to.is_some()).map(|(key, _)| key.clone()));
        Ok(names)
    }

    fn change(&mut self, key: &str, to: Option<Encoded>) -> shmkit::Result<()> {
        let (was, is) = (self.has(key)?, to.is_some());
        self.changes.insert(key.to_owned(), to);
        self.len = self.len.saturating_sub(usize::from(was)).saturating_add(usize::from(is));
        Ok(())
    }
}

impl DictTxn {
    pub(super) fn new(
        dict: Arc<Dict>,
        lock: Option<Arc<Handle>>,
        read_only: bool,
        timeout: Option<f64>,
    ) -> PyResult<Self> {
        Deadline::after(timeout)?;
        Ok(DictTxn { dict, lock, read_only, timeout, state: Mutex::new(TxnState::New) })
    }

    fn state(&self) -> MutexGuard<'_, TxnState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// While it is running. What is done there runs no Python, which could come back here.
    fn with<T>(&self, py: Python<'_>, operation: impl FnOnce(&mut Body) -> shmkit::Result<T>) -> PyResult<T> {
        let result = match &mut *self.state() {
            TxnState::Active(body) if body.hold.as_ref().is_none_or(Hold::is_ours) => Some(operation(body)),
            _ => None,
        };
        let message = "the transaction is not running: it is for the inside of its `with` alone";
        result.ok_or_else(|| self.error(py, "ERR_SHM_TXN_ENDED", message))?.raise(py)
    }

    fn error(&self, py: Python<'_>, code: &'static str, message: &str) -> PyErr {
        error(py, self.dict.segment().name(), code, message)
    }

    fn check_writable(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |_| Ok(()))?;
        if self.read_only {
            return Err(self.error(py, "ERR_SHM_READ_ONLY", "the transaction only reads"));
        }
        Ok(())
    }

    fn begin(&self, py: Python<'_>) -> PyResult<Body> {
        let deadline = Deadline::after(self.timeout)?;
        if let Some(lock) = &self.lock {
            let hold = begin(py, &self.dict, lock, deadline)?;
            let len = usize::try_from(self.dict.len().raise(py)?).unwrap_or(usize::MAX);
            return Ok(Body {
                hold: Some(hold),
                under: Some(Arc::clone(&self.dict)),
                changes: Changes::new(),
                len,
            });
        }
        let changes = retry(py, &self.dict, deadline, all)?;
        Ok(Body { hold: None, under: None, len: changes.len(), changes })
    }

    /// All entries.
    pub(super) fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let copy = PyDict::new(py);
        for key in self.names(py)? {
            if let Some(value) = self.look_up(py, &key)? {
                let value = decode(py, &value, &key)?;
                copy.set_item(key, value)?;
            }
        }
        Ok(copy)
    }
}

impl Entries for DictTxn {
    fn look_up(&self, py: Python<'_>, key: &str) -> PyResult<Option<Encoded>> {
        self.with(py, |body| body.look_up(key))
    }

    fn change(&self, py: Python<'_>, key: &str, to: Option<Encoded>) -> PyResult<()> {
        self.check_writable(py)?;
        self.with(py, |body| body.change(key, to))
    }

    fn names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.with(py, |body| body.names())
    }
}

#[pymethods]
impl DictTxn {
    /// Takes the lock, and waits for it as long as the timeout allows (else TimeoutError).
    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let (py, txn) = (slf.py(), slf.get());
        if !matches!(*txn.state(), TxnState::New) {
            return Err(txn.error(
                py,
                "ERR_SHM_TXN_ENDED",
                "a transaction runs once; begin another one by txn()",
            ));
        }
        *txn.state() = TxnState::Entering;
        let begun = txn.begin(py);
        let (state, result) = match begun {
            Ok(body) => (TxnState::Active(body), Ok(())),
            Err(error) => (TxnState::New, Err(error)),
        };
        *txn.state() = state;
        result.map(|()| slf)
    }

    /// Makes its changes, or after an exception none of them, and lets go of the lock.
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _trace: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let state = std::mem::replace(&mut *self.state(), TxnState::Ended);
        let TxnState::Active(Body { hold: Some(mut hold), changes, .. }) = state else { return Ok(()) };
        if !hold.is_ours() {
            return Ok(());
        }
        let done = if kind.is_none() { commit(&self.dict, changes) } else { Ok(()) };
        let released = hold.release(ReleaseState::Consistent);
        done.and(released).raise(py)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.with(py, |body| Ok(body.len))
    }

    fn __contains__(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = key.py();
        known_key(key).map_or(Ok(false), |key| self.with(py, |body| body.has(&key)))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyList::new(py, self.names(py)?)?.try_iter()?.into_any())
    }

    fn __getitem__<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.get(key, None)?.ok_or_else(|| no_key(key))
    }

    fn __setitem__(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let (key, encoded) = (new_key(key)?, encode(value)?);
        self.change(value.py(), &key, Some(encoded))
    }

    fn __delitem__(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = key.py();
        self.check_writable(py)?;
        match known_key(key) {
            Some(known) if entries::remove(self, py, &known)? => Ok(()),
            _ => Err(no_key(key)),
        }
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        views::equal(other, || self.copy(other.py()))
    }

    /// The value of a key, or this.
    #[pyo3(signature = (key, default = None))]
    fn get<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = key.py();
        let Some(key) = known_key(key) else { return Ok(default) };
        match self.look_up(py, &key)? {
            Some(stored) => decode(py, &stored, &key).map(Some),
            None => Ok(default),
        }
    }

    /// The keys.
    fn keys<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        views::keys(slf)
    }

    /// The values.
    fn values<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        views::values(slf)
    }

    /// The keys and values.
    fn items<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        views::items(slf)
    }

    /// Removes a key, and returns its value; or this, where there is none.
    #[pyo3(signature = (key, default = Given::Not))]
    fn pop<'py>(&self, key: &Bound<'py, PyAny>, default: Given<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.check_writable(key.py())?;
        entries::pop(key, default, |known| entries::take(self, key.py(), known))
    }

    /// Removes some key, and returns it and its value.
    fn popitem<'py>(&self, py: Python<'py>) -> PyResult<(String, Bound<'py, PyAny>)> {
        self.check_writable(py)?;
        entries::take_any(self, py)
    }

    /// The value of a key; where there is none it is this from now on.
    #[pyo3(signature = (key, default = None))]
    fn setdefault<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        self.check_writable(py)?;
        let default = default.unwrap_or_else(|| py.None().into_bound(py));
        let (key, encoded) = (new_key(key)?, encode(&default)?);
        Ok(entries::get_or_set(self, py, &key, encoded)?.unwrap_or(default))
    }

    /// Sets all of these: a mapping, or pairs, and what is named.
    #[pyo3(signature = (*args, **named))]
    fn update(&self, args: &Bound<'_, PyTuple>, named: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let py = args.py();
        self.check_writable(py)?;
        changes_of(args, named)?.into_iter().try_for_each(|(key, to)| self.change(py, &key, to))
    }

    /// Removes all keys.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.check_writable(py)?;
        self.with(py, |body| body.names()?.iter().try_for_each(|key| body.change(key, None)))
    }

    /// A dict of all entries.
    #[pyo3(name = "copy")]
    fn py_copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.copy(py)
    }

    /// Adds to a number, from 0 if there is none, and returns the sum.
    #[pyo3(signature = (key, by = Given::Not))]
    fn increment<'py>(&self, key: &Bound<'py, PyAny>, by: Given<'py>) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        self.check_writable(py)?;
        let (key, by) = (new_key(key)?, addend(py, by)?);
        entries::increment(self, py, &key, &by)
    }

    /// Sets the value if it is as `expected`, MISSING for none; whether it did.
    fn compare_and_set(
        &self,
        key: &Bound<'_, PyAny>,
        expected: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let py = key.py();
        self.check_writable(py)?;
        let (key, expected, value) = (new_key(key)?, encode_or_missing(expected)?, encode_or_missing(value)?);
        entries::compare_and_set(self, py, &key, &expected, value)
    }

    /// Sets what the function makes of the value, MISSING for none, and returns that.
    fn modify<'py>(
        &self,
        key: &Bound<'_, PyAny>,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.check_writable(key.py())?;
        entries::modify(self, &new_key(key)?, function)
    }

    fn __repr__(&self) -> String {
        format!("<shmkit.DictTxn of '{}'>", self.dict.segment().name().as_str())
    }
}
