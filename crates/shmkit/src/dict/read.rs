//! Looking a key up, beside whoever writes.

use std::sync::atomic::{Ordering, fence};

use super::SharedDict;
use super::layout::{DELETED, Head, RECORD, ROOT, Table, corrupt};
use crate::Result;

/// So often a look is made again whose place was written to meanwhile, before it is left to one who has the lock.
const TRIES: u32 = 200;

/// What a look came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// The value is in the buffer, and of this kind.
    Found(u8),
    /// There is no such key.
    Missing,
    /// Others wrote all the time: it is to be tried with the lock.
    Busy,
}

/// A slot, and what it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) at: usize,
    pub(super) word: u64,
}

impl Slot {
    /// Where its record is; `None` if it has none.
    pub(super) fn record(self) -> Option<usize> {
        let location = self.word & 0xffff_ffff;
        (location > DELETED).then_some(location as usize * 16)
    }

    pub(super) fn was_used(self) -> bool {
        self.word != 0
    }
}

enum Once {
    Lookup(Lookup),
    Changed,
}

impl SharedDict {
    /// Copies the value of a key into `value`. Takes no lock, and waits for nobody.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT` if another process damaged the dict.
    pub fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<Lookup> {
        self.look_up(key, Some(value))
    }

    fn look_up(&self, key: &[u8], mut value: Option<&mut Vec<u8>>) -> Result<Lookup> {
        let hash = Self::hash(key);
        for _ in 0..TRIES {
            let root = self.memory.load(ROOT)?;
            match self.look_up_once(root, hash, key, value.as_deref_mut()) {
                Ok(Once::Lookup(look)) => return Ok(look),
                Ok(Once::Changed) => {}
                // What is read while it is written to may be anything.
                Err(error) if self.memory.load(ROOT)? == root => {
                    if self.is_still(root, hash, key) {
                        return Err(error);
                    }
                }
                Err(_) => {}
            }
        }
        Ok(Lookup::Busy)
    }

    /// Whether a key is there.
    ///
    /// # Errors
    /// As `get`.
    pub fn has(&self, key: &[u8]) -> Result<Lookup> {
        self.look_up(key, None)
    }

    /// The kind of a key's value, where it lies and how long it is, for the one who has the lock.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn locate(&self, key: &[u8]) -> Result<Option<(u8, usize, usize)>> {
        let Some(record) = self.find(Self::hash(key), key, |_| true)?.record else { return Ok(None) };
        let head = self.head(record)?;
        self.check_head(record, head)?;
        Ok(Some((head.kind, record + head.value_at(), head.value)))
    }

    fn look_up_once(
        &self,
        root: u64,
        hash: u32,
        key: &[u8],
        mut value: Option<&mut Vec<u8>>,
    ) -> Result<Once> {
        let table = self.table(root)?;
        let unchanged = |slot: Slot| -> Result<bool> {
            fence(Ordering::Acquire);
            Ok(self.memory.load(slot.at)? == slot.word && self.memory.load(ROOT)? == root)
        };
        for step in 0..table.slots() {
            let at = table.slot(hash, step);
            let slot = Slot { at, word: self.memory.load(at)? };
            if !slot.was_used() {
                break;
            }
            let Some(record) = slot.record() else { continue };
            if self.memory.load(at + 8)? as u32 != hash {
                continue;
            }
            // From here on the record may become another one: nothing of it counts before the slot was seen again.
            let found = self.copy_if(record, key, value.as_deref_mut());
            if !unchanged(slot)? {
                return Ok(Once::Changed);
            }
            if let Some(kind) = found? {
                return Ok(Once::Lookup(Lookup::Found(kind)));
            }
        }
        fence(Ordering::Acquire);
        // Nothing is ever moved within a table, so a key that is there all the time is found in it; but it may have been
        // made into something else meanwhile.
        if self.memory.load(ROOT)? != root {
            return Ok(Once::Changed);
        }
        Ok(Once::Lookup(Lookup::Missing))
    }

    /// The value, if the record has this key; its kind.
    fn copy_if(&self, record: usize, key: &[u8], value: Option<&mut Vec<u8>>) -> Result<Option<u8>> {
        let head = self.head(record)?;
        if head.key != key.len() || !self.memory.equals(record + RECORD, key)? {
            return Ok(None);
        }
        self.check_head(record, head)?;
        if let Some(value) = value {
            let at = record + head.value_at();
            if head.value == 8 {
                // Of one moment, also where it is written over.
                value.clear();
                value.extend_from_slice(&self.memory.load(at)?.to_ne_bytes());
            } else {
                self.memory.copy(at, head.value, value)?;
            }
        }
        Ok(Some(head.kind))
    }

    /// Whether what was found damaged is so while nobody writes.
    fn is_still(&self, root: u64, hash: u32, key: &[u8]) -> bool {
        let mut value = Vec::new();
        (0..TRIES).all(|_| self.look_up_once(root, hash, key, Some(&mut value)).is_err())
    }

    #[inline]
    pub(super) fn table(&self, root: u64) -> Result<Table> {
        let table = Table::from_word(root).ok_or_else(|| corrupt("its table is nowhere"))?;
        self.memory.check(table.at, table.bytes())?;
        Ok(table)
    }

    #[inline(always)]
    pub(super) fn head(&self, record: usize) -> Result<Head> {
        Ok(Head::from_words(self.memory.load(record)?, self.memory.load(record + 8)?))
    }

    /// A record is within its block, and that within the file.
    #[inline]
    pub(super) fn check_head(&self, record: usize, head: Head) -> Result<usize> {
        let room =
            super::layout::checked_class_size(head.class).ok_or_else(|| corrupt("a record has no size"))?;
        match head.size() {
            Some(size) if size <= room => self.memory.check(record, room).map(|()| room),
            _ => Err(corrupt("a record is larger than its block")),
        }
    }
}
