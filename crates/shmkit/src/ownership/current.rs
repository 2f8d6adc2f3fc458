//! This process's one ledger: made at the first need, left behind at the end, and not taken over by a fork.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::directory::{LedgerDirectory, LockMode, NameState};
use super::format::Token;
use super::ledger::{Ledger, PATIENCE};
use super::{python_tracker, tracker};
use crate::Result;
use crate::segment::lock_header;
use crate::segment::{self, Identity, Name};
use crate::sys::fork::{self, Descriptor};
use crate::sys::per_process::PerProcess;
use crate::sys::process::user;

/// At the end of a process: longer than a reaper holds the lock, and short enough for a user.
const PATIENCE_AT_EXIT: Duration = Duration::from_millis(500);

/// Of a removal by name, against others who take the name again and again.
const TRIES: u32 = 100;

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

/// Removes a segment's name, if it still belongs to that segment.
///
/// # Errors
/// `ENOENT` where it does not; `ERR_SHM_BUSY`; else what the system says.
pub fn unlink(name: &Name, id: Identity) -> Result<()> {
    let removed = remove(name, id);
    if removed.as_ref().err().is_none_or(|error| error.code == "ENOENT")
        && let Some(ledger) = existing()
    {
        ledger.remove_entry(id);
    }
    // The lock beside it goes with it, whoever removed it.
    if removed.as_ref().err().is_none_or(|error| error.code == "ENOENT")
        && let Some((sidecar, its_id)) =
            lock_header::sidecar_of(LedgerDirectory::default().segments(), name, id)
    {
        let _ = remove(&sidecar, its_id);
    }
    removed?;
    python_tracker::unregister(name);
    Ok(())
}

fn remove(name: &Name, id: Identity) -> Result<()> {
    if name.is_random() {
        // Nobody draws it a second time, so a look and an unlink are as good.
        segment::unlink(name, id)
    } else {
        unlink_shared_name(name, id)
    }
}

/// Removes a segment by its name alone, whichever it is.
///
/// # Errors
/// `ENOENT`, `ERR_SHM_NOT_A_SEGMENT`; else as `unlink`.
pub fn unlink_by_name(name: &Name) -> Result<()> {
    let ledgers = LedgerDirectory::default();
    let mut tries = 1..TRIES;
    loop {
        let unlinked = segment::identify(name).and_then(|id| unlink(name, id));
        match unlinked {
            // A segment may have been looked at there; or it was, by a process that was killed.
            Err(error) if error.code == "ERR_SHM_NOT_A_SEGMENT" => {
                let Some(_) = tries.next() else { return Err(error) };
                if ledgers.has_placeholder(name) {
                    ledgers.lock_or_make(LockMode::Exclusive, PATIENCE)?.recover();
                }
            }
            // Another one took the name over meanwhile, and it is the name that is meant.
            Err(error) if error.code == "ENOENT" && ledgers.name_state(name) != NameState::Free => {
                let Some(_) = tries.next() else { return Err(error) };
            }
            result => return result,
        }
    }
}

/// A name that others, strangers too, may take again at any time.
fn unlink_shared_name(name: &Name, id: Identity) -> Result<()> {
    let ledgers = LedgerDirectory::default();
    let locked = match ledgers.lock_or_make(LockMode::Exclusive, PATIENCE) {
        Ok(locked) => locked,
        Err(error) if error.code == "ERR_SHM_BUSY" => return Err(error.about(name.as_str())),
        // Where there can be no ledgers, there is no better way than this.
        Err(_) => return segment::unlink(name, id),
    };
    let mut locked = if existing().is_some() { locked.keep() } else { locked };
    let taken = locked.unlink_if_same(name, id).map_err(|error| error.about(name.as_str()))?;
    drop(locked);
    if taken { Ok(()) } else { Err(segment::gone(name, ledgers.name_state(name) != NameState::Free)) }
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
