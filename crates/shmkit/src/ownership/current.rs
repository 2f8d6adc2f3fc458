//! This process's one ledger: created at the first use, and not inherited by a forked child.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::directory::LedgerDirectory;
use super::format::Token;
use super::ledger::Ledger;
use super::{python_tracker, tracker};
use crate::Result;
use crate::sys::descriptors::OwnedFd;
use crate::sys::fork::{self, Descriptor};
use crate::sys::per_process::PerProcess;
use crate::sys::process::user;

/// How long a process waits at its end: longer than a reaper holds the lock, and short for a user.
const EXIT_LOCK_TIMEOUT: Duration = Duration::from_millis(500);
static CURRENT: PerProcess<Arc<Ledger>> = PerProcess::new();
static LOCKED: Descriptor = Descriptor::new();
static HOOKED: AtomicBool = AtomicBool::new(false);

/// The ledger of this process, created if there is none, in the directory of its current user.
///
/// # Errors
/// As `Ledger::new`.
pub fn current() -> Result<Arc<Ledger>> {
    let mut held = CURRENT.lock();
    if let Some(ledger) = &*held {
        if ledger.ledgers().uid() == user() {
            return Ok(Arc::clone(ledger));
        }
        // What it created as another user stays in that user's ledger, which lives as long as this process.
        std::mem::forget(Arc::clone(ledger));
    }
    hook();
    let ledger = Arc::new(Ledger::new_with_descriptor(LedgerDirectory::default(), Some(&LOCKED))?);
    Ok(Arc::clone(held.insert(ledger)))
}

/// Makes the ledger that the starter prepared the ledger of this process.
///
/// # Errors
/// The system's.
pub fn take_over(token: Token, file: OwnedFd) -> Result<Arc<Ledger>> {
    let mut held = CURRENT.lock();
    hook();
    let ledger =
        Arc::new(Ledger::take_over_with_descriptor(LedgerDirectory::default(), token, file, Some(&LOCKED))?);
    Ok(Arc::clone(held.insert(ledger)))
}

fn hook() {
    if !HOOKED.swap(true, Ordering::AcqRel) {
        fork::in_forked_child(in_forked_child);
        fork::at_exit(at_exit);
    }
}

/// The ledger of this process; `None` if it has none, or another thread is creating it.
pub fn existing() -> Option<Arc<Ledger>> {
    CURRENT.try_lock()?.clone()
}

/// The child owns nothing of its parent's, and must not keep the parent's ledger locked after its death. Only stores
/// and system calls are safe here, since the parent may have other threads.
extern "C" fn in_forked_child() {
    CURRENT.forget();
    LOCKED.close();
    tracker::forget();
    python_tracker::forget();
}

extern "C" fn at_exit() {
    if let Some(ledger) = existing() {
        ledger.leave(EXIT_LOCK_TIMEOUT);
    }
}
