//! Words in shared memory.

use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::time::Duration;

use super::word::Word;
use crate::sys::wait;

impl Word for AtomicU32 {
    fn load(&self) -> u32 {
        self.load(Ordering::SeqCst)
    }

    fn compare_exchange(&self, old: u32, new: u32) -> Result<u32, u32> {
        self.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst)
    }

    fn wait(&self, expected: u32, time: Duration) {
        wait::wait(self, expected, time);
    }

    fn wake(&self, count: u32) -> u32 {
        wait::wake(self, count)
    }

    fn fence() {
        fence(Ordering::SeqCst);
    }
}
