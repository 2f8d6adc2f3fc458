//! The threads of one process that wait for a lock: first come, first served.
//!
//! Its state is only touched by who holds the GIL, so a fork finds it whole; what it says is then the parent's.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread::{ThreadId, current};

use pyo3::prelude::*;
use shmkit::sync::LockAccess;
use shmkit::sync::word::Word;

use crate::forks;
use crate::waiting::Deadline;

/// The waiting threads, and those that have the lock.
#[derive(Debug, Default)]
pub(crate) struct WaitQueue {
    state: Mutex<State>,
    /// The wake word of the waiting threads; changed when a thread leaves.
    wake_word: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    forks: u32,
    holders: Holders,
    queue: VecDeque<(u64, ThreadId)>,
    last_ticket: u64,
}

#[derive(Debug, Default)]
enum Holders {
    #[default]
    None,
    /// It has the lock for writing, or is about to get it.
    Exclusive(ThreadId),
    /// They read. The flag says whether what they read is inconsistent.
    Readers(Vec<ThreadId>, bool),
}

/// How a thread got through.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Turn {
    /// Alone: it must take the process's lock.
    First,
    /// With other readers: the process has the lock already.
    Shared {
        /// Whether what they read is inconsistent.
        inconsistent: bool,
    },
}

/// Why a thread did not get through.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It took too long.
    Late,
    /// The thread would wait for itself.
    Deadlock,
    /// A signal's handler said so.
    Interrupted(PyErr),
}

impl State {
    /// Whether this thread would wait for itself. A reader may read twice.
    fn is_deadlock(&self, me: ThreadId, access: LockAccess) -> bool {
        let is_holder = match &self.holders {
            Holders::None => false,
            Holders::Exclusive(thread) => *thread == me,
            Holders::Readers(threads, _) => access == LockAccess::Write && threads.contains(&me),
        };
        // In the queue: this is a signal's handler, on top of a wait.
        is_holder || self.queue.iter().any(|(_, thread)| *thread == me)
    }

    /// Lets a thread through if it is its turn: waiting threads go before newcomers.
    fn admit(&mut self, me: ThreadId, access: LockAccess, ticket: Option<u64>) -> Option<Turn> {
        let first = self.queue.front().is_none_or(|(front, _)| Some(*front) == ticket);
        let turn = match &mut self.holders {
            Holders::None if first => {
                self.holders = Holders::Exclusive(me);
                Turn::First
            }
            Holders::Readers(threads, inconsistent)
                if access == LockAccess::Read && (first || threads.contains(&me)) =>
            {
                threads.push(me);
                Turn::Shared { inconsistent: *inconsistent }
            }
            _ => return None,
        };
        self.queue.retain(|(known, _)| Some(*known) != ticket);
        Some(turn)
    }
}

impl WaitQueue {
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if state.forks != forks::count() {
            *state = State { forks: forks::count(), ..State::default() };
        }
        state
    }

    /// Goes through; waits until the deadline.
    pub(crate) fn enter(&self, py: Python<'_>, access: LockAccess, deadline: Deadline) -> Result<Turn, Stop> {
        let me = current().id();
        let mut mine = None;
        let stop = loop {
            let wake_word = self.wake_word.load(Ordering::SeqCst);
            if let Some((forks, _)) = mine
                && forks != forks::count()
            {
                mine = None; // the parent's
            }
            {
                let mut state = self.state();
                if mine.is_none() && state.is_deadlock(me, access) {
                    break Stop::Deadlock;
                }
                if let Some(turn) = state.admit(me, access, mine.map(|(_, ticket)| ticket)) {
                    drop(state);
                    self.wake_all(); // the next one may read at the same time
                    return Ok(turn);
                }
                if deadline.is_over() {
                    break Stop::Late;
                }
                if mine.is_none() {
                    state.last_ticket += 1;
                    let ticket = state.last_ticket;
                    state.queue.push_back((ticket, me));
                    mine = Some((state.forks, ticket));
                }
            }
            py.detach(|| Word::wait(&self.wake_word, wake_word, deadline.slice()));
            if let Err(interrupted) = py.check_signals() {
                break Stop::Interrupted(interrupted);
            }
        };
        if let Some((forks, ticket)) = mine
            && forks == forks::count()
        {
            self.state().queue.retain(|(known, _)| *known != ticket);
            self.wake_all();
        }
        Err(stop)
    }

    /// Lets other readers through. This thread has the lock for reading, and got through alone.
    pub(crate) fn share(&self, inconsistent: bool) {
        self.state().holders = Holders::Readers(vec![current().id()], inconsistent);
        self.wake_all();
    }

    /// Ends the turn of the thread `who`; returns whether it was the last one.
    pub(crate) fn leave(&self, who: ThreadId) -> bool {
        let mut state = self.state();
        if let Holders::Readers(threads, _) = &mut state.holders {
            if let Some(at) = threads.iter().position(|thread| *thread == who) {
                threads.swap_remove(at);
            }
            if !threads.is_empty() {
                return false;
            }
        }
        state.holders = Holders::None;
        drop(state);
        self.wake_all();
        true
    }

    /// Wakes the waiting threads, each of which checks whether it is next.
    fn wake_all(&self) {
        self.wake_word.fetch_add(1, Ordering::SeqCst);
        if !self.state().queue.is_empty() {
            Word::wake(&self.wake_word, i32::MAX as u32);
        }
    }
}
