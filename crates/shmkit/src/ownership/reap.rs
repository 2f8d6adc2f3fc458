//! Reaping: removing the segments and ledgers of dead processes.

use std::collections::HashSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::directory::{LedgerDirectory, NameState};
use super::format::{Contents, Entry, Token};
use super::locked_directory::LockedDirectory;
use super::open_directory::{LOCK_PAUSE, Liveness, OpenDirectory};
use crate::segment::lock_header;
use crate::segment::{Identity, Name};
use crate::{Error, Result};

/// How long the lock is held at a time: other processes wait for it in their event loops.
const PERIOD: Duration = Duration::from_millis(20);

/// What a round of reaping found and did.
#[derive(Debug, Default)]
pub struct Reaped {
    /// The segments that were removed.
    pub removed: Vec<Name>,
    /// The ledgers whose processes are alive, or may be.
    pub alive: Vec<Token>,
}

/// Removes the segments that only dead processes own, and their ledgers.
///
/// # Errors
/// `ERR_SHM_BUSY` if another process holds the lock for longer than `timeout`; `ERR_SHM_UNSAFE_LEDGERS`. If segments
/// could not be removed, the first error; the others are removed.
pub fn reap(ledgers: &LedgerDirectory, timeout: Duration) -> Result<Reaped> {
    let mut reaped = Reaped::default();
    let Some(mut period) = LockPeriod::begin(ledgers, timeout, None)? else { return Ok(reaped) };
    let mut dead = Vec::new();
    for token in period.locked.tokens()? {
        match period.locked.liveness(token) {
            Liveness::Dead => dead.push(token),
            Liveness::Alive | Liveness::Unknown => reaped.alive.push(token),
            Liveness::Missing => {}
        }
    }
    period.locked.remove_strays();
    period.locked.recover();
    let mut failed = None;
    for token in dead {
        match period.locked.read(token) {
            Ok(Some(Contents::Entries(_, entries))) => {
                let mut all = true;
                for entry in entries {
                    if period.is_over() {
                        match period.next(ledgers, timeout) {
                            Ok(Some(next)) => period = next,
                            // Other processes continue, or nothing is left to do.
                            Ok(None) | Err(_) => return Ok(reaped),
                        }
                        // Its process may be alive: its descriptor had been closed by mistake, and it has locked the
                        // file again.
                        if period.locked.liveness(token) != Liveness::Dead {
                            break;
                        }
                    }
                    match period.remove(&entry) {
                        Ok(Outcome::Removed) => reaped.removed.push(entry.0),
                        Ok(Outcome::Nothing) => {}
                        Ok(Outcome::Kept) => all = false,
                        Err(error) => {
                            all = false;
                            failed.get_or_insert(error.about(entry.0.as_str()));
                        }
                    }
                }
                if all && period.locked.liveness(token) == Liveness::Dead {
                    period.locked.remove(token);
                }
            }
            Ok(Some(Contents::Garbled)) => period.locked.remove(token),
            // A newer version can read it.
            Ok(Some(Contents::OtherVersion)) | Err(_) => {}
            Ok(None) => {}
        }
    }
    failed.map_or(Ok(reaped), Err)
}

/// Removes the segment of this name if it has owners and all of them are dead, so that a process that needs the name
/// does not wait for a reaper. Returns whether the name is free.
///
/// # Errors
/// As `reap`.
pub(super) fn free_name(ledgers: &LedgerDirectory, name: &Name, timeout: Duration) -> Result<bool> {
    let is_free = || ledgers.name_state(name) == NameState::Free;
    let is_dead = |directory: &OpenDirectory, token| directory.liveness(token) == Liveness::Dead;
    let Some(directory) = ledgers.open()? else { return Ok(is_free()) };
    // Usually no ledger is dead, and then no process has to wait for the lock.
    let any_dead = directory.tokens()?.into_iter().any(|token| is_dead(&directory, token));
    if !any_dead && ledgers.name_state(name) != NameState::Directory {
        return Ok(is_free()); // a reaper may just have been there
    }
    let Some(mut period) = LockPeriod::begin(ledgers, timeout, None)? else { return Ok(is_free()) };
    period.locked.recover();
    let NameState::Segment { id, mine: true } = ledgers.name_state(name) else { return Ok(is_free()) };
    for token in period.locked.tokens()? {
        if is_dead(&period.locked, token)
            && let Some(Contents::Entries(_, entries)) = period.locked.read(token)?
            && entries.iter().any(|entry| (&entry.0, entry.1) == (name, id))
        {
            period.remove(&(name.clone(), id))?;
            break;
        }
    }
    Ok(is_free())
}

/// Which processes have a segment in their ledgers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owners {
    /// No process.
    None,
    /// At least one that is alive.
    Alive,
    /// Only dead ones: the segment is about to be reaped.
    Dead,
}

/// Reads all ledgers for the owners of a segment.
///
/// # Errors
/// The system's.
pub(super) fn owners_of(locked: &LockedDirectory, id: Identity) -> Result<Owners> {
    let mut owners = Owners::None;
    for token in locked.tokens()? {
        let probe = locked.liveness(token);
        if let Some(Contents::Entries(_, entries)) = locked.read(token)?
            && entries.iter().any(|entry| entry.1 == id)
        {
            match probe {
                Liveness::Dead => owners = Owners::Dead,
                _ => return Ok(Owners::Alive),
            }
        }
    }
    Ok(owners)
}

/// Removes what only this process owns, and then its ledger, before it exits. Returns what was removed. What is not
/// done within `timeout` is left to other processes, with the ledger.
pub(super) fn leave(
    ledgers: &LedgerDirectory,
    token: Token,
    entries: &[Entry],
    timeout: Duration,
) -> Vec<Name> {
    let mut removed = Vec::new();
    let until = Instant::now() + timeout;
    let Ok(Some(mut period)) = LockPeriod::begin(ledgers, timeout, Some(token)) else { return removed };
    let mut all = true;
    for entry in entries {
        if period.is_over() {
            let left = until.saturating_duration_since(Instant::now());
            match period.next(ledgers, left) {
                Ok(Some(next)) if !left.is_zero() => period = next,
                _ => return removed,
            }
        }
        match period.remove(entry) {
            Ok(Outcome::Removed) => removed.push(entry.0.clone()),
            Ok(Outcome::Nothing) => {}
            Ok(Outcome::Kept) | Err(_) => all = false,
        }
    }
    if all {
        period.locked.remove(token);
    }
    removed
}

/// Runs `leave` if no ledger is alive, while none can be created. Returns whether it did. A tracker must not end while
/// a process relies on it.
///
/// # Errors
/// As `reap`.
pub fn if_no_ledger_is_alive(
    ledgers: &LedgerDirectory,
    timeout: Duration,
    leave: impl FnOnce(),
) -> Result<bool> {
    let Some(period) = LockPeriod::begin(ledgers, timeout, None)? else {
        leave();
        return Ok(true);
    };
    let nobody =
        !period.locked.tokens()?.into_iter().any(|token| period.locked.liveness(token).may_be_alive());
    if nobody {
        leave();
    }
    Ok(nobody)
}

/// A period during which the lock is held exclusively.
struct LockPeriod {
    locked: LockedDirectory,
    /// A ledger that is ignored.
    except: Option<Token>,
    /// Read at the first use; no process can become an owner in this period.
    owned: Option<Owned>,
    until: Instant,
}

impl LockPeriod {
    /// Locks the directory; `None` if it does not exist.
    fn begin(ledgers: &LedgerDirectory, timeout: Duration, except: Option<Token>) -> Result<Option<Self>> {
        let locked = ledgers.lock_existing(timeout)?;
        Ok(locked.map(|locked| LockPeriod { locked, except, owned: None, until: Instant::now() + PERIOD }))
    }

    fn is_over(&self) -> bool {
        self.locked.deferred.is_full() || Instant::now() > self.until
    }

    /// Releases the lock for other processes, and locks it again.
    fn next(self, ledgers: &LedgerDirectory, timeout: Duration) -> Result<Option<Self>> {
        let except = self.except;
        drop(self);
        // This is longer than the pauses between their attempts.
        sleep(2 * LOCK_PAUSE);
        LockPeriod::begin(ledgers, timeout, except)
    }

    fn remove(&mut self, entry: &Entry) -> Result<Outcome> {
        let owned = match &self.owned {
            Some(owned) => owned,
            None => {
                let began = Instant::now();
                let owned = Owned::by_others(&self.locked, self.except)?;
                // At least as long as the reading took, or periods would be spent on reading alone.
                self.until = Instant::now() + PERIOD.max(began.elapsed());
                self.owned.insert(owned)
            }
        };
        let outcome = owned.remove(&mut self.locked, entry);
        let (name, id) = entry;
        // Its sidecar lock is removed too, also if a process was killed between the two steps.
        if self.locked.ledgers().is_gone(name, *id)
            && let Some((sidecar, its_id)) =
                lock_header::sidecar_of(self.locked.ledgers().segments(), name, *id)
        {
            let _ = self.locked.unlink_if_same(&sidecar, its_id);
        }
        outcome
    }
}

/// What became of a dead owner's segment.
enum Outcome {
    Removed,
    /// It was gone, it is another's by name, or it has another owner.
    Nothing,
    /// It is unknown whether it has another owner.
    Kept,
}

/// What live processes own.
#[derive(Default)]
struct Owned {
    ids: HashSet<Identity>,
    /// One of their ledgers could not be read (a newer version's, say): any segment may be in it.
    opaque: bool,
}

impl Owned {
    fn by_others(directory: &OpenDirectory, except: Option<Token>) -> Result<Self> {
        let mut owned = Owned::default();
        for token in directory.tokens()? {
            if Some(token) == except || !directory.liveness(token).may_be_alive() {
                continue;
            }
            match directory.read(token) {
                Ok(Some(Contents::Entries(_, entries))) => {
                    owned.ids.extend(entries.into_iter().map(|(_, id)| id))
                }
                Ok(None) => {}
                Ok(Some(Contents::OtherVersion | Contents::Garbled)) | Err(_) => owned.opaque = true,
            }
        }
        Ok(owned)
    }

    fn remove(&self, locked: &mut LockedDirectory, (name, id): &Entry) -> Result<Outcome> {
        if self.ids.contains(id) {
            return Ok(Outcome::Nothing);
        }
        if matches!(locked.ledgers().name_state(name), NameState::Segment { id: there, mine: false } if there == *id)
        {
            return Ok(Outcome::Nothing); // another user's, whose ledgers say what is to become of it
        }
        if self.opaque {
            return Ok(if locked.ledgers().is_gone(name, *id) { Outcome::Nothing } else { Outcome::Kept });
        }
        match locked.unlink_if_same(name, *id) {
            Ok(true) => Ok(Outcome::Removed),
            // A process of another user, which has another lock, may be about to put it back.
            Ok(false) if locked.ledgers().has_placeholder(name) => Ok(Outcome::Kept),
            Ok(false) => Ok(Outcome::Nothing),
            Err(Error { code: "EPERM" | "EACCES", .. }) => Ok(Outcome::Nothing),
            Err(error) => Err(error),
        }
    }
}
