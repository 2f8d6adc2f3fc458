//! Who this process is, and whether another one is alive.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open, pidfd_send_signal, test_kill_process};

use super::errno::Errno;

/// The id of this process.
pub fn id() -> u32 {
    std::process::id()
}

/// Identifies a process: its id may be given to another one after its death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its id, in its own PID namespace.
    pub pid: u32,
    /// When it started, in clock ticks since boot: with the pid it is unique.
    pub started: u64,
    /// The inode of its PID namespace, 0 if the system does not say.
    pub namespace: u64,
}

impl Process {
    /// This process.
    pub fn current() -> Self {
        let pid = std::process::id();
        Process { pid, started: started(pid).unwrap_or(0), namespace: this_pid_namespace() }
    }

    /// Whether it is certainly dead. False if it belongs to another PID namespace.
    pub fn is_gone(&self) -> bool {
        if self.namespace == 0 || self.namespace != this_pid_namespace() || self.started == 0 {
            return false;
        }
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        // If /proc hides the processes of others, the call still knows of them.
        let exists = pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH));
        !exists || started(self.pid).is_some_and(|now| now != self.started)
    }

    /// Whether it is certainly alive, in this PID namespace.
    pub(super) fn is_here(&self) -> bool {
        self.namespace != 0
            && self.namespace == this_pid_namespace()
            && self.started != 0
            && started(self.pid) == Some(self.started)
    }
}

/// The inode of this process's PID namespace, 0 if the system does not say.
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

/// The user that this process acts as.
pub fn user() -> u32 {
    geteuid().as_raw()
}

/// A process that can be killed: never another one that got its id later.
#[derive(Debug)]
pub struct Killable(OwnedFd);

impl Killable {
    /// The process of this id; `None` if it does not exist, or before Linux 5.3.
    pub fn new(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(pid.cast_signed())?;
        pidfd_open(pid, PidfdFlags::empty()).ok().map(Killable)
    }

    /// Kills it, if it is alive.
    pub fn kill(&self) {
        let _ = pidfd_send_signal(&self.0, Signal::KILL);
    }
}
