//! The Python binding of shmkit: locks, events, segments with transactions, dicts,
//! arrays, queues and broadcasts.
//!
//! The engine's lock is one participant's, and a process is one here, whatever its threads and handles: [`handle`]
//! keeps one open lock for each file, and [`wait_queue`] is the queue of the threads that wait for it. [`waiting`] sleeps without
//! the GIL and looks at signals in between.
//!
//! **Forks.** `multiprocessing` forks without exec, in the middle of anything. All state of ours that threads share is
//! changed only by who holds the GIL, which is not let go of meanwhile: so at a fork, whose thread holds the GIL, none is
//! half changed and no mutex is locked. Who has what is stamped with the count of forks ([`forks`]) and is nothing in
//! the child.

mod array;
mod broadcast;
mod channel;
mod descriptor;
mod dict;
mod errors;
mod event;
mod forks;
mod handle;
mod items;
mod memory;
mod mutex;
mod numpy;
mod opening;
mod queue;
mod shared_object;
mod standard;
mod txn;
mod view;
mod wait_queue;
mod waiting;

use pyo3::prelude::*;

/// Locks, events, transactions, dicts, arrays, queues and broadcasts for named shared memory, between Python and Node.
#[pymodule(name = "shmkit", gil_used = true)]
mod module {
    #[pymodule_export]
    use crate::array::SharedArray;
    #[pymodule_export]
    use crate::broadcast::{SharedBroadcast, Subscription};
    #[pymodule_export]
    use crate::descriptor::{attach, owns};
    #[pymodule_export]
    use crate::dict::{DictTxn, SharedDict};
    #[pymodule_export]
    use crate::errors::{DeadlockError, ShmError};
    #[pymodule_export]
    use crate::event::SharedEvent;
    #[pymodule_export]
    use crate::memory::SharedMemory;
    #[pymodule_export]
    use crate::mutex::{Guard, SharedMutex};
    #[pymodule_export]
    use crate::queue::{SharedQueue, Slot};
    #[pymodule_export]
    use crate::standard::txn;
    #[pymodule_export]
    use crate::txn::Txn;

    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::forks::hook();
        crate::dict::register(module.py())?;
        module.add("MISSING", crate::dict::missing(module.py())?)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
