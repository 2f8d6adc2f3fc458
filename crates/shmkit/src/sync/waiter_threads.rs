//! Threads that wait for many things at once, for a program that must not block.
//!
//! One thread sleeps on the words of up to 127 waits and on a wake word of its own, which changes when it gets work
//! (`futex_waitv`, Linux 5.16). If the system has no such call, each wait has a thread.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::wait::{Progress, SLICE, Wait, WakeWord, note_if_late};
use super::word::Word;
use crate::sys::Errno;
use crate::sys::wait::{Expected, WAIT_ANY_MAX, can_wait_any, wait_any};
use crate::{Error, Result};

/// How a wait ended: as `Progress::Done` has it.
pub type Outcome = Result<bool>;
/// Who is told, on a thread of ours.
type Done = Box<dyn FnOnce() + Send>;

enum State {
    /// It goes on.
    Pending(Box<dyn Wait>, Done),
    /// It is over, and nobody has asked how it went.
    Over(Outcome),
    /// It was cancelled, and the thread has not dropped it yet.
    Cancelled(Box<dyn Wait>),
    /// Its outcome was returned.
    Settled,
}

/// A wait that goes on elsewhere.
pub struct Ticket {
    state: Mutex<State>,
    /// The queue of the thread that polls it.
    queue: Arc<WaitQueue>,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

impl Ticket {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Its outcome, once; `None` if it has not ended, and then it is cancelled.
    pub fn settle(&self) -> Option<Outcome> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Settled) {
            State::Pending(mut wait, _) => {
                wait.retract();
                *state = State::Cancelled(wait);
                drop(state);
                self.queue.wake_thread(); // or it would sleep on, and may be woken in somebody's word
                None
            }
            State::Over(outcome) => Some(outcome),
            other => {
                *state = other;
                None
            }
        }
    }

    fn is_over(&self) -> bool {
        matches!(*self.state(), State::Over(_))
    }

    fn cancel(&self) {
        self.settle();
        self.poll();
    }

    /// Polls it. Returns the word to sleep on if it is blocked.
    fn poll(&self) -> Option<WakeWord> {
        let mut state = self.state();
        let outcome = match &mut *state {
            State::Pending(wait, _) => match wait.poll() {
                Ok(Progress::Blocked(word)) => return Some(word),
                Ok(Progress::Done { inconsistent }) => Ok(inconsistent),
                Err(error) => {
                    wait.retract();
                    wait.pass_on();
                    Err(error)
                }
            },
            State::Cancelled(wait) => {
                wait.pass_on();
                *state = State::Settled;
                return None;
            }
            State::Over(_) | State::Settled => return None,
        };
        let done = std::mem::replace(&mut *state, State::Over(outcome));
        drop(state);
        if let State::Pending(_, done) = done {
            done();
        }
        None
    }
}

/// The waits that one thread polls, shared with the threads that add to them.
#[derive(Debug, Default)]
struct WaitQueue {
    /// The word that the thread sleeps on; changed when there is work for it.
    wake_word: AtomicU32,
    new: Mutex<Vec<Arc<Ticket>>>,
    /// Tickets that are new or held.
    load: AtomicUsize,
    closed: AtomicBool,
}

impl WaitQueue {
    fn new_tickets(&self) -> MutexGuard<'_, Vec<Arc<Ticket>>> {
        self.new.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wake_thread(&self) {
        self.wake_word.fetch_add(1, Ordering::SeqCst);
        self.wake_word.wake(1);
    }

    /// The thread's loop. `wake_word` is read before the waits are polled, so no later change is missed.
    fn run(&self, capacity: usize) {
        let mut held: Vec<Arc<Ticket>> = Vec::new();
        let mut slept: Option<(Instant, Duration)> = None;
        loop {
            let seen = self.wake_word.load(Ordering::SeqCst);
            let closed = self.closed.load(Ordering::SeqCst); // before the last ones are fetched, or they stay
            held.append(&mut self.new_tickets());
            if closed {
                return held.iter().for_each(|ticket| ticket.cancel());
            }
            let before = held.len();
            let mut words = Vec::with_capacity(before);
            held.retain(|ticket| {
                let blocked = ticket.poll().map(|word| words.push(word)).is_some();
                if let Some((began, time)) = slept
                    && ticket.is_over()
                {
                    note_if_late(began, time);
                }
                blocked
            });
            self.load.fetch_sub(before - held.len(), Ordering::AcqRel);
            let began = Instant::now();
            slept = self.sleep(seen, &words, capacity).map(|time| (began, time));
        }
    }

    /// Sleeps, and returns for how long at most if there is a limit.
    fn sleep(&self, seen: u32, words: &[WakeWord], capacity: usize) -> Option<Duration> {
        let wake_word = Expected { word: &self.wake_word, value: seen };
        match words {
            [] => {
                self.wake_word.wait(seen, Duration::MAX);
                None
            }
            [word] if capacity == 1 => {
                if let Some(word) = word.expected() {
                    word.word.wait(word.value, SLICE);
                }
                Some(SLICE)
            }
            _ => {
                let words: Vec<_> =
                    [wake_word].into_iter().chain(words.iter().filter_map(WakeWord::expected)).collect();
                wait_any(&words, SLICE);
                Some(SLICE)
            }
        }
    }
}

struct WaiterThread {
    queue: Arc<WaitQueue>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for WaiterThread {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The threads of one environment: none until something is waited for, and joined when this is dropped.
#[derive(Default)]
pub struct WaiterThreads {
    all: Vec<WaiterThread>,
    capacity: usize,
}

impl fmt::Debug for WaiterThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaiterThreads").field("threads", &self.all.len()).finish_non_exhaustive()
    }
}

impl WaiterThreads {
    /// No threads yet. Each polls at most `capacity` waits; 0 for as many as the system allows.
    pub fn with_capacity(capacity: usize) -> Self {
        WaiterThreads { all: Vec::new(), capacity }
    }

    /// Waits elsewhere; `done` is called there when it is over, and then `settle` says how. Not if `settle` was first.
    ///
    /// # Errors
    /// `EAGAIN` if the system refuses a thread.
    pub fn wait(
        &mut self,
        wait: impl Wait + 'static,
        done: impl FnOnce() + Send + 'static,
    ) -> Result<Arc<Ticket>> {
        let queue = Arc::clone(self.queue()?);
        let state = Mutex::new(State::Pending(Box::new(wait), Box::new(done)));
        let ticket = Arc::new(Ticket { state, queue: Arc::clone(&queue) });
        queue.load.fetch_add(1, Ordering::AcqRel);
        queue.new_tickets().push(Arc::clone(&ticket));
        queue.wake_thread();
        Ok(ticket)
    }

    /// A queue that is not full, of a new thread if necessary.
    fn queue(&mut self) -> Result<&Arc<WaitQueue>> {
        if self.capacity == 0 {
            self.capacity = if can_wait_any() { WAIT_ANY_MAX - 1 } else { 1 };
        }
        let capacity = self.capacity;
        let free = |waiter: &WaiterThread| waiter.queue.load.load(Ordering::Acquire) < capacity;
        let at = match self.all.iter().position(free) {
            Some(at) => at,
            None => {
                let queue = Arc::<WaitQueue>::default();
                let work = Arc::clone(&queue);
                let thread = thread::Builder::new()
                    .name("shmkit-wait".into())
                    .stack_size(256 << 10)
                    .spawn(move || work.run(capacity))
                    .map_err(|error| Error::io(&error, Errno::AGAIN, "pthread_create"))?;
                self.all.push(WaiterThread { queue, thread: Some(thread) });
                self.all.len() - 1
            }
        };
        Ok(&self.all[at].queue)
    }
}

impl Drop for WaiterThreads {
    fn drop(&mut self) {
        // All threads are woken before the first is joined.
        for waiter in &self.all {
            waiter.queue.closed.store(true, Ordering::SeqCst);
            waiter.queue.wake_thread();
        }
    }
}
