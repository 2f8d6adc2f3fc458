//! Locking and waiting on the calling thread.

use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use shmkit::sync::{self, LockAccess, LockWait, SharedLock};

use super::LockHandle;
use crate::errors::to_js;

/// What an environment takes a lock for.
#[napi(string_enum = "kebab-case")]
pub enum Access {
    /// To write.
    Write,
    /// To read, at the same time as other readers.
    Read,
    /// To write, by an owner of the word that waits for the readers.
    Readers,
}

/// The state in which an owner leaves what a lock guards.
#[napi(string_enum = "kebab-case")]
pub enum ReleaseState {
    /// All is well.
    Consistent,
    /// It was interrupted.
    Inconsistent,
    /// As it was found.
    AsFound,
}

/// 0 not had, 1 had, 2 had and what it guards has to be checked.
pub(super) fn status(outcome: Option<bool>) -> u32 {
    outcome.map_or(0, |inconsistent| 1 + u32::from(inconsistent))
}

/// Takes the lock if that takes no waiting: 0 no, 1 yes, 2 yes and what it guards has to be checked.
#[napi]
pub fn try_lock(
    env: Env,
    lock: &LockHandle,
    #[napi(ts_arg_type = "'write' | 'read' | 'readers'")] access: Access,
) -> Result<u32> {
    let access = if matches!(access, Access::Read) { LockAccess::Read } else { LockAccess::Write };
    lock.lock().and_then(|lock| lock.try_lock(access)).map(status).map_err(|error| to_js(&env, error))
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

pub(super) fn begin(lock: &Arc<SharedLock>, access: Access) -> LockWait {
    match access {
        Access::Write => lock.wait(LockAccess::Write),
        Access::Read => lock.wait(LockAccess::Read),
        // The word was 0 before, which says that all is well.
        Access::Readers => lock.wait_for_readers(false),
    }
}

pub(super) fn call_off(wait: &mut impl sync::Wait) {
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

/// Releases the lock and wakes a waiter.
#[napi]
pub fn unlock(
    env: Env,
    lock: &LockHandle,
    #[napi(ts_arg_type = "'consistent' | 'inconsistent' | 'as-found'")] state: ReleaseState,
) -> Result<()> {
    let state = match state {
        ReleaseState::Consistent => sync::ReleaseState::Consistent,
        ReleaseState::Inconsistent => sync::ReleaseState::Inconsistent,
        ReleaseState::AsFound => sync::ReleaseState::AsFound,
    };
    lock.lock().and_then(|lock| lock.unlock(state)).map_err(|error| to_js(&env, error))
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
