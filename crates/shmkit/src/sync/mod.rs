//! Locks and events between processes, that survive whoever dies with one.
//!
//! - [`word`]: what the words mean that processes wait on; nothing of the system in it.
//! - [`SharedLock`]: one writes, or many read. [`SharedEvent`]: set or not.
//! - `participants`: who takes part in a lock, `members`: in a ring. `presence`: whether they live.
//! - [`WaiterThreads`]: threads that wait for many of them at once, for who must not be blocked.
//!
//! A **participant** is a handle, of which a Node environment (the main thread or a worker) has one for each lock.
//! It holds its slot's number in the file by a lock of the kernel's (`fcntl`, of the open file description), which
//! is gone when the process is, whatever its user and its PID namespace; and whoever gets hold of a number finds out
//! by that very call that nobody has it. The design had the ledgers' tokens for this; those of other users
//! cannot be asked, and a reaper removes them.
//!
//! A process that is found dead is taken the lock from by a swap of exactly the word that named it, so that two who
//! find it dead are one owner and one who waits. What it guarded is *inconsistent* until somebody lets go of the lock
//! with all being well.
//!
//! Those who read have a word each and so never touch the same one: whoever wants to write takes the lock, so that no
//! others begin, and waits until all who read are done or dead.

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
pub use lock::{LockWait, SharedLock, Want};
pub use lock_file::LockFile;
pub use wait::{Progress, SLICE, Suspect, Wait, WakeWord, late, sleep};
pub use waiter_threads::{Ticket, WaiterThreads};
pub use word::lock::Left;
