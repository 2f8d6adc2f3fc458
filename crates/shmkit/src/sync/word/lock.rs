//! The lock: who has it, and what they should know who want it.

use super::{Word, update};

/// Somebody sleeps on it: whoever lets go of it has to wake one.
pub const WAITERS: u32 = 1 << 31;
/// The last one who wrote died, or failed, in the middle.
pub const INCONSISTENT: u32 = 1 << 30;
/// Somebody has waited for long: who has just come does not get it before those who sleep.
pub const STARVING: u32 = 1 << 29;
/// A thread spins for it, and gets it if its owner yields for a moment.
pub const SPINNING: u32 = 1 << 28;
/// The bits of its owner: 0 is nobody.
pub const OWNER: u32 = SPINNING - 1;

const SLOT_BITS: u32 = 12;
const GENERATIONS: u32 = 1 << (28 - SLOT_BITS);
/// Number of spins for which an owner yields.
const SPINS: u32 = 50;
/// So many can take part in one lock at a time.
pub const SLOTS: u32 = (1 << SLOT_BITS) - 1;

/// The owner of this slot in this generation.
pub fn owner(slot: u32, generation: u32) -> u32 {
    debug_assert!(slot < SLOTS);
    (slot + 1) | (generation % GENERATIONS) << SLOT_BITS
}

/// The owner's slot; `None` for nobody and for what is none.
pub fn slot(owner: u32) -> Option<u32> {
    (owner & OWNER & SLOTS).checked_sub(1)
}

/// What one who wants the lock has been through.
#[derive(Debug, Default, Clone, Copy)]
pub struct Attempt {
    /// It has slept for the lock at least once.
    pub slept: bool,
    /// It has waited too long to let others go first.
    pub starving: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The lock is taken; whether the last one who wrote died or failed.
    Taken {
        /// See [`INCONSISTENT`].
        inconsistent: bool,
    },
    /// It is to be slept on while it is this.
    Sleep(u32),
}

/// Takes the lock if it can be had, or leaves a mark that somebody is about to sleep.
///
/// One who has slept takes it as if more slept: nobody knows better, and at worst one wakes nobody in vain.
pub fn attempt<W: Word>(word: &W, me: u32, attempt: &Attempt) -> Step {
    let take = |seen| seen & OWNER == 0 && (attempt.slept || seen & STARVING == 0);
    let next = |seen| {
        if take(seen) {
            let waiters = if attempt.slept { WAITERS } else { seen & WAITERS };
            return me | seen & INCONSISTENT | waiters;
        }
        seen | WAITERS | if attempt.starving { STARVING } else { 0 }
    };
    match update(word, |seen| (next(seen) != seen).then(|| next(seen))) {
        Ok(seen) if take(seen) => Step::Taken { inconsistent: seen & INCONSISTENT != 0 },
        Ok(seen) => Step::Sleep(next(seen)),
        Err(seen) => Step::Sleep(seen),
    }
}

/// The state in which an owner leaves what the lock guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseState {
    /// All is well.
    Consistent,
    /// It was interrupted.
    Inconsistent,
    /// As it was found: it did not write.
    AsFound,
}

/// Releases the lock and wakes one waiter. Returns false and has no effect if `me` does not hold it.
#[must_use]
pub fn unlock<W: Word>(word: &W, me: u32, state: ReleaseState) -> bool {
    let unlocked = update(word, |seen| {
        let inconsistent = match state {
            ReleaseState::Consistent => 0,
            ReleaseState::Inconsistent => INCONSISTENT,
            ReleaseState::AsFound => seen & INCONSISTENT,
        };
        // Whoever starves and is still there has marked that it sleeps, or is about to.
        let starving = if seen & WAITERS != 0 { seen & STARVING } else { 0 };
        (seen & OWNER == me).then_some(starving | inconsistent)
    });
    if let Ok(seen) = unlocked
        && seen & WAITERS != 0
        && word.wake(1) == 0
        && seen & STARVING != 0
    {
        // Whoever starved is gone, or about to say so again.
        stop_starving(word);
    }
    if unlocked.is_ok_and(|seen| seen & SPINNING != 0) {
        let _ = (0..SPINS).find(|_| word.load() != 0);
    }
    unlocked.is_ok()
}

fn stop_starving<W: Word>(word: &W) {
    let was = update(word, |seen| (seen & STARVING != 0).then_some(seen & !STARVING));
    if was.is_ok_and(|seen| seen & OWNER == 0 && seen & WAITERS != 0) {
        word.wake(1); // one who came meanwhile sleeps for that reason alone
    }
}

/// Takes the lock if nobody has it and nobody sleeps who goes first; as `attempt` otherwise, without a mark.
pub fn try_once<W: Word>(word: &W, me: u32) -> Step {
    let seen = word.load();
    let free = seen & OWNER == 0 && (seen & STARVING == 0 || word.wake(1) == 0);
    if free && word.compare_exchange(seen, seen | me).is_ok() {
        return Step::Taken { inconsistent: seen & INCONSISTENT != 0 };
    }
    Step::Sleep(seen)
}

/// Takes the lock from a dead owner, which left what the lock guards in `state`, if the word is still exactly `seen`.
#[must_use]
pub fn take_over<W: Word>(word: &W, seen: u32, me: u32, state: ReleaseState) -> bool {
    let inconsistent = if state == ReleaseState::Inconsistent { INCONSISTENT } else { seen & INCONSISTENT };
    word.compare_exchange(seen, me | inconsistent | WAITERS).is_ok()
}

/// For one who slept and does not want the lock any more: a wake-up that it may have had goes to the next one, and
/// nobody has to wait for it.
pub fn give_up<W: Word>(word: &W, attempt: &Attempt) {
    if attempt.starving {
        stop_starving(word); // the others who do say so again
    }
    if !attempt.slept {
        return;
    }
    let held = |seen: u32| seen & OWNER != 0;
    match update(word, |seen| (held(seen) && seen & WAITERS == 0).then_some(seen | WAITERS)) {
        Err(seen) if !held(seen) => drop(word.wake(1)),
        _ => {}
    }
}
