//! Waiting for items and for free slots: what queues and broadcasts have in common.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use shmkit::array::DType;
use shmkit::array::location::{differences_of, refuse_mismatch};
use shmkit::ring::items::{Got, Items};
use shmkit::segment::{Identity, Name};
use shmkit::sync::Wait;

use crate::descriptor::Target;
use crate::errors::{Raise, to_py};
use crate::items::bytes_of_many;
use crate::numpy::{dtype_of, out_of_range, shape_of};
use crate::shared_object::SharedObject;
use crate::waiting::{Deadline, SPINS, Waited, can_spin, wait_for};

/// Items in a batch at most, where nobody says otherwise.
pub(crate) const BATCH: usize = 256;

/// A queue or a broadcast of the engine.
pub(crate) trait Channel: Send + Sync {
    /// What can be waited for.
    type Awaited: Copy + Send + Sync;
    /// The participant that blocks a waiter, and since when.
    type Suspect: Default + Send;

    /// Whether a waiter for that would not block now.
    fn is_ready(&self, awaited: Self::Awaited, suspect: &mut Self::Suspect) -> shmkit::Result<bool>;

    /// To wait for it.
    fn waiting(self: &Arc<Self>, awaited: Self::Awaited) -> impl Wait;
}

/// A queue's or a broadcast's class in Python, for `channel_methods!`.
pub(crate) trait ChannelObject: SharedObject + Sized {
    /// Opens an existing one. With the GIL, as locks are opened: see `Handle::of_mutex`.
    fn open(name: &Name, foreign: bool, expect: Option<Identity>) -> shmkit::Result<Self>;

    fn items(&self) -> &Items;

    /// Whether `attach` was called with `foreign`.
    fn foreign(&self) -> bool;
}

/// Opens an existing one, whose items must be of the shape and type that are given.
pub(crate) fn attach<C: ChannelObject>(
    target: &Bound<'_, PyAny>,
    foreign: bool,
    shape: Option<&Bound<'_, PyAny>>,
    dtype: Option<&Bound<'_, PyAny>>,
) -> PyResult<C> {
    let py = target.py();
    let (shape, dtype) = (shape.map(shape_of).transpose()?, dtype.map(dtype_of).transpose()?);
    let Target { name, id, .. } = Target::of(target, C::KIND)?;
    let object = C::open(&name, foreign, id).raise(py)?;
    let items = object.items();
    let differences = differences_of(items.dtype, &items.shape, dtype, shape.as_deref());
    refuse_mismatch(name.as_str(), C::KIND.as_str(), &differences).raise(py)?;
    Ok(object)
}

/// Gives a class the methods that queues and broadcasts have.
macro_rules! channel_methods {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            /// An existing one, by its name or by a descriptor; of another user only if `foreign`. Its items must be of
            /// the `shape` and the `dtype` that are given.
            #[staticmethod]
            #[pyo3(signature = (target, *, foreign = false, shape = None, dtype = None))]
            fn attach(
                target: &Bound<'_, PyAny>,
                foreign: bool,
                shape: Option<&Bound<'_, PyAny>>,
                dtype: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<Self> {
                $crate::channel::attach(target, foreign, shape, dtype)
            }

            /// The very one that was pickled.
            #[staticmethod]
            fn _attach_again(descriptor: &Bound<'_, PyAny>, foreign: bool) -> PyResult<Self> {
                $crate::channel::attach(descriptor, foreign, None, None)
            }

            /// Another process attaches to the same one.
            fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<$crate::shared_object::Reduced<'py>> {
                $crate::shared_object::reduce(slf, slf.get().foreign())
            }

            /// Number of slots, each of which holds one item.
            #[getter]
            fn slots(&self) -> u32 {
                self.items().slots
            }

            /// Dimensions of an item.
            #[getter]
            fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyTuple>> {
                $crate::numpy::tuple(py, &self.items().shape)
            }

            /// numpy's name of the elements' type.
            #[getter]
            fn dtype(&self) -> &'static str {
                self.items().dtype.name()
            }
        }
    };
}
pub(crate) use channel_methods;

/// Calls `add` with each item of an array of shape (n, *shape); it returns false if there was no room in time. If it
/// fails, the exception's attribute `counter` is the number of items that were added.
pub(crate) fn add_many(
    items: &Items,
    array: &Bound<'_, PyAny>,
    counter: &str,
    add: impl Fn(&[u8]) -> PyResult<bool>,
    late: impl Fn() -> PyErr,
) -> PyResult<()> {
    let all = bytes_of_many(items, array)?;
    for (added, item) in all.as_bytes().chunks_exact(items.item()).enumerate() {
        let failed = match add(item) {
            Ok(true) => continue,
            Ok(false) => late(),
            Err(error) => error,
        };
        let _ = failed.value(array.py()).setattr(counter, added); // best effort
        return Err(failed);
    }
    Ok(())
}

/// What there was in time.
pub(crate) enum Found<T> {
    There(T),
    /// It has ended, and for those who take or read there is nothing left.
    Ended,
    Late,
}

impl<T> Found<T> {
    pub(crate) fn try_map<U>(self, make: impl FnOnce(T) -> PyResult<U>) -> PyResult<Found<U>> {
        Ok(match self {
            Found::There(there) => Found::There(make(there)?),
            Found::Ended => Found::Ended,
            Found::Late => Found::Late,
        })
    }

    /// What there was, if anything.
    pub(crate) fn now(self) -> Option<T> {
        match self {
            Found::There(there) => Some(there),
            Found::Ended | Found::Late => None,
        }
    }

    /// What there was; `None` if it has ended, an exception where that was late.
    pub(crate) fn in_time(self, py: Python<'_>, name: &str) -> PyResult<Option<T>> {
        match self {
            Found::There(there) => Ok(Some(there)),
            Found::Ended => Ok(None),
            Found::Late => Err(late(py, name, "item")),
        }
    }
}

/// What `attempt` gives, once that is not "not now". Without waiting where the time is over already.
pub(crate) fn find<C: Channel, T>(
    py: Python<'_>,
    channel: &Arc<C>,
    suspect: &Mutex<C::Suspect>,
    deadline: Deadline,
    awaited: impl Fn() -> C::Awaited,
    mut attempt: impl FnMut() -> shmkit::Result<Got<T>>,
) -> PyResult<Found<T>> {
    let is_ready = || channel.is_ready(awaited(), &mut locked(suspect)).raise(py);
    let mut again = false;
    loop {
        match attempt().raise(py)? {
            Got::Done(done) => return Ok(Found::There(done)),
            Got::Ended => return Ok(Found::Ended),
            Got::NotNow => {}
        }
        // Others may be faster time and again.
        if again {
            py.detach(std::thread::yield_now);
            py.check_signals()?;
        }
        let ready = is_ready()? && !(again && deadline.is_over());
        again = true;
        let expected = awaited();
        if ready || can_spin() && !deadline.is_over() && py.detach(|| spin(&**channel, expected)) {
            continue;
        }
        if deadline.is_over() {
            return Ok(Found::Late);
        }
        // Both of them look again; a forked child does so for itself.
        if let Waited::Late = wait_for(py, &mut channel.waiting(expected), deadline)?
            && !is_ready()?
        {
            return Ok(Found::Late);
        }
    }
}

fn spin<C: Channel>(channel: &C, awaited: C::Awaited) -> bool {
    (0..SPINS).any(|_| {
        std::hint::spin_loop();
        channel.is_ready(awaited, &mut C::Suspect::default()).unwrap_or(true)
    })
}

/// As many as there are: `one` of them after the other, and `max` at most.
pub(crate) fn many(
    max: usize,
    mut one: impl FnMut(usize) -> shmkit::Result<Got<()>>,
) -> shmkit::Result<Got<usize>> {
    for count in 0..max {
        match one(count) {
            Ok(Got::Done(())) => {}
            // What is wrong with the next one is for the next call: these were taken.
            _ if count > 0 => return Ok(Got::Done(count)),
            Ok(Got::Ended) => return Ok(Got::Ended),
            Ok(_) => return Ok(Got::NotNow),
            Err(error) => return Err(error),
        }
    }
    Ok(Got::Done(max))
}

/// What items there are to be in a `what`, by the arguments of `create`.
pub(crate) fn items_of(
    what: &str,
    slots: &Bound<'_, PyAny>,
    shape: Option<&Bound<'_, PyAny>>,
    dtype: Option<&Bound<'_, PyAny>>,
) -> PyResult<Items> {
    let count = slots.extract::<i128>()?;
    Ok(Items {
        dtype: dtype.map_or(Ok(DType::Float64), dtype_of)?,
        slots: u32::try_from(count)
            .map_err(|_| out_of_range(slots.py(), format!("a {what} cannot have {count} slots")))?,
        shape: shape.map_or_else(|| Ok(Vec::new()), shape_of)?,
    })
}

pub(crate) fn checked_max(py: Python<'_>, max: usize) -> PyResult<usize> {
    if max == 0 { Err(out_of_range(py, "max must be 1 or more, not 0")) } else { Ok(max) }
}

/// The exception of a wait whose time is over.
pub(crate) fn late(py: Python<'_>, name: &str, what: &str) -> PyErr {
    error(py, "ERR_SHM_TIMEOUT", name, format!("'{name}' had no {what} in time"))
}

/// The exception of one who adds to what has ended.
pub(crate) fn ended(py: Python<'_>, name: &str, added: &str) -> PyErr {
    error(py, "ERR_SHM_ENDED", name, format!("'{name}' has ended: nothing is {added} any more"))
}

fn error(py: Python<'_>, code: &'static str, name: &str, message: String) -> PyErr {
    to_py(py, shmkit::Error::own(code, message).about(name))
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Next = dyn Fn(Python<'_>) -> PyResult<Option<Py<PyAny>>> + Send + Sync;

/// All that comes, one by one or in batches.
#[pyclass(frozen, name = "_ItemIterator", module = "shmkit")]
pub(crate) struct ItemIterator(Box<Next>);

impl ItemIterator {
    pub(crate) fn new(
        next: impl for<'py> Fn(Python<'py>, Deadline) -> PyResult<Found<Bound<'py, PyAny>>>
        + Send
        + Sync
        + 'static,
    ) -> PyResult<Self> {
        let never = Deadline::after(None)?;
        Ok(ItemIterator(Box::new(move |py| Ok(next(py, never)?.now().map(Bound::unbind)))))
    }
}

#[pymethods]
impl ItemIterator {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        (self.0)(py)
    }
}
