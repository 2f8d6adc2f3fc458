//! A ledger for a process that is about to be started, and the file of a new ledger.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::directory::{LedgerDirectory, LockMode, busy};
use super::format::{self, Token};
use crate::Result;
use crate::sys::process::Process;

/// The directory may be removed by the last one to go while a ledger is made in it.
const TRIES: u32 = 10;

/// A ledger for a process that is about to be started, and goes over to it with the open file: it lives for as long as one
/// of the two has that.
#[derive(Debug)]
pub struct PreparedLedger {
    token: Token,
    file: OwnedFd,
}

impl PreparedLedger {
    /// Makes one, of which nobody can tell yet whose it is. It is on nobody's list of what a forked child must not keep: this
    /// is for a moment, and for processes that do not fork without an `exec()`.
    ///
    /// # Errors
    /// As `Ledger::new`; `ERR_SHM_BUSY` where the lock was not to be had in time.
    pub fn new(ledgers: &LedgerDirectory, patience: Duration) -> Result<Self> {
        let (token, nobody) =
            (Token::random()?, Process { pid: std::process::id(), started: 0, namespace: 0 });
        let file = make(ledgers, token, &format::ledger(token, nobody, &[]), patience)?;
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
    patience: Duration,
) -> Result<OwnedFd> {
    let mut tries = 1..TRIES;
    loop {
        match ledgers.lock_or_make(LockMode::Shared, patience)?.create(token, contents) {
            Err(error) if error.code == "ENOENT" && tries.next().is_some() => {}
            // Our own, which somebody is looking at.
            Err(error) if error.code == "EEXIST" => return Err(busy()),
            result => return result,
        }
    }
}
