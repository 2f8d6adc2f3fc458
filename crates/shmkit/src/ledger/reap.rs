//! What dead processes left: found, and removed.

use std::collections::HashSet;
use std::time::Duration;

use super::format::{Contents, Entry, Owner, Token};
use super::home::{Home, Lock, Locked, Probe, busy};
use crate::segment::{Identity, Name};
use crate::{Error, Result};

/// So many dead ledgers are dealt with before others get the lock.
const TURN: usize = 64;

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
/// `ERR_SHM_BUSY` where somebody else is at it for longer than `patience`; `ERR_SHM_UNSAFE_LEDGERS`.
pub fn reap(home: &Home, patience: Duration) -> Result<Reaped> {
    let mut reaped = Reaped::default();
    let mut seen = HashSet::new();
    // In turns, between which others get the lock.
    while let Some(directory) = home.open()? {
        let Some(locked) = directory.lock(Lock::Exclusive, patience)? else {
            return if home.open()?.is_some() { Err(busy()) } else { Ok(reaped) };
        };
        if !turn(&locked, &mut reaped, &mut seen)? {
            break;
        }
    }
    Ok(reaped)
}

/// One turn of reaping; says whether there is more to do. Each dead ledger is `seen` once: not all can be removed.
fn turn(locked: &Locked, reaped: &mut Reaped, seen: &mut HashSet<Token>) -> Result<bool> {
    let mut dead = Vec::new();
    reaped.alive.clear();
    for token in locked.tokens()? {
        match locked.probe(token) {
            Probe::Dead if seen.contains(&token) => {}
            Probe::Dead => dead.push(token),
            Probe::Alive | Probe::Unknown => reaped.alive.push(token),
        }
    }
    locked.recover();
    let mut owned = None;
    for &token in dead.iter().take(TURN) {
        seen.insert(token);
        match locked.read(token) {
            Ok(Contents::Entries(_, entries)) => {
                if !entries.is_empty() {
                    let owned = owned.get_or_insert_with(|| Owned::by(locked, &reaped.alive));
                    remove(locked, &entries, owned, &mut reaped.removed)?;
                    if owned.opaque {
                        continue; // its segments are for whoever can read the others
                    }
                }
                locked.remove(token);
            }
            Ok(Contents::Garbled) => locked.remove(token),
            // Whoever can read it will.
            Ok(Contents::Newer) | Err(_) => {}
        }
    }
    Ok(dead.len() > TURN)
}

/// Runs `leave` if there is not one ledger, and while there can be none; says whether it did. For a tracker, which
/// must not go when somebody counts on it.
///
/// # Errors
/// As `reap`.
pub fn if_nobody_is_left(home: &Home, patience: Duration, leave: impl FnOnce()) -> Result<bool> {
    let Some(directory) = home.open()? else {
        leave();
        return Ok(true);
    };
    let Some(locked) = directory.lock(Lock::Exclusive, patience)? else { return Ok(false) };
    let nobody = locked.tokens()?.is_empty();
    if nobody {
        leave();
    }
    Ok(nobody)
}

/// Removes those of the entries that no other process owns.
pub(super) fn remove_unowned(locked: &Locked, entries: &[Entry], but: Token) -> Result<Vec<Name>> {
    let mut removed = Vec::new();
    if !entries.is_empty() {
        let mut others = locked.tokens()?;
        others.retain(|&token| token != but && !matches!(locked.probe(token), Probe::Dead));
        let owned = Owned::by(locked, &others);
        locked.recover_moved();
        remove(locked, entries, &owned, &mut removed)?;
        if owned.opaque {
            return Err(busy());
        }
    }
    Ok(removed)
}

/// What live processes own.
struct Owned {
    ids: HashSet<Identity>,
    /// One of them could not be read (a newer version's, say): then anything may be owned.
    opaque: bool,
}

impl Owned {
    fn by(locked: &Locked, alive: &[Token]) -> Self {
        let mut owned = Owned { ids: HashSet::new(), opaque: false };
        for &token in alive {
            match locked.read(token) {
                Ok(Contents::Entries(_, entries)) => owned.ids.extend(entries.into_iter().map(|(_, id)| id)),
                Ok(Contents::Newer | Contents::Garbled) => owned.opaque = true,
                // Gone meanwhile, or never a file of ours.
                Err(_) => {}
            }
        }
        owned
    }
}

fn remove(locked: &Locked, entries: &[Entry], owned: &Owned, removed: &mut Vec<Name>) -> Result<()> {
    for entry in entries {
        if owned.opaque || owned.ids.contains(&entry.1) {
            continue;
        }
        match locked.take(&entry.0, entry.1) {
            Ok(true) => removed.push(entry.0.clone()),
            Ok(false) => {}
            // Another user's, which is his to remove.
            Err(Error { code: "EPERM" | "EACCES", .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The segments that `reap` would remove now, without changing anything.
///
/// # Errors
/// As `Home::open`.
pub fn orphans(home: &Home) -> Result<Vec<Name>> {
    let (alive, dead): (Vec<_>, Vec<_>) = survey(home)?.into_iter().partition(|ledger| ledger.alive);
    let owned: HashSet<Identity> =
        alive.iter().flat_map(|it| it.segments.iter().map(|(_, id)| *id)).collect();
    let mut orphans: Vec<Name> = dead
        .into_iter()
        .flat_map(|ledger| ledger.segments)
        .filter(|(name, id)| !owned.contains(id) && home.who_has(name) == Some(*id))
        .map(|(name, _)| name)
        .collect();
    orphans.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    orphans.dedup();
    Ok(orphans)
}

/// A ledger as `survey` finds it.
#[derive(Debug)]
pub struct Surveyed {
    /// Whether its process lives, or might.
    pub alive: bool,
    /// Its process.
    pub owner: Owner,
    /// What it owns.
    pub segments: Vec<(Name, Identity)>,
}

/// Every ledger that can be read, without changing anything.
///
/// # Errors
/// As `Home::open`.
pub fn survey(home: &Home) -> Result<Vec<Surveyed>> {
    let Some(directory) = home.open()? else { return Ok(Vec::new()) };
    let surveyed = |token| {
        let alive = !matches!(directory.probe(token), Probe::Dead);
        let (owner, segments) = super::book::entries(&directory, token)?;
        Some(Surveyed { alive, owner, segments })
    };
    Ok(directory.tokens()?.into_iter().filter_map(surveyed).collect())
}
