//! Sleeping until there is an item, or room for one.

use std::sync::Arc;

use super::SharedQueue;
use super::layout::at;
use super::protocol::{self, Field, Found, Side};
use crate::Result;
use crate::sync::{Progress, Wait, WakeWord};

/// Whose slot is in somebody's way, and its word, since when.
pub type Suspect = crate::sync::Suspect<(u32, u32)>;

/// One who waits. It takes nothing: when it is over there was something to be had, which others may get first.
#[derive(Debug)]
pub struct QueueWait {
    queue: Arc<SharedQueue>,
    side: Side,
    suspect: Suspect,
}

impl SharedQueue {
    /// Returns a wait at one side.
    pub fn wait(self: &Arc<Self>, side: Side) -> QueueWait {
        QueueWait { queue: Arc::clone(self), side, suspect: Suspect::default() }
    }

    /// Whether a waiter at that side would not block now. If the same dead participant blocks it as the last time, recovers its
    /// slot: for callers that poll and do not wait.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`; else the system's.
    pub fn is_ready(&self, side: Side, suspect: &mut Suspect) -> Result<bool> {
        loop {
            match protocol::peek(self, side)? {
                Found::Position(_) | Found::Ended => return Ok(true),
                Found::Nothing(Some((index, seen)))
                    if suspect.is_due((index, seen)) && self.recover(index, seen)? => {}
                Found::Nothing(_) => return Ok(false),
            }
        }
    }
}

impl Wait for QueueWait {
    fn poll(&mut self) -> Result<Progress> {
        let queue = Arc::clone(&self.queue);
        queue.me()?;
        let expected = protocol::announce(&*queue, self.side)?;
        if queue.is_ready(self.side, &mut self.suspect)? {
            return Ok(Progress::Done { inconsistent: false });
        }
        // A recovery meanwhile has changed the wake word.
        let wake_word = at(match self.side {
            Side::Items => Field::Items,
            Side::Room => Field::Room,
        });
        Ok(Progress::Blocked(WakeWord::new(Arc::clone(queue.mapping()), wake_word, expected)))
    }

    fn retract(&mut self) {}

    fn pass_on(&mut self) {
        let _ = self.queue.pass_on(self.side);
    }
}
