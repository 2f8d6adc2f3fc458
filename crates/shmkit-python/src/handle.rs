//! A lock as this process has it: one participant, whatever its threads and handles.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, Weak};
use std::thread::{ThreadId, current};

use pyo3::prelude::*;
use shmkit::segment::lock_header::WORD;
use shmkit::segment::{Identity, Segment};
use shmkit::sync::word::Word;
use shmkit::sync::word::lock::OWNER;
use shmkit::sync::{LockAccess, ReleaseState, SharedLock};

use crate::errors::{Raise, deadlock};
use crate::forks;
use crate::wait_queue::{Stop, Turn, WaitQueue};
use crate::waiting::{Deadline, SPINS, Waited, can_spin, wait_for};

/// What is locked: a segment, by its sidecar lock, or a mutex, by its own file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Sidecar(Identity),
    Mutex(Identity),
}

/// The open locks. Two handles on one lock are one participant, so that a thread that waits for itself is told.
static OPEN: LazyLock<Mutex<HashMap<Key, Weak<Handle>>>> = LazyLock::new(Mutex::default);

/// An object that keeps the segment of a lock open.
type KeepAlive = Arc<dyn Any + Send + Sync>;

/// A lock and the threads in front of it.
#[derive(Debug)]
pub(crate) struct Handle {
    lock: Arc<SharedLock>,
    queue: WaitQueue,
    name: String,
    /// Kept open, so that no other segment gets its inode.
    _keep_alive: Option<KeepAlive>,
}

impl Handle {
    /// This process's handle on a mutex. Locks are opened by who holds the GIL, or another thread could fork before the
    /// engine has noted the descriptor: the child would keep its parent's slot, and the parent seem to live on in it.
    pub(crate) fn of_mutex(lock: SharedLock) -> Arc<Self> {
        let name = lock.file().name().as_str().to_owned();
        Self::known(Key::Mutex(lock.file().id()), lock, name, None)
    }

    /// This process's handle on the sidecar lock of a segment, which `of` has open.
    pub(crate) fn sidecar<T: Any + Send + Sync>(
        py: Python<'_>,
        segment: &Segment,
        of: &Arc<T>,
    ) -> PyResult<Arc<Self>> {
        let key = Key::Sidecar(segment.id());
        if let Some(known) = open().get(&key).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let lock = SharedLock::sidecar(segment).raise(py)?; // with the GIL: see `of_mutex`
        let of: KeepAlive = Arc::<T>::clone(of);
        Ok(Self::known(key, lock, segment.name().as_str().to_owned(), Some(of)))
    }

    /// The one that is known already, or this.
    fn known(key: Key, lock: SharedLock, name: String, of: Option<KeepAlive>) -> Arc<Self> {
        let mut open = open();
        if let Some(known) = open.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        open.retain(|_, handle| handle.strong_count() > 0);
        let fresh =
            Arc::new(Handle { lock: Arc::new(lock), queue: WaitQueue::default(), name, _keep_alive: of });
        open.insert(key, Arc::downgrade(&fresh));
        fresh
    }

    /// What is locked.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Takes the lock; `None` if the time is over.
    pub(crate) fn acquire(
        self: &Arc<Self>,
        py: Python<'_>,
        access: LockAccess,
        deadline: Deadline,
    ) -> PyResult<Option<Hold>> {
        loop {
            let turn = match self.queue.enter(py, access, deadline) {
                Ok(turn) => turn,
                Err(Stop::Late) => return Ok(None),
                Err(Stop::Deadlock) => return Err(deadlock(py, &self.name)),
                Err(Stop::Interrupted(error)) => return Err(error),
            };
            // From here on whatever ends this lets the next thread through.
            let mut hold = Hold {
                handle: Arc::clone(self),
                access,
                thread: current().id(),
                forks: forks::count(),
                has: Has::WaitQueue,
                inconsistent: false,
            };
            let taken = match turn {
                Turn::Shared { inconsistent } => Waited::Done(inconsistent),
                Turn::First => self.take(py, access, deadline)?,
            };
            match taken {
                Waited::Done(inconsistent) => {
                    hold.has = Has::Lock;
                    hold.inconsistent = inconsistent;
                    if let (Turn::First, LockAccess::Read) = (turn, access) {
                        self.queue.share(inconsistent);
                    }
                    return Ok(Some(hold));
                }
                Waited::Late => return Ok(None),
                Waited::Forked => {} // begins anew
            }
        }
    }

    /// Takes the process's lock, for the one thread that may.
    fn take(&self, py: Python<'_>, access: LockAccess, deadline: Deadline) -> PyResult<Waited> {
        if let Some(inconsistent) = self.lock.try_lock(access).raise(py)? {
            return Ok(Waited::Done(inconsistent));
        }
        if deadline.is_over() {
            return Ok(Waited::Late);
        }
        if can_spin()
            && let Some(inconsistent) = py.detach(|| self.spin(access)).raise(py)?
        {
            return Ok(Waited::Done(inconsistent));
        }
        wait_for(py, &mut self.lock.wait(access), deadline)
    }

    fn spin(&self, access: LockAccess) -> shmkit::Result<Option<bool>> {
        let Some(word) = self.lock.file().mapping().bytes().atomic(WORD) else { return Ok(None) };
        for _ in 0..SPINS {
            if Word::load(word) & OWNER == 0 {
                return self.lock.try_lock(access);
            }
            std::hint::spin_loop();
        }
        Ok(None)
    }
}

fn open() -> std::sync::MutexGuard<'static, HashMap<Key, Weak<Handle>>> {
    OPEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    /// Its turn, and nothing else yet.
    WaitQueue,
    /// The lock.
    Lock,
    /// Nothing any more.
    Nothing,
}

/// The lock, had by a thread. Dropped without a word it is as if its process had died, which is what an error that nobody
/// foresaw comes to. Only to be touched by who holds the GIL: all that has one is an object of Python's.
#[derive(Debug)]
pub(crate) struct Hold {
    handle: Arc<Handle>,
    access: LockAccess,
    thread: ThreadId,
    forks: u32,
    has: Has,
    inconsistent: bool,
}

impl Hold {
    /// Whether the last one who wrote died or failed in the middle.
    pub(crate) fn inconsistent(&self) -> bool {
        self.inconsistent
    }

    /// Whether it is this process's, and not its parent's.
    pub(crate) fn is_ours(&self) -> bool {
        self.forks == forks::count()
    }

    /// Lets go of it. Nothing the second time, and in a child that inherited it.
    pub(crate) fn release(&mut self, state: ReleaseState) -> shmkit::Result<()> {
        let had = std::mem::replace(&mut self.has, Has::Nothing);
        if had == Has::Nothing || !self.is_ours() {
            return Ok(());
        }
        let last = self.handle.queue.leave(self.thread);
        match self.access {
            _ if had == Has::WaitQueue || !last => Ok(()),
            LockAccess::Write => self.handle.lock.unlock(state),
            LockAccess::Read => self.handle.lock.unlock_read(),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = self.release(ReleaseState::Inconsistent);
    }
}
