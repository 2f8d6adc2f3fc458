//! Creating a segment, and publishing it under its name.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use super::unpublished::UnpublishedSegment;
use super::{Access, CreateOptions, Identity, MAPPED_AT_ONCE_FROM, Name, Owner, RACE_TRIES, Segment, map};
use crate::bytes::SharedBytes;
use crate::{Error, Result};

/// From this size on a segment that was made with its memory reserved is mapped with its page table filled:
/// whoever makes one writes to it, and single page faults would cost several times as much.
const PREFAULTED_FROM: usize = 1 << 20;
/// Writes the first contents of a segment.
pub(super) type Fill<'f> = Box<dyn FnOnce(SharedBytes<'_>) -> Result<()> + 'f>;

impl Segment {
    /// Makes a segment of `size` zero bytes. It appears under its name whole, or not at all.
    ///
    /// # Errors
    /// `EEXIST` if the name is taken, `ENOSPC` or `ENOMEM` if the memory is not to be had,
    /// `ERR_SHM_ABORTED` when `cancelled` was set meanwhile. Nothing is left behind.
    pub fn create(size: usize, options: &CreateOptions, cancelled: &AtomicBool) -> Result<Self> {
        Self::create_inner(size, options, cancelled, None)
    }

    /// As `create`, and `fill` writes the first contents before anybody else can see the segment.
    ///
    /// # Errors
    /// As `create`, and what `fill` says.
    pub fn create_with(
        size: usize,
        options: &CreateOptions,
        cancelled: &AtomicBool,
        fill: impl FnOnce(SharedBytes<'_>) -> Result<()>,
    ) -> Result<Self> {
        Self::create_inner(size, options, cancelled, Some(Box::new(fill)))
    }

    pub(super) fn create_inner(
        size: usize,
        options: &CreateOptions,
        cancelled: &AtomicBool,
        fill: Option<Fill<'_>>,
    ) -> Result<Self> {
        if size == 0 || size > isize::MAX as usize {
            return Err(Error::range("ERR_OUT_OF_RANGE", format!("{size} bytes cannot be a segment's size")));
        }
        let about = |error: Error| match &options.name {
            Some(name) => error.about(name.as_str()),
            None => error,
        };
        // Contents are written at once, so their memory is needed at once.
        let reserve = options.reserve || fill.is_some();
        let unpublished =
            UnpublishedSegment::new(size as u64, options.mode, reserve, cancelled).map_err(about)?;
        let id = unpublished.segment().stat().map_err(about)?.id;
        let mapping = OnceLock::new();
        let prefault = options.populate || (reserve && size >= PREFAULTED_FROM);
        if options.populate || fill.is_some() || size >= MAPPED_AT_ONCE_FROM {
            let mapped = map(unpublished.segment(), size, Access::ReadWrite, prefault).map_err(about)?;
            if let Some(fill) = fill {
                fill(mapped.bytes())?;
            }
            let _ = mapping.set(Arc::new(mapped));
        }
        let owner = options.owner.as_deref();
        let published = match &options.name {
            Some(name) => publish_as(&unpublished, id, name, owner).map(|()| name.clone()),
            None => publish_at_random(&unpublished, id, owner),
        };
        let name = published.inspect_err(|_| owner.into_iter().for_each(|owner| owner.disclaim(id)))?;
        let raw = unpublished.into_segment();
        Ok(Segment { name, raw, size, id, access: Access::ReadWrite, created: true, prefault, mapping })
    }
}

/// Gives the segment its name, once its owner has it written down: killed in between, the owner leaves a note
/// of nothing, and never a segment of nobody's.
fn record_and_publish(
    unpublished: &UnpublishedSegment,
    id: Identity,
    name: &Name,
    owner: Option<&dyn Owner>,
) -> Result<()> {
    owner
        .map_or(Ok(()), |owner| owner.claim(name, id))
        .and_then(|()| unpublished.publish(name))
        .map(|()| owner.into_iter().for_each(|owner| owner.published(name, id)))
        .map_err(|error| error.about(name.as_str()))
}

/// Publishes under this name, also where it belongs to a segment whose owners have just died.
fn publish_as(
    unpublished: &UnpublishedSegment,
    id: Identity,
    name: &Name,
    owner: Option<&dyn Owner>,
) -> Result<()> {
    match record_and_publish(unpublished, id, name, owner) {
        Err(error) if error.code == "EEXIST" && owner.is_some_and(|owner| owner.free_name(name)) => {
            record_and_publish(unpublished, id, name, owner)
        }
        result => result,
    }
}

/// Publishes under a name that nobody else has.
fn publish_at_random(
    unpublished: &UnpublishedSegment,
    id: Identity,
    owner: Option<&dyn Owner>,
) -> Result<Name> {
    let mut tries = 1..RACE_TRIES;
    loop {
        let name = Name::random()?;
        match record_and_publish(unpublished, id, &name, owner) {
            Ok(()) => return Ok(name),
            Err(error) if error.code == "EEXIST" && tries.next().is_some() => {}
            Err(error) => return Err(error),
        }
    }
}
