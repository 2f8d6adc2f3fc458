//! Waiting for an item, or for readers.

use super::writer::{Writer, measure};
use super::{BroadcastMemory, Damaged, Field, Outcome, TRIES, head, load, word};
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

/// Who is in the writer's way, and its word; `None` where it can go on, or never will.
///
/// # Errors
/// `Damaged`
pub fn look_for_room<M: BroadcastMemory>(memory: &M) -> Outcome<Option<(u32, u32)>> {
    if !memory.blocks() || load(memory, Field::Ended)? != 0 {
        return Ok(None);
    }
    for _ in 0..TRIES {
        let next = head(memory)?;
        match measure(memory, &mut Writer { next, limit: 0, epoch: 0 }) {
            Err(Damaged) if head(memory)? != next => {} // another thread of the writer's publishes
            outcome => return outcome,
        }
    }
    Ok(None)
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
