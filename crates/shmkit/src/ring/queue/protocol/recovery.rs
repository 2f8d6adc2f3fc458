//! Slots of dead owners.

use std::time::Duration;

use super::shape::{Shape, owned, owner};
use super::waiting::notify;
use super::{
    CLAIMED, Damaged, Field, LAP_AT, OWNERS, Outcome, QueueMemory, SKIP, STATE, Side, TAKEN, load, store,
    word,
};
use crate::sync::word::Word;
use crate::sync::word::role;

/// Attempts to recover a slot, 1 ms apart, while another participant recovers one.
const CLEARING: u32 = 100;

/// What becomes of a slot whose owner is dead.
fn without_owner(shape: Shape, word: u32) -> Option<(u32, Side)> {
    let lap = word >> LAP_AT;
    match word & STATE {
        CLAIMED => Some((owned(lap, 0, SKIP), Side::Items)),
        TAKEN => Some((shape.free(lap + 1), Side::Room)),
        _ => None,
    }
}

/// Takes a slot from a dead owner, if its word still is as it was `seen`, and counts the loss. Returns false if
/// another participant does so, or did.
///
/// The journal is written first, so that the next recoverer completes the recovery of one that was killed, and counts
/// the loss once. The caller has the number `me` to itself meanwhile.
///
/// # Errors
/// `Damaged`, and what `is_dead` says.
pub fn recover<Q: QueueMemory, E: From<Damaged>>(
    queue: &Q,
    me: u32,
    (index, seen): (u32, u32),
    is_dead: impl Fn(u32) -> Result<bool, E>,
) -> Result<bool, E> {
    if without_owner(queue.shape(), seen).is_none() || !is_dead(owner(seen))? {
        return Ok(false);
    }
    let recoverer = word(queue, Field::Recoverer)?;
    let Ok(Some(turn)) = role::assume(recoverer, me, is_dead)? else { return Ok(false) };
    redo(queue)?;
    let mine = load(queue, Field::Slot(index))? == seen;
    if mine {
        store(queue, Field::JournalLost, load(queue, Field::Lost)?.wrapping_add(1))?;
        store(queue, Field::JournalWord, seen)?;
        store(queue, Field::JournalSlot, index + 1)?;
        redo(queue)?;
    }
    let _ = recoverer.compare_exchange(turn, turn & !OWNERS);
    notify(queue, Side::Items)?;
    notify(queue, Side::Room)?;
    Ok(mine)
}

/// Completes what is in the journal, whether or not a part of it was done before.
fn redo<Q: QueueMemory>(queue: &Q) -> Outcome<()> {
    let Some(index) = load(queue, Field::JournalSlot)?.checked_sub(1) else { return Ok(()) };
    let seen = load(queue, Field::JournalWord)?;
    if let (Some(slot), Some((next, _))) =
        (queue.word(Field::Slot(index)), without_owner(queue.shape(), seen))
    {
        let _ = slot.compare_exchange(seen, next);
        store(queue, Field::Lost, load(queue, Field::JournalLost)?)?;
    }
    store(queue, Field::JournalSlot, 0)
}

/// Gives back what `me` has of the queue, of which nothing is lost.
///
/// # Errors
/// `Damaged`
pub fn give_back<Q: QueueMemory>(queue: &Q, me: u32) -> Outcome<()> {
    for_each_of(queue, me, |index, seen| {
        if let Some((next, side)) = without_owner(queue.shape(), seen)
            && word(queue, Field::Slot(index))?.compare_exchange(seen, next).is_ok()
        {
            notify(queue, side)?;
        }
        Ok(())
    })
}

/// Takes all slots from a dead participant that had the number `me`, for the next one that has it. Returns false if
/// another participant recovers for too long.
///
/// # Errors
/// `Damaged`, and what `is_dead` says.
pub fn clear_participant<Q: QueueMemory, E: From<Damaged>>(
    queue: &Q,
    me: u32,
    is_dead: impl Fn(u32) -> Result<bool, E>,
) -> Result<bool, E> {
    // What he was putting in order himself is the next one's who does.
    let mut tries = CLEARING;
    for_each_of::<Q, E>(queue, me, |index, seen| {
        while tries > 0 && load(queue, Field::Slot(index))? == seen {
            if !recover::<Q, E>(queue, me, (index, seen), |other| Ok(other == me || is_dead(other)?))? {
                tries -= 1;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    })?;
    Ok(tries > 0)
}

fn for_each_of<Q: QueueMemory, E: From<Damaged>>(
    queue: &Q,
    me: u32,
    mut each: impl FnMut(u32, u32) -> Result<(), E>,
) -> Result<(), E> {
    for index in 0..queue.shape().slots() {
        let seen = load(queue, Field::Slot(index))?;
        if owner(seen) == me && without_owner(queue.shape(), seen).is_some() {
            each(index, seen)?;
        }
    }
    Ok(())
}
