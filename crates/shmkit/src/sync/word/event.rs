//! The event: set or not, and how often it was cleared.

use super::{Word, update};

/// It is set.
pub const SET: u32 = 1;
/// Somebody sleeps on it.
pub const WAITERS: u32 = 2;
/// Added when it is cleared, so that one who slept through a set and a clear knows.
pub const GENERATION: u32 = 4;

/// Sets it, and wakes all who wait.
pub fn set<W: Word>(word: &W) {
    let was = update(word, |seen| (seen & SET == 0).then_some((seen | SET) & !WAITERS));
    if was.is_ok_and(|seen| seen & WAITERS != 0) {
        word.wake(i32::MAX as u32);
    }
}

/// Clears it.
pub fn clear<W: Word>(word: &W) {
    let _ = update(word, |seen| (seen & SET != 0).then_some((seen & !SET).wrapping_add(GENERATION)));
}

/// Whether it is set, or was since it had that `generation`.
pub fn was_set(seen: u32, generation: u32) -> bool {
    seen & SET != 0 || self::generation(seen) != generation
}

/// How often it was cleared.
pub fn generation(seen: u32) -> u32 {
    seen & !(SET | WAITERS)
}

/// `None` if it was set since; else leaves a mark and says what is to be slept on.
pub fn attempt<W: Word>(word: &W, generation: u32) -> Option<u32> {
    match update(word, |seen| (!was_set(seen, generation) && seen & WAITERS == 0).then_some(seen | WAITERS)) {
        Ok(seen) => Some(seen | WAITERS),
        Err(seen) if was_set(seen, generation) => None,
        Err(seen) => Some(seen),
    }
}
