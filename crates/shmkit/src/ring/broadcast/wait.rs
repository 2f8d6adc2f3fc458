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

/// The entry of the reader that blocks a waiter, and its word; `None` for the writer.
pub type Suspect = crate::sync::Suspect<Option<(u32, u32)>>;

/// A wait. It takes nothing: when it ends, something was available.
#[derive(Debug)]
pub struct BroadcastWait {
    broadcast: Arc<SharedBroadcast>,
    awaited: Awaited,
    suspect: Suspect,
}

/// What a waiter finds.
enum Found {
    Available,
    Nothing,
    /// A participant blocks it that may be dead: a reader's entry and its word, or `None` for the writer.
    BlockedBy(Option<(u32, u32)>),
}

impl SharedBroadcast {
    /// Returns a wait.
    pub fn wait(self: &Arc<Self>, awaited: Awaited) -> BroadcastWait {
        BroadcastWait { broadcast: Arc::clone(self), awaited, suspect: Suspect::default() }
    }

    /// Whether a waiter for that would not block now. If the same dead participant blocks it as the last time, recovers what
    /// that participant left: for callers that poll and do not wait.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`; else the system's.
    pub fn is_ready(&self, awaited: Awaited, suspect: &mut Suspect) -> Result<bool> {
        loop {
            match self.peek(awaited)? {
                Found::Available => return Ok(true),
                Found::BlockedBy(who) if suspect.is_due(who) && self.recover_from(who)? => {}
                Found::BlockedBy(_) | Found::Nothing => return Ok(false),
            }
        }
    }

    fn peek(&self, awaited: Awaited) -> Result<Found> {
        let item = match awaited {
            Awaited::Room => {
                let slowest = protocol::find_blocking_reader(self)?;
                return Ok(slowest.map_or(Found::Available, |reader| Found::BlockedBy(Some(reader))));
            }
            Awaited::Next(reader) if !protocol::is_known(self, reader.entry())? => {
                return Ok(Found::Available);
            }
            Awaited::Next(reader) => reader.next(),
            Awaited::Item(item) => item,
        };
        Ok(match protocol::peek(self, item)? {
            Ready::Nothing { in_doubt: false } => Found::Nothing,
            Ready::Nothing { in_doubt: true } => Found::BlockedBy(None),
            Ready::Item | Ready::Lapped(_) | Ready::Over => Found::Available,
        })
    }

    fn recover_from(&self, who: Option<(u32, u32)>) -> Result<bool> {
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
