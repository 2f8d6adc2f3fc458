//! Threads that wait for many things at once, for a program that has better to do than to sleep.
//!
//! One thread sleeps on the words of up to 127 waits and on a wake word of its own, which changes when there is another wait
//! (`futex_waitv`, Linux 5.16). Where the system has no such call, each wait has a thread.

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
    /// It was called off, and the thread is still to let go of it.
    Cancelled(Box<dyn Wait>),
    /// All is said.
    Settled,
}

/// A wait that goes on elsewhere.
pub struct Ticket {
    state: Mutex<State>,
    /// Whose thread is at it.
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

    /// How it ended, once; or `None` where it goes on, which ends here. Whoever waits no more leaves no trace.
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

    /// Looks at it; where it is to be slept on.
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

/// What a thread and those who give it work share.
#[derive(Debug, Default)]
struct WaitQueue {
    /// Changes when there is something new for the thread; it sleeps on this.
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

    /// The thread's life. `wake_word` is read before what it is about, so nothing that comes later is slept through.
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

    /// How long it would sleep at most, where there is a limit.
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
    /// None yet, and each of so many waits at most; 0 for as many as the system can.
    pub fn with_capacity(capacity: usize) -> Self {
        WaiterThreads { all: Vec::new(), capacity }
    }

    /// Waits elsewhere; `done` is called there when it is over, and then `settle` says how. Not if `settle` was first.
    ///
    /// # Errors
    /// `EAGAIN` where the system has no thread to give.
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

    /// One that is not full.
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
        // All are told before the first is joined.
        for waiter in &self.all {
            waiter.queue.closed.store(true, Ordering::SeqCst);
            waiter.queue.wake_thread();
        }
    }
}
