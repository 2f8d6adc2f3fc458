//! After a writer died: what it had committed is done, the rest has not happened, and no memory is lost. May itself be
//! interrupted, and done again.

use super::heap::Block;
use super::layout::{BLOCKS, COUNT, REDO, ROOT, USED, VERSION, class_size, corrupt};
use super::{SharedDict, step};
use crate::Result;

impl SharedDict {
    /// Puts in order what a writer left who died, for the one who has the lock after it.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT` if it is more than a death can explain.
    pub fn recover(&self) -> Result<()> {
        let version = self.memory.load(VERSION)? & !1;
        // Whoever has a value of before must look again, whatever happened.
        self.memory.store(VERSION, version + 1)?;
        self.redo()?;
        step("redone");
        self.memory.store(REDO, 0)?;
        self.derive(&[])?;
        step("derived");
        self.memory.store(VERSION, version + 4)
    }

    /// Tells the counts and what is free from the slots, and from what is `held` that they do not tell of.
    pub(super) fn derive(&self, held: &[Block]) -> Result<()> {
        let table = self.table(self.memory.load(ROOT)?)?;
        let (mut count, mut used) = (0, 0);
        let known = held.iter().copied().chain(self.block_of_table(table)?);
        let mut kept: Vec<_> = known.map(|block| (block.at, class_size(block.class))).collect();
        for slot in self.slots(table) {
            let slot = slot?;
            used += u64::from(slot.was_used());
            if let Some(record) = slot.record() {
                count += 1;
                kept.push((record, self.check_head(record, self.head(record)?)?));
            }
        }
        kept.sort_unstable();
        if kept.first().is_some_and(|(at, _)| *at < BLOCKS)
            || kept.windows(2).any(|pair| pair[0].0 + pair[0].1 > pair[1].0)
        {
            return Err(corrupt("two blocks overlap"));
        }
        self.memory.keep_only(kept.into_iter(), BLOCKS)?;
        step("freed");
        self.memory.store(COUNT, count)?;
        self.memory.store(USED, used)
    }
}
