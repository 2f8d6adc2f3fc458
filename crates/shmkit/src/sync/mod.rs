//! Locks and events between processes, which survive the death of any process.
//!
//! - [`word`]: what the words mean that processes wait on; nothing of the system in it.
//! - [`SharedLock`]: one writer, or many readers. [`SharedEvent`]: set or not.
//! - `participants`: the participants of a lock. `liveness`: whether participants are alive.
//! - [`WaiterThreads`]: threads that wait for many things at once, for callers that must not block.
//!
//! A **participant** is a handle; a Node environment (the main thread or a worker) has one for each lock. It has its slot's
//! number in the file locked by the kernel (`fcntl`, of the open file description). That lock ends with the process,
//! whatever its user and its PID namespace, and taking it tells by the same call whether another participant has it.
//!
//! The lock is taken from a dead process by a swap of exactly the word that named it, so of two processes that find it
//! dead, one becomes the owner and the other one waits. What the lock guards is *inconsistent* until a process unlocks it
//! and reports that all is well.
//!
//! Each reader has a word of its own, so readers never write to the same one. A writer takes the lock, so that no new
//! readers begin, and waits until all readers are done or dead.

mod event;
mod inspect;
pub(crate) mod liveness;
mod lock;
mod lock_file;
mod participants;
mod shared_word;
mod wait;
mod waiter_threads;
pub mod word;

pub use event::{EventWait, SharedEvent};
pub use inspect::{LockState, inspect};
pub use lock::{LockAccess, LockWait, SharedLock};
pub use lock_file::LockFile;
pub use wait::{Progress, SLICE, Suspect, Wait, WakeWord, late, sleep};
pub use waiter_threads::{Ticket, WaiterThreads};
pub use word::lock::ReleaseState;
