//! Sleeping until there is an item, or room for one.

use std::sync::Arc;

use super::SharedBroadcast;
use super::layout::at;
use super::steps::{self, Ready, Side};
use crate::Result;
use crate::sync::{Place, Progress, Suspect, Wait};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// This item, or what came in its place.
    Item(i64),
    /// Room for the next one.
    Room,
}

/// One who waits. It takes nothing: when it is over there was something to be had.
#[derive(Debug)]
pub struct BroadcastWait {
    broadcast: Arc<SharedBroadcast>,
    awaited: Awaited,
    /// Whose entry is in the way, and its word; none of both where it is the writer.
    suspect: Suspect<Option<(u32, u32)>>,
}

impl SharedBroadcast {
    /// To wait for something.
    pub fn wait(self: &Arc<Self>, awaited: Awaited) -> BroadcastWait {
        BroadcastWait { broadcast: Arc::clone(self), awaited, suspect: Suspect::default() }
    }
}

/// What a wait finds.
enum Found {
    Something,
    Nothing,
    /// Who may be dead.
    InTheWay(Option<(u32, u32)>),
}

impl BroadcastWait {
    fn look(&self) -> Result<Found> {
        Ok(match self.awaited {
            Awaited::Item(item) => match steps::look(&*self.broadcast, item)? {
                Ready::Nothing { in_doubt: false } => Found::Nothing,
                Ready::Nothing { in_doubt: true } => Found::InTheWay(None),
                Ready::Item | Ready::Lapped(_) | Ready::Over => Found::Something,
            },
            Awaited::Room => match steps::look_for_room(&*self.broadcast)? {
                Some(reader) => Found::InTheWay(Some(reader)),
                None => Found::Something,
            },
        })
    }

    fn recover(&self, suspect: Option<(u32, u32)>) -> Result<bool> {
        match suspect {
            Some((index, seen)) => self.broadcast.recover(index, seen),
            None => self.broadcast.settle(),
        }
    }
}

impl Wait for BroadcastWait {
    fn poll(&mut self) -> Result<Progress> {
        self.broadcast.me()?;
        let side = match self.awaited {
            Awaited::Item(_) => Side::Items,
            Awaited::Room => Side::Room,
        };
        loop {
            let expected = steps::announce(&*self.broadcast, side)?;
            match self.look()? {
                Found::Something => return Ok(Progress::Done { inconsistent: false }),
                Found::InTheWay(suspect) if self.suspect.is_due(suspect) && self.recover(suspect)? => {}
                Found::InTheWay(_) | Found::Nothing => {
                    let mapping = Arc::clone(self.broadcast.mapping());
                    return Ok(Progress::Blocked(Place::new(mapping, at(side.bell()), expected)));
                }
            }
        }
    }

    fn retract(&mut self) {}

    /// A bell wakes all, so there is nothing to be handed on.
    fn pass_on(&mut self) {}
}
