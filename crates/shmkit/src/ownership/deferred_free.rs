//! Memory that is freed after the lock is released.

use crate::sys::descriptors::OwnedFd;
use crate::sys::{self, file::Stat};

/// Segments from this size on are freed after the lock is released.
pub(super) const LARGE: u64 = 1 << 20;
/// The most segments that wait to be freed.
const DEFERRED_MAX: usize = 64;

/// Large segments that were unlinked, kept open while the lock is held: freeing their memory takes long, and other
/// processes wait for the lock.
#[derive(Debug, Default)]
pub(super) struct DeferredFrees(Vec<OwnedFd>);

impl DeferredFrees {
    /// Whether the lock should be released now.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= DEFERRED_MAX
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn keep(&mut self, segment: Option<OwnedFd>) {
        self.0.extend(segment);
    }
}

/// A descriptor that keeps the memory of a large segment until it is closed; `None` for a small one.
pub(super) fn hold_if_large(stat: &Stat, hold: impl FnOnce() -> sys::Result<OwnedFd>) -> Option<OwnedFd> {
    (stat.allocated >= LARGE).then(|| hold().ok()).flatten()
}
