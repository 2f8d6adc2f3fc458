//! A process's own ledger.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::directory::{Home, Lock, Locked, There, busy, write_at};
use super::format::{self, Entry, FREE, Token};
use super::python_tracker;
use super::reap::{self, Owners};
use crate::error::system_error;
use crate::segment::{self, Identity, Name};
use crate::sys::fork::Descriptor;
use crate::sys::process::Process;
use crate::sys::{Errno, file};
use crate::{Error, Result};

/// For how long the ledgers' lock is waited for; a reaper holds it for a few milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// From this many records on, those of segments that others unlinked are looked for before more are added.
const SWEPT_FROM: usize = 256;
/// The directory may be removed by the last one to go while a ledger is made in it.
const TRIES: u32 = 10;

/// What a process owns: a locked file for others to see, and the same in memory.
///
/// Any thread may use it.
#[derive(Debug)]
pub struct Ledger {
    home: Home,
    token: Token,
    owner: Process,
    /// Where a forked child finds the descriptor that it must not keep.
    descriptor: Option<&'static Descriptor>,
    book: Mutex<Book>,
}

/// A ledger for a process that is about to be started, and goes over to it with the open file: it lives for as long as one
/// of the two has that.
#[derive(Debug)]
pub struct Prepared {
    token: Token,
    file: OwnedFd,
}

impl Prepared {
    /// Makes one, of which nobody can tell yet whose it is. It is on nobody's list of what a forked child must not keep: this
    /// is for a moment, and for processes that do not fork without an `exec()`.
    ///
    /// # Errors
    /// As `Ledger::new`; `ERR_SHM_BUSY` where the lock was not to be had in time.
    pub fn new(home: &Home, patience: Duration) -> Result<Self> {
        let (token, nobody) =
            (Token::random()?, Process { pid: std::process::id(), started: 0, namespace: 0 });
        let file = make(home, token, &format::ledger(token, nobody, &[]), patience)?;
        Ok(Prepared { token, file })
    }

    /// What names it.
    pub fn token(&self) -> Token {
        self.token
    }
}

impl AsFd for Prepared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[derive(Debug)]
struct Book {
    file: OwnedFd,
    id: Identity,
    records: Vec<Option<Entry>>,
    slots: HashMap<Identity, usize>,
    free: Vec<usize>,
    sweep_at: usize,
    /// Claimed, and perhaps not published yet: not to be found by name, and yet about to be there.
    pending: HashSet<Identity>,
}

impl Ledger {
    /// Makes this process's ledger. It appears locked, and is dead as soon as the process is.
    ///
    /// # Errors
    /// `ERR_SHM_UNSAFE_LEDGERS` where others can write to the directory; else what the system says.
    pub fn new(home: Home) -> Result<Self> {
        Self::known_to(home, None)
    }

    /// As `new`; the descriptor that holds the lock is noted there.
    pub(super) fn known_to(home: Home, descriptor: Option<&'static Descriptor>) -> Result<Self> {
        let (token, owner) = (Token::random()?, Process::current());
        let book = Book::with(&home, token, owner, Vec::new())?;
        let ledger = Ledger { home, token, owner, descriptor, book: Mutex::new(book) };
        ledger.note(&ledger.book());
        Ok(ledger)
    }

    /// This process's ledger, which its starter prepared. It keeps the lock that it appeared with.
    ///
    /// # Errors
    /// What the system says.
    pub fn take_over(home: Home, token: Token, file: OwnedFd) -> Result<Self> {
        Self::taken_over(home, token, file, None)
    }

    /// As `take_over`; the descriptor that holds the lock is noted there.
    pub(super) fn taken_over(
        home: Home,
        token: Token,
        file: OwnedFd,
        descriptor: Option<&'static Descriptor>,
    ) -> Result<Self> {
        let owner = Process::current();
        write_at(&file, &format::ledger(token, owner, &[]), 0)?;
        let book = Mutex::new(Book::of(file, Vec::new())?);
        let ledger = Ledger { home, token, owner, descriptor, book };
        ledger.note(&ledger.book());
        Ok(ledger)
    }

    /// What names it.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Where it is.
    pub fn home(&self) -> &Home {
        &self.home
    }

    fn note(&self, book: &Book) {
        if let Some(descriptor) = self.descriptor {
            descriptor.set(book.file.as_raw_fd(), book.id.inode);
        }
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

    /// Whether the process is an owner of this segment.
    ///
    /// # Errors
    /// As `adopt`.
    pub fn owns(&self, id: Identity) -> Result<bool> {
        Ok(self.open_book()?.slots.contains_key(&id))
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
        let mut locked = self.home.make_locked(Lock::Shared, PATIENCE)?;
        if self.home.look(name) == There::Directory {
            drop(locked);
            self.home.make_locked(Lock::Exclusive, PATIENCE)?.recover();
            locked = self.home.make_locked(Lock::Shared, PATIENCE)?;
        }
        match self.home.look(name) {
            There::Segment { id: there, mine: true } if there == id => {}
            // Its own user's ledgers would not know of this owner, and would unlink it all the same.
            There::Segment { id: there, mine: false } if there == id => {
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
    fn own(&self, locked: Locked, name: &Name, id: Identity) -> Result<()> {
        let added = self.book().add(&self.home, name, id);
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
        let locked = self.home.make_locked(Lock::Shared, PATIENCE)?;
        if heir.is_some_and(|heir| !locked.has(heir)) {
            return Ok(false);
        }
        self.strike(id);
        drop(locked);
        python_tracker::unregister(name);
        Ok(true)
    }

    /// Strikes a segment off that has no name any more.
    pub(super) fn strike(&self, id: Identity) {
        self.book().strike(id);
    }

    /// Ends the ownership of everything: what nobody else owns is unlinked, and the ledger goes. For the end
    /// of a process; what it does not get done within `patience` is left to the others.
    pub fn leave(&self, patience: Duration) {
        // Another thread may be at it, and would be waited for while it waits for the lock.
        let Ok(mut book) = self.book.try_lock() else { return };
        if !book.is_there() || !book.pending.is_empty() {
            return;
        }
        let entries: Vec<Entry> = book.records.iter().flatten().cloned().collect();
        let removed = reap::leave(&self.home, self.token, &entries, patience);
        if !book.is_there() {
            book.forget();
        }
        drop(book);
        removed.iter().for_each(python_tracker::unregister);
    }
}

impl segment::Claim for Ledger {
    fn claim(&self, name: &Name, id: Identity) -> Result<()> {
        python_tracker::check(name)?;
        let mut book = self.open_book()?;
        book.add(&self.home, name, id)?;
        book.pending.insert(id);
        Ok(())
    }

    fn published(&self, name: &Name, id: Identity) {
        self.book().pending.remove(&id);
        python_tracker::register(name);
    }

    fn disclaim(&self, id: Identity) {
        self.strike(id);
    }

    fn make_way(&self, name: &Name) -> bool {
        reap::make_way(&self.home, name, PATIENCE).unwrap_or(false)
    }

    fn join(&self, name: &Name, id: Identity) -> Result<bool> {
        if self.open_book()?.slots.contains_key(&id) {
            return Ok(true);
        }
        let locked = self.home.make_locked(Lock::Shared, PATIENCE)?;
        let mine = match self.home.look(name) {
            There::Segment { id: there, mine } if there == id => mine,
            There::Directory => false,
            _ => return Ok(false),
        };
        match reap::owners_of(&locked, id)? {
            Owners::Living if mine => {
                python_tracker::check(name)?;
                self.own(locked, name, id)?;
                Ok(true)
            }
            Owners::Dead if mine => Ok(false),
            _ => Ok(true),
        }
    }
}

/// Makes the file of a ledger, locked.
fn make(home: &Home, token: Token, contents: &[u8], patience: Duration) -> Result<OwnedFd> {
    let mut tries = 1..TRIES;
    loop {
        match home.make_locked(Lock::Shared, patience)?.create(token, contents) {
            Err(error) if error.code == "ENOENT" && tries.next().is_some() => {}
            // Our own, which somebody is looking at.
            Err(error) if error.code == "EEXIST" => return Err(busy()),
            result => return result,
        }
    }
}

impl Book {
    /// A ledger that has these records from the moment it can be seen.
    fn with(home: &Home, token: Token, owner: Process, entries: Vec<Entry>) -> Result<Self> {
        Book::of(make(home, token, &format::ledger(token, owner, &entries), PATIENCE)?, entries)
    }

    /// Of a file that has these records.
    fn of(file: OwnedFd, entries: Vec<Entry>) -> Result<Self> {
        let id = file::stat(&file).map_err(system_error("fstat"))?.id;
        let slots = entries.iter().enumerate().map(|(slot, entry)| (entry.1, slot)).collect();
        let records = entries.into_iter().map(Some).collect();
        Ok(Book { file, id, records, slots, free: Vec::new(), sweep_at: SWEPT_FROM, pending: HashSet::new() })
    }

    /// Whether the file is still the one that others see. A session manager may have removed it (logind's
    /// RemoveIPC), and whoever closes descriptors that are not his may have closed this one.
    fn is_there(&self) -> bool {
        file::stat(&self.file).is_ok_and(|stat| stat.links > 0 && stat.id == self.id)
    }

    /// Has a file again: the same, where somebody closed the descriptor, or a new one of the same token, with what is
    /// still owned.
    fn reopen(&mut self, ledger: &Ledger) -> Result<()> {
        let same = {
            let locked = ledger.home.make_locked(Lock::Shared, PATIENCE)?;
            locked.relock(ledger.token, self.id)
        };
        let old_id = self.id;
        let old = match same {
            Some(file) => std::mem::replace(&mut self.file, file),
            None => {
                let gone = |entry: &Entry| ledger.home.is_gone(&entry.0, entry.1);
                let entries = self.records.iter().flatten().filter(|entry| !gone(entry)).cloned().collect();
                let mut book = Book::with(&ledger.home, ledger.token, ledger.owner, entries)?;
                book.pending = std::mem::take(&mut self.pending);
                std::mem::replace(self, book).file
            }
        };
        ledger.note(self);
        if file::stat(&old).is_ok_and(|stat| stat.id == old_id) {
            drop(old);
        } else {
            // Somebody closed it, and the number may be another file's by now.
            std::mem::forget(old);
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
        self.pending.remove(&id);
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
        let gone = |entry: &&Entry| !self.pending.contains(&entry.1) && home.is_gone(&entry.0, entry.1);
        let gone: Vec<Identity> = self.records.iter().flatten().filter(gone).map(|entry| entry.1).collect();
        for id in gone {
            self.strike(id);
        }
        self.sweep_at = SWEPT_FROM.max(2 * self.slots.len());
    }

    fn forget(&mut self) {
        self.records.clear();
        self.slots.clear();
        self.free.clear();
    }
}
