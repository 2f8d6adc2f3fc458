//! A dict that Node has too, as a mapping of Python's.
//!
//! - `access`: looks, and the lock. `txn`: several keys as one. `entries`: what both can do to a key.
//! - `value`: what is stored, and as which bytes. `arrays` and `message` are some kinds of it.
//! - `views`: what `collections.abc` has. `missing`: what stands for no value.

mod access;
mod arrays;
mod entries;
mod message;
mod missing;
mod txn;
mod value;
mod views;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use shmkit::descriptor::ObjectKind;
use shmkit::dict::SharedDict as Dict;
use shmkit::segment::{Access, AttachOptions, Identity, Name};

use crate::descriptor::Target;
use crate::errors::Raise;
use crate::opening::create_options;
use crate::shared_object::{Opened, SharedObject, shared_object_methods};
use crate::waiting::Deadline;
use access::{DictHandle, State, commit, names};
use entries::{Entries, addend, changes_of, encode_or_missing, known_key, new_key, no_key};
use missing::Given;
use value::{decode, encode, out_of_range};

pub(crate) use missing::missing;
pub(crate) use txn::DictTxn;
pub(crate) use views::register;

/// A dict that lives in shared memory: any number of processes read it without a lock, and one at a time writes.
/// Whoever is killed while he writes leaves the old value or the new one.
#[pyclass(frozen, mapping, module = "shmkit", weakref)]
pub(crate) struct SharedDict(DictHandle);

impl SharedDict {
    fn open(
        py: Python<'_>,
        name: &str,
        read_only: bool,
        foreign: bool,
        expect: Option<Identity>,
        timeout: Option<f64>,
    ) -> PyResult<Self> {
        Deadline::after(timeout)?;
        let name = Name::new(name).raise(py)?;
        let access = if read_only { Access::ReadOnly } else { Access::ReadWrite };
        let options = AttachOptions { access, foreign, expect, ..AttachOptions::default() };
        let dict = py.detach(|| Dict::attach(&name, &options)).raise(py)?;
        Ok(SharedDict(DictHandle::new(dict, foreign, timeout)))
    }

    /// All entries of one moment.
    pub(crate) fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let copy = PyDict::new(py);
        for (key, value) in self.0.all(py)? {
            if let Some(value) = value {
                let value = decode(py, &value, &key)?;
                copy.set_item(key, value)?;
            }
        }
        Ok(copy)
    }
}

impl SharedObject for SharedDict {
    const KIND: ObjectKind = ObjectKind::Dict;
    type State = State;

    fn opened(&self) -> &Opened<State> {
        &self.0.open
    }

    fn add_details(&self, details: &Bound<'_, PyDict>) -> PyResult<()> {
        if self.0.read_only { details.set_item("readOnly", true) } else { Ok(()) }
    }

    fn notes(&self, py: Python<'_>) -> String {
        let entries = self.0.dict(py).ok().and_then(|dict| dict.len().ok());
        entries.map_or_else(|| ", closed".to_owned(), |len| format!(", {len} entries"))
    }
}

shared_object_methods!(
    SharedDict,
    "Closes this handle. Transactions that were made of it are not disturbed.",
    adopt
);

/// How to make a dict.
struct Making<'a> {
    name: Option<&'a str>,
    mode: u32,
    track: bool,
    byte_length: usize,
    max_byte_length: Option<usize>,
    lock_timeout: Option<f64>,
}

impl Making<'_> {
    fn make(self, py: Python<'_>, attach: bool) -> PyResult<SharedDict> {
        let Making { name, mode, track, byte_length, max_byte_length, lock_timeout } = self;
        Deadline::after(lock_timeout)?;
        if max_byte_length.is_some_and(|max| max < byte_length) || byte_length == 0 {
            return Err(out_of_range(
                py,
                "byte_length must be positive, and max_byte_length no less than that",
            ));
        }
        let options = create_options(py, name, mode, track)?;
        let max = max_byte_length.map_or_else(Dict::default_max, Ok).raise(py)?;
        let open = if attach { Dict::create_or_attach } else { Dict::create };
        let dict = py.detach(|| open(byte_length, max, &options)).raise(py)?;
        Ok(SharedDict(DictHandle::new(dict, false, lock_timeout)))
    }
}

#[pymethods]
impl SharedDict {
    /// Makes an empty dict; without a name one is drawn.
    #[staticmethod]
    #[pyo3(signature = (
        *, name = None, mode = 0o600, track = true,
        byte_length = 65536, max_byte_length = None, lock_timeout = 10.0,
    ))]
    fn create(
        py: Python<'_>,
        name: Option<&str>,
        mode: u32,
        track: bool,
        byte_length: usize,
        max_byte_length: Option<usize>,
        lock_timeout: Option<f64>,
    ) -> PyResult<Self> {
        Making { name, mode, track, byte_length, max_byte_length, lock_timeout }.make(py, false)
    }

    /// The dict of this name, created if it does not exist.
    #[staticmethod]
    #[pyo3(signature = (
        name, *, mode = 0o600, track = true,
        byte_length = 65536, max_byte_length = None, lock_timeout = 10.0,
    ))]
    fn create_or_attach(
        py: Python<'_>,
        name: &str,
        mode: u32,
        track: bool,
        byte_length: usize,
        max_byte_length: Option<usize>,
        lock_timeout: Option<f64>,
    ) -> PyResult<Self> {
        Making { name: Some(name), mode, track, byte_length, max_byte_length, lock_timeout }.make(py, true)
    }

    /// An existing dict, by its name or its descriptor; of another user only if `foreign`.
    #[staticmethod]
    #[pyo3(signature = (target, *, read_only = None, foreign = false, lock_timeout = 10.0))]
    fn attach(
        py: Python<'_>,
        target: &Bound<'_, PyAny>,
        read_only: Option<bool>,
        foreign: bool,
        lock_timeout: Option<f64>,
    ) -> PyResult<Self> {
        let target = Target::of(target, ObjectKind::Dict)?;
        let read_only = target.access(read_only)? == Access::ReadOnly;
        Self::open(py, target.name.as_str(), read_only, foreign, target.id, lock_timeout)
    }

    /// The very dict that was pickled.
    #[staticmethod]
    fn _attach_again(
        py: Python<'_>,
        name: &str,
        id: (u64, u64),
        read_only: bool,
        foreign: bool,
        lock_timeout: Option<f64>,
    ) -> PyResult<Self> {
        let expect = Identity { device: id.0, inode: id.1 };
        Self::open(py, name, read_only, foreign, Some(expect), lock_timeout)
    }

    /// Another process attaches to the same dict.
    #[allow(clippy::type_complexity)]
    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (String, (u64, u64), bool, bool, Option<f64>))> {
        let DictHandle { open, read_only, foreign, timeout } = &slf.get().0;
        slf.get().check_open(slf.py())?;
        let id = (open.id.device, open.id.inode);
        let facts = (open.name.as_str().to_owned(), id, *read_only, *foreign, *timeout);
        Ok((slf.get_type().getattr("_attach_again")?, facts))
    }

    #[getter]
    fn read_only(&self) -> bool {
        self.0.read_only
    }

    /// Bytes that it has taken of /dev/shm.
    #[getter]
    fn byte_length(&self, py: Python<'_>) -> PyResult<u64> {
        self.0.dict(py)?.byte_length().raise(py)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        let len = self.0.dict(py)?.len().raise(py)?;
        Ok(usize::try_from(len).unwrap_or(usize::MAX))
    }

    fn __contains__(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        known_key(key).map_or(Ok(false), |known| self.0.has(key.py(), &known))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let names = names(&*self.0.dict(py)?).raise(py)?;
        Ok(PyList::new(py, names)?.try_iter()?.into_any())
    }

    fn __getitem__<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.get(key, None)?.ok_or_else(|| no_key(key))
    }

    fn __setitem__(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = key.py();
        let (key, encoded) = (new_key(key)?, encode(value)?);
        self.0.locked(py, |locked| locked.change(py, &key, Some(encoded)))
    }

    fn __delitem__(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = key.py();
        let known = known_key(key).ok_or_else(|| no_key(key))?;
        let there = self.0.locked(py, |locked| entries::remove(locked, py, &known))?;
        if there { Ok(()) } else { Err(no_key(key)) }
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        views::equal(other, || self.copy(other.py()))
    }

    /// A fresh copy of the value of a key; or this, where there is none.
    #[pyo3(signature = (key, default = None))]
    fn get<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = key.py();
        let Some(key) = known_key(key) else { return Ok(default) };
        match self.0.look_up(py, &key)? {
            Some(stored) => decode(py, &stored, &key).map(Some),
            None => Ok(default),
        }
    }

    /// The keys.
    fn keys<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        views::keys(slf)
    }

    /// The values, each as it is when it is come to.
    fn values<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        views::values(slf)
    }

    /// The keys of the beginning, each with its value of now.
    fn items<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        views::items(slf)
    }

    /// Removes a key, and returns its value; or this, where there is none.
    #[pyo3(signature = (key, default = Given::Not))]
    fn pop<'py>(&self, key: &Bound<'py, PyAny>, default: Given<'py>) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        entries::pop(key, default, |known| self.0.locked(py, |locked| entries::take(locked, py, known)))
    }

    /// Removes some key, and returns it and its value.
    fn popitem<'py>(&self, py: Python<'py>) -> PyResult<(String, Bound<'py, PyAny>)> {
        self.0.locked(py, |locked| entries::take_any(locked, py))
    }

    /// The value of a key; where there is none it is this from now on.
    #[pyo3(signature = (key, default = None))]
    fn setdefault<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        let default = default.unwrap_or_else(|| py.None().into_bound(py));
        let (key, encoded) = (new_key(key)?, encode(&default)?);
        let known = self.0.locked(py, |locked| entries::get_or_set(locked, py, &key, encoded))?;
        Ok(known.unwrap_or(default))
    }

    /// Sets all of these at once: a mapping, or pairs, and what is named.
    #[pyo3(signature = (*args, **named))]
    fn update(&self, args: &Bound<'_, PyTuple>, named: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let py = args.py();
        let changes = changes_of(args, named)?;
        self.0.locked(py, |locked| commit(&locked.dict, changes).raise(py))
    }

    /// Removes all keys at once.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.0.locked(py, |locked| locked.dict.clear().raise(py))
    }

    /// A dict of all entries, as they are at one moment.
    #[pyo3(name = "copy")]
    fn py_copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.copy(py)
    }

    /// Adds to a number, from 0 if there is none, while nobody else writes; returns the sum.
    #[pyo3(signature = (key, by = Given::Not))]
    fn increment<'py>(&self, key: &Bound<'py, PyAny>, by: Given<'py>) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        let (key, by) = (new_key(key)?, addend(py, by)?);
        self.0.locked(py, |locked| entries::increment(locked, py, &key, &by))
    }

    /// Sets the value if it is as `expected`, MISSING for none, while nobody else writes; whether it did.
    fn compare_and_set(
        &self,
        key: &Bound<'_, PyAny>,
        expected: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let py = key.py();
        let (key, expected, value) = (new_key(key)?, encode_or_missing(expected)?, encode_or_missing(value)?);
        self.0.locked(py, |locked| entries::compare_and_set(locked, py, &key, &expected, value))
    }

    /// Sets what the function makes of the value, MISSING for none, while nobody else writes; returns that.
    fn modify<'py>(
        &self,
        key: &Bound<'_, PyAny>,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, key) = (key.py(), new_key(key)?);
        self.0.locked(py, |locked| entries::modify(locked, &key, function))
    }

    /// To read and write several keys as one: `with d.txn() as txn`. The lock is taken where `with` begins.
    #[pyo3(signature = (*, read_only = false, timeout = None))]
    fn txn(&self, py: Python<'_>, read_only: bool, timeout: Option<f64>) -> PyResult<DictTxn> {
        if self.0.read_only && read_only {
            let timeout = [timeout, self.0.timeout].into_iter().flatten().reduce(f64::min);
            return DictTxn::new(self.0.dict(py)?, None, true, timeout);
        }
        let (dict, lock) = self.0.writable(py)?;
        DictTxn::new(dict, Some(lock), read_only, timeout)
    }
}
