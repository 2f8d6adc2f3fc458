//! What there is: every segment of the system, what is in it, who owns it, who has it open.

mod kind;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use kind::Kind;

use crate::ownership::{LedgerDirectory, Survey, survey, this_pid_namespace};
use crate::segment::{Identity, Name};
use crate::sys::{Errno, attached};
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

/// Every segment, by name. It is a look at a moving thing: what goes meanwhile is left out.
///
/// # Errors
/// Where the shared-memory directory cannot be read.
pub fn inventory(ledgers: &LedgerDirectory) -> Result<Vec<SegmentInfo>> {
    let error = |error: std::io::Error| Error::io(&error, Errno::IO, "opendir");
    // Ledgers that cannot be believed say nothing.
    let owners = Owners::of(survey(ledgers).unwrap_or(Survey { opaque: true, ..Survey::default() }));
    let mut found = Vec::new();
    for entry in fs::read_dir(ledgers.segments()).map_err(error)?.flatten() {
        let Some(name) = entry.file_name().to_str().and_then(|name| Name::new(name).ok()) else { continue };
        let Ok(meta) = entry.metadata() else { continue };
        let semaphore = name.as_str().starts_with(SEMAPHORE_PREFIX) && meta.len() == SEMAPHORE_SIZE;
        if !meta.is_file() || semaphore {
            continue;
        }
        found.push((Identity { device: meta.dev(), inode: meta.ino() }, name, meta));
    }
    let there: HashSet<Identity> = found.iter().map(|(id, ..)| *id).collect();
    let mut processes = attached::processes(found.iter().map(|(id, ..)| *id), ledgers.segments());
    let mut infos: Vec<SegmentInfo> = found
        .into_iter()
        .map(|(id, name, meta)| {
            let attached = processes.remove(&id).unwrap_or_default();
            let kind = kind::of(&ledgers.segments().join(name.as_str()), meta.len());
            // A lock beside a segment is that one's in everything.
            let owned = if let Kind::LockMode(Some(of)) = kind { of } else { id };
            let (pids, mut orphan) = owners.of_segment(owned);
            orphan |= !there.contains(&owned) && ledgers.sidecar_is_orphaned(&name, owned);
            let is_pythons = name.as_str().starts_with(PYTHON_PREFIX);
            let abandoned = is_pythons && attached.is_empty() && pids.is_empty() && !owners.opaque;
            SegmentInfo {
                id,
                size: meta.len(),
                kind,
                leaked: orphan || (abandoned && attached::can_see(meta.uid())),
                owners: pids,
                attached,
                uid: meta.uid(),
                mode: meta.mode() & 0o777,
                created: created(&meta),
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
/// As `census`.
pub fn abandoned_by_python(ledgers: &LedgerDirectory) -> Result<Vec<SegmentInfo>> {
    let mut infos = inventory(ledgers)?;
    infos.retain(|info| info.leaked && info.name.as_str().starts_with(PYTHON_PREFIX));
    Ok(infos)
}

/// Locks that were beside segments that are gone: what somebody left who unlinked one and knew of no locks.
///
/// # Errors
/// As `census`.
pub fn stray_locks(ledgers: &LedgerDirectory) -> Result<Vec<SegmentInfo>> {
    let mut infos = inventory(ledgers)?;
    infos.retain(|info| match info.kind {
        // Looked at again: the list is not of one moment.
        Kind::LockMode(Some(of)) => info.leaked && ledgers.sidecar_is_orphaned(&info.name, of),
        _ => false,
    });
    Ok(infos)
}

/// The birth, where the filesystem notes it; else the last change of the inode.
fn created(meta: &fs::Metadata) -> SystemTime {
    let changed = || UNIX_EPOCH + Duration::new(meta.ctime().unsigned_abs(), meta.ctime_nsec() as u32);
    meta.created().unwrap_or_else(|_| changed())
}

/// The ledgers, by segment: the pids of the live owners, and whether there were owners that are all dead.
struct Owners {
    by_segment: HashMap<Identity, (Vec<u32>, bool)>,
    /// A live one cannot be read, and may own anything.
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
