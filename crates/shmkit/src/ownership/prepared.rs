//! A ledger for a process that is about to be started, and the file of a new ledger.

use std::time::Duration;

use super::directory::{LedgerDirectory, LockMode, busy};
use super::format::{self, Token};
use crate::Result;
use crate::sys::descriptors::{AsFd, BorrowedFd, OwnedFd};
use crate::sys::process::{self, Process};

/// Attempts to create a ledger, while the last process to leave may remove the directory.
const TRIES: u32 = 10;

/// A ledger for a process that is about to be started, which takes it over with the open file. It is alive while one
/// of the two processes has that.
#[derive(Debug)]
pub struct PreparedLedger {
    token: Token,
    file: OwnedFd,
}

impl PreparedLedger {
    /// Creates one without the identity of a process. A forked child inherits the open file: use this only briefly,
    /// and in processes that do not fork without `exec()`.
    ///
    /// # Errors
    /// As `Ledger::new`; `ERR_SHM_BUSY` if the lock is not available in time.
    pub fn new(ledgers: &LedgerDirectory, timeout: Duration) -> Result<Self> {
        let (token, nobody) = (Token::random()?, Process { pid: process::id(), started: 0, namespace: 0 });
        let file = make(ledgers, token, &format::ledger(token, nobody, &[]), timeout)?;
        Ok(PreparedLedger { token, file })
    }

    /// What names it.
    pub fn token(&self) -> Token {
        self.token
    }
}

impl AsFd for PreparedLedger {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Makes the file of a ledger, locked.
pub(super) fn make(
    ledgers: &LedgerDirectory,
    token: Token,
    contents: &[u8],
    timeout: Duration,
) -> Result<OwnedFd> {
    let mut tries = 1..TRIES;
    loop {
        match ledgers.lock_or_make(LockMode::Shared, timeout)?.create(token, contents) {
            Err(error) if error.code == "ENOENT" && tries.next().is_some() => {}
            // Our own ledger, whose lock another process is testing.
            Err(error) if error.code == "EEXIST" => return Err(busy()),
            result => return result,
        }
    }
}
