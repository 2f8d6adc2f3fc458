//! This process's one ledger: made at the first need, left behind at the end, and not taken over by a fork.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::book::{Ledger, PATIENCE};
use super::format::{Owner, Token};
use super::home::{Home, Lock};
use crate::segment::{self, Identity, Name};
use crate::{Result, python_tracker};

/// At the end of a process: longer than a reaper holds the lock, and short enough for a user.
const PATIENCE_AT_EXIT: Duration = Duration::from_millis(500);

type Cell = Mutex<Option<Arc<Ledger>>>;

/// The ledger of this process. Null until the first use, and again in a forked child: the parent's is not its
/// own, and a thread that does not exist in the child may have held the parent's mutex.
///
/// *Invariant:* null, or a leaked `Cell`.
static CURRENT: AtomicPtr<Cell> = AtomicPtr::new(ptr::null_mut());
/// The descriptor that holds the ledger's lock, or -1: closed in a forked child.
static LOCKED: AtomicI32 = AtomicI32::new(-1);
static HOOKED: AtomicBool = AtomicBool::new(false);

fn cell() -> &'static Cell {
    let mut current = CURRENT.load(Ordering::Acquire);
    if current.is_null() {
        let fresh = Box::into_raw(Box::default());
        match CURRENT.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => current = fresh,
            Err(other) => {
                // SAFETY: `fresh` was made above, and nobody else has seen it.
                drop(unsafe { Box::from_raw(fresh) });
                current = other;
            }
        }
    }
    // SAFETY: by the invariant of `CURRENT`, and cells are never freed.
    unsafe { &*current }
}

/// The ledger of this process, made where there is none.
///
/// # Errors
/// As `Ledger::new`.
pub fn process() -> Result<Arc<Ledger>> {
    let mut held = cell().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(ledger) = &*held {
        return Ok(Arc::clone(ledger));
    }
    let ledger = Arc::new(Ledger::new(Home::default())?);
    LOCKED.store(ledger.descriptor(), Ordering::Release);
    if !HOOKED.swap(true, Ordering::AcqRel) {
        // SAFETY: both take functions that live as long as the process does: the addon is never unloaded.
        unsafe {
            libc::pthread_atfork(None, None, Some(in_a_forked_child));
            libc::atexit(at_exit);
        }
    }
    Ok(Arc::clone(held.insert(ledger)))
}

/// The ledger of this process, where it has one.
pub fn existing() -> Option<Arc<Ledger>> {
    if CURRENT.load(Ordering::Acquire).is_null() {
        return None;
    }
    cell().try_lock().ok()?.clone()
}

/// The ledger of this token has another file by now.
pub(super) fn note_descriptor(token: Token, descriptor: i32) {
    if existing().is_some_and(|ledger| ledger.token() == token) {
        LOCKED.store(descriptor, Ordering::Release);
    }
}

/// Removes a segment's name, if it still belongs to that segment.
///
/// # Errors
/// `ENOENT` where it does not; `ERR_SHM_BUSY`; else what the system says.
pub fn unlink(name: &Name, id: Identity) -> Result<()> {
    let removed = if name.is_drawn() {
        // Nobody draws it a second time, so a look and an unlink are as good.
        segment::unlink(name, id)
    } else {
        unlink_shared_name(name, id)
    };
    if removed.as_ref().err().is_none_or(|error| error.code == "ENOENT")
        && let Some(ledger) = existing()
    {
        ledger.strike(id);
    }
    removed?;
    python_tracker::unregister(name);
    Ok(())
}

/// A name that others, strangers too, may take again at any time.
fn unlink_shared_name(name: &Name, id: Identity) -> Result<()> {
    let home = Home::default();
    let locked = match home.make_locked(Lock::Exclusive, PATIENCE) {
        Ok(locked) => locked,
        Err(error) if error.code == "ERR_SHM_BUSY" => return Err(error.about(name.as_str())),
        // Where there can be no ledgers, there is no better way than this.
        Err(_) => return segment::unlink(name, id),
    };
    let locked = if existing().is_some() { locked.keep() } else { locked };
    let taken = locked.take(name, id).map_err(|error| error.about(name.as_str()))?;
    if taken { Ok(()) } else { Err(segment::gone(name, home.who_has(name).is_some())) }
}

/// What the parent owns is not the child's, and the parent must be dead when it is, although the child has its
/// open files. Only what is safe in a child of a process with threads: two stores and two closes.
extern "C" fn in_a_forked_child() {
    CURRENT.store(ptr::null_mut(), Ordering::Release);
    let locked = LOCKED.swap(-1, Ordering::AcqRel);
    if locked >= 0 {
        // SAFETY: the descriptor is the ledger's, whose owner was just forgotten for good. Closing the child's
        // copy leaves the parent's lock, which unlocking it would not.
        unsafe { libc::close(locked) };
    }
    crate::tracker::forget();
}

extern "C" fn at_exit() {
    if let Some(ledger) = existing() {
        ledger.leave(PATIENCE_AT_EXIT);
    }
}

/// Who this process is.
pub(super) fn current_owner() -> Owner {
    let pid = std::process::id();
    Owner { pid, started: started(pid).unwrap_or(0), namespace: this_pid_namespace() }
}

/// The inode of this process's PID namespace, 0 where the system does not tell.
pub fn this_pid_namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |it| it.ino())
}

/// When a process started, in clock ticks since boot: field 22 of its stat, counted after the name, which may
/// have spaces and brackets in it.
pub(crate) fn started(pid: u32) -> Option<u64> {
    let mut stat = Vec::with_capacity(1024); // enough for one read, where fs::read makes six
    fs::File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read_to_end(&mut stat)).ok()?;
    let after_name = stat.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(stat.get(after_name + 1..)?).ok()?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}
