//! What dead processes left: found, and removed.

use std::collections::HashSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::directory::{Directory, Home, LOCK_PAUSE, Locked, Probe, There};
use super::format::{Contents, Entry, Token};
use crate::segment::lock_header;
use crate::segment::{Identity, Name};
use crate::sys::process::Process;
use crate::{Error, Result};

/// For so long the lock is held at a time, about: others wait for it on their event loops.
const TURN: Duration = Duration::from_millis(20);

/// What a round of reaping found and did.
#[derive(Debug, Default)]
pub struct Reaped {
    /// The segments that were removed.
    pub removed: Vec<Name>,
    /// The ledgers whose processes live, or might.
    pub alive: Vec<Token>,
}

/// Removes what dead processes owned and no live one does, and their ledgers.
///
/// # Errors
/// `ERR_SHM_BUSY` where somebody else is at it for longer than `patience`; `ERR_SHM_UNSAFE_LEDGERS`. Of what could not
/// be removed, the first reason; the rest is done.
pub fn reap(home: &Home, patience: Duration) -> Result<Reaped> {
    let mut reaped = Reaped::default();
    let Some(mut turn) = Turn::begin(home, patience, None)? else { return Ok(reaped) };
    let mut dead = Vec::new();
    for token in turn.locked.tokens()? {
        match turn.locked.probe(token) {
            Probe::Dead => dead.push(token),
            Probe::Alive | Probe::Unknown => reaped.alive.push(token),
            Probe::None => {}
        }
    }
    turn.locked.remove_strays();
    turn.locked.recover();
    let mut failed = None;
    for token in dead {
        match turn.locked.read(token) {
            Ok(Some(Contents::Entries(_, entries))) => {
                let mut all = true;
                for entry in entries {
                    if turn.is_over() {
                        match turn.next(home, patience) {
                            Ok(Some(next)) => turn = next,
                            // The others go on, or there is nothing left to do.
                            Ok(None) | Err(_) => return Ok(reaped),
                        }
                        // Its process may live: somebody had closed its descriptor, and it has the lock again.
                        if turn.locked.probe(token) != Probe::Dead {
                            break;
                        }
                    }
                    match turn.remove(&entry) {
                        Ok(Outcome::Removed) => reaped.removed.push(entry.0),
                        Ok(Outcome::Nothing) => {}
                        Ok(Outcome::Kept) => all = false,
                        Err(error) => {
                            all = false;
                            failed.get_or_insert(error.about(entry.0.as_str()));
                        }
                    }
                }
                if all && turn.locked.probe(token) == Probe::Dead {
                    turn.locked.remove(token);
                }
            }
            Ok(Some(Contents::Garbled)) => turn.locked.remove(token),
            // Whoever can read it will.
            Ok(Some(Contents::Newer)) | Err(_) => {}
            Ok(None) => {}
        }
    }
    failed.map_or(Ok(reaped), Err)
}

/// Frees the name, if it belongs to a segment that was owned, and whose owners are all dead; says whether it is free. A
/// process that wants it need not wait for a reaper.
///
/// # Errors
/// As `reap`.
pub(super) fn make_way(home: &Home, name: &Name, patience: Duration) -> Result<bool> {
    let is_free = || home.look(name) == There::Nothing;
    let is_dead = |directory: &Directory, token| directory.probe(token) == Probe::Dead;
    let Some(directory) = home.open()? else { return Ok(is_free()) };
    // Most times nobody is dead, and nobody is asked to wait.
    let somebody_is = directory.tokens()?.into_iter().any(|token| is_dead(&directory, token));
    if !somebody_is && home.look(name) != There::Directory {
        return Ok(is_free()); // a reaper may just have been there
    }
    let Some(mut turn) = Turn::begin(home, patience, None)? else { return Ok(is_free()) };
    turn.locked.recover();
    let There::Segment { id, mine: true } = home.look(name) else { return Ok(is_free()) };
    for token in turn.locked.tokens()? {
        if is_dead(&turn.locked, token)
            && let Some(Contents::Entries(_, entries)) = turn.locked.read(token)?
            && entries.iter().any(|entry| (&entry.0, entry.1) == (name, id))
        {
            turn.remove(&(name.clone(), id))?;
            break;
        }
    }
    Ok(is_free())
}

/// Who has a segment on their ledgers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owners {
    Nobody,
    /// Somebody who lives.
    Living,
    /// Only who is dead: it is about to go.
    Dead,
}

/// Asks all ledgers.
///
/// # Errors
/// What the system says.
pub(super) fn owners_of(locked: &Locked, id: Identity) -> Result<Owners> {
    let mut owners = Owners::Nobody;
    for token in locked.tokens()? {
        let probe = locked.probe(token);
        if let Some(Contents::Entries(_, entries)) = locked.read(token)?
            && entries.iter().any(|entry| entry.1 == id)
        {
            match probe {
                Probe::Dead => owners = Owners::Dead,
                _ => return Ok(Owners::Living),
            }
        }
    }
    Ok(owners)
}

/// Removes what a process owns that is about to end, as far as no other one owns it, and then its ledger; says what
/// was removed. What is not done within `patience` is left to the others, and the ledger with it.
pub(super) fn leave(home: &Home, token: Token, entries: &[Entry], patience: Duration) -> Vec<Name> {
    let mut removed = Vec::new();
    let until = Instant::now() + patience;
    let Ok(Some(mut turn)) = Turn::begin(home, patience, Some(token)) else { return removed };
    let mut all = true;
    for entry in entries {
        if turn.is_over() {
            let left = until.saturating_duration_since(Instant::now());
            match turn.next(home, left) {
                Ok(Some(next)) if !left.is_zero() => turn = next,
                _ => return removed,
            }
        }
        match turn.remove(entry) {
            Ok(Outcome::Removed) => removed.push(entry.0.clone()),
            Ok(Outcome::Nothing) => {}
            Ok(Outcome::Kept) | Err(_) => all = false,
        }
    }
    if all {
        turn.locked.remove(token);
    }
    removed
}

/// Runs `leave` if there is no ledger of a live process, and while there can be none; says whether it did. For a
/// tracker, which must not go when somebody counts on it.
///
/// # Errors
/// As `reap`.
pub fn if_nobody_is_left(home: &Home, patience: Duration, leave: impl FnOnce()) -> Result<bool> {
    let Some(turn) = Turn::begin(home, patience, None)? else {
        leave();
        return Ok(true);
    };
    let nobody = !turn.locked.tokens()?.into_iter().any(|token| turn.locked.probe(token).may_live());
    if nobody {
        leave();
    }
    Ok(nobody)
}

/// A time of holding the lock exclusively.
struct Turn {
    locked: Locked,
    /// Whose ledger does not count.
    but: Option<Token>,
    /// Read when it is needed; nobody can become an owner in this turn.
    owned: Option<Owned>,
    until: Instant,
}

impl Turn {
    /// `None` where there are no ledgers at all.
    fn begin(home: &Home, patience: Duration, but: Option<Token>) -> Result<Option<Self>> {
        let locked = home.lock_existing(patience)?;
        Ok(locked.map(|locked| Turn { locked, but, owned: None, until: Instant::now() + TURN }))
    }

    fn is_over(&self) -> bool {
        self.locked.room.is_full() || Instant::now() > self.until
    }

    /// Lets others have the lock, and has it again.
    fn next(self, home: &Home, patience: Duration) -> Result<Option<Self>> {
        let but = self.but;
        drop(self);
        // They ask for it now and then; this is longer than their pauses.
        sleep(2 * LOCK_PAUSE);
        Turn::begin(home, patience, but)
    }

    fn remove(&mut self, entry: &Entry) -> Result<Outcome> {
        let owned = match &self.owned {
            Some(owned) => owned,
            None => {
                let began = Instant::now();
                let owned = Owned::by_others(&self.locked, self.but)?;
                // At least as long as the reading took, or reading is all that turns are spent on.
                self.until = Instant::now() + TURN.max(began.elapsed());
                self.owned.insert(owned)
            }
        };
        let outcome = owned.remove(&mut self.locked, entry);
        let (name, id) = entry;
        // The lock beside it goes with it; also where somebody was killed between the two.
        if self.locked.home().is_gone(name, *id)
            && let Some((sidecar, its_id)) = lock_header::beside(self.locked.home().segments(), name, *id)
        {
            let _ = self.locked.take(&sidecar, its_id);
        }
        outcome
    }
}

/// What became of a dead owner's segment.
enum Outcome {
    Removed,
    /// It was gone, it is another's by name, or it has another owner.
    Nothing,
    /// Nobody here can tell whether it has another owner.
    Kept,
}

/// What live processes own.
#[derive(Default)]
struct Owned {
    ids: HashSet<Identity>,
    /// One of them could not be read (a newer version's, say): then anything may be owned.
    opaque: bool,
}

impl Owned {
    fn by_others(directory: &Directory, but: Option<Token>) -> Result<Self> {
        let mut owned = Owned::default();
        for token in directory.tokens()? {
            if Some(token) == but || !directory.probe(token).may_live() {
                continue;
            }
            match directory.read(token) {
                Ok(Some(Contents::Entries(_, entries))) => {
                    owned.ids.extend(entries.into_iter().map(|(_, id)| id))
                }
                Ok(None) => {}
                Ok(Some(Contents::Newer | Contents::Garbled)) | Err(_) => owned.opaque = true,
            }
        }
        Ok(owned)
    }

    fn remove(&self, locked: &mut Locked, (name, id): &Entry) -> Result<Outcome> {
        if self.ids.contains(id) {
            return Ok(Outcome::Nothing);
        }
        if matches!(locked.home().look(name), There::Segment { id: there, mine: false } if there == *id) {
            return Ok(Outcome::Nothing); // another user's, whose ledgers say what is to become of it
        }
        if self.opaque {
            return Ok(if locked.home().is_gone(name, *id) { Outcome::Nothing } else { Outcome::Kept });
        }
        match locked.take(name, *id) {
            Ok(true) => Ok(Outcome::Removed),
            // It may be about to be put back there: by another user's process, whose lock is not ours.
            Ok(false) if locked.home().is_being_looked_at(name) => Ok(Outcome::Kept),
            Ok(false) => Ok(Outcome::Nothing),
            Err(Error { code: "EPERM" | "EACCES", .. }) => Ok(Outcome::Nothing),
            Err(error) => Err(error),
        }
    }
}

/// All ledgers, as they are found without changing anything.
#[derive(Debug, Default)]
pub struct Survey {
    /// Those that can be read.
    pub ledgers: Vec<Surveyed>,
    /// A live one cannot be read, and may own anything.
    pub opaque: bool,
}

/// A ledger as `survey` finds it.
#[derive(Debug)]
pub struct Surveyed {
    /// Whether its process lives, or might.
    pub alive: bool,
    /// Its process.
    pub owner: Process,
    /// What it owns.
    pub segments: Vec<(Name, Identity)>,
}

/// Looks at every ledger.
///
/// # Errors
/// As `Home::open`.
pub fn survey(home: &Home) -> Result<Survey> {
    let mut survey = Survey::default();
    let Some(directory) = home.open()? else { return Ok(survey) };
    for token in directory.tokens()? {
        let alive = match directory.probe(token) {
            Probe::None => continue,
            probe => probe != Probe::Dead,
        };
        match directory.read(token) {
            Ok(Some(Contents::Entries(owner, segments))) => {
                survey.ledgers.push(Surveyed { alive, owner, segments })
            }
            Ok(None) => {}
            Ok(Some(Contents::Newer | Contents::Garbled)) | Err(_) => survey.opaque |= alive,
        }
    }
    Ok(survey)
}

/// The segments that `reap` would remove now, by name.
///
/// # Errors
/// As `Home::open`.
pub fn orphans(home: &Home) -> Result<Vec<Name>> {
    let Survey { ledgers, opaque } = survey(home)?;
    if opaque {
        return Ok(Vec::new());
    }
    let (alive, dead): (Vec<_>, Vec<_>) = ledgers.into_iter().partition(|ledger| ledger.alive);
    let owned: HashSet<Identity> =
        alive.iter().flat_map(|it| it.segments.iter().map(|(_, id)| *id)).collect();
    let is_there = |name: &Name, id: Identity| home.look(name) == There::Segment { id, mine: true };
    let mut orphans: Vec<Name> = dead
        .into_iter()
        .flat_map(|ledger| ledger.segments)
        .filter(|(name, id)| !owned.contains(id) && is_there(name, *id))
        .map(|(name, _)| name)
        .collect();
    orphans.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    orphans.dedup();
    Ok(orphans)
}
