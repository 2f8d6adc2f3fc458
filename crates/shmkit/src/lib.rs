//! Named shared memory, byte for byte what Python's `multiprocessing.shared_memory` opens.
//!
//! This is the engine below the Node package; it knows nothing of JavaScript. Modules, each using only
//! those before it: [`error`], [`bytes`] (how shared bytes are touched), [`segment`] (named segments and
//! the life of their mappings), [`list`] (the layout of CPython's `ShareableList`).

#[cfg(target_endian = "big")]
compile_error!("shmkit's layouts are native-endian and tested on little-endian machines only");

pub mod bytes;
pub mod error;
pub mod list;
pub mod segment;

pub use error::{Class, Error, Result};
