//! Who takes part in a lock, and whether they live.
//!
//! ```text
//! 0    4   1 while it reads, 2 when that is waited for: `word::reading`
//! 4    4   generation: how often the slot was taken
//! 8        its process: `liveness`
//! 12   4   1 while it has the word and waits for those who read: it has not begun to write
//! 64       the end
//! ```
//!
//! A slot belongs to the handle that holds its number (`Segment::hold`).

use std::sync::atomic::{AtomicU32, Ordering};

use super::liveness::LivenessRecord;
use super::lock_file::LockFile;
use super::word::lock::{self, ReleaseState, SLOTS};
use super::word::reading;
use crate::segment::lock_header::{PARTICIPANT, PARTICIPANTS, USED, WORD};
use crate::{Error, Result};

pub(super) const GENERATION: usize = 4;
const WAITING: usize = 12;

impl LockFile {
    fn entry(slot: u32) -> usize {
        PARTICIPANTS + slot as usize * PARTICIPANT
    }

    /// Where the slot's word is that says that it reads.
    pub(super) fn reading_at(slot: u32) -> usize {
        Self::entry(slot)
    }

    /// That word.
    pub(super) fn reading(&self, slot: u32) -> &AtomicU32 {
        self.word(Self::reading_at(slot))
    }

    /// Takes a slot, and clears away what a dead participant left in it; the new owner as the lock's word has it.
    ///
    /// # Errors
    /// `ERR_SHM_TOO_MANY`; `ENOSPC` if the file cannot grow; else the system's.
    pub(super) fn join(&self) -> Result<u32> {
        for slot in 0..SLOTS {
            if !self.segment().lock_number(slot)? {
                continue;
            }
            match self.take_slot(slot) {
                Ok(Some(owner)) => return Ok(owner),
                Ok(None) => self.segment().unlock_number(slot),
                Err(error) => {
                    self.segment().unlock_number(slot);
                    return Err(error);
                }
            }
        }
        let message = format!("{SLOTS} participants have this lock open, which is as many as can");
        Err(Error::own("ERR_SHM_TOO_MANY", message).about(self.name().as_str()))
    }

    /// For who holds the slot's number.
    fn take_slot(&self, slot: u32) -> Result<Option<u32>> {
        self.segment().grow(Self::entry(slot) + PARTICIPANT)?;
        if self.liveness(slot).is_alive() {
            return Ok(None);
        }
        let generation = self.generation(slot);
        let before = lock::owner(slot, generation);
        let _ = lock::unlock(self.word(WORD), before, self.state_left_by(before));
        reading::leave(self.reading(slot));
        self.note_waiting(before, false);
        let generation = generation.wrapping_add(1);
        let count = self.word(Self::entry(slot) + GENERATION);
        self.liveness(slot).write(|| count.store(generation, Ordering::Release));
        self.word(USED).fetch_max(slot + 1, Ordering::SeqCst);
        Ok(Some(lock::owner(slot, generation)))
    }

    /// Says that an owner of the word has not begun, or that it begins.
    pub(super) fn note_waiting(&self, owner: u32, waiting: bool) {
        if let Some(slot) = lock::slot(owner) {
            self.word(Self::entry(slot) + WAITING).store(u32::from(waiting), Ordering::SeqCst);
        }
    }

    /// The state in which a dead owner left what the lock guards.
    pub(super) fn state_left_by(&self, owner: u32) -> ReleaseState {
        let waiting = |slot| {
            self.slots_in_use().is_ok_and(|used| slot < used) // of a word that somebody overwrote it may be any
                && self.word(Self::entry(slot) + WAITING).load(Ordering::SeqCst) == 1
                && lock::owner(slot, self.generation(slot)) == owner
        };
        if lock::slot(owner).is_some_and(waiting) {
            ReleaseState::AsFound
        } else {
            ReleaseState::Inconsistent
        }
    }

    /// Takes the word from an owner who is dead, as it was `seen`; whether what it guards is inconsistent, or `None`
    /// where it is not as it was seen any more.
    pub(super) fn take_over(&self, seen: u32, me: u32) -> Option<bool> {
        let state = self.state_left_by(seen & lock::OWNER);
        let inconsistent = state == ReleaseState::Inconsistent || seen & lock::INCONSISTENT != 0;
        lock::take_over(self.word(WORD), seen, me, state).then_some(inconsistent)
    }

    /// Gives the slot of `owner` back. What it had of the lock goes as if it had died.
    pub(super) fn leave(&self, owner: u32) {
        let Some(slot) = lock::slot(owner) else { return };
        let _ = lock::unlock(self.word(WORD), owner, self.state_left_by(owner));
        reading::leave(self.reading(slot));
        self.liveness(slot).clear();
        self.segment().unlock_number(slot);
    }

    /// Whether an owner that `me` found in the lock's word is dead: then it stays so, and the word must be taken from it
    /// as it was found.
    pub(super) fn is_dead(&self, owner: u32, me: u32) -> Result<bool> {
        let Some(slot) = lock::slot(owner) else { return Ok(true) };
        if owner == me {
            return Ok(false);
        }
        if slot >= self.slots_in_use()? || lock::owner(slot, self.generation(slot)) != owner {
            return Ok(true); // somebody else has its slot, or nobody ever had
        }
        self.is_slot_dead(slot, me)
    }

    /// Whether nobody lives who has the slot.
    pub(super) fn is_slot_dead(&self, slot: u32, me: u32) -> Result<bool> {
        if lock::slot(me) == Some(slot) {
            return Ok(false);
        }
        self.liveness(slot).is_dead(slot)
    }

    fn liveness(&self, slot: u32) -> LivenessRecord<'_> {
        LivenessRecord::at(self.segment(), self.mapping(), Self::entry(slot))
    }

    fn generation(&self, slot: u32) -> u32 {
        self.word(Self::entry(slot) + GENERATION).load(Ordering::Acquire)
    }
}
