//! How segments are created and attached.

use std::fmt::Debug;
use std::sync::Arc;

use super::{Access, Identity, Name};
use crate::Result;

/// A process that owns the segments that it creates: it is told of each before other processes can see it.
pub trait Owner: Debug + Send + Sync {
    /// The segment `id` is about to be published as `name`. Called again with another name if that one is taken.
    ///
    /// # Errors
    /// Why it cannot be owned: then the segment is not created.
    fn claim(&self, name: &Name, id: Identity) -> Result<()>;

    /// It has that name now.
    fn published(&self, name: &Name, id: Identity);

    /// It was not published after all.
    fn disclaim(&self, id: Identity);

    /// Removes the segment of this name if all of its owners are dead. Returns whether the name is free.
    fn free_name(&self, name: &Name) -> bool;

    /// Joins the owners of the segment, if it has any. Returns false if the name does not belong to that segment any
    /// more, or is about to be removed.
    ///
    /// # Errors
    /// As `claim`.
    fn join(&self, name: &Name, id: Identity) -> Result<bool>;
}

/// How to create a segment.
#[derive(Debug, Clone)]
pub struct CreateOptions {
    /// Its name; `None` draws a fresh one.
    pub name: Option<Name>,
    /// Permission bits, set exactly (the umask has no say).
    pub mode: u32,
    /// Claim the memory now, so that a full filesystem is `ENOSPC` here and not SIGBUS later.
    pub reserve: bool,
    /// Fault every page in now.
    pub populate: bool,
    /// Who owns it; `None` leaves it until somebody unlinks it.
    pub owner: Option<Arc<dyn Owner>>,
}

impl Default for CreateOptions {
    fn default() -> Self {
        CreateOptions { name: None, mode: 0o600, reserve: true, populate: false, owner: None }
    }
}

/// How to attach to a segment.
#[derive(Debug, Clone)]
pub struct AttachOptions {
    /// What the handle may do.
    pub access: Access,
    /// Allow a segment of another user.
    pub foreign: bool,
    /// Put memory behind holes that the creator left.
    pub reserve: bool,
    /// Refuse every segment but this one.
    pub expect: Option<Identity>,
}

impl Default for AttachOptions {
    fn default() -> Self {
        AttachOptions { access: Access::ReadWrite, foreign: false, reserve: true, expect: None }
    }
}
