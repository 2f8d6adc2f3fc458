//! The words that processes wait on, as state machines: what is stored, and when somebody sleeps or is woken.
//!
//! Nothing here knows of memory or of the system: a [`Word`] is 32 bits that many can change at once and sleep
//! on. So the same code runs on shared memory, and in the models of `shmkit-models`.
//!
//! ```text
//! lock     31 WAITERS  30 INCONSISTENT  29 STARVING  28 SPINNING  27..12 generation  11..0 slot + 1      0: free
//! event    31..2 generation  1 WAITERS  0 SET
//! reading  1 AWAITED   0 READING                                     one for each participant
//! ```
//!
//! The uncontended steps are taken in JavaScript too (`src/sync/`), with the same constants: a lock is taken by
//! a swap of 0 for the owner, and let go of by the reverse.

pub mod event;
pub mod lock;
pub mod reading;
pub mod role;
pub mod wake_word;

use std::time::Duration;

/// 32 bits that many can change and sleep on. All operations are sequentially consistent.
pub trait Word {
    /// What it is now.
    fn load(&self) -> u32;
    /// Stores `new` if it is `old`; else says what it is.
    ///
    /// # Errors
    /// What it is instead.
    fn compare_exchange(&self, old: u32, new: u32) -> Result<u32, u32>;
    /// Sleeps while it is `expected`, for `time` at most; may wake for no reason.
    fn wait(&self, expected: u32, time: Duration);
    /// Wakes at most `count` waiters, those first that have slept longest. Returns how many there were.
    fn wake(&self, count: u32) -> u32;
    /// Orders what was stored before against what is loaded after, on different words.
    fn fence();
}

/// Changes the word by `change`, which may decline; says what it was.
pub(crate) fn update<W: Word>(word: &W, mut change: impl FnMut(u32) -> Option<u32>) -> Result<u32, u32> {
    let mut seen = word.load();
    loop {
        let Some(next) = change(seen) else { return Err(seen) };
        match word.compare_exchange(seen, next) {
            Ok(_) => return Ok(seen),
            Err(now) => seen = now,
        }
    }
}
