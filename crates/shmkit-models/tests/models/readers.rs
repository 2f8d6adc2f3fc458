//! Those who read, those who wait for events, and how a thread is told of work, as `loom.rs` has the lock.

use std::sync::Arc;

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::model::{Guarded, LONG, Model, explore, me, release, take};
use shmkit::sync::ReleaseState;
use shmkit::sync::word::{Word, event, lock, reading};

/// Reads under the lock, as `LockWait` does.
fn read(lock_word: &Model, reading: &Model, guarded: &Guarded, me: u32) {
    if !reading::enter(reading, lock_word) {
        take(lock_word, me, false);
        reading::begin(reading);
        release(lock_word, me, ReleaseState::AsFound);
    }
    guarded.read();
    reading::leave(reading);
}

/// Writes under the lock: nobody else begins to read, and those who do are waited for.
fn write(lock_word: &Model, readings: &[Arc<Model>], guarded: &Guarded, me: u32) {
    take(lock_word, me, false);
    for reading in readings {
        while let Some(expected) = reading::attempt(&**reading) {
            reading.wait(expected, LONG);
        }
    }
    guarded.write();
    release(lock_word, me, ReleaseState::Consistent);
}

fn readers_and_writers(readers: u32, writers: u32, times: u32) -> impl Fn() + Sync + Send + 'static {
    move || {
        let (word, guarded) = (Model::new(0), Guarded::new());
        let readings: Vec<_> = (0..readers).map(|_| Model::new(0)).collect();
        let mut threads = Vec::new();
        for slot in 0..readers {
            let (word, guarded) = (Arc::clone(&word), Arc::clone(&guarded));
            let reading = Arc::clone(&readings[slot as usize]);
            threads.push(thread::spawn(move || {
                (0..times).for_each(|_| read(&word, &reading, &guarded, me(slot)));
            }));
        }
        for slot in readers + 1..readers + writers {
            let (word, guarded, readings) = (Arc::clone(&word), Arc::clone(&guarded), readings.clone());
            threads.push(thread::spawn(move || write(&word, &readings, &guarded, me(slot))));
        }
        write(&word, &readings, &guarded, me(readers));
        threads.into_iter().for_each(|thread| thread.join().expect("it went well"));
        assert_eq!((guarded.read(), word.load()), (writers, word.load() & lock::WAITERS));
    }
}

#[test]
fn a_reader_and_a_writer_are_never_inside_at_once() {
    explore(8, readers_and_writers(1, 1, 2));
}

#[test]
fn two_readers_and_a_writer_are_never_inside_at_once() {
    explore(4, readers_and_writers(2, 1, 1));
}

#[test]
fn a_reader_and_two_writers_are_never_inside_at_once() {
    explore(3, readers_and_writers(1, 2, 1));
}

fn await_event(word: &Model, generation: u32) {
    while let Some(expected) = event::attempt(word, generation) {
        word.wait(expected, LONG);
    }
}

#[test]
fn who_waits_for_an_event_is_released_though_it_is_cleared_at_once() {
    explore(3, || {
        let word = Model::new(0);
        let generation = event::generation(word.load());
        let waits: Vec<_> = (0..2)
            .map(|_| {
                let word = Arc::clone(&word);
                thread::spawn(move || await_event(&word, generation))
            })
            .collect();
        event::set(&*word);
        event::clear(&*word);
        waits.into_iter().for_each(|thread| thread.join().expect("it went well"));
        assert!(!event::was_set(word.load(), event::generation(word.load())));
    });
}

#[test]
fn who_waits_for_an_event_is_released_by_either_of_two_who_set_it() {
    explore(5, || {
        let word = Model::new(event::GENERATION.wrapping_neg()); // the count is about to begin anew
        let generation = event::generation(word.load());
        let waits = {
            let word = Arc::clone(&word);
            thread::spawn(move || await_event(&word, generation))
        };
        let sets = {
            let word = Arc::clone(&word);
            thread::spawn(move || event::set(&*word))
        };
        event::clear(&*word);
        event::set(&*word);
        event::clear(&*word);
        waits.join().expect("it went well");
        sets.join().expect("it went well");
    });
}

/// One waits for a set after a clear that it saw.
#[test]
fn a_generation_that_was_seen_after_a_clear_is_released_by_the_next_set() {
    explore(8, || {
        let word = Model::new(event::SET);
        event::clear(&*word);
        let generation = event::generation(word.load());
        let waits = {
            let word = Arc::clone(&word);
            thread::spawn(move || await_event(&word, generation))
        };
        event::set(&*word);
        waits.join().expect("it went well");
        assert!(event::was_set(word.load(), generation));
    });
}

/// How `WaiterThreads` hands work to a thread (`WaitQueue::run` and `WaitQueue::wake_thread`), with these steps in
/// this order.
#[test]
fn a_thread_that_is_told_of_work_sleeps_through_none_and_leaves_none_behind() {
    explore(4, || {
        let (news, fetched) = (Model::new(0), Model::new(0));
        let new = Arc::new(Mutex::new(Vec::new()));
        let closed = Arc::new(AtomicBool::new(false));
        let works = {
            let (news, fetched) = (Arc::clone(&news), Arc::clone(&fetched));
            let (new, closed) = (Arc::clone(&new), Arc::clone(&closed));
            thread::spawn(move || {
                let mut held = Vec::new();
                loop {
                    let seen = news.load();
                    let is_closed = closed.load(Ordering::SeqCst);
                    held.append(&mut new.lock().expect("no panic"));
                    if is_closed {
                        return held;
                    }
                    fetched.word.store(held.len() as u32, Ordering::SeqCst);
                    fetched.wake(1);
                    news.wait(seen, LONG);
                }
            })
        };
        let tell = || {
            news.word.fetch_add(1, Ordering::SeqCst);
            news.wake(1);
        };
        let push = |ticket: u32| new.lock().expect("no panic").push(ticket);
        push(1);
        tell();
        while fetched.load() == 0 {
            fetched.wait(0, LONG); // nothing else comes that the thread would be told of
        }
        push(2);
        closed.store(true, Ordering::SeqCst);
        tell();
        assert_eq!(works.join().expect("it went well"), [1, 2]);
    });
}
