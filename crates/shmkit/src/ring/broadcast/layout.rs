//! The bytes of a broadcast.
//!
//! ```text
//! 0     8   "SHMBCAST"                         the rest of the header: see `items`
//! 16    4   1 the writer waits for the slowest reader, 2 it does not
//! 128   8   HEAD     136  8  CLAIM     144  4  WRITER
//! 192   4   ITEMS
//! 256   4   ROOM     260  4  EPOCH     264  4  ENDED    268  4  USED
//! 320       participants of 64 bytes: see `sync::liveness`
//! 16640     readers of 64 bytes: 4 bytes of its word, at 8 its CURSOR
//! 32960     slots: 8 bytes of its MARK, and the item
//! ```
//!
//! HEAD, CLAIM, CURSOR and MARK are counts, each of which is written by one at a time. They are float64, because
//! that is what JavaScript loads and stores at once without an object for each: exact up to 2^53, which takes 28 years
//! at ten million items a second. `steps` says what they mean.

use super::protocol::{Count, Field, READERS};
use crate::bytes::SharedBytes;
use crate::ring::items::{Form, HEADER, Items, LINE};
use crate::ring::participant::PARTICIPANT_SIZE;
use crate::segment::LayoutVersion;
use crate::sync::word::role::NUMBERS;
use crate::{Error, Result};

const HEAD: usize = 128;
const ITEMS: usize = 192;
const ROOM: usize = 256;
pub(super) const PARTICIPANTS: usize = 320;
const ENTRIES: usize = PARTICIPANTS + NUMBERS as usize * PARTICIPANT_SIZE;
/// Bytes from reader to reader.
pub const ENTRY: usize = 64;
/// Where the slots begin.
pub const SLOTS: usize = ENTRIES + READERS as usize * ENTRY;

const _: () = assert!(ENTRIES == 16640 && SLOTS == 32960 && SLOTS.is_multiple_of(LINE));
const _: () = assert!(HEADER <= HEAD && HEAD + 24 <= ITEMS && ROOM + 16 <= PARTICIPANTS);

pub(super) const FORM: Form = Form {
    magic: u64::from_ne_bytes(*b"SHMBCAST"),
    version: LayoutVersion::only(1),
    what: "broadcast",
    none: "ERR_SHM_NOT_A_BROADCAST",
    slots: SLOTS,
};

/// What a broadcast is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The writer waits for the slowest reader, so that nothing is lost.
    pub blocks: bool,
    /// What is in it.
    pub items: Items,
}

impl Layout {
    /// Bytes of all of it.
    pub fn size(&self) -> usize {
        FORM.size(&self.items)
    }

    /// Where a slot's item is.
    pub(super) fn item(&self, index: u32) -> usize {
        FORM.slot(&self.items, index) + self.items.item_at()
    }

    /// Where a count is; `None` if there is none.
    pub(super) fn count(&self, count: Count) -> Option<usize> {
        Some(match count {
            Count::Mark(index) => return (index < self.items.slots).then(|| FORM.slot(&self.items, index)),
            Count::Cursor(index) if index >= READERS => return None,
            other => count_at(other),
        })
    }

    /// The usage in the header.
    pub(super) fn usage(&self) -> u32 {
        if self.blocks { 1 } else { 2 }
    }
}

/// Where a word is.
pub const fn at(field: Field) -> usize {
    match field {
        Field::Writer => HEAD + 16,
        Field::Items => ITEMS,
        Field::Room => ROOM,
        Field::Epoch => ROOM + 4,
        Field::Ended => ROOM + 8,
        Field::Used => ROOM + 12,
        Field::Entry(index) => ENTRIES + index as usize * ENTRY,
    }
}

/// Where a count is; of the marks, that of the first slot.
pub const fn count_at(count: Count) -> usize {
    match count {
        Count::Head => HEAD,
        Count::Claim => HEAD + 8,
        Count::Cursor(index) => at(Field::Entry(index)) + 8,
        Count::Mark(_) => SLOTS,
    }
}

/// What a broadcast of `len` bytes is made of, if it is one that this version can use.
pub(super) fn read(bytes: SharedBytes<'_>, len: usize) -> Result<Layout> {
    let (usage, items) = FORM.read(bytes, len)?;
    let blocks = match usage {
        1 => true,
        2 => false,
        _ => return Err(corrupt("what becomes of slow readers is not said")),
    };
    Ok(Layout { blocks, items })
}

#[cold]
pub(super) fn corrupt(why: &str) -> Error {
    FORM.corrupt(why)
}
