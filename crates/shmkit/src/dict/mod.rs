//! A table of keys and values in shared memory: read without a lock, written by one at a time, whole after every
//! death. Drawn in `layout`.
//!
//! - `layout`: the bytes. `memory`: how they are touched. `heap`: blocks of them.
//! - `read`: looking up. `write`: one key at a time. `commit`: several at once. `recover`: after a writer died.
//! - `value`: the kinds of values, which this module only stores.
//!
//! Whoever writes has the lock of the dict's segment (`sync::SharedLock::sidecar`), and calls `recover` first when that
//! says that the last one died. This module does not take it: waiting is the caller's.

mod commit;
mod heap;
mod keys;
mod layout;
mod memory;
mod read;
mod recover;
pub mod value;
mod write;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use commit::Batch;
pub use read::Lookup;
pub use value::ValueKind;

use memory::Memory;

use crate::Result;
use crate::error::system_error;
use crate::segment::{AttachOptions, CreateOptions, Mapping, Name, Segment};
use crate::sys::shm;

/// The longest key, in bytes of UTF-8.
pub const KEY_MAX: usize = 1 << 16;
/// The shortest file.
pub const LEAST: usize = 8 << 10;
/// The longest file: 64 GB, as far as slots can say.
pub const MOST: usize = 1 << 36;

/// Where JavaScript finds what it looks at itself, in bytes. `layout` says what that is.
pub const VERSION_AT: usize = layout::VERSION;
#[allow(missing_docs)]
pub const COUNT_AT: usize = layout::COUNT;
#[allow(missing_docs)]
pub const ROOT_AT: usize = layout::ROOT;
#[allow(missing_docs)]
pub const LIMIT_AT: usize = layout::LIMIT;
#[allow(missing_docs)]
pub const FREE_AT: usize = layout::FREE;
#[allow(missing_docs)]
pub const BLOCKS_AT: usize = layout::BLOCKS;

/// Bytes of the blocks of each size class.
pub fn class_sizes() -> impl Iterator<Item = usize> {
    (0..layout::CLASSES).map(layout::class_size)
}

/// An open dict.
#[derive(Debug)]
pub struct SharedDict {
    memory: Memory,
}

impl SharedDict {
    /// Makes an empty one of `size` bytes, which may grow to `max`.
    ///
    /// # Errors
    /// As `Segment::create`.
    pub fn create(size: usize, max: usize, options: &CreateOptions) -> Result<Self> {
        let max = max.clamp(LEAST, MOST);
        let size = size.clamp(LEAST, max).next_multiple_of(4096).min(max);
        let segment =
            Segment::create_with(size, options, &AtomicBool::new(false), |bytes| layout::write(bytes, max))?;
        Self::over(segment)
    }

    /// Opens an existing one.
    ///
    /// # Errors
    /// `ERR_SHM_NOT_A_DICT`, `ERR_SHM_VERSION`, `ERR_SHM_CORRUPT`; else as `Segment::attach`.
    pub fn attach(name: &Name, options: &AttachOptions) -> Result<Self> {
        Self::over(Segment::attach(name, &AttachOptions { reserve: false, ..options.clone() })?)
    }

    /// The one of the name in the options, created if it does not exist.
    ///
    /// # Errors
    /// As `create` and `attach`.
    pub fn create_or_attach(size: usize, max: usize, options: &CreateOptions) -> Result<Self> {
        let max = max.clamp(LEAST, MOST);
        let size = size.clamp(LEAST, max).next_multiple_of(4096).min(max);
        let segment = Segment::create_or_attach_with(size, options, |bytes| layout::write(bytes, max));
        Self::over(segment?)
    }

    /// How long a dict may become where nobody says so: a quarter of what the filesystem has left.
    ///
    /// # Errors
    /// The system's.
    pub fn default_max() -> Result<usize> {
        let free = shm::free_space().map_err(system_error("statvfs"))?.unwrap_or(MOST as u64);
        Ok(usize::try_from(free / 4).unwrap_or(MOST).clamp(1 << 20, MOST))
    }

    fn over(segment: Segment) -> Result<Self> {
        let about = |error: crate::Error| error.about(segment.name().as_str());
        if segment.size() < LEAST {
            let message = "there is no dict in this segment";
            return Err(about(crate::Error::own("ERR_SHM_NOT_A_DICT", message)));
        }
        let max = layout::read(segment.map_first(layout::BLOCKS)?.bytes()).map_err(about)?;
        Ok(SharedDict { memory: Memory::new(segment, max)? })
    }

    /// Its segment.
    pub fn segment(&self) -> &Segment {
        self.memory.segment()
    }

    /// All that it may grow to; only its first page is sure to be there.
    pub fn mapping(&self) -> &Arc<Mapping> {
        self.memory.mapping()
    }

    /// A private view of all of it: what is written to it reaches nobody.
    ///
    /// # Errors
    /// As `Segment::mapping`.
    pub fn map_privately(&self) -> Result<Mapping> {
        self.segment().map_first_privately(self.mapping().raw().1)
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn len(&self) -> Result<u64> {
        self.memory.load(layout::COUNT)
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Bytes that it has taken so far.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn byte_length(&self) -> Result<u64> {
        self.memory.load(layout::LIMIT)
    }

    /// Bytes of its mapping that may be touched.
    ///
    /// # Errors
    /// The system's.
    pub fn current_size(&self) -> Result<usize> {
        Ok(self.segment().current_size()?.min(self.mapping().raw().1))
    }

    /// Changes with every commit, and is odd while one is applied.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn version(&self) -> Result<u64> {
        self.memory.load(layout::VERSION)
    }

    /// Of short keys it is one that JavaScript can make as well (`src/dict/call-buffer.ts`).
    #[inline]
    fn hash(key: &[u8]) -> u32 {
        if key.len() > HASHED_AS_WORDS {
            let hash = xxhash_rust::xxh3::xxh3_64(key);
            return (hash ^ (hash >> 32)) as u32;
        }
        let (words, rest) = key.as_chunks::<4>();
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        let mix = |hash: u32, word: [u8; 4]| {
            let hash = (hash ^ u32::from_le_bytes(word)).wrapping_mul(0x9e37_79b1);
            hash ^ (hash >> 15)
        };
        let hash = words.iter().fold(key.len() as u32, |hash, word| mix(hash, *word));
        let hash = mix(hash, last).wrapping_mul(0x85eb_ca6b);
        hash ^ (hash >> 13)
    }
}

/// The longest key whose hash is made of its 32-bit words.
pub const HASHED_AS_WORDS: usize = 64;

/// A point at which a writer may die; tests make it so.
#[inline]
fn step(_name: &'static str) {
    #[cfg(test)]
    tests::at(_name);
}

#[cfg(test)]
mod tests;
