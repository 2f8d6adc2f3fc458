//! Who owns what, so that nothing leaks: each process writes down the segments that it owns, and whoever finds
//! a dead process's list removes what is on it.
//!
//! ```text
//! /dev/shm/
//!   NAME …                     segments
//!   .shmkit-UID/               one for each user, nobody else can write to it  (ledgers.rs)
//!     TOKEN.ledger             a process's list, locked for as long as it lives (format.rs, owned.rs)
//!     TOKEN.manager            where that process listens, if it is a manager           (crate::manager)
//!     moved/                   segments that are looked at                              (take.rs)
//!     tracker, tracker.lock    the companion process                            (crate::ownership::tracker)
//! ```
//!
//! - A ledger appears already locked (`flock`). **Dead** is a ledger whose lock can be had; one whose lock
//!   cannot be asked for is nobody's to take. The lock goes with the process, however it ends, and it means
//!   the same in every PID namespace.
//! - A segment is listed by name *and* inode, and only a name that still has that inode is removed: one that a
//!   stranger made under the same name stays.
//! - A segment that a live ledger lists too stays. Adopting holds the directory's lock shared and reaping holds
//!   it exclusively, so no owner can appear while somebody decides that there is none.

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

pub use current::{existing, process, take_over};
pub use directory::{LedgerDirectory, PATIENCE};
pub use format::Token;
pub use ledger::Ledger;
pub use open_directory::{Liveness, OpenDirectory};
pub use prepared::PreparedLedger;
pub use reap::{Reaped, if_no_ledger_is_alive, reap};
pub use survey::{Survey, SurveyedLedger, orphans, survey};
pub use unlink::{unlink, unlink_by_name};

pub use crate::sys::process::{Process, this_pid_namespace};
