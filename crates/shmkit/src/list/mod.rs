//! The layout of CPython's `ShareableList` (3.8 to 3.15), native-endian.
//!
//! ```text
//! 0             q        N, the number of items
//! 8             (N+1)q   offsets of the slots from the data's start; the first is 0, the last is D
//! 16+8N         D bytes  data; every slot is a multiple of 8
//! 16+8N+D       N·8s     struct formats, NUL-padded: q, d, xxxxxxx?, xxxxxx?x, %ds
//! 16+16N+D      N·int8   0 plain, 1 str, 2 bytes, 3 None
//! 16+17N+D               the end (N = 0: 16 zero bytes)
//! ```
//!
//! Text is sized by its UTF-8 bytes (CPython sizes it by code points and so cuts it, gh-88336): its ASCII
//! lists are byte-identical to ours, and it reads ours whole.

pub mod format;
mod item;
mod layout;

pub use item::{Item, Needle};
pub use layout::{Layout, OwnedItem};
