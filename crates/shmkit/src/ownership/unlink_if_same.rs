//! Unlinking a name only if it still belongs to the same segment.

use super::deferred_free::hold_if_large;
use super::directory::{MOVED, NameState};
use super::locked_directory::LockedDirectory;
use crate::Result;
use crate::error::system_error;
use crate::segment::{Identity, Name};
use crate::sys::descriptors::OwnedFd;
use crate::sys::file::{FileKind, Stat};
use crate::sys::{self, Errno, dir, file};

impl LockedDirectory {
    /// Removes the name if it still belongs to the segment `id`. Returns whether it did.
    ///
    /// No system call unlinks a name only if it belongs to a certain inode. Between a check and an unlink, another
    /// program could create a segment of that name, and lose it. But `rmdir` removes a name only if it belongs to a
    /// directory. So the segment is exchanged with an empty directory, a placeholder, and checked in a directory of
    /// our own:
    ///
    /// ```text
    ///                  NAME        moved/NAME
    /// mkdir            segment     directory
    /// exchange         directory   segment       nobody can make a segment of that name now, nor remove the directory
    ///   it is the one
    ///     rmdir        -           segment
    ///     unlink       -           -
    ///   it is another
    ///     exchange     segment     directory
    ///     rmdir        segment     -
    /// ```
    ///
    /// From each line, `recover` knows what to do after a process was killed there. Only one process does this at a
    /// time, since the lock is held exclusively.
    pub(super) fn unlink_if_same(&mut self, name: &Name, id: Identity) -> Result<bool> {
        let mut there = self.ledgers().name_state(name);
        if there == NameState::Directory {
            self.recover();
            there = self.ledgers().name_state(name);
        }
        if !matches!(there, NameState::Segment { id: there, .. } if there == id) {
            return Ok(false);
        }
        if name.is_random() {
            return self.unlink_in_place(name); // nobody draws it a second time
        }
        #[cfg(test)]
        tests::after_check();
        let aside = format!("{MOVED}/{}", name.as_str());
        if self.make_placeholder(&aside).is_err() {
            // On a filesystem without a free inode, removing the segment is what matters.
            return self.unlink_in_place(name);
        }
        let place = self.ledgers().segment_path(name);
        if let Err(errno) = dir::exchange_at(&place, self.fd(), &aside) {
            let _ = dir::remove_at(self.fd(), &aside);
            return match errno {
                Errno::NOENT => Ok(false),
                Errno::INVAL | Errno::NOSYS => self.unlink_in_place(name), // a filesystem that knows no exchange
                errno => Err(system_error("shm_unlink")(errno)),
            };
        }
        let stat = dir::stat_at(self.fd(), &aside).map_err(system_error("shm_unlink"))?;
        if stat.id == id {
            let _ = dir::remove(&place);
            let segment = hold_if_large(&stat, || dir::hold_at(self.fd(), &aside));
            dir::unlink_at(self.fd(), &aside).map_err(system_error("shm_unlink"))?;
            self.deferred.keep(segment);
            return Ok(true);
        }
        dir::exchange_at(&place, self.fd(), &aside).map_err(system_error("shm_unlink"))?;
        let _ = dir::remove_at(self.fd(), &aside);
        Ok(false)
    }

    fn make_placeholder(&self, aside: &str) -> sys::Result<()> {
        let make = || dir::make_at(self.fd(), aside);
        match make() {
            Err(Errno::NOENT) => dir::make_at(self.fd(), MOVED).and_then(|()| make()),
            Err(Errno::EXIST) => {
                self.recover();
                make()
            }
            result => result,
        }
    }

    fn unlink_in_place(&mut self, name: &Name) -> Result<bool> {
        let place = self.ledgers().segment_path(name);
        let stat = file::stat_path(&place).ok();
        let segment = stat.and_then(|stat| hold_if_large(&stat, || dir::hold(&place)));
        match file::unlink(&place) {
            Ok(()) => {
                self.deferred.keep(segment);
                Ok(true)
            }
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(system_error("shm_unlink")(errno)),
        }
    }

    /// Undoes or completes what a process was doing here when it was killed.
    pub(super) fn recover(&self) {
        let Ok(moved) = dir::open_at(self.fd(), MOVED) else { return };
        let Ok(names) = dir::names(&moved) else { return };
        for name in names.flatten().filter(|name| name != "." && name != "..") {
            self.recover_name(&moved, &name);
        }
    }

    /// See the table at `unlink_if_same`.
    fn recover_name(&self, moved: &OwnedFd, name: &str) {
        let place = self.ledgers().segments().join(name);
        let is_directory = |stat: Stat| stat.kind == FileKind::Directory;
        let aside = dir::stat_at(moved, name).is_ok_and(is_directory);
        let there = file::stat_path(&place).is_ok_and(is_directory);
        let _ = match (there, aside) {
            (_, true) => dir::remove_at(moved, name),
            (false, false) => dir::unlink_at(moved, name),
            (true, false) => dir::exchange_at(&place, moved, name).and_then(|()| dir::remove_at(moved, name)),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::fs::{self, File};
    use std::os::unix::fs::MetadataExt;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use super::super::deferred_free::LARGE;
    use super::super::directory::{LedgerDirectory, LockMode};
    use super::*;

    thread_local! {
        /// What another program does between the check and the unlink.
        static OTHER_PROGRAM: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    }

    pub(super) fn after_check() {
        if let Some(other_program) = OTHER_PROGRAM.take() {
            other_program();
        }
    }

    struct Place(PathBuf);

    impl Place {
        fn new(test: &str) -> Self {
            let path = PathBuf::from(format!("/dev/shm/shmkit-test-take-{}-{test}", std::process::id()));
            fs::create_dir(&path).expect("a directory");
            Place(path)
        }

        fn locked(&self) -> LockedDirectory {
            LedgerDirectory::at(&self.0)
                .lock_or_make(LockMode::Exclusive, Duration::from_secs(5))
                .expect("locked")
        }

        /// Where moved segments are.
        fn moved(&self) -> PathBuf {
            LedgerDirectory::at(&self.0).path().join(MOVED)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn make(path: &Path) -> Identity {
        let meta = File::create_new(path).expect("made").metadata().expect("its metadata");
        Identity { device: meta.dev(), inode: meta.ino() }
    }

    fn id_of(path: &Path) -> Option<Identity> {
        let meta = fs::symlink_metadata(path).ok()?;
        meta.is_file().then(|| Identity { device: meta.dev(), inode: meta.ino() })
    }

    fn name() -> Name {
        Name::new("name").expect("a name")
    }

    #[test]
    fn the_one_that_is_meant_goes_and_another_stays() {
        let place = Place::new("meant");
        let path = place.0.join("name");
        let id = make(&path);
        let mut locked = place.locked();
        assert_eq!(locked.unlink_if_same(&name(), Identity { inode: id.inode + 1, ..id }), Ok(false));
        assert_eq!(id_of(&path), Some(id));
        assert_eq!(locked.unlink_if_same(&name(), id), Ok(true));
        assert_eq!(locked.unlink_if_same(&name(), id), Ok(false));
        assert!(!path.exists());
    }

    #[test]
    fn a_stranger_who_takes_the_name_over_after_the_look_keeps_it() {
        let place = Place::new("stranger");
        let path = place.0.join("name");
        let id = make(&path);
        let theirs = path.clone();
        let other_program = move || {
            fs::remove_file(&theirs).expect("removed");
            make(&theirs);
        };
        OTHER_PROGRAM.set(Some(Box::new(other_program)));
        assert_eq!(place.locked().unlink_if_same(&name(), id), Ok(false));
        assert!(id_of(&path).is_some_and(|there| there != id));
        assert!(!place.moved().exists(), "nothing is left of it");
    }

    #[test]
    fn a_stranger_who_removes_the_name_after_the_look_is_no_error() {
        let place = Place::new("removed");
        let path = place.0.join("name");
        let id = make(&path);
        let theirs = path.clone();
        OTHER_PROGRAM.set(Some(Box::new(move || fs::remove_file(&theirs).expect("removed"))));
        assert_eq!(place.locked().unlink_if_same(&name(), id), Ok(false));
        assert!(!path.exists());
    }

    /// Each line of the table at `unlink_if_same`, as a process leaves it that is killed there.
    #[test]
    fn a_process_may_be_killed_after_every_step() {
        let place = Place::new("killed");
        let (path, moved) = (place.0.join("name"), place.moved());
        let aside = moved.join("name");
        let killed = |steps: &dyn Fn()| {
            fs::create_dir_all(&moved).expect("made");
            steps();
            place.locked().recover();
            assert!(!moved.exists(), "nothing is left of it");
        };
        let id = make(&path);
        killed(&|| fs::create_dir(&aside).expect("made"));
        assert_eq!(id_of(&path), Some(id), "after mkdir");

        killed(&|| {
            fs::rename(&path, &aside).expect("moved");
            fs::create_dir(&path).expect("made");
        });
        assert_eq!(id_of(&path), Some(id), "after the exchange, both ways");

        killed(&|| fs::rename(&path, &aside).expect("moved"));
        assert_eq!(id_of(&path), None, "after rmdir");

        let mut newer = None;
        killed(&|| {
            make(&aside);
            make(&path);
        });
        newer.replace(id_of(&path));
        assert!(newer.flatten().is_some(), "after rmdir, and somebody has the name since");
    }

    #[test]
    fn memory_of_large_segments_outlives_the_lock_and_no_more() {
        let place = Place::new("large");
        let path = place.0.join("name");
        let id = make(&path);
        fs::write(&path, vec![1; LARGE as usize]).expect("written");
        let watcher = File::open(&path).expect("open");
        let mut locked = place.locked();
        assert_eq!(locked.unlink_if_same(&name(), id), Ok(true));
        assert_eq!(locked.deferred.len(), 1);
        assert!(!locked.deferred.is_full());
        assert_eq!(watcher.metadata().expect("its metadata").nlink(), 0);
    }
}
