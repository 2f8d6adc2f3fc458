//! Waiting without blocking the environment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use napi::bindgen_prelude::*;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use shmkit::sync::{self, Ticket, WaiterThreads};

use super::blocking::{Access, begin, status};
use super::{LockHandle, Outcome};
use crate::errors::to_js;

/// Calls into an environment from any thread, without keeping its event loop alive.
type Over = ThreadsafeFunction<u32, (), u32, Status, false, true>;

/// The threads on which an environment waits without being blocked.
pub struct NativeWaiterThreads {
    threads: Arc<Mutex<Option<WaiterThreads>>>,
    tickets: HashMap<u32, Arc<Ticket>>,
    over: Arc<Over>,
}

/// A handle on them.
#[napi]
pub type WaiterThreadsHandle = External<NativeWaiterThreads>;

fn locked(threads: &Mutex<Option<WaiterThreads>>) -> MutexGuard<'_, Option<WaiterThreads>> {
    threads.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The waiter threads of this environment; `over` is called with the number of each wait that is over. The threads are joined
/// before the environment ends.
#[napi(ts_args_type = "over: (id: number) => void")]
pub fn create_waiter_threads(env: Env, over: Function<'_, u32, ()>) -> Result<WaiterThreadsHandle> {
    let over = Arc::new(over.build_threadsafe_function().weak::<true>().build()?);
    let threads = Arc::new(Mutex::new(Some(WaiterThreads::default())));
    // Added after the function's own, this runs before it: hooks run last in, first out.
    env.add_env_cleanup_hook(Arc::clone(&threads), |threads| drop(locked(&threads).take()))?;
    Ok(External::new(NativeWaiterThreads { threads, tickets: HashMap::new(), over }))
}

impl NativeWaiterThreads {
    pub(crate) fn start(&mut self, id: u32, wait: impl sync::Wait + 'static) -> Outcome<()> {
        let over = Arc::clone(&self.over);
        let done = move || {
            over.call(id, ThreadsafeFunctionCallMode::NonBlocking);
        };
        let mut threads = locked(&self.threads);
        let threads = threads.get_or_insert_default();
        self.tickets.insert(id, threads.wait(wait, done)?);
        Ok(())
    }
}

/// Waits for the lock on a waiter thread.
#[napi]
pub fn start_lock_wait(
    env: Env,
    threads: &mut WaiterThreadsHandle,
    id: u32,
    lock: &LockHandle,
    #[napi(ts_arg_type = "'write' | 'read' | 'readers'")] access: Access,
) -> Result<()> {
    let start = || threads.start(id, begin(lock.lock()?, access));
    start().map_err(|error| to_js(&env, error))
}

/// Waits for the event on a waiter thread.
#[napi]
pub fn start_event_wait(
    env: Env,
    threads: &mut WaiterThreadsHandle,
    id: u32,
    event: &LockHandle,
    generation: u32,
) -> Result<()> {
    let mut start = || threads.start(id, event.event()?.wait(generation));
    start().map_err(|error| to_js(&env, error))
}

/// How a wait ended, or its end if it has not: 0 it was called off; else as `tryLock`.
#[napi]
pub fn settle_wait(env: Env, threads: &mut WaiterThreadsHandle, id: u32) -> Result<u32> {
    let outcome = threads.tickets.remove(&id).and_then(|ticket| ticket.settle());
    outcome.transpose().map(status).map_err(|error| to_js(&env, error))
}
