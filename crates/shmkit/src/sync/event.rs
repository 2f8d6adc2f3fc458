//! An event: set or not, for all to see and to wait for.

use std::sync::Arc;

use super::lock_file::LockFile;
use super::wait::{Progress, Wait, WakeWord};
use super::word::{Word, event};
use crate::Result;
use crate::segment::lock_header::{Kind, WORD};
use crate::segment::{CreateOptions, Identity, Name};

/// An open event.
#[derive(Debug)]
pub struct SharedEvent {
    file: LockFile,
}

impl SharedEvent {
    /// The event of the name in the options, created if it does not exist.
    ///
    /// # Errors
    /// `ERR_SHM_NOT_A_LOCK`; else as `Segment::create_or_attach`.
    pub fn create_or_attach(options: &CreateOptions) -> Result<Self> {
        Ok(SharedEvent { file: LockFile::create_or_attach(Kind::Event, options)? })
    }

    /// An existing one.
    ///
    /// # Errors
    /// `ERR_SHM_NOT_A_LOCK`, `ERR_SHM_VERSION`; else as `Segment::attach`.
    pub fn attach(name: &Name, foreign: bool, expect: Option<Identity>) -> Result<Self> {
        Ok(SharedEvent { file: LockFile::attach(name, Kind::Event, foreign, expect)? })
    }

    /// Its file.
    pub fn file(&self) -> &LockFile {
        &self.file
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        Word::load(self.file.word(WORD)) & event::SET != 0
    }

    /// Sets it, and wakes all who wait.
    pub fn set(&self) {
        event::set(self.file.word(WORD));
    }

    /// Clears it.
    pub fn clear(&self) {
        event::clear(self.file.word(WORD));
    }

    /// Wakes all who wait, for one who set it himself.
    pub fn wake(&self) {
        self.file.word(WORD).wake(i32::MAX as u32);
    }

    /// The count that `wait` wants, as it is now.
    pub fn generation(&self) -> u32 {
        event::generation(Word::load(self.file.word(WORD)))
    }

    /// To wait until it is set, or was since it had that `generation`.
    pub fn wait(self: &Arc<Self>, generation: u32) -> EventWait {
        EventWait { event: Arc::clone(self), generation: event::generation(generation) }
    }
}

/// Somebody who waits for an event.
#[derive(Debug)]
pub struct EventWait {
    event: Arc<SharedEvent>,
    generation: u32,
}

impl Wait for EventWait {
    fn poll(&mut self) -> Result<Progress> {
        let file = &self.event.file;
        Ok(match event::attempt(file.word(WORD), self.generation) {
            None => Progress::Done { inconsistent: false },
            Some(expected) => {
                Progress::Blocked(WakeWord { mapping: Arc::clone(file.mapping()), offset: WORD, expected })
            }
        })
    }

    fn retract(&mut self) {}

    fn pass_on(&mut self) {}
}
