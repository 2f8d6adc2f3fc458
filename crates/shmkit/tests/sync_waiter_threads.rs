//! Threads that wait for many locks and events at once. Under ThreadSanitizer too, as `sync.rs`.

#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::expect_used)]

#[path = "common/locks.rs"]
mod locks;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use locks::{Named, Numbers, TIMEOUT, Watchdog, take, until_awaited, wait_in_slices};
use shmkit::sync::{LockAccess, ReleaseState, SharedEvent, WaiterThreads};

/// So many wait elsewhere, each gets the lock once, and no two have it at a time.
fn all_are_served(tickets: usize, capacity: usize) {
    let _watchdog = Watchdog::new(120);
    let (name, inside) = (Named::new(), AtomicU32::new(0));
    let locks: Vec<_> = (0..tickets).map(|_| name.mutex()).collect();
    let first = name.mutex();
    take(&first, LockAccess::Write);
    let mut threads = WaiterThreads::with_capacity(capacity);
    let (done, over) = channel();
    let waiting: Vec<_> = locks
        .iter()
        .enumerate()
        .map(|(number, lock)| {
            let done = done.clone();
            let told = move || {
                let _ = done.send(number);
            };
            threads.wait(lock.wait(LockAccess::Write), told).expect("a thread")
        })
        .collect();
    until_awaited(&name.path());
    first.unlock(ReleaseState::Consistent).expect("it had it");
    for _ in 0..tickets {
        let number: usize = over.recv_timeout(TIMEOUT).expect("the next one has it");
        assert_eq!(waiting[number].settle(), Some(Ok(false)));
        assert_eq!(waiting[number].settle(), None, "it says so once");
        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0, "one at a time");
        inside.fetch_sub(1, Ordering::Relaxed);
        locks[number].unlock(ReleaseState::Consistent).expect("it had it");
    }
    assert_eq!(first.try_lock(LockAccess::Write), Ok(Some(false)), "nobody has it now");
}

#[test]
fn hundreds_wait_elsewhere_and_all_are_served() {
    all_are_served(300, 0);
}

#[test]
fn where_each_wait_has_a_thread_all_are_served() {
    all_are_served(60, 1);
}

#[test]
fn where_few_share_a_thread_all_are_served() {
    all_are_served(60, 3);
}

/// Whoever is told that the lock is had has it, and whoever is told that it is not has not.
fn settling_races_with_completion(capacity: usize) {
    let _watchdog = Watchdog::new(120);
    let (name, mut numbers) = (Named::new(), Numbers(0x5eed));
    let (holder, lock) = (name.mutex(), name.mutex());
    let mut threads = WaiterThreads::with_capacity(capacity);
    let (mut had, mut called_off) = (0, 0);
    for round in 0..800 {
        take(&holder, LockAccess::Write);
        let ticket = threads.wait(lock.wait(LockAccess::Write), || ()).expect("a thread");
        let spins = numbers.below(20_000);
        if round % 3 == 0 {
            let any_moment = Duration::from_micros(numbers.below(300));
            thread::sleep(any_moment);
        }
        thread::scope(|scope| {
            scope.spawn(|| holder.unlock(ReleaseState::Consistent).expect("it had it"));
            (0..spins).for_each(|_| std::hint::spin_loop());
            match ticket.settle() {
                Some(outcome) => {
                    assert_eq!(outcome, Ok(false));
                    had += 1;
                    lock.unlock(ReleaseState::Consistent).expect("who is told that he has it has it");
                }
                None => {
                    called_off += 1;
                    assert_eq!(
                        lock.unlock(ReleaseState::Consistent).expect_err("not had").code,
                        "ERR_SHM_LOCK_LOST"
                    );
                }
            }
        });
        assert_eq!(ticket.settle(), None);
    }
    assert!(had > 0 && called_off > 0, "{had} had it, {called_off} called it off: no race at all");
}

#[test]
fn a_wait_that_is_called_off_as_it_ends_is_one_or_the_other() {
    settling_races_with_completion(0);
    settling_races_with_completion(1);
}

#[test]
fn who_is_called_off_while_others_read_lets_go_of_the_lock() {
    let _watchdog = Watchdog::new(60);
    let name = Named::new();
    let (reader, writer, third) = (name.mutex(), name.mutex(), name.mutex());
    let mut threads = WaiterThreads::default();
    for _ in 0..20 {
        take(&reader, LockAccess::Read);
        let ticket = threads.wait(writer.wait(LockAccess::Write), || ()).expect("a thread");
        let until = Instant::now() + TIMEOUT;
        while third.try_lock(LockAccess::Read).expect("no error").is_some() {
            third.unlock_read().expect("it read");
            assert!(Instant::now() < until, "the writer keeps nobody out");
        }
        assert_eq!(ticket.settle(), None, "the reader is at it still");
        assert_eq!(third.try_lock(LockAccess::Read), Ok(Some(false)), "nobody is kept out any more");
        third.unlock_read().expect("it read");
        reader.unlock_read().expect("it read");
        assert_eq!(third.try_lock(LockAccess::Write), Ok(Some(false)));
        third.unlock(ReleaseState::Consistent).expect("it had it");
    }
}

#[test]
fn what_still_waits_ends_with_its_threads_and_has_nothing() {
    let _watchdog = Watchdog::new(60);
    let name = Named::new();
    let (holder, lock, reads) = (name.mutex(), name.mutex(), name.mutex());
    take(&holder, LockAccess::Write);
    for capacity in [0, 1] {
        let mut threads = WaiterThreads::with_capacity(capacity);
        let told = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&told);
        let one = threads.wait(lock.wait(LockAccess::Write), move || tell.store(true, Ordering::Relaxed));
        let two = threads.wait(reads.wait(LockAccess::Read), || ());
        if capacity == 0 {
            until_awaited(&name.path());
        }
        drop(threads);
        assert_eq!((one.expect("a thread").settle(), two.expect("a thread").settle()), (None, None));
        assert!(!told.load(Ordering::Relaxed));
    }
    holder.unlock(ReleaseState::Consistent).expect("it had it");
    assert_eq!(holder.try_lock(LockAccess::Write), Ok(Some(false)), "nobody has it");
}

#[test]
fn all_who_wait_for_an_event_are_released_though_it_is_cleared_at_once() {
    let _watchdog = Watchdog::new(60);
    let name = Named::new();
    let event = || Arc::new(SharedEvent::create_or_attach(&name.options()).expect("an event"));
    let setter = event();
    for capacity in [0, 1] {
        let mut threads = WaiterThreads::with_capacity(capacity);
        let released = Arc::new(Mutex::new(0));
        let (done, over) = channel();
        let waiting: Vec<_> = (0..150)
            .map(|_| {
                let (event, done, released) = (event(), done.clone(), Arc::clone(&released));
                let told = move || {
                    *released.lock().expect("no panic") += 1;
                    let _ = done.send(());
                };
                threads.wait(event.wait(event.generation()), told).expect("a thread")
            })
            .collect();
        thread::scope(|scope| {
            let event = event();
            let generation = event.generation();
            scope.spawn(move || wait_in_slices(event.wait(generation), TIMEOUT));
            setter.set();
            setter.clear();
        });
        assert!(!setter.is_set());
        for _ in &waiting {
            over.recv_timeout(TIMEOUT).expect("the next one is released");
        }
        assert_eq!(*released.lock().expect("no panic"), 150);
        assert!(waiting.iter().all(|ticket| ticket.settle() == Some(Ok(false))));
    }
}
