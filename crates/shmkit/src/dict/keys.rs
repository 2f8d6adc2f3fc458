//! All keys.

use std::sync::atomic::{Ordering, fence};

use super::SharedDict;
use super::layout::{RECORD, ROOT, checked_class_size};
use super::read::Slot;
use crate::Result;

impl SharedDict {
    /// The keys that there are, one after the other in one buffer, with their ends. One that comes or goes meanwhile may
    /// be among them or not; one that is there all the time is, once.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn keys(&self) -> Result<(Vec<u8>, Vec<usize>)> {
        loop {
            let root = self.memory.load(ROOT)?;
            let collected = self.collect(root);
            fence(Ordering::Acquire);
            if self.memory.load(ROOT)? == root {
                return collected;
            }
        }
    }

    /// Bytes of the blocks that entries and their table have, about: others may write meanwhile.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn used(&self) -> Result<usize> {
        let table = self.table(self.memory.load(ROOT)?)?;
        let records = self.slots(table).map(|slot| {
            let room = |record| Ok(checked_class_size(self.head(record)?.class).unwrap_or(0));
            slot?.record().map_or(Ok(0), room)
        });
        records.sum::<Result<usize>>().map(|records| records + table.bytes())
    }

    fn collect(&self, root: u64) -> Result<(Vec<u8>, Vec<usize>)> {
        let (mut bytes, mut ends, mut key) = (Vec::new(), Vec::new(), Vec::new());
        for slot in self.slots(self.table(root)?) {
            let mut slot = slot?;
            while let Some(record) = slot.record() {
                let copied = self.copy_key(record, &mut key);
                fence(Ordering::Acquire);
                let word = self.memory.load(slot.at)?;
                if word == slot.word {
                    copied?;
                    bytes.extend_from_slice(&key);
                    ends.push(bytes.len());
                    break;
                }
                if self.memory.load(ROOT)? != root {
                    return Ok((bytes, ends)); // of a table that is no more: it is done again
                }
                slot = Slot { word, ..slot };
            }
        }
        Ok((bytes, ends))
    }

    fn copy_key(&self, record: usize, key: &mut Vec<u8>) -> Result<()> {
        let head = self.head(record)?;
        self.check_head(record, head)?;
        self.memory.copy(record + RECORD, head.key, key)
    }
}
