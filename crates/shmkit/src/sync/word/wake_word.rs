//! What one sleeps on until something has changed elsewhere: 31..1 generation, 0 WAITERS.
//!
//! Whoever sleeps says so and looks once more; whoever changes something looks whether somebody says so.

use super::{Word, update};

/// Somebody sleeps.
pub const WAITERS: u32 = 1;
pub(crate) const GENERATION: u32 = 2;
pub(crate) const ALL: u32 = i32::MAX as u32;

/// Says that somebody is about to sleep, who has to look once more; what is to be slept on then.
pub fn announce<W: Word>(wake_word: &W) -> u32 {
    let (Ok(seen) | Err(seen)) = update(wake_word, |seen| (seen & WAITERS == 0).then_some(seen | WAITERS));
    W::fence();
    seen | WAITERS
}

/// Wakes all, whether or not somebody says that he sleeps.
pub fn wake_all<W: Word>(wake_word: &W) {
    let _ = update(wake_word, |seen| Some(seen.wrapping_add(GENERATION) & !WAITERS));
    wake_word.wake(ALL);
}

/// Wakes all who sleep, for one who has changed something.
pub fn notify_all<W: Word>(wake_word: &W) {
    W::fence();
    if wake_word.load() & WAITERS != 0 {
        wake_all(wake_word);
    }
}
