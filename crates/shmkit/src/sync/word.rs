//! The words that processes wait on, as state machines: what is stored, and when somebody sleeps or is woken.
//!
//! Nothing here knows of memory or of the system: a [`Word`] is 32 bits that many can change at once and sleep
//! on. So the same code runs on shared memory, and in the models of `shmkit-models`.
//!
//! ```text
//! lock     31 WAITERS  30 INCONSISTENT  29 STARVING  28 SPINNING  27..12 generation  11..0 slot + 1      0: free
//! event    31..2 generation  1 WAITERS  0 SET
//! reading  1 AWAITED   0 READING                                     one for each participant
//! ```
//!
//! The uncontended steps are taken in JavaScript too (`src/sync/`), with the same constants: a lock is taken by
//! a swap of 0 for the owner, and let go of by the reverse.

use std::time::Duration;

/// 32 bits that many can change and sleep on. All operations are sequentially consistent.
pub trait Word {
    /// What it is now.
    fn load(&self) -> u32;
    /// Stores `new` if it is `old`; else says what it is.
    ///
    /// # Errors
    /// What it is instead.
    fn compare_exchange(&self, old: u32, new: u32) -> Result<u32, u32>;
    /// Sleeps while it is `expected`, for `time` at most; may wake for no reason.
    fn wait(&self, expected: u32, time: Duration);
    /// Wakes so many sleepers, those first that have slept longest; says how many there were.
    fn wake(&self, count: u32) -> u32;
    /// Orders what was stored before against what is loaded after, on different words.
    fn fence();
}

/// Changes the word by `change`, which may decline; says what it was.
pub(crate) fn update<W: Word>(word: &W, mut change: impl FnMut(u32) -> Option<u32>) -> Result<u32, u32> {
    let mut seen = word.load();
    loop {
        let Some(next) = change(seen) else { return Err(seen) };
        match word.compare_exchange(seen, next) {
            Ok(_) => return Ok(seen),
            Err(now) => seen = now,
        }
    }
}

/// What is one's at a time, of those who have a number: turn << 8 | number. Nobody has the same turn twice: who found its
/// owner dead and is late must not take it from the next one of that number.
pub mod role {
    use super::{Word, update};

    /// Numbers go from 1 to this.
    pub const NUMBERS: u32 = 255;

    /// Makes `me` its owner. The word as it is then; `None` where somebody was faster. Or who has it, and lives.
    ///
    /// # Errors
    /// What `is_dead` says.
    pub fn assume<W: Word, E>(
        word: &W,
        me: u32,
        is_dead: impl Fn(u32) -> Result<bool, E>,
    ) -> Result<Result<Option<u32>, u32>, E> {
        let seen = word.load();
        let has_it = seen & NUMBERS;
        if has_it != 0 && has_it != me && !is_dead(has_it)? {
            return Ok(Err(has_it));
        }
        let turn = (seen & !NUMBERS).wrapping_add(NUMBERS + 1) | me;
        Ok(Ok(word.compare_exchange(seen, turn).ok().map(|_| turn)))
    }

    /// Makes `me` its owner, if it is not yet; or says who is, where that one lives.
    ///
    /// # Errors
    /// What `is_dead` says.
    pub fn enlist<W: Word, E>(
        word: &W,
        me: u32,
        is_dead: impl Fn(u32) -> Result<bool, E>,
    ) -> Result<Result<(), u32>, E> {
        if word.load() & NUMBERS == me {
            return Ok(Ok(()));
        }
        Ok(match assume(word, me, is_dead)? {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(word.load() & NUMBERS),
            Err(other) => Err(other),
        })
    }

    /// It is nobody's, if it was that number's.
    pub fn resign<W: Word>(word: &W, me: u32) {
        let _ = update(word, |seen| (seen & NUMBERS == me).then_some(seen & !NUMBERS));
    }
}

/// What one sleeps on until something has changed elsewhere: 31..1 generation, 0 WAITERS.
///
/// Whoever sleeps says so and looks once more; whoever changes something looks whether somebody says so.
pub mod wake_word {
    use super::{Word, update};

    /// Somebody sleeps.
    pub const WAITERS: u32 = 1;
    pub(crate) const GENERATION: u32 = 2;
    pub(crate) const ALL: u32 = i32::MAX as u32;

    /// Says that somebody is about to sleep, who has to look once more; what is to be slept on then.
    pub fn announce<W: Word>(wake_word: &W) -> u32 {
        let (Ok(seen) | Err(seen)) =
            update(wake_word, |seen| (seen & WAITERS == 0).then_some(seen | WAITERS));
        W::fence();
        seen | WAITERS
    }

    /// Wakes all, whether or not somebody says that he sleeps.
    pub fn wake_all<W: Word>(wake_word: &W) {
        let _ = update(wake_word, |seen| Some(seen.wrapping_add(GENERATION) & !WAITERS));
        wake_word.wake(ALL);
    }

    /// Wakes all who sleep, for one who has changed something.
    pub fn notify_all<W: Word>(wake_word: &W) {
        W::fence();
        if wake_word.load() & WAITERS != 0 {
            wake_all(wake_word);
        }
    }
}

/// The lock: who has it, and what they should know who want it.
pub mod lock {
    use super::{Word, update};

    /// Somebody sleeps on it: whoever lets go of it has to wake one.
    pub const WAITERS: u32 = 1 << 31;
    /// The last one who wrote died, or failed, in the middle.
    pub const INCONSISTENT: u32 = 1 << 30;
    /// Somebody has waited for long: who has just come does not get it before those who sleep.
    pub const STARVING: u32 = 1 << 29;
    /// Somebody looks for it to be free, and is about to get it if its owner gives way for a moment.
    pub const SPINNING: u32 = 1 << 28;
    /// The bits of its owner: 0 is nobody.
    pub const OWNER: u32 = SPINNING - 1;

    const SLOT_BITS: u32 = 12;
    const GENERATIONS: u32 = 1 << (28 - SLOT_BITS);
    /// For so many looks an owner gives way.
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

    /// In which state an owner leaves what the lock guards.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Left {
        /// All is well.
        Consistent,
        /// It was interrupted.
        Inconsistent,
        /// As it was found: it did not write.
        AsFound,
    }

    /// Lets go of the lock, and wakes one who sleeps; false, and nothing done, where `me` does not have it.
    #[must_use]
    pub fn unlock<W: Word>(word: &W, me: u32, left: Left) -> bool {
        let unlocked = update(word, |seen| {
            let inconsistent = match left {
                Left::Consistent => 0,
                Left::Inconsistent => INCONSISTENT,
                Left::AsFound => seen & INCONSISTENT,
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

    /// Takes the lock from an owner who is dead and has `left` it so, if it still is exactly as it was `seen`.
    #[must_use]
    pub fn take_over<W: Word>(word: &W, seen: u32, me: u32, left: Left) -> bool {
        let inconsistent = if left == Left::Inconsistent { INCONSISTENT } else { seen & INCONSISTENT };
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
}

/// The event: set or not, and how often it was cleared.
pub mod event {
    use super::{Word, update};

    /// It is set.
    pub const SET: u32 = 1;
    /// Somebody sleeps on it.
    pub const WAITERS: u32 = 2;
    /// Added when it is cleared, so that one who slept through a set and a clear knows.
    pub const GENERATION: u32 = 4;

    /// Sets it, and wakes all who wait.
    pub fn set<W: Word>(word: &W) {
        let was = update(word, |seen| (seen & SET == 0).then_some((seen | SET) & !WAITERS));
        if was.is_ok_and(|seen| seen & WAITERS != 0) {
            word.wake(i32::MAX as u32);
        }
    }

    /// Clears it.
    pub fn clear<W: Word>(word: &W) {
        let _ = update(word, |seen| (seen & SET != 0).then_some((seen & !SET).wrapping_add(GENERATION)));
    }

    /// Whether it is set, or was since it had that `generation`.
    pub fn was_set(seen: u32, generation: u32) -> bool {
        seen & SET != 0 || self::generation(seen) != generation
    }

    /// How often it was cleared.
    pub fn generation(seen: u32) -> u32 {
        seen & !(SET | WAITERS)
    }

    /// `None` where it was set since; else leaves a mark and says what is to be slept on.
    pub fn attempt<W: Word>(word: &W, generation: u32) -> Option<u32> {
        match update(word, |seen| {
            (!was_set(seen, generation) && seen & WAITERS == 0).then_some(seen | WAITERS)
        }) {
            Ok(seen) => Some(seen | WAITERS),
            Err(seen) if was_set(seen, generation) => None,
            Err(seen) => Some(seen),
        }
    }
}

/// A participant's word that says that it reads, which keeps those who write out.
pub mod reading {
    use super::{Word, update};

    /// It reads.
    pub const READING: u32 = 1;
    /// Somebody sleeps until it does not.
    pub const AWAITED: u32 = 2;

    /// Reads from now on, if nobody has the lock: whoever takes it later sees the reader.
    pub fn enter<W: Word>(reading: &W, lock_word: &W) -> bool {
        begin(reading);
        W::fence();
        if lock_word.load() == 0 {
            return true;
        }
        leave(reading);
        false
    }

    /// Reads from now on; for one who has the lock.
    pub fn begin<W: Word>(reading: &W) {
        let _ = update(reading, |_| Some(READING));
    }

    /// Reads no more, and wakes those who wait for that.
    pub fn leave<W: Word>(reading: &W) {
        if update(reading, |seen| (seen != 0).then_some(0)).is_ok_and(|seen| seen & AWAITED != 0) {
            reading.wake(i32::MAX as u32);
        }
    }

    /// `None` where it does not read; else leaves a mark and says what is to be slept on. For one who has the lock.
    pub fn attempt<W: Word>(reading: &W) -> Option<u32> {
        W::fence();
        match update(reading, |seen| (seen & READING != 0 && seen & AWAITED == 0).then_some(seen | AWAITED)) {
            Ok(seen) => Some(seen | AWAITED),
            Err(seen) if seen & READING != 0 => Some(seen),
            Err(_) => None,
        }
    }
}
