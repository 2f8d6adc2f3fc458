//! Waiting as Python wants it: without the GIL, and with an eye on signals.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use shmkit::sync::{Wait, sleep};

use crate::errors::to_py;
use crate::forks;

/// One sleeps no longer than that before one looks at signals, and whether those in the way are alive.
pub(crate) use shmkit::sync::SLICE;
/// What is held by another processor is often free again sooner than one has gone to sleep.
pub(crate) const SPINS: u32 = 2000;

/// Until when one waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// In so many seconds; `None` never.
    pub(crate) fn after(seconds: Option<f64>) -> PyResult<Self> {
        let Some(seconds) = seconds else { return Ok(Deadline(None)) };
        if seconds.is_nan() || seconds < 0.0 {
            return Err(PyValueError::new_err("timeout must not be negative; None waits for ever"));
        }
        // What is too long for a clock is for ever.
        let time = Duration::try_from_secs_f64(seconds).ok();
        Ok(Deadline(time.and_then(|time| Instant::now().checked_add(time))))
    }

    /// At once: one does not wait at all.
    pub(crate) fn now() -> Self {
        Deadline(Some(Instant::now()))
    }

    /// Whether it is reached.
    pub(crate) fn is_over(self) -> bool {
        self.0.is_some_and(|at| at <= Instant::now())
    }

    /// How long to sleep.
    pub(crate) fn slice(self) -> Duration {
        self.0.map_or(SLICE, |at| at.saturating_duration_since(Instant::now()).min(SLICE))
    }
}

/// How a wait ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Waited {
    /// It is over, as the engine's `Progress::Done` has it.
    Done(bool),
    /// The time is.
    Late,
    /// This is a child, forked by a signal's handler: what was waited for, and had, is the parent's.
    Forked,
}

/// Waits; where it ends without success it leaves no trace.
pub(crate) fn wait_for(py: Python<'_>, wait: &mut impl Wait, deadline: Deadline) -> PyResult<Waited> {
    let forks = forks::count();
    let failed = loop {
        let slice = deadline.slice();
        match py.detach(|| sleep(wait, slice)) {
            Ok(Some(inconsistent)) => return Ok(Waited::Done(inconsistent)),
            Ok(None) => {}
            Err(error) => break Err(to_py(py, error)),
        }
        let interrupted = py.check_signals();
        if forks::count() != forks {
            return interrupted.map(|()| Waited::Forked);
        }
        if let Err(interrupted) = interrupted {
            break Err(interrupted);
        }
        if deadline.is_over() {
            break Ok(Waited::Late);
        }
    };
    wait.retract();
    wait.pass_on();
    failed
}

/// Whether spinning can be of use: the one who is in the way may run meanwhile.
pub(crate) fn can_spin() -> bool {
    static MANY: OnceLock<bool> = OnceLock::new();
    *MANY.get_or_init(|| std::thread::available_parallelism().is_ok_and(|count| count.get() > 1))
}
