//! Rings of items of one size: what queues and broadcasts have in common of their bytes.
//!
//! ```text
//! 0     8   what it is
//! 8     4   version of whoever made it         12  4  the oldest version that can use it
//! 16    4   how it is used
//! 20    4   element type: 1 + its place in `DType::ALL`
//! 24    4   slots                              28  4  dimensions of an item
//! 32    8   bytes of an item                   40  8  bytes from slot to slot, a multiple of 64
//! 48    4   where in its slot the item is
//! 64    64  the dimensions, 8 bytes each
//! 128       what belongs to the one or the other
//!           slots: up to 8 bytes that say what is in it; the item in the same cache line if it fits, else from the next
//!           one on
//! ```

use std::sync::atomic::AtomicBool;

use crate::array::DType;
use crate::bytes::SharedBytes;
use crate::segment::{CreateOptions, LayoutVersion, Segment};
use crate::{Error, Result};

/// Everything is aligned to a cache line.
pub(crate) const LINE: usize = 64;
/// Items have at most so many dimensions.
pub const DIMENSIONS: usize = 8;
const SHAPE: usize = 64;
/// Where the rest of the header begins.
pub(crate) const HEADER: usize = 128;
/// The longest file: JavaScript's buffers end there in some versions.
pub const MOST: usize = 4 << 30;
/// So many slots there can be.
pub const MOST_SLOTS: u32 = 1 << 24;

const _: () = assert!(SHAPE + DIMENSIONS * 8 <= HEADER);

/// What items there are, and room for how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Items {
    /// The type of the elements.
    pub dtype: DType,
    /// How many items there is room for.
    pub slots: u32,
    /// Of an item.
    pub shape: Vec<usize>,
}

impl Items {
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
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got<T> {
    /// It succeeded.
    Done(T),
    /// There is no room, or no item, or somebody who was first is not done.
    NotNow,
    /// The ring has ended; for who takes or reads, and there is nothing left.
    Ended,
}

/// What tells the one kind of ring from the other.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) magic: u64,
    pub(crate) version: LayoutVersion,
    /// In messages.
    pub(crate) what: &'static str,
    /// The code where it is none.
    pub(crate) none: &'static str,
    /// Where the slots begin.
    pub(crate) slots: usize,
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

impl Form {
    /// Bytes of all of it.
    pub(crate) fn size(&self, items: &Items) -> usize {
        self.slots + items.slots as usize * items.stride()
    }

    /// Where a slot is.
    pub(crate) fn slot(&self, items: &Items, index: u32) -> usize {
        self.slots + index as usize * items.stride()
    }

    /// Refuses what cannot be.
    pub(crate) fn check(&self, items: &Items) -> Result<()> {
        let range = |message: String| Err(Error::range("ERR_OUT_OF_RANGE", message));
        if items.slots == 0 || items.slots > MOST_SLOTS {
            return range(format!("a {} has from 1 to {MOST_SLOTS} slots, not {}", self.what, items.slots));
        }
        if items.shape.len() > DIMENSIONS {
            return range(format!("an item has at most {DIMENSIONS} dimensions, not {}", items.shape.len()));
        }
        let item = items.shape.iter().try_fold(items.dtype.item_size(), |all, &one| all.checked_mul(one));
        let size = item.and_then(|item| item.checked_add(2 * LINE)?.checked_mul(items.slots as usize));
        match (item, size) {
            (Some(0), _) => range(format!("an item of shape {:?} has no elements", items.shape)),
            (_, Some(size)) if size <= MOST - self.slots => Ok(()),
            _ => {
                let Items { slots, dtype, shape } = items;
                range(format!(
                    "{slots} items of {dtype}{shape:?} are more than the {} GB that there can be",
                    MOST >> 30
                ))
            }
        }
    }

    /// Creates the segment of a ring with these items, which is used in this way.
    pub(crate) fn create(&self, items: &Items, usage: u32, options: &CreateOptions) -> Result<Segment> {
        self.check(items)?;
        let write = |bytes: SharedBytes<'_>| self.write(bytes, usage, items);
        Segment::create_with(self.size(items), options, &AtomicBool::new(false), write)
    }

    /// Opens the segment of the name in the options, or creates it.
    pub(crate) fn create_or_attach(
        &self,
        items: &Items,
        usage: u32,
        options: &CreateOptions,
    ) -> Result<Segment> {
        self.check(items)?;
        let write = |bytes: SharedBytes<'_>| self.write(bytes, usage, items);
        Segment::create_or_attach_with(self.size(items), options, write)
    }

    /// Writes the header of a fresh one, which is zeros.
    pub(crate) fn write(&self, bytes: SharedBytes<'_>, usage: u32, items: &Items) -> Result<()> {
        let dtype = DType::ALL.iter().position(|dtype| *dtype == items.dtype).unwrap_or(0) as u32 + 1;
        let mut words = vec![
            (0, self.magic),
            (8, self.version.word()),
            (16, pair(usage, dtype)),
            (24, pair(items.slots, items.shape.len() as u32)),
            (32, items.item() as u64),
            (40, items.stride() as u64),
            (48, items.item_at() as u64),
        ];
        words.extend(items.shape.iter().enumerate().map(|(index, one)| (SHAPE + index * 8, *one as u64)));
        let all = words.iter().try_for_each(|(at, word)| bytes.store_word(*at, *word));
        all.ok_or_else(|| self.corrupt("it is too short"))
    }

    /// How one of `len` bytes is used and what items it has, if it is one that this version can use.
    pub(crate) fn read(&self, bytes: SharedBytes<'_>, len: usize) -> Result<(u32, Items)> {
        let word = |at| bytes.load_word(at).unwrap_or(0);
        let (low, high) = (|at| word(at) as u32, |at| (word(at) >> 32) as u32);
        if word(0) != self.magic {
            return Err(self.not_one());
        }
        self.version.check(word(8), self.what)?;
        let dtype = (high(16) as usize).checked_sub(1).and_then(|at| DType::ALL.get(at));
        let dtype = *dtype.ok_or_else(|| self.corrupt("its element type is none"))?;
        let dimensions = high(24) as usize;
        if dimensions > DIMENSIONS {
            return Err(self.corrupt("its items have too many dimensions"));
        }
        let shape =
            (0..dimensions).map(|index| usize::try_from(word(SHAPE + index * 8)).unwrap_or(usize::MAX));
        let items = Items { dtype, slots: low(24), shape: shape.collect() };
        self.check(&items).map_err(|error| self.corrupt(&error.message))?;
        let said = [word(32), word(40), word(48)];
        if said != [items.item(), items.stride(), items.item_at()].map(|it| it as u64) {
            return Err(self.corrupt("its sizes do not fit each other"));
        }
        if len < self.size(&items) {
            return Err(self.corrupt("somebody cut it short"));
        }
        Ok((low(16), items))
    }

    pub(crate) fn not_one(&self) -> Error {
        Error::own(self.none, format!("there is no {} in this segment", self.what))
    }

    #[cold]
    pub(crate) fn corrupt(&self, why: &str) -> Error {
        let message = format!("the {} was damaged by another process: {why}", self.what);
        Error::own("ERR_SHM_CORRUPT", message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form {
        magic: u64::from_ne_bytes(*b"SHMTESTS"),
        version: LayoutVersion::only(1),
        what: "test",
        none: "ERR_SHM_NOT_A_TEST",
        slots: 256,
    };

    fn items(slots: u32, dtype: DType, shape: &[usize]) -> Items {
        Items { dtype, slots, shape: shape.to_vec() }
    }

    #[test]
    fn what_is_written_is_read() {
        for slots in [1, 3, 1000] {
            for (dtype, shape) in
                [(DType::Int8, vec![]), (DType::Float64, vec![7]), (DType::Uint16, vec![2, 3, 40])]
            {
                let made = items(slots, dtype, &shape);
                let mut words = vec![0; HEADER / 8];
                FORM.write(SharedBytes::over(&mut words), slots, &made).expect("room");
                let size = FORM.size(&made);
                assert_eq!(FORM.read(SharedBytes::over(&mut words), size), Ok((slots, made.clone())));
                let short = FORM.read(SharedBytes::over(&mut words), size - 1);
                assert_eq!(short.expect_err("short").code, "ERR_SHM_CORRUPT");
            }
        }
    }

    #[test]
    fn small_items_lie_beside_their_word_and_others_are_aligned() {
        let places =
            |bytes| (items(1, DType::Int8, &[bytes]).item_at(), items(1, DType::Int8, &[bytes]).stride());
        assert_eq!(places(1), (8, 64));
        assert_eq!(places(56), (8, 64));
        assert_eq!(places(57), (64, 128));
        assert_eq!(places(64), (64, 128));
        assert_eq!(places(65), (64, 192));
    }

    #[test]
    fn a_header_of_any_words_is_refused_or_fits_its_length() {
        let mut words = vec![0; HEADER / 8];
        FORM.write(SharedBytes::over(&mut words), 1, &items(10, DType::Float32, &[4, 4])).expect("room");
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let mut damaged = words.clone();
            let at = (state >> 40) as usize % 16;
            damaged[at] = if state & 1 == 0 { state >> 3 } else { (state >> 30) & 0xff };
            if let Ok((_, read)) = FORM.read(SharedBytes::over(&mut damaged), 20_000) {
                assert!(FORM.size(&read) <= 20_000);
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
            let error = FORM.check(&items(slots, DType::Int64, &shape)).expect_err("impossible");
            assert_eq!(error.code, "ERR_OUT_OF_RANGE");
        }
    }
}
