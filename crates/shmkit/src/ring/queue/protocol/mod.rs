//! The protocol of a queue: what its words mean, as a state machine without memory or system in it, so that the same code
//! runs on shared memory and in the models of `shmkit-models`.
//!
//! ```text
//! slot      31..11 lap  10..3 owner  2..0 state
//!           FREE ─claim─▶ CLAIMED ─commit─▶ FULL ─take─▶ TAKEN ─free─▶ FREE, a lap on
//!                            └──abandon──▶ SKIP ──────────────────────▶ FREE, a lap on
//! position  lap << bits | index         TAIL: the next to be claimed   HEAD: the next to be taken
//! wake word 31..1 generation  0 WAITERS
//! ```
//!
//! - **One swap claims a slot** for its owner, so there is no moment at which a slot is taken and its owner unknown. TAIL
//!   and HEAD only say where to look. A participant that finds the slot there claimed (or taken) already moves them on,
//!   since the owner may have been killed before it could.
//! - A slot's word has its lap, so a participant that was stopped for long finds it changed. Laps begin anew after 2^21, or
//!   after 2^32 items in all: a participant that sleeps for exactly that long between a load and a swap claims a slot that is
//!   free, which changes the order of items and nothing else.
//! - **A dead owner's slot** is swapped from exactly the word that names that owner: CLAIMED to SKIP, TAKEN to FREE. That and
//!   the count of lost items are one step, because they are written to a journal first (`recover`).
//! - `end` sets a flag. A producer checks it after its claim, and a consumer that finds nothing checked it before: one of the
//!   two sees the other, so no item is left in a queue that has ended.
//! - **Wake words**: consumers sleep on ITEMS, producers on ROOM. A waiter sets WAITERS and checks once more; a thread that
//!   changes something checks WAITERS, and wakes one waiter. If there was none to wake, WAITERS is cleared and all are woken,
//!   for one that slept just before.
//!
//! The steps that need no waiting are taken in JavaScript too (`src/ring/queue/protocol.ts`), in the same order.

mod recovery;
mod shape;
mod slots;
mod waiting;

pub use recovery::{clear_participant, give_back, recover};
pub use shape::{Shape, owner};
pub use slots::{abandon, claim, commit, free, pass_on, peek, take};
pub use waiting::{announce, notify, sleep};

use crate::sync::word::wake_word;
pub use crate::sync::word::wake_word::WAITERS;
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
    /// How many claimed items were lost with their producers.
    Lost,
    /// The participant that recovers slots of dead owners.
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

/// The queue's words are damaged: another program wrote to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

/// Access to a queue's words.
pub trait QueueMemory {
    /// As they are in memory, or in a model.
    type Word: Word;
    /// How many slots there are.
    fn shape(&self) -> Shape;
    /// A word of it; `None` for a slot that there is not.
    fn word(&self, field: Field) -> Option<&Self::Word>;
}

/// The outcome of looking for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It is had, or could be.
    Position(u32),
    /// There is none now. If another participant is in the way: its slot and the word of that.
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
