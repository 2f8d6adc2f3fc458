//! Waiting for an item, or for readers.

use super::{BroadcastMemory, Field, Outcome, word};
use crate::sync::word::wake_word;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Readers, for items.
    Items,
    /// The writer, for room.
    Room,
}

impl Side {
    /// What they sleep on.
    pub fn wake_word(self) -> Field {
        match self {
            Side::Items => Field::Items,
            Side::Room => Field::Room,
        }
    }
}

/// Says that somebody is about to sleep at that side, who has to look once more; what is to be slept on then.
///
/// # Errors
/// `Damaged`
pub fn announce<M: BroadcastMemory>(memory: &M, side: Side) -> Outcome<u32> {
    Ok(wake_word::announce(word(memory, side.wake_word())?))
}

/// Wakes all who sleep at that side, for one who has changed something.
///
/// # Errors
/// `Damaged`
pub fn notify<M: BroadcastMemory>(memory: &M, side: Side) -> Outcome<()> {
    wake_word::notify_all(word(memory, side.wake_word())?);
    Ok(())
}
