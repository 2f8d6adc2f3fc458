//! Linux, with glibc or musl.

pub mod attached;
pub mod daemon;
pub mod descriptors;
pub mod dir;
pub mod errno;
pub mod file;
pub mod fork;
pub mod lock;
pub mod map;
pub mod memory_limit;
pub mod module;
pub mod pipe;
pub mod poll;
pub mod process;
pub mod shm;
pub mod signal;
pub mod socket;
pub mod spawn;
pub mod wait;
