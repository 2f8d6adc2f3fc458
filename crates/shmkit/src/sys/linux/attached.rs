//! Which processes have a file open or mapped, read from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::makedev;

use super::file::Identity;
use super::process::{Process, user};

/// Whether this user can see what the processes of that user have open.
pub fn can_see(uid: u32) -> bool {
    let me = user();
    me == 0 || me == uid
}

/// The processes that have each of the files of a directory open or mapped, in ascending order. Those of other users and
/// of other PID namespaces are missing.
pub fn processes(files: impl Iterator<Item = Identity>, directory: &Path) -> HashMap<Identity, Vec<u32>> {
    let mut attached: HashMap<Identity, Vec<u32>> = files.map(|id| (id, Vec::new())).collect();
    let mut prefix = directory.as_os_str().as_bytes().to_vec();
    prefix.push(b'/');
    let Ok(processes) = fs::read_dir("/proc") else { return attached };
    for entry in processes.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let mut add = |id: Identity| {
            if let Some(pids) = attached.get_mut(&id)
                && pids.last() != Some(&pid)
            {
                pids.push(pid);
            }
        };
        opened(&entry.path(), &prefix, &mut add);
        mapped(&entry.path(), &prefix, &mut add);
    }
    attached.values_mut().for_each(|pids| pids.sort_unstable());
    attached
}

fn opened(process: &Path, prefix: &[u8], add: &mut impl FnMut(Identity)) {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return };
    for descriptor in descriptors.flatten() {
        // The link's text first: following one may block on a dead network filesystem.
        let path = descriptor.path();
        let ours = fs::read_link(&path).is_ok_and(|target| target.as_os_str().as_bytes().starts_with(prefix));
        if ours && let Ok(meta) = fs::metadata(&path) {
            add(Identity { device: meta.dev(), inode: meta.ino() });
        }
    }
}

fn mapped(process: &Path, prefix: &[u8], add: &mut impl FnMut(Identity)) {
    let Ok(maps) = fs::read(process.join("maps")) else { return };
    for line in maps.split(|&byte| byte == b'\n') {
        if !line.windows(prefix.len()).any(|window| window == prefix) {
            continue;
        }
        let Some(id) = std::str::from_utf8(line).ok().and_then(mapped_by) else { continue };
        add(id);
    }
}

/// Whether a process is alive, in this PID namespace, and has the file mapped at this address. If its mappings cannot be
/// read, it is assumed to.
pub fn has_mapped_at(process: &Process, file: Identity, address: u64) -> bool {
    process.is_here()
        && fs::read(format!("/proc/{}/maps", process.pid)).map_or(true, |maps| {
            let lines = maps.split(|&byte| byte == b'\n');
            let start = format!("{address:08x}-");
            lines
                .filter_map(|line| std::str::from_utf8(line).ok())
                .any(|line| line.starts_with(&start) && mapped_by(line) == Some(file))
        })
}

/// The file in a line of `/proc/PID/maps`: `start-end perms offset major:minor inode path`.
fn mapped_by(line: &str) -> Option<Identity> {
    let mut fields = line.split_ascii_whitespace().skip(3);
    let (major, minor) = fields.next()?.split_once(':')?;
    let inode = fields.next()?.parse().ok()?;
    let number = |text| u32::from_str_radix(text, 16).ok();
    Some(Identity { device: makedev(number(major)?, number(minor)?), inode })
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
