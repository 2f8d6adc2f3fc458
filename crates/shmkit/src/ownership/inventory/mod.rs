//! The inventory: all segments of the system, with their contents, owners and users.

mod kind;

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

pub use kind::Kind;

use crate::ownership::{LedgerDirectory, Survey, survey, this_pid_namespace};
use crate::segment::{Identity, Name};
use crate::sys::dir::Entry;
use crate::sys::file::FileKind;
use crate::sys::{Errno, attached, dir};
use crate::{Error, Result};

/// How CPython names segments on its own.
const PYTHON_PREFIX: &str = "psm_";
/// How glibc and musl name semaphores, which live in the same directory.
const SEMAPHORE_PREFIX: &str = "sem.";
const SEMAPHORE_SIZE: u64 = 32;

/// A segment, as others can see it.
#[derive(Debug, Clone)]
pub struct SegmentInfo {
    /// Its name.
    pub name: Name,
    /// Which segment of that name it is.
    pub id: Identity,
    /// Bytes.
    pub size: u64,
    /// What its bytes look like.
    pub kind: Kind,
    /// The live processes that own it; 0 stands for one of another PID namespace.
    pub owners: Vec<u32>,
    /// The processes that have it open or mapped, as far as this user can see.
    pub attached: Vec<u32>,
    /// Its owners are all dead; or CPython named it, and nobody has it open.
    pub leaked: bool,
    /// The user it belongs to.
    pub uid: u32,
    /// Permission bits.
    pub mode: u32,
    /// When it was made.
    pub created: SystemTime,
}

/// All segments, by name. Segments that are removed meanwhile are left out.
///
/// # Errors
/// The system's, if the shared-memory directory cannot be read.
pub fn inventory(ledgers: &LedgerDirectory) -> Result<Vec<SegmentInfo>> {
    let error = |error: std::io::Error| Error::io(&error, Errno::IO, "opendir");
    // Ledgers that cannot be trusted are ignored.
    let owners = Owners::of(survey(ledgers).unwrap_or(Survey { opaque: true, ..Survey::default() }));
    let mut found = Vec::new();
    for Entry { name, stat, created } in dir::entries(ledgers.segments()).map_err(error)? {
        let Ok(name) = Name::new(&name) else { continue };
        let semaphore = name.as_str().starts_with(SEMAPHORE_PREFIX) && stat.size == SEMAPHORE_SIZE;
        if stat.kind != FileKind::Regular || semaphore {
            continue;
        }
        found.push((stat.id, name, stat, created));
    }
    let there: HashSet<Identity> = found.iter().map(|(id, ..)| *id).collect();
    let mut processes = attached::processes(found.iter().map(|(id, ..)| *id), ledgers.segments());
    let mut infos: Vec<SegmentInfo> = found
        .into_iter()
        .map(|(id, name, stat, created)| {
            let attached = processes.remove(&id).unwrap_or_default();
            let kind = kind::of(&ledgers.segments().join(name.as_str()), stat.size);
            // A sidecar lock has the owners of its segment.
            let owned = if let Kind::Lock(Some(of)) = kind { of } else { id };
            let (pids, owners_died) = owners.of_segment(owned);
            let is_orphaned_lock = !there.contains(&owned) && ledgers.sidecar_is_orphaned(&name, owned);
            let is_unused = attached.is_empty() && pids.is_empty() && !owners.opaque;
            let is_pythons = name.as_str().starts_with(PYTHON_PREFIX) && attached::can_see(stat.uid);
            SegmentInfo {
                id,
                size: stat.size,
                kind,
                leaked: owners_died || is_orphaned_lock || (is_pythons && is_unused),
                owners: pids,
                attached,
                uid: stat.uid,
                mode: stat.mode,
                created,
                name,
            }
        })
        .collect();
    infos.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
    Ok(infos)
}

/// Python's segments that nobody has open, and nobody of ours owns: what its processes left, as far as one can tell.
///
/// # Errors
/// As `inventory`.
pub fn abandoned_by_python(ledgers: &LedgerDirectory) -> Result<Vec<SegmentInfo>> {
    let mut infos = inventory(ledgers)?;
    infos.retain(|info| info.leaked && info.name.as_str().starts_with(PYTHON_PREFIX));
    Ok(infos)
}

/// Sidecar locks whose segments are gone: programs that do not know of them unlinked only the segment.
///
/// # Errors
/// As `inventory`.
pub fn stray_locks(ledgers: &LedgerDirectory) -> Result<Vec<SegmentInfo>> {
    let mut infos = inventory(ledgers)?;
    infos.retain(|info| match info.kind {
        // Looked at again: the list is not of one moment.
        Kind::Lock(Some(of)) => info.leaked && ledgers.sidecar_is_orphaned(&info.name, of),
        _ => false,
    });
    Ok(infos)
}

/// The ledgers, by segment: the pids of the live owners, and whether there were owners that are all dead.
struct Owners {
    by_segment: HashMap<Identity, (Vec<u32>, bool)>,
    /// A live one cannot be read: any segment may be in it.
    opaque: bool,
}

impl Owners {
    fn of(survey: Survey) -> Self {
        let here = this_pid_namespace();
        let mut owners: HashMap<_, (Vec<u32>, bool)> = HashMap::new();
        for ledger in survey.ledgers {
            let pid = if ledger.owner.namespace == here { ledger.owner.pid } else { 0 };
            for (_, id) in ledger.segments {
                let (pids, _) = owners.entry(id).or_default();
                if ledger.alive {
                    pids.push(pid);
                }
            }
        }
        for (pids, orphan) in owners.values_mut() {
            pids.sort_unstable();
            *orphan = pids.is_empty() && !survey.opaque;
        }
        Owners { by_segment: owners, opaque: survey.opaque }
    }

    /// Its live owners, and whether it had some that are all dead.
    fn of_segment(&self, id: Identity) -> (Vec<u32>, bool) {
        self.by_segment.get(&id).cloned().unwrap_or_default()
    }
}
