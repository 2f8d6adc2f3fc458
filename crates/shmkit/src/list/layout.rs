//! Where everything lies in a list: computed for a new one, validated for an existing one.

use std::thread::sleep;
use std::time::Duration;

use super::format::{CODE_BYTES, CODE_NONE, CODE_STR, Format, MAX_SIZED};
use super::{Item, Needle};
use crate::bytes::SharedBytes;
use crate::{Error, Result};

/// Bytes before the offsets of the slots: the count.
const COUNT: usize = 8;
/// Bytes of the count and of the first offset: a list without items.
const EMPTY: usize = 16;
/// Bytes of an offset, a format and a code.
const PER_ITEM: usize = 17;

const _: () = assert!(EMPTY == COUNT + 8 && PER_ITEM == 8 + 8 + 1);

/// Looks at one item while another process is writing its notes, 1 ms apart.
const TORN_TRIES: u32 = 20;

/// The places of a list's parts, in a private copy: whatever others do to the header later, every access
/// stays inside the segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Where each slot starts, in words of 8 bytes from the segment's start; one more for the end.
    slots: Vec<u32>,
}

fn corrupt(what: String) -> Error {
    Error::own("ERR_SHM_CORRUPT", format!("this is no list of CPython's layout, or a damaged one: {what}"))
}

/// A place that validation has put inside the segment lies outside of it: the caller mixed up segments.
fn outside() -> Error {
    corrupt("the segment is smaller than its list".into())
}

impl Layout {
    /// The layout that CPython would choose for these items.
    ///
    /// # Errors
    /// `ERR_SHM_VALUE` for text or bytes that no slot can hold, `ERR_OUT_OF_RANGE` for too many items.
    pub fn new(items: &[Item<'_>]) -> Result<Self> {
        let too_large = || Error::range("ERR_OUT_OF_RANGE", "a list can have 32 GiB of items at most");
        let mut slots = Vec::with_capacity(items.len() + 1);
        let mut next = 2 + items.len();
        for (index, item) in items.iter().enumerate() {
            let len = item.slot_len();
            if len > MAX_SIZED {
                let message = format!(
                    "item {index} has {} bytes, and a list's slot holds {} at most",
                    item.payload().map_or(0, <[u8]>::len),
                    MAX_SIZED / 8 * 8 - 1,
                );
                return Err(Error::range("ERR_SHM_VALUE", message));
            }
            slots.push(u32::try_from(next).map_err(|_| too_large())?);
            next += len / 8;
        }
        slots.push(u32::try_from(next).map_err(|_| too_large())?);
        Ok(Layout { slots })
    }

    /// Reads and checks the whole header of a list that another process made.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT` with what is wrong: counts and offsets that do not fit into the segment or into
    /// each other, formats and codes that CPython never writes.
    pub fn read(bytes: SharedBytes<'_>) -> Result<Self> {
        let size = bytes.len();
        let count = bytes.load_word(0).filter(|_| size >= EMPTY);
        let count = count.ok_or_else(|| corrupt(format!("{size} bytes, and a list has {EMPTY} at least")))?;
        let len = usize::try_from(count).ok().filter(|len| *len <= (size - EMPTY) / PER_ITEM);
        let len = len.ok_or_else(|| {
            corrupt(format!(
                "it says it has {} items, and {size} bytes do not hold those",
                count.cast_signed()
            ))
        })?;
        let data_max = size - EMPTY - PER_ITEM * len;
        // Grown as the offsets turn out to be sound: a forged count in a sparse segment must not make us
        // allocate for it.
        let mut slots = Vec::with_capacity((len + 1).min(1 << 20));
        let mut before = 0;
        for index in 0..=len {
            let offset = bytes.load_word(COUNT + 8 * index).ok_or_else(outside)?;
            let grows = if index == 0 { offset == 0 } else { offset > before };
            if !grows || offset % 8 != 0 || offset > data_max as u64 {
                return Err(corrupt(format!(
                    "offset {index} is {}, after {before} and with {data_max} bytes for data",
                    offset.cast_signed()
                )));
            }
            if offset - before > MAX_SIZED as u64 {
                return Err(corrupt(format!("item {} has {} bytes", index - 1, offset - before)));
            }
            before = offset;
            let word = 2 + len as u64 + offset / 8;
            let word = u32::try_from(word).map_err(|_| corrupt("it is larger than 32 GiB".into()))?;
            slots.try_reserve(1).map_err(|_| Error::os(12, "malloc"))?;
            slots.push(word);
        }
        let layout = Layout { slots };
        for index in 0..len {
            layout.check_item(bytes, index)?;
        }
        Ok(layout)
    }

    /// Whether an item's notes are such as CPython writes. A format and a code that do not go together are let
    /// pass: they are what a process leaves that was killed between writing the two, and the next `set` of
    /// that item mends them.
    fn check_item(&self, bytes: SharedBytes<'_>, index: usize) -> Result<()> {
        let capacity = self.capacity(index);
        for _ in 0..TORN_TRIES {
            let (word, code) = self.tag(bytes, index)?;
            let fits = match Format::from_word(word) {
                Some(Format::Sized(len)) => len as usize <= capacity,
                Some(_) => true,
                None => false,
            };
            if fits && code <= CODE_NONE {
                return Ok(());
            }
            sleep(Duration::from_millis(1));
        }
        let (word, code) = self.tag(bytes, index)?;
        let text = String::from_utf8_lossy(&word.to_ne_bytes()).trim_end_matches('\0').to_owned();
        Err(corrupt(format!(
            "item {index} has the format {text:?} with the code {code} in a slot of {capacity} bytes"
        )))
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.slots.len() - 1
    }

    /// Whether it has no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the whole list.
    pub fn size(&self) -> usize {
        self.codes() + self.len()
    }

    /// Where each slot starts, in words of 8 bytes from the segment's start; the last is the data's end,
    /// where the formats start.
    pub fn slots(&self) -> &[u32] {
        &self.slots
    }

    fn start(&self, index: usize) -> usize {
        self.slots.get(index).map_or(0, |word| *word as usize * 8)
    }

    fn capacity(&self, index: usize) -> usize {
        self.start(index + 1) - self.start(index)
    }

    fn formats(&self) -> usize {
        self.start(self.len())
    }

    fn codes(&self) -> usize {
        self.formats() + 8 * self.len()
    }

    /// The format word and the code of an item.
    fn tag(&self, bytes: SharedBytes<'_>, index: usize) -> Result<(u64, u8)> {
        let word = bytes.load_word(self.formats() + 8 * index);
        word.zip(bytes.load_byte(self.codes() + index)).ok_or_else(outside)
    }

    /// Writes a whole new list; `bytes` are zeros and have its size, and nobody else sees them yet.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT` if the bytes or the items are not those that the layout was made for.
    pub fn write(&self, bytes: SharedBytes<'_>, items: &[Item<'_>]) -> Result<()> {
        self.try_write(bytes, items).ok_or_else(outside)
    }

    fn try_write(&self, bytes: SharedBytes<'_>, items: &[Item<'_>]) -> Option<()> {
        bytes.store_word(0, self.len() as u64)?;
        for index in 0..=self.len() {
            bytes.store_word(COUNT + 8 * index, (self.start(index) - self.start(0)) as u64)?;
        }
        let (formats, codes) = (self.formats(), self.codes());
        for (index, item) in items.iter().enumerate() {
            match item.payload() {
                Some(payload) => bytes.store(self.start(index), payload)?,
                None => bytes.store_word(self.start(index), item.word())?,
            }
            bytes.store_word(formats + 8 * index, item.format().to_word())?;
            bytes.store_byte(codes + index, item.code())?;
        }
        Some(())
    }

    /// The struct format of the whole list, as CPython's `ShareableList.format`.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT` if another process wrote a format that is none.
    pub fn format(&self, bytes: SharedBytes<'_>) -> Result<String> {
        let mut all = String::with_capacity(2 * self.len());
        for index in 0..self.len() {
            let (word, _) = self.tag(bytes, index)?;
            let word = word.to_ne_bytes();
            let text = std::str::from_utf8(&word).map_err(|_| corrupt(format!("format {index}")))?;
            all.push_str(text.trim_end_matches('\0'));
        }
        Ok(all)
    }

    /// The first index from `from` on whose item equals the needle.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT` if `bytes` are not this list's.
    pub fn position(
        &self,
        bytes: SharedBytes<'_>,
        needle: &Needle<'_>,
        from: usize,
    ) -> Result<Option<usize>> {
        for index in from..self.len() {
            if self.equals(bytes, index, needle)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// How many items equal the needle.
    ///
    /// # Errors
    /// As `position`.
    pub fn count(&self, bytes: SharedBytes<'_>, needle: &Needle<'_>) -> Result<usize> {
        let mut count = 0;
        for index in 0..self.len() {
            count += usize::from(self.equals(bytes, index, needle)?);
        }
        Ok(count)
    }

    fn equals(&self, bytes: SharedBytes<'_>, index: usize, needle: &Needle<'_>) -> Result<bool> {
        let (word, code) = self.tag(bytes, index)?;
        let Some(format) = Format::from_word(word) else { return Ok(false) };
        let start = self.start(index);
        let first = bytes.load_word(start).ok_or_else(outside)?;
        if !needle.matches(format, code, first) {
            return Ok(false);
        }
        let (Some(wanted), Format::Sized(len)) = (needle.payload(), format) else { return Ok(true) };
        let len = len as usize;
        if wanted.len() > len || len > self.capacity(index) {
            return Ok(false);
        }
        let stored = bytes.to_vec(start, len).ok_or_else(outside)?;
        Ok(stored.starts_with(wanted) && stored[wanted.len()..].iter().all(|byte| *byte == 0))
    }

    /// A private copy of an item, for callers without a mapping of their own (tests, other bindings).
    ///
    /// # Errors
    /// `ERR_OUT_OF_RANGE` for an index that is none, `ERR_SHM_CORRUPT` for a format that is none.
    pub fn get(&self, bytes: SharedBytes<'_>, index: usize) -> Result<OwnedItem> {
        if index >= self.len() {
            return Err(Error::range("ERR_OUT_OF_RANGE", format!("index {index} of {} items", self.len())));
        }
        let (word, code) = self.tag(bytes, index)?;
        let format = Format::from_word(word).ok_or_else(|| corrupt(format!("format {index}")))?;
        let start = self.start(index);
        let first = bytes.load_word(start).ok_or_else(outside)?;
        Ok(match format {
            Format::Int => OwnedItem::Int(first.cast_signed()),
            Format::Float => OwnedItem::Float(f64::from_bits(first)),
            Format::Bool => OwnedItem::Bool(first.to_ne_bytes()[7] != 0),
            Format::None => OwnedItem::None,
            Format::Sized(len) if len as usize > self.capacity(index) => {
                return Err(corrupt(format!("format {index} is larger than its slot")));
            }
            Format::Sized(len) => {
                let mut copy = bytes.to_vec(start, len as usize).ok_or_else(outside)?;
                copy.truncate(copy.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
                match code {
                    CODE_STR => OwnedItem::Str(copy),
                    CODE_BYTES => OwnedItem::Bytes(copy),
                    _ => {
                        return Err(corrupt(format!(
                            "item {index} has the code {code} with a format of bytes"
                        )));
                    }
                }
            }
        })
    }
}

/// An item copied out of a list. Text may be cut inside a character, so it comes as bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum OwnedItem {
    /// `int`.
    Int(i64),
    /// `float`.
    Float(f64),
    /// `bool`.
    Bool(bool),
    /// `None`.
    None,
    /// `str`: UTF-8, if its writer did not cut it.
    Str(Vec<u8>),
    /// `bytes`.
    Bytes(Vec<u8>),
}
