//! Participants of a queue or of a broadcast: handles with a number each, from 1 on.

use std::sync::Arc;

use crate::bytes::SharedBytes;
use crate::ring::items::Form;
use crate::segment::{Mapping, Segment};
use crate::sync::liveness::LivenessRecord;
use crate::sync::word::role::NUMBERS;
use crate::sys::descriptors::{AsFd, AsRawFd};
use crate::sys::fork::Reopened;
use crate::sys::per_process::PerProcessNumber;
use crate::{Error, Result};

/// The size of a participant's record, in bytes.
pub(crate) const PARTICIPANT_SIZE: usize = 64;

/// A handle's segment, and its number in it.
#[derive(Debug)]
pub(crate) struct Participant {
    /// Dropped first: the number may be another file's once the segment is closed.
    _reopened: Reopened,
    segment: Segment,
    mapping: Arc<Mapping>,
    /// Where the records of all participants begin.
    table: usize,
    me: PerProcessNumber,
}

impl Participant {
    /// Opens the ring of this form that the segment holds, as one without a number. `read` returns the ring's layout.
    pub(crate) fn open<L>(
        segment: Segment,
        form: &Form,
        table: usize,
        read: impl FnOnce(SharedBytes<'_>, usize) -> Result<L>,
    ) -> Result<(Self, L)> {
        let about = |error: Error| error.about(segment.name().as_str());
        if segment.size() < form.slots {
            return Err(about(form.not_one()));
        }
        let mapping = Arc::clone(segment.mapping()?);
        let layout = read(mapping.bytes(), segment.size()).map_err(about)?;
        let reopened = Reopened::new(segment.as_fd().as_raw_fd(), segment.id().inode);
        let me = PerProcessNumber::new(0);
        Ok((Participant { _reopened: reopened, segment, mapping, table, me }, layout))
    }

    pub(crate) fn segment(&self) -> &Segment {
        &self.segment
    }

    pub(crate) fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    pub(crate) fn name(&self) -> &str {
        self.segment.name().as_str()
    }

    /// Has this number from now on, which it took.
    pub(crate) fn joined(&mut self, number: u32) {
        self.me = PerProcessNumber::new(number);
    }

    /// The number; in a forked child, to which its parent's is nothing, what `join` takes.
    ///
    /// # Errors
    /// `ERR_SHM_CLOSED` after `give_up_number`; what `join` says.
    pub(crate) fn me(&self, join: impl Fn() -> Result<u32>) -> Result<u32> {
        match self.me.get(join)? {
            0 => Err(Error::own("ERR_SHM_CLOSED", format!("'{}' is closed", self.name())).about(self.name())),
            me => Ok(me),
        }
    }

    fn liveness(&self, number: u32) -> LivenessRecord<'_> {
        LivenessRecord::at(
            &self.segment,
            &self.mapping,
            self.table + (number as usize - 1) * PARTICIPANT_SIZE,
        )
    }

    /// Takes a number. `clear` removes what a dead participant of that number left, and returns false if it could not.
    ///
    /// # Errors
    /// `ERR_SHM_TOO_MANY`; what `clear` and the system say.
    pub(crate) fn take(&self, what: &str, clear: impl Fn(u32) -> Result<bool>) -> Result<u32> {
        self.take_any(what, clear).map_err(|error| error.about(self.name()))
    }

    fn take_any(&self, what: &str, clear: impl Fn(u32) -> Result<bool>) -> Result<u32> {
        for number in 1..=NUMBERS {
            if !self.segment.lock_number(number - 1)? {
                continue;
            }
            match self.take_number(number, &clear) {
                Ok(true) => return Ok(number),
                Ok(false) => self.segment.unlock_number(number - 1),
                Err(error) => {
                    self.segment.unlock_number(number - 1);
                    return Err(error);
                }
            }
        }
        let message = format!("{NUMBERS} threads have this {what} open, which is as many as can");
        Err(Error::own("ERR_SHM_TOO_MANY", message))
    }

    /// For who holds the number.
    fn take_number(&self, number: u32, clear: impl Fn(u32) -> Result<bool>) -> Result<bool> {
        let liveness = self.liveness(number);
        let left_something = liveness.process().is_some();
        if left_something && liveness.is_alive() {
            return Ok(false);
        }
        // From now on nobody takes for dead what is done under this number.
        liveness.write(|| {});
        if left_something {
            let cleared = clear(number);
            if cleared.is_err() || cleared == Ok(false) {
                liveness.mark_dead();
                return cleared;
            }
        }
        Ok(true)
    }

    /// Whether the participant of a number that `me` found in a word is dead.
    pub(crate) fn is_dead(&self, number: u32, me: u32) -> Result<bool> {
        if number == me {
            return Ok(false);
        }
        if number == 0 || number > NUMBERS {
            return Ok(true);
        }
        self.liveness(number).is_dead(number - 1)
    }

    /// The process of who has the number, or had it last and did not leave: a pid in its own PID namespace.
    pub(crate) fn pid_of(&self, number: u32) -> Option<u32> {
        let known = (1..=NUMBERS).contains(&number);
        let process = known.then(|| self.liveness(number).process()).flatten();
        process.map(|process| process.pid)
    }

    /// The same in a message.
    pub(crate) fn describe_process(&self, number: u32) -> String {
        self.pid_of(number).map_or(String::new(), |pid| format!(" of process {pid}"))
    }

    /// Gives up the number and returns it; `None` if there is none. The caller clears what it had, and then calls
    /// `release_number`.
    pub(crate) fn give_up_number(&self) -> Option<u32> {
        self.me.give_up()
    }

    /// Releases the number. If what it had is not `cleared`, the next participant of that number clears it.
    pub(crate) fn release_number(&self, me: u32, cleared: bool) {
        if cleared {
            self.liveness(me).clear();
        } else {
            self.liveness(me).mark_dead();
        }
        self.segment.unlock_number(me - 1);
    }
}
