//! The entries of a ledger, in its file and in memory.

use std::collections::{HashMap, HashSet};

use super::directory::{LOCK_TIMEOUT, LedgerDirectory, LockMode};
use super::format::{self, Entry, FREE, Token};
use super::locked_directory::write_at;
use super::prepared::make;
use crate::Result;
use crate::error::system_error;
use crate::segment::{Identity, Name};
use crate::sys::descriptors::OwnedFd;
use crate::sys::file;
use crate::sys::process::Process;

/// From this number of records on, those of segments that other processes unlinked are removed before more are added.
const SWEPT_FROM: usize = 256;

#[derive(Debug)]
pub(super) struct LedgerEntries {
    pub(super) file: OwnedFd,
    pub(super) id: Identity,
    pub(super) records: Vec<Option<Entry>>,
    pub(super) slots: HashMap<Identity, usize>,
    free: Vec<usize>,
    sweep_at: usize,
    /// Segments that were claimed and may not be published yet: their names do not exist, but are about to.
    pub(super) pending: HashSet<Identity>,
}

impl LedgerEntries {
    /// Creates a ledger that has these records from the moment other processes can see it.
    pub(super) fn with(
        ledgers: &LedgerDirectory,
        token: Token,
        owner: Process,
        entries: Vec<Entry>,
    ) -> Result<Self> {
        LedgerEntries::of(
            make(ledgers, token, &format::ledger(token, owner, &entries), LOCK_TIMEOUT)?,
            entries,
        )
    }

    /// The entries of a file that has these records.
    pub(super) fn of(file: OwnedFd, entries: Vec<Entry>) -> Result<Self> {
        let id = file::stat(&file).map_err(system_error("fstat"))?.id;
        let slots = entries.iter().enumerate().map(|(slot, entry)| (entry.1, slot)).collect();
        let records = entries.into_iter().map(Some).collect();
        Ok(LedgerEntries {
            file,
            id,
            records,
            slots,
            free: Vec::new(),
            sweep_at: SWEPT_FROM,
            pending: HashSet::new(),
        })
    }

    /// Whether the file is still the one that other processes see. A session manager may have removed it (logind's
    /// RemoveIPC), or other code of this process may have closed the descriptor by mistake.
    pub(super) fn is_there(&self) -> bool {
        file::stat(&self.file).is_ok_and(|stat| stat.links > 0 && stat.id == self.id)
    }

    /// Opens a file again: the same one if only its descriptor was closed, else a new one of the same token with what is
    /// still owned. `note` stores the new descriptor before the old one is closed.
    pub(super) fn reopen(
        &mut self,
        ledgers: &LedgerDirectory,
        token: Token,
        owner: Process,
        note: impl FnOnce(&Self),
    ) -> Result<()> {
        let same = {
            let locked = ledgers.lock_or_make(LockMode::Shared, LOCK_TIMEOUT)?;
            locked.relock(token, self.id)
        };
        let old_id = self.id;
        let old = match same {
            Some(file) => std::mem::replace(&mut self.file, file),
            None => {
                let gone = |entry: &Entry| ledgers.is_gone(&entry.0, entry.1);
                let entries = self.records.iter().flatten().filter(|entry| !gone(entry)).cloned().collect();
                let mut owned = LedgerEntries::with(ledgers, token, owner, entries)?;
                owned.pending = std::mem::take(&mut self.pending);
                std::mem::replace(self, owned).file
            }
        };
        note(self);
        if file::stat(&old).is_ok_and(|stat| stat.id == old_id) {
            drop(old);
        } else {
            // Other code closed it, and the number may belong to another file by now.
            std::mem::forget(old);
        }
        Ok(())
    }

    pub(super) fn add(&mut self, ledgers: &LedgerDirectory, name: &Name, id: Identity) -> Result<()> {
        if self.slots.contains_key(&id) {
            // The first name was taken, and another one is tried for the same segment.
            self.remove_entry(id);
        }
        if self.free.is_empty() && self.records.len() >= self.sweep_at {
            self.sweep(ledgers);
        }
        let slot = self.free.pop().unwrap_or(self.records.len());
        let entry = (name.clone(), id);
        if let Err(error) = write_at(&self.file, &format::record(&entry), format::record_at(slot)) {
            if slot < self.records.len() {
                self.free.push(slot);
            }
            return Err(error.about(name.as_str()));
        }
        self.slots.insert(id, slot);
        match self.records.get_mut(slot) {
            Some(record) => *record = Some(entry),
            None => self.records.push(Some(entry)),
        }
        Ok(())
    }

    pub(super) fn remove_entry(&mut self, id: Identity) {
        self.pending.remove(&id);
        if let Some(slot) = self.slots.remove(&id) {
            self.records[slot] = None;
            self.free.push(slot);
            // If this fails, the record names a segment that is gone, which is harmless.
            if self.is_there() {
                let _ = write_at(&self.file, &FREE, format::record_at(slot));
            }
        }
    }

    /// Removes the entries of segments that other processes unlinked.
    pub(super) fn sweep(&mut self, ledgers: &LedgerDirectory) {
        let gone = |entry: &&Entry| !self.pending.contains(&entry.1) && ledgers.is_gone(&entry.0, entry.1);
        let gone: Vec<Identity> = self.records.iter().flatten().filter(gone).map(|entry| entry.1).collect();
        for id in gone {
            self.remove_entry(id);
        }
        self.sweep_at = SWEPT_FROM.max(2 * self.slots.len());
    }

    pub(super) fn forget(&mut self) {
        self.records.clear();
        self.slots.clear();
        self.free.clear();
    }
}
