//! What JavaScript must know of a lock's file and words.

use napi_derive::napi;
use shmkit::segment::lock_header::{PAGE, PARTICIPANT, PARTICIPANTS, READ, USED, WORD};
use shmkit::sync;
use shmkit::sync::word::{event, lock, reading};

/// What JavaScript has to know of the words, as offsets in words and as bits.
#[napi(object)]
pub struct LockConstants {
    /// Where the word is.
    pub word: u32,
    /// Where it is said that somebody has read.
    pub read: u32,
    /// Where it is said how many slots were ever used.
    pub used: u32,
    /// Where the first slot is, with its word that says that one reads.
    pub slots: u32,
    /// How far it is from slot to slot.
    pub slot: u32,
    /// So many slots are in the buffer.
    pub in_buffer: u32,
    /// Of the word that says that one reads.
    pub reading: u32,
    /// Of the same: it is slept on.
    pub awaited: u32,
    /// Of the event.
    pub set: u32,
    /// Of the event: it is slept on.
    pub waiters: u32,
    /// Of the event: what a clear adds.
    pub generation: u32,
    /// Of the lock: what it guards has to be checked.
    pub inconsistent: u32,
    /// Of the lock: its owner.
    pub owner: u32,
    /// Of the lock: somebody looks for it.
    pub looking: u32,
    /// For so many milliseconds everybody sleeps at a time.
    pub slice: u32,
}

/// The engine's constants.
#[napi]
pub fn lock_constants() -> LockConstants {
    LockConstants {
        word: (WORD / 4) as u32,
        read: (READ / 4) as u32,
        used: (USED / 4) as u32,
        slots: (PARTICIPANTS / 4) as u32,
        slot: (PARTICIPANT / 4) as u32,
        in_buffer: ((PAGE - PARTICIPANTS) / PARTICIPANT) as u32,
        reading: reading::READING,
        awaited: reading::AWAITED,
        set: event::SET,
        waiters: event::WAITERS,
        generation: event::GENERATION,
        inconsistent: lock::INCONSISTENT,
        owner: lock::OWNER,
        looking: lock::SPINNING,
        slice: sync::SLICE.as_millis() as u32,
    }
}
