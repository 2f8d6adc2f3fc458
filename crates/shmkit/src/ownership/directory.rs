//! Where a user's ledgers are, and which segment has a name.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::format::Token;
use super::locked_directory::LockedDirectory;
use super::open_directory::OpenDirectory;
use crate::error::system_error;
use crate::segment::{Identity, LEDGERS, Name};
use crate::sys::file::FileKind;
use crate::sys::{Errno, dir, file, process, shm};
use crate::{Error, Result};

pub(super) const LEDGER: &str = ".ledger";
/// The socket of a manager, beside its ledger.
pub(super) const MANAGER: &str = ".manager";
/// Where segments are moved to be checked: see `unlink_if_same`.
pub(super) const MOVED: &str = "moved";

/// How long to wait for the ledgers' lock; a reaper holds it for a few milliseconds.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// What has a segment's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameState {
    /// Nothing.
    Free,
    /// A segment. `mine`: it belongs to this user.
    Segment { id: Identity, mine: bool },
    /// A directory. Either it is the placeholder of a segment that is being checked (see `unlink_if_same`), perhaps by
    /// a process that was killed, or it has nothing to do with shmkit.
    Directory,
}

/// The directory of a user's ledgers, and the directory of segments that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerDirectory {
    pub(super) segments: PathBuf,
    pub(super) path: PathBuf,
    pub(super) uid: u32,
}

impl Default for LedgerDirectory {
    /// The system's shared-memory directory, and the ledgers of this process's user.
    fn default() -> Self {
        Self::at(shm::DIRECTORY)
    }
}

impl LedgerDirectory {
    /// Segments in another directory; for tests.
    pub fn at(segments: impl Into<PathBuf>) -> Self {
        let (segments, uid) = (segments.into(), process::user());
        let path = segments.join(format!("{LEDGERS}{uid}"));
        LedgerDirectory { segments, path, uid }
    }

    /// The directory of the ledgers.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The default socket of the manager whose ledger has this token. Other users cannot read the directory, and the
    /// socket is removed with the ledger.
    pub fn manager_socket(&self, token: Token) -> PathBuf {
        self.path.join(format!("{token}{MANAGER}"))
    }

    /// Runs `action` with the directory locked exclusively.
    ///
    /// # Errors
    /// `ERR_SHM_BUSY` if the lock is not available in time.
    pub fn exclusively<T>(&self, timeout: Duration, action: impl FnOnce() -> T) -> Result<T> {
        let _locked = self.lock_or_make(LockMode::Exclusive, timeout)?.keep_directory();
        Ok(action())
    }

    /// Removes the ledger and the socket of a process that owned nothing and is dead, or was never started. If this
    /// fails, the next reaper finds the ledger dead.
    pub fn forget(&self, token: Token, timeout: Duration) {
        match self.lock_existing(timeout) {
            Ok(Some(locked)) => locked.remove(token),
            Ok(None) => {}
            Err(_) => drop(self.open().map(|directory| directory.map(|it| it.remove(token)))),
        }
    }

    /// The directory of the segments.
    pub fn segments(&self) -> &Path {
        &self.segments
    }

    /// The user whose ledgers are meant.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Opens the directory of the ledgers; `None` if it does not exist.
    ///
    /// # Errors
    /// `ERR_SHM_UNSAFE_LEDGERS` if other users could write to it, so that its contents cannot be trusted.
    pub fn open(&self) -> Result<Option<OpenDirectory>> {
        let fd = match dir::open(&self.path) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(self.unsafe_because("it is not a directory")),
            Err(errno) => return Err(system_error("open")(errno)),
        };
        let stat = file::stat(&fd).map_err(system_error("fstat"))?;
        if stat.uid != self.uid {
            return Err(self.unsafe_because("it belongs to another user"));
        }
        if stat.mode & 0o022 != 0 {
            return Err(self.unsafe_because("others can write to it"));
        }
        Ok(Some(OpenDirectory { ledgers: self.clone(), fd }))
    }

    /// Makes the directory of the ledgers if it does not exist.
    ///
    /// # Errors
    /// The system's.
    pub fn make(&self) -> Result<()> {
        match dir::make(&self.path) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(system_error("mkdir")(errno)),
        }
    }

    /// Opens the directory of the ledgers, which is made if it does not exist, and locks it.
    ///
    /// # Errors
    /// As `open` and `make`; `ERR_SHM_BUSY` if the lock is not available in time.
    pub(super) fn lock_or_make(&self, lock: LockMode, timeout: Duration) -> Result<LockedDirectory> {
        let until = Instant::now() + timeout;
        loop {
            match self.open()? {
                None => self.make()?,
                Some(directory) => {
                    if let Some(locked) = directory.lock(lock, until)? {
                        return Ok(locked);
                    }
                }
            }
        }
    }

    /// Opens the directory of the ledgers and locks it exclusively; `None` if it does not exist.
    ///
    /// # Errors
    /// As `lock_or_make`.
    pub(super) fn lock_existing(&self, timeout: Duration) -> Result<Option<LockedDirectory>> {
        let until = Instant::now() + timeout;
        while let Some(directory) = self.open()? {
            let locked = directory.lock(LockMode::Exclusive, until)?;
            if locked.is_some() {
                return Ok(locked);
            }
        }
        Ok(None)
    }

    fn unsafe_because(&self, why: &str) -> Error {
        let path = self.path.display();
        Error::own("ERR_SHM_UNSAFE_LEDGERS", format!("'{path}' cannot be trusted: {why}; remove it"))
    }

    pub(super) fn segment_path(&self, name: &Name) -> PathBuf {
        self.segments.join(name.as_str())
    }

    /// What has the name now.
    pub(super) fn name_state(&self, name: &Name) -> NameState {
        match file::stat_path(&self.segment_path(name)) {
            Ok(stat) if stat.kind == FileKind::Directory => NameState::Directory,
            Ok(stat) => NameState::Segment { id: stat.id, mine: stat.uid == self.uid },
            Err(_) => NameState::Free,
        }
    }

    /// Whether the name belongs to an empty directory, a placeholder: see `unlink_if_same`.
    pub(super) fn has_placeholder(&self, name: &Name) -> bool {
        self.name_state(name) == NameState::Directory
            && dir::is_empty(&self.segment_path(name)).unwrap_or(true)
    }

    /// Whether the segment of the sidecar lock `lock` certainly lost its name. True if the name of the lock was
    /// shortened, since that does not tell the segment's name.
    pub(crate) fn sidecar_is_orphaned(&self, lock: &Name, segment: Identity) -> bool {
        lock.sidecar_owner().is_none_or(|name| self.is_gone(&name, segment))
    }

    /// Whether the name certainly does not belong to the segment any more.
    pub(crate) fn is_gone(&self, name: &Name, segment: Identity) -> bool {
        match self.name_state(name) {
            NameState::Free => true,
            NameState::Segment { id, .. } => id != segment,
            NameState::Directory => false,
        }
    }
}

pub(super) fn busy() -> Error {
    Error::own("ERR_SHM_BUSY", "another process is holding the ledgers' lock; try again")
}

/// How the directory of the ledgers is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LockMode {
    /// Beside other shared locks: to add a ledger or to adopt a segment.
    Shared,
    /// Alone: to remove segments.
    Exclusive,
}
