//! A dict's memory: words and bytes of it, as far as there are some.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::layout::corrupt;
use crate::Result;
use crate::segment::{Mapping, Segment};

/// The file, mapped as far as it may ever grow. What lies beyond its present end must not be touched.
#[derive(Debug)]
pub(super) struct Memory {
    segment: Segment,
    mapping: Arc<Mapping>,
    /// How long the file was when it was last looked at: it only grows.
    length: AtomicUsize,
}

impl Memory {
    pub(super) fn new(segment: Segment, max: usize) -> Result<Self> {
        let mapping = Arc::new(segment.map_first(max)?);
        let length = AtomicUsize::new(segment.current_size()?.min(max));
        Ok(Memory { segment, mapping, length })
    }

    pub(super) fn segment(&self) -> &Segment {
        &self.segment
    }

    pub(super) fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    /// Whether these bytes are inside of the file.
    #[inline(always)]
    pub(super) fn check(&self, at: usize, len: usize) -> Result<()> {
        match at.checked_add(len) {
            Some(end) if end <= self.length.load(Ordering::Relaxed) => Ok(()),
            end => self.check_again(end),
        }
    }

    /// The same, of what is beyond what the file had.
    #[cold]
    fn check_again(&self, end: Option<usize>) -> Result<()> {
        let end = end.ok_or_else(|| corrupt("a length is not possible"))?;
        let length = self.segment.current_size()?.min(self.mapping.raw().1);
        self.length.store(length, Ordering::Relaxed);
        if end <= length { Ok(()) } else { Err(corrupt("a place is beyond its end")) }
    }

    /// A word that many look at.
    #[inline(always)]
    pub(super) fn word(&self, at: usize) -> Result<&AtomicU64> {
        self.check(at, 8)?;
        self.mapping.bytes().atomic_word(at).ok_or_else(|| corrupt("a place is not aligned"))
    }

    #[inline(always)]
    pub(super) fn load(&self, at: usize) -> Result<u64> {
        Ok(self.word(at)?.load(Ordering::Acquire))
    }

    #[inline(always)]
    pub(super) fn store(&self, at: usize, value: u64) -> Result<()> {
        self.word(at)?.store(value, Ordering::Release);
        Ok(())
    }

    /// Whether these bytes are there now; they may change while they are compared.
    pub(super) fn equals(&self, at: usize, bytes: &[u8]) -> Result<bool> {
        self.check(at, bytes.len())?;
        let shared = self.mapping.bytes();
        let (words, rest) = bytes.as_chunks::<8>();
        let same = words
            .iter()
            .enumerate()
            .all(|(index, word)| shared.load_word(at + index * 8) == Some(u64::from_ne_bytes(*word)));
        let rest_at = at + words.len() * 8;
        Ok(same
            && rest.iter().enumerate().all(|(index, byte)| shared.load_byte(rest_at + index) == Some(*byte)))
    }

    /// A private copy, in place of what `target` held.
    pub(super) fn copy(&self, at: usize, len: usize, target: &mut Vec<u8>) -> Result<()> {
        self.check(at, len)?;
        target.clear();
        target.reserve(len);
        let shared = self.mapping.bytes();
        // SAFETY: `reserve` made room for so many bytes, which are ours alone; `copy_to` writes all of them or none.
        unsafe {
            shared
                .copy_to(at, target.as_mut_ptr(), len)
                .ok_or_else(|| corrupt("a place is beyond its end"))?;
            target.set_len(len);
        }
        Ok(())
    }

    pub(super) fn write(&self, at: usize, bytes: &[u8]) -> Result<()> {
        self.check(at, bytes.len())?;
        self.mapping.bytes().store(at, bytes).ok_or_else(|| corrupt("a place is beyond its end"))
    }

    /// Makes the file so long, with memory behind all of it.
    pub(super) fn grow(&self, length: usize) -> Result<()> {
        self.segment.grow(length)?;
        self.length.fetch_max(length, Ordering::Relaxed);
        Ok(())
    }
}
