//! The bytes of a queue.
//!
//! ```text
//! 0     8   "SHMQUEUE"
//! 8     4   version of whoever made it         12  4  the oldest version that can use it
//! 16    4   1 many on both sides, 2 one on each
//! 20    4   element type: 1 + its place in `DType::ALL`
//! 24    4   slots                              28  4  dimensions of an item
//! 32    8   bytes of an item                   40  8  bytes from slot to slot, a multiple of 64
//! 48    4   where in its slot the item is
//! 64    64  the dimensions, 8 bytes each
//! 128   4   TAIL                               192  4  HEAD
//! 256   4   ENDED    260  4  ITEMS    264  4  ROOM    268  4  LOST
//! 320   4   RECOVERER    324  4  JOURNAL_SLOT    328  4  JOURNAL_WORD    332  4  JOURNAL_LOST
//! 336   4   PRODUCER     340  4  CONSUMER
//! 384       participants of 64 bytes: see `sync::presence`
//! 16704     slots: 4 bytes of its word; the item in the same cache line if it fits, else from the next one on
//! ```
//!
//! `ring` says what the words mean.

use super::ring::{Field, MOST_SLOTS, OWNERS, Shape};
use crate::array::DType;
use crate::bytes::SharedBytes;
use crate::{Error, Result};

const MAGIC: u64 = u64::from_ne_bytes(*b"SHMQUEUE");
const VERSION: u32 = 1;
/// Everything is aligned to a cache line.
const LINE: usize = 64;
/// Items have at most so many dimensions.
pub const DIMENSIONS: usize = 8;
const SHAPE: usize = 64;
const TAIL: usize = 128;
const HEAD: usize = 192;
const ENDED: usize = 256;
const RECOVERER: usize = 320;
pub(super) const PARTICIPANTS: usize = 384;
pub(super) const PARTICIPANT: usize = 64;
/// Where the slots begin.
pub const SLOTS: usize = PARTICIPANTS + OWNERS as usize * PARTICIPANT;
/// The longest file: JavaScript's buffers end there in some versions.
pub const MOST: usize = 4 << 30;

const _: () = assert!(SLOTS == 16704 && SLOTS.is_multiple_of(LINE));
const _: () = assert!(SHAPE + DIMENSIONS * 8 <= TAIL && RECOVERER + 24 <= PARTICIPANTS);

/// What a queue is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// One producer and one consumer, and no more.
    pub single: bool,
    /// The type of the elements.
    pub dtype: DType,
    /// How many items there is room for.
    pub slots: u32,
    /// Of an item.
    pub shape: Vec<usize>,
}

impl Layout {
    /// Elements of an item.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of an item.
    pub fn item(&self) -> usize {
        self.elements() * self.dtype.item_size()
    }

    /// Where in its slot the item is.
    pub fn item_at(&self) -> usize {
        if self.item() <= LINE - 8 { 8 } else { LINE }
    }

    /// Bytes from slot to slot.
    pub fn stride(&self) -> usize {
        (self.item_at() + self.item()).next_multiple_of(LINE)
    }

    /// Bytes of all of it.
    pub fn size(&self) -> usize {
        SLOTS + self.slots as usize * self.stride()
    }

    /// Where a slot is.
    pub(super) fn slot(&self, index: u32) -> usize {
        SLOTS + index as usize * self.stride()
    }

    /// Where a word of the ring is; `None` for a slot that there is not.
    pub(super) fn word(&self, field: Field) -> Option<usize> {
        Some(match field {
            Field::Slot(index) => return (index < self.slots).then(|| self.slot(index)),
            other => at(other),
        })
    }

    pub(super) fn ring(&self) -> Shape {
        Shape::new(self.slots)
    }

    /// Refuses what cannot be.
    pub(super) fn check(&self) -> Result<()> {
        let range = |message: String| Err(Error::range("ERR_OUT_OF_RANGE", message));
        if self.slots == 0 || self.slots > MOST_SLOTS {
            return range(format!("a queue has from 1 to {MOST_SLOTS} slots, not {}", self.slots));
        }
        if self.shape.len() > DIMENSIONS {
            return range(format!("an item has at most {DIMENSIONS} dimensions, not {}", self.shape.len()));
        }
        let item = self.shape.iter().try_fold(self.dtype.item_size(), |all, &one| all.checked_mul(one));
        let size = item.and_then(|item| item.checked_add(2 * LINE)?.checked_mul(self.slots as usize));
        match (item, size) {
            (Some(0), _) => range(format!("an item of shape {:?} has no elements", self.shape)),
            (_, Some(size)) if size <= MOST - SLOTS => Ok(()),
            _ => {
                let (slots, dtype, shape) = (self.slots, self.dtype, &self.shape);
                range(format!(
                    "{slots} items of {dtype}{shape:?} are more than the {} GB that there can be",
                    MOST >> 30
                ))
            }
        }
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

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// Writes the header of a fresh queue, which is zeros: all slots are free.
pub(super) fn write(bytes: SharedBytes<'_>, layout: &Layout) -> Result<()> {
    let dtype = DType::ALL.iter().position(|dtype| *dtype == layout.dtype).unwrap_or(0) as u32 + 1;
    let mut words = vec![
        (0, MAGIC),
        (8, pair(VERSION, VERSION)),
        (16, pair(if layout.single { 2 } else { 1 }, dtype)),
        (24, pair(layout.slots, layout.shape.len() as u32)),
        (32, layout.item() as u64),
        (40, layout.stride() as u64),
        (48, layout.item_at() as u64),
    ];
    words.extend(layout.shape.iter().enumerate().map(|(index, one)| (SHAPE + index * 8, *one as u64)));
    let all = words.iter().try_for_each(|(at, word)| bytes.store_word(*at, *word));
    all.ok_or_else(|| corrupt("it is too short"))
}

/// What a queue of `len` bytes is made of, if it is one that this version can use.
pub(super) fn read(bytes: SharedBytes<'_>, len: usize) -> Result<Layout> {
    let word = |at| bytes.load_word(at).unwrap_or(0);
    let (low, high) = (|at| word(at) as u32, |at| (word(at) >> 32) as u32);
    if word(0) != MAGIC {
        return Err(not_a_queue());
    }
    if high(8) > VERSION {
        let message = "the queue was made by a newer version of shmkit, which this one cannot work with";
        return Err(Error::own("ERR_SHM_VERSION", message));
    }
    let single = match low(16) {
        1 => false,
        2 => true,
        _ => return Err(corrupt("who may use it is not said")),
    };
    let dtype = (high(16) as usize).checked_sub(1).and_then(|at| DType::ALL.get(at));
    let dtype = *dtype.ok_or_else(|| corrupt("its element type is none"))?;
    let dimensions = high(24) as usize;
    if dimensions > DIMENSIONS {
        return Err(corrupt("its items have too many dimensions"));
    }
    let shape = (0..dimensions).map(|index| usize::try_from(word(SHAPE + index * 8)).unwrap_or(usize::MAX));
    let layout = Layout { single, dtype, slots: low(24), shape: shape.collect() };
    layout.check().map_err(|error| corrupt(&error.message))?;
    let said = [word(32), word(40), word(48)];
    if said != [layout.item(), layout.stride(), layout.item_at()].map(|it| it as u64) {
        return Err(corrupt("its sizes do not fit each other"));
    }
    if len < layout.size() {
        return Err(corrupt("somebody cut it short"));
    }
    Ok(layout)
}

pub(super) fn not_a_queue() -> Error {
    Error::own("ERR_SHM_NOT_A_QUEUE", "there is no queue in this segment")
}

#[cold]
pub(super) fn corrupt(why: &str) -> Error {
    Error::own("ERR_SHM_CORRUPT", format!("the queue was damaged by another process: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(slots: u32, dtype: DType, shape: &[usize]) -> Layout {
        Layout { single: slots == 3, dtype, slots, shape: shape.to_vec() }
    }

    #[test]
    fn what_is_written_is_read() {
        for slots in [1, 3, 1000] {
            for (dtype, shape) in
                [(DType::Int8, vec![]), (DType::Float64, vec![7]), (DType::Uint16, vec![2, 3, 40])]
            {
                let made = layout(slots, dtype, &shape);
                let mut words = vec![0; SLOTS / 8];
                write(SharedBytes::over(&mut words), &made).expect("room");
                assert_eq!(read(SharedBytes::over(&mut words), made.size()), Ok(made.clone()));
                let short = read(SharedBytes::over(&mut words), made.size() - 1);
                assert_eq!(short.expect_err("short").code, "ERR_SHM_CORRUPT");
            }
        }
    }

    #[test]
    fn small_items_lie_beside_their_word_and_others_are_aligned() {
        let places =
            |bytes| (layout(1, DType::Int8, &[bytes]).item_at(), layout(1, DType::Int8, &[bytes]).stride());
        assert_eq!(places(1), (8, 64));
        assert_eq!(places(56), (8, 64));
        assert_eq!(places(57), (64, 128));
        assert_eq!(places(64), (64, 128));
        assert_eq!(places(65), (64, 192));
    }

    #[test]
    fn a_header_of_any_words_is_refused_or_fits_its_length() {
        let mut words = vec![0; SLOTS / 8];
        write(SharedBytes::over(&mut words), &layout(10, DType::Float32, &[4, 4])).expect("room");
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let mut damaged = words.clone();
            let at = (state >> 40) as usize % 16;
            damaged[at] = if state & 1 == 0 { state >> 3 } else { (state >> 30) & 0xff };
            if let Ok(read) = read(SharedBytes::over(&mut damaged), 20_000) {
                assert!(read.size() <= 20_000);
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (slots, shape) in [
            (0, vec![1]),
            (MOST_SLOTS + 1, vec![1]),
            (1, vec![0]),
            (1, vec![1; 9]),
            (1, vec![usize::MAX, 2]),
            (1 << 20, vec![1 << 20]),
        ] {
            let error = layout(slots, DType::Int64, &shape).check().expect_err("impossible");
            assert_eq!(error.code, "ERR_OUT_OF_RANGE");
        }
    }
}
