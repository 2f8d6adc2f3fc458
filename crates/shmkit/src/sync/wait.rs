//! What can be waited for: asked again and again, and slept on in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::word::Word;
use crate::Result;
use crate::segment::Mapping;
use crate::sys::wait::Expected;

/// How far a wait has come.
#[derive(Debug)]
pub enum Progress {
    /// It is over; of a lock, whether the last one who wrote died or failed.
    Done {
        /// What a lock guards has to be checked.
        inconsistent: bool,
    },
    /// This is to be slept on.
    Blocked(WakeWord),
}

/// A word in shared memory that a waiter sleeps on, and its value while the waiter sleeps.
#[derive(Debug, Clone)]
pub struct WakeWord {
    pub(super) mapping: Arc<Mapping>,
    pub(super) offset: usize,
    pub(super) expected: u32,
}

impl WakeWord {
    pub(crate) fn new(mapping: Arc<Mapping>, offset: usize, expected: u32) -> Self {
        WakeWord { mapping, offset, expected }
    }

    fn word(&self) -> Option<&AtomicU32> {
        self.mapping.bytes().atomic(self.offset)
    }

    pub(super) fn expected(&self) -> Option<Expected<'_>> {
        self.word().map(|word| Expected { word, value: self.expected })
    }
}

/// For so long everybody sleeps at a time: those who are in the way may have died, and a wake-up may have been for
/// somebody who died. Everybody alike, because the kernel wakes those first who have slept longest: who slept for
/// shorter would always be behind those who sleep for longer.
pub const SLICE: Duration = Duration::from_millis(40);

/// Something that is waited for, by one thread at a time.
pub trait Wait: Send {
    /// Sees how it stands, and takes what there is to be had.
    ///
    /// # Errors
    /// The system's.
    fn poll(&mut self) -> Result<Progress>;

    /// Gives back what is had of it already. It is not polled any more.
    fn retract(&mut self);

    /// Hands a wake-up that may have come on to those who still wait, once nobody sleeps for it any more.
    fn pass_on(&mut self);
}

/// Sleeps for it, for `time` at most; `None` if it is not over then. It may be asked again, or must be ended by
/// `retract` and `pass_on`.
///
/// # Errors
/// The system's.
pub fn sleep(wait: &mut impl Wait, time: Duration) -> Result<Option<bool>> {
    let place = match wait.poll()? {
        Progress::Done { inconsistent } => return Ok(Some(inconsistent)),
        Progress::Blocked(_) if time.is_zero() => return Ok(None),
        Progress::Blocked(place) => place,
    };
    let began = Instant::now();
    if let Some(word) = place.word() {
        word.wait(place.expected, time);
    }
    match wait.poll()? {
        Progress::Done { inconsistent } => {
            note_if_late(began, time);
            Ok(Some(inconsistent))
        }
        Progress::Blocked(_) => Ok(None),
    }
}

/// After this long without a change, check whether the participant that blocks a waiter is alive. Shorter than the slices in
/// which callers sleep.
const SUSPECTED_AFTER: Duration = Duration::from_millis(30);

/// The participant that blocks a waiter, as the waiter saw it, and since when.
#[derive(Debug)]
pub struct Suspect<T>(Option<(T, Instant)>);

impl<T> Default for Suspect<T> {
    fn default() -> Self {
        Suspect(None)
    }
}

impl<T: PartialEq> Suspect<T> {
    /// Whether to check if the participant is alive: it is the same one as `SUSPECTED_AFTER` ago. Begins anew after each check.
    pub(crate) fn is_due(&mut self, seen: T) -> bool {
        let now = Instant::now();
        match &mut self.0 {
            Some((known, since)) if *known == seen => {
                let due = now.duration_since(*since) >= SUSPECTED_AFTER;
                if due {
                    *since = now;
                }
                due
            }
            _ => {
                self.0 = Some((seen, now));
                false
            }
        }
    }
}

static LATE: AtomicU64 = AtomicU64::new(0);

/// How many waits of this process slept until their time was over, and were over only then: that nobody woke them is
/// right where somebody died, and a lost wake-up where nobody did.
pub fn late() -> u64 {
    LATE.load(Ordering::Relaxed)
}

pub(super) fn note_if_late(began: Instant, time: Duration) {
    if began.elapsed() >= time {
        LATE.fetch_add(1, Ordering::Relaxed);
    }
}
