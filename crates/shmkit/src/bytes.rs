//! How bytes that other processes write at will are touched: by relaxed atomic loads and stores, never
//! through a reference or slice, so that a racing writer is a wrong value at worst and never undefined
//! behaviour.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

/// A bounds-checked window on memory that others may change at any time.
///
/// *Invariant:* `start` is aligned to 8 and the `len` bytes from it stay mapped, readable and writable
/// for `'a`.
#[derive(Clone, Copy)]
pub struct SharedBytes<'a> {
    start: *mut u8,
    len: usize,
    alive: PhantomData<&'a ()>,
}

impl<'a> SharedBytes<'a> {
    /// A window on `len` bytes.
    ///
    /// # Safety
    /// `start` is aligned to 8, and the bytes stay mapped, readable and writable for `'a`. Nobody in this
    /// process holds a reference into them meanwhile.
    pub unsafe fn new(start: *mut u8, len: usize) -> Self {
        SharedBytes { start, len, alive: PhantomData }
    }

    /// A window on private memory, for tests and for building an image before it is published.
    pub fn over(words: &'a mut [u64]) -> Self {
        SharedBytes { start: words.as_mut_ptr().cast(), len: words.len() * 8, alive: PhantomData }
    }

    /// Where it starts.
    pub(crate) fn start(&self) -> *mut u8 {
        self.start
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The 8 bytes at `offset`, a multiple of 8, as one load. `None` outside the window.
    pub fn load_word(&self, offset: usize) -> Option<u64> {
        Some(self.atomic_word(offset)?.load(Relaxed))
    }

    /// Stores 8 bytes at `offset`, a multiple of 8, at once. `None` outside the window.
    #[must_use]
    pub fn store_word(&self, offset: usize, value: u64) -> Option<()> {
        self.atomic_word(offset)?.store(value, Relaxed);
        Some(())
    }

    /// The byte at `offset`. `None` outside the window.
    pub fn load_byte(&self, offset: usize) -> Option<u8> {
        Some(self.byte(offset)?.load(Relaxed))
    }

    /// Stores the byte at `offset`. `None` outside the window.
    #[must_use]
    pub fn store_byte(&self, offset: usize, value: u8) -> Option<()> {
        self.byte(offset)?.store(value, Relaxed);
        Some(())
    }

    /// The 4 bytes at `offset`, a multiple of 4, to be changed by several at once. `None` outside the window.
    pub fn atomic(&self, offset: usize) -> Option<&'a AtomicU32> {
        self.check(offset, 4)?;
        if !offset.is_multiple_of(4) {
            return None;
        }
        // SAFETY: the window's invariant, `check` and the test above: 4 mapped bytes, aligned to 4.
        Some(unsafe { AtomicU32::from_ptr(self.start.add(offset).cast()) })
    }

    /// A private copy of `len` bytes from `offset`. `None` outside the window.
    pub fn to_vec(&self, offset: usize, len: usize) -> Option<Vec<u8>> {
        self.check(offset, len)?;
        let mut copy = vec![0; len];
        // SAFETY: `check` put the source inside the window; the copy is ours alone and as long.
        unsafe { copy_bytes(self.start.add(offset), copy.as_mut_ptr(), len) };
        Some(copy)
    }

    /// Copies private bytes to `offset`. `None`, and nothing written, where they do not fit.
    #[must_use]
    pub fn store(&self, offset: usize, bytes: &[u8]) -> Option<()> {
        self.check(offset, bytes.len())?;
        // SAFETY: `check` put the target inside the window; `bytes` is a live slice.
        unsafe { copy_bytes(bytes.as_ptr(), self.start.add(offset), bytes.len()) };
        Some(())
    }

    /// Copies `len` bytes from `offset` to `target`. `None`, and nothing written, outside the window.
    ///
    /// # Safety
    /// `len` bytes from `target` are mapped and writable, and not referenced.
    #[must_use]
    pub unsafe fn copy_to(&self, offset: usize, target: *mut u8, len: usize) -> Option<()> {
        self.check(offset, len)?;
        // SAFETY: `check` put the source inside the window; the caller vouches for the target.
        unsafe { copy_bytes(self.start.add(offset), target, len) };
        Some(())
    }

    /// Copies `len` bytes from `source` to `offset`. `None`, and nothing written, outside the window.
    ///
    /// # Safety
    /// `len` bytes from `source` are mapped and readable; they may be shared memory too.
    #[must_use]
    pub unsafe fn copy_from(&self, offset: usize, source: *const u8, len: usize) -> Option<()> {
        self.check(offset, len)?;
        // SAFETY: `check` put the target inside the window; the caller vouches for the source.
        unsafe { copy_bytes(source, self.start.add(offset), len) };
        Some(())
    }

    fn check(&self, offset: usize, len: usize) -> Option<()> {
        (offset <= self.len && len <= self.len - offset).then_some(())
    }

    /// The 8 bytes at `offset`, a multiple of 8, to be changed by several at once. `None` outside the window.
    pub fn atomic_word(&self, offset: usize) -> Option<&'a AtomicU64> {
        self.check(offset, 8)?;
        if !offset.is_multiple_of(8) {
            return None;
        }
        // SAFETY: the window's invariant, `check` and the test above: 8 mapped bytes, aligned to 8.
        Some(unsafe { AtomicU64::from_ptr(self.start.add(offset).cast()) })
    }

    fn byte(&self, offset: usize) -> Option<&'a AtomicU8> {
        self.check(offset, 1)?;
        // SAFETY: the window's invariant and `check`: one mapped byte.
        Some(unsafe { AtomicU8::from_ptr(self.start.add(offset)) })
    }
}

/// Copies `len` bytes, eight at a time where both ends are aligned alike; right where the two overlap.
///
/// # Safety
/// Both ranges are mapped, the source readable and the target writable. Either may be shared.
unsafe fn copy_bytes(source: *const u8, target: *mut u8, len: usize) {
    // SAFETY: called with `i < len`, so both addresses are in the caller's ranges.
    let byte = |i: usize| unsafe {
        let byte = AtomicU8::from_ptr(source.add(i).cast_mut()).load(Relaxed);
        AtomicU8::from_ptr(target.add(i)).store(byte, Relaxed);
    };
    // SAFETY: called with `i + 8 <= len`, and where both addresses are aligned to 8.
    let word = |i: usize| unsafe {
        let word = AtomicU64::from_ptr(source.add(i).cast_mut().cast()).load(Relaxed);
        AtomicU64::from_ptr(target.add(i).cast()).store(word, Relaxed);
    };
    let (from, to) = (source as usize, target as usize);
    // Bytes before the first pair of aligned words, and the end of the last one.
    let head = if from % 8 == to % 8 { from.wrapping_neg() % 8 } else { len }.min(len);
    let body = head + (len - head) / 8 * 8;
    if to > from && to - from < len {
        (body..len).rev().for_each(byte);
        (head..body).step_by(8).rev().for_each(word);
        (0..head).rev().for_each(byte);
    } else {
        (0..head).for_each(byte);
        (head..body).step_by(8).for_each(word);
        (body..len).for_each(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn copies_what_a_slice_copy_would(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            offset in 0usize..300,
        ) {
            let mut memory = vec![0u64; 32];
            let shared = SharedBytes::over(&mut memory);
            let fits = offset + bytes.len() <= 256;
            prop_assert_eq!(shared.store(offset, &bytes).is_some(), fits);
            prop_assert_eq!(shared.to_vec(offset, bytes.len()), fits.then_some(bytes));
        }
    }

    proptest! {
        #[test]
        fn copies_within_itself_as_copy_within(from in 0usize..60, to in 0usize..60, len in 0usize..60) {
            let mut memory: Vec<u64> = (0..16).map(|i| 0x0101_0101_0101_0101 * i).collect();
            let shared = SharedBytes::over(&mut memory);
            let all: Vec<u8> = (0..128).collect();
            shared.store(0, &all).expect("it fits");
            let mut expected = all;
            expected.copy_within(from..from + len, to);
            // SAFETY: 60 + 60 bytes are inside of the 128.
            unsafe { shared.copy_from(to, shared.start.add(from), len) }.expect("it fits");
            prop_assert_eq!(shared.to_vec(0, 128).expect("all"), expected);
        }
    }

    #[test]
    fn refuses_what_lies_outside() {
        let mut memory = [0u64; 2];
        let shared = SharedBytes::over(&mut memory);
        assert_eq!(shared.load_word(8), Some(0));
        assert_eq!(shared.load_word(4), None, "not aligned");
        assert_eq!(shared.load_word(16), None);
        assert_eq!(shared.load_word(usize::MAX - 3), None);
        assert_eq!(shared.load_byte(16), None);
        assert!(shared.atomic(12).is_some() && shared.atomic(14).is_none() && shared.atomic(16).is_none());
        assert_eq!(shared.to_vec(usize::MAX, 2), None);
        assert_eq!(shared.store(9, &[0; 8]), None);
    }
}
