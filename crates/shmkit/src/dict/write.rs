//! One key at a time, for the one who has the lock.

use std::sync::atomic::{Ordering, fence};

use super::commit::Batch;
use super::heap::Block;
use super::layout::{COUNT, DELETED, FIRST_TABLE, Head, RECORD, ROOT, Table, USED, VERSION, corrupt};
use super::read::Slot;
use super::value::is_number;
use super::{KEY_MAX, SharedDict, step};
use crate::{Error, Result};

/// Where a key is, or would be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Location {
    pub(super) slot: Slot,
    /// Its record, where it is there.
    pub(super) record: Option<usize>,
}

impl SharedDict {
    /// Gives a key a value of this kind; whether the key is new.
    ///
    /// # Errors
    /// `ERR_SHM_KEY`, `ERR_SHM_FULL`, `ENOSPC`, `ERR_SHM_CORRUPT`: nothing has changed then.
    pub fn set(&self, key: &[u8], kind: u8, value: &[u8]) -> Result<bool> {
        let hash = Self::hash(key);
        let held = Batch::default();
        let mut location = self.find(hash, key, |_| true)?;
        if let Some((at, word)) = self.in_place(location, kind, value)? {
            let version = self.begin()?;
            self.memory.store(at, word)?;
            step("written over");
            self.end(version)?;
            return Ok(false);
        }
        if location.record.is_none() && self.make_room(1, &held)? {
            location = self.find(hash, key, |_| true)?;
        }
        let old = location.record.map(|at| self.block_of(at)).transpose()?;
        let record = self.write_record(key, kind, value, &held)?;
        step("recorded");
        let version = self.begin()?;
        self.memory.store(location.slot.at + 8, u64::from(hash))?;
        step("hashed");
        self.memory.store(location.slot.at, word(version, record.at))?;
        step("published");
        if old.is_none() {
            self.add(COUNT, 1)?;
            self.add(USED, u64::from(!location.slot.was_used()))?;
        }
        self.end(version)?;
        step("ended");
        old.map_or(Ok(()), |block| self.memory.free(block))?;
        Ok(old.is_none())
    }

    /// Where a value of one word has another of its kind, which it can be written over; and the word.
    pub(super) fn in_place(
        &self,
        location: Location,
        kind: u8,
        value: &[u8],
    ) -> Result<Option<(usize, u64)>> {
        let (Some(record), Ok(word), true) = (location.record, value.try_into(), is_number(kind)) else {
            return Ok(None);
        };
        let head = self.head(record)?;
        if head.kind != kind || head.value != 8 {
            return Ok(None);
        }
        self.check_head(record, head)?;
        Ok(Some((record + head.value_at(), u64::from_ne_bytes(word))))
    }

    /// Removes a key; whether it was there.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn delete(&self, key: &[u8]) -> Result<bool> {
        let location = self.find(Self::hash(key), key, |_| true)?;
        let Some(record) = location.record else { return Ok(false) };
        let block = self.block_of(record)?;
        let version = self.begin()?;
        self.memory.store(location.slot.at, deleted(version))?;
        step("deleted");
        self.add(COUNT, u64::MAX)?;
        self.end(version)?;
        self.memory.free(block)?;
        Ok(true)
    }

    /// Removes all keys at once.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn clear(&self) -> Result<()> {
        let table = self.table(self.memory.load(ROOT)?)?.spare();
        self.wipe(table)?;
        step("table made");
        let version = self.begin()?;
        self.memory.store(ROOT, table.word())?;
        step("table swapped");
        self.memory.store(COUNT, 0)?;
        self.memory.store(USED, 0)?;
        self.end(version)?;
        self.derive(&[])
    }

    /// Whether the table has room for so many new keys.
    pub(super) fn has_room(&self, keys: usize) -> Result<bool> {
        let table = self.table(self.memory.load(ROOT)?)?;
        let used = usize::try_from(self.memory.load(USED)?).unwrap_or(usize::MAX);
        Ok(used.saturating_add(keys) <= table.slots() / 4 * 3)
    }

    /// Room in the table for so many new keys: a larger one, or one without what was deleted, where it is scarce. Whether it
    /// is another one now.
    pub(super) fn make_room(&self, keys: usize, held: &Batch) -> Result<bool> {
        if keys == 0 || self.has_room(keys)? {
            return Ok(false);
        }
        let table = self.table(self.memory.load(ROOT)?)?;
        let count = usize::try_from(self.len()?).unwrap_or(usize::MAX).min(table.slots());
        // Half full at most, so that it lasts.
        let log = ((count + keys) * 2).next_power_of_two().ilog2().max(FIRST_TABLE);
        self.rebuild(table, log, held)?;
        Ok(true)
    }

    /// Moves all entries to a table of so many slots.
    fn rebuild(&self, old: Table, log: u32, held: &Batch) -> Result<()> {
        let new = self.new_table(log, old.number + 1, held)?;
        let mut count = 0;
        for slot in self.slots(old) {
            let slot = slot?;
            if slot.record().is_none() {
                continue;
            }
            let hash = self.memory.load(slot.at + 8)?;
            let mut free = None;
            for step in 0..new.slots() {
                let at = new.slot(hash as u32, step);
                if self.memory.load(at)? == 0 {
                    free = Some(at);
                    break;
                }
            }
            let at = free.ok_or_else(|| corrupt("its table is too small"))?;
            self.memory.store(at + 8, hash)?;
            self.memory.store(at, slot.word)?;
            count += 1;
        }
        step("table filled");
        self.memory.store(ROOT, new.word())?;
        step("table swapped");
        self.memory.store(COUNT, count)?;
        self.memory.store(USED, count)?;
        self.block_of_table(old)?.map_or(Ok(()), |block| self.memory.free(block))
    }

    /// A table that nothing is in.
    fn new_table(&self, log: u32, number: u32, held: &Batch) -> Result<Table> {
        let bytes = Table { at: 0, log, number }.bytes();
        let table = Table { at: self.allocate(bytes, held)?.at, log, number };
        self.wipe(table)?;
        Ok(table)
    }

    fn wipe(&self, table: Table) -> Result<()> {
        (0..table.bytes() / 8).try_for_each(|word| self.memory.store(table.at + word * 8, 0))
    }

    /// A block with room for so many bytes; where there is none, free ones are put together first. `held` has blocks that
    /// no slot tells of yet.
    pub(super) fn allocate(&self, size: usize, held: &Batch) -> Result<Block> {
        match self.memory.allocate(size) {
            Err(error) if matches!(error.code, "ERR_SHM_FULL" | "ENOSPC" | "ENOMEM") => {
                self.derive(&held.blocks())?;
                self.memory.allocate(size).map_err(|_| error)
            }
            result => result,
        }
    }

    /// All slots of a table.
    pub(super) fn slots(&self, table: Table) -> impl Iterator<Item = Result<Slot>> {
        (0..table.slots()).map(move |step| {
            let at = table.slot(0, step);
            Ok(Slot { at, word: self.memory.load(at)? })
        })
    }

    /// Where a key is, or the first place for it that is `free`.
    pub(super) fn find(&self, hash: u32, key: &[u8], free: impl Fn(usize) -> bool) -> Result<Location> {
        let table = self.table(self.memory.load(ROOT)?)?;
        let mut first = None;
        for step in 0..table.slots() {
            let at = table.slot(hash, step);
            let slot = Slot { at, word: self.memory.load(at)? };
            match slot.record() {
                Some(record) => {
                    if self.memory.load(at + 8)? as u32 == hash
                        && self.head(record)?.key == key.len()
                        && self.memory.equals(record + RECORD, key)?
                    {
                        return Ok(Location { slot, record: Some(record) });
                    }
                }
                None => {
                    if first.is_none() && free(at) {
                        first = Some(slot);
                    }
                    if !slot.was_used() && first.is_some() {
                        break;
                    }
                }
            }
        }
        let slot = first.ok_or_else(|| corrupt("its table is full"))?;
        Ok(Location { slot, record: None })
    }

    pub(super) fn write_record(&self, key: &[u8], kind: u8, value: &[u8], held: &Batch) -> Result<Block> {
        if key.is_empty() || key.len() > KEY_MAX {
            let message = format!("a key has 1 to {KEY_MAX} bytes of UTF-8, and this one has {}", key.len());
            return Err(Error::range("ERR_SHM_KEY", message));
        }
        let mut head = Head { key: key.len(), kind, class: 0, value: value.len() };
        let size = head.size().ok_or_else(|| Error::range("ERR_OUT_OF_RANGE", "the value is too long"))?;
        let block = self.allocate(size, held)?;
        head.class = block.class;
        let [first, second] = head.words();
        self.memory.store(block.at, first)?;
        self.memory.store(block.at + 8, second)?;
        self.memory.write(block.at + RECORD, key)?;
        self.memory.write(block.at + head.value_at(), value)?;
        Ok(block)
    }

    /// The block of a record that is there.
    pub(super) fn block_of(&self, record: usize) -> Result<Block> {
        let head = self.head(record)?;
        self.check_head(record, head)?;
        Ok(Block { at: record, class: head.class })
    }

    /// The block of a table; `None` for those that have none.
    pub(super) fn block_of_table(&self, table: Table) -> Result<Option<Block>> {
        let class =
            super::layout::class_for(table.bytes()).ok_or_else(|| corrupt("its table has no size"))?;
        Ok((!table.is_spare()).then_some(Block { at: table.at, class }))
    }

    /// From here until `end` the version is odd; what it was before, made even.
    pub(super) fn begin(&self) -> Result<u64> {
        let version = self.memory.load(VERSION)? & !1;
        self.memory.store(VERSION, version + 1)?;
        fence(Ordering::Release); // nothing of what follows may be seen before it
        step("begun");
        Ok(version)
    }

    pub(super) fn end(&self, version: u64) -> Result<()> {
        self.memory.store(VERSION, version + 2)
    }

    fn add(&self, at: usize, count: u64) -> Result<()> {
        let now = self.memory.load(at)?;
        self.memory.store(at, now.wrapping_add(count))
    }
}

/// A slot's word, of the commit that follows `version`.
pub(super) fn word(version: u64, record: usize) -> u64 {
    (u64::from((version + 2) as u32) << 32) | (record as u64 / 16)
}

/// The same, of a slot whose entry goes.
pub(super) fn deleted(version: u64) -> u64 {
    (u64::from((version + 2) as u32) << 32) | DELETED
}
