//! A process's own ledger.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rustix::fs::fstat;

use super::format::{self, Contents, Entry, FREE, Owner, Token};
use super::home::{Directory, Home, Lock, identity, write_at};
use super::process::current_owner;
use crate::segment::{self, Identity, Name};
use crate::{Error, Result, python_tracker};

/// For how long the ledgers' lock is waited for; a reaper holds it for a few milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// From this many records on, those of segments that others unlinked are looked for before more are added.
const SWEPT_FROM: usize = 256;

/// What a process owns: a locked file for others to see, and the same in memory.
///
/// Any thread may use it.
#[derive(Debug)]
pub struct Ledger {
    home: Home,
    token: Token,
    owner: Owner,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    file: OwnedFd,
    id: Identity,
    records: Vec<Option<Entry>>,
    slots: HashMap<Identity, usize>,
    free: Vec<usize>,
    sweep_at: usize,
}

impl Ledger {
    /// Makes this process's ledger. It appears locked, and is dead as soon as the process is.
    ///
    /// # Errors
    /// `ERR_SHM_UNSAFE_LEDGERS` where others can write to the directory; else what the system says.
    pub fn new(home: Home) -> Result<Self> {
        let (token, owner) = (Token::random()?, current_owner());
        let book = Book::open(&home, token, owner)?;
        Ok(Ledger { home, token, owner, book: Mutex::new(book) })
    }

    /// What names it.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Where it is.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The descriptor that holds the lock.
    pub(super) fn descriptor(&self) -> i32 {
        self.book().file.as_raw_fd()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The book, its file there to be written to.
    fn open_book(&self) -> Result<MutexGuard<'_, Book>> {
        let mut book = self.book();
        if !book.is_there() {
            book.reopen(self)?;
        }
        Ok(book)
    }

    /// Makes the process an owner of an existing segment, unless it is one.
    ///
    /// # Errors
    /// `ERR_SHM_UNLINKED` where the name does not belong to that segment any more, `EPERM` for another user's,
    /// `ERR_SHM_BUSY`.
    pub fn adopt(&self, name: &Name, id: Identity) -> Result<()> {
        if self.book().slots.contains_key(&id) {
            return Ok(());
        }
        python_tracker::check(name)?;
        // As long as this is held, nobody decides that the segment has no owner.
        let _locked = self.home.make_locked(Lock::Shared, PATIENCE)?;
        let found = self.home.look(name);
        if found.is_some_and(|(_, mine)| !mine) {
            let error = Error::os(1, "shm_unlink"); // what removing it would say
            return Err(
                Error { message: "only its user can own a segment".into(), ..error }.about(name.as_str())
            );
        }
        if found.is_none_or(|(there, _)| there != id) {
            let message = "the segment was unlinked, so it cannot be adopted";
            return Err(Error::own("ERR_SHM_UNLINKED", message).about(name.as_str()));
        }
        self.open_book()?.add(&self.home, name, id)?;
        python_tracker::register(name);
        Ok(())
    }

    /// Strikes a segment off that has no name any more.
    pub(super) fn strike(&self, id: Identity) {
        self.book().strike(id);
    }

    /// Ends the ownership of everything: what nobody else owns is unlinked, and the ledger goes. For the end
    /// of a process; what it does not get done within `patience` is left to the others.
    pub fn leave(&self, patience: Duration) {
        let Ok(mut book) = self.book.try_lock() else { return };
        if !book.is_there() {
            return;
        }
        let entries: Vec<Entry> = book.records.drain(..).flatten().collect();
        book.slots.clear();
        book.free.clear();
        let Ok(Some(directory)) = self.home.open() else { return };
        let Ok(Some(locked)) = directory.lock(Lock::Exclusive, patience) else { return };
        if let Ok(removed) = super::reap::remove_unowned(&locked, &entries, self.token) {
            locked.remove(self.token);
            removed.iter().for_each(python_tracker::unregister);
        }
    }
}

impl segment::Claim for Ledger {
    fn claim(&self, name: &Name, id: Identity) -> Result<()> {
        python_tracker::check(name)?;
        self.open_book()?.add(&self.home, name, id)
    }

    fn published(&self, name: &Name) {
        python_tracker::register(name);
    }

    fn disclaim(&self, id: Identity) {
        self.strike(id);
    }
}

impl Book {
    fn open(home: &Home, token: Token, owner: Owner) -> Result<Self> {
        let locked = home.make_locked(Lock::Shared, PATIENCE)?;
        let file = locked.create(token, &format::header(token, owner))?;
        let id = identity(&fstat(&file).map_err(super::home::os("fstat"))?);
        drop(locked);
        Ok(Book {
            file,
            id,
            records: Vec::new(),
            slots: HashMap::new(),
            free: Vec::new(),
            sweep_at: SWEPT_FROM,
        })
    }

    /// Whether the file is still the one that others see. A session manager may have removed it (logind's
    /// RemoveIPC), and a program that closes all descriptors may have closed this one.
    fn is_there(&self) -> bool {
        fstat(&self.file).is_ok_and(|stat| stat.st_nlink > 0 && identity(&stat) == self.id)
    }

    /// Makes the file anew, under the same token, with what is still owned.
    fn reopen(&mut self, ledger: &Ledger) -> Result<()> {
        let book = Book::open(&ledger.home, ledger.token, ledger.owner)?;
        let old = std::mem::replace(self, book);
        if fstat(&old.file).is_ok_and(|stat| identity(&stat) == old.id) {
            drop(old.file);
        } else {
            // Somebody closed it, and the number may be somebody else's file by now.
            std::mem::forget(old.file);
        }
        super::process::note_descriptor(ledger.token, self.file.as_raw_fd());
        for (name, id) in old.records.into_iter().flatten() {
            if ledger.home.who_has(&name) == Some(id) {
                self.add(&ledger.home, &name, id)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, home: &Home, name: &Name, id: Identity) -> Result<()> {
        if self.slots.contains_key(&id) {
            // A name was taken, and another is tried for the same segment.
            self.strike(id);
        }
        if self.free.is_empty() && self.records.len() >= self.sweep_at {
            self.sweep(home);
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

    fn strike(&mut self, id: Identity) {
        if let Some(slot) = self.slots.remove(&id) {
            self.records[slot] = None;
            self.free.push(slot);
            // Where it fails the record names a segment that is gone, which does no harm.
            if self.is_there() {
                let _ = write_at(&self.file, &FREE, format::record_at(slot));
            }
        }
    }

    /// Strikes off what others unlinked.
    fn sweep(&mut self, home: &Home) {
        let gone = |entry: &&Entry| home.who_has(&entry.0) != Some(entry.1);
        let gone: Vec<Identity> = self.records.iter().flatten().filter(gone).map(|entry| entry.1).collect();
        for id in gone {
            self.strike(id);
        }
        self.sweep_at = SWEPT_FROM.max(2 * self.slots.len());
    }
}

/// What a ledger of the directory owns, where it can be read.
pub(super) fn entries(directory: &Directory, token: Token) -> Option<(Owner, Vec<Entry>)> {
    match directory.read(token) {
        Ok(Contents::Entries(owner, entries)) => Some((owner, entries)),
        _ => None,
    }
}
