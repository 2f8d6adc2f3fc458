//! Claiming, filling, taking and freeing slots.

use super::shape::{Lag, owned};
use super::waiting::notify;
use super::{
    CLAIMED, Damaged, FREE, FULL, Field, Found, Outcome, QueueMemory, SKIP, STATE, Side, TAKEN, load, word,
};
use crate::sync::word::Word;
use crate::sync::word::wake_word::WAITERS;

/// An operation that finds the queue changed this often reports it damaged.
const TRIES: u32 = 1 << 16;

fn advance<Q: QueueMemory>(queue: &Q, field: Field, position: u32) -> Outcome<()> {
    let _ = word(queue, field)?.compare_exchange(position, queue.shape().next(position));
    Ok(())
}

/// Claims the next free slot for `me`; without it, says whether there is one.
///
/// # Errors
/// `Damaged`
pub fn claim<Q: QueueMemory>(queue: &Q, me: Option<u32>) -> Outcome<Found> {
    let shape = queue.shape();
    for _ in 0..TRIES {
        if load(queue, Field::Ended)? != 0 {
            return Ok(Found::Ended);
        }
        let tail = load(queue, Field::Tail)?;
        let (index, lap) = (shape.index(tail), shape.lap(tail));
        let slot = word(queue, Field::Slot(index))?;
        let seen = slot.load();
        match (shape.compare(lap, seen), seen & STATE) {
            (Lag::Same, FREE) => {
                let Some(me) = me else { return Ok(Found::Position(tail)) };
                if slot.compare_exchange(seen, owned(lap, me, CLAIMED)).is_ok() {
                    advance(queue, Field::Tail, tail)?;
                    Q::Word::fence();
                    if load(queue, Field::Ended)? == 0 {
                        chain(queue, Side::Room)?;
                        return Ok(Found::Position(tail));
                    }
                    abandon(queue, tail, me)?;
                }
            }
            (Lag::Same | Lag::Later, _) => advance(queue, Field::Tail, tail)?,
            // TAIL has been there before, so it was claimed before.
            (Lag::Earlier, FREE) => return Err(Damaged),
            (Lag::Earlier, TAKEN) => return Ok(Found::Nothing(Some((index, seen)))),
            (Lag::Earlier, _) => return Ok(Found::Nothing(None)),
            (Lag::Far, _) if load(queue, Field::Tail)? == tail => return Err(Damaged),
            (Lag::Far, _) => {}
        }
    }
    Err(Damaged)
}

/// Leaves an item in a claimed slot; false if the slot was taken away.
///
/// # Errors
/// `Damaged`
pub fn commit<Q: QueueMemory>(queue: &Q, position: u32, me: u32) -> Outcome<bool> {
    let lap = queue.shape().lap(position);
    pass(queue, position, owned(lap, me, CLAIMED), owned(lap, 0, FULL), Side::Items)
}

/// Leaves nothing in a claimed slot; false if it was taken away.
///
/// # Errors
/// `Damaged`
pub fn abandon<Q: QueueMemory>(queue: &Q, position: u32, me: u32) -> Outcome<bool> {
    let lap = queue.shape().lap(position);
    pass(queue, position, owned(lap, me, CLAIMED), owned(lap, 0, SKIP), Side::Items)
}

/// Gives a taken slot back; false if it was taken away.
///
/// # Errors
/// `Damaged`
pub fn free<Q: QueueMemory>(queue: &Q, position: u32, me: u32) -> Outcome<bool> {
    let (shape, lap) = (queue.shape(), queue.shape().lap(position));
    pass(queue, position, owned(lap, me, TAKEN), shape.free(lap + 1), Side::Room)
}

fn pass<Q: QueueMemory>(queue: &Q, position: u32, from: u32, to: u32, side: Side) -> Outcome<bool> {
    let slot = word(queue, Field::Slot(queue.shape().index(position)))?;
    let passed = slot.compare_exchange(from, to).is_ok();
    if passed {
        notify(queue, side)?;
    }
    Ok(passed)
}

/// Takes the next item for `me`; without it, says whether there may be one.
///
/// # Errors
/// `Damaged`
pub fn take<Q: QueueMemory>(queue: &Q, me: Option<u32>) -> Outcome<Found> {
    let shape = queue.shape();
    for _ in 0..TRIES {
        let ended = load(queue, Field::Ended)? != 0; // before the slot is looked at
        if ended {
            Q::Word::fence();
        }
        let head = load(queue, Field::Head)?;
        let (index, lap) = (shape.index(head), shape.lap(head));
        let slot = word(queue, Field::Slot(index))?;
        let seen = slot.load();
        match (shape.compare(lap, seen), seen & STATE) {
            (Lag::Same, FULL) => {
                let Some(me) = me else { return Ok(Found::Position(head)) };
                if slot.compare_exchange(seen, owned(lap, me, TAKEN)).is_ok() {
                    advance(queue, Field::Head, head)?;
                    chain(queue, Side::Items)?;
                    return Ok(Found::Position(head));
                }
            }
            (Lag::Same, SKIP) => {
                if me.is_none() {
                    return Ok(Found::Position(head));
                }
                if slot.compare_exchange(seen, shape.free(lap + 1)).is_ok() {
                    notify(queue, Side::Room)?;
                }
                advance(queue, Field::Head, head)?;
            }
            (Lag::Same, CLAIMED) => return Ok(Found::Nothing(Some((index, seen)))),
            (Lag::Same, TAKEN) | (Lag::Later, _) => advance(queue, Field::Head, head)?,
            // Or a consumer has had it for a whole lap: nobody could claim it since.
            (Lag::Same, FREE) | (Lag::Earlier, _) => {
                return Ok(if ended { Found::Ended } else { Found::Nothing(None) });
            }
            (Lag::Same, _) => return Err(Damaged),
            (Lag::Far, _) if load(queue, Field::Head)? == head => return Err(Damaged),
            (Lag::Far, _) => {}
        }
    }
    Err(Damaged)
}

/// What one would find at that side now.
///
/// # Errors
/// `Damaged`
pub fn peek<Q: QueueMemory>(queue: &Q, side: Side) -> Outcome<Found> {
    match side {
        Side::Items => take(queue, None),
        Side::Room => claim(queue, None),
    }
}

/// Hands a wake-up on, if there is something to be had: for one who was woken and does not want it any more.
///
/// # Errors
/// `Damaged`
pub fn pass_on<Q: QueueMemory>(queue: &Q, side: Side) -> Outcome<()> {
    match peek(queue, side)? {
        Found::Position(_) => notify(queue, side),
        Found::Nothing(_) | Found::Ended => Ok(()),
    }
}

/// Called after a slot was claimed or taken: the wake-up for the slot behind it may have gone to this thread, too
/// early.
fn chain<Q: QueueMemory>(queue: &Q, side: Side) -> Outcome<()> {
    Q::Word::fence();
    if load(queue, side.wake_word())? & WAITERS != 0 { pass_on(queue, side) } else { Ok(()) }
}
