//! Which process owns which segment, so that nothing leaks: each process lists the segments that it owns in a ledger, and
//! any process that finds the ledger of a dead one removes what is in it.
//!
//! ```text
//! /dev/shm/
//!   NAME …                     segments
//!   .shmkit-UID/               one for each user; no other user can write to it      (directory.rs)
//!     TOKEN.ledger             a process's ledger, locked while it is alive          (ledger.rs, entries.rs, format.rs)
//!     TOKEN.manager            the socket of that process, if it is a manager        (crate::manager)
//!     moved/                   segments that are being checked                       (unlink_if_same.rs)
//!     tracker, tracker.lock    the companion process                                 (tracker.rs)
//! ```
//!
//! - A ledger is locked (`flock`) from the start. It is **dead** if its lock is available; if the system does not say, it
//!   must not be reaped. The lock ends with the process, however that ends, and means the same in every PID namespace.
//! - A segment is listed by name *and* inode, and a name is removed only if it still has that inode: a segment that
//!   another program created under the same name stays.
//! - A segment that a live ledger lists too stays. Adopting holds the directory's lock shared and reaping holds it
//!   exclusively, so no process becomes an owner while another one decides that there is none.

mod current;
mod deferred_free;
mod directory;
mod entries;
mod format;
pub mod inventory;
mod ledger;
mod locked_directory;
mod open_directory;
mod prepared;
pub mod python_tracker;
mod reap;
mod survey;
pub mod tracker;
mod unlink;
mod unlink_if_same;

pub use current::{current, existing, take_over};
pub use directory::{LOCK_TIMEOUT, LedgerDirectory};
pub use format::Token;
pub use ledger::Ledger;
pub use open_directory::{Liveness, OpenDirectory};
pub use prepared::PreparedLedger;
pub use reap::{Reaped, if_no_ledger_is_alive, reap};
pub use survey::{Survey, SurveyedLedger, orphans, survey};
pub use unlink::{unlink, unlink_by_name};

pub use crate::sys::process::{Process, this_pid_namespace};
