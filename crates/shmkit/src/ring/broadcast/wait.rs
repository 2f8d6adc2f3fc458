//! Sleeping until there is an item, or room for one.

use std::sync::Arc;

use super::layout::at;
use super::protocol::{self, Ready, Side};
use super::{Reader, SharedBroadcast};
use crate::Result;
use crate::sync::{Progress, Wait, WakeWord};

/// What is waited for.
#[derive(Debug, Clone, Copy)]
pub enum Awaited {
    /// This item, or what came in its place.
    Item(i64),
    /// This reader's next item, or that it is not known any more.
    Next(Reader),
    /// Room for the next one.
    Room,
}

/// Whose entry is in somebody's way, and its word, since when; none of both where it is the writer.
pub type Suspect = crate::sync::Suspect<Option<(u32, u32)>>;

/// One who waits. It takes nothing: when it is over there was something to be had.
#[derive(Debug)]
pub struct BroadcastWait {
    broadcast: Arc<SharedBroadcast>,
    awaited: Awaited,
    suspect: Suspect,
}

/// What there is to be seen.
enum Found {
    Something,
    Nothing,
    /// Who may be dead.
    InTheWay(Option<(u32, u32)>),
}

impl SharedBroadcast {
    /// To wait for something.
    pub fn wait(self: &Arc<Self>, awaited: Awaited) -> BroadcastWait {
        BroadcastWait { broadcast: Arc::clone(self), awaited, suspect: Suspect::default() }
    }

    /// Whether one who waits for that would go on now. Where a dead one is in the way, who was so the last time, too, what
    /// he left is put in order: for one who tries again and again and does not wait.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`; else the system's.
    pub fn is_ready(&self, awaited: Awaited, suspect: &mut Suspect) -> Result<bool> {
        loop {
            match self.look(awaited)? {
                Found::Something => return Ok(true),
                Found::InTheWay(who) if suspect.is_due(who) && self.get_over(who)? => {}
                Found::InTheWay(_) | Found::Nothing => return Ok(false),
            }
        }
    }

    fn look(&self, awaited: Awaited) -> Result<Found> {
        let item = match awaited {
            Awaited::Room => {
                let slowest = protocol::look_for_room(self)?;
                return Ok(slowest.map_or(Found::Something, |reader| Found::InTheWay(Some(reader))));
            }
            Awaited::Next(reader) if !protocol::is_known(self, reader.entry())? => {
                return Ok(Found::Something);
            }
            Awaited::Next(reader) => reader.next(),
            Awaited::Item(item) => item,
        };
        Ok(match protocol::look(self, item)? {
            Ready::Nothing { in_doubt: false } => Found::Nothing,
            Ready::Nothing { in_doubt: true } => Found::InTheWay(None),
            Ready::Item | Ready::Lapped(_) | Ready::Over => Found::Something,
        })
    }

    fn get_over(&self, who: Option<(u32, u32)>) -> Result<bool> {
        match who {
            Some((index, seen)) => self.recover(index, seen),
            None => self.settle(),
        }
    }
}

impl Wait for BroadcastWait {
    fn poll(&mut self) -> Result<Progress> {
        let broadcast = &self.broadcast;
        broadcast.me()?;
        let side = match self.awaited {
            Awaited::Item(_) | Awaited::Next(_) => Side::Items,
            Awaited::Room => Side::Room,
        };
        let expected = protocol::announce(&**broadcast, side)?;
        if broadcast.is_ready(self.awaited, &mut self.suspect)? {
            return Ok(Progress::Done { inconsistent: false });
        }
        // A recovery meanwhile has changed the wake word.
        Ok(Progress::Blocked(WakeWord::new(Arc::clone(broadcast.mapping()), at(side.wake_word()), expected)))
    }

    fn retract(&mut self) {}

    /// A wake word wakes all waiters, so there is no wake-up to pass on.
    fn pass_on(&mut self) {}
}
