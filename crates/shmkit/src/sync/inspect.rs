//! The state of a lock, read without taking part in it.

use super::liveness::PID;
use super::participants::GENERATION;
use super::word::{event, lock};
use crate::segment::lock_header::{self, Kind, PARTICIPANT, PARTICIPANTS, USED, WORD};
use crate::segment::{Access, AttachOptions, Name, Segment};
use crate::{Error, Result};

/// What is known of a lock or an event at one moment.
#[derive(Debug, Clone)]
pub struct LockState {
    /// What it is.
    pub kind: Kind,
    /// Of an event: whether it is set.
    pub set: bool,
    /// Who has the lock: a pid in its own PID namespace, and whether it lives.
    pub holder: Option<(u32, bool)>,
    /// Somebody waits.
    pub awaited: bool,
    /// The last one who wrote died, or failed.
    pub inconsistent: bool,
    /// The processes that read.
    pub readers: Vec<u32>,
    /// The processes that have it open, once for each of their threads that do.
    pub participants: Vec<u32>,
}

/// Reads the state of the lock or event of this name.
///
/// # Errors
/// `ERR_SHM_NOT_A_LOCK`, `ERR_SHM_VERSION`; else as `Segment::attach`.
pub fn inspect(name: &Name) -> Result<LockState> {
    let options =
        AttachOptions { access: Access::ReadOnly, foreign: true, reserve: false, ..AttachOptions::default() };
    let file = Segment::attach(name, &options)?;
    let kind = lock_header::read(&file).map_err(|error| error.about(name.as_str()))?;
    let word_at = |at: usize| -> Result<u32> {
        let mut word = 0u32;
        // SAFETY: the four bytes of a number of this frame, for which all values are right.
        let read = unsafe { file.read(at, (&raw mut word).cast(), 4) }?;
        read.map(|()| word).ok_or_else(|| Error::own("ERR_SHM_CORRUPT", "somebody cut the lock's file short"))
    };
    let word = word_at(WORD)?;
    let is_event = kind == Kind::Event;
    let mut state = LockState {
        kind,
        set: is_event && word & event::SET != 0,
        holder: None,
        awaited: word & if is_event { event::WAITERS } else { lock::WAITERS } != 0,
        inconsistent: !is_event && word & lock::INCONSISTENT != 0,
        readers: Vec::new(),
        participants: Vec::new(),
    };
    let room = file.size().saturating_sub(PARTICIPANTS) / PARTICIPANT;
    for slot in 0..word_at(USED)?.min(u32::try_from(room).unwrap_or(u32::MAX)).min(lock::SLOTS) {
        let entry = PARTICIPANTS + slot as usize * PARTICIPANT;
        let pid = word_at(entry + PID)?;
        let lives = file.is_number_locked(slot)?;
        let has_it = word & lock::OWNER == lock::owner(slot, word_at(entry + GENERATION)?);
        if has_it && !is_event {
            state.holder = Some((pid, lives));
        }
        if lives {
            state.participants.push(pid);
            if word_at(entry)? != 0 {
                state.readers.push(pid);
            }
        }
    }
    if state.holder.is_none() && !is_event && word & lock::OWNER != 0 {
        state.holder = Some((0, false));
    }
    Ok(state)
}
