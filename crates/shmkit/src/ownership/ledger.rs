//! A process's own ledger.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::directory::{LedgerDirectory, LockMode, NameState, PATIENCE};
use super::entries::LedgerEntries;
use super::format::{self, Entry, Token};
use super::locked_directory::{LockedDirectory, write_at};
use super::python_tracker;
use super::reap::{self, Owners};
use crate::error::system_error;
use crate::segment::{self, Identity, Name};
use crate::sys::Errno;
use crate::sys::fork::Descriptor;
use crate::sys::process::Process;
use crate::{Error, Result};

/// What a process owns: a locked file for others to see, and the same in memory.
///
/// Any thread may use it.
#[derive(Debug)]
pub struct Ledger {
    ledgers: LedgerDirectory,
    token: Token,
    owner: Process,
    /// Where a forked child finds the descriptor that it must not keep.
    descriptor: Option<&'static Descriptor>,
    owned: Mutex<LedgerEntries>,
}

impl Ledger {
    /// Makes this process's ledger. It appears locked, and is dead as soon as the process is.
    ///
    /// # Errors
    /// `ERR_SHM_UNSAFE_LEDGERS` where others can write to the directory; else what the system says.
    pub fn new(ledgers: LedgerDirectory) -> Result<Self> {
        Self::new_with_descriptor(ledgers, None)
    }

    /// As `new`; the descriptor that holds the lock is noted there.
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

    /// This process's ledger, which its starter prepared. It keeps the lock that it appeared with.
    ///
    /// # Errors
    /// What the system says.
    pub fn take_over(ledgers: LedgerDirectory, token: Token, file: OwnedFd) -> Result<Self> {
        Self::take_over_with_descriptor(ledgers, token, file, None)
    }

    /// As `take_over`; the descriptor that holds the lock is noted there.
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

    /// The owned, its file there to be written to.
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

    /// Makes the process an owner of an existing segment, unless it is one.
    ///
    /// # Errors
    /// `ERR_SHM_UNLINKED` where the name does not belong to that segment any more, `EPERM` for another user's,
    /// `ERR_SHM_BUSY`.
    pub fn adopt(&self, name: &Name, id: Identity) -> Result<()> {
        if self.owns(id)? {
            return Ok(());
        }
        python_tracker::check(name)?;
        // As long as this is held, nobody decides that the segment has no owner.
        let mut locked = self.ledgers.lock_or_make(LockMode::Shared, PATIENCE)?;
        if self.ledgers.name_state(name) == NameState::Directory {
            drop(locked);
            self.ledgers.lock_or_make(LockMode::Exclusive, PATIENCE)?.recover();
            locked = self.ledgers.lock_or_make(LockMode::Shared, PATIENCE)?;
        }
        match self.ledgers.name_state(name) {
            NameState::Segment { id: there, mine: true } if there == id => {}
            // Its own user's ledgers would not know of this owner, and would unlink it all the same.
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

    /// Adds a segment that was found to be there, under the shared lock.
    fn own(&self, locked: LockedDirectory, name: &Name, id: Identity) -> Result<()> {
        let added = self.owned().add(&self.ledgers, name, id);
        drop(locked);
        added?;
        python_tracker::register(name);
        Ok(())
    }

    /// Ends this process's ownership of a segment that another one owns by now: the one whose ledger is `heir`'s, or one
    /// that has no ledger, as CPython's managers. False where the heir is dead and forgotten: then nothing has changed.
    ///
    /// # Errors
    /// `ERR_SHM_BUSY`; else what the system says.
    pub fn hand_over(&self, name: &Name, id: Identity, heir: Option<Token>) -> Result<bool> {
        // While this is held, no ledger goes: of a dead heir a reaper finds the segment on that one.
        let locked = self.ledgers.lock_or_make(LockMode::Shared, PATIENCE)?;
        if heir.is_some_and(|heir| !locked.has(heir)) {
            return Ok(false);
        }
        self.remove_entry(id);
        drop(locked);
        python_tracker::unregister(name);
        Ok(true)
    }

    /// Strikes a segment off that has no name any more.
    pub(super) fn remove_entry(&self, id: Identity) {
        self.owned().remove_entry(id);
    }

    /// Ends the ownership of everything: what nobody else owns is unlinked, and the ledger goes. For the end
    /// of a process; what it does not get done within `patience` is left to the others.
    pub fn leave(&self, patience: Duration) {
        // Another thread may be at it, and would be waited for while it waits for the lock.
        let Ok(mut owned) = self.owned.try_lock() else { return };
        if !owned.is_there() || !owned.pending.is_empty() {
            return;
        }
        let entries: Vec<Entry> = owned.records.iter().flatten().cloned().collect();
        let removed = reap::leave(&self.ledgers, self.token, &entries, patience);
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
        reap::free_name(&self.ledgers, name, PATIENCE).unwrap_or(false)
    }

    fn join(&self, name: &Name, id: Identity) -> Result<bool> {
        if self.open_owned()?.slots.contains_key(&id) {
            return Ok(true);
        }
        let locked = self.ledgers.lock_or_make(LockMode::Shared, PATIENCE)?;
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
