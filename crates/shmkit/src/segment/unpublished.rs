//! A segment before it has its name.

use std::sync::atomic::AtomicBool;

use super::Name;
use super::raw::RawSegment;
use crate::Result;
use crate::error::system_error;
use crate::sys::file::{self, Length};
use crate::sys::{self, Errno, shm};

/// An open segment that other processes cannot see yet.
///
/// It has no name at all until it is linked as a whole, so a process that is killed before that leaves nothing. On
/// filesystems without nameless files it has a temporary name.
#[derive(Debug)]
pub(super) struct UnpublishedSegment {
    segment: RawSegment,
    temporary: Option<TemporaryName>,
}

impl UnpublishedSegment {
    /// `size` zero bytes.
    pub(super) fn new(size: u64, mode: u32, reserve: bool, cancelled: &AtomicBool) -> Result<Self> {
        let unpublished = match Self::nameless() {
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => Self::temporary()?,
            result => result.map_err(system_error("shm_open"))?,
        };
        let segment = &unpublished.segment;
        // Exactly the mode that was asked for: the umask would silently take the group's bits away.
        if mode != 0o600 {
            file::set_mode(segment, mode).map_err(system_error("fchmod"))?;
        }
        if reserve {
            segment.allocate(size, Length::Extend, cancelled)?;
        } else {
            file::set_size(segment, size).map_err(system_error("ftruncate"))?;
        }
        Ok(unpublished)
    }

    fn nameless() -> sys::Result<Self> {
        Ok(UnpublishedSegment { segment: RawSegment(shm::create_nameless()?), temporary: None })
    }

    fn temporary() -> Result<Self> {
        let name = Name::random()?.as_str().to_owned() + ".new";
        let fd = shm::create(&name).map_err(system_error("shm_open"))?;
        Ok(UnpublishedSegment { segment: RawSegment(fd), temporary: Some(TemporaryName(name)) })
    }

    /// The segment, for what must be done before others see it.
    pub(super) fn segment(&self) -> &RawSegment {
        &self.segment
    }

    /// Gives it its name. Fails with `EEXIST` if that is taken.
    pub(super) fn publish(&self, name: &Name) -> Result<()> {
        match &self.temporary {
            Some(temporary) => shm::rename_new(&temporary.0, name.as_str()),
            None => shm::link_nameless(&self.segment.0, name.as_str()),
        }
        .map_err(system_error("shm_open"))
    }

    /// The published segment.
    pub(super) fn into_segment(self) -> RawSegment {
        let UnpublishedSegment { segment, temporary } = self;
        if let Some(temporary) = temporary {
            temporary.keep();
        }
        segment
    }
}

/// A temporary name, removed on drop unless it was renamed.
#[derive(Debug)]
struct TemporaryName(String);

impl TemporaryName {
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for TemporaryName {
    fn drop(&mut self) {
        let _ = shm::unlink(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Identity;
    use super::super::raw::unlink;
    use super::*;
    use crate::Error;

    fn exists(name: &str) -> bool {
        shm::stat(name).is_ok()
    }

    fn nameless() -> UnpublishedSegment {
        UnpublishedSegment::nameless().expect("a segment")
    }

    /// Publishes the first of two segments under one name, and returns the error of the second.
    fn publish_twice(make: fn() -> UnpublishedSegment) -> Error {
        let name = Name::random().expect("a name");
        let (first, second) = (make(), make());
        first.segment().allocate(100, Length::Extend, &AtomicBool::new(false)).expect("memory");
        assert!(!exists(name.as_str()), "others cannot see it before it is published");
        first.publish(&name).expect("published");
        let refused = second.publish(&name).expect_err("the name is taken");
        let segment = first.into_segment();
        let stat = segment.stat().expect("stat");
        assert_eq!(stat.size, 100, "and it is the first one still");
        unlink(&name, stat.id).expect("unlinked");
        assert!(!exists(name.as_str()));
        refused
    }

    #[test]
    fn a_nameless_segment_is_linked() {
        assert_eq!(publish_twice(nameless).code, "EEXIST");
    }

    #[test]
    fn a_segment_with_a_temporary_name_is_renamed() {
        let refused = publish_twice(|| UnpublishedSegment::temporary().expect("a segment"));
        assert_eq!(refused.code, "EEXIST");
    }

    #[test]
    fn an_unpublished_segment_that_is_dropped_leaves_nothing() {
        let unpublished = UnpublishedSegment::temporary().expect("a segment");
        let temporary = unpublished.temporary.as_ref().expect("a temporary name").0.clone();
        assert!(exists(&temporary));
        drop(unpublished);
        assert!(!exists(&temporary));
    }

    #[test]
    fn a_name_that_belongs_to_another_segment_is_not_unlinked() {
        let name = Name::random().expect("a name");
        let unpublished = nameless();
        unpublished.publish(&name).expect("published");
        let id = unpublished.segment().stat().expect("stat").id;
        let other = Identity { inode: id.inode + 1, ..id };
        assert_eq!(unlink(&name, other).expect_err("not ours").code, "ENOENT");
        assert!(exists(name.as_str()));
        unlink(&name, id).expect("unlinked");
    }
}
