//! A queue that Node has too.
//!
//! - `items`: what an item is to Python. `slot`: one in place. Waiting is here.

mod items;
mod slot;

use std::sync::{Arc, Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use shmkit::items::Items;
use shmkit::queue::ring::Side;
use shmkit::queue::{Got, Layout, SharedQueue as Queue, Suspect};
use shmkit::segment::{Identity, Name};

use crate::descriptor::{Target, describe};
use crate::errors::{Raise, closed, to_py};
use crate::numpy::{dtype_of, out_of_range, shape_of, shown, tuple};
use crate::opening::{create_options, ledger};
use crate::waiting::{Deadline, SPINS, Waited, can_spin, wait_for};
use items::{bytes_of, bytes_of_many, copy_out, item_from, items_from, room_for};
pub(crate) use slot::Slot;

/// Items in a batch at most, where nobody says otherwise.
const BATCH: usize = 256;

/// A bounded queue of items of one size between processes: with back-pressure, and going on after every death.
#[pyclass(frozen, module = "shmkit", weakref)]
pub(crate) struct SharedQueue {
    name: Name,
    id: Identity,
    items: Items,
    foreign: bool,
    open: Mutex<Option<Arc<Queue>>>,
    /// Who is in the way of those who try, on each side.
    suspects: Mutex<[Suspect; 2]>,
}

/// What there was in time.
enum Found<T> {
    There(T),
    /// The queue has ended, and for consumers everything was taken.
    Ended,
    Late,
}

impl SharedQueue {
    fn new(queue: Queue, foreign: bool) -> Self {
        SharedQueue {
            name: queue.segment().name().clone(),
            id: queue.segment().id(),
            items: queue.layout().items.clone(),
            foreign,
            open: Mutex::new(Some(Arc::new(queue))),
            suspects: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, Option<Arc<Queue>>> {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn queue(&self, py: Python<'_>) -> PyResult<Arc<Queue>> {
        let queue = self.state().clone();
        queue.ok_or_else(|| closed(py, self.name.as_str()))
    }

    /// With the GIL, as locks are opened: see `Handle::of_mutex`.
    fn open(py: Python<'_>, name: &Name, foreign: bool, expect: Option<Identity>) -> PyResult<Self> {
        let queue = Queue::attach(name, foreign, expect).raise(py)?;
        Ok(Self::new(queue, foreign))
    }

    /// What `attempt` gives, once that is not "not now". Without waiting where the time is over already.
    fn find<T>(
        &self,
        py: Python<'_>,
        queue: &Arc<Queue>,
        side: Side,
        deadline: Deadline,
        mut attempt: impl FnMut(&Queue) -> shmkit::Result<Got<T>>,
    ) -> PyResult<Found<T>> {
        loop {
            match attempt(queue).raise(py)? {
                Got::Done(done) => return Ok(Found::There(done)),
                Got::Ended => return Ok(Found::Ended),
                Got::NotNow => {}
            }
            let ready = self.is_ready(queue, side).raise(py)?;
            if ready || can_spin() && !deadline.is_over() && py.detach(|| spin(queue, side)) {
                continue;
            }
            if deadline.is_over() {
                return Ok(Found::Late);
            }
            // Both of them look again; a forked child does so for itself.
            if let Waited::Late = wait_for(py, &mut queue.wait(side), deadline)?
                && !self.is_ready(queue, side).raise(py)?
            {
                return Ok(Found::Late);
            }
        }
    }

    fn is_ready(&self, queue: &Queue, side: Side) -> shmkit::Result<bool> {
        let mut suspects = self.suspects.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        queue.is_ready(side, &mut suspects[usize::from(side == Side::Items)])
    }

    /// Pushes the item; false where there was no room in time.
    fn push_within(&self, py: Python<'_>, item: &[u8], deadline: Deadline) -> PyResult<bool> {
        let queue = self.queue(py)?;
        match self.find(py, &queue, Side::Room, deadline, |queue| queue.try_push(item))? {
            Found::There(()) => Ok(true),
            Found::Ended => Err(self.ended_error(py)),
            Found::Late => Ok(false),
        }
    }

    fn pop_within<'py>(&self, py: Python<'py>, deadline: Deadline) -> PyResult<Found<Bound<'py, PyAny>>> {
        let queue = self.queue(py)?;
        // Made before an item is taken, which would be lost if there were no memory for it.
        let copy = room_for(py, &self.items, 1)?;
        let found = self.find(py, &queue, Side::Items, deadline, |queue| copy_out(queue, &copy, 0))?;
        Ok(match found {
            Found::There(()) => Found::There(item_from(&self.items, &copy)?),
            Found::Ended => Found::Ended,
            Found::Late => Found::Late,
        })
    }

    /// As many items as there are, from the first one on.
    fn pop_many_within<'py>(
        &self,
        py: Python<'py>,
        max: usize,
        deadline: Deadline,
    ) -> PyResult<Found<Bound<'py, PyAny>>> {
        let queue = self.queue(py)?;
        let item = self.items.item();
        // Made before anything is taken, which would be lost if there were no memory for it.
        let copy = room_for(py, &self.items, (queue.len() as usize).clamp(1, max))?;
        let found = self.find(py, &queue, Side::Items, deadline, |queue| {
            let mut count = 0;
            while (count + 1) * item <= copy.len() {
                match copy_out(queue, &copy, count * item) {
                    Ok(Got::Done(())) => count += 1,
                    // What is wrong with the next one is for the next call: these were taken.
                    _ if count > 0 => break,
                    Ok(Got::Ended) => return Ok(Got::Ended),
                    Ok(_) => return Ok(Got::NotNow),
                    Err(error) => return Err(error),
                }
            }
            Ok(Got::Done(count))
        })?;
        Ok(match found {
            Found::There(count) => Found::There(items_from(&self.items, &copy, count)?),
            Found::Ended => Found::Ended,
            Found::Late => Found::Late,
        })
    }

    fn ended_error(&self, py: Python<'_>) -> PyErr {
        let message = format!("'{}' has ended: nothing is pushed any more", self.name.as_str());
        self.error(py, "ERR_SHM_ENDED", message)
    }

    fn late(&self, py: Python<'_>, what: &str) -> PyErr {
        self.error(py, "ERR_SHM_TIMEOUT", format!("'{}' had no {what} in time", self.name.as_str()))
    }

    fn error(&self, py: Python<'_>, code: &'static str, message: String) -> PyErr {
        to_py(py, shmkit::Error::own(code, message).about(self.name.as_str()))
    }

    fn claim_within(&self, py: Python<'_>, deadline: Deadline) -> PyResult<Option<Slot>> {
        let queue = self.queue(py)?;
        match self.find(py, &queue, Side::Room, deadline, Queue::try_claim)? {
            Found::There(held) => Ok(Some(Slot::new(queue, held, true))),
            Found::Ended => Err(self.ended_error(py)),
            Found::Late => Ok(None),
        }
    }

    fn take_within(&self, py: Python<'_>, deadline: Deadline) -> PyResult<Found<Slot>> {
        let queue = self.queue(py)?;
        Ok(match self.find(py, &queue, Side::Items, deadline, Queue::try_take)? {
            Found::There(held) => Found::There(Slot::new(queue, held, false)),
            Found::Ended => Found::Ended,
            Found::Late => Found::Late,
        })
    }

    /// What there was; `None` where the queue has ended, an exception where it was late.
    fn in_time<T>(&self, py: Python<'_>, found: Found<T>) -> PyResult<Option<T>> {
        match found {
            Found::There(there) => Ok(Some(there)),
            Found::Ended => Ok(None),
            Found::Late => Err(self.late(py, "item")),
        }
    }
}

impl<T> Found<T> {
    fn now(self) -> Option<T> {
        match self {
            Found::There(there) => Some(there),
            Found::Ended | Found::Late => None,
        }
    }
}

fn spin(queue: &Queue, side: Side) -> bool {
    (0..SPINS).any(|_| {
        std::hint::spin_loop();
        queue.is_ready(side, &mut Suspect::default()).unwrap_or(true)
    })
}

fn checked_max(py: Python<'_>, max: usize) -> PyResult<usize> {
    if max == 0 { Err(out_of_range(py, "max must be 1 or more, not 0")) } else { Ok(max) }
}

#[pymethods]
impl SharedQueue {
    /// Makes an empty queue with room for `slots` items of this shape and type.
    #[staticmethod]
    #[pyo3(signature = (
        slots, shape = None, dtype = None, mode = "mpmc", *, name = None, permissions = 0o600, track = true,
    ))]
    #[allow(clippy::too_many_arguments)]
    fn create(
        py: Python<'_>,
        slots: &Bound<'_, PyAny>,
        shape: Option<&Bound<'_, PyAny>>,
        dtype: Option<&Bound<'_, PyAny>>,
        mode: &str,
        name: Option<&str>,
        permissions: u32,
        track: bool,
    ) -> PyResult<Self> {
        let count = slots.extract::<i128>()?;
        let layout = Layout {
            single: match mode {
                "mpmc" => false,
                "spsc" => true,
                _ => {
                    let message = format!(
                        "mode must be 'spsc' or 'mpmc', not '{mode}'; permission bits are the argument permissions"
                    );
                    return Err(out_of_range(py, message));
                }
            },
            items: Items {
                dtype: dtype.map_or(Ok(shmkit::array::DType::Float64), dtype_of)?,
                slots: u32::try_from(count)
                    .map_err(|_| out_of_range(py, format!("a queue cannot have {count} slots")))?,
                shape: shape.map_or_else(|| Ok(Vec::new()), shape_of)?,
            },
        };
        let options = create_options(py, name, permissions, track)?;
        let queue = py.detach(|| Queue::create(&layout, &options)).raise(py)?;
        Ok(Self::new(queue, false))
    }

    /// An existing queue, by its name or by a descriptor; of another user only if `foreign`.
    #[staticmethod]
    #[pyo3(signature = (target, *, foreign = false))]
    fn attach(py: Python<'_>, target: &Bound<'_, PyAny>, foreign: bool) -> PyResult<Self> {
        let target = Target::of(target, "queue")?;
        Self::open(py, &target.name, foreign, target.id)
    }

    /// The very queue that was pickled.
    #[staticmethod]
    fn _attach_again(py: Python<'_>, descriptor: &Bound<'_, PyAny>, foreign: bool) -> PyResult<Self> {
        Self::attach(py, descriptor, foreign)
    }

    /// Another process attaches to the same queue.
    #[allow(clippy::type_complexity)]
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyDict>, bool))> {
        let (py, this) = (slf.py(), slf.get());
        this.queue(py)?; // it is open
        Ok((slf.get_type().getattr("_attach_again")?, (this.to_json(py)?, this.foreign)))
    }

    /// What `attach` takes in another process, here or in Node.
    fn to_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        describe(py, "queue", self.name.as_str(), self.id)
    }

    #[getter]
    fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Room for so many items.
    #[getter]
    fn capacity(&self) -> u32 {
        self.items.slots
    }

    /// Dimensions of an item.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, &self.items.shape)
    }

    /// numpy's name of the elements' type.
    #[getter]
    fn dtype(&self) -> &'static str {
        self.items.dtype.name()
    }

    #[getter]
    fn closed(&self) -> bool {
        self.state().is_none()
    }

    /// Whether `end()` was called, by anybody.
    #[getter]
    fn ended(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.queue(py)?.ended())
    }

    /// How many claimed or taken slots were lost with somebody who died.
    #[getter]
    fn lost(&self, py: Python<'_>) -> PyResult<u32> {
        Ok(self.queue(py)?.lost())
    }

    /// How many items there are, those included that are just being written.
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.queue(py)?.len() as usize)
    }

    /// Pushes a copy of the item, and waits for room `timeout` seconds at most.
    #[pyo3(signature = (item, timeout = None))]
    fn push(&self, item: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        let py = item.py();
        let deadline = Deadline::after(timeout)?;
        let item = bytes_of(&self.items, item)?;
        if self.push_within(py, item.as_bytes(), deadline)? { Ok(()) } else { Err(self.late(py, "room")) }
    }

    /// Pushes a copy of the item; False where the queue is full.
    fn try_push(&self, item: &Bound<'_, PyAny>) -> PyResult<bool> {
        let bytes = bytes_of(&self.items, item)?;
        self.push_within(item.py(), bytes.as_bytes(), Deadline::now())
    }

    /// Pushes copies of all items of an array of shape (n, *shape), and waits for room `timeout` seconds at most. Where
    /// it fails, the exception's `pushed` says how many were.
    #[pyo3(signature = (items, timeout = None))]
    fn push_many(&self, items: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        let py = items.py();
        let deadline = Deadline::after(timeout)?;
        let all = bytes_of_many(&self.items, items)?;
        for (pushed, item) in all.as_bytes().chunks_exact(self.items.item()).enumerate() {
            let failed = match self.push_within(py, item, deadline) {
                Ok(true) => continue,
                Ok(false) => self.late(py, "room"),
                Err(error) => error,
            };
            let _ = failed.value(py).setattr("pushed", pushed); // best effort
            return Err(failed);
        }
        Ok(())
    }

    /// A copy of the next item, which is waited for `timeout` seconds at most; None once the queue has ended and
    /// everything was taken.
    #[pyo3(signature = (timeout = None))]
    fn pop<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let deadline = Deadline::after(timeout)?;
        self.in_time(py, self.pop_within(py, deadline)?)
    }

    /// A copy of the next item; None where there is none now.
    fn try_pop<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.pop_within(py, Deadline::now())?.now())
    }

    /// As many items as there are, and `max` at most, as one array of shape (n, *shape); the first one is waited for
    /// `timeout` seconds at most. None once the queue has ended and everything was taken.
    #[pyo3(signature = (max = BATCH, timeout = None))]
    fn pop_many<'py>(
        &self,
        py: Python<'py>,
        max: usize,
        timeout: Option<f64>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (max, deadline) = (checked_max(py, max)?, Deadline::after(timeout)?);
        self.in_time(py, self.pop_many_within(py, max, deadline)?)
    }

    /// A slot to write the next item to in place: `with queue.claim() as slot`. Room is waited for `timeout` seconds at
    /// most.
    #[pyo3(signature = (timeout = None))]
    fn claim(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Slot> {
        let deadline = Deadline::after(timeout)?;
        self.claim_within(py, deadline)?.ok_or_else(|| self.late(py, "room"))
    }

    /// A slot to write the next item to; None where the queue is full.
    fn try_claim(&self, py: Python<'_>) -> PyResult<Option<Slot>> {
        self.claim_within(py, Deadline::now())
    }

    /// The slot of the next item, to be read in place: `with queue.take() as slot`. It is waited for `timeout` seconds at
    /// most; None once the queue has ended and everything was taken.
    #[pyo3(signature = (timeout = None))]
    fn take(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<Slot>> {
        let deadline = Deadline::after(timeout)?;
        self.in_time(py, self.take_within(py, deadline)?)
    }

    /// The slot of the next item; None where there is none now.
    fn try_take(&self, py: Python<'_>) -> PyResult<Option<Slot>> {
        Ok(self.take_within(py, Deadline::now())?.now())
    }

    /// Items as they come, until the queue has ended and everything was taken.
    fn __iter__(slf: Py<Self>) -> QueueIterator {
        QueueIterator { queue: slf, max: None }
    }

    /// As many items at a time as there are, and `max` at most, each time as one array of shape (n, *shape).
    #[pyo3(signature = (max = BATCH))]
    fn batches(slf: Py<Self>, py: Python<'_>, max: usize) -> PyResult<QueueIterator> {
        Ok(QueueIterator { queue: slf, max: Some(checked_max(py, max)?) })
    }

    /// Nothing is pushed any more: producers are told, consumers take what there is, and then are.
    fn end(&self, py: Python<'_>) -> PyResult<()> {
        self.queue(py)?.end().raise(py)
    }

    /// Makes this process an owner: when its last owner is dead, the queue goes.
    fn adopt(&self, py: Python<'_>) -> PyResult<()> {
        self.queue(py)?;
        let ledger = ledger(py).raise(py)?;
        py.detach(|| ledger.adopt(&self.name, self.id)).raise(py)
    }

    /// Closes this handle, and gives back the slots that it has; who waits by it does not any more.
    fn close(&self) {
        let queue = self.state().take();
        if let Some(queue) = queue {
            queue.leave(false);
        }
    }

    /// Removes the name. Who has the queue open goes on with it.
    fn unlink(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| shmkit::ledger::unlink(&self.name, self.id)).raise(py)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(&self, _kind: &Bound<'_, PyAny>, _value: &Bound<'_, PyAny>, _trace: &Bound<'_, PyAny>) {
        self.close();
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let state = match self.queue(py) {
            Ok(queue) => format!("{} of {}", queue.len(), self.items.slots),
            Err(_) => "closed".to_owned(),
        };
        let (name, dtype) = (self.name.as_str(), self.items.dtype);
        format!("<shmkit.SharedQueue '{name}', {dtype} of shape {}, {state}>", shown(&self.items.shape))
    }
}

/// All that comes, one by one or in batches.
#[pyclass(frozen, name = "_QueueIterator", module = "shmkit")]
pub(crate) struct QueueIterator {
    queue: Py<SharedQueue>,
    max: Option<usize>,
}

#[pymethods]
impl QueueIterator {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (queue, deadline) = (self.queue.get(), Deadline::after(None)?);
        let found = match self.max {
            None => queue.pop_within(py, deadline)?,
            Some(max) => queue.pop_many_within(py, max, deadline)?,
        };
        Ok(found.now())
    }
}
