//! Several keys at once, all or none.
//!
//! The records are written first. Then the list of the words that make the change is stored, and `REDO` says how many
//! they are: that one store is the commit. What is interrupted before has not happened; what is interrupted after is
//! done again, from the list.

use std::collections::HashSet;
use std::ops::Range;

use super::heap::Block;
use super::layout::{COUNT, REDO, REDO_AT, USED, corrupt};
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
    /// `None` deletes.
    record: Option<Block>,
}

impl Batch {
    fn push(&mut self, key: &[u8], record: Option<Block>) {
        let start = self.keys.len();
        self.keys.extend_from_slice(key);
        self.changes.push(Change { key: start..self.keys.len(), hash: SharedDict::hash(key), record });
    }

    /// Each change with its key.
    fn iter(&self) -> impl Iterator<Item = (&[u8], &Change)> {
        self.changes.iter().map(|change| (&self.keys[change.key.clone()], change))
    }

    /// The records that no slot tells of yet.
    pub(super) fn blocks(&self) -> Vec<Block> {
        self.changes.iter().filter_map(|change| change.record).collect()
    }
}

impl SharedDict {
    /// Adds a value to the batch; each key once.
    ///
    /// # Errors
    /// As `set`; the batch is as it was.
    pub fn stage(&self, batch: &mut Batch, key: &[u8], kind: u8, value: &[u8]) -> Result<()> {
        let record = self.write_record(key, kind, value, batch)?;
        step("staged");
        batch.push(key, Some(record));
        Ok(())
    }

    /// Adds a deletion to the batch; each key once.
    pub fn stage_delete(&self, batch: &mut Batch, key: &[u8]) {
        batch.push(key, None);
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
        for (key, Change { hash, record, .. }) in batch.iter() {
            if record.is_some() {
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
            for (key, Change { hash, record, .. }) in batch.iter() {
                fresh += usize::from(record.is_some() && self.find(*hash, key, |_| true)?.record.is_none());
            }
            self.make_room(fresh, batch)?;
        }
        let mut plan = Plan::default();
        let mut taken = HashSet::new();
        let (mut count, mut used) = (self.memory.load(COUNT)?, self.memory.load(USED)?);
        let version = self.version()? & !1;
        for (key, Change { hash, record, .. }) in batch.iter() {
            let place = self.find(*hash, key, |at| !taken.contains(&at))?;
            if let Some(old) = place.record {
                plan.freed.push(self.block_of(old)?);
            }
            match (record, place.record) {
                (None, None) => {}
                (None, Some(_)) => {
                    plan.words.push((place.slot.at, deleted(version)));
                    count = count.wrapping_sub(1);
                }
                (Some(record), old) => {
                    if old.is_none() {
                        // Nobody looks at the hash of a slot that has no record.
                        self.memory.store(place.slot.at + 8, u64::from(*hash))?;
                        taken.insert(place.slot.at);
                        count = count.wrapping_add(1);
                        used += u64::from(!place.slot.was_used());
                    }
                    plan.words.push((place.slot.at, word(version, record.at)));
                }
            }
        }
        plan.words.extend([(COUNT, count), (USED, used)]);
        let list = self.allocate(plan.words.len() * 16, batch)?;
        for (index, (at, value)) in plan.words.iter().enumerate() {
            self.memory.store(list.at + index * 16, *at as u64)?;
            self.memory.store(list.at + index * 16 + 8, *value)?;
        }
        plan.list = Some(list);
        Ok(plan)
    }

    fn carry_out(&self, plan: Plan) -> Result<()> {
        let Some(list) = plan.list else { return Ok(()) };
        self.memory.store(REDO_AT, list.at as u64)?;
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
        plan.freed.into_iter().chain([list]).try_for_each(|block| self.memory.free(block))
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
    list: Option<Block>,
    freed: Vec<Block>,
}
