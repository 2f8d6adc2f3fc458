//! Locks and events: what JavaScript cannot do itself, which is to sleep, to wake and to tell who is dead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use napi::bindgen_prelude::*;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use shmkit::segment::lock_header::{PAGE, PARTICIPANT, PARTICIPANTS, READ, USED, WORD};
use shmkit::segment::{CreateOptions, Identity, Name};
use shmkit::sync::word::{event, lock, reading};
use shmkit::sync::{self, Left, LockFile, LockWait, SharedEvent, SharedLock, Ticket, WaiterThreads, Want};

use crate::buffers;
use crate::errors::{closed, to_js};
use crate::ledger;
use crate::segment::{Handle, create_options, id_text, identity_from};

type Outcome<T> = std::result::Result<T, shmkit::Error>;
/// Calls into an environment from any thread, without keeping its event loop alive.
type Over = ThreadsafeFunction<u32, (), u32, Status, false, true>;

/// So long a `close` waits at most for who waited for the lock to be gone.
const HANDING_ON: Duration = Duration::from_millis(5);

/// What JavaScript has to know of the words, as offsets in words and as bits.
#[napi(object)]
pub struct LockConstants {
    /// Where the word is.
    pub word: u32,
    /// Where it is said that somebody has read.
    pub read: u32,
    /// Where it is said how many slots were ever used.
    pub used: u32,
    /// Where the first slot is, with its word that says that one reads.
    pub slots: u32,
    /// How far it is from slot to slot.
    pub slot: u32,
    /// So many slots are in the buffer.
    pub in_buffer: u32,
    /// Of the word that says that one reads.
    pub reading: u32,
    /// Of the same: it is slept on.
    pub awaited: u32,
    /// Of the event.
    pub set: u32,
    /// Of the event: it is slept on.
    pub waiters: u32,
    /// Of the event: what a clear adds.
    pub generation: u32,
    /// Of the lock: what it guards has to be checked.
    pub inconsistent: u32,
    /// Of the lock: its owner.
    pub owner: u32,
    /// Of the lock: somebody looks for it.
    pub looking: u32,
    /// For so many milliseconds everybody sleeps at a time.
    pub slice: u32,
}

/// The engine's constants.
#[napi]
pub fn lock_constants() -> LockConstants {
    LockConstants {
        word: (WORD / 4) as u32,
        read: (READ / 4) as u32,
        used: (USED / 4) as u32,
        slots: (PARTICIPANTS / 4) as u32,
        slot: (PARTICIPANT / 4) as u32,
        in_buffer: ((PAGE - PARTICIPANTS) / PARTICIPANT) as u32,
        reading: reading::READING,
        awaited: reading::AWAITED,
        set: event::SET,
        waiters: event::WAITERS,
        generation: event::GENERATION,
        inconsistent: lock::INCONSISTENT,
        owner: lock::OWNER,
        looking: lock::SPINNING,
        slice: sync::SLICE.as_millis() as u32,
    }
}

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
    Ok((Name::new(name)?, id.as_deref().map(identity_from).transpose()?))
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
pub fn lock_beside(env: Env, segment: &Handle) -> Result<LockHandle> {
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
            id: id_text(lock.id),
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
        let until = Instant::now() + HANDING_ON;
        while Arc::strong_count(lock) > 1 && Instant::now() < until {
            std::thread::yield_now();
        }
    }
    buffers::detach(&env, &buffer);
    open.file().mapping().zero_map();
    Ok(())
}

/// Removes its name.
#[napi]
pub fn unlink_lock(env: Env, lock: &LockHandle) -> Result<()> {
    shmkit::ownership::unlink(&lock.name, lock.id).map_err(|error| to_js(&env, error))
}

/// Makes this process an owner.
#[napi]
pub fn adopt_lock(env: Env, lock: &LockHandle) -> Result<()> {
    let adopt = || {
        lock.open()?;
        ledger::require()?.adopt(&lock.name, lock.id)
    };
    adopt().map_err(|error| to_js(&env, error.about(lock.name.as_str())))
}

/// A lock or an event as it can be seen without taking part in it.
#[napi(object)]
pub struct LockLook {
    /// `mutex`, `event`, or `sidecar`.
    pub what: String,
    /// Of an event.
    pub set: bool,
    /// Somebody has it.
    pub held: bool,
    /// That one's process, 0 where nobody knows.
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

/// Looks at a lock.
#[napi]
pub fn look_at_lock(env: Env, name: String) -> Result<LockLook> {
    let look = || sync::inspect(&Name::new(&name)?);
    let state = look().map_err(|error| to_js(&env, error))?;
    Ok(LockLook {
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

/// What is to be had of a lock.
#[napi(string_enum = "kebab-case")]
pub enum Access {
    /// All of it.
    Write,
    /// Beside others.
    Read,
    /// All of it, by one who has the word and waits for those who read.
    Readers,
}

/// In which state what a lock guards is left.
#[napi(string_enum = "kebab-case")]
pub enum Leave {
    /// All is well.
    Consistent,
    /// It was interrupted.
    Inconsistent,
    /// As it was found.
    AsFound,
}

/// 0 not had, 1 had, 2 had and what it guards has to be checked.
fn status(outcome: Option<bool>) -> u32 {
    outcome.map_or(0, |inconsistent| 1 + u32::from(inconsistent))
}

/// Takes the lock if that takes no waiting: 0 no, 1 yes, 2 yes and what it guards has to be checked.
#[napi]
pub fn try_lock(
    env: Env,
    lock: &LockHandle,
    #[napi(ts_arg_type = "'write' | 'read' | 'readers'")] access: Access,
) -> Result<u32> {
    let want = if matches!(access, Access::Read) { Want::Read } else { Want::Write };
    lock.lock().and_then(|lock| lock.try_lock(want)).map(status).map_err(|error| to_js(&env, error))
}

/// Sleeps for the lock, for a part of the time that the caller has; answers as `tryLock`. What has begun goes on at the
/// next call, until it is had or `stopWaiting` is called.
#[napi]
pub fn wait_lock(
    env: Env,
    lock: &mut LockHandle,
    #[napi(ts_arg_type = "'write' | 'read' | 'readers'")] access: Access,
    milliseconds: f64,
) -> Result<u32> {
    let wait = || {
        let mut waiting = match lock.waiting.take() {
            Some(waiting) => waiting,
            None => begin(lock.lock()?, access),
        };
        let outcome = sync::sleep(&mut waiting, Duration::from_secs_f64(milliseconds.clamp(0.0, 1e6) / 1e3));
        match &outcome {
            Ok(Some(_)) => {}
            Ok(None) => lock.waiting = Some(waiting),
            Err(_) => call_off(&mut waiting),
        }
        outcome
    };
    wait().map(status).map_err(|error| to_js(&env, error))
}

fn begin(lock: &Arc<SharedLock>, access: Access) -> LockWait {
    match access {
        Access::Write => lock.wait(Want::Write),
        Access::Read => lock.wait(Want::Read),
        // The word was 0 before, which says that all is well.
        Access::Readers => lock.wait_for_readers(false),
    }
}

fn call_off(wait: &mut impl sync::Wait) {
    wait.retract();
    wait.pass_on();
}

/// Ends what `waitLock` has begun.
#[napi]
pub fn stop_waiting(lock: &mut LockHandle) {
    if let Some(mut waiting) = lock.waiting.take() {
        call_off(&mut waiting);
    }
}

/// Lets go of the lock, and wakes whoever sleeps for it.
#[napi]
pub fn unlock(
    env: Env,
    lock: &LockHandle,
    #[napi(ts_arg_type = "'consistent' | 'inconsistent' | 'as-found'")] leave: Leave,
) -> Result<()> {
    let left = match leave {
        Leave::Consistent => Left::Consistent,
        Leave::Inconsistent => Left::Inconsistent,
        Leave::AsFound => Left::AsFound,
    };
    lock.lock().and_then(|lock| lock.unlock(left)).map_err(|error| to_js(&env, error))
}

/// Reads no more.
#[napi]
pub fn unlock_read(env: Env, lock: &LockHandle) -> Result<()> {
    lock.lock().and_then(|lock| lock.unlock_read()).map_err(|error| to_js(&env, error))
}

/// Says that there are those who read, before the first time that JavaScript says so itself.
#[napi]
pub fn announce_reader(env: Env, lock: &LockHandle) -> Result<()> {
    lock.lock().map(|lock| lock.announce_reader()).map_err(|error| to_js(&env, error))
}

/// Wakes those who wait until this handle does not read.
#[napi]
pub fn wake_writers(env: Env, lock: &LockHandle) -> Result<()> {
    lock.lock().map(|lock| lock.wake_writers()).map_err(|error| to_js(&env, error))
}

/// Sleeps until the event is set, or was since it had that generation, for `milliseconds` at most; whether it was.
#[napi]
pub fn wait_event(env: Env, event: &LockHandle, generation: u32, milliseconds: f64) -> Result<bool> {
    let time = Duration::from_secs_f64(milliseconds.clamp(0.0, 1e6) / 1e3);
    let wait = || sync::sleep(&mut event.event()?.wait(generation), time);
    wait().map(|outcome| outcome.is_some()).map_err(|error| to_js(&env, error))
}

/// Wakes all who wait for the event.
#[napi]
pub fn wake_event(env: Env, event: &LockHandle) -> Result<()> {
    event.event().map(|event| event.wake()).map_err(|error| to_js(&env, error))
}

/// Lets others run who are ready to on this CPU.
#[napi]
pub fn yield_now() {
    std::thread::yield_now();
}

/// How many waits of this process nobody woke when they were over; for tests, where nobody dies.
#[napi]
pub fn late_waits() -> f64 {
    sync::late() as f64
}

/// The threads on which an environment waits without being blocked.
pub struct NativeSleepers {
    sleepers: Arc<Mutex<Option<WaiterThreads>>>,
    tickets: HashMap<u32, Arc<Ticket>>,
    over: Arc<Over>,
}

/// How JavaScript holds them.
#[napi]
pub type SleepersHandle = External<NativeSleepers>;

fn locked(sleepers: &Mutex<Option<WaiterThreads>>) -> MutexGuard<'_, Option<WaiterThreads>> {
    sleepers.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// For this environment; `over` is called with the number of each wait that is over. Its threads are joined before the
/// environment ends.
#[napi(ts_args_type = "over: (id: number) => void")]
pub fn create_sleepers(env: Env, over: Function<'_, u32, ()>) -> Result<SleepersHandle> {
    let over = Arc::new(over.build_threadsafe_function().weak::<true>().build()?);
    let sleepers = Arc::new(Mutex::new(Some(WaiterThreads::default())));
    // Added after the function's own, this runs before it: hooks run last in, first out.
    env.add_env_cleanup_hook(Arc::clone(&sleepers), |sleepers| drop(locked(&sleepers).take()))?;
    Ok(External::new(NativeSleepers { sleepers, tickets: HashMap::new(), over }))
}

impl NativeSleepers {
    pub(crate) fn start(&mut self, id: u32, wait: impl sync::Wait + 'static) -> Outcome<()> {
        let over = Arc::clone(&self.over);
        let done = move || {
            over.call(id, ThreadsafeFunctionCallMode::NonBlocking);
        };
        let mut sleepers = locked(&self.sleepers);
        let sleepers = sleepers.get_or_insert_default();
        self.tickets.insert(id, sleepers.wait(wait, done)?);
        Ok(())
    }
}

/// Waits for the lock elsewhere.
#[napi]
pub fn start_lock_wait(
    env: Env,
    sleepers: &mut SleepersHandle,
    id: u32,
    lock: &LockHandle,
    #[napi(ts_arg_type = "'write' | 'read' | 'readers'")] access: Access,
) -> Result<()> {
    let start = || sleepers.start(id, begin(lock.lock()?, access));
    start().map_err(|error| to_js(&env, error))
}

/// Waits for the event elsewhere.
#[napi]
pub fn start_event_wait(
    env: Env,
    sleepers: &mut SleepersHandle,
    id: u32,
    event: &LockHandle,
    generation: u32,
) -> Result<()> {
    let mut start = || sleepers.start(id, event.event()?.wait(generation));
    start().map_err(|error| to_js(&env, error))
}

/// How a wait ended, or its end if it has not: 0 it was called off; else as `tryLock`.
#[napi]
pub fn settle_wait(env: Env, sleepers: &mut SleepersHandle, id: u32) -> Result<u32> {
    let outcome = sleepers.tickets.remove(&id).and_then(|ticket| ticket.settle());
    outcome.transpose().map(status).map_err(|error| to_js(&env, error))
}
