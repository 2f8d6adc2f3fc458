//! A word of loom's, and what is done to it in the models.
//!
//! It has a futex beside it whose waiters never wake by themselves: a wake-up that is lost is a deadlock, which loom
//! reports. (The real ones look again every few hundredths of a second, which is for those who are killed, and would
//! hide it.)

use std::sync::Arc; // loom's has steps of its own, which nothing here turns on
use std::time::Duration;

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::atomic::{AtomicU32, Ordering, fence};
use loom::sync::{Condvar, Mutex, MutexGuard};
use loom::thread;

use shmkit::sync::ReleaseState;
use shmkit::sync::word::lock::Step;
use shmkit::sync::word::{Word, lock};

/// Who sleeps, those first that have slept longest.
#[derive(Default)]
pub struct Queue {
    waiters: Vec<u32>,
    last: u32,
}

/// A word, and the kernel's part of it.
pub struct Model {
    pub word: AtomicU32,
    queue: Mutex<Queue>,
    woken: Condvar,
}

impl Model {
    pub fn new(value: u32) -> Arc<Self> {
        let queue = Mutex::new(Queue::default());
        Arc::new(Model { word: AtomicU32::new(value), queue, woken: Condvar::new() })
    }

    /// Begins to sleep, unless the word has changed; as whom.
    fn queued(&self, expected: u32) -> Option<(MutexGuard<'_, Queue>, u32)> {
        let mut queue = self.queue.lock().expect("no panic");
        if self.word.load(Ordering::SeqCst) != expected {
            return None;
        }
        queue.last += 1;
        let id = queue.last;
        queue.waiters.push(id);
        Some((queue, id))
    }

    /// As `wait`, by one whose time is over at any moment, also before or after somebody wakes it.
    pub fn wait_for_a_while(&self, expected: u32) {
        if let Some((queue, id)) = self.queued(expected) {
            drop(queue);
            thread::yield_now();
            self.queue.lock().expect("no panic").waiters.retain(|waiter| *waiter != id);
        }
    }
}

impl Word for Model {
    fn load(&self) -> u32 {
        self.word.load(Ordering::SeqCst)
    }

    fn compare_exchange(&self, old: u32, new: u32) -> Result<u32, u32> {
        self.word.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst)
    }

    fn wait(&self, expected: u32, _: Duration) {
        let Some((mut queue, id)) = self.queued(expected) else { return };
        while queue.waiters.contains(&id) {
            queue = self.woken.wait(queue).expect("no panic");
        }
    }

    fn wake(&self, count: u32) -> u32 {
        let mut queue = self.queue.lock().expect("no panic");
        let woken = queue.waiters.len().min(count as usize);
        queue.waiters.drain(..woken);
        drop(queue);
        if woken > 0 {
            self.woken.notify_all();
        }
        woken as u32
    }

    fn fence() {
        fence(Ordering::SeqCst);
    }
}

/// What a lock guards: loom reports two who touch it at once, one of them writing.
pub struct Guarded(UnsafeCell<u32>);

// SAFETY: loom's threads take turns on one real one, and it reports those that the lock does not keep apart.
unsafe impl Sync for Guarded {}

impl Guarded {
    pub fn new() -> Arc<Self> {
        Arc::new(Guarded(UnsafeCell::new(0)))
    }

    pub fn write(&self) {
        // SAFETY: whoever calls this has the lock; loom checks that nobody else is here.
        self.0.with_mut(|it| unsafe { *it += 1 });
    }

    pub fn read(&self) -> u32 {
        // SAFETY: as in `write`, and nobody writes.
        self.0.with(|it| unsafe { *it })
    }
}

/// Every order that so many preemptions allow. `SHMKIT_MODEL_PREEMPTIONS` is a lower bound, for `npm test`.
pub fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let bound = std::env::var("SHMKIT_MODEL_PREEMPTIONS")
        .map_or(preemptions, |bound| bound.parse().expect("SHMKIT_MODEL_PREEMPTIONS is a number"));
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions.min(bound));
    builder.max_branches = 20_000;
    builder.check(model);
}

pub const LONG: Duration = Duration::MAX;

pub fn me(slot: u32) -> u32 {
    lock::owner(slot, 1)
}

/// Waits for the lock, as `LockWait` does; whether what it guards is inconsistent.
pub fn take(word: &Model, me: u32, starving: bool) -> bool {
    let mut attempt = lock::Attempt { starving, ..Default::default() };
    loop {
        match lock::attempt(word, me, &attempt) {
            Step::Taken { inconsistent } => return inconsistent,
            Step::Sleep(seen) => {
                attempt.slept = true;
                word.wait(seen, LONG);
            }
        }
    }
}

pub fn release(word: &Model, me: u32, state: ReleaseState) {
    assert!(lock::unlock(word, me, state), "it had the lock");
}
