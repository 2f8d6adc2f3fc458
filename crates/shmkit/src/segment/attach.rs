//! Attaching to a segment, and creating it if it is missing.

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::Duration;

use super::create::Fill;
use super::raw::{self, RawSegment};
use super::{Access, AttachOptions, CreateOptions, MAPPED_AT_ONCE_FROM, Name, RACE_TRIES, Segment, is_mine};
use crate::bytes::SharedBytes;
use crate::{Error, Result};

/// Tries of an attach while a creator is between `shm_open` and `ftruncate` (gh-92408), 1 ms apart.
const EMPTY_TRIES: u32 = 100;
/// Attempts of an attach, 1 ms apart, while another process checks which segment it unlinks;
const MOVING_TRIES: u32 = 20;
/// and if that process may have been killed, until another one recovers it.
const MOVED_TRIES: u32 = 2000;

/// The same, of whichever segment is made in the end.
type Refill<'f> = &'f dyn Fn(SharedBytes<'_>) -> Result<()>;

impl Segment {
    /// Opens an existing segment.
    ///
    /// # Errors
    /// `ENOENT`, `EACCES`; `ERR_SHM_FOREIGN` for another user's without `foreign`; `ERR_SHM_EMPTY` for
    /// one whose creator never gave it a size; `ERR_SHM_NOT_A_SEGMENT`; `ERR_SHM_UNLINKED` if the name
    /// belongs to another segment than `expect`; `ENOSPC` if its holes cannot be reserved.
    pub fn attach(name: &Name, options: &AttachOptions) -> Result<Self> {
        Self::attach_inner(name, options).map_err(|error| error.about(name.as_str()))
    }

    fn attach_inner(name: &Name, options: &AttachOptions) -> Result<Self> {
        let open = || RawSegment::open(name, options.access).and_then(|it| Ok((it.stat()?, it)));
        let mut opened = open();
        for tries in 0..MOVED_TRIES {
            if opened.as_ref().err().is_none_or(|error| error.code != "ERR_SHM_NOT_A_SEGMENT") {
                break;
            }
            // A directory may be in its place for a moment: see `ownership/unlink_if_same.rs`.
            if tries >= MOVING_TRIES && !raw::is_placeholder(name) {
                break;
            }
            sleep(Duration::from_millis(1));
            opened = open();
        }
        let (mut stat, raw) = opened?;
        if options.expect.is_some_and(|id| id != stat.id) {
            let message = "the segment that was meant is gone, and its name belongs to another one now";
            return Err(Error::own("ERR_SHM_UNLINKED", message));
        }
        if !is_mine(&stat) && !options.foreign {
            let message = "the segment belongs to another user; attach with { foreign: true } to trust it";
            return Err(Error::own("ERR_SHM_FOREIGN", message));
        }
        for _ in 0..EMPTY_TRIES {
            if stat.size != 0 {
                break;
            }
            sleep(Duration::from_millis(1));
            stat = raw.stat()?;
        }
        let size = usize::try_from(stat.size).unwrap_or(usize::MAX);
        if size == 0 {
            let message =
                "the segment has no bytes: its creator is still at it, or died before it gave it a size";
            return Err(Error::own("ERR_SHM_EMPTY", message));
        }
        if options.reserve && options.access == Access::ReadWrite && stat.allocated < stat.size {
            raw.reserve(stat.size)?;
        }
        let segment = Segment {
            name: name.clone(),
            raw,
            size,
            id: stat.id,
            access: options.access,
            created: false,
            prefault: false,
            mapping: OnceLock::new(),
        };
        if size >= MAPPED_AT_ONCE_FROM {
            segment.mapping()?;
        }
        Ok(segment)
    }

    /// Opens the segment of the name in the options and joins its owners, if it has any, or makes it: whoever comes first creates, everybody else attaches,
    /// and nobody waits, because a segment appears whole.
    ///
    /// # Errors
    /// `ERR_SHM_SIZE` if the existing one is smaller than `size`; else as `create` and `attach`.
    pub fn create_or_attach(size: usize, options: &CreateOptions) -> Result<Self> {
        Self::create_or_attach_inner(size, size, options, None)
    }

    /// As `create_or_attach`; what is made has these contents from the first moment, and what there is may have any size.
    ///
    /// # Errors
    /// As `create_or_attach`, and what `fill` says.
    pub fn create_or_attach_with(
        size: usize,
        options: &CreateOptions,
        fill: impl Fn(SharedBytes<'_>) -> Result<()>,
    ) -> Result<Self> {
        Self::create_or_attach_inner(size, 0, options, Some(&fill))
    }

    fn create_or_attach_inner(
        size: usize,
        least: usize,
        options: &CreateOptions,
        fill: Option<Refill<'_>>,
    ) -> Result<Self> {
        let create = || {
            let fill: Option<Fill<'_>> = fill.map(|fill| Box::new(fill) as Fill<'_>);
            Self::create_inner(size, options, &AtomicBool::new(false), fill)
        };
        let Some(name) = &options.name else { return create() };
        let attach = AttachOptions { reserve: options.reserve, ..AttachOptions::default() };
        let mut tries = 1..RACE_TRIES;
        loop {
            if let Some(owner) = &options.owner {
                owner.free_name(name);
            }
            match Self::attach(name, &attach) {
                Err(error) if error.code == "ENOENT" => {}
                Ok(segment) if segment.size() < least => {
                    let message =
                        format!("the segment has {} bytes, and {least} were asked for", segment.size());
                    return Err(Error::own("ERR_SHM_SIZE", message).about(name.as_str()));
                }
                Ok(segment) => {
                    let joined =
                        options.owner.as_ref().map_or(Ok(true), |owner| owner.join(name, segment.id()))?;
                    if joined || tries.next().is_none() {
                        return Ok(segment);
                    }
                    continue; // its last owner has just died
                }
                result => return result,
            }
            match create() {
                Err(error) if error.code == "EEXIST" && tries.next().is_some() => {}
                result => return result,
            }
        }
    }
}
