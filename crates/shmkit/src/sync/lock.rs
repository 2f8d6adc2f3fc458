//! The lock: one writes, or many read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::lock_file::LockFile;
use super::wait::{Progress, Suspect, Wait, WakeWord};
use super::word::lock::{self, Attempt, OWNER, ReleaseState, Step};
use super::word::{Word, reading};
use crate::segment::lock_header::{Kind, READ, WORD};
use crate::segment::{CreateOptions, Identity, Name, Segment};
use crate::sys::per_process::PerProcessNumber;
use crate::{Error, Result};

/// A waiter that has waited this long is served before newcomers.
const STARVES_AFTER: Duration = Duration::from_millis(1);

/// What a participant takes the lock for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockAccess {
    /// To write; excludes all others.
    Write,
    /// To read, at the same time as other readers.
    Read,
}

/// A lock that is open, as one participant has it.
#[derive(Debug)]
pub struct SharedLock {
    file: LockFile,
    me: PerProcessNumber,
}

impl SharedLock {
    /// The mutex of the name in the options, created if it does not exist.
    ///
    /// # Errors
    /// `ERR_SHM_NOT_A_LOCK`, `ERR_SHM_TOO_MANY`; else as `Segment::create_or_attach`.
    pub fn create_or_attach(options: &CreateOptions) -> Result<Self> {
        Self::joined(LockFile::create_or_attach(Kind::Mutex, options)?)
    }

    /// An existing mutex.
    ///
    /// # Errors
    /// `ERR_SHM_NOT_A_LOCK`, `ERR_SHM_VERSION`, `ERR_SHM_TOO_MANY`; else as `Segment::attach`.
    pub fn attach(name: &Name, foreign: bool, expect: Option<Identity>) -> Result<Self> {
        Self::joined(LockFile::attach(name, Kind::Mutex, foreign, expect)?)
    }

    /// The sidecar lock of a segment, created if it does not exist.
    ///
    /// # Errors
    /// `ERR_SHM_UNLINKED` if the segment has no name any more; `ERR_SHM_FOREIGN`, `ERR_SHM_NOT_A_LOCK`,
    /// `ERR_SHM_TOO_MANY`; else the system's.
    pub fn sidecar(segment: &Segment) -> Result<Self> {
        Self::joined(LockFile::sidecar(segment)?)
    }

    fn joined(file: LockFile) -> Result<Self> {
        let me = file.join()?;
        Ok(SharedLock { file, me: PerProcessNumber::new(me) })
    }

    /// Its file.
    pub fn file(&self) -> &LockFile {
        &self.file
    }

    /// What the word is while this participant has the lock and nobody waits.
    ///
    /// # Errors
    /// `ERR_SHM_CLOSED` after `leave`; in a forked child, which needs a slot of its own, as `attach`.
    pub fn me(&self) -> Result<u32> {
        match self.me.get(|| self.file.join())? {
            0 => Err(self.closed()),
            me => Ok(me),
        }
    }

    fn closed(&self) -> Error {
        let name = self.file.name().as_str();
        Error::own("ERR_SHM_CLOSED", format!("'{name}' is closed")).about(name)
    }

    /// Where the word is that says that this participant reads.
    pub fn reading_at(&self) -> usize {
        lock::slot(self.me.last()).map_or(0, LockFile::reading_at)
    }

    /// Takes the lock if that takes no waiting; whether what it guards is inconsistent.
    ///
    /// # Errors
    /// The system's.
    pub fn try_lock(&self, access: LockAccess) -> Result<Option<bool>> {
        let me = self.me()?;
        let word = self.file.word(WORD);
        if access == LockAccess::Read {
            self.announce_reader();
            if reading::enter(self.my_reading(me), word) {
                return Ok(Some(false));
            }
        }
        let inconsistent = match lock::try_once(word, me) {
            Step::Taken { inconsistent } => inconsistent,
            Step::Sleep(seen) if seen & OWNER == 0 => return Ok(None),
            Step::Sleep(seen) => {
                if !self.file.is_dead(seen & OWNER, me)? {
                    return Ok(None);
                }
                let Some(inconsistent) = self.file.take_over(seen, me) else { return Ok(None) };
                inconsistent
            }
        };
        match access {
            LockAccess::Read => self.read_on(me),
            LockAccess::Write => {
                let has_no_readers = self.clear_dead_readers(me);
                if has_no_readers != Ok(true) {
                    let _ = lock::unlock(word, me, ReleaseState::AsFound);
                    return has_no_readers.map(|_| None);
                }
            }
        }
        Ok(Some(inconsistent))
    }

    /// Clears the words of dead readers. Returns whether there are no other readers. The caller owns the lock word.
    fn clear_dead_readers(&self, me: u32) -> Result<bool> {
        while let Some((slot, seen)) = self.find_reader()? {
            if !self.file.is_slot_dead(slot, me)? {
                return Ok(false);
            }
            let _ = Word::compare_exchange(self.file.reading(slot), seen, 0);
        }
        Ok(true)
    }

    /// To wait for the lock.
    pub fn wait(self: &Arc<Self>, access: LockAccess) -> LockWait {
        LockWait::new(Arc::clone(self), access, Phase::Word)
    }

    /// To wait for those who read, for one who has the word already; and whether what the lock guards is inconsistent.
    pub fn wait_for_readers(self: &Arc<Self>, inconsistent: bool) -> LockWait {
        LockWait::new(Arc::clone(self), LockAccess::Write, Phase::Readers { inconsistent })
    }

    /// Releases the lock after writing.
    ///
    /// # Errors
    /// `ERR_SHM_LOCK_LOST` if this participant does not have it.
    pub fn unlock(&self, state: ReleaseState) -> Result<()> {
        if lock::unlock(self.file.word(WORD), self.me()?, state) {
            return Ok(());
        }
        let message =
            "the lock was taken from this participant, who was believed to be dead, or somebody overwrote it";
        Err(Error::own("ERR_SHM_LOCK_LOST", message).about(self.file.name().as_str()))
    }

    /// Reads no more.
    ///
    /// # Errors
    /// As `me`.
    pub fn unlock_read(&self) -> Result<()> {
        reading::leave(self.my_reading(self.me()?));
        Ok(())
    }

    /// Wakes those who wait for this participant to have done with reading, for one who said so himself.
    pub fn wake_writers(&self) {
        if let Some(slot) = lock::slot(self.me.last()) {
            self.file.reading(slot).wake(i32::MAX as u32);
        }
    }

    /// From now on those who write look for those who read.
    pub fn announce_reader(&self) {
        let read = self.file.word(READ);
        if read.load(Ordering::SeqCst) == 0 {
            read.store(1, Ordering::SeqCst);
        }
    }

    /// Takes no part any more: what it had of the lock goes as if it had died.
    pub fn leave(&self) {
        if let Some(me) = self.me.give_up() {
            self.file.leave(me);
            self.file.remove_if_orphaned();
        }
    }

    fn my_reading(&self, me: u32) -> &AtomicU32 {
        lock::slot(me).map_or(self.file.word(READ), |slot| self.file.reading(slot))
    }

    /// Reads from now on and lets go of the word, which it has.
    fn read_on(&self, me: u32) {
        self.announce_reader();
        reading::begin(self.my_reading(me));
        let _ = lock::unlock(self.file.word(WORD), me, ReleaseState::AsFound);
    }

    /// A reader's slot, and the value of its word that a waiter sleeps on.
    fn find_reader(&self) -> Result<Option<(u32, u32)>> {
        <AtomicU32 as Word>::fence();
        if self.file.word(READ).load(Ordering::SeqCst) == 0 {
            return Ok(None);
        }
        for slot in 0..self.file.slots_in_use()? {
            if let Some(expected) = reading::attempt(self.file.reading(slot)) {
                return Ok(Some((slot, expected)));
            }
        }
        Ok(None)
    }
}

impl Drop for SharedLock {
    fn drop(&mut self) {
        self.leave();
    }
}

/// How far one has come who waits for the lock.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Another one has the word.
    Word,
    /// The word is had; others still read.
    Readers { inconsistent: bool },
}

/// One who waits for a lock.
#[derive(Debug)]
pub struct LockWait {
    lock: Arc<SharedLock>,
    access: LockAccess,
    phase: Phase,
    attempt: Attempt,
    began: Instant,
    /// The participant that blocks it.
    suspect: Suspect<u32>,
}

impl LockWait {
    fn new(lock: Arc<SharedLock>, access: LockAccess, phase: Phase) -> Self {
        LockWait {
            lock,
            access,
            phase,
            attempt: Attempt::default(),
            began: Instant::now(),
            suspect: Suspect::default(),
        }
    }

    fn blocked(&self, offset: usize, expected: u32) -> Progress {
        Progress::Blocked(WakeWord { mapping: Arc::clone(self.lock.file.mapping()), offset, expected })
    }

    /// The word is had, or this is to be slept on.
    fn poll_word(&mut self, me: u32) -> Result<std::result::Result<bool, Progress>> {
        self.attempt.starving = self.began.elapsed() >= STARVES_AFTER;
        let lock = Arc::clone(&self.lock);
        let word = lock.file.word(WORD);
        let step = lock::attempt(word, me, &self.attempt);
        let seen = match step {
            Step::Taken { inconsistent } => return Ok(Ok(inconsistent)),
            Step::Sleep(seen) => seen,
        };
        self.attempt.slept = true; // it does before it comes here again
        let owner = seen & OWNER;
        if owner != 0
            && self.suspect.is_due(owner)
            && lock.file.is_dead(owner, me)?
            && let Some(inconsistent) = lock.file.take_over(seen, me)
        {
            return Ok(Ok(inconsistent));
        }
        Ok(Err(self.blocked(WORD, seen)))
    }
}

impl Wait for LockWait {
    fn poll(&mut self) -> Result<Progress> {
        let me = self.lock.me()?;
        if let Phase::Word = self.phase {
            match self.poll_word(me)? {
                Err(blocked) => return Ok(blocked),
                Ok(inconsistent) => {
                    if self.access == LockAccess::Read {
                        self.lock.read_on(me);
                        return Ok(Progress::Done { inconsistent });
                    }
                    self.phase = Phase::Readers { inconsistent };
                }
            }
        }
        let Phase::Readers { inconsistent } = self.phase else { return Ok(self.blocked(WORD, 0)) };
        while let Some((slot, seen)) = self.lock.find_reader()? {
            if !self.suspect.is_due(OWNER + 1 + slot) || !self.lock.file.is_slot_dead(slot, me)? {
                self.lock.file.note_waiting(me, true);
                return Ok(self.blocked(LockFile::reading_at(slot), seen));
            }
            let _ = Word::compare_exchange(self.lock.file.reading(slot), seen, 0);
        }
        self.lock.file.note_waiting(me, false);
        Ok(Progress::Done { inconsistent })
    }

    fn retract(&mut self) {
        if let Phase::Readers { .. } = self.phase {
            if let Ok(me) = self.lock.me() {
                self.lock.file.note_waiting(me, false);
            }
            let _ = self.lock.unlock(ReleaseState::AsFound);
        }
    }

    fn pass_on(&mut self) {
        if let Phase::Word = self.phase {
            lock::give_up(self.lock.file.word(WORD), &self.attempt);
        }
    }
}
