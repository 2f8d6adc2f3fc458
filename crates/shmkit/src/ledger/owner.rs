//! The process that a ledger belongs to.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;

/// A process, told from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Its id, in its own PID namespace.
    pub pid: u32,
    /// When it started, in clock ticks since boot: with the pid it is unique.
    pub started: u64,
    /// The inode of its PID namespace, 0 where the system does not tell.
    pub namespace: u64,
}

/// Who this process is.
pub(super) fn current_owner() -> Owner {
    let pid = std::process::id();
    Owner { pid, started: started(pid).unwrap_or(0), namespace: this_pid_namespace() }
}

/// The inode of this process's PID namespace, 0 where the system does not tell.
pub fn this_pid_namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |it| it.ino())
}

/// When a process started, in clock ticks since boot: field 22 of its stat, counted after the name, which may
/// have spaces and brackets in it.
fn started(pid: u32) -> Option<u64> {
    let mut stat = Vec::with_capacity(1024); // enough for one read, where fs::read makes six
    File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read_to_end(&mut stat)).ok()?;
    let after_name = stat.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(stat.get(after_name + 1..)?).ok()?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}
