//! Blocks: what is free, and more of it. For the one who has the lock; what is said here is told again from the
//! slots when a writer died.

use super::layout::{CLASSES, FREE, LIMIT, TOP, class_for, class_size, class_within, corrupt};
use super::memory::Memory;
use crate::{Error, Result};

/// The file grows by this at least.
const STEP: usize = 64 << 10;

/// A block that is had, and of which class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) at: usize,
    pub(super) class: usize,
}

fn head(class: usize) -> usize {
    FREE + class * 8
}

fn place(word: u64) -> Result<usize> {
    usize::try_from(word).map_err(|_| corrupt("a place is not possible"))
}

impl Memory {
    /// A block with room for so many bytes.
    ///
    /// # Errors
    /// `ERR_SHM_FULL` if the dict may not grow any more, `ENOSPC` if the system has no memory: nothing is changed
    /// then.
    pub(super) fn allocate(&self, size: usize) -> Result<Block> {
        let class = class_for(size).ok_or_else(|| full(size))?;
        if let Some(block) = self.take_free(class)? {
            return Ok(block);
        }
        let wanted = class_size(class);
        let top = place(self.load(TOP)?)?;
        let end = top.checked_add(wanted).ok_or_else(|| full(size))?;
        if end > place(self.load(LIMIT)?)? {
            let larger = (class + 1..CLASSES).find_map(|class| self.take_free(class).transpose());
            if let Some(larger) = larger.transpose()? {
                self.free_between(larger.at + wanted, larger.at + class_size(larger.class))?;
                return Ok(Block { at: larger.at, class });
            }
            self.extend(end)?;
        }
        self.store(TOP, end as u64)?;
        Ok(Block { at: top, class })
    }

    fn take_free(&self, class: usize) -> Result<Option<Block>> {
        let at = place(self.load(head(class))?)?;
        if at == 0 {
            return Ok(None);
        }
        self.check(at, class_size(class))?;
        let next = self.load(at)?;
        self.store(head(class), next)?;
        Ok(Some(Block { at, class }))
    }

    /// Gives a block back.
    pub(super) fn free(&self, block: Block) -> Result<()> {
        if block.class >= CLASSES {
            return Err(corrupt("a block has no size"));
        }
        self.check(block.at, class_size(block.class))?;
        let next = self.load(head(block.class))?;
        self.store(block.at, next)?;
        self.store(head(block.class), block.at as u64)
    }

    /// Memory up to `end` at least.
    fn extend(&self, end: usize) -> Result<()> {
        let (limit, max) = (place(self.load(LIMIT)?)?, self.mapping().raw().1);
        if end > max {
            return Err(full(end - limit));
        }
        let wished = end.max(limit + (limit / 4).max(STEP)).next_multiple_of(4096).min(max);
        let length = match self.grow(wished) {
            Ok(()) => wished,
            // Perhaps what is needed now is still to be had.
            Err(_) => {
                let least = end.next_multiple_of(4096).min(max);
                self.grow(least)?;
                least
            }
        };
        self.store(LIMIT, length as u64)
    }

    /// Gives all that is in between back, in the largest blocks that fit.
    fn free_between(&self, mut at: usize, end: usize) -> Result<()> {
        while let Some(class) = class_within(end - at) {
            self.free(Block { at, class })?;
            at += class_size(class);
        }
        Ok(())
    }

    /// Makes everything free but these blocks, which are in order and do not overlap.
    pub(super) fn keep_only(&self, kept: impl Iterator<Item = (usize, usize)>, from: usize) -> Result<()> {
        for class in 0..CLASSES {
            self.store(head(class), 0)?;
        }
        let mut end = from;
        for (at, size) in kept {
            if at < end {
                return Err(corrupt("two blocks overlap"));
            }
            self.free_between(end, at)?;
            end = at + size;
        }
        self.store(TOP, end as u64)
    }
}

fn full(size: usize) -> Error {
    let message = format!(
        "the dict has no room left for {size} bytes more; delete what is not needed, or make it with a larger maxByteLength"
    );
    Error::own("ERR_SHM_FULL", message)
}
