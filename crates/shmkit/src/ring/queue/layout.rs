//! The bytes of a queue.
//!
//! ```text
//! 0     8   "SHMQUEUE"                         the rest of the header: see `items`
//! 16    4   1 many on both sides, 2 one on each
//! 128   4   TAIL                               192  4  HEAD
//! 256   4   ENDED    260  4  ITEMS    264  4  ROOM    268  4  LOST
//! 320   4   RECOVERER    324  4  JOURNAL_SLOT    328  4  JOURNAL_WORD    332  4  JOURNAL_LOST
//! 336   4   PRODUCER     340  4  CONSUMER
//! 384       participants of 64 bytes: see `sync::liveness`
//! 16704     slots: 4 bytes of its word, and the item
//! ```
//!
//! `ring` says what the words mean.

use super::protocol::{Field, OWNERS, Shape};
use crate::bytes::SharedBytes;
use crate::ring::items::{Form, HEADER, Items, LINE};
use crate::ring::participant::PARTICIPANT_SIZE;
use crate::segment::LayoutVersion;
use crate::{Error, Result};

const TAIL: usize = 128;
const HEAD: usize = 192;
const ENDED: usize = 256;
const RECOVERER: usize = 320;
pub(super) const PARTICIPANTS: usize = 384;
/// Where the slots begin.
pub const SLOTS: usize = PARTICIPANTS + OWNERS as usize * PARTICIPANT_SIZE;

const _: () = assert!(SLOTS == 16704 && SLOTS.is_multiple_of(LINE));
const _: () = assert!(HEADER <= TAIL && RECOVERER + 24 <= PARTICIPANTS);

pub(super) const FORM: Form = Form {
    magic: u64::from_ne_bytes(*b"SHMQUEUE"),
    version: LayoutVersion::only(1),
    what: "queue",
    none: "ERR_SHM_NOT_A_QUEUE",
    slots: SLOTS,
};

/// What a queue is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// One producer and one consumer, and no more.
    pub single: bool,
    /// What is in it.
    pub items: Items,
}

impl Layout {
    /// Bytes of all of it.
    pub fn size(&self) -> usize {
        FORM.size(&self.items)
    }

    /// Where a slot is.
    pub(super) fn slot(&self, index: u32) -> usize {
        FORM.slot(&self.items, index)
    }

    /// Where a word of the ring is; `None` for a slot that there is not.
    pub(super) fn word(&self, field: Field) -> Option<usize> {
        Some(match field {
            Field::Slot(index) => return (index < self.items.slots).then(|| self.slot(index)),
            other => at(other),
        })
    }

    pub(super) fn ring(&self) -> Shape {
        Shape::new(self.items.slots)
    }

    /// The usage in the header.
    pub(super) fn usage(&self) -> u32 {
        if self.single { 2 } else { 1 }
    }
}

/// Where a word is that there is once.
pub const fn at(field: Field) -> usize {
    match field {
        Field::Tail => TAIL,
        Field::Head => HEAD,
        Field::Ended => ENDED,
        Field::Items => ENDED + 4,
        Field::Room => ENDED + 8,
        Field::Lost => ENDED + 12,
        Field::Recoverer => RECOVERER,
        Field::JournalSlot => RECOVERER + 4,
        Field::JournalWord => RECOVERER + 8,
        Field::JournalLost => RECOVERER + 12,
        Field::Producer => RECOVERER + 16,
        Field::Consumer => RECOVERER + 20,
        Field::Slot(_) => SLOTS,
    }
}

/// What a queue of `len` bytes is made of, if it is one that this version can use.
pub(super) fn read(bytes: SharedBytes<'_>, len: usize) -> Result<Layout> {
    let (usage, items) = FORM.read(bytes, len)?;
    let single = match usage {
        1 => false,
        2 => true,
        _ => return Err(corrupt("who may use it is not said")),
    };
    Ok(Layout { single, items })
}

#[cold]
pub(super) fn corrupt(why: &str) -> Error {
    FORM.corrupt(why)
}
