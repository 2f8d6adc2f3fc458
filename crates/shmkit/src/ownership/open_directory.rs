//! The open directory of a user's ledgers.

use std::thread::{sleep, yield_now};
use std::time::{Duration, Instant};

use super::deferred_free::DeferredFrees;
use super::directory::MANAGER;
use super::directory::{LEDGER, LedgerDirectory, LockMode, busy};
use super::format::{self, Contents, Token};
use super::locked_directory::LockedDirectory;
use crate::Result;
use crate::error::system_error;
use crate::segment::Identity;
use crate::sys::descriptors::OwnedFd;
use crate::sys::file::{FileKind, Stat};
use crate::sys::{Errno, dir, file, lock};

/// The most bytes of a ledger: four million segments.
const LEDGER_MAX: u64 = 1 << 30;
/// Number of spins on the directory's lock before the thread sleeps; it is usually held for microseconds.
pub(super) const LOCK_SPINS: u32 = 50;
/// The longest sleep between two attempts after those.
pub(super) const LOCK_PAUSE: Duration = Duration::from_micros(500);

/// Whether the process of a ledger is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It lives.
    Alive,
    /// It died.
    Dead,
    /// The system did not say: the ledger must not be reaped.
    Unknown,
    /// There is no such ledger, or it is not a file of this user.
    Missing,
}

impl Liveness {
    /// Whether it is alive, or may be.
    pub fn may_be_alive(self) -> bool {
        matches!(self, Liveness::Alive | Liveness::Unknown)
    }
}

/// An open directory of ledgers.
#[derive(Debug)]
pub struct OpenDirectory {
    pub(super) ledgers: LedgerDirectory,
    pub(super) fd: OwnedFd,
}

impl OpenDirectory {
    /// Locks it; `None` if the last process to leave has removed it meanwhile.
    ///
    /// # Errors
    /// `ERR_SHM_BUSY` if the lock is not available until then.
    pub(super) fn lock(self, lock: LockMode, until: Instant) -> Result<Option<LockedDirectory>> {
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
        let mut locked =
            LockedDirectory { directory: self, remove_if_empty: false, deferred: DeferredFrees::default() };
        let OpenDirectory { ledgers, fd } = &locked.directory;
        match (file::stat(fd), file::stat_path(&ledgers.path)) {
            (Ok(ours), Ok(there)) if ours.id == there.id => {
                locked.remove_if_empty = lock == LockMode::Exclusive;
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
    pub(super) fn names(&self) -> Result<Vec<String>> {
        dir::names(&self.fd).and_then(Iterator::collect).map_err(system_error("getdents"))
    }

    /// Every ledger.
    pub(super) fn tokens(&self) -> Result<Vec<Token>> {
        Ok(self.names()?.iter().filter_map(|name| Token::parse(name.strip_suffix(LEDGER)?)).collect())
    }

    /// Whether the process of a ledger is alive. The lock that tests this is shared, so that two tests at once do not
    /// mislead each other.
    pub fn liveness(&self, token: Token) -> Liveness {
        let file = match self.open_ledger(token) {
            Ok(Some(file)) => file,
            Ok(None) => return Liveness::Missing,
            Err(_) => return Liveness::Unknown,
        };
        match lock::retry(|| lock::share(&file)) {
            // Closing the file releases the lock.
            Ok(()) => Liveness::Dead,
            Err(Errno::WOULDBLOCK) => Liveness::Alive,
            Err(_) => Liveness::Unknown,
        }
    }

    /// Whether there is a ledger of this token, dead or alive.
    pub(super) fn has(&self, token: Token) -> bool {
        dir::exists_at(&self.fd, &format!("{token}{LEDGER}"))
    }

    /// The contents of a ledger; `None` if this user has no such file.
    ///
    /// # Errors
    /// The system's: then it is unknown what the process owns.
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

    /// Opens a regular file of this user. Does not follow symbolic links, and does not block on a fifo.
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
        // Another process may be testing the lock.
        for _ in 0..LOCK_SPINS {
            match lock::exclude(&file) {
                Ok(()) => return Some(file),
                Err(_) => sleep(LOCK_PAUSE),
            }
        }
        None
    }

    /// Removes a ledger whose process is dead, or about to exit.
    pub(super) fn remove(&self, token: Token) {
        let _ = dir::unlink_at(&self.fd, &format!("{token}{MANAGER}"));
        let _ = dir::unlink_at(&self.fd, &format!("{token}{LEDGER}"));
    }
}
