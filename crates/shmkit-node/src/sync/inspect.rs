//! The state of a lock, read without taking part in it.

use napi::bindgen_prelude::*;
use napi_derive::napi;
use shmkit::segment::Name;
use shmkit::sync;

use crate::errors::to_js;

/// The state of a lock or an event at one moment.
#[napi(object)]
pub struct LockState {
    /// `mutex`, `event`, or `sidecar`.
    pub what: String,
    /// Of an event.
    pub set: bool,
    /// Somebody has it.
    pub held: bool,
    /// That one's process, 0 if nobody knows.
    pub holder: u32,
    /// That one is dead.
    pub holder_died: bool,
    /// Somebody waits.
    pub awaited: bool,
    /// The last one who wrote died, or failed.
    pub inconsistent: bool,
    /// Processes that read.
    pub readers: Vec<u32>,
    /// Processes that have it open.
    pub participants: Vec<u32>,
}

/// Reads the state of a lock or an event.
#[napi]
pub fn inspect_lock(env: Env, name: String) -> Result<LockState> {
    let inspect = || sync::inspect(&Name::new(&name)?);
    let state = inspect().map_err(|error| to_js(&env, error))?;
    Ok(LockState {
        what: state.kind.as_str().to_owned(),
        set: state.set,
        held: state.holder.is_some(),
        holder: state.holder.map_or(0, |(pid, _)| pid),
        holder_died: state.holder.is_some_and(|(_, lives)| !lives),
        awaited: state.awaited,
        inconsistent: state.inconsistent,
        readers: state.readers,
        participants: state.participants,
    })
}
