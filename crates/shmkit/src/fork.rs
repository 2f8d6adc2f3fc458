//! State of a process that a forked child must not take over.

use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering};
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

/// A descriptor that a forked child must not keep, or its parent would seem to live as long as the child does.
#[derive(Debug)]
pub(crate) struct Descriptor {
    number: AtomicI32,
    inode: AtomicU64,
}

impl Descriptor {
    pub(crate) const fn new() -> Self {
        Descriptor { number: AtomicI32::new(-1), inode: AtomicU64::new(0) }
    }

    /// From now on it is this one; -1 for none.
    pub(crate) fn note(&self, number: i32, inode: u64) {
        self.number.store(-1, Ordering::Release);
        self.inode.store(inode, Ordering::Release);
        self.number.store(number, Ordering::Release);
    }

    /// Closes it in a forked child. Only calls that are safe there.
    pub(crate) fn close(&self) {
        let number = self.number.swap(-1, Ordering::AcqRel);
        if number < 0 {
            return;
        }
        // SAFETY: plain system calls, the first into a struct of this frame. What is closed is the file that was
        // noted, whose owner in this process was just forgotten for good. Closing the child's copy leaves the
        // parent's lock, which unlocking it would not.
        unsafe {
            let mut stat = std::mem::zeroed::<libc::stat>();
            if libc::fstat(number, &mut stat) == 0 && stat.st_ino == self.inode.load(Ordering::Acquire) {
                libc::close(number);
            }
        }
    }
}
