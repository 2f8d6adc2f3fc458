//! What the words of a broadcast mean, as steps without memory or system in them, so that the same code runs on shared
//! memory and in the models of `shmkit-models`.
//!
//! ```text
//! item n    in slot n % slots
//! MARK      n + 1 item n is in the slot   -(n + 1) it is being written   0 nothing was ever
//! HEAD      n: the next item to be published       CLAIM  n + 1: item n is being written, or was
//! CURSOR    n: the next item that a reader reads; only kept where the writer waits for readers
//! reader    31..9 generation  8 ACTIVE  7..0 whose it is, 0 free
//! WRITER    turn << 8 | who publishes: `role`
//! EPOCH     how often somebody began to read
//! ```
//!
//! - **Publishing**: CLAIM, a look at ENDED and at EPOCH, MARK negative, the item, MARK positive, HEAD. Of a writer who was
//!   killed before MARK was positive the item never was: the next one publishes another of the same number. Of one who was
//!   killed after it, it is there: the next one, and who begins to read, look at the mark behind HEAD.
//! - **Reading**: MARK, a copy of the item, MARK once more. A count is never used twice, so a mark that is the same before
//!   and after says that the copy is whole.
//! - **In a broadcast that waits** an item is overwritten when no reader's CURSOR is at it or before it. The writer
//!   remembers how far it may go, and looks again when it is there, or when EPOCH has changed.
//! - **Who begins to read** shows a cursor that may be too old, counts EPOCH, and looks where the writer is. The writer shows
//!   what it claims, and looks at EPOCH. One of the two sees the other: either the writer waits for this reader, or the
//!   reader begins behind what the writer has claimed.
//! - `end` likewise: the writer claims and then looks at ENDED; a reader that finds nothing has looked at ENDED, and then at
//!   CLAIM. So a reader that says that it is over has missed nothing.
//! - **Wake words** wake all waiters: readers sleep on ITEMS, the writer on ROOM.
//! - **The dead**: a reader's word is swapped from exactly what named the dead one. Its generation changes with each who
//!   takes it, so who is late takes nothing from the next one.
//!
//! The steps that need no waiting are taken in JavaScript too (`src/broadcast/`), in the same order.

mod reader;
mod recovery;
mod waiting;
mod writer;

pub use reader::{Reader, Ready, confirm, is_known, next, peek, readers, subscribe, unsubscribe};
pub use recovery::{clear_participant, recover, settle};
pub use waiting::{Side, announce, notify};
pub use writer::{Claimed, Writer, claim, commit, enlist, find_blocking_reader, is_writer};

use crate::sync::word::{Word, role, update, wake_word};

/// The most readers at a time.
pub const READERS: u32 = 255;
/// Of a reader's word: it reads.
pub const ACTIVE: u32 = 1 << 8;
const OWNER: u32 = role::NUMBERS;
/// Counts are exact up to here.
pub const MOST: i64 = 1 << 53;
/// A reader that is lapped so often in one attempt leaves it at that for now.
pub(super) const TRIES: u32 = 64;

/// The words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Who publishes.
    Writer,
    /// What readers sleep on.
    Items,
    /// What the writer sleeps on.
    Room,
    /// How often somebody began to read.
    Epoch,
    /// Not 0 once nothing is published any more.
    Ended,
    /// No reader has an entry from here on.
    Used,
    /// A reader's word.
    Entry(u32),
}

/// The counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// The next item to be published.
    Head,
    /// The item that is being written, plus 1.
    Claim,
    /// What a slot holds.
    Mark(u32),
    /// The next item of a reader.
    Cursor(u32),
}

/// The broadcast's words are damaged: another program wrote to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

/// Access to a broadcast's words and counts.
pub trait BroadcastMemory {
    /// As they are in memory, or in a model.
    type Word: Word;
    /// How many slots there are.
    fn slots(&self) -> u32;
    /// Whether the writer waits for readers.
    fn blocks(&self) -> bool;
    /// `None` if there is none.
    fn word(&self, field: Field) -> Option<&Self::Word>;
    /// `None` if there is none, or it is no count.
    fn count(&self, count: Count) -> Option<i64>;
    /// Nothing that was stored before is seen after it. `None` if there is none.
    #[must_use]
    fn put(&self, count: Count, value: i64) -> Option<()>;
}

type Outcome<T> = Result<T, Damaged>;

fn word<M: BroadcastMemory>(memory: &M, field: Field) -> Outcome<&M::Word> {
    memory.word(field).ok_or(Damaged)
}

fn load<M: BroadcastMemory>(memory: &M, field: Field) -> Outcome<u32> {
    Ok(word(memory, field)?.load())
}

fn count<M: BroadcastMemory>(memory: &M, of: Count) -> Outcome<i64> {
    memory.count(of).ok_or(Damaged)
}

fn put<M: BroadcastMemory>(memory: &M, of: Count, value: i64) -> Outcome<()> {
    memory.put(of, value).ok_or(Damaged)
}

fn published(item: i64) -> i64 {
    item + 1
}

fn claimed(item: i64) -> i64 {
    -published(item)
}

/// The slot of an item.
pub fn slot<M: BroadcastMemory>(memory: &M, item: i64) -> u32 {
    item.rem_euclid(i64::from(memory.slots())) as u32
}

fn mark<M: BroadcastMemory>(memory: &M, item: i64) -> Count {
    Count::Mark(slot(memory, item))
}

/// The next item to be published. It is read again where it is the same or one behind.
///
/// # Errors
/// `Damaged`
pub fn head<M: BroadcastMemory>(memory: &M) -> Outcome<i64> {
    let head = count(memory, Count::Head)?;
    if !(0..MOST).contains(&head) {
        return Err(Damaged);
    }
    let behind = count(memory, mark(memory, head))? == published(head);
    Ok(head + i64::from(behind))
}

/// The next item to be published, and the oldest one that the writer is not at.
fn ends<M: BroadcastMemory>(memory: &M) -> Outcome<(i64, i64)> {
    let head = head(memory)?;
    let is_claimed = count(memory, Count::Claim)? == published(head)
        || count(memory, mark(memory, head))? == claimed(head); // by one who is dead
    Ok((head, (head - i64::from(memory.slots()) + i64::from(is_claimed)).max(0)))
}

/// Whether nothing is published any more.
///
/// # Errors
/// `Damaged`
pub fn has_ended<M: BroadcastMemory>(memory: &M) -> Outcome<bool> {
    Ok(load(memory, Field::Ended)? != 0)
}

/// Nothing is published any more.
///
/// # Errors
/// `Damaged`
pub fn end<M: BroadcastMemory>(memory: &M) -> Outcome<()> {
    let _ = update(word(memory, Field::Ended)?, |_| Some(1));
    M::Word::fence();
    wake_word::wake_all(word(memory, Field::Items)?);
    wake_word::wake_all(word(memory, Field::Room)?);
    Ok(())
}
