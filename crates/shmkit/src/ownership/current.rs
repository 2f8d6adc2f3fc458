//! This process's one ledger: made at the first need, left behind at the end, and not taken over by a fork.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::directory::LedgerDirectory;
use super::format::Token;
use super::ledger::Ledger;
use super::{python_tracker, tracker};
use crate::Result;
use crate::sys::fork::{self, Descriptor};
use crate::sys::per_process::PerProcess;
use crate::sys::process::user;

/// At the end of a process: longer than a reaper holds the lock, and short enough for a user.
const PATIENCE_AT_EXIT: Duration = Duration::from_millis(500);
static CURRENT: PerProcess<Arc<Ledger>> = PerProcess::new();
static LOCKED: Descriptor = Descriptor::new();
static HOOKED: AtomicBool = AtomicBool::new(false);

/// The ledger of this process, made where there is none: among those of its user, whoever that is by now.
///
/// # Errors
/// As `Ledger::new`.
pub fn process() -> Result<Arc<Ledger>> {
    let mut held = CURRENT.lock();
    if let Some(ledger) = &*held {
        if ledger.ledgers().uid() == user() {
            return Ok(Arc::clone(ledger));
        }
        // What it made as another user stays on that one's ledger, which lives as long as this process.
        std::mem::forget(Arc::clone(ledger));
    }
    hook();
    let ledger = Arc::new(Ledger::new_with_descriptor(LedgerDirectory::default(), Some(&LOCKED))?);
    Ok(Arc::clone(held.insert(ledger)))
}

/// The ledger of this process from now on: what its starter prepared for it, by this open file.
///
/// # Errors
/// What the system says.
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

/// The ledger of this process, where it has one and nobody is making one.
pub fn existing() -> Option<Arc<Ledger>> {
    CURRENT.try_lock()?.clone()
}

/// What the parent owns is not the child's, and the parent must be dead when it is, although the child has its
/// open files. Only what is safe in a child of a process with threads: stores and system calls.
extern "C" fn in_forked_child() {
    CURRENT.forget();
    LOCKED.close();
    tracker::forget();
    python_tracker::forget();
}

extern "C" fn at_exit() {
    if let Some(ledger) = existing() {
        ledger.leave(PATIENCE_AT_EXIT);
    }
}
