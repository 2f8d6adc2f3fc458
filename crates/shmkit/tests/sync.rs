//! Locks and events between threads, each with a handle of its own. Under ThreadSanitizer too (`npm run stress -- tsan`), which
//! sees nothing of other processes, nor that two mappings are the same memory.

#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::expect_used)]

#[path = "common/locks.rs"]
mod locks;

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use locks::{Blocking, Named, TIMEOUT, Watchdog, take};
use shmkit::sync::word::{Word, event, lock, reading};
use shmkit::sync::{LockAccess, ReleaseState, SharedLock};

/// Two counts that are the same to whoever has the lock, and lose something where two write at once.
#[derive(Default)]
struct Counts(AtomicU64, AtomicU64);

impl Counts {
    fn raise(&self) {
        let (one, two) = self.read();
        self.0.store(one + 1, Ordering::Relaxed);
        if one.is_multiple_of(16) {
            thread::yield_now();
        }
        self.1.store(two + 1, Ordering::Relaxed);
    }

    fn read(&self) -> (u64, u64) {
        let (one, two) = (self.0.load(Ordering::Relaxed), self.1.load(Ordering::Relaxed));
        assert_eq!(one, two, "somebody else is inside");
        (one, two)
    }
}

/// Tells the others that it is over, also when a check failed.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_count_that_is_raised_under_the_lock_loses_nothing() {
    let _watchdog = Watchdog::new(120);
    let (name, counts) = (Named::new(), Counts::default());
    thread::scope(|scope| {
        for _ in 0..6 {
            let lock = name.mutex();
            let counts = &counts;
            scope.spawn(move || {
                for _ in 0..1_000 {
                    assert!(!take(&lock, LockAccess::Write));
                    counts.raise();
                    lock.unlock(ReleaseState::Consistent).expect("it had it");
                }
            });
        }
    });
    assert_eq!(counts.read().0, 6_000);
}

#[test]
fn who_reads_sees_no_half_of_what_is_written() {
    let _watchdog = Watchdog::new(120);
    let (name, counts) = (Named::new(), Counts::default());
    thread::scope(|scope| {
        for number in 0..6 {
            let lock = name.mutex();
            let counts = &counts;
            scope.spawn(move || {
                for round in 0..800 {
                    if number < 2 || round % 50 == 0 {
                        take(&lock, LockAccess::Write);
                        counts.raise();
                        lock.unlock(ReleaseState::Consistent).expect("it had it");
                    } else {
                        take(&lock, LockAccess::Read);
                        counts.read();
                        lock.unlock_read().expect("it had it");
                    }
                }
            });
        }
    });
    assert_eq!(counts.read().0, 2 * 800 + 4 * 16);
}

/// Plain data, of which ThreadSanitizer and Miri would see that two touch it at once.
struct Plain(UnsafeCell<u64>);

// SAFETY: the test's lock keeps its threads apart, which is what it is there to show.
unsafe impl Sync for Plain {}

impl Plain {
    fn raise(&self) {
        // SAFETY: whoever calls this has the lock.
        unsafe { *self.0.get() += 1 };
    }

    fn get(&self) -> u64 {
        // SAFETY: whoever calls this reads under the lock.
        unsafe { *self.0.get() }
    }
}

fn take_word(word: &AtomicU32, me: u32) {
    let mut attempt = lock::Attempt::default();
    while let lock::Step::Sleep(seen) = lock::attempt(word, me, &attempt) {
        attempt.slept = true;
        Word::wait(word, seen, TIMEOUT);
    }
}

#[test]
fn words_order_what_is_done_to_plain_memory() {
    let _watchdog = Watchdog::new(120);
    let (word, plain) = (AtomicU32::new(0), Plain(UnsafeCell::new(0)));
    let readings: [AtomicU32; 2] = Default::default();
    thread::scope(|scope| {
        for slot in 0..4u32 {
            let (word, plain, readings) = (&word, &plain, &readings);
            let me = lock::owner(slot, 7);
            scope.spawn(move || {
                for _ in 0..2_000 {
                    if let Some(mine) = readings.get(slot as usize) {
                        if !reading::enter(mine, word) {
                            take_word(word, me);
                            reading::begin(mine);
                            assert!(lock::unlock(word, me, ReleaseState::AsFound));
                        }
                        assert!(plain.get() <= 4_000);
                        reading::leave(mine);
                        continue;
                    }
                    take_word(word, me);
                    for reading in readings {
                        while let Some(seen) = reading::attempt(reading) {
                            reading.wait(seen, TIMEOUT);
                        }
                    }
                    plain.raise();
                    assert!(lock::unlock(word, me, ReleaseState::Consistent));
                }
            });
        }
    });
    assert_eq!(plain.get(), 4_000);
}

#[test]
fn an_event_orders_what_is_done_to_plain_memory() {
    let _watchdog = Watchdog::new(120);
    let (word, plain) = (AtomicU32::new(0), Plain(UnsafeCell::new(0)));
    for round in 1..=500 {
        let generation = event::generation(Word::load(&word));
        thread::scope(|scope| {
            scope.spawn(|| {
                while let Some(seen) = event::attempt(&word, generation) {
                    Word::wait(&word, seen, TIMEOUT);
                }
                assert_eq!(plain.get(), round);
            });
            plain.raise();
            event::set(&word);
            event::clear(&word);
        });
    }
}

#[test]
fn many_read_at_once_and_one_writes_alone() {
    let _watchdog = Watchdog::new(60);
    let name = Named::new();
    let [one, two, three] = std::array::from_fn(|_| name.mutex());
    let try_lock = |lock: &SharedLock, access| lock.try_lock(access).expect("no error");
    assert_eq!(try_lock(&one, LockAccess::Read), Some(false));
    assert_eq!(try_lock(&two, LockAccess::Read), Some(false));
    assert_eq!(try_lock(&three, LockAccess::Write), None);
    assert_eq!(try_lock(&three, LockAccess::Read), Some(false), "one who could not write is not in the way");
    for lock in [&one, &two, &three] {
        lock.unlock_read().expect("it read");
    }
    assert_eq!(try_lock(&three, LockAccess::Write), Some(false));
    assert_eq!(try_lock(&one, LockAccess::Read), None);
    assert_eq!(try_lock(&two, LockAccess::Write), None);
    assert_eq!(two.unlock(ReleaseState::Consistent).expect_err("not its own").code, "ERR_SHM_LOCK_LOST");
    three.unlock(ReleaseState::Inconsistent).expect("it had it");
    assert_eq!(try_lock(&one, LockAccess::Read), Some(true), "who reads is told");
    assert_eq!(try_lock(&two, LockAccess::Read), Some(true), "all of them are");
    one.unlock_read().expect("it read");
    two.unlock_read().expect("it read");
    assert_eq!(try_lock(&two, LockAccess::Write), Some(true), "and whoever writes");
    two.unlock(ReleaseState::AsFound).expect("it had it");
    assert_eq!(try_lock(&one, LockAccess::Write), Some(true));
    one.unlock(ReleaseState::Consistent).expect("it had it");
    assert_eq!(try_lock(&one, LockAccess::Write), Some(false));
}

/// Those who have the lock over and over let others have it too.
fn gets_in_between(others: LockAccess, mine: LockAccess) {
    let _watchdog = Watchdog::new(120);
    let (name, done) = (Named::new(), AtomicBool::new(false));
    thread::scope(|scope| {
        let _ends = Ends(&done);
        for _ in 0..3 {
            let (lock, done) = (name.mutex(), &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    take(&lock, others);
                    std::hint::black_box(lock.file().name());
                    match others {
                        LockAccess::Write => lock.unlock(ReleaseState::Consistent).expect("it had it"),
                        LockAccess::Read => lock.unlock_read().expect("it had it"),
                    }
                }
            });
        }
        let lock = name.mutex();
        for _ in 0..100 {
            let began = Instant::now();
            take(&lock, mine);
            match mine {
                LockAccess::Write => lock.unlock(ReleaseState::Consistent).expect("it had it"),
                LockAccess::Read => lock.unlock_read().expect("it had it"),
            }
            assert!(began.elapsed() < Duration::from_secs(5), "it starved for {:?}", began.elapsed());
        }
    });
}

#[test]
fn writers_who_never_stop_starve_no_writer() {
    gets_in_between(LockAccess::Write, LockAccess::Write);
}

#[test]
fn writers_who_never_stop_starve_no_reader() {
    gets_in_between(LockAccess::Write, LockAccess::Read);
}

#[test]
fn readers_who_never_stop_starve_no_writer() {
    gets_in_between(LockAccess::Read, LockAccess::Write);
}

#[test]
fn who_closes_a_lock_that_he_has_leaves_it_inconsistent() {
    let _watchdog = Watchdog::new(60);
    let name = Named::new();
    let (one, two) = (name.mutex(), name.mutex());
    take(&one, LockAccess::Write);
    let second = Blocking::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            second.announce();
            assert!(take(&two, LockAccess::Write));
        });
        second.until_asleep();
        one.leave();
    });
    assert_eq!(one.me().expect_err("closed").code, "ERR_SHM_CLOSED");
    two.unlock(ReleaseState::Consistent).expect("it had it");
    let one = name.mutex();
    take(&one, LockAccess::Read);
    let third = Blocking::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            third.announce();
            assert!(!take(&two, LockAccess::Write), "a reader breaks nothing");
        });
        third.until_asleep();
        drop(one);
    });
}
