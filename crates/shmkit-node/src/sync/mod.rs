//! Locks and events: what JavaScript cannot do itself, which is to sleep, to wake and to tell who is dead.

mod blocking;
mod constants;
mod inspect;
mod waiter_threads;

use std::sync::Arc;
use std::time::{Duration, Instant};

use napi::bindgen_prelude::*;
use napi_derive::napi;
use shmkit::segment::lock_header::PAGE;
use shmkit::segment::{CreateOptions, Identity, Name};
use shmkit::sync::{LockFile, LockWait, SharedEvent, SharedLock};

pub use waiter_threads::WaiterThreadsHandle;

use crate::buffers;
use crate::errors::{closed, to_js};
use crate::segment::{Handle, create_options, expected_id};

type Outcome<T> = std::result::Result<T, shmkit::Error>;
/// How long `close` waits for a thread that waited for the lock to end.
const PASS_ON_TIMEOUT: Duration = Duration::from_millis(5);

/// A lock or an event, and what is known of it, until it is closed.
pub struct NativeLock {
    name: Name,
    id: Identity,
    created: bool,
    open: Option<Open>,
    /// The wait of a blocked thread, from one of its slices to the next.
    waiting: Option<LockWait>,
}

enum Open {
    Lock(Arc<SharedLock>),
    Event(Arc<SharedEvent>),
}

/// How JavaScript holds one.
#[napi]
pub type LockHandle = External<NativeLock>;

impl NativeLock {
    fn handle(open: Open) -> LockHandle {
        let file = open.file();
        let (name, id, created) = (file.name().clone(), file.id(), file.created());
        External::new(NativeLock { name, id, created, open: Some(open), waiting: None })
    }

    pub(crate) fn of_lock(lock: SharedLock) -> LockHandle {
        Self::handle(Open::Lock(Arc::new(lock)))
    }

    fn open(&self) -> Outcome<&Open> {
        self.open.as_ref().ok_or_else(|| closed(self.name.as_str()))
    }

    fn lock(&self) -> Outcome<&Arc<SharedLock>> {
        match self.open()? {
            Open::Lock(lock) => Ok(lock),
            Open::Event(_) => Err(closed(self.name.as_str())),
        }
    }

    fn event(&self) -> Outcome<&Arc<SharedEvent>> {
        match self.open()? {
            Open::Event(event) => Ok(event),
            Open::Lock(_) => Err(closed(self.name.as_str())),
        }
    }
}

impl Open {
    fn file(&self) -> &LockFile {
        match self {
            Open::Lock(lock) => lock.file(),
            Open::Event(event) => event.file(),
        }
    }
}

impl Drop for NativeLock {
    fn drop(&mut self) {
        self.waiting = None;
        // A thread that waits may hold on to the lock for a little longer; others must not wait for that.
        if let Some(Open::Lock(lock)) = &self.open {
            lock.leave();
        }
    }
}

fn named(name: String, mode: u32, track: bool) -> Outcome<CreateOptions> {
    create_options(Some(name), mode, true, false, track)
}

fn target(name: &str, id: Option<String>) -> Outcome<(Name, Option<Identity>)> {
    Ok((Name::new(name)?, expected_id(id)?))
}

/// Opens the mutex `name`, or makes it.
#[napi]
pub fn create_or_attach_mutex(env: Env, name: String, mode: u32, track: bool) -> Result<LockHandle> {
    let open = || Ok(Open::Lock(Arc::new(SharedLock::create_or_attach(&named(name, mode, track)?)?)));
    open().map(NativeLock::handle).map_err(|error| to_js(&env, error))
}

/// Opens the mutex `name`, or only the one of that `id`.
#[napi]
pub fn attach_mutex(env: Env, name: String, foreign: bool, id: Option<String>) -> Result<LockHandle> {
    let open = || {
        let (name, id) = target(&name, id)?;
        Ok(Open::Lock(Arc::new(SharedLock::attach(&name, foreign, id)?)))
    };
    open().map(NativeLock::handle).map_err(|error| to_js(&env, error))
}

/// Opens the lock of a segment, or makes it.
#[napi]
pub fn sidecar_lock(env: Env, segment: &Handle) -> Result<LockHandle> {
    let open = || Ok(Open::Lock(Arc::new(SharedLock::sidecar(segment.open()?)?)));
    open().map(NativeLock::handle).map_err(|error| to_js(&env, segment.about(error)))
}

/// Opens the event `name`, or makes it.
#[napi]
pub fn create_or_attach_event(env: Env, name: String, mode: u32, track: bool) -> Result<LockHandle> {
    let open = || Ok(Open::Event(Arc::new(SharedEvent::create_or_attach(&named(name, mode, track)?)?)));
    open().map(NativeLock::handle).map_err(|error| to_js(&env, error))
}

/// Opens the event `name`, or only the one of that `id`.
#[napi]
pub fn attach_event(env: Env, name: String, foreign: bool, id: Option<String>) -> Result<LockHandle> {
    let open = || {
        let (name, id) = target(&name, id)?;
        Ok(Open::Event(Arc::new(SharedEvent::attach(&name, foreign, id)?)))
    };
    open().map(NativeLock::handle).map_err(|error| to_js(&env, error))
}

/// What a handle says of its lock or event.
#[napi(object)]
pub struct LockFacts {
    /// Its name.
    pub name: String,
    /// What tells it from others that had its name.
    pub id: String,
    /// Whether this handle made it.
    pub created: bool,
    /// What the word is while this handle has the lock and nobody waits; 0 for an event.
    pub me: u32,
    /// Where the word is that says that this handle reads, in words; -1 where it is not in the buffer.
    pub reading_at: i32,
}

/// Of an open lock or event.
#[napi]
pub fn lock_facts(env: Env, lock: &LockHandle) -> Result<LockFacts> {
    let facts = || {
        let (me, reading_at) = match lock.open()? {
            Open::Lock(lock) => (lock.me()?, lock.reading_at()),
            Open::Event(_) => (0, PAGE),
        };
        Ok(LockFacts {
            name: lock.name.as_str().to_owned(),
            id: lock.id.to_string(),
            created: lock.created,
            me,
            reading_at: if reading_at < PAGE { (reading_at / 4) as i32 } else { -1 },
        })
    };
    facts().map_err(|error| to_js(&env, error))
}

/// A new buffer over its first page.
#[napi(ts_return_type = "ArrayBuffer")]
pub fn lock_buffer<'env>(env: &'env Env, lock: &LockHandle) -> Result<Unknown<'env>> {
    let buffer = || buffers::array_buffer_of(env, lock.open()?.file().mapping(), 0, PAGE);
    buffer().map_err(|error| to_js(env, error.about(lock.name.as_str())))
}

/// Detaches `buffer`, lets go of the lock as if this handle's thread had died, and of the memory. Idempotent.
#[napi(ts_args_type = "lock: ExternalObject<NativeLock>, buffer: ArrayBuffer")]
pub fn close_lock(env: Env, lock: &mut LockHandle, buffer: Unknown<'_>) -> Result<()> {
    lock.waiting = None;
    let Some(open) = lock.open.take() else { return Ok(()) };
    if let Open::Lock(lock) = &open {
        lock.leave();
        // A thread that waited for it hands a wake-up that it may have had on, which has to reach the memory of all.
        let until = Instant::now() + PASS_ON_TIMEOUT;
        while Arc::strong_count(lock) > 1 && Instant::now() < until {
            std::thread::yield_now();
        }
    }
    buffers::detach(&env, &buffer);
    open.file().mapping().zero_map();
    Ok(())
}
