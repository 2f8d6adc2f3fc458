//! Sleeping until there is an item, or room for one.

use std::sync::Arc;

use super::SharedQueue;
use super::layout::at;
use super::ring::{self, Field, Found, Side};
use crate::Result;
use crate::sync::{Place, Progress, Suspect, Wait};

/// One who waits. It takes nothing: when it is over there was something to be had, which others may get first.
#[derive(Debug)]
pub struct QueueWait {
    queue: Arc<SharedQueue>,
    side: Side,
    /// Whose slot is in the way, and its word.
    suspect: Suspect<(u32, u32)>,
}

impl SharedQueue {
    /// To wait at one side.
    pub fn wait(self: &Arc<Self>, side: Side) -> QueueWait {
        QueueWait { queue: Arc::clone(self), side, suspect: Suspect::default() }
    }
}

impl Wait for QueueWait {
    fn poll(&mut self) -> Result<Progress> {
        let queue = Arc::clone(&self.queue);
        queue.me()?;
        loop {
            let expected = ring::announce(&*queue, self.side)?;
            let in_the_way = match ring::look(&*queue, self.side)? {
                Found::Position(_) | Found::Ended => return Ok(Progress::Done { inconsistent: false }),
                Found::Nothing(in_the_way) => in_the_way,
            };
            if let Some((index, seen)) = in_the_way
                && self.suspect.is_due((index, seen))
                && queue.recover(index, seen)?
            {
                continue;
            }
            let bell = at(match self.side {
                Side::Items => Field::Items,
                Side::Room => Field::Room,
            });
            return Ok(Progress::Blocked(Place::new(Arc::clone(queue.mapping()), bell, expected)));
        }
    }

    fn retract(&mut self) {}

    fn pass_on(&mut self) {
        let _ = self.queue.pass_on(self.side);
    }
}
