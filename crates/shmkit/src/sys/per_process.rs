//! State of a process that a forked child must not take over.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::fork::count;

/// A mutex that is empty and unlocked in a forked child: the contents belong to the parent, and the thread that held it may
/// not exist in the child.
///
/// *Invariant:* null, or a leaked mutex.
pub struct PerProcess<T>(AtomicPtr<Mutex<Option<T>>>);

impl<T> PerProcess<T> {
    /// An empty one.
    #[expect(clippy::new_without_default, reason = "it is for statics")]
    pub const fn new() -> Self {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    /// Locks it.
    pub fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.mutex().lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Locks it, unless another thread has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, Option<T>>> {
        self.mutex().try_lock().ok()
    }

    fn mutex(&self) -> &Mutex<Option<T>> {
        let mut current = self.0.load(Ordering::Acquire);
        if current.is_null() {
            let fresh = Box::into_raw(Box::default());
            match self.0.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => current = fresh,
                Err(other) => {
                    // SAFETY: `fresh` was made above, and no other thread has seen it.
                    drop(unsafe { Box::from_raw(fresh) });
                    current = other;
                }
            }
        }
        // SAFETY: by the invariant, and mutexes are never freed.
        unsafe { &*current }
    }

    /// Empties it in a forked child, by a store and nothing else.
    pub fn forget(&self) {
        self.0.store(ptr::null_mut(), Ordering::Release);
    }
}

// SAFETY: what it points to is a mutex, which is shared as far as its contents can be sent.
unsafe impl<T: Send> Sync for PerProcess<T> {}

/// Set in the count of forks while a thread of the child takes a new number. With an earlier count, that thread does not
/// exist any more.
const REJOINING: u32 = 1 << 31;

/// The number of a participant, which belongs to one process. A forked child takes a number of its own at the first use.
#[derive(Debug)]
pub struct PerProcessNumber {
    number: AtomicU32,
    /// The count of forks when it was taken.
    forks: AtomicU32,
}

impl PerProcessNumber {
    /// A number that was just taken; 0 for none.
    pub fn new(number: u32) -> Self {
        PerProcessNumber { number: AtomicU32::new(number), forks: AtomicU32::new(count()) }
    }

    /// The number; 0 after [`give_up`](Self::give_up). The first call in a forked child takes a new number with `join`.
    ///
    /// # Errors
    /// What `join` returns.
    pub fn get<E>(&self, join: impl Fn() -> Result<u32, E>) -> Result<u32, E> {
        loop {
            let (now, then) = (count(), self.forks.load(Ordering::Acquire));
            let number = self.last();
            if now == then || number == 0 {
                return Ok(number);
            }
            let exchange =
                |old, new| self.forks.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire);
            if then == now | REJOINING || exchange(then, now | REJOINING).is_err() {
                std::thread::yield_now(); // another thread of the child calls `join`
                continue;
            }
            let joined = join();
            if let Ok(number) = joined {
                self.number.store(number, Ordering::Release);
            }
            self.forks.store(if joined.is_ok() { now } else { then }, Ordering::Release);
            joined?;
        }
    }

    /// The last number of this process, or of its parent.
    pub fn last(&self) -> u32 {
        self.number.load(Ordering::Acquire)
    }

    /// Takes the number away and returns it; `None` if there is none, or it belongs to the parent.
    pub fn give_up(&self) -> Option<u32> {
        let number = self.number.swap(0, Ordering::AcqRel);
        (number != 0 && count() == self.forks.load(Ordering::Acquire)).then_some(number)
    }
}

/// A lock between the threads of one process, which is unlocked in a forked child.
#[derive(Debug, Default)]
pub struct PerProcessLock(AtomicU32);

/// Unlocks a [`PerProcessLock`] when dropped.
#[derive(Debug)]
pub struct PerProcessLockGuard<'t>(&'t PerProcessLock);

impl PerProcessLock {
    /// Locks it, unless another thread has it.
    pub fn try_lock(&self) -> Option<PerProcessLockGuard<'_>> {
        let (mine, seen) = (count() + 1, self.0.load(Ordering::Acquire));
        let taken =
            seen != mine && self.0.compare_exchange(seen, mine, Ordering::AcqRel, Ordering::Acquire).is_ok();
        taken.then_some(PerProcessLockGuard(self))
    }

    /// Locks it once no other thread has it. For critical sections that take microseconds.
    pub fn lock(&self) -> PerProcessLockGuard<'_> {
        loop {
            if let Some(mine) = self.try_lock() {
                return mine;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

impl Drop for PerProcessLockGuard<'_> {
    fn drop(&mut self) {
        self.0.0.store(0, Ordering::Release);
    }
}
