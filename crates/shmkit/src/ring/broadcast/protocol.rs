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
//! - **Bells** wake all: readers sleep on ITEMS, the writer on ROOM.
//! - **The dead**: a reader's word is swapped from exactly what named the dead one. Its generation changes with each who
//!   takes it, so who is late takes nothing from the next one.
//!
//! The steps that need no waiting are taken in JavaScript too (`src/broadcast/`), in the same order.

use crate::sync::word::{Word, role, update, wake_word};

/// So many can read at a time.
pub const READERS: u32 = 255;
/// Of a reader's word: it reads.
pub const ACTIVE: u32 = 1 << 8;
const OWNER: u32 = role::NUMBERS;
const GENERATION: u32 = 1 << 9;
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
    Owner,
    /// What a slot holds.
    Mark(u32),
    /// The next item of a reader.
    Cursor(u32),
}

/// What is there makes no sense: somebody wrote to it who does not know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

/// Where the words and the counts are.
pub trait BroadcastMemory {
    /// As they are in memory, or in a model.
    type Word: Word;
    /// How many slots there are.
    fn slots(&self) -> u32;
    /// Whether the writer waits for readers.
    fn blocks(&self) -> bool;
    /// `None` where there is none.
    fn word(&self, field: Field) -> Option<&Self::Word>;
    /// `None` where there is none, or it is no count.
    fn count(&self, count: Count) -> Option<i64>;
    /// Nothing that was stored before is seen after it. `None` where there is none.
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
    let is_claimed = count(memory, Count::Owner)? == published(head)
        || count(memory, mark(memory, head))? == claimed(head); // by one who is dead
    Ok((head, (head - i64::from(memory.slots()) + i64::from(is_claimed)).max(0)))
}

// ---- the writer

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
fn settled<M: BroadcastMemory>(memory: &M) -> Outcome<i64> {
    let head = head(memory)?;
    put(memory, Count::Head, head)?;
    put(memory, Count::Owner, head)?;
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
    put(memory, Count::Owner, published(item))?;
    M::Word::fence();
    if load(memory, Field::Ended)? != 0 {
        put(memory, Count::Owner, item)?;
        notify(memory, Side::Items)?; // who waits for what becomes of the claim
        return Ok(Claimed::Ended);
    }
    if memory.blocks()
        && load(memory, Field::Epoch)? != writer.epoch
        && let Some((entry, seen)) = measure(memory, writer)?
    {
        put(memory, Count::Owner, item)?;
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

// ---- readers

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

/// Begins to read, at the oldest item that is there or at the next one that is published; `None` where too many do.
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

fn entries<M: BroadcastMemory>(memory: &M) -> impl Iterator<Item = (u32, &M::Word)> {
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

/// Reads no more; false where the reader was not known any more.
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
pub fn look<M: BroadcastMemory>(memory: &M, item: i64) -> Outcome<Ready> {
    let ended = load(memory, Field::Ended)? != 0; // first
    if ended {
        M::Word::fence();
    }
    let claim = count(memory, Count::Owner)?; // before the mark
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
        let there = match look(memory, reader.next)? {
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

/// The reader has copied its item; false where that was overwritten meanwhile.
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

// ---- waiting

/// Who waits for what.
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

// ---- the dead

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
pub fn clear_away<M: BroadcastMemory>(memory: &M, me: u32) -> Outcome<()> {
    for (index, entry) in entries(memory) {
        let seen = entry.load();
        if seen & OWNER == me {
            unsubscribe(memory, (index, seen))?;
        }
    }
    role::resign(word(memory, Field::Writer)?, me);
    notify(memory, Side::Room)
}
