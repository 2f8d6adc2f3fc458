//! Several keys at once, all or none.
//!
//! The records are written first. Then the list of the words that make the change is stored, and `REDO` says how many
//! they are: that one store is the commit. What is interrupted before has not happened; what is interrupted after is
//! done again, from the list.

use std::collections::HashSet;
use std::ops::Range;

use super::heap::Block;
use super::layout::{COUNT, LIST, REDO, REDO_AT, SPARES, USED, corrupt};
use super::write::{deleted, word};
use super::{SharedDict, step};
use crate::Result;

/// What is to be changed, record by record.
#[derive(Debug, Default)]
pub struct Batch {
    changes: Vec<Change>,
    /// All keys, one after the other.
    keys: Vec<u8>,
}

#[derive(Debug)]
struct Change {
    key: Range<usize>,
    hash: u32,
    new_value: NewValue,
}

/// The value of a key after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NewValue {
    Nothing,
    Record(Block),
    /// One word, at this location.
    Word(usize, u64),
}

impl Batch {
    fn push(&mut self, key: &[u8], hash: u32, new_value: NewValue) {
        let start = self.keys.len();
        self.keys.extend_from_slice(key);
        self.changes.push(Change { key: start..self.keys.len(), hash, new_value });
    }

    /// Each change with its key.
    fn iter(&self) -> impl Iterator<Item = (&[u8], &Change)> {
        self.changes.iter().map(|change| (&self.keys[change.key.clone()], change))
    }

    /// The records that no slot tells of yet.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let block = |change: &Change| match change.new_value {
            NewValue::Record(block) => Some(block),
            _ => None,
        };
        self.changes.iter().filter_map(block).collect()
    }
}

impl SharedDict {
    /// Adds a value to the batch; each key once.
    ///
    /// # Errors
    /// As `set`; the batch is as it was.
    pub fn stage(&self, batch: &mut Batch, key: &[u8], kind: u8, value: &[u8]) -> Result<()> {
        let hash = Self::hash(key);
        let new_value = match self.in_place(self.find(hash, key, |_| true)?, kind, value)? {
            Some((at, word)) => NewValue::Word(at, word),
            None => NewValue::Record(self.write_record(key, kind, value, batch)?),
        };
        step("staged");
        batch.push(key, hash, new_value);
        Ok(())
    }

    /// Adds a deletion to the batch; each key once.
    pub fn stage_delete(&self, batch: &mut Batch, key: &[u8]) {
        batch.push(key, Self::hash(key), NewValue::Nothing);
    }

    /// Drops a batch: nothing has changed.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn roll_back(&self, batch: Batch) -> Result<()> {
        batch.blocks().into_iter().try_for_each(|block| self.memory.free(block))
    }

    /// Makes all changes of a batch at once.
    ///
    /// # Errors
    /// `ERR_SHM_FULL`, `ENOSPC`, `ERR_SHM_CORRUPT`: none of them was made then, and the batch is gone.
    pub fn commit(&self, batch: Batch) -> Result<()> {
        if self.is_all(&batch)? {
            return self.clear(); // which needs no memory
        }
        match self.prepare(&batch) {
            Ok(plan) => self.carry_out(plan),
            Err(error) => {
                self.roll_back(batch)?;
                Err(error)
            }
        }
    }

    /// Whether it deletes all that there is, and does nothing else.
    fn is_all(&self, batch: &Batch) -> Result<bool> {
        let mut there = 0;
        for (key, Change { hash, new_value, .. }) in batch.iter() {
            if *new_value != NewValue::Nothing {
                return Ok(false);
            }
            there += u64::from(self.find(*hash, key, |_| true)?.record.is_some());
        }
        Ok(there > 0 && there == self.len()?)
    }

    fn prepare(&self, batch: &Batch) -> Result<Plan> {
        // Which are new is looked up only where there may be too many of them.
        if !self.has_room(batch.changes.len())? {
            let mut fresh = 0;
            for (key, Change { hash, new_value, .. }) in batch.iter() {
                let is_record = matches!(new_value, NewValue::Record(_));
                fresh += usize::from(is_record && self.find(*hash, key, |_| true)?.record.is_none());
            }
            self.make_room(fresh, batch)?;
        }
        let mut plan = Plan::default();
        let mut taken = HashSet::new();
        let (mut count, mut used) = (self.memory.load(COUNT)?, self.memory.load(USED)?);
        let version = self.version()? & !1;
        for (key, Change { hash, new_value, .. }) in batch.iter() {
            if let NewValue::Word(at, word) = new_value {
                plan.words.push((*at, *word));
                continue;
            }
            let location = self.find(*hash, key, |at| !taken.contains(&at))?;
            if let Some(old) = location.record {
                plan.freed.push(self.block_of(old)?);
            }
            if let NewValue::Record(record) = new_value {
                if location.record.is_none() {
                    // Nobody looks at the hash of a slot that has no record.
                    self.memory.store(location.slot.at + 8, u64::from(*hash))?;
                    taken.insert(location.slot.at);
                    count = count.wrapping_add(1);
                    used += u64::from(!location.slot.was_used());
                }
                plan.words.push((location.slot.at, word(version, record.at)));
            } else if location.record.is_some() {
                plan.words.push((location.slot.at, deleted(version)));
                count = count.wrapping_sub(1);
            }
        }
        plan.words.extend([(COUNT, count), (USED, used)]);
        let size = plan.words.len() * 16;
        if size <= SPARES - LIST {
            plan.list = LIST;
        } else {
            let list = self.allocate(size, batch)?;
            plan.list = list.at;
            plan.freed.push(list);
        }
        for (index, (at, value)) in plan.words.iter().enumerate() {
            self.memory.store(plan.list + index * 16, *at as u64)?;
            self.memory.store(plan.list + index * 16 + 8, *value)?;
        }
        Ok(plan)
    }

    fn carry_out(&self, plan: Plan) -> Result<()> {
        self.memory.store(REDO_AT, plan.list as u64)?;
        step("listed");
        self.memory.store(REDO, plan.words.len() as u64)?;
        step("committed");
        let version = self.begin()?;
        for (at, value) in &plan.words {
            self.memory.store(*at, *value)?;
            step("applied one");
        }
        self.end(version)?;
        step("applied all");
        self.memory.store(REDO, 0)?;
        step("forgotten");
        plan.freed.into_iter().try_for_each(|block| self.memory.free(block))
    }

    /// Stores the words of a commit that was interrupted; whether there was one.
    pub(super) fn redo(&self) -> Result<bool> {
        let count = usize::try_from(self.memory.load(REDO)?).unwrap_or(usize::MAX);
        if count == 0 {
            return Ok(false);
        }
        let list = usize::try_from(self.memory.load(REDO_AT)?).unwrap_or(usize::MAX);
        let bytes = count.checked_mul(16).ok_or_else(|| corrupt("a commit has no end"))?;
        self.memory.check(list, bytes)?;
        for index in 0..count {
            let at = usize::try_from(self.memory.load(list + index * 16)?).unwrap_or(usize::MAX);
            self.memory.store(at, self.memory.load(list + index * 16 + 8)?)?;
            step("applied again");
        }
        Ok(true)
    }
}

#[derive(Debug, Default)]
struct Plan {
    words: Vec<(usize, u64)>,
    /// Where they are listed.
    list: usize,
    /// What is free once they are stored.
    freed: Vec<Block>,
}
