//! All ledgers, read without changing anything.

use std::collections::HashSet;

use super::directory::{LedgerDirectory, NameState};
use super::format::Contents;
use super::open_directory::Liveness;
use crate::Result;
use crate::segment::{Identity, Name};
use crate::sys::process::Process;

/// All ledgers, as they are found without changing anything.
#[derive(Debug, Default)]
pub struct Survey {
    /// Those that can be read.
    pub ledgers: Vec<SurveyedLedger>,
    /// A live one cannot be read: any segment may be in it.
    pub opaque: bool,
}

/// A ledger as `survey` finds it.
#[derive(Debug)]
pub struct SurveyedLedger {
    /// Whether its process is alive, or may be.
    pub alive: bool,
    /// Its process.
    pub owner: Process,
    /// What it owns.
    pub segments: Vec<(Name, Identity)>,
}

/// Reads all ledgers.
///
/// # Errors
/// As `LedgerDirectory::open`.
pub fn survey(ledgers: &LedgerDirectory) -> Result<Survey> {
    let mut survey = Survey::default();
    let Some(directory) = ledgers.open()? else { return Ok(survey) };
    for token in directory.tokens()? {
        let alive = match directory.liveness(token) {
            Liveness::Missing => continue,
            probe => probe != Liveness::Dead,
        };
        match directory.read(token) {
            Ok(Some(Contents::Entries(owner, segments))) => {
                survey.ledgers.push(SurveyedLedger { alive, owner, segments })
            }
            Ok(None) => {}
            Ok(Some(Contents::OtherVersion | Contents::Garbled)) | Err(_) => survey.opaque |= alive,
        }
    }
    Ok(survey)
}

/// The segments that `reap` would remove now, by name.
///
/// # Errors
/// As `LedgerDirectory::open`.
pub fn orphans(ledgers: &LedgerDirectory) -> Result<Vec<Name>> {
    let Survey { ledgers: found, opaque } = survey(ledgers)?;
    if opaque {
        return Ok(Vec::new());
    }
    let (alive, dead): (Vec<_>, Vec<_>) = found.into_iter().partition(|ledger| ledger.alive);
    let owned: HashSet<Identity> =
        alive.iter().flat_map(|it| it.segments.iter().map(|(_, id)| *id)).collect();
    let is_there =
        |name: &Name, id: Identity| ledgers.name_state(name) == NameState::Segment { id, mine: true };
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
