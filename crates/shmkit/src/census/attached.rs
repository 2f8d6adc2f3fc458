//! Which processes have a segment open or mapped, read from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

use crate::process::mapped_by;
use crate::segment::Identity;

/// Whether this user can see what the processes of that user have open.
pub(super) fn sees(uid: u32) -> bool {
    let me = geteuid().as_raw();
    me == 0 || me == uid
}

/// The processes, by segment, in ascending order. Other users' and other PID namespaces' are not to be seen.
pub(super) fn to(segments: impl Iterator<Item = Identity>, directory: &Path) -> HashMap<Identity, Vec<u32>> {
    let mut attached: HashMap<Identity, Vec<u32>> = segments.map(|id| (id, Vec::new())).collect();
    let mut prefix = directory.as_os_str().as_bytes().to_vec();
    prefix.push(b'/');
    let Ok(processes) = fs::read_dir("/proc") else { return attached };
    for entry in processes.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let mut see = |id: Identity| {
            if let Some(pids) = attached.get_mut(&id)
                && pids.last() != Some(&pid)
            {
                pids.push(pid);
            }
        };
        opened(&entry.path(), &prefix, &mut see);
        mapped(&entry.path(), &prefix, &mut see);
    }
    attached.values_mut().for_each(|pids| pids.sort_unstable());
    attached
}

fn opened(process: &Path, prefix: &[u8], see: &mut impl FnMut(Identity)) {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return };
    for descriptor in descriptors.flatten() {
        // The link's text first: following one may wait for a dead network filesystem.
        let path = descriptor.path();
        let ours = fs::read_link(&path).is_ok_and(|target| target.as_os_str().as_bytes().starts_with(prefix));
        if ours && let Ok(meta) = fs::metadata(&path) {
            see(Identity { device: meta.dev(), inode: meta.ino() });
        }
    }
}

fn mapped(process: &Path, prefix: &[u8], see: &mut impl FnMut(Identity)) {
    let Ok(maps) = fs::read(process.join("maps")) else { return };
    for line in maps.split(|&byte| byte == b'\n') {
        if !line.windows(prefix.len()).any(|window| window == prefix) {
            continue;
        }
        let Some(id) = std::str::from_utf8(line).ok().and_then(mapped_by) else { continue };
        see(id);
    }
}
