//! A word that waiters sleep on until something has changed elsewhere: 31..1 generation, 0 WAITERS.
//!
//! A waiter sets WAITERS and checks once more before it sleeps; a thread that changes something checks WAITERS.

use super::{Word, update};

/// There are waiters.
pub const WAITERS: u32 = 1;
pub(crate) const GENERATION: u32 = 2;
pub(crate) const ALL: u32 = i32::MAX as u32;

/// Sets WAITERS for a thread that is about to sleep, which must check once more. Returns the value to sleep on.
pub fn announce<W: Word>(wake_word: &W) -> u32 {
    let (Ok(seen) | Err(seen)) = update(wake_word, |seen| (seen & WAITERS == 0).then_some(seen | WAITERS));
    W::fence();
    seen | WAITERS
}

/// Wakes all waiters, whether or not WAITERS is set.
pub fn wake_all<W: Word>(wake_word: &W) {
    let _ = update(wake_word, |seen| Some(seen.wrapping_add(GENERATION) & !WAITERS));
    wake_word.wake(ALL);
}

/// Wakes all waiters after a change, if WAITERS is set.
pub fn notify_all<W: Word>(wake_word: &W) {
    W::fence();
    if wake_word.load() & WAITERS != 0 {
        wake_all(wake_word);
    }
}
