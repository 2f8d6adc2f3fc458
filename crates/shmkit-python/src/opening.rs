//! What `create` and its like take.

use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;
use shmkit::ownership::{self, Ledger};
use shmkit::segment::{CreateOptions, Name, Owner};

use crate::errors::{Raise, to_py};
use crate::forks;

/// How long to wait for the ledgers' lock before segments of dead processes are left to others.
const LOCK_TIMEOUT: Duration = Duration::from_millis(50);

/// The engine's options for these arguments.
pub(crate) fn create_options(
    py: Python<'_>,
    name: Option<&str>,
    mode: u32,
    track: bool,
) -> PyResult<CreateOptions> {
    let name = name.map(Name::new).transpose().raise(py)?;
    let owner = if track { owner(py)? } else { None };
    Ok(CreateOptions { name, mode, owner, ..CreateOptions::default() })
}

/// This process's ledger. No tracker is started from here: what a process leaves is removed by Node's where there is one,
/// else by the next process that makes something, which looks once.
pub(crate) fn ledger(py: Python<'_>) -> shmkit::Result<Arc<Ledger>> {
    static LOOKED: AtomicU32 = AtomicU32::new(u32::MAX);
    // With the GIL: a child that is forked before the descriptor is noted would keep it, and this process seem to live.
    let ledger = ownership::current()?;
    let forks = forks::count();
    if LOOKED.swap(forks, Ordering::AcqRel) != forks {
        let _ = py.detach(|| ownership::reap(ledger.ledgers(), LOCK_TIMEOUT)); // the next one will
    }
    Ok(ledger)
}

/// This process as the owner of what it makes.
fn owner(py: Python<'_>) -> PyResult<Option<Arc<dyn Owner>>> {
    const WHY: &CStr =
        c"what this process leaves at its end stays until somebody unlinks it: it cannot have a ledger";
    match ledger(py) {
        Ok(ledger) => Ok(Some(ledger)),
        // Those pass, and what is made meanwhile would leak.
        Err(error)
            if matches!(
                error.code,
                "ENOSPC" | "ENOMEM" | "EMFILE" | "ENFILE" | "EDQUOT" | "ERR_SHM_BUSY"
            ) =>
        {
            Err(to_py(py, error))
        }
        Err(_) => {
            PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), WHY, 2)?;
            Ok(None)
        }
    }
}
