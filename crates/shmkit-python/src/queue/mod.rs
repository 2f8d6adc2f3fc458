//! A queue that Node has too.
//!
//! `slot`: an item in place. What an item is to Python is in `items`, waiting in `channel`.

mod slot;

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::PyByteArray;
use shmkit::descriptor::ObjectKind;
use shmkit::ring::items::Items;
use shmkit::ring::queue::protocol::Side;
use shmkit::ring::queue::{Got, Layout, SharedQueue as Queue, Suspect};
use shmkit::segment::{Identity, Name};
use shmkit::sync::Wait;

use crate::channel::{
    BATCH, Channel, ChannelObject, Found, ItemIterator, add_many, channel_methods, checked_max, ended, find,
    items_of, late, many,
};
use crate::errors::Raise;
use crate::items::{bytes_of, item_from, items_from, room_for};
use crate::numpy::shown;
use crate::opening::create_options;
use crate::shared_object::{Opened, SharedObject, shared_object_methods};
use crate::view;
use crate::waiting::Deadline;
pub(crate) use slot::Slot;

/// A bounded queue of items of one size between processes: with back-pressure, and going on after every death.
#[pyclass(frozen, module = "shmkit", weakref)]
pub(crate) struct SharedQueue {
    items: Items,
    single: bool,
    foreign: bool,
    open: Opened<Arc<Queue>>,
    /// Who is in the way of those who try to push, and to take.
    suspects: [Mutex<Suspect>; 2],
}

impl Channel for Queue {
    type Awaited = Side;
    type Suspect = Suspect;

    fn is_ready(&self, side: Side, suspect: &mut Suspect) -> shmkit::Result<bool> {
        Queue::is_ready(self, side, suspect)
    }

    fn waiting(self: &Arc<Self>, side: Side) -> impl Wait {
        self.wait(side)
    }
}

/// Takes the next item out of the queue, to `offset` of what is long enough and nobody else knows.
fn copy_out(queue: &Queue, room: &Bound<'_, PyByteArray>, offset: usize) -> shmkit::Result<Got<()>> {
    let len = queue.layout().items.item();
    let held = match queue.try_take()? {
        Got::Done(held) => held,
        Got::NotNow => return Ok(Got::NotNow),
        Got::Ended => return Ok(Got::Ended),
    };
    let copied = view::copy_into(queue.mapping().bytes(), queue.item_at(held), room, offset, len);
    debug_assert!(copied.is_some(), "the slot is inside of the queue, and the room long enough");
    queue.free(held).map(Got::Done)
}

impl SharedQueue {
    fn new(queue: Queue, foreign: bool) -> Self {
        let queue = Arc::new(queue);
        let (segment, layout) = (queue.segment(), queue.layout());
        SharedQueue {
            items: layout.items.clone(),
            single: layout.single,
            foreign,
            open: Opened::new(segment.name(), segment.id(), Arc::clone(&queue)),
            suspects: Default::default(),
        }
    }

    fn queue(&self, py: Python<'_>) -> PyResult<Arc<Queue>> {
        self.open.get(py, Arc::clone)
    }

    /// What `attempt` gives, once that is not "not now".
    fn find<T>(
        &self,
        py: Python<'_>,
        queue: &Arc<Queue>,
        side: Side,
        deadline: Deadline,
        attempt: impl FnMut() -> shmkit::Result<Got<T>>,
    ) -> PyResult<Found<T>> {
        let suspect = &self.suspects[usize::from(side == Side::Items)];
        find(py, queue, suspect, deadline, || side, attempt)
    }

    /// Pushes the item; false if there was no room in time.
    fn push_within(&self, py: Python<'_>, item: &[u8], deadline: Deadline) -> PyResult<bool> {
        let queue = self.queue(py)?;
        match self.find(py, &queue, Side::Room, deadline, || queue.try_push(item))? {
            Found::There(()) => Ok(true),
            Found::Ended => Err(self.ended_error(py)),
            Found::Late => Ok(false),
        }
    }

    fn pop_within<'py>(&self, py: Python<'py>, deadline: Deadline) -> PyResult<Found<Bound<'py, PyAny>>> {
        let queue = self.queue(py)?;
        // Made before an item is taken, which would be lost if there were no memory for it.
        let copy = room_for(py, &self.items, 1)?;
        let found = self.find(py, &queue, Side::Items, deadline, || copy_out(&queue, &copy, 0))?;
        found.try_map(|()| item_from(&self.items, &copy))
    }

    /// As many items as there are, from the first one on.
    fn pop_many_within<'py>(
        &self,
        py: Python<'py>,
        max: usize,
        deadline: Deadline,
    ) -> PyResult<Found<Bound<'py, PyAny>>> {
        let queue = self.queue(py)?;
        // Made before anything is taken, which would be lost if there were no memory for it.
        let max = (queue.len() as usize).clamp(1, max);
        let copy = room_for(py, &self.items, max)?;
        let one = |index| copy_out(&queue, &copy, index * self.items.item());
        let found = self.find(py, &queue, Side::Items, deadline, || many(max, one))?;
        found.try_map(|count| items_from(&self.items, &copy, count))
    }

    fn late(&self, py: Python<'_>) -> PyErr {
        late(py, self.name(), "room")
    }

    fn ended_error(&self, py: Python<'_>) -> PyErr {
        ended(py, self.name(), "pushed")
    }

    fn claim_within(&self, py: Python<'_>, deadline: Deadline) -> PyResult<Option<Slot>> {
        let queue = self.queue(py)?;
        match self.find(py, &queue, Side::Room, deadline, || queue.try_claim())? {
            Found::There(held) => Ok(Some(Slot::new(queue, held, true))),
            Found::Ended => Err(self.ended_error(py)),
            Found::Late => Ok(None),
        }
    }

    fn take_within(&self, py: Python<'_>, deadline: Deadline) -> PyResult<Found<Slot>> {
        let queue = self.queue(py)?;
        let found = self.find(py, &queue, Side::Items, deadline, || queue.try_take())?;
        found.try_map(|held| Ok(Slot::new(queue, held, false)))
    }
}

impl SharedObject for SharedQueue {
    const KIND: ObjectKind = ObjectKind::Queue;
    type State = Arc<Queue>;

    fn opened(&self) -> &Opened<Arc<Queue>> {
        &self.open
    }

    fn release(&self) {
        if let Some(queue) = self.open.take() {
            queue.leave(false);
        }
    }

    fn notes(&self, py: Python<'_>) -> String {
        let state = match self.queue(py) {
            Ok(queue) => format!("{} of {}", queue.len(), self.items.slots),
            Err(_) => "closed".to_owned(),
        };
        format!(", {} of shape {}, {state}", self.items.dtype, shown(&self.items.shape))
    }
}

shared_object_methods!(
    SharedQueue,
    "Closes this handle, and gives back the slots that it has; who waits by it does not any more.",
    adopt
);

impl ChannelObject for SharedQueue {
    fn open(name: &Name, foreign: bool, expect: Option<Identity>) -> shmkit::Result<Self> {
        Ok(Self::new(Queue::attach(name, foreign, expect)?, foreign))
    }

    fn items(&self) -> &Items {
        &self.items
    }

    fn foreign(&self) -> bool {
        self.foreign
    }
}

channel_methods!(SharedQueue);

#[pymethods]
impl SharedQueue {
    /// Makes an empty queue with room for `slots` items of this shape and type.
    #[staticmethod]
    #[pyo3(signature = (
        slots, shape = None, dtype = None, *, spsc = false, name = None, mode = 0o600, track = true,
    ))]
    #[allow(clippy::too_many_arguments)]
    fn create(
        py: Python<'_>,
        slots: &Bound<'_, PyAny>,
        shape: Option<&Bound<'_, PyAny>>,
        dtype: Option<&Bound<'_, PyAny>>,
        spsc: bool,
        name: Option<&str>,
        mode: u32,
        track: bool,
    ) -> PyResult<Self> {
        let layout = Layout { single: spsc, items: items_of("queue", slots, shape, dtype)? };
        let options = create_options(py, name, mode, track)?;
        let queue = py.detach(|| Queue::create(&layout, &options)).raise(py)?;
        Ok(Self::new(queue, false))
    }

    /// Whether the queue is for one producer and one consumer.
    #[getter]
    fn spsc(&self) -> bool {
        self.single
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
        if self.push_within(py, item.as_bytes(), deadline)? { Ok(()) } else { Err(self.late(py)) }
    }

    /// Pushes a copy of the item; False if the queue is full.
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
        let add = |item: &[u8]| self.push_within(py, item, deadline);
        add_many(self.items(), items, "pushed", add, || self.late(py))
    }

    /// A copy of the next item, which is waited for `timeout` seconds at most; None once the queue has ended and
    /// everything was taken.
    #[pyo3(signature = (timeout = None))]
    fn pop<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let deadline = Deadline::after(timeout)?;
        self.pop_within(py, deadline)?.in_time(py, self.name())
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
        self.pop_many_within(py, max, deadline)?.in_time(py, self.name())
    }

    /// A slot to write the next item to in place: `with queue.claim() as slot`. Room is waited for `timeout` seconds at
    /// most.
    #[pyo3(signature = (timeout = None))]
    fn claim(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Slot> {
        let deadline = Deadline::after(timeout)?;
        self.claim_within(py, deadline)?.ok_or_else(|| self.late(py))
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
        self.take_within(py, deadline)?.in_time(py, self.name())
    }

    /// The slot of the next item; None where there is none now.
    fn try_take(&self, py: Python<'_>) -> PyResult<Option<Slot>> {
        Ok(self.take_within(py, Deadline::now())?.now())
    }

    /// Items as they come, until the queue has ended and everything was taken.
    fn __iter__(slf: Py<Self>) -> PyResult<ItemIterator> {
        ItemIterator::new(move |py, deadline| slf.get().pop_within(py, deadline))
    }

    /// As many items at a time as there are, and `max` at most, each time as one array of shape (n, *shape).
    #[pyo3(signature = (max = BATCH))]
    fn batches(slf: Py<Self>, py: Python<'_>, max: usize) -> PyResult<ItemIterator> {
        let max = checked_max(py, max)?;
        ItemIterator::new(move |py, deadline| slf.get().pop_many_within(py, max, deadline))
    }

    /// Nothing is pushed any more: producers are told, consumers take what there is, and then are.
    fn end(&self, py: Python<'_>) -> PyResult<()> {
        self.queue(py)?.end().raise(py)
    }
}
