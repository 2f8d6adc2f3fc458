//! The ring: what the words of a queue mean, as a state machine without memory or system in it, so that the same code
//! runs on shared memory and in the models of `shmkit-models`.
//!
//! ```text
//! slot      31..11 lap  10..3 owner  2..0 state
//!           FREE ─claim─▶ CLAIMED ─commit─▶ FULL ─take─▶ TAKEN ─free─▶ FREE, a lap on
//!                            └──abandon──▶ SKIP ──────────────────────▶ FREE, a lap on
//! position  lap << bits | index         TAIL: the next to be claimed   HEAD: the next to be taken
//! wake_word      31..1 generation  0 WAITERS
//! ```
//!
//! - **One swap claims a slot**, and says for whom: there is no moment at which somebody has a place and nobody knows
//!   who. TAIL and HEAD only say where to look. Whoever finds the slot there claimed (or taken) already moves them on, in
//!   place of one who was killed before he could.
//! - A slot's word says its lap, so one who was away for long finds it changed. Laps begin anew after 2^21, or after
//!   2^32 items in all: who sleeps for exactly so long between a look and a swap claims a slot that is free, and
//!   nothing worse than a change of order comes of it.
//! - **A dead owner's slot** is swapped from exactly the word that names him: CLAIMED to SKIP, TAKEN to FREE. That and
//!   the count of what was lost are one step, because they are written down before (`recover`).
//! - `end` is a flag. Who claims looks at it after his claim, who finds nothing has looked at it before: one of the two
//!   sees the other, so nothing is left behind in a queue that has ended.
//! - **Bells**: consumers sleep on ITEMS, producers on ROOM. Whoever sleeps says so and looks once more; whoever
//!   changes something looks whether somebody says so. A wake_word wakes one. Its bit goes when nobody was there to be
//!   woken, and whoever slept just then is woken with all others.
//!
//! The steps that need no waiting are taken in JavaScript too (`src/ring/queue/protocol.ts`), in the same order.

use std::time::Duration;

use crate::ring::items::MOST_SLOTS;
pub use crate::sync::word::wake_word::WAITERS;
use crate::sync::word::wake_word::{self, ALL, GENERATION};
use crate::sync::word::{Word, role, update};

/// Nobody has it.
pub const FREE: u32 = 0;
/// A producer writes to it.
pub const CLAIMED: u32 = 1;
/// It holds an item.
pub const FULL: u32 = 2;
/// A consumer reads from it.
pub const TAKEN: u32 = 3;
/// A producer had it and left nothing in it.
pub const SKIP: u32 = 4;
const STATE: u32 = 7;

/// Where the owner is in a slot's word.
pub const OWNER_AT: u32 = 3;
/// So many can take part, numbered from 1 on.
pub const OWNERS: u32 = role::NUMBERS;
/// Where the lap is in a slot's word.
pub const LAP_AT: u32 = 11;
const LAP_BITS: u32 = 32 - LAP_AT;

/// An operation that finds the ring changed so often finds it damaged: others need a step for each of its own.
const TRIES: u32 = 1 << 16;
/// So often one waits a moment for another one who puts something in order.
const CLEARING: u32 = 100;

/// The words of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The next position to be claimed.
    Tail,
    /// The next position to be taken.
    Head,
    /// Not 0 once nothing is pushed any more.
    Ended,
    /// What consumers sleep on.
    Items,
    /// What producers sleep on.
    Room,
    /// How many claims went with those who had them.
    Lost,
    /// Who puts in order what the dead left.
    Recoverer,
    /// Of which slot, plus 1; 0 for none.
    JournalSlot,
    /// Its word.
    JournalWord,
    /// What the count will be.
    JournalLost,
    /// The only producer, where there is only one.
    Producer,
    /// The only consumer, where there is only one.
    Consumer,
    /// A slot's word.
    Slot(u32),
}

/// The ring makes no sense: somebody wrote to it who does not know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

/// Where a ring's words are.
pub trait QueueMemory {
    /// As they are in memory, or in a model.
    type Word: Word;
    /// How many slots there are.
    fn shape(&self) -> Shape;
    /// A word of it; `None` for a slot that there is not.
    fn word(&self, field: Field) -> Option<&Self::Word>;
}

/// How positions are made of laps and slots. Counting needs no division, whatever the number of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    slots: u32,
    bits: u32,
}

impl Shape {
    /// Of so many slots, from 1 to `MOST_SLOTS`.
    pub fn new(slots: u32) -> Self {
        let slots = slots.clamp(1, MOST_SLOTS);
        Shape { slots, bits: u32::BITS - (slots - 1).leading_zeros() }
    }

    /// How many slots there are.
    pub fn slots(self) -> u32 {
        self.slots
    }

    /// Bits of a position that say which slot it is.
    pub fn bits(self) -> u32 {
        self.bits
    }

    /// Of a lap, what a slot's word can say.
    pub fn lap_mask(self) -> u32 {
        (1 << LAP_BITS.min(u32::BITS - self.bits)) - 1
    }

    /// Which slot; may be none where the position is damaged.
    pub fn index(self, position: u32) -> u32 {
        position & ((1 << self.bits) - 1)
    }

    fn lap(self, position: u32) -> u32 {
        (position >> self.bits) & self.lap_mask()
    }

    fn next(self, position: u32) -> u32 {
        if self.index(position) + 1 < self.slots {
            return position + 1;
        }
        (position >> self.bits).wrapping_add(1) << self.bits
    }

    /// How many positions lie between, 0 where the one is not behind the other.
    pub fn distance(self, head: u32, tail: u32) -> u32 {
        let laps = (tail >> self.bits).wrapping_sub(head >> self.bits) & (u32::MAX >> self.bits);
        let ahead = u64::from(laps) * u64::from(self.slots) + u64::from(self.index(tail));
        match ahead.checked_sub(u64::from(self.index(head))) {
            Some(many) if many <= u64::from(self.slots) => many as u32,
            _ => 0,
        }
    }

    /// How a slot's word lies to a lap: 0 it is of that, 1 of the next one, -1 of the one before.
    fn compare(self, lap: u32, word: u32) -> Lag {
        match (word >> LAP_AT).wrapping_sub(lap) & self.lap_mask() {
            0 => Lag::Same,
            1 => Lag::Later,
            far if far == self.lap_mask() => Lag::Earlier,
            _ => Lag::Far,
        }
    }

    fn free(self, lap: u32) -> u32 {
        (lap & self.lap_mask()) << LAP_AT | FREE
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lag {
    Same,
    Later,
    Earlier,
    Far,
}

fn owned(lap: u32, owner: u32, state: u32) -> u32 {
    lap << LAP_AT | owner << OWNER_AT | state
}

/// Who has a slot, as its word says it; 0 for nobody.
pub fn owner(word: u32) -> u32 {
    (word >> OWNER_AT) & OWNERS
}

/// What one found who looked for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It is had, or could be.
    Position(u32),
    /// There is none now. Where somebody is in the way: which slot he has, and its word.
    Nothing(Option<(u32, u32)>),
    /// The queue has ended; for consumers, and everything was taken.
    Ended,
}

/// Which end of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where consumers wait for items.
    Items,
    /// Where producers wait for room.
    Room,
}

impl Side {
    fn wake_word(self) -> Field {
        match self {
            Side::Items => Field::Items,
            Side::Room => Field::Room,
        }
    }
}

type Outcome<T> = Result<T, Damaged>;

fn word<Q: QueueMemory>(queue: &Q, field: Field) -> Outcome<&Q::Word> {
    queue.word(field).ok_or(Damaged)
}

fn load<Q: QueueMemory>(queue: &Q, field: Field) -> Outcome<u32> {
    Ok(word(queue, field)?.load())
}

fn store<Q: QueueMemory>(queue: &Q, field: Field, value: u32) -> Outcome<()> {
    let _ = update(word(queue, field)?, |_| Some(value));
    Ok(())
}

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

/// Leaves an item in a claimed slot; false where the slot was taken away.
///
/// # Errors
/// `Damaged`
pub fn commit<Q: QueueMemory>(queue: &Q, position: u32, me: u32) -> Outcome<bool> {
    let lap = queue.shape().lap(position);
    pass(queue, position, owned(lap, me, CLAIMED), owned(lap, 0, FULL), Side::Items)
}

/// Leaves nothing in a claimed slot; false where it was taken away.
///
/// # Errors
/// `Damaged`
pub fn abandon<Q: QueueMemory>(queue: &Q, position: u32, me: u32) -> Outcome<bool> {
    let lap = queue.shape().lap(position);
    pass(queue, position, owned(lap, me, CLAIMED), owned(lap, 0, SKIP), Side::Items)
}

/// Gives a taken slot back; false where it was taken away.
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
pub fn look<Q: QueueMemory>(queue: &Q, side: Side) -> Outcome<Found> {
    match side {
        Side::Items => take(queue, None),
        Side::Room => claim(queue, None),
    }
}

/// Nothing is pushed any more.
///
/// # Errors
/// `Damaged`
pub fn end<Q: QueueMemory>(queue: &Q) -> Outcome<()> {
    store(queue, Field::Ended, 1)?;
    Q::Word::fence();
    for side in [Side::Items, Side::Room] {
        wake_word::wake_all(word(queue, side.wake_word())?);
    }
    Ok(())
}

// ---- bells

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

/// Hands a wake-up on, if there is something to be had: for one who was woken and does not want it any more.
///
/// # Errors
/// `Damaged`
pub fn pass_on<Q: QueueMemory>(queue: &Q, side: Side) -> Outcome<()> {
    match look(queue, side)? {
        Found::Position(_) => notify(queue, side),
        Found::Nothing(_) | Found::Ended => Ok(()),
    }
}

/// For one who has just got something: the wake_word for what lies behind it may have woken him, too early.
fn chain<Q: QueueMemory>(queue: &Q, side: Side) -> Outcome<()> {
    Q::Word::fence();
    if load(queue, side.wake_word())? & WAITERS != 0 { pass_on(queue, side) } else { Ok(()) }
}

/// Sleeps on a wake_word that was `announce`d.
///
/// # Errors
/// `Damaged`
pub fn sleep<Q: QueueMemory>(queue: &Q, side: Side, announced: u32, time: Duration) -> Outcome<()> {
    word(queue, side.wake_word())?.wait(announced, time);
    Ok(())
}

// ---- the dead

/// What becomes of a slot whose owner is dead.
fn without_owner(shape: Shape, word: u32) -> Option<(u32, Side)> {
    let lap = word >> LAP_AT;
    match word & STATE {
        CLAIMED => Some((owned(lap, 0, SKIP), Side::Items)),
        TAKEN => Some((shape.free(lap + 1), Side::Room)),
        _ => None,
    }
}

/// Takes a slot from an owner who is dead, as it was `seen`, and counts the loss; false where somebody else is at it, or
/// was.
///
/// It is written down first and done then, so that of one who is killed in the middle the next one does the rest, and
/// counts it once. For one who has the number `me` to himself meanwhile.
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

/// What was written down is done, whether or not a part of it was done before.
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

/// Takes all slots from one who is dead and had the number `me`, for the next one who has it; false where somebody else
/// puts something in order for too long.
///
/// # Errors
/// `Damaged`, and what `is_dead` says.
pub fn clear_away<Q: QueueMemory, E: From<Damaged>>(
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

// ---- one producer, one consumer

/// Makes `me` the only one at its side; who is it instead, where that one lives.
///
/// # Errors
/// `Damaged`, and what `is_dead` says.
pub fn enlist<Q: QueueMemory, E: From<Damaged>>(
    queue: &Q,
    role: Field,
    me: u32,
    is_dead: impl Fn(u32) -> Result<bool, E>,
) -> Result<Result<(), u32>, E> {
    role::enlist(word(queue, role)?, me, is_dead)
}

/// Is it no more; or one who is dead, and had that number.
///
/// # Errors
/// `Damaged`
pub fn resign<Q: QueueMemory>(queue: &Q, me: u32) -> Outcome<()> {
    for role in [Field::Producer, Field::Consumer] {
        role::resign(word(queue, role)?, me);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_through_every_number_of_slots() {
        for slots in [1, 2, 3, 5, 64, 100, 1 << 20, (1 << 20) + 1, MOST_SLOTS] {
            let shape = Shape::new(slots);
            let (mut position, mut lap) = (0, 0);
            for count in 0..3 * slots.min(1000) {
                assert_eq!(shape.index(position), count % slots);
                assert_eq!(shape.lap(position), lap & shape.lap_mask());
                let next = shape.next(position);
                assert_eq!(shape.distance(position, next), 1);
                lap += u32::from(shape.index(next) == 0);
                position = next;
            }
            // The last position of all is followed by the first.
            let last = (u32::MAX >> shape.bits()) << shape.bits() | (slots - 1);
            assert_eq!(shape.next(last), 0);
            assert_eq!(shape.distance(last, 0), 1);
            assert_eq!(shape.distance(0, last), 0);
        }
    }

    #[test]
    fn laps_are_compared_round_the_end() {
        for slots in [1, 4, 1 << 12, MOST_SLOTS] {
            let shape = Shape::new(slots);
            let mask = shape.lap_mask();
            for lap in [0, 1, 5, mask - 1, mask] {
                assert_eq!(shape.compare(lap, shape.free(lap)), Lag::Same);
                assert_eq!(shape.compare(lap, shape.free(lap + 1)), Lag::Later);
                assert_eq!(shape.compare(lap, shape.free(lap.wrapping_sub(1))), Lag::Earlier);
                assert_eq!(shape.compare(lap, shape.free(lap + 2)), Lag::Far);
            }
        }
    }
}
