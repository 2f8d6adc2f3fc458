//! The directory of a user's ledgers, and its lock.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread::{sleep, yield_now};
use std::time::{Duration, Instant};

use super::deferred_free::DeferredFrees;
use super::format::{self, Contents, Token};
use crate::error::system_error;
use crate::segment::{Identity, LEDGERS, Name};
use crate::sys::file::{FileKind, Stat};
use crate::sys::{Errno, dir, file, lock, process, shm};
use crate::{Error, Result};

const LEDGER: &str = ".ledger";
/// The socket of a manager, beside its ledger.
const MANAGER: &str = ".manager";
const UNFINISHED: &str = ".new";
/// Where segments are looked at: see `take`.
pub(super) const MOVED: &str = "moved";
/// Beyond this a ledger is none: four million segments.
const LEDGER_MAX: u64 = 1 << 30;
/// So many tries for the directory's lock are made at once; it is held for microseconds as a rule.
const LOCK_SPINS: u32 = 50;
/// The longest pause between two tries after those.
pub(super) const LOCK_PAUSE: Duration = Duration::from_micros(500);

/// What has a segment's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameState {
    /// Nothing.
    Free,
    /// A segment; of this user, or not.
    Segment { id: Identity, mine: bool },
    /// A directory: a segment is being looked at (see `take`), or was, by a process that was killed. Or it is a
    /// stranger's.
    Directory,
}

/// Where segments are, and whose ledgers are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerDirectory {
    segments: PathBuf,
    path: PathBuf,
    uid: u32,
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

    /// Where the manager listens whose ledger has this token, unless it was told to elsewhere. Nobody else can look into
    /// the directory, and the socket is removed with the ledger.
    pub fn manager_socket(&self, token: Token) -> PathBuf {
        self.path.join(format!("{token}{MANAGER}"))
    }

    /// Does something while no other process of this user's does so.
    ///
    /// # Errors
    /// `ERR_SHM_BUSY` where it was not to be had in time.
    pub fn exclusively<T>(&self, patience: Duration, action: impl FnOnce() -> T) -> Result<T> {
        let _locked = self.lock_or_make(LockMode::Exclusive, patience)?.keep();
        Ok(action())
    }

    /// Removes the ledger of a process that owned nothing and is gone, or never was, and the socket beside it. Not being
    /// removed it would be found to be dead, by whoever looks next.
    pub fn forget(&self, token: Token, patience: Duration) {
        match self.lock_existing(patience) {
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

    /// Opens the directory of the ledgers; `None` where there is none.
    ///
    /// # Errors
    /// `ERR_SHM_UNSAFE_LEDGERS` where others could write to it: what it says is not to be believed.
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

    /// Makes the directory of the ledgers where there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn make(&self) -> Result<()> {
        match dir::make(&self.path) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(system_error("mkdir")(errno)),
        }
    }

    /// Opens the directory of the ledgers, makes it where there is none, and locks it.
    ///
    /// # Errors
    /// As `open` and `make`; `ERR_SHM_BUSY` where the lock was not to be had in time.
    pub(super) fn lock_or_make(&self, lock: LockMode, patience: Duration) -> Result<LockedDirectory> {
        let until = Instant::now() + patience;
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

    /// Opens the directory of the ledgers and locks it exclusively; `None` where there is none.
    ///
    /// # Errors
    /// As `lock_or_make`.
    pub(super) fn lock_existing(&self, patience: Duration) -> Result<Option<LockedDirectory>> {
        let until = Instant::now() + patience;
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

    /// Whether an empty directory is in the segment's place: see `take`.
    pub(super) fn has_placeholder(&self, name: &Name) -> bool {
        self.name_state(name) == NameState::Directory
            && std::fs::read_dir(self.segment_path(name)).map_or(true, |mut entries| entries.next().is_none())
    }

    /// Whether the segment has its name no more that a lock of this name would be beside of; of a name that was cut
    /// off nobody can tell.
    pub(crate) fn sidecar_is_orphaned(&self, lock: &Name, segment: Identity) -> bool {
        lock.sidecar_owner().is_none_or(|name| self.is_gone(&name, segment))
    }

    /// Whether the segment certainly has its name no more.
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
    /// By who adds a ledger or adopts a segment: as many as like.
    Shared,
    /// By who removes segments: one, and nobody of the others.
    Exclusive,
}

/// A ledger in the directory, as far as it could be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It lives.
    Alive,
    /// It died.
    Dead,
    /// It could not be asked: nobody's to take.
    Unknown,
    /// NameState is no such ledger: nothing, or something that is no file of this user.
    Missing,
}

impl Liveness {
    /// Whether it lives, or might.
    pub fn may_be_alive(self) -> bool {
        matches!(self, Liveness::Alive | Liveness::Unknown)
    }
}

/// An open directory of ledgers.
#[derive(Debug)]
pub struct OpenDirectory {
    ledgers: LedgerDirectory,
    fd: OwnedFd,
}

impl OpenDirectory {
    /// Locks it; `None` where it was removed meanwhile by the last one to go.
    ///
    /// # Errors
    /// `ERR_SHM_BUSY` where it took too long.
    fn lock(self, lock: LockMode, until: Instant) -> Result<Option<LockedDirectory>> {
        let attempt = || match lock {
            LockMode::Shared => lock::share(&self.fd),
            LockMode::Exclusive => lock::exclude(&self.fd),
        };
        for tries in 0u32.. {
            match attempt() {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) if tries < LOCK_SPINS => yield_now(),
                Err(Errno::WOULDBLOCK) if Instant::now() >= until => return Err(busy()),
                Err(Errno::WOULDBLOCK) => {
                    sleep(LOCK_PAUSE.min(Duration::from_micros(20) * (tries - LOCK_SPINS)))
                }
                Err(errno) => return Err(system_error("flock")(errno)),
            }
        }
        let mut locked = LockedDirectory { directory: self, last: false, deferred: DeferredFrees::default() };
        let OpenDirectory { ledgers, fd } = &locked.directory;
        match (file::stat(fd), file::stat_path(&ledgers.path)) {
            (Ok(ours), Ok(there)) if ours.id == there.id => {
                locked.last = lock == LockMode::Exclusive;
                Ok(Some(locked))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn ledgers(&self) -> &LedgerDirectory {
        &self.ledgers
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// The names of what is in it.
    fn names(&self) -> Result<Vec<String>> {
        dir::names(&self.fd).and_then(Iterator::collect).map_err(system_error("getdents"))
    }

    /// Every ledger.
    pub(super) fn tokens(&self) -> Result<Vec<Token>> {
        Ok(self.names()?.iter().filter_map(|name| Token::parse(name.strip_suffix(LEDGER)?)).collect())
    }

    /// Asks whether a ledger's process lives. Probes are shared, so that two at once do not fool each other.
    pub fn liveness(&self, token: Token) -> Liveness {
        let file = match self.open_ledger(token) {
            Ok(Some(file)) => file,
            Ok(None) => return Liveness::Missing,
            Err(_) => return Liveness::Unknown,
        };
        match lock::retry(|| lock::share(&file)) {
            // Closing the file lets go of the lock.
            Ok(()) => Liveness::Dead,
            Err(Errno::WOULDBLOCK) => Liveness::Alive,
            Err(_) => Liveness::Unknown,
        }
    }

    /// Whether there is a ledger of this token, of a process that lives or not.
    pub(super) fn has(&self, token: Token) -> bool {
        dir::exists_at(&self.fd, &format!("{token}{LEDGER}"))
    }

    /// What a ledger says; `None` where there is no such file of this user.
    ///
    /// # Errors
    /// What the system says: then nobody knows what it owns.
    pub(super) fn read(&self, token: Token) -> Result<Option<Contents>> {
        let Some(file) = self.open_ledger(token)? else { return Ok(None) };
        let length = file::stat(&file).map_err(system_error("fstat"))?.size;
        if length > LEDGER_MAX {
            return Err(system_error("read")(Errno::FBIG));
        }
        let mut bytes = vec![0; length as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match file::read(&file, &mut bytes[filled..]).map_err(system_error("read"))? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(Some(format::parse(&bytes[..filled])))
    }

    /// A regular file of this user; never through a symbolic link, and without waiting for a fifo.
    fn open_ledger(&self, token: Token) -> Result<Option<OwnedFd>> {
        let file = match dir::open_file_at(&self.fd, &format!("{token}{LEDGER}")) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
            Err(errno) => return Err(system_error("open")(errno)),
        };
        let stat: Stat = file::stat(&file).map_err(system_error("fstat"))?;
        Ok((stat.kind == FileKind::Regular && stat.uid == self.ledgers.uid).then_some(file))
    }

    /// Opens the ledger of this token for writing and locks it, if it is the file `id`.
    pub(super) fn relock(&self, token: Token, id: Identity) -> Option<OwnedFd> {
        let file = dir::open_file_for_writing_at(&self.fd, &format!("{token}{LEDGER}")).ok()?;
        if !file::stat(&file).is_ok_and(|stat| stat.id == id) {
            return None;
        }
        // Somebody may be probing it.
        for _ in 0..LOCK_SPINS {
            match lock::exclude(&file) {
                Ok(()) => return Some(file),
                Err(_) => sleep(LOCK_PAUSE),
            }
        }
        None
    }

    /// Removes a ledger whose process is gone, or is going.
    pub(super) fn remove(&self, token: Token) {
        let _ = dir::unlink_at(&self.fd, &format!("{token}{MANAGER}"));
        let _ = dir::unlink_at(&self.fd, &format!("{token}{LEDGER}"));
    }
}

/// A locked directory of ledgers.
#[derive(Debug)]
pub(super) struct LockedDirectory {
    directory: OpenDirectory,
    /// Removes the directory at the end, if nothing is in it then.
    last: bool,
    /// Let go of after the lock.
    pub(super) deferred: DeferredFrees,
}

impl std::ops::Deref for LockedDirectory {
    type Target = OpenDirectory;

    fn deref(&self) -> &OpenDirectory {
        &self.directory
    }
}

impl Drop for LockedDirectory {
    fn drop(&mut self) {
        if self.last {
            let _ = dir::remove_at(&self.directory.fd, MOVED);
            let _ = dir::remove(&self.directory.ledgers.path);
        }
        // Not by closing alone: a process forked meanwhile has the same open file, and would keep the lock.
        let _ = lock::unlock(&self.directory.fd);
    }
}

impl LockedDirectory {
    /// Keeps the directory although nothing may be in it: this process's ledger is.
    pub(super) fn keep(mut self) -> Self {
        self.last = false;
        self
    }

    /// Makes the ledger of this token, with these contents, locked before anybody can see it.
    pub(super) fn create(&self, token: Token, contents: &[u8]) -> Result<OwnedFd> {
        let directory = &self.directory.fd;
        let name = format!("{token}{LEDGER}");
        match dir::create_nameless_at(directory) {
            Ok(file) => {
                prepare(&file, contents)?;
                dir::link_nameless_at(&file, directory, &name).map_err(system_error("linkat"))?;
                Ok(file)
            }
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                let unfinished = format!("{token}{UNFINISHED}");
                let file = dir::create_file_at(directory, &unfinished).map_err(system_error("open"))?;
                let rename = || dir::rename_new_at(directory, &unfinished, &name);
                prepare(&file, contents)
                    .and_then(|()| rename().map_err(system_error("rename")))
                    .inspect_err(|_| {
                        let _ = dir::unlink_at(directory, &unfinished);
                    })?;
                Ok(file)
            }
            Err(errno) => Err(system_error("open")(errno)),
        }
    }

    /// Removes ledgers that were never finished: they are made under the shared lock, so nobody is at them. And sockets
    /// whose ledger was removed by a version that knew nothing of managers.
    pub(super) fn remove_strays(&self) {
        let is_token = |name: &str, suffix: &str| name.strip_suffix(suffix).and_then(Token::parse);
        for name in self.directory.names().unwrap_or_default() {
            if is_token(&name, UNFINISHED).is_some()
                || is_token(&name, MANAGER).is_some_and(|token| !self.has(token))
            {
                let _ = dir::unlink_at(&self.directory.fd, &name);
            }
        }
    }
}

fn prepare(file: &OwnedFd, contents: &[u8]) -> Result<()> {
    lock::retry(|| lock::exclude(file)).map_err(system_error("flock"))?;
    write_at(file, contents, 0)
}

/// Writes all of `bytes` at `at`.
pub(super) fn write_at(file: &OwnedFd, mut bytes: &[u8], mut at: u64) -> Result<()> {
    while !bytes.is_empty() {
        match file::write_at(file, bytes, at).map_err(system_error("write"))? {
            0 => return Err(system_error("write")(Errno::NOSPC)),
            count => {
                bytes = &bytes[count..];
                at += count as u64;
            }
        }
    }
    Ok(())
}
