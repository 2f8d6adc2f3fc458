//! A lock's file, open and mapped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::word::lock::SLOTS;
use crate::ownership;
use crate::segment::lock_header::{self, Kind, PAGE, PARTICIPANT, PARTICIPANTS, not_a_lock};
use crate::segment::{self, Access, AttachOptions, CreateOptions, Identity, Mapping, Name, Segment};
use crate::sys::descriptors::{AsFd, AsRawFd};
use crate::sys::fork::Reopened;
use crate::{Error, Result};

/// All that the file can grow to is mapped at once: addresses cost nothing, and they never move.
const MAPPED: usize = PARTICIPANTS + SLOTS as usize * PARTICIPANT;
/// Rounds of opening a sidecar, against others who make and remove one.
const TRIES: u32 = 100;

/// An open lock or event.
#[derive(Debug)]
pub struct LockFile {
    /// Dropped first: the number may be another file's once the segment is closed.
    _reopened: Reopened,
    segment: Segment,
    kind: Kind,
    mapping: Arc<Mapping>,
}

impl LockFile {
    /// The one of the name in the options, created if it does not exist.
    pub(super) fn create_or_attach(kind: Kind, options: &CreateOptions) -> Result<Self> {
        let segment = Segment::create_or_attach_with(PAGE, options, |bytes| lock_header::write(bytes, kind))?;
        Self::open(segment, |found| found == kind)
    }

    pub(super) fn attach(name: &Name, kind: Kind, foreign: bool, expect: Option<Identity>) -> Result<Self> {
        Self::open(attach(name, foreign, expect)?, |found| found == kind)
    }

    /// The sidecar lock of a segment, created if it does not exist.
    ///
    /// A handle never gets the lock of another segment that had, or will have, the same name. The file says which
    /// segment it belongs to; it is created only while the segment has its name, and checked again afterwards. A
    /// process that unlinks the segment looks for the lock after that. So one of the two sees the other.
    pub(super) fn sidecar(owner: &Segment) -> Result<Self> {
        let (name, id) = (owner.name().sidecar(), owner.id());
        let unlinked = || {
            let message = "the segment was unlinked, and nobody can lock it any more who has not before";
            Error::own("ERR_SHM_UNLINKED", message).about(owner.name().as_str())
        };
        let has_its_name = || match segment::identify(owner.name()) {
            // Its name may be a directory's for a moment (see `ownership/unlink_if_same.rs`), and the segment still
            // there.
            Err(error) if error.code == "ERR_SHM_NOT_A_SEGMENT" => owner.is_linked(),
            found => Ok(found.is_ok_and(|now| now == id)),
        };
        for _ in 0..TRIES {
            if !owner.is_linked()? {
                return Err(unlinked());
            }
            match attach(&name, true, None) {
                Ok(file) if !same_user(owner, &file)? => {
                    let message = format!("'{}' belongs to another user than the segment", name.as_str());
                    return Err(Error::own("ERR_SHM_FOREIGN", message).about(owner.name().as_str()));
                }
                Ok(file) => match lock_header::read(file.as_fd()) {
                    Ok(Kind::Sidecar(of)) if of == id => {
                        // Made by one who is about to find the segment unlinked, it would be a second one.
                        let opened = Self::open(file, |found| found == Kind::Sidecar(id))?;
                        return if has_its_name()? { Ok(opened) } else { Err(unlinked()) };
                    }
                    Ok(Kind::Sidecar(_)) if has_its_name()? => {
                        // It is an earlier segment's, whose users have it open if they want it.
                        match ownership::unlink(&name, file.id()) {
                            Err(error) if error.code != "ENOENT" => return Err(error),
                            _ => {}
                        }
                    }
                    Ok(Kind::Sidecar(_)) => return Err(unlinked()),
                    Ok(_) => return Err(taken(owner, &name)),
                    Err(error) if error.code == "ERR_SHM_NOT_A_LOCK" => return Err(taken(owner, &name)),
                    Err(error) => return Err(error.about(owner.name().as_str())),
                },
                Err(error) if error.code == "ENOENT" => {
                    if !owner.is_mine()? {
                        let message =
                            "the segment belongs to another user, who has to make its lock: by a txn of his";
                        return Err(Error::own("ERR_SHM_FOREIGN", message).about(owner.name().as_str()));
                    }
                    match Self::make_sidecar(owner, name.clone()) {
                        Err(error) if error.code == "EEXIST" => {}
                        made => {
                            let made = made?;
                            if has_its_name()? {
                                return Ok(made);
                            }
                            let _ = ownership::unlink(&name, made.id());
                            return Err(unlinked());
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::own("ERR_SHM_BUSY", "others make and remove the segment's lock all the time; try again")
            .about(owner.name().as_str()))
    }

    fn make_sidecar(owner: &Segment, name: Name) -> Result<Self> {
        let kind = Kind::Sidecar(owner.id());
        let options = CreateOptions { name: Some(name), mode: owner.mode()?, ..CreateOptions::default() };
        let fill = |bytes: crate::bytes::SharedBytes<'_>| lock_header::write(bytes, kind);
        let segment = Segment::create_with(PAGE, &options, &AtomicBool::new(false), fill)?;
        Self::open(segment, |_| true)
    }

    fn open(segment: Segment, wanted: impl Fn(Kind) -> bool) -> Result<Self> {
        let about = |error: Error| error.about(segment.name().as_str());
        let kind = lock_header::read(segment.as_fd()).map_err(about)?;
        if !wanted(kind) {
            let message = format!("the segment holds another kind of lock: {}", kind.as_str());
            return Err(about(not_a_lock(&message)));
        }
        if segment.current_size()? < PAGE {
            return Err(about(Error::own("ERR_SHM_CORRUPT", "somebody cut the lock's file short")));
        }
        let mapping = Arc::new(segment.map_first(MAPPED)?);
        let reopened = Reopened::new(segment.as_fd().as_raw_fd(), segment.id().inode);
        Ok(LockFile { _reopened: reopened, segment, kind, mapping })
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        self.segment.name()
    }

    /// Which file of that name it is.
    pub fn id(&self) -> Identity {
        self.segment.id()
    }

    /// What it is the lock of.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether this handle made it.
    pub fn created(&self) -> bool {
        self.segment.created()
    }

    /// Its bytes; of those beyond the first page only what it has grown to can be touched.
    pub fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    /// The handle on it.
    pub(super) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// A word of it. All offsets come from this module's constants and from slots below `SLOTS`, which are mapped.
    pub(super) fn word(&self, offset: usize) -> &AtomicU32 {
        static NONE: AtomicU32 = AtomicU32::new(0);
        self.mapping.bytes().atomic(offset).unwrap_or(&NONE)
    }

    /// How many slots there are that can be looked at.
    pub(super) fn slots_in_use(&self) -> Result<u32> {
        let used = self.word(lock_header::USED).load(Ordering::SeqCst).min(SLOTS);
        if used <= ((PAGE - PARTICIPANTS) / PARTICIPANT) as u32 {
            return Ok(used);
        }
        let room = self.segment.current_size()?.saturating_sub(PARTICIPANTS) / PARTICIPANT;
        Ok(used.min(u32::try_from(room).unwrap_or(SLOTS)))
    }

    /// Removes a sidecar lock whose segment is gone: only handles that have it open can still use it.
    pub(super) fn remove_if_orphaned(&self) {
        let Kind::Sidecar(of) = self.kind else { return };
        // A name that was shortened does not tell whether its segment is gone.
        if self.name().sidecar_owner().is_some()
            && ownership::LedgerDirectory::default().sidecar_is_orphaned(self.name(), of)
        {
            let _ = ownership::unlink(self.name(), self.id());
        }
    }
}

fn attach(name: &Name, foreign: bool, expect: Option<Identity>) -> Result<Segment> {
    Segment::attach(name, &AttachOptions { access: Access::ReadWrite, foreign, reserve: false, expect })
}

fn same_user(one: &Segment, other: &Segment) -> Result<bool> {
    Ok(one.uid()? == other.uid()?)
}

fn taken(owner: &Segment, name: &Name) -> Error {
    let message = format!("the segment's lock would be '{}', which is something else", name.as_str());
    not_a_lock(&message).about(owner.name().as_str())
}
