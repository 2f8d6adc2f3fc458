//! How often this process was forked: what was noted at another count is the parent's.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between this process and the one that loaded the module. A pid would not do: in a PID namespace
/// of its own a child may have its parent's.
pub(crate) fn count() -> u32 {
    FORKS.load(Ordering::Acquire)
}

/// Counts from now on.
pub(crate) fn hook() {
    static HOOKED: AtomicBool = AtomicBool::new(false);
    if !HOOKED.swap(true, Ordering::AcqRel) {
        // Python never unloads a module.
        shmkit::sys::fork::in_forked_child(in_a_forked_child);
    }
}

extern "C" fn in_a_forked_child() {
    FORKS.fetch_add(1, Ordering::AcqRel);
}
