//! How much memory this process may still use. Reserving more than its control group allows would not fail: the process
//! would be killed.

use std::fs;
use std::path::{Path, PathBuf};

/// The files that say what a memory control group may use, and does.
struct Files {
    limit: &'static str,
    usage: &'static str,
    /// Keys in `memory.stat` of caches that the kernel would drop.
    reclaimable: &'static [&'static str],
}

const V2: Files = Files {
    limit: "memory.max",
    usage: "memory.current",
    reclaimable: &["inactive_file", "active_file", "slab_reclaimable"],
};
const V1: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: &["total_inactive_file", "total_active_file"],
};

/// Bytes that the tightest memory control group of this process has left; `None` if there is no limit, or none can be read.
pub fn available() -> Option<u64> {
    available_below(Path::new("/"))
}

fn available_below(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    groups
        .lines()
        .filter_map(|line| hierarchy(root, line))
        .flat_map(|(mount, group, files)| {
            // A container may see its own group at the mount's top, under a path that names it from outside.
            let inner = mount.join(group.trim_start_matches('/'));
            let from = if inner.is_dir() { inner } else { mount.clone() };
            let levels: Vec<PathBuf> =
                from.ancestors().take_while(|dir| dir.starts_with(&mount)).map(Path::to_owned).collect();
            levels.into_iter().filter_map(move |dir| left(&dir, files))
        })
        .min()
}

/// The mount, group path and files of a line of `/proc/self/cgroup` that is about memory.
fn hierarchy<'l>(root: &Path, line: &'l str) -> Option<(PathBuf, &'l str, &'static Files)> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, group) = rest.split_once(':')?;
    if controllers.is_empty() {
        return Some((root.join("sys/fs/cgroup"), group, &V2));
    }
    let memory = controllers.split(',').any(|controller| controller == "memory");
    memory.then(|| (root.join("sys/fs/cgroup/memory"), group, &V1))
}

fn left(dir: &Path, files: &Files) -> Option<u64> {
    let number = |file| fs::read_to_string(dir.join(file)).ok()?.trim().parse::<u64>().ok();
    let limit = number(files.limit)?; // "max" is no number, and no limit
    let usage = number(files.usage)?;
    let stat = fs::read_to_string(dir.join("memory.stat")).unwrap_or_default();
    let value = |key: &str| {
        let line = stat.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    let reclaimable: u64 = files.reclaimable.iter().map(|key| value(key)).sum();
    Some(limit.saturating_sub(usage.saturating_sub(reclaimable)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> (PathBuf, Option<u64>) {
        let name = format!("shmkit-limit-{}-{}", std::process::id(), files.len());
        let root = std::env::temp_dir().join(name);
        for (file, text) in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("mkdir");
            fs::write(path, text).expect("write");
        }
        let free = available_below(&root);
        fs::remove_dir_all(&root).expect("clean up");
        (root, free)
    }

    #[test]
    fn the_tightest_level_counts() {
        let (_, free) = tree(&[
            ("proc/self/cgroup", "0::/outer/inner\n"),
            ("sys/fs/cgroup/outer/memory.max", "1000\n"),
            ("sys/fs/cgroup/outer/memory.current", "900\n"),
            ("sys/fs/cgroup/outer/memory.stat", "anon 700\ninactive_file 30\nactive_file 20\n"),
            ("sys/fs/cgroup/outer/inner/memory.max", "max\n"),
            ("sys/fs/cgroup/outer/inner/memory.current", "10\n"),
        ]);
        assert_eq!(free, Some(150));
    }

    #[test]
    fn version_1_and_a_container_that_sees_its_group_at_the_top() {
        let (_, free) = tree(&[
            ("proc/self/cgroup", "4:cpu,memory:/docker/0123\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "4096\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "5000\n"),
        ]);
        assert_eq!(free, Some(0));
    }

    #[test]
    fn no_limit_where_there_are_no_groups() {
        assert_eq!(tree(&[("proc/self/cgroup", "2:cpu:/\n")]).1, None);
    }
}
