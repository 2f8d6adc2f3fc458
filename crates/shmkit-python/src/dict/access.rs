//! An open dict as its handle and its txns use it: looks, the lock, and all entries of one moment.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use pyo3::prelude::*;
use shmkit::dict::{Batch, Lookup, SharedDict as Dict};
use shmkit::segment::{Access, Name};
use shmkit::sync::{LockAccess, ReleaseState};

use super::entries::{Changes, Entries};
use super::value::Encoded;
use crate::errors::{Raise, timed_out, to_py};
use crate::handle::{Handle, Hold};
use crate::shared_object::Opened;
use crate::waiting::Deadline;

/// So often all entries are read beside those who write, before it is done with the lock.
const TRIES: u32 = 3;
/// Between two tries of one who cannot take the lock.
const PAUSE: Duration = Duration::from_micros(200);

/// What a handle has.
pub(super) struct DictHandle {
    pub(super) open: Opened<State>,
    pub(super) read_only: bool,
    pub(super) foreign: bool,
    /// How long it waits for others who write.
    pub(super) timeout: Option<f64>,
}

pub(crate) struct State {
    dict: Arc<Dict>,
    /// Once it was locked.
    lock: Option<Arc<Handle>>,
}

impl DictHandle {
    pub(super) fn new(dict: Dict, foreign: bool, timeout: Option<f64>) -> Self {
        let dict = Arc::new(dict);
        let segment = dict.segment();
        DictHandle {
            open: Opened::new(segment.name(), segment.id(), State { dict: Arc::clone(&dict), lock: None }),
            read_only: segment.access() == Access::ReadOnly,
            foreign,
            timeout,
        }
    }

    pub(super) fn dict(&self, py: Python<'_>) -> PyResult<Arc<Dict>> {
        self.open.get(py, |state| Arc::clone(&state.dict))
    }

    /// The dict, and the lock of those who write.
    pub(super) fn writable(&self, py: Python<'_>) -> PyResult<(Arc<Dict>, Arc<Handle>)> {
        let (dict, known) = self.open.get(py, |state| (Arc::clone(&state.dict), state.lock.clone()))?;
        if self.read_only {
            let message = "the dict is attached read-only in this handle";
            return Err(error(py, &self.open.name, "ERR_SHM_READ_ONLY", message));
        }
        let lock = match known {
            Some(lock) => lock,
            None => Handle::sidecar(py, dict.segment(), &dict)?,
        };
        if let Some(state) = &mut *self.open.state() {
            state.lock = Some(Arc::clone(&lock));
        }
        Ok((dict, lock))
    }

    pub(super) fn look_up(&self, py: Python<'_>, key: &str) -> PyResult<Option<Encoded>> {
        let dict = self.dict(py)?;
        match look_up(&dict, key).raise(py)? {
            Some(found) => Ok(found),
            None => self.read_or_lock(py, &dict, |dict| look_up(dict, key)),
        }
    }

    pub(super) fn has(&self, py: Python<'_>, key: &str) -> PyResult<bool> {
        let dict = self.dict(py)?;
        match has(&dict, key).raise(py)? {
            Some(there) => Ok(there),
            None => self.read_or_lock(py, &dict, |dict| has(dict, key)),
        }
    }

    /// All entries of one moment.
    pub(super) fn all(&self, py: Python<'_>) -> PyResult<Changes> {
        let dict = self.dict(py)?;
        for _ in 0..TRIES {
            if let Some(all) = all(&dict).raise(py)? {
                return Ok(all);
            }
        }
        self.read_or_lock(py, &dict, all)
    }

    /// Reads again what concurrent writes have prevented: with the lock, or repeatedly if the handle is read-only.
    fn read_or_lock<T>(
        &self,
        py: Python<'_>,
        dict: &Dict,
        attempt: impl Fn(&Dict) -> shmkit::Result<Option<T>>,
    ) -> PyResult<T> {
        if self.read_only {
            return retry(py, dict, Deadline::after(self.timeout)?, attempt);
        }
        self.locked(py, |locked| attempt(&locked.dict).raise(py)?.ok_or_else(|| busy(py, &self.open.name)))
    }

    /// With the lock.
    pub(super) fn locked<T>(
        &self,
        py: Python<'_>,
        operation: impl FnOnce(&Locked) -> PyResult<T>,
    ) -> PyResult<T> {
        let (dict, lock) = self.writable(py)?;
        let hold = begin(py, &dict, &lock, Deadline::after(self.timeout)?)?;
        let mut locked = Locked { dict, hold };
        let result = operation(&locked);
        let released = locked.hold.release(ReleaseState::Consistent).raise(py);
        result.and_then(|value| released.map(|()| value))
    }
}

/// Takes the lock, and puts in order what a writer left who died.
pub(super) fn begin(py: Python<'_>, dict: &Dict, lock: &Arc<Handle>, deadline: Deadline) -> PyResult<Hold> {
    let Some(mut hold) = lock.acquire(py, LockAccess::Write, deadline)? else {
        return Err(timed_out(py, lock.name()));
    };
    if hold.inconsistent()
        && let Err(error) = dict.recover()
    {
        hold.release(ReleaseState::AsFound).raise(py)?; // the next one has to
        return Err(to_py(py, error));
    }
    Ok(hold)
}

/// Tries until it succeeds.
pub(super) fn retry<T>(
    py: Python<'_>,
    dict: &Dict,
    deadline: Deadline,
    attempt: impl Fn(&Dict) -> shmkit::Result<Option<T>>,
) -> PyResult<T> {
    loop {
        if let Some(value) = attempt(dict).raise(py)? {
            return Ok(value);
        }
        if deadline.is_over() {
            return Err(busy(py, dict.segment().name()));
        }
        py.detach(|| std::thread::sleep(PAUSE));
        py.check_signals()?;
    }
}

fn busy(py: Python<'_>, name: &Name) -> PyErr {
    let message = "others write to the dict all the time, or one of them died at it; this handle only reads";
    error(py, name, "ERR_SHM_BUSY", message)
}

pub(super) fn error(py: Python<'_>, name: &Name, code: &'static str, message: &str) -> PyErr {
    let name = name.as_str();
    to_py(py, shmkit::Error::own(code, format!("'{name}': {message}")).about(name))
}

/// The value of a key; None where others wrote all the time.
pub(super) fn look_up(dict: &Dict, key: &str) -> shmkit::Result<Option<Option<Encoded>>> {
    let mut bytes = Vec::new();
    Ok(match dict.get(key.as_bytes(), &mut bytes)? {
        Lookup::Found(kind) => Some(Some(Encoded { kind, bytes })),
        Lookup::Missing => Some(None),
        Lookup::Busy => None,
    })
}

/// Whether there is a key; None as above.
pub(super) fn has(dict: &Dict, key: &str) -> shmkit::Result<Option<bool>> {
    Ok(match dict.has(key.as_bytes())? {
        Lookup::Found(_) => Some(true),
        Lookup::Missing => Some(false),
        Lookup::Busy => None,
    })
}

/// The keys that there are.
pub(super) fn names(dict: &Dict) -> shmkit::Result<Vec<String>> {
    let (bytes, ends) = dict.keys()?;
    let starts = [0].into_iter().chain(ends.iter().copied());
    let name = |(start, end): (usize, &usize)| {
        let name = bytes.get(start..*end).map(|name| String::from_utf8(name.to_vec()));
        match name {
            Some(Ok(name)) => Ok(name),
            _ => Err(corrupt("a key is not UTF-8")),
        }
    };
    starts.zip(&ends).map(name).collect()
}

/// All entries of one moment; None where others wrote meanwhile.
pub(super) fn all(dict: &Dict) -> shmkit::Result<Option<Changes>> {
    let version = dict.version()?;
    if version & 1 != 0 {
        return Ok(None);
    }
    let read = || {
        let mut all = Changes::new();
        for name in names(dict)? {
            let value = look_up(dict, &name)?.flatten().ok_or_else(|| corrupt("a key has no value"))?;
            all.insert(name, Some(value));
        }
        Ok(all)
    };
    let all = read();
    fence(Ordering::Acquire);
    if dict.version()? == version { all.map(Some) } else { Ok(None) }
}

fn corrupt(why: &str) -> shmkit::Error {
    shmkit::Error::own("ERR_SHM_CORRUPT", format!("the dict was damaged by another process: {why}"))
}

/// Makes all changes at once, for the one who has the lock.
pub(super) fn commit(dict: &Dict, mut changes: Changes) -> shmkit::Result<()> {
    if changes.len() == 1
        && let Some((key, value)) = changes.pop_first()
    {
        return store(dict, &key, value.as_ref());
    }
    if changes.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::default();
    for (key, value) in &changes {
        match value {
            None => dict.stage_delete(&mut batch, key.as_bytes()),
            Some(value) => {
                if let Err(error) = dict.stage(&mut batch, key.as_bytes(), value.kind, &value.bytes) {
                    dict.roll_back(batch)?;
                    return Err(error);
                }
            }
        }
    }
    dict.commit(batch)
}

fn store(dict: &Dict, key: &str, value: Option<&Encoded>) -> shmkit::Result<()> {
    match value {
        Some(value) => dict.set(key.as_bytes(), value.kind, &value.bytes).map(drop),
        None => dict.delete(key.as_bytes()).map(drop),
    }
}

/// A dict to which nobody else writes.
pub(super) struct Locked {
    pub(super) dict: Arc<Dict>,
    hold: Hold,
}

impl Locked {
    /// What a function of the user's was called before may have forked: the child has no lock.
    pub(super) fn check(&self, py: Python<'_>) -> PyResult<()> {
        if self.hold.is_ours() {
            return Ok(());
        }
        let message = "the lock is the parent's, and this is a child that was forked meanwhile";
        Err(error(py, self.dict.segment().name(), "ERR_SHM_TXN_ENDED", message))
    }
}

impl Entries for Locked {
    fn look_up(&self, py: Python<'_>, key: &str) -> PyResult<Option<Encoded>> {
        look_up(&self.dict, key).raise(py)?.ok_or_else(|| busy(py, self.dict.segment().name()))
    }

    fn change(&self, py: Python<'_>, key: &str, to: Option<Encoded>) -> PyResult<()> {
        self.check(py)?;
        store(&self.dict, key, to.as_ref()).raise(py)
    }

    fn names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        names(&self.dict).raise(py)
    }
}
