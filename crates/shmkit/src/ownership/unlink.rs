//! Removing the name of a segment, with its sidecar and its entry in the ledger.

use super::current::existing;
use super::directory::{LOCK_TIMEOUT, LedgerDirectory, LockMode, NameState};
use super::python_tracker;
use crate::Result;
use crate::segment::lock_header;
use crate::segment::{self, Identity, Name};

/// Attempts to remove a name, while other processes take it again and again.
const TRIES: u32 = 100;

/// Removes a segment's name, if it still belongs to that segment.
///
/// # Errors
/// `ENOENT` if it does not; `ERR_SHM_BUSY`; else the system's.
pub fn unlink(name: &Name, id: Identity) -> Result<()> {
    let removed = remove(name, id);
    if removed.as_ref().err().is_none_or(|error| error.code == "ENOENT")
        && let Some(ledger) = existing()
    {
        ledger.remove_entry(id);
    }
    // Its sidecar lock is removed too, even if another process removed the segment.
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
        // No process draws this name a second time, so a check followed by an unlink is safe.
        segment::unlink(name, id)
    } else {
        unlink_shared_name(name, id)
    }
}

/// Removes the name, whichever segment it belongs to.
///
/// # Errors
/// `ENOENT`, `ERR_SHM_NOT_A_SEGMENT`; else as `unlink`.
pub fn unlink_by_name(name: &Name) -> Result<()> {
    let ledgers = LedgerDirectory::default();
    let mut tries = 1..TRIES;
    loop {
        let unlinked = segment::identify(name).and_then(|id| unlink(name, id));
        match unlinked {
            // A segment of this name is being checked, perhaps by a process that was killed.
            Err(error) if error.code == "ERR_SHM_NOT_A_SEGMENT" => {
                let Some(_) = tries.next() else { return Err(error) };
                if ledgers.has_placeholder(name) {
                    ledgers.lock_or_make(LockMode::Exclusive, LOCK_TIMEOUT)?.recover();
                }
            }
            // Another segment got the name meanwhile; remove that one too.
            Err(error) if error.code == "ENOENT" && ledgers.name_state(name) != NameState::Free => {
                let Some(_) = tries.next() else { return Err(error) };
            }
            result => return result,
        }
    }
}

/// Removes a name that any other program may take again at any time.
fn unlink_shared_name(name: &Name, id: Identity) -> Result<()> {
    let ledgers = LedgerDirectory::default();
    let locked = match ledgers.lock_or_make(LockMode::Exclusive, LOCK_TIMEOUT) {
        Ok(locked) => locked,
        Err(error) if error.code == "ERR_SHM_BUSY" => return Err(error.about(name.as_str())),
        // If there can be no ledgers, this is the best that is possible.
        Err(_) => return segment::unlink(name, id),
    };
    let mut locked = if existing().is_some() { locked.keep_directory() } else { locked };
    let taken = locked.unlink_if_same(name, id).map_err(|error| error.about(name.as_str()))?;
    drop(locked);
    if taken { Ok(()) } else { Err(segment::gone(name, ledgers.name_state(name) != NameState::Free)) }
}
