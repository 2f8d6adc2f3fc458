//! Memory that is given back after the lock.

use std::os::fd::OwnedFd;

use crate::sys::{self, file::Stat};

/// The memory of segments from this size on is given back when the lock is not held any more.
pub(super) const LARGE: u64 = 1 << 20;
/// Of so many at most.
const DEFERRED_MAX: usize = 64;

/// Large segments that have no name any more, kept open: giving their memory back takes long, and others wait for the
/// lock.
#[derive(Debug, Default)]
pub(super) struct DeferredFrees(Vec<OwnedFd>);

impl DeferredFrees {
    /// Whether it is time to let go of the lock.
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

/// A descriptor that keeps a large segment's memory until it is closed.
pub(super) fn hold_if_large(stat: &Stat, hold: impl FnOnce() -> sys::Result<OwnedFd>) -> Option<OwnedFd> {
    (stat.allocated >= LARGE).then(|| hold().ok()).flatten()
}
