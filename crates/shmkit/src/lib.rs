//! Named shared memory, byte for byte what Python's `multiprocessing.shared_memory` opens.
//!
//! This is the engine below the Node package; it knows nothing of JavaScript. Modules, each using only
//! those before it: [`error`], [`bytes`] (how shared bytes are touched), [`segment`] (named segments and
//! the life of their mappings), [`list`] (the layout of CPython's `ShareableList`), [`ledger`] (who owns what,
//! and what the dead left), [`python_tracker`] (CPython's, told on request), [`tracker`] (the way to the companion process), [`census`] (what there is),
//! [`manager`] (the wire of CPython's `SharedMemoryManager`).

#[cfg(target_endian = "big")]
compile_error!("shmkit's layouts are native-endian and tested on little-endian machines only");

pub mod array;
pub mod bytes;
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
