//! The bytes of a dict.
//!
//! ```text
//! 0     8   "SHMDICT\0"
//! 8     4   version of whoever made it         12  4  the oldest version that can use it
//! 16    8   how long the file may become
//! 64    8   VERSION: odd while a commit is applied; every commit has two of its own
//! 72    8   COUNT of entries                   80  8  USED slots, those of deleted entries among them
//! 128   8   ROOT: the table's number << 40, where it is / 16 << 8, and the logarithm of its number of slots
//! 136   8   LIMIT: how much of the file has memory behind it
//! 144   8   TOP: from here on nothing was ever used
//! 192   8   REDO: so many words of a commit are to be stored, wherever it was interrupted
//! 200   8   REDO_AT: where those are, as pairs of an offset and a word
//! 256       FREE: for each size of blocks the first one that is free, which begins with the next one
//! 1536      the words of a commit, where they are few
//! 4096      two small tables, of which a dict that is cleared gets the one that it has not
//! 6144      blocks: tables, records, lists of words
//!
//! slot      8   version << 32 | record / 16; 0 never used, 1 in the low half deleted
//!           4   hash of the key                4  zero
//! record    4   length of the key              4  kind of the value << 8 | size class
//!           8   length of the value
//!           key, padding to 8, value
//! ```
//!
//! A record is written once: a new value is a new record, and one store of its slot's word publishes it. (A number in
//! place of a number is one store as well, over the old one.) So whoever reads finds the old value or the new one, and sees by the same word whether what it has
//! read was still there at the end. Everything else in the header can be told from the slots, and is, when a writer
//! died.

use crate::bytes::SharedBytes;
use crate::segment::LayoutVersion;
use crate::{Error, Result};

const MAGIC: u64 = u64::from_ne_bytes(*b"SHMDICT\0");
const LAYOUT: LayoutVersion = LayoutVersion::only(1);

pub(super) const MAX: usize = 16;
pub(super) const VERSION: usize = 64;
pub(super) const COUNT: usize = 72;
pub(super) const USED: usize = 80;
pub(super) const ROOT: usize = 128;
pub(super) const LIMIT: usize = 136;
pub(super) const TOP: usize = 144;
pub(super) const REDO: usize = 192;
pub(super) const REDO_AT: usize = 200;
pub(super) const FREE: usize = 256;
/// Room for the words of small commits.
pub(super) const LIST: usize = 1536;
pub(super) const SPARES: usize = 4096;
pub(super) const BLOCKS: usize = 6144;

pub(super) const SLOT: usize = 16;
pub(super) const RECORD: usize = 16;
/// The low half of the word of a slot whose entry was deleted: no record is there.
pub(super) const DELETED: u64 = 1;
/// The first table's slots, as a logarithm.
pub(super) const FIRST_TABLE: u32 = 6;

/// Blocks are multiples of this, so that what lies between two of them can always be used.
const GRAIN: usize = 32;
const SMALL: usize = 16;
/// Sizes of blocks: all multiples of 32 up to 512, then four from one power of two to the next.
pub(super) const CLASSES: usize = SMALL + 4 * 31;

const SPARE: usize = SLOT << FIRST_TABLE;

const _: () = assert!(SPARES + 2 * SPARE == BLOCKS && FREE + CLASSES * 8 <= LIST && LIST < SPARES);
const _: () = assert!(class_size(CLASSES - 1) == 1 << 40);

/// Bytes of the blocks of a class.
pub(super) const fn class_size(class: usize) -> usize {
    if class < SMALL {
        return GRAIN * (class + 1);
    }
    let (doubling, quarter) = ((class - SMALL) / 4, (class - SMALL) % 4);
    (512 << doubling) + (128 << doubling) * (quarter + 1)
}

/// The same, of what may be no class.
pub(super) fn checked_class_size(class: usize) -> Option<usize> {
    (class < CLASSES).then(|| class_size(class))
}

/// The smallest class whose blocks have room for so many bytes.
pub(super) fn class_for(size: usize) -> Option<usize> {
    if size <= 512 {
        return Some(size.div_ceil(GRAIN).max(1) - 1);
    }
    let doubling = ((size - 1) / 512).ilog2() as usize;
    let quarter = (size - (512 << doubling)).div_ceil(128 << doubling);
    Some(SMALL + 4 * doubling + quarter - 1).filter(|class| *class < CLASSES)
}

/// The largest class whose blocks fit into so many bytes.
pub(super) fn class_within(size: usize) -> Option<usize> {
    let class = class_for(size)?;
    if class_size(class) <= size { Some(class) } else { class.checked_sub(1) }
}

/// Where a table is, and how many slots it has. No two that follow each other within 16 million have one number: whoever
/// looks for a table that was swapped twice must not take the third for the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) at: usize,
    pub(super) log: u32,
    pub(super) number: u32,
}

impl Table {
    pub(super) fn from_word(word: u64) -> Option<Self> {
        let log = (word & 0xff) as u32;
        let at = (word >> 8) as u32 as usize * 16;
        ((1..=36).contains(&log) && at >= SPARES).then_some(Table { at, log, number: (word >> 40) as u32 })
    }

    pub(super) fn word(self) -> u64 {
        u64::from(self.number & 0xff_ffff) << 40 | (self.at as u64 / 16) << 8 | u64::from(self.log)
    }

    /// One of the two that belong to no block: the first, or the one that this is not.
    pub(super) fn spare(self) -> Self {
        let other = if self.at == SPARES { SPARES + SPARE } else { SPARES };
        Table { at: other, log: FIRST_TABLE, number: self.number + 1 }
    }

    pub(super) fn is_spare(self) -> bool {
        self.at < BLOCKS
    }

    pub(super) fn slots(self) -> usize {
        1 << self.log
    }

    pub(super) fn bytes(self) -> usize {
        self.slots() * SLOT
    }

    /// Where the slot is that a hash leads to, or the `step`-th after that.
    pub(super) fn slot(self, hash: u32, step: usize) -> usize {
        self.at + (hash as usize).wrapping_add(step) % self.slots() * SLOT
    }
}

/// A record's header, as its two words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) key: usize,
    pub(super) kind: u8,
    pub(super) class: usize,
    pub(super) value: usize,
}

impl Head {
    pub(super) fn from_words(first: u64, second: u64) -> Self {
        Head {
            key: first as u32 as usize,
            class: (first >> 32) as u8 as usize,
            kind: (first >> 40) as u8,
            value: usize::try_from(second).unwrap_or(usize::MAX),
        }
    }

    pub(super) fn words(self) -> [u64; 2] {
        [self.key as u64 | (self.class as u64) << 32 | u64::from(self.kind) << 40, self.value as u64]
    }

    /// Where the value is, from the record's start.
    pub(super) fn value_at(self) -> usize {
        RECORD + self.key.next_multiple_of(8)
    }

    /// Bytes of the record; `None` beyond what a number can say.
    pub(super) fn size(self) -> Option<usize> {
        self.value_at().checked_add(self.value)
    }
}

/// Writes the header of a fresh dict, which is zeros and has a first table behind it.
pub(super) fn write(bytes: SharedBytes<'_>, max: usize) -> Result<()> {
    let table = Table { at: SPARES, log: FIRST_TABLE, number: 1 };
    let words = [
        (0, MAGIC),
        (8, LAYOUT.word()),
        (MAX, max as u64),
        (VERSION, 2),
        (ROOT, table.word()),
        (LIMIT, bytes.len() as u64),
        (TOP, BLOCKS as u64),
    ];
    let all = words.iter().try_for_each(|(at, word)| bytes.store_word(*at, *word));
    all.ok_or_else(|| corrupt("it is too short"))
}

/// How long the dict may become, if it is one that this version can use.
pub(super) fn read(bytes: SharedBytes<'_>) -> Result<usize> {
    let word = |at| bytes.load_word(at).unwrap_or(0);
    if word(0) != MAGIC {
        return Err(Error::own("ERR_SHM_NOT_A_DICT", "there is no dict in this segment"));
    }
    LAYOUT.check(word(8), "dict")?;
    let max = usize::try_from(word(MAX)).ok().filter(|max| *max >= bytes.len() && *max <= 1 << 36);
    max.ok_or_else(|| corrupt("its size is not possible"))
}

#[cold]
pub(super) fn corrupt(why: &str) -> Error {
    Error::own("ERR_SHM_CORRUPT", format!("the dict was damaged by another process: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_the_smallest_class_that_fits() {
        for size in (1..20_000).chain([1 << 20, (1 << 20) + 1, 1 << 40]) {
            let class = class_for(size).expect("a class");
            assert!(class_size(class) >= size, "{size}");
            assert!(class == 0 || class_size(class - 1) < size, "{size}");
            assert!(class_size(class).is_multiple_of(GRAIN));
            let within = class_within(size);
            assert!(within.is_none_or(|within| class_size(within) <= size), "{size}");
            assert_eq!(within.is_some(), size >= GRAIN, "{size}");
        }
        assert_eq!(class_for((1 << 40) + 1), None);
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        let table = Table { at: (1 << 36) - 16, log: 20, number: 0xff_fffe };
        assert_eq!(Table::from_word(table.word()), Some(table));
        let head = Head { key: 5, kind: 7, class: 139, value: 1 << 33 };
        let [first, second] = head.words();
        assert_eq!(Head::from_words(first, second), head);
    }
}
