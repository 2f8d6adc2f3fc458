//! Reading items.

use super::waiting::{Side, notify};
use super::{
    ACTIVE, BroadcastMemory, Count, Damaged, Field, OWNER, Outcome, READERS, TRIES, claimed, count, ends,
    load, mark, published, put, word,
};
use crate::sync::word::{Word, update};

const GENERATION: u32 = 1 << 9;

/// A place in the stream of items.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// Its word: which one, and what it is.
    entry: (u32, u32),
    next: i64,
    lost: i64,
    /// So many more are skipped, since it is not fast enough for the oldest one.
    skip: i64,
}

impl Reader {
    /// Its word: which one, and what it is.
    pub fn entry(&self) -> (u32, u32) {
        self.entry
    }

    /// The next item.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// How many items were overwritten before it came to them.
    pub fn lost(&self) -> i64 {
        self.lost
    }
}

/// What there is for a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// Its next item.
    Item,
    /// Nothing yet; whether the writer was at it when the broadcast was ended, so that nothing may come of it.
    Nothing {
        /// It is to be found out whether that one lives.
        in_doubt: bool,
    },
    /// A later one than that, in its place.
    Lapped(i64),
    /// Nothing, and nothing will come.
    Over,
}

/// Begins to read, at the oldest item that is there or at the next one that is published; `None` if too many do.
///
/// # Errors
/// `Damaged`, and what `is_dead` says.
pub fn subscribe<M: BroadcastMemory, E: From<Damaged>>(
    memory: &M,
    me: u32,
    oldest: bool,
    is_dead: impl Fn(u32) -> Result<bool, E>,
) -> Result<Option<Reader>, E> {
    let Some((index, seen)) = reserve(memory, me, is_dead)? else { return Ok(None) };
    let active = (index, seen | ACTIVE);
    match activate(memory, active, oldest) {
        Ok(next) => Ok(Some(Reader { entry: active, next, lost: 0, skip: 0 })),
        Err(damaged) => {
            for seen in [seen, active.1] {
                unsubscribe(memory, (index, seen))?;
            }
            Err(damaged.into())
        }
    }
}

/// Shows the writer a reader whose entry is reserved, and sees where it begins.
fn activate<M: BroadcastMemory>(memory: &M, (index, active): (u32, u32), oldest: bool) -> Outcome<i64> {
    let begin = || -> Outcome<i64> {
        let (head, first) = ends(memory)?;
        Ok(if oldest { first } else { head })
    };
    let at_least = begin()?;
    put(memory, Count::Cursor(index), at_least)?;
    let reserved = active & !ACTIVE;
    word(memory, Field::Entry(index))?.compare_exchange(reserved, active).map_err(|_| Damaged)?;
    let _ = update(word(memory, Field::Epoch)?, |epoch| Some(epoch.wrapping_add(1)));
    M::Word::fence();
    let next = begin()?.max(at_least);
    put(memory, Count::Cursor(index), next)?;
    notify(memory, Side::Room)?;
    Ok(next)
}

pub(super) fn entries<M: BroadcastMemory>(memory: &M) -> impl Iterator<Item = (u32, &M::Word)> {
    (0..READERS).map_while(|index| Some((index, memory.word(Field::Entry(index))?)))
}

/// Takes a free entry, or a dead one's.
fn reserve<M: BroadcastMemory, E: From<Damaged>>(
    memory: &M,
    me: u32,
    is_dead: impl Fn(u32) -> Result<bool, E>,
) -> Result<Option<(u32, u32)>, E> {
    for of_the_dead in [false, true] {
        for (index, entry) in entries(memory) {
            let seen = entry.load();
            let owner = seen & OWNER;
            if owner != 0 && !(of_the_dead && owner != me && is_dead(owner)?) {
                continue;
            }
            let mine = (seen & !(GENERATION - 1)).wrapping_add(GENERATION) | me;
            if entry.compare_exchange(seen, mine).is_ok() {
                let used = word(memory, Field::Used)?;
                let _ = update(used, |used| (used <= index || used > READERS).then_some(index + 1));
                return Ok(Some((index, mine)));
            }
        }
    }
    Ok(None)
}

/// Whether the reader is known; it is not where it was taken for dead.
///
/// # Errors
/// `Damaged`
pub fn is_known<M: BroadcastMemory>(memory: &M, (index, seen): (u32, u32)) -> Outcome<bool> {
    Ok(load(memory, Field::Entry(index))? == seen)
}

/// How many readers there are.
///
/// # Errors
/// `Damaged`
pub fn readers<M: BroadcastMemory>(memory: &M) -> Outcome<u32> {
    let used = load(memory, Field::Used)?.min(READERS) as usize;
    Ok(entries(memory).take(used).filter(|(_, entry)| entry.load() & ACTIVE != 0).count() as u32)
}

/// Reads no more; false if the reader was not known any more.
///
/// # Errors
/// `Damaged`
pub fn unsubscribe<M: BroadcastMemory>(memory: &M, (index, seen): (u32, u32)) -> Outcome<bool> {
    let entry = word(memory, Field::Entry(index))?;
    let had = entry.compare_exchange(seen, seen & !(GENERATION - 1)).is_ok();
    notify(memory, Side::Room)?;
    Ok(had)
}

/// What there is for one whose next item is this. Takes nothing.
///
/// # Errors
/// `Damaged`
pub fn peek<M: BroadcastMemory>(memory: &M, item: i64) -> Outcome<Ready> {
    let ended = load(memory, Field::Ended)? != 0; // first
    if ended {
        M::Word::fence();
    }
    let claim = count(memory, Count::Claim)?; // before the mark
    let seen = count(memory, mark(memory, item))?;
    if seen == published(item) {
        return Ok(Ready::Item);
    }
    let there = seen.abs() - 1;
    let slots = i64::from(memory.slots());
    if seen == claimed(item) || seen == 0 || seen == published(item - slots) {
        return Ok(match ended {
            false => Ready::Nothing { in_doubt: false },
            true if claim == published(item) => Ready::Nothing { in_doubt: true },
            true => Ready::Over,
        });
    }
    if there <= item || (there - item) % slots != 0 {
        return Err(Damaged);
    }
    Ok(Ready::Lapped(there))
}

/// Finds the reader's next item, which it is to copy and then to `confirm`. Where the writer does not wait, that may be a
/// later one, and those before it are lost.
///
/// # Errors
/// `Damaged`
pub fn next<M: BroadcastMemory>(memory: &M, reader: &mut Reader) -> Outcome<Ready> {
    for _ in 0..TRIES {
        let there = match peek(memory, reader.next)? {
            Ready::Lapped(there) if !memory.blocks() => there,
            other => return Ok(other),
        };
        let (head, oldest) = ends(memory)?;
        if count(memory, mark(memory, there))?.abs() != published(there) {
            continue; // once more lapped meanwhile
        }
        if !(there..=there + i64::from(memory.slots())).contains(&head) {
            return Err(Damaged);
        }
        let next = (oldest + reader.skip).min(head).max(reader.next + 1);
        reader.lost += next - reader.next;
        reader.next = next;
    }
    Ok(Ready::Nothing { in_doubt: false })
}

/// The reader has copied its item; false if that was overwritten meanwhile.
///
/// # Errors
/// `Damaged`
pub fn confirm<M: BroadcastMemory>(memory: &M, reader: &mut Reader) -> Outcome<bool> {
    M::Word::fence();
    if count(memory, mark(memory, reader.next))? != published(reader.next) {
        reader.skip = (2 * reader.skip + 1).min(i64::from(memory.slots()) - 1);
        return Ok(false);
    }
    reader.skip = 0;
    reader.next += 1;
    if memory.blocks() {
        put(memory, Count::Cursor(reader.entry.0), reader.next)?;
        notify(memory, Side::Room)?;
    }
    Ok(true)
}
