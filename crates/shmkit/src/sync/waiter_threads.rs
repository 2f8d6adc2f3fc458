//! Threads that wait for many things at once, for a program that has better to do than to sleep.
//!
//! One thread sleeps on the words of up to 127 waits and on one of its own, which says that there is news
//! (`futex_waitv`, Linux 5.16). Where the system has no such call, each wait has a thread.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::wait::{Place, Progress, SLICE, Wait, note_if_late};
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
    CalledOff(Box<dyn Wait>),
    /// All is said.
    Settled,
}

/// A wait that goes on elsewhere.
pub struct Ticket {
    state: Mutex<State>,
    /// Whose thread is at it.
    desk: Arc<Desk>,
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
                *state = State::CalledOff(wait);
                drop(state);
                self.desk.tell(); // or it would sleep on, and may be woken in somebody's place
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

    fn call_off(&self) {
        self.settle();
        self.poll();
    }

    /// Looks at it; where it is to be slept on.
    fn poll(&self) -> Option<Place> {
        let mut state = self.state();
        let outcome = match &mut *state {
            State::Pending(wait, _) => match wait.poll() {
                Ok(Progress::Blocked(place)) => return Some(place),
                Ok(Progress::Done { inconsistent }) => Ok(inconsistent),
                Err(error) => {
                    wait.retract();
                    wait.pass_on();
                    Err(error)
                }
            },
            State::CalledOff(wait) => {
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
struct Desk {
    /// Changed where there is news; slept on.
    news: AtomicU32,
    new: Mutex<Vec<Arc<Ticket>>>,
    /// Tickets that are new or held.
    load: AtomicUsize,
    closed: AtomicBool,
}

impl Desk {
    fn new_tickets(&self) -> MutexGuard<'_, Vec<Arc<Ticket>>> {
        self.new.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn tell(&self) {
        self.news.fetch_add(1, Ordering::SeqCst);
        self.news.wake(1);
    }

    /// The thread's life. `news` is read before what it is about, so nothing that comes later is slept through.
    fn work(&self, capacity: usize) {
        let mut held: Vec<Arc<Ticket>> = Vec::new();
        let mut slept: Option<(Instant, Duration)> = None;
        loop {
            let seen = self.news.load(Ordering::SeqCst);
            let closed = self.closed.load(Ordering::SeqCst); // before the last ones are fetched, or they stay
            held.append(&mut self.new_tickets());
            if closed {
                return held.iter().for_each(|ticket| ticket.call_off());
            }
            let before = held.len();
            let mut places = Vec::with_capacity(before);
            held.retain(|ticket| {
                let blocked = ticket.poll().map(|place| places.push(place)).is_some();
                if let Some((began, time)) = slept
                    && ticket.is_over()
                {
                    note_if_late(began, time);
                }
                blocked
            });
            self.load.fetch_sub(before - held.len(), Ordering::AcqRel);
            let began = Instant::now();
            slept = self.sleep(seen, &places, capacity).map(|time| (began, time));
        }
    }

    /// How long it would sleep at most, where there is a limit.
    fn sleep(&self, seen: u32, places: &[Place], capacity: usize) -> Option<Duration> {
        let news = Expected { word: &self.news, value: seen };
        match places {
            [] => {
                self.news.wait(seen, Duration::MAX);
                None
            }
            [place] if capacity == 1 => {
                if let Some(spot) = place.spot() {
                    spot.word.wait(spot.value, SLICE);
                }
                Some(SLICE)
            }
            _ => {
                let spots: Vec<_> = [news].into_iter().chain(places.iter().filter_map(Place::spot)).collect();
                wait_any(&spots, SLICE);
                Some(SLICE)
            }
        }
    }
}

struct Sleeper {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The threads of one environment: none until something is waited for, and joined when this is dropped.
#[derive(Default)]
pub struct Sleepers {
    all: Vec<Sleeper>,
    capacity: usize,
}

impl fmt::Debug for Sleepers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleepers").field("threads", &self.all.len()).finish_non_exhaustive()
    }
}

impl Sleepers {
    /// None yet, and each of so many waits at most; 0 for as many as the system can.
    pub fn with_capacity(capacity: usize) -> Self {
        Sleepers { all: Vec::new(), capacity }
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
        let desk = Arc::clone(self.desk()?);
        let state = Mutex::new(State::Pending(Box::new(wait), Box::new(done)));
        let ticket = Arc::new(Ticket { state, desk: Arc::clone(&desk) });
        desk.load.fetch_add(1, Ordering::AcqRel);
        desk.new_tickets().push(Arc::clone(&ticket));
        desk.tell();
        Ok(ticket)
    }

    /// One that is not full.
    fn desk(&mut self) -> Result<&Arc<Desk>> {
        if self.capacity == 0 {
            self.capacity = if can_wait_any() { WAIT_ANY_MAX - 1 } else { 1 };
        }
        let capacity = self.capacity;
        let free = |sleeper: &Sleeper| sleeper.desk.load.load(Ordering::Acquire) < capacity;
        let at = match self.all.iter().position(free) {
            Some(at) => at,
            None => {
                let desk = Arc::<Desk>::default();
                let work = Arc::clone(&desk);
                let thread = thread::Builder::new()
                    .name("shmkit-wait".into())
                    .stack_size(256 << 10)
                    .spawn(move || work.work(capacity))
                    .map_err(|error| Error::io(&error, Errno::AGAIN, "pthread_create"))?;
                self.all.push(Sleeper { desk, thread: Some(thread) });
                self.all.len() - 1
            }
        };
        Ok(&self.all[at].desk)
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        // All are told before the first is joined.
        for sleeper in &self.all {
            sleeper.desk.closed.store(true, Ordering::SeqCst);
            sleeper.desk.tell();
        }
    }
}
