//! A broadcast that Node has too.
//!
//! `subscription`: one who reads. What an item is to Python is in `items`, waiting in `channel`.
//!
//! A forked child has no number here, and everything says so: what its parent has published, and where it is reading, cannot
//! be both's.

mod subscription;

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use shmkit::descriptor::ObjectKind;
use shmkit::ring::broadcast::{Awaited, Layout, SharedBroadcast as Broadcast, Suspect};
use shmkit::ring::items::Items;
use shmkit::segment::{Identity, Name};
use shmkit::sync::Wait;

use crate::channel::{Channel, ChannelObject, Found, add_many, channel_methods, ended, find, items_of, late};
use crate::errors::Raise;
use crate::items::bytes_of;
use crate::numpy::{out_of_range, shown};
use crate::opening::create_options;
use crate::shared_object::{Opened, SharedObject, shared_object_methods};
use crate::waiting::Deadline;
pub(crate) use subscription::Subscription;

/// Items of one size from one writer to many readers, each at its own place, between processes.
#[pyclass(frozen, module = "shmkit", weakref)]
pub(crate) struct SharedBroadcast {
    layout: Layout,
    foreign: bool,
    open: Opened<Arc<Broadcast>>,
    /// Which reader is in the way of who tries to publish.
    suspect: Mutex<Suspect>,
}

impl Channel for Broadcast {
    type Awaited = Awaited;
    type Suspect = Suspect;

    fn is_ready(&self, awaited: Awaited, suspect: &mut Suspect) -> shmkit::Result<bool> {
        Broadcast::is_ready(self, awaited, suspect)
    }

    fn waiting(self: &Arc<Self>, awaited: Awaited) -> impl Wait {
        self.wait(awaited)
    }
}

impl SharedBroadcast {
    fn new(broadcast: Broadcast, foreign: bool) -> Self {
        let broadcast = Arc::new(broadcast);
        let segment = broadcast.segment();
        SharedBroadcast {
            layout: broadcast.layout().clone(),
            foreign,
            open: Opened::new(segment.name(), segment.id(), Arc::clone(&broadcast)),
            suspect: Mutex::default(),
        }
    }

    fn broadcast(&self, py: Python<'_>) -> PyResult<Arc<Broadcast>> {
        let broadcast = self.open.get(py, Arc::clone)?;
        broadcast.me().raise(py)?;
        Ok(broadcast)
    }

    /// Publishes the item; false if there was no room in time.
    fn publish_within(&self, py: Python<'_>, item: &[u8], deadline: Deadline) -> PyResult<bool> {
        let broadcast = self.broadcast(py)?;
        let attempt = || broadcast.try_publish(item);
        match find(py, &broadcast, &self.suspect, deadline, || Awaited::Room, attempt)? {
            Found::There(()) => Ok(true),
            Found::Ended => Err(ended(py, self.name(), "published")),
            Found::Late => Ok(false),
        }
    }

    fn late(&self, py: Python<'_>) -> PyErr {
        late(py, self.name(), "room")
    }
}

impl SharedObject for SharedBroadcast {
    const KIND: ObjectKind = ObjectKind::Broadcast;
    type State = Arc<Broadcast>;

    fn opened(&self) -> &Opened<Arc<Broadcast>> {
        &self.open
    }

    /// In a forked child as well: the handle is the parent's.
    fn is_closed(&self) -> bool {
        self.open.state().as_ref().is_none_or(|broadcast| broadcast.me().is_err())
    }

    fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        self.broadcast(py).map(drop)
    }

    fn release(&self) {
        if let Some(broadcast) = self.open.take() {
            broadcast.leave();
        }
    }

    fn notes(&self, py: Python<'_>) -> String {
        let state = match self.subscribers(py) {
            Ok(readers) => format!("{readers} subscribers"),
            Err(_) if self.is_closed() => "closed".to_owned(),
            Err(_) => "damaged".to_owned(),
        };
        format!(", {} of shape {}, {state}", self.dtype(), shown(&self.items().shape))
    }
}

shared_object_methods!(
    SharedBroadcast,
    "Closes this handle and its subscriptions; who waits by it does not any more.",
    adopt
);

impl ChannelObject for SharedBroadcast {
    fn open(name: &Name, foreign: bool, expect: Option<Identity>) -> shmkit::Result<Self> {
        Ok(Self::new(Broadcast::attach(name, foreign, expect)?, foreign))
    }

    fn items(&self) -> &Items {
        &self.layout.items
    }

    fn foreign(&self) -> bool {
        self.foreign
    }
}

channel_methods!(SharedBroadcast);

#[pymethods]
impl SharedBroadcast {
    /// Makes one with room for `slots` items of this shape and type, of which nothing was published.
    #[staticmethod]
    #[pyo3(signature = (
        slots, shape = None, dtype = None, on_slow = "block", *, name = None, mode = 0o600, track = true,
    ))]
    #[allow(clippy::too_many_arguments)]
    fn create(
        py: Python<'_>,
        slots: &Bound<'_, PyAny>,
        shape: Option<&Bound<'_, PyAny>>,
        dtype: Option<&Bound<'_, PyAny>>,
        on_slow: &str,
        name: Option<&str>,
        mode: u32,
        track: bool,
    ) -> PyResult<Self> {
        let layout = Layout {
            blocks: match on_slow {
                "block" => true,
                "drop" => false,
                _ => {
                    let message = format!("on_slow must be 'block' or 'drop', not '{on_slow}'");
                    return Err(out_of_range(py, message));
                }
            },
            items: items_of("broadcast", slots, shape, dtype)?,
        };
        let options = create_options(py, name, mode, track)?;
        let broadcast = py.detach(|| Broadcast::create(&layout, &options)).raise(py)?;
        Ok(Self::new(broadcast, false))
    }

    /// What becomes of a reader that is slower than the writer.
    #[getter]
    fn on_slow(&self) -> &'static str {
        if self.layout.blocks { "block" } else { "drop" }
    }

    /// Whether `end()` was called, by anybody.
    #[getter]
    fn ended(&self, py: Python<'_>) -> PyResult<bool> {
        self.broadcast(py)?.ended().raise(py)
    }

    /// How many items were published, by all who were the writer.
    #[getter]
    fn published(&self, py: Python<'_>) -> PyResult<i64> {
        self.broadcast(py)?.published().raise(py)
    }

    /// How many read it, in all processes. One that died counts until the writer has come across it.
    #[getter]
    fn subscribers(&self, py: Python<'_>) -> PyResult<u32> {
        self.broadcast(py)?.subscribers().raise(py)
    }

    /// Publishes a copy of the item, and waits for the slowest reader `timeout` seconds at most.
    #[pyo3(signature = (item, timeout = None))]
    fn publish(&self, item: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        let py = item.py();
        let deadline = Deadline::after(timeout)?;
        let bytes = bytes_of(self.items(), item)?;
        if self.publish_within(py, bytes.as_bytes(), deadline)? { Ok(()) } else { Err(self.late(py)) }
    }

    /// Publishes a copy of the item; False if the slowest reader has not read what it would overwrite.
    fn try_publish(&self, item: &Bound<'_, PyAny>) -> PyResult<bool> {
        let bytes = bytes_of(self.items(), item)?;
        self.publish_within(item.py(), bytes.as_bytes(), Deadline::now())
    }

    /// Publishes copies of all items of an array of shape (n, *shape), and waits for the slowest reader `timeout` seconds
    /// at most. Where it fails, the exception's `published` says how many were.
    #[pyo3(signature = (items, timeout = None))]
    fn publish_many(&self, items: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        let py = items.py();
        let deadline = Deadline::after(timeout)?;
        let add = |item: &[u8]| self.publish_within(py, item, deadline);
        add_many(self.items(), items, "published", add, || self.late(py))
    }

    /// Begins to read: every item that is published from now on is for this reader, and with `oldest` those as well that
    /// are there. A writer that waits for readers waits for this one, until it is closed or forgotten.
    #[pyo3(signature = (*, oldest = false))]
    fn subscribe(&self, py: Python<'_>, oldest: bool) -> PyResult<Subscription> {
        let broadcast = self.broadcast(py)?;
        let reader = broadcast.subscribe(oldest).raise(py)?;
        Ok(Subscription::new(broadcast, reader))
    }

    /// Nothing is published any more: the writer is told, readers read what there is, and then are.
    fn end(&self, py: Python<'_>) -> PyResult<()> {
        self.broadcast(py)?.end().raise(py)
    }
}
