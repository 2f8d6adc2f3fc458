//! Whether the participants that hold a number of a file are alive (`Segment::lock_number`).
//!
//! ```text
//! 8    4   pid, 0 once it has left
//! 16   8   when that process started
//! 24   8   inode of its PID namespace
//! 32   8   where it has the file mapped: another address is another program's, which the process became by exec
//! ```
//!
//! A number belongs to the handle that has it locked. The rest is for other processes: if a number is not locked
//! although its process is alive and has the file mapped, other code of that process closed the descriptor by mistake.
//! The participant counts as alive.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::Result;
use crate::segment::{Mapping, Segment};
use crate::sys::attached::has_mapped_at;
use crate::sys::process::Process;

pub(super) const PID: usize = 8;
const STARTED: usize = 16;
const NAMESPACE: usize = 24;
const ADDRESS: usize = 32;

/// The record of a participant in the mapped file, by which others tell whether it is alive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LivenessRecord<'s> {
    segment: &'s Segment,
    mapping: &'s Mapping,
    at: usize,
}

impl<'s> LivenessRecord<'s> {
    pub(crate) fn at(segment: &'s Segment, mapping: &'s Mapping, at: usize) -> Self {
        LivenessRecord { segment, mapping, at }
    }

    fn pid(&self) -> &AtomicU32 {
        static NONE: AtomicU32 = AtomicU32::new(0);
        self.mapping.bytes().atomic(self.at + PID).unwrap_or(&NONE)
    }

    /// Records this process; runs `meanwhile` while no process is recorded.
    pub(crate) fn write(&self, meanwhile: impl FnOnce()) {
        let process = Process::current();
        let address = self.mapping.raw().0 as u64;
        self.pid().store(0, Ordering::Release);
        meanwhile();
        for (at, word) in [(STARTED, process.started), (NAMESPACE, process.namespace), (ADDRESS, address)] {
            let _ = self.mapping.bytes().store_word(self.at + at, word); // inside of the mapping
        }
        self.pid().store(process.pid, Ordering::Release);
    }

    /// Makes the participant seem dead, though its process is alive: what it left must still be cleared.
    pub(crate) fn mark_dead(&self) {
        let _ = self.mapping.bytes().store_word(self.at + ADDRESS, 0); // where nothing is ever mapped
    }

    /// It has left.
    pub(crate) fn clear(&self) {
        self.pid().store(0, Ordering::Release);
    }

    /// The process of whoever has the number, or had it last and did not leave.
    pub(crate) fn process(&self) -> Option<Process> {
        let pid = self.pid().load(Ordering::Acquire);
        let word = |at| self.mapping.bytes().load_word(self.at + at);
        (pid != 0).then_some(Process { pid, started: word(STARTED)?, namespace: word(NAMESPACE)? })
    }

    /// Whether that process has the file mapped as it had it when it took the number.
    pub(crate) fn is_alive(&self) -> bool {
        let address = self.mapping.bytes().load_word(self.at + ADDRESS);
        let process = self.process().zip(address);
        process.is_some_and(|(process, address)| has_mapped_at(&process, self.segment.id(), address))
    }

    /// Whether nobody lives who has the number; for another handle than this one.
    pub(crate) fn is_dead(&self, number: u32) -> Result<bool> {
        if self.segment.is_number_locked(number)? {
            // By a child, it may be, that was forked in the wrong moment and has its parent's descriptors.
            return Ok(self.process().is_some_and(|process| process.is_gone()));
        }
        Ok(!self.is_alive())
    }
}
