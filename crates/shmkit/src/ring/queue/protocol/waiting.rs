//! Waiting for an item or for a free slot.

use std::time::Duration;

use super::{Outcome, QueueMemory, Side, word};
use crate::sync::word::wake_word::{self, ALL, GENERATION, WAITERS};
use crate::sync::word::{Word, update};

/// Says that somebody is about to sleep at that side, who has to look once more; what is to be slept on then.
///
/// # Errors
/// `Damaged`
pub fn announce<Q: QueueMemory>(queue: &Q, side: Side) -> Outcome<u32> {
    Ok(wake_word::announce(word(queue, side.wake_word())?))
}

/// Wakes one who sleeps at that side, if somebody says so. For one who has changed something.
///
/// # Errors
/// `Damaged`
pub fn notify<Q: QueueMemory>(queue: &Q, side: Side) -> Outcome<()> {
    Q::Word::fence();
    let wake_word = word(queue, side.wake_word())?;
    let rung = update(wake_word, |seen| (seen & WAITERS != 0).then_some(seen.wrapping_add(GENERATION)));
    let Ok(seen) = rung else { return Ok(()) };
    let rung = seen.wrapping_add(GENERATION);
    // Who slept between the two has taken the bit for his own.
    if wake_word.wake(1) == 0 && wake_word.compare_exchange(rung, rung & !WAITERS).is_ok() {
        wake_word.wake(ALL);
    }
    Ok(())
}

/// Sleeps on the wake word after `announce`.
///
/// # Errors
/// `Damaged`
pub fn sleep<Q: QueueMemory>(queue: &Q, side: Side, announced: u32, time: Duration) -> Outcome<()> {
    word(queue, side.wake_word())?.wait(announced, time);
    Ok(())
}
