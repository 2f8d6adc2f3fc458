//! What dead readers and writers leave.

use super::reader::{entries, unsubscribe};
use super::waiting::{Side, notify};
use super::writer::{is_writer, settled};
use super::{BroadcastMemory, Damaged, Field, OWNER, Outcome, load, word};
use crate::sync::word::Word;
use crate::sync::word::role;

/// Takes its place from a reader that is dead, as its word was `seen`; whether it did.
///
/// # Errors
/// `Damaged`, and what `is_dead` says.
pub fn recover<M: BroadcastMemory, E: From<Damaged>>(
    memory: &M,
    entry: (u32, u32),
    is_dead: impl Fn(u32) -> Result<bool, E>,
) -> Result<bool, E> {
    Ok(is_dead(entry.1 & OWNER)? && unsubscribe(memory, entry)?)
}

/// Of a broadcast that has ended: where the writer is dead, nothing comes of what it has claimed. For one who has the
/// number `me` to himself meanwhile. Whether it is settled.
///
/// # Errors
/// `Damaged`, and what `is_dead` says.
pub fn settle<M: BroadcastMemory, E: From<Damaged>>(
    memory: &M,
    me: u32,
    is_dead: impl Fn(u32) -> Result<bool, E>,
) -> Result<bool, E> {
    let writer = word(memory, Field::Writer)?;
    if load(memory, Field::Ended)? == 0 || is_writer(memory, me)? {
        return Ok(false);
    }
    let Ok(Some(turn)) = role::assume(writer, me, is_dead)? else { return Ok(false) };
    settled(memory)?;
    let _ = writer.compare_exchange(turn, turn & !OWNER);
    notify(memory, Side::Items)?;
    Ok(true)
}

/// Puts away all that `me` has: it reads no more, and publishes no more.
///
/// # Errors
/// `Damaged`
pub fn clear_participant<M: BroadcastMemory>(memory: &M, me: u32) -> Outcome<()> {
    for (index, entry) in entries(memory) {
        let seen = entry.load();
        if seen & OWNER == me {
            unsubscribe(memory, (index, seen))?;
        }
    }
    role::resign(word(memory, Field::Writer)?, me);
    notify(memory, Side::Room)
}
