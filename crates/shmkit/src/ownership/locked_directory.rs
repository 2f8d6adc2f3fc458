//! The locked directory of a user's ledgers.

use super::deferred_free::DeferredFrees;
use super::directory::LEDGER;
use super::directory::{MANAGER, MOVED};
use super::format::Token;
use super::open_directory::OpenDirectory;
use crate::Result;
use crate::error::system_error;
use crate::sys::descriptors::OwnedFd;
use crate::sys::{Errno, dir, file, lock};

const UNFINISHED: &str = ".new";

/// A locked directory of ledgers.
#[derive(Debug)]
pub(super) struct LockedDirectory {
    pub(super) directory: OpenDirectory,
    /// Whether to remove the directory on drop if it is empty.
    pub(super) remove_if_empty: bool,
    /// Freed after the lock is released.
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
        if self.remove_if_empty {
            let _ = dir::remove_at(&self.directory.fd, MOVED);
            let _ = dir::remove(&self.directory.ledgers.path);
        }
        // Closing alone is not enough: a process forked meanwhile has the same open file, and would keep the lock.
        let _ = lock::unlock(&self.directory.fd);
    }
}

impl LockedDirectory {
    /// Keeps the directory even if it is empty now, for this process's ledger.
    pub(super) fn keep_directory(mut self) -> Self {
        self.remove_if_empty = false;
        self
    }

    /// Creates the ledger of this token with these contents. It is locked before other processes can see it.
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

    /// Removes ledgers that were never finished (they are made under the shared lock, so no process is making one
    /// now), and sockets of managers whose ledger is gone.
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
