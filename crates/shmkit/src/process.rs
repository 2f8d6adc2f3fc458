//! Processes, told from each other by what the system says of them.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use rustix::fs::makedev;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::segment::Identity;

/// A process, told from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its id, in its own PID namespace.
    pub pid: u32,
    /// When it started, in clock ticks since boot: with the pid it is unique.
    pub started: u64,
    /// The inode of its PID namespace, 0 where the system does not tell.
    pub namespace: u64,
}

impl Process {
    /// This one.
    pub(crate) fn current() -> Self {
        let pid = std::process::id();
        Process { pid, started: started(pid).unwrap_or(0), namespace: this_pid_namespace() }
    }

    /// Whether it certainly is not there any more, as far as this PID namespace can tell.
    pub(crate) fn is_gone(&self) -> bool {
        if self.namespace == 0 || self.namespace != this_pid_namespace() || self.started == 0 {
            return false;
        }
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        // Where /proc hides the processes of others, the call still knows of them.
        let exists = pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH));
        !exists || started(self.pid).is_some_and(|now| now != self.started)
    }

    /// Whether it is there, in this PID namespace, and has the segment mapped at this address. One whose mappings cannot
    /// be looked at is believed to.
    pub(crate) fn has_mapped_at(&self, segment: Identity, address: u64) -> bool {
        if self.namespace == 0 || self.namespace != this_pid_namespace() {
            return false;
        }
        if self.started == 0 || started(self.pid) != Some(self.started) {
            return false;
        }
        fs::read(format!("/proc/{}/maps", self.pid)).map_or(true, |maps| {
            let lines = maps.split(|&byte| byte == b'\n');
            let start = format!("{address:08x}-");
            lines
                .filter_map(|line| std::str::from_utf8(line).ok())
                .any(|line| line.starts_with(&start) && mapped_by(line) == Some(segment))
        })
    }
}

/// The segment in a line of `/proc/PID/maps`: `start-end perms offset major:minor inode path`.
pub(crate) fn mapped_by(line: &str) -> Option<Identity> {
    let mut fields = line.split_ascii_whitespace().skip(3);
    let (major, minor) = fields.next()?.split_once(':')?;
    let inode = fields.next()?.parse().ok()?;
    let number = |text| u32::from_str_radix(text, 16).ok();
    Some(Identity { device: makedev(number(major)?, number(minor)?), inode })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line_of_maps() {
        let line = "7f0000000000-7f0000001000 rw-s 00000000 00:1a 4711                       /dev/shm/a b";
        let id = mapped_by(line).expect("a line");
        assert_eq!((id.device, id.inode), (makedev(0, 0x1a), 4711));
        assert_eq!(mapped_by("7f00-7f01 rw-p 00000000"), None);
    }
}
