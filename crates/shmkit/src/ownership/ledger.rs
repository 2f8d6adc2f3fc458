//! A process's own ledger.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::directory::{LOCK_TIMEOUT, LedgerDirectory, LockMode, NameState};
use super::entries::LedgerEntries;
use super::format::{self, Entry, Token};
use super::locked_directory::{LockedDirectory, write_at};
use super::python_tracker;
use super::reap::{self, Owners};
use crate::error::system_error;
use crate::segment::{self, Identity, Name};
use crate::sys::Errno;
use crate::sys::descriptors::{AsRawFd, OwnedFd};
use crate::sys::fork::Descriptor;
use crate::sys::process::Process;
use crate::{Error, Result};

/// What a process owns: a locked file that other processes read, and the same entries in memory.
///
/// Any thread may use it.
#[derive(Debug)]
pub struct Ledger {
    ledgers: LedgerDirectory,
    token: Token,
    owner: Process,
    /// The number of the descriptor, which a forked child closes.
    descriptor: Option<&'static Descriptor>,
    owned: Mutex<LedgerEntries>,
}

impl Ledger {
    /// Creates this process's ledger. It is locked from the start, and dead as soon as the process is.
    ///
    /// # Errors
    /// `ERR_SHM_UNSAFE_LEDGERS` if other users can write to the directory; else the system's.
    pub fn new(ledgers: LedgerDirectory) -> Result<Self> {
        Self::new_with_descriptor(ledgers, None)
    }

    /// As `new`; stores the number of the descriptor that holds the lock.
    pub(super) fn new_with_descriptor(
        ledgers: LedgerDirectory,
        descriptor: Option<&'static Descriptor>,
    ) -> Result<Self> {
        let (token, owner) = (Token::random()?, Process::current());
        let owned = LedgerEntries::with(&ledgers, token, owner, Vec::new())?;
        let ledger = Ledger { ledgers, token, owner, descriptor, owned: Mutex::new(owned) };
        ledger.note(&ledger.owned());
        Ok(ledger)
    }

    /// This process's ledger, which its starter prepared and locked.
    ///
    /// # Errors
    /// The system's.
    pub fn take_over(ledgers: LedgerDirectory, token: Token, file: OwnedFd) -> Result<Self> {
        Self::take_over_with_descriptor(ledgers, token, file, None)
    }

    /// As `take_over`; stores the number of the descriptor that holds the lock.
    pub(super) fn take_over_with_descriptor(
        ledgers: LedgerDirectory,
        token: Token,
        file: OwnedFd,
        descriptor: Option<&'static Descriptor>,
    ) -> Result<Self> {
        let owner = Process::current();
        write_at(&file, &format::ledger(token, owner, &[]), 0)?;
        let owned = Mutex::new(LedgerEntries::of(file, Vec::new())?);
        let ledger = Ledger { ledgers, token, owner, descriptor, owned };
        ledger.note(&ledger.owned());
        Ok(ledger)
    }

    /// What names it.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Where it is.
    pub fn ledgers(&self) -> &LedgerDirectory {
        &self.ledgers
    }

    fn note(&self, owned: &LedgerEntries) {
        if let Some(descriptor) = self.descriptor {
            descriptor.set(owned.file.as_raw_fd(), owned.id.inode);
        }
    }

    fn owned(&self) -> MutexGuard<'_, LedgerEntries> {
        self.owned.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The entries, with a file that can be written to.
    fn open_owned(&self) -> Result<MutexGuard<'_, LedgerEntries>> {
        let mut owned = self.owned();
        if !owned.is_there() {
            owned.reopen(&self.ledgers, self.token, self.owner, |owned| self.note(owned))?;
        }
        Ok(owned)
    }

    /// Whether the process is an owner of this segment.
    ///
    /// # Errors
    /// As `adopt`.
    pub fn owns(&self, id: Identity) -> Result<bool> {
        Ok(self.open_owned()?.slots.contains_key(&id))
    }

    /// Makes the process an owner of an existing segment. Has no effect if it is one.
    ///
    /// # Errors
    /// `ERR_SHM_UNLINKED` if the name does not belong to that segment any more, `EPERM` for another user's,
    /// `ERR_SHM_BUSY`.
    pub fn adopt(&self, name: &Name, id: Identity) -> Result<()> {
        if self.owns(id)? {
            return Ok(());
        }
        python_tracker::check(name)?;
        // While this is held, no process decides that the segment has no owner.
        let mut locked = self.ledgers.lock_or_make(LockMode::Shared, LOCK_TIMEOUT)?;
        if self.ledgers.name_state(name) == NameState::Directory {
            drop(locked);
            self.ledgers.lock_or_make(LockMode::Exclusive, LOCK_TIMEOUT)?.recover();
            locked = self.ledgers.lock_or_make(LockMode::Shared, LOCK_TIMEOUT)?;
        }
        match self.ledgers.name_state(name) {
            NameState::Segment { id: there, mine: true } if there == id => {}
            // Processes of its own user do not read this user's ledgers, and would unlink it.
            NameState::Segment { id: there, mine: false } if there == id => {
                let error = system_error("shm_unlink")(Errno::PERM);
                return Err(
                    Error { message: "only its user can own a segment".into(), ..error }.about(name.as_str())
                );
            }
            _ => {
                let message = "the segment was unlinked, so it cannot be adopted";
                return Err(Error::own("ERR_SHM_UNLINKED", message).about(name.as_str()));
            }
        }
        self.own(locked, name, id)
    }

    /// Adds a segment that exists, under the shared lock.
    fn own(&self, locked: LockedDirectory, name: &Name, id: Identity) -> Result<()> {
        let added = self.owned().add(&self.ledgers, name, id);
        drop(locked);
        added?;
        python_tracker::register(name);
        Ok(())
    }

    /// Ends this process's ownership of a segment that another process owns: the one whose ledger is `new_owner`, or one
    /// without a ledger, such as a manager of CPython's. Returns false if the new owner is dead and reaped; then nothing
    /// has changed.
    ///
    /// # Errors
    /// `ERR_SHM_BUSY`; else the system's.
    pub fn hand_over(&self, name: &Name, id: Identity, new_owner: Option<Token>) -> Result<bool> {
        // While this is held, no ledger is removed: if the new owner is dead, a reaper finds the segment in its
        // ledger.
        let locked = self.ledgers.lock_or_make(LockMode::Shared, LOCK_TIMEOUT)?;
        if new_owner.is_some_and(|token| !locked.has(token)) {
            return Ok(false);
        }
        self.remove_entry(id);
        drop(locked);
        python_tracker::unregister(name);
        Ok(true)
    }

    /// Removes the entry of a segment that has no name any more.
    pub(super) fn remove_entry(&self, id: Identity) {
        self.owned().remove_entry(id);
    }

    /// Ends the ownership of everything, at the end of the process: unlinks what no other process owns, and removes
    /// the ledger. What is not done within `timeout` is left to other processes.
    pub fn leave(&self, timeout: Duration) {
        // Another thread may have it, and wait for the lock of the directory.
        let Ok(mut owned) = self.owned.try_lock() else { return };
        if !owned.is_there() || !owned.pending.is_empty() {
            return;
        }
        let entries: Vec<Entry> = owned.records.iter().flatten().cloned().collect();
        let removed = reap::leave(&self.ledgers, self.token, &entries, timeout);
        if !owned.is_there() {
            owned.forget();
        }
        drop(owned);
        removed.iter().for_each(python_tracker::unregister);
    }
}

impl segment::Owner for Ledger {
    fn claim(&self, name: &Name, id: Identity) -> Result<()> {
        python_tracker::check(name)?;
        let mut owned = self.open_owned()?;
        owned.add(&self.ledgers, name, id)?;
        owned.pending.insert(id);
        Ok(())
    }

    fn published(&self, name: &Name, id: Identity) {
        self.owned().pending.remove(&id);
        python_tracker::register(name);
    }

    fn disclaim(&self, id: Identity) {
        self.remove_entry(id);
    }

    fn free_name(&self, name: &Name) -> bool {
        reap::free_name(&self.ledgers, name, LOCK_TIMEOUT).unwrap_or(false)
    }

    fn join(&self, name: &Name, id: Identity) -> Result<bool> {
        if self.open_owned()?.slots.contains_key(&id) {
            return Ok(true);
        }
        let locked = self.ledgers.lock_or_make(LockMode::Shared, LOCK_TIMEOUT)?;
        let mine = match self.ledgers.name_state(name) {
            NameState::Segment { id: there, mine } if there == id => mine,
            NameState::Directory => false,
            _ => return Ok(false),
        };
        match reap::owners_of(&locked, id)? {
            Owners::Alive if mine => {
                python_tracker::check(name)?;
                self.own(locked, name, id)?;
                Ok(true)
            }
            Owners::Dead if mine => Ok(false),
            _ => Ok(true),
        }
    }
}
