//! State of a process that a forked child must not take over.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard};

/// A mutex that a forked child finds empty and open: the parent's contents are not its own, and a thread that does
/// not exist in the child may have held the parent's.
///
/// *Invariant:* null, or a leaked mutex.
pub(crate) struct PerProcess<T>(AtomicPtr<Mutex<Option<T>>>);

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.mutex().lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Its lock, unless somebody has it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, Option<T>>> {
        self.mutex().try_lock().ok()
    }

    fn mutex(&self) -> &Mutex<Option<T>> {
        let mut current = self.0.load(Ordering::Acquire);
        if current.is_null() {
            let fresh = Box::into_raw(Box::default());
            match self.0.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => current = fresh,
                Err(other) => {
                    // SAFETY: `fresh` was made above, and nobody else has seen it.
                    drop(unsafe { Box::from_raw(fresh) });
                    current = other;
                }
            }
        }
        // SAFETY: by the invariant, and mutexes are never freed.
        unsafe { &*current }
    }

    /// In a forked child: safe there, being a store and nothing else.
    pub(crate) fn forget(&self) {
        self.0.store(ptr::null_mut(), Ordering::Release);
    }
}

// SAFETY: what it points to is a mutex, which is shared as far as its contents can be sent.
unsafe impl<T: Send> Sync for PerProcess<T> {}
