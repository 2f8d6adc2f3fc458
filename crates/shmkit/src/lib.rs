//! Named shared memory, byte for byte what Python's `multiprocessing.shared_memory` opens.
//!
//! This is the engine below the Node package; it knows nothing of JavaScript. Modules, each using only those before it:
//!
//! - [`sys`]: the operating system, a folder for each platform. [`error`], [`bytes`]: how shared bytes are accessed.
//! - [`segment`]: named segments and the life of their mappings. [`descriptor`]: what names one for another process.
//! - [`ownership`]: which process owns which segment, and what the dead ones left.
//! - [`sync`]: locks, events and waiting.
//! - [`list`] (the layout of CPython's `ShareableList`), [`array`], [`dict`], [`ring`] (queues and broadcasts), [`manager`]
//!   (the wire of CPython's `SharedMemoryManager`).

#[cfg(target_endian = "big")]
compile_error!("shmkit's layouts are native-endian and tested on little-endian machines only");

pub mod array;
pub mod bytes;
pub mod descriptor;
pub mod dict;
pub mod error;
pub mod list;
pub mod manager;
pub mod ownership;
pub mod ring;
pub mod segment;
pub mod sync;
pub mod sys;

pub use error::{Class, Error, Result};
