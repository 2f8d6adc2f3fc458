//! Publishing items.

use super::waiting::{Side, notify};
use super::{
    ACTIVE, BroadcastMemory, Count, Damaged, Field, OWNER, Outcome, READERS, TRIES, claimed, count, head,
    load, mark, published, put, word,
};
use crate::sync::word::Word;
use crate::sync::word::role;

/// What the one who publishes knows.
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    /// The next item.
    next: i64,
    /// Before this one it need not look at readers.
    limit: i64,
    epoch: u32,
}

impl Writer {
    /// The item that it publishes next.
    pub fn next(&self) -> i64 {
        self.next
    }
}

/// Whether an item can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// From now on it is.
    Yes,
    /// A reader has not read what is there: which one, and its word.
    Full(u32, u32),
    /// Nothing is published any more.
    Ended,
}

/// Makes `me` the one who publishes, or says who is, where that one lives.
///
/// # Errors
/// `Damaged`, and what `is_dead` says.
pub fn enlist<M: BroadcastMemory, E: From<Damaged>>(
    memory: &M,
    me: u32,
    is_dead: impl Fn(u32) -> Result<bool, E>,
) -> Result<Result<Writer, u32>, E> {
    if let Err(other) = role::enlist(word(memory, Field::Writer)?, me, is_dead)? {
        return Ok(Err(other));
    }
    let next = settled(memory)?;
    Ok(Ok(Writer { next, limit: 0, epoch: 0 }))
}

/// Whether `me` is the one who publishes.
///
/// # Errors
/// `Damaged`
pub fn is_writer<M: BroadcastMemory>(memory: &M, me: u32) -> Outcome<bool> {
    Ok(load(memory, Field::Writer)? & OWNER == me)
}

/// For the one who publishes: goes on where the one before stopped. That one's half-written item never was.
pub(super) fn settled<M: BroadcastMemory>(memory: &M) -> Outcome<i64> {
    let head = head(memory)?;
    put(memory, Count::Head, head)?;
    put(memory, Count::Claim, head)?;
    Ok(head)
}

/// Claims the slot of the next item, for the one who publishes.
///
/// # Errors
/// `Damaged`
pub fn claim<M: BroadcastMemory>(memory: &M, writer: &mut Writer) -> Outcome<Claimed> {
    let item = writer.next;
    if load(memory, Field::Ended)? != 0 {
        return Ok(Claimed::Ended);
    }
    if memory.blocks()
        && item >= writer.limit
        && let Some((entry, seen)) = measure(memory, writer)?
    {
        return Ok(Claimed::Full(entry, seen));
    }
    put(memory, Count::Claim, published(item))?;
    M::Word::fence();
    if load(memory, Field::Ended)? != 0 {
        put(memory, Count::Claim, item)?;
        notify(memory, Side::Items)?; // who waits for what becomes of the claim
        return Ok(Claimed::Ended);
    }
    if memory.blocks()
        && load(memory, Field::Epoch)? != writer.epoch
        && let Some((entry, seen)) = measure(memory, writer)?
    {
        put(memory, Count::Claim, item)?;
        return Ok(Claimed::Full(entry, seen));
    }
    put(memory, mark(memory, item), claimed(item))?;
    M::Word::fence();
    Ok(Claimed::Yes)
}

/// The item that was claimed is there.
///
/// # Errors
/// `Damaged`
pub fn commit<M: BroadcastMemory>(memory: &M, writer: &mut Writer) -> Outcome<()> {
    let item = writer.next;
    put(memory, mark(memory, item), published(item))?;
    put(memory, Count::Head, item + 1)?;
    writer.next = item + 1;
    notify(memory, Side::Items)
}

/// Sees how far the writer may go; the slowest reader where that is nowhere.
fn measure<M: BroadcastMemory>(memory: &M, writer: &mut Writer) -> Outcome<Option<(u32, u32)>> {
    let slots = i64::from(memory.slots());
    writer.epoch = load(memory, Field::Epoch)?; // before the readers are looked at
    let mut limit = writer.next + slots;
    let mut slowest = None;
    for index in 0..load(memory, Field::Used)?.min(READERS) {
        let seen = load(memory, Field::Entry(index))?;
        if seen & ACTIVE == 0 {
            continue;
        }
        let cursor = count(memory, Count::Cursor(index))?;
        if !(0..=writer.next).contains(&cursor) {
            return Err(Damaged);
        }
        if cursor + slots < limit {
            limit = cursor + slots;
            slowest = Some((index, seen));
        }
    }
    writer.limit = limit;
    Ok(slowest.filter(|_| writer.next >= limit))
}

/// Who is in the writer's way, and its word; `None` if it can go on, or never will.
///
/// # Errors
/// `Damaged`
pub fn find_blocking_reader<M: BroadcastMemory>(memory: &M) -> Outcome<Option<(u32, u32)>> {
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
