//! One who reads a broadcast.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::PyByteArray;
use shmkit::ring::broadcast::{Awaited, Got, Reader, SharedBroadcast as Broadcast, Suspect};
use shmkit::ring::items::Items;

use crate::channel::{BATCH, Found, ItemIterator, checked_max, find, locked, many};
use crate::errors::{Raise, closed};
use crate::items::{item_from, items_from, room_for};
use crate::view;
use crate::waiting::Deadline;

/// A place of one's own in a broadcast. Threads may share it: each item is one's.
#[pyclass(frozen, module = "shmkit", weakref)]
pub(crate) struct Subscription {
    broadcast: Arc<Broadcast>,
    /// Only locked with the GIL held, and for a moment: what a fork finds is whole.
    reader: Mutex<Reader>,
    closed: AtomicBool,
    /// The writer, where it may have died in the middle of an item.
    suspect: Mutex<Suspect>,
}

impl Subscription {
    pub(super) fn new(broadcast: Arc<Broadcast>, reader: Reader) -> Self {
        Subscription {
            broadcast,
            reader: Mutex::new(reader),
            closed: AtomicBool::new(false),
            suspect: Mutex::default(),
        }
    }

    fn items(&self) -> &Items {
        &self.broadcast.layout().items
    }

    fn name(&self) -> &str {
        self.broadcast.segment().name().as_str()
    }

    fn reader(&self) -> Reader {
        *locked(&self.reader)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        if self.is_closed() { Err(closed(py, self.name())) } else { Ok(()) }
    }

    /// Copies the next item to `offset` of what is long enough and nobody else knows.
    fn copy_out(&self, room: &Bound<'_, PyByteArray>, offset: usize) -> shmkit::Result<Got<()>> {
        let bytes = self.broadcast.mapping().bytes();
        self.broadcast.try_next_with(&mut locked(&self.reader), |at| {
            view::copy_into(bytes, at, room, offset, self.items().item())
        })
    }

    /// What `attempt` gives, once that is not "not now".
    fn find<T>(
        &self,
        py: Python<'_>,
        deadline: Deadline,
        mut attempt: impl FnMut() -> shmkit::Result<Got<T>>,
    ) -> PyResult<Found<T>> {
        self.check_open(py)?;
        let found = find(
            py,
            &self.broadcast,
            &self.suspect,
            deadline,
            || Awaited::Next(self.reader()),
            || if self.is_closed() { Ok(Got::Ended) } else { attempt() },
        )?;
        if let Found::Ended = found {
            self.check_open(py)?; // another thread may have closed it
        }
        Ok(found)
    }

    fn next_within<'py>(&self, py: Python<'py>, deadline: Deadline) -> PyResult<Found<Bound<'py, PyAny>>> {
        // Made before an item is read, which would be lost if there were no memory for it.
        let copy = room_for(py, self.items(), 1)?;
        let found = self.find(py, deadline, || self.copy_out(&copy, 0))?;
        found.try_map(|()| item_from(self.items(), &copy))
    }

    /// As many items as there are, from the first one on.
    fn next_many_within<'py>(
        &self,
        py: Python<'py>,
        max: usize,
        deadline: Deadline,
    ) -> PyResult<Found<Bound<'py, PyAny>>> {
        // Made before anything is read, which would be lost if there were no memory for it.
        let max = self.__len__(py)?.clamp(1, max);
        let copy = room_for(py, self.items(), max)?;
        let one = |index| self.copy_out(&copy, index * self.items().item());
        let found = self.find(py, deadline, || many(max, one))?;
        found.try_map(|count| items_from(self.items(), &copy, count))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.close(); // or the writer would wait for it
    }
}

#[pymethods]
impl Subscription {
    /// Whether `close()` was called, of this or of its broadcast; in a forked child it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.is_closed() || self.broadcast.me().is_err()
    }

    /// Where the writer does not wait: how many items were overwritten before this one came to them.
    #[getter]
    fn lost(&self) -> i64 {
        self.reader().lost()
    }

    /// How many items there are that this one has not read.
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.check_open(py)?;
        Ok(self.broadcast.behind(&self.reader()).raise(py)? as usize)
    }

    /// A copy of the next item, which is waited for `timeout` seconds at most; None once the broadcast has ended and
    /// everything was read.
    #[pyo3(signature = (timeout = None))]
    fn next<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let deadline = Deadline::after(timeout)?;
        self.next_within(py, deadline)?.in_time(py, self.name())
    }

    /// A copy of the next item; None where there is none now.
    fn try_next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.next_within(py, Deadline::now())?.now())
    }

    /// As many items as there are, and `max` at most, as one array of shape (n, *shape); the first one is waited for
    /// `timeout` seconds at most. None once the broadcast has ended and everything was read.
    #[pyo3(signature = (max = BATCH, timeout = None))]
    fn next_many<'py>(
        &self,
        py: Python<'py>,
        max: usize,
        timeout: Option<f64>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (max, deadline) = (checked_max(py, max)?, Deadline::after(timeout)?);
        self.next_many_within(py, max, deadline)?.in_time(py, self.name())
    }

    /// Items as they come, until the broadcast has ended and everything was read.
    fn __iter__(slf: Py<Self>) -> PyResult<ItemIterator> {
        ItemIterator::new(move |py, deadline| slf.get().next_within(py, deadline))
    }

    /// As many items at a time as there are, and `max` at most, each time as one array of shape (n, *shape).
    #[pyo3(signature = (max = BATCH))]
    fn batches(slf: Py<Self>, py: Python<'_>, max: usize) -> PyResult<ItemIterator> {
        let max = checked_max(py, max)?;
        ItemIterator::new(move |py, deadline| slf.get().next_many_within(py, max, deadline))
    }

    /// Reads no more: the writer does not wait for this one any longer.
    fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            // Its broadcast may be closed, or the parent's, and then there is nothing to be given back.
            let _ = self.broadcast.unsubscribe(self.reader().entry());
        }
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(&self, _kind: &Bound<'_, PyAny>, _value: &Bound<'_, PyAny>, _trace: &Bound<'_, PyAny>) {
        self.close();
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let state = match self.__len__(py) {
            Ok(behind) => format!("{behind} behind"),
            Err(_) if self.closed() => "closed".to_owned(),
            Err(_) => "damaged".to_owned(),
        };
        format!("<shmkit.Subscription of '{}', {state}, {} lost>", self.name(), self.lost())
    }
}
